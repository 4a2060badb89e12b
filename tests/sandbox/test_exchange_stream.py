"""Today's two sockets, heard by a client that shares no code with the package."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from cdcx_pandas import launch
from tests.peers.exchange_client import ExchangeClient, ExchangeStream
from tests.sandbox.exchange_world import REVOKED, client_of

D = Decimal
CHANGES = {"book_subscription_type": "SNAPSHOT_AND_UPDATE", "book_update_frequency": 10}


@pytest.fixture(scope="module")
def process() -> Iterator[launch.Running]:
    """Start a sandbox ten times as busy as the exchange, on a tape that runs fast."""
    running = launch.start(("--no-limits", "--push-every", "0.1", "--speed", "20"))
    yield running
    running.stop()


@pytest.fixture
def client(process: launch.Running) -> Iterator[ExchangeClient]:
    """Return the strange client."""
    made = client_of(process)
    with made.http:
        yield made


@pytest.fixture
def market(client: ExchangeClient) -> Iterator[ExchangeStream]:
    """Open the market socket."""
    with client.market() as stream:
        yield stream


# ------------------------------------------------------------------------------------- books


def test_books_come_after_a_word_and_a_while(market: ExchangeStream) -> None:
    """A bare word for each, a second later (here a tenth) the whole book, then it repeats."""
    number = market.subscribe("book.BTC_USDT.10", "book.BTCUSD-PERP.50")
    words = [market.next(), market.next()]
    assert words == [
        {"id": number, "method": "subscribe", "code": 0, "channel": name}
        for name in ("book.BTC_USDT.10", "book.BTCUSD-PERP.50")
    ]
    asked = time.monotonic()
    seen: dict[str, list[Any]] = {}
    first = market.next()
    assert time.monotonic() - asked > 0.05
    assert first["id"] == -1
    message = first
    while min((len(books) for books in seen.values()), default=0) < 3 or len(seen) < 2:
        result = message["result"]
        assert result["channel"] == "book"
        assert result["subscription"] == f"book.{result['instrument_name']}.{result['depth']}"
        (book,) = result["data"]
        assert set(book) == {"asks", "bids", "t", "tt", "u", "cs"}
        assert len(book["bids"]) <= result["depth"]
        assert all(isinstance(part, str) for level in book["asks"] for part in level)
        assert D(book["bids"][0][0]) < D(book["asks"][0][0])
        seen.setdefault(result["subscription"], []).append(book)
        message = market.next()
    for books in seen.values():
        sequences = [book["u"] for book in books]
        assert sequences == sorted(sequences)


def test_changes_of_a_book_are_a_chain(client: ExchangeClient, market: ExchangeStream) -> None:
    """Each `pu` is the `u` before; steps are large and uneven; the kept book is the whole one."""
    market.subscribe("book.BTC_USDT.10", **CHANGES)
    assert "result" not in market.next()
    book, last, steps = {}, 0, []
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        result = market.news()
        (data,) = result["data"]
        if result["channel"] == "book":
            book, last = levels(data), data["u"]
            continue
        assert result["channel"] == "book.update"
        assert set(data) == {"update", "t", "tt", "u", "pu", "cs"}
        assert data["pu"] == last
        if data["u"] != data["pu"]:
            steps.append(data["u"] - data["pu"])
        last = data["u"]
        apply(data["update"], book)
        bids, asks = ([p for s, p in book if s == side] for side in ("bids", "asks"))
        assert len(bids) <= 10
        assert len(asks) <= 10
        assert max(bids) < min(asks)
    assert len(steps) > 5
    assert min(steps) >= 10_000
    assert len(set(steps)) > 1
    with client.market() as other:
        other.subscribe("book.BTC_USDT.10", **CHANGES)
        whole = other.news()
        assert whole["data"][0]["u"] >= last
        until = time.monotonic() + 2
        while last != whole["data"][0]["u"] and time.monotonic() < until:
            (data,) = market.news()["data"]
            apply(data["update"], book)
            last = data["u"]
        assert book == levels(whole["data"][0])


def levels(book: Any) -> dict[tuple[str, Decimal], tuple[str, ...]]:
    """Return the levels of a book."""
    return {
        (side, D(price)): (amount, orders)
        for side in ("bids", "asks")
        for price, amount, orders in book[side]
    }


def apply(update: Any, book: dict[tuple[str, Decimal], tuple[str, ...]]) -> None:
    """Change levels; amount 0 removes one."""
    for key, level in levels(update).items():
        if D(level[0]):
            book[key] = level
        else:
            del book[key]


def test_a_quiet_book_says_so() -> None:
    """Where nothing changes, an empty change with `u == pu` comes every so often."""
    process = launch.start(("--speed", "0", "--push-every", "0.05"))
    try:
        with client_of(process).market() as stream:
            stream.subscribe("book.CRO_USD.10", **CHANGES)
            first = stream.news()["data"][0]
            for _ in range(3):
                result = stream.news()
                (data,) = result["data"]
                assert result["channel"] == "book.update"
                assert data["update"] == {"bids": [], "asks": []}
                assert data["u"] == data["pu"] == first["u"]
    finally:
        process.stop()


def test_asking_again_is_a_fresh_snapshot(market: ExchangeStream) -> None:
    """A second word and a second whole book, and still one stream."""
    numbers = []
    for _ in range(2):
        numbers.append(market.subscribe("book.CRO_USDT.50", **CHANGES))
        while market.news()["channel"] != "book":
            pass
    seen = [market.news()["data"][0] for _ in range(6)]
    chain = [(data["pu"], data["u"]) for data in seen]
    assert all(before[1] == after[0] for before, after in itertools.pairwise(chain))
    assert len(set(numbers)) == 2


# --------------------------------------------------------------------- tickers, trades, bars


def test_first_news_carry_the_number_of_the_request(market: ExchangeStream) -> None:
    """Tickers, trades, bars and values: no bare word, and later frames say -1."""
    names = (
        "ticker.BTC_USDT", "trade.BTC_USDT", "candlestick.1m.BTC_USDT", "mark.BTCUSD-PERP",
        "index.BTCUSD-INDEX", "funding.BTCUSD-PERP", "estimatedfunding.BTCUSD-PERP",
    )  # fmt: skip
    number = market.subscribe(*names)
    first = [market.next() for _ in names]
    assert {message["id"] for message in first} == {number}
    assert [message["result"]["subscription"] for message in first] == list(names)
    by_family = {message["result"]["channel"]: message["result"] for message in first}
    assert len(by_family["trade"]["data"]) == 50
    assert len(by_family["candlestick"]["data"]) == 300
    assert by_family["candlestick"]["interval"] == "1m"
    assert {"bs", "ks"} <= set(by_family["ticker"]["data"][0])
    assert by_family["index"]["instrument_name"] == "BTCUSD-INDEX"
    assert all(message["method"] == "subscribe" for message in first)
    later: set[str] = set()
    while len(later) < 5:
        message = market.next()
        assert message["id"] == -1
        later.add(message["result"]["channel"])


def test_values_are_stamped_on_the_whole_second(market: ExchangeStream) -> None:
    """Mark and index once a second of the venue's time; each is another second's."""
    market.subscribe("mark.BTCUSD-PERP")
    times = [market.news()["data"][0]["t"] for _ in range(6)]
    assert all(at % 1000 == 0 for at in times)
    assert times == sorted(set(times))


def test_trades_are_told_once_and_as_rest_tells_them(
    client: ExchangeClient, market: ExchangeStream
) -> None:
    """50 newest, newest first, then every new one; sides shouted, no nanoseconds."""
    market.subscribe("trade.BTC_USD")
    told: dict[str, Any] = {}
    frames = 0
    until = time.monotonic() + 4
    while time.monotonic() < until and frames < 12:
        rows = market.news()["data"]
        frames += 1
        assert [int(row["d"]) for row in rows] == sorted(
            (int(row["d"]) for row in rows), reverse=True
        )
        for row in rows:
            assert set(row) == {"d", "t", "q", "p", "s", "i", "m"}
            assert row["d"] not in told
            assert row["s"] in {"BUY", "SELL"}
            told[row["d"]] = row
    ids = sorted(map(int, told))
    assert len(ids) > 50
    assert ids == list(range(ids[0], ids[-1] + 1))
    rest = client.data("get-trades", instrument_name="BTC_USD", count=150)
    both = [row for row in rest if row["d"] in told]
    assert len(both) > 40
    for row in both:
        other = told[row["d"]]
        assert [other[key] for key in "tqpim"] == [row[key] for key in "tqpim"]
        assert other["s"].lower() == row["s"]


def test_bars_end_as_rest_tells_them(client: ExchangeClient, market: ExchangeStream) -> None:
    """Kept by opening time, every finished bar is the candle; the new one follows the last."""
    market.subscribe("candlestick.1m.CRO_USDT")
    kept: dict[int, Any] = {}
    until = time.monotonic() + 7
    while time.monotonic() < until:
        for row in market.news()["data"]:
            assert row["t"] <= row["ut"] < row["t"] + 60_000
            kept[row["t"]] = {key: row[key] for key in "ohlcvt"}
    times = sorted(kept)
    assert all(b - a == 60_000 for a, b in itertools.pairwise(times))
    assert len(times) > 300
    rest = client.data("get-candlestick", instrument_name="CRO_USDT", count=300)
    done = [row for row in rest if row["t"] in times[:-1]]
    assert len(done) > 100
    assert [kept[row["t"]] for row in done] == done


# ---------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("channel", "params", "words"),
    [
        ("book.NOPE_USD.50", {}, "Unknown symbol"),
        ("index.BTCUSD-PERP", {}, "Unsupported instrument"),
        ("mark.BTCUSD-INDEX", {}, "Unsupported instrument"),
        ("funding.BTC_USDT", {}, "Unsupported instrument"),
        ("nope.BTC_USDT", {}, "Unrecognized channel"),
        ("user.balance", {}, "Unrecognized channel"),
        ("book.BTC_USDT.20", {}, "Invalid depth"),
        ("book.BTC_USDT.150", CHANGES, "Unsupported depth/interval combination"),
        ("book.BTC_USDT.50", CHANGES | {"book_update_frequency": 50},
         "Unsupported depth/interval combination"),
        ("book.BTC_USDT.50", {"book_subscription_type": "ALL"}, "Invalid book_subscription_type"),
    ],
)  # fmt: skip
def test_a_bad_channel_does_not_spoil_the_others(
    market: ExchangeStream, channel: str, params: dict[str, Any], words: str
) -> None:
    """The refusal names it, in the exchange's words; the good one is told."""
    number = market.subscribe("ticker.ETH_USDT", channel, **params)
    messages = [market.next(), market.next()]
    refused = next(message for message in messages if message["code"])
    assert refused == {
        "id": number, "method": "subscribe", "code": 40003, "message": words, "channel": channel,
    }  # fmt: skip
    good = next(message for message in messages if not message["code"])
    assert good["result"]["channel"] == "ticker"


