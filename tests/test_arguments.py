"""What people write, made exact at the door."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cdcx_pandas.arguments import to_limit, to_ns, to_period, to_range, to_symbol, to_symbols
from cdcx_pandas.errors import BadPeriod, BadRequest, BadTime, UnknownSymbol
from cdcx_pandas.periods import PERIODS

NOW = pd.Timestamp("2026-11-24 12:00", tz="UTC").value
V1 = ("1min", "5min", "15min", "30min", "1hour", "1day", "1week", "1month")
LISTED = {
    "symbol": ["btcusdt", "crousdt", "btcusd-perp", "a_bc", "ab_c"],
    "venue_symbol": ["btcusdt", "crousdt", "BTCUSD-PERP", "A_BC", "AB_C"],
}


def at(text: str) -> int:
    """Return an instant as ns, by pandas."""
    return int(pd.Timestamp(text, tz="UTC").as_unit("ns").value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2020-05-09", "2020-05-09"),
        ("2020-05-09 10:30", "2020-05-09 10:30"),
        ("2020-05-09T10:30:00+02:00", "2020-05-09 08:30"),
        ("20200509", "2020-05-09"),
        (pd.Timestamp("2020-05-09"), "2020-05-09"),
        (pd.Timestamp("2020-05-09 00:00", tz="America/New_York"), "2020-05-09 04:00"),
        (dt.datetime(2020, 5, 9, 1, 2, 3), "2020-05-09 01:02:03"),  # noqa: DTZ001  # naive means UTC
        (dt.date(2020, 5, 9), "2020-05-09"),
        (1589017701000, "2020-05-09 09:48:21"),
        (np.int64(1589017701000), "2020-05-09 09:48:21"),
        ("90s", "2026-11-24 11:58:30"),
        ("5min", "2026-11-24 11:55"),
        ("5m", "2026-11-24 11:55"),
        ("12H", "2026-11-24 00:00"),
        ("30D", "2026-10-25 12:00"),
        ("2w", "2026-11-10 12:00"),
        (" 1 d ", "2026-11-23 12:00"),
    ],
)
def test_times_are_read_as_utc(written: Any, meant: str) -> None:
    """Texts, times, epoch milliseconds and ages become one instant; naive means UTC."""
    assert to_ns(written, name="start", now_ns=NOW) == at(meant)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("3M", "start: '3M' could be minutes or months."),
        ("2months", "Months and years differ in length."),
        ("1y", "Write days (90D, 365D) or a date (2026-01-31)."),
        ("7q8", "start: '7q8' is no time that can be read."),
        ("5x", "Unit 'x' is unknown."),
        (1589017701, "It looks like seconds.\nWrite milliseconds: 1589017701000."),
        (1589017701000000000, "It looks like nanoseconds."),
        (12, "As milliseconds it is not between 2010 and 2100."),
        ("1589017701000", "Epoch milliseconds are written without quotes."),
        (1589017701000.0, "A float cannot hold every nanosecond"),
        (True, "start: True is no time."),
        (pd.NaT, "is no time that can be read."),
        ("soon", "start: 'soon' is no time that can be read."),
        ([1], "start: list is no time."),
    ],
)
def test_times_that_cannot_be_meant_are_refused(written: Any, told: str) -> None:
    """The error names the argument, what is wrong, and what to write instead."""
    with pytest.raises(BadTime) as caught:
        to_ns(written, name="start", now_ns=NOW)
    assert told in str(caught.value)


def test_a_reversed_range_is_refused() -> None:
    """A range is [start, end): start comes first, and they differ."""
    for start, end in (("2020-01-02", "2020-01-01"), ("2020-01-01", "2020-01-01")):
        with pytest.raises(BadTime, match="start is not before end"):
            to_range(start, end, now_ns=NOW)
    assert to_range("1d", None, now_ns=NOW) == (NOW - 86_400 * 10**9, None)


@pytest.mark.parametrize("limit", [0, -1, 1.0, "5", True])
def test_a_limit_is_a_number_of_rows(limit: Any) -> None:
    """Anything but a whole number from 1 is refused."""
    with pytest.raises(BadRequest, match="limit"):
        to_limit(limit)
    assert to_limit(np.int64(3)) == 3  # type: ignore[arg-type]  # what len() of an index gives


@pytest.mark.parametrize(
    ("written", "period"),
    [
        ("1m", "1min"), ("1min", "1min"), ("60min", "1hour"), ("1h", "1hour"), ("1H", "1hour"),
        ("1D", "1day"), ("1w", "1week"), ("1M", "1month"), ("1month", "1month"),
        ("4h", "4hour"), ("12H", "12hour"), (pd.Timedelta("15min"), "15min"),
        (dt.timedelta(days=7), "1week"),
    ],
)  # fmt: skip
def test_periods_have_synonyms(written: Any, period: str) -> None:
    """The usual spellings are understood; only a capital 1M is a month."""
    assert to_period(written, PERIODS, "venue") == period


def test_a_period_the_venue_has_not_is_told_with_those_it_has() -> None:
    """The error lists the venue's periods and how to make the one asked for."""
    with pytest.raises(BadPeriod) as caught:
        to_period("4h", V1, "v1")
    assert str(caught.value) == (
        "v1 has no 4hour klines.\n"
        "It has 1min, 5min, 15min, 30min, 1hour, 1day, 1week, 1month.\n"
        "Read a finer period and make them: df.cdcx.resample('4hour')."
    )
    assert caught.value.allowed == list(V1)


@pytest.mark.parametrize("written", ["2min", "hourly", "", 5, None, pd.Timedelta("7min")])
def test_an_unknown_period_is_told_with_the_list(written: Any) -> None:
    """What is no period is refused, and the choices are named."""
    with pytest.raises(BadPeriod, match="is no kline period") as caught:
        to_period(written, V1, "v1")
    assert "v1 has 1min, 5min" in str(caught.value)


@pytest.mark.parametrize(
    "written", ["btcusdt", "BTCUSDT", "BTC_USDT", "BTC/USDT", "BTC-USDT", "btc usdt"]
)
def test_symbols_are_understood_in_any_spelling(written: str) -> None:
    """All usual spellings of a pair are one market."""
    assert to_symbol(written, LISTED, "v1") == "btcusdt"


def test_derivatives_keep_their_own_name() -> None:
    """A perpetual is said by its own name in lower case."""
    assert to_symbol("BTCUSD-PERP", LISTED, "exchange") == "btcusd-perp"


def test_an_unknown_symbol_is_told_with_near_matches() -> None:
    """The error names the venue and what could have been meant."""
    with pytest.raises(UnknownSymbol) as caught:
        to_symbol("btcusdtt", LISTED, "v1")
    assert str(caught.value) == (
        "v1 has no market 'btcusdtt'.\n"
        "It lists 5 markets.\n"
        "Did you mean btcusdt, crousdt, btcusd-perp?"
    )
    assert caught.value.suggestions[0] == "btcusdt"


def test_an_ambiguous_symbol_is_refused() -> None:
    """Two markets that could be meant are both named."""
    with pytest.raises(BadRequest, match="could be a_bc or ab_c"):
        to_symbol("abc", LISTED, "v1")
    assert to_symbol("a_bc", LISTED, "v1") == "a_bc"


def test_a_symbol_is_a_text() -> None:
    """Anything else is refused with what to write."""
    with pytest.raises(BadRequest, match="int is no symbol"):
        to_symbol(5, LISTED, "v1")  # type: ignore[arg-type]  # what a person may write
    with pytest.raises(BadRequest, match="empty"):
        to_symbols([])
    assert to_symbols(["a", "b", "a"]) == ["a", "b"]
