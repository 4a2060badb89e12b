"""The sandbox's wires: HTTP and WebSocket on this machine's loopback, and nothing else.

The only part of the sandbox with I/O. It knows paths, limits, keys and clocks; what a question
means is read by the dialect, what its answer is by the exchange, how it is written by the
dialect again. A path's beginning chooses the dialect.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, NoReturn

from aiohttp import WSMsgType, web

from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.errors import (
    BadRequest,
    CdcxError,
    ClockSkew,
    ProtocolError,
    RateLimited,
)
from cdcx_pandas.sandbox.faults import Fault, Script, read_fault, spoiled, spoiled_frame
from cdcx_pandas.sandbox.keys import Key, make_keys, may
from cdcx_pandas.sandbox.ledger import USER
from cdcx_pandas.sandbox.stream import Broadcast, Hub, Pings, reply_to

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cdcx_pandas.credentials import Secret
    from cdcx_pandas.dialects.base import Dialect, Limit
    from cdcx_pandas.sandbox.exchange import Exchange
    from cdcx_pandas.transport.clock import Clock

LOOPBACK = "127.0.0.1"
_BODY_CAP = 64 << 10
_WAITING_CAP = 2 << 20
"""Bytes a slow listener may have waiting; then it is let go."""
_TEXT, _BINARY, _CLOSE = 0x81, 0x82, 0x88  # first bytes of a whole frame (RFC 6455, 5.2)
_CLOSING_S = 1.0
"""How long the other side may take to close, once told to."""
_REMEMBERED = 10_000
_TEN_MINUTES_NS = 600 * 10**9

_log = logging.getLogger(__name__)


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
        self._limits: dict[tuple[str, str], Limit] = {
            (row.method, row.path): limit
            for wire in wires
            for limit in wire.dialect.limits
            for row in wire.dialect.endpoints
            if row.bucket == limit.bucket and row.via == "http"
        }
        self._windows = _Windows()
        self._script = Script()
        self._seen: deque[tuple[str, str, int]] = deque(maxlen=_REMEMBERED)
        self._counted: Counter[str] = Counter()
        self._listeners: set[_Listener] = set()
        self._hub: Hub[_Listener] = Hub(exchange, incremental=options.incremental_depth)
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
        app.on_response_prepare.append(self._date)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=_CLOSING_S
        )
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
        self._count(request)
        fault = self._script.next_for(request.path)
        body = await request.read()
        if fault is not None:
            await self._suffer_before(request, fault)
        wire = self._wire_of(request.path)
        response = self._answer(wire, request, body)
        if fault is not None:
            return await self._suffer_after(request, fault, response)
        return _http(response)

    def _count(self, request: web.Request) -> None:
        self._seen.append((request.method, request.path, time.monotonic_ns()))
        self._counted[request.path] += 1

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
        limit = self._limits.get((request.method, request.path))
        try:
            if limit is not None and limit.scope == "address":  # counted however it is asked
                self._check_limit(limit, request.remote or "", told)
            operation, caller = dialect.decode_request(asked, self._secret_of)
            key = self._keys[caller.key] if caller else None
            if caller is not None and key is not None:
                if limit is not None and limit.scope == "key":
                    self._check_limit(limit, caller.key, told)
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

    def _check_limit(self, limit: Limit, who: str, told: dict[str, str]) -> None:
        left, resets_s = self._windows.take(limit, who, self._clock.monotonic())
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

    async def _date(self, _: web.Request, response: web.StreamResponse) -> None:
        """Say the venue's time, not the machine's."""
        response.headers["Date"] = formatdate(self._clock.now_ns() / 1e9, usegmt=True)

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
        response = spoiled(fault, request.path, response)
        if not fault.truncate:
            return _http(response)
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
                code = request.query.get("code", "")
                for listener in list(self._listeners):
                    listener.close(int(code)) if code.isdecimal() else listener.abort()
            case "POST", "stop":
                self.stopped.set()
            case "GET", "state":
                return web.json_response(self._state())
            case _:
                return web.json_response({"error": "no such order"}, status=404)
        return web.json_response({"done": True})

    def _state(self) -> dict[str, Any]:
        """Tell what a test cannot see from outside."""
        now_ns = self._clock.now_ns()
        asked = op.GetOrderHistory(page_size=_REMEMBERED)
        orders = self.exchange.answer(asked, now_ns, USER).columns
        try:
            self.exchange.ledger.check()
        except AssertionError as error:
            conserved = str(error)
        else:
            conserved = ""
        return {
            "run": self.exchange.run,
            "now_ns": now_ns,
            "counts": dict(self._counted),
            "seen": list(self._seen),
            "listeners": len(self._listeners),
            "feeds": len(self._hub),
            "faults": len(self._script),
            "ledger": conserved or "conserved",
            "orders": [
                {k: None if v is None else str(v) for k, v in zip(orders, row, strict=True)}
                for row in zip(*orders.values(), strict=True)
            ],
        }

    # ----------------------------------------------------------------------------- stream

    def _streaming(self, wire: Wire) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            self._count(request)
            fault = self._script.next_for(request.path) or Fault()
            await self._suffer_before(request, fault)
            if fault.status is not None:
                return _http(spoiled(fault, request.path, m.HttpResponse(200, b"")))
            socket = web.WebSocketResponse(
                autoping=True, compress=False, max_msg_size=_BODY_CAP, heartbeat=None
            )
            await socket.prepare(request)
            every_s = self.options.ping_every_s
            pings = Pings(every_s, next_at=self._clock.monotonic() + every_s)
            listener = _Listener(wire, request, pings, muted=fault.mute)
            if fault.close is not None:
                listener.close(fault.close)
            self._listeners.add(listener)
            try:
                await self._listen(listener, socket)
            finally:
                self._listeners.discard(listener)
                self._hub.gone(listener)
            return socket

        return handle

    async def _listen(self, listener: _Listener, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                with contextlib.suppress(ProtocolError):  # what is no message is ignored
                    self._hear(listener, listener.wire.dialect.decode_frame(message.data))
                await asyncio.sleep(0)  # who asks a thousand things at once waits in line

    def _hear(self, listener: _Listener, message: m.Message) -> None:
        wire = listener.wire
        now_ns = self._clock.now_ns()
        try:
            match message:
                case m.HeartbeatReply(value):
                    listener.pings.answered(value)
                case m.Request():
                    reply = reply_to(message, self.exchange, now_ns)
                    if reply is not None:
                        listener.tell(reply)
                case m.Subscribe((channel,), ref):
                    first = self._hub.join(
                        listener, wire.dialect.name, channel, now_ns, self._clock.monotonic()
                    )
                    if self.options.acknowledges:
                        listener.tell(m.Subscribed(channel, ref, now_ns))
                    for update in first:
                        listener.tell(update)
                case m.Unsubscribe((channel,)):
                    self._hub.leave(listener, wire.dialect.name, channel)
                case _:
                    pass
        except CdcxError:
            pass  # an unknown symbol, a bad channel: silence, as such servers keep it

    async def _push_for_ever(self) -> None:
        """Tell every listener what is new, in the stream's cadence."""
        dialects = {wire.dialect.name: wire.dialect for wire in self.wires}
        while True:
            began = self._clock.monotonic()
            now_ns = self._clock.now_ns()
            for broadcast in self._hub.broadcasts():
                try:
                    self._push(broadcast, dialects[broadcast.dialect], now_ns, began)
                except Exception:  # noqa: BLE001  # one feed's trouble is not the others'
                    _log.exception("%s could not be told", broadcast.feed.channel)
                await asyncio.sleep(0)  # questions come first
            rest_s = self.options.push_every_s - (self._clock.monotonic() - began)
            await asyncio.sleep(max(rest_s, 0.0))

    def _push(
        self, broadcast: Broadcast[_Listener], dialect: Dialect, now_ns: int, monotonic: float
    ) -> None:
        """Tell all listeners of a feed what is due: written once, sent to each."""
        for update in broadcast.feed.due(self.exchange, now_ns, monotonic):
            payload = dialect.encode_frame(update)
            fault = self._fault_on(dialect, update) if len(self._script) else None
            if fault is None:
                frame = framed(payload)
                for listener in list(broadcast.listeners):
                    listener.write(frame)
            elif not fault.mute:
                told = framed(spoiled_frame(fault, payload))
                asyncio.get_running_loop().call_later(
                    fault.delay_s, _spoil, fault, told, list(broadcast.listeners)
                )

    def _fault_on(self, dialect: Dialect, update: m.Update) -> Fault | None:
        return self._script.next_on(str(dialect.encode_frame(m.Unsubscribe((update.channel,)))))

    async def _ping_for_ever(self) -> None:
        """Ask every listener now and then whether it is there; let go who never answers."""
        unit_ns = 10**9 if self.options.ping_in_seconds else 10**6
        while True:
            await asyncio.sleep(min(0.25, self.options.ping_every_s / 4))
            now = self._clock.monotonic()
            for listener in list(self._listeners):
                if not listener.pings.due(now):
                    continue
                if listener.pings.dead:
                    listener.abort()
                else:
                    value = self._clock.now_ns() // unit_ns
                    listener.pings.asked(value)
                    listener.tell(m.Heartbeat(value))


