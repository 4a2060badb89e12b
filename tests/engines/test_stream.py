"""A connection as a state machine, driven by hand in both dialects; time is a number."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from cdcx_pandas import messages as m
from cdcx_pandas.channels import (
    Channel,
    DepthChannel,
    FillChannel,
    KlineChannel,
    OrderChannel,
    TickerChannel,
    TradeChannel,
)
from cdcx_pandas.credentials import Credentials
from cdcx_pandas.dialects.base import Dialect
from cdcx_pandas.dialects.exchange import DIALECT as EXCHANGE
from cdcx_pandas.dialects.v1 import DIALECT as V1
from cdcx_pandas.engines.reconnect import Ending, Policy
from cdcx_pandas.engines.stream import (
    Changed,
    ClientStream,
    Interrupted,
    Probe,
    Refused,
    Resumed,
    State,
)
from cdcx_pandas.tables import TICKERS, TRADES, Answer

TODAY = EXCHANGE.knowing(
    {"symbol": ["btcusdt", "ethusdt"], "venue_symbol": ["BTC_USDT", "ETH_USDT"],
     "base": ["BTC", "ETH"], "quote": ["USDT", "USDT"], "kind": ["spot", "spot"]}
)  # fmt: skip
BOTH = pytest.mark.parametrize("dialect", [V1, TODAY], ids=["v1", "exchange"])
TRADE, TICKER = TradeChannel("btcusdt"), TickerChannel("btcusdt")
S = 10**9


def stream_of(dialect: Dialect, *channels: Channel, **how: Any) -> ClientStream:
    """Return a stream that wants channels, at time 0."""
    made = ClientStream(dialect, policy=Policy(), rng=random.Random(1), **how)
    made.want(channels or (TRADE,), 0.0)
    return made


def opened(dialect: Dialect, *channels: Channel, **how: Any) -> ClientStream:
    """Return a stream that has connected and subscribed, at time 2."""
    made = stream_of(dialect, *channels, **how)
    made.opened(0.0, 1_700_000_000_000)
    made.tick(2.0)
    made.heard(2.0)
    return made


def said(stream: ClientStream) -> list[m.Message]:
    """Return what the client wants to say, read as a server reads it."""
    return [stream._dialect.decode_frame(frame) for frame in stream.to_send()]


def trade(number: int = 1) -> m.Update:
    """Return news of one trade."""
    columns: dict[str, list[Any]] = {
        "id": [str(number)], "time": [1_700_000_000 * S], "price": [Decimal("1.5")],
        "amount": [Decimal(2)],
        "side": ["buy"],
    }  # fmt: skip
    return m.Update(TRADE, Answer(TRADES, columns), "delta", 1_700_000_000 * S)


def tell(stream: ClientStream, message: m.Message, now: float) -> None:
    """Let the server say something."""
    stream.heard(now)
    stream.receive(stream._dialect.encode_frame(message), now)


def kinds(stream: ClientStream) -> list[type[Any]]:
    """Return what kinds of events there are."""
    return [type(event) for event in stream.events()]


def test_todays_stream_waits_a_second_before_it_subscribes() -> None:
    """Nothing is said before; then all channels in as few frames as can be."""
    channels = (TRADE, TICKER, KlineChannel("btcusdt", "1min"), DepthChannel("btcusdt", levels=50))
    stream = stream_of(TODAY, *channels)
    assert stream.should_connect
    stream.opened(0.0, 1_700_000_000_000)
    stream.tick(0.9)
    assert said(stream) == []
    stream.tick(1.0)
    (wish,) = said(stream)
    assert isinstance(wish, m.Subscribe)
    assert set(wish.channels) == set(channels)
    assert wish.changes is True
    assert wish.time_ms == 1_700_000_001_000


def test_v1_subscribes_at_once_one_channel_a_frame() -> None:
    """It asks for no pause, and takes one name a frame."""
    stream = stream_of(V1, TRADE, TICKER)
    stream.opened(0.0, 0)
    assert [type(one) for one in said(stream)] == [m.Subscribe, m.Subscribe]


def test_more_channels_than_a_frame_holds_go_into_several() -> None:
    """A hundred a frame on today's wire."""
    names = [f"a{n}b" for n in range(150)]
    dialect = EXCHANGE.knowing(
        {"symbol": names, "venue_symbol": [f"A{n}_B" for n in range(150)],
         "base": ["A"] * 150, "quote": ["B"] * 150, "kind": ["spot"] * 150}
    )  # fmt: skip
    stream = opened(dialect, *(TickerChannel(name) for name in names))
    assert [len(one.channels) for one in said(stream) if isinstance(one, m.Subscribe)] == [100, 50]


