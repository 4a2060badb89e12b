"""Today's account and orders on the wire, asked by a client that shares no code with us."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from cdcx_pandas import launch
from tests.peers.exchange_client import ExchangeClient, written
from tests.sandbox.exchange_world import ELSEWHERE, READ_ONLY, REVOKED, client_of, v1_client_of

FAR = {"instrument_name": "BTC_USDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01"}
D = Decimal


@pytest.fixture(scope="module")
def process() -> Iterator[launch.Running]:
    """Start a sandbox without limits."""
    running = launch.start(("--no-limits",))
    yield running
    running.stop()


@pytest.fixture
def client(process: launch.Running) -> Iterator[ExchangeClient]:
    """Return the strange client, and no open orders."""
    made = client_of(process)
    with made.http:
        made.user("cancel-all-orders")
        yield made


def ticker(client: ExchangeClient, name: str = "BTC_USDT") -> dict[str, Decimal]:
    """Return best prices and the last one."""
    (row,) = client.data("get-tickers", instrument_name=name)
    return {"bid": D(row["b"]), "ask": D(row["k"]), "last": D(row["a"])}


def far(client: ExchangeClient, part: str = "0.5") -> str:
    """Return a price at which an order rests."""
    return str((ticker(client)["last"] * D(part)).quantize(D("0.01")))


def balances(client: ExchangeClient) -> dict[str, dict[str, Any]]:
    """Return the rows of the account by coin."""
    (block,) = client.user("user-balance")["data"]
    return {row["instrument_name"]: row for row in block["position_balances"]}


# ----------------------------------------------------------------------------------- asking


def test_the_signature_is_the_documents(client: ExchangeClient) -> None:
    """The strange client signs the documents' own example as they do."""
    client = ExchangeClient("", ("", ""), "token", "secretKey")
    body = client.body(
        "private/get-order-detail", {"order_id": 53287421324}, id=11, nonce=1587846358253
    )
    assert body["sig"] == "02ef0a52c9428e5d3dcc5dd24d534ca39ef73f35acd3f6945f139a2364ef67a9"
    assert written({"b": ["x", {"a": 1}], "a": None}) == "anullbxa1"


def test_keys_times_and_signatures_are_checked(process: launch.Running) -> None:
    """60 s either way; wrong signature, unknown and revoked key 40101; address 40103."""
    client = client_of(process)
    now = int(client.now() * 1000)
    for off in (-59_000, 59_000):
        assert client.post("user-balance", {}, nonce=now + off).json()["code"] == 0
    for off in (-61_500, 61_500, -3_600_000):
        answer = client.post("user-balance", {}, nonce=now + off)
        assert (answer.status_code, answer.json()["code"]) == (400, 40102)
    client.secret = "x" * 32
    answer = client.post("user-balance", {})
    assert (answer.status_code, answer.json()["code"]) == (401, 40101)
    assert answer.json()["message"] == "UNAUTHORIZED"
    assert client_of(process, REVOKED).signed("user-balance")["code"] == 40101
    assert client_of(process, ELSEWHERE).signed("user-balance")["code"] == 40103
    reader = client_of(process, READ_ONLY)
    assert reader.signed("user-balance")["code"] == 0
    assert reader.signed("create-order", **FAR, price="1000")["code"] == 40103


