"""How far the local clock is from the venue's, from what answers tell. Pure arithmetic.

An HTTP ``Date`` header has whole seconds, so one answer bounds the offset to a second and the
round trip: the venue's clock showed D when the request had left and before the answer came, so
``D - received <= offset < D + 1 - sent``. The intersection of the last bounds is far narrower
than any of them. Times are seconds of the caller's clock; for a venue whose time runs faster
than real time that is the venue's scaled clock, not the machine's.
"""

from __future__ import annotations

from collections import deque
from email.utils import parsedate_to_datetime

KEPT = 20
"""Bounds that are intersected."""

BEHIND_S = 0.1
"""Signed times are set this much early: venues allow more behind than ahead."""


class OffsetEstimate:
    """The offset (venue minus local, seconds) as an interval that answers narrow."""

    def __init__(self) -> None:
        self._bounds: deque[tuple[float, float]] = deque(maxlen=KEPT)

    @property
    def known(self) -> bool:
        """Whether any answer told a time yet."""
        return bool(self._bounds)

    @property
    def lower_s(self) -> float:
        """The least the offset can be; 0 when nothing is known."""
        return max((low for low, _ in self._bounds), default=0.0)

    @property
    def upper_s(self) -> float:
        """The most the offset can be; 0 when nothing is known."""
        return min((high for _, high in self._bounds), default=0.0)

    @property
    def width_s(self) -> float:
        """How much is not known."""
        return self.upper_s - self.lower_s

    @property
    def offset_s(self) -> float:
        """The best guess: 0 while that is possible, else the middle of what is.

        A machine whose clock is right must not be corrected by noise.
        """
        if self.lower_s <= 0 <= self.upper_s:
            return 0.0
        return (self.lower_s + self.upper_s) / 2

    def add_http_date(self, date: str, *, sent_s: float, received_s: float) -> None:
        """Learn from a ``Date`` header; one that cannot be read teaches nothing."""
        try:
            told_s = parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError, OverflowError):
            return
        self._add(told_s - received_s, told_s + 1 - sent_s)

    def add_stamp_ms(self, stamp_ms: int, *, sent_s: float, received_s: float) -> None:
        """Learn from a millisecond stamp the venue made while answering."""
        told_s = stamp_ms / 1000
        self._add(told_s - received_s, told_s + 0.001 - sent_s)

    def _add(self, low: float, high: float) -> None:
        if low > high:
            return  # the local clock was set while the question was on its way
        if self._bounds and (low > self.upper_s or high < self.lower_s):
            self._bounds.clear()  # one of the clocks was set: what was learnt is void
        self._bounds.append((low, high))

    def signing_time_ms(self, now_ms: int) -> int:
        """Return the time to sign with: never ahead of the venue's, as far as is known.

        Venues take a time that is some seconds old, and refuse one that is ahead.
        """
        if not self.known or self.lower_s <= 0 <= self.upper_s:
            return now_ms - (int(BEHIND_S * 1000) if self.known else 0)
        return now_ms + int((self.lower_s - BEHIND_S) * 1000)
