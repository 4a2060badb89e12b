"""What the owner of an account may read: balances, orders, own trades, fees, entries.

Nothing here changes anything. Numbers are integers inside and become decimals, exactly scaled.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import TYPE_CHECKING

from cdcx_pandas import operations as op
from cdcx_pandas.periods import FIXED_NS
from cdcx_pandas.sandbox.answers import is_in, page_of
from cdcx_pandas.sandbox.engine import BUY
from cdcx_pandas.sandbox.floor import DOLLARS
from cdcx_pandas.sandbox.ledger import (
    MAKER_PPM,
    MONEY_DECIMALS,
    TAKER_PPM,
    UNIT_DECIMALS,
    scaled,
    to_money,
)
from cdcx_pandas.sandbox.orders import fill_columns, order_columns, side_word
from cdcx_pandas.tables import Answer, Columns

if TYPE_CHECKING:
    from cdcx_pandas.sandbox.floor import Floor
    from cdcx_pandas.sandbox.orders import Order, OwnTrade
    from cdcx_pandas.sandbox.terms import Terms
    from cdcx_pandas.sandbox.trading import Trading

_WIDE = Context(prec=60)
_CENT = scaled(1, MONEY_DECIMALS)
_HISTORY_ROWS = {"1hour": 120, "1day": 30}


class Statements:
    """Answers about accounts.

    Parameters
    ----------
    floor, trading
        Where prices, and where orders and balances are found.
    """

    def __init__(self, floor: Floor, trading: Trading) -> None:
        self._floor = floor
        self._trading = trading
        self._ledger = trading.ledger

    # -------------------------------------------------------------------------- balances

    def balances(self, account: str, now_ns: int) -> Answer:
        """Return what an account has, and what it is worth in BTC and in dollars."""
        coins = self._ledger.coins(account)
        balances = [self._ledger.balance(account, coin) for coin in coins]
        totals = [balance.total for balance in balances]
        columns: Columns = {
            "coin": coins,
            "available": [to_money(balance.available) for balance in balances],
            "locked": [to_money(balance.locked) for balance in balances],
            "total": [to_money(total) for total in totals],
            "btc_value": [
                self._worth(total, self._in_btc(coin, now_ns))
                for coin, total in zip(coins, totals, strict=True)
            ],
            "value_usd": [
                self._worth(total, self._floor.in_usd(coin, now_ns))
                for coin, total in zip(coins, totals, strict=True)
            ],
        }
        facts = {"total_btc": _sum(columns["btc_value"]), "total_usd": _sum(columns["value_usd"])}
        return Answer(op.GetAccount.table, columns, facts)

    def _worth(self, units: int, price: Decimal | None) -> Decimal | None:
        """Return what an amount is worth, rounded down."""
        if price is None:
            return None
        worth = _WIDE.multiply(scaled(units, UNIT_DECIMALS), price)
        return worth.quantize(_CENT, rounding="ROUND_DOWN", context=_WIDE)

    def _in_btc(self, coin: str, now_ns: int) -> Decimal | None:
        price = Decimal(1) if coin == "BTC" else self._last(coin, "BTC", now_ns)
        if price is not None:
            return price
        in_usdt = Decimal(1) if coin == "USDT" else self._last(coin, "USDT", now_ns)
        btc = self._last("BTC", "USDT", now_ns)
        return None if in_usdt is None or btc is None else _WIDE.divide(in_usdt, btc)

    def _last(self, base: str, quote: str, now_ns: int) -> Decimal | None:
        return self._floor.last((base + quote).lower(), now_ns)

    def balance_history(self, asked: op.GetBalanceHistory, account: str, now_ns: int) -> Answer:
        """Return the worth in dollars at past hours or days: today's balances less own trades."""
        length = FIXED_NS[asked.period]
        most = _HISTORY_ROWS[asked.period]
        limit = most if asked.limit is None else min(max(asked.limit, 0), most)
        end_ns = now_ns + 1 if asked.end is None else min(asked.end, now_ns + 1)
        newest = (end_ns - 1) // length
        held = {
            coin: self._ledger.balance(account, coin).total for coin in self._ledger.coins(account)
        }
        fills = self._trading.trades_of(account)[::-1]
        rows, undone = [], 0
        for number in range(newest, newest - limit, -1):
            time_ns = number * length
            while undone < len(fills) and fills[undone].time_ns > time_ns:
                _undo(fills[undone], held)
                undone += 1
            values = [
                self._worth(units, self._in_usd_at(coin, time_ns)) for coin, units in held.items()
            ]
            rows.append((time_ns, _sum(values)))
        columns: Columns = {"time": [r[0] for r in rows[::-1]], "total": [r[1] for r in rows[::-1]]}
        return Answer(asked.table, columns)

    def _in_usd_at(self, coin: str, time_ns: int) -> Decimal | None:
        if coin in DOLLARS:
            return Decimal(1)
        for quote in ("usd", "usdt"):
            desk = self._floor.desks.get(coin.lower() + quote)
            price = None if desk is None else desk.price_at(time_ns)
            if desk is not None and price is not None:
                return desk.scale.price(price)
        return None

    # ---------------------------------------------------------------------------- orders

    def order(self, order: Order) -> Answer:
        """Return one order with its fills."""
        facts = {"fills": fill_columns(order.fills)}
        return Answer(op.GetOrder.table, order_columns([order]), facts)

    def open_orders(self, asked: op.GetOpenOrders, account: str, terms: Terms) -> Answer:
        """Return a page of open orders."""
        self._floor.check(asked.symbol, terms)
        orders = self._trading.open_orders_of(account, asked.symbol)
        if not terms.ascending:
            orders.reverse()
        size = terms.open_rows if asked.page_size is None else asked.page_size
        rows = page_of(orders, asked.page, len(orders) if size is None else size)
        return Answer(asked.table, order_columns(rows), {"count": len(orders)})

    def history(self, asked: op.GetOrderHistory, account: str, now_ns: int, terms: Terms) -> Answer:
        """Return a page of orders, counted from the newest."""
        self._floor.check(asked.symbol, terms)
        start = _start(asked.start, asked.end, now_ns, terms)
        orders = self._trading.orders_of(account, asked.symbol)[::-1]
        if terms.finished_only:
            orders = [o for o in orders if not o.is_open and is_in(o.updated_ns, start, asked.end)]
            orders.sort(key=lambda order: order.updated_ns, reverse=True)
        else:
            orders = [order for order in orders if is_in(order.created_ns, start, asked.end)]
        size = terms.page_rows if asked.page_size is None else asked.page_size
        rows = page_of(orders, asked.page, size)
        rows = rows[::-1] if terms.ascending else rows
        return Answer(asked.table, order_columns(rows), {"count": len(orders)})

    def my_trades(self, asked: op.GetMyTrades, account: str, now_ns: int, terms: Terms) -> Answer:
        """Return a page of own trades.

        `newest_first` decides from which end pages are counted; within a page rows ascend
        either way, as in every table. A dialect that writes them the other way turns them.
        """
        fills = self._fills((asked.symbol, asked.start, asked.end), account, now_ns, terms)
        size = terms.page_rows if asked.page_size is None else asked.page_size
        newest = terms.newest_first if asked.newest_first is None else asked.newest_first
        if newest:
            rows = page_of(fills[::-1], asked.page, size)[::-1]
        else:
            rows = page_of(fills, asked.page, size)
        return Answer(asked.table, fill_columns(rows), {"count": len(fills)})

    def _fills(
        self,
        range_: tuple[str | None, int | None, int | None],
        account: str,
        now_ns: int,
        terms: Terms,
    ) -> list[OwnTrade]:
        symbol, start, end = range_
        self._floor.check(symbol, terms)
        start = _start(start, end, now_ns, terms)
        return [
            fill
            for fill in self._trading.trades_of(account)
            if symbol in {None, fill.order.symbol} and is_in(fill.time_ns, start, end)
        ]

    # ---------------------------------------------------------------- fees and entries

    def fees(self, asked: op.GetFees, terms: Terms) -> Answer:
        """Return what trading a market costs: everybody pays the same."""
        self._floor.check(asked.symbol, terms)
        return Answer(asked.table, _fee_columns(asked.symbol))

    def fee_tier(self, asked: op.GetFeeTier) -> Answer:
        """Return what trading costs in general."""
        return Answer(asked.table, _fee_columns("spot", "perp"))

    def transactions(
        self, asked: op.GetTransactions, account: str, now_ns: int, terms: Terms
    ) -> Answer:
        """Return what own trades moved, the newest of a range: each trade, and its fee."""
        fills = self._fills((asked.symbol, asked.start, asked.end), account, now_ns, terms)
        entries = [entry for fill in fills for entry in _entries(fill)]
        limit = terms.page_rows if asked.limit is None else max(asked.limit, 0)
        entries = entries[max(len(entries) - limit, 0) :]
        columns: Columns = {
            name: [entry[at] for entry in entries] for at, name in enumerate(_ENTRY_COLUMNS)
        }
        return Answer(asked.table, columns)


