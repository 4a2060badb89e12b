"""What may be asked again: the whole table, written out."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdcx_pandas.engines.retry import GiveUp, Outcome, Retry, RetryBudget, Unknown, Verdict, decide
from cdcx_pandas.operations import Effect

E, O = Effect, Outcome  # noqa: E741  # the rows below are read as a table
EFFECTS = (E.PUBLIC_READ, E.PRIVATE_READ, E.CANCEL, E.CANCEL_ALL, E.NEW_ORDER)
TABLE = {
    # how often asked again:  public, private, cancel, cancel all, new order
    O.NOT_SENT:      (4, 4, 4, 2, 2),
    O.TLS:           (0, 0, 0, 0, 0),
    O.REDIRECT:      (0, 0, 0, 0, 0),
    O.LOST:          (4, 4, 4, 0, "unknown"),
    O.GARBLED:       (1, 1, 0, 0, "unknown"),
    O.SERVER_ERROR:  (4, 4, 0, 0, "unknown"),
    O.BUSY_CODE:     (4, 4, 0, 0, "unknown"),
    O.THROTTLED:     (3, 3, 3, 0, 0),
    O.BANNED:        (0, 0, 0, 0, 0),
    O.REFUSED:       (0, 0, 0, 0, 0),
    O.TIME_REJECTED: (0, 1, 1, 1, 1),
    O.ECHO_MISMATCH: (0, 0, 0, 0, "unknown"),
}  # fmt: skip


class Always:
    """The longest wait there is."""

    def random(self) -> float:
        """Return the upper end."""
        return 1.0


def verdict(
    effect: Effect,
    outcome: Outcome,
    *,
    attempt: int = 0,
    elapsed_s: float = 0.0,
    retry_after_s: float | None = None,
    budget: RetryBudget | None = None,
) -> Verdict:
    """Decide, with a seeded chance and a full budget."""
    return decide(
        effect, outcome, attempt=attempt, elapsed_s=elapsed_s, retry_after_s=retry_after_s,
        rng=random.Random(1), budget=budget or RetryBudget(),
    )  # fmt: skip


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("effect", Effect)
def test_every_effect_and_outcome_is_decided_as_written(effect: Effect, outcome: Outcome) -> None:
    """The table above is the rule; an order that may have arrived is never asked again."""
    allowed = TABLE[outcome][EFFECTS.index(effect)]
    if allowed == "unknown":
        assert verdict(effect, outcome) == Unknown()
        return
    retried = 0
    while isinstance(verdict(effect, outcome, attempt=retried), Retry):
        retried += 1
    assert retried == allowed
    assert isinstance(verdict(effect, outcome, attempt=retried), GiveUp)


def test_an_order_that_never_left_is_not_placed_much_later() -> None:
    """Behind three seconds the person may have changed their mind."""
    assert isinstance(verdict(E.NEW_ORDER, O.NOT_SENT, elapsed_s=2.9), Retry)
    assert isinstance(verdict(E.NEW_ORDER, O.NOT_SENT, elapsed_s=3.1), GiveUp)


def test_the_wait_counts_when_an_order_is_placed_again() -> None:
    """What counts is when the order would leave, not when that was decided."""
    told = decide(
        E.NEW_ORDER, O.NOT_SENT, attempt=0, elapsed_s=2.9, retry_after_s=None,
        rng=Always(), budget=RetryBudget(),
    )  # fmt: skip
    assert isinstance(told, GiveUp)


@pytest.mark.parametrize("effect", [E.PUBLIC_READ, E.PRIVATE_READ, E.CANCEL])
def test_nothing_is_asked_again_behind_the_deadline(effect: Effect) -> None:
    """Retries stay within twenty seconds of the person's call, and then cost no tokens."""
    budget = RetryBudget()
    assert isinstance(verdict(effect, O.LOST, elapsed_s=19.5), Retry)
    assert isinstance(verdict(effect, O.LOST, elapsed_s=20.1, budget=budget), GiveUp)
    assert isinstance(
        verdict(effect, O.THROTTLED, elapsed_s=10, retry_after_s=11, budget=budget), GiveUp
    )
    assert budget.tokens == RetryBudget.FULL


@given(
    outcome=st.sampled_from(Outcome),
    attempt=st.integers(0, 50),
    elapsed_s=st.floats(0, 100),
    retry_after_s=st.none() | st.floats(0, 10**6),
    seed=st.integers(0, 2**32),
)
def test_an_order_that_may_have_arrived_is_never_sent_again(
    outcome: Outcome, attempt: int, elapsed_s: float, retry_after_s: float | None, seed: int
) -> None:
    """Only what never left, or was refused for its time, is; at once, and within 3 s."""
    told = decide(
        E.NEW_ORDER, outcome, attempt=attempt, elapsed_s=elapsed_s, retry_after_s=retry_after_s,
        rng=random.Random(seed), budget=RetryBudget(),
    )  # fmt: skip
    if isinstance(told, Retry):
        assert outcome in {O.NOT_SENT, O.TIME_REJECTED}
        assert elapsed_s + told.after_s <= 3.0


def test_a_told_wait_is_kept_up_to_half_a_minute() -> None:
    """A notebook does not freeze: longer waits are errors at once."""
    assert verdict(E.PUBLIC_READ, O.THROTTLED, retry_after_s=12.0) == Retry(12.0)
    assert isinstance(verdict(E.PUBLIC_READ, O.THROTTLED, retry_after_s=31.0), GiveUp)


def test_waits_grow_and_are_spread() -> None:
    """Full jitter: between nothing and a bound that doubles up to its cap."""

    def waits(outcome: Outcome, count: int) -> list[float]:
        found = []
        for attempt in range(count):
            told = decide(
                E.PUBLIC_READ, outcome, attempt=attempt, elapsed_s=0, retry_after_s=None,
                rng=Always(), budget=RetryBudget(),
            )  # fmt: skip
            assert isinstance(told, Retry)
            found.append(told.after_s)
        return found

    assert waits(O.LOST, 4) == [0.25, 0.5, 1.0, 2.0]
    assert waits(O.THROTTLED, 3) == [1.0, 2.0, 4.0]


def test_failures_of_a_venue_are_not_made_worse() -> None:
    """A budget ends the retries of a session that meets failure after failure."""
    budget = RetryBudget()
    verdicts = [verdict(E.PUBLIC_READ, O.LOST, budget=budget) for _ in range(11)]
    assert [isinstance(one, Retry) for one in verdicts] == [True] * 10 + [False]
    for _ in range(10):
        budget.succeeded()
    assert isinstance(verdict(E.PUBLIC_READ, O.LOST, budget=budget), Retry)
