"""V1's questions over HTTP: the table of endpoints and limits, and both ends of asking.

Market questions are GET with a query string and no key. User questions are POST with a
signed form body, reads included. What comes back is the business of `answers`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlencode

from cdcx_pandas import errors as e
from cdcx_pandas import operations as op
from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.base import Endpoint, Limit, Paging
from cdcx_pandas.dialects.v1 import signing, wire
from cdcx_pandas.messages import Caller, HttpRequest
from cdcx_pandas.tables import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cdcx_pandas.credentials import Credentials, Secret
    from cdcx_pandas.dialects.v1 import V1
    from cdcx_pandas.operations import Operation

KLINE_ROWS = 300
TRADE_ROWS = 200
ORDER_ROWS = 200
"""Rows asked for in one page of orders; at least 400 came back on the exchange in 2020."""


def _post(operation: type[Operation[Any]], path: str, **more: Any) -> Endpoint:
    return Endpoint(operation, path, path, "POST", signed=True, **more)


_PAGED = {"paging": Paging.NUMBERED, "page_rows": ORDER_ROWS}

ENDPOINTS = (
    Endpoint(op.GetSymbols, "/v1/symbols", "market"),
    Endpoint(op.GetTickers, "/v1/ticker", "market"),
    Endpoint(op.GetTicker, "/v1/ticker", "market"),
    Endpoint(op.GetPrices, "/v1/ticker/price", "market"),
    Endpoint(op.GetKlines, "/v1/klines", "market", page_rows=KLINE_ROWS),
    Endpoint(op.GetTrades, "/v1/trades", "market", page_rows=TRADE_ROWS),
    Endpoint(op.GetDepth, "/v1/depth", "market"),
    _post(op.GetAccount, "/v1/account"),
    _post(op.PlaceOrder, "/v1/order"),
    _post(op.GetOrder, "/v1/showOrder"),
    _post(op.CancelOrder, "/v1/orders/cancel"),
    _post(op.CancelAllOrders, "/v1/cancelAllOrders"),
    _post(op.GetOpenOrders, "/v1/openOrders", **_PAGED),
    _post(op.GetOrderHistory, "/v1/allOrders", **_PAGED),
    _post(op.GetMyTrades, "/v1/myTrades", **_PAGED),
)

KLINE_HISTORY = Endpoint(
    op.GetKlines,
    "/kline-api/ws",
    "market",
    via="socket",
    paging=Paging.BEFORE,
    page_rows=KLINE_ROWS,
)
"""REST has one page of klines only; the stream's history request reaches further back."""

LIMITS = (
    Limit("market", 100, 1.0, "address"),
    Limit("/v1/account", 1, 0.1, "key"),
    Limit("/v1/order", 5, 0.1, "key"),
    Limit("/v1/orders/cancel", 5, 0.1, "key"),
    Limit("/v1/cancelAllOrders", 5, 0.1, "key"),
    Limit("/v1/showOrder", 10, 0.1, "key"),
    Limit("/v1/openOrders", 1, 0.1, "key"),
    Limit("/v1/allOrders", 1, 0.1, "key"),
    Limit("/v1/myTrades", 1, 0.1, "key"),
)

_BY_OPERATION = {row.operation: row for row in ENDPOINTS}
_BY_PATH = {(row.method, row.path): row for row in reversed(ENDPOINTS)}

# The signature joins names and values with nothing between, so that one text can be read as
# two sets of parameters: every value has its form, on both sides of the wire.
_FORMS = {
    "symbol": wire.SYMBOL,
    "side": r"BUY|SELL",
    "type": r"[12]",
    "volume": r"\d{1,20}(\.\d{1,18})?",
    "price": r"\d{1,20}(\.\d{1,18})?",
    "order_id": r"[A-Za-z0-9-]{1,40}",
    "page": r"\d{1,6}",
    "pageSize": r"\d{1,5}",
    "startDate": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    "endDate": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    "sort": r"[01]",
    "fee_is_user_exchange_coin": r"[01]",
    "api_key": r"[A-Za-z0-9_-]{8,128}",
    "time": r"\d{10,13}",
}
_FORM = {name: re.compile(form, re.ASCII) for name, form in _FORMS.items()}
_DATE = "%Y-%m-%d %H:%M:%S"


def endpoint(operation: Operation[Any]) -> Endpoint:
    """Return how an operation is asked."""
    if isinstance(operation, op.GetKlines) and (
        operation.start is not None
        or operation.end is not None
        or (operation.limit or 0) > KLINE_ROWS
    ):
        return KLINE_HISTORY
    row = _BY_OPERATION.get(type(operation))
    if row is None:
        raise e.Unsupported(
            f"V1 has no question {type(operation).__name__}.",
            todo="Today's API (dialect 'exchange') may have it: see the support matrix.",
        )
    return row


# -------------------------------------------------------------------------------- questions


