"""What a live stream and a replayed one have in common: a `Watch` under one lock, and its state."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from cdcx_pandas.engines.stream import Changed, Interrupted, Refused, State

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from cdcx_pandas.engines.stream import Event
    from cdcx_pandas.engines.tracks.track import Now
    from cdcx_pandas.engines.watch import Watch

MOST_EVENTS = 10_000
RATE_S = 5.0
"""Messages per second are those of so many seconds."""

_WORST_FIRST = (
    State.FAILED, State.BACKOFF, State.CONNECTING, State.SUBSCRIBING, State.STALE, State.LIVE,
    State.IDLE, State.STOPPED,
)  # fmt: skip


_BEGUN = (State.CONNECTING, "")


class Place(NamedTuple):
    """Where news comes from.

    Attributes
    ----------
    venue, simulated, dialect
        As frames tell it.
    now
        Returns the present: of the venue, or of a recording.
    """

    venue: str
    simulated: bool
    dialect: str
    now: Callable[[], Now]


class Core:
    """A `Watch`, its lock, and where its connections stand.

    Parameters
    ----------
    watch, place
        What is watched, and where.

    Attributes
    ----------
    lock
        Held by who writes to the watch, or reads what changes in place.
    changed
        Notified when anything happened.
    events
        The states so far: time in ns, state, why.
    reconnects
        How often a connection was lost.
    """

    def __init__(self, watch: Watch, place: Place) -> None:
        self.watch, self.place = watch, place
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.events: deque[tuple[int, str, str]] = deque(maxlen=MOST_EVENTS)
        self.reconnects = 0
        self.last_error = ""
        self._states: dict[Hashable, tuple[State, str]] = {}
        self._rates: deque[tuple[float, int]] = deque()

    def start(self) -> None:
        """Begin."""
        raise NotImplementedError

    def stop(self) -> None:
        """End."""
        raise NotImplementedError

    def state(self) -> tuple[State, str]:
        """Return the worst state of all connections, and why."""
        states = list(self._states.values())
        return min(states, key=lambda told: _WORST_FIRST.index(told[0]), default=_BEGUN)

    def take(self, source: Hashable, events: Iterable[Event], now: Now) -> None:
        """Take what a connection tells; the lock is held."""
        events = list(events)
        for event in events:
            if isinstance(event, Changed):
                self._change(source, event.state, event.why, now)
            elif isinstance(event, Refused):
                self.last_error = f"The venue refused a channel: {event.text}"
        self.watch.take(events, now)
        self.changed.notify_all()

    def _change(self, source: Hashable, state: State, why: str, now: Now) -> None:
        before = self.state() if self._states else None
        self._states[source] = (state, why)
        after = self.state()
        if after != before:
            self.events.append((now.ns, *after))
            self.watch.version += 1

    def lost(self, events: Iterable[Event], why: str) -> None:
        """Count the loss of a connection, if it was one; the lock is held."""
        if any(isinstance(event, Interrupted) for event in events):
            self.reconnects += 1
        self.last_error = why

    def count(self, now: Now) -> None:
        """Note how much news came so far, for the rate."""
        self._rates.append((now.monotonic, self.watch.messages))
        while now.monotonic - self._rates[0][0] > RATE_S and len(self._rates) > 2:
            self._rates.popleft()

    def messages_per_s(self) -> float:
        """Return how much news comes in a second."""
        if len(self._rates) < 2:
            return 0.0
        (begun, before), (ended, after) = self._rates[0], self._rates[-1]
        return (after - before) / (ended - begun) if ended > begun else 0.0

    def stopped(self, now: Now) -> None:
        """Say that it is over; the lock is held."""
        for source in self._states:
            self._states[source] = (State.STOPPED, "")
        self._states["stopped"] = (State.STOPPED, "")
        self.events.append((now.ns, str(State.STOPPED), ""))
        self.watch.version += 1
        self.changed.notify_all()

    def venue_has(self) -> Any:
        """Return the session that can be asked, None where nobody can."""
        return None
