"""Every recorded frame of today's exchange is read rightly, and written as it was."""

from __future__ import annotations

import json
from decimal import Decimal as D  # noqa: N817  # the tables below are read as numbers
from pathlib import Path
from typing import Any

import pytest

from cdcx_pandas import messages as m
from cdcx_pandas.channels import (
    BalanceChannel,
    Channel,
    DepthChannel,
    KlineChannel,
    OrderChannel,
    TickerChannel,
    TradeChannel,
    ValuationChannel,
)
from cdcx_pandas.dialects.exchange import DIALECT
from cdcx_pandas.dialects.exchange.wire import UNMODELLED
from cdcx_pandas.frames.schema import check, to_frame
from tests.evidence.exchange_files import MS, knowing, loaded
from tests.evidence.wire_files import differences, parsed

pytestmark = pytest.mark.evidence

DATA = ".result.data"
STREAM_ORDER = UNMODELLED["order"] | UNMODELLED["stream_order"]
LEFT_OUT: dict[type[Channel], dict[str, frozenset[str]]] = {
    DepthChannel: {DATA: UNMODELLED["book"]},
    OrderChannel: {DATA: STREAM_ORDER},
    BalanceChannel: {
        ".result": frozenset({"account_id"}),
        DATA: UNMODELLED["account"],
        f"{DATA}.position_balances": UNMODELLED["balance"],
    },
}


def framed(result: Any, number: int = -1) -> dict[str, Any]:
    """Return a frame around a result, as the recorder took it off."""
    return {"id": number, "method": "subscribe", "code": 0, "result": result}


def read_back(evidence: Path, frame: dict[str, Any]) -> m.Update:
    """Read a frame of news, exactly and plainly; written again it is the same text."""
    dialect = knowing(evidence)
    message = dialect.decode_frame(json.dumps(frame), exact=True)
    assert isinstance(message, m.Update)
    plain = dialect.decode_frame(json.dumps(frame).encode())
    assert isinstance(plain, m.Update)
    table = message.answer.table
    if isinstance(message.channel, DepthChannel) and message.mode == "delta":
        assert set(plain.answer.columns["level"]) <= {None}  # a change has no place in a table
    else:
        check(table, to_frame(table, plain.answer.columns))
    written = parsed(dialect.encode_frame(message))
    left_out = LEFT_OUT.get(type(message.channel), {})
    assert differences(parsed(json.dumps(frame)), written, left_out) == []
    assert dialect.decode_frame(dialect.encode_frame(message), exact=True) == message
    return message


# ------------------------------------------------------------------------------- live frames


def test_live_tickers_trades_books_and_candles(evidence: Path) -> None:
    """Whole frames of June 2026, value by value."""
    frames = loaded(evidence, "ws-market.live-frames.json")["cryptocogs_2026_06"]
    ticker, trade, book, candle, ack, beat = frames
    news = read_back(evidence, ticker)
    assert (news.channel, news.time, news.ref) == (
        TickerChannel("btcusd"), 1782032455141 * MS, None,
    )  # fmt: skip
    told = {name: values[0] for name, values in news.answer.columns.items()}
    assert told == {
        "symbol": "btcusd", "last": D("63958.47"), "bid": D("63962.64"), "ask": D("63962.65"),
        "high": D("64531.99"), "low": D("63120.85"), "volume": D("2657.5053"),
        "volume_usd": D("169819487.92"), "quote_volume": D("169819487.92"),
        "change": D("0.0092"), "open_interest": D(0), "time": 1782032455141 * MS,
        "bid_amount": D("0.27217"), "ask_amount": D("0.23532"),
    }  # fmt: skip
    news = read_back(evidence, trade)
    assert (news.channel, news.mode) == (TradeChannel("btcusd"), "delta")
    assert news.answer.columns == {
        "id": ["1782032437671850129"], "price": [D("63958.47")], "amount": [D("0.04333")],
        "time": [1782032437671 * MS], "side": ["sell"], "match_id": ["4611686018731788404"],
    }  # fmt: skip
    news = read_back(evidence, book)
    assert (news.channel, news.mode) == (DepthChannel("btcusd", levels=10), "snapshot")
    assert (news.sequence, news.previous) == (338686661310464, None)
    assert news.time == 1782032455315 * MS
    assert news.answer.facts == {"time": 1782032455261 * MS}
    assert news.answer.columns["side"] == ["bid", "bid", "ask", "ask"]
    assert news.answer.columns["price"] == [
        D("63962.64"), D("63960.59"), D("63962.65"), D("63962.67"),
    ]  # fmt: skip
    news = read_back(evidence, candle)
    assert news.channel == KlineChannel("btcusd", "1min")
    assert news.answer.columns["updated"] == [news.time] == [1782014515996 * MS]
    assert news.answer.columns["volume"] == [D("0.22838")]
    assert DIALECT.decode_frame(json.dumps(ack)) == m.Subscribed(
        DepthChannel("btcusd", levels=10), "1"
    )
    assert DIALECT.decode_frame(json.dumps(beat)) == m.Heartbeat(1782032467342)


