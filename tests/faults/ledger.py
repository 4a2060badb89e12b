"""Holds what a `Live` shows against the truth the sandbox tells past every wire.

A row may be missing only where a gap says so; no row may come twice, or be there that never
was, or stand out of order; and no gap may be declared where nothing is missing. The functions
on frames are pure, so that they can be tested themselves; `judge` asks both sides.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import pandas as pd
import requests

from cdcx_pandas import launch

UNIT_NS = {"v1": 10**9, "exchange": 10**6}
"""V1's stream tells whole seconds, today's whole milliseconds."""
VAIN_MOST = 0.01
"""So much of a run may be declared a gap in vain."""
PATIENCE_S = 4.0
"""So long a book or a ticker may take until it is that of now."""
FRESH_S = 2.0
"""So old, in real seconds, a book or a price may be and still be that of now."""
_BEST = 3
_MENDED = {"lost", "vain", "bars"}
"""What may be wrong while a repair is on its way."""
_FOREVER = 2**62
_SHOWN = 5


Level = tuple[float, float]
Levels = tuple[list[Level], list[Level]]
"""Bids and asks, (price, amount), best first."""


class LiveLike(Protocol):
    """What is on trial."""

    @property
    def trades(self) -> pd.DataFrame:
        """The newest public trades."""

    @property
    def klines(self) -> pd.DataFrame:
        """The newest bars."""

    @property
    def depth(self) -> pd.DataFrame:
        """The book."""

    @property
    def ticker(self) -> pd.DataFrame:
        """The tickers."""

    @property
    def gaps(self) -> pd.DataFrame:
        """What is missing."""

    @property
    def health(self) -> pd.Series:
        """How it stands."""

    @property
    def events(self) -> pd.DataFrame:
        """What happened to the connection."""

    def wait(self, timeout: float) -> Any:
        """Wait for data."""

    def stop(self) -> None:
        """End."""


class Trade(NamedTuple):
    """A public trade."""

    id: int
    time_ns: int
    price: float
    amount: float
    side: str


class Gap(NamedTuple):
    """A stretch of time that is said to be missing for good, both ends included."""

    start_ns: int
    end_ns: int


class Truth:
    """What really happened."""

    def __init__(self, running: launch.Running) -> None:
        self._url = f"{running.control_url}/truth"
        self._http = requests.Session()
        self._http.headers["X-Sandbox-Token"] = running.control_token
        self._fresh_ns = int(FRESH_S * running.speed * 1e9)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def ask(self, **asked: Any) -> Any:
        """Ask one page."""
        answer = self._http.get(self._url, params=asked, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def trades(self, symbol: str, after: int, until: int) -> list[Trade]:
        """Return the trades with ids in ``(after, until]``."""
        found: list[Trade] = []
        follow: str | None = str(after)
        while follow is not None:
            page = self.ask(symbol=symbol, after=follow, until=until)
            found += [
                Trade(
                    int(row["id"]), row["time_ns"], float(row["price"]), float(row["amount"]),
                    row["side"],
                )
                for row in page["trades"]
            ]  # fmt: skip
            follow = page["next"]
        return found

    def bars(self, symbol: str, period: str, start_ns: int, end_ns: int) -> list[dict[str, Any]]:
        """Return the bars that open in ``[start_ns, end_ns)``."""
        found: list[dict[str, Any]] = []
        follow: int | None = start_ns
        while follow is not None:
            page = self.ask(
                what="klines", symbol=symbol, period=period, start=follow, end=end_ns
            )  # fmt: skip
            found += page["klines"]
            follow = page["next"]
        return found

    def had_book(self, symbol: str, told: Levels) -> bool:
        """Tell whether this was the book at any time just now; its best levels are looked for."""
        start = self.now_ns() - self._fresh_ns
        few = self.ask(what="books", symbol=symbol, start=start, levels=_BEST)["books"]
        near = [book["at"] for book in few[::-1] if is_book(told, book, _BEST)]
        return any(
            is_book(told, self.ask(what="book", symbol=symbol, at=at)) for at in near
        )  # fmt: skip

    def prices_just_now(self, symbol: str) -> list[float]:
        """Return the last prices there were just now, the newest last."""
        now = self.ask(what="now")
        since = now["now_ns"] - self._fresh_ns
        last = int(now["last_id"][symbol])
        trades = self.trades(symbol, max(last - 1000, 0), last)
        first = next((at for at, one in enumerate(trades) if one.time_ns >= since), len(trades))
        return [one.price for one in trades[max(first - 1, 0) :]]

    def last_ids(self, symbols: Iterable[str]) -> dict[str, int]:
        """Return the newest ids."""
        ids = self.ask(what="now")["last_id"]
        return {symbol: int(ids[symbol]) for symbol in symbols}

    def now_ns(self) -> int:
        """Return the venue's time."""
        return int(self.ask(what="now")["now_ns"])


