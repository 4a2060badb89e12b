"""V1's stream: channel names, client frames as text, server frames as gzip.

One channel per frame, no key, no sequence numbers. Acknowledgements are documented and were
never seen on the exchange, so nobody may wait for one. The bid side is called ``buys`` here.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from typing import Any

from cdcx_pandas import errors as e
from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.channels import (
    Channel,
    DepthChannel,
    KlineChannel,
    TickerChannel,
    TickersChannel,
    TradeChannel,
)
from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.base import StreamTerms
from cdcx_pandas.dialects.v1 import fast, market, wire
from cdcx_pandas.tables import DEPTH, KLINES, NS_PER_S, TICKERS, TRADES, Answer

COMPRESSED_CAP = 1 << 20
PLAIN_CAP = 8 << 20
RATIO_CAP = 200
"""Above 1 MiB of text: a frame that inflates further is a bomb, not a market."""

BOOK_LEVELS = 150
_SYMBOL = re.compile(wire.SYMBOL, re.ASCII)
_NAME = re.compile(
    rf"market_(?P<symbol>{wire.SYMBOL})_"
    r"(ticker|kline_(?P<period>[0-9a-z]+)|(?P<trades>trade_ticker)|depth_step(?P<step>[0-2]))\Z",
    re.ASCII,
)
_STREAM_WORDS = {word: period for period, word in wire.STREAM_PERIODS.items()} | {
    "1hour": "1hour",
    "1mon": "1month",
}


# ---------------------------------------------------------------------------------- channels

_MARKETS = (TickerChannel, TradeChannel, KlineChannel, DepthChannel)
TERMS = StreamTerms(frozenset(_MARKETS))


def no_user_stream() -> e.Unsupported:
    """Return the error for what would need a key on the stream."""
    return e.Unsupported(
        "V1's stream knows no key.",
        why="It tells market data to everybody, and nothing of accounts.",
        todo="Ask account(), open_orders() and my_trades() instead.",
        sent="no",
    )


def write_channel(channel: Channel) -> str:
    """Return a channel's name on the wire; `BadRequest` for one that V1 cannot have."""
    if isinstance(channel, TickersChannel):
        return "review"
    if not isinstance(channel, _MARKETS):
        raise e.Unsupported(
            f"V1's stream has no {type(channel).__name__}.",
            why="It tells tickers, klines, trades and depth of a market, and nothing of accounts.",
            todo="Ask for the rest with the functions that read once.",
            sent="no",
        )
    if not _SYMBOL.fullmatch(channel.symbol):
        raise e.BadRequest(
            f"symbol: {r.excerpt(channel.symbol)!r} is not of the form V1 takes.",
            why="It takes base then quote in lower case, without a separator.",
            todo='Write it like "btcusdt".',
            sent="no",
        )
    match channel:
        case TickerChannel(symbol):
            return f"market_{symbol}_ticker"
        case TradeChannel(symbol):
            return f"market_{symbol}_trade_ticker"
        case KlineChannel(symbol, period):
            if period not in wire.STREAM_PERIODS:
                raise wire.bad_period(period)
            return f"market_{symbol}_kline_{wire.STREAM_PERIODS[period]}"
        case DepthChannel(symbol, step):
            if step not in wire.STEPS:
                raise wire.bad_step(step)
            return f"market_{symbol}_depth_step{step}"


def read_channel(name: str, params: dict[str, Any] | None = None) -> Channel | None:
    """Return the channel of a name, or None if V1 has no such channel."""
    if name == "review":
        return TickersChannel()
    match = _NAME.match(name)
    if match is None:
        return None
    symbol = match["symbol"]
    if match["period"]:
        period = _STREAM_WORDS.get(match["period"])
        return KlineChannel(symbol, period) if period else None
    if match["trades"]:
        return TradeChannel(symbol)
    if match["step"]:
        return DepthChannel(symbol, int(match["step"]), _levels(params or {}))
    return TickerChannel(symbol)


