"""``ccxt``, a stranger's client, at the sandbox: only its addresses are others.

What it says is held against what the sandbox says to a client of ours written from the
documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from cdcx_pandas import launch
from tests.peers.exchange_client import ExchangeClient
from tests.sandbox.exchange_world import MAIN, client_of

ccxt = pytest.importorskip("ccxt")
END = 1_640_995_200_000


@pytest.fixture(scope="module")
def process() -> Iterator[launch.Running]:
    """Start a sandbox without limits, in its own time."""
    running = launch.start(("--no-limits",))
    yield running
    running.stop()


@pytest.fixture
def ours(process: launch.Running) -> Iterator[ExchangeClient]:
    """Return our client."""
    made = client_of(process)
    with made.http:
        yield made


@pytest.fixture(scope="module")
def theirs(process: launch.Running) -> Iterator[Any]:
    """Return their client, at the sandbox's address."""
    root = process.addresses["exchange"].rest
    made = ccxt.cryptocom({"apiKey": MAIN.key, "secret": MAIN.secret, "enableRateLimit": False})
    made.urls["api"].update(base=root.removesuffix("/exchange/v1"), v1=root, v2=root)
    made.load_markets()
    yield made
    made.session.close()


def exactly(number: Any) -> Decimal:
    """Return the decimal a float was read from."""
    return Decimal(repr(number))


def test_markets(theirs: Any, ours: ExchangeClient) -> None:
    """Every instrument, spot or not, with its ticks."""
    listed = {row["symbol"]: row for row in ours.data("get-instruments")}
    by_id = {market["id"]: market for market in theirs.markets.values()}
    assert set(by_id) == set(listed)
    for name, row in listed.items():
        assert exactly(by_id[name]["precision"]["price"]) == Decimal(row["price_tick_size"])
        assert exactly(by_id[name]["precision"]["amount"]) == Decimal(row["qty_tick_size"])
        assert by_id[name]["spot"] is (row["inst_type"] == "CCY_PAIR")
    assert theirs.market("BTC/USD:USD")["swap"]
    (future,) = (market for market in by_id.values() if market["future"])
    assert future["expiry"] == listed[future["id"]]["expiry_timestamp_ms"]


def test_a_ticker(theirs: Any, ours: ExchangeClient) -> None:
    """Of one market, and of all."""
    told = theirs.fetch_ticker("BTC/USDT")
    (row,) = ours.data("get-tickers", instrument_name="BTC_USDT")
    assert (exactly(told["high"]), exactly(told["low"])) == (Decimal(row["h"]), Decimal(row["l"]))
    assert told["bid"] < told["ask"]
    assert len(theirs.fetch_tickers()) == len(theirs.markets)


def test_candles(theirs: Any, ours: ExchangeClient) -> None:
    """A range of a past day: times and all five numbers."""
    since = END - 100 * 60_000
    told = theirs.fetch_ohlcv("CRO/USD", "1m", since=since, limit=100)
    told = [bar for bar in told if since <= bar[0] < END]
    rows = ours.data(
        "get-candlestick", instrument_name="CRO_USD", count=300, start_ts=since, end_ts=END
    )
    known = {row["t"]: row for row in rows}
    assert len(told) >= 99
    for at, *numbers in told:
        assert [exactly(number) for number in numbers] == [
            Decimal(known[at][key]) for key in "ohlcv"
        ]


def test_trades(theirs: Any, ours: ExchangeClient) -> None:
    """Ids, times, sides and numbers of the newest before a time."""
    told = theirs.fetch_trades("BTC/USD:USD", params={"end_ts": END, "count": 150})
    rows = ours.data("get-trades", instrument_name="BTCUSD-PERP", count=150, end_ts=END)[::-1]
    assert [trade["id"] for trade in told] == [row["d"] for row in rows]
    for trade, row in zip(told, rows, strict=True):
        assert (trade["timestamp"], trade["side"]) == (row["t"], row["s"])
        assert exactly(trade["price"]) == Decimal(row["p"])
        assert exactly(trade["amount"]) == Decimal(row["q"])


def test_a_book(theirs: Any) -> None:
    """As deep as asked, both sides in order, with the number of orders."""
    book = theirs.fetch_order_book("ETH/USDT", 20)
    bids, asks = ([level[0] for level in book[side]] for side in ("bids", "asks"))
    assert (bids, asks) == (sorted(bids, reverse=True), sorted(asks))
    assert bids[0] < asks[0]
    assert len(bids) <= 20
    assert all(level[2] >= 1 for level in book["bids"])