@dataclass
class Findings:
    """What is wrong with one market's frames.

    Attributes
    ----------
    rows
        How many trades were looked at.
    lost, doubled, invented, disordered
        Trades missing outside every declared gap, told twice, never made, out of order.
    bars, book, ticker
        What is wrong with the other frames.
    declared, true
        How many gaps are said to be there, and in how many places trades are missing.
    vain_s, run_s
        How long the gaps are in which nothing is missing, and how long the run was.
    """

    rows: int = 0
    lost: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    bars: list[str] = field(default_factory=list)
    book: list[str] = field(default_factory=list)
    ticker: list[str] = field(default_factory=list)
    declared: int = 0
    true: int = 0
    vain_s: float = 0.0
    run_s: float = 0.0

    @property
    def problems(self) -> dict[str, Any]:
        """What is wrong, and nothing else."""
        names = ("lost", "doubled", "invented", "disordered", "bars", "book", "ticker")
        found: dict[str, Any] = {
            name: [len(wrong), wrong[:_SHOWN]] for name in names if (wrong := getattr(self, name))
        }
        if self.run_s and self.vain_s > self.run_s * VAIN_MOST:
            found["vain"] = f"{self.vain_s:.2f} s of {self.run_s:.1f} s"
        return found


# --------------------------------------------------------------------------------- frames


def of_symbol(frame: pd.DataFrame, symbol: str) -> pd.DataFrame:
    """Return the rows of a market, the index among the columns."""
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    flat = frame.reset_index(level=named) if named else frame
    return flat[flat["symbol"] == symbol] if "symbol" in flat.columns else flat


def ns_of(times: Any) -> list[int]:
    """Return times as ns, `_FOREVER` for those that are not there."""
    index = pd.DatetimeIndex(times)
    values = index.as_unit("ns").asi8.tolist()
    return [_FOREVER if missing else at for at, missing in zip(values, index.isna(), strict=True)]


def trades_of(frame: pd.DataFrame) -> list[Trade]:
    """Return the trades of a market's frame in their order."""
    columns = [frame[name].tolist() for name in ("price", "amount", "side")]
    ids = [int(text) for text in frame["id"]]
    return [Trade(*row) for row in zip(ids, ns_of(frame["time"]), *columns, strict=True)]


def gaps_of(gaps: pd.DataFrame, channel: str, symbol: str) -> list[Gap]:
    """Return what is said to be missing for good."""
    rows = of_symbol(gaps, symbol)
    rows = rows[(rows["channel"] == channel) & ~rows["repaired"].astype(bool)]
    return [Gap(*ends) for ends in zip(ns_of(rows["start"]), ns_of(rows["end"]), strict=True)]


# --------------------------------------------------------------------------------- judging


def judge_trades(told: list[Trade], truth: list[Trade], gaps: list[Gap], unit_ns: int) -> Findings:
    """Hold trades against the truth; `truth` is of the stretch that is judged."""
    found = Findings(rows=len(told))
    by_id = {trade.id: cut(trade, unit_ns) for trade in truth}
    found.doubled = [id_ for id_, count in Counter(t.id for t in told).items() if count > 1]
    found.invented = [
        f"{trade} is {by_id.get(trade.id, 'none')}"
        for trade in told
        if by_id.get(trade.id) != cut(trade, unit_ns)
    ]
    found.disordered = [
        f"{before.id} before {after.id}"
        for before, after in itertools.pairwise(told)
        if (before.time_ns, before.id) > (after.time_ns, after.id)
    ]
    here = {trade.id for trade in told}
    missing = [by_id[trade.id] for trade in truth if trade.id not in here]
    found.lost = [t.id for t in missing if not any(is_in(t, gap, unit_ns) for gap in gaps)]
    ids = [trade.id for trade in missing]
    found.true = sum(1 for at, id_ in enumerate(ids) if not at or ids[at - 1] != id_ - 1)
    found.declared = len(gaps)
    if truth:
        start_ns, end_ns = truth[0].time_ns, truth[-1].time_ns
        found.run_s = (end_ns - start_ns) / 1e9
        found.vain_s = sum(
            max(min(gap.end_ns, end_ns) - max(gap.start_ns, start_ns), 0) / 1e9
            for gap in gaps
            if not any(is_in(trade, gap, unit_ns) for trade in missing)
        )
    return found