class _Listener:
    """One connection of the stream; a muted one hears pings only."""

    def __init__(self, wire: Wire, request: web.Request, pings: Pings, *, muted: bool) -> None:
        self.wire = wire
        self.pings = pings
        self._muted = muted
        self._request = request

    def tell(self, message: m.Message) -> None:
        """Send one message to this listener."""
        frame = framed(self.wire.dialect.encode_frame(message))
        self.write(frame, is_ping=isinstance(message, m.Heartbeat))

    def write(self, frame: bytes, *, is_ping: bool = False) -> None:
        """Send a frame; a listener that cannot keep up is let go.

        Straight to the transport: a server's frames are not masked, so the same bytes serve
        all listeners, and no task has to wake up for each of them.
        """
        transport = self._request.transport
        if transport is None or transport.is_closing() or (self._muted and not is_ping):
            return
        if transport.get_write_buffer_size() > _WAITING_CAP:
            transport.abort()
        else:
            transport.write(frame)

    def close(self, code: int) -> None:
        """Close the stream with a code; cut it where the other side does not follow."""
        self.write(bytes((_CLOSE, 2)) + code.to_bytes(2, "big"), is_ping=True)
        asyncio.get_running_loop().call_later(_CLOSING_S, self.abort)

    def abort(self) -> None:
        """Cut the connection."""
        if self._request.transport is not None:
            self._request.transport.abort()


def _spoil(fault: Fault, frame: bytes, listeners: list[_Listener]) -> None:
    """Do to the listeners of a channel what was ordered."""
    for listener in listeners:
        if fault.drop:
            listener.abort()
        elif fault.close is not None:
            listener.close(fault.close)
        else:
            listener.write(frame)


def _http(response: m.HttpResponse) -> web.Response:
    return web.Response(status=response.status, body=response.body, headers=response.headers)


def framed(message: str | bytes) -> bytes:
    """Return a message as one unmasked WebSocket frame (RFC 6455, 5.2)."""
    first, payload = (_TEXT, message.encode()) if isinstance(message, str) else (_BINARY, message)
    size = len(payload)
    if size < 126:  # the length codes of the RFC
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


def _abort(request: web.Request) -> NoReturn:
    """Close a connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    raise CutOnOrder


class CutOnOrder(asyncio.CancelledError):
    """Ends the handling of a question whose connection was cut on order."""
