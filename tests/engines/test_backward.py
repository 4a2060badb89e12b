"""Walking back, driven by simulated venues that know everything and tell a page at a time."""

from __future__ import annotations

import operator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cdcx_pandas.dialects.base import Endpoint, Paging
from cdcx_pandas.engines.ask import ask
from cdcx_pandas.engines.progress import Progress
from cdcx_pandas.errors import ProtocolError
from cdcx_pandas.operations import (
    GetFunding,
    GetMyTrades,
    GetOpenOrders,
    GetOrderHistory,
    GetTrades,
    Operation,
)
from cdcx_pandas.tables import FUNDING, ORDERS, TRADES, Answer
from tests.engines.test_ask import drive

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
BEGIN = 1_700_000_000 * 10**9
TRADE_PAGES = Endpoint(
    GetTrades, "/t", "t", paging=Paging.BACKWARD, page_rows=150, window_s=6 * 3600
)
HISTORY_PAGES = Endpoint(
    GetOrderHistory, "/h", "h", "POST", signed=True, paging=Paging.BACKWARD, page_rows=100,
    open_too=GetOpenOrders,
)  # fmt: skip
DAY = 24 * HOUR


class Tape:
    """A venue with trades (time, id, match), which tells the newest of a range."""

    def __init__(self, trades: list[tuple[int, int, int]], cap: int = 150) -> None:
        self.trades = sorted(trades)
        self.cap = cap
        self.asked: list[Any] = []

    def __call__(self, page: Operation[Any]) -> Answer:
        """Answer one page: without a start it looks back a day, as the exchange does."""
        assert isinstance(page, GetTrades)
        self.asked.append(page)
        end = page.end if page.end is not None else self.trades[-1][0] + 1
        start = page.start if page.start is not None else end - DAY
        assert end - start <= 7 * DAY or page.end is None
        found = [trade for trade in self.trades if start <= trade[0] < end]
        newest = found[-min(page.limit or 25, self.cap) :]
        return Answer(TRADES, self.columns(newest))

    @staticmethod
    def columns(rows: list[tuple[int, int, int]]) -> dict[str, list[Any]]:
        """Return trades as a dialect tells them."""
        return {
            "time": [time for time, _, _ in rows],
            "id": [str(id_) for _, id_, _ in rows],
            "price": [1.0] * len(rows),
            "match_id": [str(match) for _, _, match in rows],
        }


