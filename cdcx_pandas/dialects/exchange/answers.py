"""The exchange's answers over HTTP: the envelope, and what stands in it for each question.

Every answer of the API is ``{"id", "method", "code", "result"}``; code 0 is success, as number
or as text, and anything else is an error whatever the HTTP status says (`failures` tells
which). What has no code at all was not answered by the API but by something before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from cdcx_pandas import errors as e
from cdcx_pandas import operations as op
from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.exchange import account, codes, failures, market, orders, rest, wire
from cdcx_pandas.dialects.exchange.symbols import index_of
from cdcx_pandas.tables import NS_PER_MS, Answer, Columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdcx_pandas.dialects.exchange.symbols import Names
    from cdcx_pandas.messages import HttpResponse
    from cdcx_pandas.operations import Operation

Read = tuple[Columns, dict[str, Any]]

# ---------------------------------------------------------------------------------- reading


def decode_response(
    operation: Operation[Any], response: HttpResponse, names: Names, *, exact: bool
) -> Any:
    """Read an answer, or raise the error it is."""
    if not exact and response.status < 300:
        columns = _fast(operation, response.body)
        if columns is not None:
            return Answer(type(operation).table, columns)  # type: ignore[arg-type]  # both have one
    problem: e.CdcxError
    try:
        return _decode(operation, response, names, exact=exact)
    except e.CdcxError as error:
        problem = error
    except r.UNREADABLE as error:
        problem = r.unreadable(r.told(error), r.excerpt(response.body))
    problem.endpoint = rest.endpoint(operation).path
    problem.http_status = response.status
    problem.sent = "yes"
    raise problem


def _decode(operation: Operation[Any], response: HttpResponse, names: Names, *, exact: bool) -> Any:
    envelope = _success(operation, response, exact=exact)
    if isinstance(operation, op.CancelOrder | op.CancelAllOrders):
        return None
    result = envelope["result"]
    if isinstance(operation, op.PlaceOrder | op.AmendOrder):
        return r.required(r.text)(result["order_id"], exact)
    if isinstance(operation, op.PlaceOrders | op.CancelOrders):
        return _read_list(result, operation, response)
    is_public = operation.effect is op.Effect.PUBLIC_READ
    read = _read_public if is_public else _read_private
    columns, facts = read(operation, result, names, exact=exact)
    table = type(operation).table
    assert table is not None, "all that is left is asked about a table"
    return Answer(table, columns, facts)


def _success(operation: Operation[Any], response: HttpResponse, *, exact: bool) -> dict[str, Any]:
    """Return the envelope of a success; raise for everything else."""
    envelope = problem = None
    try:
        envelope = r.read_json(response.body, exact=exact)
    except e.ProtocolError as error:
        problem = error
    if not isinstance(envelope, dict) or "code" not in envelope:
        if response.status >= 300:
            raise failures.by_status(response)
        raise problem or r.unreadable("there is no code in it", envelope)
    code = read_code(envelope["code"])
    if code != "0":
        message = str(envelope.get("message") or "")
        order_id = _order_id(envelope.get("result"))
        raise failures.by_code(code, message, response, operation, order_id)
    return envelope


def read_code(code: Any) -> str:
    """Return a code as the table of codes has it: 306, "306" and 306.0 are one."""
    try:
        return str(r.whole(code))
    except r.UNREADABLE:
        return code if isinstance(code, str) else r.shown(code)


def _order_id(result: Any) -> str | None:
    """Return the id of an order that was made and refused at once."""
    found = result.get("order_id") if isinstance(result, dict) else None
    return str(found) if isinstance(found, str | int) and found else None


def _read_list(
    result: Any, operation: op.PlaceOrders | op.CancelOrders, response: HttpResponse
) -> tuple[op.Done, ...]:
    """Read what became of each entry of a list; older documents wrap the list once more."""
    entries = result["result_list"] if isinstance(result, dict) else result
    if not isinstance(entries, list) or len(entries) != len(operation.orders):
        raise ValueError("not one entry for each order")
    placed: dict[int, op.Done] = {}
    for at, entry in enumerate(entries):
        index = r.whole(entry.get("index"))
        placed[at if index is None else index] = _read_entry(entry, operation, response)
    done = [placed[at] for at in range(len(operation.orders))]
    if isinstance(operation, op.PlaceOrders):
        return tuple(done)
    return tuple(
        op.Done(order.id, one.error) for order, one in zip(operation.orders, done, strict=True)
    )


def _read_entry(
    entry: Mapping[str, Any], operation: op.PlaceOrders | op.CancelOrders, response: HttpResponse
) -> op.Done:
    code, order_id = read_code(entry["code"]), _order_id(entry)
    if code == "0":
        return op.Done(order_id)
    about = operation.orders[0]
    message = str(entry.get("message") or "")
    return op.Done(order_id, failures.by_code(code, message, response, about, order_id))


def _data(result: Mapping[str, Any]) -> list[Any]:
    """Return the rows of a list answer; one without rows is no list answer."""
    rows = result["data"]
    if not isinstance(rows, list):
        raise TypeError("its data is no list")
    return rows


def _read_public(operation: Operation[Any], result: Any, names: Names, *, exact: bool) -> Read:
    rows = _data(result)
    match operation:
        case op.GetSymbols():
            return market.read_symbols(rows, names, exact=exact), {}
        case op.GetTickers():
            return market.read_tickers(rows, names, exact=exact), {}
        case op.GetTicker(symbol):
            (row,) = rows
            return market.read_tickers([row], names, exact=exact) | {"symbol": [symbol]}, {}
        case op.GetKlines():
            return market.read_klines(rows, exact=exact), {}
        case op.GetTrades():
            return market.read_trades(rows, exact=exact), {}
        case op.GetDepth():
            (book,) = rows
            return market.read_book(book, exact=exact), {"time": r.time(book.get("t"))}
        case op.GetFunding():
            return market.read_values(rows, "rate", exact=exact), {}
        case _:
            return market.read_values(rows, "value", exact=exact), {}


def _read_private(operation: Operation[Any], result: Any, names: Names, *, exact: bool) -> Read:
    match operation:
        case op.GetFees(symbol):
            return account.read_fees(result, symbol, exact=exact), {}
        case op.GetFeeTier():
            return account.read_fee_tier(result, exact=exact), {}
        case op.GetOrder():
            return orders.read_orders([result], names, exact=exact), {}
        case _:
            return _read_private_rows(operation, _data(result), names, exact=exact)


def _read_private_rows(
    operation: Operation[Any], rows: list[Any], names: Names, *, exact: bool
) -> Read:
    match operation:
        case op.GetAccount():
            (block,) = rows
            return account.read_account(block, exact=exact)
        case op.GetBalanceHistory():
            return account.read_totals(rows, exact=exact), {}
        case op.GetPositions():
            return account.read_positions(rows, names, exact=exact), {}
        case op.GetTransactions():
            return account.read_transactions(rows, names, exact=exact), {}
        case op.GetOpenOrders():
            return orders.read_orders(rows, names, exact=exact), {"count": len(rows)}
        case op.GetOrderHistory():  # newest change first on the wire, ascending here
            return orders.read_orders(rows[::-1], names, exact=exact), {}
        case _:
            return account.read_fills(rows, names, exact=exact), {}


# ------------------------------------------------------------------ reading, the common form


class _Bar(msgspec.Struct, gc=False):
    """The common form, decoded straight to its types: much faster than through objects."""

    o: float
    h: float
    l: float  # noqa: E741  # the wire's word for the low
    c: float
    v: float
    t: int


class _Bars(msgspec.Struct):
    data: list[_Bar]


class _Klines(msgspec.Struct):
    code: int
    result: _Bars


class _Trade(msgspec.Struct, gc=False):
    d: str
    tn: int
    p: float
    q: float
    s: Literal["buy", "sell"]
    m: str | None = None


class _TradeList(msgspec.Struct):
    data: list[_Trade]


class _Trades(msgspec.Struct):
    code: int
    result: _TradeList


# Numbers are texts here, which only the lax mode reads as numbers; it takes less of them than
# `reading.number` does, and "nan" and "inf", which `_fast` looks for.
_FAST_KLINES = msgspec.json.Decoder(_Klines, strict=False)
_FAST_TRADES = msgspec.json.Decoder(_Trades, strict=False)
_MS = range(10**11, 10**14)
_NS = range(10**17, 2**63)
"""What is milliseconds and what nanoseconds, as `reading.time` has it."""


def _fast(operation: Operation[Any], body: bytes) -> Columns | None:
    """Read the common form of the two long answers; None when it is another form."""
    try:
        if isinstance(operation, op.GetKlines):
            klines = _FAST_KLINES.decode(body)
            if klines.code == 0 and klines.result.data:
                columns = market.bar_columns(klines.result.data)
                times = columns["time"]
                in_ms = times[0] // NS_PER_MS in _MS and times[-1] // NS_PER_MS in _MS
                return columns if in_ms and r.are_meant(columns, *market.BAR) else None
        elif isinstance(operation, op.GetTrades):
            trades = _FAST_TRADES.decode(body)
            if trades.code == 0 and trades.result.data:
                columns = market.trade_columns(trades.result.data)
                times = columns["time"]
                in_ns = times[0] in _NS and times[-1] in _NS
                return columns if in_ns and r.are_meant(columns, "price", "amount") else None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass  # another form, or none at all: the liberal reader tells which
    return None


# ---------------------------------------------------------------------------------- writing


def encode_response(
    operation: Operation[Any] | None, answer: object, names: Names, ref: str | None
) -> HttpResponse:
    """Write an answer or an error in the envelope; a public answer has no id to echo."""
    envelope: dict[str, Any] = {"id": 1 if ref is None else int(ref)}
    if operation is not None:
        envelope["method"] = rest.endpoint(operation).path[1:]
    if isinstance(answer, e.CdcxError):
        return failures.write_error(answer, operation, envelope)
    envelope["code"] = 0
    if not isinstance(operation, op.CancelAllOrders):
        envelope["result"] = _written(operation, answer, names)
    return failures.respond(200, envelope)


def _written(operation: Operation[Any] | None, answer: object, names: Names) -> Any:
    match operation:
        case op.PlaceOrder(client_id=client_id):
            return _ids(client_id, str(answer))
        case op.AmendOrder():
            return _ids(operation.new_client_id or operation.client_id, str(answer))
        case op.CancelOrder(id=id_, client_id=client_id):
            return _ids(client_id, id_)
        case op.PlaceOrders(orders=asked):
            assert isinstance(answer, tuple), "a list is answered with a tuple"
            return [
                _entry(at, done, order, client_oid=order.client_id, order_id=done.id)
                for at, (order, done) in enumerate(zip(asked, answer, strict=True))
            ]
        case op.CancelOrders(orders=named):
            assert isinstance(answer, tuple), "as above"
            return [
                _entry(at, done, order)
                for at, (order, done) in enumerate(zip(named, answer, strict=True))
            ]
        case _:
            assert isinstance(answer, Answer), "all that is left is asked about a table"
            return _written_answer(operation, answer, names)


def _ids(client_id: str | None, order_id: str | None) -> dict[str, str]:
    ids = {"client_oid": client_id, "order_id": order_id}
    return {key: id_ for key, id_ in ids.items() if id_ is not None}


def _entry(at: int, done: op.Done, order: Operation[Any], **ids: str | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"code": 0, "index": at}
    if done.error is not None:
        code, message, _ = codes.written_as(done.error, order)
        entry |= {"code": int(code), "message": message}
    return entry | {key: id_ for key, id_ in ids.items() if id_ is not None}


def _written_answer(operation: Operation[Any] | None, answer: Answer, names: Names) -> Any:
    columns, facts = answer.columns, answer.facts
    match operation:
        case op.GetKlines(symbol=symbol, period=period):
            return {
                "interval": wire.PERIODS[period],
                "instrument_name": names.theirs(symbol),
                "data": market.write_klines(columns),
            }
        case op.GetDepth(symbol=symbol, levels=levels):
            book = market.write_book(columns) | {"t": r.millis(facts.get("time"))}
            return {
                "depth": levels or wire.REST_DEPTH,
                "instrument_name": names.theirs(symbol),
                "data": [book],
            }
        case op.GetFunding(symbol=symbol):
            data = market.write_values(columns, "rate")
            return {"instrument_name": names.theirs(symbol), "data": data}
        case op.GetValuations(symbol=symbol, kind=kind):
            theirs = names.theirs(symbol)
            named = index_of(theirs) or theirs if kind == "index" else theirs
            return {"instrument_name": named, "data": market.write_values(columns, "value")}
        case op.GetFees(symbol=symbol):
            return account.write_fees(columns, names.theirs(symbol))
        case op.GetFeeTier():
            return account.write_fee_tier(columns)
        case op.GetOrder():
            return orders.write_orders(columns, names)[0]
        case op.GetBalanceHistory():
            return {"instrument_name": "USD", "data": account.write_totals(columns)}
        case op.GetAccount():
            return {"data": [account.write_account(columns, facts)]}
        case _:
            return {"data": _written_rows(operation, columns, names)}


def _written_rows(operation: Operation[Any] | None, columns: Columns, names: Names) -> list[Any]:
    match operation:
        case op.GetSymbols():
            return market.write_symbols(columns)
        case op.GetTickers() | op.GetTicker():
            return market.write_tickers(columns, names)
        case op.GetTrades(symbol=symbol):
            return market.write_trades(columns, names.theirs(symbol))
        case op.GetPositions():
            return account.write_positions(columns, names)
        case op.GetTransactions():
            return account.write_transactions(columns, names)
        case op.GetOpenOrders():
            return orders.write_orders(columns, names)
        case op.GetOrderHistory():
            return orders.write_orders(columns, names)[::-1]
        case op.GetMyTrades():
            return account.write_fills(columns, names)
        case _:
            raise AssertionError(operation)
