"""The local exchange: answers operations, and lets orders live.

This module knows what every question means and what an order may be. It knows no dialect, no
HTTP, no signature and no clock: now is an argument, and never goes back. What trades on a
market is the tape's business, who meets whom the engine's, who has what the ledger's.

Numbers are integers inside and become decimals, exactly scaled, in answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from difflib import get_close_matches
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, overload

from cdcx_pandas import errors as e
from cdcx_pandas import operations as op
from cdcx_pandas.periods import PERIODS
from cdcx_pandas.sandbox.answers import (
    TICKER_COLUMNS,
    coarse_price,
    is_in,
    kline_columns,
    merged,
    page_of,
    price_ticks,
    spend_units,
    ticker_row,
    trade_columns,
    whole,
)
from cdcx_pandas.sandbox.desk import Desk
from cdcx_pandas.sandbox.engine import BUY, SELL, Wish
from cdcx_pandas.sandbox.ledger import (
    HOUSE,
    MAKER_PPM,
    MONEY_DECIMALS,
    TAKER_PPM,
    UNIT_DECIMALS,
    USER,
    Ledger,
    Settlement,
    fee_on,
    scaled,
    to_money,
    to_units,
)
from cdcx_pandas.sandbox.orders import (
    Order,
    OwnTrade,
    fill_columns,
    order_columns,
)
from cdcx_pandas.sandbox.past import Dice, PastOrder, make_past
from cdcx_pandas.sandbox.tape import BOOK_LEVELS
from cdcx_pandas.tables import NS_PER_S, Answer, Columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    import numpy.typing as npt

    from cdcx_pandas.sandbox.market import Market

    Ints = npt.NDArray[np.int64]

KLINE_ROWS = 300
TRADE_ROWS = 200

VOLUME_MISSING, PRICE_MISSING = "23", "24"
"""V1's codes for orders that lack something."""
_FIRST_ORDER_ID = 68_000_000
_MOST_IDS_BETWEEN = 40
"""Others place orders too, so ids have gaps."""
_PLENTY = 10**40
_WIDE = Context(prec=60)


@dataclass(frozen=True)
class Options:
    """How an exchange starts.

    Attributes
    ----------
    start_ns
        When, ns UTC; nothing is asked about an earlier now.
    past_orders
        How many orders the account has behind it.
    balances
        What the account has at the start, locked funds included, in the order it is listed.
    """

    start_ns: int
    past_orders: int = 60
    balances: tuple[tuple[str, str], ...] = (
        ("USDT", "100000"),
        ("BTC", "2"),
        ("ETH", "20"),
        ("CRO", "200000"),
    )


def run_id(seed: int, start_ns: int) -> str:
    """Return what tells one run of the sandbox from another: 12 letters and digits."""
    return blake2b(f"{seed}:{start_ns}:run".encode(), digest_size=6).hexdigest()


