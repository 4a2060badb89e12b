"""One sandbox, asked in both dialects: the same functions give the same frames."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

import cdcx_pandas as cdcx
from cdcx_pandas import errors as e
from cdcx_pandas import launch
from cdcx_pandas import operations as op
from cdcx_pandas.frames.schema import check
from cdcx_pandas.session import Session
from cdcx_pandas.tables import (
    ACCOUNT,
    DEPTH,
    FEES,
    FILLS,
    FUNDING,
    KLINES,
    ORDERS,
    POSITIONS,
    SYMBOLS,
    TICKERS,
    TRADES,
    Table,
)
from tests.conftest import session_of

PAST: dict[str, Any] = {"start": "2022-03-01", "end": "2022-03-03"}


@pytest.fixture(scope="module")
def v1(running: launch.Running) -> Session:
    """Return a session that speaks V1."""
    return session_of(running)


@pytest.fixture(scope="module")
def now(running: launch.Running) -> Session:
    """Return a session that speaks today's API."""
    return session_of(running, "exchange")


FRAMES: dict[str, tuple[Table, Callable[..., pd.DataFrame]]] = {
    "symbols": (SYMBOLS, cdcx.symbols),
    "tickers": (TICKERS, cdcx.tickers),
    "ticker": (TICKERS, lambda **k: cdcx.ticker("btcusdt", **k)),
    "klines": (KLINES, lambda **k: cdcx.klines("btcusdt", "1hour", **k)),
    "klines of two": (KLINES, lambda **k: cdcx.klines(["btcusdt", "ethusdt"], "1day", **k)),
    "trades": (TRADES, lambda **k: cdcx.trades("btcusdt", **k)),
    "depth": (DEPTH, lambda **k: cdcx.depth("btcusdt", **k)),
    "merged depth": (DEPTH, lambda **k: cdcx.depth("btcusdt", step=1, **k)),
    "account": (ACCOUNT, cdcx.account),
    "open_orders": (ORDERS, lambda **k: cdcx.open_orders("btcusdt", **k)),
    "order_history": (ORDERS, lambda **k: cdcx.order_history("btcusdt", **k)),
    "my_trades": (FILLS, lambda **k: cdcx.my_trades("btcusdt", **k)),
}


@pytest.mark.parametrize("name", FRAMES)
def test_every_frame_follows_its_table_in_both(name: str, v1: Session, now: Session) -> None:
    """Columns and dtypes are the table's, whichever dialect answered."""
    table, call = FRAMES[name]
    for session in (v1, now):
        check(table, call(session=session))
        check(table, call(session=session, exact=True), exact=True)


@pytest.mark.parametrize("period", ["1min", "15min", "1hour", "1day", "1week", "1month"])
def test_klines_are_equal_in_all_columns(period: str, v1: Session, now: Session) -> None:
    """A past range, exactly."""
    one, other = (
        cdcx.klines("btcusdt", period, start="2021-12-20", end="2022-01-20", exact=True,
                    limit=1500, session=session)
        for session in (v1, now)
    )  # fmt: skip
    assert len(one) > 0
    pd.testing.assert_frame_equal(one, other)


def test_periods_of_today_are_made_of_finer_ones(now: Session) -> None:
    """4hour and 12hour, which V1 has not."""
    hours = cdcx.klines("btcusdt", "1hour", exact=True, session=now, **PAST)
    for period, rule in (("4hour", "4h"), ("12hour", "12h")):
        bars = cdcx.klines("btcusdt", period, exact=True, session=now, **PAST)
        groups = hours.groupby(hours.index.floor(rule))
        assert bars["open"].tolist() == groups["open"].first().tolist()
        assert bars["close"].tolist() == groups["close"].last().tolist()
        totals = groups["volume"].agg(lambda own: sum(own.tolist(), Decimal(0)))
        assert bars["volume"].tolist() == totals.tolist()


