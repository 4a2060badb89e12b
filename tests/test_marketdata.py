"""The market functions, on the sandbox."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cdcx_pandas as cdcx
from cdcx_pandas.errors import BadPeriod, BadRequest, BadTime, UnknownSymbol, Unsupported
from cdcx_pandas.frames.schema import check
from cdcx_pandas.session import Session
from cdcx_pandas.tables import DEPTH, KLINES, LIMITS, SYMBOLS, TICKERS, TRADES

pytestmark = pytest.mark.usefixtures("sandbox")

PERIODS = ["1min", "5min", "15min", "30min", "1hour", "1day", "1week", "1month"]


def test_every_frame_follows_its_table() -> None:
    """All market functions return the declared index, columns and dtypes."""
    check(SYMBOLS, cdcx.symbols())
    check(TICKERS, cdcx.tickers())
    check(TICKERS, cdcx.ticker("btcusdt"))
    check(KLINES, cdcx.klines("btcusdt", "1hour"))
    check(KLINES, cdcx.klines(["btcusdt"], "1hour"))
    check(TRADES, cdcx.trades("btcusdt"))
    check(TRADES, cdcx.trades(["btcusdt", "ethusdt"]))
    check(DEPTH, cdcx.depth("btcusdt"))
    check(LIMITS, cdcx.limits())


def test_exact_frames_follow_their_tables_too() -> None:
    """With `exact` the numbers are Decimals, and equal the floats."""
    check(SYMBOLS, cdcx.symbols(exact=True), exact=True)
    check(TICKERS, cdcx.tickers(exact=True), exact=True)
    check(DEPTH, cdcx.depth("btcusdt", exact=True), exact=True)
    window: Any = {"start": "2021-03-01", "end": "2021-03-02"}
    exact = cdcx.klines("btcusdt", "1hour", exact=True, **window)
    check(KLINES, exact, exact=True)
    plain = cdcx.klines("btcusdt", "1hour", **window)
    assert exact["close"].map(float).tolist() == plain["close"].tolist()
    assert isinstance(exact["close"].iloc[0], Decimal)


def test_the_newest_page_is_300_bars_ending_now(sandbox: Session) -> None:
    """Without a start, the newest 300 bars come, and only the last may be open."""
    df = cdcx.klines("btcusdt", "1min")
    assert len(df) == 300
    assert df.index.is_monotonic_increasing
    assert df.index.is_unique
    age = pd.Timestamp(sandbox.now_ns(), tz="UTC") - df.index[-1]
    assert pd.Timedelta(0) <= age < pd.Timedelta("62s")
    assert df["closed"].iloc[:-2].all()
    assert not df["closed"].iloc[-1]


@pytest.mark.parametrize("period", PERIODS)
def test_bars_open_where_they_should(period: str) -> None:
    """Days open at 00:00, weeks on Monday, months on the 1st, all in UTC."""
    df = cdcx.klines("ethusdt", period, start="2020-01-01", end="2020-07-01", limit=400)
    rule = {"1week": "W-MON", "1month": "MS", "1day": "D", "1hour": "h"}.get(period, period)
    start = "2020-01-06" if period == "1week" else "2020-01-01"
    wanted = pd.date_range(start, "2020-07-01", freq=rule, tz="UTC", inclusive="left")[:400]
    assert df.index.tolist() == wanted.tolist()
    assert df["closed"].all()


def test_a_long_range_is_whole() -> None:
    """A range of many pages has every bar once, and its minutes make its hours exactly."""
    window: Any = {"start": "2022-05-01", "end": "2022-05-06", "exact": True}
    minutes = cdcx.klines("crousdt", "1min", **window)
    assert len(minutes) == 5 * 1440
    hours = cdcx.klines("crousdt", "1hour", **window)
    groups = minutes.groupby(minutes.index.floor("h"))
    assert groups["volume"].agg(lambda own: sum(own.tolist())).tolist() == hours["volume"].tolist()
    assert groups["high"].agg(lambda own: max(own.tolist())).tolist() == hours["high"].tolist()
    assert groups["low"].agg(lambda own: min(own.tolist())).tolist() == hours["low"].tolist()
    assert groups["open"].first().tolist() == hours["open"].tolist()
    assert groups["close"].last().tolist() == hours["close"].tolist()


def test_limit_takes_the_first_rows_with_a_start_and_the_newest_without() -> None:
    """`limit` is per symbol: first rows of a range, newest rows of now."""
    first = cdcx.klines("btcusdt", "1day", start="2021-01-01", limit=3)
    assert [str(day.date()) for day in first.index] == ["2021-01-01", "2021-01-02", "2021-01-03"]
    newest = cdcx.klines("btcusdt", "1min", limit=700)
    assert len(newest) == 700
    assert newest.index.is_unique
    assert len(cdcx.klines("btcusdt", "1min", limit=2)) == 2


def test_closed_leaves_the_forming_bar_out() -> None:
    """`closed=True` keeps finished bars only, still as many as asked for."""
    df = cdcx.klines("btcusdt", "1day", closed=True, limit=5)
    assert len(df) == 5
    assert df["closed"].all()


def test_history_begins_where_it_begins() -> None:
    """A start before the first bar gives the first bar first, with few questions."""
    df = cdcx.klines("btcusdt", "1day", start="2011-01-01", end="2019-11-20")
    assert str(df.index[0]) == "2019-11-14 00:00:00+00:00"
    assert len(df) == 6


def test_an_empty_range_is_an_empty_frame() -> None:
    """Asked, and there was none: same columns, same dtypes, no rows."""
    df = cdcx.klines("btcusdt", "1hour", start="2015-01-01", end="2015-02-01")
    check(KLINES, df)
    assert df.empty


def test_trades_are_ascending_by_time_and_id() -> None:
    """The newest 200 trades come oldest first; equal times are ordered by id as a number."""
    df = cdcx.trades("btcusdt")
    assert len(df) == 200
    ids = df["id"].astype("int64")
    assert df.index.is_monotonic_increasing
    assert (ids.diff().dropna() == 1).all()


def test_trades_of_a_range_the_page_reaches() -> None:
    """A start that the newest page reaches is answered, exactly to its bounds."""
    df = cdcx.trades("btcusdt", start="1min")
    whole = cdcx.trades("btcusdt")
    again = whole.loc[df.index[0] :]
    assert df["id"].tolist() == again["id"].tolist()[: len(df)]
    assert len(cdcx.trades("btcusdt", limit=7)) == 7


def test_older_trades_are_unsupported_and_told_so() -> None:
    """V1 has the newest 200 trades; asking for more says how far they reach."""
    with pytest.raises(Unsupported) as caught:
        cdcx.trades("btcusdt", start="30D")
    first, second, third = str(caught.value).splitlines()
    assert first.startswith("sandbox tells the newest 200 trades only; those of btcusdt reach")
    assert second == "V1 has no call for older public trades."
    assert third.startswith("klines(start=...) reaches further back")
    with pytest.raises(Unsupported):
        cdcx.trades("btcusdt", end="2021-01-01")
    with pytest.raises(Unsupported):
        cdcx.trades("btcusdt", limit=500)


def test_depth_adds_up() -> None:
    """`total` is cumulative per side; mid and spread are told; the book is not crossed."""
    df = cdcx.depth("btcusdt", exact=True)
    for side in ("bid", "ask"):
        levels = df.loc[side]
        assert levels["total"].tolist() == levels["amount"].cumsum().tolist()
        assert levels.index.tolist() == list(range(len(levels)))
    bid, ask = df.loc[("bid", 0), "price"], df.loc[("ask", 0), "price"]
    assert bid < ask
    told = df.attrs["cdcx"]
    assert told["mid"] == pytest.approx(float(bid + ask) / 2)
    assert told["spread_bps"] == pytest.approx(float((ask - bid) / (bid + ask) * 2 * 10_000))
    assert len(cdcx.depth("btcusdt", levels=3)) == 6


def test_steps_merge_prices_outwards() -> None:
    """Coarser steps round bids down and asks up, and keep every amount."""
    fine = cdcx.depth("ethusdt", exact=True)
    coarse = cdcx.depth("ethusdt", step="step2", exact=True)
    assert len(coarse) < len(fine)
    assert coarse.loc[("bid", 0), "price"] <= fine.loc[("bid", 0), "price"]
    assert coarse.loc[("ask", 0), "price"] >= fine.loc[("ask", 0), "price"]
    for step in (3, "step9", True, 1.5):
        with pytest.raises(BadRequest, match="is no step"):
            cdcx.depth("ethusdt", step=step)  # type: ignore[arg-type]  # what a person may write


def test_tickers_agree_with_the_rest() -> None:
    """All markets come in one frame; a list chooses and orders; one is a frame of one row."""
    df = cdcx.tickers()
    assert len(df) == 41
    assert df["quote_volume"].isna().all()
    assert ((df["low"] <= df["last"]) & (df["last"] <= df["high"])).all()
    assert (df["bid"] < df["ask"]).all()
    assert cdcx.tickers(["ETH/BTC", "btcusdt"]).index.tolist() == ["ethbtc", "btcusdt"]
    assert cdcx.ticker("ETH/BTC").index.tolist() == ["ethbtc"]
    with pytest.raises(BadRequest, match="tickers takes a list"):
        cdcx.tickers("btcusdt")  # type: ignore[arg-type]  # what a person may write


def test_several_symbols_make_one_frame() -> None:
    """A list gives an index (symbol, time), ready for pandas, also a list of one."""
    df = cdcx.klines(["btcusdt", "ETH_USDT"], "1day", start="2021-01-01", end="2021-02-01")
    assert df.index.names == ["symbol", "time"]
    corr = df["close"].unstack("symbol").pct_change().corr()
    assert corr.columns.tolist() == ["btcusdt", "ethusdt"]
    assert cdcx.klines(["btcusdt"], "1day").index.names == ["symbol", "time"]


def test_frames_say_where_they_come_from() -> None:
    """`attrs` hold JSON scalars only: venue, symbol, period, simulated, coverage."""
    told = cdcx.klines("btcusdt", "1day", start="2021-01-01", end="2021-02-01").attrs["cdcx"]
    assert json.loads(json.dumps(told)) == told
    assert told["venue"] == "sandbox"
    assert told["simulated"] is True
    assert (told["symbol"], told["period"]) == ("btcusdt", "1day")
    assert told["coverage"] == [["2021-01-01T00:00:00+00:00", "2021-02-01T00:00:00+00:00"]]
    assert cdcx.trades("btcusdt").attrs["cdcx"]["coverage"] == "newest page"


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: cdcx.klines("btcusdd"), UnknownSymbol, "Did you mean btcusdt"),
        (lambda: cdcx.klines("btcusdt", "2hour"), BadPeriod, "sandbox has 1min, 5min"),
        (lambda: cdcx.klines("btcusdt", "4hour"), BadPeriod, "df.cdcx.resample('4hour')"),
        (lambda: cdcx.klines("btcusdt", start="6M"), BadTime, "could be minutes or months"),
        (lambda: cdcx.klines("btcusdt", start="2 months"), BadTime, "Write days (90D"),
        (
            lambda: cdcx.klines("btcusdt", start="2021-02-01", end="2021-01-01"),
            BadTime,
            "start is not before end",
        ),
        (lambda: cdcx.klines("btcusdt", start=1589017701), BadTime, "It looks like seconds."),
        (lambda: cdcx.klines("btcusdt", limit=0), BadRequest, "is no number of rows"),
        (lambda: cdcx.klines([]), BadRequest, "The list of symbols is empty."),
        (lambda: cdcx.depth("nope"), UnknownSymbol, "See symbols() for all of them."),
    ],
)
def test_bad_arguments_are_told_before_anything_is_sent(
    call: Any, error: type[Exception], text: str
) -> None:
    """What cannot be meant is refused, with the choices."""
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)


def test_naive_times_mean_utc() -> None:
    """A time without a zone is UTC; one with a zone is converted."""
    naive = cdcx.klines("btcusdt", "1hour", start="2021-01-01", limit=1)
    tokyo = pd.Timestamp("2021-01-01 09:00", tz="Asia/Tokyo")
    assert naive.index[0] == tokyo
    assert cdcx.klines("btcusdt", "1hour", start=tokyo, limit=1).equals(naive)


def test_our_pacing_can_be_seen() -> None:
    """`limits` tells the venue's rules and what was used of them."""
    cdcx.klines("btcusdt")
    df = cdcx.limits()
    assert df.loc["market", "published"] == "100 per 1 s per address"
    assert df.loc["/v1/order", "published"] == "5 per 0.1 s per key"
    assert df.loc["market", "used"] >= 1
    assert np.isfinite(df["wait_s"]).all()
