"""Mischief on the streams, as a raw client meets it on both wires; chance by its seed."""

from __future__ import annotations

import gzip
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import websocket

from cdcx_pandas import launch
from cdcx_pandas.errors import BadRequest
from cdcx_pandas.sandbox.chaos import OF_UPDATES, Chaos, read_orders
from cdcx_pandas.sandbox.faults import EVERY_CHANNEL, GARBLES, Fault, Script, crossed, read_fault
from cdcx_pandas.tables import TRADES, Answer
from tests.sandbox.chaos_world import BINARY, CLOSED, NAMES, TEXT, Chaotic, Raw

WIRES = ("v1", "exchange")


@pytest.fixture(scope="module")
def process() -> Iterator[launch.Running]:
    """Start a busy sandbox whose pings are frequent."""
    running = launch.start(
        ("--no-limits", "--push-every", "0.02", "--speed", "60", "--ping-every", "0.2",
         "--heartbeat-every", "0.2")
    )  # fmt: skip
    yield running
    running.stop()


@pytest.fixture
def sandbox(process: launch.Running) -> Iterator[Chaotic]:
    """Return a sandbox with no mischief left over."""
    made = Chaotic(process)
    made.peace()
    yield made
    made.peace()


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> str:
    """Return the name of a wire."""
    name: str = request.param
    return name


def listening(sandbox: Chaotic, wire: str, channel: str, **params: Any) -> Raw:
    """Connect, and return when the channel is heard."""
    raw = sandbox.raw(wire)
    raw.subscribe(channel, **params)
    raw.news()
    return raw


# -------------------------------------------------------------------------------- by order


def test_an_update_of_any_channel_can_be_meant() -> None:
    """`stream:*` befalls every channel and no path; nothing but updates can be meant by it."""
    script = Script()
    script.add(Fault(EVERY_CHANNEL, swap=True))
    assert script.next_for("/v1/klines") is None
    assert script.next_on('["any"]') == Fault(EVERY_CHANNEL, swap=True)
    for fault in ({"status": 500}, {"no_pings": True}, {}):
        with pytest.raises(BadRequest):
            read_fault({"where": EVERY_CHANNEL, **fault})


def test_a_connection_is_reset_inside_a_frame(sandbox: Chaotic, wire: str) -> None:
    """The header promises more bytes than come; then the connection is reset, not closed."""
    with listening(sandbox, wire, NAMES[wire].trades) as raw:
        sandbox.fail(EVERY_CHANNEL, cut_inside=True)
        whole, rest = frames_of(until_reset(raw))
        assert len(whole) < 20
        assert 2 < len(rest) < promised(rest)
    assert sandbox.state()["happened"]["cut_inside"] >= 1


def until_reset(raw: Raw) -> bytes:
    """Return the bytes that come until the connection is reset; any other end is an error."""
    raw.socket.settimeout(5)
    stream = b""
    while True:
        try:
            more = raw.socket.sock.recv(65536)
        except ConnectionResetError:
            return stream
        assert more, "closed in order"
        stream += more


def promised(stream: bytes) -> int:
    """Return how long the first frame is that its header promises (RFC 6455, 5.2)."""
    match stream[1]:
        case 126:
            return 4 + int.from_bytes(stream[2:4], "big")
        case 127:
            return 10 + int.from_bytes(stream[2:10], "big")
        case size:
            return 2 + size


def frames_of(stream: bytes) -> tuple[list[bytes], bytes]:
    """Return the whole frames, and the part of one that is left."""
    whole = []
    while len(stream) > 1 and len(stream) >= promised(stream):
        size = promised(stream)
        whole.append(stream[:size])
        stream = stream[size:]
    return whole, stream


def test_websocket_client_sees_the_reset(sandbox: Chaotic, wire: str) -> None:
    """On the stream's path it is the first frame that is cut."""
    sandbox.fail(NAMES[wire].path, cut_inside=True)
    with sandbox.raw(wire) as raw:
        raw.subscribe(NAMES[wire].trades)
        with pytest.raises(CLOSED):
            raw.frame()


def test_a_black_hole_is_silent_and_open(sandbox: Chaotic, wire: str) -> None:
    """Neither news nor pings nor pongs nor an end, though the server asks often."""
    with listening(sandbox, wire, NAMES[wire].trades) as raw:
        sandbox.fail(EVERY_CHANNEL, half_open=True)
        with pytest.raises(websocket.WebSocketTimeoutException):
            drain(raw, 1.5)  # of what was on its way
        raw.socket.ping()
        with pytest.raises(websocket.WebSocketTimeoutException):
            raw.frame(1.0)


