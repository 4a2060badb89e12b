"""Orders on the exchange's wire: which key is which column, and what the wire leaves to infer.

An order that is still active lacks keys that a finished one has, there is no word for "partly
filled", and a market buy for an amount of money mostly ends CANCELED although it bought all it
could. What is meant by each is decided here, in both directions.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.exchange.wire import Fields, read_side
from cdcx_pandas.tables import OPEN_STATUSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdcx_pandas.dialects.exchange.symbols import Names
    from cdcx_pandas.tables import Columns

_ZERO = Decimal(0)
_NOBODY = "00000000-0000-4000-8000-000000000001"
_OF_MONEY = "NOTIONAL_ORDER"
"""Stands in ``exec_inst`` of a market buy that was told in money; undocumented."""

_TYPES = {
    "limit": "limit",
    "market": "market",
    "stop_loss": "stop",
    "stop_limit": "stop_limit",
    "take_profit": "take_profit",
    "take_profit_limit": "take_profit_limit",
}
_TYPE_WORDS = {ours: theirs.upper() for theirs, ours in _TYPES.items()} | {"other": "LIMIT"}
_STATUSES = {
    "new": "init",
    "pending": "init",
    "active": "open",
    "filled": "filled",
    "canceled": "canceled",
    "rejected": "rejected",
    "expired": "expired",
}
_STATUS_WORDS = {
    "init": "NEW",
    "open": "ACTIVE",
    "partial": "ACTIVE",
    "canceling": "ACTIVE",
    "filled": "FILLED",
    "canceled": "CANCELED",
    "rejected": "REJECTED",
    "expired": "EXPIRED",
    "other": "REJECTED",
}
_TIMES = {"good_till_cancel": "gtc", "immediate_or_cancel": "ioc", "fill_or_kill": "fok"}
_TIME_WORDS = {ours: theirs.upper() for theirs, ours in _TIMES.items()}


def _instructions(value: Any, exact: bool) -> list[str]:
    words = r.listed(value)
    if not all(isinstance(word, str) for word in words):
        raise ValueError(f"{r.shown(value)} is no list of words")
    return words


_ORDERS: Fields = {
    "id": (("order_id",), r.required(r.text)),
    "client_id": (("client_oid",), r.text),
    "symbol": (("instrument_name",), r.required(r.text)),
    "side": (("side",), read_side),
    "type": (("order_type",), r.word("order_type", _TYPES, other="other")),
    "status": (("status",), r.word("status", _STATUSES, other="other")),
    "price": (("limit_price",), r.number),
    "amount": (("quantity",), r.number),
    "value": (("order_value",), r.number),
    "filled": (("cumulative_quantity",), r.number),
    "average": (("avg_price",), r.number),
    "cost": (("cumulative_value",), r.number),
    "fee": (("cumulative_fee",), r.number),
    "fee_coin": (("fee_instrument_name",), r.upper),
    "created": (("create_time_ns", "create_time"), r.time),
    "updated": (("update_time",), r.time),
    "time_in_force": (("time_in_force",), r.word("time_in_force", _TIMES, other="other")),
    "instructions": (("exec_inst",), _instructions),
    "reason": (("reason",), r.whole),
}


def read_orders(rows: Any, names: Names, *, exact: bool) -> Columns:
    """Read order objects, in the order they come.

    Beyond the table: `value` (money of the whole order), `estimate` (the venue's guess at the
    amount of an order told in money), `time_in_force`, `instructions`, and `reason`, the code an
    order was refused with.
    """
    columns = r.columns_of(r.listed(rows), _ORDERS, exact=True)
    count = len(columns["id"])
    columns["symbol"] = list(map(names.ours, columns["symbol"]))
    columns |= {"spend": [None] * count, "remaining": [None] * count, "estimate": [None] * count}
    for at in range(count):
        _infer(columns, at)
    return columns if exact else r.as_floats(columns)


def _infer(columns: Columns, at: int) -> None:
    """Say what the words of one row mean."""
    filled, amount, status = (columns[name][at] for name in ("filled", "amount", "status"))
    is_market = columns["type"][at] == "market"
    if is_market:
        columns["price"][at] = None
    if _OF_MONEY in columns["instructions"][at]:
        # Its quantity is a cautious guess, and often less than was bought.
        columns["spend"][at], columns["estimate"][at] = columns["value"][at], amount
        columns["amount"][at] = None
    elif amount is not None and filled is not None:
        columns["remaining"][at] = r.WIDE.subtract(amount, filled)
    if not filled:
        columns["average"][at] = None
    elif status == "open":
        columns["status"][at] = "partial"
    elif is_market and status == "canceled":
        # It cannot rest: it ended "canceled" with everything it could do done.
        columns["status"][at] = "filled"


def write_orders(columns: Columns, names: Names, *, stream: bool = False) -> list[dict[str, Any]]:
    """Write order objects, in the order they stand."""
    return [_write_order(row, names, stream=stream) for row in r.rows_of(columns)]


def _write_order(row: Mapping[str, Any], names: Names, *, stream: bool) -> dict[str, Any]:
    of_money = row["spend"] is not None
    is_market = row["type"] == "market"
    filled, cost = row["filled"] or _ZERO, row["cost"] or _ZERO
    amount = (row.get("estimate") or filled) if of_money else row["amount"]
    is_over = row["status"] not in OPEN_STATUSES
    instructions = row.get("instructions") or ([_OF_MONEY] if of_money else [])
    written = {
        "account_id": _NOBODY,
        "order_id": row["id"],
        "client_oid": row["client_id"],
        "order_type": _TYPE_WORDS[row["type"]],
        "time_in_force": _TIME_WORDS.get(row.get("time_in_force") or "gtc", "GOOD_TILL_CANCEL"),
        "side": row["side"].upper(),
        "exec_inst": instructions,
        "quantity": r.plain(amount),
        "limit_price": None if is_market else r.plain(row["price"]),
        "order_value": r.plain(_value(row, cost)),
        "maker_fee_rate": "0" if is_over else None,
        "taker_fee_rate": "0" if is_over else None,
        "avg_price": r.plain(row["average"] or _ZERO),
        "ref_price": "0",
        "ref_price_type": "NULL_VAL" if is_over and not stream else None,
        "cumulative_quantity": r.plain(filled),
        "cumulative_value": r.plain(cost),
        "cumulative_fee": r.plain(row["fee"] or _ZERO),
        "status": _status_word(row, cost),
        "update_user_id": _NOBODY,
        "order_date": None if row["created"] is None else r.date(row["created"]),
        "instrument_name": names.theirs(row["symbol"]),
        "fee_instrument_name": row["fee_coin"],
        "reason": None if stream else row.get("reason") or 0,
        "create_time": r.millis(row["created"]),
        "create_time_ns": None if row["created"] is None else str(row["created"]),
        "update_time": r.millis(row["updated"]),
        # A JSON number beyond 2**53 here, and nowhere else about orders.
        "transaction_time_ns": row["updated"] if stream else None,
    }
    return {key: value for key, value in written.items() if value is not None}


def _value(row: Mapping[str, Any], cost: Decimal) -> Any:
    """Return the money of the whole order, where nobody told it."""
    if row.get("value") is not None:
        return row["value"]
    if row["spend"] is not None:
        return row["spend"]
    if row["price"] is None or row["amount"] is None:
        return cost
    return r.WIDE.multiply(Decimal(row["price"]), Decimal(row["amount"]))


def _status_word(row: Mapping[str, Any], cost: Decimal) -> str:
    """Write a status: told in money, an order is FILLED only when it spent the last digit."""
    if row["status"] == "filled" and row["spend"] is not None and cost != row["spend"]:
        return "CANCELED"
    return _STATUS_WORDS[row["status"]]
