"""Today's exchange as a client meets it: names, questions, pages, limits, and errors."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from cdcx_pandas import errors as e
from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.channels import (
    DepthChannel,
    KlineChannel,
    OrderChannel,
    TickerChannel,
    TickersChannel,
    ValuationChannel,
)
from cdcx_pandas.credentials import Credentials
from cdcx_pandas.dialects.base import Paging
from cdcx_pandas.dialects.exchange import DIALECT
from cdcx_pandas.messages import HttpResponse
from cdcx_pandas.tables import ORDERS, Answer

ME = Credentials("keykeykeykey", "secretsecret")
LISTED = {"symbol": ["btcusdt", "btcusd-perp"], "venue_symbol": ["BTC_USDT", "BTCUSD-PERP"]}
X = DIALECT.knowing(LISTED)
MS = 10**6
ORDER = op.PlaceOrder("btcusdt", "buy", "limit", Decimal(1), price=Decimal(2), client_id="mine")


def params_of(operation: op.Operation[Any]) -> dict[str, Any]:
    """Return what is said about a question."""
    request = X.encode_request(operation, ME, 1_700_000_000_000)
    if request.method == "GET":
        return dict(request.query)
    params: dict[str, Any] = json.loads(request.body)["params"]
    return params


def refused(operation: op.Operation[Any]) -> e.CdcxError:
    """Return the error of a question that is not even sent."""
    with pytest.raises(e.CdcxError) as caught:
        X.encode_request(operation, ME, 1_700_000_000_000)
    assert caught.value.sent == "no"
    return caught.value


# ------------------------------------------------------------------------------------- names


def test_names_that_would_collide_keep_their_own() -> None:
    """Both of them, so that neither is taken for the other."""
    theirs = ["AB_C", "A_BC", "BTC_USDT"]
    rows = [{"symbol": name, "inst_type": "CCY_PAIR"} for name in theirs]
    body = json.dumps({"code": 0, "result": {"data": rows}}).encode()
    answer = DIALECT.decode_response(op.GetSymbols(), HttpResponse(200, body))
    assert answer.columns["symbol"] == ["ab_c", "a_bc", "btcusdt"]
    known = DIALECT.knowing(answer.columns)
    for ours, name in zip(answer.columns["symbol"], theirs, strict=True):
        request = known.encode_request(op.GetTicker(ours), None, 0)
        assert request.query == (("instrument_name", name),)
        assert known.names.ours(name) == ours


def test_without_a_listing_only_the_listing_can_be_asked() -> None:
    """And all tickers; what names a market says to ask for the listing first."""
    assert DIALECT.encode_request(op.GetSymbols(), None, 0).path == "/public/get-instruments"
    assert DIALECT.encode_request(op.GetTickers(), None, 0).query == ()
    with pytest.raises(e.BadRequest, match=r"symbols\(\) first") as caught:
        DIALECT.encode_request(op.GetKlines("btcusdt", "1min"), None, 0)
    assert caught.value.sent == "no"
    with pytest.raises(e.BadRequest, match=r"symbols\(\) first"):
        DIALECT.encode_frame(m.Subscribe((TickerChannel("btcusdt"),)))


# --------------------------------------------------------------------------------- questions


def test_klines_are_asked_in_milliseconds_start_down_and_end_up() -> None:
    """So that no bar of the range is left out; a count is always said."""
    question = op.GetKlines("btcusdt", "1week", 1_700_000_000_000_999_999, 10**18 + 1)
    assert params_of(question) == {
        "instrument_name": "BTC_USDT", "timeframe": "7D", "count": "300",
        "start_ts": "1700000000000", "end_ts": str(10**12 + 1),
    }  # fmt: skip
    assert params_of(op.GetKlines("btcusdt", "1month", limit=9))["timeframe"] == "1M"


def test_trades_and_histories_are_asked_to_the_nanosecond() -> None:
    """As text where a text may stand; the limit as a number, which it must be."""
    start, end = 1_700_000_000_000_000_001, 1_700_000_000_000_000_002
    assert params_of(op.GetTrades("btcusdt", start, end)) == {
        "instrument_name": "BTC_USDT", "count": "150", "start_ts": str(start), "end_ts": str(end),
    }  # fmt: skip
    assert params_of(op.GetMyTrades("btcusdt", start, end, page_size=1000)) == {
        "instrument_name": "BTC_USDT", "start_time": str(start), "end_time": str(end),
        "limit": 100,
    }  # fmt: skip
    history = op.GetBalanceHistory("1hour", end, 5)
    assert params_of(history) == {"timeframe": "H1", "end_time": 1_700_000_000_001, "limit": 5}


def test_money_is_text() -> None:
    """Without an exponent, to the last digit."""
    order = op.PlaceOrder(
        "btcusdt", "buy", "limit", Decimal("1E-7"), price=Decimal("1E+4"), client_id="a",
        time_in_force="ioc",
    )  # fmt: skip
    assert params_of(order) == {
        "instrument_name": "BTC_USDT", "side": "BUY", "type": "LIMIT", "price": "10000",
        "quantity": "0.0000001", "client_oid": "a", "time_in_force": "IMMEDIATE_OR_CANCEL",
    }  # fmt: skip
    resting = op.PlaceOrder(
        "btcusdt", "sell", "limit", Decimal(1), price=Decimal(2), client_id="a", post_only=True
    )
    assert params_of(resting)["exec_inst"] == ["POST_ONLY"]
    assert params_of(
        op.PlaceOrder("btcusdt", "buy", "market", spend=Decimal(25), client_id="a")
    ) == {
        "instrument_name": "BTC_USDT", "side": "BUY", "type": "MARKET", "notional": "25",
        "client_oid": "a",
    }  # fmt: skip


def test_orders_that_are_not_sent() -> None:
    """Without a name, with two kinds of money or none, or without a price."""
    place, one = op.PlaceOrder, Decimal(1)
    assert "client_id" in str(refused(place("btcusdt", "buy", "limit", one, price=one)))
    named: dict[str, Any] = {"client_id": "a"}
    assert "amount or spend" in str(refused(place("btcusdt", "buy", "market", **named)))
    both = place("btcusdt", "buy", "market", one, one, **named)
    assert "amount or spend" in str(refused(both))
    assert "spend" in str(refused(place("btcusdt", "sell", "market", spend=one, **named)))
    assert "price" in str(refused(place("btcusdt", "buy", "limit", one, **named)))
    long = place("btcusdt", "buy", "limit", one, price=one, client_id="x" * 37)
    assert "36" in str(refused(long))
    assert "1 to 10" in str(refused(op.PlaceOrders((ORDER,) * 11)))
    assert "1 to 10" in str(refused(op.CancelOrders(())))
    for nameless in (op.GetOrder(), op.CancelOrder(), op.AmendOrder(one, one)):
        assert "named by its id" in str(refused(nameless))


def test_what_it_cannot() -> None:
    """V1's own questions and merged books name what can be asked instead."""
    assert isinstance(refused(op.GetPrices()), e.Unsupported)
    assert "tickers()" in str(refused(op.GetPrices()))
    assert isinstance(refused(op.GetDepth("btcusdt", step=1)), e.Unsupported)
    error = refused(op.GetKlines("btcusdt", "3min"))
    assert isinstance(error, e.BadPeriod)
    assert error.allowed == list(X.periods)
    with pytest.raises(e.MissingCredentials):
        X.encode_request(op.GetAccount(), None, 0)


