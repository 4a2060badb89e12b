"""What tracks make of news and answers, one by one; `tests/faults` tries them all together."""

from __future__ import annotations

from typing import Any

import pytest

from cdcx_pandas import messages as m
from cdcx_pandas.channels import (
    BalanceChannel,
    DepthChannel,
    FillChannel,
    KlineChannel,
    OrderChannel,
    TickerChannel,
    TradeChannel,
)
from cdcx_pandas.engines.tracks.bars import BarTrack
from cdcx_pandas.engines.tracks.board import BalanceTrack, Board, OrderTrack, TickerTrack
from cdcx_pandas.engines.tracks.books import BookTrack
from cdcx_pandas.engines.tracks.fills import FillTrack
from cdcx_pandas.engines.tracks.gaps import MOST, Gap, Gaps
from cdcx_pandas.engines.tracks.track import Asking, Now
from cdcx_pandas.engines.tracks.trades import TradeTrack
from cdcx_pandas.frames.rolling import RollingFrame
from cdcx_pandas.operations import GetDepth, GetKlines, GetMyTrades, GetOrderHistory, GetTrades
from cdcx_pandas.tables import (
    ACCOUNT,
    DEPTH,
    FILLS,
    KLINES,
    ORDERS,
    RECEIVED,
    TICKERS,
    TRADES,
    Answer,
    Table,
)

S = 10**9
MINUTE = 60 * S
BEGIN = 1_700_000_040 * S


def at(seconds: float) -> Now:
    """Return an instant, so many seconds after the beginning."""
    return Now(1000.0 + seconds, BEGIN + int(seconds * S))


def answer(table: Table, **columns: list[Any]) -> Answer:
    """Return an answer about a table, what is not said missing."""
    count = len(next(iter(columns.values())))
    missing = {column.name: [None] * count for column in table.fields}
    return Answer(table, missing | columns)


# ---------------------------------------------------------------------------------- orders


def order(status: str, filled: float, id_: str = "1") -> Answer:
    """Return one order as it stands."""
    return answer(ORDERS, id=[id_], status=[status], filled=[filled], created=[BEGIN])


def test_an_order_never_goes_back() -> None:
    """What ended does not open again, what is filled does not shrink, the newest word counts."""
    board = Board(ORDERS)
    track = OrderTrack(OrderChannel(), board, Gaps())
    for status, filled in (("open", 0.0), ("partial", 0.5), ("partial", 0.2), ("filled", 1.0)):
        track.news(m.Update(OrderChannel(), order(status, filled), "delta"), at(0))
    track.news(m.Update(OrderChannel(), order("open", 1.0), "delta"), at(1))
    (row,) = zip(*board.columns().values(), strict=True)
    told = dict(zip(board.columns(), row, strict=True))
    assert (told["status"], told["filled"]) == ("filled", 1.0)


def test_what_a_word_about_an_order_leaves_out_stays_known() -> None:
    """A listing may tell the fee that the stream did not."""
    board = Board(ORDERS)
    track = OrderTrack(OrderChannel(), board, Gaps())
    first = order("open", 0.0)
    first.columns["client_id"] = ["mine"]
    track.news(m.Update(OrderChannel(), first, "delta"), at(0))
    track.news(m.Update(OrderChannel(), order("canceled", 0.0), "delta"), at(1))
    known = board.get("1")
    assert known is not None
    assert (known["client_id"], known["status"]) == ("mine", "canceled")


def test_orders_that_ended_unheard_are_asked_for() -> None:
    """After an interruption those of the last five minutes before it; the gap is then closed."""
    gaps = Gaps()
    track = OrderTrack(OrderChannel(), Board(ORDERS), gaps)
    past = track.question(at(0))
    assert past == GetOrderHistory(None, at(0).ns - 86_400 * S, at(0).ns + 1)
    track.answered(past, order("open", 0.0), at(1))
    assert track.question(at(5)) is None
    track.news(m.Update(OrderChannel(), order("open", 0.0), "snapshot"), at(6))
    track.interrupted("cut", at(10))
    track.resumed(at(12))
    track.news(m.Update(OrderChannel(), answer(ORDERS, id=[]), "snapshot"), at(12))
    assert [gap.repaired for gap in gaps] == [None]
    asked = track.question(at(13))
    assert asked == GetOrderHistory(None, at(6).ns - 300 * S, at(13).ns + 1)
    track.answered(asked, order("canceled", 0.0), at(14))
    assert [gap.repaired for gap in gaps] == [True]


