"""What the local exchange says, as columns: integers become decimals, exactly scaled.

And the other way round: what a person asks for becomes ticks, lots and units, or is refused.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cdcx_pandas import errors as e
from cdcx_pandas.periods import bar_number, bar_time
from cdcx_pandas.sandbox.engine import BUY
from cdcx_pandas.sandbox.ledger import scaled, to_units
from cdcx_pandas.tables import NS_PER_S, Columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from cdcx_pandas.sandbox.orders import Scale
    from cdcx_pandas.sandbox.tape import Bars, DayStats, Trades

    Ints = npt.NDArray[np.int64]

R = TypeVar("R")

CLOSED_AFTER_NS = 2 * NS_PER_S
"""A bar is final so long after it is over: `KLINES` says so."""
PAGE_ROWS = 20
_BAND = 10
"""A price more than so many times away from the last one is refused."""
_CHANGE_DECIMALS = 10
_STEP_DECIMALS = 2
"""By so many decimals each step of the depth is coarser than the one before."""
_WIDE = Context(prec=60)


TICKER_COLUMNS = (
    "symbol", "last", "bid", "ask", "open", "high", "low", "volume", "quote_volume", "change",
)  # fmt: skip


def ticker_row(
    scale: Scale, day: DayStats | None, touch: tuple[int | None, int | None]
) -> dict[str, Any]:
    """Return the row of a market: its last 24 hours and its best prices."""
    bid, ask = (None if ticks is None else scale.price(ticks) for ticks in touch)
    row: dict[str, Any] = {"symbol": scale.pair.symbol, "bid": bid, "ask": ask}
    if day is None:
        return row | dict.fromkeys(
            ("last", "open", "high", "low", "volume", "quote_volume", "change")
        )
    change = _WIDE.divide(Decimal(day.close - day.open), Decimal(day.open))
    return row | {
        "last": scale.price(day.close),
        "open": scale.price(day.open),
        "high": scale.price(day.high),
        "low": scale.price(day.low),
        "volume": scale.amount(day.volume),
        "quote_volume": scale.money(day.turnover),
        "change": change.quantize(scaled(1, _CHANGE_DECIMALS), context=_WIDE),
    }


def kline_columns(bars: Bars, period: str, scale: Scale, now_ns: int) -> Columns:
    """Return bars as columns, with turnover and the id of each bar's last trade."""
    times = bars.time_ns.tolist()
    ends = [bar_time(period, bar_number(period, time) + 1) for time in times[-2:]]
    final = [True] * (len(times) - len(ends)) + [end + CLOSED_AFTER_NS <= now_ns for end in ends]
    columns: Columns = {"time": times}
    for name in ("open", "high", "low", "close"):
        columns[name] = [scale.price(ticks) for ticks in getattr(bars, name).tolist()]
    return columns | {
        "volume": [scale.amount(lots) for lots in bars.volume.tolist()],
        "closed": final,
        "quote_volume": [scale.money(int(turnover)) for turnover in bars.turnover],
        "last_id": bars.last_id.tolist(),
    }


def trade_columns(trades: Trades, scale: Scale) -> Columns:
    """Return public trades as columns, ascending."""
    return {
        "time": trades.time_ns.tolist(),
        "id": [str(id_) for id_ in trades.id.tolist()],
        "price": [scale.price(ticks) for ticks in trades.price.tolist()],
        "amount": [scale.amount(lots) for lots in trades.amount.tolist()],
        "side": ["buy" if side == BUY else "sell" for side in trades.side.tolist()],
    }


def merged(rows: Ints, side: int, step: int) -> tuple[Ints, Ints]:
    """Merge levels to coarser prices, bids rounded down and asks up; best first."""
    if not step or not len(rows):
        return rows[:, 0], rows[:, 1]
    unit = 10 ** (_STEP_DECIMALS * step)
    coarse = rows[:, 0] // unit if side == BUY else -(-rows[:, 0] // unit)
    firsts = np.flatnonzero(np.diff(coarse, prepend=coarse[0] - 1))
    return coarse[firsts], np.add.reduceat(rows[:, 1], firsts)


def coarse_price(price: int, precision: int, step: int) -> Decimal:
    """Return the price of a merged level."""
    decimals = precision - _STEP_DECIMALS * step
    return scaled(price, decimals) if decimals >= 0 else Decimal(price * 10**-decimals)


def page_of(rows: Sequence[R], page: int | None, size: int | None) -> list[R]:
    """Return one page of a listing, counted from 0."""
    length = PAGE_ROWS if size is None else max(size, 0)
    first = (page or 0) * length
    return list(rows[first : first + length])


def is_in(time_ns: int, start: int | None, end: int | None) -> bool:
    """Tell whether an instant is in ``[start, end)``."""
    return (start is None or time_ns >= start) and (end is None or time_ns < end)


# ------------------------------------------------------------------------- what is asked for


def whole(value: Decimal, decimals: int, name: str) -> int:
    """Return a number as an integer of its smallest unit; it may not be finer than that."""
    if not value.is_finite() or value <= 0:
        raise e.BadRequest(f"The {name} is not above zero.")
    exact = value.scaleb(decimals, _WIDE)
    if exact != exact.to_integral_value():
        raise e.PrecisionTooHigh(f"The {name} has more than {decimals} decimals.")
    return int(exact)


def price_ticks(price: Decimal, precision: int, last: int | None) -> int:
    """Return a limit price in ticks; it may not be ten times away from the last price."""
    ticks = whole(price, precision, "price")
    if last is not None and not last < ticks * _BAND < last * _BAND * _BAND:
        raise e.PriceOutOfBand("The price is too far from the last one.")
    return ticks


def spend_units(spend: Decimal, scale: Scale, ask: int | None) -> int:
    """Return the money of a market buy in units; it must buy one lot."""
    if not spend.is_finite() or spend <= 0:
        raise e.BadRequest("The amount to spend is not above zero.")
    decimals = scale.pair.price_precision + scale.pair.amount_precision
    if spend.scaleb(decimals, _WIDE) % 1:
        raise e.PrecisionTooHigh(f"The amount to spend has more than {decimals} decimals.")
    units = to_units(spend)
    if ask is not None and units < ask * scale.cost:
        raise e.BelowMinimum("The amount to spend does not buy the smallest amount.")
    return units
