"""Plays a recording: the same inputs, in the same order, into the same engines."""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import TYPE_CHECKING, Any

from cdcx_pandas.engines.reconnect import Ending, Policy
from cdcx_pandas.engines.stream import ClientStream, State
from cdcx_pandas.engines.tracks.track import Now
from cdcx_pandas.engines.watch import Plan, Question, Watch
from cdcx_pandas.operations import GetKlines, GetTrades
from cdcx_pandas.streaming.core import Core, Place
from cdcx_pandas.streaming.recording import Entry, read_entries
from cdcx_pandas.tables import Answer
from cdcx_pandas.venues import Venue, dialect_of

if TYPE_CHECKING:
    import os

    from cdcx_pandas.channels import Channel

_log = logging.getLogger(__name__)


class Player(Core):
    """A `Watch` fed by a recording.

    Parameters
    ----------
    path, header
        The recording, and its first line.
    venue, plan
        Where it was made, and what was watched.
    speed
        How fast it is played.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        header: dict[str, Any],
        venue: Venue,
        plan: Plan,
        speed: float,
    ) -> None:
        self._now = Now(0.0, 0)
        place = Place(venue.name, header["simulated"], venue.dialect, lambda: self._now)
        self._dialect = dialect_of(venue).knowing(header["listing"])
        super().__init__(Watch(plan, self._dialect), place)
        self._path, self._speed = path, speed
        self._policy = Policy(**header["policy"])
        self._streams: dict[int, ClientStream] = {}
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to play."""
        threading.Thread(target=self._run, name="cdcx-replay", daemon=True).start()

    def stop(self) -> None:
        """End."""
        self._stopped.set()
        with self.lock:
            self.stopped(self._now)

    def _run(self) -> None:
        begun = time.monotonic()
        first: float | None = None
        try:
            for entry in read_entries(self._path):
                first = entry.monotonic if first is None else first
                due = begun + (entry.monotonic - first) / self._speed
                if self._stopped.wait(max(0.0, due - time.monotonic())):
                    return
                with self.lock:
                    self._now = Now(entry.monotonic, entry.ns)
                    self._play(entry)
                    self.count(self._now)
                    self.changed.notify_all()
        except Exception as error:  # noqa: BLE001  # told where a person looks
            _log.exception("a replay")
            self.last_error = str(error)
        with self.lock:
            self.watch.tick(Now(self._now.monotonic + 1.0, self._now.ns + 10**9))
            if not self._stopped.is_set():
                self._states = {"recording": (State.STOPPED, "the end of the recording")}
                self.events.append((self._now.ns, *self._states["recording"]))
                self.watch.version += 1
                self.changed.notify_all()

    def _play(self, entry: Entry) -> None:
        """Do what happened."""
        now, about, watch = self._now, entry.about, self.watch
        watch.tick(now)
        match entry.kind:
            case "asked":
                watch.questions(now)
            case "answered":
                place, is_probe, asked, columns = about
                channel = watch.channels[place]
                question = Question(channel, _operation(channel, asked), is_probe)
                watch.answered(question, Answer(channel.table, columns), now)
            case "failed":
                place, is_probe = about
                channel = watch.channels[place]
                watch.failed(Question(channel, _operation(channel, {}), is_probe), now)
            case _:
                self._play_stream(entry.kind, about, now)

    def _play_stream(self, kind: str, about: list[Any], now: Now) -> None:
        number, *rest = about
        stream = self._stream(number, now)
        match kind:
            case "opened":
                stream.opened(now.monotonic, rest[0])
            case "frames":
                stream.heard(now.monotonic)
                for frame in rest[0]:
                    stream.receive(frame, now.monotonic)
            case "tick":
                stream.tick(now.monotonic)
            case "ended":
                ending = Ending(*rest[0])
                stream.ended(ending, now.monotonic)
                events = stream.events()
                self.lost(events, ending.why)
                self.take(number, events, now)
            case "probed":
                place, is_newer = rest
                channel = self.watch.channels[place]
                stream.probed(channel, is_newer=is_newer, now=now.monotonic)
            case _:
                _log.warning("a recording says %r, which this version does not know", kind)
        self.take(number, stream.events(), now)
        stream.to_send()
        stream.is_over = None  # it ended when it did

    def _stream(self, number: int, now: Now) -> ClientStream:
        known = self._streams.get(number)
        if known is None:
            rng = random.Random(0)  # noqa: S311  # its delays are not waited for
            known = ClientStream(self._dialect, policy=self._policy, rng=rng)
            known.want(self.watch.channels, now.monotonic)
            self._streams[number] = known
        return known


def _operation(channel: Channel, asked: dict[str, Any]) -> Any:
    """Return a question as the track of a channel looks at it."""
    symbol: Any = getattr(channel, "symbol", None)
    if channel.table is GetTrades.table:
        return GetTrades(symbol, **asked)
    period: Any = getattr(channel, "period", "1min")
    return GetKlines(symbol, period, **asked)
