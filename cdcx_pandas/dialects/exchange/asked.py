"""The exchange's questions over HTTP as the server reads them, and refuses them.

The venue is strict about JSON types in its own ways: an amount that is a number looks like a
wrong signature to it, a limit that is a text is no limit. Each refusal here carries the code
that was seen or documented for it (docs/protocol-exchange.md, 2).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from cdcx_pandas import errors as e
from cdcx_pandas import operations as op
from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.exchange import rest, signing, wire
from cdcx_pandas.dialects.exchange import symbols as s
from cdcx_pandas.dialects.exchange.signing import Fraction
from cdcx_pandas.messages import Caller

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cdcx_pandas.credentials import Secret
    from cdcx_pandas.dialects.base import Endpoint
    from cdcx_pandas.dialects.exchange import Exchange
    from cdcx_pandas.dialects.exchange.symbols import Names
    from cdcx_pandas.messages import HttpRequest
    from cdcx_pandas.operations import Operation

Params = dict[str, Any]

_BY_PATH = {row.path: row for row in reversed(rest.ENDPOINTS)}
_DECIMAL = re.compile(r"\d{1,30}(\.\d{1,30})?", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,19}", re.ASCII)
_COUNT = 25
"""How many rows come where a public question does not say."""
_OF_MAIN_ACCOUNTS = "/private/get-currency-networks"
"""Where a sub-account is told SYS_ERROR (ccxt's source). Clients ask it unasked, so that a server
without it would turn them away; whoever wants networks wants to withdraw.
"""


def refusal(code: str, words: str = "") -> e.BadRequest:
    """Return the error a wrong parameter is refused with."""
    return e.BadRequest(words or "A parameter is missing or wrong.", code=code)


def decode_request(
    request: HttpRequest, secret_of: Callable[[str], Secret | None], dialect: Exchange
) -> tuple[Operation[Any], Caller | None]:
    """Read a question; the caller is told where it was signed, and rightly."""
    row = _BY_PATH.get(request.path)
    if request.path == _OF_MAIN_ACCOUNTS:
        raise e.ServerError("Not for sub-accounts.", code="10001")
    if row is None:
        raise e.NotFound("No such path.", endpoint=request.path)
    if request.method != row.method:
        raise refusal("40003") if row.signed else e.ServerError("POST for GET.", code="50001")
    if not row.signed:
        return _read_public(row, dict(request.query), dialect.names), None
    envelope = signing.read_signed(request.body)
    if not isinstance(envelope, dict):
        raise refusal("40001")
    caller = _caller(envelope, row.path[1:], secret_of)
    params = envelope.get("params") or {}
    if row.operation is op.PlaceOrder:
        return read_order(params, str(caller.ref), dialect.names), caller
    if row.operation is op.PlaceOrders:
        orders = [
            read_order(order, f"{caller.ref}_{at}", dialect.names)
            for at, order in enumerate(_order_list(params))
        ]
        return op.PlaceOrders(tuple(orders)), caller
    return read_private(row.operation, params, dialect.names), caller


def _caller(envelope: Params, method: str, secret_of: Callable[[str], Secret | None]) -> Caller:
    """Verify who asks.

    The signature covers values and not their JSON types, so that types are looked at as well.
    """
    ref, nonce = envelope.get("id"), envelope.get("nonce")
    if envelope.get("method") != method:
        raise refusal("40002")
    if not _is_whole(ref) or str(ref).startswith("-"):
        raise refusal("40001")
    key, signature, params = (envelope.get(name) for name in ("api_key", "sig", "params"))
    if not _is_whole(nonce) or not isinstance(key, str) or not isinstance(signature, str):
        raise unauthorized()
    if params is not None and not isinstance(params, dict):
        raise refusal("40001")
    secret = secret_of(key)
    text = signing.signing_text(method, str(ref), key, params, str(nonce))
    if secret is None or not signing.verify(text, signature, secret):
        raise unauthorized()
    return Caller(key, int(str(nonce)), str(ref))


def unauthorized() -> e.AuthError:
    """Return the one error for everything that does not sign rightly."""
    return e.AuthError("The signature is wrong.", code="40101")


def _is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number, as JSON number or as digits in a text."""
    if isinstance(value, str) and not isinstance(value, Fraction):
        return _WHOLE.fullmatch(value) is not None
    return isinstance(value, int) and not isinstance(value, bool)


# ----------------------------------------------------------------------------------- market


def _read_public(row: Endpoint, params: Mapping[str, str], names: Names) -> Operation[Any]:
    kind = row.operation
    if kind is op.GetSymbols:
        return op.GetSymbols()
    instrument = params.get("instrument_name")
    if row.path == "/public/get-tickers":
        return op.GetTicker(_ours(instrument, names)) if instrument else op.GetTickers()
    if not instrument:
        raise refusal("40004", "Missing instrument_name param")
    if kind is op.GetDepth:
        return op.GetDepth(_ours(instrument, names), levels=_depth(params.get("depth")))
    start, end = (_instant(params.get(name)) for name in ("start_ts", "end_ts"))
    if kind is op.GetKlines:
        period = wire.TIMEFRAMES.get(params.get("timeframe", "1m"))
        if period is None:
            raise refusal("40003")
        symbol, count = _ours(instrument, names), _count(params, rest.KLINE_ROWS)
        return op.GetKlines(symbol, period, start, end, count)
    if kind is op.GetTrades:
        count = _count(params, rest.TRADE_ROWS)
        return op.GetTrades(_ours(instrument, names), start, end, count)
    return _read_valuations(instrument, params, names, (start, end))


def _read_valuations(
    instrument: str,
    params: Mapping[str, str],
    names: Names,
    bounds: tuple[int | None, int | None],
) -> op.GetFunding | op.GetValuations:
    valuation = params.get("valuation_type")
    if valuation is None:
        raise refusal("40003")
    count = _count(params, rest.KLINE_ROWS)
    if valuation == wire.SETTLED_FUNDING:
        return op.GetFunding(_ours(instrument, names), *bounds, count)
    for kind, theirs in wire.VALUATIONS.items():
        if valuation == theirs:
            # The index answers to its own name too, which no list has.
            named = s.perpetual_of(instrument) if kind == "index" else instrument
            return op.GetValuations(_ours(named, names), kind, *bounds, count)
    raise refusal("40004", "Invalid valuation_type")


def _ours(theirs: object, names: Names, code: str = "40004") -> str:
    if not isinstance(theirs, str) or isinstance(theirs, Fraction) or not names.lists(theirs):
        raise e.UnknownSymbol("Invalid instrument_name", code=code)
    return names.ours(theirs)


def _depth(value: str | None) -> int:
    depth = wire.REST_DEPTH if value is None else _digits(value)
    if depth is None or not 1 <= depth <= wire.REST_DEPTH:
        raise refusal("40004", "Invalid depth")
    return depth


def _count(params: Mapping[str, str], cap: int) -> int:
    """Read a count: one above the cap is capped in silence, 0 is refused."""
    count = _digits(params["count"]) if "count" in params else _COUNT
    if not count:
        raise refusal("40004")
    return min(count, cap)


def _digits(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 20 else None


def _instant(value: Any) -> int | None:
    """Read an instant: ms and ns are told apart by their size."""
    if value is None or value == "":
        return None
    if not _is_whole(value):
        raise refusal("40005")
    try:
        return r.time(value)
    except ValueError:
        raise refusal("40005") from None


# ---------------------------------------------------------------------------------- account


def read_private(kind: type[Operation[Any]], params: Params, names: Names) -> Operation[Any]:
    """Read a question about an account, but for new orders."""
    instrument = params.get("instrument_name")
    symbol = None if instrument is None else _ours(instrument, names, "209")
    if kind in {op.GetAccount, op.GetFeeTier}:
        return kind()
    if kind is op.GetFees:
        if symbol is None:
            raise refusal("40004", "Missing instrument_name param")
        return op.GetFees(symbol)
    if kind in {op.GetPositions, op.CancelAllOrders, op.GetOpenOrders}:
        make = cast("Callable[..., Operation[Any]]", kind)
        return make(symbol=symbol)
    if kind is op.GetBalanceHistory:
        return _read_balance_history(params)
    if kind is op.GetOrder:
        return op.GetOrder(**_either_id(params, "client_oid"))
    if kind is op.CancelOrder:
        return op.CancelOrder(symbol=symbol, **_either_id(params, "client_oid"))
    if kind is op.CancelOrders:
        return op.CancelOrders(
            tuple(
                op.CancelOrder(
                    symbol=_ours(order["instrument_name"], names, "209")
                    if "instrument_name" in order
                    else None,
                    **_either_id(order, "client_oid"),
                )
                for order in _order_list(params)
            )
        )
    if kind is op.AmendOrder:
        return _read_amend(params, symbol)
    start, end = (_instant(params.get(name)) for name in ("start_time", "end_time"))
    limit = _limit(params.get("limit"), rest.HISTORY_ROWS)
    if kind is op.GetTransactions:
        return op.GetTransactions(symbol, start, end, limit)
    if kind is op.GetOrderHistory:
        return op.GetOrderHistory(symbol, start, end, page_size=limit)
    return op.GetMyTrades(symbol, start, end, page_size=limit)


def _limit(value: Any, cap: int) -> int | None:
    """Read a limit: a number, never a text, and not above the cap."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= cap:
        raise refusal("40003", "Invalid limit")
    return value


def _read_balance_history(params: Params) -> op.GetBalanceHistory:
    timeframe = params.get("timeframe", "D1")
    if timeframe not in {"H1", "D1"}:
        raise refusal("40003")
    end = params.get("end_time")
    if end is not None and (isinstance(end, (bool, str)) or not isinstance(end, int)):
        raise refusal("40003")
    limit = _limit(params.get("limit"), 120 if timeframe == "H1" else 30)
    return op.GetBalanceHistory("1hour" if timeframe == "H1" else "1day", _instant(end), limit)


def _either_id(params: Params, client_key: str) -> dict[str, Any]:
    id_, client_id = params.get("order_id"), params.get(client_key)
    if id_ is None and client_id is None:
        raise refusal("40004")
    if id_ is not None and not _is_whole(id_):
        raise refusal("212")
    return {"id": None if id_ is None else str(id_), "client_id": _client_id(client_id)}


def _client_id(value: Any) -> str | None:
    if value is None:
        return None
    text = str(value)
    if isinstance(value, (dict, list, bool)) or not 1 <= len(text) <= wire.CLIENT_ID_LENGTH:
        raise refusal("40004")
    return text


# ----------------------------------------------------------------------------------- orders

_TYPES: dict[str, op.OrderType] = {"LIMIT": "limit", "MARKET": "market"}
_TIMES: dict[str, op.TimeInForce] = {theirs: ours for ours, theirs in rest.TIMES_IN_FORCE.items()}
_SIDES: dict[str, op.Side] = {"BUY": "buy", "SELL": "sell"}
_EXEC_INST = frozenset(
    {"POST_ONLY", "SMART_POST_ONLY", "REDUCE_ONLY", "ISOLATED_MARGIN", "MARGIN_ORDER"}
)


def _order_list(params: Params) -> list[Params]:
    orders = params.get("order_list")
    if params.get("contingency_type", "LIST") != "LIST":
        raise refusal("140001")
    if not isinstance(orders, list) or not 1 <= len(orders) <= wire.ORDERS_AT_ONCE:
        raise refusal("40004")
    if not all(isinstance(order, dict) for order in orders):
        raise refusal("40004")
    return orders


def read_order(params: Params, default_id: str, names: Names) -> op.PlaceOrder:
    """Read a new order; one without a name is named after the request."""
    if "instrument_name" not in params:
        raise refusal("40004", "Missing instrument_name param")
    symbol = _ours(params["instrument_name"], names, "209")
    side = _one_of(_SIDES, params.get("side"), "220")
    type_ = _one_of(_TYPES, params.get("type"), "218")
    tif = params.get("time_in_force")
    time_in_force = None if tif is None else _one_of(_TIMES, tif, "221")
    post_only = _post_only(params.get("exec_inst"))
    if post_only and (type_ == "market" or time_in_force in {"ioc", "fok"}):
        raise e.OrderRejected("A post-only order waits.", code="43005")
    _check_margin(params.get("spot_margin"))
    amount, spend, price = _money(params)
    if type_ == "market":
        price = None
    elif price is None or amount is None:
        raise refusal("40004")
    if amount is not None or side == "sell" or type_ == "limit":
        spend = None
    if amount is None and spend is None:
        raise refusal("40004")
    client_id = _client_id(params.get("client_oid")) or default_id
    return op.PlaceOrder(
        symbol, side, type_, amount, spend, price, client_id, time_in_force, post_only
    )


def _one_of(words: Mapping[str, Any], value: Any, code: str) -> Any:
    if not isinstance(value, str) or value not in words:
        raise refusal(code)
    return words[value]


def _post_only(value: Any) -> bool:
    if value is None:
        return False
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise refusal("219")
    if not _EXEC_INST.issuperset(value) or {"POST_ONLY", "SMART_POST_ONLY"}.issubset(value):
        raise refusal("219")
    return "POST_ONLY" in value or "SMART_POST_ONLY" in value


def _check_margin(value: Any) -> None:
    if value == "MARGIN":
        raise e.PermissionDenied("No margin.", code="416")
    if value not in {None, "SPOT"}:
        raise e.ServerError("spot_margin is wrong.", code="50001")


def _money(params: Params) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Read amount, spend and price: texts, each refused in its own way when it is none."""
    if _is_number(params.get("quantity")):
        raise unauthorized()
    if _is_number(params.get("notional")):
        raise e.ServerError("notional is a number.", code="50001")
    if _is_number(params.get("price")):
        raise refusal("308")
    amount = _decimal(params.get("quantity"), refusal("213", "Invalid quantity format"))
    spend = _decimal(params.get("notional"), refusal("40004"))
    return amount, spend, _decimal(params.get("price"), refusal("308"))


def _is_number(value: Any) -> bool:
    return isinstance(value, Fraction) or (value is not None and not isinstance(value, str))


def _decimal(value: Any, otherwise: e.BadRequest) -> Decimal | None:
    if value is None:
        return None
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise otherwise
    return Decimal(value)


def _read_amend(params: Params, symbol: str | None) -> op.AmendOrder:
    ids = _either_id(params, "orig_client_oid")
    for name in ("new_price", "new_quantity"):
        if params.get(name) is None:
            raise refusal("40004")
        if _is_number(params[name]):
            raise refusal("40003")
    price = _decimal(params["new_price"], refusal("308"))
    amount = _decimal(params["new_quantity"], refusal("213", "Invalid quantity format"))
    assert price is not None, "looked at above"
    assert amount is not None, "looked at above"
    new_client_id = _client_id(params.get("client_oid"))
    return op.AmendOrder(amount, price, new_client_id=new_client_id, symbol=symbol, **ids)