def test_nothing_can_move_money_off_the_exchange() -> None:
    """No endpoint is about withdrawals, deposits, transfers, staking or leverage."""
    words = ("withdraw", "deposit", "transfer", "staking", "fiat", "leverage", "network", "otc")
    paths = [row.path for row in X.endpoints]
    assert not [path for path in paths if any(word in path for word in words)]


# ------------------------------------------------------------------------- pages and limits


def test_how_pages_are_cut() -> None:
    """Windows of 300 bars; the rest back from the newest; open orders whole."""
    rows = {row.operation: row for row in X.endpoints}
    klines, trades = rows[op.GetKlines], rows[op.GetTrades]
    assert (klines.paging, klines.page_rows) == (Paging.WINDOW, 300)
    assert (trades.paging, trades.page_rows, trades.window_s) == (Paging.BACKWARD, 150, 6 * 3600)
    history, week = rows[op.GetOrderHistory], 7 * 86_400
    assert (history.paging, history.newest_s) == (Paging.BACKWARD, week)
    assert history.open_too is op.GetOpenOrders
    assert rows[op.GetOpenOrders].paging is Paging.NONE
    fills = rows[op.GetMyTrades]
    assert (fills.page_rows, fills.window_s, fills.newest_s) == (100, week, week)
    assert X.streams.channels_per_frame == 100
    assert not X.merges_depth


