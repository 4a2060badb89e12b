"""Questions and acts as values."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cdcx_pandas import operations as op
from cdcx_pandas.errors import FloatRefused


@pytest.mark.parametrize("name", ["amount", "spend", "price"])
def test_a_float_is_refused_where_money_is_meant(name: str) -> None:
    """The error says which argument, why, and what to write instead."""
    terms: dict[str, Any] = {name: 0.1}
    with pytest.raises(FloatRefused) as caught:
        op.PlaceOrder("btcusdt", "buy", "limit", **terms)
    assert str(caught.value) == (
        f"{name}: 0.1 is a float, and money is meant.\n"
        "A binary float cannot hold most decimal numbers.\n"
        'Write a text, "0.1", or a Decimal.'
    )
    assert caught.value.sent == "no"


def test_operations_are_values() -> None:
    """Equal terms are the same question, and can be counted in a set."""
    one = op.PlaceOrder("btcusdt", "buy", "limit", Decimal("0.1"), price=Decimal(1))
    same = op.PlaceOrder("btcusdt", "buy", "limit", Decimal("0.10"), price=Decimal(1))
    assert one == same
    assert len({one, same}) == 1


def test_effects_tell_reads_from_acts() -> None:
    """On V1 every signed call is a POST: only the effect tells what repeating would do."""
    acts = {
        op.PlaceOrder, op.PlaceOrders, op.AmendOrder,
        op.CancelOrder, op.CancelOrders, op.CancelAllOrders,
    }  # fmt: skip
    for kind in op.Operation.__subclasses__():
        reads = kind.effect in {op.Effect.PUBLIC_READ, op.Effect.PRIVATE_READ}
        assert reads is (kind not in acts)
        assert (kind.table is not None) is reads
