"""Time, as a thing that is passed in.

Wall time is what a venue's stamps are compared with; monotonic time is what waits and
deadlines are counted in. A sandbox's wall time can stand elsewhere and run faster, its
deadlines never do.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """What the package asks of a clock."""

    def now_ns(self) -> int:
        """Return the wall time, UTC, in nanoseconds since the epoch."""

    def monotonic(self) -> float:
        """Return seconds of a time that only moves forward, by itself."""

    def sleep(self, seconds: float) -> None:
        """Wait so many real seconds."""


class SystemClock:
    """The machine's own time."""

    def now_ns(self) -> int:
        """Return the machine's wall time."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Return the machine's monotonic time, which all its processes share."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait; Ctrl-C ends it."""
        if seconds > 0:
            time.sleep(seconds)


@dataclass(frozen=True)
class ScaledClock(SystemClock):
    """A sandbox's time: `at_ns` when the machine's clock said `since_ns`, and `speed` as fast."""

    at_ns: int
    since_ns: int
    speed: float = 1.0

    def now_ns(self) -> int:
        """Return the sandbox's wall time."""
        return self.at_ns + int((time.time_ns() - self.since_ns) * self.speed)
