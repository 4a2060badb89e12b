"""Paging, driven by lists instead of a network."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdcx_pandas.dialects.v1 import DIALECT
from cdcx_pandas.engines.ask import IN_FLIGHT, ask
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
from cdcx_pandas.periods import bar_time
from cdcx_pandas.tables import FILLS, KLINES, ORDERS, TRADES, Answer

MINUTE = 60 * 10**9
DAY = 86_400 * 10**9
HISTORY = DIALECT.endpoint(GetKlines("btcusdt", "1min", start=0, end=1))


def drive(
    asking: Generator[list[Operation[Any]], list[Any], Any],
    answer: Callable[[Operation[Any]], Any],
) -> tuple[Any, list[list[Operation[Any]]]]:
    """Answer every page; return the whole answer and the batches that were asked."""
    batches = []
    try:
        batch = next(asking)
        while True:
            batches.append(batch)
            batch = asking.send([answer(page) for page in batch])
    except StopIteration as done:
        return done.value, batches


class History:
    """A venue with bars at some minutes, which tells so many of them before a time."""

    def __init__(
        self, minutes: list[int], cap: int = 300, *, inclusive: bool = False, period: str = "1min"
    ) -> None:
        self.times = [bar_time(period, n) for n in sorted(minutes)]
        self.cap, self.inclusive = cap, inclusive
        self.asked = 0

    def __call__(self, page: Operation[Any]) -> Answer:
        """Answer one page."""
        self.asked += 1
        assert isinstance(page, GetKlines)
        assert page.start is None, "V1 cannot be told a start"
        end = page.end
        times = [t for t in self.times if end is None or t < end or (self.inclusive and t == end)][
            -min(page.limit or 300, self.cap) :
        ]
        return Answer(KLINES, {"time": times, "close": [t // MINUTE for t in times]})


@settings(deadline=None)
@given(
    minutes=st.sets(st.integers(0, 4000), max_size=900),
    start=st.integers(-100, 4100),
    length=st.integers(1, 3000),
    cap=st.sampled_from([300, 299, 100, 7]),
    inclusive=st.booleans(),
)
def test_a_range_of_klines_is_exactly_the_bars_of_the_range(
    minutes: set[int], start: int, length: int, cap: int, inclusive: bool
) -> None:
    """Whatever holes, page caps and readings of "before" a venue has, no bar is lost or doubled."""
    venue = History(sorted(minutes), cap=max(cap, 2), inclusive=inclusive)
    question = GetKlines("btcusdt", "1min", start * MINUTE, (start + length) * MINUTE)
    answer, _ = drive(ask(question, HISTORY), venue)
    assert answer.columns["time"] == [
        n * MINUTE for n in sorted(minutes) if start <= n < start + length
    ]


def test_pages_are_of_300_rows_and_8_in_flight() -> None:
    """A long range goes out in batches of eight full pages."""
    venue = History(list(range(-10, 6000)))
    question = GetKlines("btcusdt", "1min", 0, 6000 * MINUTE)
    answer, batches = drive(ask(question, HISTORY), venue)
    assert len(answer) == 6000
    pages = [len(batch) for batch in batches]
    assert pages == [1, IN_FLIGHT, IN_FLIGHT, 4]
    assert {page.limit for batch in batches[1:] for page in batch} == {300}  # type: ignore[attr-defined]  # klines


def test_time_before_the_first_bar_costs_few_questions() -> None:
    """Years without history are skipped by halving, not by asking page after page."""
    venue = History(list(range(5_000_000, 5_000_600)))
    question = GetKlines("btcusdt", "1min", 0, 5_000_600 * MINUTE)
    answer, _ = drive(ask(question, HISTORY), venue)
    assert len(answer) == 600
    assert venue.asked < 30


def test_months_are_counted_by_the_calendar() -> None:
    """A range of months is cut at firsts of months."""
    venue = History(list(range(600, 680)), period="1month")
    question = GetKlines("btcusdt", "1month", bar_time("1month", 610), bar_time("1month", 620))
    answer, _ = drive(ask(question, HISTORY), venue)
    assert answer.columns["time"] == [bar_time("1month", n) for n in range(610, 620)]


@pytest.mark.parametrize("limit", [1, 299, 300, 301, 1000])
def test_without_a_start_the_newest_rows_are_walked_back_to(limit: int) -> None:
    """`limit` without `start` gives the newest rows, over as many pages as it takes."""
    venue = History(list(range(700)))
    answer, _ = drive(ask(GetKlines("btcusdt", "1min", limit=limit), HISTORY), venue)
    assert answer.columns["time"] == [n * MINUTE for n in range(700)][-limit:]


def test_with_a_start_limit_gives_the_first_rows() -> None:
    """`limit` with `start` gives the first rows and stops asking."""
    venue = History(list(range(-400, 30_000)))
    question = GetKlines("btcusdt", "1min", 0, 30_000 * MINUTE, limit=5)
    answer, _ = drive(ask(question, HISTORY), venue)
    assert answer.columns["time"] == [n * MINUTE for n in range(5)]
    assert venue.asked < 20


def test_progress_keeps_what_is_complete_and_where_to_go_on() -> None:
    """When paging breaks off, the rows so far and the next start are known."""
    venue = History(list(range(-10, 9000)))
    progress = Progress()
    asking = ask(GetKlines("btcusdt", "1min", 0, 9000 * MINUTE), HISTORY, progress)
    batch = next(asking)
    for _ in range(2):
        batch = asking.send([venue(page) for page in batch])
    assert progress.total == 30
    assert progress.done == 8
    assert progress.columns["time"] == [n * MINUTE for n in range(2400)]
    assert progress.resume_from == 2400 * MINUTE


def test_a_venue_that_repeats_itself_is_refused() -> None:
    """Pages that never get earlier end in an error, not in an endless loop."""

    def stuck(page: Operation[Any]) -> Answer:
        return Answer(KLINES, {"time": [10**9 * MINUTE], "close": [1]})

    with pytest.raises(ProtocolError, match="Paging does not advance"):
        drive(ask(GetKlines("btcusdt", "1min", 0, 600 * MINUTE), HISTORY), stuck)


def test_questions_of_one_page_are_cut_to_their_bounds() -> None:
    """What a venue cannot be told is applied to its answer."""
    columns = {"time": [1, 2, 3, 4], "id": ["1", "2", "3", "4"]}
    question = GetTrades("btcusdt", start=2, end=4)
    answer, _ = drive(ask(question, DIALECT.endpoint(question)), lambda _: Answer(TRADES, columns))
    assert answer.columns == {"time": [2, 3], "id": ["2", "3"]}


# ------------------------------------------------------------------------------------ listings


class Listing:
    """A venue with orders, newest first, in numbered pages; `happen` runs before each page."""

    def __init__(
        self,
        ids: list[int],
        happen: Callable[[int, list[int]], None] = lambda asked, ids: None,
        first_page: int = 0,
        cap: int = 10**6,
    ) -> None:
        self.ids, self.happen, self.first_page, self.cap = ids, happen, first_page, cap
        self.asked: list[Operation[Any]] = []

    def __call__(self, page: Operation[Any]) -> Answer:
        """Answer one page."""
        assert isinstance(page, GetOpenOrders | GetOrderHistory | GetMyTrades)
        self.happen(len(self.asked), self.ids)
        self.asked.append(page)
        assert page.page is not None
        assert page.page_size is not None
        size = min(page.page_size, self.cap)
        at = page.page - self.first_page
        rows = sorted(self.ids, reverse=True)[at * size : (at + 1) * size] if at >= 0 else []
        columns = {"id": [str(n) for n in rows], "created": [n * MINUTE for n in rows]}
        return Answer(ORDERS, columns, {"count": len(self.ids)})


OPEN = DIALECT.endpoint(GetOpenOrders("btcusdt"))


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 1000])
@pytest.mark.parametrize("cap", [10**6, 50])
def test_a_listing_is_read_whole(count: int, cap: int) -> None:
    """All orders come back, oldest first, also when the server's pages are smaller."""
    venue = Listing(list(range(count)), cap=cap)
    answer, _ = drive(ask(GetOpenOrders("btcusdt"), OPEN), venue)
    assert answer.columns["id"] == [str(n) for n in range(count)]


