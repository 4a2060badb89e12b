"""What today's exchange refuses, with the code it refuses it with: the server's side."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from cdcx_pandas import errors as e
from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.credentials import Credentials
from cdcx_pandas.dialects.exchange import DIALECT, signing
from cdcx_pandas.messages import HttpRequest

ME = Credentials("keykeykeykey", "secretsecret")
NOW_MS = 1_700_000_000_000
X = DIALECT.knowing(
    {"symbol": ["btcusdt", "btcusd-perp"], "venue_symbol": ["BTC_USDT", "BTCUSD-PERP"]}
)
LIMIT = {"instrument_name": "BTC_USDT", "side": "BUY", "type": "LIMIT", "price": "50000",
         "quantity": "0.001", "client_oid": "a"}  # fmt: skip
MARKET = {"instrument_name": "BTC_USDT", "side": "BUY", "type": "MARKET", "notional": "25",
          "client_oid": "a"}  # fmt: skip
ABSENT = object()


def secret_of(key: str) -> Any:
    """Return the secret of the one key there is."""
    return ME.secret if key == ME.key_for_the_wire() else None


def signed(method: str, params: Any, **more: Any) -> HttpRequest:
    """Sign whatever is asked; `more` replaces parts of the envelope before it is signed."""
    key = ME.key_for_the_wire()
    body: dict[str, Any] = {"id": 7, "method": method, "api_key": key, "nonce": NOW_MS} | more
    text = signing.signing_text(body["method"], str(body["id"]), key, params, str(body["nonce"]))
    body |= {"params": params, "sig": signing.sign(text, ME.secret)}
    kept = {name: value for name, value in body.items() if value is not ABSENT}
    return HttpRequest("POST", f"/{method}", body=json.dumps(kept).encode())


def code_of(request: HttpRequest, operation: Any = None) -> tuple[int, str, int]:
    """Return the code, message and status a question is refused with."""
    with pytest.raises(e.CdcxError) as caught:
        X.decode_request(request, secret_of)
    response = X.encode_response(operation, caught.value)
    body = json.loads(response.body)
    return body["code"], body["message"], response.status


# ------------------------------------------------------------------------- types of parameters

WRONG_ORDERS: dict[str, tuple[dict[str, Any], int]] = {
    "price as a number": ({"price": 50000}, 308),
    "price as a fraction": ({"price": 50000.5}, 308),
    "price that is no number": ({"price": "5e4"}, 308),
    "negative price": ({"price": "-1"}, 308),
    "amount as a number": ({"quantity": 1}, 40101),
    "amount as a fraction": ({"quantity": 0.001}, 40101),
    "amount that is no number": ({"quantity": "one"}, 213),
    "no amount": ({"quantity": ABSENT}, 40004),
    "no price": ({"price": ABSENT}, 40004),
    "no market": ({"instrument_name": ABSENT}, 40004),
    "unknown market": ({"instrument_name": "NOPE_USDT"}, 209),
    "market in lower case": ({"instrument_name": "btc_usdt"}, 209),
    "no side": ({"side": ABSENT}, 220),
    "side in lower case": ({"side": "buy"}, 220),
    "no type": ({"type": ABSENT}, 218),
    "a trigger order": ({"type": "STOP_LIMIT"}, 218),
    "unknown time in force": ({"time_in_force": "GTC"}, 221),
    "instructions as a text": ({"exec_inst": "POST_ONLY"}, 219),
    "unknown instruction": ({"exec_inst": ["NOPE"]}, 219),
    "two that exclude each other": ({"exec_inst": ["POST_ONLY", "SMART_POST_ONLY"]}, 219),
    "post only at once": (
        {"exec_inst": ["POST_ONLY"], "time_in_force": "IMMEDIATE_OR_CANCEL"}, 43005,
    ),
    "post only or whole": ({"exec_inst": ["POST_ONLY"], "time_in_force": "FILL_OR_KILL"}, 43005),
    "margin": ({"spot_margin": "MARGIN"}, 416),
    "nonsense for margin": ({"spot_margin": "NOPE"}, 50001),
    "a name that is too long": ({"client_oid": "x" * 37}, 40004),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_ORDERS)
def test_a_wrong_order_is_refused_with_its_code(wrong: str) -> None:
    """The signature is right; what it covers is not."""
    changes, code = WRONG_ORDERS[wrong]
    params = {k: v for k, v in (LIMIT | changes).items() if v is not ABSENT}
    assert code_of(signed("private/create-order", params))[0] == code


def test_money_of_a_market_order() -> None:
    """Money as a number is an internal error; an amount wins over money; a sell has none."""
    create = "private/create-order"
    assert code_of(signed(create, MARKET | {"notional": 25}))[0] == 50001
    assert code_of(signed(create, MARKET | {"notional": "x"}))[0] == 40004
    assert code_of(signed(create, MARKET | {"side": "SELL"}))[0] == 40004
    read, _ = X.decode_request(signed(create, MARKET | {"quantity": "2"}), secret_of)
    assert read == op.PlaceOrder("btcusdt", "buy", "market", Decimal(2), client_id="a")
    read, _ = X.decode_request(signed(create, MARKET | {"price": "1"}), secret_of)
    assert read == op.PlaceOrder("btcusdt", "buy", "market", spend=Decimal(25), client_id="a")
    post_only = MARKET | {"exec_inst": ["POST_ONLY"]}
    assert code_of(signed(create, post_only))[:2] == (43005, "POST_ONLY_REJ")


def test_an_order_without_a_name_is_named_after_its_request() -> None:
    """So did the server in recordings."""
    nameless = {k: v for k, v in LIMIT.items() if k != "client_oid"}
    read, caller = X.decode_request(signed("private/create-order", nameless), secret_of)
    assert isinstance(read, op.PlaceOrder)
    assert read.client_id == "7"
    assert caller == m.Caller(ME.key_for_the_wire(), NOW_MS, "7")


def test_lists_of_orders() -> None:
    """One to ten, of the one kind there is."""
    create = "private/create-order-list"

    def asked(count: int, kind: str = "LIST") -> dict[str, Any]:
        return {"contingency_type": kind, "order_list": [LIMIT] * count}

    assert code_of(signed(create, asked(11)))[0] == 40004
    assert code_of(signed(create, asked(0)))[0] == 40004
    assert code_of(signed(create, asked(2, "OCO")))[0] == 140001
    assert code_of(signed(create, {"order_list": [1]}))[0] == 40004
    read, _ = X.decode_request(signed(create, asked(10)), secret_of)
    assert isinstance(read, op.PlaceOrders)
    assert len(read.orders) == 10
    named = {"contingency_type": "LIST", "order_list": [{"order_id": "1"}, {}]}
    assert code_of(signed("private/cancel-order-list", named))[0] == 40004


OTHERS: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "limit as a text": ("private/get-trades", {"limit": "5"}, 40003, "Invalid limit"),
    "limit of none": ("private/get-trades", {"limit": 0}, 40003, "Invalid limit"),
    "limit too large": ("private/get-order-history", {"limit": 101}, 40003, "Invalid limit"),
    "limit as a fraction": ("private/get-transactions", {"limit": 5.0}, 40003, "Invalid limit"),
    "end of balances as a text": (
        "private/user-balance-history", {"end_time": "1700000000000"}, 40003, "INVALID_REQUEST",
    ),
    "too many days": ("private/user-balance-history", {"limit": 31}, 40003, "Invalid limit"),
    "unknown timeframe": (
        "private/user-balance-history", {"timeframe": "1D"}, 40003, "INVALID_REQUEST",
    ),
    "a time that is none": ("private/get-trades", {"start_time": "now"}, 40005, "INVALID_DATE"),
    "a time as a fraction": ("private/get-trades", {"start_time": 1.5}, 40005, "INVALID_DATE"),
    "no order": ("private/cancel-order", {}, 40004, "MISSING_OR_INVALID_ARGUMENT"),
    "an id that is none": ("private/cancel-order", {"order_id": "x"}, 212, "INVALID_ORDERID"),
    "amend without an order": (
        "private/amend-order", {"new_price": "1", "new_quantity": "1"}, 40004,
        "MISSING_OR_INVALID_ARGUMENT",
    ),
    "amend without a price": (
        "private/amend-order", {"order_id": "1", "new_quantity": "1"}, 40004,
        "MISSING_OR_INVALID_ARGUMENT",
    ),
    "amend with a number": (
        "private/amend-order", {"order_id": "1", "new_price": 1, "new_quantity": "1"}, 40003,
        "INVALID_REQUEST",
    ),
    "fees of nothing": (
        "private/get-instrument-fee-rate", {}, 40004, "Missing instrument_name param",
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", OTHERS)
def test_a_wrong_question_is_refused_with_its_code(wrong: str) -> None:
    """Numbers where texts are wanted, and the other way round."""
    method, params, code, words = OTHERS[wrong]
    assert code_of(signed(method, params))[:2] == (code, words)


# ---------------------------------------------------------------------------------- envelopes


def test_envelopes() -> None:
    """Number, method, key, nonce and signature, each refused with its code."""
    method = "private/user-balance"
    assert code_of(signed(method, {}, id="x"))[0] == 40001
    assert code_of(signed(method, {}, id=1.5))[0] == 40001
    assert code_of(signed(method, {}, id=-1))[0] == 40001
    assert code_of(signed(method, {}, nonce=1.7e12))[0] == 40101
    assert code_of(signed(method, {}, nonce="soon"))[0] == 40101
    assert code_of(signed(method, {}, api_key="other"))[0] == 40101
    wrong = signed(method, {})
    body = json.loads(wrong.body) | {"method": "private/get-positions"}
    assert code_of(HttpRequest("POST", f"/{method}", body=json.dumps(body).encode()))[0] == 40002
    for junk in (b"", b"[]", b"null", b"{", b'"x"', b"\xff"):
        assert code_of(HttpRequest("POST", f"/{method}", body=junk))[0] == 40001
    assert code_of(HttpRequest("POST", f"/{method}", body=b"{}"))[0] == 40002
    for number, nonce in ((7, str(NOW_MS)), ("7", NOW_MS)):
        read, caller = X.decode_request(signed(method, {}, id=number, nonce=nonce), secret_of)
        assert (read, caller) == (
            op.GetAccount(), m.Caller(ME.key_for_the_wire(), NOW_MS, "7"),
        )  # fmt: skip


def test_the_number_of_a_question_comes_back() -> None:
    """An answer and an error echo it; a public answer has none to echo."""
    answer = json.loads(X.encode_response(op.CancelAllOrders(), None, ref="42").body)
    assert answer == {"id": 42, "method": "private/cancel-all-orders", "code": 0}
    error = json.loads(X.encode_response(op.GetAccount(), e.AuthError("x"), ref="42").body)
    assert error == {
        "id": 42, "method": "private/user-balance", "code": 40101, "message": "UNAUTHORIZED",
    }  # fmt: skip


def test_verbs_and_paths() -> None:
    """POST for a market, GET for an account, and a path that is none."""
    assert code_of(HttpRequest("POST", "/public/get-tickers")) == (50001, "ERR_INTERNAL", 400)
    assert code_of(HttpRequest("GET", "/private/user-balance")) == (40003, "INVALID_REQUEST", 400)
    for path in ("/public/get-nope", "/private/create-withdrawal", "/private/get-deposit-address"):
        with pytest.raises(e.NotFound) as caught:
            X.decode_request(HttpRequest("POST", path), secret_of)
        response = X.encode_response(None, caught.value)
        assert response.status == 404
        assert json.loads(response.body) == {
            "status": 404, "error": "Not Found", "path": f"/v1{path}",
        }  # fmt: skip
        with pytest.raises(e.NotFound, match="HTTP 404"):
            X.decode_response(op.GetSymbols(), response)


def test_networks_are_refused_as_to_a_sub_account() -> None:
    """Clients ask for them by themselves, and take this for an answer."""
    request = signed("private/get-currency-networks", {})
    assert code_of(request) == (10001, "SYS_ERROR", 400)


# ------------------------------------------------------------------------------------ market

PUBLIC: dict[str, tuple[str, dict[str, str], int, str]] = {
    "depth of none": ("get-book", {"depth": "0"}, 40004, "Invalid depth"),
    "depth too large": ("get-book", {"depth": "151"}, 40004, "Invalid depth"),
    "depth that is none": ("get-book", {"depth": "x"}, 40004, "Invalid depth"),
    "no rows": ("get-candlestick", {"count": "0"}, 40004, "MISSING_OR_INVALID_ARGUMENT"),
    "rows that are none": ("get-trades", {"count": "-1"}, 40004, "MISSING_OR_INVALID_ARGUMENT"),
    "unknown timeframe": ("get-candlestick", {"timeframe": "2m"}, 40003, "INVALID_REQUEST"),
    "unknown valuation": (
        "get-valuations", {"valuation_type": "nope"}, 40004, "Invalid valuation_type",
    ),
    "no valuation": ("get-valuations", {}, 40003, "INVALID_REQUEST"),
    "unknown market": (
        "get-book", {"instrument_name": "NOPE_USDT"}, 40004, "Invalid instrument_name",
    ),
    "unknown market of tickers": (
        "get-tickers", {"instrument_name": "btc_usdt"}, 40004, "Invalid instrument_name",
    ),
    "no market": (
        "get-trades", {"instrument_name": ""}, 40004, "Missing instrument_name param",
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", PUBLIC)
def test_a_wrong_question_about_a_market_is_refused(wrong: str) -> None:
    """With the venue's own words, where they were seen."""
    name, params, code, words = PUBLIC[wrong]
    query = {"instrument_name": "BTC_USDT"} | params
    request = HttpRequest("GET", f"/public/{name}", tuple(query.items()))
    assert code_of(request) == (code, words, 400)


