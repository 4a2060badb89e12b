"""The market: a tape, and what the sandbox's own account traded on it.

The tape is what happens without the account; its executions are laid over it. This module
knows how the two are told as one, so that trades, bars and ticker agree to the last unit. How
an order meets the book, and what it costs, is the engine's business; the book is the tape's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cdcx_pandas.periods import NS_PER_DAY, ceil_time, next_time
from cdcx_pandas.sandbox.tape import (
    BOOK_LEVELS,
    FIRST_ID,
    Bars,
    Book,
    DayStats,
    Tape,
    Trades,
    bars_of,
    starts_of,
    stats_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from cdcx_pandas.sandbox.pairs import Pair

    Ints = npt.NDArray[np.int64]

_SOON_NS = 120_000_000_000
"""Within this time a synthetic tape always trades again."""


class Market:
    """A tape with executions of the account in it; itself a tape.

    An own trade comes after the tape's trades of the same time. Ids stay dense: a trade of the
    tape has its id there plus the number of own trades before it, so ids told before an
    execution stay true.

    Parameters
    ----------
    tape
        What happens without the account.
    """

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self._own: list[tuple[int, int, int, int, int]] = []
        # Of each own trade: the time of the tape's trade before it, and of the one after it
        # where that was found. 0 stands for none: no tape is that old.
        self._before_ns: list[int] = []
        self._after_ns: list[int] = []
        self._columns = _trades_of(self._own)

    @property
    def pair(self) -> Pair:
        """The pair that is traded."""
        return self.tape.pair

    @property
    def matches(self) -> Mapping[int, str]:
        """Trade → the number of its match, where that is recorded."""
        return self.tape.matches

    def record(self, time_ns: int, price: int, amount: int, side: int) -> int:
        """Lay an execution over the tape.

        Parameters
        ----------
        time_ns
            Not before the last one recorded; and, which is for the caller to see to, not
            before any moment that has been told already.
        price, amount
            In ticks and lots.
        side
            The taker's: +1 or -1.

        Returns
        -------
        int
            The trade's id.

        Raises
        ------
        ValueError
            If the execution is older than the last one, or is none.
        """
        if self._own and time_ns < self._own[-1][1]:
            raise ValueError(f"time_ns {time_ns} is before the last execution {self._own[-1][1]}")
        if min(price, amount) < 1 or abs(side) != 1:
            raise ValueError(f"price {price}, amount {amount}, side {side} are no execution")
        before = self.tape.last_trades(time_ns + 1, 1)
        known = before.id.size > 0
        trade_id = (int(before.id[0]) if known else FIRST_ID - 1) + len(self._own) + 1
        after = self.tape.trades(time_ns + 1, time_ns + _SOON_NS)
        self._before_ns.append(int(before.time_ns[0]) if known else 0)
        self._after_ns.append(int(after.time_ns[0]) if after.id.size else 0)
        self._own.append((trade_id, time_ns, price, amount, side))
        self._columns = _trades_of(self._own)
        return trade_id

    def trades(self, start_ns: int, end_ns: int) -> Trades:
        """Return the trades in ``[start_ns, end_ns)``."""
        first, stop = self._own_between(start_ns, end_ns)
        return self._merged(self.tape.trades(start_ns, end_ns), first, stop)

    def last_trades(self, before_ns: int, count: int) -> Trades:
        """Return the newest `count` trades before `before_ns`."""
        _, stop = self._own_between(before_ns, before_ns)
        first = max(stop - max(count, 0), 0)
        trades = self._merged(self.tape.last_trades(before_ns, count), first, stop)
        return trades.rows(slice(max(trades.id.size - max(count, 0), 0), None))

    def bars(self, period: str, start_ns: int, end_ns: int, now_ns: int) -> Bars:
        """Return the bars that open in ``[start_ns, end_ns)``, of trades up to `now_ns`."""
        bars = self.tape.bars(period, start_ns, end_ns, now_ns)
        first, stop = self._own_between(
            ceil_time(period, start_ns), min(ceil_time(period, end_ns), now_ns + 1)
        )
        return self._with_own(period, bars, first, stop, now_ns)

    def bars_before(self, period: str, end_ns: int, count: int, now_ns: int) -> Bars:
        """Return the newest `count` bars that open before `end_ns`."""
        bars = self.tape.bars_before(period, end_ns, count, now_ns)
        # Where the tape has more bars than asked for, nothing older than the page matters.
        full = bars.time_ns.size and bars.time_ns.size >= count
        start_ns = int(bars.time_ns[0]) if full else 0
        first, stop = self._own_between(start_ns, min(ceil_time(period, end_ns), now_ns + 1))
        merged = self._with_own(period, bars, first, stop, now_ns)
        return merged.rows(slice(max(merged.time_ns.size - max(count, 0), 0), None))

    def book(self, now_ns: int, levels: int = BOOK_LEVELS) -> Book:
        """Return the tape's standing orders; own trades leave no mark on them."""
        return self.tape.book(now_ns, levels)

    def day_stats(self, now_ns: int) -> DayStats | None:
        """Return the last 24 hours, to the trade; None if nothing traded in them."""
        stats = self.tape.day_stats(now_ns)
        start_ns = now_ns - NS_PER_DAY + 1
        first, stop = self._own_between(start_ns, now_ns + 1)
        if first == stop:
            return stats and stats._replace(last_id=stats.last_id + stop)
        own = stats_of(self._columns.rows(slice(first, stop)))
        assert own is not None, "there are own trades"
        if stats is None:
            return own
        opens = self._before_ns[first] >= start_ns
        closes = self._tape_trades_after(stop - 1, now_ns + 1)
        return DayStats(
            open=stats.open if opens else own.open,
            high=max(stats.high, own.high),
            low=min(stats.low, own.low),
            close=stats.close if closes else own.close,
            volume=stats.volume + own.volume,
            turnover=stats.turnover + own.turnover,
            trades=stats.trades + own.trades,
            last_id=stats.last_id + stop if closes else own.last_id,
        )

    def _own_between(self, start_ns: int, end_ns: int) -> tuple[int, int]:
        """Return first and stop of the own trades in ``[start_ns, end_ns)``."""
        if not self._own:
            return 0, 0
        first, stop = self._columns.time_ns.searchsorted((start_ns, end_ns))
        return int(first), max(int(first), int(stop))

    def _tape_trades_after(self, own: int, end_ns: int) -> bool:
        """Tell whether the tape trades after an own trade and before `end_ns`."""
        if self._after_ns[own]:
            return self._after_ns[own] < end_ns
        last = self.tape.last_trades(end_ns, 1)
        return bool(last.time_ns.size and last.time_ns[0] > self._own[own][1])

    def _merged(self, trades: Trades, first: int, stop: int) -> Trades:
        """Join trades of the tape with own ones, ids counted through."""
        if not stop:
            return trades
        # An own trade at the same time comes later, so it does not count.
        shift = self._columns.time_ns.searchsorted(trades.time_ns, "left")
        trades = trades._replace(id=trades.id + shift)
        if first == stop:
            return trades
        own = self._columns.rows(slice(first, stop))
        both = Trades(*(np.concatenate(pair) for pair in zip(trades, own, strict=True)))
        return both.rows(np.argsort(both.id))

    def _with_own(self, period: str, bars: Bars, first: int, stop: int, now_ns: int) -> Bars:
        """Work own trades into bars of the tape."""
        if not stop:
            return bars
        shift = self._columns.time_ns.searchsorted(bars.time_ns, "left")
        bars = bars._replace(last_id=bars.last_id + shift)
        if first == stop:
            return bars
        own = bars_of(self._columns.rows(slice(first, stop)), period)
        columns: list[Any] = [np.concatenate(pair) for pair in zip(bars, own, strict=True)]
        both = Bars(*columns)
        # Stable: of two bars of one time the tape's comes first.
        both = both.rows(np.argsort(both.time_ns, kind="stable"))
        starts = starts_of(both.time_ns)
        joined = both.rows(np.append(starts[1:], both.time_ns.size) - 1)._replace(
            open=both.open[starts],
            high=np.maximum.reduceat(both.high, starts),
            low=np.minimum.reduceat(both.low, starts),
            volume=np.add.reduceat(both.volume, starts),
            turnover=np.add.reduceat(both.turnover, starts),
            trades=np.add.reduceat(both.trades, starts),
        )
        # Taken as if the tape opened and the account closed every bar both traded in.
        ends = first + own.trades.cumsum()
        for bar, at in enumerate(joined.time_ns.searchsorted(own.time_ns)):
            opened, end = int(own.time_ns[bar]), int(ends[bar])
            if self._before_ns[end - int(own.trades[bar])] < opened:
                joined.open[at] = own.open[bar]
            bar_ends_ns = min(next_time(period, opened), now_ns + 1)
            if self._tape_trades_after(end - 1, bar_ends_ns):
                last = bars.time_ns.searchsorted(opened)
                joined.close[at] = bars.close[last]
                joined.last_id[at] = bars.last_id[last] + own.trades[bar]
        return joined


def _trades_of(rows: list[tuple[int, int, int, int, int]]) -> Trades:
    columns = np.array(rows, dtype=np.int64).reshape(len(rows), 5)
    return Trades(*columns.T.copy())
