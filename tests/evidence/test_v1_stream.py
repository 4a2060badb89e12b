"""Every recorded V1 stream message is read rightly, and written as it was."""

from __future__ import annotations

import base64
import json
import zlib
from decimal import Decimal as D  # noqa: N817  # the tables below are read as numbers
from pathlib import Path
from typing import Any

import pytest

from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.channels import (
    DepthChannel,
    KlineChannel,
    TickerChannel,
    TickersChannel,
    TradeChannel,
)
from cdcx_pandas.dialects.v1 import V1
from cdcx_pandas.dialects.v1.wire import UNMODELLED
from cdcx_pandas.errors import ProtocolError
from tests.evidence.wire_files import differences, parsed, text_of

pytestmark = pytest.mark.evidence
V = V1()
S = 10**9

UPDATES: dict[str, tuple[Any, str, int, dict[str, list[Any]]]] = {
    "ws_ticker_push": (
        TickerChannel("vdsusdt"), "snapshot", 1582707974 * S,
        {"last": [D("0.8905")], "open": [D("1.1089")], "high": [D("1.2222")], "low": [D("0.8")],
         "volume": [D("2745985.74256389")], "quote_volume": [D("2767846.184860351209")],
         "change": [D("-0.1969519343")]},
    ),
    "ws_ticker_push_doc_form": (
        TickerChannel("btcusdt"), "snapshot", 1588708803239 * 10**6,
        {"last": [D("9841.17")], "quote_volume": [D("14987233.1221")], "change": [D("-0.0147")]},
    ),
    "ws_kline_push": (
        KlineChannel("vdsusdt", "1min"), "snapshot", 1561692682 * S,
        {"time": [1561692660 * S], "open": [D("3.4699")], "high": [D("3.4699")],
         "low": [D("3.4601")], "close": [D("3.4601")], "volume": [D("539.7")],
         "quote_volume": [D("1868.736778")]},
    ),
    "ws_trade_push": (
        TradeChannel("vdsusdt"), "delta", 1561694105 * S,
        {"id": ["824233"], "time": [1561694105 * S], "price": [D("3.4374")],
         "amount": [D("48.49")], "side": ["sell"]},
    ),
    "ws_depth_full_push": (
        DepthChannel("btcusdt", 0), "snapshot", 1790134142 * S,
        {"side": ["bid"] * 3 + ["ask"] * 3, "level": [0, 1, 2, 0, 1, 2],
         "price": [D("86621.91"), D("86581.21"), D("86514.69"), D("86764.73"), D("86771.79"),
                   D("86800.78")],
         "amount": [D("0.05117"), D("0.0934"), D("0.10081"), D("0.18459"), D("0.08257"),
                    D("0.06277")]},
    ),
    "ws_depth_empty_push": (
        DepthChannel("tigrinousdt", 0), "snapshot", 1790134143 * S,
        {"side": [], "level": [], "price": [], "amount": []},
    ),
    "ws_depth_incremental_push": (
        DepthChannel("btcusdt", 0), "delta", 1588708804012 * 10**6,
        {"side": ["ask"], "price": [D("9842.31")], "amount": [D("0.4412")]},
    ),
    "ws_depth_incremental_delete": (
        DepthChannel("btcusdt", 0), "delta", 1588708804530 * 10**6,
        {"side": ["bid"], "price": [D("9840.02")], "amount": [D(0)]},
    ),
    "sister/bitrue_depth_string_price_2021": (
        DepthChannel("adausdt", 0), "snapshot", 1621426497365 * 10**6,
        {"side": ["bid"] * 3, "price": [D("0.15579"), D("0.12579"), D("0.0526")],
         "amount": [D(110), D(100), D("924402.01")]},
    ),
    "sister/bitrue_kline_push_2021": (
        KlineChannel("adausdt", "1min"), "snapshot", 1621413503504 * 10**6,
        {"time": [1621412820 * S], "close": [D("1.7439")], "volume": [D("28616.74")]},
    ),
}  # fmt: skip
REPLIES: dict[str, tuple[Any, str | None, int, dict[str, list[Any]]]] = {
    "ws_rep_kline_history": (
        KlineChannel("adausdt", "1min"), "adausdt", 1621418992094 * 10**6,
        {"time": [1621326480 * S, 1621326540 * S], "open": [D("2.0989"), D("2.0967")],
         "high": [D("2.0996"), D("2.1006")], "low": [D("2.096"), D("2.0957")],
         "close": [D("2.0968"), D("2.0991")], "volume": [D("13775.04"), D("7358.66")]},
    ),
    "ws_rep_trades": (
        TradeChannel("adausdt"), "adausdt", 1621417980160 * 10**6,
        {"id": ["28187160", "28187161", "28187162"], "side": ["buy", "sell", "buy"],
         "price": [D("1.7426"), D("1.7428"), D("1.7439")],
         "amount": [D("10.65"), D("2.83"), D("270.7")],
         "time": [1621412843 * S, 1621412843 * S, 1621412844 * S]},
    ),
    "ws_rep_review": (
        TickersChannel(), None, 1588981375 * S,
        {"symbol": ["btcusdt", "crobtc", "crousdt"],
         "last": [D("9841.17"), D("0.0000069"), D("0.06847")],
         "quote_volume": [D("14987233.122104"), D("98.7123341"), D("1840223.5111")],
         "volume": [D("1523.418207"), D("14428176.79384366"), D("26900112.4")]},
    ),
}  # fmt: skip
ACKS = {
    "ws_subed_ack": m.Subscribed(TradeChannel("btcusdt"), "btcusdt", 1588708801239 * 10**6),
    "ws_subed_ack_depth": m.Subscribed(
        DepthChannel("btcusdt", 0, 150), "btcusdt", 1588708801239 * 10**6
    ),
    "ws_subed_ack_ticker": m.Subscribed(TickerChannel("btcusdt"), "btcusdt", 1588708801239 * 10**6),
}
PINGS = {"ws_ping": m.Heartbeat(1790145583), "ws_ping_ms": m.Heartbeat(1595935723334)}
CLIENT = {
    "req review": m.Request(op.GetTickers()),
    "sub ticker": m.Subscribe((TickerChannel("btcusdt"),), "btcusdt"),
    "unsub ticker": m.Unsubscribe((TickerChannel("btcusdt"),), "btcusdt"),
    "req kline history": m.Request(
        op.GetKlines("btcusdt", "1min", end=1588708800 * S, limit=100), "btcusdt"
    ),
    "req kline history (older since form)": m.Request(
        op.GetKlines("btcusdt", "1min", start=1588708800 * S), "btcusdt"
    ),
    "sub kline": m.Subscribe((KlineChannel("crousdt", "1hour"),)),
    "req trades": m.Request(op.GetTrades("btcusdt", limit=150), "btcusdt"),
    "sub trades": m.Subscribe((TradeChannel("btcusdt"),), "btcusdt"),
    "sub depth (documented)": m.Subscribe((DepthChannel("btcusdt", 0, 150),), "btcusdt"),
    "sub depth (goincrypto spelling)": m.Subscribe((DepthChannel("crousdt", 2, 150),)),
    "pong": m.HeartbeatReply(1595935723334),
}
PUSH = {"": UNMODELLED["push"]}
LEFT_OUT: dict[type, dict[str, frozenset[str]]] = {
    TickerChannel: PUSH,
    KlineChannel: PUSH | {".tick": UNMODELLED["kline_push"]},
    TradeChannel: PUSH | {".tick.data": UNMODELLED["trade_push"]},
    DepthChannel: PUSH,
}
REPLY = {"": UNMODELLED["reply"], ".data": UNMODELLED["reply"]}
LISTS = {"ws_client_messages", "ws_gzip_vectors"}