def test_trades_are_equal_in_price_amount_side_and_order(v1: Session, now: Session) -> None:
    """The newest trades, as far as both have them; times differ: V1 cuts them to seconds."""
    page = cdcx.trades("btcusdt", exact=True, session=v1)
    start = page.index[0] - pd.Timedelta("2s")
    longer = cdcx.trades("btcusdt", start=start, exact=True, session=now)
    columns = ["price", "amount", "side"]
    rows = longer[columns].astype(object).to_numpy().tolist()
    wanted = page[columns].astype(object).to_numpy().tolist()
    ends = [
        at for at in range(len(rows) - len(wanted) + 1) if rows[at : at + len(wanted)] == wanted
    ]
    assert len(ends) == 1
    matched = longer.iloc[ends[0] : ends[0] + len(wanted)]
    assert matched.index.floor("s").tolist() == page.index.tolist()


def test_depth_is_equal_in_price_amount_and_total(running: launch.Running) -> None:
    """A book that stands still, whole and merged; today's tells the number of orders too."""
    still = launch.start(("--at", "2022-03-01T12:00:00", "--speed", "0"))
    try:
        v1, now = session_of(still), session_of(still, "exchange")
        for step in (0, 1, 2):
            one, other = (
                cdcx.depth("btcusdt", levels=30, step=step, exact=True, session=session)
                for session in (v1, now)
            )
            common = one.index.intersection(other.index)
            assert len(common) >= (40 if step == 0 else 2)
            columns = ["price", "amount", "total"]
            rows = slice(None) if step == 0 else slice(0, 1)  # deeper ones merge what V1 alone sees
            pd.testing.assert_frame_equal(
                one.loc[common, columns].iloc[rows], other.loc[common, columns].iloc[rows]
            )
    finally:
        still.stop()


def test_the_account_is_equal(v1: Session, now: Session) -> None:
    """Coin by coin, exactly; the venue's own total is in its own coin."""
    one, other = (cdcx.account(exact=True, session=session) for session in (v1, now))
    columns = ["available", "locked", "total"]
    pd.testing.assert_frame_equal(one[columns].sort_index(), other[columns].sort_index())
    assert "total_btc" in one.attrs["cdcx"]
    assert float(other.attrs["cdcx"]["total_usd"]) > 0


def test_orders_and_own_trades_are_equal(v1: Session, now: Session) -> None:
    """By id; today's tells the role and the client's id, and times to the ns."""
    same = ["symbol", "side", "type", "status", "price", "filled", "cost", "fee", "fee_coin"]
    for symbol in ("btcusdt", "crousdt"):
        one, other = (
            cdcx.order_history(symbol, start="30D", exact=True, session=session)
            for session in (v1, now)
        )
        assert len(one) > 3
        pd.testing.assert_frame_equal(one[same].sort_index(), other[same].sort_index())
        mine, theirs = (
            cdcx.my_trades(symbol, start="30D", exact=True, session=session)
            for session in (v1, now)
        )
        same_fills = ["id", "order_id", "symbol", "side", "price", "amount", "cost", "fee"]
        pd.testing.assert_frame_equal(
            mine[same_fills].reset_index(drop=True), theirs[same_fills].reset_index(drop=True)
        )
        assert set(theirs["role"]) <= {"maker", "taker"}


def test_an_order_placed_through_one_is_seen_through_the_other(
    running: launch.Running,
) -> None:
    """And cancelled through either."""
    own = launch.start(("--seed", "8"))
    try:
        v1, now = session_of(own), session_of(own, "exchange")
        for session in (v1, now):
            session.symbol("btcusdt")
        placed = op.PlaceOrder(
            "btcusdt", "buy", "limit", Decimal("0.01"), price=Decimal(100), client_id="mine-1"
        )
        with pytest.raises(e.OrderRejected):  # far from the market
            now.run(placed)
        price = Decimal(int(cdcx.ticker("btcusdt", session=v1)["last"].iloc[0] * 0.9))
        id_ = now.run(
            op.PlaceOrder("btcusdt", "buy", "limit", Decimal("0.01"), price=price,
                          client_id="mine-2")
        )  # fmt: skip
        seen = cdcx.order(id_, "btcusdt", session=v1)
        assert seen.loc[id_, ["side", "status"]].tolist() == ["buy", "open"]
        v1.run(op.CancelOrder(id_, "btcusdt"))
        assert cdcx.order(id_, session=now).loc[id_, "status"] == "canceled"
        assert cdcx.order(id_, session=now).loc[id_, "client_id"] == "mine-2"
        theirs = v1.run(op.PlaceOrder("btcusdt", "buy", "limit", Decimal("0.02"), price=price))
        assert theirs in cdcx.open_orders(session=now).index
    finally:
        own.stop()