def test_a_frame_without_data_is_an_acknowledgement(evidence: Path) -> None:
    """The doubtful frame that one observer saw."""
    (case,) = loaded(evidence, "ws-market.live-frames.json")["cryptocogs_2026_06_doubtful"]
    message = DIALECT.decode_frame(json.dumps(case["frame"]))
    assert message == m.Subscribed(TickerChannel("btcusd"), "1")


def test_several_trades_of_one_frame_are_ascending(evidence: Path) -> None:
    """Newest first on the wire; of one instant, by id."""
    pushed, first, beat = loaded(evidence, "ws-market.live-frames.json")["senken_2026_09_02"]
    news = read_back(evidence, pushed)
    assert news.answer.columns["id"] == ["1788335095880381801", "1788335095880381802"]
    assert news.answer.columns["amount"] == [D("0.00064"), D("0.00004")]
    news = read_back(evidence, first)
    assert (news.channel, news.ref) == (TradeChannel("btcusd-perp"), "3")
    assert DIALECT.decode_frame(json.dumps(beat)) == m.Heartbeat(1788335101113)


def test_a_probe_of_all_kinds(evidence: Path) -> None:
    """Subscribing in batches, books with changes, refusals, mark, index and funding."""
    probe = loaded(evidence, "ws-market.live-frames.json")["arbitrage_observatory_2026_09_22"]
    asked = DIALECT.decode_frame(json.dumps(probe["client_subscribe"]))
    assert isinstance(asked, m.Subscribe)
    assert [channel.symbol for channel in asked.channels] == [
        "btcusd-perp", "ethusd-perp", "nvdausd-perp", "walusd-perp", "lyteusd-perp", "btcusd",
        "btcusd-261225",
    ]  # fmt: skip
    assert (asked.ref, asked.changes, asked.time_ms) == ("1", True, 1790114272304)
    listed = {"symbol": ["lyteusd-perp"], "venue_symbol": ["LYTEUSD-PERP"]}
    symbols = {
        name: values + listed[name]
        for name, values in {
            "symbol": [c.symbol for c in asked.channels],
            "venue_symbol": [
                name.split(".")[1] for name in probe["client_subscribe"]["params"]["channels"]
            ],
        }.items()
    }
    assert json.loads(DIALECT.knowing(symbols).encode_frame(asked)) == probe["client_subscribe"]
    assert DIALECT.decode_frame(json.dumps(probe["ack_one_per_book_channel"])) == m.Subscribed(
        DepthChannel("walusd-perp", levels=50), "1"
    )
    book = read_back(evidence, probe["book_snapshot"])
    assert (book.sequence, book.mode) == (375554806244928, "snapshot")
    change = read_back(evidence, probe["book_delta_with_deletes"])
    assert (change.sequence, change.previous) == (375554807336512, 375554807297984)
    assert change.mode == "delta"
    assert change.answer.columns == {
        "side": ["bid", "bid", "ask", "ask"], "level": [None] * 4,
        "price": [D("2748.12"), D("2748.10"), D("2750.20"), D("2753.11")],
        "amount": [D(0), D("5.4582"), D(0), D("0.2616")], "orders": [0, 1, 0, 1],
    }  # fmt: skip
    idle = read_back(evidence, probe["book_idle_delta"])
    assert idle.sequence == idle.previous == 369501268112000
    assert len(idle.answer) == 0
    assert DIALECT.decode_frame(json.dumps(probe["client_heartbeat_answer"])) == m.HeartbeatReply(
        1790114291578
    )
    unknown, full = (DIALECT.decode_frame(json.dumps(frame)) for frame in probe["errors"])
    assert unknown == m.Refused(
        "Unknown symbol", "11", "40003", DepthChannel("nopeusd-perp", levels=50)
    )
    assert full == m.Refused("Maximum subscriptions exceeded", "9", "40107")
    assert json.loads(DIALECT.encode_frame(full)) == probe["errors"][1]
    assert DIALECT.decode_frame(json.dumps(probe["unsubscribe_ack"])) == m.Unsubscribed("22")
    mark, index, rate = (
        read_back(evidence, probe[name]) for name in ("mark", "index", "funding_first_frame")
    )
    assert mark.channel == ValuationChannel("btcusd-perp", "mark")
    assert index.channel == ValuationChannel("btcusd-perp", "index")
    assert rate.channel == ValuationChannel("btcusd-perp", "funding")
    assert (rate.ref, rate.answer.columns["value"]) == ("1", [D("-0.000004992")])