def written_text(message: m.Message) -> bytes:
    """Write a message of the server and inflate it by the standard library."""
    frame = V.encode_frame(message)
    assert isinstance(frame, bytes)
    return zlib.decompress(frame, 31)


def test_no_recorded_message_is_left_out(evidence: Path) -> None:
    """Every stream file of the folder is read by a test."""
    folder = evidence / "v1"
    names = {f.stem for f in folder.glob("ws_*.json")} | {
        f"sister/{f.stem}" for f in (folder / "sister").glob("bitrue_*.json")
    }
    assert names == set(UPDATES) | set(REPLIES) | set(ACKS) | set(PINGS) | LISTS


@pytest.mark.parametrize("name", UPDATES)
def test_a_recorded_push_is_read_and_written_as_it_was(evidence: Path, name: str) -> None:
    """Channel, mode, time and values are those of the text, and come back from our writing."""
    channel, mode, time, columns = UPDATES[name]
    text = text_of(evidence, name)
    message = V.decode_frame(text, exact=True)
    assert isinstance(message, m.Update)
    assert (message.channel, message.mode, message.time) == (channel, mode, time)
    found = {key: message.answer.columns[key] for key in columns}
    assert found == columns
    assert V.decode_frame(V.encode_frame(message), exact=True) == message
    if name.startswith("sister/") or name == "ws_ticker_push_doc_form":
        return  # other forms of the same: read, and written in the profile's form
    assert differences(parsed(text), parsed(written_text(message)), LEFT_OUT[type(channel)]) == []