def tape_of(steps: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Return matches so many ns apart, each with so many fills of one instant."""
    trades, time = [], BEGIN
    for match, (step, fills) in enumerate(steps, 1):
        time += step
        trades += [(time, match * 10 + n, match) for n in range(fills)]
    return trades


steps = st.lists(
    st.tuples(st.integers(1, 3) | st.integers(1, 2 * HOUR), st.integers(1, 4)), max_size=60
)


@settings(deadline=None, max_examples=200)
@given(steps, st.integers(5, 150), st.data())
def test_a_range_is_read_whole(steps: list[tuple[int, int]], cap: int, data: st.DataObject) -> None:
    """Every trade of the range, once, in order; whatever the venue's cap is."""
    trades = tape_of(steps)
    times = [BEGIN, *(time for time, _, _ in trades)]
    start = data.draw(st.sampled_from(times))
    end = data.draw(st.sampled_from(times)) + data.draw(st.integers(1, 5))
    if start >= end:
        start, end = end, start + 1
    tape = Tape(trades, cap)
    answer, _ = drive(ask(GetTrades("x", start, end), TRADE_PAGES), tape)
    wanted = [trade for trade in trades if start <= trade[0] < end]
    assert answer.columns["id"] == [str(id_) for _, id_, _ in wanted]
    assert answer.columns["time"] == [time for time, _, _ in wanted]
    assert "gaps" not in answer.facts


@settings(deadline=None, max_examples=100)
@given(steps, st.integers(1, 40))
@example([(1, 1), (28_124_999_999, 4), (1, 4)], 8)
def test_a_limit_takes_the_first_with_a_start_and_the_newest_without(
    steps: list[tuple[int, int]], limit: int
) -> None:
    """As `interface.md` has it, over as many pages as it takes."""
    trades = tape_of(steps)
    end = BEGIN + 300 * HOUR
    pages = Endpoint(GetTrades, "/t", "t", paging=Paging.BACKWARD, page_rows=7, window_s=6 * 3600)
    tape = Tape(trades, 7)
    first, _ = drive(ask(GetTrades("x", BEGIN, end, limit), pages), tape)
    assert first.columns["id"] == [str(id_) for _, id_, _ in trades[:limit]]
    last, _ = drive(ask(GetTrades("x", None, end, limit), pages), Tape(trades, 7))
    if limit > 7:
        assert last.columns["id"] == [str(id_) for _, id_, _ in trades[-limit:]]


def test_the_newest_page_is_one_question() -> None:
    """Without a start: what the venue tells at once."""
    tape = Tape(tape_of([(MINUTE, 2)] * 200))
    answer, batches = drive(ask(GetTrades("x"), TRADE_PAGES), tape)
    assert [len(batch) for batch in batches] == [1]
    assert len(answer) == 150
    assert tape.asked == [GetTrades("x", limit=150)]


def test_a_quiet_market_is_looked_back_on_for_weeks() -> None:
    """Empty windows are stepped over, and grow; at last nothing earlier is believed in."""
    tape = Tape(tape_of([(HOUR, 1), (20 * DAY, 1), (HOUR, 1)]))
    answer, _ = drive(ask(GetTrades("x", None, BEGIN + 25 * DAY, 151), TRADE_PAGES), tape)
    assert len(answer) == 3
    assert len(tape.asked) < 40


def test_pages_are_asked_together_and_no_time_is_rounded() -> None:
    """A range is read from many ends at once, to the ns."""
    trades = tape_of([(1_234_567_891, 1)] * 20_000)
    tape = Tape(trades)
    start, end = BEGIN + 7, trades[-1][0]
    answer, batches = drive(ask(GetTrades("x", start, end), TRADE_PAGES), tape)
    assert len(answer) == 19_999
    assert len(batches[0]) == 32
    assert len(tape.asked) < 20_000 / 150 * 1.5
    bounds = sorted((page.start, page.end) for page in tape.asked)
    assert bounds[0][0] == start
    assert max(stop for _, stop in bounds) == end


def test_a_short_page_is_not_trusted_before_a_longer_one_was_seen() -> None:
    """A venue that sends 20 rows where 150 are asked for is asked on."""
    trades = tape_of([(MINUTE, 1)] * 100)
    answer, _ = drive(
        ask(GetTrades("x", BEGIN, BEGIN + 101 * MINUTE), TRADE_PAGES), Tape(trades, 20)
    )
    assert len(answer) == 100


def test_holes_of_match_ids_are_rows_without_values() -> None:
    """Behind the last trade before the hole, with its time; and counted."""
    trades = [t for t in tape_of([(MINUTE, 2)] * 30) if t[2] not in {7, 8, 20}]
    answer, _ = drive(ask(GetTrades("x", BEGIN, BEGIN + HOUR), TRADE_PAGES), Tape(trades))
    assert answer.facts["gaps"] == 2
    holes = [at for at, id_ in enumerate(answer.columns["id"]) if id_ is None]
    assert holes == [12, 12 + 1 + 22]
    for at in holes:
        assert answer.columns["time"][at] == answer.columns["time"][at - 1]
        assert answer.columns["price"][at] is None
    assert sum(id_ is not None for id_ in answer.columns["id"]) == len(trades)


def test_a_page_full_of_one_instant_is_told_as_a_hole() -> None:
    """What cannot be reached is not passed over in silence."""
    trades = tape_of([(MINUTE, 1), (MINUTE, 40), (MINUTE, 1)])
    answer, _ = drive(ask(GetTrades("x", BEGIN, BEGIN + 3 * MINUTE + 1), _PAGES_OF_TEN),
                      Tape(trades, 10))  # fmt: skip
    assert answer.facts["gaps"] == 1
    assert sum(id_ is not None for id_ in answer.columns["id"]) == 12


_PAGES_OF_TEN = Endpoint(
    GetTrades, "/t", "t", paging=Paging.BACKWARD, page_rows=10, window_s=6 * 3600
)


def test_what_breaks_off_keeps_what_is_whole() -> None:
    """Progress holds the finished stretches, in order, and where to go on."""
    trades = tape_of([(10 * MINUTE, 1)] * 3000)
    progress = Progress()
    tape = Tape(trades)
    asking = ask(GetTrades("x", BEGIN, trades[-1][0] + 1), TRADE_PAGES, progress)
    batch = next(asking)
    while progress.done < 32:
        batch = asking.send([tape(page) for page in batch])
    times = progress.columns["time"]
    assert times == sorted(times)
    resumed, _ = drive(
        ask(GetTrades("x", progress.resume_from, trades[-1][0] + 1), TRADE_PAGES), Tape(trades)
    )
    assert len(times) + len(resumed) == len(trades)


# --------------------------------------------------------------------------- order histories


class Book:
    """An account's orders (id, created, updated), finished ones told newest update first.

    `by` decides which time the bounds are about: nobody knows of the real one.
    """

    def __init__(self, orders: list[tuple[int, int, int]], still: set[int], by: str) -> None:
        self.orders, self.still = orders, still
        self.by = operator.itemgetter({"created": 1, "updated": 2}[by])

    def __call__(self, page: Operation[Any]) -> Answer:
        """Answer one page."""
        if isinstance(page, GetOpenOrders):
            return self.answer([o for o in self.orders if o[0] in self.still])
        assert isinstance(page, GetOrderHistory)
        start, end = page.start or 0, page.end or 2**62
        found = [o for o in self.orders if o[0] not in self.still and start <= self.by(o) < end]
        found.sort(key=operator.itemgetter(2), reverse=True)
        return self.answer(found[: page.page_size])

    @staticmethod
    def answer(rows: list[tuple[int, int, int]]) -> Answer:
        """Return orders as columns."""
        return Answer(ORDERS, {
            "id": [str(id_) for id_, _, _ in rows], "created": [c for _, c, _ in rows],
            "updated": [u for _, _, u in rows],
        })  # fmt: skip


@pytest.mark.parametrize("by", ["created", "updated"])
@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=60),
    st.integers(0, 2**60),
)
def test_a_history_is_whole_whichever_time_its_bounds_mean(
    by: str, spans: list[tuple[int, int]], luck: int
) -> None:
    """By creation, open ones too, each once."""
    orders = [
        (n, BEGIN + created * MINUTE + n, BEGIN + (created + lives) * MINUTE + n)
        for n, (created, lives) in enumerate(spans, 1)
    ]
    still = {n for n, *_ in orders if luck >> n & 1}
    pages = Endpoint(
        GetOrderHistory, "/h", "h", paging=Paging.BACKWARD, page_rows=5, open_too=GetOpenOrders
    )
    start, end = BEGIN + 100 * MINUTE, BEGIN + 400 * MINUTE
    answer, batches = drive(ask(GetOrderHistory("x", start, end), pages), Book(orders, still, by))
    wanted = sorted((c, n) for n, c, _ in orders if start <= c < end)
    assert answer.columns["id"] == [str(n) for _, n in wanted]
    assert batches[0] == [GetOpenOrders("x")]  # first, so that none slips through