# ------------------------------------------------------------------------ tickers, balances


def test_an_older_ticker_is_passed_over() -> None:
    """The newest by the venue's own time counts."""
    board = Board(TICKERS, order=("btcusdt",))
    track = TickerTrack(TickerChannel("btcusdt"), board)
    for last, seconds in ((1.0, 5), (2.0, 3), (3.0, 6)):
        told = answer(TICKERS, symbol=["btcusdt"], last=[last], time=[at(seconds).ns])
        track.news(m.Update(track.channel, told), at(seconds))
    assert board.columns()["last"] == [3.0]


def test_a_ticker_is_asked_for_where_the_stream_tells_none() -> None:
    """Not before two seconds, once, and a later word of the stream is not overwritten."""
    track = TickerTrack(TickerChannel("btcusdt"), Board(TICKERS))
    assert track.question(at(0)) is None
    assert track.question(at(1.9)) is None
    asked = track.question(at(2.1))
    assert asked is not None
    track.answered(asked, answer(TICKERS, symbol=["btcusdt"], last=[1.0]), at(2.2))
    assert track.question(at(60)) is None


def test_balances_are_told_as_a_whole() -> None:
    """A coin that is not told any more is not there."""
    board = Board(ACCOUNT)
    track = BalanceTrack(BalanceChannel(), board)
    for coins in (["BTC", "ETH"], ["BTC"]):
        told = answer(ACCOUNT, coin=coins, total=[1.0] * len(coins))
        track.news(m.Update(BalanceChannel(), told), at(0))
    assert board.columns()["coin"] == ["BTC"]


# ----------------------------------------------------------------------------------- fills


def test_own_trades_are_asked_for_once_they_are_told_again() -> None:
    """Not while the connection is down: what happens until then would be missed."""
    gaps = Gaps()
    frame = RollingFrame(FILLS, 100, extra=(RECEIVED,), numbered="id")
    track = FillTrack(FillChannel(), frame, gaps)
    past = track.question(at(0))
    assert isinstance(past, GetMyTrades)
    track.answered(past, answer(FILLS, id=["1"], time=[BEGIN]), at(1))
    track.interrupted("cut", at(10))
    assert track.question(at(12)) is None
    track.resumed(at(15))
    again = track.question(at(15))
    assert again == GetMyTrades(None, at(10).ns - 300 * S, at(15).ns + 1)
    told = answer(FILLS, id=["1", "2"], time=[BEGIN, at(12).ns])
    track.answered(again, told, at(16))
    assert frame.frame()["id"].tolist() == ["1", "2"]
    assert [(gap.start, gap.end, gap.repaired) for gap in gaps] == [(at(10).ns, at(16).ns, True)]


# ----------------------------------------------------------------------------------- books

DEPTH_CHANNEL = DepthChannel("btcusdt")


def book(bid: float, ask: float) -> Answer:
    """Return a book of two levels."""
    return answer(DEPTH, side=["bid", "ask"], level=[0, 0], price=[bid, ask], amount=[1.0, 1.0])


def change(side: str, price: float, amount: float, *chain: int) -> m.Update:
    """Return the change of one level, with its number and the one before."""
    told = answer(DEPTH, side=[side], price=[price], amount=[amount])
    return m.Update(DEPTH_CHANNEL, told, "delta", None, None, *chain)