def encode_request(
    operation: Operation[Any], credentials: Credentials | None, now_ms: int, dialect: V1
) -> HttpRequest:
    """Write a question; `now_ms` becomes the signed time of user questions."""
    row = endpoint(operation)
    params = {k: v for k, v in _params(operation, dialect).items() if v is not None}
    _check_forms(params, _SPOKEN)
    if not row.signed:
        return HttpRequest("GET", row.path, tuple(params.items()))
    if credentials is None:
        raise e.MissingCredentials(
            f"{row.path} is signed and there is no API key.",
            todo="Pass credentials=cdcx.Credentials(key, secret) to use().",
        )
    params |= {"api_key": credentials.key_for_the_wire(), "time": str(now_ms)}
    _check_forms(params, _FORM)
    params["sign"] = signing.sign(params, credentials.secret)
    return HttpRequest(
        "POST",
        row.path,
        headers=(("Content-Type", "application/x-www-form-urlencoded"),),
        body=urlencode(params).encode(),
    )


_SPOKEN = {"symbol": _FORM["symbol"]}


def _check_forms(params: Mapping[str, str], forms: Mapping[str, re.Pattern[str]]) -> None:
    for name, form in forms.items():
        if name in params and not form.fullmatch(params[name]):
            shown = "its value" if name == "api_key" else repr(r.excerpt(params[name]))
            raise e.BadRequest(
                f"{name}: {shown} is not of the form V1 takes.", code="100004", sent="no"
            )


def _params(operation: Operation[Any], dialect: V1) -> dict[str, str | None]:
    """Return what an operation says on the wire, before key, time and signature."""
    match operation:
        case op.GetTicker(symbol) | op.GetTrades(symbol=symbol):
            return {"symbol": symbol}
        case op.GetKlines(symbol=symbol, period=period):
            if period not in wire.REST_PERIODS:
                raise wire.bad_period(period)
            return {"symbol": symbol, "period": str(wire.REST_PERIODS[period])}
        case op.GetDepth(symbol=symbol, step=step):
            if step not in wire.STEPS:
                raise wire.bad_step(step)
            if dialect.profile == "a":
                return {"symbol": symbol, "type": f"step{step}"}
            if step:
                raise e.Unsupported("V1's later profile has no merged books.", todo="step=0")
            return {"symbol": symbol}
        case op.PlaceOrder():
            _check_order(operation)
            return {
                "symbol": operation.symbol,
                "side": operation.side.upper(),
                "type": "1" if operation.type == "limit" else "2",
                "volume": r.plain(operation.amount if operation.spend is None else operation.spend),
                "price": r.plain(operation.price),
            }
        case op.GetOrder(id=id_, symbol=symbol) | op.CancelOrder(id=id_, symbol=symbol):
            return {"order_id": _known(id_), "symbol": _one(symbol)}
        case op.CancelAllOrders(symbol=symbol):
            return {"symbol": _one(symbol)}
        case op.GetOpenOrders() | op.GetOrderHistory() | op.GetMyTrades():
            return _page_params(operation, dialect)
        case _:
            return {}


def _check_order(order: op.PlaceOrder) -> None:
    """Refuse what V1 has no words for, rather than leave it out."""
    for name in ("client_id", "time_in_force", "post_only"):
        if getattr(order, name):
            raise e.Unsupported(
                f"V1 has no {name}.",
                why="Its orders are limit or market, good till cancelled, and named by it alone.",
                todo=f"Leave {name} out; today's exchange has it.",
                sent="no",
            )


def _known(id_: str | None) -> str:
    if id_ is None:
        raise e.Unsupported(
            "V1 knows orders by its own ids only.",
            todo="Name the order by its id; open_orders() lists them.",
            sent="no",
        )
    return id_


def _one(symbol: str | None) -> str:
    if symbol is None:
        raise e.Unsupported(
            "V1 cannot list across symbols.",
            why="Every V1 call about orders names one market.",
            todo='Name it: symbol="btcusdt".',
        )
    return symbol


def _page_params(
    operation: op.GetOpenOrders | op.GetOrderHistory | op.GetMyTrades, dialect: V1
) -> dict[str, str | None]:
    params: dict[str, str | None] = {"symbol": _one(operation.symbol)}
    if operation.page is not None:
        params["page"] = str(operation.page + dialect.first_page)
    if operation.page_size is not None:
        params["pageSize"] = str(operation.page_size)
    if not isinstance(operation, op.GetOpenOrders):
        params["startDate"] = _date(operation.start, dialect)
        params["endDate"] = _date(operation.end, dialect)
    if isinstance(operation, op.GetMyTrades) and operation.newest_first is not None:
        params["sort"] = "1" if operation.newest_first else "0"
    return params


