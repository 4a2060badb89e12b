"""The clock offset, from what answers tell."""

from __future__ import annotations

import random
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdcx_pandas.engines.offset import KEPT, OffsetEstimate, read_http_date

NOW = 1_790_000_000.0


def ask(
    estimate: OffsetEstimate, true_s: float, sent_s: float, there_s: float, back_s: float
) -> None:
    """Ask a venue whose clock is `true_s` ahead; it stamps on arrival, in whole seconds."""
    stamp = formatdate(int(sent_s + there_s + true_s), usegmt=True)
    estimate.add_http_date(stamp, sent_s=sent_s, received_s=sent_s + there_s + back_s)


@given(true_s=st.floats(-4000, 4000), seed=st.integers(0, 2**32), count=st.integers(1, 40))
def test_the_truth_is_always_within_the_bounds(true_s: float, seed: int, count: int) -> None:
    """Whatever the delays, the interval holds the true offset, and only narrows."""
    dice = random.Random(seed)
    estimate = OffsetEstimate()
    at = NOW
    for _ in range(count):
        at += dice.uniform(0.05, 3)
        ask(estimate, true_s, at, dice.uniform(0.001, 0.4), dice.uniform(0.001, 0.4))
        assert estimate.lower_s - 1e-6 <= true_s <= estimate.upper_s + 1e-6
    assert estimate.width_s <= 1.9


def test_twenty_answers_narrow_it_well() -> None:
    """One header is a second wide; twenty of them leave some tens of milliseconds."""
    dice = random.Random(5)
    errors = []
    for _ in range(200):
        estimate = OffsetEstimate()
        true_s = dice.uniform(2, 60)
        at = NOW
        for _ in range(20):
            at += dice.uniform(0.1, 2)
            ask(estimate, true_s, at, 0.02, 0.02)
        errors.append(abs(estimate.offset_s - true_s))
    assert sorted(errors)[100] < 0.05


def test_a_right_clock_is_left_alone() -> None:
    """While no offset is possible, none is assumed."""
    estimate = OffsetEstimate()
    assert (estimate.known, estimate.offset_s, estimate.width_s) == (False, 0.0, 0.0)
    assert estimate.signing_time_ms(1_000_000) == 1_000_000
    ask(estimate, 0.0, NOW + 0.4, 0.05, 0.05)
    assert estimate.known
    assert estimate.offset_s == 0.0


def test_a_clock_that_was_set_begins_anew() -> None:
    """Bounds that contradict each other mean that a clock was set."""
    estimate = OffsetEstimate()
    ask(estimate, 100.0, NOW, 0.05, 0.05)
    ask(estimate, -50.0, NOW + 10, 0.05, 0.05)
    assert estimate.offset_s == pytest.approx(-50.0, abs=0.6)


@given(true_s=st.floats(-4000, 4000))
def test_signed_times_are_never_ahead_of_the_venue(true_s: float) -> None:
    """Venues take a time that is a little old and refuse one that is ahead."""
    estimate = OffsetEstimate()
    for i in range(5):
        ask(estimate, true_s, NOW + 1.3 * i, 0.03, 0.03)
    signed = estimate.signing_time_ms(int((NOW + 7) * 1000)) / 1000
    assert NOW + 7 + true_s - 2.2 < signed <= NOW + 7 + true_s + 0.9


@pytest.mark.parametrize("date", ["", "soon", "Tue, 99 Foo 2026 25:00:00 GMT"])
def test_a_date_that_cannot_be_read_teaches_nothing(date: str) -> None:
    """Nonsense in a header is left out."""
    estimate = OffsetEstimate()
    estimate.add_http_date(date, sent_s=NOW, received_s=NOW)
    assert not estimate.known


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 -0000",
    ],
)
@pytest.mark.skipif(not hasattr(time, "tzset"), reason="time zones are set otherwise here")
def test_every_form_of_a_date_means_utc(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the forms without a zone, wherever the machine stands."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        found = read_http_date(text)
    time.tzset()
    assert found == 784_111_777.0


@given(st.text())
def test_no_date_ever_raises(text: str) -> None:
    """A header can hold anything."""
    found = read_http_date(text)
    assert found is None or isinstance(found, float)


def test_threads_may_share_an_estimate() -> None:
    """Bounds are replaced, not changed: whoever reads meanwhile reads whole ones."""
    estimate = OffsetEstimate()
    ask(estimate, 5.0, NOW, 0.05, 0.05)
    before = estimate._bounds
    kept = list(before)
    ask(estimate, 5.0, NOW + 2.5, 0.05, 0.05)
    assert list(before) == kept
    assert len(estimate._bounds) == 2
    for i in range(40):
        ask(estimate, 5.0, NOW + 3 * i, 0.05, 0.05)
    assert len(estimate._bounds) == KEPT


def test_time_that_runs_faster_is_measured_on_its_own_scale() -> None:
    """For a venue at speed 60, sent and received are times of its scaled clock."""
    estimate = OffsetEstimate()
    for i in range(20):
        ask(estimate, 0.0, NOW + i * 60 * 1.37, 60 * 0.002, 60 * 0.002)
    assert estimate.lower_s <= 0 <= estimate.upper_s
    assert estimate.offset_s == 0.0


def test_millisecond_stamps_narrow_it_further() -> None:
    """A stamp in a body is as good as the round trip is short."""
    estimate = OffsetEstimate()
    estimate.add_stamp_ms(int((NOW + 5) * 1000), sent_s=NOW - 0.01, received_s=NOW + 0.01)
    assert estimate.width_s < 0.03
    assert estimate.offset_s == pytest.approx(5.0, abs=0.02)