def test_numbers_of_requests_come_back(client: ExchangeClient) -> None:
    """`id` as a number, also where a text of digits was sent; nonce as text passes."""
    assert client.post("get-open-orders", {}, id=77).json()["id"] == 77
    assert client.post("get-open-orders", {}, id="78").json()["id"] == 78
    nonce = str(int(client.now() * 1000))
    assert client.post("get-open-orders", {}, nonce=nonce).json()["code"] == 0
    assert client.post("get-open-orders", {}, nonce=1.5e12).json()["code"] == 40101


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("create-order", {**FAR, "price": 1000}, 308),
        ("create-order", {**FAR, "price": "1000", "quantity": 1}, 40101),
        ("create-order", {"instrument_name": "BTC_USDT", "side": "BUY", "type": "MARKET",
                          "notional": 25}, 50001),
        ("create-order", {**FAR, "price": "1000", "side": "buy"}, 220),
        ("create-order", {**FAR, "price": "1000", "type": "STOP"}, 218),
        ("create-order", {**FAR, "price": "1000", "time_in_force": "NOW"}, 221),
        ("create-order", {**FAR, "price": "1000", "spot_margin": "LOTS"}, 50001),
        ("create-order", {**FAR, "price": "1000", "spot_margin": "MARGIN"}, 416),
        ("create-order", {**FAR, "instrument_name": "NOPE_USD", "price": "1"}, 209),
        ("create-order", {**FAR, "price": "x"}, 308),
        ("create-order", {**FAR, "price": "1000", "quantity": "abc"}, 213),
        ("create-order", {**FAR, "price": "50000.001"}, 308),
        ("create-order", {**FAR, "price": "50000", "quantity": "0.0000001"}, 213),
        ("create-order", {**FAR, "instrument_name": "BTCUSD-PERP", "price": "50000"}, 412),
        ("get-order-history", {"limit": "10"}, 40003),
        ("get-order-history", {"limit": 101}, 40003),
        ("get-trades", {"limit": "10"}, 40003),
        ("user-balance-history", {"end_time": "1629478800000"}, 40003),
        ("get-order-detail", {"order_id": "1"}, 40401),
        ("get-order-detail", {}, 40004),
        ("cancel-order", {"order_id": "1"}, 316),
        ("amend-order", {"order_id": "1", "new_price": "1", "new_quantity": "1"}, 212),
        ("amend-order", {"order_id": "1", "new_price": "1"}, 40004),
        ("create-order-list", {"contingency_type": "OCO", "order_list": [{}]}, 140001),
        ("create-order-list", {"order_list": [{}] * 11}, 40004),
    ],
)  # fmt: skip
def test_refusals_have_their_codes(
    client: ExchangeClient, method: str, params: dict[str, Any], code: int
) -> None:
    """Each wrong parameter in the exchange's own way."""
    envelope = client.signed(method, **params)
    assert envelope["code"] == code
    assert envelope["message"]
    assert "order_id" not in envelope.get("result", {})


# ------------------------------------------------------------------------------------ orders


def test_an_orders_life(client: ExchangeClient) -> None:
    """Placed, seen by id and by name, open, cancelled, in the history; money held and given back.

    While it is active keys are missing that a finished order has.
    """
    before = balances(client)["USDT"]
    price = far(client)
    ids = client.place(**FAR, price=price, client_oid="mine-1")
    assert ids["client_oid"] == "mine-1"
    assert ids["order_id"].isdecimal()
    order = client.detail(ids["order_id"])
    assert client.user("get-order-detail", client_oid="mine-1") == order
    assert (order["status"], order["limit_price"]) == ("ACTIVE", price)
    assert (order["order_type"], order["time_in_force"]) == ("LIMIT", "GOOD_TILL_CANCEL")
    assert (order["exec_inst"], order["reason"], order["avg_price"]) == ([], 0, "0")
    assert D(order["order_value"]) == D(price) * D("0.01")
    assert order["create_time_ns"][:-6] == str(order["create_time"])
    assert not {"maker_fee_rate", "taker_fee_rate", "ref_price_type"} & set(order)
    held = balances(client)["USDT"]
    assert D(held["reserved_qty"]) - D(before["reserved_qty"]) == D(price) * D("0.01")
    assert held["quantity"] == before["quantity"]
    (listed,) = client.user("get-open-orders", instrument_name="BTC_USDT")["data"]
    assert listed == order
    assert client.user("cancel-order", client_oid="mine-1") == {"client_oid": "mine-1"}
    done = client.detail(ids["order_id"])
    assert (done["status"], done["maker_fee_rate"], done["ref_price_type"]) == (
        "CANCELED", "0", "NULL_VAL",
    )  # fmt: skip
    assert client.signed("cancel-order", order_id=ids["order_id"])["code"] == 316
    (newest, *_) = client.user("get-order-history", limit=5)["data"]
    assert newest == done
    assert balances(client)["USDT"] == before


def test_an_unnamed_order_is_named_after_its_request(client: ExchangeClient) -> None:
    """The name is the request's number; in a list, with the place of the order."""
    ids = client.post("create-order", {**FAR, "price": far(client)}, id=4711).json()["result"]
    assert ids["client_oid"] == "4711"
    orders = [{**FAR, "price": far(client)}, {**FAR, "price": far(client, "0.6")}]
    body = {"contingency_type": "LIST", "order_list": orders}
    entries = client.post("create-order-list", body, id=815).json()["result"]
    assert [entry["client_oid"] for entry in entries] == ["815_0", "815_1"]


