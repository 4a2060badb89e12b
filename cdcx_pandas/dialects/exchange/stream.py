"""The exchange's streams: frames of JSON text.

Two sockets speak it, one about markets and one, once it is told a key, about an account. A
frame of the server is news wherever it holds data, an acknowledgement wherever it holds none,
and what its number says is not needed for either. Numbers of requests are texts here, and -1,
which the server writes for "none", is no reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdcx_pandas import errors as e
from cdcx_pandas import messages as m
from cdcx_pandas.channels import (
    BalanceChannel,
    Channel,
    DepthChannel,
    FillChannel,
    KlineChannel,
    OrderChannel,
    PositionChannel,
    TickerChannel,
    TradeChannel,
    ValuationChannel,
)
from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.base import StreamTerms
from cdcx_pandas.dialects.exchange import fast, signing, told
from cdcx_pandas.dialects.exchange.answers import read_code
from cdcx_pandas.dialects.exchange.asked import unauthorized
from cdcx_pandas.dialects.exchange.topics import Wrong, read_channel, write_channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from cdcx_pandas.credentials import Credentials, Secret
    from cdcx_pandas.dialects.exchange.symbols import Names

AUTH = "public/auth"
HEARTBEAT = "public/heartbeat"
REPLY = "public/respond-heartbeat"

TERMS = StreamTerms(
    frozenset({TickerChannel, TradeChannel, KlineChannel, DepthChannel, ValuationChannel}),
    frozenset({OrderChannel, FillChannel, BalanceChannel, PositionChannel}),
    channels_per_frame=100,  # seen to be taken
    channels_per_connection=400,
    settles_s=1.0,  # asked for by the documents (docs/protocol-exchange.md)
    acknowledges=True,
    changes=True,
)

_CHANGES_DEPTHS = (10, 50)
"""How deep a book can be whose changes are told."""
_ABOUT_KEYS = frozenset({"40101", "40102", "40103", "40104"})
"""With one of these and no channel, it is the key that was refused."""

# -------------------------------------------------------------------------------------- keys


def authenticate(credentials: Credentials, now_ms: int, ref: str | None) -> m.Authenticate:
    """Make the message that opens an account's stream: signed as a question without parameters."""
    number = str(_number(ref if ref is not None else str(now_ms)))
    key = credentials.key_for_the_wire()
    text = signing.signing_text(AUTH, number, key, None, str(now_ms))
    return m.Authenticate(key, signing.sign(text, credentials.secret), now_ms, number)


def verify(message: m.Authenticate, secret_of: Callable[[str], Secret | None]) -> m.Caller:
    """Return who opened an account's stream; raises `AuthError` on a wrong signature."""
    secret, ref = secret_of(message.key), message.ref or ""
    text = signing.signing_text(AUTH, ref, message.key, None, str(message.time_ms))
    if secret is None or not signing.verify(text, message.signature, secret):
        raise unauthorized()
    return m.Caller(message.key, message.time_ms, message.ref)


# ------------------------------------------------------------------------------------ writing


def encode_frame(message: m.Message, names: Names) -> str:
    """Write a message of either side."""
    if isinstance(message, m.Unknown):
        return message.text
    return r.write_json(_frame(message, names)).decode()


def _number(ref: str | None) -> int:
    """Write a reference as the number it is; -1 where there is none."""
    if ref is None:
        return -1
    if not (ref.isascii() and ref.isdecimal() and len(ref) < 20):
        raise e.BadRequest(f"ref: {r.excerpt(ref)!r} is no whole number.", sent="no")
    return int(ref)


