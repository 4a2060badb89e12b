"""Every recorded answer of today's exchange is read rightly, and written as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal as D  # noqa: N817  # the tables below are read as numbers
from pathlib import Path
from typing import Any

import pytest

from cdcx_pandas import errors as e
from cdcx_pandas import operations as op
from cdcx_pandas.dialects.exchange import DIALECT, answers
from cdcx_pandas.dialects.exchange.wire import PERIODS, TIMEFRAMES, UNMODELLED
from cdcx_pandas.frames.schema import check, to_frame
from cdcx_pandas.messages import HttpResponse
from cdcx_pandas.tables import Answer
from tests.evidence.exchange_files import (
    MS,
    knowing,
    loaded,
    number,
    recorded,
    response_of,
    rows_of,
)
from tests.evidence.wire_files import differences, parsed

pytestmark = pytest.mark.evidence

CANDLES = [
    "get_candles-15m-None-None-300-300", "get_candles-15m-None-None-300",
    "get_candles-1D-1780272000-1782864000-30-None", "get_candles-1D-1780272000-1782864000-30",
    "get_candles_count", "get_candles_no_duplicates", "get_candles_start_end_verification",
    "get_candles_with_time_boundaries-15m-1782259200-1783123199-5",
    "get_candles_with_time_boundaries-1D-1782604800-1782691199-1",
]  # fmt: skip
TRADES = ["get_trades", "get_trades_no_duplicates"]


def floats(values: list[Any]) -> list[Any]:
    """Return the values as the plain reader gives them."""
    return [float(value) if isinstance(value, D) else value for value in values]


def read_twice(evidence: Path, question: op.Operation[Answer], response: HttpResponse) -> Answer:
    """Read an answer exactly; the plain reading must be the same in floats, and fit its table."""
    dialect = knowing(evidence)
    exact = dialect.decode_response(question, response, exact=True)
    plain = dialect.decode_response(question, response)
    for name, values in exact.columns.items():
        assert plain.columns[name] == floats(values), name
    table = type(question).table
    assert table is not None
    check(table, to_frame(table, plain.columns))
    return exact


def written_rows(evidence: Path, question: op.Operation[Answer], answer: Answer) -> Any:
    """Return the rows that are written for an answer."""
    return parsed(knowing(evidence).encode_response(question, answer).body)["result"]["data"]


# ------------------------------------------------------------------------------- instruments


def test_the_whole_list_of_instruments_is_read_and_written(evidence: Path) -> None:
    """All 930 rows, value by value; ticks as told, not made from decimals."""
    ((_, rows),) = recorded(evidence, "get_pairs")
    question = op.GetSymbols()
    answer = read_twice(evidence, question, rows_of(rows))
    kinds = {"CCY_PAIR": "spot", "PERPETUAL_SWAP": "perp", "FUTURE": "future"}
    assert answer.columns == {
        "symbol": answer.columns["symbol"],
        "venue_symbol": [row["symbol"] for row in rows],
        "base": [row["base_ccy"] for row in rows],
        "quote": [row["quote_ccy"] for row in rows],
        "kind": [kinds[row["inst_type"]] for row in rows],
        "price_tick": [D(row["price_tick_size"]) for row in rows],
        "amount_tick": [D(row["qty_tick_size"]) for row in rows],
        "amount_min": [D(row["qty_tick_size"]) for row in rows],
        "price_precision": [row["quote_decimals"] for row in rows],
        "amount_precision": [row["quantity_decimals"] for row in rows],
        "tradable": [row["tradable"] for row in rows],
        "expires": [row["expiry_timestamp_ms"] * MS or None for row in rows],
    }
    shib = answer.columns["venue_symbol"].index("SHIB_USD")
    assert answer.columns["amount_precision"][shib] == 0
    assert answer.columns["amount_tick"][shib] == 10_000
    written = written_rows(evidence, question, answer)
    recorded_rows = parsed(json.dumps(rows))
    assert differences(recorded_rows, written, {"": UNMODELLED["symbol"]}) == []


def test_our_names_of_all_instruments_are_unique_and_lead_back(evidence: Path) -> None:
    """A spot market loses its underscore; everything else keeps its own name."""
    ((_, rows),) = recorded(evidence, "get_pairs")
    names = knowing(evidence).names
    theirs = [row["symbol"] for row in rows]
    ours = names.all_ours(theirs)
    assert len(set(ours)) == len(theirs) == 930
    assert [names.theirs(name) for name in ours] == theirs
    assert [names.ours(name) for name in theirs] == ours
    said = dict(zip(theirs, ours, strict=True))
    assert said["BTC_USDT"] == "btcusdt"
    assert said["BTCUSD-PERP"] == "btcusd-perp"
    assert said["BTCUSD-261225"] == "btcusd-261225"
    assert said["SHIB_BTC@OEX_HK"] == "shib_btc@oex_hk"
    assert said["1INCH_USD"] == "1inchusd"


# ---------------------------------------------------------------------------------- tickers


def test_all_tickers_are_read_and_written(evidence: Path) -> None:
    """All 930 rows; a third of them has no open interest, some no bid or ask."""
    ((_, rows),) = recorded(evidence, "get_tickers")
    question = op.GetTickers()
    answer = read_twice(evidence, question, rows_of(rows))
    keys = {"last": "a", "bid": "b", "ask": "k", "high": "h", "low": "l", "volume": "v",
            "volume_usd": "vv", "change": "c", "open_interest": "oi"}  # fmt: skip
    for name, key in keys.items():
        assert answer.columns[name] == [number(row[key]) for row in rows], name
    assert answer.columns["time"] == [row["t"] * MS for row in rows]
    assert [row["oi"] for row in rows].count(None) > 300
    assert None in answer.columns["bid"]
    in_usd = [row["i"].endswith("_USD") or "USD-" in row["i"] for row in rows]
    assert answer.columns["quote_volume"] == [
        D(row["vv"]) if usd else None for row, usd in zip(rows, in_usd, strict=True)
    ]
    assert 0 < sum(in_usd) < len(rows)
    written = written_rows(evidence, question, answer)
    assert differences(parsed(json.dumps(rows)), written) == []


def test_one_ticker_is_its_row(evidence: Path) -> None:
    """The ticker of CRO_USDT: money in USD is not money in USDT."""
    ((_, rows),) = recorded(evidence, "get_price")
    answer = read_twice(evidence, op.GetTicker("crousdt"), rows_of(rows))
    assert answer.columns["symbol"] == ["crousdt"]
    assert answer.columns["last"] == [D("0.04713")]
    assert answer.columns["change"] == [D("-0.0101")]
    assert answer.columns["quote_volume"] == [None]
    assert answer.columns["volume_usd"] == [D("88765.71")]


# ----------------------------------------------------------------------------------- klines


@pytest.mark.parametrize("name", CANDLES)
def test_recorded_candles_are_read_and_written(evidence: Path, name: str) -> None:
    """Every page, value by value, by the fast reader as well."""
    count = 0
    for query, rows in recorded(evidence, name):
        period = TIMEFRAMES[query["timeframe"]]
        symbol = query["instrument_name"].replace("_", "").lower()
        question = op.GetKlines(symbol, period)
        response = rows_of(rows, interval=query["timeframe"])
        answer = read_twice(evidence, question, response)
        keys = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
        expected = {ours: [D(row[theirs]) for row in rows] for ours, theirs in keys.items()}
        assert answer.columns == {"time": [row["t"] * MS for row in rows]} | expected
        fast = answers._fast(question, response.body)
        assert (fast is not None) is bool(rows)
        assert differences(parsed(json.dumps(rows)), written_rows(evidence, question, answer)) == []
        count += len(rows)
    assert count > 0


# ----------------------------------------------------------------------------------- trades


@pytest.mark.parametrize("name", TRADES)
def test_recorded_trades_are_read_and_written(evidence: Path, name: str) -> None:
    """Every page: ascending, to the nanosecond, equal times by id."""
    count = 0
    for _, rows in recorded(evidence, name):
        question, response = op.GetTrades("crousdt"), rows_of(rows)
        answer = read_twice(evidence, question, response)
        ordered = sorted(rows, key=lambda row: (row["tn"], int(row["d"])))
        assert answer.columns == {
            "id": [row["d"] for row in ordered],
            "price": [D(row["p"]) for row in ordered],
            "amount": [D(row["q"]) for row in ordered],
            "time": [row["tn"] for row in ordered],
            "side": [row["s"] for row in ordered],
            "match_id": [row["m"] for row in ordered],
        }
        assert all(type(stamp) is int for stamp in answer.columns["time"])
        assert answers._fast(question, response.body) is not None
        written = written_rows(evidence, question, answer)
        assert differences(parsed(json.dumps(rows)), written) == []
        count += len(rows)
    assert count >= 600


def test_recorded_trades_rebuild_the_recorded_candle(evidence: Path) -> None:
    """Open, high, low, close and volume are those of the 123 trades, to the last digit."""
    capture = loaded(evidence, "rest-candle-equals-trades.capture.json")
    trades = knowing(evidence).decode_response(
        op.GetTrades("btcusd"), rows_of(capture["trades"]), exact=True
    )
    bars = knowing(evidence).decode_response(
        op.GetKlines("btcusd", "5min"), rows_of(capture["candles"]), exact=True
    )
    assert len(trades) == 123
    bar = {name: values[1] for name, values in bars.columns.items()}
    assert min(trades.columns["time"]) >= bar["time"]
    assert max(trades.columns["time"]) < bar["time"] + 300 * 10**9
    prices, amounts = trades.columns["price"], trades.columns["amount"]
    assert (prices[0], max(prices), min(prices), prices[-1], sum(amounts)) == tuple(
        bar[name] for name in ("open", "high", "low", "close", "volume")
    )


# ------------------------------------------------------------------------------------- book


def test_the_recorded_book_is_read_and_written(evidence: Path) -> None:
    """Both sides best first, with the numbers of orders."""
    ((query, rows),) = recorded(evidence, "get_orderbook")
    question = op.GetDepth("crousdt", levels=int(query["depth"]))
    answer = read_twice(evidence, question, rows_of(rows, depth=50))
    bids, asks = rows[0]["bids"], rows[0]["asks"]
    assert answer.columns == {
        "side": ["bid"] * len(bids) + ["ask"] * len(asks),
        "level": [*range(len(bids)), *range(len(asks))],
        "price": [D(level[0]) for level in bids + asks],
        "amount": [D(level[1]) for level in bids + asks],
        "orders": [int(level[2]) for level in bids + asks],
    }
    assert answer.facts == {"time": rows[0]["t"] * MS}
    assert differences(parsed(json.dumps(rows)), written_rows(evidence, question, answer)) == []


# --------------------------------------------------------------------------- whole envelopes

ASKED: dict[str, op.Operation[Any]] = {
    "public/get-instruments": op.GetSymbols(),
    "public/get-tickers": op.GetTickers(),
    "public/get-book": op.GetDepth("btcusd", levels=5),
    "public/get-candlestick": op.GetKlines("btcusd", "1min"),
    "public/get-trades": op.GetTrades("btcusd"),
}


def test_live_envelopes_are_read_and_written_as_they_were(evidence: Path) -> None:
    """The bodies of June 2026, whole; the id of a public answer says nothing."""
    bodies = loaded(evidence, "rest-public.live-envelopes.json")["cryptocogs_2026_06"]
    for case in bodies:
        body = case["body"]
        question = ASKED[body["method"]]
        answer = read_twice(evidence, question, HttpResponse(200, json.dumps(body).encode()))
        assert len(answer)
        written = parsed(knowing(evidence).encode_response(question, answer, ref="1").body)
        left_out = {".result.data": UNMODELLED["symbol"]}
        assert differences(parsed(json.dumps(body)), written, left_out) == []


def test_older_bodies_are_read(evidence: Path) -> None:
    """Bodies of 2023 and 2024: no open interest, no nanoseconds, no match ids, other order."""
    book, ticker, candle, trade = loaded(evidence, "rest-public.live-envelopes.json")[
        "ccxt_static_response_2024"
    ]
    depth = read_twice(evidence, op.GetDepth("btcusdt"), _whole(book))
    assert depth.columns["price"][0] == D("44238.31")
    assert depth.columns["price"][5] == D("44238.32")
    one = read_twice(evidence, op.GetTicker("btcusdt"), _whole(ticker))
    assert one.columns["open_interest"] == [None]
    bars = read_twice(evidence, op.GetKlines("btcusdt", "1hour"), _whole(candle))
    assert bars.columns["close"] == [D("73411.02")]
    rows = read_twice(evidence, op.GetTrades("xrpusdt"), rows_of([trade["row"]]))
    assert rows.columns["time"] == [1700184682582 * MS]
    assert rows.columns["match_id"] == [None]


def _whole(case: dict[str, Any]) -> HttpResponse:
    return HttpResponse(200, json.dumps(case["body"]).encode())


def test_recorded_refusals_are_their_exceptions(evidence: Path) -> None:
    """Bodies that hold only code and message, and the framework's own 404."""
    cases = loaded(evidence, "rest-public.error-bodies.json")["cases"]
    for case in cases:
        kind = e.NotFound if case["http"] == 404 else e.BadRequest
        response = HttpResponse(case["http"], json.dumps(case["body"]).encode())
        with pytest.raises(kind) as caught:
            knowing(evidence).decode_response(op.GetDepth("btcusd"), response)
        assert type(caught.value) is kind
        assert caught.value.http_status == case["http"]
        assert caught.value.code == (None if kind is e.NotFound else "40004")
        assert case["body"].get("message", "Not Found") in str(caught.value)