def _levels(params: dict[str, Any]) -> int | None:
    asked = [r.whole(params.get(key)) for key in ("asks", "bids", "buys")]
    told = [levels for levels in asked if levels is not None]
    return max(0, min(max(told), BOOK_LEVELS)) if told else None


# ------------------------------------------------------------------------------------ writing


def encode_frame(message: m.Message, *, cuts_times: bool = False) -> str | bytes:
    """Write a message: the client's as text, the server's as one gzip member."""
    if cuts_times and isinstance(message, m.Update | m.Reply):
        message = _whole_seconds(message)
    match message:
        case m.Subscribe((channel,), ref):
            return _text("sub", channel, ref, _depth_params(channel))
        case m.Unsubscribe((channel,), ref):
            return _text("unsub", channel, ref, {})
        case m.Request(operation, ref):
            channel, params = _request(operation)
            return _text("req", channel, ref, params)
        case m.HeartbeatReply(value):
            return r.write_json({"pong": value}).decode()
        case m.Unknown(text):
            return text
        case m.Heartbeat(value):
            return _pack({"ping": value})
        case m.Subscribed(channel, ref, time) if channel is not None:
            extra = _depth_params(channel)
            if isinstance(channel, TickerChannel):
                extra["lower_frame"] = "0"
            name = write_channel(channel)
            echo = {"cb_id": ref} if ref is not None else {}
            return _pack(
                {"event_rep": "subed", "channel": name, **echo, **extra,
                 "ts": r.millis(time), "status": "ok"}
            )  # fmt: skip
        case m.Reply():
            return _pack(_reply(message))
        case m.Update():
            return _pack(_push(message))
        case m.Refused(text, ref):
            return _pack({"event_rep": "", "status": "error", "msg": text, "cb_id": ref})
        case m.Subscribe() | m.Unsubscribe():
            raise e.BadRequest("V1 takes one channel per frame.", sent="no")
        case m.Authenticate() | m.Authenticated() | m.Subscribed() | m.Unsubscribed():
            raise no_user_stream()


def _whole_seconds(message: m.Update | m.Reply) -> m.Update | m.Reply:
    cut = None if message.time is None else message.time // NS_PER_S * NS_PER_S
    return replace(message, answer=wire.whole_seconds(message.answer), time=cut)


def _text(event: str, channel: Channel, ref: str | None, params: dict[str, Any]) -> str:
    echo = {"cb_id": ref} if ref is not None else {}
    body = {"channel": write_channel(channel), **echo, **params}
    return r.write_json({"event": event, "params": body}).decode()


def _pack(frame: dict[str, Any]) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(r.write_json(frame)) + packer.flush()


def _depth_params(channel: Channel) -> dict[str, Any]:
    if isinstance(channel, DepthChannel) and channel.levels is not None:
        return {"asks": channel.levels, "bids": channel.levels}
    return {}


def _request(operation: op.Operation[Any]) -> tuple[Channel, dict[str, Any]]:
    match operation:
        case op.GetTickers():
            return TickersChannel(), {}
        case op.GetTrades(symbol=symbol, limit=limit):
            return TradeChannel(symbol), {} if limit is None else {"top": limit}
        case op.GetKlines():
            # Unused parameters stay away: an empty endIdx closed a socket of this family.
            params: dict[str, Any] = {}
            if operation.end is not None:
                params["endIdx"] = str(r.seconds(operation.end))
            elif operation.start is not None:
                params["since"] = str(r.seconds(operation.start))
            if operation.limit is not None:
                params["pageSize"] = operation.limit
            return KlineChannel(operation.symbol, operation.period), params
        case _:
            raise e.Unsupported(f"V1's stream does not answer {type(operation).__name__}.")


