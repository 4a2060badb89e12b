"""From an answer's bytes to the DataFrame: ours, the least hand-written code, and ccxt.

The floor makes the same frame as ours with nothing general in it: it decodes with the faster
of orjson and msgspec (both are tried), and knows the columns by heart. ccxt parses the same
rows by its own parser of today's API, and pandas makes a frame of its lists.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import msgspec
import numpy as np
import orjson
import pandas as pd

from cdcx_pandas import marketdata
from cdcx_pandas.messages import HttpResponse
from cdcx_pandas.operations import GetSymbols
from cdcx_pandas.session import Session
from cdcx_pandas.transport.clock import SystemClock
from cdcx_pandas.transport.http import Exchanged
from cdcx_pandas.transport.pacing import MemoryStore, Pacer
from cdcx_pandas.venues import Venue
from tests.benchmarks.row import Row, best_of

UTC = pd.DatetimeTZDtype("ns", "UTC")
SIDE = pd.CategoricalDtype(["buy", "sell"])


def kline_body() -> bytes:
    """Make a kline answer of 300 rows, as the exchange wrote them."""
    dice = random.Random(1)
    rows = [
        [1588707000 + 60 * i, *(round(dice.uniform(9000, 9100), 2) for _ in range(4)),
         round(dice.uniform(0, 90), 6)]
        for i in range(300)
    ]  # fmt: skip
    return orjson.dumps({"code": "0", "msg": "suc", "data": rows})


def trade_body() -> bytes:
    """Make a trades answer of 200 rows, as the exchange wrote them."""
    dice = random.Random(2)
    rows = ",".join(
        f'{{"amount":{dice.uniform(0, 3):.16f},"price":{dice.uniform(9000, 9100):.16f},'
        f'"ctime":{1589032904000 - 1000 * (i // 2)},"id":{1887449 - i},'
        f'"type":"{dice.choice(["buy", "sell"])}"}}'
        for i in range(200)
    )
    return f'{{"code":"0","msg":"suc","data":[{rows}]}}'.encode()


# ------------------------------------------------------------------------------------ ours


class Canned:
    """A transport that has the answer already."""

    def __init__(self, body: bytes) -> None:
        self.exchanged = Exchanged(HttpResponse(200, body), 0, 0)

    def send(self, *_: object, **__: object) -> Exchanged:
        """Return it."""
        return self.exchanged

    def close(self) -> None:
        """Do nothing."""


def ours(body: bytes, call: Callable[..., pd.DataFrame], *args: str) -> Callable[[], Any]:
    """Return the public function, from the answer's bytes on: no network, no waiting."""
    venue = Venue("bench", rest="http://127.0.0.1:1", ws="ws://127.0.0.1:1/x", simulated=True)
    clock = SystemClock()
    pacer = Pacer((), venue.rest, clock, MemoryStore())
    pacer.wait = lambda *_: None  # type: ignore[method-assign]  # not what is measured
    pacer.told = lambda *_: None  # type: ignore[method-assign]  # as above
    session = Session(venue, clock=clock, pacer=pacer)
    session._http = Canned(body)  # type: ignore[assignment]  # the part that is left out
    listed = {"symbol": ["btcusdt"], "venue_symbol": ["btcusdt"]}
    session._symbols = (clock.now_ns(), listed)
    assert GetSymbols.table is not None
    return lambda: call(*args, session=session)


# ----------------------------------------------------------------------------------- floors


class KlinesEnvelope(msgspec.Struct):
    """What a kline answer is, to msgspec."""

    code: str
    data: list[tuple[int, float, float, float, float, float]]


class TradeRow(msgspec.Struct, gc=False):
    """What a trade is, to msgspec."""

    id: int
    price: float
    amount: float
    ctime: int
    type: str


class TradesEnvelope(msgspec.Struct):
    """What a trades answer is, to msgspec."""

    code: str
    data: list[TradeRow]


KLINES_DECODER = msgspec.json.Decoder(KlinesEnvelope)
TRADES_DECODER = msgspec.json.Decoder(TradesEnvelope)


def _attrs() -> dict[str, Any]:
    now = pd.Timestamp.now("UTC").isoformat()
    return {"venue": "bench", "simulated": True, "fetched": now, "symbol": "btcusdt"}


def klines_frame(rows: Any) -> pd.DataFrame:
    """Make the frame `klines` makes, from rows."""
    t, o, h, low, c, v = zip(*rows, strict=True)
    stamps = np.array(t, np.int64) * 10**9
    index = pd.DatetimeIndex(stamps, dtype=UTC, copy=False, name="time")
    closed = stamps < pd.Timestamp.now("UTC").value // 60_000_000_000 * 60_000_000_000
    columns = {
        "open": np.array(o), "high": np.array(h), "low": np.array(low), "close": np.array(c),
        "volume": np.array(v), "closed": closed,
    }  # fmt: skip
    frame = pd.DataFrame(columns, index=index, copy=False)
    frame.attrs["cdcx"] = _attrs()
    return frame