def read(name: str, **params: str) -> op.Operation[Any]:
    """Read a question about a market."""
    query = {"instrument_name": "BTC_USDT"} | params
    return X.decode_request(HttpRequest("GET", f"/public/{name}", tuple(query.items())), secret_of)[
        0
    ]


def test_what_is_left_out_is_filled_in() -> None:
    """A minute, 25 rows, 150 levels; counts above the cap are capped in silence."""
    assert read("get-candlestick") == op.GetKlines("btcusdt", "1min", limit=25)
    assert read("get-trades") == op.GetTrades("btcusdt", limit=25)
    assert read("get-book") == op.GetDepth("btcusdt", levels=150)
    assert read("get-candlestick", count="9999", timeframe="D7") == op.GetKlines(
        "btcusdt", "1week", limit=300
    )
    assert read("get-trades", count="151") == op.GetTrades("btcusdt", limit=150)
    assert read("get-tickers", nonsense="ignored") == op.GetTicker("btcusdt")


def test_times_are_told_apart_by_their_size() -> None:
    """Milliseconds, microseconds and nanoseconds mean the same instant."""
    for written in ("1700000000000", "1700000000000000", "1700000000000000000"):
        question = read("get-trades", start_ts=written, count="1")
        assert question == op.GetTrades("btcusdt", start=1_700_000_000 * 10**9, limit=1)


def test_an_index_has_two_names() -> None:
    """Its own, and the perpetual's over it."""
    for name in ("BTCUSD-PERP", "BTCUSD-INDEX"):
        question = read("get-valuations", instrument_name=name, valuation_type="index_price")
        assert question == op.GetValuations("btcusd-perp", "index", limit=25)
    request = HttpRequest(
        "GET",
        "/public/get-valuations",
        (("instrument_name", "BTCUSD-INDEX"), ("valuation_type", "mark_price")),
    )
    assert code_of(request)[1] == "Invalid instrument_name"
