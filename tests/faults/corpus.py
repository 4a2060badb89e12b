"""Sound frames of both dialects: recorded ones where they are, and those our encoders write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal as D  # noqa: N817  # the tables below are read as numbers
from functools import cache
from typing import Any

from cdcx_pandas import messages as m
from cdcx_pandas.channels import DepthChannel, KlineChannel, TickerChannel, TradeChannel
from cdcx_pandas.dialects.base import Dialect
from cdcx_pandas.dialects.exchange import DIALECT as EXCHANGE
from cdcx_pandas.dialects.v1 import DIALECT as V1
from cdcx_pandas.dialects.v1 import stream as v1_stream
from cdcx_pandas.tables import DEPTH, KLINES, TICKERS, TRADES, Answer
from tests.conftest import EVIDENCE

MS = 10**6
BEGIN = 1_754_000_040_000 * MS
SYMBOLS = {"btcusdt": "BTC_USDT", "btcusd": "BTC_USD", "btcusd-perp": "BTCUSD-PERP"}
WATCHED = {"v1": ("btcusdt", "vdsusdt", "adausdt"), "exchange": tuple(SYMBOLS)}
"""Markets of which there are frames."""
DIALECTS: dict[str, Dialect] = {
    "v1": V1,
    "exchange": EXCHANGE.knowing({"symbol": list(SYMBOLS), "venue_symbol": list(SYMBOLS.values())}),
}
BOOK = {"side": ["bid", "bid", "ask", "ask"], "level": [0, 1, 0, 1],
        "price": [D("99.5"), D(99), D(100), D("100.5")], "amount": [D(1), D(2), D(3), D(4)],
        "orders": [1, 2, 3, 4]}  # fmt: skip
CHANGE = {"side": ["bid", "ask"], "level": [None, None], "price": [D(99), D("100.5")],
          "amount": [D(0), D(7)], "orders": [0, 1]}  # fmt: skip
USER = """
{"id":1,"method":"public/auth","code":0}
{"id":1,"method":"public/auth","code":40101,"message":"Unauthorized"}
{"id":2,"method":"subscribe","code":0,"channel":"user.order"}
{"id":-1,"method":"subscribe","code":0,"result":{"subscription":"user.order","channel":"user.order","data":[{"account_id":"a","order_id":"5755600460443882762","client_oid":"c1","order_type":"LIMIT","time_in_force":"GOOD_TILL_CANCEL","side":"BUY","exec_inst":[],"quantity":"0.0500","limit_price":"64000.5","order_value":"3200","maker_fee_rate":"0.0005","taker_fee_rate":"0.0007","avg_price":"0","cumulative_quantity":"0","cumulative_value":"0","cumulative_fee":"0","status":"ACTIVE","update_user_id":"u","order_date":"2026-06-21","instrument_name":"BTC_USDT","fee_instrument_name":"USD","create_time":1782032455141,"create_time_ns":"1782032455141000001","update_time":1782032455141}]}}
{"id":-1,"method":"subscribe","code":0,"result":{"subscription":"user.trade","channel":"user.trade","data":[{"account_id":"a","event_date":"2026-06-21","journal_type":"TRADING","traded_quantity":"0.0500","traded_price":"64000.5","fees":"-0.1","order_id":"19708564","trade_id":"38554669","trade_match_id":"76423","client_oid":"c1","taker_side":"TAKER","side":"SELL","instrument_name":"BTC_USDT","fee_instrument_name":"USD","create_time":1782032455141,"create_time_ns":"1782032455141000001"}]}}
{"id":-1,"method":"subscribe","code":0,"result":{"subscription":"user.balance","channel":"user.balance","data":[{"total_available_balance":"6.46","total_cash_balance":"17.76","instrument_name":"USD","position_balances":[{"instrument_name":"BTC","quantity":"0.5","market_value":"32000","reserved_qty":"0.1","max_withdrawal_balance":"0.4","collateral_eligible":"true","haircut":"0.1","collateral_amount":"28000"}]}]}}
{"id":-1,"method":"unsubscribe","code":0}
{"id":7,"method":"subscribe","code":40003,"message":"Unknown symbol","channel":"trade.NO_SUCH"}
"""


def _updates(symbol: str, *, has_changes: bool) -> Iterator[m.Message]:
    """Yield news of all kinds, a few of each, as a market would tell them."""
    levels = 50 if has_changes else None
    depth = DepthChannel(symbol, levels=levels)
    for n in range(3):
        at = BEGIN + n * 250 * MS
        count = n + 1
        trades: dict[str, list[Any]] = {
            "id": [str(5000 + 10 * n + i) for i in range(count)], "price": [D("99.75")] * count,
            "amount": [D("0.125")] * count, "time": [at] * count, "side": ["buy"] * count,
        }  # fmt: skip
        bar: dict[str, list[Any]] = {
            "time": [BEGIN // (60_000 * MS) * 60_000 * MS], "open": [D(99)], "high": [D(101)],
            "low": [D(98)], "close": [D(100)], "volume": [D("12.5")],
        }  # fmt: skip
        ticker: dict[str, list[Any]] = {
            name: [D(100)] for name in ("last", "bid", "ask", "high", "low", "volume")
        } | {"symbol": [symbol], "change": [D("0.01")], "time": [at]}
        if has_changes:
            trades["match_id"], bar["updated"] = trades["id"], [at]
        yield m.Update(TradeChannel(symbol), Answer(TRADES, trades), "delta", at)
        yield m.Update(KlineChannel(symbol, "1min"), Answer(KLINES, bar), time=at)
        yield m.Update(TickerChannel(symbol), Answer(TICKERS, ticker), time=at)
        numbers = (100 + n, 99 + n) if has_changes else (None, None)
        if n == 0:
            facts = {"time": at} if has_changes else {}
            yield m.Update(depth, Answer(DEPTH, BOOK, facts), "snapshot", at, None, numbers[0])
        elif has_changes:
            yield m.Update(depth, Answer(DEPTH, CHANGE, {"time": at}), "delta", at, None, *numbers)
        else:
            one = {name: values[:1] for name, values in CHANGE.items()}
            yield m.Update(depth, Answer(DEPTH, one), "delta", at)
    yield m.Heartbeat(BEGIN // MS)
    yield m.Subscribed(depth, "3", BEGIN)
    yield m.Refused("Unknown symbol", "3")


def _walked(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all objects in a JSON value."""
    if isinstance(value, dict):
        yield value
    for inner in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from _walked(inner)