def test_limits_are_per_method() -> None:
    """One for each bucket: a hundred a second for markets, by address; accounts by key."""
    limits = {limit.bucket: limit for limit in X.limits}
    assert set(limits) == {row.bucket for row in X.endpoints}
    assert len(limits) == len(X.limits)
    told = {name: (limit.count, limit.window_s, limit.scope) for name, limit in limits.items()}
    assert told["public/get-book"] == (100, 1.0, "address")
    assert told["private/create-order"] == (15, 0.1, "key")
    assert told["private/get-order-detail"] == (30, 0.1, "key")
    assert told["private/get-trades"] == told["private/get-order-history"] == (1, 1.0, "key")
    assert told["private/amend-order"] == (3, 0.1, "key")


# ------------------------------------------------------------------------------------- errors


def answered(code: int, status: int = 400, result: Any = None) -> HttpResponse:
    """Return an answer with a code."""
    body = {"id": 1, "method": "any", "code": code, "message": "WORDS"}
    return HttpResponse(status, json.dumps(body | ({"result": result} if result else {})).encode())


def raised(operation: op.Operation[Any], response: HttpResponse) -> e.CdcxError:
    """Return the error an answer is."""
    with pytest.raises(e.CdcxError) as caught:
        X.decode_response(operation, response)
    return caught.value


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        (306, 500, e.InsufficientFunds), (315, 400, e.PriceOutOfBand), (415, 500, e.BelowMinimum),
        (314, 400, e.AboveMaximum), (43012, 200, e.OrderRejected), (325, 400, e.AboveMaximum),
        (40004, 400, e.OrderRejected), (99999, 400, e.OrderRejected), (212, 500, e.OrderRejected),
    ],
)  # fmt: skip
def test_a_refused_order_keeps_its_id(code: int, status: int, kind: type[e.CdcxError]) -> None:
    """It was made and refused at once, whatever the HTTP status: it can be looked up."""
    result = {"client_oid": "mine", "order_id": "5755600460443882762"}
    error = raised(ORDER, answered(code, status, result))
    assert type(error) is kind
    assert isinstance(error, e.OrderRejected)
    assert error.order_id == "5755600460443882762"
    assert error.code == str(code)
    written = X.encode_response(ORDER, error, ref="1")
    assert json.loads(written.body)["result"] == result
    assert written.status == status


def test_without_an_id_a_refusal_is_what_its_code_says() -> None:
    """A bad request is none about an order then; an unknown code of a failing server is doubt."""
    assert type(raised(ORDER, answered(40004))) is e.BadRequest
    assert type(raised(ORDER, answered(99999))) is e.OrderRejected
    assert type(raised(ORDER, answered(99999, 500))) is e.ServerError
    assert type(raised(op.GetAccount(), answered(99999))) is e.BadRequest
    assert type(raised(op.GetAccount(), answered(99999, 200))) is e.CdcxError


@pytest.mark.parametrize("status", [200, 404])
def test_not_found_is_the_order_where_one_was_asked(status: int) -> None:
    """The documents say HTTP 200, the exchange's own notes 404."""
    for code in (40401, 212, 316):
        assert type(raised(op.GetOrder("1"), answered(code, status))) is e.OrderNotFound
        assert type(raised(op.CancelOrder("1"), answered(code, status))) is e.OrderNotFound
        assert type(raised(op.GetAccount(), answered(code, status))) is e.NotFound


def test_an_order_that_is_gone_is_told_in_three_ways() -> None:
    """By what was asked of it."""
    codes = {}
    for question in (op.GetOrder("1"), op.CancelOrder("1"), op.AmendOrder(*[Decimal(1)] * 2, "1")):
        response = X.encode_response(question, e.OrderNotFound("x"))
        codes[type(question)] = json.loads(response.body)["code"]
    assert codes == {op.GetOrder: 40401, op.CancelOrder: 316, op.AmendOrder: 212}


