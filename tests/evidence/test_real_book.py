"""A real feed's book, rebuilt from its differences, agrees with the feed's own best prices."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdcx_pandas import messages as m
from cdcx_pandas.channels import DepthChannel
from cdcx_pandas.engines.book import LiveBook
from cdcx_pandas.engines.tracks.books import BookTrack
from cdcx_pandas.engines.tracks.track import Now
from cdcx_pandas.tables import DEPTH, Answer

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


CHANNEL = DepthChannel("btcusdt")
ANSWERED_AFTER = 3
"""A whole book that was asked for comes so many changes later."""


Best = tuple[float | None, float | None, float | None, float | None]


def best_of(book: LiveBook) -> Best:
    """Return the best bid and its amount, and the best ask and its amount."""
    bid, ask = book.best()
    return bid, book.amount("bid", bid), ask, book.amount("ask", ask)


class Loss:
    """The feed, a book that loses some of its changes, and one that loses them unawares.

    What is shown may be as old as the last change that came, so it is kept by the number of that
    change, to be compared with the whole feed's book there.
    """

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.truth, self.careless, self.track = LiveBook(), LiveBook(), BookTrack(CHANNEL)
        self.at: dict[int, Best] = {}
        self.shown: list[tuple[int, Best]] = []
        self.unawares: list[tuple[int, Best]] = []
        self.lost = self.stale = 0
        self._now, self._due = 100.0, -1

    def whole(self, columns: dict[str, list[Any]], number: int) -> None:
        """Tell a whole book."""
        update = m.Update(CHANNEL, Answer(DEPTH, columns), "snapshot", None, "1", number)
        self.track.news(update, Now(self._now, 0))

    def change(self, columns: dict[str, list[Any]], number: int, previous: int) -> None:
        """Tell a change, or lose it; bring a whole book a little after it was asked for."""
        self._now += 0.1
        self.truth.change(columns, number, previous)
        if self.truth.is_whole:
            self.at[number] = best_of(self.truth)
            if self.dice.random() < 0.01:
                self.lost += 1
                return
        self.careless.change(columns)
        update = m.Update(CHANNEL, Answer(DEPTH, columns), "delta", None, None, number, previous)
        self.track.news(update, Now(self._now, 0))
        self.track.tick(Now(self._now, 0))
        if not self.truth.is_whole:
            return
        if self.track.wants_whole:
            self.track.wants_whole, self._due = False, ANSWERED_AFTER
        self._due -= 1
        if self._due == 0:
            self.whole(self.truth.columns(), number)
        if number % 20 == 0:
            self.unawares.append((number, best_of(self.careless)))
        if self.track.is_whole:
            book = self.track._book
            assert book.sequence is not None
            self.shown.append((book.sequence, best_of(book)))
            if len(self.shown) % 100 == 0:  # what a person sees is that book
                shown = self.track.shown()
                assert shown is not None
                levels_of = zip(shown.columns["price"], shown.columns["level"], strict=True)
                best = [price for price, level in levels_of if level == 0]
                assert (shown.is_stale, best) == (book.is_crossed, [*book.best()])
        else:
            self.stale += 1
            shown = self.track.shown()
            assert shown is None or shown.is_stale


@pytest.mark.parametrize("seed", range(3))
def test_a_broken_chain_is_never_served_as_whole(evidence: Path, seed: int) -> None:
    """Of 1 % lost changes none leads to a best price that is wrong and not said to be stale."""
    loss = Loss(seed)
    said: dict[int, Best] = {}
    for told in events(evidence):
        if "lastUpdateId" in told:
            columns, number = levels(told, "bids", "asks"), told["lastUpdateId"]
            loss.truth.replace(columns, number)
            loss.careless.replace(columns)
            loss.whole(columns, number)
        elif told["e"] == "bookTicker":
            bid, bids, ask, asks = (float(told[name]) for name in ("b", "B", "a", "A"))
            said[told["u"]] = bid, bids, ask, asks
        elif told["e"] == "depthUpdate":
            loss.change(levels(told, "b", "a"), told["u"], told["pu"])
    assert sum(best != loss.at[number] for number, best in loss.shown) == 0
    assert sum(best != said[number] for number, best in loss.shown if number in said) == 0
    assert loss.lost > 0
    assert loss.stale > 0
    assert len(loss.shown) > 0.8 * len(loss.at)
    # Whoever does not look at the chain is wrong: the feed and the losses are such that it shows.
    assert sum(best != loss.at[number] for number, best in loss.unawares) > 0
