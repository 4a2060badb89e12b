"""The tape: every trade of a pair, past and to come, as a function of time and a seed.

This module knows what a tape answers (`Tape`) and makes one from nothing but a seed
(`SyntheticTape`). It knows no account, no wire and no clock: now is always an argument, and
whoever asks for trades says up to when. Prices are integers of ticks and amounts of lots, so
that everything that ought to be equal is equal exactly.

History is made from the top down. A day is drawn first: its four prices, its volume, its
turnover and the number of its trades. It is split into hours, an hour into minutes, a minute
into trades, and each split keeps what its parent promised: the first open and last close, the
highest high and lowest low, and the sums of volume, turnover and trades, to the last unit. So
a page of any year costs a page: nothing is replayed from the beginning, and the bars of a
month need no minute of it. The future is made the same way, which is how the tape carries on.

Floats take part only through operations that IEEE 754 rounds in one way (no ``exp``, no
``sin``, no sums whose order numpy may choose), so the same seed gives the same tape on every
machine, whatever the page it was asked in.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from cdcx_pandas.periods import (
    FIXED_NS,
    NS_PER_DAY,
    NS_PER_HOUR,
    NS_PER_MINUTE,
    bar_number,
    bar_time,
    ceil_time,
    floor_times,
)
from cdcx_pandas.sandbox.pairs import HISTORY_BEGINS_NS, Pair

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Words = npt.NDArray[np.uint64]
    Floats = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]
    Rows = slice | Ints | Flags
    Whole = npt.NDArray[np.int64] | npt.NDArray[np.object_]

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
BOOK_LEVELS = 150
"""The most levels a side of a book has, as on V1."""
FIRST_ID = 1
"""The id of the first trade of history."""


# --- What a tape answers --------------------------------------------------------------------------


class Trades(NamedTuple):
    """Trades in ascending order, as columns of equal length."""

    id: Ints
    """Dense: each id is one more than that of the trade before."""
    time_ns: Ints
    price: Ints
    """In ticks."""
    amount: Ints
    """In lots."""
    side: Ints
    """The taker's: +1 a buy at the ask, -1 a sell at the bid."""

    def rows(self, where: Rows) -> Trades:
        """Return some of the rows."""
        return Trades(*(column[where] for column in self))


class Bars(NamedTuple):
    """Bars in ascending order, as columns of equal length."""

    time_ns: Ints
    """Opening times."""
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    """In lots."""
    turnover: Whole
    """Sum of price x amount, in ticks x lots; Python integers where 64 bits might not do."""
    trades: Ints
    """How many trades the bar has; at least one."""
    last_id: Ints
    """The id of its last trade."""

    def rows(self, where: Rows) -> Bars:
        """Return some of the rows."""
        columns: list[Any] = [column[where] for column in self]
        return Bars(*columns)


class Book(NamedTuple):
    """Standing orders, best first: arrays of rows ``(price, amount)``."""

    bids: Ints
    asks: Ints


class DayStats(NamedTuple):
    """The last 24 hours, exactly to the trade: those in ``(now - 24 h, now]``."""

    open: int
    high: int
    low: int
    close: int
    volume: int
    turnover: int
    trades: int
    last_id: int


class Tape(Protocol):
    """The market of one pair as it can be asked.

    Every answer is a function of its arguments. Nothing here knows what time it is: the
    trades of the future are told to whoever asks for them.
    """

    @property
    def pair(self) -> Pair:
        """The pair that is traded."""

    @property
    def matches(self) -> Mapping[int, str]:
        """Trade → the number of its match, where that is recorded."""

    def trades(self, start_ns: int, end_ns: int) -> Trades:
        """Return the trades in ``[start_ns, end_ns)``."""

    def last_trades(self, before_ns: int, count: int) -> Trades:
        """Return the newest `count` trades before `before_ns`, or as many as there are."""

    def bars(self, period: str, start_ns: int, end_ns: int, now_ns: int) -> Bars:
        """Return the bars that open in ``[start_ns, end_ns)``.

        They are made of the trades up to and including `now_ns`: the last may be forming, and
        a bar in which nothing traded is absent.
        """

    def bars_before(self, period: str, end_ns: int, count: int, now_ns: int) -> Bars:
        """Return the newest `count` bars that open before `end_ns`, made as by `bars`."""

    def book(self, now_ns: int, levels: int = BOOK_LEVELS) -> Book:
        """Return the standing orders: the last trade's price is the touch it was made at.

        Between two trades a book stays the same for a whole second. Both sides are empty
        where nothing has traded yet.
        """

    def day_stats(self, now_ns: int) -> DayStats | None:
        """Return the last 24 hours up to and including `now_ns`, None if nothing traded."""


# --- Chance ---------------------------------------------------------------------------------------

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_LOW_16 = np.uint64(0xFFFF)


def _key(seed: int, *words: str) -> np.uint64:
    """Make the key of a stream of draws from the seed and what the draws are for."""
    text = ":".join((str(seed), *words)).encode()
    return np.uint64(int.from_bytes(blake2b(text, digest_size=8).digest(), "big"))


def _draw(key: np.uint64, numbers: Ints) -> Words:
    """Return 64 random bits for each number: splitmix64, which can start anywhere."""
    bits = numbers.astype(np.uint64) * _GOLDEN
    bits += key
    for shift, factor in zip(_SHIFTS, _MIX, strict=False):
        bits ^= bits >> shift
        bits *= factor
    bits ^= bits >> _SHIFTS[2]
    return bits


def _field(bits: Words, place: int) -> Ints:
    """Cut the 16 bits at `place` (0 to 3) out of a draw: a number from 0 to 65535."""
    return ((bits >> np.uint64(16 * place)) & _LOW_16).astype(np.int64)


def _unit(bits: Words, place: int) -> Floats:
    """Make a number in [0, 1) of 16 bits of a draw."""
    return _field(bits, place).astype(np.float64) * (1 / 65_536)


def _bell(bits: Words) -> Floats:
    """Make a number of mean 0 and deviation 1, nearly normal and never beyond 3.5."""
    four = _field(bits, 0) + _field(bits, 1) + _field(bits, 2) + _field(bits, 3)
    return (four - 131_070).astype(np.float64) * (1 / 37_837)