def test_nothing_behind_the_end_is_asked_for() -> None:
    """Also where the oldest row of a page is of a whole millisecond just before the end."""
    at = BEGIN + 28_125_000_000
    tape = Tape([(at, 1, 1), (at + 1, 2, 2)])
    answer, _ = drive(ask(GetTrades("x", BEGIN, at + 1), TRADE_PAGES), tape)
    assert answer.columns["id"] == ["1"]
    assert max(page.end for page in tape.asked) == at + 1


def test_stamps_that_are_cut_to_milliseconds_lose_nothing() -> None:
    """Bounds are compared with what the venue knows, and it knows more than it tells."""
    orders = [(n, BEGIN + n * 300_000 + 17, BEGIN + n * 300_000 + 17) for n in range(1, 60)]

    def told(page: Operation[Any]) -> Answer:
        answer = Book(orders, set(), "updated")(page)
        cut = [stamp // 10**6 * 10**6 for stamp in answer.columns["updated"]]
        return Answer(ORDERS, answer.columns | {"updated": cut})

    pages = Endpoint(GetOrderHistory, "/h", "h", paging=Paging.BACKWARD, page_rows=5)
    answer, _ = drive(ask(GetOrderHistory("x", BEGIN), pages), told)
    assert answer.columns["id"] == [str(n) for n, _, _ in orders]


def test_an_order_that_ends_while_it_is_asked_for_is_told_once_and_ended() -> None:
    """It is in both lists; the later word counts."""

    def answer(page: Operation[Any]) -> Answer:
        columns = {"id": ["1"], "created": [BEGIN], "updated": [BEGIN], "status": ["open"]}
        if isinstance(page, GetOrderHistory):
            columns = columns | {"updated": [BEGIN + 5], "status": ["filled"]}
        return Answer(ORDERS, columns)

    whole, _ = drive(ask(GetOrderHistory("x", BEGIN), HISTORY_PAGES), answer)
    assert whole.columns["status"] == ["filled"]


def test_a_row_without_a_time_is_an_error() -> None:
    """What is before it is unknown, so the answer could not be whole."""
    with pytest.raises(ProtocolError, match="has no time"):
        drive(
            ask(GetMyTrades("x", BEGIN, BEGIN + 1),
                Endpoint(GetMyTrades, "/m", "m", paging=Paging.BACKWARD, page_rows=100)),
            lambda _: Answer(TRADES, {"id": ["1"], "time": [None]}),
        )  # fmt: skip


def test_rows_without_ids_are_told_apart_by_their_times() -> None:
    """Funding rates have no ids; each hour is one row."""
    hours = [BEGIN + n * HOUR for n in range(250)]

    def answer(page: Operation[Any]) -> Answer:
        assert isinstance(page, GetFunding)
        found = [t for t in hours if (page.start or 0) <= t < (page.end or 2**62)]
        newest = found[-min(page.limit or 25, 100) :]
        return Answer(FUNDING, {"time": newest, "rate": [0.0] * len(newest)})

    pages = Endpoint(GetFunding, "/v", "v", paging=Paging.BACKWARD, page_rows=100)
    whole, _ = drive(ask(GetFunding("x", BEGIN, BEGIN + 300 * HOUR), pages), answer)
    assert whole.columns["time"] == hours