def test_an_order_that_goes_while_pages_are_read_hides_no_other() -> None:
    """Rows that slip to the page already read are found by reading again."""

    def cancel_one(asked: int, ids: list[int]) -> None:
        if asked == 1:
            ids.remove(399)

    venue = Listing(list(range(400)), cancel_one)
    answer, _ = drive(ask(GetOpenOrders("btcusdt"), OPEN), venue)
    assert answer.columns["id"] == [str(n) for n in range(399)]


def test_a_listing_that_never_holds_still_is_an_error() -> None:
    """A listing that cannot be proven whole raises, rather than look whole."""

    def come_and_go(asked: int, ids: list[int]) -> None:
        ids.append(1000 + asked)

    with pytest.raises(ProtocolError, match="kept changing"):
        drive(ask(GetOpenOrders("btcusdt"), OPEN), Listing(list(range(400)), come_and_go))


def test_a_server_that_counts_pages_from_0_is_read_whole() -> None:
    """Later V1 servers keep their first page at 0; its rows are not missed."""
    for count in (3, 200, 450):
        venue = Listing(list(range(count)), first_page=-1)
        answer, _ = drive(ask(GetOpenOrders("btcusdt"), OPEN), venue)
        assert answer.columns["id"] == [str(n) for n in range(count)]


def test_listing_bounds_are_widened_on_the_wire_and_exact_in_the_answer() -> None:
    """Dates without a zone are sent as midnights that hold the range in any zone."""
    question = GetOrderHistory("btcusdt", start=20 * DAY + 7, end=21 * DAY)
    venue = Listing([20 * 1440, 20 * 1440 + 1, 21 * 1440 - 1, 21 * 1440])
    answer, batches = drive(ask(question, DIALECT.endpoint(question)), venue)
    (page,) = batches[0]
    assert isinstance(page, GetOrderHistory)
    assert (page.start, page.end) == (19 * DAY, 22 * DAY)
    assert answer.columns["id"] == [str(20 * 1440 + 1), str(21 * 1440 - 1)]


def test_without_a_start_the_newest_page_is_enough() -> None:
    """History without a start is one page."""
    venue = Listing(list(range(500)))
    question = GetOrderHistory("btcusdt")
    answer, batches = drive(ask(question, DIALECT.endpoint(question)), venue)
    assert len(batches) == 1
    assert answer.columns["id"] == [str(n) for n in range(300, 500)]


def test_own_trades_are_listed_by_their_time() -> None:
    """Own trades are bounded by the time of the trade."""
    rows = {"id": ["2", "1"], "time": [2 * DAY, DAY]}
    question = GetMyTrades("btcusdt", start=0, end=2 * DAY)
    answer, _ = drive(
        ask(question, DIALECT.endpoint(question)),
        lambda page: Answer(FILLS, rows, {"count": 2}),
    )
    assert answer.columns == {"id": ["1"], "time": [DAY]}
    assert replace(question, page=0) != question
