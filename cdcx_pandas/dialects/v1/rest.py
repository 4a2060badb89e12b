"""V1 over HTTP: the table of endpoints, the envelope, questions and answers.

Market questions are GET with a query string and no key. User questions are POST with a
signed form body, reads included. Every answer is ``{"code", "msg", "data"}``; code 0 is
success, as number or as text, and anything else is an error whatever the HTTP status says.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import parse_qsl, urlencode

import msgspec

from cdcx_pandas import errors as e
from cdcx_pandas import operations as op
from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.base import Endpoint, Limit, Paging
from cdcx_pandas.dialects.v1 import codes, signing, wire
from cdcx_pandas.messages import Caller, HttpRequest, HttpResponse
from cdcx_pandas.tables import NS_PER_S, Answer, Columns

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
    "symbol": r"[a-z0-9]{2,20}",
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
                raise e.BadPeriod(
                    f"V1 has no period {period!r}.",
                    why=f"It has {', '.join(wire.PERIODS)}.",
                    todo="Take a finer one and make it with df.cdcx.resample.",
                    allowed=wire.PERIODS,
                )
            return {"symbol": symbol, "period": str(wire.REST_PERIODS[period])}
        case op.GetDepth(symbol=symbol, step=step):
            if dialect.profile == "a":
                return {"symbol": symbol, "type": f"step{step}"}
            if step:
                raise e.Unsupported("V1's later profile has no merged books.", todo="step=0")
            return {"symbol": symbol}
        case op.PlaceOrder():
            return {
                "symbol": operation.symbol,
                "side": operation.side.upper(),
                "type": "1" if operation.type == "limit" else "2",
                "volume": r.plain(operation.amount if operation.spend is None else operation.spend),
                "price": r.plain(operation.price),
            }
        case op.GetOrder(id=id_, symbol=symbol) | op.CancelOrder(id=id_, symbol=symbol):
            return {"order_id": id_, "symbol": _one(symbol)}
        case op.CancelAllOrders(symbol=symbol):
            return {"symbol": _one(symbol)}
        case op.GetOpenOrders() | op.GetOrderHistory() | op.GetMyTrades():
            return _page_params(operation, dialect)
        case _:
            return {}


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


# ---------------------------------------------------------------------------------- answers


class _KlinesEnvelope(msgspec.Struct):
    """The common case, decoded straight to its types: twice as fast as through objects."""

    code: int | str
    data: list[tuple[int, float, float, float, float, float]]


class _TradeRow(msgspec.Struct, gc=False):
    id: int
    price: float
    amount: float
    ctime: int
    type: Literal["buy", "sell"]


class _TradesEnvelope(msgspec.Struct):
    code: int | str
    data: list[_TradeRow]


_FAST_KLINES = msgspec.json.Decoder(_KlinesEnvelope)
_FAST_TRADES = msgspec.json.Decoder(_TradesEnvelope)


def _fast(operation: Operation[Any], body: bytes) -> Columns | None:
    """Read the common form of the two long answers; None when it is another form."""
    try:
        if isinstance(operation, op.GetKlines):
            klines = _FAST_KLINES.decode(body)
            if klines.code in _SUCCESS and klines.data and klines.data[-1][0] < 10**11:
                return wire.bar_columns(klines.data)
        elif isinstance(operation, op.GetTrades):
            trades = _FAST_TRADES.decode(body)
            if trades.code in _SUCCESS and trades.data and trades.data[-1].ctime > 10**11:
                return wire.trade_columns(trades.data)
    except (msgspec.DecodeError, RecursionError):
        pass  # another form, or none at all: the liberal reader tells which
    return None


_SUCCESS = frozenset({0, "0"})


def decode_response(operation: Operation[Any], response: HttpResponse, *, exact: bool) -> Any:
    """Read an answer, or raise the error it is."""
    path = endpoint(operation).path
    if response.status < 300 and not exact:
        columns = _fast(operation, response.body)
        if columns is not None:
            return Answer(_table(operation), columns)
    problem: e.CdcxError
    try:
        return _decode(operation, response, exact=exact)
    except e.CdcxError as error:
        problem = error
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        told = f"{type(error).__name__}: {error}"
        problem = r.unreadable(told, r.excerpt(response.body))
    problem.endpoint = path
    problem.http_status = response.status
    raise problem


def _table(operation: Operation[Any]) -> Any:
    return type(operation).table


def _decode(operation: Operation[Any], response: HttpResponse, *, exact: bool) -> Any:
    envelope = _envelope(operation, response, exact=exact)
    data = envelope.get("data")
    if isinstance(operation, op.PlaceOrder):
        order_id = r.text((data or {})["order_id"])
        if order_id is None:
            raise r.unreadable("order_id is empty", data)
        return order_id
    if isinstance(operation, op.CancelOrder | op.CancelAllOrders):
        return None
    columns, facts = _READERS[type(operation)](data, operation, exact)
    return Answer(_table(operation), columns, facts)


def _envelope(operation: Operation[Any], response: HttpResponse, *, exact: bool) -> dict[str, Any]:
    """Return the envelope of a success; raise for everything else."""
    try:
        envelope = r.read_json(response.body, exact=exact)
        problem = None
    except e.ProtocolError as error:
        envelope, problem = None, error
    if not isinstance(envelope, dict) or "code" not in envelope:
        if response.status >= 300:
            raise by_status(response, envelope)
        raise problem or r.unreadable("there is no code in it", envelope)
    code = str(envelope["code"]).strip()
    if _is_zero(code):
        if response.status >= 300:
            raise by_status(response, envelope)
        return envelope
    raise by_code(code, str(envelope.get("msg") or ""), response, operation)


def _is_zero(code: str) -> bool:
    try:
        return float(code) == 0
    except ValueError:
        return False


def by_code(
    code: str, message: str, response: HttpResponse, operation: Operation[Any] | None
) -> e.CdcxError:
    """Return the exception an error code becomes."""
    if response.status == 429:
        return by_status(response, None)
    kind = codes.CODES.get(code)
    meaning = codes.MEANINGS.get(code, "a code this version does not know")
    said = f"The venue answered code {code} ({meaning})"
    why = f"Its words: {r.excerpt(message)!r}." if message else ""
    if kind is None:
        kind = e.OrderRejected if isinstance(operation, op.PlaceOrder) else e.CdcxError
        if 400 <= response.status < 600:
            kind = type(by_status(response, None))
    todo = _ADVICE.get(kind, "")
    return kind(f"{said}.", why=why, todo=todo, code=code, sent="yes")


_ADVICE: dict[type[e.CdcxError], str] = {
    e.AuthError: "Check that key and secret belong together and are whole, that nothing signs"
    " in another order, and the clock.",
    e.PermissionDenied: "See the key's rights and its address whitelist on the exchange's site.",
    e.RateLimited: "Ask less often; use live() instead of polling.",
    e.Maintenance: "Wait; the exchange says when it will be back.",
    e.OrderNotFound: "Check the id and the symbol: V1 looks an order up in one market only.",
    e.BadRequest: "Check symbol and arguments against symbols().",
}


def by_status(response: HttpResponse, envelope: object) -> e.CdcxError:
    """Return the exception an HTTP status becomes when the body does not tell better."""
    status = response.status
    kind, meaning = _STATUSES.get(status, (None, ""))
    if kind is None:
        kind, meaning = (
            (e.ServerError, "the server failed") if status >= 500
            else (e.BadRequest, "the request was refused") if status >= 400
            else (e.ProtocolError, "an answer that is none")
        )  # fmt: skip
    body = r.excerpt(response.body).strip() if envelope is None else ""
    why = f"The body says: {body!r}." if body else "The body says nothing more."
    error = kind(
        f"The venue answered HTTP {status}: {meaning}.",
        why=why,
        todo=_ADVICE.get(kind, ""),
        http_status=status,
        sent="yes",
    )
    if isinstance(error, e.RateLimited):
        error.retry_after = _retry_after(response.headers.get("retry-after"))
    return error


_STATUSES: dict[int, tuple[type[e.CdcxError], str]] = {
    400: (e.BadRequest, "bad request"),
    401: (e.AuthError, "unauthorized"),
    403: (e.PermissionDenied, "forbidden"),
    404: (e.NotFound, "not found"),
    418: (e.PermissionDenied, "this address is banned for a while"),
    429: (e.RateLimited, "too many requests"),
    500: (e.ServerError, "the server failed"),
    502: (e.ServerError, "bad gateway"),
    503: (e.Maintenance, "the server is busy or in maintenance"),
    504: (e.ServerError, "the gateway timed out"),
}


def _retry_after(value: str | None) -> float | None:
    try:
        told = float(value or "")
    except ValueError:
        return None
    return told if 0 <= told < 10**6 else None


def _read_depth(data: Any, _: Any, exact: bool) -> tuple[Columns, dict[str, Any]]:
    tick = data["tick"]
    bids = tick["bids"] if "bids" in tick else tick["buys"]
    columns = wire.read_book(tick["asks"], bids, exact=exact)
    return columns, {"time": r.time(tick.get("time"))}


def _read_account(data: Any, _: Any, exact: bool) -> tuple[Columns, dict[str, Any]]:
    columns = wire.read_account(data.get("coin_list") or [], exact=exact)
    return columns, {"total_btc": r.number(data.get("total_asset"), exact)}


def _read_order_page(data: Any, operation: Any, exact: bool) -> tuple[Columns, dict[str, Any]]:
    rows = r.first(data, ("resultList", "orderList")) or []
    return wire.read_orders(rows, operation.symbol, exact=exact), _count(data, rows)


def _read_fills(data: Any, operation: Any, exact: bool) -> tuple[Columns, dict[str, Any]]:
    rows = r.first(data, ("resultList", "orderList")) or []
    return wire.read_fills(rows, operation.symbol, exact=exact), _count(data, rows)


def _count(data: Any, rows: list[Any]) -> dict[str, Any]:
    count = r.whole(data.get("count"))
    return {"count": len(rows) if count is None else count}


def _read_one_order(data: Any, operation: Any, exact: bool) -> tuple[Columns, dict[str, Any]]:
    row = r.first(data, ("order_info", "orderInfo"))
    columns = wire.read_orders([row], operation.symbol, exact=exact)
    fills = r.first(row, ("tradeList", "trade_list")) or data.get("trade_list") or []
    order = (columns["id"][0], columns["side"][0])
    symbol = columns["symbol"][0]
    return columns, {"fills": wire.read_fills(fills, symbol, order=order, exact=exact)}


_READERS: dict[type[Operation[Any]], Any] = {
    op.GetSymbols: lambda d, _, x: (wire.read_symbols(d, exact=x), {}),
    op.GetTickers: lambda d, _, x: (wire.read_tickers(d, exact=x), {"time": r.time(d.get("date"))}),
    op.GetTicker: lambda d, q, x: (wire.read_ticker(d, q.symbol, exact=x), {}),
    op.GetPrices: lambda d, _, x: (wire.read_prices(d, exact=x), {}),
    op.GetKlines: lambda d, _, x: (wire.read_klines(d or [], exact=x), {}),
    op.GetTrades: lambda d, _, x: (wire.read_trades(d or [], exact=x), {}),
    op.GetDepth: _read_depth,
    op.GetAccount: _read_account,
    op.GetOrder: _read_one_order,
    op.GetOpenOrders: _read_order_page,
    op.GetOrderHistory: _read_order_page,
    op.GetMyTrades: _read_fills,
}


# -------------------------------------------------------------------------- answers, server's


def encode_response(operation: Operation[Any] | None, answer: object, dialect: V1) -> HttpResponse:
    """Write an answer or an error in the platform's envelope, as the profile has it."""
    if isinstance(answer, e.CdcxError):
        return _write_error(answer)
    market = operation is not None and operation.effect is op.Effect.PUBLIC_READ
    code: object = 0 if dialect.profile == "b" and market else "0"
    data = _written(operation, answer, dialect)
    return _respond(200, {"code": code, "msg": "suc", "data": data})