def test_a_broken_chain_asks_for_a_whole_book_and_shows_the_last_true_one() -> None:
    """Stale until the whole one is there; then what came meanwhile is applied."""
    track = BookTrack(DEPTH_CHANNEL)
    track.news(m.Update(DEPTH_CHANNEL, book(99, 101), sequence=10), at(0))
    track.news(change("bid", 100, 2.0, 11, 10), at(1))
    shown = track.shown()
    assert shown is not None
    assert not shown.is_stale
    track.news(change("bid", 100.5, 3.0, 13, 12), at(2))
    assert track.wants_whole
    shown = track.shown()
    assert shown is not None
    assert shown.is_stale
    assert shown.columns["price"] == [100, 99, 101]
    track.wants_whole = False
    track.news(change("bid", 98, 1.0, 14, 13), at(2.5))
    assert not track.wants_whole  # it is on its way: not twice in a second
    track.news(m.Update(DEPTH_CHANNEL, book(100.5, 101), sequence=13), at(3))
    shown = track.shown()
    assert shown is not None
    assert not shown.is_stale
    assert shown.columns["price"] == [100.5, 98, 101]


def test_changes_without_numbers_are_checked_against_the_whole_book() -> None:
    """Every thirty seconds: one that was lost is put right, and later changes stay."""
    track = BookTrack(DEPTH_CHANNEL)
    track.news(m.Update(DEPTH_CHANNEL, book(99, 101)), at(0))
    track.news(change("bid", 100, 2.0), at(1))
    assert track.question(at(20)) is None
    asked = track.question(at(31))
    assert asked == GetDepth("btcusdt", 0)
    track.news(change("ask", 102, 5.0), at(31.1))
    track.answered(asked, book(98, 101), at(31.2))  # the lost ones: 99 and 100 are gone
    shown = track.shown()
    assert shown is not None
    assert shown.columns["price"] == [98, 101, 102]
    assert track.question(at(50)) is None


def test_a_book_that_stays_crossed_is_given_up() -> None:
    """For a second it may be in the middle of a change; while it is crossed it is stale."""
    track = BookTrack(DEPTH_CHANNEL)
    track.news(m.Update(DEPTH_CHANNEL, book(99, 101), sequence=10), at(0))
    track.news(change("bid", 102, 1.0, 11, 10), at(1))
    track.tick(at(1))
    shown = track.shown()
    assert shown is not None
    assert shown.is_stale
    track.tick(at(1.9))
    assert not track.wants_whole
    track.tick(at(2.1))
    assert track.wants_whole


# ------------------------------------------------------------------------------------ bars

BARS = KlineChannel("btcusdt", "1min")


def bars(*closes: float, first: int = 0) -> Answer:
    """Return bars, one a minute."""
    count = len(closes)
    times = [BEGIN + (first + n) * MINUTE for n in range(count)]
    ones = [1.0] * count
    return answer(
        KLINES, time=times, open=ones, high=ones, low=ones, close=list(closes), volume=ones
    )


def bar_track() -> BarTrack:
    """Return a track whose past of three minutes is there, in the third of them."""
    frame = RollingFrame(KLINES, 100, extra=(RECEIVED,))
    track = BarTrack(BARS, frame, Gaps(), has_symbol=False, page_rows=300)
    asked = track.question(at(130))
    assert asked == GetKlines("btcusdt", "1min", limit=100)
    track.answered(asked, bars(1.0, 2.0, 3.0), at(130))
    return track


def test_a_bar_is_final_when_the_venue_confirms_it() -> None:
    """Two seconds after its end it is asked for, and what the venue says counts."""
    track = bar_track()
    assert track.frame.frame()["closed"].tolist() == [True, True, False]
    track.news(m.Update(BARS, bars(3.3, first=2)), at(170))
    assert track.question(at(181.9)) is None
    asked = track.question(at(182.1))
    assert asked == GetKlines("btcusdt", "1min", limit=3)
    track.answered(asked, bars(3.4, 4.0, first=2), at(182.2))
    frame = track.frame.frame()
    assert frame["close"].tolist() == [1.0, 2.0, 3.4, 4.0]
    assert frame["closed"].tolist() == [True, True, True, False]
    assert track.corrected == 1


