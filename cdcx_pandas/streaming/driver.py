"""The threads of one `Live`: what connections tell goes in, what tracks want to know is asked.

News comes on the connections' threads. One thread looks ten times a second at what is due; what
the venue is asked is asked on helpers' threads, so that a slow answer holds nothing up.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from cdcx_pandas import errors as e
from cdcx_pandas.engines.tracks.track import Now
from cdcx_pandas.streaming.asking import Helpers
from cdcx_pandas.streaming.core import Core, Place
from cdcx_pandas.streaming.pool import POOL
from cdcx_pandas.venues import credentials_for

if TYPE_CHECKING:
    from cdcx_pandas.channels import Channel
    from cdcx_pandas.engines.reconnect import Ending, Policy
    from cdcx_pandas.engines.stream import Event
    from cdcx_pandas.engines.watch import Question, Watch
    from cdcx_pandas.session import Session
    from cdcx_pandas.streaming.connection import Connection
    from cdcx_pandas.streaming.recording import Recorder

_log = logging.getLogger(__name__)
TURN_S = 0.1


class Driver(Core):
    """A `Watch` fed by connections.

    Parameters
    ----------
    watch
        What is watched.
    session
        Who is asked, and by which clock.
    policy
        The numbers of its connections.
    recorder
        Where all that is heard is written; None nowhere.
    """

    def __init__(
        self, watch: Watch, session: Session, policy: Policy, recorder: Recorder | None
    ) -> None:
        def now() -> Now:
            return Now.at(session.clock.monotonic(), session.now_ns())

        venue = session.venue
        place = Place(venue.name, venue.simulated, session.dialect.name, now)
        super().__init__(watch, place)
        self.session = session
        self.connections: list[Connection] = []
        self._policy = policy
        self._recorder = recorder
        self._helpers = Helpers("cdcx-ask")
        self._stopped = threading.Event()

    def venue_has(self) -> Session:
        """Return the session."""
        return self.session

    def start(self) -> None:
        """Connect, and begin to look."""
        session = self.session
        user = tuple(c for c in self.watch.channels if type(c) in session.dialect.streams.user)
        market = tuple(c for c in self.watch.channels if c not in user)
        venue = session.venue
        with self.lock:  # what a connection tells waits until it has its number
            if market:
                assert venue.ws is not None, "checked at the door"
                self._join(market, venue.ws)
            if user:
                assert venue.user_ws is not None, "checked at the door"
                self._join(user, venue.user_ws, signed=True)
        threading.Thread(target=self._run, name="cdcx-live", daemon=True).start()

    def _join(self, channels: tuple[Channel, ...], url: str, *, signed: bool = False) -> None:
        session = self.session
        credentials = credentials_for(session.venue, session.passed) if signed else None
        self.connections += POOL.join(
            self, channels, url=url, session=session, policy=self._policy, credentials=credentials
        )

    def stop(self) -> None:
        """Leave the connections; those nobody else uses end."""
        with self.lock:
            self._stopped.set()
            self.stopped(self.place.now())
        for connection in self.connections:
            connection.leave(self)
        if self._recorder is not None:
            self._recorder.close()

    # -------------------------------------------------------- on the connections' threads

    def opened(self, connection: Connection, now: Now, venue_ms: int) -> None:
        """Take note of a new connection."""
        with self.lock:
            if not self._stopped.is_set():
                self._note("opened", now, self._number(connection), venue_ms)
                self._states.setdefault(connection, (connection.state, connection.why))

    def heard(
        self, connection: Connection, frames: list[str | bytes], events: list[Event], now: Now
    ) -> None:
        """Take frames, and what they mean."""
        with self.lock:
            if self._stopped.is_set():
                return  # the last words of what was left
            self._note("frames" if frames else "tick", now, self._number(connection), frames)
            self.take(connection, events, now)

    def ended(self, connection: Connection, ending: Ending, events: list[Event], now: Now) -> None:
        """Take note of the end of a connection, or of an attempt."""
        with self.lock:
            if self._stopped.is_set():
                return
            self._note("ended", now, self._number(connection), list(ending))
            self.lost(events, ending.why)
            self.take(connection, events, now)

    def probed(
        self, connection: Connection, channel: Channel, now: Now, *, is_newer: bool | None
    ) -> None:
        """Take note of what the venue said of a silent channel."""
        with self.lock:
            if channel in self.watch.channels:  # others listen through the same connection
                place = self.watch.channels.index(channel)
                self._note("probed", now, self._number(connection), place, is_newer)

    def resubscribe(self) -> tuple[Channel, ...]:
        """Return channels that must be asked for anew."""
        with self.lock:
            return self.watch.resubscribe()

    def _number(self, connection: Connection) -> int:
        return self.connections.index(connection) if connection in self.connections else 0

    def _note(self, kind: str, now: Now, *about: Any) -> None:
        if self._recorder is None:
            return
        try:
            self._recorder.note(kind, now, *about)
        except OSError as error:  # a full disk ends the recording, not the stream
            self._recorder = None
            self.last_error = f"The recording broke off: {error.strerror or error}."

    # ------------------------------------------------------------------- on its own threads

    def _run(self) -> None:
        while not self._stopped.wait(TURN_S):
            try:
                self._turn()
            except Exception:  # noqa: BLE001  # it must go on
                _log.exception("a turn of a live stream")

    def _turn(self) -> None:
        with self.lock:
            now = self.place.now()
            self.watch.tick(now)
            self.count(now)
            questions = self.watch.questions(now)
            if questions:
                self._note("asked", now)
        for question in questions:
            self._helpers.submit(lambda question=question: self._ask(question))  # type: ignore[misc]  # each its own

    def _ask(self, question: Question) -> None:
        """Ask the venue, and tell the track; an answer after the end is nobody's."""
        if self._stopped.is_set():
            return
        place = self.watch.channels.index(question.channel)
        is_newer: bool | None = None
        try:
            answer = self.session.run(question.operation)
        except e.CdcxError as error:
            with self.lock:
                if self._stopped.is_set():
                    return
                now = self.place.now()
                self._note("failed", now, place, question.is_probe)
                self.last_error = f"{error.what} {error.why}".strip()
                self.watch.failed(question, now)
        else:
            with self.lock:
                if self._stopped.is_set():
                    return
                now = self.place.now()
                asked = _operation_told(question.operation)
                self._note("answered", now, place, question.is_probe, asked, answer.columns)
                is_newer = self.watch.answered(question, answer, now)
                self.changed.notify_all()
        if question.is_probe:
            for connection in self.connections:
                connection.probed(question.channel, is_newer=is_newer)


def _operation_told(operation: Any) -> dict[str, Any]:
    """Return the bounds of a question: what a track looks at when it is answered."""
    bounds = ("start", "end", "limit")
    return {name: getattr(operation, name) for name in bounds if hasattr(operation, name)}