def _respond(status: int, envelope: object) -> HttpResponse:
    headers = {"content-type": "application/json;charset=utf-8"}
    return HttpResponse(status, r.write_json(envelope), headers)


def _write_error(error: e.CdcxError) -> HttpResponse:
    if isinstance(error, e.RateLimited) and error.code is None:
        headers = {"content-type": "text/html"}
        if error.retry_after is not None:
            headers["retry-after"] = f"{error.retry_after:g}"
        return HttpResponse(429, b"Too Many Requests", headers)
    code, message = codes.written_as(error)
    # Seen on the exchange: market calls answer an unknown symbol with HTTP 500.
    status = 500 if isinstance(error, e.UnknownSymbol) else 404 if code == "-100" else 200
    return _respond(error.http_status or status, {"code": code, "msg": message, "data": None})


def _written(operation: Operation[Any] | None, answer: object, dialect: V1) -> Any:
    b = dialect.profile == "b"
    if isinstance(operation, op.PlaceOrder):
        return {"order_id": answer if b else wire.as_digits(str(answer))}
    if not isinstance(answer, Answer):
        return None
    if dialect.cuts_times:
        answer = wire.whole_seconds(answer)
    columns, facts = answer.columns, answer.facts
    match operation:
        case op.GetSymbols():
            return wire.write_symbols(columns)
        case op.GetTickers():
            rows = [
                wire.write_ticker_row(row, one=False, has_change=not b)
                for row in r.rows_of(columns)
            ]
            return {"date": r.millis(facts.get("time")), "ticker": rows}
        case op.GetTicker():
            return wire.write_ticker_row(r.rows_of(columns)[0], one=True, has_change=not b)
        case op.GetPrices():
            return wire.write_prices(columns)
        case op.GetKlines():
            return wire.write_klines(columns)
        case op.GetTrades():
            return wire.write_trades(columns)
        case op.GetDepth():
            book = wire.write_book(columns, bids="bids")
            time = None if dialect.cuts_times else r.millis(facts.get("time"))
            return {"tick": book | {"time": time}}
        case op.GetAccount():
            return {
                "total_asset": r.plain(facts.get("total_btc"), 8),
                "coin_list": wire.write_account(
                    columns,
                    value_key="btcValuation" if dialect.spells_valuation else "btcValuatin",
                ),
            }
        case op.GetOrder():
            return _written_order(columns, facts, dialect)
        case op.GetOpenOrders() | op.GetOrderHistory():
            key = "resultList" if isinstance(operation, op.GetOpenOrders) else "orderList"
            orders = [wire.write_order(row, profile_b=b) for row in r.rows_of(columns)]
            return {"count": facts.get("count", len(orders)), key: orders}
        case op.GetMyTrades():
            fills = [
                wire.write_fill(row, in_order=False, profile_b=b) for row in r.rows_of(columns)
            ]
            if operation.newest_first:
                fills.reverse()
            return {"count": facts.get("count", len(fills)), "resultList": fills}
        case _:
            return None


def _written_order(columns: Columns, facts: Mapping[str, Any], dialect: V1) -> dict[str, Any]:
    b = dialect.profile == "b"
    row = r.rows_of(columns)[0]
    order = wire.write_order(row, profile_b=b)
    fills = [
        wire.write_fill(fill, in_order=True, profile_b=b)
        for fill in r.rows_of(facts.get("fills", {}))
    ]
    order["tradeList"] = fills
    data: dict[str, Any] = {"orderInfo" if b else "order_info": order}
    if dialect.repeats_trade_list:
        data["trade_list"] = fills
    return data
