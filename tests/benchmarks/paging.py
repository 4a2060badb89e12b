"""A year of one-minute klines, page by page, beside the time the venue's own limit takes.

The sandbox answers each page after 50 ms, as a far venue would, and takes 100 questions a
second. 1,752 pages of 300 minutes take 17.52 s at that pace and no less.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import requests

import cdcx_pandas as cdcx
from cdcx_pandas import launch
from cdcx_pandas.session import Session
from cdcx_pandas.transport.clock import ScaledClock
from cdcx_pandas.transport.pacing import Pacer, SharedStore
from cdcx_pandas.venues import Venue
from tests.benchmarks.row import Row

PATH = "/exchange/v1/public/get-candlestick"
LATENCY_S = 0.050
MINUTES = 365 * 1440
START, END = "2023-01-01", "2024-01-01"


def _session(running: launch.Running, folder: str) -> Session:
    address = running.addresses["exchange"]
    venue = Venue("sandbox", "exchange", address.rest, address.ws, simulated=True)
    clock = ScaledClock(running.at_ns, running.since_ns, running.speed)
    dialect = Session(venue).dialect
    pacer = Pacer(dialect.limits, "bench", clock, SharedStore(Path(folder) / "pace"))
    return Session(venue, clock=clock, pacer=pacer)


def _slow_down(running: launch.Running) -> None:
    answer = requests.post(
        f"{running.control_url}/faults",
        json={"where": PATH, "times": 0, "delay_s": LATENCY_S},
        headers={"X-Sandbox-Token": running.control_token},
        timeout=10,
    )
    answer.raise_for_status()


def run() -> Iterator[Row]:
    """Read the year."""
    running = launch.start(())
    try:
        with tempfile.TemporaryDirectory() as folder:
            session = _session(running, folder)
            session.symbol("btcusdt")
            _slow_down(running)
            began = time.perf_counter()
            year = cdcx.klines(
                "btcusdt", "1min", start=START, end=END, progress=False, session=session
            )
            took_s = time.perf_counter() - began
            session.close()
    finally:
        running.stop()
    assert len(year) == MINUTES, len(year)
    limit_s = MINUTES / 300 / 100
    ratio = took_s / limit_s
    yield Row(
        f"a year of minutes ({MINUTES // 300:,} pages, 100 a second, {LATENCY_S * 1e3:g} ms away)",
        f"{took_s:.1f} s: {ratio:.2f} x the limit's own {limit_s:.1f} s",
        "≤ 1.12 x",
        ratio <= 1.12,
    )
