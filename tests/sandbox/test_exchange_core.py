"""Laws of what today's exchange adds to the local one: orders, names, the log, its markets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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
from cdcx_pandas.sandbox.log import KEPT, Event, Log
from cdcx_pandas.sandbox.market import Market
from cdcx_pandas.sandbox.pairs import PAIRS, TODAYS_PAIRS, derivatives
from cdcx_pandas.sandbox.synthetic import SyntheticTape
from cdcx_pandas.sandbox.terms import Terms

S = 10**9
START = pd.Timestamp("2026-03-05 12:34:56", tz="UTC").value
TERMS = Terms(keeps_refused=True, most_open=(3, 5), ascending=True, finished_only=True,
              page_rows=10**6, open_rows=None)  # fmt: skip


def exchange(past: int = 0) -> Exchange:
    """Return an exchange of three pairs and a perpetual."""
    pairs = [p for p in (*PAIRS, *TODAYS_PAIRS) if p.symbol in {"btcusdt", "ethusdt", "btcusd"}]
    markets = {p.symbol: Market(SyntheticTape(p, 7)) for p in (*pairs, *derivatives(START))}
    return Exchange(markets, Ledger(), seed=7, options=Options(START, past_orders=past))


def limit(price: str, amount: str = "0.01", **more: Any) -> op.PlaceOrder:
    """Return a limit order that buys bitcoin."""
    return op.PlaceOrder("btcusdt", "buy", "limit", Decimal(amount), price=Decimal(price), **more)


def below(ex: Exchange, part: str = "0.5") -> str:
    """Return a price at which an order rests."""
    last = ex.ticker("btcusdt", START).columns["last"][0]
    return str((last * Decimal(part)).quantize(Decimal("0.01")))


def row(ex: Exchange, now: int = START, **asked: Any) -> dict[str, Any]:
    """Return an order as it stands."""
    columns = ex.answer(op.GetOrder(**asked), now, USER).columns
    return {name: values[0] for name, values in columns.items()}


def queue(ex: Exchange, price: str) -> list[str]:
    """Return the orders that rest at a price, first come first."""
    engine = ex.floor.desk("btcusdt").engine
    at = int(Decimal(price) * 100)
    return [str(order) for order in engine._sides[1][at]]


# ------------------------------------------------------------------------------------ orders


def test_only_an_order_that_shrinks_keeps_its_place() -> None:
    """Less keeps it; more, or another price and back, goes to the end."""
    ex = exchange()
    price = below(ex)
    first, second = (ex.answer(limit(price), START, USER) for _ in range(2))
    assert queue(ex, price) == [first, second]

    def amend(amount: str, at: str = price) -> None:
        assert (
            ex.answer(op.AmendOrder(Decimal(amount), Decimal(at), id=first), START, USER) == first
        )

    amend("0.005")
    assert queue(ex, price) == [first, second]
    amend("0.006")
    assert queue(ex, price) == [second, first]
    amend("0.006", below(ex, "0.4"))
    amend("0.006")
    assert queue(ex, price) == [second, first]
    assert row(ex, id=first)["amount"] == Decimal("0.006")


def test_a_name_finds_the_newest_of_its_name() -> None:
    """Names serve one living order; who has none is named after its id."""
    ex = exchange()
    price = below(ex)
    first = ex.answer(limit(price, client_id="a"), START, USER)
    with pytest.raises(e.OrderRejected) as caught:
        ex.answer(limit(price, client_id="a"), START, USER, TERMS)
    assert (caught.value.code, caught.value.order_id) == ("204", None)
    ex.answer(op.CancelOrder(client_id="a"), START, USER)
    second = ex.answer(limit(price, client_id="a"), START, USER)
    assert row(ex, client_id="a")["id"] == second
    assert row(ex, id=first)["client_id"] == "a"
    plain = ex.answer(limit(price), START, USER)
    assert row(ex, client_id=plain)["id"] == plain


def test_terms_say_how_many_orders_may_be_open() -> None:
    """On one market, and in all; other terms have no such rule."""
    ex = exchange()
    price = below(ex)
    for _ in range(3):
        ex.answer(limit(price), START, USER, TERMS)
    with pytest.raises(e.OrderRejected) as caught:
        ex.answer(limit(price), START, USER, TERMS)
    assert caught.value.code == "318"
    ex.answer(limit(price), START, USER)
    elsewhere = op.PlaceOrder("ethusdt", "buy", "limit", Decimal(1), price=Decimal(1000))
    ex.answer(elsewhere, START, USER, TERMS)
    with pytest.raises(e.OrderRejected, match="too many"):
        ex.answer(elsewhere, START, USER, TERMS)


def test_derivatives_are_seen_and_not_traded() -> None:
    """They have prices, books and trades; an order is refused with 412, before it is one."""
    ex = exchange()
    assert len(ex.answer(op.GetTrades("btcusd-perp", limit=5), START)) == 5
    order = op.PlaceOrder("btcusd-perp", "buy", "limit", Decimal(1), price=Decimal(50_000))
    with pytest.raises(e.PermissionDenied) as caught:
        ex.answer(order, START, USER, TERMS)
    assert caught.value.code == "412"
    assert len(ex.answer(op.GetOrderHistory(), START, USER, TERMS)) == 0


def test_what_terms_hide_is_not_there() -> None:
    """In no list and by no name, whatever is asked."""
    ex = exchange()
    terms = Terms(listed={"btcusdt"})
    assert ex.answer(op.GetSymbols(), START, terms=terms).columns["symbol"] == ["btcusdt"]
    assert ex.answer(op.GetTickers(), START, terms=terms).columns["symbol"] == ["btcusdt"]
    for asked in (op.GetTicker("ethusdt"), op.GetDepth("ethusdt"), op.GetTrades("ethusdt")):
        with pytest.raises(e.UnknownSymbol):
            ex.answer(asked, START, terms=terms)
    for own in (op.GetOpenOrders("ethusdt"), op.GetMyTrades("ethusdt"),
                op.CancelAllOrders("ethusdt")):  # fmt: skip
        with pytest.raises(e.UnknownSymbol):
            ex.answer(own, START, USER, terms)


# ----------------------------------------------------------------------- nothing is ever lost

PRICES = st.sampled_from(["0.5", "0.97", "0.9999", "1.0001", "1.03", "1.2"])
AMOUNTS = st.sampled_from(["0.0001", "0.01", "0.4", "9"])
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["limit", "ioc", "fok", "post", "market", "spend", "amend", "cancel"]),
        st.sampled_from(["buy", "sell"]),
        PRICES,
        AMOUNTS,
        st.integers(0, 30),
    ),
    max_size=25,
)


def asked_of(ex: Exchange, act: Any, placed: list[str], now: int) -> op.Operation[Any] | None:
    """Return what an act asks for."""
    kind, side, part, amount, wait = act
    last = ex.ticker("btcusdt", now).columns["last"][0]
    price = (last * Decimal(part)).quantize(Decimal("0.01"))
    size = Decimal(amount)
    match kind:
        case "market":
            return op.PlaceOrder("btcusdt", side, "market", size)
        case "spend":
            spend = (price * size).quantize(Decimal("0.0001"))
            return op.PlaceOrder("btcusdt", "buy", "market", spend=spend)
        case "amend" | "cancel" if not placed:
            return None
        case "amend":
            return op.AmendOrder(size, price, id=placed[wait % len(placed)])
        case "cancel":
            return op.CancelOrder(placed[wait % len(placed)])
        case _:
            how = {} if kind in {"limit", "post"} else {"time_in_force": kind}
            return op.PlaceOrder(
                "btcusdt", side, "limit", size, price=price, post_only=kind == "post", **how
            )


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(acts=ACTS)
def test_whatever_is_asked_nothing_is_lost(acts: Any) -> None:
    """Coins are conserved, held is what open orders need, and every order is in one listing.

    The log tells the same end of each order as the history does.
    """
    ex, now, placed, refused = exchange(), START, [], 0
    for act in acts:
        asked = asked_of(ex, act, placed, now)
        if asked is None:
            continue
        try:
            id_ = ex.answer(asked, now, USER, TERMS)
        except e.OrderRejected as error:
            refused += error.order_id is not None and isinstance(asked, op.PlaceOrder)
        except e.BadRequest:
            pass
        else:
            if isinstance(asked, op.PlaceOrder):
                placed.append(str(id_))
        ex.ledger.check()
        locked = sum(
            r["remaining"] * (r["price"] if r["side"] == "buy" else 1)
            for r in rows(ex.answer(op.GetOpenOrders(), now, USER, TERMS))
            if r["side"] == "buy"
        )
        held = ex.ledger.balance(USER, "USDT").locked
        assert Decimal(held).scaleb(-16) == locked
        now += act[-1] * S
    history = rows(ex.answer(op.GetOrderHistory(), now, USER, TERMS))
    opened = rows(ex.answer(op.GetOpenOrders(), now, USER, TERMS))
    assert len(history) + len(opened) == len(placed) + refused
    last = {}
    for event in ex.log.between(0, ex.log.end):
        last[event.order["id"][0]] = event.order["status"][0]
    assert all(last[r["id"]] == r["status"] for r in history)
    ex.answer(op.CancelAllOrders(), now, USER, TERMS)
    assert ex.ledger.balance(USER, "USDT").locked == 0
    assert ex.ledger.balance(USER, "BTC").locked == 0


def rows(answer: Any) -> list[dict[str, Any]]:
    """Return an answer row by row."""
    names = list(answer.columns)
    return [
        dict(zip(names, values, strict=True))
        for values in zip(*answer.columns.values(), strict=True)
    ]


# ---------------------------------------------------------------------------- log and markets


def test_the_log_is_read_by_position() -> None:
    """A reader goes on where it was; what is too old is forgotten."""
    log = Log()
    for at in range(KEPT + 10):
        log.add(Event(at, "user", "btcusdt", {}, None))
    assert log.end == KEPT + 10
    assert [event.time_ns for event in log.between(log.end - 3, log.end)] == [
        KEPT + 7, KEPT + 8, KEPT + 9,
    ]  # fmt: skip
    assert len(log.between(0, log.end)) == KEPT
    assert log.between(log.end, log.end) == []


@pytest.mark.parametrize("day", range(0, 900, 7))
def test_a_future_ends_on_the_last_friday_of_a_quarter(day: int) -> None:
    """08:00 UTC, at least two weeks away, less than four months; named by its day."""
    now = datetime(2024, 1, 3, 12, tzinfo=UTC) + timedelta(days=day)
    perpetual, future = derivatives(int(now.timestamp()) * S)
    assert future.expires_ns is not None
    ends = datetime.fromtimestamp(future.expires_ns / S, UTC)
    assert timedelta(days=14) < ends - now < timedelta(days=14 + 99)
    assert (ends.weekday(), ends.hour, ends.month % 3) == (4, 8, 0)
    assert (ends + timedelta(days=7)).month != ends.month
    assert future.code == f"BTCUSD-{ends:%y%m%d}"
    assert (perpetual.expires_ns, perpetual.code) == (None, "BTCUSD-PERP")


def test_a_derivative_goes_the_way_of_its_pair() -> None:
    """The same trades at nearly the same prices; the mark is near the index."""
    ex = exchange()
    one, other = (ex.answer(op.GetTrades(s, limit=50), START) for s in ("btcusd", "btcusd-perp"))
    assert one.columns["time"] == other.columns["time"]
    for a, b in zip(one.columns["price"], other.columns["price"], strict=True):
        assert abs(a - b) / a < Decimal("0.001")
    mark, index = (
        ex.answer(op.GetValuations("btcusd-perp", kind, limit=1), START).columns["value"][0]
        for kind in ("mark", "index")
    )
    assert abs(mark / index - 1) < Decimal("0.001")


def test_values_are_the_same_whenever_they_are_asked() -> None:
    """Of a past range, later as now."""
    ex = exchange()
    asked = [
        op.GetFunding("btcusd-perp", end=START - 3600 * S, limit=30),
        op.GetValuations("btcusd-perp", "mark", end=START - 60 * S, limit=10),
    ]
    before = [ex.answer(one, START).columns for one in asked]
    assert before == [ex.answer(one, START + 9 * 3600 * S).columns for one in asked]
    assert all(len(columns["time"]) > 9 for columns in before)