def cut(trade: Trade, unit_ns: int) -> Trade:
    """Return a trade with its time as the wire tells it."""
    return trade._replace(time_ns=trade.time_ns - trade.time_ns % unit_ns)


def is_in(trade: Trade, gap: Gap, unit_ns: int) -> bool:
    """Tell whether a trade whose time is cut lies in a gap."""
    return gap.start_ns - gap.start_ns % unit_ns <= trade.time_ns <= gap.end_ns


def judge_bars(frame: pd.DataFrame, truth: list[dict[str, Any]]) -> list[str]:
    """Hold a market's bars against the truth; return what is wrong.

    Every closed bar is as it was, none is missing between the first and the last of them, and
    only the newest two may be open. A bar in which nothing traded may be told as a flat one.
    """
    times = ns_of(frame["time"])
    names = ("open", "high", "low", "close", "volume")
    rows = dict(zip(times, zip(*(frame[name] for name in names), strict=True), strict=True))
    wrong = [f"{at} twice or out of order" for at, to in itertools.pairwise(times) if to <= at]
    flags = dict(zip(times, frame["closed"].astype(bool), strict=True))
    closed = [at for at in times if flags[at]]
    wrong += [f"{at} is still open" for at in times[:-2] if not flags[at]]
    there = {row["time_ns"]: tuple(float(row[name]) for name in names) for row in truth}
    for at in closed:
        is_flat = at not in there and len(set(rows[at][:4])) == 1 and rows[at][4] == 0
        if there.get(at) != rows[at] and not is_flat:
            wrong.append(f"{at} is {there.get(at)}, not {rows[at]}")
    if closed:
        wrong += [
            f"{at} is missing" for at in there if closed[0] < at < closed[-1] and at not in rows
        ]
    return wrong


def levels_of(frame: pd.DataFrame) -> Levels:
    """Return bids and asks of a market's book as a frame shows them, best first."""
    sides = []
    for side in ("bid", "ask"):
        rows = frame[frame["side"].astype(str) == side].sort_values("level")
        sides.append(list(zip(rows["price"].tolist(), rows["amount"].tolist(), strict=True)))
    return sides[0], sides[1]


def is_book(told: Levels, truth: Any, most: int | None = None) -> bool:
    """Tell whether the levels shown, or the first of them, are the best of the true book."""
    for shown, name in zip(told, ("bids", "asks"), strict=True):
        there = [(float(price), float(amount)) for price, amount in truth[name]]
        if not shown or shown[:most] != there[: len(shown[:most])]:
            return False
    return True


# ---------------------------------------------------------------------------------- asking


def settle(
    live: LiveLike, truth: Truth, symbols: Iterable[str], timeout_s: float = 10.0
) -> dict[str, int]:
    """Wait until a `Live` shows the trades of now; return their ids, whether it did or not."""
    wanted = truth.last_ids(symbols)
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        frame = live.trades
        there = {symbol: of_symbol(frame, symbol)["id"] for symbol in wanted}
        if all(len(ids) and max(map(int, ids)) >= wanted[symbol] for symbol, ids in there.items()):
            break
        time.sleep(0.05)
    return wanted


