"""Laws of every dialect: what one end writes, the other reads, and nothing is guessed."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cdcx_pandas import errors as e
from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.channels import (
    DepthChannel,
    KlineChannel,
    TickerChannel,
    TickersChannel,
    TradeChannel,
)
from cdcx_pandas.credentials import Credentials
from cdcx_pandas.dialects import DIALECTS
from cdcx_pandas.dialects.base import Dialect
from cdcx_pandas.dialects.v1 import V1, answers, codes
from cdcx_pandas.messages import HttpResponse
from cdcx_pandas.tables import DEPTH, KLINES, TICKERS, TRADES, Answer
from tests.laws import of_exchange
from tests.laws import strategies as make

ME = Credentials("mZhlB7z8dDXXdL74uwoIoqAtPQSpY6Mk", "qg7fPyVj43tvfWBX83pSB7s8ZajHD1ve")
NOW_MS = 1_700_000_000_000
EVERY: dict[str, Dialect] = DIALECTS | {
    "exchange": of_exchange.KNOWING,
    "v1 later": V1(profile="b"),
    "v1 of the samples": V1(spells_valuation=True, repeats_trade_list=True),
}
OVER_ALL = pytest.mark.parametrize("dialect", EVERY.values(), ids=EVERY)
QUIET = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


def questions(dialect: Dialect) -> st.SearchStrategy[op.Operation[Any]]:
    """Return questions that a dialect can say whole."""
    return make.questions(dialect) if isinstance(dialect, V1) else of_exchange.questions()


def answers_to(question: op.Operation[Any], dialect: Dialect) -> st.SearchStrategy[Any]:
    """Return answers that a dialect can say whole."""
    kind = make if isinstance(dialect, V1) else of_exchange
    return kind.answers(question)


def secret_of(key: str) -> Any:
    """Return the secret of the one key there is."""
    return ME.secret if key == ME.key_for_the_wire() else None


@OVER_ALL
@QUIET
@given(data=st.data())
def test_a_question_is_read_as_it_was_written(dialect: Dialect, data: st.DataObject) -> None:
    """decode_request(encode_request(q)) == q, and the signer is known."""
    question = data.draw(questions(dialect))
    try:
        request = dialect.encode_request(question, ME, NOW_MS)
    except e.Unsupported:
        assume(False)
    read, caller = dialect.decode_request(request, secret_of)
    assert read == question
    if dialect.endpoint(question).signed:
        assert caller is not None
        assert (caller.key, caller.time_ms) == (ME.key_for_the_wire(), NOW_MS)
    else:
        assert caller is None


@OVER_ALL
@QUIET
@given(data=st.data())
def test_an_answer_is_read_as_it_was_written(dialect: Dialect, data: st.DataObject) -> None:
    """decode_response(q, encode_response(q, a)) == a, to the last digit."""
    question = data.draw(questions(dialect))
    answer = data.draw(answers_to(question, dialect))
    if isinstance(dialect, V1) and dialect.profile == "b" and isinstance(answer, Answer):
        answer.columns.pop("change", None)  # that profile does not tell it
    response = dialect.encode_response(question, answer)
    read = dialect.decode_response(question, response, exact=True)
    if isinstance(answer, Answer):
        assert {name: read.columns[name] for name in answer.columns} == answer.columns
        assert read.facts == answer.facts
        plain = dialect.decode_response(question, response)
        for name, values in answer.columns.items():
            floats = [float(v) if isinstance(v, Decimal) else v for v in values]
            assert plain.columns[name] == floats
    else:
        assert read == answer


def said_in(body: bytes) -> Any:
    """Return what a signed body says, as a form or as JSON."""
    try:
        return json.loads(body)
    except ValueError:
        return dict(parse_qsl(body.decode()))


@OVER_ALL
@QUIET
@given(data=st.data())
def test_a_signed_question_fails_after_any_change_of_a_byte(
    dialect: Dialect, data: st.DataObject
) -> None:
    """Whatever byte of a signed body changes, it is not taken for what was signed."""
    question = data.draw(questions(dialect))
    assume(dialect.endpoint(question).signed)
    request = dialect.encode_request(question, ME, NOW_MS)
    at = data.draw(st.integers(0, len(request.body) - 1))
    byte = data.draw(st.integers(32, 126).filter(lambda b: b != request.body[at]))
    changed = request.body[:at] + bytes([byte]) + request.body[at + 1 :]
    assume(said_in(changed) != said_in(request.body))
    try:
        read, _ = dialect.decode_request(replace(request, body=changed), secret_of)
    except e.CdcxError:
        return
    # An empty object of parameters may as well be absent, whatever its name.
    assert read == question
    if b'"params":{}' not in request.body:
        # A hex digit of the signature in upper case is the same signature.
        assert changed.lower() == request.body.lower()


@OVER_ALL
@QUIET
@given(data=st.data())
def test_a_stream_message_is_read_as_it_was_written(dialect: Dialect, data: st.DataObject) -> None:
    """decode_frame(encode_frame(m)) == m, for either side's messages."""
    own = messages(dialect) if isinstance(dialect, V1) else of_exchange.messages()
    message = data.draw(own)
    frame = dialect.encode_frame(message)
    assert dialect.decode_frame(frame, exact=True) == message


