"""One WebSocket connection, on websocket-client's low-level socket.

Not its ``WebSocketApp``: that never notices a half-open peer, swallows errors of callbacks and
follows redirects. This module knows no exchange.
"""

from __future__ import annotations

import socket as sockets
from typing import Any, Self

import websocket
from websocket import ABNF

from cdcx_pandas.errors import (
    CdcxError,
    ConnectFailed,
    PermissionDenied,
    ProtocolError,
    RateLimited,
    ServerError,
    TimedOut,
)

FRAME_CAP = 8 << 20
_OPTIONS = [
    (sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1),
    (sockets.SOL_SOCKET, sockets.SO_KEEPALIVE, 1),
]


class Socket:
    """An open connection. Not for several threads at a time."""

    def __init__(self, wire: Any) -> None:
        self._wire = wire

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, text: str) -> None:
        """Send one text message."""
        failed = False
        try:
            self._wire.send(text)
        except (websocket.WebSocketException, OSError):
            failed = True
        if failed:
            raise _lost()

    def receive(self, timeout_s: float) -> str | bytes:
        """Return the next data message; `TimedOut` when none comes in time."""
        failure: CdcxError
        try:
            self._wire.settimeout(max(timeout_s, 0.001))
            while True:
                opcode, data = self._wire.recv_data(control_frame=False)
                if opcode == ABNF.OPCODE_CLOSE:
                    break
                return (
                    data.decode("utf-8", "replace") if opcode == ABNF.OPCODE_TEXT else bytes(data)
                )
            failure = _lost()
        except websocket.WebSocketTimeoutException:
            failure = TimedOut("The stream did not answer in time.", sent="maybe")
        except (websocket.WebSocketException, OSError):
            failure = _lost()
        raise failure

    def close(self) -> None:
        """Let go, without waiting for the other side."""
        self._wire.shutdown()


def open_socket(url: str, *, deadline_s: float) -> Socket:
    """Open a connection."""
    wire: Any = websocket.WebSocket(sockopt=_OPTIONS, skip_utf8_validation=True)
    failure: CdcxError
    try:
        wire.connect(url, timeout=deadline_s, redirect_limit=0, suppress_origin=True)
        return Socket(wire)
    except websocket.WebSocketBadStatusException as error:
        failure = _refused(error.status_code)
    except websocket.WebSocketTimeoutException:
        failure = TimedOut("The stream's host did not answer in time.", sent="maybe")
    except (websocket.WebSocketException, OSError):
        failure = ConnectFailed("No connection to the stream.", sent="no")
    raise failure


def _refused(status: int) -> CdcxError:
    kind: type[CdcxError] | None = {
        403: PermissionDenied,
        401: PermissionDenied,
        429: RateLimited,
    }.get(status)
    if kind is None:
        kind = ServerError if status >= 500 else ProtocolError
    return kind(f"The stream's host answered HTTP {status}.", http_status=status, sent="yes")


def _lost() -> ConnectFailed:
    return ConnectFailed("The stream's connection was lost.", sent="maybe")
