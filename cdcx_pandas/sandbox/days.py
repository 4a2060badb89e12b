"""The days of a synthetic tape: where prices go, and how much is traded.

A day is drawn first: its four prices, its volume, its turnover and the number of its trades.
What happens within it is the business of `splitting`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cdcx_pandas.periods import NS_PER_DAY
from cdcx_pandas.sandbox.chance import bell, draw, exp2, key, log2, unit, wave
from cdcx_pandas.sandbox.pairs import HISTORY_BEGINS_NS, Pair
from cdcx_pandas.sandbox.rows import (
    CLOSE,
    FIELDS,
    HIGH,
    ID,
    LOW,
    OPEN,
    TIME,
    TRADES,
    TURNOVER,
    VOLUME,
)
from cdcx_pandas.sandbox.tape import FIRST_ID

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Coin:
    """How a coin's price goes: from one level towards another, walking between two walls."""

    first: str
    """In November 2019; in dollars, or in BTC for the coins that follow it."""
    later: str
    """The level it tends to over the years."""
    daily: float
    """Deviation of a day's step, as a logarithm to base 2."""
    wall: float
    """How far the walk gets from its level, as a logarithm to base 2."""
    in_btc: bool = True


_COINS = {
    "USD": _Coin("1", "1", 0.0, 1.0, in_btc=False),
    "USDT": _Coin("1", "1", 0.0006, 0.0015, in_btc=False),
    "USDC": _Coin("1", "1", 0.0005, 0.0012, in_btc=False),
    "BTC": _Coin("8700", "74000", 0.043, 0.75, in_btc=False),
    # VET and CRO are worth so little of a BTC that their walls are near: a price of `vetbtc`
    # has 8 decimals and keeps more than 100 ticks.
    "CRO": _Coin("0.0000042", "0.0000024", 0.040, 0.50),
    "VET": _Coin("0.0000019", "0.0000018", 0.040, 0.45),
    "ETH": _Coin("0.0215", "0.045", 0.032, 0.60),
    "EOS": _Coin("0.00039", "0.000025", 0.038, 0.60),
    "LTC": _Coin("0.0069", "0.0012", 0.034, 0.60),
    "MCO": _Coin("0.00055", "0.00012", 0.045, 0.60),
    "XRP": _Coin("0.000031", "0.000014", 0.038, 0.60),
    "XLM": _Coin("0.0000082", "0.0000042", 0.038, 0.60),
    "ATOM": _Coin("0.00044", "0.0001", 0.042, 0.60),
    "LINK": _Coin("0.00033", "0.00018", 0.044, 0.60),
    "XTZ": _Coin("0.000135", "0.00002", 0.040, 0.60),
    "BCH": _Coin("0.032", "0.006", 0.038, 0.60),
    "ICX": _Coin("0.000018", "0.0000055", 0.042, 0.60),
    "SOL": _Coin("0.0002", "0.0022", 0.045, 0.60),
}
_OTHER_COIN = _Coin("0.0001", "0.0001", 0.04, 0.60)

_SETTLING_DAYS = 900
"""After so many days half of the way from the first level to the later one is done."""
_LEAST_TICKS = 120
"""No day opens below, and with `_LEAST_LOW` no trade is below 100: a tick is at most 1 %."""
_LEAST_LOW = 100
FIRST_DAYS = 4_096
"""Days made at once, to 2031; then twice as many."""


@lru_cache(maxsize=64)
def _levels(seed: int, coin: str, count: int) -> Floats:
    """Return the logarithm of a coin's price in dollars at the first `count` midnights."""
    plan = _COINS.get(coin, _OTHER_COIN)
    days = np.arange(count, dtype=np.int64)
    steps = bell(draw(key(seed, coin, "steps"), days)) * plan.daily * _temper(seed, count)
    steps[0] = 0.0
    # Folding the walk at its walls bounds it for ever and leaves its steps as large as they are.
    walk = np.abs(np.mod(steps.cumsum() + plan.wall, 4 * plan.wall) - 2 * plan.wall)
    first, later = log2(plan.first), log2(plan.later)
    level = first + (later - first) * (days / (days + _SETTLING_DAYS)) + (plan.wall - walk)
    return level + _levels(seed, "BTC", count) if plan.in_btc else level