# --------------------------------------------------------------------- documents' own examples


def documented(evidence: Path) -> Iterator[tuple[str, HttpResponse]]:
    """Yield the examples of the documents: question and answer."""
    examples = loaded(evidence, "official-docs.examples.json")["examples"]
    for path, example in examples.items():
        yield path, HttpResponse(200, json.dumps(example["response_200"]).encode())
    for file in sorted((evidence / "exchange" / "documented").glob("*/*.txt")):
        lines = file.read_text(encoding="utf-8").split("\n", 3)
        if lines[0] in {"GET", "POST"} and len(lines) == 4:
            path = lines[1].split("?")[0].removeprefix("/exchange/v1")
            yield path, HttpResponse(200, lines[3].encode())


ORDER = op.PlaceOrder("btcusdt", "buy", "limit", D(1), price=D(1), client_id="a")
OUT_OF_SCOPE = {
    "/private/get-accounts", "/private/get-account-settings", "/private/close-position",
    "/public/get-expired-settlement-price", "/public/get-insurance",
    "/public/get-risk-parameters", "/v1/public/get-announcements", "/public/get-announcements",
    "/private/advanced/get-oco-order", "/private/get-order-list",
}  # fmt: skip
"""Examples of what no operation asks."""


def question_of(path: str) -> op.Operation[Any] | None:
    """Return a question that is asked at a path."""
    kinds = [row.operation for row in DIALECT.endpoints if row.path == path]
    if not kinds:
        return None
    two = {
        op.PlaceOrder: ORDER,
        op.PlaceOrders: op.PlaceOrders((ORDER, ORDER)),
        op.CancelOrders: op.CancelOrders((op.CancelOrder("1"), op.CancelOrder("2"))),
        op.AmendOrder: op.AmendOrder(D(1), D(1), "1"),
        op.GetKlines: op.GetKlines("btcusdt", "1day"),
        op.GetFunding: op.GetFunding("btcusd-perp"),
    }
    if kinds[0] in two:
        return two[kinds[0]]
    fields = kinds[0].__dataclass_fields__
    return kinds[0]("btcusdt") if "symbol" in fields else kinds[0]()


