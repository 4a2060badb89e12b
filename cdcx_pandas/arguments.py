"""What people write, made exact once, at the door: times, ranges, symbols, periods, limits.

Everything behind the door works with integer nanoseconds, ``btcusdt`` and ``1hour``.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from typing import TYPE_CHECKING

import pandas as pd

from cdcx_pandas.errors import BadPeriod, BadRequest, BadTime, UnknownSymbol
from cdcx_pandas.periods import FIXED_NS, PERIODS
from cdcx_pandas.tables import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cdcx_pandas.tables import Columns

Time = str | int | dt.date | dt.datetime | pd.Timestamp
"""A date text, an age such as ``30D``, epoch milliseconds, or a date or time object."""

Period = str | dt.timedelta
"""A period's name (``1hour``, ``60min``, ``1h`` ...), or its length (a `Timedelta`)."""

_AGE = re.compile(r"\s*(\d+)\s*([A-Za-z]+)\s*\Z")
_AGE_NS = {
    "s": NS_PER_S,
    "min": 60 * NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3600 * NS_PER_S,
    "d": 86_400 * NS_PER_S,
    "w": 7 * 86_400 * NS_PER_S,
}
_MONTHS = {"mo", "mon", "month", "months", "y", "yr", "year", "years", "q"}
_AGE_HINT = "Write days (90D, 365D) or a date (2026-01-31)."
_FIRST_MS = 1_262_304_000_000  # 2010-01-01
_LAST_MS = 4_102_444_800_000  # 2100-01-01


def to_ns(value: Time, *, name: str, now_ns: int) -> int:
    """Return an instant as nanoseconds since the epoch, UTC.

    Parameters
    ----------
    value
        Date text, `datetime`, `Timestamp` (naive means UTC), epoch milliseconds from 2010 to
        2100, or an age: ``<int>(s|min|m|h|d|w)``, in either case except that a single ``M``
        is refused, since it could be minutes or months.
    name
        The argument's name, for errors.
    now_ns
        What an age is counted from.

    Raises
    ------
    BadTime
        It cannot be meant.
    """
    if isinstance(value, bool) or value is None:
        raise BadTime(f"{name}: {value!r} is no time.", todo=_TIME_HINT)
    if isinstance(value, str):
        age = _AGE.match(value)
        return now_ns - _age_ns(age, name) if age else _parse(value, name)
    if isinstance(value, float):
        raise BadTime(
            f"{name}: {value!r} is a float.",
            why="A float cannot hold every nanosecond, and its unit is unknown.",
            todo="Write epoch milliseconds as an int, a date text or a Timestamp.",
        )
    if isinstance(value, dt.date):  # datetime and Timestamp are dates too
        return _stamp_ns(pd.Timestamp(value), name)
    try:
        return _epoch_ns(int(value), name)
    except (TypeError, ValueError) as error:
        if isinstance(error, BadTime):
            raise
    raise BadTime(f"{name}: {type(value).__name__} is no time.", todo=_TIME_HINT)


_TIME_HINT = "Write a date (2026-01-31), an age (30D, 12h), a Timestamp, or epoch milliseconds."


def _age_ns(age: re.Match[str], name: str) -> int:
    count, unit = age.groups()
    if unit == "M":
        raise BadTime(
            f"{name}: {age.string!r} could be minutes or months.",
            todo=f"Write {count}min for minutes; months differ in length: {_AGE_HINT}",
        )
    length = _AGE_NS.get(unit.lower())
    if length is None:
        months = unit.lower() in _MONTHS
        raise BadTime(
            f"{name}: {age.string!r} is no age.",
            why="Months and years differ in length." if months else f"Unit {unit!r} is unknown.",
            todo=_AGE_HINT if months else "The units are s, min, h, d and w: 90s, 15min, 30D.",
        )
    return int(count) * length


def _epoch_ns(stamp: int, name: str) -> int:
    if _FIRST_MS <= stamp < _LAST_MS:
        return stamp * NS_PER_MS
    if _FIRST_MS <= stamp * 1000 < _LAST_MS:
        why, todo = "It looks like seconds.", f"Write milliseconds: {stamp * 1000}."
    elif _FIRST_MS <= stamp // 10**6 < _LAST_MS:
        why, todo = "It looks like nanoseconds.", f"Write milliseconds: {stamp // 10**6}."
    else:
        why, todo = "As milliseconds it is not between 2010 and 2100.", _TIME_HINT
    raise BadTime(f"{name}: {stamp} is no epoch time in milliseconds.", why=why, todo=todo)


def _parse(text: str, name: str) -> int:
    if re.fullmatch(r"\s*\d{5,7}\s*|\s*\d{9,}\s*", text):
        raise BadTime(
            f"{name}: {text!r} is a number in quotes.",
            todo="Epoch milliseconds are written without quotes.",
        )
    try:
        stamp = pd.Timestamp(text)
    except (ValueError, TypeError, OverflowError):
        stamp = None
    return _stamp_ns(stamp, name, shown=text)


def _stamp_ns(stamp: pd.Timestamp | None, name: str, shown: str = "NaT") -> int:
    if stamp is None or pd.isna(stamp):
        raise BadTime(f"{name}: {shown!r} is no time that can be read.", todo=_TIME_HINT)
    stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    return int(stamp.as_unit("ns").value)


