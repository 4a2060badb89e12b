"""Keeping to published limits: laws over every limit there is."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdcx_pandas.dialects import DIALECTS
from cdcx_pandas.dialects.base import Limit
from cdcx_pandas.engines.limits import (
    JITTER_S,
    Pace,
    Told,
    banned,
    interval_s,
    published,
    reserve,
    throttled,
    told_by,
)

LIMITS = [limit for dialect in DIALECTS.values() for limit in dialect.limits]
BY_BUCKET = pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.bucket)


def most_in_a_window(arrivals: list[float], window_s: float) -> int:
    """Count by brute force: for every arrival, those less than a window later.

    To the nanosecond: sums of floats are off by less, and no clock tells less.
    """
    return max(sum(0 <= b - a < window_s - 1e-9 for b in arrivals) for a in arrivals)


@BY_BUCKET
@given(data=st.data())
def test_no_window_ever_holds_more_than_allowed(limit: Limit, data: st.DataObject) -> None:
    """Whatever the demand, and with each arrival up to 20 ms late, the limit is kept."""
    gaps = data.draw(
        st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.004, 0.03, 0.2, 1.5]), max_size=250)
    )
    late = data.draw(st.randoms(use_true_random=False))
    pace, now, arrivals = Pace(), 1000.0, [1000.0]
    for gap in gaps:
        now += gap
        slot, pace = reserve(pace, limit, now)
        arrivals.append(slot + late.uniform(0, JITTER_S))
    assert most_in_a_window(arrivals[1:] or arrivals, limit.window_s) <= limit.count


@BY_BUCKET
@given(
    gaps=st.lists(st.floats(0, 0.5), max_size=120),
    jitter=st.lists(st.floats(0, JITTER_S), min_size=1, max_size=30),
)
def test_any_demand_and_any_jitter_keep_the_limit(
    limit: Limit, gaps: list[float], jitter: list[float]
) -> None:
    """Also those that a search for a counterexample makes up."""
    pace, now, arrivals = Pace(), 50.0, [0.0]
    for n, gap in enumerate(gaps):
        now += gap * limit.window_s
        slot, pace = reserve(pace, limit, now)
        arrivals.append(slot + jitter[n % len(jitter)])
    # A slot is a sum of floats near 50, so a span can be short by their last digits.
    assert most_in_a_window(arrivals, limit.window_s) <= limit.count


@BY_BUCKET
def test_the_worst_jitter_keeps_the_limit(limit: Limit) -> None:
    """The first arrival as late as may be and all others at once is the worst there is."""
    pace, slots = Pace(), []
    for _ in range(limit.count + 1):
        slot, pace = reserve(pace, limit, 0.0)
        slots.append(slot)
    assert slots[-1] - (slots[0] + JITTER_S) >= limit.window_s - 1e-9


@pytest.mark.parametrize(("bucket", "share"), [("market", 0.90), ("/v1/order", 0.75)])
def test_at_full_demand_most_of_the_allowance_is_used(bucket: str, share: float) -> None:
    """Room for jitter costs 2 % of the market allowance and 17 % of the orders'."""
    (limit,) = [limit for limit in LIMITS if limit.bucket == bucket]
    pace, sent = Pace(), 0
    while (slot_pace := reserve(pace, limit, 0.0))[0] < 10.0:
        sent, pace = sent + 1, slot_pace[1]
    assert sent >= share * 10.0 * limit.count / limit.window_s


def test_the_intervals_are_those_decided() -> None:
    """10.2 ms for 100 a second, 24 ms for 5 in 100 ms, 120 ms for 1 in 100 ms."""
    found = {limit.bucket: round(interval_s(limit) * 1000, 3) for limit in LIMITS}
    assert found["market"] == 10.2
    assert found["/v1/order"] == 24.0
    assert found["/v1/account"] == 120.0
    assert found["/v1/showOrder"] == 12.0


def test_a_saved_up_burst_would_break_the_limit() -> None:
    """The brute-force counter sees what a bucket with a burst of five does."""
    burst = [0.0] * 5 + [0.02 * n for n in range(1, 6)]
    assert most_in_a_window(burst, 0.1) > 5


ORDERS = Limit("orders", 5, 0.1, "key")


def test_refusals_slow_down_and_clean_time_speeds_up() -> None:
    """Each 429 doubles the interval, up to ten times; 10 s without one win 5 % back."""
    pace = throttled(Pace(), 100.0)
    assert (pace.factor, pace.refused) == (2.0, 1)
    first, pace = reserve(pace, ORDERS, 100.0)
    second, pace = reserve(pace, ORDERS, 100.0)
    assert second - first == pytest.approx(0.048)
    for at in (120.0, 140.0, 160.0, 180.0):
        pace = throttled(pace, at)
    assert pace.factor == 10.0
    _, pace = reserve(pace, ORDERS, 190.0)
    assert pace.factor == pytest.approx(9.5)
    _, pace = reserve(pace, ORDERS, 1000.0)
    assert pace.factor == 1.0


def test_three_refusals_in_ten_seconds_stop_everything_for_a_minute() -> None:
    """The circuit opens for 60 s, then twice as long each time, 15 minutes at most."""
    pace = Pace()
    for at in (100.0, 101.0, 102.0):
        pace = throttled(pace, at)
    assert pace.waits_s(102.0) == 60.0
    lengths = []
    for _ in range(6):
        pace = banned(pace, pace.open_until + 1)
        lengths.append(pace.open_for)
    assert lengths == [120.0, 240.0, 480.0, 900.0, 900.0, 900.0]
    spaced = Pace()
    for at in (100.0, 111.0, 122.0, 133.0):
        spaced = throttled(spaced, at)
    assert spaced.open_until == 0.0