def _frame(message: m.Message, names: Names) -> dict[str, Any]:
    match message:
        case m.Authenticate(key, signature, time_ms, ref):
            head = _head(ref, AUTH)
            return head | {"api_key": key, "sig": signature, "nonce": time_ms}
        case m.Authenticated(ref):
            return _head(ref, AUTH, code=0)
        case m.Subscribe():
            return _subscribe(message, names)
        case m.Unsubscribe(channels, ref, time_ms):
            wanted = [write_channel(channel, names) for channel in channels]
            frame = _head(ref, "unsubscribe") | {"params": {"channels": wanted}}
            return frame if time_ms is None else frame | {"nonce": time_ms}
        case m.Subscribed(channel, ref):
            frame = _head(ref, "subscribe", code=0)
            return frame if channel is None else frame | {"channel": write_channel(channel, names)}
        case m.Unsubscribed(ref):
            return _head(ref, "unsubscribe", code=0)
        case m.Heartbeat(value):
            return {"id": value, "method": HEARTBEAT, "code": 0}
        case m.HeartbeatReply(value):
            return {"id": value, "method": REPLY}
        case m.Refused():
            return _refused(message, names)
        case m.Update(channel=channel, ref=ref):
            result = told.write_update(message, write_channel(channel, names), names)
            return _head(ref, "subscribe", code=0) | {"result": result}
        case _:
            raise e.Unsupported(
                "Questions are not asked over the exchange's stream here.",
                todo="Ask them over HTTP.",
                sent="no",
            )


def _head(ref: str | None, method: str, code: int | None = None) -> dict[str, Any]:
    head: dict[str, Any] = {"id": _number(ref), "method": method}
    return head if code is None else head | {"code": code}


def _subscribe(message: m.Subscribe, names: Names) -> dict[str, Any]:
    params: dict[str, Any] = {
        "channels": [write_channel(channel, names) for channel in message.channels]
    }
    if message.changes is not None:
        params["book_subscription_type"] = "SNAPSHOT_AND_UPDATE" if message.changes else "SNAPSHOT"
        params["book_update_frequency"] = 10 if message.changes else 500
    frame = _head(message.ref, "subscribe") | {"params": params}
    return frame if message.time_ms is None else frame | {"nonce": message.time_ms}


def _refused(message: m.Refused, names: Names) -> dict[str, Any]:
    code = message.code if message.code and message.code.isdecimal() else "40003"
    about_key = code in _ABOUT_KEYS and message.channel is None and message.name is None
    frame = _head(message.ref, AUTH if about_key else "subscribe", int(code))
    frame["message"] = message.text
    if message.channel is not None:
        frame["channel"] = write_channel(message.channel, names)
    elif message.name is not None:
        frame["channel"] = message.name
    return frame


# ------------------------------------------------------------------------------------ reading


def decode_frame(frame: str | bytes, names: Names, *, exact: bool = False) -> m.Message:
    """Read a frame of either side; what it has no word for is kept as it is."""
    if not exact and isinstance(frame, str):
        trades = fast.read_trades(frame, names)
        if trades is not None:
            return trades
    parsed = r.read_json(frame, exact=exact)
    if not isinstance(parsed, dict):
        raise r.unreadable("a frame is an object", parsed)
    problem = ""
    try:
        read = _read_server(parsed, names, exact=exact) if "code" in parsed else None
        read = read or (_read_client(parsed, names) if "code" not in parsed else None)
    except e.CdcxError:
        raise
    except r.UNREADABLE as error:
        problem = r.told(error)
    else:
        return read or m.Unknown(frame if isinstance(frame, str) else frame.decode())
    raise r.unreadable(problem, r.excerpt(frame))


def _whole(value: Any) -> int:
    number = r.whole(value)
    if number is None:
        raise ValueError("a number is missing")
    return number


def _ref(value: Any) -> str | None:
    """Read a request's number: -1 is how the server says that there is none."""
    number = r.whole(value)
    return None if number is None or number < 0 else str(number)


