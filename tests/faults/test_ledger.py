"""The stream under fire: what a `Live` shows is the truth, whatever goes wrong.

First the harness itself is tried, on a stand-in that is right and on ones that are wrong on
purpose. Then the faults, on three streams at a time: V1, V1 with books as changes, today's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import pandas as pd
import pytest

from cdcx_pandas import launch
from tests.conftest import session_of
from tests.faults import ledger
from tests.faults.ledger import (
    Findings,
    Gap,
    LiveLike,
    Trade,
    Truth,
    judge,
    judge_in_time,
    judge_trades,
    problems,
    settle,
)
from tests.faults.naive import NaiveLive
from tests.faults.scenarios import SCENARIOS, SYMBOLS, WIRES, Scenario
from tests.faults.subject import is_real, open_live
from tests.sandbox.chaos_world import Chaotic

pytestmark = [  # what they say is judged by gaps and books themselves
    pytest.mark.filterwarnings("ignore::cdcx_pandas.errors.GapWarning"),
    pytest.mark.filterwarnings("ignore::cdcx_pandas.errors.StaleDataWarning"),
]
OPTIONS = (
    "--no-limits", "--push-every", "0.05", "--speed", "40", "--at", "2024-03-01T12:00",
    "--ping-every", "0.5", "--heartbeat-every", "0.5",
)  # fmt: skip
"""A year that is past tells the venue's times from the machine's."""
FIRES_S = 8.0
"""So long it may take until what is ordered has happened: until that channel tells something."""
BOOK_S = 12.0
"""A hole in changes without numbers is found by asking again, now and then."""
S = 10**9
ALL_KINDS = {
    "mute": 0.01, "twice": 0.02, "swap": 0.02, "delay": 0.02, "garble": 0.005,
    "crossed": 0.005, "cut_inside": 0.002, "close": 0.002, "refuse": 0.1,
}  # fmt: skip
OF_MANY = ALL_KINDS | dict.fromkeys(("garble", "cut_inside", "close"), 0.0003)
"""Of five hundred a second: cut more often, today's wire would mostly be opening."""
BUSY = ("btcusdt", "ethusdt", "crousdt", "ltcusdt", "eosusdt", "xrpusdt", "crobtc", "ethbtc",
        "ltcbtc", "xrpbtc")  # fmt: skip


class Stream(NamedTuple):
    """A `Live` on trial, and the sandbox it listens to."""

    wire: str
    sandbox: Chaotic
    truth: Truth
    live: LiveLike


@pytest.fixture(scope="module")
def running() -> Iterator[launch.Running]:
    """Start a busy sandbox."""
    process = launch.start(OPTIONS)
    yield process
    process.stop()


@contextmanager
def opened(wire: str, running: launch.Running, symbols: Sequence[str]) -> Iterator[Stream]:
    """Open what is on trial, and wait until it has data."""
    with ExitStack() as stack:
        truth = Truth(running)
        stack.callback(truth.close)
        session = stack.enter_context(session_of(running, wire))
        live = open_live(symbols, session)
        stack.callback(live.stop)
        live.wait(10)
        yield Stream(wire, Chaotic(running), truth, live)


@pytest.fixture(scope="module")
def streams(running: launch.Running) -> Iterator[list[Stream]]:
    """Open a stream on each wire, once for all faults."""
    with ExitStack() as stack:
        yield [stack.enter_context(opened(wire, running, SYMBOLS)) for wire in WIRES]


@pytest.fixture(scope="module")
def changes() -> Iterator[list[Stream]]:
    """Open one on a V1 that tells books as changes."""
    running = launch.start(
        (*OPTIONS, "--speed", "1", "--push-every", "0.25", "--incremental-depth")
    )
    try:
        with opened("v1", running, SYMBOLS[:1]) as stream:
            yield [stream]
    finally:
        running.stop()


