"""The tape: every trade of a pair, past and to come; what it answers, and what is made of trades.

Prices are integers of ticks and amounts of lots, so that everything that ought to be equal is
equal exactly. A tape knows no account, no wire and no clock: now is always an argument, and
whoever asks for trades says up to when. One is made from a seed (`synthetic`), one from recorded
data (`replay`); books are made the same way for both (`bookmaker`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from cdcx_pandas.periods import floor_times

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from cdcx_pandas.sandbox.pairs import Pair

    Ints = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]
    Rows = slice | Ints | Flags
    Whole = npt.NDArray[np.int64] | npt.NDArray[np.object_]

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
BOOK_LEVELS = 150
"""The most levels a side of a book has, as on V1."""
FIRST_ID = 1
"""The id of the first trade of history."""


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
        return Bars(*np.empty((len(Bars._fields), 0), dtype=np.int64))
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


EMPTY_BOOK = Book(np.empty((0, 2), dtype=np.int64), np.empty((0, 2), dtype=np.int64))