@pytest.mark.parametrize("name", REPLIES)
def test_a_recorded_reply_is_read_and_read_again(evidence: Path, name: str) -> None:
    """Channel, reference, time and values are those of the text."""
    channel, ref, time, columns = REPLIES[name]
    message = V.decode_frame(text_of(evidence, name), exact=True)
    assert isinstance(message, m.Reply)
    assert (message.channel, message.ref, message.time) == (channel, ref, time)
    assert {key: message.answer.columns[key] for key in columns} == columns
    assert V.decode_frame(V.encode_frame(message), exact=True) == message
    if name != "ws_rep_trades":  # its numbers are texts in the profile's form
        text = text_of(evidence, name)
        assert differences(parsed(text), parsed(written_text(message)), REPLY) == []


@pytest.mark.parametrize("name", ACKS | PINGS)
def test_acknowledgements_and_pings_are_read_and_written(evidence: Path, name: str) -> None:
    """Both ways, to the letter."""
    message = (ACKS | PINGS)[name]
    text = text_of(evidence, name)
    assert V.decode_frame(text) == message
    assert differences(parsed(text), parsed(written_text(message))) == []


def test_client_messages_are_read_and_written(evidence: Path) -> None:
    """Every kind of client message, in every recorded spelling."""
    recorded = json.loads(text_of(evidence, "ws_client_messages"))
    assert [case["kind"] for case in recorded] == list(CLIENT)
    for case in recorded:
        message = CLIENT[case["kind"]]
        assert V.decode_frame(json.dumps(case["frame"])) == message, case["kind"]
        written = V.encode_frame(message)
        assert isinstance(written, str)
        assert V.decode_frame(written) == message
        if case["kind"] not in {"sub trades", "sub depth (goincrypto spelling)"}:
            assert json.loads(written) == case["frame"]


def vectors(evidence: Path) -> list[tuple[str, bytes]]:
    """Return the recorded gzip frames."""
    cases = json.loads(text_of(evidence, "ws_gzip_vectors"))
    return [(case["plain"], base64.b64decode(case["gzip_base64"])) for case in cases]


def test_compressed_frames_say_the_same_as_their_text(evidence: Path) -> None:
    """A gzip frame, a zlib frame and the plain text are one message."""
    for plain, packed in vectors(evidence):
        message = V.decode_frame(plain, exact=True)
        assert V.decode_frame(packed, exact=True) == message
        assert V.decode_frame(zlib.compress(plain.encode()), exact=True) == message
        assert V.decode_frame(plain.encode(), exact=True) == message


def test_a_damaged_frame_is_never_passed(evidence: Path) -> None:
    """Cut anywhere, with a wrong checksum, or followed by anything: an error each time."""
    for plain, packed in vectors(evidence):
        whole = V.decode_frame(plain, exact=True)
        for end in range(1, len(packed)):
            with pytest.raises(ProtocolError):
                V.decode_frame(packed[:end])
        for tail in (b"\0", packed):
            with pytest.raises(ProtocolError, match="something follows"):
                V.decode_frame(packed + tail)
        damaged = packed[:-8] + bytes(8)
        with pytest.raises(ProtocolError, match="damaged"):
            V.decode_frame(damaged)
        assert V.decode_frame(packed, exact=True) == whole


def test_a_bomb_is_not_inflated() -> None:
    """A small frame that inflates a thousandfold is refused, within bounds of memory."""
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = bomb.compress(bytes(64 << 20)) + bomb.flush()
    assert len(packed) < 1 << 17
    with pytest.raises(ProtocolError, match="inflates to more than"):
        V.decode_frame(packed)
