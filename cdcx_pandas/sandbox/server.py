"""The sandbox's wires: HTTP and WebSocket on this machine's loopback, and nothing else.

The only part of the sandbox with I/O. It knows paths, limits, keys and clocks; what a question
means is read by the dialect, what its answer is by the exchange, how it is written by the
dialect again. A path's beginning chooses the dialect.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import secrets
import time
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
from aiohttp import WSMsgType, web

from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.channels import Channel, DepthChannel
from cdcx_pandas.errors import (
    BadRequest,
    CdcxError,
    ClockSkew,
    ProtocolError,
    RateLimited,
)
from cdcx_pandas.sandbox.faults import Fault, Script, read_fault
from cdcx_pandas.sandbox.keys import Key, make_keys, may
from cdcx_pandas.sandbox.stream import Feed, Pings, reply_to

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cdcx_pandas.credentials import Secret
    from cdcx_pandas.dialects.base import Dialect, Limit
    from cdcx_pandas.sandbox.exchange import Exchange
    from cdcx_pandas.transport.clock import Clock

LOOPBACK = "127.0.0.1"
_BODY_CAP = 64 << 10
_WAITING_CAP = 8 << 20
"""Bytes a slow listener may have waiting; then it is let go."""
_BINARY, _TEXT = 0x82, 0x81  # the first byte of a whole frame (RFC 6455, 5.2)
_REMEMBERED = 100_000
_TEN_MINUTES_NS = 600 * 10**9
_BOMB = 400 << 20


@dataclass(frozen=True)
class Wire:
    """One dialect, and where it is spoken."""

    dialect: Dialect
    rest_prefix: str
    stream_path: str


@dataclass(frozen=True)
class Options:
    """On what servers of this family differ.

    Attributes
    ----------
    acknowledges
        Whether subscriptions are confirmed.
    incremental_depth
        Whether books come as changes between whole ones.
    ping_every_s, ping_in_seconds
        How often, and in which unit, the stream asks whether one is there.
    clock_window_s
        How far a signed time may be off.
    rate_headers
        Whether answers tell what is left of the limits.
    short_order_ranges
        The platform's rule of August 2019: order lists span ten minutes at most.
    push_every_s
        The cadence of the stream.
    unlimited
        Whether the published limits are left out, so that a load can be measured.
    """

    acknowledges: bool = False
    incremental_depth: bool = False
    ping_every_s: float = 5.0
    ping_in_seconds: bool = False
    clock_window_s: float = 30.0
    rate_headers: bool = False
    short_order_ranges: bool = False
    push_every_s: float = 1.0
    unlimited: bool = False


@dataclass
class _Windows:
    """Questions counted in fixed windows, as the exchange counted them."""

    counts: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def take(self, limit: Limit, who: str, now: float) -> tuple[int, float]:
        """Count a question; return what is left (-1: none was) and when the window ends."""
        window = int(now / limit.window_s)
        at, used = self.counts.get((limit.bucket, who), (window, 0))
        used = used + 1 if at == window else 1
        self.counts[limit.bucket, who] = (window, used)
        left = max(limit.count - used, -1)
        return left, (window + 1) * limit.window_s - now


class Server:
    """Serves an exchange.

    Parameters
    ----------
    exchange
        What answers.
    wires
        The dialects, and their paths.
    clock
        The venue's time; its monotonic time counts limits and pings.
    options
        How it behaves.
    """

    def __init__(
        self, exchange: Exchange, wires: tuple[Wire, ...], clock: Clock, options: Options
    ) -> None:
        self.exchange = exchange
        self.wires = wires
        self.options = options
        self.control_token = secrets.token_urlsafe(24)
        self.port = 0
        self.stopped = asyncio.Event()
        self._clock = clock
        self._keys = {key.key: key for key in make_keys(exchange.seed)}
        self._limits = {
            (wire.dialect.name, limit.bucket): limit
            for wire in wires
            for limit in wire.dialect.limits
        }
        self._windows = _Windows()
        self._script = Script()
        self._seen: deque[tuple[str, str, int]] = deque(maxlen=_REMEMBERED)
        self._counted: Counter[str] = Counter()
        self._listeners: set[_Listener] = set()
        self._feeds: dict[tuple[str, Channel], Feed] = {}
        self._runner: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # ----------------------------------------------------------------------------- life

    async def start(self, port: int = 0) -> None:
        """Listen on this machine; `OSError` when the port is taken."""
        app = web.Application(client_max_size=_BODY_CAP)
        for wire in self.wires:
            app.router.add_get(wire.stream_path, self._streaming(wire))
        app.router.add_route("*", "/sandbox/{what}", self._control)
        app.router.add_route("*", "/{path:.*}", self._ask)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, port)
        await site.start()
        (address,) = self._runner.addresses
        self.port = address[1]
        self._tasks = [
            asyncio.create_task(self._push_for_ever()),
            asyncio.create_task(self._ping_for_ever()),
        ]

    async def stop(self) -> None:
        """Close everything."""
        for task in self._tasks:
            task.cancel()
        for listener in list(self._listeners):
            listener.abort()
        if self._runner is not None:
            await self._runner.cleanup()

    # ------------------------------------------------------------------------------ REST

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        """Answer one question, unless the script has other plans."""
        self._seen.append((request.method, request.path, time.monotonic_ns()))
        self._counted[request.path] += 1
        fault = self._script.next_for(request.path)
        body = await request.read()
        if fault is not None:
            await self._suffer_before(request, fault)
        wire = self._wire_of(request.path)
        response = self._answer(wire, request, body)
        if fault is not None:
            return await self._suffer_after(request, fault, response)
        return self._http(response)

    def _wire_of(self, path: str) -> Wire:
        return next((w for w in self.wires if path.startswith(w.rest_prefix)), self.wires[0])

    def _answer(self, wire: Wire, request: web.Request, body: bytes) -> m.HttpResponse:
        dialect = wire.dialect
        asked = m.HttpRequest(
            request.method,  # type: ignore[arg-type]  # any method; the dialect refuses
            request.path,
            tuple(request.query.items()),
            tuple(request.headers.items()),
            body,
        )
        told: dict[str, str] = {}
        operation: op.Operation[Any] | None = None
        answer: object
        try:
            operation, caller = dialect.decode_request(asked, self._secret_of)
            key = self._keys[caller.key] if caller else None
            self._check_limit(dialect, operation, caller.key if caller else request.remote, told)
            if caller is not None and key is not None:
                self._check_caller(caller, key, operation, request.remote or "")
            operation = self._range_rule(operation)
            account = key.account if key else None
            answer = self.exchange.answer(operation, self._clock.now_ns(), account)
        except CdcxError as error:
            answer = error
        response = dialect.encode_response(operation, answer)
        return replace(response, headers=response.headers | told)

    def _secret_of(self, key: str) -> Secret | None:
        known = self._keys.get(key)
        return known.sealed if known else None

    def _check_limit(
        self, dialect: Dialect, operation: op.Operation[Any], who: str | None, told: dict[str, str]
    ) -> None:
        limit = self._limits[dialect.name, dialect.endpoint(operation).bucket]
        left, resets_s = self._windows.take(limit, who or "", self._clock.monotonic())
        if self.options.rate_headers:
            told |= {
                "x-ratelimit-limit": str(limit.count),
                "x-ratelimit-remaining": str(max(left, 0)),
                "x-ratelimit-reset": f"{resets_s:.3f}",
            }
        if left < 0 and not self.options.unlimited:
            retry_after = max(resets_s, 0.001) if self.options.rate_headers else None
            raise RateLimited("Too many requests.", retry_after=retry_after)

    def _check_caller(
        self, caller: m.Caller, key: Key, operation: op.Operation[Any], address: str
    ) -> None:
        off_s = caller.time_ms / 1000 - self._clock.now_ns() / 1e9
        if abs(off_s) > self.options.clock_window_s:
            raise ClockSkew("The signed time is too far off.", offset=off_s)
        may(key, operation, address)

    def _range_rule(self, operation: op.Operation[Any]) -> op.Operation[Any]:
        if not self.options.short_order_ranges or not isinstance(operation, op.GetOrderHistory):
            return operation
        end = operation.end if operation.end is not None else self._clock.now_ns()
        start = operation.start if operation.start is not None else end - _TEN_MINUTES_NS
        if end - start > _TEN_MINUTES_NS:
            raise BadRequest("A range of orders spans ten minutes at most.")
        return replace(operation, start=start, end=end)

    def _http(self, response: m.HttpResponse) -> web.Response:
        date = formatdate(self._clock.now_ns() / 1e9, usegmt=True)
        headers = {**response.headers, "Date": date}
        return web.Response(status=response.status, body=response.body, headers=headers)

    # ----------------------------------------------------------------------------- faults

    async def _suffer_before(self, request: web.Request, fault: Fault) -> None:
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        if fault.drop:
            _abort(request)
        if fault.hang:
            await self.stopped.wait()

    async def _suffer_after(
        self, request: web.Request, fault: Fault, response: m.HttpResponse
    ) -> web.StreamResponse:
        if fault.lose_answer:
            _abort(request)
        if fault.status is not None:
            headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
            told = {"status": fault.status, "error": "On order", "path": request.path}
            body, kind = {
                "json": (msgspec.json.encode(told), "application/json"),
                "html": (b"<html><body>On order</body></html>", "text/html"),
                "empty": (b"", "text/plain"),
            }[fault.body]
            headers["Content-Type"] = kind
            response = m.HttpResponse(fault.status, body, headers)
        elif fault.code is not None:
            envelope = {"code": fault.code, "msg": "on order", "data": None}
            response = m.HttpResponse(200, msgspec.json.encode(envelope), {})
        elif fault.bomb:
            body = await asyncio.to_thread(gzip.compress, bytes(_BOMB), 9)
            response = m.HttpResponse(200, body, {"content-encoding": "gzip"})
        if not fault.truncate:
            return self._http(response)
        answer = web.StreamResponse(status=response.status)
        answer.content_length = len(response.body)
        await answer.prepare(request)
        await answer.write(response.body[: len(response.body) // 2])
        return _abort(request)

    async def _control(self, request: web.Request) -> web.Response:
        """Take orders of the one who started the sandbox: faults, state, stop."""
        given = request.headers.get("X-Sandbox-Token", "")
        if not secrets.compare_digest(given.encode(), self.control_token.encode()):
            return web.json_response({"error": "the token is missing or wrong"}, status=403)
        match request.method, request.match_info["what"]:
            case "POST", "faults":
                try:
                    self._script.add(read_fault(await request.json()))
                except (BadRequest, ValueError) as error:
                    return web.json_response({"error": str(error)}, status=400)
            case "DELETE", "faults":
                self._script.clear()
            case "POST", "cut":
                for listener in list(self._listeners):
                    listener.abort()
            case "POST", "stop":
                self.stopped.set()
            case "GET", "state":
                return web.json_response(self._state())
            case _:
                return web.json_response({"error": "no such order"}, status=404)
        return web.json_response({"done": True})

    def _state(self) -> dict[str, Any]:
        return {
            "run": self.exchange.run,
            "now_ns": self._clock.now_ns(),
            "counts": dict(self._counted),
            "seen": list(self._seen),
            "listeners": len(self._listeners),
            "feeds": len(self._feeds),
        }

    # ----------------------------------------------------------------------------- stream

    def _streaming(self, wire: Wire) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            fault = self._script.next_for(request.path)
            if fault is not None and fault.status is not None:
                return web.Response(status=fault.status)
            socket = web.WebSocketResponse(
                autoping=True, compress=False, max_msg_size=_BODY_CAP, heartbeat=None
            )
            await socket.prepare(request)
            pings = Pings(self.options.ping_every_s, next_at=self._clock.monotonic())
            listener = _Listener(wire, request, pings)
            listener.muted = fault is not None and fault.mute
            self._listeners.add(listener)
            try:
                await self._listen(listener, socket)
            finally:
                self._listeners.discard(listener)
                self._forget_feeds()
            return socket

        return handle

    async def _listen(self, listener: _Listener, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                with contextlib.suppress(ProtocolError):  # what is no message is ignored
                    self._hear(listener, listener.wire.dialect.decode_frame(message.data))

    def _hear(self, listener: _Listener, message: m.Message) -> None:
        wire = listener.wire
        now_ns = self._clock.now_ns()
        try:
            match message:
                case m.HeartbeatReply():
                    listener.pings.answered()
                case m.Request():
                    reply = reply_to(message, self.exchange, now_ns)
                    if reply is not None:
                        listener.tell(reply)
                case m.Subscribe(channel, ref):
                    feed = self._feed(wire, channel, now_ns)
                    if self.options.acknowledges:
                        listener.tell(m.Subscribed(channel, ref, now_ns))
                    for update in feed.first(self.exchange, now_ns):
                        listener.tell(update)
                    listener.channels.add(channel)
                case m.Unsubscribe(channel):
                    listener.drop(channel)
                case _:
                    pass
        except CdcxError:
            pass  # an unknown symbol, a bad channel: silence, as such servers keep it

    def _feed(self, wire: Wire, channel: Channel, now_ns: int) -> Feed:
        feed = self._feeds.get((wire.dialect.name, channel))
        if feed is None:
            feed = Feed(channel, incremental=self.options.incremental_depth)
            for _ in feed.due(self.exchange, now_ns, self._clock.monotonic()):
                pass  # from here on
            self._feeds[wire.dialect.name, channel] = feed
        return feed

    def _forget_feeds(self) -> None:
        wanted = {channel for listener in self._listeners for channel in listener.channels}
        for key in [key for key in self._feeds if key[1] not in wanted]:
            del self._feeds[key]

    async def _push_for_ever(self) -> None:
        """Tell every listener what is new, in the stream's cadence."""
        dialects = {wire.dialect.name: wire.dialect for wire in self.wires}
        while True:
            began = self._clock.monotonic()
            now_ns = self._clock.now_ns()
            for (name, channel), feed in list(self._feeds.items()):
                listeners = [
                    one for one in self._listeners if channel in one.channels and not one.muted
                ]
                for update in feed.due(self.exchange, now_ns, began):
                    frame = framed(dialects[name].encode_frame(update))
                    for listener in listeners:
                        listener.write(frame)
                await asyncio.sleep(0)
            rest_s = self.options.push_every_s - (self._clock.monotonic() - began)
            await asyncio.sleep(max(rest_s, 0.0))

    async def _ping_for_ever(self) -> None:
        """Ask every listener now and then whether it is there; let go who never answers."""
        unit = 10**9 if self.options.ping_in_seconds else 10**6
        while True:
            await asyncio.sleep(min(0.25, self.options.ping_every_s / 4))
            now = self._clock.monotonic()
            for listener in list(self._listeners):
                if not listener.pings.due(now):
                    continue
                if listener.pings.dead:
                    listener.abort()
                else:
                    listener.tell(m.Heartbeat(self._clock.now_ns() // unit))


class _Listener:
    """One connection of the stream."""

    def __init__(self, wire: Wire, request: web.Request, pings: Pings) -> None:
        self.wire = wire
        self.pings = pings
        self.channels: set[Channel] = set()
        self.muted = False
        self._request = request

    def tell(self, message: m.Message) -> None:
        """Send one message to this listener."""
        self.write(framed(self.wire.dialect.encode_frame(message)))

    def write(self, frame: bytes) -> None:
        """Send a frame; a listener that cannot keep up is let go.

        Straight to the transport: a server's frames are not masked, so the same bytes serve
        all listeners, and no task has to wake up for each of them.
        """
        transport = self._request.transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > _WAITING_CAP:
            self.abort()
        else:
            transport.write(frame)

    def drop(self, channel: Channel) -> None:
        """Forget a channel, whatever level count it was asked with."""
        self.channels = {one for one in self.channels if _stays(one, channel)}

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


def _stays(one: Channel, dropped: Channel) -> bool:
    """Tell whether `one` stays when `dropped` is left: a book is named without its levels."""
    if isinstance(one, DepthChannel) and isinstance(dropped, DepthChannel):
        return (one.symbol, one.step) != (dropped.symbol, dropped.step)
    return one != dropped


def _abort(request: web.Request) -> NoReturn:
    """Close a connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    raise CutOnOrder


class CutOnOrder(asyncio.CancelledError):
    """Ends the handling of a question whose connection was cut on order."""
