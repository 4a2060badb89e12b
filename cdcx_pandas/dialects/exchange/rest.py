"""The exchange's questions over HTTP: the table of endpoints and limits, and how one is written.

Market questions are GET with a query and no key. Questions about an account are POST with a
signed JSON body, reads included. How the server reads them is told in `asked`; what comes back,
in `answers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdcx_pandas import errors as e
from cdcx_pandas import operations as op
from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.base import Endpoint, Limit, Paging
from cdcx_pandas.dialects.exchange import signing, wire
from cdcx_pandas.messages import HttpRequest
from cdcx_pandas.tables import NS_PER_MS

if TYPE_CHECKING:
    from cdcx_pandas.credentials import Credentials
    from cdcx_pandas.dialects.exchange import Exchange
    from cdcx_pandas.dialects.exchange.symbols import Names
    from cdcx_pandas.operations import Operation

KLINE_ROWS = 300
TRADE_ROWS = 150
HISTORY_ROWS = 100
"""The most rows of one page; the venue caps larger counts in silence, and refuses larger limits."""

_WEEK_S = 7 * 86_400
_TRADE_WINDOW_S = 6 * 3600
"""Our cut: the venue takes seven days, but a busy market has too many trades in them to share."""


def _get(operation: type[Operation[Any]], name: str, **more: Any) -> Endpoint:
    return Endpoint(operation, f"/public/{name}", f"public/{name}", **more)


def _post(operation: type[Operation[Any]], name: str, **more: Any) -> Endpoint:
    return Endpoint(operation, f"/private/{name}", f"private/{name}", "POST", signed=True, **more)


_BACK = {"paging": Paging.BACKWARD, "page_rows": HISTORY_ROWS}
_BACK_A_WEEK = _BACK | {"newest_s": _WEEK_S}

ENDPOINTS = (
    _get(op.GetSymbols, "get-instruments"),
    _get(op.GetTickers, "get-tickers"),
    _get(op.GetTicker, "get-tickers"),
    _get(op.GetKlines, "get-candlestick", paging=Paging.WINDOW, page_rows=KLINE_ROWS),
    _get(
        op.GetTrades,
        "get-trades",
        paging=Paging.BACKWARD,
        page_rows=TRADE_ROWS,
        window_s=_TRADE_WINDOW_S,
    ),
    _get(op.GetDepth, "get-book"),
    _get(op.GetFunding, "get-valuations", **_BACK),
    _get(op.GetValuations, "get-valuations", **_BACK),
    _post(op.GetAccount, "user-balance"),
    _post(op.GetBalanceHistory, "user-balance-history"),
    _post(op.GetPositions, "get-positions"),
    _post(op.GetFees, "get-instrument-fee-rate"),
    _post(op.GetFeeTier, "get-fee-rate"),
    _post(op.GetTransactions, "get-transactions", **_BACK_A_WEEK, window_s=_WEEK_S),
    _post(op.PlaceOrder, "create-order"),
    _post(op.PlaceOrders, "create-order-list"),
    _post(op.AmendOrder, "amend-order"),
    _post(op.CancelOrder, "cancel-order"),
    _post(op.CancelOrders, "cancel-order-list"),
    _post(op.CancelAllOrders, "cancel-all-orders"),
    _post(op.GetOrder, "get-order-detail"),
    _post(op.GetOpenOrders, "get-open-orders"),
    _post(op.GetOrderHistory, "get-order-history", **_BACK_A_WEEK, open_too=op.GetOpenOrders),
    _post(op.GetMyTrades, "get-trades", **_BACK_A_WEEK, window_s=_WEEK_S),
)

_PER_100_MS = {
    "private/create-order": 15,
    "private/cancel-order": 15,
    "private/cancel-all-orders": 15,
    "private/get-order-detail": 30,
}
_ONE_A_SECOND = {"private/get-trades", "private/get-order-history"}


def _limit(bucket: str) -> Limit:
    if bucket.startswith("public/"):
        return Limit(bucket, 100, 1.0, "address")
    if bucket in _ONE_A_SECOND:
        return Limit(bucket, 1, 1.0, "key")
    return Limit(bucket, _PER_100_MS.get(bucket, 3), 0.1, "key")


LIMITS = tuple(map(_limit, dict.fromkeys(row.bucket for row in ENDPOINTS)))

BY_OPERATION = {row.operation: row for row in ENDPOINTS}
_INSTEAD: dict[type[Operation[Any]], str] = {
    op.GetPrices: "Ask tickers(): its column `last` holds the prices."
}


def endpoint(operation: Operation[Any]) -> Endpoint:
    """Return how an operation is asked."""
    row = BY_OPERATION.get(type(operation))
    if row is None:
        raise e.Unsupported(
            f"The exchange has no question {type(operation).__name__}.",
            why="It was V1's, or its like is refused by design (docs/protocol-exchange.md, 14).",
            todo=_INSTEAD.get(type(operation), "See the support matrix for what each venue can."),
            sent="no",
        )
    return row


# -------------------------------------------------------------------------------- questions


def encode_request(
    operation: Operation[Any], credentials: Credentials | None, now_ms: int, dialect: Exchange
) -> HttpRequest:
    """Write a question; `now_ms` becomes id and nonce of a signed one."""
    row = endpoint(operation)
    params = {k: v for k, v in _params(operation, dialect.names).items() if v is not None}
    if not row.signed:
        return HttpRequest("GET", row.path, tuple((k, str(v)) for k, v in params.items()))
    if credentials is None:
        raise e.MissingCredentials(
            f"{row.path} is signed and there is no API key.",
            todo="Pass credentials=cdcx.Credentials(key, secret) to use().",
            sent="no",
        )
    method, key = row.path[1:], credentials.key_for_the_wire()
    text = signing.signing_text(method, str(now_ms), key, params, str(now_ms))
    body = {
        "id": now_ms,
        "method": method,
        "api_key": key,
        "params": params,
        "nonce": now_ms,
        "sig": signing.sign(text, credentials.secret),
    }
    return HttpRequest(
        "POST",
        row.path,
        headers=(("Content-Type", "application/json"),),
        body=r.write_json(body),
    )


def _params(operation: Operation[Any], names: Names) -> dict[str, Any]:
    """Return what an operation says on the wire; None stays away."""
    match operation:
        case op.GetTicker(symbol) | op.GetFees(symbol):
            return {"instrument_name": names.theirs(symbol)}
        case op.GetPositions(symbol) | op.CancelAllOrders(symbol) | op.GetOpenOrders(symbol=symbol):
            return {"instrument_name": _maybe(symbol, names)}
        case op.GetDepth(symbol, step, levels):
            if step:
                raise wire.unmerged(step)
            depth = min(levels or wire.REST_DEPTH, wire.REST_DEPTH)
            return {"instrument_name": names.theirs(symbol), "depth": depth}
        case op.GetKlines():
            return _kline_params(operation, names)
        case op.GetTrades(symbol, start, end, limit):
            return {
                "instrument_name": names.theirs(symbol),
                "count": min(limit or TRADE_ROWS, TRADE_ROWS),
                "start_ts": start,
                "end_ts": end,
            }
        case op.GetFunding():
            return _value_params(operation, wire.SETTLED_FUNDING, names)
        case op.GetValuations(kind=kind):
            return _value_params(operation, wire.VALUATIONS[kind], names)
        case op.GetBalanceHistory(period, end, limit):
            # The only history whose end must be a number (docs/protocol-exchange.md, 2).
            timeframe = "H1" if period == "1hour" else "D1"
            end_ms = None if end is None else wire.ceil_ms(end)
            return {"timeframe": timeframe, "end_time": end_ms, "limit": limit}
        case op.GetTransactions(symbol, start, end, limit):
            return _history_params(_maybe(symbol, names), start, end, limit)
        case op.GetOrderHistory() | op.GetMyTrades():
            instrument = _maybe(operation.symbol, names)
            return _history_params(instrument, operation.start, operation.end, operation.page_size)
        case _:
            return _order_params(operation, names)


def _maybe(symbol: str | None, names: Names) -> str | None:
    return None if symbol is None else names.theirs(symbol)


def _kline_params(operation: op.GetKlines, names: Names) -> dict[str, Any]:
    if operation.period not in wire.PERIODS:
        raise wire.bad_period(operation.period)
    start, end = operation.start, operation.end
    return {
        "instrument_name": names.theirs(operation.symbol),
        "timeframe": wire.PERIODS[operation.period],
        # Without a count 25 rows came, or 300: it is always sent.
        "count": min(operation.limit or KLINE_ROWS, KLINE_ROWS),
        "start_ts": None if start is None else start // NS_PER_MS,
        "end_ts": None if end is None else wire.ceil_ms(end),
    }


def _value_params(
    operation: op.GetFunding | op.GetValuations, kind: str, names: Names
) -> dict[str, Any]:
    start, end = operation.start, operation.end
    return {
        "instrument_name": names.theirs(operation.symbol),
        "valuation_type": kind,
        "count": min(operation.limit or HISTORY_ROWS, HISTORY_ROWS),
        "start_ts": None if start is None else start // NS_PER_MS,
        "end_ts": None if end is None else wire.ceil_ms(end),
    }


def _history_params(
    instrument: str | None, start: int | None, end: int | None, limit: int | None
) -> dict[str, Any]:
    """Return the parameters of an account's histories: nanoseconds as text, limit as number."""
    return {
        "instrument_name": instrument,
        "start_time": None if start is None else str(start),
        "end_time": None if end is None else str(end),
        "limit": None if limit is None else min(limit, HISTORY_ROWS),
    }


