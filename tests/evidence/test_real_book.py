"""A real feed's book, rebuilt from its differences, agrees with the feed's own best prices."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdcx_pandas.engines.book import LiveBook

pytestmark = pytest.mark.evidence


def events(evidence: Path) -> Iterator[dict[str, Any]]:
    """Return what the feed said, in order: local time and JSON on each line."""
    with gzip.open(evidence / "market" / "usdm_btcusdt_20240808.gz", "rt") as lines:
        for line in lines:
            told = json.loads(line.split(" ", 1)[1])
            yield told.get("data", told)


def levels(told: dict[str, Any], bids: str, asks: str) -> dict[str, list[Any]]:
    """Return levels of the feed as columns."""
    rows = [("bid", *row) for row in told[bids]] + [("ask", *row) for row in told[asks]]
    return {
        "side": [side for side, _, _ in rows],
        "price": [float(price) for _, price, _ in rows],
        "amount": [float(amount) for _, _, amount in rows],
    }


def test_the_rebuilt_book_has_the_feeds_own_best_prices(evidence: Path) -> None:
    """At equal update ids: 629 of 629, price and amount on both sides."""
    book = LiveBook()
    best: dict[int, dict[str, Any]] = {}
    rebuilt: dict[int, tuple[Any, Any, Any, Any]] = {}
    for told in events(evidence):
        if "lastUpdateId" in told:
            book.replace(levels(told, "bids", "asks"), told["lastUpdateId"])
        elif told["e"] == "bookTicker":
            best[told["u"]] = told
        elif told["e"] == "depthUpdate":
            book.change(levels(told, "b", "a"), told["u"], told["pu"])
            if book.is_whole:
                bid, ask = book.best()
                rebuilt[told["u"]] = (bid, book.amount("bid", bid), ask, book.amount("ask", ask))
    common = best.keys() & rebuilt.keys()
    wanted = {id_: tuple(float(best[id_][name]) for name in ("b", "B", "a", "A")) for id_ in common}
    assert len(common) == 629
    assert {id_: rebuilt[id_] for id_ in common} == wanted
    assert book.breaks == 0