def test_what_only_one_has_is_unsupported_on_the_other(v1: Session) -> None:
    """V1 has no derivatives and no fees; the error says which dialect has them."""
    for call in (
        lambda: cdcx.funding("btcusdt", session=v1),
        lambda: cdcx.positions(session=v1),
        lambda: cdcx.fees("btcusdt", session=v1),
    ):
        with pytest.raises(e.Unsupported, match="exchange"):
            call()


def test_what_today_adds(now: Session) -> None:
    """Funding by the hour, positions, fees, more markets."""
    rates = cdcx.funding("BTCUSD-PERP", start="3D", session=now)
    check(FUNDING, rates)
    assert len(rates) == 72
    assert set(rates.index.minute) == {0}
    check(POSITIONS, cdcx.positions(session=now))
    paid = cdcx.fees("BTC_USDT", session=now)
    check(FEES, paid)
    assert paid.loc["btcusdt"].tolist() == [0.001, 0.0016]
    listed = cdcx.symbols(session=now)
    assert len(listed) == 46
    assert {"btcusd", "crousd", "solusdt", "btcusd-perp"} <= set(listed.index)
    assert listed.loc["btcusdt", "venue_symbol"] == "BTC_USDT"
    assert set(listed["kind"]) == {"spot", "perp", "future"}


def test_any_spelling_is_understood_in_both(v1: Session, now: Session) -> None:
    """And frames say it one way."""
    for session in (v1, now):
        for spelling in ("btcusdt", "BTC_USDT", "BTC/USDT", "BTC-USDT"):
            assert cdcx.ticker(spelling, session=session).index.tolist() == ["btcusdt"]
        with pytest.raises(e.UnknownSymbol, match="btcusdt"):
            cdcx.ticker("btcusdx", session=session)
    assert cdcx.ticker("BTCUSD-PERP", session=now).index.tolist() == ["btcusd-perp"]


def test_trades_of_a_range_are_whole_and_in_order(now: Session) -> None:
    """Paged by the ns, no id twice, none missing: they make the minutes' volumes exactly."""
    window: dict[str, Any] = {"start": "2022-03-01 10:00", "end": "2022-03-01 12:00"}
    ticks = cdcx.trades("btcusdt", exact=True, session=now, **window)
    assert ticks["id"].is_unique
    assert ticks.index.is_monotonic_increasing
    assert "gaps" not in ticks.attrs["cdcx"]
    bars = cdcx.klines("btcusdt", "1min", exact=True, session=now, **window)
    volumes = ticks.groupby(ticks.index.floor("min"))["amount"].agg(
        lambda own: sum(own.tolist(), Decimal(0))
    )
    assert volumes.tolist() == bars["volume"].tolist()
    first = cdcx.trades("btcusdt", limit=7, exact=True, session=now, **window)
    pd.testing.assert_frame_equal(first, ticks.iloc[:7])


def test_history_without_a_start_says_what_it_covers(v1: Session, now: Session) -> None:
    """The newest page on V1, seven days today."""
    assert cdcx.order_history("btcusdt", session=v1).attrs["cdcx"]["coverage"] == "newest page"
    ((start, end),) = cdcx.order_history(session=now).attrs["cdcx"]["coverage"]
    length = pd.Timestamp(end) - pd.Timestamp(start)
    assert abs(length - pd.Timedelta("7D")) < pd.Timedelta("1min")
