"""The sandbox's wires: HTTP and WebSocket on this machine's loopback, and nothing else.

With `streaming`, the only part of the sandbox with I/O. It knows paths, limits, keys and clocks;
what a question means is read by the dialect, what its answer is by the exchange, how it is
written by the dialect again. A path's beginning chooses the wire.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, NoReturn

from aiohttp import web

from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.errors import BadRequest, CdcxError, ClockSkew, RateLimited
from cdcx_pandas.sandbox.chaos import Chaos, Diary
from cdcx_pandas.sandbox.control import Control
from cdcx_pandas.sandbox.faults import Fault, Script, spoiled, with_holes
from cdcx_pandas.sandbox.keys import make_keys, may
from cdcx_pandas.sandbox.listener import CLOSING_S
from cdcx_pandas.sandbox.streaming import House, Streams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cdcx_pandas.credentials import Secret
    from cdcx_pandas.dialects.base import Limit
    from cdcx_pandas.sandbox.exchange import Exchange
    from cdcx_pandas.sandbox.rules import Wire
    from cdcx_pandas.transport.clock import Clock

LOOPBACK = "127.0.0.1"
_BODY_CAP = 64 << 10
_REMEMBERED = 10_000
_TEN_MINUTES_NS = 600 * 10**9


@dataclass(frozen=True)
class Options:
    """On what servers of this family differ.

    Attributes
    ----------
    rate_headers
        Whether answers tell what is left of the limits.
    short_order_ranges
        The platform's rule of August 2019: order lists span ten minutes at most.
    unlimited
        Whether the published limits are left out, so that a load can be measured.
    """

    rate_headers: bool = False
    short_order_ranges: bool = False
    unlimited: bool = False


@dataclass
class _Windows:
    """Questions counted in fixed windows, as the exchange counted them."""

    counts: dict[tuple[Limit, str], tuple[int, int]] = field(default_factory=dict)

    def take(self, limit: Limit, who: str, now: float) -> tuple[int, float]:
        """Count a question; return what is left (-1: none was) and when the window ends."""
        window = int(now / limit.window_s)
        at, used = self.counts.get((limit, who), (window, 0))
        used = used + 1 if at == window else 1
        self.counts[limit, who] = (window, used)
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
        self.port = 0
        self.stopped = asyncio.Event()
        self._clock = clock
        self._keys = {key.key: key for key in make_keys(exchange.seed)}
        self._limits: dict[tuple[str, str], Limit] = {
            (row.method, wire.root + row.path): limit
            for wire in wires
            for limit in wire.dialect.limits
            for row in wire.dialect.endpoints
            if row.bucket == limit.bucket and row.via == "http"
        }
        self._windows = _Windows()
        self._script = Script()
        self._seen: deque[tuple[str, str, int]] = deque(maxlen=_REMEMBERED)
        self._counted: Counter[str] = Counter()
        self._chaos, self._diary = Chaos(), Diary()
        house = House(
            exchange,
            clock,
            self._script,
            self._chaos,
            self._diary,
            self._keys,
            options.unlimited,
        )
        self._streams = [Streams(wire, line, house) for wire in wires for line in wire.lines]
        self._control = Control(house, self._streams, self.stopped, self._restart, self._asked)
        self.control_token = self._control.token
        self._runner: web.AppRunner | None = None
        self._site: web.BaseSite | None = None
        self._place: socket.socket | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # ----------------------------------------------------------------------------- life

    async def start(self, port: int = 0) -> None:
        """Listen on this machine; `OSError` when the port is taken."""
        app = web.Application(client_max_size=_BODY_CAP)
        for streams in self._streams:
            app.router.add_get(streams.line.path, self._streaming(streams))
        app.router.add_route("*", "/sandbox/{what}", self._control.serve)
        app.router.add_route("*", "/{path:.*}", self._ask)
        app.on_response_prepare.append(self._date)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=CLOSING_S
        )
        await self._runner.setup()
        self.port = await self._listen(web.TCPSite(self._runner, LOOPBACK, port))
        self._tasks = [
            asyncio.create_task(running) for streams in self._streams for running in streams.run()
        ]

    async def _listen(self, site: web.BaseSite) -> int:
        """Take connections from now on; return the port."""
        assert self._runner is not None, "made by start"
        await site.start()
        self._site = site
        (address,) = self._runner.addresses
        return int(address[1])

    async def _restart(self, seconds: float) -> None:
        """Go away, with all connections cut and new ones refused, and come back."""
        assert self._runner is not None, "started"
        if self._site is not None:  # not away already
            await self._site.stop()
            self._site = None
        if self._place is None:
            # Bound and not listened to: refused, and yet nobody else gets the port, as the own
            # end of a connection, say.
            self._place = socket.socket()
            self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._place.bind((LOOPBACK, self.port))
        self._cut_all()
        await asyncio.sleep(seconds)
        place, self._place = self._place, None
        await self._listen(web.SockSite(self._runner, place))

    def _cut_all(self) -> None:
        for streams in self._streams:
            for listener in list(streams.listeners):
                listener.abort()
        served = self._runner.server if self._runner is not None else None
        for connection in served.connections if isinstance(served, web.Server) else ():
            if connection.transport is not None:
                connection.transport.abort()

    async def stop(self) -> None:
        """Close everything."""
        await self._control.stop()
        if self._place is not None:
            self._place.close()
        for task in self._tasks:
            task.cancel()
        for streams in self._streams:
            for listener in list(streams.listeners):
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
        response = self._answer(wire, request, body, fault)
        if fault is not None:
            return await self._suffer_after(request, fault, response, wire)
        return _http(response)

    def _count(self, request: web.Request) -> None:
        self._seen.append((request.method, request.path, time.monotonic_ns()))
        self._counted[request.path] += 1

    def _asked(self) -> dict[str, Any]:
        return {"counts": dict(self._counted), "seen": list(self._seen)}

    def _wire_of(self, path: str) -> Wire:
        return next((w for w in self.wires if path.startswith(w.prefix)), self.wires[0])

    def _answer(
        self, wire: Wire, request: web.Request, body: bytes, fault: Fault | None
    ) -> m.HttpResponse:
        dialect = wire.dialect
        asked = m.HttpRequest(
            request.method,  # type: ignore[arg-type]  # any method; the dialect refuses
            request.path.removeprefix(wire.root),
            tuple(request.query.items()),
            tuple(request.headers.items()),
            body,
        )
        told: dict[str, str] = {}
        operation: op.Operation[Any] | None = None
        ref: str | None = None
        answer: object
        limit = self._limits.get((request.method, request.path))
        try:
            if limit is not None and limit.scope == "address":  # counted however it is asked
                self._check_limit(limit, request.remote or "", told)
            operation, caller = dialect.decode_request(asked, self._secret_of)
            key = self._keys[caller.key] if caller else None
            ref = caller.ref if caller else None
            if caller is not None and key is not None:
                if limit is not None and limit.scope == "key":
                    self._check_limit(limit, caller.key, told)
                self._check_time(caller, wire)
                may(key, operation, request.remote or "")
            operation = self._range_rule(operation)
            account = key.account if key else None
            answer = self.exchange.answer(operation, self._clock.now_ns(), account, wire.terms)
        except CdcxError as error:
            answer = error
        if fault is not None and fault.holes:
            answer = with_holes(answer, fault.holes)
        response = dialect.encode_response(operation, answer, ref=ref)
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

    def _check_time(self, caller: m.Caller, wire: Wire) -> None:
        off_s = caller.time_ms / 1000 - self._clock.now_ns() / 1e9
        if abs(off_s) > wire.clock_window_s:
            raise ClockSkew("The signed time is too far off.", offset=off_s)

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
        self, request: web.Request, fault: Fault, response: m.HttpResponse, wire: Wire
    ) -> web.StreamResponse:
        if fault.lose_answer:
            _abort(request)
        response = spoiled(fault, request.path, response, wire.refusal)
        if not fault.truncate:
            return _http(response)
        answer = web.StreamResponse(status=response.status)
        answer.content_length = len(response.body)
        await answer.prepare(request)
        await answer.write(response.body[: len(response.body) // 2])
        return _abort(request)

    # ----------------------------------------------------------------------------- stream

    def _streaming(
        self, streams: Streams
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            self._count(request)
            fault = self._script.next_for(request.path)
            if fault is None and self._chaos.is_on(self._clock.monotonic()):
                fault = self._chaos.of_opening()
            fault = fault or Fault()
            if fault.kind:
                self._diary.note(f"opening: {fault.kind}")
            await self._suffer_before(request, fault)
            if fault.status is not None:
                return _http(spoiled(fault, request.path, m.HttpResponse(200, b"")))
            return await streams.serve(request, fault)

        return handle


def _http(response: m.HttpResponse) -> web.Response:
    return web.Response(status=response.status, body=response.body, headers=response.headers)


def _abort(request: web.Request) -> NoReturn:
    """Close a connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    raise CutOnOrder


class CutOnOrder(asyncio.CancelledError):
    """Ends the handling of a question whose connection was cut on order."""
