"""Keeping to published limits, as arithmetic on a given time.

A limit says "at most `count` in any `window_s` seconds", and the server counts arrivals.
Sends are spaced evenly by ``(window_s + JITTER_S) / count``: then `count` + 1 of them always
span more than the window and 20 ms, so no window holds more than `count` even when each
arrival is up to 20 ms late. That is 98 % of the market allowance (10.2 ms for 100 a second)
and 83 % of the order allowance (24 ms for 5 in 100 ms; 22 ms would let six sends, spanning
110 ms, fall into one window under that jitter). A bucket that saves up tokens for bursts
would break the limit twice over.

Times are seconds of one monotonic clock that all processes of the machine share.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cdcx_pandas.engines.offset import read_http_date

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdcx_pandas.dialects.base import Limit

JITTER_S = 0.020
"""How late an arrival may be after its send, for the limits still to hold."""

SLOWEST = 10.0
RECOVERY, RECOVERY_EVERY_S = 0.95, 10.0
REFUSALS_TO_OPEN, REFUSALS_WITHIN_S = 3, 10.0
OPEN_FIRST_S, OPEN_LONGEST_S = 60.0, 900.0
FURTHEST_S = 600.0
"""No slot is further ahead than this; longer waits are the circuit's."""

_SLACK_S = 1.0
_MOST = 2**53


def interval_s(limit: Limit) -> float:
    """Return the time between two sends."""
    return (limit.window_s + JITTER_S) / limit.count


def published(limit: Limit) -> str:
    """Return a limit as a person says it."""
    return f"{limit.count} per {limit.window_s:g} s per {limit.scope}"


@dataclass(frozen=True)
class Pace:
    """Where one bucket stands.

    Attributes
    ----------
    next_free
        When the next send may go.
    factor
        How much slower than published, after refusals.
    clean_since
        Since when nothing was refused, as far as recovery has counted.
    refusals
        The times of the last refusals, oldest first, 0 for none.
    open_until, open_for
        Until when nothing may be sent, and how long that stretch was.
    refused
        Refusals so far.
    window_start, used
        The published window that is being counted, and the sends in it.
    """

    next_free: float = 0.0
    factor: float = 1.0
    clean_since: float = 0.0
    refusals: tuple[float, float, float] = (0.0, 0.0, 0.0)
    open_until: float = 0.0
    open_for: float = 0.0
    refused: int = 0
    window_start: float = 0.0
    used: int = 0

    def waits_s(self, now: float) -> float:
        """Return how long the next send would wait."""
        return max(0.0, self.next_free - now, self.open_until - now)

    def is_sound(self, now: float) -> bool:
        """Return whether this can have been written here, since the machine was started.

        A monotonic time begins anew with the machine, so what was kept from before lies in
        the future; and a damaged file can say anything.
        """
        past = (self.clean_since, *self.refusals, self.open_until - self.open_for)
        return (
            all(math.isfinite(one) for one in (*past, self.next_free, self.window_start))
            and 1.0 <= self.factor <= SLOWEST
            and 0.0 <= self.open_for <= OPEN_LONGEST_S
            and max(past) <= now + _SLACK_S
            and max(self.next_free, self.window_start) <= now + FURTHEST_S + _SLACK_S
            and 0 <= self.refused < _MOST
            and 0 <= self.used < _MOST
        )


def reserve(pace: Pace, limit: Limit, now: float) -> tuple[float, Pace]:
    """Take the next slot: return its time, and the pace behind it."""
    pace = _recovered(pace, now)
    slot = max(now, pace.next_free)
    same_window = pace.window_start <= slot < pace.window_start + limit.window_s
    return slot, replace(
        pace,
        next_free=slot + interval_s(limit) * pace.factor,
        window_start=pace.window_start if same_window else slot,
        used=pace.used + 1 if same_window else 1,
    )


