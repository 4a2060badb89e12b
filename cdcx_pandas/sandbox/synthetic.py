"""A tape made from nothing but a seed.

History is made from the top down: days first (`days`), split into hours, an hour into minutes, a
minute into trades (`splitting`). So a page of any year costs a page: nothing is replayed from the
beginning, and the bars of a month need no minute of it. The future is made the same way, which is
how the tape carries on.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from cdcx_pandas.periods import (
    FIXED_NS,
    NS_PER_DAY,
    NS_PER_HOUR,
    NS_PER_MINUTE,
    bar_number,
    bar_time,
    ceil_time,
)
from cdcx_pandas.sandbox.bookmaker import BookMaker
from cdcx_pandas.sandbox.days import FIRST_DAYS, make_days
from cdcx_pandas.sandbox.pairs import HISTORY_BEGINS_NS, Pair
from cdcx_pandas.sandbox.rows import (
    CLOSE,
    FIELDS,
    HIGH,
    ID,
    LOW,
    OPEN,
    TRADES,
    TURNOVER,
    VOLUME,
    bars_of_rows,
    cut_rows,
    joined_rows,
    rows_of_trades,
)
from cdcx_pandas.sandbox.splitting import HOURS, MINUTES, Splitter, Trader
from cdcx_pandas.sandbox.tape import BOOK_LEVELS, EMPTY_BOOK, Bars, Book, DayStats, Trades

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]


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
        self._days = np.empty((FIELDS, 0), dtype=np.int64)
        way = pair.follows or pair.symbol
        self._hours = Splitter(HOURS, seed, way)
        self._minutes = Splitter(MINUTES, seed, way)
        self._trader = Trader(seed, way)
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
        rows = joined_rows(blocks)
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
            found += int(self._whole(hour, hour + 1, "1hour")[0][TRADES, 0])
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
        return bars_of_rows(period, joined_rows(rows))

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
        usual = int(day[VOLUME]) // (24 * 60)
        return self._book(now_ns, int(last.price[0]), int(last.side[0]), usual, levels)

    def day_stats(self, now_ns: int) -> DayStats | None:
        """Return the last 24 hours, to the trade; None before history begins."""
        start_ns = max(now_ns - NS_PER_DAY + 1, HISTORY_BEGINS_NS)
        rows = joined_rows(self._cover(start_ns, now_ns + 1, "1hour"))
        if not rows.size:
            return None
        return DayStats(
            open=int(rows[OPEN, 0]),
            high=int(rows[HIGH].max()),
            low=int(rows[LOW].min()),
            close=int(rows[CLOSE, -1]),
            volume=int(rows[VOLUME].sum()),
            turnover=int(rows[TURNOVER].sum()),
            trades=int(rows[TRADES].sum()),
            last_id=int(rows[ID, -1] + rows[TRADES, -1]) - 1,
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
        return [rows_of_trades(trades)] if trades.id.size else []

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
        joined = joined_rows(rows)
        return [joined[:, skipped : skipped + stop - first]]

    def _day_rows(self, last: int) -> Ints:
        """Return all days of history up to number `last`."""
        count = self._days.shape[1]
        if last >= count:
            count = max(count, FIRST_DAYS)
            while last >= count:
                count *= 2
            self._days = make_days(self.pair, self._seed, count)
        return self._days[:, : last + 1]

    def _make_hours(self, first: int, stop: int) -> list[Ints]:
        return cut_rows(self._hours(self._day_rows(stop - 1)[:, first:]), 24)

    def _make_minutes(self, first: int, stop: int) -> list[Ints]:
        return cut_rows(self._minutes(joined_rows(self._whole(first, stop, "1hour"))), 60)

    def _make_trades(self, first: int, stop: int) -> list[Ints]:
        minutes = joined_rows(self._whole(first * 60, stop * 60, "1min"))
        rows = self._trader(minutes)
        ends = minutes[TRADES].cumsum()[59::60]
        return [part.copy() for part in np.split(rows, ends[:-1], axis=1)]