@BOTH
def test_a_heartbeat_is_answered_with_its_own_number(dialect: Dialect) -> None:
    """At once, and it is no data: the state does not change."""
    stream = opened(dialect)
    stream.to_send()
    stream.events()
    tell(stream, m.Heartbeat(1_700_000_000_123), 3.0)
    assert said(stream) == [m.HeartbeatReply(1_700_000_000_123)]
    assert stream.events() == []
    assert stream.state is State.SUBSCRIBING


@BOTH
def test_it_is_live_when_data_comes_and_not_before(dialect: Dialect) -> None:
    """A socket is not a stream."""
    stream = opened(dialect)
    assert stream.state is State.SUBSCRIBING
    tell(stream, trade(), 3.0)
    assert stream.state is State.LIVE
    told = [event for event in stream.events() if isinstance(event, m.Update | Resumed)]
    assert [type(event) for event in told] == [Resumed, m.Update]


@BOTH
def test_a_silent_peer_is_asked_and_then_given_up(dialect: Dialect) -> None:
    """No byte for 8 s: a ping; none for 5 s more: over, within the 15 s of the target."""
    stream = opened(dialect)
    tell(stream, trade(), 3.0)
    stream.tick(10.9)
    assert not stream.wants_ping
    stream.tick(11.1)
    assert stream.wants_ping
    stream.wants_ping = False
    stream.tick(16.0)
    assert stream.is_over is None
    stream.tick(16.2)
    assert stream.is_over is not None
    assert "no answer to a ping" in stream.is_over.why


@BOTH
def test_a_peer_that_answers_the_ping_is_there(dialect: Dialect) -> None:
    """Any byte is an answer."""
    stream = opened(dialect)
    tell(stream, trade(), 3.0)
    stream.tick(11.1)
    stream.heard(12.0)
    stream.tick(17.0)
    assert stream.is_over is None


def _until_probed(stream: ClientStream, begin: float) -> float:
    """Let heartbeats come and nothing else; return when the venue is asked."""
    now = begin
    while now < begin + 400:
        now += 1.0
        tell(stream, m.Heartbeat(int(now)), now)
        stream.tick(now)
        if Probe in kinds(stream):
            return now
    pytest.fail("it never asked")


@BOTH
def test_pings_are_not_data(dialect: Dialect) -> None:
    """A channel that only has heartbeats is stale after its time, and the venue is asked."""
    stream = opened(dialect)
    tell(stream, trade(), 3.0)
    asked_at = _until_probed(stream, 3.0)
    assert 180 <= asked_at - 3.0 <= 185
    assert stream.state is State.STALE


def test_a_channel_that_never_had_data_is_noticed_too() -> None:
    """The clock begins with the subscription, not with the first message."""
    stream = opened(V1)
    assert _until_probed(stream, 2.0) <= 185


@BOTH
def test_a_busy_channel_is_missed_sooner(dialect: Dialect) -> None:
    """Ten times its usual gap, but no less than ten seconds."""
    stream = opened(dialect)
    now = 3.0
    for number in range(100):
        now += 0.2
        tell(stream, trade(number + 1), now)
    assert 10 <= _until_probed(stream, now) - now <= 12


@BOTH
def test_quiet_is_not_dead(dialect: Dialect) -> None:
    """The venue has nothing newer either: live again, and the clock begins anew."""
    stream = opened(dialect)
    tell(stream, trade(), 3.0)
    now = _until_probed(stream, 3.0)
    stream.probed(TRADE, is_newer=False, now=now)
    assert stream.state is State.LIVE
    assert stream.is_over is None
    assert _until_probed(stream, now) - now >= 180


