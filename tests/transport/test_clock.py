"""Time as it is passed in: the machine's, and a sandbox's."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdcx_pandas.transport.clock import Clock, ScaledClock, SystemClock

AT_NS = 1_590_000_000 * 10**9
SINCE_NS = 1_790_000_000 * 10**9


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Return the machine's times, which stand still unless a test moves them."""
    times: dict[str, float] = {"now_ns": SINCE_NS, "monotonic": 50.0, "slept": 0.0}

    def sleep(seconds: float) -> None:
        times["slept"] += seconds

    monkeypatch.setattr(time, "time_ns", lambda: times["now_ns"])
    monkeypatch.setattr(time, "monotonic", lambda: times["monotonic"])
    monkeypatch.setattr(time, "sleep", sleep)
    return times


def test_the_system_clock_is_the_machines(machine: dict[str, float]) -> None:
    """Wall time, monotonic time and waiting are the machine's own."""
    clock: Clock = SystemClock()
    assert clock.now_ns() == SINCE_NS
    assert clock.monotonic() == 50.0
    clock.sleep(1.5)
    assert machine["slept"] == 1.5


@pytest.mark.parametrize("seconds", [0.0, -0.1, -1e9])
def test_a_time_that_is_over_is_not_waited_for(machine: dict[str, float], seconds: float) -> None:
    """Waiting until a slot that has passed returns at once instead of raising."""
    SystemClock().sleep(seconds)
    assert machine["slept"] == 0.0


@pytest.mark.parametrize(
    ("speed", "after_ns"), [(1.0, 10**9), (60.0, 60 * 10**9), (0.5, 5 * 10**8), (0.0, 0)]
)
def test_a_sandboxs_time_stands_elsewhere_and_runs_faster(
    machine: dict[str, float], speed: float, after_ns: int
) -> None:
    """A real second later it shows `speed` seconds more, from where it began."""
    clock = ScaledClock(AT_NS, SINCE_NS, speed)
    assert clock.now_ns() == AT_NS
    machine["now_ns"] = SINCE_NS + 10**9
    assert clock.now_ns() == AT_NS + after_ns


def test_a_sandboxs_deadlines_are_real(machine: dict[str, float]) -> None:
    """Monotonic time and waits are real seconds at any speed."""
    clock: Clock = ScaledClock(AT_NS, SINCE_NS, 1000.0)
    machine["monotonic"] = 51.0
    assert clock.monotonic() == 51.0
    clock.sleep(0.25)
    assert machine["slept"] == 0.25


@given(
    speed=st.floats(0.01, 10_000),
    moments=st.lists(st.integers(0, 10**15), min_size=2, max_size=20).map(sorted),
)
def test_a_sandboxs_time_never_goes_back(speed: float, moments: list[int]) -> None:
    """Whatever the speed, later is not earlier."""
    clock = ScaledClock(AT_NS, SINCE_NS, speed)
    with pytest.MonkeyPatch.context() as patch:
        shown = []
        for moment in moments:
            patch.setattr(time, "time_ns", lambda moment=moment: SINCE_NS + moment)
            shown.append(clock.now_ns())
    assert shown == sorted(shown)
