"""How much of the published allowance is used at full demand, and whether it is kept to.

Two processes with four threads each ask as fast as they may through one shared budget; a
server in this process notes when questions arrive.
"""

from __future__ import annotations

import multiprocessing
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from cdcx_pandas.dialects.v1 import DIALECT
from cdcx_pandas.transport.clock import SystemClock
from cdcx_pandas.transport.pacing import Pacer, SharedStore
from tests.benchmarks.row import Row

SECONDS = 10.0
PROCESSES, THREADS = 2, 4


def _demand(bucket: str, path: str, port: int, until: float) -> None:
    """Ask as fast as allowed; each question is one byte to the server."""
    pacer = Pacer(DIALECT.limits, "bench", SystemClock(), SharedStore(Path(path)))

    def ask() -> None:
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while time.monotonic() < until:
                pacer.wait(bucket, "key", 5.0)
                line.sendall(b".")

    threads = [threading.Thread(target=ask) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _arrivals(bucket: str) -> list[float]:
    arrivals: list[float] = []

    def note(line: socket.socket) -> None:
        with line:
            while data := line.recv(16):
                arrivals.extend([time.monotonic()] * len(data))

    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        until = time.monotonic() + SECONDS
        port = server.getsockname()[1]
        context = multiprocessing.get_context("spawn")
        asking = [
            context.Process(target=_demand, args=(bucket, str(Path(folder) / "pace"), port, until))
            for _ in range(PROCESSES)
        ]
        for process in asking:
            process.start()
        notes = []
        for _ in range(PROCESSES * THREADS):
            line, _ = server.accept()
            notes.append(threading.Thread(target=note, args=(line,)))
            notes[-1].start()
        for process in asking:
            process.join()
        for thread in notes:
            thread.join()
    return sorted(arrivals)


def most_in_a_window(arrivals: list[float], window_s: float) -> int:
    """Return the most arrivals in any window, counted by brute force."""
    most, first = 0, 0
    for last, at in enumerate(arrivals):
        while at - arrivals[first] >= window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


def run() -> Iterator[Row]:
    """Ask at full demand in the market's and in the orders' bucket."""
    limits = {limit.bucket: limit for limit in DIALECT.limits}
    for bucket, share in (("market", 0.90), ("/v1/order", 0.75)):
        limit = limits[bucket]
        arrivals = _arrivals(bucket)
        used = (len(arrivals) - 1) / (arrivals[-1] - arrivals[0]) / (limit.count / limit.window_s)
        most = most_in_a_window(arrivals, limit.window_s)
        yield Row(
            f"limiter, {bucket}: {PROCESSES} processes x {THREADS} threads, {SECONDS:g} s",
            f"{used:.0%} of the allowance; at most {most} of {limit.count} in any window",
            f"≥ {share:.0%}, never more than {limit.count}",
            used >= share and most <= limit.count,
        )
