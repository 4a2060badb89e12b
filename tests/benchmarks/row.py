"""One line of the benchmark table, and how times are taken on a noisy machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """What was measured, and what was hoped for; `met` is None where nothing was."""

    what: str
    measured: str
    target: str
    met: bool | None

    def line(self) -> str:
        """Return the row as Markdown."""
        met = "" if self.met is None else "yes" if self.met else "no"
        return f"| {self.what} | {self.measured} | {self.target} | {met} |"


def best_of(calls: dict[str, Callable[[], object]], rounds: int = 300) -> dict[str, float]:
    """Return the least time of each call in seconds, taken in turns.

    Turns, so that a slow moment of the machine falls on all; the least, because noise only
    adds.
    """
    least = dict.fromkeys(calls, float("inf"))
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            least[name] = min(least[name], time.perf_counter() - began)
    return least
