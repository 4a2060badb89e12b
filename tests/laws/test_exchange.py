"""Laws of today's exchange that are its own: two readers, every code, and nonsense."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdcx_pandas import errors as e
from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.dialects.exchange import answers, codes
from cdcx_pandas.messages import HttpResponse
from cdcx_pandas.tables import Answer
from tests.laws import of_exchange
from tests.laws.of_exchange import KNOWING

pytestmark = pytest.mark.filterwarnings("ignore::cdcx_pandas.errors.SchemaDriftWarning")
QUIET = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
PLACE = op.PlaceOrder("btcusdt", "buy", "limit", Decimal(1), price=Decimal(1), client_id="a")


@QUIET
@given(data=st.data())
def test_the_fast_path_says_what_the_liberal_reader_says(data: st.DataObject) -> None:
    """Typed decoding of the common form and reading of any form agree."""
    question = data.draw(
        st.sampled_from([op.GetKlines("btcusdt", "1min"), op.GetTrades("btcusdt")])
    )
    body = KNOWING.encode_response(question, data.draw(of_exchange.answers(question))).body
    fast = answers._fast(question, body)
    assert fast is not None
    envelope = json.loads(body)
    row = envelope["result"]["data"][0]
    key = "v" if "v" in row else "q"
    row[key] = f"+{row[key]}"  # a form that the fast path does not take
    other = json.dumps(envelope).encode()
    assert answers._fast(question, other) is None
    assert KNOWING.decode_response(question, HttpResponse(200, other)).columns == fast


@pytest.mark.parametrize("number", ["nan", "inf", "-Infinity", "NaN", "1e61", "1e999", ""])
@pytest.mark.parametrize("question", [op.GetKlines("btcusdt", "1min"), op.GetTrades("btcusdt")])
def test_the_fast_path_takes_no_number_that_is_none(
    question: op.Operation[Any], number: str
) -> None:
    """What the liberal reader refuses, or reads as missing, is left to it."""
    bar = {"o": "1", "h": "1", "l": "1", "c": number, "v": "1", "t": 1_700_000_000_000}
    trade = {"d": "1", "tn": 1_700_000_000_000_000_000, "p": number, "q": "1", "s": "buy"}
    rows = [bar if isinstance(question, op.GetKlines) else trade]
    body = json.dumps({"code": 0, "result": {"data": rows}}).encode()
    assert answers._fast(question, body) is None
    if number:
        with pytest.raises(e.ProtocolError):
            KNOWING.decode_response(question, HttpResponse(200, body))


# ---------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("kind", codes.WRITTEN, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("question", [op.GetAccount(), PLACE, op.CancelOrder("1")])
def test_an_error_of_the_server_is_the_same_error_at_the_client(
    kind: type[e.CdcxError], question: op.Operation[Any]
) -> None:
    """Errors survive the wire as their class; those that share a code, as that code's class."""
    response = KNOWING.encode_response(question, kind("x"), ref="7")
    envelope = json.loads(response.body)
    assert envelope["id"] == 7
    assert envelope["message"]
    code = str(envelope["code"])
    with pytest.raises(codes.CODES[code]) as caught:
        KNOWING.decode_response(question, response)
    assert caught.value.code == code
    assert response.status == codes.TABLE[code].status
    if kind in {e.OrderNotFound, e.CancelRefused} and not isinstance(question, op.GetAccount):
        assert type(caught.value) is e.OrderNotFound


@pytest.mark.parametrize("code", codes.CODES)
@pytest.mark.parametrize("form", ["{}", '"{}"', "{}.0"])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_every_code_in_every_form_is_its_exception(code: str, form: str, status: int) -> None:
    """Number or text, whatever the HTTP status: its exception says what it means."""
    body = f'{{"id":1,"code":{form.format(code)},"message":"余额不足"}}'.encode()
    with pytest.raises(e.CdcxError) as caught:
        KNOWING.decode_response(op.GetAccount(), HttpResponse(status, body))
    error = caught.value
    assert type(error) is codes.CODES[code]
    assert (error.code, error.http_status, error.sent) == (code, status, "yes")
    assert error.endpoint == "/private/user-balance"
    assert codes.TABLE[code].meaning in str(error)
    assert "余额不足" in str(error)


@pytest.mark.parametrize("code", ["0", '"0"', "0.0", "0E-8"])
def test_zero_in_every_form_is_success(code: str) -> None:
    """Success is 0 after conversion to a number, even with a message."""
    body = f'{{"code":{code},"message":"NO_ERROR","result":{{"data":[]}}}}'.encode()
    klines = op.GetKlines("btcusdt", "1min")
    assert len(KNOWING.decode_response(klines, HttpResponse(200, body))) == 0


# ------------------------------------------------------------------------------------------ fuzz