class Exchange:
    """A whole exchange without its wires.

    Parameters
    ----------
    markets
        The markets by symbol, in the order they are listed.
    ledger
        Who has what; empty, the account's start is booked here.
    seed
        Of everything random: keys, ids, the account's past.
    options
        How it starts.

    Attributes
    ----------
    run
        Tells this run from others.
    """

    def __init__(
        self, markets: Mapping[str, Market], ledger: Ledger, *, seed: int, options: Options
    ) -> None:
        self.ledger = ledger
        self.seed = seed
        self.options = options
        self.run = run_id(seed, options.start_ns)
        self._desks = {symbol: Desk(market) for symbol, market in markets.items()}
        self._now_ns = options.start_ns
        self._orders: dict[int, Order] = {}
        self._trades: dict[str, list[OwnTrade]] = {}
        self._next_id = _FIRST_ORDER_ID
        self._dice = Dice(seed, options.start_ns, "orders")
        self._start_account()

    # ------------------------------------------------------------------------------ time

    def advance(self, now_ns: int) -> int:
        """Let time pass: the tape's trades since the last call fill resting orders.

        Returns
        -------
        int
            Now: `now_ns`, or the latest now there was if that is later.
        """
        if now_ns <= self._now_ns:
            return self._now_ns
        start_ns, self._now_ns = self._now_ns + 1, now_ns
        hits = [
            hit
            for desk in self._desks.values()
            if len(desk.engine)
            for hit in desk.hits(start_ns, now_ns + 1)
        ]
        # Sorting is stable: trades of one market and time stay in their order.
        for hit in sorted(hits, key=lambda hit: hit.time_ns):
            desk = self._desks[hit.symbol]
            for fill in desk.engine.meet(hit.price, hit.lots):
                assert fill.maker is not None, "the tape meets resting orders only"
                maker = self._orders[fill.maker]
                self._execute(desk, None, maker, (fill.price, fill.lots), time_ns=hit.time_ns)
        return now_ns

    # ------------------------------------------------------------------------- questions

    @overload
    def answer(
        self, operation: op.Operation[Answer], now_ns: int, account: str | None = None
    ) -> Answer: ...
    @overload
    def answer(self, operation: op.PlaceOrder, now_ns: int, account: str | None = None) -> str: ...
    @overload
    def answer(
        self, operation: op.Operation[Any], now_ns: int, account: str | None = None
    ) -> Answer | str | None: ...
    def answer(
        self, operation: op.Operation[Any], now_ns: int, account: str | None = None
    ) -> Answer | str | None:
        """Answer a question or do what is asked.

        Parameters
        ----------
        operation
            What is asked.
        now_ns
            The venue's time, ns UTC.
        account
            Who asks, None if nobody signed. What a key may do is checked before, by
            `cdcx_pandas.sandbox.keys.may`.

        Raises
        ------
        CdcxError
            What the exchange says no with; see `cdcx_pandas.errors`.
        """
        now_ns = self.advance(now_ns)
        if operation.effect is op.Effect.PUBLIC_READ:
            return self._tell(operation, now_ns)
        if account is None:
            raise e.AuthError("This question must be signed.")
        return self._serve(operation, now_ns, account)

    def _tell(self, operation: op.Operation[Any], now_ns: int) -> Answer:
        """Answer what everybody may ask."""
        match operation:
            case op.GetSymbols():
                return Answer(operation.table, self._symbols())
            case op.GetTickers():
                return self._tickers(self._desks, now_ns)
            case op.GetTicker(symbol):
                self._desk(symbol)
                return self._tickers([symbol], now_ns)
            case op.GetPrices():
                return self._prices(now_ns)
            case op.GetKlines():
                return self._klines(operation, now_ns)
            case op.GetTrades():
                return self._public_trades(operation, now_ns)
            case op.GetDepth():
                return self._depth(operation, now_ns)
            case _:
                raise e.Unsupported(f"The sandbox has no answer to {type(operation).__name__}.")

    def _serve(
        self, operation: op.Operation[Any], now_ns: int, account: str
    ) -> Answer | str | None:
        """Answer or do what the owner of an account may ask."""
        match operation:
            case op.GetAccount():
                return self._account(account, now_ns)
            case op.GetOrder(id=id_, symbol=symbol):
                order = self._order(id_, symbol, account)
                facts = {"fills": fill_columns(order.fills)}
                return Answer(operation.table, order_columns([order]), facts)
            case op.GetOpenOrders() | op.GetOrderHistory():
                return self._listing(operation, account)
            case op.GetMyTrades():
                return self._my_trades(operation, account)
            case op.PlaceOrder():
                return self._place(operation, account, now_ns)
            case op.CancelOrder(id=id_, symbol=symbol):
                self._cancel(self._order(id_, symbol, account), now_ns)
                return None
            case op.CancelAllOrders(symbol=symbol):
                self._check_symbol(symbol)
                for order in self._orders_of(account, symbol):
                    if order.is_open:
                        self._cancel(order, now_ns)
                return None
            case _:
                raise e.Unsupported(f"The sandbox has no answer to {type(operation).__name__}.")

    # -------------------------------------------------------------- what a stream asks for

    def last_trade_id(self, symbol: str, now_ns: int) -> int:
        """Return the id of the newest public trade, 0 before the first."""
        return self._desk(symbol).last_id(self.advance(now_ns))

    def trades_after(self, symbol: str, trade_id: int, now_ns: int) -> Answer:
        """Return the public trades with ids above `trade_id`, ascending."""
        now_ns = self.advance(now_ns)
        desk = self._desk(symbol)
        new = max(desk.last_id(now_ns) - trade_id, 0)
        trades = desk.market.last_trades(now_ns + 1, new)
        return Answer(op.GetTrades.table, trade_columns(trades, desk.scale))

    def bar(self, symbol: str, period: str, now_ns: int) -> Answer:
        """Return the bar of now, as it stands; the last one there was if nothing traded yet."""
        return self.answer(op.GetKlines(symbol, period, limit=1), now_ns)

    def ticker(self, symbol: str, now_ns: int) -> Answer:
        """Return the ticker of a market."""
        return self.answer(op.GetTicker(symbol), now_ns)

    def book(self, symbol: str, now_ns: int, step: int = 0, levels: int | None = None) -> Answer:
        """Return the book of a market."""
        return self.answer(op.GetDepth(symbol, step, levels), now_ns)

    def book_key(self, symbol: str, now_ns: int) -> tuple[int, int, int]:
        """Return a value that stays the same as long as the book and the last trade do."""
        return self._desk(symbol).book_key(self.advance(now_ns))

    # ---------------------------------------------------------------------------- market

    def _symbols(self) -> Columns:
        pairs = [desk.pair for desk in self._desks.values()]
        ticks = [desk.scale.price(1) for desk in self._desks.values()]
        lots = [desk.scale.amount(1) for desk in self._desks.values()]
        return {
            "symbol": [pair.symbol for pair in pairs],
            "base": [pair.base for pair in pairs],
            "quote": [pair.quote for pair in pairs],
            "venue_symbol": [pair.symbol for pair in pairs],
            "kind": ["spot"] * len(pairs),
            "price_tick": ticks,
            "amount_tick": lots,
            "amount_min": list(lots),
            "price_precision": [pair.price_precision for pair in pairs],
            "amount_precision": [pair.amount_precision for pair in pairs],
            "tradable": [True] * len(pairs),
            "expires": [None] * len(pairs),
        }

    def _tickers(self, symbols: Iterable[str], now_ns: int) -> Answer:
        desks = [self._desks[symbol] for symbol in symbols]
        rows = [ticker_row(desk.scale, desk.day(now_ns), desk.touch(now_ns)) for desk in desks]
        columns: Columns = {name: [row[name] for row in rows] for name in TICKER_COLUMNS}
        columns["time"] = [now_ns] * len(rows)
        return Answer(op.GetTickers.table, columns, {"time": now_ns})

    def _prices(self, now_ns: int) -> Answer:
        last = [(desk, desk.last_price(now_ns)) for desk in self._desks.values()]
        traded = [(desk, price) for desk, price in last if price is not None]
        columns: Columns = {
            "symbol": [desk.pair.symbol for desk, _ in traded],
            "last": [desk.scale.price(price) for desk, price in traded],
        }
        return Answer(op.GetPrices.table, columns, {"time": now_ns})

    def _klines(self, asked: op.GetKlines, now_ns: int) -> Answer:
        desk = self._desk(asked.symbol)
        if asked.period not in PERIODS:
            raise e.BadPeriod(f"There is no period {asked.period!r}.", allowed=PERIODS)
        end_ns = now_ns + 1 if asked.end is None else asked.end
        if asked.start is None:
            count = KLINE_ROWS if asked.limit is None else max(asked.limit, 0)
            # One more, since the bar of now has nothing to tell before its first trade.
            bars = desk.market.bars_before(asked.period, end_ns, count + 1, now_ns)
            bars = bars.rows(slice(max(bars.time_ns.size - count, 0), None))
        else:
            bars = desk.market.bars(asked.period, asked.start, end_ns, now_ns)
            if asked.limit is not None:
                bars = bars.rows(slice(max(asked.limit, 0)))
        return Answer(asked.table, kline_columns(bars, asked.period, desk.scale, now_ns))

    def _public_trades(self, asked: op.GetTrades, now_ns: int) -> Answer:
        desk = self._desk(asked.symbol)
        limit = TRADE_ROWS if asked.limit is None else min(max(asked.limit, 0), TRADE_ROWS)
        end_ns = now_ns + 1 if asked.end is None else min(asked.end, now_ns + 1)
        trades = desk.market.last_trades(end_ns, limit)
        if asked.start is not None:
            first = int(trades.time_ns.searchsorted(asked.start))
            trades = trades.rows(slice(first, None))
        return Answer(asked.table, trade_columns(trades, desk.scale))

    def _depth(self, asked: op.GetDepth, now_ns: int) -> Answer:
        desk = self._desk(asked.symbol)
        if asked.step not in {0, 1, 2}:
            raise e.BadRequest("The steps of the depth are 0, 1 and 2.")
        book = desk.book(now_ns)
        cap = BOOK_LEVELS if asked.levels is None else min(max(asked.levels, 0), BOOK_LEVELS)
        columns: Columns = {"side": [], "level": [], "price": [], "amount": [], "total": []}
        for side, rows in ((BUY, book.bids), (SELL, book.asks)):
            prices, lots = (column[:cap] for column in merged(rows, side, asked.step))
            columns["side"] += ["bid" if side == BUY else "ask"] * prices.size
            columns["level"] += range(prices.size)
            columns["price"] += [
                coarse_price(price, desk.pair.price_precision, asked.step)
                for price in prices.tolist()
            ]
            columns["amount"] += map(desk.scale.amount, lots.tolist())
            columns["total"] += map(desk.scale.amount, lots.cumsum().tolist())
        columns["orders"] = [None] * len(columns["side"])
        return Answer(asked.table, columns, {"time": now_ns})

    # --------------------------------------------------------------------------- account

    def _account(self, account: str, now_ns: int) -> Answer:
        coins = self.ledger.coins(account)
        balances = [self.ledger.balance(account, coin) for coin in coins]
        values = [
            self._btc_value(coin, balance.total, now_ns)
            for coin, balance in zip(coins, balances, strict=True)
        ]
        columns: Columns = {
            "coin": coins,
            "available": [to_money(balance.available) for balance in balances],
            "locked": [to_money(balance.locked) for balance in balances],
            "total": [to_money(balance.total) for balance in balances],
            "btc_value": values,
        }
        known = [value for value in values if value is not None]
        return Answer(
            op.GetAccount.table, columns, {"total_btc": sum(known, scaled(0, MONEY_DECIMALS))}
        )

    def _btc_value(self, coin: str, units: int, now_ns: int) -> Decimal | None:
        """Return what an amount is worth in BTC, rounded down, None where no market tells."""
        amount = scaled(units, UNIT_DECIMALS)
        price: Decimal | None = Decimal(1)
        if coin != "BTC":
            price = self._last(f"{coin}BTC", now_ns)
        if price is None:
            in_usdt = Decimal(1) if coin == "USDT" else self._last(f"{coin}USDT", now_ns)
            btc = self._last("BTCUSDT", now_ns)
            if in_usdt is None or btc is None:
                return None
            price = _WIDE.divide(in_usdt, btc)
        worth = _WIDE.multiply(amount, price)
        return worth.quantize(scaled(1, MONEY_DECIMALS), rounding="ROUND_DOWN", context=_WIDE)

    def _last(self, symbol: str, now_ns: int) -> Decimal | None:
        desk = self._desks.get(symbol.lower())
        price = None if desk is None else desk.last_price(now_ns)
        return None if desk is None or price is None else desk.scale.price(price)

    def _order(self, id_: str | None, symbol: str | None, account: str) -> Order:
        self._check_symbol(symbol)
        known = id_ is not None and id_.isascii() and id_.isdecimal()
        order = self._orders.get(int(id_ or 0)) if known else None
        if order is None or order.account != account or symbol not in {None, order.symbol}:
            raise e.OrderNotFound(f"There is no order {id_!r}.", todo="Look at open_orders().")
        return order

    def _orders_of(self, account: str, symbol: str | None) -> list[Order]:
        """Return orders as they were created: ids ascend, and so does the dict."""
        return [
            order
            for order in self._orders.values()
            if order.account == account and symbol in {None, order.symbol}
        ]

    def _listing(self, asked: op.GetOpenOrders | op.GetOrderHistory, account: str) -> Answer:
        self._check_symbol(asked.symbol)
        orders = self._orders_of(account, asked.symbol)[::-1]
        if isinstance(asked, op.GetOpenOrders):
            orders = [order for order in orders if order.is_open]
        else:
            orders = [order for order in orders if is_in(order.created_ns, asked.start, asked.end)]
        rows = page_of(orders, asked.page, asked.page_size)
        return Answer(asked.table, order_columns(rows), {"count": len(orders)})

    def _my_trades(self, asked: op.GetMyTrades, account: str) -> Answer:
        """Return a page of own trades.

        `newest_first` decides from which end pages are counted; within a page rows ascend
        either way, as in every table. A dialect that writes them the other way turns them.
        """
        self._check_symbol(asked.symbol)
        fills = [
            fill
            for fill in self._trades.get(account, [])
            if asked.symbol in {None, fill.order.symbol}
            and is_in(fill.time_ns, asked.start, asked.end)
        ]
        if asked.newest_first:
            rows = page_of(fills[::-1], asked.page, asked.page_size)[::-1]
        else:
            rows = page_of(fills, asked.page, asked.page_size)
        return Answer(asked.table, fill_columns(rows), {"count": len(fills)})

    # ---------------------------------------------------------------------------- orders

    def _place(self, asked: op.PlaceOrder, account: str, now_ns: int) -> str:
        desk = self._desk(asked.symbol)
        order = self._made(asked, desk, account, now_ns)
        self.ledger.hold(account, order.given, order.held)
        self._enter(order)
        budget = None if order.spend is None else order.spend // order.scale.cost
        wish = Wish(account, order.side, order.lots, order.price, budget)
        taken = desk.engine.take(wish, desk.market.book(now_ns), now_ns // NS_PER_S)
        for own in taken.cancelled:
            self._end(self._orders[own], "canceled", now_ns)
        for fill in taken.fills:
            maker = None if fill.maker is None else self._orders[fill.maker]
            self._execute(desk, order, maker, (fill.price, fill.lots), time_ns=now_ns)
        if order.price is None:
            # What a market order did not find, it never will.
            self._end(order, "filled" if order.filled else "canceled", now_ns)
        elif order.remaining:
            desk.engine.rest(order.id, account, order.side, order.price, order.remaining)
        return str(order.id)

    def _made(self, asked: op.PlaceOrder, desk: Desk, account: str, now_ns: int) -> Order:
        """Make an order of what is asked, or refuse it."""
        side = {"buy": BUY, "sell": SELL}.get(asked.side)
        if side is None or asked.type not in {"limit", "market"}:
            raise e.BadRequest("An order is a buy or a sell, a limit or a market order.")
        price, lots, spend = None, None, None
        by_spend = side == BUY and asked.type == "market"
        volume = asked.spend if by_spend else asked.amount
        if volume is None:
            raise e.BadRequest(
                f"The order does not say how much: {'spend' if by_spend else 'amount'} is missing.",
                code=VOLUME_MISSING,
            )
        if asked.type == "limit":
            if asked.price is None:
                raise e.BadRequest("A limit order needs a price.", code=PRICE_MISSING)
            price = price_ticks(asked.price, desk.pair.price_precision, desk.last_price(now_ns))
        if by_spend:
            spend = spend_units(volume, desk.scale, desk.touch(now_ns)[1])
        else:
            lots = whole(volume, desk.pair.amount_precision, "amount")
            if lots < 1:
                raise e.BelowMinimum(
                    f"The smallest amount on {desk.pair.symbol} is {desk.scale.amount(1):f}."
                )
        order = Order(0, account, desk.scale, side, price, lots, spend, now_ns, now_ns, spend or 0)
        order.held = order.needed
        return order

    def _enter(self, order: Order) -> None:
        """Give an order its id and keep it."""
        self._next_id += 1 + self._dice.below(_MOST_IDS_BETWEEN)
        order.id = self._next_id
        self._orders[order.id] = order

    def _cancel(self, order: Order, now_ns: int) -> None:
        if not order.is_open:
            raise e.CancelRefused(
                f"Order {order.id} cannot be cancelled: it is {order.status}.",
                order_id=str(order.id),
            )
        self._desks[order.symbol].engine.cancel(order.id)
        self._end(order, "canceled", now_ns)

    def _end(self, order: Order, status: str, now_ns: int) -> None:
        order.status, order.updated_ns = status, now_ns
        self._trim(order)

    def _trim(self, order: Order) -> None:
        """Release what an order holds and no longer needs."""
        needed = order.needed
        self.ledger.release(order.account, order.given, order.held - needed)
        order.held = needed

    def _execute(
        self,
        desk: Desk,
        taker: Order | None,
        maker: Order | None,
        deal: tuple[int, int],
        *,
        time_ns: int,
        trade_id: int | None = None,
    ) -> None:
        """Let lots change hands; where an order is missing, the house stands in.

        Parameters
        ----------
        desk
            Whose market it is.
        taker, maker
            The orders that meet.
        deal
            Price and lots.
        time_ns
            When.
        trade_id
            The public trade that it is, None if it is a new one.
        """
        price, lots = deal
        known = taker or maker
        assert known is not None, "the house does not trade with itself"
        side = taker.side if taker else -known.side
        if trade_id is None:
            trade_id = desk.record(time_ns, price, lots, side)
        scale = desk.scale
        amount, cost = lots * scale.lot, price * lots * scale.cost
        fees = {}
        for order, ppm in ((taker, TAKER_PPM), (maker, MAKER_PPM)):
            if order is not None:
                fees[order.side] = fee_on(amount if order.side == BUY else cost, ppm)
        buyer, seller = (taker, maker) if side == BUY else (maker, taker)
        self.ledger.settle(
            Settlement(
                scale.pair.base,
                scale.pair.quote,
                amount,
                cost,
                buyer=buyer.account if buyer else HOUSE,
                seller=seller.account if seller else HOUSE,
                buyer_fee=fees.get(BUY, 0),
                seller_fee=fees.get(SELL, 0),
            )
        )
        for order, role in ((taker, "taker"), (maker, "maker")):
            if order is None:
                continue
            fee = fees[order.side]
            order.held -= cost if order.side == BUY else amount
            order.filled, order.cost = order.filled + lots, order.cost + price * lots
            order.fee, order.updated_ns = order.fee + fee, time_ns
            if order.price is not None:
                order.status = "partial" if order.remaining else "filled"
            fill = OwnTrade(time_ns, trade_id, order, price, lots, fee, role)
            order.fills.append(fill)
            self._trades.setdefault(order.account, []).append(fill)
            self._trim(order)

    # ----------------------------------------------------------------------------- start

    def _start_account(self) -> None:
        """Book the past, then bring the balances to what the account shall start with.

        The past is booked from a full purse; what is over is taken back. So balances are
        round, and what the account must have had before follows from its orders.
        """
        options = self.options
        tapes = {symbol: desk.market.tape for symbol, desk in self._desks.items()}
        past = make_past(tapes, self.seed, options.start_ns, options.past_orders)
        wanted = {coin: to_units(Decimal(amount)) for coin, amount in options.balances}
        pairs = [self._desks[order.symbol].pair for order in past]
        coins = [*wanted, *(coin for pair in pairs for coin in (pair.base, pair.quote))]
        for coin in dict.fromkeys(coins):
            self.ledger.grant(USER, coin, _PLENTY)
        for order in past:
            self._book_past(order)
        self._trades.get(USER, []).sort(key=lambda fill: fill.time_ns)
        for coin in dict.fromkeys(coins):
            total = self.ledger.balance(USER, coin).total
            self.ledger.grant(USER, coin, wanted.get(coin, 0) - total)

    def _book_past(self, past: PastOrder) -> None:
        desk = self._desks[past.symbol]
        by_spend = past.side == BUY and past.price is None
        cost = sum(fill.price * fill.lots for fill in past.fills) * desk.scale.cost
        # Spent is what it cost, rounded up to what can be said on the wire.
        step = 10 ** (UNIT_DECIMALS - MONEY_DECIMALS)
        spend = -(-cost // step) * step if by_spend else None
        order = Order(
            0,
            USER,
            desk.scale,
            past.side,
            past.price,
            None if by_spend else past.lots,
            spend,
            past.created_ns,
            past.created_ns,
            spend or 0,
        )
        order.held = order.needed
        self.ledger.hold(USER, order.given, order.held)
        self._enter(order)
        for fill in past.fills:
            taker, maker = (order, None) if past.price is None else (None, order)
            self._execute(
                desk, taker, maker, (fill.price, fill.lots), time_ns=fill.time_ns, trade_id=fill.id
            )
        if past.price is None:
            self._end(order, "filled", order.updated_ns)
        elif past.cancelled_ns is not None:
            self._end(order, "canceled", past.cancelled_ns)
        elif order.is_open:
            desk.engine.rest(order.id, USER, order.side, past.price, order.remaining)

    def _desk(self, symbol: str) -> Desk:
        desk = self._desks.get(symbol)
        if desk is None:
            near = get_close_matches(symbol, self._desks, n=3)
            raise e.UnknownSymbol(
                f"There is no market {symbol!r}.",
                why=f"Near: {', '.join(near)}." if near else "",
                todo="symbols() lists them all.",
                suggestions=near,
            )
        return desk

    def _check_symbol(self, symbol: str | None) -> None:
        if symbol is not None:
            self._desk(symbol)