def test_what_is_no_message(market: ExchangeStream) -> None:
    """Not JSON: silence. An unknown method: 40003. The socket stays open."""
    market.socket.send("hello")
    assert market.silent(0.2)
    market.send({"id": 5, "method": "dance"})
    answer = market.next()
    assert (answer["code"], answer["message"]) == (40003, "No such method")
    market.subscribe("ticker.ETH_USDT")
    assert market.news()["channel"] == "ticker"


def test_unsubscribing_is_answered_and_ends_it(market: ExchangeStream) -> None:
    """Also for a channel never asked for."""
    number = market.unsubscribe("ticker.BTC_USDT")
    assert market.next() == {"id": number, "method": "unsubscribe", "code": 0}
    market.subscribe("ticker.BTC_USDT", "book.BTC_USDT.10")
    for _ in range(5):
        market.next()
    number = market.unsubscribe("ticker.BTC_USDT", "book.BTC_USDT.10")
    while market.next()["method"] != "unsubscribe":
        pass
    assert market.silent(0.4)


def test_a_book_left_before_it_came_never_comes(market: ExchangeStream) -> None:
    """The word came, the book does not."""
    market.subscribe("book.BTC_USDT.10")
    market.unsubscribe("book.BTC_USDT.10")
    assert [market.next()["method"] for _ in range(2)] == ["subscribe", "unsubscribe"]
    assert market.silent(0.5)


