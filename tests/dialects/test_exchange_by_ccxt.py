"""A stranger's client against our server's side, without a network: ccxt asks, and understands."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import ccxt
import pytest

from cdcx_pandas import errors as e
from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.credentials import Credentials
from cdcx_pandas.dialects.exchange import DIALECT
from cdcx_pandas.tables import (
    ACCOUNT,
    DEPTH,
    FILLS,
    KLINES,
    ORDERS,
    SYMBOLS,
    TICKERS,
    TRADES,
    Answer,
)

ME = Credentials("keykeykeykey", "secretsecret")
NS = 1_700_000_000_123_456_789
LISTED = {
    "symbol": ["btcusdt", "btcusd-perp"], "venue_symbol": ["BTC_USDT", "BTCUSD-PERP"],
    "base": ["BTC", "BTC"], "quote": ["USDT", "USD"], "kind": ["spot", "perp"],
    "price_tick": [Decimal("0.01")] * 2, "amount_tick": [Decimal("0.00001")] * 2,
    "amount_min": [Decimal("0.00001")] * 2, "price_precision": [2, 2],
    "amount_precision": [5, 5], "tradable": [True, True], "expires": [None, None],
}  # fmt: skip
X = DIALECT.knowing(LISTED)
ORDER = {
    "id": ["11"], "client_id": ["mine"], "symbol": ["btcusdt"], "side": ["buy"],
    "type": ["limit"], "status": ["open"], "price": [Decimal(50_000)], "amount": [Decimal("0.1")],
    "spend": [None], "filled": [Decimal(0)], "remaining": [Decimal("0.1")], "average": [None],
    "cost": [Decimal(0)], "fee": [Decimal(0)], "fee_coin": ["BTC"], "created": [NS],
    "updated": [NS],
}  # fmt: skip
FILL = {
    "id": ["21"], "order_id": ["11"], "symbol": ["btcusdt"], "side": ["buy"],
    "price": [Decimal(50_000)], "amount": [Decimal("0.1")], "cost": [Decimal(5000)],
    "fee": [Decimal("0.0001")], "fee_coin": ["BTC"], "role": ["maker"], "time": [NS],
}  # fmt: skip
ANSWERS: dict[type[op.Operation[Any]], Any] = {
    op.GetSymbols: Answer(SYMBOLS, LISTED),
    op.GetTicker: Answer(TICKERS, {"symbol": ["btcusdt"], "last": [Decimal(50_000)],
                                   "change": [Decimal("0.01")], "time": [NS]}),
    op.GetKlines: Answer(KLINES, {"time": [1_700_000_040 * 10**9],
                                  **{name: [Decimal(1)] for name in ("open", "high", "low")},
                                  "close": [Decimal("1.5")], "volume": [Decimal(2)]}),
    op.GetTrades: Answer(TRADES, {"time": [NS], "id": ["31"], "price": [Decimal(50_000)],
                                  "amount": [Decimal("0.1")], "side": ["sell"]}),
    op.GetDepth: Answer(DEPTH, {"side": ["bid", "ask"], "level": [0, 0],
                                "price": [Decimal(49), Decimal(51)], "amount": [Decimal(1)] * 2},
                        {"time": NS}),
    op.GetAccount: Answer(ACCOUNT, {"coin": ["BTC"], "available": [Decimal(1)],
                                    "locked": [Decimal("0.5")], "total": [Decimal("1.5")]},
                          {"total_usd": Decimal(75_000)}),
    op.PlaceOrder: "11", op.AmendOrder: "11", op.CancelOrder: None, op.CancelAllOrders: None,
    op.GetOrder: Answer(ORDERS, ORDER), op.GetOpenOrders: Answer(ORDERS, ORDER),
    op.GetOrderHistory: Answer(ORDERS, ORDER), op.GetMyTrades: Answer(FILLS, FILL),
}  # fmt: skip


class Served:
    """Our server's side, as ccxt's way to fetch."""

    def __init__(self) -> None:
        self.asked: list[op.Operation[Any]] = []
        self.error: e.CdcxError | None = None
        self.client = ccxt.cryptocom(
            {"apiKey": ME.key_for_the_wire(), "secret": "secretsecret", "enableRateLimit": False}
        )
        self.client.fetch = self.fetch

    def fetch(self, url: str, method: str, headers: Any = None, body: Any = None) -> Any:
        """Answer a question of ccxt's."""
        parts = urlsplit(url)
        path = parts.path.removeprefix("/exchange/v1")
        query = tuple(parse_qsl(parts.query))
        request = m.HttpRequest(method, path, query, body=(body or "").encode())  # type: ignore[arg-type]  # any verb
        operation = ref = None
        answer: Any
        try:
            operation, caller = X.decode_request(request, lambda _: ME.secret)
            ref = caller.ref if caller else None
            answer = self.error or ANSWERS[type(operation)]
            self.asked.append(operation)
        except e.CdcxError as error:
            answer = error
        response = X.encode_response(operation, answer, ref=ref)
        parsed, text = json.loads(response.body), response.body.decode()
        self.client.handle_errors(
            response.status, "", url, method, response.headers, text, parsed, headers, body
        )
        return parsed


