"""One question, as many pages as it takes: a generator without I/O.

`ask` yields batches of page questions that may be in flight together, is sent their answers
in the same order, and returns the whole answer. A session drives it over the network, a test
with a list. It yields operations, not requests: a signed request must be written after the
wait for its turn, just before it is sent.

Answers are complete, or an error is raised: what makes a listing complete is decided here
and nowhere else.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from cdcx_pandas.dialects.base import Endpoint, Paging
from cdcx_pandas.engines import backward
from cdcx_pandas.engines.progress import Progress
from cdcx_pandas.errors import ProtocolError
from cdcx_pandas.operations import (
    GetKlines,
    GetMyTrades,
    GetOpenOrders,
    GetOrderHistory,
    GetTrades,
    Operation,
)
from cdcx_pandas.periods import bar_number, bar_time, ceil_time
from cdcx_pandas.tables import Answer, Columns

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

A = TypeVar("A")
Listing = GetOpenOrders | GetOrderHistory | GetMyTrades

IN_FLIGHT = 8
"""Pages asked for together over one connection."""

BATCH = 512
"""Pages handed over together where each has its own answer; fewer batches, fewer waits."""

ROUNDS = 4
"""How often a listing that changes while it is read is read again."""

_ZEROTH = -1
"""The page before the first, asked when rows are missing: some servers count from 0."""

_DAY_NS = 86_400 * 10**9
_ZONES_NS = 14 * 3600 * 10**9
"""No zone of the earth is further from UTC."""


def ask(
    operation: Operation[A], endpoint: Endpoint, progress: Progress | None = None
) -> Generator[list[Operation[Any]], list[Any], A]:
    """Ask a question, page by page.

    Parameters
    ----------
    operation
        What is asked.
    endpoint
        How it is asked, and how its pages are cut.
    progress
        Filled while the pages come in.

    Yields
    ------
    list of Operation
        Page questions that may be in flight together; send back their answers, in order.

    Returns
    -------
    The answer to the whole question.

    Raises
    ------
    ProtocolError
        The pages do not make a whole.
    """
    progress = progress if progress is not None else Progress()
    answer: Any
    if isinstance(operation, GetKlines) and endpoint.paging in {Paging.BEFORE, Paging.WINDOW}:
        answer = yield from _klines(operation, endpoint, progress)
    elif endpoint.paging is Paging.BACKWARD:
        answer = yield from _backward(operation, endpoint, progress)
    elif endpoint.paging is Paging.NUMBERED and isinstance(operation, Listing):
        answer = yield from _listing(operation, endpoint.page_rows or 1)
    else:
        (answer,) = yield [operation]
        if isinstance(answer, Answer):
            answer = _within(operation, answer)
    return answer  # type: ignore[no-any-return]  # the answers a generator is sent are untyped


def _within(operation: Operation[Any], answer: Answer) -> Answer:
    """Apply after the answer what the venue was not told: bounds and the newest `limit`."""
    start, end = getattr(operation, "start", None), getattr(operation, "end", None)
    limit = getattr(operation, "limit", None)
    columns = answer.columns
    if start is not None or end is not None:
        columns = _between(columns, start, end, by="time")
    if limit is not None:
        cut = slice(None, limit) if start is not None else slice(-limit, None)
        columns = {name: values[cut] for name, values in columns.items()}
    return replace(answer, columns=columns)


def _between(columns: Columns, start: int | None, end: int | None, *, by: str) -> Columns:
    keep = [
        i
        for i, stamp in enumerate(columns[by])
        if stamp is not None and (start is None or stamp >= start) and (end is None or stamp < end)
    ]
    if len(keep) == len(columns[by]):
        return columns
    return {name: [values[i] for i in keep] for name, values in columns.items()}


def _cut(columns: Columns, start: int | None, end: int | None) -> Columns:
    """Return the bars of ``[start, end)``; they ascend, so the bounds are found by halving."""
    times = columns["time"]
    low = 0 if start is None else bisect_left(times, start)
    high = len(times) if end is None else bisect_left(times, end)
    if high - low == len(times):
        return columns
    return {name: values[low:high] for name, values in columns.items()}


def joined(parts: Iterable[Columns]) -> Columns:
    """Return columns one behind the other; a column any part lacks is left out."""
    parts = [part for part in parts if part]
    if not parts:
        return {}
    names = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: [value for part in parts for value in part[name]] for name in names}


# ----------------------------------------------------------------- klines: rows before a time


def _klines(
    operation: GetKlines, endpoint: Endpoint, progress: Progress
) -> Generator[list[Operation[Any]], list[Any], Answer]:
    if operation.start is None:
        columns = yield from _newest(operation, endpoint.page_rows or 1)
    else:
        columns = yield from _range(operation, endpoint, progress)
    table = GetKlines.table
    return Answer(table, columns or table.empty())


def _newest(operation: GetKlines, rows: int) -> Generator[list[Operation[Any]], list[Any], Columns]:
    """Walk back from the end until there are `limit` rows, or no earlier ones."""
    wanted = operation.limit or rows
    parts: list[Columns] = []
    before, count = operation.end, 0
    while count < wanted:
        size = min(rows, wanted - count)
        (page,) = yield [replace(operation, start=None, end=before, limit=size)]
        columns = _between(page.columns, None, before, by="time")
        if not columns["time"]:
            break
        parts.append(columns)
        count += len(columns["time"])
        before = columns["time"][0]
    whole = joined(reversed(parts))
    return {name: values[-wanted:] for name, values in whole.items()}


def _range(
    operation: GetKlines, endpoint: Endpoint, progress: Progress
) -> Generator[list[Operation[Any]], list[Any], Columns]:
    """Read ``[start, end)`` in windows of one page, oldest first, several in flight.

    A page is "so many rows before a time", so an empty one proves that nothing is earlier,
    and a window is whole when a page reached its beginning. One that did not is asked on:
    holes, an end that the server counts in, and smaller pages than asked for, all end there.
    """
    assert operation.start is not None, "only questions with a start are asked by windows"
    assert operation.end is not None, "a start comes with an end"
    rows = endpoint.page_rows or 1
    windows = _windows(operation.period, operation.start, operation.end, rows)
    windows = yield from _skip_before_history(operation, windows)
    progress.total = len(windows)
    progress.resume_from = operation.start
    limit = operation.limit
    together = IN_FLIGHT if endpoint.via == "socket" or limit is not None else BATCH
    for at in range(0, len(windows), together):
        chunk = windows[at : at + together]
        parts = yield from _read_windows(operation, chunk, endpoint, progress)
        backward.extend(progress.columns, joined(parts))
        progress.resume_from = chunk[-1][1]
        if limit is not None and len(progress.columns.get("time", ())) >= limit:
            return {name: values[:limit] for name, values in progress.columns.items()}
    return progress.columns


def _windows(period: str, start: int, end: int, rows: int) -> list[tuple[int, int]]:
    """Cut a range into stretches of at most `rows` bars."""
    first = bar_number(period, ceil_time(period, start))
    last = bar_number(period, ceil_time(period, end))
    return [
        (bar_time(period, a), bar_time(period, min(a + rows, last)))
        for a in range(first, last, rows)
    ]


def _skip_before_history(
    operation: GetKlines, windows: list[tuple[int, int]]
) -> Generator[list[Operation[Any]], list[Any], list[tuple[int, int]]]:
    """Leave out the windows before the first bar there is, found by halving."""
    low, high = 0, len(windows)
    if high <= IN_FLIGHT:
        return windows
    while low < high:
        # The first probe asks for the very beginning: mostly there is nothing to skip.
        middle = 0 if (low, high) == (0, len(windows)) else (low + high) // 2
        (page,) = yield [replace(operation, start=None, end=windows[middle][1], limit=1)]
        if len(page):
            high = middle
        else:
            low = middle + 1
    return windows[low:]


def _read_windows(
    operation: GetKlines, windows: list[tuple[int, int]], endpoint: Endpoint, progress: Progress
) -> Generator[list[Operation[Any]], list[Any], list[Columns]]:
    """Read some windows to their beginnings; return their rows in order."""
    rows, tells_start = endpoint.page_rows, endpoint.paging is Paging.WINDOW
    before = {window: window[1] for window in windows}
    pages: dict[tuple[int, int], list[Columns]] = {window: [] for window in windows}
    while before:
        asked = list(before)
        answers = yield [
            replace(
                operation,
                start=window[0] if tells_start else None,
                end=before[window],
                limit=rows,
            )
            for window in asked
        ]
        for window, answer in zip(asked, answers, strict=True):
            columns = _cut(answer.columns, None, before[window])
            times = columns["time"]
            # A server that counts the asked time in may repeat its one row; more, or later
            # ones, would go on for ever.
            if not times and any(time != before[window] for time in answer.columns["time"]):
                raise ProtocolError(
                    "Paging does not advance: the venue repeats rows behind the asked time.",
                    todo="Please report this; meanwhile ask for a shorter range.",
                )
            pages[window].insert(0, _cut(columns, window[0], None))
            if not times or times[0] <= window[0]:
                del before[window]
                progress.done += 1
            else:
                before[window] = times[0]
    return [joined(pages[window]) for window in windows]


# --------------------------------------------------------- newest first, back from the end


def _backward(
    operation: Any, endpoint: Endpoint, progress: Progress
) -> Generator[list[Operation[Any]], list[Any], Answer]:
    """Read pages that come newest first, and put holes of trades into the answer."""
    is_history = isinstance(operation, GetOrderHistory)
    limit, cut = getattr(operation, "limit", None), []
    still_open: Columns = {}
    if endpoint.open_too is not None:
        # Asked first: an order that ends in between is in both, and its end counts.
        (answer,) = yield [endpoint.open_too(operation.symbol)]
        still_open = answer.columns
    if operation.start is not None:
        # A history may be bounded by the time of updates, which come after `end` too.
        asked = replace(operation, end=None) if is_history else operation
        columns, cut = yield from backward.in_range(asked, endpoint, progress)
        columns = {name: values[:limit] for name, values in columns.items()}
    elif limit is not None and limit > (endpoint.page_rows or 1):
        columns, cut = yield from backward.newest_of_many(operation, endpoint, limit)
        columns = {name: values[-limit:] for name, values in columns.items()}
    else:
        columns = yield from backward.newest(operation, endpoint.page_rows or 1)
    if still_open:
        columns = _united(still_open, columns)
    if is_history and columns:
        columns = _between(columns, operation.start, operation.end, by="created")
    if "created" in columns:  # trades are in order already, page by page and stretch by stretch
        columns = backward.by_time_and_id(columns)
    # Matches of a market are dense; own trades are some of them, and jump as they may.
    is_tape = isinstance(operation, GetTrades)
    columns, gaps = backward.with_gaps(columns, cut) if is_tape else (columns, 0)
    table = type(operation).table
    return Answer(table, columns or table.empty(), {"gaps": gaps} if gaps else {})


def _united(first: Columns, then: Columns) -> Columns:
    """Return the rows of both by id; of one that is in both, the later."""
    rows: dict[Any, tuple[Any, ...]] = {}
    names = list(first)
    for columns in (first, then):
        if columns:
            values = (columns[name] for name in names)
            rows |= dict(zip(columns["id"], zip(*values, strict=True), strict=True))
    united = map(list, zip(*rows.values(), strict=True)) if rows else ([] for _ in names)
    return dict(zip(names, united, strict=True))


# ------------------------------------------------------------------ listings: numbered pages


def _listing(operation: Listing, rows: int) -> Generator[list[Operation[Any]], list[Any], Answer]:
    """Read a listing whole.

    Pages shift when orders come or go while they are read: rows then repeat, or slip through
    between two pages. Rows are told apart by id, and a listing whose pages tell different
    counts, or fewer rows than counted, is read again.
    """
    told = _told(operation, rows)
    if isinstance(operation, GetOpenOrders) or operation.start is not None:
        columns, facts = yield from _whole_listing(told)
    else:  # without a start: the newest page
        (page,) = yield [told]
        columns, facts = page.columns, page.facts
    if not isinstance(operation, GetOpenOrders):
        by = "time" if isinstance(operation, GetMyTrades) else "created"
        columns = _between(columns, operation.start, operation.end, by=by)
    return Answer(type(operation).table, _by_time(columns), dict(facts))


def _by_time(columns: Columns) -> Columns:
    """Sort a listing by the time of its rows, oldest first."""
    stamps = columns["created" if "created" in columns else "time"]
    order = sorted(range(len(stamps)), key=lambda i: stamps[i] or 0)
    return {name: [values[i] for i in order] for name, values in columns.items()}


def _told(operation: Listing, rows: int) -> Listing:
    """Return the first page's question, with bounds widened to whole days of any zone.

    The date texts of listings name no zone, and the documents print their pattern in two
    ways that agree at midnight only. Wider bounds hold the asked ones in every reading; the
    rest is left out afterwards, by the exact stamps of the rows.
    """
    first = replace(operation, page=0, page_size=rows)
    if isinstance(first, GetOpenOrders):
        return first
    start, end = first.start, first.end
    return replace(
        first,
        start=None if start is None else (start - _ZONES_NS) // _DAY_NS * _DAY_NS,
        end=None if end is None else -((-end - _ZONES_NS) // _DAY_NS) * _DAY_NS,
    )


def _whole_listing(
    first: Listing,
) -> Generator[list[Operation[Any]], list[Any], tuple[Columns, dict[str, Any]]]:
    found: dict[Any, tuple[Any, ...]] = {}
    counts: set[int] = set()
    for _ in range(ROUNDS):
        found, counts, page = {}, set(), 0
        while True:
            (answer,) = yield [replace(first, page=page)]
            counts.add(answer.facts["count"])
            before = len(found)
            for row in zip(*answer.columns.values(), strict=True):
                found.setdefault(row[_id_position(answer)], row)
            if len(found) >= min(counts) or len(counts) > 1 or page == _ZEROTH:
                break
            page = page + 1 if len(found) > before else _ZEROTH
        if counts == {len(found)}:
            rows = zip(*found.values(), strict=True) if found else ([] for _ in answer.columns)
            whole = dict(zip(answer.columns, map(list, rows), strict=True))
            return whole, answer.facts
    raise ProtocolError(
        "The listing is not whole: it kept changing while it was read.",
        why=f"{len(found)} rows came, {sorted(counts)} were told, in {ROUNDS} readings.",
        todo="Ask again when fewer orders come and go, or for a shorter range.",
    )


def _id_position(answer: Answer) -> int:
    return list(answer.columns).index("id")