def test_four_hundred_channels_and_not_one_more(client: ExchangeClient) -> None:
    """The 401st is refused without a channel; one that is heard already may be asked again."""
    names = [row["symbol"] for row in client.data("get-instruments")]
    frames = ("5m", "15m", "30m", "1h", "4h", "12h", "1D", "7D", "1M")
    wanted = [f"candlestick.{frame}.{name}" for frame in frames for name in names][:400]
    with client.market() as stream:
        for at in range(0, 400, 50):
            stream.subscribe(*wanted[at : at + 50])
            heard: set[str] = set()
            while len(heard) < 50:
                message = stream.next(30)
                if message["id"] >= 0:
                    heard.add(message["result"]["subscription"])
        number = stream.subscribe("ticker.BTC_USDT")
        while (message := stream.next())["id"] != number:
            pass
        assert message == {
            "id": number, "method": "subscribe", "code": 40107,
            "message": "Maximum subscriptions exceeded",
        }  # fmt: skip
        number = stream.subscribe(wanted[0])
        while (message := stream.next())["id"] != number:
            pass
        assert message["code"] == 0


# -------------------------------------------------------------------------------- heartbeats


def test_who_does_not_answer_is_closed_with_1000() -> None:
    """At the third heartbeat; whoever answers stays."""
    process = launch.start(("--heartbeat-every", "0.3"))
    try:
        client = client_of(process)
        with client.market() as dumb:
            dumb.answers_heartbeats = False
            began = time.monotonic()
            with pytest.raises(ConnectionError, match="1000"):
                dumb.next(5)
            assert time.monotonic() - began < 1.8
            assert len(dumb.heartbeats) == 2
        with client.market() as alive:
            assert alive.silent(1.5)
            assert len(alive.heartbeats) >= 4
            assert all(abs(beat / 1000 - time.time()) < 10 for beat in alive.heartbeats)
    finally:
        process.stop()


