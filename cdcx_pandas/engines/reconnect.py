"""When to connect again: delays as arithmetic on a given time, by how a connection ended.

Full jitter spreads the clients of a server that restarts; a bound that grows keeps them from
knocking for ever; what can only fail again (a refused key, a redirect) ends in giving up. How
long a stream may be silent, and what is done then, is `stream`'s business; its numbers stand
here too, since a test makes all of them short together.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cdcx_pandas.engines.retry import Random


@dataclass(frozen=True)
class Policy:
    """The numbers a stream lives by, in seconds where they are times.

    Attributes
    ----------
    first_delay_s
        The first attempt comes after anything up to this.
    base_s, cap_s, late_cap_s, late_after_s
        Later ones after anything up to `base_s` doubled each time, at most `cap_s`, and
        `late_cap_s` once the outage is `late_after_s` old.
    most_attempts
        So many attempts in any minute at most.
    steady_s
        A connection that brought data and lived so long makes attempts count anew.
    forbidden_s, most_forbidden
        After a refusal of who we are it waits so long, times the number of refusals; then it
        gives up.
    throttled_s
        How long a 429 without a word about it means.
    most_damaged, damaged_within_s
        So many endings by a broken protocol within so long are too many.
    connect_s
        How long a handshake may take.
    ack_within_s, taken_after_s
        How long an answer to a subscription may take, where there always is one; and when it is
        taken for granted where there is none.
    ping_after_s, pong_within_s
        After so long without a byte the other side is asked, and must answer within.
    stale_after_s
        Kind of channel → how long it may be without data before the venue is asked whether
        there is any. A busy channel, once it is known to be, may be so for ten times its usual
        gap, but no less than `stale_least_s`.
    mute_within_s
        A channel that has data and tells none must tell some within so long of being asked for
        again, or the connection is given up.
    tick_s
        How often all this is looked at.
    """

    first_delay_s: float = 0.5
    base_s: float = 0.5
    cap_s: float = 5.0
    late_cap_s: float = 60.0
    late_after_s: float = 600.0
    most_attempts: int = 30
    steady_s: float = 5.0
    forbidden_s: float = 30.0
    most_forbidden: int = 3
    throttled_s: float = 16.0
    most_damaged: int = 5
    damaged_within_s: float = 600.0
    connect_s: float = 10.0
    ack_within_s: float = 5.0
    taken_after_s: float = 1.0
    ping_after_s: float = 8.0
    pong_within_s: float = 5.0
    depth_stale_s: float = 20.0
    ticker_stale_s: float = 45.0
    kline_stale_s: float = 75.0
    trade_stale_s: float = 180.0
    stale_least_s: float = 10.0
    mute_within_s: float = 5.0
    tick_s: float = 0.5


class Ending(NamedTuple):
    """How a connection ended, or did not begin.

    Attributes
    ----------
    why
        In words.
    close_code
        What the other side said, by RFC 6455; None where it said nothing.
    http_status, retry_after
        What a handshake was answered with.
    damaged
        Whether what came was no protocol.
    """

    why: str
    close_code: int | None = None
    http_status: int | None = None
    retry_after: float | None = None
    damaged: bool = False


_RESTARTING = frozenset({1012, 1013})
_DAMAGED = frozenset({1002, 1003, 1007, 1009})
_POLICY = 1008
_PRIVATE_CODES = range(4000, 5000)
_FORBIDDEN = frozenset({401, 403})
_TOO_MANY = 429
_REDIRECTS = range(300, 400)
_MINUTE_S = 60.0


class Backoff:
    """How long to wait before the next attempt.

    Parameters
    ----------
    policy
        The numbers.
    rng
        Spreads the attempts of many clients.
    """

    def __init__(self, policy: Policy, rng: Random) -> None:
        self._policy = policy
        self._rng = rng
        self._attempts = 0
        self._forbidden = 0
        self._throttled = 0
        self._since: float | None = None
        self._tried: deque[float] = deque()
        self._damaged: deque[float] = deque()

    def steady(self) -> None:
        """Count anew: the connection brought data and lived long enough."""
        self._attempts = self._forbidden = self._throttled = 0
        self._since = None

    def after(self, ending: Ending, now: float) -> float | None:
        """Return when to connect again, monotonic; None to give up."""
        policy = self._policy
        self._since = now if self._since is None else self._since
        code, status = ending.close_code, ending.http_status
        if status is not None and status in _REDIRECTS:
            return None
        if status in _FORBIDDEN or code == _POLICY or (code is not None and code in _PRIVATE_CODES):
            self._forbidden += 1
            if self._forbidden >= policy.most_forbidden:
                return None
            return now + policy.forbidden_s * self._forbidden
        if (ending.damaged or code in _DAMAGED) and self._is_too_damaged(now):
            return None
        if status == _TOO_MANY:
            self._throttled += 1
            told = ending.retry_after
            return now + (policy.throttled_s * self._throttled if told is None else told)
        if code in _RESTARTING:
            self._attempts = max(self._attempts, 1)
        return self._paced(now + self._jittered(now), now)

    def _is_too_damaged(self, now: float) -> bool:
        self._damaged.append(now)
        while now - self._damaged[0] > self._policy.damaged_within_s:
            self._damaged.popleft()
        return len(self._damaged) >= self._policy.most_damaged

    def _jittered(self, now: float) -> float:
        policy, attempt = self._policy, self._attempts
        self._attempts += 1
        if attempt == 0:
            return self._rng.random() * policy.first_delay_s
        is_late = self._since is not None and now - self._since > policy.late_after_s
        cap = policy.late_cap_s if is_late else policy.cap_s
        return self._rng.random() * min(cap, policy.base_s * 2.0 ** min(attempt - 1, 30))

    def _paced(self, due: float, now: float) -> float:
        """Put an attempt off that would be one too many in a minute."""
        tried = self._tried
        while tried and now - tried[0] > _MINUTE_S:
            tried.popleft()
        if len(tried) >= self._policy.most_attempts:
            due = max(due, tried[-self._policy.most_attempts] + _MINUTE_S)
        tried.append(due)
        return due