KEYS = [
    "code", "message", "result", "data", "bids", "asks", "t", "tn", "d", "p", "q", "s", "i", "o",
    "h", "l", "c", "v", "id", "method", "channel", "subscription", "params", "channels", "update",
    "order_id", "position_balances", "instrument_name", "exec_inst", "index", "nonce",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
    | st.sampled_from(["subscribe", "public/auth", "book.BTC_USDT.50", "user.order", "book"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=14,
)  # fmt: skip
HOSTILE = [
    b"[" * 100_000, b'{"code":0,"result":' + b"[" * 5000, b"NaN", b"null", b"[]", b'"x"', b"",
    b'{"code":0}', b'{"code":0,"result":null}', b'{"code":0,"result":{}}', b"\xff\xfe",
    b'{"code":0,"result":{"data":null}}', b'{"code":0,"result":{"data":{}}}',
    b'{"code":0,"result":{"data":[null]}}', b'{"code":{},"result":{"data":[]}}',
    b'{"code":null}', b'{"code":0,"result":{"data":[{"t":1e999}]}}',
    b'{"code":0,"result":{"data":[{"t":' + b"9" * 5000 + b"}]}}",
    b'{"code":0,"result":{"data":["\\ud800"]}}',
    b'{"code":0,"result":{"data":[{"bids":[["x","1"]],"asks":[]}]}}',
    b'{"id":1,"method":"subscribe","params":[]}', b'{"id":{},"method":"public/heartbeat","code":0}',
]  # fmt: skip
QUESTIONS: list[op.Operation[Any]] = [
    op.GetSymbols(), op.GetTickers(), op.GetTicker("a"), op.GetKlines("a", "1min"),
    op.GetTrades("a"), op.GetDepth("a"), op.GetFunding("a"), op.GetValuations("a", "mark"),
    op.GetAccount(), op.GetPositions(), op.GetFees("a"), op.GetFeeTier(), op.GetBalanceHistory(),
    op.GetTransactions(), op.GetOrder("1"), op.GetOpenOrders(), op.GetOrderHistory(),
    op.GetMyTrades(), PLACE, op.PlaceOrders((PLACE,)), op.CancelOrders((op.CancelOrder("1"),)),
    op.AmendOrder(Decimal(1), Decimal(1), "1"),
]  # fmt: skip


@QUIET
@given(
    question=st.sampled_from(QUESTIONS),
    body=JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60)
    | JSON.map(lambda value: json.dumps({"code": 0, "result": value}).encode())
    | JSON.map(lambda value: json.dumps({"code": 0, "result": {"data": [value]}}).encode())
    | st.sampled_from(HOSTILE),
    status=st.sampled_from([200, 200, 200, 404, 500]),
    exact=st.booleans(),
)  # fmt: skip
def test_nonsense_is_an_error_and_never_an_empty_answer(
    question: op.Operation[Any], body: bytes, status: int, exact: bool
) -> None:
    """Whatever comes, only our own errors leave the reader; errors never look like "none"."""
    try:
        answer = KNOWING.decode_response(question, HttpResponse(status, body), exact=exact)
    except e.CdcxError:
        return
    envelope = json.loads(body)
    assert float(str(envelope["code"])) == 0
    if isinstance(answer, Answer):
        assert envelope["result"]
        assert len(answer) or not envelope["result"]["data"] or question == op.GetDepth("a") \
            or question == op.GetAccount()  # fmt: skip


@QUIET
@given(
    frame=JSON.map(json.dumps) | st.text(max_size=40) | st.binary(max_size=60)
    | JSON.map(lambda value: json.dumps({"code": 0, "method": "subscribe", "result": value}))
    | st.sampled_from(["ticker", "trade", "book", "candlestick.1m", "user.order", "mark"]).flatmap(
        lambda name: JSON.map(lambda value: json.dumps({"code": 0, "result": {
            "subscription": f"{name}.BTC_USDT", "data": [value]}}))
    )
    | st.sampled_from(HOSTILE)
)  # fmt: skip
def test_a_nonsense_frame_is_our_error_or_unknown(frame: str | bytes) -> None:
    """A stream's reader survives anything, and guesses at nothing."""
    try:
        message = KNOWING.decode_frame(frame)
    except e.CdcxError:
        return
    assert isinstance(message, m.Message)


@QUIET
@given(body=JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60)
       | st.sampled_from(HOSTILE), path=st.sampled_from(KNOWING.endpoints))  # fmt: skip
def test_nonsense_that_is_asked_is_refused(body: bytes, path: Any) -> None:
    """The server's reader survives anything, and takes nothing that is not signed."""
    request = m.HttpRequest(path.method, path.path, body=body)
    try:
        _, caller = KNOWING.decode_request(request, lambda _: None)
    except e.CdcxError:
        return
    assert caller is None
    assert not path.signed