def drain(raw: Raw, seconds: float) -> None:
    """Read frames and answer pings until none comes for a while, or it is over."""
    while True:
        raw.answer(raw.read(raw.frame(seconds)[1]))


def test_half_open_from_the_opening_on(sandbox: Chaotic, wire: str) -> None:
    """A stream that opens and then is not there."""
    sandbox.fail(NAMES[wire].path, half_open=True)
    with sandbox.raw(wire) as raw:
        raw.subscribe(NAMES[wire].trades)
        with pytest.raises(websocket.WebSocketTimeoutException):
            raw.frame(1.0)


def test_two_updates_are_swapped(sandbox: Chaotic, wire: str) -> None:
    """One news of trades comes after the next, and nothing is missing."""
    with listening(sandbox, wire, NAMES[wire].trades) as raw:
        sandbox.fail(NAMES[wire].trades, swap=True)
        pages = [raw.trade_ids(10) for _ in range(6)]
    firsts = [page[0] for page in pages]
    assert firsts != sorted(firsts)
    ids = sorted(id_ for page in pages for id_ in page)
    assert ids == list(range(ids[0], ids[-1] + 1))
    assert sum(b < a for a, b in itertools.pairwise(firsts)) == 1


def test_what_is_delayed_is_overtaken(sandbox: Chaotic, wire: str) -> None:
    """Later news come first; the late one comes all the same."""
    with listening(sandbox, wire, NAMES[wire].trades) as raw:
        sandbox.fail(NAMES[wire].trades, delay_s=1.0)
        until = time.monotonic() + 2.0
        pages = []
        while time.monotonic() < until:
            pages.append(raw.trade_ids(10))
    firsts = [page[0] for page in pages]
    late = next(b for a, b in itertools.pairwise(firsts) if b < a)
    assert sum(first > late for first in firsts[: firsts.index(late)]) > 1
    ids = sorted(id_ for page in pages for id_ in page)
    assert ids == list(range(ids[0], ids[-1] + 1))


@pytest.mark.parametrize("how", GARBLES)
def test_frames_are_garbled(sandbox: Chaotic, wire: str, how: str) -> None:
    """Each way of spoiling a frame, seen in its bytes."""
    with listening(sandbox, wire, NAMES[wire].ticker) as raw:
        sandbox.fail(NAMES[wire].ticker, garble=how)
        while True:
            opcode, frame = raw.frame()
            if not is_whole(wire, opcode, frame):
                break
            raw.answer(raw.read(frame))
        raw.news()  # and the next is whole again
    if how == "empty":
        assert frame == b""
    elif wire == "v1":
        check_gzip(how, opcode, frame)
    else:
        check_text(how, opcode, frame)


def is_whole(wire: str, opcode: int, frame: bytes) -> bool:
    """Tell whether a frame is as the wire's frames are."""
    try:
        plain = gzip.decompress(frame) if wire == "v1" else frame
        json.loads(plain)
    except (ValueError, OSError, EOFError):
        return False
    return bool(plain) and opcode == (BINARY if wire == "v1" else TEXT)