def test_funding(theirs: Any, ours: ExchangeClient) -> None:
    """The settled rates of the perpetual."""
    told = theirs.fetch_funding_rate_history("BTC/USD:USD", limit=20)
    rows = {
        row["t"]: row["v"]
        for row in ours.data(
            "get-valuations", instrument_name="BTCUSD-PERP", valuation_type="funding_hist",
            count=50,
        )
    }  # fmt: skip
    assert len(told) >= 20
    for rate in told:
        assert exactly(rate["fundingRate"]) == Decimal(rows[rate["timestamp"]])


def test_balances(theirs: Any, ours: ExchangeClient) -> None:
    """Free, used and total of every coin."""
    told = theirs.fetch_balance()
    (block,) = ours.user("user-balance")["data"]
    for row in block["position_balances"]:
        coin = told[row["instrument_name"]]
        assert exactly(coin["total"]) == Decimal(row["quantity"])
        assert exactly(coin["used"]) == Decimal(row["reserved_qty"])
        assert exactly(coin["free"]) == exactly(coin["total"]) - exactly(coin["used"])


def test_an_orders_life(theirs: Any, ours: ExchangeClient) -> None:
    """Placed, fetched, listed, changed, cancelled, in the history."""
    price = round(theirs.fetch_ticker("BTC/USDT")["last"] / 2, 2)
    placed = theirs.create_order(
        "BTC/USDT", "limit", "buy", 0.01, price, {"client_oid": "strangers-1"}
    )
    order = theirs.fetch_order(placed["id"])
    assert (order["status"], order["clientOrderId"]) == ("open", "strangers-1")
    assert (order["price"], order["amount"], order["filled"]) == (price, 0.01, 0)
    assert placed["id"] in [one["id"] for one in theirs.fetch_open_orders("BTC/USDT")]
    changed = theirs.edit_order(placed["id"], "BTC/USDT", "limit", "buy", 0.02, price)
    assert changed["id"] == placed["id"]
    assert theirs.fetch_order(placed["id"])["amount"] == 0.02
    theirs.cancel_order(placed["id"], "BTC/USDT")
    assert theirs.fetch_order(placed["id"])["status"] == "canceled"
    assert ours.detail(placed["id"])["status"] == "CANCELED"
    assert placed["id"] in [one["id"] for one in theirs.fetch_orders("BTC/USDT")]


def test_a_market_order_and_its_trades(theirs: Any, ours: ExchangeClient) -> None:
    """Filled; its trades add up to it, fees included, and are the account's."""
    placed = theirs.create_order("ETH/USDT", "market", "sell", 0.3)
    order = theirs.fetch_order(placed["id"])
    assert (order["status"], order["filled"], order["remaining"]) == ("closed", 0.3, 0)
    mine = [t for t in theirs.fetch_my_trades("ETH/USDT") if t["order"] == placed["id"]]
    assert sum(exactly(trade["amount"]) for trade in mine) == Decimal("0.3")
    assert {trade["takerOrMaker"] for trade in mine} == {"taker"}
    detail = ours.detail(placed["id"])
    assert sum(exactly(t["fee"]["cost"]) for t in mine) == Decimal(detail["cumulative_fee"])
    assert {trade["fee"]["currency"] for trade in mine} == {"USDT"}


def test_refusals_are_its_exceptions(theirs: Any) -> None:
    """Not enough, post-only, unknown: ccxt knows each code."""
    price = theirs.fetch_ticker("BTC/USDT")["last"]
    with pytest.raises(ccxt.InsufficientFunds, match="306"):
        theirs.create_order("BTC/USDT", "limit", "buy", 100, price)
    with pytest.raises(ccxt.InvalidOrder, match="43005"):
        theirs.create_order(
            "BTC/USDT", "limit", "buy", 0.01, round(price * 1.05, 2), {"postOnly": True}
        )
    with pytest.raises(ccxt.ExchangeError, match="40401"):
        theirs.fetch_order("1")
    with pytest.raises(ccxt.ExchangeError, match="412"):
        theirs.create_order("BTC/USD:USD", "limit", "buy", 0.01, round(price, 1))
