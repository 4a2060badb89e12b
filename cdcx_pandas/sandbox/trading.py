"""The life of orders: taken, met, amended, cancelled, and written down as it happens.

What may be ordered is decided here, who meets whom by the engine of each market, who has what
by the ledger. Codes are those of today's exchange; a dialect that has other words for an error
goes by its kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cdcx_pandas import errors as e
from cdcx_pandas.sandbox.admission import Draft, check_meeting, drafted
from cdcx_pandas.sandbox.answers import check_band, whole
from cdcx_pandas.sandbox.engine import BUY, SELL, Taken, Wish
from cdcx_pandas.sandbox.ledger import HOUSE, MAKER_PPM, TAKER_PPM, Settlement, fee_on
from cdcx_pandas.sandbox.log import Event, Log
from cdcx_pandas.sandbox.orders import Order, OwnTrade, order_columns
from cdcx_pandas.tables import NS_PER_S

if TYPE_CHECKING:
    from cdcx_pandas import operations as op
    from cdcx_pandas.sandbox.desk import Desk
    from cdcx_pandas.sandbox.floor import Floor
    from cdcx_pandas.sandbox.ledger import Ledger
    from cdcx_pandas.sandbox.past import Dice
    from cdcx_pandas.sandbox.terms import Terms

_FIRST_ORDER_ID = 68_000_000
_MOST_IDS_BETWEEN = 40
"""Others place orders too, so ids have gaps."""

_CAUTION_PERCENT = 97
"""So much of what money seems to buy is told as the amount of an order; fills may exceed it."""

DUPLICATE, NOT_OPEN, NOTHING_NEW, BAD_AMOUNT = "204", "212", "40004", "213"
TOO_MANY, SELF_TRADE, NOT_ALL_AT_ONCE = "318", "43012", "43004"
UNFILLED = frozenset({"43003", NOT_ALL_AT_ONCE})
"""The reasons of orders that end canceled rather than rejected."""


class Deal(NamedTuple):
    """Lots that change hands at a price; `trade_id` is that of a trade known before."""

    price: int
    lots: int
    time_ns: int
    trade_id: int | None = None


class Trading:
    """The orders of all accounts and what becomes of them.

    Parameters
    ----------
    floor, ledger
        Where they meet, and what is paid with.
    dice
        What ids are made with.

    Attributes
    ----------
    log
        What happened, to be read by position.
    """

    def __init__(self, floor: Floor, ledger: Ledger, dice: Dice) -> None:
        self.floor = floor
        self.ledger = ledger
        self.log = Log()
        self._dice = dice
        self._orders: dict[int, Order] = {}
        self._open: dict[int, Order] = {}
        self._named: dict[tuple[str, str], Order] = {}
        self._trades: dict[str, list[OwnTrade]] = {}
        self._next_id = _FIRST_ORDER_ID

    # --------------------------------------------------------------------------- looking

    def orders_of(self, account: str, symbol: str | None = None) -> list[Order]:
        """Return orders as they were created: ids ascend, and so does the dict."""
        return _of(self._orders, account, symbol)

    def open_orders_of(self, account: str, symbol: str | None = None) -> list[Order]:
        """Return the orders that can still trade, as they were created."""
        return sorted(_of(self._open, account, symbol), key=lambda order: order.id)

    def trades_of(self, account: str) -> list[OwnTrade]:
        """Return own trades, the oldest first."""
        return self._trades.get(account, [])

    def order(
        self, asked: op.GetOrder | op.CancelOrder | op.AmendOrder, account: str, terms: Terms
    ) -> Order:
        """Return the order that is asked for, by its id or its owner's name for it."""
        self.floor.check(asked.symbol, terms)
        id_, order = asked.id, None
        if id_ is not None:
            known = id_.isascii() and id_.isdecimal()
            order = self._orders.get(int(id_)) if known else None
        elif asked.client_id is not None:
            order = self._named.get((account, asked.client_id))
        if order is None or order.account != account or asked.symbol not in {None, order.symbol}:
            named = id_ if id_ is not None else asked.client_id
            raise e.OrderNotFound(f"There is no order {named!r}.", todo="Look at open_orders().")
        return order

    # ------------------------------------------------------------------------------ time

    def advance(self, start_ns: int, now_ns: int) -> None:
        """Let the tape's trades from `start_ns` up to `now_ns` fill resting orders."""
        hits = [
            hit
            for desk in self.floor.desks.values()
            if len(desk.engine)
            for hit in desk.hits(start_ns, now_ns + 1)
        ]
        # Sorting is stable: trades of one market and time stay in their order.
        for hit in sorted(hits, key=lambda hit: hit.time_ns):
            desk = self.floor.desks[hit.symbol]
            for fill in desk.engine.meet(hit.price, hit.lots):
                assert fill.maker is not None, "the tape meets resting orders only"
                deal = Deal(fill.price, fill.lots, hit.time_ns)
                self.execute(desk, None, self._orders[fill.maker], deal)

    # ----------------------------------------------------------------------------- acts

    def place(self, asked: op.PlaceOrder, account: str, now_ns: int, terms: Terms) -> str:
        """Take an order, let it meet the book, and return its id."""
        desk = self.floor.desk(asked.symbol, terms)
        self._check_new(asked, desk, account, terms)
        draft = drafted(asked, desk)
        order = self._made(draft, account, desk, now_ns)
        try:
            self._admit(order, draft, desk, now_ns)
        except e.OrderRejected as error:
            if terms.keeps_refused:
                self._keep_refused(order, error, now_ns)
            raise
        self.enter(order)
        if order.price is not None:
            self._note(order, now_ns)
        self._meet(order, desk, now_ns)
        return str(order.id)

    def amend(self, asked: op.AmendOrder, account: str, now_ns: int, terms: Terms) -> str:
        """Change amount and price of an open order; only one that shrinks keeps its place."""
        order = self.order(asked, account, terms)
        if not order.is_open or order.price is None:
            raise e.OrderRejected(
                f"Order {order.id} cannot be changed: it is {order.status}.",
                code=NOT_OPEN,
                order_id=str(order.id),
            )
        desk = self.floor.desks[order.symbol]
        price = whole(asked.price, desk.pair.price_precision, "price")
        lots = whole(asked.amount, desk.pair.amount_precision, "amount")
        if (price, lots) == (order.price, order.lots):
            raise e.BadRequest("Neither price nor amount is another one.", code=NOTHING_NEW)
        if lots <= order.filled:
            raise e.BadRequest("So much is executed already.", code=BAD_AMOUNT)
        check_band(price, desk.last_price(now_ns))
        name = asked.new_client_id or order.client_id
        if name != order.client_id:
            self._check_name(account, name)
        keeps_place = price == order.price and lots < (order.lots or 0)
        self._change(order, desk, (price, lots), now_ns)
        self._rename(order, name)
        order.updated_ns = now_ns
        if keeps_place:
            desk.engine.shrink(order.id, order.remaining)
            self._note(order, now_ns)
        else:
            desk.engine.cancel(order.id)
            self._note(order, now_ns)
            self._meet(order, desk, now_ns)
        return str(order.id)

    def cancel(self, order: Order, now_ns: int) -> None:
        """Cancel an order that can still trade."""
        if not order.is_open:
            raise e.CancelRefused(
                f"Order {order.id} cannot be cancelled: it is {order.status}.",
                order_id=str(order.id),
            )
        self.floor.desks[order.symbol].engine.cancel(order.id)
        self.end(order, "canceled", now_ns)

    def _check_new(self, asked: op.PlaceOrder, desk: Desk, account: str, terms: Terms) -> None:
        if desk.pair.kind != "spot":
            raise e.PermissionDenied(
                f"{desk.pair.code} cannot be traded here.",
                why="The account has no right to derivatives.",
                code="412",
            )
        if asked.client_id is not None:
            self._check_name(account, asked.client_id)
        if terms.most_open is None or asked.type != "limit":
            return
        here, everywhere = terms.most_open
        alive = _of(self._open, account, None)
        if len(alive) >= everywhere or sum(o.symbol == asked.symbol for o in alive) >= here:
            raise e.OrderRejected("There are too many open orders.", code=TOO_MANY)

    def _check_name(self, account: str, client_id: str) -> None:
        namesake = self._named.get((account, client_id))
        if namesake is not None and namesake.is_open:
            raise e.OrderRejected(
                "Another open order has this client's name.",
                code=DUPLICATE,
                order_id=None,
            )

    def _made(self, draft: Draft, account: str, desk: Desk, now_ns: int) -> Order:
        return Order(
            0, account, desk.scale, draft.side, draft.price, draft.lots, draft.spend,
            now_ns, now_ns, 0, client_id=draft.client_id or "", waits=draft.waits,
            post_only=draft.post_only,
        )  # fmt: skip

    def _admit(self, order: Order, draft: Draft, desk: Desk, now_ns: int) -> None:
        """Refuse an order that cannot be, or hold what it can come to cost."""
        draft.check(desk, now_ns)
        found = self._found(order, desk, now_ns)
        check_meeting(order, found)
        if order.price is None and order.side == BUY:
            cost = sum(fill.price * fill.lots for fill in found.fills)
            order.held = cost * order.scale.cost if order.spend is None else order.spend
            ask = desk.touch(now_ns).ask
            if order.spend is not None and ask is not None:
                whole_lots = order.spend // (ask * order.scale.cost)
                order.estimate = whole_lots * _CAUTION_PERCENT // 100
        order.held = order.needed
        self.ledger.hold(order.account, order.given, order.held)

    def _found(self, order: Order, desk: Desk, now_ns: int) -> Taken:
        book = desk.market.book(now_ns)
        return desk.engine.find(_wish(order), book, now_ns // NS_PER_S)

    def _meet(self, order: Order, desk: Desk, now_ns: int) -> None:
        """Let an order trade with the book, and rest where it may."""
        taken = desk.engine.take(_wish(order), desk.market.book(now_ns), now_ns // NS_PER_S)
        for own in taken.cancelled:
            self.end(self._orders[own], "canceled", now_ns, SELF_TRADE)
        for fill in taken.fills:
            maker = None if fill.maker is None else self._orders[fill.maker]
            self.execute(desk, order, maker, Deal(fill.price, fill.lots, now_ns))
        if order.price is None:
            # What a market order did not find, it never will.
            self.end(order, "filled" if order.filled else "canceled", now_ns)
        elif order.remaining and order.waits == "gtc":
            desk.engine.rest(order.id, order.account, order.side, order.price, order.remaining)
        elif order.remaining:
            self.end(order, "canceled", now_ns, NOT_ALL_AT_ONCE)

    def _change(self, order: Order, desk: Desk, to: tuple[int, int], now_ns: int) -> None:
        """Give an order another price and amount, and hold what it needs then."""
        before = order.price, order.lots
        order.price, order.lots = to
        more = max(order.needed - order.held, 0)
        try:
            check_meeting(order, self._found(order, desk, now_ns))
            self.ledger.hold(order.account, order.given, more)
        except e.OrderRejected as error:
            order.price, order.lots = before
            error.order_id = str(order.id)
            raise
        order.held += more
        self._trim(order)

    # --------------------------------------------------------------------------- keeping

    def enter(self, order: Order) -> None:
        """Give an order its id and keep it; one without a name is named after its id."""
        self._next_id += 1 + self._dice.below(_MOST_IDS_BETWEEN)
        order.id = self._next_id
        order.client_id = order.client_id or str(order.id)
        self._orders[order.id] = order
        self._named[order.account, order.client_id] = order
        if order.is_open:
            self._open[order.id] = order

    def _rename(self, order: Order, client_id: str) -> None:
        self._named.pop((order.account, order.client_id), None)
        order.client_id = client_id
        self._named[order.account, client_id] = order

    def _keep_refused(self, order: Order, error: e.OrderRejected, now_ns: int) -> None:
        """Keep a refused order; the error names it."""
        order.held = 0
        order.reason = error.code or _REASONS.get(type(error))
        order.status = "canceled" if order.reason in UNFILLED else "rejected"
        self.enter(order)
        self._note(order, now_ns)
        error.order_id = str(order.id)

    def _note(self, order: Order, time_ns: int, fill: OwnTrade | None = None) -> None:
        columns = order_columns([order])
        self.log.add(Event(time_ns, order.account, order.symbol, columns, fill))

    def end(self, order: Order, status: str, now_ns: int, reason: str | None = None) -> None:
        """Let an order trade no more."""
        order.status, order.updated_ns, order.reason = status, now_ns, reason
        self._open.pop(order.id, None)
        self._trim(order)
        self._note(order, now_ns)

    def _trim(self, order: Order) -> None:
        """Release what an order holds and no longer needs."""
        needed = order.needed
        self.ledger.release(order.account, order.given, order.held - needed)
        order.held = needed

    # --------------------------------------------------------------------------- trading

    def execute(self, desk: Desk, taker: Order | None, maker: Order | None, deal: Deal) -> None:
        """Let lots change hands; where an order is missing, the house stands in."""
        known = taker or maker
        assert known is not None, "the house does not trade with itself"
        side = taker.side if taker else -known.side
        trade_id = deal.trade_id
        if trade_id is None:
            trade_id = desk.record(deal.time_ns, deal.price, deal.lots, side)
        scale = desk.scale
        amount, cost = deal.lots * scale.lot, deal.price * deal.lots * scale.cost
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
            if order is not None:
                order.held -= cost if order.side == BUY else amount
                fee = fees[order.side]
                self._fill(
                    order,
                    OwnTrade(deal.time_ns, trade_id, order, deal.price, deal.lots, fee, role),
                )

    def _fill(self, order: Order, fill: OwnTrade) -> None:
        order.filled, order.cost = order.filled + fill.lots, order.cost + fill.price * fill.lots
        order.fee, order.updated_ns = order.fee + fill.fee, fill.time_ns
        if order.price is not None:
            order.status = "partial" if order.remaining else "filled"
        order.fills.append(fill)
        self._trades.setdefault(order.account, []).append(fill)
        if not order.is_open:
            self._open.pop(order.id, None)
        self._trim(order)
        self._note(order, fill.time_ns, fill)


_REASONS: dict[type[e.CdcxError], str] = {
    e.InsufficientFunds: "306",
    e.PriceOutOfBand: "315",
    e.BelowMinimum: "415",
}


def _of(orders: dict[int, Order], account: str, symbol: str | None) -> list[Order]:
    return [
        order
        for order in orders.values()
        if order.account == account and symbol in {None, order.symbol}
    ]


def _wish(order: Order) -> Wish:
    """Return what is left of an order as the engine takes it."""
    budget = None if order.spend is None else order.spend // order.scale.cost
    lots = None if order.lots is None else order.remaining
    return Wish(order.account, order.side, lots, order.price, budget)