def test_what_the_probe_was_refused_is_refused(evidence: Path) -> None:
    """Each wrong channel gets the venue's words; one that is right passes."""
    probe = loaded(evidence, "ws-market.live-frames.json")["arbitrage_observatory_2026_09_22"]
    perp, eth = "book.BTCUSD-PERP.50", "book.ETHUSD-PERP.150"
    changes = {"book_subscription_type": "SNAPSHOT_AND_UPDATE"}
    asked = {
        f"{eth} SNAPSHOT_AND_UPDATE 10": (eth, changes | {"book_update_frequency": 10}),
        "book.BTCUSD-PERP.150 without parameters": ("book.BTCUSD-PERP.150", {}),
        "book_update_frequency 50": (perp, changes | {"book_update_frequency": 50}),
        "book_subscription_type NOPE": (perp, {"book_subscription_type": "NOPE"}),
    }
    for name, code, words in probe["refusal_table"]:
        if name in {"method public/nope", "401st channel"}:
            continue  # neither is a wrong channel
        channel, more = asked.get(name, (name, {}))
        params = {"channels": [channel, "ticker.BTC_USD"]} | more
        frame = {"id": 5, "method": "subscribe", "params": params}
        message = knowing(evidence).decode_frame(json.dumps(frame))
        assert isinstance(message, m.Subscribe)
        assert message.channels[-1] == TickerChannel("btcusd")
        if not code:
            assert (len(message.channels), message.refused) == (2, ())
            continue
        (refused,) = message.refused
        assert len(message.channels) == 1
        assert (refused.text, refused.code, refused.ref) == (words, str(code), "5")
        if channel != "book.NOPEUSD-PERP.50":
            written = json.loads(knowing(evidence).encode_frame(refused))
            assert written == {"id": 5, "method": "subscribe", "code": code, "message": words,
                               "channel": channel}  # fmt: skip


# ------------------------------------------------------------------------------- recordings


