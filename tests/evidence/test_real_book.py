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


def best_of(columns: dict[str, list[Any]]) -> dict[str, tuple[float, float]]:
    """Return the best level of each side of a book as it is shown."""
    rows = zip(*(columns[name] for name in ("side", "level", "price", "amount")), strict=True)
    return {side: (price, amount) for side, level, price, amount in rows if level == 0}


@pytest.mark.parametrize("seed", range(5))
def test_a_broken_chain_is_never_served_as_whole(evidence: Path, seed: int) -> None:
    """Of 1 % lost changes none leads to a best price that is wrong and not said to be stale.

    What is shown may be as old as the last change that came, so it is compared with the whole
    feed's book at that change, and with the feed's own best prices where it tells any.
    """
    dice = random.Random(seed)
    truth, careless, track = LiveBook(), LiveBook(), BookTrack(CHANNEL)
    at_number: dict[int, dict[str, tuple[float, float]]] = {}
    said: dict[int, dict[str, tuple[float, float]]] = {}
    shown_at: list[tuple[int, dict[str, tuple[float, float]]]] = []
    careless_at: list[tuple[int, dict[str, tuple[float, float]]]] = []
    now, lost, stale, due = 100.0, 0, 0, -1
    for told in events(evidence):
        if "lastUpdateId" in told:
            columns, number = levels(told, "bids", "asks"), told["lastUpdateId"]
            truth.replace(columns, number)
            careless.replace(columns)
            track.news(m.Update(CHANNEL, Answer(DEPTH, columns), "snapshot", None, "1", number),
                       Now(now, 0))  # fmt: skip
            continue
        if told["e"] == "bookTicker":
            said[told["u"]] = {
                "bid": (float(told["b"]), float(told["B"])),
                "ask": (float(told["a"]), float(told["A"])),
            }
        if told["e"] != "depthUpdate":
            continue
        now += 0.1
        columns, number = levels(told, "b", "a"), told["u"]
        truth.change(columns, number, told["pu"])
        if not truth.is_whole:
            track.news(m.Update(CHANNEL, Answer(DEPTH, columns), "delta", None, None, number,
                                told["pu"]), Now(now, 0))  # fmt: skip
            careless.change(columns)
            continue
        at_number[number] = best_of(truth.columns())
        if dice.random() < 0.01:
            lost += 1
            continue
        careless.change(columns)
        careless_at.append((number, best_of(careless.columns())))
        track.news(m.Update(CHANNEL, Answer(DEPTH, columns), "delta", None, None, number,
                            told["pu"]), Now(now, 0))  # fmt: skip
        track.tick(Now(now, 0))
        if track.wants_whole:
            track.wants_whole, due = False, ANSWERED_AFTER
        due -= 1
        if due == 0:
            whole = m.Update(CHANNEL, Answer(DEPTH, truth.columns()), "snapshot", None, "2", number)
            track.news(whole, Now(now, 0))
        shown = track.shown()
        if shown is None or shown.is_stale:
            stale += 1
        else:
            assert track._book.sequence is not None
            shown_at.append((track._book.sequence, best_of(shown.columns)))
    assert sum(best != at_number[number] for number, best in shown_at) == 0
    assert sum(best != said[number] for number, best in shown_at if number in said) == 0
    assert lost > 0
    assert stale >= lost - 1
    assert len(shown_at) > 0.8 * len(at_number)
    # Whoever does not look at the chain is wrong: the feed and the losses are such that it shows.
    assert sum(best != at_number[number] for number, best in careless_at) > 0
