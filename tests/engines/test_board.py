"""Own orders, as a stream tells them."""

from __future__ import annotations

from typing import Any

from cdcx_pandas import messages as m
from cdcx_pandas.channels import OrderChannel
from cdcx_pandas.engines.tracks.board import Board, OrderTrack
from cdcx_pandas.engines.tracks.gaps import Gaps
from cdcx_pandas.engines.tracks.track import Now
from cdcx_pandas.tables import ORDERS, Answer


def told(status: str | None, filled: float | None) -> m.Update:
    """Return how an order stands."""
    columns: dict[str, list[Any]] = {"id": ["1"], "status": [status], "filled": [filled]}
    return m.Update(OrderChannel(), Answer(ORDERS, columns), "delta")


def test_an_order_whose_state_is_left_out() -> None:
    """What is known of it stays, and it is known once it is told."""
    board = Board(ORDERS)
    track = OrderTrack(OrderChannel(), board, Gaps())
    for status, filled, known in (
        (None, None, None), (None, 0.5, None), ("partial", 0.5, "partial"), (None, 0.6, "partial"),
        ("filled", 1.0, "filled"), ("open", 1.0, "filled"),
    ):  # fmt: skip
        track.news(told(status, filled), Now(1.0, 1))
        assert board.columns()["status"] == [known]