def _wave(key: np.uint64, days: Ints, length: int) -> Floats:
    """Return a slow wave in [0, 1): random heights every `length` days, straight between them."""
    node = days // length
    left, right = _unit(_draw(key, node), 0), _unit(_draw(key, node + 1), 0)
    return left + (right - left) * ((days - node * length) / length)


# --- Arithmetic that is the same everywhere -------------------------------------------------------

_LN2_POWERS = tuple(float(Decimal(2).ln() ** n) for n in range(13))
_FACTORIALS = (1, 1, 2, 6, 24, 120, 720, 5_040, 40_320, 362_880, 3_628_800, 39_916_800, 479_001_600)


def _exp2(x: Floats) -> Floats:
    """Raise 2 to `x`. numpy's own differs in the last bit between processors."""
    whole = np.rint(x)
    rest = x - whole
    result = np.zeros_like(x)
    for power, factorial in zip(reversed(_LN2_POWERS), reversed(_FACTORIALS), strict=True):
        result = result * rest + power / factorial
    return np.ldexp(result, whole.astype(np.int32))


def _log2(x: str) -> float:
    """Return the logarithm of a constant; `decimal` rounds it the same way everywhere."""
    return float(Decimal(x).ln() / Decimal(2).ln())


def _total(x: Floats) -> Floats:
    """Add up each row, from left to right: the order in which `sum` adds is numpy's business."""
    return x.cumsum(axis=1)[:, -1:]


def _shares(weights: Floats, wholes: Ints) -> Ints:
    """Divide each row's whole by its weights, in integers that add up to it."""
    running = weights.cumsum(axis=1)
    running /= running[:, -1:]
    ends = np.floor(running * wholes).astype(np.int64)
    ends[:, 1:] -= ends[:, :-1].copy()
    return ends


# --- Days: where prices go ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Coin:
    """How a coin's price goes: from one level towards another, walking between two walls."""

    first: str
    """In November 2019; in dollars, or in BTC for the coins that follow it."""
    later: str
    """The level it tends to over the years."""
    daily: float
    """Deviation of a day's step, as a logarithm to base 2."""
    wall: float
    """How far the walk gets from its level, as a logarithm to base 2."""
    in_btc: bool = True


_COINS = {
    "USD": _Coin("1", "1", 0.0, 1.0, in_btc=False),
    "USDT": _Coin("1", "1", 0.0006, 0.0015, in_btc=False),
    "USDC": _Coin("1", "1", 0.0005, 0.0012, in_btc=False),
    "BTC": _Coin("8700", "74000", 0.043, 0.75, in_btc=False),
    # VET and CRO are worth so little of a BTC that their walls are near: a price of `vetbtc`
    # has 8 decimals and keeps more than 100 ticks.
    "CRO": _Coin("0.0000042", "0.0000024", 0.040, 0.50),
    "VET": _Coin("0.0000019", "0.0000018", 0.040, 0.45),
    "ETH": _Coin("0.0215", "0.045", 0.032, 0.60),
    "EOS": _Coin("0.00039", "0.000025", 0.038, 0.60),
    "LTC": _Coin("0.0069", "0.0012", 0.034, 0.60),
    "MCO": _Coin("0.00055", "0.00012", 0.045, 0.60),
    "XRP": _Coin("0.000031", "0.000014", 0.038, 0.60),
    "XLM": _Coin("0.0000082", "0.0000042", 0.038, 0.60),
    "ATOM": _Coin("0.00044", "0.0001", 0.042, 0.60),
    "LINK": _Coin("0.00033", "0.00018", 0.044, 0.60),
    "XTZ": _Coin("0.000135", "0.00002", 0.040, 0.60),
    "BCH": _Coin("0.032", "0.006", 0.038, 0.60),
    "ICX": _Coin("0.000018", "0.0000055", 0.042, 0.60),
    "SOL": _Coin("0.0002", "0.0022", 0.045, 0.60),
}
_OTHER_COIN = _Coin("0.0001", "0.0001", 0.04, 0.60)

_SETTLING_DAYS = 900
"""After so many days half of the way from the first level to the later one is done."""
_LEAST_TICKS = 120
"""No day opens below, and with `_LEAST_LOW` no trade is below 100: a tick is at most 1 %."""
_LEAST_LOW = 100
_FIRST_DAYS = 4_096
"""Days made at once, to 2031; then twice as many."""


@lru_cache(maxsize=64)
def _levels(seed: int, coin: str, count: int) -> Floats:
    """Return the logarithm of a coin's price in dollars at the first `count` midnights."""
    plan = _COINS.get(coin, _OTHER_COIN)
    days = np.arange(count, dtype=np.int64)
    steps = _bell(_draw(_key(seed, coin, "steps"), days)) * plan.daily * _temper(seed, count)
    steps[0] = 0.0
    # Folding the walk at its walls bounds it for ever and leaves its steps as large as they are.
    walk = np.abs(np.mod(steps.cumsum() + plan.wall, 4 * plan.wall) - 2 * plan.wall)
    first, later = _log2(plan.first), _log2(plan.later)
    level = first + (later - first) * (days / (days + _SETTLING_DAYS)) + (plan.wall - walk)
    return level + _levels(seed, "BTC", count) if plan.in_btc else level


@lru_cache(maxsize=8)
def _temper(seed: int, count: int) -> Floats:
    """Return how lively each day is, for all pairs together: calm and wild weeks, mean about 1."""
    days = np.arange(count, dtype=np.int64)
    weeks, seasons = _wave(_key(seed, "weeks"), days, 9), _wave(_key(seed, "seasons"), days, 60)
    return 0.45 + 0.7 * weeks + 0.4 * seasons


# A bar while it is worked on is a column of an array with these rows.
_TIME, _ID, _OPEN, _HIGH, _LOW, _CLOSE, _VOLUME, _TURNOVER, _TRADES = range(9)
_FIELDS = 9
# A trade while it is worked on is a column of an array with the rows of `Trades`.

_WEEKDAY = np.array([1.0, 1.05, 1.1, 1.05, 1.0, 0.8, 0.75])
_LEAST_DAY_TRADES = 1_700
_LEAST_LOTS_PER_TRADE = 2_800
"""On average over a day, so that after the most uneven splits a minute has 13 for each trade."""
_MOST_DAY_LOTS = 10**13
_DAY_MARGIN = 38
"""A day's average price keeps this far (in percent of its range) from its high and low."""


