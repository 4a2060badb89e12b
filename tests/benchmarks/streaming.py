"""From the socket to the rolling frame, one trade a frame; and what a view of it costs.

A server in another process sends frames encoded beforehand. Ours is all of it: `live`, its
threads, its state machine, its frame. The floor only receives, inflates and parses. ccxt and
cryptofeed know today's wire, not V1's, and are sent the very same trades of it. Where cryptofeed
is not installed, ``CDCX_CRYPTOFEED`` names a Python that has it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
import subprocess
import sys
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import ccxt.pro
import msgspec
import numpy as np
import pandas as pd
import websocket

from cdcx_pandas.channels import TradeChannel
from cdcx_pandas.engines.reconnect import Policy
from cdcx_pandas.engines.stream import ClientStream
from cdcx_pandas.engines.tracks.track import Now
from cdcx_pandas.engines.watch import Plan, Watch
from cdcx_pandas.frames.rolling import RollingFrame
from cdcx_pandas.session import Session
from cdcx_pandas.streaming.opening import live
from cdcx_pandas.tables import RECEIVED, TRADES, Columns
from cdcx_pandas.transport.pacing import MemoryStore, Pacer
from cdcx_pandas.transport.websocket import Socket
from cdcx_pandas.venues import Venue
from tests.benchmarks import raw_server
from tests.benchmarks.row import Row, best_of

FRAMES, OF_CCXT, OF_CRYPTOFEED = 40_000, 4_000, 20_000
ROUNDS = 3
IN_MEMORY, BATCH = 20_000, 100
PATHS = {"v1": ("", "/kline-api/ws"), "exchange": ("/exchange/v1", "/exchange/v1/market")}
SUBSCRIPTION = {
    "v1": '{"event":"sub","params":{"channel":"market_btcusdt_trade_ticker"}}',
    "exchange": '{"id":1,"method":"subscribe","params":{"channels":["trade.BTC_USDT"]}}',
}
WIRE = {"v1": "gzip", "exchange": "text"}
PATIENCE_S = 30.0


@contextmanager
def _server() -> Iterator[int]:
    """Run the raw server; it ends with its standard input."""
    command = [sys.executable, "-m", "tests.benchmarks.raw_server", str(FRAMES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None, "asked for"
        yield int(process.stdout.readline())
        process.communicate()


def _go(port: int, count: int) -> float:
    """Let all who listen have frames; return when they begin to come."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/go?frames={count}") as answer:
        answer.read()
    return time.perf_counter()


# ------------------------------------------------------------------------------------ ours


def _ours(port: int, dialect: str, count: int) -> float:
    """Return in how many seconds all trades are in the frame of a `Live`."""
    rest, ws = PATHS[dialect]
    venue = Venue(
        f"raw {time.monotonic_ns()}",  # a connection of its own each time
        dialect, rest=f"http://127.0.0.1:{port}{rest}", ws=f"ws://127.0.0.1:{port}{ws}",
        simulated=True,
    )  # fmt: skip
    session = Session(venue)
    session._pacer = Pacer(session.dialect.limits, venue.rest, session.clock, MemoryStore())
    with (
        session,
        live("btcusdt", channels=("trades",), window=2 * FRAMES, session=session) as stream,
    ):
        began = _go(port, count)
        while len(stream.view("trades")) < count + raw_server.PAGE:
            time.sleep(0.002)
            assert time.perf_counter() - began < PATIENCE_S, stream.health
        took = time.perf_counter() - began
        assert len(stream.gaps) == 0, stream.gaps
        return took


# ---------------------------------------------------------------------------- what else there is


def _floor(port: int, dialect: str, count: int) -> float:
    """Return in how many seconds they are received, inflated and parsed, and no more."""
    line = websocket.create_connection(
        f"ws://127.0.0.1:{port}{PATHS[dialect][1]}", skip_utf8_validation=True
    )
    line.send(SUBSCRIPTION[dialect])
    if dialect == "exchange":
        line.recv()
    decode = msgspec.json.Decoder().decode
    began = _go(port, count)
    for _ in range(count):
        frame = line.recv()
        decode(zlib.decompress(frame, 31) if dialect == "v1" else frame)
    took = time.perf_counter() - began
    line.close()
    return took