@BOTH
def test_a_mute_channel_is_asked_for_again_and_then_given_up(dialect: Dialect) -> None:
    """The venue has newer data: subscribe anew; still none in 5 s: a new connection."""
    stream = opened(dialect)
    tell(stream, trade(), 3.0)
    now = _until_probed(stream, 3.0)
    stream.to_send()
    stream.probed(TRADE, is_newer=True, now=now)
    assert [one.channels for one in said(stream) if isinstance(one, m.Subscribe)] == [(TRADE,)]
    assert Interrupted((TRADE,), "a channel was mute") in stream.events()
    tell(stream, m.Heartbeat(1), now + 4.9)
    stream.tick(now + 4.9)
    assert stream.is_over is None
    if dialect is TODAY:
        tell(stream, m.Subscribed(TRADE, None), now + 5.0)
    stream.tick(now + 5.2)
    assert stream.is_over is not None


@BOTH
def test_a_mute_channel_that_speaks_again_is_live(dialect: Dialect) -> None:
    """Data after the new subscription ends the suspicion."""
    stream = opened(dialect)
    tell(stream, trade(), 3.0)
    now = _until_probed(stream, 3.0)
    stream.probed(TRADE, is_newer=True, now=now)
    tell(stream, trade(2), now + 1)
    assert stream.state is State.LIVE
    stream.tick(now + 6)
    assert stream.is_over is None


@BOTH
def test_a_probe_that_fails_is_made_again(dialect: Dialect) -> None:
    """Nobody could say: it stays in doubt for some seconds, and the venue is asked once more."""
    stream = opened(dialect)
    tell(stream, trade(), 3.0)
    now = _until_probed(stream, 3.0)
    stream.probed(TRADE, is_newer=None, now=now)
    assert 4 <= _until_probed(stream, now) - now <= 7


def test_an_unanswered_subscription_is_repeated_once() -> None:
    """Today's wire always answers: after 5 s once more, after 5 more a new connection."""
    stream = opened(TODAY)
    stream.to_send()
    wishes: list[float] = []
    for now in range(3, 20):
        tell(stream, m.Heartbeat(now), float(now))
        stream.tick(float(now))
        if any(isinstance(one, m.Subscribe) for one in said(stream)):
            wishes.append(now)
        if stream.is_over is not None:
            break
    assert wishes == [8]
    assert now == 14
    assert stream.is_over is not None
    assert "no answer to the subscription" in stream.is_over.why


def test_v1_never_answers_a_subscription_and_is_not_blamed() -> None:
    """After a second it is taken for granted, so that what was missed can be asked for."""
    stream = opened(V1)
    stream.tick(2.0)
    assert Resumed(TRADE) in stream.events()
    assert stream.is_over is None


@BOTH
def test_the_end_of_a_connection_is_told_with_what_it_may_have_cost(dialect: Dialect) -> None:
    """All channels are interrupted, and it connects again when the delay is over."""
    stream = opened(dialect, TRADE, TICKER)
    tell(stream, trade(), 3.0)
    stream.events()
    stream.ended(Ending("cut"), 20.0)
    events = stream.events()
    assert Interrupted((TRADE, TICKER), "cut") in events
    assert stream.state is State.BACKOFF
    assert stream.reconnects == 1
    assert 20.0 <= stream.due <= 20.5
    stream.tick(stream.due)
    assert stream.should_connect
    stream.opened(21.0, 0)
    stream.tick(22.5)
    assert any(isinstance(one, m.Subscribe) for one in said(stream))


@BOTH
def test_an_answer_about_a_lost_connection_changes_nothing(dialect: Dialect) -> None:
    """A probe of a connection that has ended meanwhile must not make the stream seem alive."""
    stream = opened(dialect)
    tell(stream, trade(), 3.0)
    now = _until_probed(stream, 3.0)
    stream.ended(Ending("cut"), now)
    stream.probed(TRADE, is_newer=False, now=now + 0.1)
    stream.receive(dialect.encode_frame(trade(2)), now + 0.1)
    assert stream.state is State.BACKOFF
    assert stream.due <= now + 0.5


