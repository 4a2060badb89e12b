"""An account on V1's wire: which key is which column of balances, orders and own trades.

As in `market`, every reader has its writer next to it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.v1.wire import Fields, as_digits, read_side

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdcx_pandas.operations import Side
    from cdcx_pandas.tables import Columns

_DECIMALS = 8
"""Decimals of money texts in orders and accounts."""

# ---------------------------------------------------------------------------------- account

_ACCOUNT: Fields = {
    "coin": (("coin",), r.required(r.upper)),
    "available": (("normal",), r.number),
    "locked": (("locked",), r.number),
    # The documents print btcValuatin; two clients of the exchange read btcValuation.
    "btc_value": (("btcValuatin", "btcValuation"), r.number),
}


def read_account(rows: Any, *, exact: bool) -> Columns:
    """``/v1/account``: the total is available and locked, added as decimals."""
    columns = r.columns_of(r.listed(rows), _ACCOUNT, exact=True)
    columns["total"] = [
        None if available is None or locked is None else r.WIDE.add(available, locked)
        for available, locked in zip(columns["available"], columns["locked"], strict=True)
    ]
    return columns if exact else r.as_floats(columns)


def write_account(columns: Columns, *, value_key: str) -> list[dict[str, Any]]:
    """Write ``coin_list``: texts with 8 decimals, coins in lower case."""
    return [
        {
            "normal": r.plain(row["available"], _DECIMALS),
            "locked": r.plain(row["locked"], _DECIMALS),
            value_key: r.plain(row["btc_value"], _DECIMALS),
            "coin": row["coin"].lower(),
        }
        for row in r.rows_of(columns)
    ]


# ----------------------------------------------------------------------------------- orders

_STATUS = {
    "0": "init",
    "1": "open",
    "2": "filled",
    "3": "partial",
    "4": "canceled",
    "5": "canceling",
    # Called EXPIRED by the platform, but nothing expires on V1: the engine rejected it.
    "6": "rejected",
}
_STATUS_CODES = {word: int(code) for code, word in _STATUS.items()} | {"expired": 6, "other": 6}
_STATUS_TEXTS = ("", "unsettled", "Completely Filled", "Partially Filled", "Canceled",
                 "Pending cancel", "abnormal order")  # fmt: skip
_TYPE = {"1": "limit", "2": "market"}

_ORDERS: Fields = {
    "id": (("id",), r.required(r.text)),
    "side": (("side",), read_side),
    "type": (("type",), r.word("type", _TYPE, other="other")),
    "status": (("status",), r.word("status", _STATUS, other="other")),
    "price": (("price",), r.number),
    "volume": (("volume",), r.number),
    "filled": (("deal_volume",), r.number),
    "remaining": (("remain_volume",), r.number),
    "average": (("avg_price",), r.number),
    # Named a price, it is the money that changed hands: 9744.25 x 0.001 = 9.74425.
    "cost": (("deal_price",), r.number),
    "fee": (("fee",), r.number),
    "fee_coin": (("fee_coin", "feeCoin"), r.upper),
    "created": (("created_at",), r.time),
    "updated": (("updated_at",), r.time),
    "base": (("baseCoin",), r.upper),
    "quote": (("countCoin",), r.upper),
}


def read_orders(rows: Any, symbol: str | None, *, exact: bool) -> Columns:
    """Read order objects.

    A market buy's volume is the quote money to spend, so amount and remaining are unknown
    then. Nothing was executed → no average. A market order cannot rest, so one that ended
    canceled after fills did all it could: filled.
    """
    columns = r.columns_of(r.listed(rows), _ORDERS, exact=True)
    volumes = columns.pop("volume")
    columns |= {
        "symbol": [
            f"{base}{quote}".lower() if base and quote else symbol
            for base, quote in zip(columns["base"], columns["quote"], strict=True)
        ],
        "client_id": [None] * len(volumes),
        "amount": list(volumes),
        "spend": [None] * len(volumes),
    }
    for i, volume in enumerate(volumes):
        filled = columns["filled"][i]
        if columns["type"][i] == "market":
            columns["price"][i] = None
            if columns["side"][i] == "buy":
                columns["spend"][i] = volume
                columns["amount"][i] = columns["remaining"][i] = None
            if columns["status"][i] == "canceled" and filled:
                columns["status"][i] = "filled"
        if not filled:
            columns["average"][i] = None
    return columns if exact else r.as_floats(columns)


def write_order(row: Mapping[str, Any], *, profile_b: bool) -> dict[str, Any]:
    """Write an order object: money as texts with 8 decimals."""
    spends = row["spend"] is not None
    volume = row["spend"] if spends else row["amount"]
    cost = row["cost"] or Decimal(0)
    filled = row["filled"] or Decimal(0)
    total = volume if row["price"] is None else r.WIDE.multiply(row["price"], volume)
    code = _STATUS_CODES[row["status"]]
    money = {
        "total_price": total,
        "fee": row["fee"],
        "deal_price": cost,
        "avg_price": row["average"],
        "volume": volume,
        "price": row["price"],
        "deal_volume": filled,
        "remain_volume": r.WIDE.subtract(volume, cost) if spends else row["remaining"],
    }
    written = {
        "side": row["side"].upper(),
        "created_at": r.millis(row["created"]),
        "countCoin": row["quote"],
        "source": 3,
        "type": 2 if row["type"] == "market" else 1,
        "side_msg": row["side"].capitalize(),
        "updated_at": r.millis(row["updated"]),
        "source_msg": "API",
        "status_msg": _STATUS_TEXTS[code],
        "fee_coin": row["fee_coin"],
        "id": row["id"] if profile_b else as_digits(row["id"]),
        "baseCoin": row["base"],
        "status": code,
    }
    if profile_b:
        del written["source_msg"]
        written["type"] = str(written["type"])
    return written | {key: r.plain(value or Decimal(0), _DECIMALS) for key, value in money.items()}


# --------------------------------------------------------------------------------- own trades

_ROLE = {"maker": "maker", "taker": "taker"}

_FILLS: Fields = {
    "id": (("id",), r.required(r.text)),
    "side": (("side", "type"), r.text),
    "price": (("price",), r.number),
    "amount": (("volume",), r.number),
    "fee": (("fee",), r.number),
    "fee_coin": (("feeCoin", "fee_coin"), r.upper),
    "time": (("ctime",), r.time),
    "bid_id": (("bid_id",), r.text),
    "ask_id": (("ask_id",), r.text),
    "role": (("role",), r.word("role", _ROLE, other="other")),
}


def read_fills(
    rows: Any, symbol: str | None, *, order: tuple[str, Side] | None = None, exact: bool
) -> Columns:
    """Read own trades; `order` is the order (id, side) that a ``tradeList`` stands in.

    The cost is price x amount: the wire's own ``deal_price`` is cut to the price's decimals.
    The order is named by ``bid_id`` of a buy and ``ask_id`` of a sell.
    """
    columns = r.columns_of(r.listed(rows), _FILLS, exact=True)
    bids, asks = columns.pop("bid_id"), columns.pop("ask_id")
    sides = [order[1] if order else read_side(side, exact) for side in columns["side"]]
    columns |= {
        "side": sides,
        "symbol": [symbol] * len(sides),
        "order_id": [
            order[0] if order else (bid if side == "buy" else ask)
            for side, bid, ask in zip(sides, bids, asks, strict=True)
        ],
        "cost": [
            None if price is None or amount is None else r.WIDE.multiply(price, amount)
            for price, amount in zip(columns["price"], columns["amount"], strict=True)
        ],
    }
    return r.by_time_and_id(columns if exact else r.as_floats(columns))


def write_fill(row: Mapping[str, Any], *, in_order: bool, profile_b: bool) -> dict[str, Any]:
    """Write one own trade; inside an order it names neither order nor side."""
    order_key = "bid_id" if row["side"] == "buy" else "ask_id"
    written = {
        "volume": r.plain(row["amount"]),
        "feeCoin": row["fee_coin"],
        "price": r.plain(row["price"], _DECIMALS),
        "fee": r.plain(row["fee"], _DECIMALS),
        "ctime": r.millis(row["time"]),
        "deal_price": r.plain(row["cost"], _DECIMALS),
        "id": row["id"] if profile_b else as_digits(row["id"]),
        "type": row["side"].capitalize(),
    }
    if not in_order:
        order_id = row["order_id"] if profile_b else as_digits(row["order_id"])
        written |= {"side": row["side"].upper(), order_key: order_id}
    return written
