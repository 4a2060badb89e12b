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
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from cdcx_pandas.sandbox.desk import Touch
    from cdcx_pandas.sandbox.orders import Scale
    from cdcx_pandas.sandbox.tape import Bars, DayStats, Trades

    Ints = npt.NDArray[np.int64]

R = TypeVar("R")

CLOSED_AFTER_NS = 2 * NS_PER_S
"""A bar is final so long after it is over: `KLINES` says so."""
_BAND = 10
"""A price more than so many times away from the last one is refused."""
_CHANGE_DECIMALS = 10
_STEP_DECIMALS = 2
"""By so many decimals each step of the depth is coarser than the one before."""
_WIDE = Context(prec=60)
_INVALID_PRICE, _INVALID_AMOUNT = "308", "213"
FIRST_MATCH = 4_611_686_018_000_000_000
"""Where the numbers of matches begin, as on today's exchange; V1 has none."""


TICKER_COLUMNS = (
    "symbol", "last", "bid", "ask", "bid_amount", "ask_amount", "open", "high", "low", "volume",
    "quote_volume", "change",
)  # fmt: skip


def ticker_row(scale: Scale, day: DayStats | None, touch: Touch) -> dict[str, Any]:
    """Return the row of a market: its last 24 hours, its best prices and the amounts there."""
    row: dict[str, Any] = {
        "symbol": scale.pair.symbol,
        "bid": None if touch.bid is None else scale.price(touch.bid),
        "ask": None if touch.ask is None else scale.price(touch.ask),
        "bid_amount": None if touch.bid_lots is None else scale.amount(touch.bid_lots),
        "ask_amount": None if touch.ask_lots is None else scale.amount(touch.ask_lots),
    }
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


def flat_columns(bars: Bars, period: str, end_ns: int) -> Bars:
    """Fill the bars in which nothing traded, up to `end_ns`: flat at the close before.

    They belong to no trade, so their last one is that of the bar before.
    """
    if not bars.time_ns.size:
        return bars
    first = bar_number(period, int(bars.time_ns[0]))
    last = max(bar_number(period, end_ns - 1), bar_number(period, int(bars.time_ns[-1])))
    times = np.array([bar_time(period, n) for n in range(first, last + 1)], dtype=np.int64)
    place = bars.time_ns.searchsorted(times, "right") - 1
    filled = bars.rows(place)
    empty = bars.time_ns[place] != times
    close = filled.close
    prices = {
        name: np.where(empty, close, getattr(filled, name)) for name in ("open", "high", "low")
    }
    sums = {
        name: np.where(empty, 0, getattr(filled, name)) for name in ("volume", "turnover", "trades")
    }
    return filled._replace(time_ns=times, **prices, **sums)


def trade_columns(trades: Trades, scale: Scale, matches: Mapping[int, str]) -> Columns:
    """Return public trades as columns, ascending; `matches` are those that were recorded."""
    return {
        "time": trades.time_ns.tolist(),
        "id": [str(id_) for id_ in trades.id.tolist()],
        "price": [scale.price(ticks) for ticks in trades.price.tolist()],
        "amount": [scale.amount(lots) for lots in trades.amount.tolist()],
        "side": ["buy" if side == BUY else "sell" for side in trades.side.tolist()],
        "match_id": [matches.get(id_) or match_id(id_) for id_ in trades.id.tolist()],
    }


def match_id(trade_id: int) -> str | None:
    """Return the number of the match a trade is of; recorded ids of 19 digits tell none."""
    return str(FIRST_MATCH + trade_id) if trade_id < FIRST_MATCH >> 8 else None


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


def page_of(rows: Sequence[R], page: int | None, size: int) -> list[R]:
    """Return one page of a listing, counted from 0."""
    length = max(size, 0)
    first = (page or 0) * length
    return list(rows[first : first + length])


def is_in(time_ns: int, start: int | None, end: int | None) -> bool:
    """Tell whether an instant is in ``[start, end)``."""
    return (start is None or time_ns >= start) and (end is None or time_ns < end)


# ------------------------------------------------------------------------- what is asked for


def whole(value: Decimal, decimals: int, name: str) -> int:
    """Return a number as an integer of its smallest unit; it may not be finer than that."""
    if not value.is_finite() or value <= 0:
        code = _INVALID_PRICE if name == "price" else _INVALID_AMOUNT
        raise e.BadRequest(f"The {name} is not above zero.", code=code)
    exact = value.scaleb(decimals, _WIDE)
    if exact != exact.to_integral_value():
        code = _INVALID_PRICE if name == "price" else _INVALID_AMOUNT
        raise e.PrecisionTooHigh(f"The {name} has more than {decimals} decimals.", code=code)
    return int(exact)


def check_band(ticks: int, last: int | None) -> None:
    """Refuse a limit price that is ten times away from the last price."""
    if last is not None and not last < ticks * _BAND < last * _BAND * _BAND:
        raise e.PriceOutOfBand("The price is too far from the last one.")


def spend_units(spend: Decimal, scale: Scale) -> int:
    """Return the money of a market buy in units."""
    if not spend.is_finite() or spend <= 0:
        raise e.BadRequest("The amount to spend is not above zero.")
    decimals = scale.pair.price_precision + scale.pair.amount_precision
    if spend.scaleb(decimals, _WIDE) % 1:
        raise e.PrecisionTooHigh(f"The amount to spend has more than {decimals} decimals.")
    return to_units(spend)


def check_spend(units: int, scale: Scale, ask: int | None) -> None:
    """Refuse money that does not buy one lot."""
    if ask is not None and units < ask * scale.cost:
        raise e.BelowMinimum("The amount to spend does not buy the smallest amount.")