def _date(ns: int | None, dialect: V1) -> str | None:
    if ns is None:
        return None
    return (datetime.fromtimestamp(ns // NS_PER_S, UTC) + dialect.zone).strftime(_DATE)


# ------------------------------------------------------------------- questions, server's side


def decode_request(
    request: HttpRequest, secret_of: Callable[[str], Secret | None], dialect: V1
) -> tuple[Operation[Any], Caller | None]:
    """Read a question; the caller is told where it was signed, and rightly."""
    row = _BY_PATH.get((request.method, request.path))
    if row is None:
        raise e.NotFound("No such path.", code="-100")
    if not row.signed:
        return _read_operation(row, dict(request.query), dialect), None
    given = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    signature = given.pop("sign", "")
    filled = {name: value for name, value in given.items() if value}
    _check_forms(filled, _FORM)
    if "api_key" not in filled or "time" not in filled:
        raise e.BadRequest("api_key or time is missing.", code="100004")
    secret = secret_of(filled["api_key"])
    if secret is None or not signing.verify(given, signature, secret):
        raise e.AuthError("The signature is wrong.", code="100005")
    stamp = int(filled["time"])
    caller = Caller(filled["api_key"], stamp if stamp >= 10**11 else stamp * 1000)
    return _read_operation(row, filled, dialect), caller


def _read_operation(row: Endpoint, params: dict[str, str], dialect: V1) -> Operation[Any]:
    symbol = params.get("symbol", "").lower() or None
    kind = row.operation
    if row.path == "/v1/ticker":
        return op.GetTicker(symbol) if symbol else op.GetTickers()
    if kind in {op.GetSymbols, op.GetPrices, op.GetAccount}:
        return kind()
    if symbol is None:
        raise e.BadRequest("symbol is missing.", code="100004")
    if kind is op.GetKlines:
        period = _PERIOD_WORDS.get(params.get("period", ""))
        if period is None:
            raise e.BadRequest("period is none of V1's.", code="100004")
        return op.GetKlines(symbol, period, limit=_digits(params.get("pageSize"), cap=2000))
    if kind is op.GetTrades:
        return op.GetTrades(symbol)
    if kind is op.GetDepth:
        step = params.get("type", "" if dialect.profile == "a" else "step0")
        if step not in {"step0", "step1", "step2"}:
            raise e.BadRequest("type is none of step0, step1, step2.", code="100004")
        return op.GetDepth(symbol, step=int(step[-1]))
    return _read_user_operation(kind, symbol, params, dialect)


_PERIOD_WORDS = (
    {str(minutes): period for period, minutes in wire.REST_PERIODS.items()}
    | {period: period for period in wire.PERIODS}
    | {"60min": "1hour"}
)
"""REST says minutes; the labels of the documents are understood too."""


def _read_user_operation(
    kind: type[Operation[Any]], symbol: str, params: dict[str, str], dialect: V1
) -> Operation[Any]:
    if kind is op.PlaceOrder:
        return _read_order(symbol, params)
    if kind is op.CancelAllOrders:
        return op.CancelAllOrders(symbol)
    if kind is op.GetOrder or kind is op.CancelOrder:
        if "order_id" not in params:
            raise e.BadRequest("order_id is missing.", code="100004")
        make = cast("Callable[..., Operation[Any]]", kind)
        return make(id=params["order_id"], symbol=symbol)
    page = _digits(params.get("page"))
    if page is not None:
        page = max(page - dialect.first_page, 0)
    size = _digits(params.get("pageSize"))
    if kind is op.GetOpenOrders:
        return op.GetOpenOrders(symbol, page, size)
    start, end = (_read_date(params.get(name), dialect) for name in ("startDate", "endDate"))
    if kind is op.GetOrderHistory:
        return op.GetOrderHistory(symbol, start, end, page, size)
    newest_first = {"1": True, "0": False}.get(params.get("sort", ""))
    return op.GetMyTrades(symbol, start, end, page, size, newest_first)


def _read_order(symbol: str, params: dict[str, str]) -> op.PlaceOrder:
    if params.get("side") not in {"BUY", "SELL"} or params.get("type") not in {"1", "2"}:
        raise e.BadRequest("side or type is missing.", code="100004")
    if "volume" not in params:
        raise e.BadRequest("volume is missing.", code="23")
    side: op.Side = "buy" if params["side"] == "BUY" else "sell"
    volume = Decimal(params["volume"])
    if params["type"] == "1":
        if "price" not in params:
            raise e.BadRequest("price is missing.", code="24")
        return op.PlaceOrder(symbol, side, "limit", volume, price=Decimal(params["price"]))
    if side == "buy":  # of a market buy the volume is the money to spend
        return op.PlaceOrder(symbol, side, "market", spend=volume)
    return op.PlaceOrder(symbol, side, "market", amount=volume)


def _digits(value: str | None, cap: int = 100_000) -> int | None:
    if not value:
        return None
    if not (value.isascii() and value.isdecimal()):
        raise e.BadRequest("a page or its size is no number.", code="100004")
    return min(int(value), cap)


def _read_date(value: str | None, dialect: V1) -> int | None:
    if not value:
        return None
    try:
        moment = datetime.strptime(value, _DATE).replace(tzinfo=UTC) - dialect.zone
    except ValueError:
        moment = None
    if moment is None:
        raise e.BadRequest("startDate or endDate is no date.", code="100004")
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) * NS_PER_S