def check_gzip(how: str, opcode: int, frame: bytes) -> None:
    """Hold a garbled frame of V1 against what was ordered."""
    match how:
        case "crc":
            with pytest.raises(gzip.BadGzipFile, match="CRC"):
                gzip.decompress(frame)
        case "trailing":
            assert frame.endswith(b"trailing")
        case "plain" | "text":
            assert opcode == (BINARY if how == "plain" else TEXT)
            assert "tick" in json.loads(frame)
        case "two":
            assert frame[: len(frame) // 2] * 2 == frame


def check_text(how: str, opcode: int, frame: bytes) -> None:
    """Hold a garbled frame of today's wire against what was ordered."""
    assert opcode == (BINARY if how == "plain" else TEXT)
    match how:
        case "crc":
            json.loads(frame + b"}")
        case "trailing":
            json.loads(frame.removesuffix(b"trailing"))
        case "plain":
            json.loads(frame)
        case "text":
            assert not frame.startswith(b"{")
        case "two":
            assert frame[: len(frame) // 2] * 2 == frame


def test_a_book_is_crossed_once(sandbox: Chaotic, wire: str) -> None:
    """The best bid is above the best ask, and in the next book it is not."""
    with listening(sandbox, wire, NAMES[wire].depth) as raw:
        sandbox.fail(NAMES[wire].depth, crossed=True)
        for _ in range(100):
            bid, ask = raw.best()
            if bid > ask:
                break
        else:
            pytest.fail("no book was crossed")
        bid, ask = raw.best()
        assert bid < ask


def test_what_has_no_level_is_not_crossed() -> None:
    """Other tables, and changes that only remove; those of one side cross the other."""
    assert crossed(Answer(TRADES, TRADES.empty())) is None
    assert crossed("a word") is None


def test_a_chain_of_changes_is_crossed(sandbox: Chaotic) -> None:
    """A change that adds a level far over on the other side; the chain is whole."""
    changes = {"book_subscription_type": "SNAPSHOT_AND_UPDATE", "book_update_frequency": 10}
    channel = NAMES["exchange"].depth
    raw = sandbox.raw("exchange")
    raw.subscribe(channel, **changes)
    with raw:
        (book,) = raw.news()["data"]
        bids = {float(level[0]) for level in book["bids"]}
        asks = {float(level[0]) for level in book["asks"]}
        middle = (max(bids) + min(asks)) / 2
        sandbox.fail(channel, crossed=True)
        last = book["u"]
        for _ in range(60):
            (change,) = raw.news()["data"]
            assert change["pu"] == last
            last = change["u"]
            told = change["update"]
            if any(float(level[0]) > middle * 1.5 for level in told["bids"]) or any(
                float(level[0]) < middle / 1.5 for level in told["asks"]
            ):
                break
        else:
            pytest.fail("no change crossed the book")


@pytest.mark.parametrize("status", [401, 403, 429, 502, 503])
def test_a_handshake_is_refused(sandbox: Chaotic, wire: str, status: int) -> None:
    """The status and when to come again, once; then the stream opens."""
    sandbox.fail(NAMES[wire].path, status=status, retry_after=1.5)
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        sandbox.raw(wire)
    assert caught.value.status_code == status
    assert caught.value.resp_headers["retry-after"] == "1.5"
    listening(sandbox, wire, NAMES[wire].trades).socket.shutdown()


def test_pings_only(sandbox: Chaotic, wire: str) -> None:
    """The server asks whether one is there, answers pings of RFC 6455, and tells nothing."""
    sandbox.fail(NAMES[wire].path, mute=True)
    with sandbox.raw(wire) as raw:
        raw.subscribe(NAMES[wire].trades)
        with pytest.raises(websocket.WebSocketTimeoutException):
            raw.news(1.2)
        assert raw.pings > 2


# --------------------------------------------------------------------------------- restart


def test_a_restart_refuses_and_forgets_nothing(sandbox: Chaotic, wire: str) -> None:
    """Streams are cut, connections refused, and after its seconds all is there as before."""
    address = sandbox.running.addresses[wire]
    before = sandbox.state()
    known = sandbox.truth(what="now")["last_id"]["btcusdt"]
    with listening(sandbox, wire, NAMES[wire].trades) as raw:
        began = time.monotonic()
        sandbox.order("POST", "restart?seconds=0.6")
        with pytest.raises(CLOSED):
            drain(raw, 5)
    with pytest.raises(ConnectionRefusedError):
        Raw(wire, address.ws)
    with pytest.raises(requests.ConnectionError):
        requests.get(address.rest, timeout=1)
    sandbox.until_back(before["happened"].get("back", 0) + 1)
    assert time.monotonic() - began > 0.5
    after = sandbox.state()
    assert after["run"] == before["run"]
    assert len(after["orders"]) == len(before["orders"])
    trades = sandbox.truth(symbol="btcusdt", after=int(known) - 1)["trades"]
    assert trades[0]["id"] == known
    listening(sandbox, wire, NAMES[wire].trades).socket.shutdown()


def test_many_restarts(sandbox: Chaotic) -> None:
    """It comes back each time, with no seconds at once; nonsense is refused."""
    for _ in range(10):
        sandbox.restart(0)
    for seconds in ("nan", "-1", "x", "1e9"):
        assert "error" in sandbox.order("POST", f"restart?seconds={seconds}", expected=400)


# ------------------------------------------------------------------------------- by chance


def decisions(seed: int, count: int = 2000) -> list[Fault | None]:
    """Return what chance decides about so many updates."""
    chaos = Chaos()
    rates = dict.fromkeys(OF_UPDATES, 0.05)
    chaos.begin(read_orders({"seed": seed, "rates": rates}), 0.0)
    return [chaos.of_update() for _ in range(count)]


def test_the_same_seed_decides_the_same() -> None:
    """Decision by decision; another seed decides otherwise; the rates are kept."""
    first = decisions(1)
    assert first == decisions(1)
    assert first != decisions(2)
    counts = Counter(fault.kind for fault in first if fault)
    assert len(counts) == len(OF_UPDATES)
    assert all(60 < count < 140 for count in counts.values())


def test_places_do_not_shift_each_other() -> None:
    """How often connections are opened or befallen changes nothing for updates."""
    chaos = Chaos()
    rates = dict.fromkeys(OF_UPDATES, 0.05) | {"refuse": 0.5, "pings_only": 0.2}
    chaos.begin(read_orders({"seed": 1, "rates": rates, "every_s": 0.1}), 0.0)
    found = []
    for at in range(2000):
        chaos.of_opening()
        chaos.of_connections(at / 100)
        found.append(chaos.of_update())
    assert found == decisions(1)


def test_connections_are_befallen_every_so_many_seconds() -> None:
    """On average; a bare number means cuts."""
    chaos = Chaos()
    chaos.begin(read_orders({"every_s": {"drop": 0.1, "close": 1}, "for_s": 60}), 0.0)
    found = [fault for at in range(6000) for fault in chaos.of_connections(at / 100)]
    counts = Counter(fault.kind for fault in found)
    assert 450 < counts["drop"] < 700
    assert 35 < counts["close"] < 90
    assert read_orders({"every_s": 0.5}).timed == {"drop": 0.5}
    assert chaos.is_on(59)
    assert not chaos.is_on(61)


@pytest.mark.parametrize(
    "given",
    [[], {"rate": {}}, {"rates": {"hang": 1}}, {"rates": {"mute": 0.6, "twice": 0.6}},
     {"rates": {"mute": -1}}, {"every_s": 0}, {"every_s": {"mute": 1}}, {"seed": "x"}],
)  # fmt: skip
def test_what_is_no_chaos_is_refused(given: object) -> None:
    """Misspelt, too often, or nothing that happens to a connection."""
    with pytest.raises(BadRequest):
        read_orders(given)


def test_chaos_happens_and_is_counted(sandbox: Chaotic, wire: str) -> None:
    """Updates are told twice or late or not at all, as the state says; then it is over."""
    before = Counter(sandbox.state()["happened"])
    rates = {"twice": 0.2, "swap": 0.1, "mute": 0.1, "garble": 0.1, "delay": 0.1, "crossed": 0.2}
    with listening(sandbox, wire, NAMES[wire].trades) as raw:
        raw.subscribe(NAMES[wire].depth)
        sandbox.chaos(seed=3, for_s=1.5, rates=rates)
        until, seen = time.monotonic() + 1.5, 0
        while time.monotonic() < until:
            opcode, frame = raw.frame()
            if is_whole(wire, opcode, frame):
                raw.answer(raw.read(frame))
            seen += 1
        state = sandbox.state()
        happened = Counter(state["happened"]) - before
        assert {"twice", "swap", "mute", "garble", "delay_s", "crossed"} <= set(happened)
        assert not state["chaos"]
        kinds = {kind for kind, _, _ in state["diary"]}
        assert set(happened) <= kinds
        assert seen > 20


def test_a_hundred_reconnects_come_quickly(sandbox: Chaotic, wire: str) -> None:
    """Cuts every thirtieth of a second, some of them in the middle of a frame."""
    every_s = {"drop": 0.06, "cut_inside": 0.1, "close": 0.2}
    sandbox.chaos(seed=1, for_s=20, every_s=every_s)
    began, cuts = time.monotonic(), 0
    while cuts < 50 and time.monotonic() - began < 15:
        try:
            with sandbox.raw(wire) as raw:
                raw.subscribe(NAMES[wire].trades)
                while True:
                    raw.news()
        except CLOSED:
            cuts += 1
    assert cuts == 50
    sandbox.chaos(rates={})
    assert not sandbox.state()["chaos"]
    with listening(sandbox, wire, NAMES[wire].trades) as raw:
        raw.trade_ids(10)


def test_openings_are_refused_by_chance(sandbox: Chaotic, wire: str) -> None:
    """Some handshakes are answered 429, 502 or 503."""
    sandbox.chaos(seed=1, for_s=20, rates={"refuse": 0.5})
    seen: Counter[int] = Counter()
    for _ in range(30):
        try:
            sandbox.raw(wire).socket.shutdown()
        except websocket.WebSocketBadStatusException as error:
            seen[error.status_code] += 1
    assert set(seen) == {429, 502, 503}


def test_orders_need_the_token(sandbox: Chaotic) -> None:
    """Chaos, restart and truth are for the one who started the sandbox."""
    url = sandbox.running.control_url
    for method, what in (("POST", "chaos"), ("POST", "restart"), ("GET", "truth?what=now")):
        assert requests.request(method, f"{url}/{what}", timeout=5).status_code == 403
    assert "error" in sandbox.order("POST", "chaos", expected=400, rates={"nothing": 1})