def test_a_name_serves_one_living_order(client: ExchangeClient) -> None:
    """204 while the first lives; after it the name is free."""
    terms = {**FAR, "price": far(client), "client_oid": "again"}
    client.place(**terms)
    refused = client.signed("create-order", **terms)
    assert refused["code"] == 204
    client.user("cancel-order", client_oid="again")
    second = client.place(**terms)["order_id"]
    assert client.user("get-order-detail", client_oid="again")["order_id"] == second


def test_a_market_buy_for_money_mostly_ends_canceled(client: ExchangeClient) -> None:
    """It bought what the money buys, more than its quantity says, and is not FILLED."""
    before = balances(client)
    ids = client.place(instrument_name="ETH_USDT", side="BUY", type="MARKET", notional="100")
    order = client.detail(ids["order_id"])
    assert order["status"] == "CANCELED"
    assert order["exec_inst"] == ["NOTIONAL_ORDER"]
    assert "limit_price" not in order
    assert D(order["order_value"]) == 100
    bought, cost = D(order["cumulative_quantity"]), D(order["cumulative_value"])
    assert D("99.9") < cost < 100
    assert bought > D(order["quantity"]) > bought * D("0.9")
    assert order["fee_instrument_name"] == "ETH"
    after = balances(client)
    assert D(after["USDT"]["quantity"]) == D(before["USDT"]["quantity"]) - cost
    received = D(after["ETH"]["quantity"]) - D(before["ETH"]["quantity"])
    assert received == bought - D(order["cumulative_fee"])


def test_a_market_buy_that_spends_the_last_digit_is_filled(client: ExchangeClient) -> None:
    """FILLED only if what it cost is the money, to the last digit."""
    (book,) = client.data("get-book", instrument_name="CRO_USDT", depth=1)
    price = D(book["asks"][0][0])
    money = price * 40
    ids = client.place(instrument_name="CRO_USDT", side="BUY", type="MARKET", notional=str(money))
    order = client.detail(ids["order_id"])
    if D(order["cumulative_value"]) == money:  # the book may have moved between the two
        assert order["status"] == "FILLED"
    else:
        assert order["status"] == "CANCELED"


def test_market_orders_by_quantity_are_filled(client: ExchangeClient) -> None:
    """Either way; with quantity and notional, the quantity counts."""
    base = {"instrument_name": "ETH_USDT", "type": "MARKET", "quantity": "0.02"}
    for side, more in (("BUY", {}), ("SELL", {}), ("BUY", {"notional": "5"})):
        order = client.detail(client.place(**base, side=side, **more)["order_id"])
        assert (order["status"], D(order["cumulative_quantity"])) == ("FILLED", D("0.02"))
        assert order["exec_inst"] == []
        coin, rate = ("ETH", D(order["cumulative_quantity"])) if side == "BUY" else (
            "USDT", D(order["cumulative_value"]))  # fmt: skip
        assert order["fee_instrument_name"] == coin
        exact = rate * D("0.0016")
        assert exact <= D(order["cumulative_fee"]) < exact + D("0.0000001")


def test_own_trades_are_public_trades(client: ExchangeClient) -> None:
    """Id, price, amount and match are on the tape; fees are negative; newest first."""
    ids = client.place(instrument_name="ETH_USDT", side="SELL", type="MARKET", quantity="0.5")
    mine = client.user("get-trades", instrument_name="ETH_USDT", limit=20)["data"]
    own = [row for row in mine if row["order_id"] == ids["order_id"]]
    public = {row["d"]: row for row in client.data("get-trades", instrument_name="ETH_USDT",
                                                   count=150)}  # fmt: skip
    assert own
    for row in own:
        told = public[row["trade_id"]]
        assert (row["traded_price"], row["traded_quantity"]) == (told["p"], told["q"])
        assert (row["trade_match_id"], row["create_time"]) == (told["m"], told["t"])
        assert (row["side"], row["taker_side"], told["s"]) == ("SELL", "TAKER", "sell")
        assert D(row["fees"]) < 0
        assert row["client_oid"] == ids["client_oid"]
    times = [int(row["create_time_ns"]) for row in mine]
    assert times == sorted(times, reverse=True)


