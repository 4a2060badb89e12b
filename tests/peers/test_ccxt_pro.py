"""``ccxt.pro``, a stranger's stream client, at the sandbox: only its addresses are others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest

from cdcx_pandas import launch
from tests.peers.exchange_client import ExchangeClient, ExchangeStream
from tests.sandbox.exchange_world import MAIN, client_of

pro = pytest.importorskip("ccxt.pro")

T = TypeVar("T")


@pytest.fixture(scope="module")
def process() -> Iterator[launch.Running]:
    """Start a sandbox that tells often."""
    running = launch.start(("--no-limits", "--push-every", "0.1", "--heartbeat-every", "0.5"))
    yield running
    running.stop()


@pytest.fixture
def ours(process: launch.Running) -> Iterator[ExchangeClient]:
    """Return our client."""
    made = client_of(process)
    with made.http:
        yield made


@pytest.fixture
def watch(process: launch.Running) -> Callable[[Callable[[Any], Awaitable[T]]], T]:
    """Return what runs a piece of work with their client, within bounds."""
    address = process.addresses["exchange"]
    root = address.rest

    async def bounded(work: Callable[[Any], Awaitable[T]]) -> T:
        theirs = pro.cryptocom({"apiKey": MAIN.key, "secret": MAIN.secret})
        theirs.urls["api"].update(base=root.removesuffix("/exchange/v1"), v1=root, v2=root)
        theirs.urls["api"]["ws"] = {"public": address.ws, "private": address.user_ws}
        try:
            async with asyncio.timeout(40):
                await theirs.load_markets()
                return await work(theirs)
        finally:
            await theirs.close()

    return lambda work: asyncio.run(bounded(work))


def test_watch_ticker(watch: Any, ours: ExchangeClient) -> None:
    """The day's extremes, and amounts at the touch, which only the stream tells."""
    told = watch(lambda theirs: theirs.watch_ticker("BTC/USDT"))
    (row,) = ours.data("get-tickers", instrument_name="BTC_USDT")
    assert (told["high"], told["low"]) == (float(row["h"]), float(row["l"]))
    assert told["bid"] < told["ask"]
    assert "bs" in told["info"]


def test_watch_trades(watch: Any, ours: ExchangeClient) -> None:
    """The trades REST has, and new ones after them, each once."""

    async def work(theirs: Any) -> list[Any]:
        found = list(await theirs.watch_trades("BTC/USDT"))
        sell = {"instrument_name": "BTC_USDT", "side": "SELL", "type": "MARKET"}
        await asyncio.to_thread(ours.place, **sell, quantity="0.001")
        while len({trade["id"] for trade in found}) < 51:
            found += await theirs.watch_trades("BTC/USDT")
        return found

    told = {trade["id"]: trade for trade in watch(work)}
    rows = {row["d"]: row for row in ours.data("get-trades", instrument_name="BTC_USDT", count=150)}
    assert set(told) <= set(rows)
    for id_, trade in told.items():
        assert (trade["price"], trade["amount"]) == (float(rows[id_]["p"]), float(rows[id_]["q"]))
        assert (trade["side"], trade["timestamp"]) == (rows[id_]["s"], rows[id_]["t"])


def test_watch_order_book_by_differences(watch: Any, ours: ExchangeClient) -> None:
    """Through changes of three seconds the chain is unbroken, and the kept book is the whole one.

    ccxt's own option for this has a name the exchange does not know, so that it is passed on.
    """
    how = {"book_subscription_type": "SNAPSHOT_AND_UPDATE", "book_update_frequency": 10}

    def whole_books(market: ExchangeStream) -> list[Any]:
        market.subscribe("book.BTC_USDT.50")  # the same book, whole twenty times a second
        return [market.news()["data"][0] for _ in range(120)]

    async def work(theirs: Any) -> tuple[dict[int, Any], list[Any]]:
        with ours.market() as market:
            seeing = asyncio.create_task(asyncio.to_thread(whole_books, market))
            await asyncio.sleep(0.5)
            kept = {}
            while len(kept) < 4:
                book = await theirs.watch_order_book("BTC/USDT", 50, {"params": how})
                kept[book["nonce"]] = {
                    side: [list(level) for level in book[side]] for side in ("bids", "asks")
                }
            return kept, await seeing

    kept, seen = watch(work)
    assert len(kept) == 4
    whole = [{side: floats(book[side]) for side in ("bids", "asks")} for book in seen]
    for book in kept.values():
        assert book["bids"][0][0] < book["asks"][0][0]
        assert book in whole


def floats(levels: list[list[str]]) -> list[list[float]]:
    """Return levels as ccxt keeps them."""
    return [[float(price), float(amount), int(orders)] for price, amount, orders in levels]


def test_watch_ohlcv(watch: Any, ours: ExchangeClient) -> None:
    """A page of bars, equal to REST's but for the one that forms."""

    async def work(theirs: Any) -> list[Any]:
        await theirs.watch_ohlcv("CRO/USDT", "1m")
        return list(theirs.ohlcvs["CRO/USDT"]["1m"])

    bars = watch(work)
    rows = {row["t"]: row for row in ours.data("get-candlestick", instrument_name="CRO_USDT",
                                               count=300)}  # fmt: skip
    both = [bar for bar in bars[:-1] if bar[0] in rows]
    assert len(both) > 290
    for at, *numbers in both:
        assert numbers == [float(rows[at][key]) for key in "ohlcv"]


def test_watch_orders(watch: Any, ours: ExchangeClient) -> None:
    """An order that is placed, then cancelled, is told both times."""
    ours.user("cancel-all-orders")
    (row,) = ours.data("get-tickers", instrument_name="BTC_USDT")
    price = round(float(row["a"]) / 2, 2)

    async def work(theirs: Any) -> tuple[str, list[Any]]:
        news = asyncio.create_task(theirs.watch_orders("BTC/USDT"))
        await asyncio.sleep(1)
        placed = await theirs.create_order("BTC/USDT", "limit", "buy", 0.01, price)
        seen = [dict(one) for one in await news if one["id"] == placed["id"]]
        await theirs.cancel_order(placed["id"], "BTC/USDT")
        while seen[-1]["status"] != "canceled":
            told = await theirs.watch_orders("BTC/USDT")  # a cache that goes on changing
            seen += [dict(one) for one in told if one["id"] == placed["id"]]
        return placed["id"], seen

    id_, seen = watch(work)
    assert [one["status"] for one in seen] == ["open", "canceled"]
    assert {(one["id"], one["price"], one["amount"]) for one in seen} == {(id_, price, 0.01)}


def test_watch_balance(watch: Any, ours: ExchangeClient) -> None:
    """What is held, as REST tells it."""
    ours.user("cancel-all-orders")
    told = watch(lambda theirs: theirs.watch_balance())
    (block,) = ours.user("user-balance")["data"]
    for row in block["position_balances"]:
        coin = told[row["instrument_name"]]
        assert coin["total"] == float(row["quantity"])
        assert coin["used"] == float(row["reserved_qty"])
