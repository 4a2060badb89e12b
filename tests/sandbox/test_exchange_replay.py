"""Recorded data on today's wire: it comes back as it was, and its holes as one wishes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cdcx_pandas import launch
from tests.peers.exchange_client import ExchangeClient
from tests.sandbox.exchange_world import client_of, v1_client_of

NUMBERS = frozenset({"p", "q"})


@contextmanager
def replayed(file: Path, symbol: str, *options: str) -> Iterator[launch.Running]:
    """Run a sandbox on a file."""
    running = launch.start(("--no-limits", "--replay", str(file), "--symbol", symbol, *options))
    try:
        yield running
    finally:
        running.stop()


def written(rows: list[dict[str, Any]], file: Path) -> Path:
    """Write trades of the wire as a file to replay."""
    unique = {row["d"]: row for row in rows}.values()
    lines = [f"{r['d']},{r['m']},{r['tn']},{r['p']},{r['q']},{r['s']}" for r in unique]
    file.write_text("\n".join(["id,match,time,price,amount,side", *lines]) + "\n")
    return file


def compared(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with numbers as decimals: closing zeros mean nothing."""
    return [{k: Decimal(v) if k in NUMBERS else v for k, v in row.items()} for row in rows]


@pytest.mark.evidence
@pytest.mark.parametrize("name", ["get_trades", "get_trades_no_duplicates"])
def test_recorded_trades_come_back_unchanged(evidence: Path, tmp_path: Path, name: str) -> None:
    """Every recorded page, asked for as it was recorded, is that page: every key of every row."""
    text = (evidence / "exchange" / "recorded" / f"{name}.json").read_text()
    calls = json.loads(text)["get_public/get-trades"]
    pages = {asked: call[0]["response"] for asked, call in calls.items()}
    rows = [row for page in pages.values() for row in page]
    (instrument,) = {row["i"] for row in rows}
    symbol = instrument.replace("_", "").lower()
    with replayed(written(rows, tmp_path / "trades.csv"), symbol) as running:
        client = client_of(running)
        with client.http:
            for asked, page in pages.items():
                params = dict(part.split("=") for part in asked.split(","))
                assert compared(client.data("get-trades", **params)) == compared(page), asked
            prices = [Decimal(row["p"]) for row in rows]
            oldest, newest = (pick(row["t"] for row in rows) for pick in (min, max))
            days = client.data(
                "get-candlestick", instrument_name=instrument, timeframe="1D", count=300,
                start_ts=oldest, end_ts=newest + 1,
            )  # fmt: skip
            assert max(Decimal(day["h"]) for day in days) == max(prices)
            unique = {row["d"]: Decimal(row["q"]) for row in rows}
            assert sum(Decimal(day["v"]) for day in days) == sum(unique.values())


@pytest.mark.evidence
def test_recorded_trades_make_the_recorded_candle(evidence: Path, tmp_path: Path) -> None:
    """123 trades of five minutes are the exchange's own candle of them, in all five numbers."""
    text = (evidence / "exchange" / "rest-candle-equals-trades.capture.json").read_text()
    recorded = json.loads(text)
    candle = recorded["candles"][1]
    with replayed(written(recorded["trades"], tmp_path / "trades.csv"), "btcusd") as running:
        client = client_of(running)
        with client.http:
            (told,) = client.data(
                "get-candlestick", instrument_name="BTC_USD", timeframe="5m", count=1,
                end_ts=candle["t"] + 300_000,
            )  # fmt: skip
    assert {key: Decimal(told[key]) for key in "ohlcv"} == {
        key: Decimal(candle[key]) for key in "ohlcv"
    }
    assert told["t"] == candle["t"]


BARS = """time,open,high,low,close,volume
2024-05-01T00:00:00,10,12,9,11,5
2024-05-01T00:01:00,11,11,10,10,2
2024-05-01T00:05:00,10,15,10,14,3
"""
OPENED = 1_714_521_600_000


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """Return a file of bars with a hole of three minutes."""
    file = tmp_path / "bars.csv"
    file.write_text(BARS)
    return file


def minutes(client: ExchangeClient, **params: Any) -> dict[int, list[str]]:
    """Return the candles of a range by minute."""
    rows = client.data("get-candlestick", instrument_name="BTC_USD", **params)
    return {(row["t"] - OPENED) // 60_000: [row[key] for key in "ohlcv"] for row in rows}


def test_a_replay_leaves_its_holes(bars: Path) -> None:
    """Where nothing traded there is no candle, on either wire."""
    with replayed(bars, "btcusd") as running:
        client = client_of(running)
        with client.http:
            whole = {"start_ts": OPENED, "end_ts": OPENED + 600_000, "count": 300}
            assert list(minutes(client, **whole)) == [0, 1, 5]
            assert list(minutes(client, end_ts=OPENED + 600_000, count=2)) == [1, 5]


def test_flat_candles_fill_them_on_todays_wire(bars: Path) -> None:
    """The close before, four times, and volume 0; V1 tells the holes all the same."""
    with replayed(bars, "BTC_USD", "--flat") as running:
        client = client_of(running)
        with client.http:
            told = minutes(client, start_ts=OPENED, end_ts=OPENED + 480_000, count=300)
            assert list(told) == list(range(8))
            for minute, close in ((2, "10"), (3, "10"), (4, "10"), (6, "14"), (7, "14")):
                *prices, volume = told[minute]
                assert {Decimal(price) for price in prices} == {Decimal(close)}
                assert Decimal(volume) == 0
            later = minutes(client, start_ts=OPENED + 180_000, end_ts=OPENED + 360_000, count=9)
            assert list(later) == [3, 4, 5]
            assert later[3] == told[3]
            assert list(minutes(client, end_ts=OPENED + 480_000, count=4)) == [4, 5, 6, 7]
            newest = client.data("get-candlestick", instrument_name="BTC_USD", count=3)
            assert abs(newest[-1]["t"] / 1000 - time.time()) < 61
        v1 = v1_client_of(running)
        rows = v1.data("/v1/klines", symbol="btcusd", period=1)
        assert [row[0] * 1000 for row in rows] == [OPENED + n * 60_000 for n in (0, 1, 5)]