def test_ranges_of_histories(client: ExchangeClient) -> None:
    """A day where nothing is said; start inclusive, end exclusive; ms and ns; newest first."""
    month = int((client.now() - 40 * 86400) * 1e9)
    week = int((client.now() - 7 * 86400) * 1000)
    everything = client.user("get-order-history", start_time=str(month))["data"]
    assert len(everything) > 50
    updated = [row["update_time"] for row in everything]
    assert updated == sorted(updated, reverse=True)
    assert {row["status"] for row in everything} <= {"FILLED", "CANCELED", "REJECTED"}
    of_today = client.user("get-order-history")["data"]
    assert all(row["update_time"] / 1000 > client.now() - 86_400 for row in of_today)
    since = client.user("get-order-history", start_time=week)["data"]
    assert since == [row for row in everything if row["update_time"] >= week]
    oldest = client.user("get-trades", start_time=str(month), limit=100)["data"][-1]
    at = oldest["create_time_ns"]
    exactly = client.user("get-trades", start_time=at, end_time=str(int(at) + 1))["data"]
    assert [row["trade_id"] for row in exactly] == [oldest["trade_id"]]
    assert client.user("get-trades", start_time=str(int(at) - 1), end_time=at)["data"] == []


def test_times_in_force(client: ExchangeClient) -> None:
    """IOC leaves nothing behind, FOK wants all, POST_ONLY wants none; refused ones have an id."""
    price = far(client)
    for tif, code in (("IMMEDIATE_OR_CANCEL", 43004), ("FILL_OR_KILL", 43003)):
        envelope = client.signed("create-order", **FAR, price=price, time_in_force=tif)
        assert envelope["code"] == code
        order = client.detail(envelope["result"]["order_id"])
        assert (order["status"], order["reason"]) == ("CANCELED", code)
    best = ticker(client)["ask"]
    high = str((best * D("1.02")).quantize(D("0.01")))
    sweep = {**FAR, "price": high, "quantity": "0.02"}
    done = client.detail(client.place(**sweep, time_in_force="FILL_OR_KILL")["order_id"])
    assert done["status"] == "FILLED"
    assert D(done["avg_price"]) < D(high)
    near = str((ticker(client)["ask"] * D("1.005")).quantize(D("0.01")))
    partly = {**FAR, "price": near, "quantity": "1.7"}
    cut = client.detail(client.place(**partly, time_in_force="IMMEDIATE_OR_CANCEL")["order_id"])
    assert cut["status"] in {"CANCELED", "FILLED"}
    assert D(cut["cumulative_quantity"]) > 0
    assert cut["reason"] == (43004 if cut["status"] == "CANCELED" else 0)
    post = {"exec_inst": ["POST_ONLY"]}
    refused = client.signed("create-order", **sweep, **post)
    assert refused["code"] == 43005
    assert client.detail(refused["result"]["order_id"])["status"] == "REJECTED"
    rests = client.detail(client.place(**FAR, price=price, **post)["order_id"])
    assert (rests["status"], rests["exec_inst"]) == ("ACTIVE", ["POST_ONLY"])
    both = client.signed("create-order", **FAR, price=price, **post, time_in_force="FILL_OR_KILL")
    assert both["code"] == 43005


def test_refused_orders_are_in_the_history(client: ExchangeClient) -> None:
    """Too far 315, too dear 306, too small 415: each with an id, and REJECTED with its reason."""
    last = ticker(client)["last"]
    wishes: tuple[tuple[dict[str, Any], int], ...] = (
        ({**FAR, "price": str((last / 20).quantize(D("0.01")))}, 315),
        ({**FAR, "price": str((last / 2).quantize(D("0.01"))), "quantity": "1000"}, 306),
        ({"instrument_name": "BTC_USDT", "side": "BUY", "type": "MARKET", "notional": "0.001"},
         415),
    )  # fmt: skip
    for wish, code in wishes:
        envelope = client.signed("create-order", **wish, client_oid=f"refused-{code}")
        assert envelope["code"] == code
        ids = envelope["result"]
        assert ids["client_oid"] == f"refused-{code}"
        order = client.detail(ids["order_id"])
        assert (order["status"], order["reason"]) == ("REJECTED", code)
        assert client.user("get-order-detail", client_oid=f"refused-{code}") == order
    history = client.user("get-order-history", limit=10)["data"]
    assert {row["reason"] for row in history} >= {315, 306, 415}