@pytest.mark.parametrize("name", ["listen_candles", "listen_trades", "listen_orderbook"])
def test_recorded_first_frames(evidence: Path, name: str) -> None:
    """300 candles, 50 trades, 50 levels a side: value by value, ascending."""
    (calls,) = loaded(evidence, f"recorded/{name}.json").values()
    for call in (call for calls_ in calls.values() for call in calls_):
        result = call["response"]
        news, rows = read_back(evidence, framed(result)), result["data"]
        columns = news.answer.columns
        match news.channel:
            case KlineChannel(symbol):
                assert symbol == result["instrument_name"].replace("_", "").lower()
                assert len(news.answer) == len(rows) == 300
                assert columns["time"] == [row["t"] * MS for row in rows]
                assert columns["close"] == [D(row["c"]) for row in rows]
                assert columns["updated"] == [row["ut"] * MS for row in rows]
            case TradeChannel():
                assert len(rows) == 50
                newest_last = sorted(rows, key=lambda row: (row["t"], int(row["d"])))
                assert columns["id"] == [row["d"] for row in newest_last]
                assert columns["price"] == [D(row["p"]) for row in newest_last]
                assert columns["side"] == [row["s"].lower() for row in newest_last]
            case _:
                (book,) = rows
                levels = book["bids"] + book["asks"]
                assert columns["price"] == [D(level[0]) for level in levels]
                assert columns["amount"] == [D(level[1]) for level in levels]
                assert columns["orders"] == [int(level[2]) for level in levels]
                assert news.sequence == book["u"]


def test_snapshots_of_the_market_socket(evidence: Path) -> None:
    """The same kinds again, as cut for the fixture."""
    for case in loaded(evidence, "ws-market-snapshots.capture.json")["frames"]:
        news = read_back(evidence, framed(case["result"]))
        assert len(news.answer)


def test_the_user_socket(evidence: Path) -> None:
    """Balances come whole; the first frame of orders is the listing, later ones are changes."""
    frames = loaded(evidence, "ws-user.capture.json")["frames"]
    balances = [f["result"] for f in frames if f["subscribed"] == "user.balance"]
    orders = [f["result"] for f in frames if f["subscribed"] != "user.balance"]
    for result in balances:
        news = read_back(evidence, framed(result))
        assert news.channel == BalanceChannel()
        (block,) = result["data"]
        assert news.answer.facts == {"total_usd": D(block["total_cash_balance"])}
        rows = block["position_balances"]
        assert news.answer.columns["total"] == [D(row["quantity"]) for row in rows]
    first, *later = [read_back(evidence, framed(result)) for result in orders]
    assert (first.mode, len(first.answer)) == ("snapshot", 0)
    statuses = []
    for news, result in zip(later, orders[1:], strict=True):
        assert (news.channel, news.mode) == (OrderChannel("crousd"), "delta")
        (row,) = result["data"]
        assert news.answer.columns["id"] == [row["order_id"]]
        assert news.answer.columns["created"] == [int(row["create_time_ns"])]
        assert news.answer.columns["filled"] == [D(row["cumulative_quantity"])]
        statuses.append((row["status"], *news.answer.columns["status"]))
    assert ("ACTIVE", "partial") in statuses
    assert ("CANCELED", "filled") in statuses


def test_frames_of_the_documents_are_read(evidence: Path) -> None:
    """The documents' own frames, with numbers for their blanks: all but those that are cut."""
    folder = evidence / "exchange" / "documented" / "SubscriptionsExchangeApi"
    kinds = set()
    for file in folder.glob("*.txt"):
        if file.stem == "Concurrent":
            continue  # rows there are cut down to one key
        text = file.read_text(encoding="utf-8")
        for part in text.replace("|1|", "1").replace("|2|", "2").split("\n="):
            body = part[part.index("{") :].split("\n<")[0].split("\n>")[0]
            kinds.add(type(DIALECT.decode_frame(body)))
    assert m.Update in kinds
    assert m.Unknown not in kinds


def test_nothing_of_the_recordings_is_left_out(evidence: Path) -> None:
    """Every file of the folder is read by one of the tests of today's exchange."""
    names = {file.name for file in (evidence / "exchange").glob("*.json")}
    names |= {file.name for file in (evidence / "exchange" / "recorded").glob("*.json")}
    source = "".join(
        file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("*exchange*.py")
    )
    unread = {name for name in names if name.removesuffix(".json") not in source}
    out_of_scope = {f"get_{what}.json" for what in ("risk_parameters",)} | {
        f"rest-get-{what}.json" for what in ("announcements.sample", "risk-parameters.capture")
    }
    cut = ("book", "candlestick", "instruments", "tickers", "trades")  # whole in `recorded`
    assert unread == out_of_scope | {f"rest-get-{what}.capture.json" for what in cut}
