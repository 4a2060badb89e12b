"""One connection and its thread: moves frames between a socket and a `ClientStream`.

The thread does whatever the engine says is due; other threads hand it their wishes and wake it.
What was heard goes to everybody who listens through the connection. One per address is shared;
it ends when nobody listens any more.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import selectors
import socket as sockets
import threading
from collections import deque
from typing import TYPE_CHECKING, Protocol

from cdcx_pandas import errors as e
from cdcx_pandas.engines.reconnect import Ending, Policy
from cdcx_pandas.engines.stream import ClientStream, State
from cdcx_pandas.engines.tracks.track import Now
from cdcx_pandas.transport.websocket import Socket, StreamClosed, open_socket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cdcx_pandas.channels import Channel
    from cdcx_pandas.credentials import Credentials
    from cdcx_pandas.engines.stream import Event
    from cdcx_pandas.session import Session

_log = logging.getLogger(__name__)


class Listener(Protocol):
    """Who hears what a connection tells, on its thread."""

    def opened(self, connection: Connection, now: Now, venue_ms: int) -> None:
        """Take note of a new connection."""

    def heard(
        self, connection: Connection, frames: list[str | bytes], events: list[Event], now: Now
    ) -> None:
        """Take frames as they came, and what the engine makes of them."""

    def ended(self, connection: Connection, ending: Ending, events: list[Event], now: Now) -> None:
        """Take note of the end of a connection, or of an attempt."""

    def probed(
        self, connection: Connection, channel: Channel, now: Now, *, is_newer: bool | None
    ) -> None:
        """Take note of what the venue said of a silent channel."""

    def resubscribe(self) -> tuple[Channel, ...]:
        """Return channels that must be asked for anew."""


class Connection:
    """An address of a stream, and the thread that keeps it open.

    Parameters
    ----------
    url
        The address.
    session
        Whose clocks and dialect are used.
    policy
        The numbers.
    credentials
        Who listens, on an account's stream.
    """

    def __init__(
        self, url: str, session: Session, policy: Policy, credentials: Credentials | None
    ) -> None:
        self.url = url
        self._session = session
        self._policy = policy
        self._stream = ClientStream(
            session.dialect,
            policy=policy,
            rng=random.Random(),  # noqa: S311  # spreads attempts, guards nothing
            credentials=credentials,
        )
        self._lock = threading.Lock()  # of who wants what, and whether it goes on
        self._wanted: dict[Channel, set[Listener]] = {}
        self._listeners: list[Listener] = []
        self._wishes: deque[Callable[[float], None]] = deque()
        self._ours, self._theirs = sockets.socketpair()
        self._ours.setblocking(False)  # noqa: FBT003  # the library's signature
        self._theirs.setblocking(False)  # noqa: FBT003  # as above
        self._idle = selectors.DefaultSelector()
        self._idle.register(self._theirs, selectors.EVENT_READ)
        self._socket: Socket | None = None
        self._bytes_in = 0
        self._stopped = False
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="cdcx-stream", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------- from other threads

    @property
    def state(self) -> State:
        """Where the stream stands."""
        return self._stream.state

    @property
    def why(self) -> str:
        """Why it stands there."""
        return self._stream.why

    @property
    def reconnects(self) -> int:
        """How often the connection was lost."""
        return self._stream.reconnects

    @property
    def is_alive(self) -> bool:
        """Whether somebody may still listen through it."""
        return not self._stopped and self._thread.is_alive() and self._pid == os.getpid()

    def room(self, most: int | None) -> int:
        """Return how many more channels it can hear."""
        return 10**9 if most is None else most - len(self._wanted)

    def join(self, listener: Listener, channels: Iterable[Channel]) -> bool:
        """Let somebody hear channels from now on; False when it has just ended."""
        channels = tuple(channels)

        def wish(now: float) -> None:
            if listener not in self._listeners:
                self._listeners.append(listener)
                if self._socket is not None:
                    listener.opened(self, self._now(), self._venue_ms())
            self._stream.want(channels, now)

        with self._lock:
            if self._stopped:
                return False
            for channel in channels:  # at once, so that the next one finds the room as it is
                self._wanted.setdefault(channel, set()).add(listener)
        self.wish(wish)
        return True

    def leave(self, listener: Listener) -> None:
        """Let somebody hear nothing any more; without listeners the connection ends."""

        def wish(now: float) -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)
            with self._lock:
                for listeners in self._wanted.values():
                    listeners.discard(listener)
                gone = [channel for channel, listeners in self._wanted.items() if not listeners]
                for channel in gone:
                    del self._wanted[channel]
                if not self._wanted:
                    self._stopped = True
            self._stream.unwant(gone, now)

        self.wish(wish)

    def probed(self, channel: Channel, *, is_newer: bool | None) -> None:
        """Say whether the venue has newer data of a channel."""

        def wish(now: float) -> None:
            self._stream.probed(channel, is_newer=is_newer, now=now)
            for listener in list(self._listeners):
                listener.probed(self, channel, self._now(), is_newer=is_newer)

        self.wish(wish)

    def resubscribe(self, channels: tuple[Channel, ...]) -> None:
        """Ask for channels anew."""
        self.wish(lambda now: self._stream.resubscribe(channels, now))

    def wish(self, do: Callable[[float], None]) -> None:
        """Have something done on the connection's thread, soon."""
        self._wishes.append(do)
        with contextlib.suppress(OSError):  # full: it will wake anyway
            self._ours.send(b"!")

    def abandon(self) -> None:
        """Let go in a forked child: the socket is the parent's."""
        self._stopped = True

    # ---------------------------------------------------------------------------- its thread

    def _run(self) -> None:
        while not self._stopped:
            try:
                self._turn()
            except e.CdcxError as error:
                self._end(ending_of(error))
            except Exception as error:  # noqa: BLE001  # a stream that dies in silence is the worst
                _log.exception("the stream's thread")
                self._end(Ending(f"an error of ours: {error!r}", damaged=True))
        if self._socket is not None:
            self._socket.close()
        self._stream.stop()
        self._idle.close()
        self._ours.close()
        self._theirs.close()

    def _turn(self) -> None:
        stream = self._stream
        while self._wishes:
            self._wishes.popleft()(self._monotonic())
        if self._stopped:
            return
        if stream.should_connect:
            self._open()
        elif self._socket is None:
            self._wait()
        else:
            self._read(self._socket)
        self._after_turn()

    def _after_turn(self) -> None:
        """Do what the engine wants done, and tell what happened."""
        stream, socket = self._stream, self._socket
        now = self._monotonic()
        if now >= stream.due:
            stream.tick(now)
        if socket is not None:
            for listener in self._listeners:
                stream.resubscribe(listener.resubscribe(), now)
            for frame in stream.to_send():
                socket.send(frame)
            if stream.wants_ping:
                stream.wants_ping = False
                socket.ping()
        if stream.is_over is not None:
            self._end(stream.is_over)
        else:
            self._tell([])

    def _open(self) -> None:
        """Open the connection: nothing else is done meanwhile."""
        self._tell([])
        socket = open_socket(self.url, deadline_s=self._policy.connect_s, wake=self._theirs)
        self._socket, self._bytes_in = socket, 0
        venue_ms = self._venue_ms()
        self._stream.opened(self._monotonic(), venue_ms)
        now = self._now()
        for listener in self._listeners:
            listener.opened(self, now, venue_ms)

    def _wait(self) -> None:
        due = self._stream.due
        rest_s = None if due == float("inf") else max(0.0, due - self._monotonic())
        if self._idle.select(rest_s):
            with contextlib.suppress(OSError):
                self._theirs.recv(4096)

    def _read(self, socket: Socket) -> None:
        rest_s = max(0.0, self._stream.due - self._monotonic())
        frames = socket.messages(rest_s)
        now = self._monotonic()
        if socket.bytes_in != self._bytes_in:
            self._bytes_in = socket.bytes_in
            self._stream.heard(now)
        for frame in frames:
            self._stream.receive(frame, now)
        if frames:
            self._tell(frames)

    def _end(self, ending: Ending) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._stream.ended(ending, self._monotonic())
        events, now = self._stream.events(), self._now()
        for listener in list(self._listeners):
            listener.ended(self, ending, events, now)

    def _tell(self, frames: list[str | bytes]) -> None:
        events = self._stream.events()
        if not events and not frames:
            return
        now = self._now()
        for listener in list(self._listeners):
            listener.heard(self, frames, events, now)

    def _monotonic(self) -> float:
        return self._session.clock.monotonic()

    def _now(self) -> Now:
        return Now.at(self._session.clock.monotonic(), self._session.now_ns())

    def _venue_ms(self) -> int:
        return self._session.now_ns() // 10**6


def ending_of(error: e.CdcxError) -> Ending:
    """Return how a connection ended, of the error it ended with."""
    why = f"{error.what} {error.why}".strip()
    match error:
        case StreamClosed(close_code=code):
            return Ending(why, close_code=code)
        case e.RateLimited(retry_after=retry_after):
            return Ending(why, http_status=429, retry_after=retry_after)
        case e.CdcxError(http_status=int() as status):
            return Ending(why, http_status=status)
        case e.ProtocolError():
            return Ending(why, damaged=True)
        case _:
            return Ending(why)