def suffer(streams: list[Stream], scenario: Scenario) -> None:
    """Let a scenario happen to all streams, and end it."""
    for stream in streams:
        scenario.order(stream.sandbox, WIRES[stream.wire])
    until = time.monotonic() + FIRES_S
    while scenario.fires and time.monotonic() < until:
        if not any(stream.sandbox.state()["faults"] for stream in streams):
            break
        time.sleep(0.05)
    time.sleep(scenario.lasts_s)
    for stream in streams:
        stream.sandbox.peace()


def check(streams: list[Stream], since: list[dict[str, int]]) -> None:
    """Hold all streams against the truth, from then to now."""
    with ThreadPoolExecutor(len(streams)) as pool:
        for stream, found in zip(streams, pool.map(judged, streams, since), strict=True):
            assert problems(found) == {}, stream.wire
            assert sum(one.rows for one in found.values()), "nothing was told"
            # REST reaches back far enough, so all is repaired.
            assert all(one.true == 0 for one in found.values()), found


def judged(stream: Stream, since: dict[str, int]) -> dict[str, Findings]:
    """Hold one stream against the truth."""
    return judge_in_time(stream.live, stream.truth, stream.wire, SYMBOLS, since)


# ------------------------------------------------------------------------- the harness itself


def trade(id_: int, at_s: float, price: float = 1.5) -> Trade:
    """Return a trade."""
    return Trade(id_, int(at_s * S), price, 2.0, "buy")


TRUE = [trade(n, 1000 + n) for n in range(1, 11)]


def test_the_truth_has_no_problems() -> None:
    """What is as it was is right, with times as fine as the wire tells them."""
    assert judge_trades(TRUE, TRUE, [], S).problems == {}
    fine = [one._replace(time_ns=one.time_ns + 123_456_789) for one in TRUE]
    told = [one._replace(time_ns=one.time_ns + 123_000_000) for one in TRUE]
    assert judge_trades(told, fine, [], 10**6).problems == {}
    assert judge_trades(TRUE, fine, [], S).problems == {}


def without(*ids: int) -> list[Trade]:
    """Return the truth with some trades left out."""
    return [one for one in TRUE if one.id not in ids]


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (without(5), "lost"),
        (without(10), "lost"),
        ([*TRUE[:5], TRUE[4], *TRUE[5:]], "doubled"),
        ([*TRUE, trade(11, 1011)], "invented"),
        ([trade(1, 1001, price=1.6), *TRUE[1:]], "invented"),
        ([TRUE[0]._replace(side="sell"), *TRUE[1:]], "invented"),
        ([TRUE[0]._replace(time_ns=TRUE[0].time_ns - S), *TRUE[1:]], "invented"),
        ([TRUE[1], TRUE[0], *TRUE[2:]], "disordered"),
    ],
)
def test_each_wrong_is_named(told: list[Trade], problem: str) -> None:
    """A row too few, too many, another, or elsewhere."""
    assert set(judge_trades(told, TRUE, [], S).problems) == {problem}


def test_gaps_must_be_true_and_no_wider() -> None:
    """A gap excuses what is in it; one in which nothing is missing costs its time."""
    true = Gap(1004 * S, 1006 * S)
    found = judge_trades(without(5), TRUE, [true], S)
    assert (found.problems, found.true, found.declared) == ({}, 1, 1)
    assert set(judge_trades(without(5, 8), TRUE, [true], S).problems) == {"lost"}
    vain = judge_trades(TRUE, TRUE, [true], S)
    assert (set(vain.problems), vain.vain_s, vain.run_s) == ({"vain"}, 2.0, 9.0)
    long_run = [trade(n, 1000 + n) for n in range(1, 1000)]
    assert judge_trades(long_run, long_run, [true], S).problems == {}


def test_equal_times_are_in_the_order_of_ids_as_numbers() -> None:
    """9 comes before 10, though not as a text."""
    told = [trade(9, 1), trade(10, 1)]
    assert judge_trades(told, told, [], S).problems == {}
    assert judge_trades(told[::-1], told, [], S).disordered == ["10 before 9"]


