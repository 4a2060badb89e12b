"""``cryptocom-exchange``, a stranger's client, at the sandbox: only its address is another one.

What it says is held against what the sandbox says to a client of ours written from the
documents.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from cdcx_pandas import launch
from tests.peers.exchange_client import ExchangeClient
from tests.sandbox.exchange_world import MAIN, client_of

cro = pytest.importorskip("cryptocom.exchange")
structs = pytest.importorskip("cryptocom.exchange.structs")

T = TypeVar("T")

# Who stops listening to it leaves its socket to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Let what it left behind go here, where it is known of, and not in another test."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def process() -> Iterator[launch.Running]:
    """Start a sandbox without limits that tells often, in its own time."""
    running = launch.start(("--no-limits", "--push-every", "0.1"))
    yield running
    running.stop()


@pytest.fixture
def ours(process: launch.Running) -> Iterator[ExchangeClient]:
    """Return our client."""
    made = client_of(process)
    with made.http:
        yield made


@pytest.fixture
def theirs(process: launch.Running) -> Any:
    """Return their account, at the sandbox's address."""
    rest = process.addresses["exchange"].rest
    api = cro.ApiProvider(
        api_key=MAIN.key, api_secret=MAIN.secret, root_url=f"{rest}/",
        ws_root_url=rest.replace("http", "ws") + "/",
    )  # fmt: skip
    return cro.Account(api=api)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, within bounds."""

    async def bounded() -> T:
        async with asyncio.timeout(30):
            return await work

    return asyncio.run(bounded())


async def first(news: AsyncGenerator[T, None], count: int) -> list[T]:
    """Return the first so many news."""
    found: list[T] = []
    async with contextlib.aclosing(news) as closing:
        async for one in closing:
            found.append(one)
            if len(found) == count:
                break
    return found


# ------------------------------------------------------------------------------------ market


def test_pairs(theirs: Any, ours: ExchangeClient) -> None:
    """All spot pairs, with their decimals and ticks."""
    pairs = {pair.exchange_name: pair for pair in run(theirs.market.get_pairs())}
    listed = {row["symbol"]: row for row in ours.data("get-instruments")
              if row["inst_type"] == "CCY_PAIR"}  # fmt: skip
    assert set(pairs) == set(listed)
    for name, row in listed.items():
        assert pairs[name].price_precision == row["quote_decimals"]
        assert pairs[name].quantity_tick_size == float(row["qty_tick_size"])


def test_candles(theirs: Any, ours: ExchangeClient) -> None:
    """Two pages of them, the newest first, each as the sandbox has it."""
    end = 1_640_995_200
    pair = theirs.pairs["BTC_USDT"]

    async def ask() -> list[Any]:
        news = theirs.market.get_candles(
            pair, cro.Timeframe.MIN, start_ts=end - 450 * 60, end_ts=end - 1
        )
        return [candle async for candle in news]

    candles = run(ask())
    assert [candle.time for candle in candles] == [end - 60 * n for n in range(1, 451)]
    rows = ours.data("get-candlestick", instrument_name="BTC_USDT", count=300, end_ts=end * 1000)[
        ::-1
    ]
    for candle, row in zip(candles, rows, strict=False):
        told = [candle.open, candle.high, candle.low, candle.close, candle.quantity]
        assert told == [float(row[key]) for key in "ohlcv"]


def test_trades(theirs: Any, ours: ExchangeClient) -> None:
    """Three pages by nanoseconds, none twice, none missing."""
    end = 1_640_995_200

    async def ask() -> list[Any]:
        news = theirs.market.get_trades(theirs.pairs["BTC_USDT"], end_ts=end, count=400)
        return [trade async for trade in news]

    trades = run(ask())
    ids = [int(trade.id) for trade in trades]
    assert ids == list(range(ids[0], ids[0] - 400, -1))
    rows = ours.data(
        "get-trades", instrument_name="BTC_USDT", count=150,
        end_ts=end * 10**9 + 999_999_999,
    )  # fmt: skip
    for trade, row in zip(trades, rows, strict=False):
        assert (trade.id, trade.timestamp_ns, trade.match_id) == (row["d"], row["tn"], row["m"])
        assert (trade.price, trade.quantity) == (float(row["p"]), float(row["q"]))
        assert trade.side.value == row["s"].upper()


def test_tickers_and_books(theirs: Any, ours: ExchangeClient) -> None:
    """Of one pair and of all; the book's levels."""
    pair = theirs.pairs["ETH_USDT"]

    async def ask() -> tuple[Any, Any, Any]:
        market = theirs.market
        return (
            await market.get_tickers(),
            await market.get_ticker(pair),
            await market.get_orderbook(pair, depth=20),
        )

    tickers, one, book = run(ask())
    assert len(tickers) > 20
    (row,) = ours.data("get-tickers", instrument_name="ETH_USDT")
    assert one.high == float(row["h"])
    assert one.low == float(row["l"])
    assert len(book.buys) <= 20
    assert book.buys[0].price < book.sells[0].price
    assert [level.price for level in book.buys] == sorted(
        (level.price for level in book.buys), reverse=True
    )