def test_lists_stand_and_fall_by_entry(client: ExchangeClient) -> None:
    """Success outside, an entry each inside; a refused one beside a placed one."""
    price = far(client)
    orders = [
        {**FAR, "price": price, "client_oid": "leg1"},
        {**FAR, "price": price, "quantity": "1000", "client_oid": "leg2"},
        {**FAR, "price": "1000000.001", "client_oid": "leg3"},
    ]
    entries = client.user("create-order-list", contingency_type="LIST", order_list=orders)
    assert [(entry["index"], entry["code"]) for entry in entries] == [(0, 0), (1, 306), (2, 308)]
    assert entries[1]["message"] == "INSUFFICIENT_AVAILABLE_BALANCE"
    assert client.detail(entries[1]["order_id"])["status"] == "REJECTED"
    named = [{"client_oid": "leg1"}, {"client_oid": "leg1"}]
    gone = client.user("cancel-order-list", contingency_type="LIST", order_list=named)
    assert [(entry["index"], entry["code"]) for entry in gone] == [(0, 0), (1, 316)]


def test_amending_keeps_id_and_birth(client: ExchangeClient) -> None:
    """Price, amount and name change; held money follows; a closed order is 212."""
    ids = client.place(**FAR, price=far(client), client_oid="old")
    before = client.detail(ids["order_id"])
    price = far(client, "0.4")
    told = client.user(
        "amend-order", orig_client_oid="old", client_oid="new", new_price=price, new_quantity="0.03"
    )
    assert told["client_oid"] == "new"
    after = client.user("get-order-detail", client_oid="new")
    assert after["order_id"] == ids["order_id"]
    assert after["create_time_ns"] == before["create_time_ns"]
    assert (after["limit_price"], D(after["quantity"])) == (price, D("0.03"))
    assert D(after["order_value"]) == D(price) * D("0.03")
    assert client.signed("get-order-detail", client_oid="old")["code"] == 40401
    assert D(balances(client)["USDT"]["reserved_qty"]) == D(price) * D("0.03")
    same = {"order_id": ids["order_id"], "new_price": price, "new_quantity": "0.03"}
    assert client.signed("amend-order", **same)["code"] == 40004
    dear = {"order_id": ids["order_id"], "new_price": price, "new_quantity": "1000"}
    assert client.signed("amend-order", **dear)["code"] == 306
    assert D(client.detail(ids["order_id"])["quantity"]) == D("0.03")
    marketable = str((ticker(client)["ask"] * D("1.01")).quantize(D("0.01")))
    client.user("amend-order", order_id=ids["order_id"], new_price=marketable, new_quantity="0.01")
    assert client.detail(ids["order_id"])["status"] == "FILLED"
    late = {"order_id": ids["order_id"], "new_price": price, "new_quantity": "0.02"}
    assert client.signed("amend-order", **late)["code"] == 212


def test_cancelling_all_of_a_market_and_of_all(client: ExchangeClient) -> None:
    """No result; one market, then the rest."""
    client.place(**FAR, price=far(client))
    client.place(**FAR, price=far(client))
    eth = str((ticker(client, "ETH_USDT")["last"] / 2).quantize(D("0.01")))
    client.place(instrument_name="ETH_USDT", side="BUY", type="LIMIT", quantity="0.1", price=eth)
    opened = client.user("get-open-orders")["data"]
    times = [row["create_time"] for row in opened]
    assert times == sorted(times)
    assert "result" not in client.signed("cancel-all-orders", instrument_name="BTC_USDT")
    left = client.user("get-open-orders")["data"]
    assert {row["instrument_name"] for row in left} == {"ETH_USDT"}
    client.user("cancel-all-orders")
    assert client.user("get-open-orders")["data"] == []


def test_two_hundred_open_orders_a_market(client: ExchangeClient) -> None:
    """The 201st is refused with 318, on that market."""
    price = far(client)
    order = {**FAR, "price": price, "quantity": "0.0001"}
    for _ in range(20):
        body = {"contingency_type": "LIST", "order_list": [order] * 10}
        entries = client.user("create-order-list", **body)
        assert {entry["code"] for entry in entries} == {0}
    assert client.signed("create-order", **order)["code"] == 318
    assert len(client.user("get-open-orders")["data"]) == 200
    eth = str((ticker(client, "ETH_USDT")["last"] / 2).quantize(D("0.01")))
    client.place(instrument_name="ETH_USDT", side="BUY", type="LIMIT", quantity="0.1", price=eth)
    client.user("cancel-all-orders")