@st.composite
def messages(draw: st.DrawFn, dialect: Dialect) -> m.Message:
    """Draw a message of a stream."""
    symbol, period = draw(make.symbols), draw(st.sampled_from(dialect.periods))
    ref, time = draw(st.none() | st.text("abc1", min_size=1)), draw(make.millis)
    ticker = {
        name: [draw(make.money)]
        for name in ("last", "open", "high", "low", "volume", "quote_volume")
    }
    ticker = {"symbol": [symbol]} | ticker | {"change": [draw(make.change)], "time": [time]}
    bar = {name: values[:1] for name, values in draw(make.bars()).items()}
    bar["quote_volume"] = [draw(make.money)]
    history = draw(make.bars())
    history["quote_volume"] = [draw(make.money) for _ in history["time"]]
    level: dict[str, list[Any]] = {
        "side": [draw(st.sampled_from(["bid", "ask"]))], "level": [None],
        "price": [draw(make.positive)], "amount": [draw(make.money)],
    }  # fmt: skip
    kline = KlineChannel(symbol, period)
    depth = DepthChannel(symbol, draw(st.integers(0, 2)))
    levels = replace(depth, levels=draw(st.none() | st.integers(0, 150)))
    channel = draw(st.sampled_from([TickerChannel(symbol), kline, TradeChannel(symbol), levels]))
    start, end = draw(make.seconds), draw(make.seconds)
    rows = draw(st.none() | st.integers(1, 300))
    return draw(
        st.sampled_from(
            [
                m.Subscribe((channel,), ref), m.Unsubscribe((TickerChannel(symbol),), ref),
                m.Request(op.GetTickers(), ref), m.Request(op.GetTrades(symbol, limit=rows), ref),
                m.Request(op.GetKlines(symbol, period, end=end, limit=rows), ref),
                m.Request(op.GetKlines(symbol, period, start=start, limit=rows), ref),
                m.Heartbeat(time), m.HeartbeatReply(time), m.Subscribed(channel, ref, time),
                m.Update(TickerChannel(symbol), Answer(TICKERS, ticker), time=time),
                m.Update(kline, Answer(KLINES, bar), time=time),
                m.Update(TradeChannel(symbol), Answer(TRADES, draw(make.trades())), "delta", time),
                m.Update(depth, Answer(DEPTH, draw(make.books())), time=time),
                m.Update(depth, Answer(DEPTH, level), "delta", time),
                m.Reply(TickersChannel(), Answer(TICKERS, ticker), ref, time),
                m.Reply(kline, Answer(KLINES, history), ref, time),
                m.Reply(TradeChannel(symbol), Answer(TRADES, draw(make.trades())), ref, time),
            ]
        )
    )  # fmt: skip


