"""What is due to whom, worked out without a socket: time and the exchange are given."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.channels import (
    BalanceChannel,
    Channel,
    DepthChannel,
    KlineChannel,
    TickerChannel,
    TradeChannel,
)
from cdcx_pandas.dialects.v1 import DIALECT
from cdcx_pandas.errors import UnknownSymbol, Unsupported
from cdcx_pandas.sandbox.exchange import Exchange, Options
from cdcx_pandas.sandbox.feeds import Asked
from cdcx_pandas.sandbox.hub import Hub
from cdcx_pandas.sandbox.ledger import USER, Ledger
from cdcx_pandas.sandbox.market import Market
from cdcx_pandas.sandbox.pairs import PAIRS
from cdcx_pandas.sandbox.rules import v1_rules
from cdcx_pandas.sandbox.stream import Feed, Pings, reply_to
from cdcx_pandas.sandbox.synthetic import SyntheticTape

S = 10**9
START = 1_600_000_020 * S
"""Twenty seconds before a minute is full."""


@pytest.fixture
def exchange() -> Exchange:
    """Return an exchange of two markets, without a past."""
    markets = {
        pair.symbol: Market(SyntheticTape(pair, 7))
        for pair in PAIRS
        if pair.symbol in {"btcusdt", "crobtc"}
    }
    return Exchange(markets, Ledger(), seed=7, options=Options(START, past_orders=0))


def told(feed: Feed, exchange: Exchange, at_s: float) -> list[m.Update]:
    """Return what a feed has to tell so many seconds after the start."""
    return list(feed.due(exchange, START + int(at_s * S), at_s))


def buy(exchange: Exchange, at_s: float, price: str | None = None) -> None:
    """Order as the account."""
    wish = (
        op.PlaceOrder("btcusdt", "buy", "market", spend=Decimal(20))
        if price is None
        else op.PlaceOrder("btcusdt", "buy", "limit", Decimal("0.01"), price=Decimal(price))
    )
    exchange.answer(wish, START + int(at_s * S), USER)


# --------------------------------------------------------------------------------- feeds


def test_no_trade_is_lost_or_told_twice(exchange: Exchange) -> None:
    """However irregularly a feed is asked, and with own trades between, ids have no gap."""
    feed = Feed(TradeChannel("btcusdt"))
    assert told(feed, exchange, 0) == []
    first = exchange.last_trade_id("btcusdt", START)
    ids: list[int] = []
    for at, ordered in ((0.1, False), (3, True), (3, False), (3.5, True), (90, True), (400, False)):
        if ordered:
            buy(exchange, at)
        for update in told(feed, exchange, at):
            assert update.mode == "delta"
            ids += map(int, update.answer.columns["id"])
    assert len(ids) > 20
    assert ids == list(range(first + 1, exchange.last_trade_id("btcusdt", START + 400 * S) + 1))


def test_a_bars_last_state_comes_before_the_next_bar(exchange: Exchange) -> None:
    """Every bar of a stretch is told, in order, and its last telling is what REST answers."""
    feed = Feed(KlineChannel("btcusdt", "1min"))
    last: dict[int, Any] = {}
    for at in (0, 1, 2, 30, 39.9, 40.5, 41, 100.5, 400, 401):
        for update in told(feed, exchange, at):
            (time,) = update.answer.columns["time"]
            assert not last or time >= max(last)
            last[time] = update.answer.columns
    asked = op.GetKlines("btcusdt", "1min", start=min(last))
    bars = exchange.answer(asked, START + 401 * S).columns
    assert list(last) == bars["time"]
    for row, time in enumerate(bars["time"]):
        for name in ("open", "high", "low", "close", "volume"):
            assert last[time][name] == [bars[name][row]]


def test_what_did_not_change_is_not_told(exchange: Exchange) -> None:
    """At a time asked before nothing is due, but a book is repeated after ten seconds."""
    kline, ticker = Feed(KlineChannel("btcusdt", "1min")), Feed(TickerChannel("btcusdt"))
    book = Feed(DepthChannel("btcusdt"))
    for feed in (kline, ticker, book):
        assert len(told(feed, exchange, 5)) == 1
        assert told(feed, exchange, 5) == []
    now = START + 5 * S
    assert list(book.due(exchange, now, 14.9)) == []
    (again,) = book.due(exchange, now, 15.1)
    assert again.answer == exchange.book("btcusdt", now)


def test_changes_of_a_book_make_the_whole_one_for_everybody(exchange: Exchange) -> None:
    """Who joined late has the same book as who joined first, at every moment after."""
    feed = Feed(DepthChannel("btcusdt"), incremental=True)
    books: list[dict[tuple[str, Any], Any]] = []
    deltas = 0
    for at in (0.0, 1.0, 1.4, 2.0, 2.2, 3.0, 4.0, 9.0, 20.0):
        if at in {1.4, 2.2}:  # somebody joins between two tellings
            (first,) = feed.first(exchange, START + int(at * S))
            books.append(levels(first))
            continue
        for update in told(feed, exchange, at):
            if update.mode == "snapshot":
                books = [levels(update) for _ in books] or [levels(update)]
                continue
            deltas += 1
            for book in books:
                apply(update, book)
                assert bid(book) < ask(book)
        assert all(book == books[0] for book in books)
        assert books[0] == as_levels(exchange.book("btcusdt", START + int(at * S)).columns)
    assert len(books) == 3
    assert deltas > 20


def test_a_changing_book_comes_whole_every_half_minute(exchange: Exchange) -> None:
    """A listener who lost a change is right again then."""
    feed = Feed(DepthChannel("btcusdt"), incremental=True)
    whole = [at for at in range(100) for u in told(feed, exchange, at) if u.mode == "snapshot"]
    assert whole == [0, 31, 62, 93]


def levels(update: m.Update) -> dict[tuple[str, Any], Any]:
    """Return a whole book as level → amount."""
    return as_levels(update.answer.columns)


def as_levels(columns: Any) -> dict[tuple[str, Any], Any]:
    """Return columns as (side, price) → amount."""
    keys = zip(columns["side"], columns["price"], strict=True)
    return dict(zip(keys, columns["amount"], strict=True))


def apply(update: m.Update, book: dict[tuple[str, Any], Any]) -> None:
    """Change a level; amount 0 removes it."""
    ((key, amount),) = levels(update).items()
    if amount:
        book[key] = amount
    else:
        del book[key]


def bid(book: dict[tuple[str, Any], Any]) -> Any:
    """Return the best bid."""
    return max((price for side, price in book if side == "bid"), default=Decimal(0))


def ask(book: dict[tuple[str, Any], Any]) -> Any:
    """Return the best ask."""
    return min((price for side, price in book if side == "ask"), default=Decimal("Infinity"))


# ----------------------------------------------------------------------------------- the hub


def hub_of(exchange: Exchange) -> Hub[str]:
    """Return a hub of V1's channels."""

    def named(channel: Channel) -> str:
        return str(DIALECT.encode_frame(m.Unsubscribe((channel,))))

    return Hub(exchange, v1_rules(acknowledges=False, incremental=False), named)


