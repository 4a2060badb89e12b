"""What goes wrong on order: each fault as a strange client meets it, and who may order one."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
import websocket

from cdcx_pandas import launch
from cdcx_pandas.errors import BadRequest
from cdcx_pandas.messages import HttpResponse
from cdcx_pandas.sandbox.faults import Fault, Script, bomb, read_fault, spoiled
from cdcx_pandas.sandbox.keys import make_keys
from tests.peers.v1_client import V1Client

KLINES, STREAM = "/v1/klines", "/kline-api/ws"
TICKER = "market_btcusdt_ticker"


class Broken:
    """A sandbox that fails on order, and a client of it."""

    def __init__(self, running: launch.Running) -> None:
        self.running = running
        address, key = running.addresses["v1"], make_keys(7)[0]
        self.client = V1Client(address.rest, address.ws, key.key, key.secret)

    def control(self, method: str, what: str, **json: object) -> Any:
        """Order something of the sandbox."""
        answer = requests.request(
            method,
            f"{self.running.control_url}/{what}",
            json=json,
            headers={"X-Sandbox-Token": self.running.control_token},
            timeout=10,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fail(self, where: str = KLINES, **fault: object) -> None:
        """Order a fault."""
        self.control("POST", "faults", where=where, **fault)

    def state(self) -> Any:
        """Return what the sandbox tells of itself."""
        return self.control("GET", "state")

    def ask(self) -> requests.Response:
        """Ask for klines."""
        return self.client.get(KLINES, symbol="btcusdt", period=1)


@pytest.fixture(scope="module")
def process() -> Iterator[launch.Running]:
    """Start a sandbox that pushes often."""
    running = launch.start(("--no-limits", "--push-every", "0.05", "--speed", "30"))
    yield running
    running.stop()


@pytest.fixture
def broken(process: launch.Running) -> Iterator[Broken]:
    """Return a sandbox with no faults left over."""
    made = Broken(process)
    made.control("DELETE", "faults")
    with made.client.http:
        yield made
    made.control("DELETE", "faults")


# ----------------------------------------------------------------------------------- script


def test_faults_befall_in_order_as_often_as_said() -> None:
    """The first that fits counts down; skipped ones pass; 0 is for ever; others are left alone."""
    script = Script()
    script.add(Fault(KLINES, times=2, skip=1, status=500))
    script.add(Fault("*", times=0, status=502))
    assert script.next_for(KLINES) == Fault("*", times=0, status=502)  # skipped, so the second
    found = [script.next_for(KLINES) for _ in range(3)]
    assert [fault.status for fault in found if fault] == [500, 500, 502]
    script.clear()
    assert script.next_for(KLINES) is None


def test_a_channel_is_found_by_its_whole_name() -> None:
    """Neither a part of a name nor `*`, which is for paths, befalls a channel."""
    script = Script()
    script.add(Fault("*", times=0, mute=True))
    script.add(Fault("market_btcusdt", times=0, mute=True))
    frame = json.dumps({"event": "unsub", "params": {"channel": TICKER}})
    assert script.next_on(frame) is None
    script.add(Fault(TICKER, mute=True))
    assert script.next_on(frame) == Fault(TICKER, mute=True)
    assert script.next_on(frame) is None


@pytest.mark.parametrize(
    "given", [[], {"stauts": 500}, {"status": "500"}, {"body": "xml"}, {"times": None}, None]
)
def test_what_is_no_fault_is_refused(given: object) -> None:
    """A misspelt or mistyped fault is an error, so that no test passes without its fault."""
    with pytest.raises(BadRequest):
        read_fault(given)


def test_the_bomb_is_small_and_goes_off() -> None:
    """Half a megabyte inflates a thousandfold."""
    packed = bomb()
    assert len(packed) < 1 << 20
    inflater = zlib.decompressobj(31)
    size = 0
    while packed:
        size += len(inflater.decompress(packed, 8 << 20))
        packed = inflater.unconsumed_tail
    assert size == 400 << 20
    assert inflater.eof


def test_no_fault_changes_nothing() -> None:
    """A fault that only waits leaves the answer as it is."""
    response = HttpResponse(200, b"{}")
    assert spoiled(Fault(delay_s=1), KLINES, response) is response


# ------------------------------------------------------------------------------------- REST


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("body", ["json", "html", "empty"])
def test_any_status_with_any_body(broken: Broken, status: int, body: str) -> None:
    """A status comes as often as ordered, then the sandbox answers again."""
    broken.fail(status=status, body=body, retry_after=1.5)
    answer = broken.ask()
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "1.5")
    match body:
        case "json":
            assert answer.json()["status"] == status
        case "html":
            assert answer.text.startswith("<html>")
        case _:
            assert answer.content == b""
    assert broken.ask().json()["code"] == "0"


@pytest.mark.parametrize("code", [100004, "100004", -1000, None, 4.5, "", True])
def test_any_code_of_any_type(broken: Broken, code: object) -> None:
    """An error code comes under HTTP 200 with the type it was ordered with; None is none."""
    broken.fail(code=code)
    answer = broken.ask()
    assert answer.status_code == 200
    assert answer.json()["code"] == ("0" if code is None else code)


@pytest.mark.parametrize("text", ["", "<html>sorry</html>", '{"code":"0","msg":"suc","data":NaN}'])
def test_any_text(broken: Broken, text: str) -> None:
    """A text is answered as it was ordered, under HTTP 200."""
    broken.fail(text=text)
    answer = broken.ask()
    assert (answer.status_code, answer.text) == (200, text)


def test_it_can_be_slow(broken: Broken) -> None:
    """An answer comes so much later, and others are not held up by it."""
    broken.fail(delay_s=0.3)
    began = time.monotonic()
    assert broken.ask().json()["code"] == "0"
    assert 0.3 <= time.monotonic() - began < 1


def test_it_can_hang(broken: Broken) -> None:
    """A question is taken and not answered; the sandbox answers others."""
    broken.fail(hang=True)
    with pytest.raises(requests.ReadTimeout):
        requests.get(broken.client.rest + KLINES, timeout=0.3)
    assert broken.ask().status_code == 200


def test_it_can_drop_and_cut_short(broken: Broken) -> None:
    """A connection ends without an answer, or in the middle of one."""
    broken.fail(drop=True)
    with pytest.raises(requests.ConnectionError):
        broken.ask()
    broken.fail(truncate=True)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        broken.ask()
    assert broken.ask().status_code == 200


def test_it_can_send_a_bomb(broken: Broken) -> None:
    """The body is marked gzip, small, and not what it seems."""
    broken.fail(bomb=True)
    url = broken.client.rest + KLINES
    with requests.get(url, timeout=20, stream=True) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert int(answer.headers["Content-Length"]) < 1 << 20


def test_a_lost_answer_is_to_something_that_happened(broken: Broken) -> None:
    """The order is there although nobody was told; a dropped one is not."""
    client = broken.client
    order: Any = {"symbol": "btcusdt", "side": "BUY", "type": 1, "volume": "0.01"}
    last = float(client.data("/v1/ticker", symbol="btcusdt")["last"])
    price = f"{last / 2:.2f}"
    client.now = lambda: broken.state()["now_ns"] / 1e9
    before = client.user("/v1/openOrders", symbol="btcusdt")["count"]
    for fault, more in (("lose_answer", 1), ("drop", 1)):
        broken.fail("/v1/order", **{fault: True})
        with pytest.raises(requests.ConnectionError):
            client.signed("/v1/order", price=price, **order)
        assert client.user("/v1/openOrders", symbol="btcusdt")["count"] == before + more
    open_orders = [row for row in broken.state()["orders"] if row["status"] == "open"]
    assert price in {row["price"] for row in open_orders}
    assert broken.state()["ledger"] == "conserved"


# ----------------------------------------------------------------------------------- stream


def test_the_stream_can_refuse_to_open(broken: Broken) -> None:
    """A handshake is answered with a status, or with nothing."""
    broken.fail(STREAM, status=503, retry_after=2)
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        broken.client.stream()
    assert caught.value.status_code == 503
    broken.fail(STREAM, drop=True)
    with pytest.raises((websocket.WebSocketException, ConnectionError)):
        broken.client.stream()
    broken.client.stream().socket.close()


def test_a_stream_can_be_mute(broken: Broken) -> None:
    """Neither updates nor answers come, on that connection only."""
    broken.fail(STREAM, mute=True)
    with broken.client.stream() as mute, broken.client.stream() as other:
        for stream in (mute, other):
            stream.send("sub", TICKER)
            stream.socket.settimeout(0.5)
        assert other.next()["channel"] == TICKER
        mute.send("req", "review")
        with pytest.raises(websocket.WebSocketTimeoutException):
            mute.next()


def test_a_channel_can_be_mute(broken: Broken) -> None:
    """Updates of one channel are left out, so many of them; the others come."""
    with broken.client.stream() as stream:
        stream.send("sub", TICKER)
        assert stream.next()["channel"] == TICKER
        broken.fail(TICKER, times=0, mute=True)
        stream.send("sub", "market_btcusdt_depth_step0", asks=1, bids=1)
        heard = [stream.next()["channel"] for _ in range(12)]
        assert TICKER not in heard[2:]
        broken.control("DELETE", "faults")
        while stream.next()["channel"] != TICKER:
            pass


@pytest.mark.parametrize(
    ("fault", "error"),
    [({"truncate": True}, EOFError), ({"text": "{"}, json.JSONDecodeError)],
)
def test_a_frame_can_be_spoiled(
    broken: Broken, fault: dict[str, object], error: type[Exception]
) -> None:
    """A compressed text ends in the middle, or is not what it should be; the next is well."""
    with broken.client.stream() as stream:
        broken.fail(TICKER, **fault)
        stream.send("sub", TICKER)
        stream.next()
        with pytest.raises(error):
            stream.next()
        assert stream.next()["channel"] == TICKER


def test_a_frame_can_be_a_bomb(broken: Broken) -> None:
    """A frame of half a megabyte that is none."""
    with broken.client.stream() as stream:
        broken.fail(TICKER, bomb=True)
        stream.send("sub", TICKER)
        sizes = [len(stream.socket.recv()) for _ in range(3)]
        assert max(sizes) == len(bomb())


def test_a_stream_can_be_closed_with_a_code(broken: Broken) -> None:
    """Once open, or instead of an update, or all streams at once: the code arrives."""
    broken.fail(STREAM, close=1013)
    with broken.client.stream() as stream:
        assert close_code(stream.socket) == 1013
    with broken.client.stream() as stream:
        broken.fail(TICKER, close=4000)
        stream.send("sub", TICKER)
        assert close_code(stream.socket) == 4000
    with broken.client.stream() as stream, broken.client.stream() as other:
        broken.control("POST", "cut?code=1012")
        assert [close_code(one.socket) for one in (stream, other)] == [1012, 1012]


def close_code(socket: websocket.WebSocket) -> int:
    """Read until the closing frame; return its code."""
    while True:
        opcode, payload = socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return int.from_bytes(payload[:2], "big")


def test_all_streams_can_be_cut(broken: Broken) -> None:
    """Without a closing frame, as when a cable is pulled."""
    with broken.client.stream() as stream, broken.client.stream() as other:
        assert broken.state()["listeners"] == 2
        broken.control("POST", "cut")
        for one in (stream, other):
            with pytest.raises((websocket.WebSocketException, ConnectionError)):
                one.next()
    assert broken.state()["listeners"] == 0
    assert broken.state()["feeds"] == 0


def test_who_does_not_read_is_let_go(broken: Broken) -> None:
    """A connection that leaves megabytes waiting is dropped; another one hears on."""
    with broken.client.stream() as lazy, broken.client.stream() as other:
        other.send("sub", TICKER)
        with suppress(ConnectionError):  # let go before all was asked
            for _ in range(3000):  # 35 MB of answers
                lazy.send("req", "market_btcusdt_kline_1min", pageSize=300)
        until = time.monotonic() + 90
        while broken.state()["listeners"] == 2:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert other.next()["channel"] == TICKER


# ------------------------------------------------------------------------------ who may order


def test_nobody_orders_without_the_token(broken: Broken) -> None:
    """Every order of every kind is refused, and none of them happened."""
    url = broken.running.control_url
    for token in (None, "", "x" * 32, broken.running.control_token[:-1], "\u00fc"):
        headers = {} if token is None else {"X-Sandbox-Token": token.encode("utf-8", "replace")}
        for method in ("GET", "POST", "PUT", "DELETE"):
            for what in ("faults", "state", "cut", "stop", "nothing"):
                answer = requests.request(
                    method, f"{url}/{what}", headers=headers, json={"where": "*"}, timeout=5
                )
                assert answer.status_code == 403
    assert broken.state()["faults"] == 0
    assert broken.ask().status_code == 200


def test_the_token_opens_what_there_is_and_nothing_else(broken: Broken) -> None:
    """With it, what is no fault is 400 and what is no order 404."""
    headers = {"X-Sandbox-Token": broken.running.control_token}
    url = broken.running.control_url
    for text in ("{", '{"oops": 1}', "[]", '{"times": "x"}'):
        answer = requests.post(f"{url}/faults", headers=headers, data=text, timeout=5)
        assert answer.status_code == 400
        assert answer.json()["error"]
    assert requests.get(f"{url}/nothing", headers=headers, timeout=5).status_code == 404


def test_the_state_tells_what_was_asked_and_when(broken: Broken) -> None:
    """Counts by path, and the arrivals with the monotonic time of this machine in ns."""
    before = broken.state()["counts"].get(KLINES, 0)
    began = time.monotonic_ns()
    broken.ask()
    state = broken.state()
    assert state["counts"][KLINES] == before + 1
    method, path, at_ns = state["seen"][-1]
    assert (method, path) == ("GET", KLINES)
    assert began < at_ns < time.monotonic_ns()
    assert {"id", "symbol", "side", "status", "filled"} <= set(state["orders"][0])


def test_it_stops_when_told() -> None:
    """The process ends in order."""
    running = launch.start(())
    Broken(running).control("POST", "stop")
    assert running.process.wait(5) == 0
    running.stop()  # nothing is left to stop


def test_bodies_are_bounded(broken: Broken) -> None:
    """More than 64 KiB of question is refused, told or untold in advance."""
    url = broken.client.rest + "/v1/account"
    assert requests.post(url, data=b"x" * (65 << 10), timeout=5).status_code == 413
    pieces = (b"x" * 1024 for _ in range(66))
    assert requests.post(url, data=pieces, timeout=5).status_code == 413
    assert requests.post(url, data=b"x" * 1000, timeout=5).json()["code"] == "100004"


def test_frames_are_whole_gzip_members(broken: Broken) -> None:
    """Even pings and answers: the standard library unpacks each frame without a rest."""
    with broken.client.stream() as stream:
        stream.send("sub", TICKER)
        stream.send("req", "review")
        for _ in range(3):
            inflater = zlib.decompressobj(31)
            frame = stream.socket.recv()
            assert inflater.decompress(frame) == gzip.decompress(frame)
            assert inflater.eof
            assert not inflater.unused_data