@OVER_ALL
@QUIET
@given(columns=make.trades())
def test_rest_and_stream_tell_a_trade_alike(
    dialect: Dialect, columns: dict[str, list[Any]]
) -> None:
    """The same trade is the same row, whichever way it came."""
    question = op.GetTrades("btcusdt")
    rest_says = dialect.decode_response(
        question, dialect.encode_response(question, Answer(TRADES, columns)), exact=True
    )
    update = m.Update(TradeChannel("btcusdt"), Answer(TRADES, columns), "delta", 0)
    stream_says = dialect.decode_frame(dialect.encode_frame(update), exact=True)
    assert isinstance(stream_says, m.Update)
    assert rest_says.columns == stream_says.answer.columns


# --------------------------------------------------------------------------------- the fast path


@QUIET
@given(data=st.data())
def test_the_fast_path_says_what_the_liberal_reader_says(data: st.DataObject) -> None:
    """Typed decoding of the common form and reading of any form agree."""
    question = data.draw(st.sampled_from([op.GetKlines("btcusdt", "1min"), op.GetTrades("x1")]))
    answer = data.draw(make.answers(question))
    body = V1().encode_response(question, answer).body
    fast = answers._fast(question, body)
    assert fast is not None
    envelope = json.loads(body)
    envelope["extra"] = None
    rows = envelope["data"]
    rows[0] = [*rows[0], 1.0] if isinstance(rows[0], list) else rows[0] | {"price": str(
        rows[0]["price"])}  # fmt: skip
    other = json.dumps(envelope).encode()
    assert answers._fast(question, other) is None
    liberal = V1().decode_response(question, HttpResponse(200, other))
    assert liberal.columns == fast


# ---------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("kind", codes.WRITTEN, ids=lambda kind: kind.__name__)
def test_an_error_of_the_server_is_the_same_error_at_the_client(kind: type[e.CdcxError]) -> None:
    """Errors survive the wire as their class (those that share a code as its class)."""
    response = V1().encode_response(op.GetAccount(), kind("x"))
    code, _ = codes.WRITTEN[kind]
    with pytest.raises(codes.CODES[code]):
        V1().decode_response(op.GetAccount(), response)


@pytest.mark.parametrize("code", codes.CODES)
@pytest.mark.parametrize("form", ["{}", '"{}"', "{}.0", '" {} "'])
def test_every_code_in_every_form_is_its_exception(code: str, form: str) -> None:
    """The code may come as number or text; its exception says what it means."""
    body = f'{{"code":{form.format(code)},"msg":"余额不足","data":null}}'.encode()
    with pytest.raises(e.CdcxError) as caught:
        V1().decode_response(op.GetAccount(), HttpResponse(200, body))
    if form == "{}.0":
        return
    assert type(caught.value) is codes.CODES[code]
    assert caught.value.code == code
    assert codes.TABLE[code].meaning in str(caught.value)
    assert "余额不足" in str(caught.value)


@pytest.mark.parametrize("code", ["0", '"0"', "0.0", '"0.0"', "0E-8"])
def test_zero_in_every_form_is_success(code: str) -> None:
    """Success is 0 after conversion to a number."""
    body = f'{{"code":{code},"msg":"suc","data":[]}}'.encode()
    assert len(V1().decode_response(op.GetKlines("btcusdt", "1min"), HttpResponse(200, body))) == 0


BODIES = {
    "json": b'{"timestamp":1,"status":0,"error":"x"}',
    "html": b"<html><h1>Bad Gateway</h1></html>",
    "empty": b"",
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, e.BadRequest), (401, e.AuthError), (403, e.PermissionDenied), (404, e.NotFound),
        (405, e.BadRequest), (418, e.PermissionDenied), (429, e.RateLimited),
        (500, e.ServerError), (502, e.ServerError), (503, e.Maintenance), (504, e.ServerError),
        (520, e.ServerError), (302, e.ProtocolError),
    ],
)  # fmt: skip
def test_every_status_is_its_exception(status: int, kind: type[e.CdcxError], body: str) -> None:
    """With JSON, HTML and empty bodies, the error says the status and quotes the body."""
    with pytest.raises(kind) as caught:
        V1().decode_response(op.GetSymbols(), HttpResponse(status, BODIES[body]))
    assert type(caught.value) is kind
    assert f"The venue answered HTTP {status}: " in str(caught.value)
    assert ("Bad Gateway" in str(caught.value)) is (body == "html")
    assert caught.value.http_status == status


