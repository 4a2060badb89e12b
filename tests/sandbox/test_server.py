"""The sandbox on its wires, asked by a client that shares no code with the package."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
import websocket

from cdcx_pandas import launch
from cdcx_pandas.sandbox.keys import make_keys
from cdcx_pandas.transport.clock import ScaledClock
from tests.peers.v1_client import V1Client

MAIN, REVOKED, READ_ONLY, ELSEWHERE = make_keys(7)
PERIODS = {1: 60, 5: 300, 15: 900, 30: 1800, 60: 3600, 1440: 86400, 10080: 604800}


def client_of(running: launch.Running, key: Any = MAIN) -> V1Client:
    """Return the strange client, with one of the sandbox's keys."""
    address = running.addresses["v1"]
    clock = ScaledClock(running.at_ns, running.since_ns, running.speed)
    return V1Client(address.rest, address.ws, key.key, key.secret, lambda: clock.now_ns() / 1e9)


@pytest.fixture
def client(running: launch.Running) -> V1Client:
    """Return the strange client at the common sandbox."""
    time.sleep(0.05)
    return client_of(running)


@pytest.fixture(scope="module")
def busy() -> Iterator[launch.Running]:
    """Start a sandbox without limits that pushes often, on a tape that runs fast."""
    process = launch.start(("--no-limits", "--push-every", "0.1", "--speed", "30"))
    yield process
    process.stop()


# --------------------------------------------------------------------------------- market


def test_symbols_are_the_41_pairs_of_2020(client: V1Client) -> None:
    """Exactly the listed pairs, coins in upper case, decimals as numbers."""
    rows = client.data("/v1/symbols")
    assert len(rows) == 41
    keys = {"symbol", "count_coin", "amount_precision", "base_coin", "price_precision"}
    assert all(set(row) == keys for row in rows)
    by_symbol = {row["symbol"]: row for row in rows}
    assert by_symbol["crobtc"] == {
        "symbol": "crobtc", "count_coin": "BTC", "amount_precision": 2, "base_coin": "CRO",
        "price_precision": 8,
    }  # fmt: skip
    for base in ("atom", "link", "xtz", "bch", "vet", "icx", "xlm"):
        assert {base + quote for quote in ("btc", "cro", "usdt")} <= set(by_symbol)
    assert {"usdcusdt", "crousdc", "mcocro"} <= set(by_symbol)


def test_tickers_have_the_documented_form(client: V1Client) -> None:
    """Texts, `last` with 16 decimals, change and rose alike, a time in ms."""
    data = client.data("/v1/ticker")
    assert set(data) == {"date", "ticker"}
    assert abs(data["date"] / 1000 - time.time()) < 5
    assert len(data["ticker"]) == 41
    for row in data["ticker"]:
        assert set(row) == {
            "symbol", "high", "vol", "last", "low", "buy", "sell", "change", "rose",
        }  # fmt: skip
        assert all(isinstance(value, str) for value in row.values())
        assert len(row["last"].split(".")[1]) == 16
        assert row["change"] == row["rose"]
        assert Decimal(row["low"]) <= Decimal(row["last"]) <= Decimal(row["high"])
        assert Decimal(row["buy"]) < Decimal(row["sell"])
    one = client.data("/v1/ticker", symbol="crobtc")
    assert set(one) == {"high", "vol", "last", "low", "buy", "sell", "rose", "time"}
    assert isinstance(one["time"], int)
    assert one["time"] % 1000 == 0
    prices = client.data("/v1/ticker/price")
    assert len(prices) == 41
    assert all(isinstance(price, (int, float)) for price in prices.values())