def bars(**changes: Any) -> pd.DataFrame:
    """Return three bars as a frame, the last one open."""
    columns: dict[str, Any] = {
        "time": pd.to_datetime([0, 60, 120], unit="s", utc=True), "open": [1.0, 2.0, 3.0],
        "high": [1.0, 2.0, 3.0], "low": [1.0, 2.0, 3.0], "close": [1.0, 2.0, 3.0],
        "volume": [5.0, 6.0, 7.0], "closed": [True, True, False],
    }  # fmt: skip
    return pd.DataFrame(columns | changes)


def test_bars_are_held_against_the_truth() -> None:
    """A closed bar that is another, one that is missing, one that stays open."""
    truth = [
        {"time_ns": at * 60 * S, "open": p, "high": p, "low": p, "close": p, "volume": v}
        for at, p, v in ((0, "1", "5"), (1, "2", "6"), (2, "3.5", "9"))
    ]
    assert ledger.judge_bars(bars(), truth) == []
    assert "120000000000" in ledger.judge_bars(bars(closed=[True] * 3), truth)[0]
    assert ledger.judge_bars(bars(close=[1.0, 2.5, 3.0]), truth)
    assert ledger.judge_bars(bars(closed=[False, True, False]), truth)
    assert ledger.judge_bars(bars().iloc[[0, 2]].assign(closed=True, close=[1.0, 3.5]), truth)
    assert ledger.judge_bars(bars().iloc[[1, 0, 2]], truth)


def test_books_are_held_against_the_truth() -> None:
    """Prices, amounts, sides; fewer levels than there are may be shown, but not none."""
    truth = {"bids": [["9", "1"], ["8", "2"]], "asks": [["10", "1"]]}
    rows = [("bid", 1, 8.0, 2.0), ("bid", 0, 9.0, 1.0), ("ask", 0, 10.0, 1.0)]
    frame = pd.DataFrame(rows, columns=["side", "level", "price", "amount"])
    assert ledger.is_book(ledger.levels_of(frame), truth)
    assert ledger.is_book(ledger.levels_of(frame.iloc[[1, 2]]), truth)
    assert not ledger.is_book(ledger.levels_of(frame.assign(amount=3.0)), truth)
    assert not ledger.is_book(ledger.levels_of(frame.iloc[:2]), truth)
    assert not ledger.is_book(ledger.levels_of(frame.iloc[[0, 2]]), truth)


SPOILS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "lost": lambda frame: frame.drop(frame.index[100:103]),
    "doubled": lambda frame: pd.concat([frame.iloc[:50], frame.iloc[49:]]),
    "invented": lambda frame: frame.assign(price=frame["price"] * 1.0001),
    "disordered": lambda frame: pd.concat([frame.iloc[:50], frame.iloc[50:][::-1]]),
}


@pytest.mark.parametrize("wire", ["v1", "exchange"])
def test_the_harness_catches_who_is_wrong(running: launch.Running, wire: str) -> None:
    """The stand-in has no problems; spoilt on purpose, exactly those it was spoilt with."""
    truth = Truth(running)
    with session_of(running, wire) as session:
        live = NaiveLive(SYMBOLS, session=session)
        try:
            live.wait(5)
            settle(live, truth, SYMBOLS)
            assert problems(judge(live, truth, wire, SYMBOLS)) == {}
            for problem, spoil in SPOILS.items():
                live._spoil = spoil
                found = judge(live, truth, wire, SYMBOLS, patience_s=0)
                names = {name for one in found.values() for name in one.problems}
                assert problem in names
                assert names <= {problem, "ticker", "book"}
        finally:
            live.stop()
            truth.close()


# ------------------------------------------------------------------------------ the faults


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_survives(streams: list[Stream], name: str) -> None:
    """After each fault the frames are the truth, and what is missing is declared."""
    since = [stream.truth.last_ids(SYMBOLS) for stream in streams]
    suffer(streams, SCENARIOS[name])
    check(streams, since)


@pytest.mark.parametrize(
    "name", ["nothing", "hole in a book", "crossed book", "garbled book", "lost book"]
)
def test_a_book_of_changes_survives(changes: list[Stream], name: str) -> None:
    """After each fault the book is a true one again."""
    (stream,) = changes
    suffer(changes, SCENARIOS[name])
    assert ledger.book_in_time(stream.live, stream.truth, SYMBOLS[0], BOOK_S) == []