def test_a_final_bar_is_not_touched_by_late_news() -> None:
    """What the stream repeats of it is passed over."""
    track = bar_track()
    track.news(m.Update(BARS, bars(9.9, first=1)), at(131))
    assert track.frame.frame()["close"].tolist() == [1.0, 2.0, 3.0]


def test_a_final_bar_that_the_venue_revises_is_revised() -> None:
    """A late trade changes it there: the next answer says so, and what was seen stays as it was."""
    track = bar_track()
    view = track.frame.view()
    asked = track.question(at(182.1))
    assert asked is not None
    track.answered(asked, bars(2.5, 3.0, 4.0, first=1), at(182.2))
    frame = track.frame.frame()
    assert frame["close"].tolist() == [1.0, 2.5, 3.0, 4.0]
    assert frame["closed"].tolist() == [True, True, True, False]
    assert view["close"].tolist() == [1.0, 2.0]
    assert track.corrected == 1


def test_a_bar_that_the_venue_does_not_list_is_not_there() -> None:
    """It forms as long as the listing may lag, and goes when later ones are listed."""
    track = bar_track()
    track.news(m.Update(BARS, bars(7.0, first=3)), at(185))
    asked = track.question(at(185))
    assert asked is not None
    track.answered(asked, bars(3.0, first=2), at(185.1))
    assert len(track.frame) == 4
    again = track.question(at(310))
    assert again is not None
    track.answered(again, bars(3.0, 5.0, first=2), at(310))
    assert track.frame.frame()["close"].tolist()[:3] == [1.0, 2.0, 3.0]


# ---------------------------------------------------------------------------------- trades

TRADE_CHANNEL = TradeChannel("btcusdt")


def trades(*numbers: int) -> Answer:
    """Return trades, one a second."""
    count = len(numbers)
    return answer(
        TRADES, id=list(map(str, numbers)), time=[BEGIN + n * S for n in numbers],
        price=[1.0] * count, amount=[1.0] * count, side=["buy"] * count,
    )  # fmt: skip


def trade_track(*, reaches_back: bool) -> tuple[TradeTrack, Gaps]:
    """Return a track that knows the trades 1 to 30."""
    gaps = Gaps()
    frame = RollingFrame(TRADES, 100, extra=(RECEIVED,), numbered="id")
    track = TradeTrack(
        TRADE_CHANNEL, frame, gaps, has_symbol=False, page_rows=30, reaches_back=reaches_back
    )
    asked = track.question(at(31))
    assert asked == GetTrades("btcusdt")
    track.answered(asked, trades(*range(1, 31)), at(31))
    assert track.is_dense
    return track, gaps


def test_a_jump_is_waited_for_a_moment() -> None:
    """What only came in another order is no gap, and nobody is asked."""
    track, gaps = trade_track(reaches_back=False)
    for number, seconds in ((31, 31.5), (33, 33), (32, 33.1), (34, 34)):
        track.news(m.Update(TRADE_CHANNEL, trades(number), "delta"), at(seconds))
        assert track.question(at(seconds + 0.05)) is None
    assert track.question(at(36)) is None
    track.frame.settle(at(40).ns)
    assert list(gaps) == []
    assert [int(id_) for id_ in track.frame.frame()["id"]] == list(range(1, 35))


def test_a_jump_is_declared_and_then_repaired() -> None:
    """By a page that reaches over both its ends."""
    track, gaps = trade_track(reaches_back=False)
    track.news(m.Update(TRADE_CHANNEL, trades(34), "delta"), at(34))
    asked = track.question(at(34.5))
    assert asked == GetTrades("btcusdt")
    (gap,) = gaps
    assert (gap.start, gap.end, gap.estimate, gap.repaired) == (at(30).ns, at(34).ns, 3, None)
    track.answered(asked, trades(*range(5, 35)), at(34.6))
    assert gap.repaired is True
    assert [int(id_) for id_ in track.frame.frame()["id"]] == list(range(1, 35))


