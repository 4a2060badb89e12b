"""What can be made to go wrong, on order: a script of faults for the sandbox's server.

A fault is data: which path or channel, what happens, and how often. The script tells which
one befalls a question or an update; `spoiled` and `spoiled_frame` say what becomes of it.
Waiting, hanging and cutting are the server's part; nothing here does I/O.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from cdcx_pandas.errors import BadRequest
from cdcx_pandas.messages import HttpResponse
from cdcx_pandas.tables import DEPTH, Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Body = Literal["json", "html", "empty"]
Garble = Literal["crc", "trailing", "plain", "empty", "text", "two"]
GARBLES: tuple[Garble, ...] = get_args(Garble)
EVERY_CHANNEL = "stream:*"
"""Where a fault is that befalls the updates of every channel of every stream."""

_BOMB_MIB = 400


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes
    ----------
    where
        A path (``/v1/klines``), the stream's path, a channel of the stream by its name on the
        wire (``market_btcusdt_ticker``), ``*`` for every path, or ``stream:*`` for every channel
        of every stream.
    times
        How often: questions of a path, updates of a channel; 0 for ever.
    skip
        How many pass unharmed first.
    delay_s
        Wait so long before answering or telling; what is told later overtakes it.
    status, body, retry_after
        Answer this HTTP status with this kind of body. On the stream's path: instead of
        opening.
    code
        Answer this error code in the wire's envelope, under HTTP 200.
    as_text
        Answer what is right, with ``code`` and ``id`` of the envelope as texts.
    holes
        Leave every so-manieth row of the answer's table out.
    text
        Answer, or tell, this text and nothing else.
    drop
        Close the connection without an answer.
    lose_answer
        Do what is asked, then close without an answer.
    hang
        Take the question and never answer.
    truncate
        Send half of the answer's bytes, then close. On a channel: half of the frame's
        compressed bytes, as a whole frame.
    bomb
        Answer, or tell, something compressed that inflates to 400 MB.
    mute
        On the stream's path: never send anything but pings. On a channel: leave the update
        out, so that a chain of changes breaks.
    no_pings
        On the stream's path: never ask whether one is there.
    twice
        On a channel: tell the update two times.
    swap
        On a channel: tell the update after the next one, or after two seconds without one.
    garble
        On a channel: spoil the frame. V1's gzip: a checksum that is wrong, bytes after its
        end, the JSON as it is in a binary frame, no byte at all, the JSON in a text frame, two
        members. Today's text: cut short by one, words after its end, the JSON in a binary
        frame, no character at all, words that are no JSON, the JSON two times.
    crossed
        On the channel of a book: a bid above the asks, or an ask below the bids. Updates that
        have no level to tell pass.
    cut_inside
        On the stream: send the first half of a frame's bytes, then reset the connection (RST):
        of this update, or on the stream's path of the first frame there is.
    half_open
        On the stream: neither read nor write nor close any more, from this update or from the
        opening on. After a minute the connection is cut.
    close
        On the stream: close it with this code of RFC 6455, once open or instead of an update.
    """

    where: str = "*"
    times: int = 1
    skip: int = 0
    delay_s: float = 0.0
    status: int | None = None
    body: Body = "json"
    retry_after: float | None = None
    code: Any = None
    as_text: bool = False
    holes: int = 0
    text: str | None = None
    drop: bool = False
    lose_answer: bool = False
    hang: bool = False
    truncate: bool = False
    bomb: bool = False
    mute: bool = False
    no_pings: bool = False
    twice: bool = False
    swap: bool = False
    garble: Garble | None = None
    crossed: bool = False
    cut_inside: bool = False
    half_open: bool = False
    close: int | None = None

    @property
    def kind(self) -> str:
        """What it does to a stream, in one word; empty if nothing."""
        return next((name for name in _ON_STREAMS if getattr(self, name) not in _OFF), "")


_OFF: tuple[Any, ...] = (None, False)
_ON_STREAMS = (
    "drop", "close", "cut_inside", "half_open", "mute", "status", "no_pings", "swap", "garble",
    "crossed", "truncate", "bomb", "text", "twice", "delay_s",
)  # fmt: skip


def read_fault(given: object) -> Fault:
    """Read a fault from JSON; `BadRequest` names what it has not."""
    known = {field.name for field in fields(Fault)}
    if not isinstance(given, dict) or not set(given) <= known:
        unknown = sorted(set(given) - known) if isinstance(given, dict) else given
        raise BadRequest(f"{unknown} is no fault.", todo=f"There are {', '.join(sorted(known))}.")
    try:
        fault = msgspec.convert(given, Fault)
    except msgspec.ValidationError as error:
        raise BadRequest(f"This is no fault: {error}.") from error
    if fault.where == EVERY_CHANNEL and fault.kind in {"", "status", "no_pings"}:
        raise BadRequest("This is nothing that befalls an update.")
    return fault