def test_too_many_questions() -> None:
    """By code or by status; what the server says to wait is kept."""
    by_code = answered(42901, 429)
    assert isinstance(raised(op.GetTickers(), by_code), e.RateLimited)
    page = HttpResponse(429, b"<html>slow down</html>", {"retry-after": "3"})
    error = raised(op.GetTickers(), page)
    assert isinstance(error, e.RateLimited)
    assert error.retry_after == 3
    written = X.encode_response(op.GetTickers(), e.RateLimited("x", retry_after=2))
    assert written.status == 429
    assert json.loads(written.body)["code"] == 42901
    read = raised(op.GetTickers(), written)
    assert isinstance(read, e.RateLimited)
    assert read.retry_after == 2


PAGES = {
    "a gateway's page": (502, b"<html><h1>Bad Gateway</h1></html>", e.ServerError),
    "Cloudflare's page": (520, b"<!DOCTYPE html><title>520</title>", e.ServerError),
    "a challenge": (403, b"<!DOCTYPE html><title>Just a moment</title>", e.PermissionDenied),
    "nothing": (504, b"", e.ServerError),
    "busy": (503, b"", e.Maintenance),
    "a page that says all is well": (200, b"<html></html>", e.ProtocolError),
    "the framework's": (404, b'{"status":404,"error":"Not Found"}', e.NotFound),
    "maintenance": (
        200, b'{"code":9010001,"message":"SYSTEM_MAINTENANCE","details":"soon"}', e.Maintenance,
    ),
    "a redirect": (302, b"", e.ProtocolError),
    "no key": (401, b"", e.AuthError),
    "the clock": (400, b'{"id":1,"code":40102,"message":"INVALID_NONCE"}', e.ClockSkew),
    "the address": (401, b'{"id":1,"code":40103,"message":"IP_ILLEGAL"}', e.PermissionDenied),
    "texts for numbers": (401, b'{"id":"1","code":"40101","message":"x"}', e.AuthError),
}  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_what_is_no_answer_is_its_exception(page: str) -> None:
    """HTML, empty bodies, other frameworks' JSON; the error knows status and path."""
    status, body, kind = PAGES[page]
    error = raised(op.GetAccount(), HttpResponse(status, body))
    assert type(error) is kind
    assert error.http_status == status
    assert (error.endpoint, error.sent) == ("/private/user-balance", "yes")


def test_each_order_of_a_list_stands_or_falls_by_itself() -> None:
    """The envelope says success; each entry says what became of it, in any order."""
    entries = [
        {"code": 306, "index": 1, "client_oid": "b", "message": "INSUFFICIENT_AVAILABLE_BALANCE",
         "order_id": "12"},
        {"code": 0, "index": 0, "client_oid": "a", "order_id": "11"},
    ]  # fmt: skip
    question = op.PlaceOrders((ORDER, ORDER))
    for result in (entries, {"result_list": entries}):
        body = json.dumps({"code": 0, "result": result}).encode()
        good, bad = X.decode_response(question, HttpResponse(200, body))
        assert good == op.Done("11")
        assert bad.id == "12"
        assert isinstance(bad.error, e.InsufficientFunds)
        assert bad.error.order_id == "12"
        told = json.loads(X.encode_response(question, (good, bad)).body)["result"]
        assert told[1]["code"] == 306
        assert told[1]["message"] == "INSUFFICIENT_AVAILABLE_BALANCE"
    lost = json.dumps({"code": 0, "result": entries[:1]}).encode()
    assert isinstance(raised(question, HttpResponse(200, lost)), e.ProtocolError)


# ----------------------------------------------------------------------------------- the rows


def order_row(**changes: Any) -> dict[str, Any]:
    """Return an order as the wire has it while it is active."""
    row = {
        "order_id": "1", "client_oid": "a", "order_type": "LIMIT", "side": "BUY",
        "time_in_force": "GOOD_TILL_CANCEL", "exec_inst": [], "quantity": "10",
        "limit_price": "2", "order_value": "20", "avg_price": "0", "cumulative_quantity": "0",
        "cumulative_value": "0", "cumulative_fee": "0", "status": "ACTIVE",
        "instrument_name": "BTC_USDT", "fee_instrument_name": "BTC",
        "create_time": 1_700_000_000_000, "update_time": 1_700_000_000_000,
    } | changes  # fmt: skip
    return {key: value for key, value in row.items() if value is not None}


