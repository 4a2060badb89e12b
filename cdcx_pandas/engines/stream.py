"""One connection of a stream as a state machine, without I/O: what it says, and what came of it.

A driver with a socket, and one with a recording, tell it what happened (`opened`, `receive`,
`ended`, `tick`) and do what it wants (`to_send`, `wants_ping`, `is_over`). Time is an argument,
monotonic seconds. What data means is left to who takes the `events`: it knows channels, not rows.

Connected is what brings data, not what has a socket. A peer without a byte is asked by a ping; a
channel without data may be quiet or mute, so that the venue is asked by a `Probe` before anything
is done about it, and pings never count as data.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from cdcx_pandas import messages as m
from cdcx_pandas.channels import DepthChannel, KlineChannel, TickerChannel, TradeChannel
from cdcx_pandas.engines.reconnect import Backoff, Ending, Policy
from cdcx_pandas.errors import CdcxError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cdcx_pandas.channels import Channel
    from cdcx_pandas.credentials import Credentials
    from cdcx_pandas.dialects.base import Dialect
    from cdcx_pandas.engines.retry import Random

_NEVER = float("inf")
_GAPS_IN_BUSY = 10.0
"""A busy channel may be without data for so many of its usual gaps."""
_GAP_WEIGHT = 0.05
_PROBE_S = 30.0
"""An answer to a probe that takes longer is none."""


class State(StrEnum):
    """Where a stream stands; the words a person reads."""

    IDLE = "idle"
    CONNECTING = "connecting"
    SUBSCRIBING = "subscribing"
    LIVE = "live"
    STALE = "stale"
    BACKOFF = "reconnecting"
    STOPPED = "stopped"
    FAILED = "failed"


class Changed(NamedTuple):
    """The state is another one."""

    state: State
    why: str


class Interrupted(NamedTuple):
    """News may be missing from now on, of these channels; `why` says what happened."""

    channels: tuple[Channel, ...]
    why: str


class Resumed(NamedTuple):
    """A channel is told again: what was missed before can be asked for now."""

    channel: Channel


class Probe(NamedTuple):
    """A channel has no data: does the venue have newer? Tell by `ClientStream.probed`."""

    channel: Channel


class Refused(NamedTuple):
    """The venue does not tell this channel."""

    channel: Channel | None
    text: str


Event = m.Update | Changed | Interrupted | Resumed | Probe | Refused


@dataclass(slots=True)
class _Clock:
    """When a channel was asked for and heard, and what is done about its silence."""

    asked_at: float
    heard_at: float = -1.0
    acknowledged: bool = False
    asked_again: bool = False
    probed_at: float = -1.0
    mute_at: float = -1.0
    gap_s: float = 0.0

    @property
    def alive_at(self) -> float:
        return max(self.asked_at, self.heard_at)

    def hear(self, now: float) -> None:
        if self.heard_at > 0:
            gap = now - self.heard_at
            self.gap_s += (gap - self.gap_s) * _GAP_WEIGHT if self.gap_s else gap
        self.heard_at = now
        self.probed_at = self.mute_at = -1.0


class ClientStream:
    """One connection, from our side.

    Parameters
    ----------
    dialect
        How the venue speaks, knowing its markets.
    policy
        The numbers.
    rng
        Spreads attempts.
    credentials
        Who listens, on an account's stream.

    Attributes
    ----------
    state, why
        Where it stands, and why.
    due
        When `tick` has something to do, monotonic.
    wants_ping
        Whether the other side is to be asked by a ping; the driver sets it back.
    is_over
        Whether the connection is to be closed; the driver then tells `ended`.
    reconnects
        How often a connection was lost.
    frames, damaged
        How many frames came, and how many of them could not be read.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        policy: Policy,
        rng: Random,
        credentials: Credentials | None = None,
    ) -> None:
        self.state, self.why = State.IDLE, ""
        self.wants_ping = False
        self.is_over: Ending | None = None
        self.reconnects = self.frames = self.damaged = 0
        self._dialect, self._terms = dialect, dialect.streams
        self._policy = policy
        self._backoff = Backoff(policy, rng)
        self._credentials = credentials
        self._clocks: dict[Channel, _Clock] = {}
        self._asked: dict[str, tuple[Channel, ...]] = {}
        self._events: list[Event] = []
        self._outbox: list[str] = []
        self._ref = 0
        self._is_open = False
        self._is_ready = False
        self._ready_at = self._connect_at = _NEVER
        self._opened_at = self._bytes_at = self._pinged_at = 0.0
        self._opened_ms = 0
        self._auth_ref: str | None = None
        self._auth_at = _NEVER
        self._had_data = False
        self.due = _NEVER

    # ------------------------------------------------------------------------------ wishes

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What is listened to."""
        return tuple(self._clocks)

    @property
    def should_connect(self) -> bool:
        """Whether a connection is to be opened now."""
        return self.state is State.CONNECTING and not self._is_open

    def want(self, channels: Iterable[Channel], now: float) -> None:
        """Listen to channels; one that is listened to already is asked for again.

        Asked again, a server tells the whole book, and the newest rows, once more.
        """
        channels = tuple(channels)
        for channel in channels:
            self._clocks[channel] = _Clock(now)
        if self._is_ready:
            self._subscribe(channels, now)
        elif self.state is State.IDLE and channels:
            self._change(State.CONNECTING, "")
        self._plan(now)

    def unwant(self, channels: Iterable[Channel], now: float) -> None:
        """Listen no more."""
        gone = [channel for channel in channels if self._clocks.pop(channel, None) is not None]
        if self._is_ready:
            size = self._terms.channels_per_frame
            for at in range(0, len(gone), size):
                self._say(m.Unsubscribe(tuple(gone[at : at + size]), self._next_ref()))
        self._plan(now)

    def stop(self, why: str = "") -> None:
        """End it for good."""
        self._is_open = self._is_ready = False
        self._change(State.STOPPED, why)
        self.due = _NEVER

    # ---------------------------------------------------------------------- what happened

    def opened(self, now: float, venue_ms: int) -> None:
        """Take note of a connection; `venue_ms` is the venue's time, to sign with."""
        self._is_open, self._is_ready, self._had_data = True, False, False
        self.is_over, self.wants_ping = None, False
        self._opened_at = self._bytes_at = now
        self._pinged_at = 0.0
        self._opened_ms = venue_ms
        self._ready_at = now + self._terms.settles_s
        self._auth_ref, self._auth_at = None, _NEVER
        self._outbox.clear()
        self._asked.clear()
        for clock in self._clocks.values():
            clock.probed_at = clock.mute_at = -1.0
            clock.asked_again = False
        self._change(State.SUBSCRIBING, "")
        self.tick(now)

    def ended(self, ending: Ending, now: float) -> None:
        """Take note that a connection is over, or was not to be had."""
        was_open, self._is_open, self._is_ready = self._is_open, False, False
        self.is_over = None
        self._outbox.clear()
        self._ready_at = _NEVER
        if self.state in {State.STOPPED, State.FAILED}:
            return
        if was_open:
            self.reconnects += 1
            if self._had_data and now - self._opened_at >= self._policy.steady_s:
                self._backoff.steady()
            self._events.append(Interrupted(self.channels, ending.why))
        again_at = self._backoff.after(ending, now)
        if again_at is None:
            self._change(State.FAILED, ending.why)
            self.due = _NEVER
            return
        self._connect_at = again_at
        self._change(State.BACKOFF, ending.why)
        self._plan(now)

    def heard(self, now: float) -> None:
        """Take note that bytes came, whatever they are."""
        self._bytes_at = now

    def receive(self, frame: str | bytes, now: float) -> None:
        """Take a frame."""
        if not self._is_open:
            return  # the last words of a connection that is over
        self.frames += 1
        try:
            message = self._dialect.decode_frame(frame)
        except CdcxError as error:
            self._damaged(error, now)
            return
        if type(message) is m.Update:
            self._take(message, now)
            return
        match message:
            case m.Heartbeat(value):
                self._say(m.HeartbeatReply(value))
            case m.Authenticated() if self._auth_ref is not None:
                self._auth_ref, self._auth_at = None, _NEVER
                self._begin(now)
            case m.Subscribed(channel, ref):
                for one in (channel,) if channel is not None else self._asked.get(ref or "", ()):
                    if one in self._clocks:
                        self._resume(one, self._clocks[one])
                        if type(one) in self._terms.user:  # it may be quiet for days
                            self._had_data = True
                            self._look_alive(now)
            case m.Refused(text, ref, _, channel):
                self._refused(text, ref, channel)
            case _:
                pass  # what is not for us, or has no word yet

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self.state is State.BACKOFF and now >= self._connect_at:
            self._change(State.CONNECTING, "")
        if self._is_open and self.is_over is None:
            self._tick_open(now)
        self._plan(now)

    def probed(self, channel: Channel, *, is_newer: bool | None, now: float) -> None:
        """Say whether the venue has newer data of a channel; None when it could not be asked."""
        clock = self._clocks.get(channel)
        if clock is None or clock.probed_at < 0 or not self._is_ready:
            return  # asked of a connection that is over
        clock.probed_at = -1.0
        if is_newer:
            clock.mute_at = now
            self._events.append(Interrupted((channel,), "a channel was mute"))
            self._subscribe((channel,), now)
        elif is_newer is False:
            clock.asked_at = now  # quiet: its clock begins anew
        else:
            clock.asked_at = now - self._stale_s(channel, clock) + self._policy.mute_within_s
        self._look_alive(now)
        self._plan(now)

    def resubscribe(self, channels: Iterable[Channel], now: float) -> None:
        """Ask for channels once more: their books are needed whole."""
        wanted = tuple(channel for channel in channels if channel in self._clocks)
        if self._is_ready and wanted:
            self._subscribe(wanted, now)

    # -------------------------------------------------------------------------- what comes

    def events(self) -> list[Event]:
        """Return what happened since it was asked last, in order."""
        events, self._events = self._events, []
        return events

    def to_send(self) -> list[str]:
        """Return the frames that are to be sent now."""
        frames, self._outbox = self._outbox, []
        return frames

    # ------------------------------------------------------------------------------ inside

    def _change(self, state: State, why: str) -> None:
        if state is not self.state or why != self.why:
            self.state, self.why = state, why
            self._events.append(Changed(state, why))

    def _take(self, update: m.Update, now: float) -> None:
        clock = self._clocks.get(update.channel)
        if clock is None:
            return  # a late one, of a channel that is no longer wanted
        clock.hear(now)
        if not clock.acknowledged:
            self._resume(update.channel, clock)
        self._had_data = True
        if self.state is not State.LIVE:
            self._look_alive(now)
        self._events.append(update)

    def _resume(self, channel: Channel, clock: _Clock) -> None:
        if not clock.acknowledged:
            clock.acknowledged = True
            self._events.append(Resumed(channel))

    def _damaged(self, error: CdcxError, now: float) -> None:
        """Give the connection up: what the frame would have told is unknown, and so is the rest."""
        self.damaged += 1
        self._over(Ending(f"a frame could not be read: {error.why or error.what}", damaged=True))
        self._plan(now)

    def _refused(self, text: str, ref: str | None, channel: Channel | None) -> None:
        if ref is not None and ref == self._auth_ref:
            self._over(Ending(f"the key was refused: {text}", http_status=401))
            return
        channels = (channel,) if channel is not None else self._asked.get(ref or "", ())
        for one in channels:
            self._clocks.pop(one, None)
            self._events.append(Refused(one, text))
        if not channels:
            self._events.append(Refused(None, text))

    def _over(self, ending: Ending) -> None:
        if self.is_over is None:
            self.is_over = ending

    def _tick_open(self, now: float) -> None:
        if not self._is_ready and self._auth_ref is None and now >= self._ready_at:
            self._ready_at = _NEVER
            if self._credentials is None:
                self._begin(now)
            else:
                self._authenticate(now)
        if now - self._auth_at > self._policy.ack_within_s:
            self._over(Ending("no answer to who we are"))
        self._ask_whether_there(now)
        if self._is_ready:
            self._mind_channels(now)

    def _authenticate(self, now: float) -> None:
        assert self._credentials is not None, "asked for with credentials only"
        self._auth_ref, self._auth_at = self._next_ref(), now
        signed_ms = self._venue_ms(now)
        self._say(self._dialect.authenticate(self._credentials, signed_ms, self._auth_ref))

    def _begin(self, now: float) -> None:
        self._is_ready = True
        self._subscribe(self.channels, now)

    def _subscribe(self, channels: tuple[Channel, ...], now: float) -> None:
        size = self._terms.channels_per_frame
        for at in range(0, len(channels), size):
            some, ref = channels[at : at + size], self._next_ref()
            self._asked[ref] = some
            books = any(isinstance(channel, DepthChannel) for channel in some)
            changes = self._terms.changes if books else None
            time_ms = self._venue_ms(now) if self._terms.acknowledges else None
            self._say(m.Subscribe(some, ref, changes, time_ms))
        for channel in channels:
            clock = self._clocks[channel]
            clock.asked_at, clock.acknowledged = now, False

    def _ask_whether_there(self, now: float) -> None:
        silent_s = now - self._bytes_at
        if silent_s < self._policy.ping_after_s:
            self._pinged_at = 0.0
        elif not self._pinged_at:
            self._pinged_at, self.wants_ping = now, True
        elif now - self._pinged_at > self._policy.pong_within_s:
            self._over(Ending(f"nothing was heard for {silent_s:.0f} s, and no answer to a ping"))

    def _mind_channels(self, now: float) -> None:
        policy = self._policy
        for channel, clock in list(self._clocks.items()):
            if not clock.acknowledged and not self._terms.acknowledges:
                if now - clock.asked_at > policy.taken_after_s:
                    self._resume(channel, clock)
            elif not clock.acknowledged:
                if now - clock.asked_at > policy.ack_within_s:
                    self._unanswered(channel, clock, now)
            elif clock.mute_at >= 0:
                if now - clock.mute_at > policy.mute_within_s:
                    self._over(Ending("a channel stayed mute though the venue has newer data"))
            elif clock.probed_at >= 0:
                if now - clock.probed_at > _PROBE_S:
                    self._over(
                        Ending("a channel is silent and nobody could say whether it is mute")
                    )
            elif now - clock.alive_at > self._stale_s(channel, clock):
                clock.probed_at = now
                self._change(State.STALE, f"no data of {_words(channel)}")
                self._events.append(Probe(channel))

    def _unanswered(self, channel: Channel, clock: _Clock, now: float) -> None:
        if clock.asked_again:
            self._over(Ending(f"no answer to the subscription of {_words(channel)}"))
            return
        self._subscribe((channel,), now)
        clock.asked_again = True

    def _look_alive(self, now: float) -> None:
        """Be live again when data came and no channel is suspected."""
        clocks = self._clocks.values()
        if self._had_data and not any(c.mute_at >= 0 or c.probed_at >= 0 for c in clocks):
            self._change(State.LIVE, "")
        if self._had_data and now - self._opened_at >= self._policy.steady_s:
            self._backoff.steady()

    def _stale_s(self, channel: Channel, clock: _Clock) -> float:
        policy = self._policy
        match channel:
            case DepthChannel():
                usual = policy.depth_stale_s
            case TickerChannel():
                usual = policy.ticker_stale_s
            case KlineChannel():
                usual = policy.kline_stale_s
            case TradeChannel():
                usual = policy.trade_stale_s
            case _:
                return _NEVER  # an account may be quiet for days
        if clock.gap_s:
            return min(usual, max(policy.stale_least_s, _GAPS_IN_BUSY * clock.gap_s))
        return usual

    def _plan(self, now: float) -> None:
        """Work out when there is something to do next."""
        if self.state is State.BACKOFF:
            self.due = self._connect_at
        elif self._is_open:
            self.due = min(self._ready_at, now + self._policy.tick_s)
        else:
            self.due = now if self.state is State.CONNECTING else _NEVER

    def _venue_ms(self, now: float) -> int:
        return self._opened_ms + int((now - self._opened_at) * 1000)

    def _next_ref(self) -> str:
        self._ref += 1
        return str(self._ref)

    def _say(self, message: m.Message) -> None:
        self._outbox.append(str(self._dialect.encode_frame(message)))


def _words(channel: Channel) -> str:
    """Return a channel as a person says it."""
    about: Any = getattr(channel, "symbol", None)
    return f"{channel.table.name} of {about}" if about else channel.table.name
