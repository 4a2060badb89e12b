"""The local exchange: answers operations, and lets orders live.

This module knows who answers what, and how an account begins. It knows no dialect, no HTTP, no
signature and no clock: now is an argument, and never goes back. What trades on a market is the
tape's business, what everybody may ask the floor's; orders are `trading`, accounts `statements`.

Numbers are integers inside and become decimals, exactly scaled, in answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, overload

from cdcx_pandas import errors as e
from cdcx_pandas import operations as op
from cdcx_pandas.sandbox.answers import trade_columns
from cdcx_pandas.sandbox.engine import BUY
from cdcx_pandas.sandbox.floor import Floor
from cdcx_pandas.sandbox.ledger import MONEY_DECIMALS, UNIT_DECIMALS, USER, to_units
from cdcx_pandas.sandbox.log import Log
from cdcx_pandas.sandbox.orders import Order
from cdcx_pandas.sandbox.past import Dice, PastOrder, make_past
from cdcx_pandas.sandbox.statements import Statements
from cdcx_pandas.sandbox.terms import ALL, Terms
from cdcx_pandas.sandbox.trading import Deal, Trading
from cdcx_pandas.tables import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdcx_pandas.sandbox.ledger import Ledger
    from cdcx_pandas.sandbox.market import Market

Said = Answer | str | tuple[op.Done, ...] | None
"""What an operation can be answered with."""

_PLENTY = 10**40


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
    floor
        The markets.
    """

    def __init__(
        self, markets: Mapping[str, Market], ledger: Ledger, *, seed: int, options: Options
    ) -> None:
        self.ledger = ledger
        self.seed = seed
        self.options = options
        self.run = run_id(seed, options.start_ns)
        self.floor = Floor(markets)
        self._trading = Trading(self.floor, ledger, Dice(seed, options.start_ns, "orders"))
        self._statements = Statements(self.floor, self._trading)
        self._now_ns = options.start_ns
        self._start_account()

    @property
    def log(self) -> Log:
        """What happened to orders since the start."""
        return self._trading.log

    # ------------------------------------------------------------------------------ time

    def advance(self, now_ns: int) -> int:
        """Let time pass: the tape's trades since the last call fill resting orders.

        Returns
        -------
        int
            Now: `now_ns`, or the latest now there was if that is later.
        """
        if now_ns > self._now_ns:
            start_ns, self._now_ns = self._now_ns + 1, now_ns
            self._trading.advance(start_ns, now_ns)
        return self._now_ns

    # ------------------------------------------------------------------------- questions

    @overload
    def answer(
        self,
        operation: op.Operation[Answer],
        now_ns: int,
        account: str | None = None,
        terms: Terms = ALL,
    ) -> Answer: ...
    @overload
    def answer(
        self, operation: op.PlaceOrder, now_ns: int, account: str | None = None, terms: Terms = ALL
    ) -> str: ...
    @overload
    def answer(
        self,
        operation: op.Operation[Any],
        now_ns: int,
        account: str | None = None,
        terms: Terms = ALL,
    ) -> Said: ...
    def answer(
        self,
        operation: op.Operation[Any],
        now_ns: int,
        account: str | None = None,
        terms: Terms = ALL,
    ) -> Said:
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
        terms
            Those of the wire it is asked over.

        Raises
        ------
        CdcxError
            What the exchange says no with; see `cdcx_pandas.errors`.
        """
        now_ns = self.advance(now_ns)
        if operation.effect is op.Effect.PUBLIC_READ:
            return self.floor.tell(operation, now_ns, terms)
        if account is None:
            raise e.AuthError("This question must be signed.")
        if operation.effect is op.Effect.PRIVATE_READ:
            return self._read(operation, now_ns, account, terms)
        return self._act(operation, now_ns, account, terms)

    def _read(
        self, operation: op.Operation[Any], now_ns: int, account: str, terms: Terms
    ) -> Answer:
        """Answer what the owner of an account may ask."""
        told = self._statements
        match operation:
            case op.GetAccount():
                return told.balances(account, now_ns)
            case op.GetBalanceHistory():
                return told.balance_history(operation, account, now_ns)
            case op.GetOrder():
                return told.order(self._trading.order(operation, account, terms))
            case op.GetOpenOrders():
                return told.open_orders(operation, account, terms)
            case op.GetOrderHistory():
                return told.history(operation, account, now_ns, terms)
            case op.GetMyTrades():
                return told.my_trades(operation, account, now_ns, terms)
            case op.GetTransactions():
                return told.transactions(operation, account, now_ns, terms)
            case op.GetFees():
                return told.fees(operation, terms)
            case op.GetFeeTier():
                return told.fee_tier(operation)
            case op.GetPositions():
                self.floor.check(operation.symbol, terms)
                return Answer(operation.table, operation.table.empty())
            case _:
                raise e.Unsupported(f"The sandbox has no answer to {type(operation).__name__}.")

    def _act(self, operation: op.Operation[Any], now_ns: int, account: str, terms: Terms) -> Said:
        """Do what the owner of an account may do."""
        trading = self._trading
        match operation:
            case op.PlaceOrder():
                return trading.place(operation, account, now_ns, terms)
            case op.AmendOrder():
                return trading.amend(operation, account, now_ns, terms)
            case op.CancelOrder():
                trading.cancel(trading.order(operation, account, terms), now_ns)
                return None
            case op.CancelAllOrders(symbol=symbol):
                self.floor.check(symbol, terms)
                for order in trading.open_orders_of(account, symbol):
                    trading.cancel(order, now_ns)
                return None
            case op.PlaceOrders(orders=orders) | op.CancelOrders(orders=orders):
                return tuple(self._done(one, now_ns, account, terms) for one in orders)
            case _:
                raise e.Unsupported(f"The sandbox has no answer to {type(operation).__name__}.")

    def _done(
        self, operation: op.PlaceOrder | op.CancelOrder, now_ns: int, account: str, terms: Terms
    ) -> op.Done:
        """Do one entry of a list, and tell what became of it."""
        try:
            said = self._act(operation, now_ns, account, terms)
        except e.CdcxError as error:
            return op.Done(getattr(error, "order_id", None), error)
        return op.Done(said if isinstance(said, str) else None)

    # -------------------------------------------------------------- what a stream asks for

    def last_trade_id(self, symbol: str, now_ns: int) -> int:
        """Return the id of the newest public trade, 0 before the first."""
        return self.floor.desk(symbol).last_id(self.advance(now_ns))

    def trades_after(self, symbol: str, trade_id: int, now_ns: int) -> Answer:
        """Return the public trades with ids above `trade_id`, ascending."""
        now_ns = self.advance(now_ns)
        desk = self.floor.desk(symbol)
        new = max(desk.last_id(now_ns) - trade_id, 0)
        trades = desk.market.last_trades(now_ns + 1, new)
        return Answer(op.GetTrades.table, trade_columns(trades, desk.scale, desk.market.matches))

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
        return self.floor.desk(symbol).book_key(self.advance(now_ns))

    # ----------------------------------------------------------------------------- start

    def _start_account(self) -> None:
        """Book the past, then bring the balances to what the account shall start with.

        The past is booked from a full purse; what is over is taken back. So balances are
        round, and what the account must have had before follows from its orders.
        """
        options = self.options
        tapes = {symbol: desk.market.tape for symbol, desk in self.floor.desks.items()}
        past = make_past(tapes, self.seed, options.start_ns, options.past_orders)
        wanted = {coin: to_units(Decimal(amount)) for coin, amount in options.balances}
        pairs = [self.floor.desks[order.symbol].pair for order in past]
        coins = [*wanted, *(coin for pair in pairs for coin in (pair.base, pair.quote))]
        for coin in dict.fromkeys(coins):
            self.ledger.grant(USER, coin, _PLENTY)
        for order in past:
            self._book_past(order)
        self._trading.trades_of(USER).sort(key=lambda fill: fill.time_ns)
        for coin in dict.fromkeys(coins):
            total = self.ledger.balance(USER, coin).total
            self.ledger.grant(USER, coin, wanted.get(coin, 0) - total)
        self._trading.log = Log()  # the past is no news

    def _book_past(self, past: PastOrder) -> None:
        trading = self._trading
        desk = self.floor.desks[past.symbol]
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
        trading.enter(order)
        for fill in past.fills:
            taker, maker = (order, None) if past.price is None else (None, order)
            trading.execute(desk, taker, maker, Deal(fill.price, fill.lots, fill.time_ns, fill.id))
        if past.price is None:
            trading.end(order, "filled", order.updated_ns)
        elif past.cancelled_ns is not None:
            trading.end(order, "canceled", past.cancelled_ns)
        elif order.is_open:
            desk.engine.rest(order.id, USER, order.side, past.price, order.remaining)