# ----------------------------------------------------------------------------------- orders

TIMES_IN_FORCE: dict[op.TimeInForce, str] = {
    "gtc": "GOOD_TILL_CANCEL",
    "ioc": "IMMEDIATE_OR_CANCEL",
    "fok": "FILL_OR_KILL",
}


def _order_params(operation: Operation[Any], names: Names) -> dict[str, Any]:
    match operation:
        case op.PlaceOrder():
            return _order(operation, names)
        case op.PlaceOrders(orders):
            return _listed([_order(order, names) for order in orders])
        case op.CancelOrder():
            return _named(operation, names)
        case op.CancelOrders(orders):
            return _listed([_named(order, names) for order in orders])
        case op.GetOrder(id=id_, client_id=client_id):
            return _by_either_id(id_, client_id, "client_oid")
        case op.AmendOrder():
            return {
                "instrument_name": _maybe(operation.symbol, names),
                **_by_either_id(operation.id, operation.client_id, "orig_client_oid"),
                "client_oid": operation.new_client_id,
                "new_price": r.plain(operation.price),
                "new_quantity": r.plain(operation.amount),
            }
        case _:
            return {}


def _listed(orders: list[dict[str, Any]]) -> dict[str, Any]:
    if not 1 <= len(orders) <= wire.ORDERS_AT_ONCE:
        raise e.BadRequest(
            f"orders: {len(orders)} at once.",
            why=f"The exchange takes 1 to {wire.ORDERS_AT_ONCE}.",
            todo="Send them in several lists.",
            sent="no",
        )
    filled = [{k: v for k, v in order.items() if v is not None} for order in orders]
    return {"contingency_type": "LIST", "order_list": filled}


