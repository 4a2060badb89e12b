"""The kline periods: their names, and where their bars begin.

A bar is named by its opening time. Minutes and hours open at multiples since the epoch, days
at 00:00, weeks on Monday, months on the 1st, all in UTC. Times are integer nanoseconds since
the epoch. What a person may write for a period, and what a venue calls it, is not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

NS_PER_MINUTE = 60_000_000_000
NS_PER_HOUR = 60 * NS_PER_MINUTE
NS_PER_DAY = 24 * NS_PER_HOUR

MONTH = "1month"
WEEK = "1week"
FIXED_NS = {
    "1min": NS_PER_MINUTE,
    "5min": 5 * NS_PER_MINUTE,
    "15min": 15 * NS_PER_MINUTE,
    "30min": 30 * NS_PER_MINUTE,
    "1hour": NS_PER_HOUR,
    "4hour": 4 * NS_PER_HOUR,
    "12hour": 12 * NS_PER_HOUR,
    "1day": NS_PER_DAY,
    WEEK: 7 * NS_PER_DAY,
}
"""Period → its length, for all but the month, whose length varies."""
PERIODS = (*FIXED_NS, MONTH)
"""The names of all periods, from the shortest to the longest."""

FIRST_MONDAY_NS = 4 * NS_PER_DAY
"""The epoch was a Thursday, so the first week of it opened on 1970-01-05."""
MONTHS_PER_YEAR = 12
EPOCH_YEAR = 1970


def bar_number(period: str, time_ns: int) -> int:
    """Count the bars of `period` from the epoch to the one that holds `time_ns`.

    Numbers of neighbouring bars differ by one, so that bars can be counted without walking.

    Parameters
    ----------
    period
        One of `PERIODS`.
    time_ns
        Any instant, also before the epoch.
    """
    if period == MONTH:
        year, month = _year_and_month(time_ns // NS_PER_DAY)
        return (year - EPOCH_YEAR) * MONTHS_PER_YEAR + month - 1
    return (time_ns - _origin_of(period)) // FIXED_NS[period]


def bar_time(period: str, number: int) -> int:
    """Return the opening time of the bar with this number; the inverse of `bar_number`."""
    if period == MONTH:
        year, month = divmod(number, MONTHS_PER_YEAR)
        return _days_before(year + EPOCH_YEAR, month + 1) * NS_PER_DAY
    return number * FIXED_NS[period] + _origin_of(period)


def floor_time(period: str, time_ns: int) -> int:
    """Return the opening time of the bar that holds `time_ns`.

    Examples
    --------
    >>> floor_time("1hour", 3_600_000_000_001)
    3600000000000
    """
    return bar_time(period, bar_number(period, time_ns))


def next_time(period: str, time_ns: int) -> int:
    """Return the first opening time after `time_ns`: when the bar that holds it is over."""
    return bar_time(period, bar_number(period, time_ns) + 1)


def ceil_time(period: str, time_ns: int) -> int:
    """Return the first opening time at or after `time_ns`."""
    return next_time(period, time_ns - 1)


def floor_times(period: str, times_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the opening times of the bars that hold `times_ns`: `floor_time` for an array."""
    if period == MONTH:
        # numpy knows the calendar; casting to a coarser unit rounds down.
        months = times_ns.astype("datetime64[ns]").astype("datetime64[M]")
        return months.astype("datetime64[ns]").astype(np.int64)
    length = FIXED_NS[period]
    return times_ns - (times_ns - _origin_of(period)) % length


def _origin_of(period: str) -> int:
    return FIRST_MONDAY_NS if period == WEEK else 0


# The two functions below are the proleptic Gregorian calendar in closed form, on years that
# begin in March, so that the leap day is the last of its year and needs no case of its own.
# `datetime` would do the same, but ends at year 9999 and knows no year before 1.

_DAYS_PER_ERA = 146_097  # 400 years
_DAYS_TO_EPOCH = 719_468  # from 0000-03-01 to 1970-01-01
_MARCH = 3


def _year_and_month(day: int) -> tuple[int, int]:
    """Return year and month (1 to 12) of a day counted from the epoch."""
    era, of_era = divmod(day + _DAYS_TO_EPOCH, _DAYS_PER_ERA)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153 + _MARCH
    overflow, month = divmod(month - 1, MONTHS_PER_YEAR)
    return era * 400 + year + overflow, month + 1


def _days_before(year: int, month: int) -> int:
    """Count the days from the epoch to the first of a month."""
    if month < _MARCH:
        year, month = year - 1, month + MONTHS_PER_YEAR
    era, of_era = divmod(year, 400)
    of_year = (153 * (month - _MARCH) + 2) // 5
    return (
        era * _DAYS_PER_ERA + of_era * 365 + of_era // 4 - of_era // 100 + of_year - _DAYS_TO_EPOCH
    )
