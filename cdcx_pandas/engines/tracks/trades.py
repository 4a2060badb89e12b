"""Public trades, joined to their past without a seam: none twice, none missing in silence.

Trades are numbered. Where the numbers are dense, a jump is a hole at once; where they are not,
or where nobody knows yet, only a page of the venue's own listing can prove that nothing is
missing: it holds all trades from its oldest to its newest. So every hole is closed by a page
that reaches over both its ends, and what no page reaches any more is lost and said to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from cdcx_pandas.engines.tracks.gaps import Gap
from cdcx_pandas.engines.tracks.track import Asking, Now, received, to_millis
from cdcx_pandas.operations import GetTrades
from cdcx_pandas.tables import NS_PER_S

if TYPE_CHECKING:
    from cdcx_pandas import messages as m
    from cdcx_pandas.channels import TradeChannel
    from cdcx_pandas.engines.tracks.gaps import Gaps
    from cdcx_pandas.frames.rolling import RollingFrame
    from cdcx_pandas.operations import Operation
    from cdcx_pandas.tables import Answer, Columns

PATIENCE_S = 0.3
"""What only came in another order is there by then."""
TRIES = 8
"""So often a listing may lag behind the stream before what it lacks counts as lost."""
REMEMBERED = 2000
"""Numbers of trades that are remembered."""
_ENOUGH_FOR_DENSE = 20
_POLL_S, _LEAST_POLL_S = 60.0, 2.0


class Mark(NamedTuple):
    """A trade by its number, and its time."""

    number: int
    time: int


class _Page(NamedTuple):
    """A page of the venue's listing: its first and its last trade."""

    oldest: Mark
    newest: Mark

    @classmethod
    def of(cls, numbers: list[int], times: list[int]) -> _Page | None:
        """Return the page of these trades; None of none."""
        if not numbers:
            return None
        return cls(Mark(numbers[0], times[0]), Mark(numbers[-1], times[-1]))


@dataclass(eq=False)
class _Hole:
    """Between two trades others may be missing; a side that is None has no trade yet."""

    after: Mark | None
    before: Mark | None
    reason: str
    opened_at: float
    gap: Gap | None = None
    tries: int = 0