def _recorded(dialect: str) -> Iterator[str]:
    """Yield recorded frames, where they are here."""
    folder, pattern = EVIDENCE / dialect, "ws*.json" if dialect == "exchange" else "**/*.json"
    for path in sorted(folder.glob(pattern)):
        for found in _walked(json.loads(path.read_text("utf-8"))):
            if dialect == "exchange" and found.get("method") and "id" in found:
                yield json.dumps(found)
            elif dialect == "exchange" and isinstance(found.get("result"), dict):
                framed = {"id": -1, "method": "subscribe", "code": 0, "result": found["result"]}
                yield json.dumps(framed)
            elif dialect == "v1" and found.keys() & {"event_rep", "ping", "tick", "event"}:
                yield json.dumps(found)


@cache
def texts(dialect: str) -> tuple[str, ...]:
    """Return sound frames as JSON texts; V1's are packed on their way."""
    speaks = DIALECTS[dialect]
    found = list(_recorded(dialect))
    for message in _updates("btcusdt", has_changes=dialect == "exchange"):
        frame = speaks.encode_frame(message)
        found.append(frame if isinstance(frame, str) else v1_stream.unpack(frame).decode())
    if dialect == "exchange":
        found += USER.strip().splitlines()
    return tuple(text for text in found if len(text) < 20_000)