@pytest.fixture
def served() -> Served:
    """Return ccxt, served by us, with our list of markets."""
    made = Served()
    made.client.load_markets()
    return made


def test_markets(served: Served) -> None:
    """It knows our list: kinds, coins, ticks."""
    spot, perp = served.client.market("BTC/USDT"), served.client.market("BTC/USD:USD")
    assert (spot["id"], spot["spot"], spot["precision"]["price"]) == ("BTC_USDT", True, 0.01)
    assert (perp["id"], perp["swap"], perp["contractSize"]) == ("BTCUSD-PERP", True, 1)
    ticker = served.client.fetch_ticker("BTC/USDT")
    assert (ticker["last"], ticker["timestamp"]) == (50_000, NS // 10**6)
    (bar,) = served.client.fetch_ohlcv("BTC/USDT", "1m", limit=5)
    assert bar == [1_700_000_040_000, 1, 1, 1, 1.5, 2]
    (trade,) = served.client.fetch_trades("BTC/USDT", limit=5)
    assert (trade["id"], trade["side"], trade["timestamp"]) == ("31", "sell", NS // 10**6)
    book = served.client.fetch_order_book("BTC/USDT", 10)
    assert (book["bids"], book["asks"]) == ([[49, 1, 1]], [[51, 1, 1]])


def test_accounts(served: Served) -> None:
    """Balances, orders and own trades, asked with its own signatures."""
    balance = served.client.fetch_balance()
    assert balance["BTC"] == {"free": 1, "used": 0.5, "total": 1.5}
    order = served.client.fetch_order("11", "BTC/USDT")
    assert (order["id"], order["status"], order["price"]) == ("11", "open", 50_000)
    assert served.client.fetch_open_orders("BTC/USDT")[0]["remaining"] == 0.1
    assert served.client.fetch_orders("BTC/USDT", limit=5)[0]["clientOrderId"] == "mine"
    (fill,) = served.client.fetch_my_trades("BTC/USDT", since=NS // 10**6, limit=5)
    assert (fill["takerOrMaker"], fill["fee"]["cost"]) == ("maker", 0.0001)


def test_orders(served: Served) -> None:
    """Placed, amended and cancelled as it says them; what it says too much is ignored."""
    client = served.client
    placed = client.create_order("BTC/USDT", "limit", "buy", 0.1, 50_000, {"postOnly": True})
    assert placed["id"] == "11"
    order = served.asked[-1]
    assert isinstance(order, op.PlaceOrder)
    assert (order.amount, order.price, order.post_only) == (Decimal("0.1"), Decimal(50_000), True)
    assert order.client_id  # named after the request
    client.create_order("BTC/USDT", "market", "sell", 0.1)
    assert isinstance(served.asked[-1], op.PlaceOrder)
    assert served.asked[-1].type == "market"
    client.edit_order("11", "BTC/USDT", "limit", "buy", 0.2, 51_000)
    assert served.asked[-1] == op.AmendOrder(Decimal("0.2"), Decimal(51_000), "11")
    client.cancel_order("11", "BTC/USDT")
    assert served.asked[-1] == op.CancelOrder("11")
    client.cancel_all_orders("BTC/USDT")
    assert served.asked[-1] == op.CancelAllOrders("btcusdt")


ERRORS = {
    e.InsufficientFunds: ccxt.InsufficientFunds,
    e.OrderNotFound: ccxt.ExchangeError,  # it has no word for 316, "no active order"
    e.AuthError: ccxt.AuthenticationError,
    e.RateLimited: ccxt.RateLimitExceeded,
    e.BelowMinimum: ccxt.InvalidOrder,
    e.BadRequest: ccxt.BadRequest,
}


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_errors(served: Served, kind: type[e.CdcxError]) -> None:
    """What we refuse it understands as what it is."""
    served.error = kind("no")
    with pytest.raises(ERRORS[kind]):
        served.client.cancel_order("11", "BTC/USDT")


def test_a_wrong_secret_is_refused(served: Served) -> None:
    """By its own signature."""
    served.client.secret = "another"
    with pytest.raises(ccxt.AuthenticationError):
        served.client.fetch_balance()
