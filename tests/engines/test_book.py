"""Merging the prices of a book."""

from __future__ import annotations

from decimal import Decimal as D  # noqa: N817  # the tables below are read as numbers

from cdcx_pandas.engines.book import merge_prices

BOOK = {
    "side": ["bid", "bid", "bid", "ask", "ask", "ask"],
    "level": [0, 1, 2, 0, 1, 2],
    "price": [D("99.99"), D("99.90"), D("98.00"), D("100.00"), D("100.01"), D("101.00")],
    "amount": [D("0.1"), D("0.2"), D(1), D("0.3"), D("0.4"), D("0.5")],
    "orders": [1, 2, 3, 4, 5, 6],
}


def test_bids_are_merged_down_and_asks_up() -> None:
    """A merged level is never better than what is in it; amounts and orders are summed."""
    merged = merge_prices(BOOK, D(1))
    assert merged == {
        "side": ["bid", "bid", "ask", "ask"],
        "level": [0, 1, 0, 1],
        "price": [D(99), D(98), D(100), D(101)],
        "amount": [D("0.3"), D(1), D("0.3"), D("0.9")],
        "orders": [3, 3, 4, 11],
    }


def test_floats_are_summed_as_they_were_written() -> None:
    """0.1 + 0.2 is 0.3, and the types stay."""
    floats = BOOK | {
        "price": [float(price) for price in BOOK["price"]],
        "amount": [float(amount) for amount in BOOK["amount"]],
        "orders": [None] * 6,
    }
    merged = merge_prices(floats, D(1))
    assert merged["amount"] == [0.3, 1.0, 0.3, 0.9]
    assert merged["orders"] == [None] * 4
    assert all(isinstance(price, float) for price in merged["price"])


def test_a_side_may_be_empty() -> None:
    """And so may both."""
    asks = {name: values[3:] for name, values in BOOK.items()}
    assert merge_prices(asks, D(1))["side"] == ["ask", "ask"]
    empty = {name: [] for name in BOOK}
    assert merge_prices(empty, D(1)) == {name: [] for name in BOOK}