SOME = {"cumulative_quantity": "4", "cumulative_value": "8", "avg_price": "2"}
STATUSES = {
    "resting": ({}, "open"),
    "partly filled": (SOME, "partial"),
    "queued": ({"status": "NEW"}, "init"),
    "pending": ({"status": "PENDING"}, "init"),
    "filled": (SOME | {"status": "FILLED"}, "filled"),
    "canceled": ({"status": "CANCELED"}, "canceled"),
    "canceled with fills": (SOME | {"status": "CANCELED"}, "canceled"),
    "a market order that did what it could": (
        SOME | {"status": "CANCELED", "order_type": "MARKET"}, "filled",
    ),
    "a market order that found nothing": (
        {"status": "CANCELED", "order_type": "MARKET"}, "canceled",
    ),
    "expired": ({"status": "EXPIRED"}, "expired"),
    "rejected": ({"status": "REJECTED", "reason": 306}, "rejected"),
}  # fmt: skip


@pytest.mark.parametrize("name", STATUSES)
def test_where_an_order_stands(name: str) -> None:
    """The wire has no word for partly filled, and too few for market orders."""
    changes, status = STATUSES[name]
    body = json.dumps({"code": 0, "result": order_row(**changes)}).encode()
    answer = X.decode_response(op.GetOrder("1"), HttpResponse(200, body), exact=True)
    row = {column: values[0] for column, values in answer.columns.items()}
    assert row["status"] == status
    assert (row["average"] is None) is (not row["filled"])
    assert row["created"] == 1_700_000_000_000 * MS
    again = X.decode_response(
        op.GetOrder("1"), X.encode_response(op.GetOrder("1"), answer), exact=True
    )
    assert again.columns["status"] == [status]


def test_an_unknown_word_keeps_the_row() -> None:
    """It says other, with a warning that names the word."""
    rows = [order_row(status="SLEEPING"), order_row(order_type="ICEBERG")]
    body = json.dumps({"code": 0, "result": {"data": rows}}).encode()
    with pytest.warns(e.SchemaDriftWarning) as caught:
        answer = X.decode_response(op.GetOpenOrders(), HttpResponse(200, body))
    assert answer.columns["status"] == ["other", "open"]
    assert answer.columns["type"] == ["limit", "other"]
    assert {"SLEEPING", "ICEBERG"} <= {word for w in caught for word in str(w.message).split("'")}


def test_money_orders_end_filled_only_with_the_last_digit() -> None:
    """So the server writes them: FILLED when all is spent, CANCELED when some is left."""
    spent = {
        "id": ["1"], "client_id": ["a"], "symbol": ["btcusdt"], "side": ["buy"],
        "type": ["market"], "status": ["filled"], "price": [None], "amount": [None],
        "spend": [Decimal(25)], "filled": [Decimal(5)], "remaining": [None],
        "average": [Decimal(5)], "cost": [Decimal(25)], "fee": [Decimal(0)], "fee_coin": ["BTC"],
        "created": [1_700_000_000_000_000_001], "updated": [1_700_000_000_000 * MS],
    }  # fmt: skip
    written = json.loads(X.encode_response(op.GetOrder("1"), Answer(ORDERS, spent)).body)["result"]
    assert (written["status"], written["exec_inst"]) == ("FILLED", ["NOTIONAL_ORDER"])
    assert written["create_time_ns"] == "1700000000000000001"
    left = spent | {"cost": [Decimal("24.9")]}
    written = json.loads(X.encode_response(op.GetOrder("1"), Answer(ORDERS, left)).body)["result"]
    assert (written["status"], written["order_value"]) == ("CANCELED", "25")
    assert "limit_price" not in written


# ------------------------------------------------------------------------------------- stream


