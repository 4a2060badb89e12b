"""What watching costs: a busy `Live` in a real JupyterLab, from the event to the screen.

A server of its own process sends frames encoded beforehand at a steady pace, see `paced_server`.
Measured are the processor time of the two threads that only a view needs, how old the newest
event is when a frame is made of it, and how long a frame then takes to be drawn.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.benchmarks.row import Row
from tests.browser.lab import Lab, Notebook, missing, running_lab

RATES = (500, 5_000)
WARM_S, SECONDS = 4, 20
MOST_CPU, MOST_MS = 5.0, 50.0

SHOW = """
import os, threading, time
import cdcx_pandas as cdcx
from cdcx_pandas.session import Session
from cdcx_pandas.venues import Venue

here = "127.0.0.1:{port}/exchange/v1"
session = Session(Venue("paced", "exchange", f"http://{{here}}", f"ws://{{here}}/market",
                        simulated=True))
live = cdcx.live("btcusdt", "1min", session=session)

ages = []
made = live.scene

def scene(symbol=None, since=None):
    newest = live._watch.trades.newest(1, ("received",))
    told = made(symbol, since)
    if newest and told["version"] != since:
        ages.append((live._core.place.now().ns - newest[0][0]) / 1e6)
    return told

live.scene = scene
live
"""
STAND = """
def seconds(thread):  # /proc/self/task/*/stat would count by ticks, and miss what is short
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))

threads = {}
for thread in threading.enumerate():
    threads[thread.name] = threads.get(thread.name, 0.0) + seconds(thread)
ages[:], old = [], sorted(ages)
(time.monotonic(), threads, old[len(old) * 95 // 100] if old else None,
 live.health["messages_per_s"], live.state, len(live.gaps), os.getpid())
"""


@dataclass(frozen=True)
class Stand:
    """How the kernel stands, and since the last time how old the newest event of a frame was."""

    at: float
    threads: dict[str, float]
    age95_ms: float | None
    messages_per_s: float
    state: str
    gaps: int
    pid: int


def stand(notebook: Notebook) -> Stand:
    """Ask the kernel."""
    (output,) = notebook.run(1)
    return Stand(*ast.literal_eval(output["data"]["text/plain"]))


@contextmanager
def paced(frames: int) -> Iterator[int]:
    """Run the server; it ends with its standard input."""
    command = [sys.executable, "-m", "tests.benchmarks.paced_server", str(frames)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None, "asked for"
        try:
            yield int(process.stdout.readline())
        finally:
            process.communicate()


@contextmanager
def watched(lab: Lab, rate: int, seconds: int) -> Iterator[Notebook]:
    """Open a notebook that shows a `Live` with so many messages a second."""
    with paced(rate * (seconds + 30)) as port, lab.notebook(SHOW.format(port=port), STAND) as shown:
        shown.start(0)
        address = f"http://127.0.0.1:{port}/go?rate={rate}"
        with urllib.request.urlopen(address, timeout=60) as answer:
            answer.read()
        shown.until("Number(view?.dataset.bars) >= 300", timeout=30)
        shown.page.wait_for_timeout(WARM_S * 1000)
        yield shown


def _one(lab: Lab, rate: int) -> Iterator[Row]:
    with watched(lab, rate, SECONDS) as notebook:
        before, frames = stand(notebook), int(notebook.data("frames"))
        notebook.page.wait_for_timeout(SECONDS * 1000)
        drawn = int(notebook.data("frames")) - frames
        after = stand(notebook)
        lag = float(notebook.data("lag95"))
    took = after.at - before.at

    def percent(name: str) -> float:
        return 100 * (after.threads.get(name, 0.0) - before.threads.get(name, 0.0)) / took

    assert after.state == "live", after
    assert after.age95_ms is not None, "frames were made"
    view, sending, stream = map(percent, ("cdcx-view", "IOPub", "cdcx-stream"))
    what = f"a view of {after.messages_per_s:,.0f} messages/s"
    yield Row(f"{what}: threads of the view, % of a core",
              f"{view + sending:.1f} % ({view:.1f} making, {sending:.1f} sending;"
              f" the stream itself {stream:.1f})", "≤ 5 %", view + sending <= MOST_CPU)  # fmt: skip
    yield Row(f"{what}: from a frame's newest event to drawn, p95",
              f"≤ {after.age95_ms + lag:.0f} ms ({after.age95_ms:.0f} until the frame is made,"
              f" {lag:.0f} until drawn)", "≤ 50 ms", after.age95_ms + lag <= MOST_MS)  # fmt: skip
    yield Row(f"{what}: frames seen a second", f"{drawn / took:.1f}", "about 10", None)


def run() -> Iterator[Row]:
    """Measure in one JupyterLab, one market after the other."""
    if (why := missing()) is not None:
        yield Row("a view in JupyterLab", why, "", None)
        return
    with running_lab() as lab:
        for rate in RATES:
            yield from _one(lab, rate)
