"""How far the local clock is from the venue's, from what answers tell. Pure arithmetic.

An HTTP ``Date`` header has whole seconds, so one answer bounds the offset to a second and the
round trip: the venue's clock showed D when the request had left and before the answer came, so
``D - received <= offset < D + 1 - sent``. The intersection of the last bounds is far narrower
than any of them. Times are seconds of the caller's clock; for a venue whose time runs faster
than real time that is the venue's scaled clock, not the machine's.
"""

from __future__ import annotations

import math
from datetime import UTC
from email.utils import parsedate_to_datetime

KEPT = 20
"""Bounds that are intersected."""

BEHIND_S = 0.1
"""Signed times are set this much early: venues allow more behind than ahead."""


def read_http_date(text: str) -> float | None:
    """Return the seconds since the epoch of an HTTP date; None when it cannot be read.

    All of them mean UTC, also the old form that names no zone (RFC 9110, 5.6.7).
    """
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


class OffsetEstimate:
    """The offset (venue minus local, seconds) as an interval that answers narrow.

    The bounds are replaced, never changed, so that threads may share an estimate: what one
    of them learns can be lost to another that learns at the same time, and nothing worse.
    """

    def __init__(self) -> None:
        self._bounds: tuple[tuple[float, float], ...] = ()

    @property
    def known(self) -> bool:
        """Whether any answer told a time yet."""
        return bool(self._bounds)

    @property
    def lower_s(self) -> float:
        """The least the offset can be; 0 when nothing is known."""
        return _intersection(self._bounds)[0]

    @property
    def upper_s(self) -> float:
        """The most the offset can be; 0 when nothing is known."""
        return _intersection(self._bounds)[1]

    @property
    def width_s(self) -> float:
        """How much is not known."""
        low, high = _intersection(self._bounds)
        return high - low

    @property
    def offset_s(self) -> float:
        """The best guess: 0 while that is possible, else the middle of what is.

        A machine whose clock is right must not be corrected by noise.
        """
        low, high = _intersection(self._bounds)
        return 0.0 if low <= 0 <= high else (low + high) / 2

    def add_http_date(self, date: str, *, sent_s: float, received_s: float) -> None:
        """Learn from a ``Date`` header; one that cannot be read teaches nothing."""
        told_s = read_http_date(date)
        if told_s is not None:
            self._add(told_s - received_s, told_s + 1 - sent_s)

    def add_stamp_ms(self, stamp_ms: int, *, sent_s: float, received_s: float) -> None:
        """Learn from a millisecond stamp the venue made while answering."""
        told_s = stamp_ms / 1000
        self._add(told_s - received_s, told_s + 0.001 - sent_s)

    def _add(self, low: float, high: float) -> None:
        if low > high:
            return  # the local clock was set while the question was on its way
        bounds = self._bounds
        least, most = _intersection(bounds)
        if bounds and (low > most or high < least):
            bounds = ()  # one of the clocks was set: what was learnt is void
        self._bounds = (*bounds, (low, high))[-KEPT:]

    def signing_time_ms(self, now_ms: int) -> int:
        """Return the time to sign with: never ahead of the venue's, as far as is known.

        Venues take a time that is some seconds old, and refuse one that is ahead.
        """
        bounds = self._bounds
        low, high = _intersection(bounds)
        if not bounds or low <= 0 <= high:
            return now_ms - (int(BEHIND_S * 1000) if bounds else 0)
        return now_ms + math.floor((low - BEHIND_S) * 1000)


def _intersection(bounds: tuple[tuple[float, float], ...]) -> tuple[float, float]:
    """Return what all bounds allow; zeros when there are none."""
    low = max((low for low, _ in bounds), default=0.0)
    high = min((high for _, high in bounds), default=0.0)
    return low, high