def test_examples_of_the_documents_are_read(evidence: Path) -> None:
    """Also where the documents print numbers as texts, which the wire does not."""
    read, left = set(), set()
    for path, response in documented(evidence):
        question = question_of(path)
        if question is None:
            left.add(path)
            continue
        answer = DIALECT.decode_response(question, response, exact=True)
        DIALECT.decode_response(question, response)
        if isinstance(answer, Answer):
            assert len(answer), path
        read.add(path)
    assert left <= OUT_OF_SCOPE
    assert len(read) >= 20
    assert set(PERIODS.values()) <= set(TIMEFRAMES)


def test_the_documented_values_are_those_printed(evidence: Path) -> None:
    """Positions, fees, transactions, history of balances and valuations: only documented."""
    known = dict(documented(evidence))

    def columns(path: str, question: op.Operation[Answer]) -> dict[str, list[Any]]:
        return DIALECT.decode_response(question, known[path], exact=True).columns

    assert columns("/private/get-positions", op.GetPositions()) == {
        "symbol": ["btcusd-perp"], "amount": [D("-0.1984")], "cost": [D("-10159.5735")],
        "pnl": [D("-497.743736")], "updated": [1613552240770 * MS],
    }  # fmt: skip
    assert columns("/private/get-fee-rate", op.GetFeeTier()) == {
        "symbol": ["spot", "perp"], "maker": [D("0.00065"), D("0.00011")],
        "taker": [D("0.00069"), D("0.0003")], "tier": ["3", "3"],
    }  # fmt: skip
    assert columns("/private/get-instrument-fee-rate", op.GetFees("btcusd")) == {
        "symbol": ["btcusd"], "maker": [D("0.00065")], "taker": [D("0.00069")],
    }  # fmt: skip
    assert columns("/private/user-balance-history", op.GetBalanceHistory()) == {
        "time": [1629478800000 * MS], "total": [D("811.621851")],
    }  # fmt: skip
    entries = columns("/private/get-transactions", op.GetTransactions())
    assert entries["id"] == ["186959", "187078"]
    assert entries["time"] == [1613638800001124563, 1613640752166234567]
    assert entries["role"] == [None, "maker"]
    assert entries["side"] == [None, "sell"]
    assert entries["trade_id"] == [None, "71497"]


