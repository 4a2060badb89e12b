"""Whether a question may be asked again, and when. Pure arithmetic.

The key is what an operation *does*, not its HTTP verb: on V1 reads and orders are all POST,
and a general "retry POST" sends an order three times. The table says, for every effect and
every outcome, whether asking again is harmless; an order that may have arrived is never asked
again, its outcome is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from cdcx_pandas.operations import Effect


class Outcome(Enum):
    """What became of a question that was not answered as hoped."""

    NOT_SENT = "no connection: the question never left"
    TLS = "the certificate is not the venue's"
    REDIRECT = "the venue sent us elsewhere"
    LOST = "it may have arrived, and no answer came"
    GARBLED = "an answer that cannot be read"
    SERVER_ERROR = "HTTP 500 and up"
    THROTTLED = "HTTP 429"
    BANNED = "HTTP 418 or 403 without a code: the address is shut out"
    REFUSED = "the venue, or we, said no"
    TIME_REJECTED = "the signed time was wrong, and by now the right one is known"
    BUSY_CODE = "a code that says busy, internal error, or maintenance"
    ECHO_MISMATCH = "an answer about another symbol or order than was asked"


@dataclass(frozen=True)
class Retry:
    """Ask again after a while."""

    after_s: float


@dataclass(frozen=True)
class GiveUp:
    """Do not ask again; the error is the answer."""

    reason: str


@dataclass(frozen=True)
class Unknown:
    """Do not ask again: the order may exist."""


Verdict = Retry | GiveUp | Unknown

_READ = {
    Outcome.NOT_SENT: 4,
    Outcome.LOST: 4,
    Outcome.GARBLED: 1,
    Outcome.SERVER_ERROR: 4,
    Outcome.BUSY_CODE: 4,
    Outcome.THROTTLED: 3,
}
_SIGNED = _READ | {Outcome.TIME_REJECTED: 1}
RETRIES: dict[Effect, dict[Outcome, int]] = {
    Effect.PUBLIC_READ: _READ,
    Effect.PRIVATE_READ: _SIGNED,
    # A cancel may be repeated: the second one finds nothing to cancel.
    Effect.CANCEL: {
        Outcome.NOT_SENT: 4,
        Outcome.LOST: 4,
        Outcome.THROTTLED: 3,
        Outcome.TIME_REJECTED: 1,
    },
    # Cancelling all again could reach orders placed in between.
    Effect.CANCEL_ALL: {Outcome.NOT_SENT: 2, Outcome.TIME_REJECTED: 1},
    # A refused time proves that nothing was done; so does a question that never left.
    Effect.NEW_ORDER: {Outcome.NOT_SENT: 2, Outcome.TIME_REJECTED: 1},
}
"""How often a question may be asked again, by what it does and what became of it."""

_MAYBE_DONE = {
    Outcome.LOST, Outcome.GARBLED, Outcome.SERVER_ERROR, Outcome.BUSY_CODE,
    Outcome.ECHO_MISMATCH,
}  # fmt: skip

ORDER_WITHIN_S = 3.0
"""An order that never left is tried again only so soon after the person's call."""

DEADLINE_S = 20.0
"""Nothing is asked again later than this after the person's call."""

LONGEST_WAIT_S = 30.0
"""A notebook must not freeze: a venue that says to wait longer is an error at once."""

_BASE_S, _CAP_S = 0.25, 8.0
_THROTTLED_BASE_S, _THROTTLED_CAP_S = 1.0, 20.0


class Random(Protocol):
    """Where randomness comes from."""

    def random(self) -> float:
        """Return a number from 0 to 1."""


class RetryBudget:
    """How many retries a session still has: failures of a venue are not made worse by us.

    100 tokens; a retry costs 10, one after a 429 five, and a success gives one back. Threads
    may share one: a token that is lost between two of them does no harm.
    """

    FULL = 100

    def __init__(self) -> None:
        self.tokens = self.FULL

    def take(self, outcome: Outcome) -> bool:
        """Take what a retry costs; False when it is not there."""
        cost = 5 if outcome is Outcome.THROTTLED else 10
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True

    def succeeded(self) -> None:
        """Give one back."""
        self.tokens = min(self.FULL, self.tokens + 1)


def decide(
    effect: Effect,
    outcome: Outcome,
    *,
    attempt: int,
    elapsed_s: float,
    retry_after_s: float | None,
    rng: Random,
    budget: RetryBudget,
    deadline_s: float = DEADLINE_S,
) -> Verdict:
    """Say what to do about a question that failed.

    Parameters
    ----------
    effect
        What the operation does.
    outcome
        What became of it.
    attempt
        How often it was asked again already.
    elapsed_s
        Since the person's call.
    retry_after_s
        What the venue said to wait, if it did.
    rng
        Spreads the retries of many clients.
    budget
        What this session may still repeat.
    deadline_s
        How long after the person's call a question may still be asked again.
    """
    allowed = RETRIES[effect].get(outcome, 0)
    if effect is Effect.NEW_ORDER and outcome in _MAYBE_DONE:
        return Unknown()
    if attempt >= allowed:
        return GiveUp(f"asked {attempt + 1} times" if attempt else "not asked again")
    if retry_after_s is not None and retry_after_s > LONGEST_WAIT_S:
        return GiveUp(f"the venue asks to wait {retry_after_s:g} s")
    after_s = _delay_s(outcome, attempt, retry_after_s, rng)
    if effect is Effect.NEW_ORDER and elapsed_s + after_s > ORDER_WITHIN_S:
        return GiveUp("too late to place the order by itself")
    if elapsed_s + after_s > deadline_s:
        return GiveUp(f"{deadline_s:g} s are over")
    if not budget.take(outcome):
        return GiveUp("too many failures lately")
    return Retry(after_s)


def _delay_s(outcome: Outcome, attempt: int, retry_after_s: float | None, rng: Random) -> float:
    """Return how long to wait: as told, else anything up to a bound that doubles."""
    if outcome is Outcome.TIME_REJECTED:
        return 0.0
    if retry_after_s:
        return retry_after_s
    throttled = outcome is Outcome.THROTTLED
    base, cap = (_THROTTLED_BASE_S, _THROTTLED_CAP_S) if throttled else (_BASE_S, _CAP_S)
    return rng.random() * min(cap, base * 2.0**attempt)