def _named(order: op.CancelOrder, names: Names) -> dict[str, Any]:
    by_id = _by_either_id(order.id, order.client_id, "client_oid")
    return {"instrument_name": _maybe(order.symbol, names), **by_id}


def _by_either_id(id_: str | None, client_id: str | None, client_key: str) -> dict[str, Any]:
    if id_ is None and client_id is None:
        raise e.BadRequest(
            "An order is named by its id, or by the client's.",
            todo="Give one of them; open_orders() lists them.",
            sent="no",
        )
    return {"order_id": id_, client_key: client_id}


def _order(order: op.PlaceOrder, names: Names) -> dict[str, Any]:
    _check_order(order)
    return {
        "instrument_name": names.theirs(order.symbol),
        "side": order.side.upper(),
        "type": order.type.upper(),
        # Texts, all of them: a number is refused, and an amount even as a wrong signature.
        "price": r.plain(order.price),
        "quantity": r.plain(order.amount),
        "notional": r.plain(order.spend),
        "client_oid": order.client_id,
        "time_in_force": TIMES_IN_FORCE[order.time_in_force] if order.time_in_force else None,
        "exec_inst": ["POST_ONLY"] if order.post_only else None,
    }


def _check_order(order: op.PlaceOrder) -> None:
    """Refuse what the exchange would take for something else, or could not tell apart later."""
    if not order.client_id or len(order.client_id) > wire.CLIENT_ID_LENGTH:
        raise e.BadRequest(
            f"client_id: an order needs one, of at most {wire.CLIENT_ID_LENGTH} characters.",
            why="Without it nobody can find out what became of an order whose answer is lost.",
            todo="Give each order a name of its own.",
            sent="no",
        )
    is_market_buy = (order.side, order.type) == ("buy", "market")
    if (order.spend is None) is (order.amount is None):
        raise e.BadRequest("amount or spend: one of them, not both.", sent="no")
    if order.spend is not None and not is_market_buy:
        raise e.BadRequest("spend: only a market buy is told in money.", sent="no")
    if order.type == "limit" and order.price is None:
        raise e.BadRequest("price: a limit order needs one.", sent="no")