def test_messages_of_a_connection_are_limited() -> None:
    """Above 100 a second a message is refused with 42901, and does nothing."""
    process = launch.start(())
    try:
        with client_of(process).market() as stream:
            for _ in range(260):
                stream.unsubscribe("ticker.BTC_USDT")
            codes = [stream.next()["code"] for _ in range(260)]
            assert set(codes) == {0, 42901}
    finally:
        process.stop()


# ------------------------------------------------------------------------------- the account


def ticker(client: ExchangeClient) -> Decimal:
    """Return the last price."""
    (row,) = client.data("get-tickers", instrument_name="BTC_USDT")
    return D(row["a"])


def terms(client: ExchangeClient, part: str = "0.5", **more: Any) -> dict[str, Any]:
    """Return the terms of a limit order so far below the market."""
    price = str((ticker(client) * D(part)).quantize(D("0.01")))
    return {"instrument_name": "BTC_USDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01",
            "price": price} | more  # fmt: skip


def test_the_user_socket_wants_a_key_first(client: ExchangeClient, process: Any) -> None:
    """Before, 40101; with a wrong signature, an old nonce or a revoked key, a refusal too."""
    with ExchangeStream(client.user_ws) as stream:
        stream.subscribe("user.balance")
        assert stream.next()["code"] == 40101
        for key, instead, code in (
            (client, {"nonce": int(client.now() * 1000) - 3_600_000}, 40102),
            (client_of(process, REVOKED), {}, 40101),
        ):
            body = key.body("public/auth", {}, **instead)
            stream.send(body)
            answer = stream.next()
            assert (answer["id"], answer["code"]) == (body["id"], code)
            assert answer["method"] == "public/auth"
        body = client.body("public/auth", {}) | {"sig": "0" * 64}
        stream.send(body)
        assert stream.next()["code"] == 40101
        stream.subscribe("user.order")
        assert stream.next()["code"] == 40101