def test_what_no_page_reaches_is_lost_and_said_to_be() -> None:
    """The gap ends where the page begins: the rest of it was had."""
    track, gaps = trade_track(reaches_back=False)
    track.interrupted("cut", at(35))
    track.resumed(at(99))
    track.news(m.Update(TRADE_CHANNEL, trades(100), "delta"), at(100))
    asked = track.question(at(101))
    assert asked is not None
    track.answered(asked, trades(*range(71, 101)), at(101))
    (gap,) = gaps
    assert (gap.start, gap.end, gap.repaired) == (at(30).ns, at(71).ns, False)
    assert (gap.reason, gaps.lost) == ("cut", 1)


def test_a_venue_that_can_is_asked_back_to_the_hole() -> None:
    """By time, from the last trade before it on: nothing is lost."""
    track, gaps = trade_track(reaches_back=True)
    track.interrupted("cut", at(35))
    track.resumed(at(99))
    track.news(m.Update(TRADE_CHANNEL, trades(100), "delta"), at(100))
    asked = track.question(at(101))
    assert asked == GetTrades("btcusdt", at(30).ns, at(102).ns)
    track.answered(asked, trades(*range(30, 101)), at(101))
    assert [gap.repaired for gap in gaps] == [True]
    assert len(track.frame) == 100


def test_a_listing_that_lags_is_asked_again() -> None:
    """What the stream told already must be in it before it proves anything."""
    track, gaps = trade_track(reaches_back=False)
    track.news(m.Update(TRADE_CHANNEL, trades(34), "delta"), at(34))
    seconds = 34.5
    asked = track.question(at(seconds))
    assert asked is not None
    track.answered(asked, trades(*range(1, 32)), at(seconds))
    (gap,) = gaps
    assert gap.repaired is None
    assert track.question(at(seconds + 0.5)) is None
    asked = track.question(at(seconds + 1.5))
    assert asked is not None
    track.answered(asked, trades(*range(5, 35)), at(seconds + 1.6))
    assert gap.repaired is True


def test_trades_counted_in_another_way_are_joined_all_the_same() -> None:
    """A wire that tells matches, and then does not: ids count from then on, and a page decides."""
    gaps = Gaps()
    frame = RollingFrame(TRADES, 100, extra=(RECEIVED,), numbered="id")
    track = TradeTrack(
        TRADE_CHANNEL, frame, gaps, has_symbol=False, page_rows=30, reaches_back=False
    )
    matched = trades(*range(1000, 1030))
    matched.columns["match_id"] = list(map(str, range(30)))
    asked = track.question(at(0))
    assert asked is not None
    track.answered(asked, matched, at(1))
    track.news(m.Update(TRADE_CHANNEL, trades(1030), "delta"), at(2))
    again = track.question(at(3))
    assert again is not None
    track.answered(again, trades(*range(1001, 1031)), at(3))
    assert not any(gap.repaired is False for gap in gaps)
    assert [int(id_) for id_ in frame.frame()["id"]] == list(range(1000, 1031))


# ----------------------------------------------------------------------------- gaps, asking


def test_gaps_are_bounded_and_counted() -> None:
    """The list keeps the newest thousand, the counts keep all."""
    gaps = Gaps()
    for number in range(MOST + 50):
        gap = gaps.open(Gap("trades", "btcusdt", number, number + 1, "cut"))
        gaps.close(gap, repaired=number % 2 == 0)
        gaps.close(gap, repaired=False)  # decided once
    assert len(gaps) == MOST
    assert gaps.repaired + gaps.lost == MOST + 50
    assert next(iter(gaps)).start == 50


@pytest.mark.parametrize(("failures", "wait_s"), [(0, 1.0), (1, 2.0), (3, 8.0), (9, 30.0)])
def test_a_venue_that_does_not_answer_is_asked_less_often(failures: int, wait_s: float) -> None:
    """Twice as late each time, up to half a minute; never two questions at a time."""
    asking = Asking()
    now = at(0)
    asking.asked()
    assert not asking.may(at(1000))
    for _ in range(failures):
        asking.failed(now)
    if not failures:
        asking.answered(now)
    assert not asking.may(at(wait_s - 0.01))
    assert asking.may(at(wait_s))