def _sum(values: list[Decimal | None]) -> Decimal:
    """Add up what is known."""
    return sum((value for value in values if value is not None), scaled(0, MONEY_DECIMALS))


def _start(start: int | None, end: int | None, now_ns: int, terms: Terms) -> int | None:
    if start is not None or terms.looks_back_ns is None:
        return start
    return (now_ns + 1 if end is None else end) - terms.looks_back_ns


def _undo(fill: OwnTrade, held: dict[str, int]) -> None:
    """Take a trade back out of what an account has."""
    order, scale = fill.order, fill.order.scale
    amount, cost = fill.lots * scale.lot, fill.price * fill.lots * scale.cost
    for coin, units in ((order.pair.base, amount), (order.pair.quote, -cost)):
        held[coin] = held.get(coin, 0) - order.side * units
    held[order.received] += fill.fee


def _fee_columns(*symbols: str) -> Columns:
    return {
        "symbol": list(symbols),
        "maker": [scaled(MAKER_PPM, 6)] * len(symbols),
        "taker": [scaled(TAKER_PPM, 6)] * len(symbols),
    }


_ENTRY_COLUMNS = (
    "time", "id", "entry", "symbol", "amount", "cost", "pnl", "order_id", "trade_id", "side",
    "role", "client_id",
)  # fmt: skip


def _entries(fill: OwnTrade) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """Return the two entries of a trade: what changed hands, and what was paid for it."""
    order, scale, nought = fill.order, fill.order.scale, Decimal(0)
    sign = 1 if order.side == BUY else -1
    common = (
        str(order.id), str(fill.id), side_word(order.side), fill.role, order.client_id,
    )  # fmt: skip
    amount, cost = scale.amount(fill.lots), scale.money(fill.price * fill.lots)
    number = f"{fill.id}{order.id % 1000:03}"
    fee = -to_money(fill.fee)
    in_base = order.side == BUY
    return (
        (fill.time_ns, f"{number}1", "TRADING", order.symbol, sign * amount, -sign * cost, nought,
         *common),
        (fill.time_ns, f"{number}2", "TRADE_FEE", order.symbol, fee if in_base else nought,
         nought if in_base else fee, nought, *common),
    )  # fmt: skip