def test_answers_on_their_way_when_the_circuit_opens_do_not_lengthen_it() -> None:
    """Eight questions in flight are refused together: that is one ban, not eight."""
    slowed, shut = Pace(), Pace()
    for n in range(8):
        slowed, shut = throttled(slowed, 100.0 + n / 100), banned(shut, 100.0 + n / 100)
    for pace in (slowed, shut):
        assert pace.open_for == 60.0
        assert pace.waits_s(100.0) <= 60.1
    assert slowed.refused == 8


def test_a_ban_lasts_as_long_as_the_venue_says() -> None:
    """A longer time that is told is kept, up to a quarter of an hour."""
    assert banned(Pace(), 100.0, 300.0).waits_s(100.0) == 300.0
    assert banned(Pace(), 100.0, 1e9).waits_s(100.0) == 900.0
    assert banned(banned(Pace(), 100.0), 110.0, 300.0).waits_s(110.0) == 300.0


SOUND = Pace(100.5, 4.0, 99.0, (0.0, 95.0, 99.0), 90.0, 60.0, 3, 99.9, 2)


def test_what_was_written_here_is_sound() -> None:
    """Whatever refusals and waits made of a pace, it is believed again."""
    assert SOUND.is_sound(100.0)
    assert Pace().is_sound(0.0)
    pace = throttled(Pace(), 100.0, 1e9)
    assert pace.is_sound(100.0)
    assert banned(pace, 100.0, 1e9).is_sound(100.0)
    assert banned(banned(pace, 100.0), 110.0, 300.0).is_sound(110.0)


@pytest.mark.parametrize(
    "damage",
    [
        {"next_free": 100.0 + 700}, {"next_free": math.nan}, {"next_free": -math.inf},
        {"factor": math.nan}, {"factor": 0.0}, {"factor": -1.0}, {"factor": 1e300},
        {"clean_since": 5000.0}, {"clean_since": math.nan}, {"refusals": (0.0, 0.0, 5000.0)},
        {"open_until": 2000.0}, {"open_until": math.nan}, {"open_for": 1e9},
        {"window_start": math.inf}, {"used": 2**64 - 1}, {"refused": 2**64 - 1},
    ],
)  # fmt: skip
def test_what_cannot_have_been_written_here_is_not_sound(damage: dict[str, Any]) -> None:
    """Times from before a restart lie in the future; damage can be anything."""
    assert not replace(SOUND, **damage).is_sound(100.0)


def test_a_wait_that_was_told_is_kept() -> None:
    """Nothing goes out before `Retry-After` is over."""
    pace = throttled(Pace(), 100.0, 7.0)
    slot, _ = reserve(pace, ORDERS, 100.0)
    assert slot == 107.0


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, Told()),
        ({"retry-after": "3"}, Told(3.0)),
        ({"retry-after": "0.25"}, Told(0.25)),
        ({"ratelimit-remaining": "9", "ratelimit-reset": "2"}, Told(None, 9, 2.0)),
        ({"x-ratelimit-remaining": "9", "x-ratelimit-reset": "0.5"}, Told(None, 9, 0.5)),
        ({"ratelimit": '"market";r=50;t=30'}, Told(None, 50, 30.0)),
        ({"retry-after": "-1", "ratelimit-remaining": "many", "ratelimit-reset": "nan"}, Told()),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, Told()),
        ({"retry-after": "9" * 400}, Told()),
        ({"Retry-After": "3", "RateLimit-Remaining": "9"}, Told(3.0, 9)),
        ({"X-RATELIMIT-RESET": " 1.5 "}, Told(None, None, 1.5)),
        ({"ratelimit": '"a";r=50;t=30, "b, r=1;t=1";r=7;t=2'}, Told(None, 7, 2.0)),
        ({"ratelimit": '"a";r=-5;t=x'}, Told()),
    ],
)
def test_headers_are_read_and_nonsense_is_left_out(headers: dict[str, str], told: Told) -> None:
    """The usual spellings are understood; what cannot be read never raises."""
    assert told_by(headers) == told


def test_a_date_to_come_back_at_is_read_on_the_clock_that_is_given() -> None:
    """`Retry-After` may be a date; one that is over means now."""
    headers = {"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}
    assert told_by(headers, 784_111_770.0) == Told(7.0)
    assert told_by(headers, 784_111_999.0) == Told(0.0)


@given(
    st.dictionaries(
        st.sampled_from(["Retry-After", "RateLimit", "RateLimit-Reset", "x-ratelimit-remaining"]),
        st.text() | st.from_regex(r'"a";r=.{0,4};t=.{0,4}'),
    )
)
def test_headers_of_any_content_are_survived(headers: dict[str, str]) -> None:
    """A header can hold anything: numbers are 0 or more, or absent."""
    told = told_by(headers, 1e9)
    for number in (told.retry_after_s, told.remaining, told.reset_s):
        assert number is None or 0 <= number < math.inf


def test_limits_are_said_as_a_person_says_them() -> None:
    """`limits()` shows the venue's rule in words."""
    assert published(Limit("market", 100, 1.0, "address")) == "100 per 1 s per address"
