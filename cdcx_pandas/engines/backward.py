"""Answers that come newest first, at most so many rows at a time: walked back page by page.

A page says nothing of what it left out, so the next question ends just behind its oldest row,
and rows that come twice are told apart by their ids; times are never rounded. A stretch is
whole when a page brings nothing new, or is shorter than another page of the same kind was: a
venue that sent 150 rows would not have cut one at 40. (Where a venue's cap is lower than what
was asked for, no page is ever taken for short.)

A generator without I/O, as `ask`, which it is a part of.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from cdcx_pandas.errors import ProtocolError
from cdcx_pandas.operations import GetMyTrades, GetOrderHistory
from cdcx_pandas.tables import NS_PER_MS, NS_PER_S, Columns

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from cdcx_pandas.dialects.base import Endpoint
    from cdcx_pandas.engines.progress import Progress
    from cdcx_pandas.operations import Operation

    Pages = Generator[list[Operation[Any]], list[Any], Any]

TOGETHER, SIGNED_TOGETHER = 32, 8
"""Stretches that are walked together; fewer where the venue takes one question a second."""

SHORTEST_NS = 60 * NS_PER_S
"""A range is not cut finer than this to be read from several ends."""

EMPTY_WINDOWS = 8
"""So many empty windows in a row, each as long as a question may be, and nothing is earlier."""


@dataclass
class _Stretch:
    """A part of the range, read from its end back to its start.

    Attributes
    ----------
    start, before
        What is still to be asked for: ``[start, before)``.
    rows
        What came: key → its values, in the order of the columns.
    """

    start: int | None
    before: int | None
    rows: dict[Any, tuple[Any, ...]] = field(default_factory=dict)


@dataclass
class _Reading:
    """What the pages of one question have shown.

    Attributes
    ----------
    names
        The columns.
    longest
        The most rows a page had.
    cut
        Times at which a page was full of rows of one instant, so that others of it may lack.
    """

    operation: Any
    rows: int
    names: list[str] = field(default_factory=list)
    longest: int = 0
    cut: list[int] = field(default_factory=list)

    def page(self, start: int | None, before: int | None) -> Any:
        """Return the question for the newest rows of ``[start, before)``."""
        size = "page_size" if isinstance(self.operation, GetOrderHistory | GetMyTrades) else "limit"
        return replace(self.operation, start=start, end=before, **{size: self.rows})

    def stamps(self, columns: Columns) -> list[int]:
        """Return the times that decide which rows are newest."""
        if "updated" not in columns:
            return columns["time"]
        pairs = zip(columns["updated"], columns["created"], strict=True)
        return [updated or created for updated, created in pairs]

    def columns(self, stretches: list[_Stretch]) -> Columns:
        """Return the rows of stretches as columns."""
        rows: dict[Any, tuple[Any, ...]] = {}
        for stretch in stretches:
            rows |= stretch.rows
        if not rows:
            return {}
        values = map(list, zip(*rows.values(), strict=True))
        return dict(zip(self.names, values, strict=True))


def newest(operation: Any, rows: int) -> Pages:
    """Read the newest page, or back from the end until there are `limit` rows."""
    limit = getattr(operation, "limit", None)
    reading = _Reading(operation, min(rows, limit or rows))
    (page,) = yield [reading.page(None, operation.end)]
    return page.columns


def newest_of_many(operation: Any, endpoint: Endpoint, limit: int) -> Pages:
    """Walk back, window by window, until there are `limit` rows, or nothing for long.

    A question without a start looks back a day only (docs/protocol-exchange.md, 13), so a quiet
    market needs windows, and they grow while they are empty.
    """
    assert operation.end is not None, "whoever wants more than a page says until when"
    reading = _Reading(operation, endpoint.page_rows or 1)
    longest = int((endpoint.window_s or 86_400) * NS_PER_S)
    length, end, empty, count = longest, operation.end, 0, 0
    stretches: list[_Stretch] = []
    while count < limit and empty < EMPTY_WINDOWS:
        stretch = _Stretch(end - length, end)
        yield from _walk([stretch], reading, wanted=limit - count)
        stretches.insert(0, stretch)
        count += len(stretch.rows)
        empty = 0 if stretch.rows else empty + 1
        end, length = end - length, longest if stretch.rows else min(length * 2, 28 * longest)
    return by_time_and_id(reading.columns(stretches)), reading.cut


def in_range(operation: Any, endpoint: Endpoint, progress: Progress) -> Pages:
    """Read ``[start, end)`` whole; with a `limit`, until there are so many from the start."""
    reading = _Reading(operation, endpoint.page_rows or 1)
    limit = getattr(operation, "limit", None)
    progress.resume_from = operation.start
    for chunk in _chunks(operation, endpoint, forward=limit is not None):
        progress.total += len(chunk)
        yield from _walk(chunk, reading)
        progress.done += len(chunk)
        extend(progress.columns, by_time_and_id(reading.columns(chunk)))
        progress.resume_from = chunk[-1].before
        if limit is not None and len(progress.columns.get("time", ())) >= limit:
            break
    return progress.columns, reading.cut


def _chunks(operation: Any, endpoint: Endpoint, *, forward: bool) -> Iterator[list[_Stretch]]:
    """Cut a range into stretches, and these into lots that are read together, oldest first.

    `forward`: only the first rows are wanted, so stretches begin short and grow.
    """
    start, end = operation.start, operation.end
    if end is None or endpoint.window_s is None:
        yield [_Stretch(start, end)]
        return
    longest = int(endpoint.window_s * NS_PER_S)
    if forward:
        length = SHORTEST_NS
        while start < end:
            stop = min(start + length, end)
            yield [_Stretch(start, stop)]
            start, length = stop, min(length * 2, longest)
        return
    together = SIGNED_TOGETHER if endpoint.signed else TOGETHER
    count = max(-(-(end - start) // longest), min(together, (end - start) // SHORTEST_NS), 1)
    marks = [start + (end - start) * at // count for at in range(count + 1)]
    stretches = [_Stretch(*pair) for pair in pairwise(marks)]
    for at in range(0, count, together):
        yield stretches[at : at + together]


def _walk(stretches: list[_Stretch], reading: _Reading, wanted: int | None = None) -> Pages:
    """Ask the stretches back to their starts, together; `wanted` rows are enough of one."""
    waiting = [(stretch, stretch.start, stretch.before) for stretch in stretches]
    while waiting:
        pages = yield [reading.page(start, before) for _, start, before in waiting]
        further = []
        for asked, page in zip(waiting, pages, strict=True):
            further += _after(*asked, page.columns, reading)
        if wanted is not None and _are_enough(stretches, further, reading, wanted):
            return
        waiting = further


def _are_enough(
    stretches: list[_Stretch],
    further: list[tuple[_Stretch, int | None, int | None]],
    reading: _Reading,
    wanted: int,
) -> bool:
    """Tell whether so many of the newest rows are there, with none of them left to be asked for.

    A part that is still to be read may hold rows newer than some that came already.
    """
    if sum(len(stretch.rows) for stretch in stretches) < wanted:
        return False
    ends = [before for _, _, before in further]
    if None in ends:
        return False
    unread = max((end for end in ends if end is not None), default=0)
    stamps = reading.stamps(reading.columns(stretches))
    return sum(stamp >= unread for stamp in stamps) >= wanted


def _after(
    stretch: _Stretch, start: int | None, before: int | None, columns: Columns, reading: _Reading
) -> list[tuple[_Stretch, int | None, int | None]]:
    """Take a page; return what is still to be asked of its stretch."""
    reading.names = list(columns)
    keys = columns.get("id", columns.get("time", []))
    stamps = reading.stamps(columns)
    if any(stamp is None for stamp in stamps):
        raise ProtocolError("A row of the listing has no time, so what is before it is unknown.")
    count = len(stretch.rows)
    for key, row in zip(keys, zip(*columns.values(), strict=True), strict=True):
        stretch.rows.setdefault(key, row)
    is_short = len(keys) < reading.longest
    reading.longest = max(reading.longest, len(keys))
    if not keys or is_short:
        return []
    oldest = min(stamps)
    if len(stretch.rows) > count:
        behind = _behind(oldest)
        return [(stretch, start, behind if before is None else min(behind, before))]
    if len(keys) < reading.rows:
        return []  # all of them known, and there was room for more
    if oldest == max(stamps):  # a full page of one instant: others of it cannot be reached
        reading.cut.append(oldest)
        return [(stretch, start, oldest)]
    return _halves(stretch, start, before, oldest)


def _behind(stamp: int) -> int:
    """Return an end that leaves out nothing of an instant: a whole millisecond may be cut down."""
    return stamp + (NS_PER_MS if stamp % NS_PER_MS == 0 else 1)


def _halves(
    stretch: _Stretch, start: int | None, before: int | None, oldest: int
) -> list[tuple[_Stretch, int | None, int | None]]:
    """Cut a stretch whose newest page is full of known rows: the others are in one half.

    So it is when pages are sorted by one time (updates) and bounded by another (creation).
    """
    low, high = start or 0, before if before is not None else _behind(oldest)
    middle = (low + high) // 2
    if middle in {low, high}:
        raise ProtocolError(
            "The listing cannot be read whole: a page is full of rows of one moment.",
            todo="Ask for one market at a time.",
        )
    return [(stretch, middle, high), (stretch, low, middle)]


# ---------------------------------------------------------------------------------- rows


def extend(columns: Columns, more: Columns) -> None:
    """Put rows behind those that are there."""
    for name, values in more.items():
        columns.setdefault(name, []).extend(values)


def by_time_and_id(columns: Columns) -> Columns:
    """Sort rows by time, those of one time by id as a number; orders by their creation."""
    if not columns:
        return columns
    stamps = columns["created" if "created" in columns else "time"]
    ids = columns.get("id", [None] * len(stamps))
    keys = [
        (stamp or 0, int(id_) if id_ is not None and id_.isdecimal() else 0)
        for stamp, id_ in zip(stamps, ids, strict=True)
    ]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return {name: [values[at] for at in order] for name, values in columns.items()}


# --------------------------------------------------------------------------------- holes


def _is_dense(matches: list[str | None]) -> bool:
    """Tell at little cost of what mostly is so: all are told, and none is missing."""
    if None in matches:
        return False
    numbers = list(map(int, matches))  # type: ignore[arg-type]  # None is not among them
    return all(0 <= b - a <= 1 for a, b in pairwise(numbers))


def with_gaps(columns: Columns, cut: list[int]) -> tuple[Columns, int]:
    """Put a row without values where trades are missing; return how many.

    The ids of matches are dense: they step by 0 (fills of one order) or 1, so a jump is a
    match that was not told (evidence: thousands of recorded trades). `cut` are times at which
    trades may lack. The row stands behind the last trade before the hole and has its time.
    """
    if "match_id" not in columns or (not cut and _is_dense(columns["match_id"])):
        return columns, 0
    after: list[int] = []
    last: int | None = None
    left = sorted(cut, reverse=True)
    for at, (match, time) in enumerate(zip(columns["match_id"], columns["time"], strict=True)):
        number = int(match) if match is not None else None
        jumps = last is not None and number is not None and number > last + 1
        if (jumps or (left and time > left[-1])) and at:
            after.append(at)
        while left and time > left[-1]:
            left.pop()
        last = number if number is not None and (last is None or number > last) else last
    after += [len(columns["time"])] * bool(left)
    for at in reversed(after):
        for name, values in columns.items():
            values.insert(at, values[at - 1] if name == "time" else None)
    return columns, len(after)
