"""What goes wrong on order on today's wire, as a strange client meets it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from cdcx_pandas import launch
from tests.peers.exchange_client import ExchangeClient
from tests.sandbox.exchange_world import client_of

ROOT = "/exchange/v1"
CANDLES = f"{ROOT}/public/get-candlestick"
DETAIL = f"{ROOT}/private/get-order-detail"
CHANGES = {"book_subscription_type": "SNAPSHOT_AND_UPDATE", "book_update_frequency": 10}


@pytest.fixture(scope="module")
def process() -> Iterator[launch.Running]:
    """Start a sandbox that tells often, on a tape that runs fast."""
    running = launch.start(
        ("--no-limits", "--push-every", "0.1", "--speed", "20", "--heartbeat-every", "0.3")
    )
    yield running
    running.stop()


class Broken(ExchangeClient):
    """The strange client, which may order faults too."""

    running: launch.Running

    def fail(self, where: str, **fault: Any) -> None:
        """Order a fault."""
        self._control("POST", where=where, **fault)

    def forgive(self) -> None:
        """Forget all faults."""
        self._control("DELETE")

    def _control(self, method: str, **fault: Any) -> None:
        answer = self.http.request(
            method,
            f"{self.running.control_url}/faults",
            json=fault,
            headers={"X-Sandbox-Token": self.running.control_token},
            timeout=5,
        )
        assert answer.status_code == 200, answer.text


@pytest.fixture
def broken(process: launch.Running) -> Iterator[Broken]:
    """Return the client, and no faults left over."""
    plain = client_of(process)
    made = Broken(plain.rest, (plain.market_ws, plain.user_ws), plain.key, plain.secret, plain.now)
    made.running = process
    with made.http:
        made.forgive()
        yield made
        made.forgive()


def candles(broken: Broken, **params: Any) -> requests.Response:
    """Ask for candles."""
    return broken.get("get-candlestick", instrument_name="BTC_USDT", **params)


def test_the_web_servers_own_errors(broken: Broken) -> None:
    """502 as HTML, as the wall before the exchange answers."""
    broken.fail(CANDLES, status=502, body="html")
    answer = candles(broken)
    assert answer.status_code == 502
    assert answer.text.startswith("<html>")
    assert candles(broken).json()["code"] == 0


def test_maintenance_and_codes_as_text(broken: Broken) -> None:
    """A code in today's envelope, with a message; a right answer whose numbers are texts."""
    broken.fail(CANDLES, code=9010001)
    answer = candles(broken).json()
    assert answer["code"] == 9010001
    assert answer["message"]
    assert "result" not in answer
    assert "msg" not in answer
    broken.fail(CANDLES, as_text=True)
    answer = candles(broken).json()
    assert (answer["code"], answer["id"]) == ("0", "1")
    assert len(answer["result"]["data"]) == 25


def test_candles_can_have_holes(broken: Broken) -> None:
    """Every fourth is missing, once; then all are there."""
    broken.fail(CANDLES, holes=4)
    rows = candles(broken, count=20).json()["result"]["data"]
    steps = [b["t"] - a["t"] for a, b in itertools.pairwise(rows)]
    assert len(rows) == 15
    assert set(steps) == {60_000, 120_000}
    assert len(candles(broken, count=20).json()["result"]["data"]) == 20


def test_an_order_can_be_unfindable_for_an_instant(broken: Broken) -> None:
    """40401 right after create-order, then it is there."""
    (row,) = broken.data("get-tickers", instrument_name="BTC_USDT")
    price = str(round(float(row["a"]) / 2, 2))
    broken.fail(DETAIL, code=40401)
    order = {"instrument_name": "BTC_USDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01"}
    ids = broken.place(**order, price=price)
    assert broken.signed("get-order-detail", order_id=ids["order_id"])["code"] == 40401
    assert broken.detail(ids["order_id"])["status"] == "ACTIVE"
    broken.user("cancel-all-orders")


def test_a_lost_answer_is_to_an_order_that_exists(broken: Broken) -> None:
    """The connection is cut after it was placed; its name finds it."""
    (row,) = broken.data("get-tickers", instrument_name="BTC_USDT")
    terms = {"instrument_name": "BTC_USDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01",
             "price": str(round(float(row["a"]) / 2, 2)), "client_oid": "lost"}  # fmt: skip
    broken.fail(f"{ROOT}/private/create-order", lose_answer=True)
    with pytest.raises(requests.ConnectionError):
        broken.post("create-order", terms)
    assert broken.user("get-order-detail", client_oid="lost")["status"] == "ACTIVE"
    broken.user("cancel-all-orders")


def test_a_change_can_be_lost(broken: Broken) -> None:
    """Then `pu` is not the `u` before; asking again mends it."""
    with broken.market() as market:
        market.subscribe("book.BTC_USDT.10", **CHANGES)
        last = market.news()["data"][0]["u"]
        broken.fail("book.BTC_USDT.10", mute=True)
        breaks = 0
        for _ in range(12):
            (data,) = market.news()["data"]
            breaks += data["pu"] != last
            last = data["u"]
        assert breaks == 1
        market.subscribe("book.BTC_USDT.10", **CHANGES)
        while (result := market.news())["channel"] != "book":
            pass
        last = result["data"][0]["u"]
        for _ in range(5):
            (data,) = market.news()["data"]
            assert data["pu"] == last
            last = data["u"]


def test_a_frame_can_come_twice_or_spoiled(broken: Broken) -> None:
    """The same text again; a text that is no JSON."""
    with broken.market() as market:
        market.subscribe("trade.BTC_USD")
        market.news()
        broken.fail("trade.BTC_USD", twice=True)
        first, second = market.news(), market.news()
        assert first == second
        broken.fail("trade.BTC_USD", text="<html>")
        with pytest.raises(json.JSONDecodeError):
            market.news()


def test_heartbeats_can_be_skipped(broken: Broken) -> None:
    """Nobody is asked, and nobody is closed."""
    broken.fail(f"{ROOT}/market", no_pings=True)
    with broken.market() as market:
        assert market.silent(1.3)
        assert market.heartbeats == []
    with broken.market() as market:
        assert market.silent(0.7)
        assert market.heartbeats


@pytest.mark.parametrize("where", ["market", "user"])
def test_a_socket_can_refuse_to_open_or_close(broken: Broken, where: str) -> None:
    """1013 is how a server that restarts says so."""
    broken.fail(f"{ROOT}/{where}", close=1013)
    address = broken.market_ws if where == "market" else broken.user_ws
    from tests.peers.exchange_client import ExchangeStream

    with ExchangeStream(address) as stream, pytest.raises(ConnectionError, match="1013"):
        stream.next(5)
