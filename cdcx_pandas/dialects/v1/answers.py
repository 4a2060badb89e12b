"""V1's answers over HTTP: the envelope, and what stands in it for each question.

Every answer is ``{"code", "msg", "data"}``; code 0 is success, as number or as text, and
anything else is an error whatever the HTTP status says (`failures` tells which).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from cdcx_pandas import errors as e
from cdcx_pandas import operations as op
from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.v1 import account, failures, market, rest, wire
from cdcx_pandas.tables import Answer, Columns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cdcx_pandas.dialects.v1 import V1
    from cdcx_pandas.messages import HttpResponse
    from cdcx_pandas.operations import Operation

# ---------------------------------------------------------------------------------- reading


def decode_response(operation: Operation[Any], response: HttpResponse, *, exact: bool) -> Any:
    """Read an answer, or raise the error it is."""
    if response.status < 300 and not exact:
        columns = _fast(operation, response.body)
        if columns is not None:
            return Answer(_table(operation), columns)
    problem: e.CdcxError
    try:
        return _decode(operation, response, exact=exact)
    except e.CdcxError as error:
        problem = error
    except r.UNREADABLE as error:
        problem = r.unreadable(r.told(error), r.excerpt(response.body))
    problem.endpoint = rest.endpoint(operation).path
    problem.http_status = response.status
    problem.sent = "yes"
    raise problem


def _table(operation: Operation[Any]) -> Any:
    return type(operation).table


def _decode(operation: Operation[Any], response: HttpResponse, *, exact: bool) -> Any:
    data = _data(operation, response, exact=exact)
    if isinstance(operation, op.PlaceOrder):
        return r.required(r.text)(data["order_id"], exact)
    if isinstance(operation, op.CancelOrder | op.CancelAllOrders):
        return None
    columns, facts = _READERS[type(operation)](data, operation, exact)
    return Answer(_table(operation), columns, facts)


def _data(operation: Operation[Any], response: HttpResponse, *, exact: bool) -> Any:
    """Return what a success says; raise for everything else."""
    envelope = problem = None
    try:
        envelope = r.read_json(response.body, exact=exact)
    except e.ProtocolError as error:
        problem = error
    if not isinstance(envelope, dict) or "code" not in envelope:
        if response.status >= 300:
            raise failures.by_status(response, operation)
        raise problem or r.unreadable("there is no code in it", envelope)
    code = _code(envelope["code"])
    if code != "0":
        message = str(envelope.get("msg") or "")
        raise failures.by_code(code, message, response, operation)
    if response.status >= 300:
        raise failures.by_status(response, operation)
    return envelope.get("data")


def _code(code: Any) -> str:
    """Return a code as the table of codes has it: 100005, " 100005 " and 1.00005e5 are one."""
    text = code.strip() if isinstance(code, str) else code
    try:
        return str(r.whole(text))
    except r.UNREADABLE:
        return text if isinstance(text, str) else r.shown(text)


def _read_tickers(data: Any, _: Any, exact: bool) -> tuple[Columns, dict[str, Any]]:
    return market.read_tickers(data, exact=exact), {"time": r.time(data.get("date"))}


def _read_depth(data: Any, _: Any, exact: bool) -> tuple[Columns, dict[str, Any]]:
    tick = data["tick"]
    bids = tick["bids"] if "bids" in tick else tick["buys"]
    columns = market.read_book(tick["asks"], bids, exact=exact)
    return columns, {"time": r.time(tick.get("time"))}


def _read_account(data: Any, _: Any, exact: bool) -> tuple[Columns, dict[str, Any]]:
    columns = account.read_account(data["coin_list"], exact=exact)
    return columns, {"total_btc": r.number(data.get("total_asset"), exact)}


def _read_order_page(data: Any, operation: Any, exact: bool) -> tuple[Columns, dict[str, Any]]:
    rows = _page(data)
    return account.read_orders(rows, operation.symbol, exact=exact), _count(data, rows)


def _read_fills(data: Any, operation: Any, exact: bool) -> tuple[Columns, dict[str, Any]]:
    rows = _page(data)
    return account.read_fills(rows, operation.symbol, exact=exact), _count(data, rows)


_PAGE_KEYS = ("resultList", "orderList")


def _page(data: Any) -> list[Any]:
    """Return the rows of a page: the list is null or away where there are none."""
    if not any(key in data for key in ("count", *_PAGE_KEYS)):
        raise KeyError("resultList")
    return r.listed(r.first(data, _PAGE_KEYS))


def _count(data: Any, rows: list[Any]) -> dict[str, Any]:
    count = r.whole(data.get("count"))
    return {"count": len(rows) if count is None else count}


def _read_one_order(data: Any, operation: Any, exact: bool) -> tuple[Columns, dict[str, Any]]:
    row = r.first(data, ("order_info", "orderInfo"))
    if row is None:
        raise KeyError("order_info")
    columns = account.read_orders([row], operation.symbol, exact=exact)
    fills = r.first(row, ("tradeList", "trade_list")) or r.listed(data.get("trade_list"))
    order = (columns["id"][0], columns["side"][0])
    symbol = columns["symbol"][0]
    return columns, {"fills": account.read_fills(fills, symbol, order=order, exact=exact)}


_READERS: dict[type[Operation[Any]], Callable[..., tuple[Columns, dict[str, Any]]]] = {
    op.GetSymbols: lambda data, _, exact: (market.read_symbols(data, exact=exact), {}),
    op.GetTickers: _read_tickers,
    op.GetTicker: lambda data, q, exact: (market.read_ticker(data, q.symbol, exact=exact), {}),
    op.GetPrices: lambda data, _, exact: (market.read_prices(data, exact=exact), {}),
    op.GetKlines: lambda data, _, exact: (market.read_klines(data, exact=exact), {}),
    op.GetTrades: lambda data, _, exact: (market.read_trades(data, exact=exact), {}),
    op.GetDepth: _read_depth,
    op.GetAccount: _read_account,
    op.GetOrder: _read_one_order,
    op.GetOpenOrders: _read_order_page,
    op.GetOrderHistory: _read_order_page,
    op.GetMyTrades: _read_fills,
}

# ------------------------------------------------------------------ reading, the common form


class _Klines(msgspec.Struct):
    """The common form, decoded straight to its types: twice as fast as through objects."""

    code: int | str
    data: list[tuple[int, float, float, float, float, float]]


class _Trade(msgspec.Struct, gc=False):
    id: int
    price: float
    amount: float
    ctime: int
    type: Literal["buy", "sell"]


class _Trades(msgspec.Struct):
    code: int | str
    data: list[_Trade]


_FAST_KLINES = msgspec.json.Decoder(_Klines)
_FAST_TRADES = msgspec.json.Decoder(_Trades)
_SUCCESS = frozenset({0, "0"})
_LEAST_MS = 10**11
"""A smaller stamp is in seconds, as `reading.time` has it."""


def _fast(operation: Operation[Any], body: bytes) -> Columns | None:
    """Read the common form of the two long answers; None when it is another form."""
    try:
        if isinstance(operation, op.GetKlines):
            klines = _FAST_KLINES.decode(body)
            if klines.code in _SUCCESS and klines.data and klines.data[-1][0] < _LEAST_MS:
                return market.bar_columns(klines.data)
        elif isinstance(operation, op.GetTrades):
            trades = _FAST_TRADES.decode(body)
            if trades.code in _SUCCESS and trades.data and trades.data[-1].ctime >= _LEAST_MS:
                return market.trade_columns(trades.data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass  # another form, or none at all: the liberal reader tells which
    return None


# ---------------------------------------------------------------------------------- writing


def encode_response(operation: Operation[Any] | None, answer: object, dialect: V1) -> HttpResponse:
    """Write an answer or an error in the platform's envelope, as the profile has it."""
    if isinstance(answer, e.CdcxError):
        return failures.write_error(answer)
    is_market = operation is not None and operation.effect is op.Effect.PUBLIC_READ
    code: object = 0 if dialect.profile == "b" and is_market else "0"
    data = _written(operation, answer, dialect)
    return failures.respond(200, {"code": code, "msg": "suc", "data": data})


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
            return market.write_symbols(columns)
        case op.GetTickers():
            rows = [
                market.write_ticker_row(row, one=False, has_change=not b)
                for row in r.rows_of(columns)
            ]
            return {"date": r.millis(facts.get("time")), "ticker": rows}
        case op.GetTicker():
            return market.write_ticker_row(r.rows_of(columns)[0], one=True, has_change=not b)
        case op.GetPrices():
            return market.write_prices(columns)
        case op.GetKlines():
            return market.write_klines(columns)
        case op.GetTrades():
            return market.write_trades(columns)
        case op.GetDepth():
            book = market.write_book(columns, bids="bids")
            time = None if dialect.cuts_times else r.millis(facts.get("time"))
            return {"tick": book | {"time": time}}
        case op.GetAccount():
            key = "btcValuation" if dialect.spells_valuation else "btcValuatin"
            coins = account.write_account(columns, value_key=key)
            return {"total_asset": r.plain(facts.get("total_btc"), 8), "coin_list": coins}
        case op.GetOrder():
            return _written_order(columns, facts, dialect)
        case op.GetOpenOrders() | op.GetOrderHistory():
            key = "resultList" if isinstance(operation, op.GetOpenOrders) else "orderList"
            orders = [account.write_order(row, profile_b=b) for row in r.rows_of(columns)]
            return {"count": facts.get("count", len(orders)), key: orders}
        case op.GetMyTrades():
            fills = _written_fills(columns, in_order=False, profile_b=b)
            if operation.newest_first:
                fills.reverse()
            return {"count": facts.get("count", len(fills)), "resultList": fills}
        case _:
            return None


def _written_order(columns: Columns, facts: Mapping[str, Any], dialect: V1) -> dict[str, Any]:
    b = dialect.profile == "b"
    order = account.write_order(r.rows_of(columns)[0], profile_b=b)
    order["tradeList"] = _written_fills(facts.get("fills", {}), in_order=True, profile_b=b)
    data: dict[str, Any] = {"orderInfo" if b else "order_info": order}
    if dialect.repeats_trade_list:
        data["trade_list"] = order["tradeList"]
    return data


def _written_fills(columns: Columns, **how: bool) -> list[dict[str, Any]]:
    return [account.write_fill(row, **how) for row in r.rows_of(columns)]