def _reply(message: m.Reply) -> dict[str, Any]:
    columns = message.answer.columns
    frame: dict[str, Any] = {"event_rep": "rep", "channel": write_channel(message.channel)}
    if message.ref is not None:
        frame["cb_id"] = message.ref
    match message.channel:
        case TickersChannel():
            frame["data"] = {
                row["symbol"]: market.write_stream_ticker(row) for row in r.rows_of(columns)
            }
            frame["tick"] = None
        case TradeChannel():
            frame["data"] = market.write_stream_trades(columns)
            frame["top"] = len(frame["data"])
        case KlineChannel():
            frame["data"] = market.write_stream_klines(columns, push=False)
        case _:
            raise e.Unsupported(f"V1 has no reply about {message.channel}.")
    return frame | {"ts": r.millis(message.time), "status": "ok"}


def _push(message: m.Update) -> dict[str, Any]:
    columns = message.answer.columns
    ts = r.millis(message.time)
    tick: dict[str, Any]
    match message.channel:
        case TickerChannel():
            tick = market.write_stream_ticker(r.rows_of(columns)[0])
        case KlineChannel():
            tick = market.write_stream_klines(columns, push=True)[0]
        case TradeChannel():
            tick = {"data": market.write_stream_trades(columns), "ts": ts}
        case DepthChannel() if message.mode == "delta":
            name = write_channel(message.channel)
            return {"channel": name, "ts": r.millis(message.time),
                    "tick": market.write_level(columns, 0)}  # fmt: skip
        case DepthChannel():
            tick = market.write_book(columns, bids="buys")
        case TickersChannel():
            raise e.Unsupported("V1 has no push of all tickers: ask with a request.")
        case _:
            raise no_user_stream()
    name = write_channel(message.channel)
    return {"event_rep": "", "channel": name, "data": None, "tick": tick, "ts": ts, "status": "ok"}


# ------------------------------------------------------------------------------------ reading


def decode_frame(frame: str | bytes, *, exact: bool = False) -> m.Message:
    """Read a frame of either side: gzip, zlib or text, told apart by the first bytes."""
    plain = unpack(frame) if isinstance(frame, bytes) else frame
    if not exact and isinstance(plain, bytes):
        trades = fast.read_trades(plain)
        if trades is not None:
            return trades
    parsed = r.read_json(plain, exact=exact)
    if not isinstance(parsed, dict):
        raise r.unreadable("a frame is an object", parsed)
    problem = ""
    try:
        return _read(parsed, exact=exact) or m.Unknown(_as_text(plain))
    except e.CdcxError:
        raise
    except r.UNREADABLE as error:
        problem = r.told(error)
    raise r.unreadable(problem, r.excerpt(plain))


def unpack(frame: bytes) -> bytes:
    """Inflate a frame within bounds; one that is not compressed is returned as it is.

    Raises
    ------
    ProtocolError
        Too large, truncated, damaged, or followed by anything.
    """
    if frame[:2] == b"\x1f\x8b":
        window = 31
    elif frame[:1] == b"\x78":
        window = 15
    else:
        return frame
    if len(frame) > COMPRESSED_CAP:
        raise _bad_frame(f"{len(frame):,} compressed bytes, more than {COMPRESSED_CAP:,}")
    cap = min(PLAIN_CAP, max(1 << 20, len(frame) * RATIO_CAP))
    inflater = zlib.decompressobj(window)
    try:
        plain = inflater.decompress(frame, cap + 1)
    except zlib.error as error:
        problem = f"its compression is damaged ({error})"
    else:
        if len(plain) > cap:
            problem = f"it inflates to more than {cap:,} bytes"
        elif not inflater.eof:
            problem = "it ends in the middle"  # decompressobj alone would pass it in silence
        elif inflater.unused_data:
            problem = "something follows the end of it"
        else:
            return plain
    raise _bad_frame(problem)


def _bad_frame(problem: str) -> e.ProtocolError:
    return e.ProtocolError(
        "A frame of the stream cannot be read.",
        why=f"V1: {problem}.",
        todo="Connect again; if it stays, something between here and the venue damages frames.",
    )