def _make_days(pair: Pair, seed: int, count: int) -> Ints:
    """Make the first `count` days of a pair's history."""
    keys = {word: _key(seed, pair.follows or pair.symbol, word) for word in ("range", "flow")}
    days = np.arange(count, dtype=np.int64)
    base, quote = _levels(seed, pair.base, count + 1), _levels(seed, pair.quote, count + 1)
    ticks = np.rint(_exp2(base - quote) * float(10**pair.price_precision)).astype(np.int64)
    ticks = np.maximum(ticks, _LEAST_TICKS)
    rows = np.empty((_FIELDS, count), dtype=np.int64)
    rows[_TIME] = HISTORY_BEGINS_NS + days * NS_PER_DAY
    rows[_OPEN], rows[_CLOSE] = ticks[:-1], ticks[1:]

    temper = _temper(seed, count)
    coins = [_COINS.get(coin, _OTHER_COIN).daily for coin in (pair.base, pair.quote)]
    # Highs and lows reach about as far beyond open and close as a walk of this size would.
    reach = float(np.sqrt(coins[0] * coins[0] + coins[1] * coins[1])) * 0.6 * temper
    bits = _draw(keys["range"], days)
    top, bottom = np.maximum(ticks[:-1], ticks[1:]), np.minimum(ticks[:-1], ticks[1:])
    rows[_HIGH] = top + np.rint(top * reach * _unit(bits, 0)).astype(np.int64)
    low = bottom - np.rint(bottom * reach * _unit(bits, 1)).astype(np.int64)
    rows[_LOW] = np.maximum(low, _LEAST_LOW)

    bits = _draw(keys["flow"], days)
    # Day 0 was a Thursday.
    activity = temper * _WEEKDAY[(days + 3) % 7] * (0.6 + 0.8 * _unit(bits, 0))
    rows[_TRADES] = _LEAST_DAY_TRADES + np.rint(
        1_440 * (pair.trades_per_minute - 1) * activity
    ).astype(np.int64)
    rows[_ID] = FIRST_ID + rows[_TRADES].cumsum() - rows[_TRADES]
    lots = pair.daily_usd * activity * (0.7 + 0.6 * _unit(bits, 1)) / _exp2(base[:-1])
    lots = np.rint(np.minimum(lots * float(10**pair.amount_precision), _MOST_DAY_LOTS))
    volume = np.maximum(lots.astype(np.int64), _LEAST_LOTS_PER_TRADE * rows[_TRADES])
    rows[_VOLUME] = volume

    # Turnover above the low, `excess`, decides the day's average price.
    span = rows[_HIGH] - rows[_LOW]
    middle = ((rows[_OPEN] + rows[_CLOSE]) / 2 - rows[_LOW]) / np.maximum(span, 1)
    place = 0.55 * middle + 0.45 * (0.3 + 0.4 * _unit(bits, 2))
    most = span * volume
    least = -(-most * _DAY_MARGIN // 100)
    excess = np.clip(np.rint(place * most).astype(np.int64), least, most - least)
    rows[_TURNOVER] = rows[_LOW] * volume + excess
    return rows


# --- Splitting a bar into the next finer ones -----------------------------------------------------


@dataclass(frozen=True)
class _Split:
    """How bars of one length become bars of a shorter one.

    The shares are what makes every split possible (see `_divide_money`). A parent's average
    price keeps a margin M from its high and low, a child's only the smaller margin m. If at
    worst everything given out by `even` and `burst` trades at the low, the free rest must
    average ``(1 - M) / (1 - even - burst)`` of the range to make up for it; the child that
    touches the high can do that as long as this is at most ``1 - m``, less what is kept for
    rounding: 0.62 / 0.86 < 0.73 for hours, 0.78 / 0.90 < 0.87 for minutes. And a minute of
    13 lots for each trade can meet any average within its margin of 8 %, one in 12.5.
    """

    name: str
    parent_ns: int
    children: int
    margin: int
    """Percent of its range by which a child's average keeps away from high and low."""
    even: float
    """Share of the volume that is given out by the number of trades."""
    burst: float
    """Share of the volume that one child, the burst, has at least."""
    least_trades: int
    """Every child has at least so many."""
    burst_trades: int
    """And the burst so many more."""
    rhythm: tuple[float, ...]
    """How busy each child is on average."""

    @property
    def child_ns(self) -> int:
        return self.parent_ns // self.children


_HOURS = _Split(
    "hours", NS_PER_DAY, 24, 22, 0.10, 0.04, 68, 0,
    (0.95, 1.0, 0.95, 0.9, 0.85, 0.8, 0.85, 0.95, 1.05, 1.1, 1.05, 1.0,
     1.1, 1.3, 1.5, 1.55, 1.5, 1.35, 1.2, 1.1, 1.05, 1.0, 0.95, 0.9),
)  # fmt: skip
_MINUTES = _Split(
    "minutes", NS_PER_HOUR, 60, 8, 0.05, 0.05, 1, 7,
    tuple(1.6 if minute == 0 else 1.15 if minute % 15 == 0 else 0.97 for minute in range(60)),
)  # fmt: skip

_LEAST_MOVING = 5
"""A minute of fewer trades stands still: five can meet any four prices and any turnover."""
_KEPT_ROOM = 5
"""So much (in percent of the range) of what the margin leaves is kept for what rounding leaves."""
_BURST_SPAN = 4
"""The burst spans at least one part in so many of its parent's range."""


class _Splitter:
    """Splits bars of one pair; everything it draws is keyed by the child's own time."""

    def __init__(self, how: _Split, seed: int, symbol: str) -> None:
        self.how = how
        words = ("busy", "within", "between", "reach", "volume", "parent")
        self.keys = {word: _key(seed, symbol, how.name, word) for word in words}
        self.rhythm = np.array(how.rhythm)
        self.places = np.arange(how.children, dtype=np.int64)

    def __call__(self, parents: Ints) -> Ints:
        """Return the children of all parents, parent by parent."""
        how = self.how
        child = (parents[_TIME] // how.child_ns)[:, None] + self.places
        luck = _draw(self.keys["parent"], child[:, 0])
        burst = (_field(luck, 0) % how.children)[:, None] == self.places
        rows = np.empty((_FIELDS, *child.shape), dtype=np.int64)
        rows[_TIME] = child * how.child_ns
        self._divide_trades(rows, parents, child, burst)
        top, bottom = self._lead_prices(rows, parents, child, burst, luck)
        self._divide_money(rows, parents, child, burst, (top, bottom))
        return rows.reshape(_FIELDS, child.size)

    def _divide_trades(self, rows: Ints, parents: Ints, child: Ints, burst: Flags) -> None:
        how = self.how
        bits = _draw(self.keys["busy"], child)
        busy = self.rhythm * (0.25 + 1.5 * _unit(bits, 0) * _unit(bits, 1))
        spare = parents[_TRADES] - (how.children * how.least_trades + how.burst_trades)
        trades = _shares(busy, spare[:, None])
        trades += how.least_trades + how.burst_trades * burst
        rows[_TRADES] = trades
        rows[_ID] = parents[_ID][:, None] + trades.cumsum(axis=1) - trades

    def _lead_prices(
        self, rows: Ints, parents: Ints, child: Ints, burst: Flags, luck: Words
    ) -> tuple[Ints, Ints]:
        """Lead a path from open to close that meets high and low; tell which child meets each.

        The path has two points for each child, its open and its close. It is a random bridge
        over the straight line, and what is above the line is stretched until it touches the
        high, what is below until it touches the low.
        """
        opening, high, low, closing = (parents[n][:, None] for n in (_OPEN, _HIGH, _LOW, _CLOSE))
        still = rows[_TRADES] < _LEAST_MOVING
        size = np.where(still, 0.0, 1.0) * self.rhythm
        gap = np.full(child.shape, 0.3)
        gap[:, 1:] += 0.4 * (still[:, 1:] + still[:, :-1].astype(np.float64))
        gap[:, 0] = 0.0
        spread = np.empty((len(child), 2 * self.how.children))
        spread[:, 0::2], spread[:, 1::2] = gap, size
        walk = np.empty_like(spread)
        walk[:, 0::2] = gap * _bell(_draw(self.keys["between"], child))
        walk[:, 1::2] = size * _bell(_draw(self.keys["within"], child))
        walk = walk.cumsum(axis=1)
        elapsed = (spread * spread).cumsum(axis=1)
        elapsed /= elapsed[:, -1:]
        bridge = walk - walk[:, -1:] * elapsed
        self._never_one_sided(bridge, luck)
        line = opening + (closing - opening) * elapsed
        above, below = np.maximum(bridge, 0.0), np.minimum(bridge, 0.0)
        # Where the bridge is not above (below) the line, no stretching makes it touch.
        with np.errstate(divide="ignore", invalid="ignore"):
            rise = np.where(above > 0, (high - line) / above, np.inf)
            fall = np.where(below < 0, (low - line) / below, np.inf)
        top, bottom = rise.argmin(axis=1)[:, None], fall.argmin(axis=1)[:, None]
        path = line + np.take_along_axis(rise, top, 1) * above
        path += np.take_along_axis(fall, bottom, 1) * below
        points = np.clip(np.rint(path).astype(np.int64), low, high)
        np.put_along_axis(points, top, high, 1)
        np.put_along_axis(points, bottom, low, 1)

        rows[_OPEN] = points[:, 0::2]
        rows[_CLOSE] = np.where(still, rows[_OPEN], points[:, 1::2])
        bits = _draw(self.keys["reach"], child)
        wick = (high - low) * 0.5 / np.sqrt(float(self.how.children)) * ~still
        upper = np.maximum(rows[_OPEN], rows[_CLOSE])
        upper += np.rint(wick * _unit(bits, 0)).astype(np.int64)
        lower = np.minimum(rows[_OPEN], rows[_CLOSE])
        lower -= np.rint(wick * _unit(bits, 1)).astype(np.int64)
        upper, lower = np.minimum(upper, high), np.maximum(lower, low)
        # The burst is wide enough to take up what rounding leaves over.
        span = np.minimum(np.maximum((high - low) // _BURST_SPAN, 1), high - low)
        upper = np.where(burst, np.minimum(np.maximum(upper, lower + span), high), upper)
        rows[_LOW] = np.where(burst, np.minimum(lower, upper - span), lower)
        rows[_HIGH] = upper
        return top // 2, bottom // 2

    def _never_one_sided(self, bridge: Floats, luck: Words) -> None:
        """Give each bridge a point on either side of the line, or it could not touch both."""
        inner = self.how.children - 2
        for side, place in ((1.0, 1), (-1.0, 2)):
            flat = np.flatnonzero(((bridge * side) <= 0).all(axis=1))
            where = 1 + (_field(luck[flat], 1) + place * inner // 3) % inner
            bridge[flat, 2 * where] = bridge[flat, 2 * where + 1] = 0.01 * side

    def _divide_money(
        self,
        rows: Ints,
        parents: Ints,
        child: Ints,
        burst: Flags,
        touching: tuple[Ints, Ints],
    ) -> None:
        """Divide volume and turnover so that both add up.

        Prices are there already. Each child has an average price somewhere in its range; the
        volume goes where it makes the parent's average come out, and what rounding leaves is
        taken up by the averages.
        """
        how = self.how
        bits = _draw(self.keys["volume"], child)
        span = rows[_HIGH] - rows[_LOW]
        offset = rows[_LOW] - parents[_LOW][:, None]
        volume = parents[_VOLUME][:, None]
        excess = parents[_TURNOVER][:, None] - parents[_LOW][:, None] * volume
        average = offset + span * (0.35 + 0.3 * _unit(bits, 0))
        fixed = rows[_TRADES] * (how.even / parents[_TRADES][:, None]) + how.burst * burst
        chance = _unit(bits, 1)
        free = rows[_TRADES] * (0.3 + 2.0 * chance * chance * chance)
        free /= _total(free)
        wanted = excess / volume

        share = 1 - how.even - how.burst
        gap = wanted - _total((fixed + share * free) * average)
        centre = _total(free * average)
        # Towards the side that is wanted, and the further a child is on that side the more.
        pull = free * np.maximum((average - centre) * np.sign(gap), 0.0)
        weight = _total(pull)
        pull /= np.where(weight > 0, weight, 1.0)
        lever = share * (_total(pull * average) - centre)
        part = np.clip(gap / np.where(weight > 0, lever, np.inf), 0.0, 0.75)
        free += part * (pull - free)
        gap -= part * lever
        short = np.flatnonzero(np.abs(gap[:, 0]) > 1e-9 * (1 + wanted[:, 0]))
        if short.size:
            at = np.where(gap[short] > 0, touching[0][short], touching[1][short])
            self._shift(short, at, gap, (free, fixed), (average, offset, span))

        rows[_VOLUME] = _shares(fixed + share * free, volume)
        most = span * rows[_VOLUME]
        least = -(-most * how.margin // 100)
        inside = np.rint((average - offset) * rows[_VOLUME]).astype(np.int64)
        inside = np.clip(inside, least, most - least)
        left = excess - (offset * rows[_VOLUME] + inside).sum(axis=1, keepdims=True)
        room = np.where(left > 0, most - least - inside, inside - least)
        room_total = room.sum(axis=1, keepdims=True)
        assert (room_total >= np.abs(left)).all(), "the burst has room for what rounding leaves"
        taken = _shares(np.where(room_total > 0, room, 1).astype(np.float64), np.abs(left))
        inside += np.sign(left) * taken
        rows[_TURNOVER] = rows[_LOW] * rows[_VOLUME] + inside

    def _shift(
        self,
        short: Ints,
        at: Ints,
        gap: Floats,
        volumes: tuple[Floats, Floats],
        prices: tuple[Floats, Ints, Ints],
    ) -> None:
        """Close the gap of the few parents whose average pulling alone did not reach.

        The child that touches the wanted side moves its average there as far as it may, and
        takes as much of the free volume as is still needed.
        """
        free, fixed = volumes
        average, offset, span = prices
        how = self.how
        share = 1 - how.even - how.burst
        rest = gap[short]
        mine = np.take_along_axis(average[short], at, 1)
        kept = how.margin + _KEPT_ROOM
        margin = np.where(rest > 0, 100 - kept, kept) / 100
        limit = np.take_along_axis(offset[short], at, 1) + margin * np.take_along_axis(
            span[short], at, 1
        )
        held = np.take_along_axis(fixed[short] + share * free[short], at, 1)
        move = np.sign(rest) * np.minimum(np.abs(rest) / held, np.abs(limit - mine))
        rows = average[short]
        np.put_along_axis(rows, at, mine + move, 1)
        average[short] = rows
        rest = rest - move * held
        centre = _total(free[short] * rows)
        lever = share * (mine + move - centre)
        part = np.clip(np.where(np.abs(lever) > 0, rest / np.where(lever, lever, 1.0), 0.0), 0, 1)
        given = free[short] * (1 - part)
        np.put_along_axis(given, at, np.take_along_axis(given, at, 1) + part, 1)
        free[short] = given


# --- Splitting a minute into trades ---------------------------------------------------------------

_LEAST_USED = 0.9
"""How much of what the constraints leave free is used by trades between the extremes."""


class _Trader:
    """Makes the trades of minutes; everything it draws is keyed by the trade's id or its minute."""

    def __init__(self, seed: int, symbol: str) -> None:
        self.keys = {word: _key(seed, symbol, "trades", word) for word in ("place", "trade")}

    def __call__(self, minutes: Ints) -> Ints:
        """Return the trades of all minutes, one after the other, with the rows of `Trades`."""
        count = minutes[_TRADES]
        start = count.cumsum() - count
        mine = np.repeat(np.arange(count.size), count)
        place = np.arange(mine.size) - start[mine]
        rows = np.empty((5, mine.size), dtype=np.int64)
        rows[0] = minutes[_ID][mine] + place
        bits = _draw(self.keys["trade"], rows[0])
        within = ((place << 16) + _field(bits, 0)) * 60_000 // (count[mine] << 16)
        rows[1] = minutes[_TIME][mine] + within * NS_PER_MS
        self._price_and_amount(rows, minutes, (mine, place, start), bits)
        step = np.diff(rows[2], prepend=rows[2][:1])
        step[start] = 0
        coin = 1 - 2 * (_field(bits, 3) & 1)
        rows[4] = np.where(step == 0, coin, np.sign(step))
        return rows

    def _price_and_amount(
        self, rows: Ints, minutes: Ints, layout: tuple[Ints, Ints, Ints], bits: Words
    ) -> None:
        """Choose prices and amounts that meet the minute's four prices, volume and turnover.

        A minute that moves has five trades with a duty: the first at the open, the last at the
        close, one at the high, one at the low and one, the filler, at whatever price makes the
        rest divisible by the range. Then the turnover is reached by dividing what is left of
        the volume between the trade at the high and the one at the low.
        """
        mine, _, start = layout
        count = minutes[_TRADES]
        low, high = minutes[_LOW], minutes[_HIGH]
        span, volume = high - low, minutes[_VOLUME]
        moving = (span > 0) & (count >= _LEAST_MOVING)
        at_high, at_low, filler = (
            start + np.where(moving, where, 0) for where in self._duties(minutes)
        )

        # From open to the first extreme, to the second, to the close, not quite straight.
        first, second = np.minimum(at_high, at_low), np.maximum(at_high, at_low)
        peaks_first = at_high < at_low
        one, two = np.where(peaks_first, high, low), np.where(peaks_first, low, high)
        index = np.arange(mine.size)
        passed = (index >= first[mine]).astype(np.int64) + (index >= second[mine])
        way = np.stack((minutes[_OPEN], one, two, minutes[_CLOSE]))
        here, ahead = way[passed, mine], way[passed + 1, mine]
        price = here + ((ahead - here) * _field(bits, 1) >> 16)
        price = np.where(moving[mine], price, low[mine])
        price[start], price[start + count - 1] = minutes[_OPEN], minutes[_CLOSE]

        size = _field(bits, 2)
        weight = 1 + (size * size >> 20)
        whole = np.add.reduceat(weight, start)
        price[at_high[moving]], price[at_low[moving]] = high[moving], low[moving]
        free = weight.copy()
        for duty in (at_high, at_low, filler):
            free[duty[moving]] = 0
        spare = volume - count
        amount = 1 + np.floor(weight * (spare / whole)[mine]).astype(np.int64)

        # Where nothing moves, the last trade takes what rounding left.
        rest = volume - np.add.reduceat(amount, start)
        amount[(start + count - 1)[~moving]] += rest[~moving]

        if moving.any():
            offset = price - low[mine]
            excess = minutes[_TURNOVER] - low * volume
            fill = weight[filler]
            above = np.add.reduceat(free * offset, start) + fill * span
            below = np.add.reduceat(free * (span[mine] - offset), start) + fill * span
            busy = moving[mine] & (free > 0)
            # Where the filler ends up is not known yet: either bound counts it as a whole.
            roof = np.minimum(
                (excess - span * count) / np.maximum(above, 1),
                (span * spare - excess) / np.maximum(below, 1),
            )
            rate = np.maximum(np.minimum(_LEAST_USED * roof, spare / whole), 0.0)
            amount = np.where(busy, 1 + np.floor(weight * rate[mine]).astype(np.int64), amount)
            wide = np.maximum(span, 1)
            fill = 1 + wide * np.floor(fill * rate / wide).astype(np.int64)
            used = np.where(busy, amount, 0)
            open_excess = excess - np.add.reduceat(used * offset, start)
            # One lot more than a multiple of the range, so the offset is the remainder itself.
            remainder = open_excess % wide
            upper = (open_excess - remainder * fill) // wide
            lower = volume - np.add.reduceat(used, start) - fill - upper
            amount[at_high[moving]] = upper[moving]
            amount[at_low[moving]] = lower[moving]
            amount[filler[moving]] = fill[moving]
            price[filler[moving]] = (low + remainder)[moving]
        rows[2], rows[3] = price, amount

    def _duties(self, minutes: Ints) -> tuple[Ints, Ints, Ints]:
        """Choose three different trades of each minute, none the first or the last."""
        luck = _draw(self.keys["place"], minutes[_TIME] // NS_PER_MINUTE)
        inner = np.maximum(minutes[_TRADES] - 2, 3)
        high = _field(luck, 0) % inner
        low = (high + 1 + _field(luck, 1) % (inner - 1)) % inner
        filler = (low + 1) % inner
        filler = np.where(filler == high, (filler + 1) % inner, filler)
        return high + 1, low + 1, filler + 1


# --- The tape itself ------------------------------------------------------------------------------


class _Blocks:
    """Blocks of columns by number, made when asked for, the most recently used ones kept."""

    def __init__(self, make: Callable[[int, int], list[Ints]], keep: int) -> None:
        self._make, self._keep = make, keep
        self._kept: OrderedDict[int, Ints] = OrderedDict()

    def get(self, first: int, stop: int) -> list[Ints]:
        """Return the blocks ``first`` to ``stop - 1``; what is missing is made in runs."""
        kept = self._kept
        found: list[Ints] = []
        number = first
        while number < stop:
            block = kept.get(number)
            if block is not None:
                kept.move_to_end(number)
                found.append(block)
                number += 1
                continue
            end = number + 1
            while end < min(stop, number + self._keep) and end not in kept:
                end += 1
            for block in self._make(number, end):
                # Slices of it are handed out.
                block.flags.writeable = False
                kept[number] = block
                found.append(block)
                number += 1
        while len(kept) > self._keep:
            kept.popitem(last=False)
        return found


_LENGTHS = {"1day": NS_PER_DAY, "1hour": NS_PER_HOUR, "1min": NS_PER_MINUTE}
_FINER = {"1day": "1hour", "1hour": "1min"}
_HOURS_KEPT, _MINUTES_KEPT, _TRADES_KEPT = 512, 256, 48


class SyntheticTape:
    """A tape made from a seed; see the module for how.

    Making one costs nothing: days are drawn when first asked for, and of what is finer only
    the most recently used hours are kept.

    Parameters
    ----------
    pair
        What is traded. A pair of coins unknown here gets a market too.
    seed
        The same seed and symbol give the same tape, on every machine.

    Examples
    --------
    >>> from cdcx_pandas.sandbox.pairs import HISTORY_BEGINS_NS, PAIR_BY_SYMBOL
    >>> tape = SyntheticTape(PAIR_BY_SYMBOL["btcusdt"], seed=7)
    >>> int(tape.trades(HISTORY_BEGINS_NS, HISTORY_BEGINS_NS + 60 * 10**9).price[0])
    870000
    """

    def __init__(self, pair: Pair, seed: int) -> None:
        self.pair = pair
        self.matches: Mapping[int, str] = {}
        self._seed = seed
        self._days = np.empty((_FIELDS, 0), dtype=np.int64)
        way = pair.follows or pair.symbol
        self._hours = _Splitter(_HOURS, seed, way)
        self._minutes = _Splitter(_MINUTES, seed, way)
        self._trader = _Trader(seed, way)
        self._book = BookMaker(pair.symbol, seed)
        self._hours_of = _Blocks(self._make_hours, _HOURS_KEPT)
        self._minutes_of = _Blocks(self._make_minutes, _MINUTES_KEPT)
        self._trades_of = _Blocks(self._make_trades, _TRADES_KEPT)

    def trades(self, start_ns: int, end_ns: int) -> Trades:
        """Return the trades in ``[start_ns, end_ns)``, those to come included."""
        start_ns = max(start_ns, HISTORY_BEGINS_NS)
        if start_ns >= end_ns:
            return Trades(*np.empty((5, 0), dtype=np.int64))
        blocks = self._trades_of.get(start_ns // NS_PER_HOUR, -(-end_ns // NS_PER_HOUR))
        rows = _joined(blocks)
        first, stop = rows[1].searchsorted((start_ns, end_ns))
        return Trades(*rows[:, first:stop])

    def last_trades(self, before_ns: int, count: int) -> Trades:
        """Return the newest `count` trades before `before_ns`."""
        hour = before_ns // NS_PER_HOUR
        # How many trades the hour had by then is not known before they are made, but each
        # minute has one; and hours tell their number, so that few are made in vain.
        found = before_ns % NS_PER_HOUR // NS_PER_MINUTE
        while found < count and hour * NS_PER_HOUR > HISTORY_BEGINS_NS:
            hour -= 1
            found += int(self._whole(hour, hour + 1, "1hour")[0][_TRADES, 0])
        trades = self.trades(hour * NS_PER_HOUR, before_ns)
        return trades.rows(slice(max(trades.id.size - count, 0), None))

    def bars(self, period: str, start_ns: int, end_ns: int, now_ns: int) -> Bars:
        """Return the bars that open in ``[start_ns, end_ns)``, of trades up to `now_ns`."""
        first = ceil_time(period, start_ns)
        stop = ceil_time(period, end_ns)
        coarsest = "1day"
        while _LENGTHS[coarsest] > FIXED_NS.get(period, NS_PER_DAY):
            coarsest = _FINER[coarsest]
        rows = self._cover(max(first, HISTORY_BEGINS_NS), min(stop, now_ns + 1), coarsest)
        return _bars_of_rows(period, _joined(rows))

    def bars_before(self, period: str, end_ns: int, count: int, now_ns: int) -> Bars:
        """Return the newest `count` bars that open before `end_ns`."""
        # No bar is missing, so the first one's opening time is a subtraction.
        last = bar_number(period, min(end_ns - 1, now_ns))
        start_ns = bar_time(period, last - max(count, 0) + 1)
        return self.bars(period, start_ns, bar_time(period, last + 1), now_ns)

    def book(self, now_ns: int, levels: int = BOOK_LEVELS) -> Book:
        """Return the standing orders at a moment."""
        last = self.last_trades(now_ns + 1, 1)
        if not last.id.size:
            return EMPTY_BOOK
        day = self._day_rows((now_ns - HISTORY_BEGINS_NS) // NS_PER_DAY)[:, -1]
        usual = int(day[_VOLUME]) // (24 * 60)
        return self._book(now_ns, int(last.price[0]), int(last.side[0]), usual, levels)

    def day_stats(self, now_ns: int) -> DayStats | None:
        """Return the last 24 hours, to the trade; None before history begins."""
        start_ns = max(now_ns - NS_PER_DAY + 1, HISTORY_BEGINS_NS)
        rows = _joined(self._cover(start_ns, now_ns + 1, "1hour"))
        if not rows.size:
            return None
        return DayStats(
            open=int(rows[_OPEN, 0]),
            high=int(rows[_HIGH].max()),
            low=int(rows[_LOW].min()),
            close=int(rows[_CLOSE, -1]),
            volume=int(rows[_VOLUME].sum()),
            turnover=int(rows[_TURNOVER].sum()),
            trades=int(rows[_TRADES].sum()),
            last_id=int(rows[_ID, -1] + rows[_TRADES, -1]) - 1,
        )

    def _cover(self, start_ns: int, end_ns: int, unit: str) -> list[Ints]:
        """Return bars of mixed lengths, the longest `unit`, of exactly ``[start_ns, end_ns)``."""
        if start_ns >= end_ns:
            return []
        length = _LENGTHS[unit]
        first, stop = -(-start_ns // length), end_ns // length
        if first >= stop:
            return self._finer(start_ns, end_ns, unit)
        # The long ones first: then both edges find the blocks they are made of.
        middle = self._whole(first, stop, unit)
        return [
            *self._finer(start_ns, first * length, unit),
            *middle,
            *self._finer(stop * length, end_ns, unit),
        ]

    def _finer(self, start_ns: int, end_ns: int, unit: str) -> list[Ints]:
        if unit in _FINER:
            return self._cover(start_ns, end_ns, _FINER[unit])
        trades = self.trades(start_ns, end_ns)
        return [_rows_of_trades(trades)] if trades.id.size else []

    def _whole(self, first: int, stop: int, unit: str) -> list[Ints]:
        """Return the days, hours or minutes `first` to ``stop - 1``, counted from the epoch."""
        match unit:
            case "1day":
                begin = HISTORY_BEGINS_NS // NS_PER_DAY
                return [self._day_rows(stop - begin - 1)[:, first - begin :]]
            case "1hour":
                blocks, of = self._hours_of, 24
                shift = HISTORY_BEGINS_NS // NS_PER_DAY
            case _:
                blocks, of, shift = self._minutes_of, 60, 0
        rows = blocks.get(first // of - shift, -(-stop // of) - shift)
        skipped = first % of
        joined = _joined(rows)
        return [joined[:, skipped : skipped + stop - first]]

    def _day_rows(self, last: int) -> Ints:
        """Return all days of history up to number `last`."""
        count = self._days.shape[1]
        if last >= count:
            count = max(count, _FIRST_DAYS)
            while last >= count:
                count *= 2
            self._days = _make_days(self.pair, self._seed, count)
        return self._days[:, : last + 1]

    def _make_hours(self, first: int, stop: int) -> list[Ints]:
        return _cut(self._hours(self._day_rows(stop - 1)[:, first:]), 24)

    def _make_minutes(self, first: int, stop: int) -> list[Ints]:
        return _cut(self._minutes(_joined(self._whole(first, stop, "1hour"))), 60)

    def _make_trades(self, first: int, stop: int) -> list[Ints]:
        minutes = _joined(self._whole(first * 60, stop * 60, "1min"))
        rows = self._trader(minutes)
        ends = minutes[_TRADES].cumsum()[59::60]
        return [part.copy() for part in np.split(rows, ends[:-1], axis=1)]


# --- What tapes are made with ---------------------------------------------------------------------


def bars_of(trades: Trades, period: str) -> Bars:
    """Make bars of trades, exactly, whatever the sizes of the numbers.

    Parameters
    ----------
    trades
        In ascending order.
    period
        One of `cdcx_pandas.periods.PERIODS`.
    """
    opened = floor_times(period, trades.time_ns)
    first = starts_of(opened)
    if not first.size:
        return Bars(*np.empty((_FIELDS, 0), dtype=np.int64))
    last = np.append(first[1:], opened.size) - 1
    return Bars(
        time_ns=opened[first],
        open=trades.price[first],
        high=np.maximum.reduceat(trades.price, first),
        low=np.minimum.reduceat(trades.price, first),
        close=trades.price[last],
        volume=np.add.reduceat(trades.amount, first),
        turnover=np.add.reduceat(money_of(trades.price, trades.amount), first),
        trades=last - first + 1,
        last_id=trades.id[last],
    )


def money_of(price: Ints, amount: Ints) -> Whole:
    """Return price x amount of each row, of a type that also holds the sum of all."""
    if price.size and int(price.max()) * int(amount.max()) * price.size >= _INT64_ENDS:
        money: npt.NDArray[np.object_] = price.astype(object) * amount.astype(object)
        return money
    return price * amount


def stats_of(trades: Trades) -> DayStats | None:
    """Summarise trades, the last day's as a rule; None if there are none."""
    price, amount = trades.price, trades.amount
    if not price.size:
        return None
    return DayStats(
        open=int(price[0]),
        high=int(price.max()),
        low=int(price.min()),
        close=int(price[-1]),
        volume=int(amount.sum()),
        turnover=int(money_of(price, amount).sum()),
        trades=price.size,
        last_id=int(trades.id[-1]),
    )


_INT64_ENDS = 2**63


def starts_of(keys: Ints) -> Ints:
    """Return where each run of equal keys begins."""
    if not keys.size:
        return np.empty(0, dtype=np.int64)
    return np.concatenate(([0], np.flatnonzero(keys[1:] != keys[:-1]) + 1))


def _joined(rows: list[Ints]) -> Ints:
    match rows:
        case []:
            return np.empty((_FIELDS, 0), dtype=np.int64)
        case [one]:
            return one
        case _:
            return np.concatenate(rows, axis=1)


def _cut(rows: Ints, width: int) -> list[Ints]:
    """Cut rows into blocks that do not keep each other alive."""
    return [rows[:, at : at + width].copy() for at in range(0, rows.shape[1], width)]


def _rows_of_trades(trades: Trades) -> Ints:
    """Make minute bars of a synthetic tape's trades, in the form they are worked on."""
    bars = bars_of(trades, "1min")
    first_id = bars.last_id - bars.trades + 1
    return np.stack(
        (bars.time_ns, first_id, *bars[1:6], bars.turnover.astype(np.int64), bars.trades)
    )


def _bars_of_rows(period: str, rows: Ints) -> Bars:
    """Join a synthetic tape's bars to longer ones; its sums are known to fit into 64 bits."""
    opened = floor_times(period, rows[_TIME])
    first = starts_of(opened)
    if not first.size:
        return Bars(*np.empty((_FIELDS, 0), dtype=np.int64))
    last = np.append(first[1:], opened.size) - 1
    return Bars(
        time_ns=opened[first],
        open=rows[_OPEN][first],
        high=np.maximum.reduceat(rows[_HIGH], first),
        low=np.minimum.reduceat(rows[_LOW], first),
        close=rows[_CLOSE][last],
        volume=np.add.reduceat(rows[_VOLUME], first),
        turnover=np.add.reduceat(rows[_TURNOVER], first),
        trades=np.add.reduceat(rows[_TRADES], first),
        last_id=rows[_ID][last] + rows[_TRADES][last] - 1,
    )


# --- The book -------------------------------------------------------------------------------------

EMPTY_BOOK = Book(np.empty((0, 2), dtype=np.int64), np.empty((0, 2), dtype=np.int64))
_FAR_BIDS = (0.5, 0.3, 0.1, 0.02)
_FAR_ASKS = (1.6, 2.5, 8.0, 90.0)
"""Orders nobody expects to be met: V1 books had asks at 90 times the price."""
_NEAR = 0.45
"""Ordinary levels stand closer to the price than this part of it."""


class BookMaker:
    """Makes a book around a last trade.

    A level lives in a cell of its own at a fixed distance from the touch, the wider the
    deeper, and stays as it is for some seconds, the longer the deeper: so a book changes
    from one second to the next about as much as real ones do.
    """

    def __init__(self, symbol: str, seed: int) -> None:
        words = ("spread", "life", "bids", "asks")
        self._keys = {word: _key(seed, symbol, "book", word) for word in words}
        self._depth = np.arange(BOOK_LEVELS, dtype=np.int64)
        phase = _field(_draw(self._keys["life"], self._depth), 0)
        self._life = 2 + self._depth // 4 + phase % 5
        self._phase = phase
        shape = self._depth / 12.0
        self._shape = self._depth + 4 * shape * shape * shape

    def __call__(self, now_ns: int, price: int, side: int, usual: int, levels: int) -> Book:
        """Return the book at a moment.

        Parameters
        ----------
        now_ns
            Which whole second it is of.
        price, side
            The last trade's: the ask stands at the price if its taker bought, else the bid.
        usual
            Lots traded in an ordinary minute: levels are of this order.
        levels
            The most levels each side shall have, up to `BOOK_LEVELS`.
        """
        second = now_ns // NS_PER_S
        luck = _unit(_draw(self._keys["spread"], np.array([second])), 0)
        spread = 1 + int(price * 0.0006 * float(luck[0]) * float(luck[0]))
        ask, bid = (price, price - spread) if side > 0 else (price + spread, price)
        edge = self._depth + np.floor(self._shape * (price * 0.00008)).astype(np.int64)
        epoch = (second + self._phase) // self._life
        sides: list[Ints] = []
        for word, best, sign, far in (("bids", bid, -1, _FAR_BIDS), ("asks", ask, 1, _FAR_ASKS)):
            bits = _draw(self._keys[word], epoch * BOOK_LEVELS + self._depth)
            width = np.diff(edge, append=edge[-1:] + 1)
            distance = edge + (width * _field(bits, 0) >> 16)
            distance[0] = 0
            prices = best + sign * distance[: BOOK_LEVELS - len(far)]
            prices = prices[distance[: prices.size] < max(_NEAR * price, 1)]
            outliers = [int(price * times) for times in far]
            prices = np.concatenate((prices, np.array(outliers, dtype=np.int64)))
            prices = prices[prices > 0][:levels]
            size = _unit(bits, 1) * _unit(bits, 2)
            lots = usual * (0.04 + 1.2 * size * size) * (1 + self._depth / 10)
            amounts = 1 + np.rint(lots).astype(np.int64)
            sides.append(np.stack((prices, amounts[: prices.size]), axis=1))
        return Book(bids=sides[0], asks=sides[1])