@pytest.mark.parametrize("minutes", PERIODS)
def test_klines_have_the_documented_form(client: V1Client, minutes: int) -> None:
    """The newest 300 rows of six numbers, seconds, ascending, aligned, ending now."""
    rows = client.data("/v1/klines", symbol="btcusdt", period=minutes)
    length = PERIODS[minutes]
    assert len(rows) == 300 if minutes < 10080 else len(rows) > 250
    assert all(len(row) == 6 for row in rows)
    times = [row[0] for row in rows]
    assert all(b - a == length for a, b in itertools.pairwise(times))
    monday = 4 * 86400 if minutes == 10080 else 0
    assert all((at - monday) % length == 0 for at in times)
    assert times[-1] <= time.time() < times[-1] + length + 60
    for _, open_, high, low, close, volume in rows:
        assert low <= min(open_, close) <= max(open_, close) <= high
        assert volume > 0


def test_labels_are_understood_as_periods_too(client: V1Client) -> None:
    """Where the documents say labels, the server takes them."""
    for label, minutes in (("1hour", 60), ("60min", 60), ("1month", 43200)):
        labelled = client.data("/v1/klines", symbol="btcusdt", period=label)
        assert labelled[:-1] == client.data("/v1/klines", symbol="btcusdt", period=minutes)[:-1]


