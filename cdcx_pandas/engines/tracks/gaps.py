"""Stretches in which news may be missing: opened when something happened, decided later."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 1000
"""Gaps that are listed; older ones are counted only."""


@dataclass(eq=False)
class Gap:
    """A stretch of one channel, bounds included.

    Attributes
    ----------
    channel, symbol
        Of what.
    start, end
        The times of the last row before it and of the first one behind it, in ns.
    reason
        What happened, in words.
    estimate
        How many rows it may be; None where nobody can say.
    repaired
        Whether all of it was had from the venue afterwards; None while that is tried.
    """

    channel: str
    symbol: str | None
    start: int
    end: int
    reason: str
    estimate: int | None = None
    repaired: bool | None = None


class Gaps:
    """All gaps of one `Live`.

    Attributes
    ----------
    repaired, lost
        How many were had afterwards, and how many were not.
    version
        Changes with every change.
    """

    def __init__(self) -> None:
        self._listed: deque[Gap] = deque(maxlen=MOST)
        self.repaired = self.lost = self.version = 0

    def __iter__(self) -> Iterator[Gap]:
        return iter(list(self._listed))

    def __len__(self) -> int:
        return len(self._listed)

    def open(self, gap: Gap) -> Gap:
        """List a gap; what becomes of it is decided later."""
        self._listed.append(gap)
        self.version += 1
        return gap

    def widen(self, gap: Gap, end: int) -> None:
        """Let a gap reach further."""
        gap.end = max(gap.end, end)
        self.version += 1

    def close(self, gap: Gap, *, repaired: bool) -> None:
        """Say what became of a gap."""
        if gap.repaired is not None:
            return
        gap.repaired = repaired
        self.repaired, self.lost = self.repaired + repaired, self.lost + (not repaired)
        self.version += 1
