"""Lines to paste into a shell: every call of both wires, the signed ones signing themselves.

What a person needs to try an exchange without a program: `curl`, `sha256sum` and `openssl`.
Nothing here is used by the sandbox itself.
"""

from __future__ import annotations

import json
import re
from typing import Any

_MARKET_CALLS = (
    "/v1/symbols",
    "/v1/ticker",
    "/v1/ticker?symbol=btcusdt",
    "/v1/ticker/price",
    "/v1/klines?symbol=btcusdt&period=60",
    "/v1/trades?symbol=btcusdt",
    "/v1/depth?symbol=btcusdt&type=step0",
)
_SIGNED_CALLS = (
    ("/v1/account", ""),
    ("/v1/order", "price={price}&side=BUY&symbol=btcusdt&type=1&volume=0.01"),
    ("/v1/openOrders", "symbol=btcusdt"),
    ("/v1/allOrders", "symbol=btcusdt"),
    ("/v1/myTrades", "symbol=btcusdt"),
    ("/v1/showOrder", "order_id={id}&symbol={symbol}"),
    ("/v1/orders/cancel", "order_id={id}&symbol={symbol}"),
    ("/v1/cancelAllOrders", "symbol=btcusdt"),
)

_TODAYS_MARKET_CALLS = (
    "public/get-instruments",
    "public/get-tickers?instrument_name=BTC_USDT",
    "public/get-book?instrument_name=BTC_USDT&depth=10",
    "public/get-candlestick?instrument_name=BTC_USDT&timeframe=1h&count=10",
    "public/get-trades?instrument_name=BTC_USDT&count=10",
    "public/get-valuations?instrument_name=BTCUSD-PERP&valuation_type=funding_hist&count=10",
)
_NAME = "from-a-shell"
_TODAYS_SIGNED_CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("user-balance", {}),
    (
        "create-order",
        {
            "instrument_name": "BTC_USDT",
            "side": "BUY",
            "type": "LIMIT",
            "price": "{price}",
            "quantity": "0.01",
            "client_oid": _NAME,
        },
    ),
    ("get-order-detail", {"client_oid": _NAME}),
    ("get-open-orders", {"instrument_name": "BTC_USDT"}),
    (
        "amend-order",
        {
            "orig_client_oid": _NAME,
            "client_oid": _NAME,
            "new_price": "{price}",
            "new_quantity": "0.02",
        },
    ),
    ("cancel-order", {"client_oid": _NAME}),
    ("cancel-all-orders", {"instrument_name": "BTC_USDT"}),
    ("get-order-history", {"limit": 10}),
    ("get-trades", {"limit": 10}),
    ("get-transactions", {"limit": 10}),
    ("get-positions", {}),
    ("get-fee-rate", {}),
    ("get-instrument-fee-rate", {"instrument_name": "BTC_USDT"}),
    ("user-balance-history", {"timeframe": "D1"}),
)


def curl_lines(rest: str) -> list[str]:
    """Return a line for every market call of V1."""
    return [f"curl -s '{rest}{call}'" for call in _MARKET_CALLS]


def todays_curl_lines(rest: str) -> list[str]:
    """Return a line for every market call of today's exchange."""
    return [f"curl -s '{rest}/{call}'" for call in _TODAYS_MARKET_CALLS]


def signed_curl_lines(
    rest: str, key: str, secret: str, clock: dict[str, Any], examples: dict[str, str] | None = None
) -> list[str]:
    """Return a shell line for every signed call, which signs itself with the time of its run.

    `examples` may name the `price` of a new order, and `id` and `symbol` of the order that is
    shown and cancelled.
    """
    words = {"price": "1000", "id": "ID", "symbol": "btcusdt"} | (examples or {})
    return [
        _signed_line(rest + path, query.format(**words), key, secret, clock)
        for path, query in _SIGNED_CALLS
    ]


def _signed_line(url: str, query: str, key: str, secret: str, clock: dict[str, Any]) -> str:
    """Sort the parameters' names, join names and values, append the secret, hash."""
    params = dict(re.findall(r"(\w+)=(\w+(?:\.\w+)?)", query)) | {"api_key": key, "time": "$t"}
    joined = "".join(f"{name}{params[name]}" for name in sorted(params))
    joined = joined.replace("$t", "${t}")
    form = "&".join(f"{name}={value}" for name, value in params.items())
    return (
        f't={_now(clock)}; s=$(printf %s "{joined}{secret}" | sha256sum | cut -d" " -f1);'
        f' curl -s {url} -d "{form}&sign=$s"'
    )


def todays_signed_curl_lines(
    rest: str, key: str, secret: str, clock: dict[str, Any], price: str = "1000"
) -> list[str]:
    """Return a line for signed calls of today's exchange: an order's life, and what may be read."""
    lines = []
    for name, params in _TODAYS_SIGNED_CALLS:
        filled = {k: price if v == "{price}" else v for k, v in params.items()}
        lines.append(_todays_signed_line(rest, f"private/{name}", filled, (key, secret), clock))
    return lines


def _todays_signed_line(
    rest: str, method: str, params: dict[str, Any], pair: tuple[str, str], clock: dict[str, Any]
) -> str:
    """Join method, id, key, sorted parameters and time; HMAC them with the secret."""
    key, secret = pair
    joined = "".join(f"{name}{params[name]}" for name in sorted(params))
    head = json.dumps({"id": 1, "method": method, "api_key": key, "params": params})[:-1]
    return (
        f't={_now(clock)}; s=$(printf %s "{method}1{key}{joined}$t"'
        f' | openssl dgst -sha256 -hmac "{secret}" | sed "s/.* //");'
        f" curl -s {rest}/{method} -H 'Content-Type: application/json'"
        f""" -d '{head}, "nonce": '"$t"', "sig": "'"$s"'"}}'"""
    )


def _now(clock: dict[str, Any]) -> str:
    """Return what a shell computes the sandbox's time with, in ms."""
    if clock["speed"] == 1 and clock["at"] == clock["since"]:
        return "$(date +%s%3N)"
    at, since, speed = clock["at"], clock["since"], clock["speed"]
    return f"$(( ({at} + ($(date +%s%N) - {since}) * {round(speed * 1000)} / 1000) / 1000000 ))"