def judge(
    live: LiveLike,
    truth: Truth,
    wire: str,
    symbols: Iterable[str],
    *,
    period: str = "1min",
    since: Mapping[str, int] | None = None,
    until: Mapping[str, int] | None = None,
    books: bool = True,
    bars: bool = True,
    patience_s: float = PATIENCE_S,
) -> dict[str, Findings]:
    """Hold a `Live` against the truth, each market by itself.

    Parameters
    ----------
    since, until
        Judge the trades with ids in ``(since, until]``, visible or not; without, from the first
        to the last that is visible.
    books
        Whether book and ticker are judged: not where they change faster than one can look.
    bars
        Whether bars are: not where a minute is over before what is told of it arrives.
    patience_s
        How long book and ticker may take to be repaired.
    """
    frames = live.trades, live.gaps, live.klines  # at one time, then the truth of it
    found = {}
    for symbol in symbols:
        told = trades_of(of_symbol(frames[0], symbol))
        ids = [trade.id for trade in told] or [0]
        after = since[symbol] if since else min(ids) - 1
        last = until[symbol] if until else max(ids)
        told = [trade for trade in told if after < trade.id <= last]
        true = truth.trades(symbol, after, last)
        gaps = [
            gap
            for gap in gaps_of(frames[1], "trades", symbol)
            if true and gap.end_ns >= true[0].time_ns - UNIT_NS[wire]
        ]
        found[symbol] = judge_trades(told, true, gaps, UNIT_NS[wire])
        shown = of_symbol(frames[2], symbol)
        if bars and len(shown):
            times = ns_of(shown["time"])
            end_ns = max(times) + 1
            found[symbol].bars = judge_bars(shown, truth.bars(symbol, period, min(times), end_ns))
        if books:
            found[symbol].book = book_in_time(live, truth, symbol, patience_s)
            found[symbol].ticker = ticker_in_time(live, truth, symbol, patience_s)
    return found


def judge_in_time(
    live: LiveLike,
    truth: Truth,
    wire: str,
    symbols: Iterable[str],
    since: Mapping[str, int],
    *,
    timeout_s: float = 8.0,
    books: bool = True,
    bars: bool = True,
    repairable: bool = True,
) -> dict[str, Findings]:
    """Hold a `Live` against the truth from `since` to now, as soon as it has repaired itself.

    What was invented, doubled or put out of order is wrong at once. What is missing may still
    be on its way, also where a gap says so for now if all can be repaired; it is wrong when the
    time is over.
    """
    began = time.monotonic()
    until = settle(live, truth, symbols, timeout_s)
    while True:
        found = judge(live, truth, wire, symbols, since=since, until=until, books=False, bars=bars)
        is_over = time.monotonic() - began > timeout_s
        names = {name for one in found.values() for name in one.problems}
        is_mending = bool(names) or (repairable and any(one.true for one in found.values()))
        if is_over or not is_mending or not names <= _MENDED:
            break
        time.sleep(0.1)
    if books:
        for symbol, one in found.items():
            one.book = book_in_time(live, truth, symbol, PATIENCE_S)
            one.ticker = ticker_in_time(live, truth, symbol, PATIENCE_S)
    return found


def book_in_time(live: LiveLike, truth: Truth, symbol: str, patience_s: float) -> list[str]:
    """Return nothing once the book shown is one that was true just now, or what is wrong."""
    until = time.monotonic() + patience_s
    while True:
        frame = live.depth
        is_stale = bool(frame.attrs.get("cdcx", {}).get("stale"))  # and says so
        told = levels_of(of_symbol(frame, symbol))
        if not is_stale and truth.had_book(symbol, told):
            return []
        if time.monotonic() > until:
            sizes, best = [len(side) for side in told], [side[:1] for side in told]
            return [f"stale {is_stale}, {sizes} levels, best {best}: not in {FRESH_S} s"]
        time.sleep(0.05)


def ticker_in_time(live: LiveLike, truth: Truth, symbol: str, patience_s: float) -> list[str]:
    """Return nothing once the last price shown is one that was true just now."""
    until = time.monotonic() + patience_s
    while True:
        told = of_symbol(live.ticker, symbol)["last"].tolist()
        prices = truth.prices_just_now(symbol)
        if told and told[-1] in prices:
            return []
        if time.monotonic() > until:
            return [f"last is {told}, not of {prices}"]
        time.sleep(0.05)


def problems(found: Mapping[str, Findings]) -> dict[str, dict[str, Any]]:
    """Return what is wrong, by market; empty if nothing is."""
    return {symbol: one.problems for symbol, one in found.items() if one.problems}
