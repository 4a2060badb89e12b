"""The signing vectors, of which the first is the official document's example."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from cdcx_pandas import operations as op
from cdcx_pandas.credentials import Credentials, Secret
from cdcx_pandas.dialects.v1 import V1, signing
from cdcx_pandas.errors import AuthError, BadRequest, CdcxError
from tests.evidence.wire_files import text_of

pytestmark = pytest.mark.evidence
V = V1()
DAY = 86_400 * 10**9
ASKED: dict[str, op.Operation[object]] = {
    "official documentation example (account)": op.GetAccount(),
    "create limit order": op.PlaceOrder(
        "btcusdt", "buy", "limit", Decimal("0.01"), price=Decimal("8000.5")
    ),
    "create market buy (volume is quote amount)": op.PlaceOrder(
        "crousdt", "buy", "market", spend=Decimal(25)
    ),
    "showOrder / orders/cancel": op.GetOrder("67991754", "ethusdt"),
    "openOrders paged": op.GetOpenOrders("ethusdt", 0, 50),
    "empty value is skipped": op.GetOpenOrders("ethusdt", 0, 20),
    "myTrades with sort": op.GetMyTrades("btcusdt", newest_first=True),
}


def cases(evidence: Path) -> list[dict[str, object]]:
    """Return the vectors."""
    found: list[dict[str, object]] = json.loads(text_of(evidence, "signing_vectors"))
    assert len(found) == 9
    return found


def test_every_vector_is_signed_as_recorded(evidence: Path) -> None:
    """The text that is hashed and the signature are those of the file, to the letter."""
    for case in cases(evidence):
        params, secret = case["params"], case["secret"]
        assert isinstance(params, dict)
        assert isinstance(secret, str)
        assert signing.signing_text(params) + secret == case["digest_input"], case["name"]
        assert signing.sign(params, Secret(secret)) == case["sign"], case["name"]
        assert signing.verify(params, str(case["sign"]), Secret(secret))


def test_operations_are_signed_as_the_vectors(evidence: Path) -> None:
    """What the client sends for an operation has the recorded signature."""
    for case in cases(evidence):
        operation = ASKED.get(str(case["name"]))
        if operation is None:
            continue
        params = case["params"]
        assert isinstance(params, dict)
        me = Credentials(params["api_key"], str(case["secret"]))
        request = V.encode_request(operation, me, int(params["time"]))
        sent = dict(parse_qsl(request.body.decode()))
        assert sent.pop("sign") == case["sign"], case["name"]
        assert sent == {name: value for name, value in params.items() if value}
        assert V.decode_request(request, {params["api_key"]: me.secret}.get)[0] == operation


def test_any_change_of_a_byte_is_noticed(evidence: Path) -> None:
    """A changed parameter or signature is refused."""
    for case in cases(evidence):
        params, secret = case["params"], Secret(str(case["secret"]))
        assert isinstance(params, dict)
        sign = str(case["sign"])
        for name, value in params.items():
            if value:
                changed = params | {name: value[:-1] + chr(ord(value[-1]) ^ 1)}
                assert not signing.verify(changed, sign, secret)
        wrong = sign[:-1] + ("0" if sign[-1] != "0" else "1")
        assert not signing.verify(params, wrong, secret)


def test_the_sample_programs_reading_of_empty_values_is_taken() -> None:
    """The official sample appends the names of empty values; the server takes that too."""
    params = {"api_key": "k", "price": "", "time": "1"}
    secret = Secret("s")
    assert signing.verify(params, secret.sha256_after("api_keykpricetime1"), secret)
    assert signing.verify(params, secret.sha256_after("api_keyktime1"), secret)


def test_a_value_that_could_be_read_as_two_is_refused_before_signing() -> None:
    """Without separators one text can be two sets of parameters; strict forms prevent it."""
    me = Credentials("k" * 32, "s" * 32)
    smuggled = op.GetOpenOrders("btcusdttime1")
    assert V.encode_request(smuggled, me, 1573789761928)  # only letters and digits: one symbol
    for symbol in ("btc usdt", "BTCUSDT", "btcusdt&page=2", "a" * 21, ""):
        with pytest.raises(CdcxError):
            V.encode_request(op.GetOpenOrders(symbol), me, 1573789761928)
    with pytest.raises(BadRequest):
        V.encode_request(op.GetOrder("1 OR 1", "btcusdt"), me, 1573789761928)


def test_a_wrong_signature_is_the_venues_own_code() -> None:
    """An unknown key and a wrong signature are told alike."""
    me = Credentials("k" * 32, "s" * 32)
    request = V.encode_request(op.GetAccount(), me, 1573789761928)
    for secret in (None, Secret("x" * 32)):
        with pytest.raises(AuthError) as caught:
            V.decode_request(request, lambda _, secret=secret: secret)
        assert caught.value.code == "100005"
