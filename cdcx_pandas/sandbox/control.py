"""What the one who started the sandbox may order and ask of it, past every wire.

Who asks shows the control token as ``X-Sandbox-Token``; everything is JSON, below ``/sandbox/``.

* ``POST faults``: a `faults.Fault`; ``DELETE faults`` takes back what has not happened.
* ``POST chaos``: `chaos.Orders`; without rates it ends.
* ``POST cut[?code=1012]``: cuts, or closes, every stream.
* ``POST restart?seconds=S``: away and back; the exchange keeps its state.
* ``GET truth?...``: what really happened, `truth.truth`.
* ``GET state``: what was asked, what went wrong (``happened``, ``diary``), orders, ledger.
* ``POST stop``: the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
from typing import TYPE_CHECKING, Any

from aiohttp import web

from cdcx_pandas import operations as op
from cdcx_pandas.errors import CdcxError
from cdcx_pandas.sandbox.chaos import read_orders
from cdcx_pandas.sandbox.faults import read_fault
from cdcx_pandas.sandbox.ledger import USER
from cdcx_pandas.sandbox.mischief import suffer
from cdcx_pandas.sandbox.truth import truth

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from cdcx_pandas.sandbox.faults import Fault
    from cdcx_pandas.sandbox.listener import Listener
    from cdcx_pandas.sandbox.streaming import House, Streams

_TICK_S = 0.005
_MOST_SECONDS = 3600.0
_MOST_ORDERS = 10_000


class Control:
    """Orders to the sandbox.

    Parameters
    ----------
    house, streams
        What may be asked about, and who listens.
    stopped
        Set by an order to stop.
    restart
        Goes away and comes back after so many seconds.
    asked
        What was asked of the sandbox so far, for its state.
    """

    def __init__(
        self,
        house: House,
        streams: Sequence[Streams],
        stopped: asyncio.Event,
        restart: Callable[[float], Awaitable[None]],
        asked: Callable[[], dict[str, Any]],
    ) -> None:
        self.token = secrets.token_urlsafe(24)
        self._house = house
        self._streams = streams
        self._stopped = stopped
        self._restart = restart
        self._asked = asked
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Take an order, if it comes from the right one."""
        given = request.headers.get("X-Sandbox-Token", "")
        if not secrets.compare_digest(given.encode(), self.token.encode()):
            return web.json_response({"error": "the token is missing or wrong"}, status=403)
        try:
            return await self._obey(request)
        except (CdcxError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)

    async def _obey(self, request: web.Request) -> web.Response:
        house = self._house
        match request.method, request.match_info["what"]:
            case "POST", "faults":
                house.script.add(read_fault(await request.json()))
            case "DELETE", "faults":
                house.script.clear()
            case "POST", "chaos":
                house.chaos.begin(read_orders(await request.json()), house.clock.monotonic())
                self._start("chaos", self._befall_connections())
            case "POST", "cut":
                self._cut(request.query.get("code", ""))
            case "POST", "restart":
                self._start("restart", self._go_away(_seconds(request.query.get("seconds", "1"))))
                response = web.json_response({"done": True})
                response.force_close()
                return response
            case "POST", "stop":
                self._stopped.set()
            case "GET", "truth":
                told = truth(request.query, house.exchange, house.clock.now_ns())
                return web.json_response(told)
            case "GET", "state":
                return web.json_response(self._state())
            case _:
                return web.json_response({"error": "no such order"}, status=404)
        return web.json_response({"done": True})

    def _start(self, name: str, running: Any) -> None:
        """Run something in the background, instead of what runs there already."""
        before = self._tasks.get(name)
        if before is not None:
            before.cancel()
        self._tasks[name] = asyncio.create_task(running)

    async def stop(self) -> None:
        """End what runs in the background."""
        for task in self._tasks.values():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    # ------------------------------------------------------------------------- connections

    def _listeners(self) -> list[Listener]:
        return [listener for streams in self._streams for listener in streams.listeners]

    def _cut(self, code: str) -> None:
        for listener in self._listeners():
            self._house.diary.note("cut", listener.number)
            listener.close(int(code)) if code.isdecimal() else listener.abort()

    async def _befall_connections(self) -> None:
        """Let connections suffer by chance until the time is over."""
        clock, chaos = self._house.clock, self._house.chaos
        due: list[Fault] = []
        while chaos.is_on(now := clock.monotonic()):
            due += chaos.of_connections(now)
            while due and (
                there := sorted(
                    (one for one in self._listeners() if one.is_open), key=lambda one: one.number
                )
            ):
                self._befall(due.pop(0), chaos.one_of(there))
            await asyncio.sleep(_TICK_S)

    def _befall(self, fault: Fault, listener: Listener) -> None:
        self._house.diary.note(fault.kind, listener.number)
        if not suffer(fault, listener):
            listener.cut_inside()

    async def _go_away(self, seconds: float) -> None:
        await asyncio.sleep(_TICK_S)  # the order is answered first
        self._house.diary.note("restart")
        await self._restart(seconds)
        self._house.diary.note("back")

    # ------------------------------------------------------------------------------- state

    def _state(self) -> dict[str, Any]:
        """Tell what a test cannot see from outside."""
        house = self._house
        now_ns = house.clock.now_ns()
        asked = op.GetOrderHistory(page_size=_MOST_ORDERS)
        orders = house.exchange.answer(asked, now_ns, USER).columns
        try:
            house.exchange.ledger.check()
        except AssertionError as error:
            conserved = str(error)
        else:
            conserved = ""
        return self._asked() | {
            "run": house.exchange.run,
            "now_ns": now_ns,
            "listeners": len(self._listeners()),
            "feeds": sum(len(streams.hub) for streams in self._streams),
            "faults": len(house.script),
            "chaos": house.chaos.is_on(house.clock.monotonic()),
            "happened": dict(house.diary.counts),
            "diary": list(house.diary.entries),
            "ledger": conserved or "conserved",
            "orders": [
                {k: None if v is None else str(v) for k, v in zip(orders, row, strict=True)}
                for row in zip(*orders.values(), strict=True)
            ],
        }


def _seconds(text: str) -> float:
    seconds = float(text)
    if not math.isfinite(seconds) or not 0 <= seconds <= _MOST_SECONDS:
        raise ValueError(f"seconds are from 0 to {_MOST_SECONDS:g}")
    return seconds
