"""Bars: the stream tells how they form, the venue's own listing how they ended.

A bar is final when the venue's clock is two seconds past its end and the venue, asked again,
says how it stands; until then it is one that forms. So every final bar of a stream is the one
that `klines()` returns, also where the last word about it was lost on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdcx_pandas.engines.tracks.gaps import Gap
from cdcx_pandas.engines.tracks.track import Asking, Now, received
from cdcx_pandas.operations import GetKlines
from cdcx_pandas.periods import bar_number, bar_time, floor_time, next_time
from cdcx_pandas.tables import NS_PER_S

if TYPE_CHECKING:
    from cdcx_pandas import messages as m
    from cdcx_pandas.channels import KlineChannel
    from cdcx_pandas.engines.tracks.gaps import Gaps
    from cdcx_pandas.frames.rolling import RollingFrame
    from cdcx_pandas.operations import Operation
    from cdcx_pandas.tables import Answer, Columns

CLOSED_AFTER_NS = 2 * NS_PER_S
"""A bar is final when the venue's clock is so far behind its end."""
REVISED = 10
"""So many of the newest final bars are looked at again when an answer lists them."""
_BARS = ("time", "open", "high", "low", "close", "volume")


class BarTrack:
    """The bars of one market and period.

    Parameters
    ----------
    channel
        The channel they come from.
    frame
        Where they go; perhaps with those of other markets.
    gaps
        Where interruptions are declared.
    has_symbol
        Whether the frame has a column for the market.
    page_rows
        How many bars the venue tells at once.

    Attributes
    ----------
    corrected
        How many final bars differ from what was said of them before.
    """

    def __init__(
        self,
        channel: KlineChannel,
        frame: RollingFrame,
        gaps: Gaps,
        *,
        has_symbol: bool,
        page_rows: int,
    ) -> None:
        self.channel = channel
        self.frame = frame
        self.heard_at: float | None = None
        self.corrected = 0
        self._gaps = gaps
        self._symbol = channel.symbol if has_symbol else None
        self._page_rows = page_rows
        self._heard_ns: int | None = None
        self._final: int | None = None
        self._forming: dict[int, tuple[Any, ...]] = {}
        self._suspects = ""
        self._is_due = True  # the past
        self._asked_ns = 0
        self._open_gap: Gap | None = None
        self._asking = Asking()

    # --------------------------------------------------------------------------- the stream

    def news(self, update: m.Update, now: Now) -> None:
        """Take how bars stand."""
        if self._open_gap is not None and self._suspects:
            self._gaps.widen(self._open_gap, now.ns)
        self._suspects = ""
        self.heard_at, self._heard_ns = now.monotonic, now.ns
        self._form(update.answer.columns, now)

    def _form(self, columns: Columns, now: Now) -> None:
        """Keep bars that are not final yet."""
        final = self._final
        rows = [at for at, time in enumerate(columns["time"]) if final is None or time > final]
        if not rows:
            return
        some = {name: [columns[name][at] for at in rows] for name in _BARS}
        for row in zip(*some.values(), strict=True):
            self._forming[row[0]] = row[1:]
        self.frame.form(self._complete(some, now, closed=False))

    def interrupted(self, why: str, now: Now) -> None:
        """Declare that bars may be missed from the last news on."""
        self._suspects = why
        if self._open_gap is None and self._heard_ns is not None:
            gap = Gap("klines", self.channel.symbol, self._heard_ns, now.ns, why)
            self._open_gap = self._gaps.open(gap)

    def resumed(self, _: Now) -> None:
        """Ask for the bars since."""
        self._is_due = True

    def _complete(self, columns: Columns, now: Now, *, closed: bool) -> Columns:
        closed_too = columns | {"closed": [closed] * len(columns["time"])}
        return received(closed_too, now, self._symbol)

    # ---------------------------------------------------------------------------- the venue

    def question(self, now: Now) -> Operation[Any] | None:
        """Ask how the bars ended whose time is over, and for those that were missed."""
        if not self._asking.may(now) or not (self._is_due or self._has_ended(now)):
            return None
        self._asking.asked()
        self._asked_ns = now.ns
        period, symbol = self.channel.period, self.channel.symbol
        if self._final is None:
            return GetKlines(symbol, period, limit=min(self.frame.window, self._page_rows))
        since = next_time(period, self._final)
        count = bar_number(period, now.ns) - bar_number(period, since) + 2
        if count > self.frame.window:
            since = bar_time(period, bar_number(period, now.ns) - self.frame.window)
        if count <= self._page_rows:
            return GetKlines(symbol, period, limit=max(count, 2))
        return GetKlines(symbol, period, since, now.ns + 1)

    def _has_ended(self, now: Now) -> bool:
        """Tell whether a bar that forms is over, by the venue's clock."""
        if not self._forming:
            return False
        oldest = min(self._forming)
        return now.ns >= next_time(self.channel.period, oldest) + CLOSED_AFTER_NS

    def answered(self, operation: Operation[Any], answer: Answer, now: Now) -> None:
        """Take bars as the venue lists them: those whose time was over when it was asked."""
        assert isinstance(operation, GetKlines), "bars are asked for"
        self._asking.answered(now)
        self._is_due = False
        columns = answer.columns
        boundary = floor_time(self.channel.period, self._asked_ns - CLOSED_AFTER_NS)
        self._revise(columns, now)
        self._end(columns, boundary, now)
        rows = [at for at, time in enumerate(columns["time"]) if time >= boundary]
        self._form({name: [columns[name][at] for at in rows] for name in _BARS}, now)
        if self._open_gap is not None and not self._suspects:
            self._gaps.close(self._open_gap, repaired=True)
            self._open_gap = None

    def _end(self, columns: Columns, boundary: int, now: Now) -> None:
        """Make bars final that ended before `boundary`; those it does not list are gone."""
        final = self._final
        rows = [
            at
            for at, time in enumerate(columns["time"])
            if time < boundary and (final is None or time > final)
        ]
        if rows:
            ended = {name: [columns[name][at] for at in rows] for name in _BARS}
            for time, *bar in zip(*ended.values(), strict=True):
                told = self._forming.pop(time, None)
                self.corrected += told is not None and told != tuple(bar)
            self._final = columns["time"][rows[-1]]
            self.frame.append(self._complete(ended, now, closed=True), now_ns=now.ns)
            self.frame.settle(now.ns, at_once=True)
        if self._final is None:
            return
        gone = [time for time in self._forming if time <= self._final]
        for time in gone:
            del self._forming[time]
        self.frame.drop_forming(map(self._key, gone))

    def _revise(self, columns: Columns, now: Now) -> None:
        """Replace final bars that the venue tells otherwise now: it had a late trade."""
        known = {row[0]: row for row in self.frame.newest(REVISED, _BARS, self._symbol)}
        told = list(zip(*(columns[name] for name in _BARS), strict=True))
        rows = [row for row in told if row[0] in known and known[row[0]] != row]
        if rows:
            self.corrected += len(rows)
            revised = dict(zip(_BARS, map(list, zip(*rows, strict=True)), strict=True))
            self.frame.replace(self._complete(revised, now, closed=True))

    def _key(self, time: int) -> Any:
        return time if self._symbol is None else (self._symbol, time)

    def unanswered(self, now: Now) -> None:
        """Ask again later; what is not confirmed goes on forming."""
        self._asking.failed(now)

    def probe(self) -> Operation[Any]:
        """Ask for the newest bars."""
        return GetKlines(self.channel.symbol, self.channel.period, limit=2)

    def is_newer(self, answer: Answer) -> bool:
        """Tell whether the bar of now is another than the stream said."""
        columns = answer.columns
        if not columns["time"]:
            return False
        time, *bar = (columns[name][-1] for name in _BARS)
        if self._final is not None and time <= self._final:
            return False
        return self._forming.get(time) != tuple(bar)

    def tick(self, now: Now) -> None:
        """Let the gap grow as long as there is no news, second by second."""
        gap = self._open_gap
        if gap is not None and self._suspects and now.ns - gap.end >= NS_PER_S:
            self._gaps.widen(gap, now.ns)
