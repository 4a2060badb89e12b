"""What a new order may be: asked for in decimals, drafted in ticks, lots and units.

A draft is well-formed. Whether the market takes it is a second question, and one that is
refused there can have been an order all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cdcx_pandas import errors as e
from cdcx_pandas.sandbox.answers import check_band, check_spend, spend_units, whole
from cdcx_pandas.sandbox.engine import BUY, SELL

if TYPE_CHECKING:
    from cdcx_pandas import operations as op
    from cdcx_pandas.sandbox.desk import Desk
    from cdcx_pandas.sandbox.engine import Taken
    from cdcx_pandas.sandbox.orders import Order

VOLUME_MISSING, PRICE_MISSING = "23", "24"
"""V1's codes for orders that lack something."""
_FILL_OR_KILL, _IMMEDIATE_OR_CANCEL, _POST_ONLY = "43003", "43004", "43005"


class Draft(NamedTuple):
    """A well-formed order; see `Order` for the fields."""

    side: int
    price: int | None
    lots: int | None
    spend: int | None
    client_id: str | None
    waits: op.TimeInForce
    post_only: bool

    def check(self, desk: Desk, now_ns: int) -> None:
        """Refuse a price too far from the market, and money that buys nothing."""
        if self.price is not None:
            check_band(self.price, desk.last_price(now_ns))
        if self.spend is not None:
            check_spend(self.spend, desk.scale, desk.touch(now_ns).ask)
        if self.post_only and (self.price is None or self.waits != "gtc"):
            raise _refused("An order that only rests is a limit order that waits.", _POST_ONLY)


def drafted(asked: op.PlaceOrder, desk: Desk) -> Draft:
    """Make a draft of what is asked, or refuse it."""
    side = {"buy": BUY, "sell": SELL}.get(asked.side)
    if side is None or asked.type not in {"limit", "market"}:
        raise e.BadRequest("An order is a buy or a sell, a limit or a market order.")
    may_spend = side == BUY and asked.type == "market"
    by_spend = may_spend and asked.amount is None
    volume = asked.spend if by_spend else asked.amount
    if volume is None:
        raise e.BadRequest(
            f"The order does not say how much: {'spend' if by_spend else 'amount'} is missing.",
            code=VOLUME_MISSING,
        )
    price = None
    if asked.type == "limit":
        if asked.price is None:
            raise e.BadRequest("A limit order needs a price.", code=PRICE_MISSING)
        price = whole(asked.price, desk.pair.price_precision, "price")
    return Draft(
        side,
        price,
        None if by_spend else whole(volume, desk.pair.amount_precision, "amount"),
        spend_units(volume, desk.scale) if by_spend else None,
        asked.client_id,
        asked.time_in_force or "gtc",
        asked.post_only,
    )


def check_meeting(order: Order, found: Taken) -> None:
    """Refuse an order that would meet the book in a way it must not."""
    if order.post_only and found.fills:
        raise _refused("The order would meet one in the book.", _POST_ONLY)
    got = sum(fill.lots for fill in found.fills)
    if order.waits == "fok" and order.lots is not None and got < order.remaining:
        raise _refused("The book does not have all of it.", _FILL_OR_KILL)
    if order.waits == "ioc" and not got:
        raise _refused("The book has none of it.", _IMMEDIATE_OR_CANCEL)


def _refused(what: str, code: str) -> e.OrderRejected:
    return e.OrderRejected(what, code=code)