def _read_server(frame: dict[str, Any], names: Names, *, exact: bool) -> m.Message | None:
    method, ref = frame.get("method"), frame.get("id")
    code = read_code(frame["code"])
    if code != "0":
        return _read_refused(frame, code, names)
    if method == HEARTBEAT:
        return m.Heartbeat(_whole(ref))
    if method == AUTH:
        return m.Authenticated(_ref(ref))
    if method == "unsubscribe":
        return m.Unsubscribed(_ref(ref))
    result = frame.get("result")
    if isinstance(result, dict) and result.get("data") is not None:
        channel = read_channel(str(result.get("subscription")), names)
        if isinstance(channel, Wrong):
            return None
        return told.read_update(channel, result, _ref(ref), names, exact=exact)
    if method != "subscribe":
        return None
    name = frame.get("channel") or (result or {}).get("subscription")
    if name is None:
        return m.Subscribed(None, _ref(ref))
    channel = read_channel(str(name), names)
    return None if isinstance(channel, Wrong) else m.Subscribed(channel, _ref(ref))


def _read_refused(frame: dict[str, Any], code: str, names: Names) -> m.Refused:
    words = r.excerpt(str(frame.get("message") or ""))
    name = frame.get("channel")
    channel = None if name is None else read_channel(str(name), names)
    return m.Refused(
        words,
        _ref(frame.get("id")),
        code,
        None if isinstance(channel, Wrong) else channel,
        str(name) if isinstance(channel, Wrong) else None,
    )


def _read_client(frame: dict[str, Any], names: Names) -> m.Message | None:
    method, ref = frame.get("method"), frame.get("id")
    if method == REPLY:
        return m.HeartbeatReply(_whole(ref))
    if method == AUTH:
        key, signature = frame.get("api_key"), frame.get("sig")
        nonce = _whole(frame.get("nonce"))
        if not isinstance(key, str) or not isinstance(signature, str):
            raise ValueError("there is no key, or no signature")
        return m.Authenticate(key, signature, nonce, _ref(ref))
    params = frame.get("params") or {}
    if method not in {"subscribe", "unsubscribe"} or "channels" not in params:
        return None
    read = [(str(name), read_channel(str(name), names)) for name in r.listed(params["channels"])]
    good = tuple(channel for _, channel in read if not isinstance(channel, Wrong))
    said_at = r.whole(frame.get("nonce"))
    if method == "unsubscribe":
        return m.Unsubscribe(good, _ref(ref), said_at)
    return _read_subscribe(read, params, _ref(ref), said_at)


def _read_subscribe(
    read: list[tuple[str, Channel | Wrong]],
    params: dict[str, Any],
    ref: str | None,
    nonce: int | None,
) -> m.Subscribe:
    """Read which channels are wanted; one that is wrong does not spoil the others."""
    changes = _CHANGES.get(str(params.get("book_subscription_type", "")))
    good: list[Channel] = []
    refused: list[m.Refused] = []
    for name, channel in read:
        if isinstance(channel, DepthChannel):
            problem = _problem_of_book(channel, params)
            known: Channel | None = channel
        else:
            problem = channel.words if isinstance(channel, Wrong) else None
            known = None if isinstance(channel, Wrong) else channel
        if problem is None and known is not None:
            good.append(known)
        else:
            words = problem or ""
            refused.append(
                m.Refused(words, ref, "40003", known, None if known is not None else name)
            )
    return m.Subscribe(tuple(good), ref, changes, nonce, tuple(refused))


_CHANGES = {"SNAPSHOT_AND_UPDATE": True, "SNAPSHOT": False}


def _problem_of_book(channel: DepthChannel, params: dict[str, Any]) -> str | None:
    """Return why a book cannot be told as it is wanted, in the venue's own words."""
    kind = params.get("book_subscription_type", "SNAPSHOT")
    if kind not in _CHANGES:
        return "Invalid book_subscription_type"
    if kind == "SNAPSHOT":
        return None  # it comes twice a second, whatever is asked
    every_ms = params.get("book_update_frequency", 10)
    if every_ms not in {10, 100} or channel.levels not in _CHANGES_DEPTHS:
        return "Unsupported depth/interval combination"
    return None