def _ccxt(port: int, count: int) -> float:
    """Return in how many seconds ``watch_trades`` of ccxt.pro tells all trades."""

    async def watch() -> float:
        exchange = ccxt.pro.cryptocom({"newUpdates": True, "options": {"tradesLimit": 2 * count}})
        exchange.urls["api"]["ws"]["public"] = f"ws://127.0.0.1:{port}/exchange/v1/market"
        exchange.set_markets([
            exchange.safe_market_structure(
                {"id": "BTC_USDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT",
                 "type": "spot", "spot": True}
            )
        ])  # fmt: skip
        going = asyncio.create_task(asyncio.to_thread(_go, port, count))
        taken = 0
        while taken < count:
            taken += len(await exchange.watch_trades("BTC/USDT"))
        took = time.perf_counter() - await going
        await exchange.close()
        return took

    return asyncio.run(watch())


def _cryptofeed_python() -> str | None:
    if importlib.util.find_spec("cryptofeed") is not None:
        return sys.executable
    return os.environ.get("CDCX_CRYPTOFEED")


def _cryptofeed(port: int, count: int, python: str) -> float:
    """Return in how many seconds cryptofeed calls back for each trade."""
    program = Path(__file__).with_name("by_cryptofeed.py")
    command = [python, str(program), str(port), str(count)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return float(told.stdout)


# --------------------------------------------------------------------------- where time goes


class _Line:
    """A socket that has received already, a few hundred frames a call as a busy one has."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def recv(self, size: int) -> bytes:
        chunk = self._data[self._at : self._at + size]
        self._at += len(chunk)
        if not chunk:
            raise BlockingIOError
        return chunk


def _taken_apart(data: bytes, count: int) -> list[str | bytes]:
    """Return the messages of bytes, as `Socket.messages` has them."""
    socket: Any = Socket.__new__(Socket)
    made = Socket.__init__.__globals__["_Frames"]()
    socket._line, socket._frames, socket._wire = _Line(data), made, None
    socket._parts, socket._is_text, socket._over, socket.bytes_in = [], False, None, 0
    socket._has_pending = lambda: True  # nothing to wait for
    messages: list[str | bytes] = []
    while len(messages) < count:
        messages += socket.messages(0)
    return messages


def _stages(dialect: str) -> dict[str, Callable[[], object]]:
    """Return each stage alone, over the same frames in memory."""
    speaks = raw_server.DIALECTS[dialect]
    data = b"".join(raw_server.frames(dialect, IN_MEMORY))
    frames = _taken_apart(data, IN_MEMORY)
    updates = [speaks.decode_frame(frame) for frame in frames]
    plan = Plan(("btcusdt",), True, "1min", ("trades",), 0, 2 * IN_MEMORY)

    def told() -> ClientStream:
        """Return a stream that is live."""
        stream = ClientStream(speaks, policy=Policy(), rng=random.Random(1))
        stream.want((TradeChannel("btcusdt"),), 0.0)
        stream.opened(0.0, 0)
        stream.tick(2.0)
        stream.events()
        return stream

    def decode() -> None:
        for frame in frames:
            speaks.decode_frame(frame)

    def receive() -> None:
        stream, count = told(), 0
        for at in range(0, IN_MEMORY, BATCH):
            for frame in frames[at : at + BATCH]:
                stream.receive(frame, 3.0)
            count += len(stream.events())
        assert count >= IN_MEMORY

    def track(batch: int) -> None:
        watch = Watch(plan, speaks)
        for at in range(0, IN_MEMORY, batch):
            watch.take(updates[at : at + batch], Now(3.0, 1))
        assert watch.trades is not None
        assert len(watch.trades) == IN_MEMORY

    return {
        "frames": lambda: _taken_apart(data, IN_MEMORY),
        "decode": decode,
        "decode and state machine": receive,
        "track and frame, one at a time": partial(track, 1),
        f"track and frame, {BATCH} at a time": partial(track, BATCH),
    }


def _appends() -> dict[str, Callable[[], object]]:
    columns = raw_server.trades(0, IN_MEMORY, "v1") | {"received": [1] * IN_MEMORY}
    columns |= {name: list(map(float, columns[name])) for name in ("price", "amount")}

    def append(batch: int) -> None:
        frame = RollingFrame(TRADES, 5000, extra=(RECEIVED,), numbered="id")
        for some in cut[batch]:
            frame.append(some, now_ns=1)

    def in_batches(batch: int) -> list[Columns]:
        return [
            {name: values[at : at + batch] for name, values in columns.items()}
            for at in range(0, IN_MEMORY, batch)
        ]

    cut = {batch: in_batches(batch) for batch in (1, 10, BATCH)}
    return {f"{batch} at a time": partial(append, batch) for batch in cut}


def _rates(calls: dict[str, Callable[[], object]]) -> str:
    """Return how many frames a second each call does."""
    return ", ".join(
        f"{name} {IN_MEMORY / took:,.0f}" for name, took in best_of(calls, rounds=5).items()
    )


# ------------------------------------------------------------------------------------ views


def _filled(rows: int) -> RollingFrame:
    """Return a frame full of so many trades, in the middle of its room."""
    frame = RollingFrame(TRADES, rows, extra=(RECEIVED,), most_bytes=1 << 30)
    for begin in range(0, rows + rows // 2, 50_000):
        count = min(50_000, rows + rows // 2 - begin)
        numbers = np.arange(begin, begin + count)
        columns: Columns = {
            "time": (raw_server.FIRST_NS + numbers * 10**6).tolist(),
            "id": list(map(str, numbers.tolist())),
            "price": np.round(60_000 + np.sin(numbers), 2).tolist(),
            "amount": [0.5] * count,
            "side": ["buy", "sell"] * (count // 2),
            "received": [1] * count,
        }
        frame.append(columns, now_ns=1)
    assert len(frame) == rows
    return frame


def _views() -> Iterator[Row]:
    short, long = _filled(1_000), _filled(1_000_000)
    took = best_of({"1,000": short.view, "1,000,000": long.view}, rounds=500)
    small, large = took["1,000"], took["1,000,000"]
    yield Row("a view of 1,000,000 rows, beside one of 1,000",
              f"{large / small:.2f} x ({large * 1e6:.0f} µs, {small * 1e6:.0f} µs)",
              "≤ 1.5 x, ≤ 200 µs", large <= 1.5 * small and large <= 200e-6)  # fmt: skip

    def by_concat(whole: pd.DataFrame) -> Callable[[], object]:
        row = whole.iloc[-1:].copy()
        return lambda: pd.concat([whole, row]).iloc[1:]

    copied = best_of(
        {"1,000": by_concat(short.frame()), "1,000,000": by_concat(long.frame())}, rounds=5
    )
    row = {name: values[:1] for name, values in raw_server.trades(0, 1, "v1").items()}
    frame = RollingFrame(TRADES, 1_000_000, most_bytes=1 << 30)

    def append() -> None:
        frame._keys.clear()
        frame.append(row, now_ns=1)

    one = best_of({"append": append}, rounds=2000)["append"]
    yield Row("one more row: appended, and by `pd.concat`",
              f"{one * 1e6:.1f} µs; {copied['1,000'] * 1e6:,.0f} µs of 1,000 rows,"
              f" {copied['1,000,000'] * 1e3:,.0f} ms of 1,000,000", "", None)  # fmt: skip


# -------------------------------------------------------------------------------------- all


def _least(call: Callable[[], float], rounds: int = ROUNDS) -> float:
    return min(call() for _ in range(rounds))


def _sockets(port: int) -> Iterator[Row]:
    rates: dict[str, float] = {}
    for dialect, wire in WIRE.items():
        ours = floor = float("inf")
        for _ in range(ROUNDS):  # in turns
            ours = min(ours, _ours(port, dialect, FRAMES))
            floor = min(floor, _floor(port, dialect, FRAMES))
        rates[dialect] = FRAMES / ours
        yield Row(f"{dialect}: socket to rolling frame, one trade a frame ({wire}), beside a loop"
                  " that only receives, inflates and parses",
                  f"{floor / ours:.2f} x ({FRAMES / ours:,.0f} and {FRAMES / floor:,.0f} frames/s)",
                  "≥ 0.5 x", floor / ours >= 0.5)  # fmt: skip
    theirs = OF_CCXT / _least(lambda: _ccxt(port, OF_CCXT))
    faster = rates["exchange"] / theirs
    yield Row("exchange: the same, beside `watch_trades` of ccxt.pro",
              f"{faster:.1f} x ({theirs:,.0f} frames/s)", "≥ 10 x", faster >= 10)  # fmt: skip
    python = _cryptofeed_python()
    if python is None:
        yield Row("exchange: the same, beside cryptofeed",
                  "cryptofeed is not installed", "≥ 2 x", None)  # fmt: skip
        return
    theirs = OF_CRYPTOFEED / _least(lambda: _cryptofeed(port, OF_CRYPTOFEED, python))
    faster = rates["exchange"] / theirs
    yield Row("exchange: the same, beside cryptofeed", f"{faster:.1f} x ({theirs:,.0f} frames/s)",
              "≥ 2 x", faster >= 2)  # fmt: skip


def run() -> Iterator[Row]:
    """Compare, and tell where the time goes."""
    with _server() as port:
        yield from _sockets(port)
    for dialect in WIRE:
        yield Row(f"{dialect}: frames a second of each stage alone", _rates(_stages(dialect)), "",
                  None)  # fmt: skip
    yield Row("rolling frame alone, rows a second", _rates(_appends()), "", None)
    yield from _views()