class TradeTrack:
    """The trades of one market.

    Parameters
    ----------
    channel
        The channel they come from.
    frame
        Where they go; perhaps with those of other markets.
    gaps
        Where holes are declared.
    has_symbol
        Whether the frame has a column for the market.
    page_rows
        How many trades the venue's newest page holds.
    reaches_back
        Whether the venue can be asked for older ones by time.

    Attributes
    ----------
    is_dense
        Whether numbers step by one; None while that is not known.
    """

    def __init__(
        self,
        channel: TradeChannel,
        frame: RollingFrame,
        gaps: Gaps,
        *,
        has_symbol: bool,
        page_rows: int,
        reaches_back: bool,
    ) -> None:
        self.channel = channel
        self.frame = frame
        self.heard_at: float | None = None
        self.is_dense: bool | None = None
        self._gaps = gaps
        self._symbol = channel.symbol if has_symbol else None
        self._page_rows = page_rows
        self._reaches_back = reaches_back
        self._newest: Mark | None = None
        self._newest_id = 0
        self._seen: dict[int, None] = {}
        self._by_match = True
        self._suspects = ""
        self._polled_at = float("-inf")
        self._asking = Asking()
        self._rate = 0.0
        self._holes = [_Hole(None, None, "", 0.0)]  # the past: closed by the first page

    # --------------------------------------------------------------------------- the stream

    def news(self, update: m.Update, now: Now) -> None:
        """Take new trades, and look whether they follow those that are known."""
        columns = update.answer.columns
        numbers = self._numbers(columns)
        if self._follow(numbers):
            self._newest = Mark(numbers[-1], columns["time"][-1])
        else:
            self._join(numbers, columns["time"], now)
        self.heard_at = now.monotonic
        self._see(numbers)
        self.frame.append(received(columns, now, self._symbol), now_ns=now.ns)

    def _follow(self, numbers: list[int]) -> bool:
        """Tell whether trades come one by one behind the newest, as they mostly do."""
        if self._newest is None or self._suspects or not numbers:
            return False
        begin = self._newest.number + 1
        return numbers == list(range(begin, begin + len(numbers)))

    def _join(self, numbers: list[int], times: list[int], now: Now) -> None:
        """Look at each trade whether it follows."""
        for number, time in zip(numbers, times, strict=True):
            newest = self._newest
            if newest is None:
                self._holes[0].before = Mark(number, time)
            elif number > newest.number:
                self._link(newest, Mark(number, time), now)
            else:
                if self.is_dense is not False:
                    self._suspects = ""  # a known one came again: what follows it is told
                continue
            self._newest = Mark(number, time)

    def _see(self, numbers: list[int]) -> None:
        """Remember numbers, of so many trades as a hole could be filled with in any order."""
        self._seen |= dict.fromkeys(numbers)  # a known one keeps its place
        if len(self._seen) > 2 * REMEMBERED:  # many at a time, see `RollingFrame`
            for number in list(islice(self._seen, len(self._seen) - REMEMBERED)):
                del self._seen[number]

    def _link(self, newest: Mark, mark: Mark, now: Now) -> None:
        """Open a hole where a trade does not surely follow the last one."""
        follows = mark.number == newest.number + 1 and self.is_dense is not False
        if not follows and (self._suspects or self.is_dense is not False):
            reason = self._suspects or "the numbers of trades jump"
            hole = _Hole(newest, mark, reason, now.monotonic)
            if self._suspects:
                self._declare(hole)
            self._holes.append(hole)
        self._suspects = ""

    def interrupted(self, why: str, _: Now) -> None:
        """Suspect the next trade of not following the last one."""
        self._suspects = why

    def resumed(self, _: Now) -> None:
        """Ask at once for what was missed: the next trade may be long in coming."""
        self._polled_at = float("-inf")

    def _declare(self, hole: _Hole) -> None:
        assert hole.after is not None, "the past is no gap"
        assert hole.before is not None, "declared once its end is known"
        start, end = hole.after.time, hole.before.time
        estimate = None
        if self.is_dense is not False:
            estimate = hole.before.number - hole.after.number - 1
        elif self._rate:
            estimate = round(self._rate * (end - start) / NS_PER_S)
        hole.gap = self._gaps.open(
            Gap("trades", self.channel.symbol, start, end, hole.reason, estimate)
        )

    # ---------------------------------------------------------------------------- the venue

    def question(self, now: Now) -> Operation[Any] | None:
        """Ask for what is missing, and now and then whether anything is."""
        for hole in [hole for hole in self._holes if self._is_filled(hole)]:
            self._close(hole)
            self._holes.remove(hole)
        ripe = [hole for hole in self._holes if now.monotonic - hole.opened_at >= PATIENCE_S]
        if not self._asking.may(now) or not (ripe or self._is_to_poll(now)):
            return None
        for hole in ripe:
            if hole.gap is None and hole.after is not None and hole.before is not None:
                self._declare(hole)
        self._asking.asked()
        self._polled_at = now.monotonic
        since = min((hole.after.time for hole in self._holes if hole.after), default=None)
        if since is None and self._newest is not None and self._suspects:
            since = self._newest.time
        is_long = since is not None and self._expected(since, now) > self.frame.window
        if since is None or not self._reaches_back or is_long:
            limit = self.frame.window if is_long and self._reaches_back else None
            return GetTrades(self.channel.symbol, limit=limit)
        return GetTrades(self.channel.symbol, since, now.ns + NS_PER_S)

    def _expected(self, since: int, now: Now) -> float:
        return self._rate * (now.ns - since) / NS_PER_S

    def _is_to_poll(self, now: Now) -> bool:
        every = _POLL_S
        if self.is_dense is False and self._rate:
            every = min(_POLL_S, max(_LEAST_POLL_S, self._page_rows / 2 / self._rate))
        return now.monotonic - self._polled_at > every

    def answered(self, operation: Operation[Any], answer: Answer, now: Now) -> None:
        """Take a page: it holds every trade from its oldest to its newest."""
        assert isinstance(operation, GetTrades), "trades are asked for"
        self._asking.answered(now)
        columns = self._told(answer.columns)
        numbers = self._numbers(columns)
        self._learn(columns, numbers)
        last, page = self._newest, _Page.of(numbers, columns["time"])
        if page is not None:
            self.frame.append(received(columns, now, self._symbol), now_ns=now.ns)
            self.frame.settle(now.ns, at_once=True)
            self._see(numbers)
            if last is None or page.newest.number > last.number:
                self._newest = page.newest
        if last is not None and not any(hole.after == last for hole in self._holes):
            # What the stream has not told yet is checked as well: may the page not reach it?
            self._holes.append(_Hole(last, None, self._suspects or "the stream fell behind", 0.0))
        self._holes = [hole for hole in self._holes if not self._decided(hole, operation, page)]

    def _decided(self, hole: _Hole, operation: GetTrades, page: _Page | None) -> bool:
        """Tell whether a page settles a hole, one way or the other."""
        if self._is_filled(hole):
            self._close(hole)
            return True
        if page is None:
            return hole.before is None  # there was none
        step = 0 if self.is_dense is False else 1
        is_told_to_end = hole.before is None or page.newest.number >= hole.before.number - step
        begins = operation.start
        is_told_from_begin = (
            hole.after is None
            or (begins is not None and begins <= hole.after.time)
            or page.oldest.number <= hole.after.number + step
        )
        if not is_told_to_end:  # the listing lags behind the stream
            hole.tries += 1
            if hole.tries < TRIES:
                return False
        elif not is_told_from_begin and self._is_answered_by_range(operation):
            return False
        if is_told_to_end and is_told_from_begin:
            self._close(hole)
        else:
            self._lose(hole, page.oldest, is_told_to_end=is_told_to_end)
        return True

    def _is_filled(self, hole: _Hole) -> bool:
        """Tell whether what was missing came all the same: late, or in another page."""
        if self.is_dense is False or hole.after is None or hole.before is None:
            return False
        begin, end = hole.after.number + 1, hole.before.number
        return end - begin <= len(self._seen) and all(n in self._seen for n in range(begin, end))

    def _is_answered_by_range(self, operation: GetTrades) -> bool:
        """Tell whether another question would tell more: one that begins before the hole."""
        return self._reaches_back and operation.start is None and operation.limit is None

    def _close(self, hole: _Hole) -> None:
        if hole.gap is not None:
            self._gaps.close(hole.gap, repaired=True)

    def _lose(self, hole: _Hole, oldest: Mark, *, is_told_to_end: bool) -> None:
        """Declare what no page reached: up to the oldest trade that one told."""
        if hole.after is None:
            return  # how far the past reaches is nobody's promise
        if hole.before is None or (is_told_to_end and oldest.number < hole.before.number):
            hole.before = oldest
        if hole.gap is None:
            self._declare(hole)
        assert hole.gap is not None, "declared above"
        hole.gap.end = hole.before.time
        self._gaps.close(hole.gap, repaired=False)

    def unanswered(self, now: Now) -> None:
        """Ask again later; the holes stay declared."""
        self._asking.failed(now)

    def probe(self) -> Operation[Any]:
        """Ask for the newest page."""
        return GetTrades(self.channel.symbol)

    def is_newer(self, answer: Answer) -> bool:
        """Tell whether the venue has a trade that the stream did not tell."""
        numbers = self._numbers(self._told(answer.columns))
        return bool(numbers) and (self._newest is None or numbers[-1] > self._newest.number)

    def tick(self, now: Now) -> None:
        """Merge what came late."""
        self.frame.settle(now.ns)

    # ------------------------------------------------------------------------------- pages

    def _numbers(self, columns: Columns) -> list[int]:
        """Return what trades are counted by: their matches where all are told, or their ids."""
        matches = columns.get("match_id")
        if self._by_match and (matches is None or None in matches):
            self._count_by_id()
        counted = columns["match_id" if self._by_match else "id"]
        if counted:
            self._newest_id = max(self._newest_id, int(columns["id"][-1]))
        return list(map(int, counted))

    def _count_by_id(self) -> None:
        """Count by ids from now on: some wires tell no matches, or not everywhere."""
        self._by_match = False
        if self._newest is not None:
            self._newest = Mark(self._newest_id, self._newest.time)
            self._suspects = self._suspects or "trades are numbered in another way"
            self._holes = [_Hole(self._newest, None, self._suspects, 0.0)]

    def _told(self, columns: Columns) -> Columns:
        """Return the trades of a page; rows that stand for the venue's own holes are none.

        Neither is one without a time: it has no place among the others.
        """
        marks = zip(columns["id"], columns["time"], strict=True)
        rows = [at for at, mark in enumerate(marks) if None not in mark]
        told = {name: [values[at] for at in rows] for name, values in columns.items()}
        told["time"] = to_millis(told["time"])
        return told

    def _learn(self, columns: Columns, numbers: list[int]) -> None:
        """Learn from a page how trades are numbered, and how many come."""
        if len(numbers) < _ENOUGH_FOR_DENSE:
            return
        if "match_id" in columns and None not in columns["match_id"]:
            self.is_dense = True  # fills of one match share its number
        else:
            self.is_dense = all(b - a == 1 for a, b in pairwise(numbers))
        seconds = (columns["time"][-1] - columns["time"][0]) / NS_PER_S
        self._rate = len(numbers) / seconds if seconds > 0 else float(len(numbers))