def trades_frame(ids: Any, prices: Any, amounts: Any, times: Any, sides: Any) -> pd.DataFrame:
    """Make the frame `trades` makes, from columns."""
    stamps = np.array(times, np.int64) * 10**6
    index = pd.DatetimeIndex(stamps, dtype=UTC, copy=False, name="time")
    text = pd.Series(["a"]).dtype
    names = np.array([str(i) for i in ids], dtype=object)
    codes = np.array([0 if side == "buy" else 1 for side in sides], np.int8)
    columns = {
        "id": names if isinstance(text, np.dtype) else pd.array(names, dtype=text),
        "price": np.array(prices), "amount": np.array(amounts),
        "side": pd.Categorical.from_codes(codes, dtype=SIDE, validate=False),
    }  # fmt: skip
    frame = pd.DataFrame(columns, index=index, copy=False)
    frame.attrs["cdcx"] = _attrs()
    return frame


def klines_msgspec(body: bytes) -> pd.DataFrame:
    """Floor: typed decoding."""
    return klines_frame(KLINES_DECODER.decode(body).data)


def klines_orjson(body: bytes) -> pd.DataFrame:
    """Floor: orjson."""
    return klines_frame(orjson.loads(body)["data"])


def trades_msgspec(body: bytes) -> pd.DataFrame:
    """Floor: typed decoding."""
    rows = TRADES_DECODER.decode(body).data[::-1]
    return trades_frame(
        [r.id for r in rows], [r.price for r in rows], [r.amount for r in rows],
        [r.ctime for r in rows], [r.type for r in rows],
    )  # fmt: skip


def trades_orjson(body: bytes) -> pd.DataFrame:
    """Floor: orjson."""
    rows = orjson.loads(body)["data"][::-1]
    return trades_frame(
        [r["id"] for r in rows], [r["price"] for r in rows], [r["amount"] for r in rows],
        [r["ctime"] for r in rows], [r["type"] for r in rows],
    )  # fmt: skip


# ------------------------------------------------------------------------------------- ccxt


def ccxt_calls() -> dict[str, Callable[[], object]]:
    """Parse answers of today's API, equally long, by ccxt, and make frames of its lists."""
    exchange = ccxt.cryptocom()
    dice = random.Random(3)
    candles = orjson.dumps(
        {"code": 0, "result": {"data": [
            {"o": f"{dice.uniform(9000, 9100):.2f}", "h": "9100.00", "l": "9000.00",
             "c": f"{dice.uniform(9000, 9100):.2f}", "v": f"{dice.uniform(0, 90):.6f}",
             "t": 1588707000000 + 60_000 * i}
            for i in range(300)]}}
    )  # fmt: skip
    trades = orjson.dumps(
        {"code": 0, "result": {"data": [
            {"s": "BUY", "p": f"{dice.uniform(9000, 9100):.2f}", "q": f"{dice.uniform(0, 3):.6f}",
             "t": 1588707000000 + i, "tn": str((1588707000000 + i) * 10**6), "d": str(10**18 + i),
             "i": "BTC_USDT", "m": str(10**18 + i)}
            for i in range(200)]}}
    )  # fmt: skip
    market = exchange.safe_market("BTC_USDT", None, "_", "spot")

    def klines() -> pd.DataFrame:
        rows = exchange.parse_ohlcvs(
            exchange.parse_json(candles.decode())["result"]["data"], market
        )
        frame = pd.DataFrame(rows, columns=["time", "open", "high", "low", "close", "volume"])
        frame["time"] = pd.to_datetime(frame["time"], unit="ms", utc=True)
        return frame.set_index("time")

    def trades_() -> pd.DataFrame:
        rows = exchange.parse_trades(exchange.parse_json(trades.decode())["result"]["data"], market)
        frame = pd.DataFrame(rows)[["timestamp", "id", "price", "amount", "side"]]
        frame["timestamp"] = pd.to_datetime(frame["timestamp"], unit="ms", utc=True)
        return frame.set_index("timestamp")

    return {"klines": klines, "trades": trades_}


def run() -> Iterator[Row]:
    """Compare the three, in turns."""
    theirs = ccxt_calls()
    for name, rows, body, call, args, floors in (
        ("klines", 300, kline_body(), marketdata.klines, ("btcusdt",),
         {"msgspec": klines_msgspec, "orjson": klines_orjson}),
        ("trades", 200, trade_body(), marketdata.trades, ("btcusdt",),
         {"msgspec": trades_msgspec, "orjson": trades_orjson}),
    ):  # fmt: skip
        calls: dict[str, Callable[[], object]] = {"ours": ours(body, call, *args)}
        calls |= {kind: (lambda f=floor, b=body: f(b)) for kind, floor in floors.items()}
        calls["ccxt"] = theirs[name]
        same = ours(body, call, *args)()
        pd.testing.assert_frame_equal(same, floors["msgspec"](body), check_freq=False)
        took = best_of(calls)
        floor = min(took[kind] for kind in floors)
        shown = ", ".join(f"{kind} {took[kind] * 1e6:.0f} µs" for kind in calls)
        yield Row(
            f"{name}, {rows} rows, bytes to frame, beside the hand-written floor",
            f"{took['ours'] / floor:.2f} x ({shown})",
            "≤ 1.3 x",
            took["ours"] <= 1.3 * floor,
        )
        yield Row(
            f"{name}, {rows} rows, beside ccxt and pandas",
            f"{took['ccxt'] / took['ours']:.1f} x faster",
            "≥ 3 x",
            took["ccxt"] >= 3 * took["ours"],
        )