# ---------------------------------------------------------------------------------------- fuzz

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["code", "msg", "data", "tick", "asks", "bids", "ticker", "id", "price",
                         "amount", "ctime", "type", "channel", "ts", "ping", "event", "params"]),
        inner, max_size=5),
    max_leaves=12,
)  # fmt: skip
QUESTIONS: list[op.Operation[Any]] = [
    op.GetSymbols(), op.GetTickers(), op.GetTicker("a1"), op.GetPrices(),
    op.GetKlines("a1", "1min"), op.GetTrades("a1"), op.GetDepth("a1"), op.GetAccount(),
    op.GetOrder("1", "a1"), op.GetOpenOrders("a1"), op.GetOrderHistory("a1"), op.GetMyTrades("a1"),
    op.PlaceOrder("a1", "buy", "limit", Decimal(1), price=Decimal(1)),
]  # fmt: skip
HOSTILE = [
    b"[" * 100_000, b'{"code":0,"data":' + b"[" * 5000, b"NaN", b'{"code":0,"data":[[NaN]]}',
    b'{"code":0,"data":[[1e999,1,1,1,1,1]]}', b'{"code":0,"data":["\\ud800"]}',
    b'{"code":0,"data":[[' + b"9" * 5000 + b",1,1,1,1,1]]}", b"\xff\xfe", b"null", b"[]", b'"x"',
    b'{"code":0}', b'{"code":0,"data":null}', b'{"code":{},"data":[]}', b'{"code":null}',
    b'{"code":0,"data":[[1,2]]}', b'{"code":0,"data":[{"id":{}}]}',
    b'{"code":"0","data":{"tick":{"asks":[["x",1]],"bids":[]}}}',
    b'{"code":"0","data":[[1588707000,"nan","inf","1_0"," 1","0x1"]]}',
]  # fmt: skip


@QUIET
@given(
    question=st.sampled_from(QUESTIONS),
    body=JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60)
    | JSON.map(lambda value: json.dumps({"code": "0", "msg": "suc", "data": value}).encode())
    | st.sampled_from(HOSTILE),
    status=st.sampled_from([200, 200, 200, 404, 500]),
    exact=st.booleans(),
)  # fmt: skip
def test_nonsense_is_an_error_and_never_an_empty_answer(
    question: op.Operation[Any], body: bytes, status: int, exact: bool
) -> None:
    """Whatever comes, only our own errors leave the reader; errors never look like "none"."""
    try:
        answer = V1().decode_response(question, HttpResponse(status, body), exact=exact)
    except e.CdcxError:
        return
    assert status == 200
    envelope = json.loads(body)
    assert float(str(envelope["code"])) == 0
    if isinstance(answer, Answer):
        assert isinstance(envelope.get("data"), (dict, list)) or not len(answer)


@QUIET
@given(
    frame=JSON.map(json.dumps) | st.text(max_size=40) | st.binary(max_size=60)
    | st.binary(max_size=40).map(lambda tail: b"\x1f\x8b\x08" + tail)
    | st.binary(max_size=40).map(lambda tail: b"\x78\x9c" + tail)
    | st.sampled_from(HOSTILE)
)  # fmt: skip
def test_a_nonsense_frame_is_our_error_or_unknown(frame: str | bytes) -> None:
    """A stream's reader survives anything, and guesses at nothing."""
    try:
        message = V1().decode_frame(frame)
    except e.CdcxError:
        return
    assert isinstance(message, m.Message)