class Script:
    """The faults that are still to happen."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def __len__(self) -> int:
        return len(self._faults)

    def add(self, fault: Fault) -> None:
        """Put a fault at the end."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Forget all that has not happened."""
        self._faults.clear()

    def next_for(self, path: str) -> Fault | None:
        """Return the fault that befalls this question, and count it."""
        return self._next(lambda where: where in {"*", path})

    def next_on(self, subscription: str) -> Fault | None:
        """Return the fault that befalls an update of the channel a subscription names.

        The name stands in the subscription as a JSON text, however the dialect arranges it.
        """
        return self._next(lambda where: where == EVERY_CHANNEL or f'"{where}"' in subscription)

    def put_back(self, fault: Fault) -> None:
        """Let a fault befall what comes next: it could do nothing to what came."""
        if fault.times:  # what is for ever has not been taken away
            self._faults.insert(0, replace(fault, times=1, skip=0))

    def _next(self, fits: Callable[[str], bool]) -> Fault | None:
        for at, fault in enumerate(self._faults):
            if not fits(fault.where):
                continue
            if fault.skip:
                self._faults[at] = replace(fault, skip=fault.skip - 1)
                continue
            if fault.times == 1:
                del self._faults[at]
            elif fault.times > 1:
                self._faults[at] = replace(fault, times=fault.times - 1)
            return fault
        return None


_V1_REFUSAL: Mapping[str, Any] = {"msg": "on order", "data": None}


def with_holes(answer: object, every: int) -> object:
    """Leave rows of a table out, every so-manieth one; anything else stays as it is."""
    if not isinstance(answer, Answer):
        return answer
    columns = {
        name: [value for at, value in enumerate(values) if (at + 1) % every]
        for name, values in answer.columns.items()
    }
    return replace(answer, columns=columns)


def spoiled(
    fault: Fault, path: str, response: HttpResponse, refusal: Mapping[str, Any] | None = None
) -> HttpResponse:
    """Return what is answered instead of `response`.

    `refusal` is what stands beside an error code in the wire's envelope; V1's if None.
    """
    if fault.status is not None:
        told = {"status": fault.status, "error": "On order", "path": path}
        body, kind = {
            "json": (msgspec.json.encode(told), "application/json"),
            "html": (b"<html><body>On order</body></html>", "text/html"),
            "empty": (b"", "text/plain"),
        }[fault.body]
        headers = {"content-type": kind}
        if fault.retry_after is not None:
            headers["retry-after"] = f"{fault.retry_after:g}"
        return HttpResponse(fault.status, body, headers)
    json = {"content-type": "application/json;charset=utf-8"}
    if fault.code is not None:
        envelope = {"code": fault.code, **(_V1_REFUSAL if refusal is None else refusal)}
        return HttpResponse(200, msgspec.json.encode(envelope), json)
    if fault.as_text:
        told = msgspec.json.decode(response.body)
        told |= {key: str(told[key]) for key in ("code", "id") if key in told}
        return replace(response, body=msgspec.json.encode(told))
    if fault.text is not None:
        return HttpResponse(200, fault.text.encode(), json)
    if fault.bomb:
        return HttpResponse(200, bomb(), json | {"content-encoding": "gzip"})
    return response


def spoiled_frame(fault: Fault, payload: str | bytes) -> str | bytes:
    """Return what is told instead of `payload`."""
    if fault.text is not None:
        return fault.text if isinstance(payload, str) else gzip.compress(fault.text.encode())
    if fault.bomb:
        return bomb()
    if fault.truncate:
        return payload[: len(payload) // 2]
    if fault.garble is None:
        return payload
    if isinstance(payload, str):
        return _garbled_text(fault.garble, payload)
    return _garbled_gzip(fault.garble, payload)


def _garbled_gzip(how: Garble, payload: bytes) -> str | bytes:
    match how:
        case "crc":  # of RFC 1952's tail, before the size
            return payload[:-8] + bytes((payload[-8] ^ 0xFF,)) + payload[-7:]
        case "trailing":
            return payload + b"trailing"
        case "plain":
            return gzip.decompress(payload)
        case "empty":
            return b""
        case "text":
            return gzip.decompress(payload).decode()
        case "two":
            return payload * 2


def _garbled_text(how: Garble, payload: str) -> str | bytes:
    match how:
        case "crc":
            return payload[:-1]
        case "trailing":
            return payload + "trailing"
        case "plain":
            return payload.encode()
        case "empty":
            return ""
        case "text":
            return "garbled on order"
        case "two":
            return payload * 2


def crossed(answer: object) -> Answer | None:
    """Return a book, or the changes of one, with a bid above the asks or an ask below the bids.

    None for what has no level to tell: another table, or levels that all are gone.
    """
    if not isinstance(answer, Answer) or answer.table is not DEPTH:
        return None
    columns = answer.columns
    at = next((at for at, amount in enumerate(columns["amount"]) if amount), None)
    if at is None:
        return None
    prices = list(columns["price"])
    far = prices[at] * 2 if columns["side"][at] == "bid" else prices[at] / 2
    prices[at] = far.quantize(prices[at])
    return replace(answer, columns=columns | {"price": prices})


@cache
def bomb() -> bytes:
    """Return 400 MB of spaces, compressed to a thousandth.

    After a full flush a compressor remembers nothing, so one MiB is packed and repeated.
    """
    mebibyte = b" " * (1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(mebibyte) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(_BOMB_MIB):
        checksum = zlib.crc32(mebibyte, checksum)
    head = b"\x1f\x8b\x08" + bytes(5) + b"\x02\xff"  # RFC 1952: gzip, deflate, best, unknown
    tail = struct.pack("<II", checksum, _BOMB_MIB << 20)
    return head + block * _BOMB_MIB + packer.flush() + tail
