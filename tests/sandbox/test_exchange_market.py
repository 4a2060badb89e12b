"""Today's market questions on the wire, asked by a client that shares no code with the package."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from cdcx_pandas import launch
from tests.peers.exchange_client import ExchangeClient
from tests.sandbox.exchange_world import client_of, v1_client_of

NEW = {"BTC_USD", "CRO_USD", "SOL_USDT"}
FRAMES = {
    "1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "4h": 14400, "12h": 43200,
    "1D": 86400, "7D": 604800,
}  # fmt: skip


@pytest.fixture(scope="module")
def process() -> Iterator[launch.Running]:
    """Start a sandbox without limits."""
    running = launch.start(("--no-limits",))
    yield running
    running.stop()


@pytest.fixture
def client(process: launch.Running) -> Iterator[ExchangeClient]:
    """Return the strange client."""
    made = client_of(process)
    with made.http:
        yield made


def test_instruments_are_v1s_and_a_few_more(
    client: ExchangeClient, process: launch.Running
) -> None:
    """41 pairs, three more, a perpetual and a future that ends later than now; V1 has its own."""
    rows = {row["symbol"]: row for row in client.data("get-instruments")}
    pairs = {name for name, row in rows.items() if row["inst_type"] == "CCY_PAIR"}
    v1 = v1_client_of(process)
    theirs = {row["symbol"] for row in v1.data("/v1/symbols")}
    assert len(theirs) == 41
    assert {name.replace("_", "").lower() for name in pairs - NEW} == theirs
    assert pairs >= NEW
    assert rows["BTCUSD-PERP"]["inst_type"] == "PERPETUAL_SWAP"
    assert rows["BTCUSD-PERP"]["underlying_symbol"] == "BTCUSD-INDEX"
    (future,) = (row for row in rows.values() if row["inst_type"] == "FUTURE")
    expires = future["expiry_timestamp_ms"] / 1000
    assert time.time() + 13 * 86400 < expires
    assert time.strftime("BTCUSD-%y%m%d %H:%M", time.gmtime(expires)) == f"{future['symbol']} 08:00"
    assert time.gmtime(expires).tm_wday == 4
    for row in rows.values():
        assert Decimal(row["price_tick_size"]) == Decimal(1).scaleb(-row["quote_decimals"])
        assert Decimal(row["qty_tick_size"]) == Decimal(1).scaleb(-row["quantity_decimals"])
        assert row["tradable"] is True


def test_v1_does_not_know_the_new_ones(process: launch.Running) -> None:
    """Neither in a list nor by name, over HTTP or the stream, nor for an order."""
    v1 = v1_client_of(process)
    assert len(v1.data("/v1/ticker/price")) == 41
    assert len(v1.data("/v1/ticker")["ticker"]) == 41
    for symbol in ("btcusd", "solusdt", "btcusd-perp"):
        for path in ("/v1/ticker", "/v1/klines", "/v1/trades", "/v1/depth"):
            answer = v1.get(path, symbol=symbol, period=1, type="step0")
            assert answer.json()["code"] == "100004", (path, symbol)
    order = {"symbol": "solusdt", "side": "BUY", "type": 1, "volume": "1", "price": "10"}
    assert v1.signed("/v1/order", **order)["code"] == "100004"
    assert v1.signed("/v1/openOrders", symbol="btcusd")["code"] == "100004"
    with v1.stream() as stream:
        stream.send("sub", "market_btcusd_ticker")
        stream.send("req", "market_solusdt_kline_1min")
        assert len(stream.ask("review")["data"]) == 41


def test_candles_are_of_a_half_open_window(client: ExchangeClient) -> None:
    """From the bar that holds the start, inclusive, to the end, exclusive; the newest if many."""
    day = 1_640_995_200_000
    for frame, seconds in FRAMES.items():
        ms = seconds * 1000
        # Weeks open on Mondays: the epoch was a Thursday.
        shift = 4 * 86_400_000 if frame == "7D" else 0
        first = (day - shift) // ms * ms + shift
        rows = client.data(
            "get-candlestick", instrument_name="BTC_USDT", timeframe=frame, count=300,
            start_ts=first + ms // 2, end_ts=first + 5 * ms,
        )  # fmt: skip
        assert [row["t"] for row in rows] == [first + n * ms for n in range(5)], frame
    many = client.data(
        "get-candlestick", instrument_name="BTC_USDT", timeframe="1m", count=10,
        start_ts=day, end_ts=day + 3_600_000,
    )  # fmt: skip
    assert [row["t"] for row in many] == [day + n * 60_000 for n in range(50, 60)]
    months = client.data(
        "get-candlestick", instrument_name="BTC_USDT", timeframe="1M", count=3, end_ts=day
    )
    assert [time.strftime("%Y-%m-%d", time.gmtime(row["t"] // 1000)) for row in months] == [
        "2021-10-01", "2021-11-01", "2021-12-01",
    ]  # fmt: skip


def test_candles_without_bounds_end_with_the_forming_one(client: ExchangeClient) -> None:
    """25 where no count is said, at most 300, a month is no minute, the older names too."""
    for params, expected in (({}, 25), ({"count": 7}, 7), ({"count": 5000}, 300)):
        rows = client.data("get-candlestick", instrument_name="CRO_USD", **params)
        assert len(rows) == expected
        assert all(b["t"] - a["t"] == 60_000 for a, b in itertools.pairwise(rows))
        assert rows[-1]["t"] <= time.time() * 1000 < rows[-1]["t"] + 125_000
        assert set(rows[0]) == {"o", "h", "l", "c", "v", "t"}
    for spelling in ("M5", "5m"):
        result = client.result("get-candlestick", instrument_name="CRO_USD", timeframe=spelling)
        assert all(row["t"] % 300_000 == 0 for row in result["data"])


def test_trades_are_newest_first_in_nanoseconds(client: ExchangeClient) -> None:
    """25 by default, at most 150; lower-case sides; pages by time leave nothing out."""
    assert len(client.data("get-trades", instrument_name="BTC_USDT")) == 25
    rows = client.data("get-trades", instrument_name="BTC_USDT", count=9999)
    assert len(rows) == 150
    assert [row["tn"] for row in rows] == sorted((row["tn"] for row in rows), reverse=True)
    for row in rows:
        assert set(row) == {"d", "t", "tn", "q", "p", "s", "i", "m"}
        assert (row["t"], row["i"]) == (row["tn"] // 10**6, "BTC_USDT")
        assert row["s"] in {"buy", "sell"}
    older = client.data(
        "get-trades", instrument_name="BTC_USDT", count=150, end_ts=str(rows[-1]["tn"])
    )
    assert older[0]["tn"] < rows[-1]["tn"]
    matches = [int(row["m"]) for row in rows + older]
    assert all(a - b == 1 for a, b in itertools.pairwise(matches) if a - b)
    some = client.data(
        "get-trades", instrument_name="BTC_USDT", count=150,
        start_ts=rows[9]["tn"], end_ts=rows[0]["tn"],
    )  # fmt: skip
    assert [row["d"] for row in some] == [
        row["d"] for row in rows if rows[9]["tn"] <= row["tn"] < rows[0]["tn"]
    ]


def test_candles_are_the_trades_they_come_from(client: ExchangeClient) -> None:
    """First, extremes, last and sum of a whole minute's trades, for a pair and a perpetual."""
    for name in ("BTC_USD", "BTCUSD-PERP"):
        rows = client.data("get-trades", instrument_name=name, count=150)[::-1]
        minutes: dict[int, list[Any]] = {}
        for row in rows:
            minutes.setdefault(row["t"] // 60_000 * 60_000, []).append(row)
        candles = {
            row["t"]: row for row in client.data("get-candlestick", instrument_name=name, count=100)
        }
        whole = sorted(minutes)[1:-1]
        assert whole
        for minute in whole:
            prices = [Decimal(row["p"]) for row in minutes[minute]]
            told = [Decimal(candles[minute][key]) for key in "ohlcv"]
            volume = sum(Decimal(row["q"]) for row in minutes[minute])
            assert told == [prices[0], max(prices), min(prices), prices[-1], volume]


def test_tickers_tell_what_the_tape_tells(client: ExchangeClient) -> None:
    """One row or all; change is a fraction; no amounts at the touch over HTTP."""
    rows = client.data("get-tickers")
    assert len(rows) == 46
    (row,) = client.data("get-tickers", instrument_name="BTC_USDT")
    assert set(row) == {"i", "h", "l", "a", "v", "vv", "c", "b", "k", "oi", "t"}
    opened = Decimal(row["a"]) / (1 + Decimal(row["c"]))
    days = client.data("get-candlestick", instrument_name="BTC_USDT", timeframe="1m", count=300)
    assert Decimal(row["l"]) <= min(Decimal(day["l"]) for day in days)
    assert Decimal(row["l"]) <= opened.quantize(Decimal("0.01")) <= Decimal(row["h"])
    assert Decimal(row["b"]) < Decimal(row["k"])
    assert abs(row["t"] / 1000 - time.time()) < 5
    # Money in USD: price times volume, nearly.
    assert Decimal("0.8") < Decimal(row["vv"]) / Decimal(row["v"]) / Decimal(row["a"]) < 2


def test_a_book_is_as_deep_as_asked(client: ExchangeClient) -> None:
    """All texts, best first, 150 where nothing is said."""
    for depth in (1, 10, 150):
        result = client.result("get-book", instrument_name="ETH_USDT", depth=depth)
        assert result["depth"] == depth
        (book,) = result["data"]
        bids, asks = ([Decimal(level[0]) for level in book[side]] for side in ("bids", "asks"))
        assert len(bids) <= depth
        assert (bids, asks) == (sorted(bids, reverse=True), sorted(asks))
        assert bids[0] < asks[0]
        assert all(isinstance(part, str) for level in book["bids"] for part in level)
        assert all(int(level[2]) >= 1 for level in book["bids"] + book["asks"])
    assert client.result("get-book", instrument_name="ETH_USDT")["depth"] == 150


def test_valuations_of_the_perpetual(client: ExchangeClient) -> None:
    """Index under its own name, mark near it, funding at whole hours fixed for four of them."""
    for name in ("BTCUSD-PERP", "BTCUSD-INDEX"):
        result = client.result("get-valuations", instrument_name=name, valuation_type="index_price")
        assert result["instrument_name"] == "BTCUSD-INDEX"
        times = [row["t"] for row in result["data"]]
        assert times == sorted(times, reverse=True)
        assert len(times) == 25
        assert abs(times[0] / 1000 - time.time()) < 3
    index = Decimal(result["data"][0]["v"])
    (mark,) = client.data(
        "get-valuations", instrument_name="BTCUSD-PERP", valuation_type="mark_price", count=1
    )
    assert abs(Decimal(mark["v"]) / index - 1) < Decimal("0.02")
    settled = client.data(
        "get-valuations", instrument_name="BTCUSD-PERP", valuation_type="funding_hist", count=30
    )
    assert all(row["t"] % 3_600_000 == 0 for row in settled)
    assert all(a["t"] - b["t"] == 3_600_000 for a, b in itertools.pairwise(settled))
    by_interval: dict[int, set[str]] = {}
    for row in settled:
        by_interval.setdefault((row["t"] - 1) // 14_400_000, set()).add(row["v"])
    assert all(len(rates) == 1 for rates in by_interval.values())
    assert len(set.union(*by_interval.values())) > 1
    again = client.data(
        "get-valuations", instrument_name="BTCUSD-PERP", valuation_type="funding_hist", count=30
    )
    assert again[1:-1] == settled[1:-1]


@pytest.mark.parametrize(
    ("question", "status", "code", "words"),
    [
        ("get-book?instrument_name=NOPE_USD", 400, 40004, "Invalid instrument_name"),
        ("get-tickers?instrument_name=NOPE_USD", 400, 40004, "Invalid instrument_name"),
        ("get-book", 400, 40004, "Missing instrument_name param"),
        ("get-book?instrument_name=BTC_USDT&depth=0", 400, 40004, "Invalid depth"),
        ("get-book?instrument_name=BTC_USDT&depth=200", 400, 40004, "Invalid depth"),
        ("get-candlestick?instrument_name=BTC_USDT&timeframe=2m", 400, 40003, None),
        ("get-candlestick?instrument_name=BTC_USDT&count=0", 400, 40004, None),
        ("get-valuations?instrument_name=BTCUSD-PERP", 400, 40003, None),
        ("get-valuations?instrument_name=BTCUSD-PERP&valuation_type=nope", 400, 40004,
         "Invalid valuation_type"),
        ("get-valuations?instrument_name=BTC_USDT&valuation_type=index_price", 400, 40004, None),
        ("get-valuations?instrument_name=BTC_USDT&valuation_type=funding_rate", 400, 40004, None),
    ],
)  # fmt: skip
def test_bad_questions_have_the_documented_answers(
    client: ExchangeClient, question: str, status: int, code: int, words: str | None
) -> None:
    """Code and status of each, and the words where they are known."""
    answer = client.http.get(f"{client.rest}/public/{question}", timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if words is not None:
        assert answer.json()["message"] == words


def test_wrong_verbs_and_paths(client: ExchangeClient) -> None:
    """POST to a market question 50001, GET of a user's 40003, a path that is none 404."""
    answer = requests.post(f"{client.rest}/public/get-instruments", json={}, timeout=5)
    assert answer.json()["code"] == 50001
    answer = requests.get(f"{client.rest}/private/user-balance", timeout=5)
    assert answer.json()["code"] == 40003
    answer = requests.get(f"{client.rest}/public/get-nope", timeout=5)
    assert answer.status_code == 404
    assert answer.json()["path"] == "/v1/public/get-nope"
    assert answer.json()["error"] == "Not Found"


def test_limits_are_counted_by_method() -> None:
    """100 a second for each public method, one a second for own trades; 429 with 42901."""
    running = launch.start(())
    try:
        client = client_of(running)
        with client.http:
            asked = {"instrument_name": "BTC_USDT", "depth": 1}
            codes = [client.get("get-book", **asked).status_code for _ in range(300)]
            assert set(codes) == {200, 429}
            assert codes.index(429) >= 100
            assert client.get("get-tickers", instrument_name="BTC_USDT").status_code == 200
            refused = [client.post("get-trades", {}) for _ in range(3)]
            assert {answer.status_code for answer in refused} == {200, 429}
            (told, *_) = (answer.json() for answer in refused if answer.status_code == 429)
            assert (told["code"], told["message"]) == (42901, "TOO_MANY_REQUESTS")
    finally:
        running.stop()
