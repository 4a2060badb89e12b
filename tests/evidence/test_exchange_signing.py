"""The signature of today's exchange: every vector, and real clients' bodies."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cdcx_pandas import operations as op
from cdcx_pandas.credentials import Credentials, Secret
from cdcx_pandas.dialects.exchange import DIALECT, signing
from cdcx_pandas.errors import AuthError
from cdcx_pandas.messages import HttpRequest
from tests.evidence.exchange_files import knowing, loaded

pytestmark = pytest.mark.evidence


def test_every_vector_signs_as_computed(evidence: Path) -> None:
    """Parameters, what is signed, and the signature, to the letter."""
    vectors = loaded(evidence, "signing-vectors.json")
    assert len(vectors["vectors"]) == 15
    for row in vectors["vectors"]:
        assert signing.parameter_text(row["params"]) == row["param_string"], row["name"]
        text = signing.signing_text(
            row["method"], str(row["id"]), row["api_key"], row["params"], str(row["nonce"])
        )
        secret = Secret(row["secret"])
        assert text == row["payload"], row["name"]
        assert signing.sign(text, secret) == row["sig"], row["name"]
        assert signing.verify(text, row["sig"], secret)
        assert not signing.verify(text, row["sig"].upper(), secret)
    for row in vectors["param_string_only"]:
        assert signing.parameter_text(row["params"]) == row["param_string"]


def test_the_stream_is_opened_as_the_documents_sign(evidence: Path) -> None:
    """The vector of `public/auth`, made and verified."""
    (row, *_) = loaded(evidence, "signing-vectors.json")["vectors"]
    credentials = Credentials(row["api_key"], row["secret"])
    message = DIALECT.authenticate(credentials, row["nonce"], str(row["id"]))
    assert message.signature == row["sig"]
    caller = DIALECT.verify(message, lambda _: Secret(row["secret"]))
    assert (caller.key, caller.time_ms) == (row["api_key"], row["nonce"])
    with pytest.raises(AuthError):
        DIALECT.verify(message, lambda _: Secret("other"))


def test_an_order_is_signed_as_the_documents_do(evidence: Path) -> None:
    """The vectors of new orders verify as the requests they are, whatever the types of ids."""
    questions = {
        "skill-create-order": op.PlaceOrder(
            "btcusdt", "buy", "limit", Decimal("0.001"), price=Decimal("50000.00"), client_id="1"
        ),
        "goin-create-order": op.PlaceOrder(
            "btcusdt", "buy", "limit", Decimal("0.001"), price=Decimal("50000.00"), client_id="42"
        ),
    }
    for row in loaded(evidence, "signing-vectors.json")["vectors"]:
        if row["name"] in questions:
            request = request_of(row, row["api_key"], row["sig"])
            read, caller = knowing(evidence).decode_request(
                request, lambda _, row=row: Secret(row["secret"])
            )
            assert read == questions[row["name"]]
            assert caller is not None
            assert caller.ref == str(row["id"])


def request_of(body: dict[str, Any], key: str, signature: str) -> HttpRequest:
    """Return a signed request around a method, its parameters, id and nonce."""
    told = {name: body[name] for name in ("id", "method", "params", "nonce")}
    text = json.dumps(told | {"api_key": key, "sig": signature})
    return HttpRequest("POST", f"/{body['method']}", body=text.encode())


def test_bodies_of_another_client_are_understood(evidence: Path) -> None:
    """What ccxt sends, id and nonce as texts, and keys nobody asked for."""
    secret = Secret("s")
    read = {}
    for case in loaded(evidence, "ccxt-static-requests.json")["requests"]:
        body = case["body"]
        text = signing.signing_text(body["method"], body["id"], "k", body["params"], body["nonce"])
        if body["method"] == "private/close-position":
            continue  # no operation
        request = request_of(body, "k", signing.sign(text, secret))
        read[case["ccxt_call"]], _ = knowing(evidence).decode_request(request, lambda _: secret)
    ms = 10**6
    assert read["createOrder limit buy postOnly"] == op.PlaceOrder(
        "xrpusdt", "buy", "limit", Decimal(10), price=Decimal("0.3"), client_id="1698774044965",
        time_in_force="gtc", post_only=True,
    )  # fmt: skip
    assert read["createOrder swap market sell"] == op.PlaceOrder(
        "btcusd-perp", "sell", "market", Decimal("0.1"), client_id="1698774364019"
    )
    assert [order.client_id for order in read["createOrders"].orders] == [
        "1702484106341_0", "1702484106341_1",
    ]  # fmt: skip
    assert read["editOrder"] == op.AmendOrder(
        Decimal("0.001"), Decimal(1100), "6142909930410561608"
    )
    assert read["fetchMyTrades since 1699457638000 limit 5"] == op.GetMyTrades(
        "ltcusdt", 1699457638000 * ms, page_size=5
    )
    assert read["fetchOrders"] == op.GetOrderHistory("ltcusdt")
    assert read["cancelAllOrders"] == op.CancelAllOrders("ltcusdt")
    assert read["cancelOrdersForSymbols"] == op.CancelOrders(
        (
            op.CancelOrder("6142909902150128699", "ltcusdt"),
            op.CancelOrder("6142909902150139975", "adausdt"),
        )
    )
    assert read["fetchLedger"] == op.GetTransactions()
    assert read["fetchPositions"] == op.GetPositions()
    assert read["fetchTradingFees"] == op.GetFeeTier()


def test_addresses_of_another_client_are_understood(evidence: Path) -> None:
    """What ccxt asks for; its microseconds are told apart by their size."""
    read = []
    for url in loaded(evidence, "ccxt-static-requests.json")["get_urls"]:
        path, _, query = url.removeprefix("https://api.crypto.com/exchange/v1").partition("?")
        pairs = tuple(tuple(pair.split("=")) for pair in query.split("&"))
        read.append(knowing(evidence).decode_request(HttpRequest("GET", path, pairs), lambda _: None)[0])  # noqa: E501  # fmt: skip
    assert read == [
        op.GetTrades("btcusdt", limit=25),
        op.GetDepth("btcusdt", levels=150),
        op.GetTicker("btcusdt"),
        op.GetKlines("btcusdt", "1min", end=1720773701964 * 10**6, limit=25),
    ]
