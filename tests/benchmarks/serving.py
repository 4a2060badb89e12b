"""The sandbox: how soon it is there, how fast it answers, how much it can send."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from cdcx_pandas import launch
from cdcx_pandas.channels import TickerChannel
from cdcx_pandas.dialects.v1 import DIALECT
from cdcx_pandas.messages import Subscribe
from tests.benchmarks.row import Row

ASKERS, ASK_S = 16, 4.0
LISTENERS, LISTEN_S = 200, 4.0


FAST_TAPE = ("--push-every", "0.005", "--speed", "3600")


@contextmanager
def _sandbox(*options: str) -> Iterator[launch.Running]:
    running = launch.start(("--no-limits", *options))
    try:
        yield running
    finally:
        running.stop()


async def _pages(running: launch.Running) -> float:
    """Return the slowest of many kline pages of any year and period, in seconds."""
    dice = random.Random(5)
    slowest = 0.0
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(running.addresses["v1"].ws, max_msg_size=0) as stream,
    ):
        for _ in range(200):
            symbol = dice.choice(["btcusdt", "crobtc", "icxcro", "ethusdt", "vetbtc"])
            period = dice.choice(["1min", "5min", "15min", "30min", "60min", "1day", "1week"])
            end = dice.randrange(1_580_000_000, 1_790_000_000)
            channel = f"market_{symbol}_kline_{period}"
            params = {"channel": channel, "endIdx": str(end), "pageSize": 300}
            began = time.perf_counter()
            await stream.send_json({"event": "req", "params": params})
            await stream.receive_bytes()
            slowest = max(slowest, time.perf_counter() - began)
    return slowest


async def _asks(root: str) -> float:
    """Return answers a second to many askers at once, by a client that does little."""
    request = b"GET /v1/ticker?symbol=btcusdt HTTP/1.1\r\nHost: x\r\n\r\n"
    host, port = root.removeprefix("http://").split(":")
    answered = 0

    async def ask(until: float) -> None:
        nonlocal answered
        reader, writer = await asyncio.open_connection(host, int(port))
        while time.perf_counter() < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            answered += 1
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(ask(began + ASK_S) for _ in range(ASKERS)))
    return answered / (time.perf_counter() - began)


async def _listens(running: launch.Running) -> float:
    """Return messages a second to many listeners."""
    heard = 0

    async def listen(session: aiohttp.ClientSession, until: float) -> None:
        nonlocal heard
        async with session.ws_connect(running.addresses["v1"].ws, autoping=False) as stream:
            await stream.send_str(str(DIALECT.encode_frame(Subscribe((TickerChannel("btcusdt"),)))))
            while (left := until - time.perf_counter()) > 0:
                try:
                    await stream.receive(timeout=left)
                except TimeoutError:
                    break
                heard += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        began = time.perf_counter()
        await asyncio.gather(*(listen(session, began + LISTEN_S) for _ in range(LISTENERS)))
        return heard / (time.perf_counter() - began)


def run() -> Iterator[Row]:
    """Start one, and ask it."""
    starts = []
    for _ in range(5):
        began = time.perf_counter()
        with _sandbox():
            starts.append(time.perf_counter() - began)
    yield Row("the sandbox is up within", f"{min(starts):.2f} s (of {len(starts)} starts)",
              "≤ 1.5 s", min(starts) <= 1.5)  # fmt: skip
    with _sandbox() as running:
        slowest = asyncio.run(_pages(running))
        yield Row("any kline page of any year, the slowest of 200", f"{slowest * 1e3:.0f} ms",
                  "≤ 50 ms", slowest <= 0.050)  # fmt: skip
        rate = asyncio.run(_asks(running.addresses["v1"].rest))
        yield Row("answers a second (one ticker, 16 askers)", f"{rate:,.0f}", "≥ 2,000",
                  rate >= 2000)  # fmt: skip
    with _sandbox(*FAST_TAPE) as running:
        heard = asyncio.run(_listens(running))
        yield Row(f"stream messages a second ({LISTENERS} listeners)", f"{heard:,.0f}",
                  "≥ 20,000", heard >= 20_000)  # fmt: skip