@lru_cache(maxsize=8)
def _temper(seed: int, count: int) -> Floats:
    """Return how lively each day is, for all pairs together: calm and wild weeks, mean about 1."""
    days = np.arange(count, dtype=np.int64)
    weeks, seasons = wave(key(seed, "weeks"), days, 9), wave(key(seed, "seasons"), days, 60)
    return 0.45 + 0.7 * weeks + 0.4 * seasons


_WEEKDAY = np.array([1.0, 1.05, 1.1, 1.05, 1.0, 0.8, 0.75])
_LEAST_DAY_TRADES = 1_700
_LEAST_LOTS_PER_TRADE = 2_800
"""On average over a day, so that after the most uneven splits a minute has 13 for each trade."""
_MOST_DAY_LOTS = 10**13
_DAY_MARGIN = 38
"""A day's average price keeps this far (in percent of its range) from its high and low."""


def make_days(pair: Pair, seed: int, count: int) -> Ints:
    """Make the first `count` days of a pair's history."""
    keys = {word: key(seed, pair.follows or pair.symbol, word) for word in ("range", "flow")}
    days = np.arange(count, dtype=np.int64)
    base, quote = _levels(seed, pair.base, count + 1), _levels(seed, pair.quote, count + 1)
    ticks = np.rint(exp2(base - quote) * float(10**pair.price_precision)).astype(np.int64)
    ticks = np.maximum(ticks, _LEAST_TICKS)
    rows = np.empty((FIELDS, count), dtype=np.int64)
    rows[TIME] = HISTORY_BEGINS_NS + days * NS_PER_DAY
    rows[OPEN], rows[CLOSE] = ticks[:-1], ticks[1:]

    temper = _temper(seed, count)
    coins = [_COINS.get(coin, _OTHER_COIN).daily for coin in (pair.base, pair.quote)]
    # Highs and lows reach about as far beyond open and close as a walk of this size would.
    reach = float(np.sqrt(coins[0] * coins[0] + coins[1] * coins[1])) * 0.6 * temper
    bits = draw(keys["range"], days)
    top, bottom = np.maximum(ticks[:-1], ticks[1:]), np.minimum(ticks[:-1], ticks[1:])
    rows[HIGH] = top + np.rint(top * reach * unit(bits, 0)).astype(np.int64)
    low = bottom - np.rint(bottom * reach * unit(bits, 1)).astype(np.int64)
    rows[LOW] = np.maximum(low, _LEAST_LOW)

    bits = draw(keys["flow"], days)
    # Day 0 was a Thursday.
    activity = temper * _WEEKDAY[(days + 3) % 7] * (0.6 + 0.8 * unit(bits, 0))
    rows[TRADES] = _LEAST_DAY_TRADES + np.rint(
        1_440 * (pair.trades_per_minute - 1) * activity
    ).astype(np.int64)
    rows[ID] = FIRST_ID + rows[TRADES].cumsum() - rows[TRADES]
    lots = pair.daily_usd * activity * (0.7 + 0.6 * unit(bits, 1)) / exp2(base[:-1])
    lots = np.rint(np.minimum(lots * float(10**pair.amount_precision), _MOST_DAY_LOTS))
    volume = np.maximum(lots.astype(np.int64), _LEAST_LOTS_PER_TRADE * rows[TRADES])
    rows[VOLUME] = volume

    # Turnover above the low, `excess`, decides the day's average price.
    span = rows[HIGH] - rows[LOW]
    middle = ((rows[OPEN] + rows[CLOSE]) / 2 - rows[LOW]) / np.maximum(span, 1)
    place = 0.55 * middle + 0.45 * (0.3 + 0.4 * unit(bits, 2))
    most = span * volume
    least = -(-most * _DAY_MARGIN // 100)
    excess = np.clip(np.rint(place * most).astype(np.int64), least, most - least)
    rows[TURNOVER] = rows[LOW] * volume + excess
    return rows
