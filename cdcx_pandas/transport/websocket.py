"""One WebSocket connection, on websocket-client's low-level socket.

Not its ``WebSocketApp``: that never notices a half-open peer, swallows the errors of callbacks,
follows redirects, and accepts a frame header that announces a terabyte. Here redirects are
refused, a frame's length is checked before its first byte is read, and errors are built where
the library's are caught and raised after them. This module knows no exchange.
"""

from __future__ import annotations

import contextlib
import selectors
import socket as sockets
import ssl
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

import websocket
from websocket import ABNF
from websocket._abnf import frame_buffer

from cdcx_pandas.about import VERSION
from cdcx_pandas.errors import (
    CdcxError,
    ConnectFailed,
    PermissionDenied,
    ProtocolError,
    RateLimited,
    ServerError,
    TimedOut,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MESSAGE_CAP = 8 << 20
"""Bytes of one message, in however many frames."""

_CHUNK = 1 << 17
"""Bytes that are read at once."""

_OPTIONS = [
    (sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1),
    (sockets.SOL_SOCKET, sockets.SO_KEEPALIVE, 1),
    *(
        (sockets.IPPROTO_TCP, getattr(sockets, name), value)
        for name, value in (
            ("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3),
            ("TCP_USER_TIMEOUT", 15_000),
        )
        if hasattr(sockets, name)
    ),
]  # fmt: skip
"""What is sent goes at once, and the system too finds out that nobody is there."""


_TEXT, _BINARY = 0x80 | ABNF.OPCODE_TEXT, 0x80 | ABNF.OPCODE_BINARY
"""First bytes of a message in one frame."""

_TWO_MORE_BYTES = 126
"""A length that says: it stands in the next two bytes. Larger ones are longer still, or masked."""


class _TooLarge(Exception):
    """A message larger than the cap."""


class _NeedMore(Exception):
    """The bytes that are here end in the middle of a frame."""


class _Frames(frame_buffer):
    """The library's frame reader, fed with bytes that are here already.

    It looks at a length before so much is read, and goes on in the middle of a frame. The library
    reads each part of a frame from the socket; this takes what the socket has in one call.
    """

    def __init__(self) -> None:
        super().__init__(_never, skip_utf8_validation=True)
        self._bytes = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Take bytes as they came."""
        del self._bytes[: self._at]
        self._at = 0
        self._bytes += data

    def take_usual(self) -> str | bytes | None:
        """Take a whole message of the usual form: in one frame, unmasked, under 64 KiB, and here.

        Most are; one that is not is None here and left to the library's reader.
        """
        data, at = self._bytes, self._at
        if self.header is not None or len(data) - at < 4:
            return None
        begin, size = at + 2, data[at + 1]
        if size == _TWO_MORE_BYTES:
            begin, size = at + 4, data[at + 2] << 8 | data[at + 3]
        elif size > _TWO_MORE_BYTES:
            return None
        end = begin + size
        if end > len(data):
            return None
        kind = data[at]
        if kind == _TEXT:
            self._at = end
            # Not checked twice: a JSON parser refuses what is no UTF-8.
            return data[begin:end].decode("utf-8", "replace")
        if kind == _BINARY:
            self._at = end
            return bytes(data[begin:end])
        return None

    def recv_strict(self, bufsize: int) -> bytes:
        end = self._at + bufsize
        if end > len(self._bytes):
            raise _NeedMore
        taken = bytes(self._bytes[self._at : end])
        self._at = end
        return taken

    def recv_length(self) -> None:
        super().recv_length()
        if self.length is not None and self.length > MESSAGE_CAP:
            raise _TooLarge


def _never(_: int) -> bytes:
    raise AssertionError("bytes are fed, not asked for")


class StreamClosed(ConnectFailed):
    """The venue closed the stream, and said with which code."""

    def __init__(self, close_code: int) -> None:
        super().__init__(
            "The stream's connection was lost.",
            why=f"The venue closed it with code {close_code}.",
            sent="maybe",
        )
        self.close_code = close_code


class Socket:
    """An open connection; not for several threads at a time.

    Attributes
    ----------
    bytes_in
        How many bytes came so far: a peer that sends none may be gone.
    """

    def __init__(self, wire: Any, wake: sockets.socket | None = None) -> None:
        self._wire = wire
        self._line = wire.sock
        self._line.settimeout(0)
        self._frames = _Frames()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._line, selectors.EVENT_READ)
        self._wake = wake
        if wake is not None:
            self._selector.register(wake, selectors.EVENT_READ)
        self._parts: list[bytes] = []
        self._is_text = False
        self._whole: deque[str | bytes] = deque()
        self._over: CdcxError | None = None
        self.bytes_in = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, text: str) -> None:
        """Send one text message."""
        self._sent(lambda: self._wire.send(text))

    def ping(self) -> None:
        """Ask the other side, by the protocol's own ping, whether it is there."""
        self._sent(lambda: self._wire.ping(b""))

    def _sent(self, send: Callable[[], object]) -> None:
        try:
            send()
        except (websocket.WebSocketException, OSError, AttributeError):
            sent = False  # the library forgets its socket when it breaks
        else:
            sent = True
        if not sent:
            raise _lost()

    def receive(self, timeout_s: float) -> str | bytes:
        """Return the next data message.

        Pings of the protocol are answered on the way. After a time-out the next call goes on
        where this one stopped, also in the middle of a frame.

        Raises
        ------
        TimedOut
            None came whole in time.
        ConnectFailed
            The connection is over; a close code is told.
        ProtocolError
            The message is larger than the cap, or not well-formed.
        """
        deadline = monotonic() + timeout_s
        while not self._whole:
            rest_s = deadline - monotonic()
            if rest_s <= 0:
                raise TimedOut("The stream did not answer in time.", sent="maybe")
            self._whole.extend(self.messages(rest_s))
        return self._whole.popleft()

    def messages(self, timeout_s: float) -> list[str | bytes]:
        """Return all data messages that are whole, waiting so long for the first byte.

        It returns early, with none, when the waker given to `open_socket` was written to.

        Raises
        ------
        ConnectFailed, ProtocolError
            As `receive`; messages before the end of the connection are returned first.
        """
        whole: list[str | bytes] = []
        failure: CdcxError
        try:
            self._fill(timeout_s)
            while True:
                message = None if self._parts else self._frames.take_usual()
                if message is None:
                    message = self._take(self._frames.recv_frame())
                if message is not None:
                    whole.append(message)
        except _NeedMore:
            return whole
        except CdcxError as error:
            failure = error
        except _TooLarge:
            failure = ProtocolError(
                "A message of the stream is too large.",
                why=f"It has more than {MESSAGE_CAP:,} bytes.",
                sent="yes",
            )
        except websocket.WebSocketProtocolException:
            failure = ProtocolError("A frame of the stream is not well-formed.", sent="yes")
        except (websocket.WebSocketException, OSError, AttributeError):
            failure = _lost()
        if whole:
            self._over = failure
            return whole
        raise failure

    def _fill(self, timeout_s: float) -> None:
        """Read what is there, waiting for the first byte of it; no more than one chunk.

        A peer that sends without a pause would otherwise never let its messages be told.
        """
        if self._over is not None:
            raise self._over
        if not self._has_pending():
            for key, _ in self._selector.select(max(timeout_s, 0.0)):
                if key.fileobj is self._wake and self._wake is not None:
                    with contextlib.suppress(OSError):
                        self._wake.recv(4096)
        try:
            data = self._line.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        if not data:
            raise _lost()
        self.bytes_in += len(data)
        self._frames.feed(data)

    def _has_pending(self) -> bool:
        """Tell whether TLS holds bytes that the selector does not see."""
        return isinstance(self._line, ssl.SSLSocket) and self._line.pending() > 0

    def _take(self, frame: Any) -> str | bytes | None:
        """Take one frame; return the message it completes."""
        match frame.opcode:
            case ABNF.OPCODE_PING:
                self._wire.pong(frame.data)
                return None
            case ABNF.OPCODE_PONG:
                return None
            case ABNF.OPCODE_CLOSE:
                code = int.from_bytes(frame.data[:2], "big") if len(frame.data) > 1 else 1005
                raise StreamClosed(code)
            case ABNF.OPCODE_TEXT | ABNF.OPCODE_BINARY:
                self._is_text = frame.opcode == ABNF.OPCODE_TEXT
                self._parts = []
            case _:
                pass  # goes on with the message before it
        if frame.fin and not self._parts:
            whole = frame.data
        else:
            self._parts.append(frame.data)
            if sum(map(len, self._parts)) > MESSAGE_CAP:
                raise _TooLarge
            if not frame.fin:
                return None
            whole, self._parts = b"".join(self._parts), []
        # Not checked twice: a JSON parser refuses what is no UTF-8.
        return whole.decode("utf-8", "replace") if self._is_text else bytes(whole)

    def close(self) -> None:
        """Let go at once: a dead peer would never answer a close frame."""
        with contextlib.suppress(KeyError, ValueError, OSError):
            self._selector.close()
        self._wire.shutdown()


def open_socket(url: str, *, deadline_s: float, wake: sockets.socket | None = None) -> Socket:
    """Open a connection; a byte written to the other end of `wake` ends a wait for messages.

    Raises
    ------
    ConnectFailed, TimedOut
        Nobody answered.
    PermissionDenied, RateLimited, ServerError, ProtocolError
        The handshake was answered with another status than 101; redirects are refused.
    """
    wire: Any = websocket.WebSocket(sockopt=_OPTIONS, skip_utf8_validation=True)
    failure: CdcxError
    try:
        wire.connect(
            url,
            timeout=deadline_s,
            redirect_limit=0,
            suppress_origin=True,
            header={"User-Agent": f"cdcx_pandas/{VERSION}"},
            http_no_proxy=["*"],
        )
        # 1.9.0 takes a redirect that it may not follow for an open connection; later ones raise.
        if wire.handshake_response.status == 101:
            return Socket(wire, wake)
        failure = _refused(wire.handshake_response.status)
        wire.shutdown()
    except websocket.WebSocketBadStatusException as error:
        failure = _refused(error.status_code, error.resp_headers)
    except (websocket.WebSocketTimeoutException, TimeoutError):
        failure = TimedOut("The stream's host did not answer in time.", sent="maybe")
    except ssl.SSLError:
        failure = ConnectFailed(
            "The stream's host did not prove who it is.",
            why="Its certificate was refused.",
            sent="no",
        )
    except (websocket.WebSocketException, OSError) as error:
        status = getattr(wire.handshake_response, "status", None)  # of a redirect, not followed
        failure = _refused(status) if status else _not_there(error)
    raise failure


def _refused(status: int, headers: Mapping[str, str] | None = None) -> CdcxError:
    words = f"The stream's host answered HTTP {status}."
    if status == 429:
        told = (headers or {}).get("retry-after", "")
        retry_after = float(told) if told.replace(".", "", 1).isdecimal() else None
        return RateLimited(words, retry_after=retry_after, http_status=status, sent="yes")
    kind: type[CdcxError] | None = {
        401: PermissionDenied,
        403: PermissionDenied,
    }.get(status)
    if kind is None:
        kind = ServerError if status >= 500 else ProtocolError
    return kind(words, http_status=status, sent="yes")


def _not_there(error: Exception) -> ConnectFailed:
    why = ""
    if isinstance(error, ConnectionRefusedError):
        why = "Nobody listens there."
    elif isinstance(error, sockets.gaierror | websocket.WebSocketAddressException):
        why = "Nobody knows its host's name."
    return ConnectFailed(
        "No connection to the stream.",
        why=why,
        todo="Is there a network, and is the venue's `ws` address right?",
        sent="no",
    )


def _lost(why: str = "") -> ConnectFailed:
    return ConnectFailed("The stream's connection was lost.", why=why, sent="maybe")
