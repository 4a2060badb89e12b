"""Laws of the local exchange: one tape, one book, and not a unit lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdcx_pandas import errors as e
from cdcx_pandas import operations as op
from cdcx_pandas.sandbox.exchange import Exchange, Options
from cdcx_pandas.sandbox.ledger import USER, Ledger
from cdcx_pandas.sandbox.market import Market
from cdcx_pandas.sandbox.pairs import PAIRS, Pair
from cdcx_pandas.sandbox.synthetic import SyntheticTape

MINUTE, HOUR, DAY = 60 * 10**9, 3600 * 10**9, 86_400 * 10**9
START = pd.Timestamp("2026-03-05 12:34:56", tz="UTC").value
RULES = {"1min": "min", "5min": "5min", "15min": "15min", "30min": "30min", "1hour": "h",
         "4hour": "4h", "12hour": "12h", "1day": "D"}  # fmt: skip
MOMENTS = ("2019-11-14", "2020-02-29 20:00", "2022-12-31 21:00", "2026-03-05 09:00")


def exchange() -> Exchange:
    """Return an exchange of five markets, which has an account with a past."""
    names = ("btcusdt", "ethusdt", "crousdt", "ethbtc", "crobtc")
    markets = {p.symbol: Market(SyntheticTape(p, 7)) for p in PAIRS if p.symbol in names}
    return Exchange(markets, Ledger(), seed=7, options=Options(start_ns=START))


def brute_force(trades: Any, rule: str) -> dict[int, tuple[int, ...]]:
    """Make bars of trades one by one, with opening times by pandas."""
    bars: dict[int, list[tuple[int, int]]] = {}
    opens = pd.to_datetime(trades.time_ns).floor(rule).as_unit("ns").asi8.tolist()
    for opened, price, amount in zip(
        opens, trades.price.tolist(), trades.amount.tolist(), strict=True
    ):
        bars.setdefault(opened, []).append((price, amount))
    return {
        opened: (
            own[0][0], max(p for p, _ in own), min(p for p, _ in own), own[-1][0],
            sum(a for _, a in own), sum(p * a for p, a in own), len(own),
        )
        for opened, own in bars.items()
    }  # fmt: skip


def rows_of(bars: Any) -> dict[int, tuple[int, ...]]:
    """Return bars as rows."""
    fields = ("open", "high", "low", "close", "volume", "turnover", "trades")
    columns = [[int(v) for v in getattr(bars, name)] for name in fields]
    return dict(zip(bars.time_ns.tolist(), zip(*columns, strict=True), strict=True))


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.symbol)
def test_bars_are_the_trades_they_come_from(pair: Pair) -> None:
    """For every pair, in several years: each period's bars are its trades, exactly."""
    tape = SyntheticTape(pair, 7)
    for moment in MOMENTS:
        start = pd.Timestamp(moment, tz="UTC").value
        end = start + 2 * HOUR
        trades = tape.trades(start, end)
        for period in ("1min", "5min", "30min", "1hour"):
            bars = tape.bars(period, start, end, end + DAY)
            assert rows_of(bars) == brute_force(trades, RULES[period]), (moment, period)
        ids = trades.id.tolist()
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        assert (trades.time_ns[1:] >= trades.time_ns[:-1]).all()
        minutes = set((trades.time_ns // MINUTE).tolist())
        assert len(minutes) == 120  # at least one trade in every minute


@pytest.mark.parametrize("period", ["4hour", "12hour", "1day"])
def test_coarse_bars_are_their_trades_too(period: str) -> None:
    """A day and its parts are made of their trades, exactly."""
    tape = SyntheticTape(PAIRS[0], 7)
    start = pd.Timestamp("2023-07-01", tz="UTC").value
    bars = tape.bars(period, start, start + DAY, start + 9 * DAY)
    assert rows_of(bars) == brute_force(tape.trades(start, start + DAY), RULES[period])


@pytest.mark.parametrize("period", ["1week", "1month"])
def test_weeks_and_months_are_made_of_their_days(period: str) -> None:
    """A week from Monday, a month from the 1st: first, max, min, last, sum of the days."""
    tape = SyntheticTape(PAIRS[1], 7)
    start, end = (pd.Timestamp(t, tz="UTC").value for t in ("2024-01-01", "2024-07-01"))
    days = tape.bars("1day", start, end, end + DAY)
    coarse = rows_of(tape.bars(period, start, end, end + DAY))
    times = pd.to_datetime(days.time_ns)
    if period == "1week":
        key = times - pd.to_timedelta(times.day_of_week, "D")
    else:
        key = times.to_period("M").to_timestamp()
    rows = pd.DataFrame(rows_of(days).values(), index=key.as_unit("ns").asi8)
    for opened, own in rows.groupby(level=0):
        sums = (own[column].sum() for column in (4, 5, 6))
        wanted = (own[0].iloc[0], own[1].max(), own[2].min(), own[3].iloc[-1], *sums)
        assert coarse[int(opened)] == tuple(int(v) for v in wanted)


def test_a_forming_bar_has_the_trades_until_now() -> None:
    """What has not happened yet is in no bar."""
    tape = SyntheticTape(PAIRS[0], 7)
    now = START
    trades = tape.trades(now // HOUR * HOUR, now + 1)
    bars = tape.bars_before("1hour", now + 1, 1, now)
    assert list(rows_of(bars).values()) == list(brute_force(trades, "h").values())


@pytest.mark.parametrize("pair", PAIRS[::5], ids=lambda pair: pair.symbol)
def test_the_same_seed_is_the_same_history(pair: Pair) -> None:
    """Two tapes of a seed agree wherever they are opened; another seed differs."""
    start = pd.Timestamp("2021-05-05", tz="UTC").value
    one, two, other = (SyntheticTape(pair, seed) for seed in (7, 7, 8))
    two.trades(start + 400 * DAY, start + 400 * DAY + HOUR)
    left, right = one.trades(start, start + HOUR), two.trades(start, start + HOUR)
    assert all((a == b).all() for a, b in zip(left, right, strict=True))
    assert left.price.tolist() != other.trades(start, start + HOUR).price.tolist()


@pytest.mark.parametrize("pair", PAIRS[::3], ids=lambda pair: pair.symbol)
def test_the_book_stands_around_the_last_trade(pair: Pair) -> None:
    """Best first, never crossed, and the last trade's price is the side it took."""
    tape = SyntheticTape(pair, 7)
    for second in range(0, 600, 37):
        now = START + second * 10**9
        bids, asks = tape.book(now, 150)
        assert bids[0, 0] < asks[0, 0]
        assert (bids[1:, 0] < bids[:-1, 0]).all()
        assert (asks[1:, 0] > asks[:-1, 0]).all()
        assert (bids[:, 1] > 0).all()
        assert (asks[:, 1] > 0).all()
        last = tape.last_trades(now // 10**9 * 10**9 + 1, 1)
        if last.time_ns[0] // 10**9 == now // 10**9:
            continue
        touched = asks[0, 0] if last.side[0] > 0 else bids[0, 0]
        assert touched == last.price[0]


# ------------------------------------------------------------------------------- the account


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["btcusdt", "ethusdt", "ethbtc"]),
        st.sampled_from(["buy", "sell"]),
        st.sampled_from(["limit", "limit", "market", "cancel"]),
        st.integers(-30, 30),  # tenths of a percent away from the last price
        st.integers(1, 400),  # lots, in hundreds
        st.integers(0, 900),  # seconds until the next
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(acts=ACTS)
def test_whatever_is_traded_nothing_is_lost(acts: Any) -> None:
    """Every coin is conserved to the last unit, the book never crosses, and history is whole."""
    ex, now, placed = exchange(), START, []
    before = len(ex.answer(op.GetOrderHistory(None, page_size=10**6), now, USER))
    for symbol, side, kind, away, hundreds, wait_s in acts:
        ticker = ex.answer(op.GetTicker(symbol), now, None).columns
        pair = next(p for p in PAIRS if p.symbol == symbol)
        price = (ticker["last"][0] * (1000 + away) / 1000).quantize(
            Decimal(1).scaleb(-pair.price_precision)
        )
        amount = Decimal(hundreds * 100).scaleb(-pair.amount_precision)
        try:
            if kind == "cancel" and placed:
                id_, market = placed[hundreds % len(placed)]
                ex.answer(op.CancelOrder(id_, market), now, USER)
            elif kind == "market" and side == "buy":
                spend = (price * amount).quantize(Decimal("0.00000001"))
                id_ = ex.answer(op.PlaceOrder(symbol, "buy", "market", spend=spend), now, USER)
                row = ex.answer(op.GetOrder(id_, symbol), now, USER).columns
                assert row["cost"][0] <= spend
                placed.append((id_, symbol))
            elif kind != "cancel":
                limit = price if kind == "limit" else None
                order = op.PlaceOrder(symbol, side, kind, amount, price=limit)
                placed.append((ex.answer(order, now, USER), symbol))
        except (e.OrderRejected, e.OrderNotFound):
            pass
        ex.ledger.check()
        book = ex.answer(op.GetDepth(symbol), now, None).columns
        bids = [p for p, s in zip(book["price"], book["side"], strict=True) if s == "bid"]
        asks = [p for p, s in zip(book["price"], book["side"], strict=True) if s == "ask"]
        assert bids[0] < asks[0]
        now += wait_s * 10**9
        ex.advance(now)
        ex.ledger.check()
    history = ex.answer(op.GetOrderHistory(None, page_size=10**6), now, USER)
    assert len(history) == before + len(placed)
    account = ex.answer(op.GetAccount(), now, USER).columns
    assert all(v >= 0 for name in ("available", "locked") for v in account[name])


def test_own_trades_are_public_trades() -> None:
    """A fill of ours is printed on the tape: same id, price, amount; the bar has it."""
    ex = exchange()
    now = START
    id_ = ex.answer(op.PlaceOrder("ethusdt", "buy", "market", spend=Decimal(5000)), now, USER)
    fills = ex.answer(op.GetOrder(id_, "ethusdt"), now, USER).facts["fills"]
    public = ex.answer(op.GetTrades("ethusdt"), now, None).columns
    told = dict(zip(public["id"], zip(public["price"], public["amount"], strict=True), strict=True))
    assert fills["id"]
    for fill, price, amount in zip(fills["id"], fills["price"], fills["amount"], strict=True):
        assert told[fill] == (price, amount)
    assert set(fills["role"]) == {"taker"}
    for fee, amount in zip(fills["fee"], fills["amount"], strict=True):
        exact = amount * Decimal("0.0016")
        assert exact <= fee < exact + Decimal("0.00000001")


def test_a_resting_order_is_filled_when_the_market_comes() -> None:
    """A limit order just below the market is filled by later trades, at its own price."""
    ex = exchange()
    last = ex.answer(op.GetTicker("btcusdt"), START, None).columns["bid"][0]
    price = last - Decimal("0.01")
    order = op.PlaceOrder("btcusdt", "buy", "limit", Decimal("0.01"), price=price)
    id_ = ex.answer(order, START, USER)
    assert ex.answer(op.GetOrder(id_, "btcusdt"), START, USER).columns["status"] == ["open"]
    later = ex.answer(op.GetOrder(id_, "btcusdt"), START + 6 * HOUR, USER)
    assert later.columns["status"] == ["filled"]
    assert set(later.facts["fills"]["price"]) == {price}
    assert set(later.facts["fills"]["role"]) == {"maker"}
    assert later.columns["cost"][0] == price * Decimal("0.01")
