"""When a stream connects again, by how it ended."""

from __future__ import annotations

import random

import pytest

from cdcx_pandas.engines.reconnect import Backoff, Ending, Policy


class Highest:
    """Randomness that always says almost one: the longest delay there can be."""

    def random(self) -> float:
        """Return the highest number."""
        return 1.0


def delays(ending: Ending, count: int, policy: Policy | None = None) -> list[float | None]:
    """Return the longest delays after so many endings in a row, each right after the delay."""
    backoff = Backoff(policy or Policy(), Highest())
    now, found = 1000.0, []
    for _ in range(count):
        due = backoff.after(ending, now)
        found.append(None if due is None else round(due - now, 6))
        now = due if due is not None else now
    return found


def test_the_first_delay_is_short_and_later_ones_double_up_to_a_cap() -> None:
    """Anything up to 0.5 s first, then up to 0.5, 1, 2, 4 and 5 s."""
    assert delays(Ending("lost"), 7) == [0.5, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_a_long_outage_is_knocked_at_less_often() -> None:
    """After ten minutes the cap is a minute."""
    backoff, now = Backoff(Policy(), Highest()), 0.0
    while now < 700:
        before, now = now, backoff.after(Ending("lost"), now) or pytest.fail("gave up")
    assert now - before > 5.0
    for _ in range(5):
        before, now = now, backoff.after(Ending("lost"), now) or pytest.fail("gave up")
    assert now - before == 60.0


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1011])
def test_usual_endings_are_met_at_once(code: int) -> None:
    """A close that may happen any time has the shortest first delay."""
    assert delays(Ending("closed", code), 1) == [0.5]


@pytest.mark.parametrize("code", [1012, 1013])
def test_a_server_that_restarts_is_given_more_time(code: int) -> None:
    """It begins where a second attempt would."""
    assert delays(Ending("closed", code), 3) == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    "ending",
    [Ending("no", 1008), Ending("no", 4001), Ending("no", None, 401), Ending("no", None, 403)],
)
def test_who_is_refused_gives_up_at_the_third_time(ending: Ending) -> None:
    """30 s, 60 s, and no more."""
    assert delays(ending, 3) == [30.0, 60.0, None]


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1009, None])
def test_a_broken_protocol_is_given_up_at_the_fifth_time(code: int | None) -> None:
    """Within ten minutes, that is; it is told by a code or by ourselves."""
    found = delays(Ending("broken", code, damaged=code is None), 5)
    assert found[:4] == [0.5, 0.5, 1.0, 2.0]
    assert found[4] is None


def test_a_429_is_waited_out() -> None:
    """As long as it says, or 16 s times the number of them."""
    assert delays(Ending("429", None, 429, 7.5), 2) == [7.5, 7.5]
    assert delays(Ending("429", None, 429), 3) == [16.0, 32.0, 48.0]


def test_a_redirect_is_never_followed() -> None:
    """It is given up at once."""
    assert delays(Ending("elsewhere", None, 302), 1) == [None]


def test_a_server_error_is_a_usual_ending() -> None:
    """HTTP 503 at the handshake is tried again."""
    assert delays(Ending("503", None, 503), 2) == [0.5, 0.5]


def test_there_are_at_most_so_many_attempts_in_a_minute() -> None:
    """However short the delays: any minute holds no more than thirty."""
    policy = Policy(base_s=0.001, cap_s=0.01, first_delay_s=0.001)
    backoff, now, attempts = Backoff(policy, random.Random(1)), 0.0, []
    for _ in range(200):
        due = backoff.after(Ending("lost"), now)
        assert due is not None
        attempts.append(due)
        now = due
    assert all(b - a >= 59.999 for a, b in zip(attempts, attempts[30:], strict=False))


def test_a_steady_connection_makes_attempts_count_anew() -> None:
    """Afterwards the first delay is short again."""
    backoff = Backoff(Policy(), Highest())
    for _ in range(6):
        backoff.after(Ending("lost"), 0.0)
    backoff.steady()
    assert backoff.after(Ending("lost"), 100.0) == 100.5


def test_clients_of_a_restarting_server_do_not_come_together() -> None:
    """Of a thousand no more than one in twenty comes in the same 50 ms."""
    come = sorted(
        Backoff(Policy(), random.Random(seed)).after(Ending("closed", 1001), 0.0) or 0.0
        for seed in range(1000)
    )
    most = max(sum(at <= one < at + 0.05 for one in come) for at in come)
    assert most <= 150  # a tenth of the half second, and half of that again for luck
