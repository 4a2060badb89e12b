"""``python -m tests.faults.soak_view [MINUTES]``: look at a busy market for long.

Does memory stay flat? A real JupyterLab shows a `Live` of 500 messages a second. Every ten
seconds what the browser's scripts hold, what its renderer takes and what the kernel takes is
noted; after a minute, when all windows are full, a line is laid through each. It ends with 1
where one of them climbs.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.viewing import stand, watched
from tests.browser.lab import Notebook, missing, running_lab

RATE = 500
EVERY_S, WARM_S = 10, 60
MOST = 1.0
"""MB a minute; what goes up and down in a few minutes stays below."""
MB = 2**20


def main(minutes: float = 10) -> int:
    """Watch, and print what became of memory."""
    if (why := missing()) is not None:
        print(why)
        return 0
    seconds = int(minutes * 60)
    print(f"a view of {RATE} messages/s for {minutes:g} minutes")
    with running_lab() as lab, watched(lab, RATE, WARM_S + seconds) as notebook:
        begun, frames = stand(notebook), int(notebook.data("frames"))
        notebook.page.wait_for_timeout(WARM_S * 1000)
        times, noted = _noted(notebook, begun.pid, seconds)
        ended = stand(notebook)
        drawn = (int(notebook.data("frames")) - frames) / (ended.at - begun.at)
        print(f"{drawn:.1f} frames/s, drawn {notebook.data('lag95')} ms after they were made (p95)")
    assert (ended.state, ended.gaps) == ("live", 0), ended
    climbs = [_told(name, times, values) for name, values in noted.items()]
    return int(minutes >= 10 and any(climbs))


def _noted(
    notebook: Notebook, pid: int, seconds: int
) -> tuple[list[float], dict[str, list[float]]]:
    session = notebook.page.context.new_cdp_session(notebook.page)
    times: list[float] = []
    noted: dict[str, list[float]] = {"JS heap": [], "renderer": [], "kernel": []}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        times.append(time.monotonic() / 60)
        noted["JS heap"].append(_heap(session))
        noted["renderer"].append(max(map(_resident, _renderers())))
        noted["kernel"].append(_resident(pid))
        notebook.page.wait_for_timeout(EVERY_S * 1000)
    return times, noted


def _told(name: str, times: list[float], values: list[float]) -> bool:
    """Print how much it was; tell whether it climbs."""
    slope = float(np.polyfit(times, values, 1)[0]) if len(values) > 1 else 0.0
    print(
        f"{name}: {values[0]:.1f} MB at first, {values[-1]:.1f} MB at last,"
        f" {min(values):.1f} to {max(values):.1f}, {slope:+.2f} MB a minute"
    )
    return slope > MOST


def _heap(session: Any) -> float:
    """Return what scripts hold that is still reachable."""
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / MB


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


def _renderers() -> list[int]:
    """Return the renderers among the processes that descend from this one."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
        except (OSError, ValueError):
            continue  # it has just ended
    return [pid for pid in parents if _descends(pid, parents) and _is_renderer(pid)]


def _descends(pid: int, parents: dict[int, int]) -> bool:
    while pid > 1 and pid != os.getpid():
        pid = parents.get(pid, 0)
    return pid == os.getpid()


def _is_renderer(pid: int) -> bool:
    try:
        return b"--type=renderer" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:])))