def test_channels_that_are_not_asked_for() -> None:
    """Merged books, depths there are not, periods there are not, all tickers at once."""
    wrong: dict[Any, type[e.CdcxError]] = {
        DepthChannel("btcusdt", 1): e.Unsupported,
        TickersChannel(): e.Unsupported,
        KlineChannel("btcusdt", "3min"): e.BadPeriod,
        ValuationChannel("btcusdt", "index"): e.BadRequest,
        OrderChannel("nopeusdt"): e.BadRequest,
        DepthChannel("btcusdt", levels=20): e.BadRequest,
    }
    for channel, kind in wrong.items():
        with pytest.raises(kind) as caught:
            X.encode_frame(m.Subscribe((channel,), "1"))
        assert caught.value.sent == "no"
    with pytest.raises(e.Unsupported):
        X.encode_frame(m.Request(op.GetTickers()))
    with pytest.raises(e.BadRequest, match="ref"):
        X.encode_frame(m.Subscribe((TickerChannel("btcusdt"),), "one"))


def test_a_book_is_fifty_levels_unless_said() -> None:
    """The name says so, and is read so."""
    frame = json.loads(X.encode_frame(m.Subscribe((DepthChannel("btcusdt"),), "1", changes=True)))
    assert frame["params"] == {
        "channels": ["book.BTC_USDT.50"], "book_subscription_type": "SNAPSHOT_AND_UPDATE",
        "book_update_frequency": 10,
    }  # fmt: skip
    read = X.decode_frame(json.dumps(frame))
    assert read == m.Subscribe((DepthChannel("btcusdt", levels=50),), "1", changes=True)


def test_a_key_that_is_refused_is_told_of_its_request() -> None:
    """The failure of `public/auth` carries its method and number, and no channel."""
    frame = json.loads(X.encode_frame(m.Refused("UNAUTHORIZED", "1", "40101")))
    assert frame == {"id": 1, "method": "public/auth", "code": 40101, "message": "UNAUTHORIZED"}
    assert X.decode_frame(json.dumps(frame)) == m.Refused("UNAUTHORIZED", "1", "40101")


def test_the_stream_is_opened_with_a_key() -> None:
    """Signed as a question without parameters; another signature, or key, is refused."""
    message = X.authenticate(ME, 1_700_000_000_000, "5")
    frame = json.loads(X.encode_frame(message))
    assert frame["method"] == "public/auth"
    assert (frame["id"], frame["nonce"]) == (5, 1_700_000_000_000)
    assert X.decode_frame(json.dumps(frame)) == message
    caller = X.verify(message, lambda _: ME.secret)
    assert caller == m.Caller(ME.key_for_the_wire(), 1_700_000_000_000, "5")
    for wrong in (
        m.Authenticate(message.key, "0" * 64, message.time_ms, "5"),
        m.Authenticate(message.key, message.signature, message.time_ms + 1, "5"),
        m.Authenticate(message.key, message.signature, message.time_ms, "6"),
    ):
        with pytest.raises(e.AuthError):
            X.verify(wrong, lambda _: ME.secret)
    with pytest.raises(e.AuthError):
        X.verify(message, lambda _: None)
    assert X.authenticate(ME, 7).ref == "7"


@pytest.mark.parametrize(
    "frame",
    [
        '{"id":1,"method":"private/create-order","params":{}}',
        '{"id":-1,"method":"subscribe","code":0,"result":{"subscription":"nope.X","data":[{}]}}',
        '{"id":1,"method":"public/nope","code":0}',
        '{"hello":1}',
    ],
)
def test_what_it_has_no_word_for_is_kept(frame: str) -> None:
    """A well-formed frame of another kind is nothing to guess at, and no failure."""
    assert X.decode_frame(frame) == m.Unknown(frame)
    assert X.encode_frame(m.Unknown(frame)) == frame


def test_a_full_listing_and_its_changes_are_told_apart() -> None:
    """The first frame of orders answers the request; later ones add to it."""
    rows = [order_row()]
    result: dict[str, Any] = {"subscription": "user.order", "channel": "user.order", "data": rows}
    first = X.decode_frame(
        json.dumps({"id": 4, "method": "subscribe", "code": 0, "result": result})
    )
    later = X.decode_frame(
        json.dumps({"id": -1, "method": "subscribe", "code": 0, "result": result})
    )
    assert isinstance(first, m.Update)
    assert isinstance(later, m.Update)
    assert (first.mode, first.ref, later.mode, later.ref) == ("snapshot", "4", "delta", None)
    assert first.channel == later.channel == OrderChannel()