def test_orders_are_told_after_they_were_answered(client: ExchangeClient) -> None:
    """First the open ones, under the whole name; then one frame an event, under the family's."""
    client.user("cancel-all-orders")
    ids = client.place(**terms(client, client_oid="open-one"))
    with client.account() as stream:
        number = stream.subscribe("user.order.BTC_USDT")
        first = stream.next()
        assert first["id"] == number
        assert first["result"]["channel"] == "user.order.BTC_USDT"
        assert "instrument_name" not in first["result"]
        assert [row["order_id"] for row in first["result"]["data"]] == [ids["order_id"]]
        second = client.place(**terms(client, "0.6", client_oid="second"))
        message = stream.next()
        result = message["result"]
        assert (message["id"], result["channel"]) == (-1, "user.order")
        assert result["instrument_name"] == "BTC_USDT"
        (row,) = result["data"]
        assert (row["order_id"], row["status"]) == (second["order_id"], "ACTIVE")
        assert "reason" not in row
        assert row["transaction_time_ns"] > 2**53
        client.user("cancel-order", order_id=second["order_id"])
        (row,) = stream.news()["data"]
        assert (row["order_id"], row["status"]) == (second["order_id"], "CANCELED")
        client.user("cancel-all-orders")


def test_fills_are_told_with_growing_sums(client: ExchangeClient) -> None:
    """user.order shows each fill, user.trade is what get-trades answers."""
    with client.account() as stream:
        stream.subscribe("user.order", "user.trade")
        words = [stream.next(), stream.next()]
        assert {message.get("channel") for message in words} == {None, "user.trade"}
        order = {"instrument_name": "ETH_USDT", "side": "SELL", "type": "MARKET", "quantity": "0.7"}
        ids = client.place(**order)
        rows, fills = [], []
        while not rows or rows[-1]["status"] == "ACTIVE":
            result = stream.news()
            (row,) = result["data"]
            (rows if result["channel"] == "user.order" else fills).append(row)
        while sum(D(row["traded_quantity"]) for row in fills) < D("0.7"):
            fills += stream.news()["data"]
    assert {row["order_id"] for row in rows + fills} == {ids["order_id"]}
    assert rows[-1]["status"] == "FILLED"
    sums = [D(row["cumulative_quantity"]) for row in rows]
    assert sums == sorted(sums)
    told = {row["trade_id"]: row for row in client.user("get-trades", limit=50)["data"]}
    for row in fills:
        other = told[row["trade_id"]]
        assert (row["fees"], row["traded_price"]) == (other["fees"], other["traded_price"])
        assert "transact_time_ns" not in row


def test_balances_are_told_when_they_change(client: ExchangeClient) -> None:
    """First as they are; soon after an order locks money; and while their worth moves."""
    client.user("cancel-all-orders")
    with client.account() as stream:
        number = stream.subscribe("user.balance")
        first = stream.next()
        assert first["id"] == number
        assert first["result"]["channel"] == "user.balance"
        (block,) = first["result"]["data"]
        assert reserved(block) == 0
        wanted = terms(client)
        client.place(**wanted)
        held = D(wanted["price"]) * D("0.01")
        began = time.monotonic()
        while reserved(block) != held:
            (block,) = stream.news()["data"]
        assert time.monotonic() - began < 20
        worth = {D(block["total_cash_balance"])}
        while len(worth) == 1 and time.monotonic() - began < 60:
            worth.add(D(stream.news()["data"][0]["total_cash_balance"]))
        assert len(worth) > 1
        client.user("cancel-all-orders")


def reserved(block: Any) -> Decimal:
    """Return how much USDT is locked."""
    rows = {row["instrument_name"]: row for row in block["position_balances"]}
    return D(rows["USDT"]["reserved_qty"])


def test_there_are_no_positions(client: ExchangeClient) -> None:
    """The first frame is empty, and none follows."""
    with client.account() as stream:
        number = stream.subscribe("user.positions")
        message = stream.next()
        assert (message["id"], message["result"]["data"]) == (number, [])
        assert stream.silent(0.3)


def test_orders_of_v1_are_told_too(client: ExchangeClient, process: launch.Running) -> None:
    """What happens over one wire is heard on the other."""
    from tests.sandbox.exchange_world import v1_client_of

    v1 = v1_client_of(process)
    price = terms(client)["price"]
    with client.account() as stream:
        stream.subscribe("user.order")
        stream.news()
        order = {"symbol": "btcusdt", "side": "BUY", "type": 1, "volume": "0.01", "price": price}
        placed = v1.user("/v1/order", **order)["order_id"]
        (row,) = stream.news()["data"]
        assert (row["order_id"], row["status"]) == (str(placed), "ACTIVE")
        v1.user("/v1/orders/cancel", symbol="btcusdt", order_id=placed)
        assert stream.news()["data"][0]["status"] == "CANCELED"
