"""One connection of a stream, from the server's side: what it may hear, and how it is written to.

Straight to the transport: a server's frames are not masked, so the same bytes serve all
listeners, and no task has to wake up for each of them.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import time
from typing import TYPE_CHECKING

from cdcx_pandas import messages as m

if TYPE_CHECKING:
    from aiohttp import web

    from cdcx_pandas.channels import Channel
    from cdcx_pandas.dialects.base import Dialect
    from cdcx_pandas.sandbox.keys import Key
    from cdcx_pandas.sandbox.stream import Pings

_numbers = itertools.count(1)

CLOSING_S = 1.0
"""How long the other side may take to close, once told to."""
_WAITING_CAP = 2 << 20
"""Bytes a slow listener may have waiting; then it is let go."""
HOLE_S = 60.0
"""A connection that is half open is cut after so long."""
SWAP_S = 2.0
"""An update that shall follow the next one waits so long for it."""
_RESET_S = 0.02
"""After half a frame, so that it has arrived when the reset does."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: what closes such a socket is a reset."""
_TEXT, _BINARY, _CLOSE = 0x81, 0x82, 0x88  # first bytes of a whole frame (RFC 6455, 5.2)


class Listener:
    """One connection of a stream; a muted one hears pings only.

    Attributes
    ----------
    number
        The how-manieth connection it is.
    pings
        Whether somebody is there; None asks nobody.
    wanted
        The channels asked for, by their names on the wire, each with a mark of its own.
    key
        Whose it is, once it said so.
    """

    def __init__(
        self, dialect: Dialect, request: web.Request, pings: Pings | None, *, muted: bool
    ) -> None:
        self.number = next(_numbers)
        self.pings = pings
        self.wanted: dict[str, object] = {}
        self.key: Key | None = None
        self._dialect = dialect
        self._muted = muted
        self._is_silent = self._is_doomed = False
        self._held: dict[Channel, bytes] = {}
        self._request = request
        self._opened = time.time()
        self._second, self._said = int(self._opened), 0

    def may_say(self, most: int) -> bool:
        """Count a message; tell whether it is one of the `most` a second may have.

        Of the calendar second in which the connection was opened only the rest counts.
        """
        second = int(time.time())
        if second != self._second:
            self._second, self._said = second, 0
        self._said += 1
        part = 1.0 if second != int(self._opened) else 1.0 - self._opened % 1
        return self._said <= max(most * part, 1)

    def tell(self, message: m.Message) -> None:
        """Send one message to this listener."""
        frame = framed(self._dialect.encode_frame(message))
        self.write(frame, is_ping=isinstance(message, m.Heartbeat))

    def push(self, channel: Channel, frame: bytes) -> None:
        """Send an update of a channel, and what was held back for it."""
        self.write(frame)
        if self._held:
            self._release(channel)

    def hold(self, channel: Channel, frame: bytes) -> None:
        """Send an update after the next one of its channel, also where that shall wait too."""
        if channel in self._held:
            self.push(channel, frame)
            return
        self._held[channel] = frame
        asyncio.get_running_loop().call_later(SWAP_S, self._release, channel, frame)

    def _release(self, channel: Channel, only: bytes | None = None) -> None:
        held = self._held.get(channel)
        if held is not None and (only is None or held is only):
            del self._held[channel]
            self.write(held)

    def write(self, frame: bytes, *, is_ping: bool = False) -> None:
        """Send a frame; a listener that cannot keep up is let go."""
        transport = self._request.transport
        if transport is None or not self.is_open or (self._muted and not is_ping):
            return
        if transport.get_write_buffer_size() > _WAITING_CAP:
            transport.abort()
        elif self._is_doomed:
            transport.write(frame[: len(frame) // 2])
            self._is_silent = True
            asyncio.get_running_loop().call_later(_RESET_S, self.reset)
        else:
            transport.write(frame)

    @property
    def is_open(self) -> bool:
        """Whether what is written arrives."""
        transport = self._request.transport
        return transport is not None and not transport.is_closing() and not self._is_silent

    def close(self, code: int) -> None:
        """Close the stream with a code; cut it where the other side does not follow."""
        if self.is_open:
            self.write(bytes((_CLOSE, 2)) + code.to_bytes(2, "big"), is_ping=True)
            asyncio.get_running_loop().call_later(CLOSING_S, self.abort)

    def cut_inside(self) -> None:
        """Cut the connection in the middle of the next frame."""
        self._is_doomed = True

    def fall_silent(self) -> None:
        """Neither read nor write any more, and do not say so: a connection half open."""
        transport = self._request.transport
        if not self.is_open or not isinstance(transport, asyncio.Transport):
            return
        self._is_silent, self.pings = True, None
        transport.pause_reading()
        asyncio.get_running_loop().call_later(HOLE_S, self.abort)

    def reset(self) -> None:
        """Cut the connection without a farewell: the other side is told of an error."""
        transport = self._request.transport
        if transport is not None:
            connection = transport.get_extra_info("socket")
            if connection is not None and not transport.is_closing():
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()

    def abort(self) -> None:
        """Cut the connection."""
        if self._request.transport is not None:
            self._request.transport.abort()


def framed(message: str | bytes) -> bytes:
    """Return a message as one unmasked WebSocket frame (RFC 6455, 5.2)."""
    first, payload = (_TEXT, message.encode()) if isinstance(message, str) else (_BINARY, message)
    size = len(payload)
    if size < 126:  # the length codes of the RFC
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload
