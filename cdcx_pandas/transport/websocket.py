"""One WebSocket connection, on websocket-client's low-level socket.

Not its ``WebSocketApp``: that never notices a half-open peer, swallows the errors of callbacks,
follows redirects, and accepts a frame header that announces a terabyte. Here redirects are
refused, a frame's length is checked before its first byte is read, and errors are built where
the library's are caught and raised after them. This module knows no exchange.
"""

from __future__ import annotations

import socket as sockets
import ssl
from typing import Any, Self

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

MESSAGE_CAP = 8 << 20
"""Bytes of one message, in however many frames."""

_OPTIONS = [
    (sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1),
    (sockets.SOL_SOCKET, sockets.SO_KEEPALIVE, 1),
]


class _TooLarge(Exception):
    """A message larger than the cap."""


class _CappedFrames(frame_buffer):
    """The library's frame reader, which looks at a length before it reads so much."""

    def recv_length(self) -> None:
        super().recv_length()
        if self.length is not None and self.length > MESSAGE_CAP:
            raise _TooLarge


class Socket:
    """An open connection; not for several threads at a time."""

    def __init__(self, wire: Any) -> None:
        self._wire = wire
        self._parts: list[bytes] = []
        self._is_text = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, text: str) -> None:
        """Send one text message."""
        try:
            self._wire.send(text)
        except (websocket.WebSocketException, OSError):
            sent = False
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
        failure: CdcxError
        try:
            self._wire.settimeout(max(timeout_s, 0.001))
            while True:
                message = self._take(self._wire.recv_frame())
                if message is not None:
                    return message
        except CdcxError as error:
            failure = error
        except _TooLarge:
            failure = ProtocolError(
                "A message of the stream is too large.",
                why=f"It has more than {MESSAGE_CAP:,} bytes.",
                sent="yes",
            )
        except websocket.WebSocketTimeoutException:
            failure = TimedOut("The stream did not answer in time.", sent="maybe")
        except websocket.WebSocketProtocolException:
            failure = ProtocolError("A frame of the stream is not well-formed.", sent="yes")
        except (websocket.WebSocketException, OSError):
            failure = _lost()
        raise failure

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
                raise _lost(f"The venue closed it with code {code}.")
            case ABNF.OPCODE_TEXT | ABNF.OPCODE_BINARY:
                self._is_text = frame.opcode == ABNF.OPCODE_TEXT
                self._parts = []
            case _:
                pass  # goes on with the message before it
        self._parts.append(bytes(frame.data))
        if sum(map(len, self._parts)) > MESSAGE_CAP:
            raise _TooLarge
        if not frame.fin:
            return None
        whole, self._parts = b"".join(self._parts), []
        # Not checked twice: a JSON parser refuses what is no UTF-8.
        return whole.decode("utf-8", "replace") if self._is_text else whole

    def close(self) -> None:
        """Let go at once: a dead peer would never answer a close frame."""
        self._wire.shutdown()


def open_socket(url: str, *, deadline_s: float) -> Socket:
    """Open a connection.

    Raises
    ------
    ConnectFailed, TimedOut
        Nobody answered.
    PermissionDenied, RateLimited, ServerError, ProtocolError
        The handshake was answered with another status than 101; redirects are refused.
    """
    wire: Any = websocket.WebSocket(sockopt=_OPTIONS, skip_utf8_validation=True)
    wire.frame_buffer = _CappedFrames(wire._recv, skip_utf8_validation=True)  # noqa: SLF001  # its only door
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
            return Socket(wire)
        failure = _refused(wire.handshake_response.status)
        wire.shutdown()
    except websocket.WebSocketBadStatusException as error:
        failure = _refused(error.status_code)
    except (websocket.WebSocketTimeoutException, TimeoutError):
        failure = TimedOut("The stream's host did not answer in time.", sent="maybe")
    except ssl.SSLError:
        failure = ConnectFailed(
            "The stream's host did not prove who it is.",
            why="Its certificate was refused.",
            sent="no",
        )
    except (websocket.WebSocketException, OSError):
        status = getattr(wire.handshake_response, "status", None)  # of a redirect, not followed
        failure = _refused(status) if status else _not_there()
    raise failure


def _refused(status: int) -> CdcxError:
    kind: type[CdcxError] | None = {
        401: PermissionDenied,
        403: PermissionDenied,
        429: RateLimited,
    }.get(status)
    if kind is None:
        kind = ServerError if status >= 500 else ProtocolError
    return kind(f"The stream's host answered HTTP {status}.", http_status=status, sent="yes")


def _not_there() -> ConnectFailed:
    return ConnectFailed(
        "No connection to the stream.", todo="Is the venue's `ws` address right?", sent="no"
    )


def _lost(why: str = "") -> ConnectFailed:
    return ConnectFailed("The stream's connection was lost.", why=why, sent="maybe")