def _recovered(pace: Pace, now: float) -> Pace:
    """Get faster again, 5 % for every 10 s without a refusal."""
    if pace.factor == 1.0:
        return pace
    steps = int((now - pace.clean_since) / RECOVERY_EVERY_S)
    if steps < 1:
        return pace
    return replace(
        pace,
        factor=max(1.0, pace.factor * RECOVERY**steps),
        clean_since=pace.clean_since + steps * RECOVERY_EVERY_S,
    )


def throttled(pace: Pace, now: float, retry_after_s: float | None = None) -> Pace:
    """Take a 429: go half as fast; three of them in ten seconds stop everything for a while."""
    if pace.open_until > now:
        return banned(replace(pace, refused=pace.refused + 1), now, retry_after_s)
    refusals = (*pace.refusals[1:], now)
    pace = replace(
        pace,
        factor=min(SLOWEST, pace.factor * 2),
        clean_since=now,
        refused=pace.refused + 1,
        refusals=refusals,
        next_free=max(pace.next_free, now + min(retry_after_s or 0.0, FURTHEST_S)),
    )
    if refusals[0] > 0 and now - refusals[0] <= REFUSALS_WITHIN_S:
        return banned(replace(pace, refusals=(0.0, 0.0, 0.0)), now, retry_after_s)
    return pace


def banned(pace: Pace, now: float, retry_after_s: float | None = None) -> Pace:
    """Send nothing for a while: a minute first, twice as long each time, 15 minutes at most.

    Questions that were under way when the circuit opened are refused with the first one:
    their answers make it no longer, unless the venue says how long.
    """
    told = min(retry_after_s or 0.0, OPEN_LONGEST_S)
    if pace.open_until > now:
        length = max(pace.open_until - now, told)
    else:
        lately = pace.open_until > 0 and now - pace.open_until < pace.open_for
        length = max(min(OPEN_LONGEST_S, pace.open_for * 2) if lately else OPEN_FIRST_S, told)
    return replace(pace, open_until=now + length, open_for=max(length, pace.open_for))


# -------------------------------------------------------------------- what headers tell


@dataclass(frozen=True)
class Told:
    """What an answer's headers say about limits."""

    retry_after_s: float | None = None
    remaining: int | None = None
    reset_s: float | None = None


_QUOTED = re.compile(r'"[^"]*"')
_PARAMETER = re.compile(r"(?:^|[;\s])([rt])=(\d+)")


def told_by(headers: Mapping[str, str], now_s: float | None = None) -> Told:
    """Read the usual headers, in any case; what cannot be read is left out.

    Parameters
    ----------
    headers
        Of an answer.
    now_s
        The venue's wall time, seconds since the epoch; a ``Retry-After`` that is a date
        (RFC 9110, 10.2.3) is left out without.
    """
    headers = {name.lower(): value for name, value in headers.items()}
    structured = _structured(headers.get("ratelimit", ""))
    remaining = _first(headers, "ratelimit-remaining", "x-ratelimit-remaining")
    reset = _first(headers, "ratelimit-reset", "x-ratelimit-reset")
    left = remaining if remaining is not None else _number(structured.get("r"))
    retry_after = _first(headers, "retry-after")
    if retry_after is None and now_s is not None:
        date_s = read_http_date(headers.get("retry-after", ""))
        retry_after = None if date_s is None else max(0.0, date_s - now_s)
    return Told(
        retry_after,
        None if left is None else int(left),
        reset if reset is not None else _number(structured.get("t")),
    )


def _structured(text: str) -> dict[str, str]:
    """Read ``"name";r=50;t=30``; of several limits, the one with the least left."""
    told = [dict(_PARAMETER.findall(one)) for one in _QUOTED.sub("", text).split(",")]

    def left(one: dict[str, str]) -> float:
        told = _number(one.get("r"))
        return math.inf if told is None else told

    return min(told, key=left)


def _first(headers: Mapping[str, str], *names: str) -> float | None:
    return next((n for name in names if (n := _number(headers.get(name))) is not None), None)


def _number(text: str | None) -> float | None:
    if text is None or not re.fullmatch(r"\s*\d{1,12}(\.\d{1,9})?\s*", text, re.ASCII):
        return None
    return float(text)