def test_a_hundred_reconnects(streams: list[Stream]) -> None:
    """Connections are cut as soon as they stand, some inside a frame; nothing gets lost."""
    since = [stream.truth.last_ids(SYMBOLS) for stream in streams]
    before = [int(stream.live.health["reconnects"]) for stream in streams]
    every_s = {"drop": 0.04, "cut_inside": 0.06, "close": 0.2}
    seed = 20240301
    print(f"seed {seed}")  # noqa: T201  # shown when it fails
    for stream in streams:
        stream.sandbox.chaos(seed=seed, for_s=30, every_s=every_s)
    until = time.monotonic() + 25
    while time.monotonic() < until and min(reconnects(streams, before)) < 100:
        time.sleep(0.1)
    for stream in streams:
        stream.sandbox.peace()
    assert min(reconnects(streams, before)) >= 100
    check(streams, since)


def reconnects(streams: list[Stream], before: list[int]) -> list[int]:
    """Return how often each stream was connected anew."""
    counts = [int(stream.live.health["reconnects"]) for stream in streams]
    return [now - then for now, then in zip(counts, before, strict=True)]


def test_chaos_of_all_kinds(streams: list[Stream]) -> None:
    """Everything at once for a while, by a seed; then all is as it was."""
    since = [stream.truth.last_ids(SYMBOLS) for stream in streams]
    seed = 7
    print(f"seed {seed}")  # noqa: T201  # as above
    for stream in streams:
        stream.sandbox.chaos(seed=seed, for_s=4, rates=ALL_KINDS, every_s={"half_open": 3})
    time.sleep(4)
    for stream in streams:
        stream.sandbox.peace()
    check(streams, since)


@pytest.mark.parametrize(("wire", "pace"), [("v1", "0.02"), ("exchange", "0.004")])
def test_chaos_in_a_busy_market(wire: str, pace: str) -> None:
    """Ten markets, some five hundred messages a second, and everything goes wrong meanwhile.

    A minute lasts a third of a second here, so that more bars wait to be confirmed than are
    allowed to elsewhere: bars are judged there.
    """
    running = launch.start((*OPTIONS, "--speed", "200", "--push-every", pace))
    try:
        with opened(wire, running, BUSY) as stream:
            since = stream.truth.last_ids(BUSY)
            stream.sandbox.chaos(seed=11, for_s=8, rates=OF_MANY, every_s={"half_open": 4})
            rates = []
            for _ in range(16):
                time.sleep(0.5)
                rates.append(float(stream.live.health["messages_per_s"]))
            stream.sandbox.peace()
            print(f"seed 11, {max(rates):.0f} messages/s")  # noqa: T201  # shown when it fails
            found = judge_in_time(
                stream.live, stream.truth, wire, BUSY, since, timeout_s=20, bars=False
            )
            assert problems(found) == {}
            assert all(one.true == 0 for one in found.values()), found
            assert sum(one.rows for one in found.values()) > 300
            assert stream.live.health["reconnects"] >= 1
    finally:
        running.stop()


def test_an_outage_too_long_to_repair() -> None:
    """V1 tells the newest 200 trades: what was before is one declared gap, and no more."""
    running = launch.start((*OPTIONS, "--speed", "2000"))
    try:
        with opened("v1", running, SYMBOLS) as stream:
            settle(stream.live, stream.truth, SYMBOLS)
            since = stream.truth.last_ids(SYMBOLS)
            stream.sandbox.restart(4)
            found = judge_in_time(
                stream.live, stream.truth, "v1", SYMBOLS, since,
                books=False, bars=False, repairable=False,
            )  # fmt: skip
            assert problems(found) == {}
            assert all(one.true == one.declared == 1 for one in found.values()), found
    finally:
        running.stop()


def test_who_is_on_trial() -> None:
    """It is `cdcx_pandas.live` as soon as there is one."""
    try:
        from cdcx_pandas import live
    except ImportError:
        assert not is_real()
    else:
        assert live is not None