def test_an_order_is_one_on_both_wires(client: ExchangeClient, process: launch.Running) -> None:
    """Placed here, seen and cancelled on V1, and the other way round."""
    v1 = v1_client_of(process)
    ids = client.place(**FAR, price=far(client), client_oid="both")
    info = v1.user("/v1/showOrder", symbol="btcusdt", order_id=ids["order_id"])["order_info"]
    assert (info["id"], info["status"]) == (int(ids["order_id"]), 1)
    v1.user("/v1/orders/cancel", symbol="btcusdt", order_id=ids["order_id"])
    assert client.detail(ids["order_id"])["status"] == "CANCELED"
    terms = {"symbol": "btcusdt", "side": "BUY", "type": 1, "volume": "0.01", "price": far(client)}
    placed = str(v1.user("/v1/order", **terms)["order_id"])
    order = client.detail(placed)
    assert (order["status"], D(order["quantity"])) == ("ACTIVE", D("0.01"))
    assert [row["order_id"] for row in client.user("get-open-orders")["data"]] == [placed]
    client.user("cancel-order", order_id=placed)
    info = v1.user("/v1/showOrder", symbol="btcusdt", order_id=placed)["order_info"]
    assert info["status"] == 4


def test_v1_keeps_no_refused_orders(process: launch.Running, client: ExchangeClient) -> None:
    """There an order that cannot be never was."""
    v1 = v1_client_of(process)
    count = v1.user("/v1/allOrders", symbol="btcusdt", pageSize=1)["count"]
    terms = {"symbol": "btcusdt", "side": "BUY", "type": 1, "volume": "1000", "price": far(client)}
    assert v1.signed("/v1/order", **terms)["code"] == "19"
    assert v1.user("/v1/allOrders", symbol="btcusdt", pageSize=1)["count"] == count


# ----------------------------------------------------------------------------------- account


def test_the_account_adds_up(client: ExchangeClient) -> None:
    """The total is the worth of all coins in USD; only what is held is listed."""
    (block,) = client.user("user-balance")["data"]
    rows = block["position_balances"]
    assert {"USDT", "BTC", "ETH", "CRO"} <= {row["instrument_name"] for row in rows}
    assert block["instrument_name"] == "USD"
    assert sum(D(row["market_value"]) for row in rows) == D(block["total_cash_balance"])
    assert all(isinstance(row["collateral_eligible"], bool) for row in rows)


def test_fees_positions_and_entries(client: ExchangeClient) -> None:
    """16 and 10 basis points, no positions, two entries for each own trade."""
    fee = client.user("get-instrument-fee-rate", instrument_name="BTC_USD")
    assert (D(fee["effective_maker_rate_bps"]), D(fee["effective_taker_rate_bps"])) == (10, 16)
    tier = client.user("get-fee-rate")
    assert D(tier["effective_spot_taker_rate_bps"]) == 16
    assert client.user("get-positions")["data"] == []
    client.place(instrument_name="ETH_USDT", side="SELL", type="MARKET", quantity="0.01")
    trades = client.user("get-trades", limit=100)["data"]
    entries = client.user("get-transactions", limit=100)["data"]
    fee_entries = {row["trade_id"]: row for row in entries if row["journal_type"] == "TRADE_FEE"}
    for row in trades[:3]:
        assert row["trade_id"] in fee_entries
    assert {row["journal_type"] for row in entries} == {"TRADING", "TRADE_FEE"}
    assert len({row["journal_id"] for row in entries}) == len(entries)


def test_the_worth_of_the_account_over_time(client: ExchangeClient) -> None:
    """30 days or 120 hours; the newest is near today's, since only prices moved since."""
    (block,) = client.user("user-balance")["data"]
    now = D(block["total_cash_balance"])
    for timeframe, count, step in (("D1", 30, 86_400_000), ("H1", 120, 3_600_000)):
        rows = client.user("user-balance-history", timeframe=timeframe)["data"]
        assert len(rows) == count
        assert all(b["t"] - a["t"] == step for a, b in itertools.pairwise(rows))
        assert D("0.8") < D(rows[-1]["c"]) / now < D("1.25")
        assert rows[-1]["t"] <= time.time() * 1000