def test_bodies_that_another_client_keeps_are_read(evidence: Path) -> None:
    """Account bodies of 2023 and 2024, before several fields were there."""
    dialect = knowing(evidence)
    trades, history, *positions, balance = loaded(evidence, "ccxt-static-responses.json")[
        "responses"
    ]
    fills = dialect.decode_response(op.GetMyTrades(), response_of(trades["result"]), exact=True)
    assert fills.columns["fee"] == [D("0.00075")]
    assert fills.columns["time"] == [1700184926414072677]
    orders = dialect.decode_response(
        op.GetOrderHistory(), response_of(history["result"]), exact=True
    )
    assert orders.columns["status"] == ["filled"]
    assert orders.columns["average"] == [D("0.61877")]
    amounts = [
        dialect.decode_response(op.GetPositions(), response_of(body["result"])).columns["amount"]
        for body in positions
    ]
    assert amounts == [[4.7], [0.1]]
    account = dialect.decode_response(op.GetAccount(), response_of(balance["result"]), exact=True)
    assert account.columns["coin"] == ["BTC", "USDT", "USD"]
    assert account.columns["available"] == [
        D("0.0003999"), D("83.3411639875"), D("29.01316839415396"),
    ]  # fmt: skip
    assert account.facts == {"total_usd": D("143.04034396")}