def to_range(start: Time | None, end: Time | None, *, now_ns: int) -> tuple[int | None, int | None]:
    """Return the bounds of ``[start, end)``; `BadTime` when they are reversed or equal."""
    first = None if start is None else to_ns(start, name="start", now_ns=now_ns)
    last = None if end is None else to_ns(end, name="end", now_ns=now_ns)
    if first is not None and last is not None and first >= last:
        raise BadTime(
            "start is not before end.",
            why=f"start is {pd.Timestamp(first, tz='UTC')}, end {pd.Timestamp(last, tz='UTC')};"
            " a range is [start, end).",
            todo="Exchange them, or leave end out.",
        )
    return first, last


def to_limit(limit: int | None, name: str = "limit") -> int | None:
    """Return a number of rows; `BadRequest` when it is none."""
    if limit is None:
        return None
    if isinstance(limit, bool) or not hasattr(limit, "__index__") or int(limit) < 1:
        raise BadRequest(f"{name}: {limit!r} is no number of rows.", todo="Write 1 or more.")
    return int(limit)


# ----------------------------------------------------------------------------------- periods

_SYNONYMS = {
    **{period: period for period in PERIODS},
    **{f"{n}m": f"{n}min" for n in (1, 5, 15, 30)},
    "60min": "1hour", "60m": "1hour", "1h": "1hour",
    "240min": "4hour", "4h": "4hour",
    "720min": "12hour", "12h": "12hour",
    "1d": "1day", "24h": "1day", "24hour": "1day",
    "1w": "1week", "7d": "1week", "7day": "1week",
    "1mon": "1month",
}  # fmt: skip
_LENGTHS = {length: period for period, length in FIXED_NS.items()}


def to_period(period: Period, allowed: Sequence[str], venue: str) -> str:
    """Return a period's name; `BadPeriod` when it is none, or the venue has it not.

    Upper and lower case are the same, except that ``1M`` is a month and ``1m`` a minute.
    """
    name: str | None = None
    if isinstance(period, dt.timedelta):
        name = _LENGTHS.get(int(pd.Timedelta(period).as_unit("ns").value))
    elif isinstance(period, str):
        name = "1month" if period.strip() == "1M" else _SYNONYMS.get(period.strip().lower())
    if name is not None:
        if name in allowed:
            return name
        raise BadPeriod(
            f"{venue} has no {name} klines.",
            why=f"It has {', '.join(allowed)}.",
            todo=f"Read a finer period and make them: df.cdcx.resample({name!r}).",
            allowed=allowed,
        )
    raise BadPeriod(
        f"period: {period!r} is no kline period.",
        todo=f"{venue} has {', '.join(allowed)}.",
        allowed=allowed,
    )


# ----------------------------------------------------------------------------------- symbols


def squeezed(symbol: str) -> str:
    """Return a symbol without the marks people put between its coins."""
    return re.sub(r"[\s/_:-]", "", symbol).lower()


def to_symbol(symbol: str, symbols: Columns, venue: str) -> str:
    """Return a market's name as frames say it.

    Parameters
    ----------
    symbol
        ``btcusdt``, ``BTC_USDT``, ``BTC/USDT``, ``BTC-USDT`` or ``BTCUSD-PERP``.
    symbols
        The venue's markets (columns of `SYMBOLS`).
    venue
        Its name, for errors.

    Raises
    ------
    UnknownSymbol
        No such market; near matches are named.
    BadRequest
        It is no text, or two markets could be meant.
    """
    if not isinstance(symbol, str):
        raise BadRequest(
            f"symbol: {type(symbol).__name__} is no symbol.",
            todo='Write a text, "btcusdt", or where several are taken a list of them.',
        )
    asked = squeezed(symbol)
    exact = [
        name
        for name, theirs in zip(symbols["symbol"], symbols["venue_symbol"], strict=True)
        if symbol in (name, theirs)
    ]
    found = exact or [
        name
        for name, theirs in zip(symbols["symbol"], symbols["venue_symbol"], strict=True)
        if asked in (squeezed(name), squeezed(theirs))
    ]
    if len(found) == 1:
        return str(found[0])
    if found:
        raise BadRequest(
            f"symbol: {symbol!r} could be {' or '.join(found)} on {venue}.",
            todo="Write the one that is meant as symbols() says it.",
        )
    near = difflib.get_close_matches(asked, symbols["symbol"], n=3, cutoff=0.6)
    raise UnknownSymbol(
        f"{venue} has no market {symbol!r}.",
        why=f"It lists {len(symbols['symbol'])} markets.",
        todo=f"Did you mean {', '.join(near)}?" if near else "See symbols() for all of them.",
        suggestions=near,
    )


def to_symbols(wanted: Iterable[str]) -> list[str]:
    """Return a list of symbols without repetitions; `BadRequest` when it is empty."""
    listed = list(dict.fromkeys(wanted))
    if not listed:
        raise BadRequest("The list of symbols is empty.", todo='Write ["btcusdt", ...].')
    return listed


def to_step(step: int | str | None) -> int:
    """Return how coarsely the prices of a book are merged: 0, 1 or 2."""
    steps = {None: 0, 0: 0, 1: 1, 2: 2, "step0": 0, "step1": 1, "step2": 2}
    if isinstance(step, bool) or step not in steps:
        raise BadRequest(f"step: {step!r} is no step.", todo='Write 0, 1 or 2, or "step0".')
    return steps[step]