def test_what_it_hears_of_markets(theirs: Any, ours: ExchangeClient) -> None:
    """Bars, trades and whole books, each as the sandbox has them."""
    pair, market = theirs.pairs["BTC_USDT"], theirs.market

    async def hear() -> tuple[list[Any], list[Any], list[Any]]:
        return (
            await first(market.listen_candles(cro.Timeframe.MIN, pair), 300),
            await first(market.listen_trades(pair), 50),
            await first(market.listen_orderbook(pair), 3),
        )

    candles, trades, books = run(hear())
    rows = ours.data("get-candlestick", instrument_name="BTC_USDT", count=300)
    known = {row["t"] // 1000: row for row in rows[:-1]}
    both = [candle for candle in candles[:-1] if candle.time in known]
    assert len(both) > 290
    for candle in both:
        assert candle.close == float(known[candle.time]["c"])
        assert candle.quantity == float(known[candle.time]["v"])
    told = {row["d"]: row for row in ours.data("get-trades", instrument_name="BTC_USDT", count=150)}
    assert all(trade.price == float(told[trade.id]["p"]) for trade in trades)
    for book in books:
        assert len(book.buys) <= 50
        assert book.buys[0].price < book.sells[0].price


# ----------------------------------------------------------------------------------- account


def test_balances_and_fees(theirs: Any, ours: ExchangeClient) -> None:
    """What is held and what is free; both fee questions."""

    async def ask() -> tuple[Any, Any, Any]:
        fee = await theirs.get_instrument_fee_rate("BTC_USD")
        return await theirs.get_balance(), await theirs.get_fee_rate(), fee

    balance, tier, fee = run(ask())
    (block,) = ours.user("user-balance")["data"]
    rows = {row["instrument_name"]: row for row in block["position_balances"]}
    assert {coin.exchange_name for coin in balance} == set(rows)
    for coin, held in balance.items():
        row = rows[coin.exchange_name]
        assert held.total == float(row["quantity"])
        assert held.reserved == float(row["reserved_qty"])
    assert (tier.spot_taker_bps, fee.maker_bps) == (16, 10)


def test_an_orders_life(theirs: Any, ours: ExchangeClient) -> None:
    """Placed, found, amended, listed, cancelled; then in the history."""

    async def live() -> None:
        pair = theirs.pairs["BTC_USDT"]
        last = await theirs.market.get_price(pair)
        keys = await theirs.buy_limit(pair, 0.01, round(last / 2, 2))
        order = await theirs.get_order(order_id=keys.id)
        assert (order.status.value, order.quantity) == ("ACTIVE", 0.01)
        assert order.client_id == keys.client_id
        assert keys.id in [one.id for one in await theirs.get_open_orders(pair)]
        moved = await theirs.update_order(
            pair, order_id=keys.id, new_price=round(last / 3, 2), new_quantity=0.02
        )
        assert moved.id == keys.id
        assert await theirs.cancel_order_and_wait(pair, moved.client_id)
        done = await theirs.get_order(order_id=keys.id, ignore_cache=True)
        assert (done.status.value, done.price, done.quantity) == (
            "CANCELED", round(last / 3, 2), 0.02,
        )  # fmt: skip
        history = await theirs.get_orders_history(pair)
        assert keys.id in [one.id for one in history]
        assert ours.detail(keys.id)["status"] == "CANCELED"

    run(live())


def test_market_orders_and_own_trades(theirs: Any, ours: ExchangeClient) -> None:
    """A buy for money is done although it says canceled; its trades are the account's."""

    async def trade() -> None:
        pair = theirs.pairs["ETH_USDT"]
        keys = await theirs.buy_market(pair, 200)
        bought = keys if isinstance(keys, str) else keys.id
        order = ours.detail(bought)
        assert order["status"] in {"CANCELED", "FILLED"}
        trades = [one for one in await theirs.get_trades(pair) if one.order_id == bought]
        assert sum(one.quantity for one in trades) == pytest.approx(
            float(order["cumulative_quantity"])
        )
        assert sum(one.fees for one in trades) == pytest.approx(-float(order["cumulative_fee"]))

    run(trade())


def test_what_it_hears_of_the_account(theirs: Any, ours: ExchangeClient) -> None:
    """Balances at once; an order when it is placed."""
    pair = theirs.pairs["BTC_USDT"]

    async def hear() -> Any:
        (balance,) = await first(theirs.listen_balances(), 1)
        assert {coin.exchange_name for coin in balance} >= {"USDT", "BTC"}
        heard = asyncio.create_task(first(theirs.listen_orders(pair), 1))
        await asyncio.sleep(0.5)
        last = await theirs.market.get_price(pair)
        keys = await theirs.buy_limit(pair, 0.01, round(last / 2, 2))
        (order,) = await heard
        await theirs.cancel_open_orders()
        return keys, order

    ours.user("cancel-all-orders")
    keys, order = run(hear())
    assert (order.id, order.client_id, order.status.value) == (keys.id, keys.client_id, "ACTIVE")
