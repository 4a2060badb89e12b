"""One address of a stream: who is connected, what they asked for, and when they are told.

This is I/O, the stream's part of it. What a message means is read by the dialect, what a
channel sends by its feed, how it is answered by the line's rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import WSMsgType, web

from cdcx_pandas import messages as m
from cdcx_pandas.errors import AuthError, CdcxError, ClockSkew, ProtocolError, UnknownSymbol
from cdcx_pandas.sandbox.feeds import Asked
from cdcx_pandas.sandbox.hub import Broadcast, Hub
from cdcx_pandas.sandbox.keys import may_read
from cdcx_pandas.sandbox.listener import Listener, framed
from cdcx_pandas.sandbox.mischief import Mischief, suffer
from cdcx_pandas.sandbox.stream import Pings, reply_to

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from cdcx_pandas.channels import Channel
    from cdcx_pandas.credentials import Secret
    from cdcx_pandas.sandbox.chaos import Chaos, Diary
    from cdcx_pandas.sandbox.exchange import Exchange
    from cdcx_pandas.sandbox.faults import Fault, Script
    from cdcx_pandas.sandbox.keys import Key
    from cdcx_pandas.sandbox.rules import Line, Wire
    from cdcx_pandas.transport.clock import Clock

_BODY_CAP = 64 << 10
UNAUTHORIZED, TOO_MANY_CHANNELS, TOO_MANY_REQUESTS, INVALID = "40101", "40107", "42901", "40003"
"""Codes of refusals; V1, which refuses in silence, needs none."""

_log = logging.getLogger(__name__)


class House(NamedTuple):
    """What all addresses share.

    Attributes
    ----------
    exchange, clock
        What is told, and the venue's time.
    script, chaos, diary
        What shall go wrong, what may by chance, and what did.
    keys
        Who may ask.
    unlimited
        Whether limits of connections are left out.
    """

    exchange: Exchange
    clock: Clock
    script: Script
    chaos: Chaos
    diary: Diary
    keys: Mapping[str, Key]
    unlimited: bool


class Streams:
    """The connections of one line.

    Parameters
    ----------
    wire, line
        How it is spoken, and the address.
    house
        What all addresses share.
    """

    def __init__(self, wire: Wire, line: Line, house: House) -> None:
        self.line = line
        self.listeners: set[Listener] = set()
        self._wire, self._dialect = wire, wire.dialect
        self._exchange, self._clock = house.exchange, house.clock
        self._keys, self._unlimited = house.keys, house.unlimited
        self._mischief = Mischief(
            house.script, house.chaos, house.diary, self._dialect.encode_frame, self._named
        )
        self.hub: Hub[Listener] = Hub(house.exchange, line.rules, self._named)

    def run(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Return what runs for ever."""
        return self._push_for_ever(), self._ping_for_ever()

    def _named(self, channel: Channel) -> str:
        """Return what a channel is called; the name stands in it, however it is arranged."""
        return str(self._dialect.encode_frame(m.Unsubscribe((channel,))))

    # -------------------------------------------------------------------------- listening

    async def serve(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        """Listen to one connection until it ends."""
        socket = web.WebSocketResponse(
            autoping=True, compress=False, max_msg_size=_BODY_CAP, heartbeat=None
        )
        await socket.prepare(request)
        pings = None if fault.no_pings else self._pings()
        listener = Listener(self._dialect, request, pings, muted=fault.mute)
        suffer(fault, listener)
        if fault.cut_inside:
            listener.cut_inside()
        self.listeners.add(listener)
        try:
            await self._listen(listener, socket)
        finally:
            listener.wanted.clear()
            self.listeners.discard(listener)
            self.hub.gone(listener)
        return socket

    def _pings(self) -> Pings:
        beats, now = self.line.beats, self._clock.monotonic()
        next_at = now + beats.every_s
        if beats.together:
            next_at -= next_at % beats.every_s
        return Pings(beats.every_s, next_at, beats.missed)

    async def _listen(self, listener: Listener, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                with contextlib.suppress(ProtocolError):  # what is no message is ignored
                    self._hear(listener, self._dialect.decode_frame(message.data))
                await asyncio.sleep(0)  # who asks a thousand things at once waits in line

    def _hear(self, listener: Listener, message: m.Message) -> None:
        if isinstance(message, m.HeartbeatReply):
            if listener.pings is not None:
                listener.pings.answered(message.value)
            return
        most, ref = self.line.most_requests, getattr(message, "ref", None)
        if most is not None and not listener.may_say(most) and not self._unlimited:
            listener.tell(m.Refused("TOO_MANY_REQUESTS", ref, TOO_MANY_REQUESTS))
            return
        match message:
            case m.Authenticate() if self.line.private:
                self._authenticate(listener, message)
            case m.Subscribe():
                self._subscribe(listener, message)
            case m.Unsubscribe(channels):
                for channel in channels:
                    listener.wanted.pop(self._named(channel), None)
                    self.hub.leave(listener, channel)
                if self.line.answers:
                    listener.tell(m.Unsubscribed(ref))
            case m.Request() if not self.line.answers:
                self._reply(listener, message)
            case _ if self.line.answers:
                listener.tell(m.Refused("No such method", ref, INVALID))
            case _:
                pass  # silence, as servers of V1 keep it

    def _reply(self, listener: Listener, message: m.Request) -> None:
        with contextlib.suppress(CdcxError):
            now_ns = self._clock.now_ns()
            reply = reply_to(message, self._exchange, now_ns, self._wire.terms)
            if reply is not None:
                listener.tell(reply)

    def _authenticate(self, listener: Listener, message: m.Authenticate) -> None:
        try:
            caller = self._dialect.verify(message, self._secret_of)
            off_s = caller.time_ms / 1000 - self._clock.now_ns() / 1e9
            if abs(off_s) > self._wire.clock_window_s:
                raise ClockSkew("INVALID_NONCE", offset=off_s, code="40102")
            key = self._keys[caller.key]
            may_read(key, "")
        except CdcxError as error:
            is_known = isinstance(error, AuthError) and error.code is not None
            code = (error.code if is_known else None) or UNAUTHORIZED
            words = error.what if isinstance(error, ClockSkew) else "UNAUTHORIZED"
            listener.tell(m.Refused(words, message.ref, code))
            return
        listener.key = key
        listener.tell(m.Authenticated(message.ref))

    def _secret_of(self, key: str) -> Secret | None:
        known = self._keys.get(key)
        return known.sealed if known else None

    # ----------------------------------------------------------------------- subscribing

    def _subscribe(self, listener: Listener, message: m.Subscribe) -> None:
        """Answer each channel by itself: a bad one does not spoil the others."""
        for refused in message.refused:
            self._refuse(listener, refused)
        for channel in message.channels:
            if self.line.private and listener.key is None:
                self._refuse(
                    listener, m.Refused("UNAUTHORIZED", message.ref, UNAUTHORIZED, channel)
                )
                continue
            account = listener.key.account if listener.key else None
            changes = bool(message.changes)
            asked = Asked(channel, changes, account, self._wire.terms, self.line.pace)
            self._want(listener, asked, message.ref)

    def _want(self, listener: Listener, asked: Asked, ref: str | None) -> None:
        name, most = self._named(asked.channel), self.line.most_channels
        if most is not None and name not in listener.wanted and len(listener.wanted) >= most:
            words = "Maximum subscriptions exceeded"
            self._refuse(listener, m.Refused(words, ref, TOO_MANY_CHANNELS))
            return
        try:
            rule = self.hub.rule(asked)
        except CdcxError as error:
            words = "Unknown symbol" if isinstance(error, UnknownSymbol) else "Unrecognized channel"
            self._refuse(listener, m.Refused(words, ref, INVALID, asked.channel))
            return
        mark = listener.wanted[name] = object()
        if rule.first_after_s:
            listener.tell(m.Subscribed(asked.channel, ref, self._clock.now_ns()))
            asyncio.get_running_loop().call_later(
                rule.first_after_s * self.line.pace, self._begin, listener, asked, name, mark
            )
            return
        try:
            first = self._joined(listener, asked)
        except CdcxError:
            listener.wanted.pop(name, None)
            words = "Unsupported instrument"
            self._refuse(listener, m.Refused(words, ref, INVALID, asked.channel))
            return
        if rule.acknowledged:
            listener.tell(m.Subscribed(asked.channel, ref, self._clock.now_ns()))
        for update in first:
            listener.tell(replace(update, ref=ref) if rule.refers else update)

    def _begin(self, listener: Listener, asked: Asked, name: str, mark: object) -> None:
        """Tell the first news, unless the listener has left or asked again meanwhile."""
        if listener.wanted.get(name) is mark:
            for update in self._joined(listener, asked):
                listener.tell(update)

    def _joined(self, listener: Listener, asked: Asked) -> list[m.Update]:
        return self.hub.join(listener, asked, self._clock.now_ns(), self._clock.monotonic())

    def _refuse(self, listener: Listener, refused: m.Refused) -> None:
        if self.line.answers:
            listener.tell(refused)

    # --------------------------------------------------------------------------- telling

    async def _push_for_ever(self) -> None:
        """Tell every listener what is new, each channel in its cadence."""
        while True:
            began = self._clock.monotonic()
            now_ns = self._clock.now_ns()
            for broadcast in self.hub.due(began, self.line.pace):
                try:
                    self._push(broadcast, now_ns, began)
                except Exception:  # noqa: BLE001  # one feed's trouble is not the others'
                    _log.exception("%s could not be told", broadcast.feed.channel)
                await asyncio.sleep(0)  # questions come first
            rest_s = self.line.turn_s - (self._clock.monotonic() - began)
            await asyncio.sleep(max(rest_s, 0.0))

    def _push(self, broadcast: Broadcast[Listener], now_ns: int, monotonic: float) -> None:
        """Tell all listeners of a feed what is due: written once, sent to each."""
        for update in broadcast.feed.due(self._exchange, now_ns, monotonic):
            if self._mischief.is_on(monotonic):
                self._mischief.tell(update, list(broadcast.listeners), monotonic)
                continue
            frame = framed(self._dialect.encode_frame(update))
            for listener in list(broadcast.listeners):
                listener.push(update.channel, frame)

    async def _ping_for_ever(self) -> None:
        """Ask every listener now and then whether it is there; let go who never answers."""
        beats = self.line.beats
        while True:
            await asyncio.sleep(min(0.25, beats.every_s / 4))
            now = self._clock.monotonic()
            for listener in list(self.listeners):
                if listener.pings is None or not listener.pings.due(now):
                    continue
                if not listener.pings.dead:
                    value = self._clock.now_ns() // beats.unit_ns
                    listener.pings.asked(value)
                    listener.tell(m.Heartbeat(value))
                elif beats.close is None:
                    listener.abort()
                else:
                    listener.close(beats.close)