def _as_text(plain: bytes | str) -> str:
    return plain if isinstance(plain, str) else plain.decode("utf-8", "replace")


def _read(frame: dict[str, Any], *, exact: bool) -> m.Message | None:
    if "ping" in frame:
        return m.Heartbeat(_echoed(frame["ping"]))
    if "pong" in frame:
        return m.HeartbeatReply(_echoed(frame["pong"]))
    if "event" in frame:
        return _read_client(str(frame["event"]), frame.get("params") or {})
    ref = r.text(frame.get("cb_id"))
    status = frame.get("status")
    if status is not None and status != "ok":
        return m.Refused(r.excerpt(str(frame.get("msg") or status)), ref)
    channel = read_channel(str(frame.get("channel", "")), frame)
    if channel is None:
        return None
    time = r.time(frame.get("ts"))
    event = frame.get("event_rep")
    if event == "subed":
        return m.Subscribed(channel, ref, time)
    if event == "rep":
        return m.Reply(channel, _read_reply(channel, frame, time, exact=exact), ref, time)
    if frame.get("tick") is not None:
        return _read_push(channel, frame["tick"], time, exact=exact)
    return None


def _echoed(value: Any) -> int:
    """Read what must come back unchanged; no unit and no size is known of it."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{r.shown(value)} is no whole number")
    return value


def _read_client(event: str, params: dict[str, Any]) -> m.Message | None:
    channel = read_channel(str(params.get("channel", "")), params)
    ref = r.text(params.get("cb_id"))
    if channel is None:
        return None
    if event == "sub":
        return m.Subscribe((channel,), ref)
    if event == "unsub":
        return m.Unsubscribe((channel,), ref)
    if event != "req":
        return None
    match channel:
        case TickersChannel():
            return m.Request(op.GetTickers(), ref)
        case TradeChannel(symbol):
            return m.Request(op.GetTrades(symbol, limit=r.whole(params.get("top"))), ref)
        case KlineChannel(symbol, period):
            end, since = (r.whole(params.get(key)) for key in ("endIdx", "since"))
            return m.Request(
                op.GetKlines(
                    symbol,
                    period,
                    start=None if since is None or end is not None else since * NS_PER_S,
                    end=None if end is None else end * NS_PER_S,
                    limit=r.whole(params.get("pageSize")),
                ),
                ref,
            )
        case _:
            return None


def _read_reply(
    channel: Channel, frame: dict[str, Any], time: int | None, *, exact: bool
) -> Answer:
    data = frame["data"]
    match channel:
        case TickersChannel():
            return Answer(TICKERS, market.read_review(data, time, exact=exact))
        case TradeChannel():
            return Answer(TRADES, market.read_stream_trades(data, exact=exact))
        case KlineChannel():
            return Answer(KLINES, market.read_stream_klines(data, exact=exact))
        case _:
            raise ValueError("a reply about a channel that is only pushed")


def _read_push(channel: Channel, tick: Any, time: int | None, *, exact: bool) -> m.Update:
    match channel:
        case TickerChannel(symbol):
            columns = market.read_stream_ticker(tick, symbol, time, exact=exact)
            return m.Update(channel, Answer(TICKERS, columns), time=time)
        case TradeChannel():
            columns = market.read_stream_trades(tick["data"], exact=exact)
            return m.Update(channel, Answer(TRADES, columns), "delta", time)
        case KlineChannel():
            columns = market.read_stream_klines([tick], exact=exact)
            return m.Update(channel, Answer(KLINES, columns), time=time)
        case DepthChannel() if "side" in tick:
            columns = market.read_level(tick, exact=exact)
            return m.Update(channel, Answer(DEPTH, columns), "delta", time)
        case DepthChannel():
            bids = tick["buys"] if "buys" in tick else tick["bids"]
            columns = market.read_book(tick["asks"], bids, exact=exact)
            return m.Update(channel, Answer(DEPTH, columns), time=time)
        case _:
            raise ValueError("a push about a channel that is only asked")
