"""The trading floor: every market's desk, and what anybody may ask about the markets.

This module knows no account and no order. What is computed of a market rather than traded on
it (index, mark, funding) stands in `valuations`.
"""

from __future__ import annotations

from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from cdcx_pandas import errors as e
from cdcx_pandas import operations as op
from cdcx_pandas.periods import PERIODS, floor_time
from cdcx_pandas.sandbox.answers import (
    TICKER_COLUMNS,
    coarse_price,
    flat_columns,
    kline_columns,
    merged,
    ticker_row,
    trade_columns,
)
from cdcx_pandas.sandbox.desk import Desk
from cdcx_pandas.sandbox.engine import BUY, SELL
from cdcx_pandas.sandbox.tape import BOOK_LEVELS, Bars
from cdcx_pandas.sandbox.terms import ALL, Terms
from cdcx_pandas.sandbox.valuations import fundings, valuations
from cdcx_pandas.tables import Answer, Columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cdcx_pandas.sandbox.market import Market

KLINE_ROWS = 300
TRADE_ROWS = 200
DOLLARS = frozenset({"USD", "USDT"})
"""What counts as a dollar, here as on the exchange."""
_ORDERS_AT = 5
"""A level of the tape is told as this many orders at most."""


class Floor:
    """The markets of an exchange.

    Parameters
    ----------
    markets
        By symbol, in the order they are listed.
    """

    def __init__(self, markets: Mapping[str, Market]) -> None:
        self.desks = {symbol: Desk(market) for symbol, market in markets.items()}

    def desk(self, symbol: str, terms: Terms = ALL) -> Desk:
        """Return the desk of a market; `UnknownSymbol` where there is none that is shown."""
        desk = self.desks.get(symbol) if terms.shows(symbol) else None
        if desk is None:
            near = get_close_matches(symbol, filter(terms.shows, self.desks), n=3)
            raise e.UnknownSymbol(
                f"There is no market {symbol!r}.",
                why=f"Near: {', '.join(near)}." if near else "",
                todo="symbols() lists them all.",
                suggestions=near,
            )
        return desk

    def check(self, symbol: str | None, terms: Terms = ALL) -> None:
        """Do nothing if a symbol, where there is one, names a market."""
        if symbol is not None:
            self.desk(symbol, terms)

    def shown(self, terms: Terms) -> list[Desk]:
        """Return the desks of the markets that are shown."""
        return [desk for symbol, desk in self.desks.items() if terms.shows(symbol)]

    def last(self, symbol: str, now_ns: int) -> Decimal | None:
        """Return the price of a market's newest trade, None where nothing tells."""
        desk = self.desks.get(symbol)
        price = None if desk is None else desk.last_price(now_ns)
        return None if desk is None or price is None else desk.scale.price(price)

    def tell(self, operation: op.Operation[Any], now_ns: int, terms: Terms = ALL) -> Answer:
        """Answer what everybody may ask."""
        match operation:
            case op.GetSymbols():
                return Answer(operation.table, self.symbols(terms, now_ns))
            case op.GetTickers():
                return self._tickers(self.shown(terms), now_ns)
            case op.GetTicker(symbol):
                return self._tickers([self.desk(symbol, terms)], now_ns)
            case op.GetPrices():
                return _prices(self.shown(terms), now_ns)
            case op.GetKlines():
                return _klines(operation, self.desk(operation.symbol, terms), now_ns, terms)
            case op.GetTrades():
                return _trades(operation, self.desk(operation.symbol, terms), now_ns, terms)
            case op.GetDepth():
                return _depth(operation, self.desk(operation.symbol, terms), now_ns)
            case op.GetFunding():
                return fundings(operation, self.valued(operation.symbol, terms), now_ns)
            case op.GetValuations():
                return valuations(operation, *self.valued(operation.symbol, terms), now_ns)
            case _:
                raise e.Unsupported(f"The sandbox has no answer to {type(operation).__name__}.")

    def valued(self, symbol: str, terms: Terms) -> tuple[Desk, Desk | None]:
        """Return the desk of an instrument, and that of the pair it is about."""
        desk = self.desk(symbol, terms)
        return desk, self.desks.get(desk.pair.follows)

    def in_usd(self, coin: str, now_ns: int) -> Decimal | None:
        """Return what a coin is worth in dollars, None where no market tells."""
        if coin in DOLLARS:
            return Decimal(1)
        in_usd = self.last(f"{coin}USD".lower(), now_ns)
        return self.last(f"{coin}USDT".lower(), now_ns) if in_usd is None else in_usd

    def _tickers(self, desks: list[Desk], now_ns: int) -> Answer:
        rows = [ticker_row(desk.scale, desk.day(now_ns), desk.touch(now_ns)) for desk in desks]
        columns: Columns = {name: [row[name] for row in rows] for name in TICKER_COLUMNS}
        columns["time"] = [now_ns] * len(rows)
        columns["open_interest"] = [  # made up: what is traded in a day
            None if desk.pair.kind == "spot" else row["volume"]
            for row, desk in zip(rows, desks, strict=True)
        ]
        columns["volume_usd"] = [
            self._money_in_usd(row["quote_volume"], desk.pair.quote, now_ns)
            for row, desk in zip(rows, desks, strict=True)
        ]
        return Answer(op.GetTickers.table, columns, {"time": now_ns})

    def _money_in_usd(self, money: Decimal | None, coin: str, now_ns: int) -> Decimal | None:
        price = self.in_usd(coin, now_ns)
        if money is None or price is None:
            return None
        return (money * price).quantize(Decimal("0.01"))

    def symbols(self, terms: Terms, now_ns: int) -> Columns:
        """Return the markets as the columns of `SYMBOLS`."""
        desks = self.shown(terms)
        pairs = [desk.pair for desk in desks]
        lots = [desk.scale.amount(1) for desk in desks]
        return {
            "symbol": [pair.symbol for pair in pairs],
            "base": [pair.base for pair in pairs],
            "quote": [pair.quote for pair in pairs],
            "venue_symbol": [pair.code for pair in pairs],
            "kind": [pair.kind for pair in pairs],
            "price_tick": [desk.scale.price(1) for desk in desks],
            "amount_tick": lots,
            "amount_min": list(lots),
            "price_precision": [pair.price_precision for pair in pairs],
            "amount_precision": [pair.amount_precision for pair in pairs],
            "tradable": [now_ns < (pair.expires_ns or now_ns + 1) for pair in pairs],
            "expires": [pair.expires_ns for pair in pairs],
        }


