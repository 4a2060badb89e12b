"""What the exchange computes of a derivative by itself: index, mark and funding.

All of it is a function of the tape of the pair it is about, so it is the same whenever it is
asked. The index is that pair's last trade; the mark is the index and what is left to pay of
this interval's funding. A funding rate holds for four hours and is what the index did in the
four before, much reduced, an hour; it is settled at every whole hour. The figures are made up;
the rhythm is the exchange's.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from cdcx_pandas import errors as e
from cdcx_pandas.periods import NS_PER_HOUR
from cdcx_pandas.tables import NS_PER_S, Answer, Columns

if TYPE_CHECKING:
    from cdcx_pandas import operations as op
    from cdcx_pandas.sandbox.desk import Desk
    from cdcx_pandas.tables import ValuationKind

ROWS = 25
_FUNDING_ROWS = 100
_INTERVAL_NS = 4 * NS_PER_HOUR
_SPARSE_NS = 20 * NS_PER_S
"""How far the points of a longer series are apart."""
_CALM = Decimal(2000)
"""By how much a change of the index is divided to be an hour's funding."""
_MOST = Decimal("0.0001")
_RATE_STEP = Decimal("0.000000001")


def valuations(asked: op.GetValuations, desk: Desk, index: Desk | None, now_ns: int) -> Answer:
    """Return the newest values of ``[start, end)``: one of this second, then every 20 s."""
    if asked.kind != "mark" and index is None:
        raise e.BadRequest(f"{desk.pair.code} has no {asked.kind}.", code="40004")
    if asked.kind in {"funding", "estimated_funding"} and desk.pair.kind != "perp":
        raise e.BadRequest(f"{desk.pair.code} has no funding.", code="40004")
    limit = ROWS if asked.limit is None else max(asked.limit, 0)
    end_ns = now_ns + 1 if asked.end is None else min(asked.end, now_ns + 1)
    newest = (end_ns - 1) // NS_PER_S * NS_PER_S
    times = [newest]
    while len(times) < limit:
        times.append((times[-1] - 1) // _SPARSE_NS * _SPARSE_NS)
    rows = [(time, value_at(asked.kind, desk, index, time)) for time in reversed(times[:limit])]
    told = [
        row for row in rows if row[1] is not None and (asked.start is None or row[0] >= asked.start)
    ]
    columns: Columns = {"time": [time for time, _ in told], "value": [value for _, value in told]}
    return Answer(asked.table, columns)


def fundings(asked: op.GetFunding, desks: tuple[Desk, Desk | None], now_ns: int) -> Answer:
    """Return the newest settlements in ``[start, end)``, one at each whole hour."""
    desk, index = desks
    if desk.pair.kind != "perp" or index is None:
        raise e.BadRequest(f"{desk.pair.code} has no funding.", code="40004")
    limit = _FUNDING_ROWS if asked.limit is None else max(asked.limit, 0)
    end_ns = now_ns + 1 if asked.end is None else min(asked.end, now_ns + 1)
    last = (end_ns - 1) // NS_PER_HOUR
    hours = [hour * NS_PER_HOUR for hour in range(last - limit + 1, last + 1)]
    rows = [
        (hour, funding_rate(index, hour - 1))
        for hour in hours
        if asked.start is None or hour >= asked.start
    ]
    told = [row for row in rows if row[1] is not None]
    columns: Columns = {"time": [time for time, _ in told], "rate": [rate for _, rate in told]}
    return Answer(asked.table, columns)


def value_at(kind: ValuationKind, desk: Desk, index: Desk | None, time_ns: int) -> Decimal | None:
    """Return one value at one time, None before there was any trade."""
    if kind == "funding":
        return None if index is None else funding_rate(index, time_ns)
    if kind == "estimated_funding":
        return None if index is None else _reduced(index, time_ns - _INTERVAL_NS, time_ns)
    if kind == "index" or index is None:
        about = index or desk
        price = about.price_at(time_ns)
        return None if price is None else about.scale.price(price)
    return _mark(desk, index, time_ns)


def funding_rate(index: Desk, time_ns: int) -> Decimal | None:
    """Return the rate an hour of the interval that holds a time, as a fraction."""
    began = time_ns // _INTERVAL_NS * _INTERVAL_NS
    return _reduced(index, began - _INTERVAL_NS, began)


def _reduced(index: Desk, start_ns: int, end_ns: int) -> Decimal | None:
    before, after = index.price_at(start_ns), index.price_at(end_ns)
    if before is None or after is None:
        return None
    rate = (Decimal(after) - before) / before / _CALM
    return max(min(rate, _MOST), -_MOST).quantize(_RATE_STEP)


def _mark(desk: Desk, index: Desk, time_ns: int) -> Decimal | None:
    price = index.price_at(time_ns)
    if price is None:
        return None
    left = Decimal(_INTERVAL_NS - time_ns % _INTERVAL_NS) / NS_PER_HOUR
    rate = funding_rate(index, time_ns) or Decimal(0)
    return (index.scale.price(price) * (1 + rate * left)).quantize(desk.scale.price(1))