def test_one_feed_serves_all_its_listeners(exchange: Exchange) -> None:
    """Two listeners share a feed; when the last one leaves, it is forgotten."""
    hub: Hub[str] = hub_of(exchange)
    channel = TickerChannel("btcusdt")
    assert len(hub.join("a", Asked(channel), START, 0)) == 1
    assert len(hub.join("b", Asked(channel), START, 0)) == 1
    assert [sorted(one.listeners) for one in hub.broadcasts()] == [["a", "b"]]
    hub.leave("a", channel)
    hub.leave("a", channel)
    assert [sorted(one.listeners) for one in hub.broadcasts()] == [["b"]]
    hub.gone("b")
    assert len(hub) == 0


def test_a_second_subscription_is_another_snapshot(exchange: Exchange) -> None:
    """Whoever subscribes again is told again, and listens once."""
    hub: Hub[str] = hub_of(exchange)
    for _ in range(2):
        assert len(hub.join("a", Asked(KlineChannel("btcusdt", "1min")), START, 0)) == 1
    assert [one.listeners for one in hub.broadcasts()] == [{"a"}]


def test_a_book_with_other_levels_replaces_the_former(exchange: Exchange) -> None:
    """On the wire both have one name, so one connection gets one of them."""
    hub: Hub[str] = hub_of(exchange)
    hub.join("a", Asked(DepthChannel("btcusdt", 0, 5)), START, 0)
    (first,) = hub.join("a", Asked(DepthChannel("btcusdt", 0, 10)), START, 0)
    assert len(first.answer) == 20
    hub.join("a", Asked(DepthChannel("btcusdt", 1)), START, 0)
    channels = [one.feed.channel for one in hub.broadcasts()]
    assert channels == [DepthChannel("btcusdt", 0, 10), DepthChannel("btcusdt", 1)]
    hub.leave("a", DepthChannel("btcusdt"))
    assert [one.feed.channel for one in hub.broadcasts()] == [DepthChannel("btcusdt", 1)]


def test_a_market_that_is_none_leaves_no_trace(exchange: Exchange) -> None:
    """The refusal is told by an error, and nothing stays behind."""
    hub: Hub[str] = hub_of(exchange)
    for channel in (TickerChannel("nope"), TradeChannel("nope"), DepthChannel("nope")):
        with pytest.raises(UnknownSymbol):
            hub.join("a", Asked(channel), START, 0)
    assert len(hub) == 0


def test_what_a_line_has_no_rule_for_is_not_heard(exchange: Exchange) -> None:
    """V1 tells nothing of accounts, so nobody can join there."""
    with pytest.raises(Unsupported):
        hub_of(exchange).join("a", Asked(BalanceChannel()), START, 0)


# -------------------------------------------------------------------------------- questions


def test_replies_are_cut_to_what_the_stream_gives(exchange: Exchange) -> None:
    """300 bars before a time, 200 trades, whatever more is asked for."""
    end = START // (60 * S) * 60 * S
    reply = reply_to(
        m.Request(op.GetKlines("btcusdt", "1min", end=end, limit=2000)), exchange, START
    )
    assert reply is not None
    assert reply.answer.columns["time"][-1] == end - 60 * S
    assert len(reply.answer) == 300
    reply = reply_to(m.Request(op.GetTrades("btcusdt", limit=999), "me"), exchange, START)
    assert reply is not None
    assert (len(reply.answer), reply.ref) == (200, "me")
    assert reply_to(m.Request(op.GetAccount()), exchange, START) is None


# ----------------------------------------------------------------------------------- pings


def test_three_unanswered_pings_are_enough() -> None:
    """A ping is due every so often; any right answer counts for all; a wrong one for none."""
    pings = Pings(every_s=5, next_at=5)
    assert not pings.due(4.9)
    for at, value in ((5, 1), (10, 2), (15, 3)):
        assert pings.due(at)
        assert not pings.due(at + 4.9)
        assert not pings.dead
        pings.asked(value)
    assert pings.dead
    pings.answered(99)
    assert pings.dead
    pings.answered(2)
    assert not pings.dead