def _prices(desks: Iterable[Desk], now_ns: int) -> Answer:
    last = [(desk, desk.last_price(now_ns)) for desk in desks]
    traded = [(desk, price) for desk, price in last if price is not None]
    columns: Columns = {
        "symbol": [desk.pair.symbol for desk, _ in traded],
        "last": [desk.scale.price(price) for desk, price in traded],
    }
    return Answer(op.GetPrices.table, columns, {"time": now_ns})


def _klines(asked: op.GetKlines, desk: Desk, now_ns: int, terms: Terms) -> Answer:
    if asked.period not in PERIODS:
        raise e.BadPeriod(f"There is no period {asked.period!r}.", allowed=PERIODS)
    if asked.start is None or terms.windowed:
        bars = _newest_bars(asked, desk, now_ns, terms)
        if asked.start is not None:
            first = bars.time_ns.searchsorted(floor_time(asked.period, asked.start))
            bars = bars.rows(slice(int(first), None))
    else:
        end_ns = now_ns + 1 if asked.end is None else asked.end
        bars = desk.market.bars(asked.period, asked.start, end_ns, now_ns)
        if asked.limit is not None:
            bars = bars.rows(slice(max(asked.limit, 0)))
    return Answer(asked.table, kline_columns(bars, asked.period, desk.scale, now_ns))


def _newest_bars(asked: op.GetKlines, desk: Desk, now_ns: int, terms: Terms) -> Bars:
    count = KLINE_ROWS if asked.limit is None else max(asked.limit, 0)
    end_ns, period = now_ns + 1 if asked.end is None else asked.end, asked.period
    # One more, since the bar of now has nothing to tell before its first trade.
    bars = desk.market.bars_before(period, end_ns, count + 1, now_ns)
    if terms.flat and desk.pair.kind == "spot":
        bars = flat_columns(bars, period, min(end_ns, now_ns + 1))
    return bars.rows(slice(max(bars.time_ns.size - count, 0), None))


def _trades(asked: op.GetTrades, desk: Desk, now_ns: int, terms: Terms) -> Answer:
    limit = TRADE_ROWS if asked.limit is None else min(max(asked.limit, 0), TRADE_ROWS)
    end_ns = now_ns + 1 if asked.end is None else min(asked.end, now_ns + 1)
    trades = desk.market.last_trades(end_ns, limit)
    start = asked.start
    if start is None and terms.looks_back_ns is not None:
        start = end_ns - terms.looks_back_ns
    if start is not None:
        trades = trades.rows(slice(int(trades.time_ns.searchsorted(start)), None))
    return Answer(asked.table, trade_columns(trades, desk.scale, desk.market.matches))


def _depth(asked: op.GetDepth, desk: Desk, now_ns: int) -> Answer:
    if asked.step not in {0, 1, 2}:
        raise e.BadRequest("The steps of the depth are 0, 1 and 2.")
    book = desk.book(now_ns)
    cap = BOOK_LEVELS if asked.levels is None else min(max(asked.levels, 0), BOOK_LEVELS)
    columns: Columns = {
        "side": [], "level": [], "price": [], "amount": [], "total": [], "orders": [],
    }  # fmt: skip
    for side, rows in ((BUY, book.bids), (SELL, book.asks)):
        prices, lots = (column[:cap] for column in merged(rows, side, asked.step))
        columns["side"] += ["bid" if side == BUY else "ask"] * prices.size
        columns["level"] += range(prices.size)
        columns["price"] += [
            coarse_price(price, desk.pair.price_precision, asked.step) for price in prices.tolist()
        ]
        columns["amount"] += map(desk.scale.amount, lots.tolist())
        columns["total"] += map(desk.scale.amount, lots.cumsum().tolist())
        columns["orders"] += (1 + np.mod(lots, _ORDERS_AT)).tolist()
    return Answer(asked.table, columns, {"time": now_ns})