def test_what_only_fails_again_is_given_up_and_said() -> None:
    """The state is failed, with the reason, and it never connects again."""
    stream = stream_of(V1)
    stream.ended(Ending("HTTP 302", None, 302), 1.0)
    assert stream.state is State.FAILED
    assert stream.why == "HTTP 302"
    stream.tick(10_000.0)
    assert not stream.should_connect
    assert stream.due == float("inf")


@BOTH
def test_a_frame_that_cannot_be_read_ends_the_connection(dialect: Dialect) -> None:
    """What it would have told is unknown, so nothing after it can be trusted to be whole."""
    stream = opened(dialect)
    stream.receive("{" if dialect is TODAY else b"\x1f\x8b\x08\x00broken", 3.0)
    assert stream.is_over is not None
    assert stream.is_over.damaged
    assert stream.damaged == 1


def test_a_refused_channel_is_told_and_wanted_no_more() -> None:
    """The others go on."""
    stream = opened(TODAY, TRADE, TICKER)
    (wish,) = (one for one in said(stream) if isinstance(one, m.Subscribe))
    tell(stream, m.Refused("Unknown symbol", wish.ref, "40003", TICKER), 3.0)
    assert Refused(TICKER, "Unknown symbol") in stream.events()
    assert stream.channels == (TRADE,)


def test_who_listens_to_an_account_says_so_first() -> None:
    """Signed, then subscribed once the answer is there; a refused key ends the connection."""
    credentials = Credentials("key", "secret", source="test")
    stream = opened(TODAY, OrderChannel(), FillChannel(), credentials=credentials)
    (hello,) = said(stream)
    assert isinstance(hello, m.Authenticate)
    assert hello.time_ms == 1_700_000_002_000
    tell(stream, m.Authenticated(hello.ref), 3.0)
    (wish,) = said(stream)
    assert isinstance(wish, m.Subscribe)
    tell(stream, m.Subscribed(FillChannel(), wish.ref), 3.5)
    assert stream.state is State.LIVE  # an account may be quiet for days

    stream = opened(TODAY, OrderChannel(), credentials=credentials)
    (hello,) = said(stream)
    assert isinstance(hello, m.Authenticate)
    tell(stream, m.Refused("UNAUTHORIZED", hello.ref, "40101"), 3.0)
    assert stream.is_over is not None
    assert stream.is_over.http_status == 401


def test_no_answer_to_who_we_are_ends_the_connection() -> None:
    """After the time that any answer may take."""
    stream = opened(TODAY, OrderChannel(), credentials=Credentials("key", "secret", source="t"))
    for now in (4.0, 7.2):
        stream.heard(now)
        stream.tick(now)
    assert stream.is_over is not None
    assert "who we are" in stream.is_over.why


@BOTH
def test_wanting_more_subscribes_and_wanting_less_leaves(dialect: Dialect) -> None:
    """News of a channel that was left is passed over."""
    stream = opened(dialect)
    stream.to_send()
    stream.want((TICKER,), 3.0)
    assert [one.channels for one in said(stream) if isinstance(one, m.Subscribe)] == [(TICKER,)]
    stream.unwant((TICKER,), 4.0)
    assert [one.channels for one in said(stream) if isinstance(one, m.Unsubscribe)] == [(TICKER,)]
    stream.events()
    columns: dict[str, list[Any]] = {"symbol": ["btcusdt"], "last": [Decimal(1)], "time": [S]}
    told = {name: [None] for name in ("bid", "ask", "high", "low", "volume", "change")} | columns
    tell(stream, m.Update(TICKER, Answer(TICKERS, told), time=S), 5.0)
    assert not any(isinstance(event, m.Update) for event in stream.events())


def test_states_are_told_once_each() -> None:
    """From the first wish to the last word."""
    stream = opened(V1)
    tell(stream, trade(), 3.0)
    stream.stop()
    states = [event.state for event in stream.events() if isinstance(event, Changed)]
    assert states == [State.CONNECTING, State.SUBSCRIBING, State.LIVE, State.STOPPED]
