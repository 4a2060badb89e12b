"""The orders of an account and their fills, as the local exchange keeps them, and as columns.

Prices are integers of ticks, amounts of lots, money of the ledger's units. This module knows
what an order is and how it is told; what happens to it is decided by the exchange.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import TYPE_CHECKING, NamedTuple

from cdcx_pandas.sandbox.answers import match_id
from cdcx_pandas.sandbox.engine import BUY
from cdcx_pandas.sandbox.ledger import MONEY_DECIMALS, UNIT_DECIMALS, scaled, to_money
from cdcx_pandas.tables import OPEN_STATUSES, SIDES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cdcx_pandas.operations import TimeInForce
    from cdcx_pandas.sandbox.pairs import Pair
    from cdcx_pandas.tables import Columns

_AVERAGE = Context(prec=60)


@dataclass(frozen=True)
class Scale:
    """What one lot, and one tick x lot, of a pair is worth in the ledger's units."""

    pair: Pair
    lot: int
    cost: int

    @classmethod
    def of(cls, pair: Pair) -> Scale:
        """Return the scale of a pair."""
        decimals = pair.price_precision + pair.amount_precision
        assert decimals <= UNIT_DECIMALS, "the ledger's units are fine enough for every pair"
        return cls(
            pair,
            10 ** (UNIT_DECIMALS - pair.amount_precision),
            10 ** (UNIT_DECIMALS - decimals),
        )

    def price(self, ticks: int) -> Decimal:
        """Return a price as it is told."""
        return scaled(ticks, self.pair.price_precision)

    def amount(self, lots: int) -> Decimal:
        """Return an amount of the base coin as it is told."""
        return scaled(lots, self.pair.amount_precision)

    def money(self, tick_lots: int) -> Decimal:
        """Return an amount of the quote coin as it is told."""
        return scaled(tick_lots, self.pair.price_precision + self.pair.amount_precision)


class OwnTrade(NamedTuple):
    """One fill of an order: a public trade seen from one side of it."""

    time_ns: int
    id: int
    order: Order
    price: int
    lots: int
    fee: int
    """In units of the coin received."""
    role: str


@dataclass(slots=True, eq=False)
class Order:
    """An order and what has become of it.

    Attributes
    ----------
    price
        In ticks; None makes it a market order.
    lots
        What was ordered; None for a market buy by money, which has `spend` instead.
    spend
        The money a market buy may use, in units.
    held
        What the ledger holds for it, in units of the coin it gives.
    cost
        The money that changed hands, in ticks x lots.
    fee
        In units of the coin it receives.
    client_id
        The name its owner gave it, or its id.
    waits
        How long it may: see `TimeInForce`.
    post_only
        Whether it must not meet an order of the book.
    reason
        The code of what ended it, where it was not its owner or its last fill.
    estimate
        The lots that were expected of a market buy by money.
    """

    id: int
    account: str
    scale: Scale
    side: int
    price: int | None
    lots: int | None
    spend: int | None
    created_ns: int
    updated_ns: int
    held: int
    status: str = "open"
    filled: int = 0
    cost: int = 0
    fee: int = 0
    client_id: str = ""
    waits: TimeInForce = "gtc"
    post_only: bool = False
    reason: str | None = None
    estimate: int | None = None
    fills: list[OwnTrade] = field(default_factory=list)

    @property
    def pair(self) -> Pair:
        """The pair it is for."""
        return self.scale.pair

    @property
    def symbol(self) -> str:
        """The market it is for."""
        return self.scale.pair.symbol

    @property
    def given(self) -> str:
        """The coin it gives."""
        return self.pair.quote if self.side == BUY else self.pair.base

    @property
    def received(self) -> str:
        """The coin it receives, which its fee is paid in."""
        return self.pair.base if self.side == BUY else self.pair.quote

    @property
    def is_open(self) -> bool:
        """Whether it can still trade."""
        return self.status in OPEN_STATUSES

    @property
    def remaining(self) -> int:
        """Lots still to execute, 0 for a market buy by money, whose lots nobody knows."""
        return 0 if self.lots is None else self.lots - self.filled

    @property
    def needed(self) -> int:
        """What must stay held for it to be able to trade on, in units."""
        if not self.is_open:
            return 0
        if self.side != BUY:
            return self.remaining * self.scale.lot
        if self.price is None:
            return self.held
        return self.price * self.remaining * self.scale.cost


def order_columns(orders: Iterable[Order]) -> Columns:
    """Return orders as columns of the table, and what else today's wire tells of them."""
    rows = [_order_row(order) for order in orders]
    return {name: [row[at] for row in rows] for at, name in enumerate(_ORDER_COLUMNS)}


_ORDER_COLUMNS = (
    "id", "client_id", "symbol", "side", "type", "status", "price", "amount", "spend",
    "filled", "remaining", "average", "cost", "fee", "fee_coin", "created", "updated",
    "base", "quote", "time_in_force", "instructions", "reason", "estimate",
)  # fmt: skip


def _order_row(order: Order) -> tuple[object, ...]:
    scale, by_spend = order.scale, order.lots is None
    cost = scale.money(order.cost)
    return (
        str(order.id),
        order.client_id,
        order.symbol,
        side_word(order.side),
        "market" if order.price is None else "limit",
        order.status,
        None if order.price is None else scale.price(order.price),
        None if order.lots is None else scale.amount(order.lots),
        None if order.spend is None else to_money(order.spend),
        scale.amount(order.filled),
        None if by_spend else scale.amount(order.remaining),
        _average(cost, scale.amount(order.filled)) if order.filled else None,
        cost,
        to_money(order.fee),
        order.received,
        order.created_ns,
        order.updated_ns,
        order.pair.base,
        order.pair.quote,
        order.waits,
        ["POST_ONLY"] if order.post_only else [],
        None if order.reason is None else int(order.reason),
        None if order.estimate is None else scale.amount(order.estimate),
    )


def fill_columns(fills: Iterable[OwnTrade]) -> Columns:
    """Return own trades as columns of the table."""
    fills = list(fills)
    return {
        "time": [fill.time_ns for fill in fills],
        "id": [str(fill.id) for fill in fills],
        "order_id": [str(fill.order.id) for fill in fills],
        "client_id": [fill.order.client_id for fill in fills],
        "match_id": [match_id(fill.id) for fill in fills],
        "matched": [fill.time_ns for fill in fills],
        "symbol": [fill.order.symbol for fill in fills],
        "side": [side_word(fill.order.side) for fill in fills],
        "price": [fill.order.scale.price(fill.price) for fill in fills],
        "amount": [fill.order.scale.amount(fill.lots) for fill in fills],
        "cost": [fill.order.scale.money(fill.price * fill.lots) for fill in fills],
        "fee": [to_money(fill.fee) for fill in fills],
        "fee_coin": [fill.order.received for fill in fills],
        "role": [fill.role for fill in fills],
    }


def side_word(side: int) -> str:
    """Return the word for a side: ``buy`` for +1, ``sell`` for -1."""
    return SIDES[side != BUY]


def _average(cost: Decimal, amount: Decimal) -> Decimal:
    """Return the average price to the 8 decimals that money has; an exact one stays exact."""
    return (_AVERAGE.divide(cost, amount)).quantize(
        Decimal(1).scaleb(-MONEY_DECIMALS), context=_AVERAGE
    )