def test_trades_have_the_documented_form(client: V1Client) -> None:
    """200 rows, newest first, exactly five keys, whole seconds, dense ids, lower-case sides."""
    answer = client.get("/v1/trades", symbol="btcusdt")
    rows = json.loads(answer.text, parse_float=Decimal)["data"]
    assert len(rows) == 200
    assert all(set(row) == {"amount", "price", "ctime", "id", "type"} for row in rows)
    ids = [row["id"] for row in rows]
    assert ids == list(range(ids[0], ids[0] - 200, -1))
    times = [row["ctime"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert all(at % 1000 == 0 for at in times)
    assert {row["type"] for row in rows} == {"buy", "sell"}
    assert '"amount":0.' in answer.text.replace(" ", "")


def test_the_book_has_the_documented_form(client: V1Client) -> None:
    """data.tick with asks ascending, bids descending, two numbers a level, no time."""
    for step in ("step0", "step1", "step2"):
        tick = client.data("/v1/depth", symbol="ethusdt", type=step)["tick"]
        assert set(tick) == {"asks", "bids", "time"}
        assert tick["time"] is None
        asks, bids = ([level[0] for level in tick[side]] for side in ("asks", "bids"))
        assert asks == sorted(asks)
        assert bids == sorted(bids, reverse=True)
        assert bids[0] < asks[0]
        assert len(asks) <= 150
        assert all(len(level) == 2 for level in tick["asks"] + tick["bids"])


def test_klines_trades_and_ticker_are_one_tape(busy: launch.Running) -> None:
    """The minute bars of the last trades are those trades, exactly."""
    client = client_of(busy)
    for symbol in ("btcusdt", "crobtc"):
        bars = client.get("/v1/klines", symbol=symbol, period=1).text
        trades = client.get("/v1/trades", symbol=symbol).text
        by_minute: dict[int, list[Any]] = {}
        rows = json.loads(trades, parse_float=Decimal)["data"][::-1]
        for row in rows:
            by_minute.setdefault(row["ctime"] // 60000 * 60, []).append(row)
        whole = sorted(by_minute)[1:-1]
        assert whole
        told = {row[0]: row[1:] for row in json.loads(bars, parse_float=Decimal)["data"]}
        for minute in whole:
            own = by_minute[minute]
            prices = [row["price"] for row in own]
            assert told[minute] == [
                prices[0], max(prices), min(prices), prices[-1], sum(r["amount"] for r in own),
            ]  # fmt: skip


# ----------------------------------------------------------------------------- bad questions


def test_bad_questions_have_the_documented_answers(client: V1Client) -> None:
    """Unknown symbol 500, bad parameters 100004, unknown path and wrong verb -100."""
    for path in ("/v1/klines?period=1&symbol=nope", "/v1/trades?symbol=nope"):
        answer = client.get(path)
        assert answer.status_code == 500
        assert answer.json()["code"] == "100004"
    for path in ("/v1/klines?symbol=btcusdt", "/v1/klines?symbol=btcusdt&period=7", "/v1/trades",
                 "/v1/depth?symbol=btcusdt", "/v1/depth?symbol=btcusdt&type=step9"):  # fmt: skip
        answer = client.get(path)
        assert answer.json() == {"code": "100004", "msg": "request parameter illegal", "data": None}
    for answer in (client.get("/v1/nope"), client.get("/v1/account"),
                   requests.post(client.rest + "/v1/symbols", timeout=5),
                   requests.post(client.rest + "/v1/symbols", timeout=5),
                   requests.delete(client.rest + "/v1/order", timeout=5)):  # fmt: skip
        assert answer.status_code == 404
        assert answer.json()["code"] == "-100"


def test_signatures_times_and_keys_are_checked(running: launch.Running) -> None:
    """Wrong signature or time 100005, revoked 100005, address 100007, right 110032."""
    good = client_of(running)
    assert good.signed("/v1/account")["code"] == "0"
    now = int(time.time() * 1000)
    assert good.signed("/v1/account", at_ms=now - 29_000)["code"] == "0"
    for off in (-31_000, 31_000, -3_600_000):
        assert good.signed("/v1/account", at_ms=now + off)["code"] == "100005"
    forged = client_of(running)
    forged.secret = "x" * 32
    assert forged.signed("/v1/account") == {
        "code": "100005", "msg": "request sign illegal", "data": None,
    }  # fmt: skip
    assert client_of(running, REVOKED).signed("/v1/account")["code"] == "100005"
    assert client_of(running, ELSEWHERE).signed("/v1/account")["code"] == "100007"
    reader = client_of(running, READ_ONLY)
    assert reader.signed("/v1/account")["code"] == "0"
    order = {"symbol": "btcusdt", "side": "BUY", "type": 1, "volume": "0.01", "price": "1000"}
    assert reader.signed("/v1/order", **order)["code"] == "110032"
    assert requests.post(good.rest + "/v1/account", timeout=5).json()["code"] == "100004"


def test_limits_are_enforced_in_fixed_windows(running: launch.Running) -> None:
    """One account question in 100 ms; the next is answered 429 with a body that is no JSON."""
    client = client_of(running)
    refused = 0
    for _ in range(30):
        form = {"api_key": client.key, "time": str(int(time.time() * 1000))}
        text = "".join(name + form[name] for name in sorted(form)) + client.secret
        import hashlib

        form["sign"] = hashlib.sha256(text.encode()).hexdigest()
        answer = client.http.post(client.rest + "/v1/account", data=form, timeout=5)
        if answer.status_code == 429:
            refused += 1
            assert answer.text == "Too Many Requests"
            assert answer.headers["Content-Type"].startswith("text/html")
            assert "Retry-After" not in answer.headers
    assert refused > 10


def test_rate_headers_are_a_switch(faulty_process: launch.Running) -> None:
    """With the switch, answers tell what is left."""
    answer = client_of(faulty_process).get("/v1/symbols")
    assert answer.headers["X-RateLimit-Limit"] == "100"
    assert 0 <= int(answer.headers["X-RateLimit-Remaining"]) < 100
    assert 0 < float(answer.headers["X-RateLimit-Reset"]) <= 1


# ----------------------------------------------------------------------------------- account


def test_the_account_has_the_documented_form(client: V1Client) -> None:
    """Texts with 8 decimals, coins in lower case, the documents' spelling."""
    data = client.user("/v1/account")
    assert set(data) == {"total_asset", "coin_list"}
    assert [row["coin"] for row in data["coin_list"]] == ["usdt", "btc", "eth", "cro"]
    for row in data["coin_list"]:
        assert set(row) == {"normal", "locked", "btcValuatin", "coin"}
        assert all(len(row[k].split(".")[1]) == 8 for k in ("normal", "locked", "btcValuatin"))


def test_an_orders_life(busy: launch.Running) -> None:
    """Placed, seen, cancelled, gone; placed, filled at once, seen in trades and balances."""
    client = client_of(busy)
    before = {row["coin"]: row for row in client.user("/v1/account")["coin_list"]}
    last = Decimal(client.data("/v1/ticker", symbol="ethusdt")["last"])
    far = str((last / 2).quantize(Decimal("0.01")))
    terms = {"symbol": "ethusdt", "side": "BUY", "type": 1, "volume": "0.5", "price": far}
    placed = client.user("/v1/order", **terms)
    assert set(placed) == {"order_id"}
    assert isinstance(placed["order_id"], int)
    info = client.user("/v1/showOrder", symbol="ethusdt", order_id=placed["order_id"])
    assert set(info) == {"order_info"}
    order = info["order_info"]
    assert set(order) == {
        "side", "total_price", "fee", "created_at", "deal_price", "avg_price", "countCoin",
        "source", "type", "side_msg", "volume", "updated_at", "price", "source_msg", "status_msg",
        "deal_volume", "fee_coin", "id", "remain_volume", "baseCoin", "tradeList", "status",
    }  # fmt: skip
    assert (order["status"], order["type"], order["side"]) == (1, 1, "BUY")
    assert (order["baseCoin"], order["countCoin"]) == ("ETH", "USDT")
    assert (order["volume"], order["remain_volume"]) == ("0.50000000", "0.50000000")
    assert order["created_at"] % 1000 == 0
    held = {row["coin"]: row for row in client.user("/v1/account")["coin_list"]}
    spent = Decimal(far) * Decimal("0.5")
    assert Decimal(held["usdt"]["locked"]) - Decimal(before["usdt"]["locked"]) == spent
    listed = client.user("/v1/openOrders", symbol="ethusdt", pageSize=200)
    assert set(listed) == {"count", "resultList"}
    assert placed["order_id"] in [row["id"] for row in listed["resultList"]]
    assert client.user("/v1/orders/cancel", symbol="ethusdt", order_id=placed["order_id"]) is None
    again = client.signed("/v1/orders/cancel", symbol="ethusdt", order_id=placed["order_id"])
    assert again["code"] == "8"
    missing = client.signed("/v1/showOrder", symbol="ethusdt", order_id=1)
    assert missing == {"code": "22", "msg": "not exist order", "data": None}

    market = {"symbol": "ethusdt", "side": "BUY", "type": 2, "volume": "100"}
    bought = client.user("/v1/order", **market)["order_id"]
    filled = client.user("/v1/showOrder", symbol="ethusdt", order_id=bought)["order_info"]
    assert filled["status"] == 2
    assert filled["price"] == "0.00000000"
    cost = Decimal(filled["deal_price"])
    assert Decimal(99) < cost <= 100
    fills = filled["tradeList"]
    assert sum(Decimal(fill["volume"]) for fill in fills) == Decimal(filled["deal_volume"])
    assert sum(Decimal(f["volume"]) * Decimal(f["price"]) for f in fills) == cost
    own = client.user("/v1/myTrades", symbol="ethusdt", pageSize=500, sort=1)
    assert set(own) == {"count", "resultList"}
    mine = [row for row in own["resultList"] if row.get("bid_id") == bought]
    assert {row["id"] for row in mine} == {fill["id"] for fill in fills}
    assert set(mine[0]) == {
        "volume", "side", "feeCoin", "price", "fee", "ctime", "deal_price", "id", "type", "bid_id",
    }  # fmt: skip
    after = {row["coin"]: row for row in client.user("/v1/account")["coin_list"]}
    got = Decimal(after["eth"]["normal"]) - Decimal(before["eth"]["normal"])
    assert got == Decimal(filled["deal_volume"]) - Decimal(filled["fee"])
    assert Decimal(before["usdt"]["normal"]) - Decimal(after["usdt"]["normal"]) == cost
    history = client.user("/v1/allOrders", symbol="ethusdt", pageSize=200)
    assert set(history) == {"count", "orderList"}
    assert history["orderList"][0]["id"] == bought


def test_orders_that_cannot_be_are_refused_with_their_codes(busy: launch.Running) -> None:
    """Missing volume 23, missing price 24, too small, too precise, too far, too much money."""
    client = client_of(busy)
    base = {"symbol": "btcusdt", "side": "BUY", "type": 1}
    for terms, code in (
        ({"price": "50000"}, "23"),
        ({"volume": "0.01"}, "24"),
        ({"volume": "0.0000001", "price": "50000"}, "5"),
        ({"volume": "0.01", "price": "50000.001"}, "5"),
        ({"volume": "0.01", "price": "0.01"}, "5"),
        ({"volume": "1000", "price": "50000"}, "19"),
        ({"volume": "-1", "price": "50000"}, "100004"),
        ({"volume": "1e3", "price": "50000"}, "100004"),
    ):
        assert client.signed("/v1/order", **base, **terms)["code"] == code, terms
    sell = {"symbol": "btcusdt", "side": "SELL", "type": 2, "volume": "50"}
    assert client.signed("/v1/order", **sell)["code"] == "19"
    assert client.signed("/v1/order", symbol="nope", side="BUY", type=1, volume="1", price="1")[
        "code"
    ] == "100004"  # fmt: skip


def test_pages_are_counted_from_1(busy: launch.Running) -> None:
    """Pages do not overlap, `count` is of all pages, the default page is 20."""
    client = client_of(busy)
    whole = client.user("/v1/allOrders", symbol="crousdt", pageSize=200)
    ids = [row["id"] for row in whole["orderList"]]
    pages = [
        client.user("/v1/allOrders", symbol="crousdt", page=page, pageSize=5) for page in (1, 2, 3)
    ]
    assert [row["id"] for page in pages for row in page["orderList"]] == ids[:15]
    assert {page["count"] for page in pages} == {whole["count"]}


# ------------------------------------------------------------------------------------- stream


def test_requests_of_the_stream(client: V1Client) -> None:
    """History before endIdx, at most 300 rows; trades; all tickers; the reference comes back."""
    with client.stream() as stream:
        end = 1_600_000_020
        channel = "market_btcusdt_kline_1min"
        reply = stream.ask(channel, cb_id="mine", endIdx=str(end), pageSize=7)
        assert set(reply) == {"event_rep", "channel", "cb_id", "ts", "status", "data"}
        assert (reply["event_rep"], reply["channel"], reply["cb_id"]) == ("rep", channel, "mine")
        last = end // 60 * 60 if end % 60 else end - 60
        assert [row["id"] for row in reply["data"]] == list(range(last - 360, last + 60, 60))
        keys = {"id", "open", "high", "low", "close", "vol", "amount"}
        assert all(set(row) == keys for row in reply["data"])
        assert len(stream.ask(channel, endIdx=str(end), pageSize=2000)["data"]) == 300
        assert len(stream.ask(channel)["data"]) == 300
        assert stream.ask(channel, endIdx="1000000000", pageSize=5)["data"] == []
        trades = stream.ask("market_btcusdt_trade_ticker", top=5)["data"]
        assert len(trades) == 5
        assert set(trades[0]) == {"amount", "ds", "id", "price", "side", "ts", "vol"}
        assert {row["side"] for row in trades} <= {"BUY", "SELL"}
        assert [row["id"] for row in trades] == sorted((r["id"] for r in trades), reverse=True)
        review = stream.ask("review")
        assert len(review["data"]) == 41
        assert set(review["data"]["btcusdt"]) == {
            "amount", "close", "high", "low", "open", "rose", "vol",
        }  # fmt: skip


def test_trades_of_the_stream_are_those_of_rest(busy: launch.Running) -> None:
    """No trade is lost or told twice, and each is the same on both wires."""
    client = client_of(busy)
    told: dict[int, Any] = {}
    with client.stream() as stream:
        stream.send("sub", "market_btcusdt_trade_ticker")
        until = time.monotonic() + 4
        while time.monotonic() < until:
            message = stream.next()
            assert message["channel"] == "market_btcusdt_trade_ticker"
            rows = message["tick"]["data"]
            assert [row["id"] for row in rows] == sorted((r["id"] for r in rows), reverse=True)
            for row in rows:
                assert row["id"] not in told
                told[row["id"]] = row
    ids = sorted(told)
    assert len(ids) > 3
    assert ids == list(range(ids[0], ids[-1] + 1))
    text = client.get("/v1/trades", symbol="btcusdt").text
    for row in json.loads(text, parse_float=Decimal)["data"]:
        if row["id"] in told:
            other = told[row["id"]]
            assert Decimal(other["price"]) == row["price"]
            assert Decimal(other["vol"]) == row["amount"]
            assert (other["ts"], other["side"].lower()) == (row["ctime"], row["type"])


def test_bars_of_the_stream_end_as_those_of_rest(busy: launch.Running) -> None:
    """The last state pushed of each finished bar is the bar; no bar is left out."""
    client = client_of(busy)
    last: dict[int, Any] = {}
    with client.stream() as stream:
        stream.send("sub", "market_btcusdt_kline_1min")
        until = time.monotonic() + 7
        while time.monotonic() < until:
            tick = stream.next()["tick"]
            last[tick["id"]] = tick
    times = sorted(last)
    assert times == list(range(times[0], times[-1] + 60, 60))
    assert len(times) >= 3
    rest = {row[0]: row[1:] for row in client.data("/v1/klines", symbol="btcusdt", period=1)}
    for at in times[:-1]:
        tick = last[at]
        assert [tick[k] for k in ("open", "high", "low", "close", "vol")] == rest[at]


def test_books_of_the_stream_come_whole(busy: launch.Running) -> None:
    """The first at once, then on every change; as many levels as asked for; `buys`, not `bids`."""
    with client_of(busy).stream() as stream:
        stream.send("sub", "market_btcusdt_depth_step0", asks=5, bids=5)
        for _ in range(5):
            message = stream.next()
            assert set(message) == {"event_rep", "channel", "data", "tick", "ts", "status"}
            tick = message["tick"]
            assert set(tick) == {"asks", "buys"}
            assert len(tick["asks"]) == len(tick["buys"]) == 5
            assert tick["buys"][0][0] < tick["asks"][0][0]


def test_what_is_no_channel_is_met_with_silence(busy: launch.Running) -> None:
    """Unknown symbols, steps, events and texts that are no JSON get no answer and do no harm."""
    with client_of(busy).stream() as stream:
        stream.send("sub", "market_nope_ticker")
        stream.send("sub", "market_btcusdt_depth_step9")
        stream.send("sub", "nonsense")
        stream.send("dance", "market_btcusdt_ticker")
        stream.socket.send("hello")
        stream.socket.send("{}")
        assert stream.ask("review")["channel"] == "review"


def test_a_left_channel_is_silent(busy: launch.Running) -> None:
    """After `unsub` nothing more comes, whatever level count the book was asked with."""
    with client_of(busy).stream() as stream:
        stream.send("sub", "market_btcusdt_depth_step0", asks=5, bids=5)
        stream.next()
        stream.send("unsub", "market_btcusdt_depth_step0")
        reply = stream.ask("review")
        for _ in range(3):  # what was on its way
            if reply["channel"] == "review":
                break
            reply = stream.next()
        assert reply["channel"] == "review"
        time.sleep(0.4)
        assert stream.ask("market_btcusdt_trade_ticker", top=1)["event_rep"] == "rep"


def test_who_answers_no_ping_is_let_go() -> None:
    """Pings in ms every interval; after three without an answer the connection is closed."""
    process = launch.start(("--ping-every", "0.2", "--ping-unit", "ms"))
    try:
        with client_of(process).stream() as stream:
            stream.answers_pings = False
            with pytest.raises((ConnectionError, websocket.WebSocketException)):
                stream.next()
            assert len(stream.pings) == 3
            assert abs(stream.pings[0] / 1000 - time.time()) < 5
        with client_of(process).stream() as stream:
            stream.socket.settimeout(1.5)
            with pytest.raises(websocket.WebSocketTimeoutException):
                stream.next(seconds=1.5)
            assert len(stream.pings) > 3  # answered, and still there
    finally:
        process.stop()


# ----------------------------------------------------------------------------------- switches


def test_the_later_profile_and_its_switches() -> None:
    """Profile b: codes as numbers on market calls, ids as texts, pages from 0, other keys."""
    options = ("--profile", "b", "--no-limits", "--ack", "--trade-list", "--btc-valuation")
    process = launch.start(options)
    try:
        client = client_of(process)
        assert client.get("/v1/symbols").json()["code"] == 0
        row = client.get("/v1/ticker").json()["data"]["ticker"][0]
        assert not {"change", "rose"} & set(row)
        assert client.get("/v1/depth", symbol="btcusdt").json()["code"] == 0
        history = client.signed("/v1/allOrders", symbol="btcusdt", page=0, pageSize=3)
        assert len(history["data"]["orderList"]) == 3
        order = history["data"]["orderList"][0]
        assert isinstance(order["id"], str)
        assert "source_msg" not in order
        info = client.signed("/v1/showOrder", symbol="btcusdt", order_id=order["id"])["data"]
        assert set(info) == {"orderInfo", "trade_list"}
        assert "btcValuation" in client.signed("/v1/account")["data"]["coin_list"][0]
        with client.stream() as stream:
            stream.send("sub", "market_btcusdt_ticker", cb_id="me")
            ack = stream.next()
            assert (ack["event_rep"], ack["cb_id"], ack["status"]) == ("subed", "me", "ok")
    finally:
        process.stop()


def test_incremental_books_rebuild_the_whole_one() -> None:
    """Applying single-level changes to the first whole book gives a book that never crosses."""
    process = launch.start(("--incremental-depth", "--no-limits", "--push-every", "0.2"))
    try:
        with client_of(process).stream() as stream:
            stream.send("sub", "market_btcusdt_depth_step0")
            book: dict[str, dict[float, float]] = {"asks": {}, "buys": {}}
            changes = 0
            until = time.monotonic() + 4
            while time.monotonic() < until:
                tick = stream.next()["tick"]
                if "side" not in tick:
                    book = {side: dict(map(tuple, tick[side])) for side in ("asks", "buys")}
                    continue
                changes += 1
                if tick["volume"]:
                    book[tick["side"]][tick["price"]] = tick["volume"]
                else:
                    del book[tick["side"]][tick["price"]]
            assert changes > 10
    finally:
        process.stop()
    assert max(book["buys"]) < min(book["asks"])


def test_the_ten_minute_rule_is_a_switch() -> None:
    """With it, longer ranges of orders are refused, and none means the last ten minutes."""
    process = launch.start(("--all-orders-range", "--no-limits"))
    try:
        client = client_of(process)
        assert client.user("/v1/allOrders", symbol="btcusdt")["orderList"] == []
        wide = {"startDate": "2026-01-01 00:00:00", "endDate": "2026-01-02 00:00:00"}
        assert client.signed("/v1/allOrders", symbol="btcusdt", **wide)["code"] == "100004"
    finally:
        process.stop()


def test_only_this_machine_is_listened_to(running: launch.Running) -> None:
    """The server is bound to 127.0.0.1, and the control path needs its token."""
    assert running.addresses["v1"].rest.startswith("http://127.0.0.1:")
    for method in ("GET", "POST", "DELETE"):
        answer = requests.request(method, f"{running.control_url}/faults", json={}, timeout=5)
        assert answer.status_code == 403
