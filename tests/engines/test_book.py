"""Merging the prices of a book, and keeping one up to date."""

from __future__ import annotations

from decimal import Decimal as D  # noqa: N817  # the tables below are read as numbers

from cdcx_pandas.engines.book import LiveBook, merge_prices

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


# ------------------------------------------------------------------------------ kept up to date


def levels(*rows: tuple[str, int, int]) -> dict[str, list[object]]:
    """Return levels as columns."""
    return {
        "side": [side for side, _, _ in rows],
        "price": [price for _, price, _ in rows],
        "amount": [amount for _, _, amount in rows],
    }


WHOLE = levels(("bid", 99, 1), ("bid", 98, 2), ("ask", 101, 1), ("ask", 102, 2))


def test_changes_set_and_remove_levels() -> None:
    """Amount 0 removes, another one replaces or inserts; best first on either side."""
    book = LiveBook()
    book.replace(WHOLE, 10)
    assert book.change(levels(("bid", 99, 0), ("ask", 100, 5), ("ask", 102, 7)), 20, 10)
    told = book.columns()
    assert list(zip(told["side"], told["price"], told["amount"], strict=True)) == [
        ("bid", 98, 2), ("ask", 100, 5), ("ask", 101, 1), ("ask", 102, 7),
    ]  # fmt: skip
    assert book.best() == (98, 100)
    assert book.columns(1)["level"] == [0, 0]
    assert book.sequence == 20


def test_a_broken_chain_hides_the_book_until_a_snapshot() -> None:
    """And changes that the snapshot does not know are applied behind it."""
    book = LiveBook()
    book.replace(WHOLE, 10)
    assert not book.change(levels(("bid", 97, 3)), 30, 20)
    assert not book.is_whole
    assert not book.change(levels(("bid", 96, 4)), 40, 30)
    book.replace(WHOLE, 30)
    assert book.is_whole
    assert book.sequence == 40
    assert book.amount("bid", 96) == 4
    assert book.amount("bid", 97) is None  # the snapshot knew better
    assert book.breaks == 1


def test_an_idle_change_keeps_the_chain() -> None:
    """Nothing changed, and both numbers are the last one."""
    book = LiveBook()
    book.replace(WHOLE, 10)
    assert book.change(levels(), 10, 10)
    assert book.change(levels(("bid", 97, 3)), 20, 10)
    assert book.change(levels(), 20, 20)
    assert book.change(levels(("bid", 97, 0)), 30, 20)
    assert book.best() == (99, 101)


def test_changes_without_numbers_always_apply() -> None:
    """As V1's, which has none."""
    book = LiveBook()
    assert not book.change(levels(("bid", 99, 1)))
    book.replace(WHOLE)
    assert book.change(levels(("bid", 99, 9)))
    assert book.amount("bid", 99) == 9
