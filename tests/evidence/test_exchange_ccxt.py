"""What ccxt's own parsers make of the same recorded bytes, offline, field by field.

Where it says something else, the test says why and who is right.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest

from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.channels import OrderChannel
from cdcx_pandas.messages import HttpResponse
from cdcx_pandas.tables import Answer
from tests.evidence.exchange_files import MS, knowing, loaded, recorded, rows_of
from tests.evidence.test_exchange_account import answer_of, calls, question_of

pytestmark = pytest.mark.evidence

_INDEXED: dict[Path, Any] = {}


@pytest.fixture
def theirs(evidence: Path) -> Any:
    """Return ccxt with the 930 recorded instruments, and no network."""
    if evidence not in _INDEXED:
        exchange = ccxt.cryptocom()
        ((_, rows),) = recorded(evidence, "get_pairs")
        body = json.loads(rows_of(rows).body)
        exchange.v1PublicGetPublicGetInstruments = lambda _: body
        exchange.set_markets(exchange.fetch_markets())
        _INDEXED[evidence] = exchange
    return _INDEXED[evidence]


def ours(evidence: Path, question: op.Operation[Answer], response: HttpResponse) -> Answer:
    """Read an answer as a user gets it: numbers are floats."""
    return knowing(evidence).decode_response(question, response)


def rows(answer: Answer) -> Iterator[dict[str, Any]]:
    """Yield an answer row by row."""
    for at in range(len(answer)):
        yield {name: values[at] for name, values in answer.columns.items()}


def test_markets(evidence: Path, theirs: Any) -> None:
    """Coins, kinds, ticks, expiry and whether they trade, of all 930."""
    ((_, listed),) = recorded(evidence, "get_pairs")
    answer = ours(evidence, op.GetSymbols(), rows_of(listed))
    kinds = {"spot": "spot", "swap": "perp", "future": "future"}
    for row in rows(answer):
        (market,) = theirs.markets_by_id[row["venue_symbol"]]
        # ccxt says coins in its own words: a few it renames, with the exchange's in `...Id`.
        assert (market["baseId"], market["quoteId"]) == (row["base"], row["quote"])
        assert kinds[market["type"]] == row["kind"]
        assert market["precision"]["price"] == row["price_tick"]
        assert market["precision"]["amount"] == row["amount_tick"]
        assert market["active"] == row["tradable"]
        assert (market["expiry"] or 0) * MS == (row["expires"] or 0)
        # ccxt knows no smallest amount; the documents say that it is the tick.
        assert market["limits"]["amount"]["min"] in {None, row["amount_min"]}


def test_tickers(evidence: Path, theirs: Any) -> None:
    """All 930."""
    ((_, listed),) = recorded(evidence, "get_tickers")
    answer = ours(evidence, op.GetTickers(), rows_of(listed))
    for row, raw in zip(rows(answer), listed, strict=True):
        ticker = theirs.parse_ticker(raw)
        assert ticker["timestamp"] * MS == row["time"]
        assert ticker["baseVolume"] == row["volume"]
        assert ticker["quoteVolume"] == row["quote_volume"]
        # A fraction, which ccxt calls a percentage and leaves as it is. It takes a change of zero
        # for none; a market that did not move changed by 0.
        assert (ticker["percentage"] or 0) == row["change"]
        names = {"last": "last", "bid": "bid", "ask": "ask", "high": "high", "low": "low"}
        for name in names:
            assert ticker[name] == row[name], (name, raw)


@pytest.mark.parametrize("name", ["get_candles_count", "get_candles_no_duplicates"])
def test_candles(evidence: Path, theirs: Any, name: str) -> None:
    """Every candle of every page."""
    for _, listed in recorded(evidence, name):
        answer = ours(evidence, op.GetKlines("cloudusd", "1day"), rows_of(listed))
        for row, raw in zip(rows(answer), listed, strict=True):
            time, *bar = theirs.parse_ohlcv(raw)
            assert time * MS == row["time"]
            assert bar == [row[key] for key in ("open", "high", "low", "close", "volume")]


def test_trades(evidence: Path, theirs: Any) -> None:
    """Every trade; ccxt stops at milliseconds, and sorts equal ones its own way."""
    for _, listed in recorded(evidence, "get_trades"):
        answer = ours(evidence, op.GetTrades("crousdt"), rows_of(listed))
        parsed = {trade["id"]: trade for trade in theirs.parse_trades(listed)}
        assert len(parsed) == len(answer) == len(listed)
        for row in rows(answer):
            trade = parsed[row["id"]]
            assert trade["timestamp"] == row["time"] // MS
            assert (trade["price"], trade["amount"]) == (row["price"], row["amount"])
            assert trade["side"] == row["side"]
            assert trade["symbol"] == "CRO/USDT"


def test_books(evidence: Path, theirs: Any) -> None:
    """Both sides, level by level."""
    ((_, listed),) = recorded(evidence, "get_orderbook")
    answer = ours(evidence, op.GetDepth("crousdt"), rows_of(listed))
    book = theirs.parse_order_book(listed[0], "CRO/USDT", listed[0]["t"])
    assert book["timestamp"] * MS == answer.facts["time"]
    for side, key in (("bid", "bids"), ("ask", "asks")):
        mine = [[r["price"], r["amount"]] for r in rows(answer) if r["side"] == side]
        assert mine == [level[:2] for level in book[key]]


def _order_alike(order: Any, row: dict[str, Any]) -> None:
    """Compare one order."""
    assert order["id"] == row["id"]
    assert order["clientOrderId"] == row["client_id"]
    assert order["side"] == row["side"]
    assert order["type"] == row["type"]
    assert order["timestamp"] == row["created"] // MS
    assert order["lastTradeTimestamp"] * MS == row["updated"]
    assert order["timeInForce"] == row["time_in_force"].upper()
    assert order["filled"] == row["filled"]
    assert order["cost"] == row["cost"]
    assert order["fee"] == {"currency": row["fee_coin"], "cost": row["fee"]}
    # Before a fill ccxt says 0 or nothing; there is no average of nothing.
    assert (order["average"] or None) == row["average"]
    if row["type"] == "limit":
        assert order["price"] == row["price"]
    else:
        # ccxt puts the average where a market order has no price.
        assert row["price"] is None
        assert order["price"] == row["average"]
    if row["spend"] is None:
        assert order["amount"] == row["amount"]
        assert order["remaining"] == row["remaining"]
    else:
        # Told in money: ccxt takes the venue's guess at the amount for the amount, and what
        # follows from it for what remains, be it negative. Nobody ordered an amount.
        assert (row["amount"], row["remaining"]) == (None, None)
        assert order["amount"] == row["estimate"]
    words = {"open": "open", "partial": "open", "filled": "closed", "canceled": "canceled"}
    if row["spend"] is not None and order["status"] == "canceled":
        # ccxt repeats the wire's CANCELED of an order that bought all its money could.
        assert row["status"] == "filled"
        assert order["filled"] > 0
    else:
        assert order["status"] == words[row["status"]]


def test_orders(evidence: Path, theirs: Any) -> None:
    """Every recorded order, over HTTP and on the stream."""
    compared = 0
    for call in calls(evidence):
        if "order-detail" not in call["method"] and "get-o" not in call["method"]:
            continue
        answer = ours(evidence, question_of(call["method"], call["params"]), answer_of(call))
        raw = call["result_or_data"]
        listed = {o["order_id"]: o for o in (raw if isinstance(raw, list) else [raw])}
        for row in rows(answer):
            _order_alike(theirs.parse_order(listed[row["id"]]), row)
            compared += 1
    for frame in loaded(evidence, "ws-user.capture.json")["frames"]:
        told = {"id": -1, "method": "subscribe", "code": 0, "result": frame["result"]}
        news = knowing(evidence).decode_frame(json.dumps(told))
        assert isinstance(news, m.Update)
        if isinstance(news.channel, OrderChannel):
            for row, raw in zip(rows(news.answer), frame["result"]["data"], strict=True):
                _order_alike(theirs.parse_order(raw), row)
                compared += 1
    assert compared > 15


def test_own_trades(evidence: Path, theirs: Any) -> None:
    """Fees turn their sign in both."""
    (call,) = [call for call in calls(evidence) if call["method"] == "private/get-trades"]
    answer = ours(evidence, op.GetMyTrades(), answer_of(call))
    parsed = {trade["id"]: trade for trade in theirs.parse_trades(call["result_or_data"])}
    for row in rows(answer):
        trade = parsed[row["id"]]
        assert trade["order"] == row["order_id"]
        assert trade["timestamp"] == row["time"] // MS
        assert (trade["price"], trade["amount"]) == (row["price"], row["amount"])
        assert (trade["side"], trade["takerOrMaker"]) == (row["side"], row["role"])
        assert trade["cost"] == pytest.approx(row["cost"], rel=1e-15)
        assert trade["fee"] == {"currency": row["fee_coin"], "cost": row["fee"]}


def test_balances(evidence: Path, theirs: Any) -> None:
    """Free, used and total of every coin."""
    (call,) = [call for call in calls(evidence) if call["method"] == "private/user-balance"]
    response = answer_of(call)
    answer = ours(evidence, op.GetAccount(), response)
    balance = theirs.parse_balance(json.loads(response.body))
    for row in rows(answer):
        coin = theirs.safe_currency_code(row["coin"])
        assert balance[coin] == {
            "free": row["available"], "used": row["locked"], "total": row["total"],
        }  # fmt: skip
