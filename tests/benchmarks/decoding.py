"""From an answer's bytes to the DataFrame: ours, the least hand-written code, and ccxt.

The floor makes the same frame as ours with nothing general in it: it decodes with the faster
of orjson and msgspec (both are tried), and knows the columns by heart. ccxt parses answers of
today's API by its own parsers, and pandas makes a frame of its lists; of today's API, it is
given the very bytes that ours is.
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


def todays_kline_body() -> bytes:
    """Make a candlestick answer of 300 rows, as today's exchange writes them."""
    dice = random.Random(3)
    rows = [
        {"o": f"{dice.uniform(9000, 9100):.2f}", "h": "9100.00", "l": "9000.00",
         "c": f"{dice.uniform(9000, 9100):.2f}", "v": f"{dice.uniform(0, 90):.6f}",
         "t": 1_588_707_000_000 + 60_000 * i}
        for i in range(300)
    ]  # fmt: skip
    result = {"interval": "1m", "instrument_name": "BTC_USDT", "data": rows}
    return orjson.dumps({"id": 1, "method": "public/get-candlestick", "code": 0, "result": result})


def todays_trade_body() -> bytes:
    """Make a trades answer of 150 rows, as today's exchange writes them: newest first."""
    dice = random.Random(4)
    newest = 1_589_032_904_000_000_000
    rows = []
    for i in range(150):
        at = newest - 1_234_567_891 * i
        rows.append(
            {"d": str(at), "t": at // 10**6, "tn": at, "q": f"{dice.uniform(0, 3):.5f}",
             "p": f"{dice.uniform(9000, 9100):.2f}", "s": dice.choice(["buy", "sell"]),
             "i": "BTC_USDT", "m": str(4_611_686_018_464_102_590 - i)}
        )  # fmt: skip
    return orjson.dumps(
        {"id": 1, "method": "public/get-trades", "code": 0, "result": {"data": rows}}
    )


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


def ours(
    body: bytes, call: Callable[..., pd.DataFrame], dialect: str = "v1"
) -> Callable[[], pd.DataFrame]:
    """Return the public function, from the answer's bytes on: no network, no waiting."""
    venue = Venue(
        "bench", dialect, rest="http://127.0.0.1:1", ws="ws://127.0.0.1:1/x", simulated=True
    )
    clock = SystemClock()
    pacer = Pacer((), venue.rest, clock, MemoryStore())
    pacer.wait = lambda *_: None  # type: ignore[method-assign]  # not what is measured
    pacer.told = lambda *_: None  # type: ignore[method-assign]  # as above
    session = Session(venue, clock=clock, pacer=pacer)
    session._http = Canned(body)  # type: ignore[assignment]  # the part that is left out
    name = "btcusdt" if dialect == "v1" else "BTC_USDT"
    listed = {"symbol": ["btcusdt"], "venue_symbol": [name]}
    session._symbols = (clock.now_ns(), listed)
    session.dialect = session.dialect.knowing(listed)
    return lambda: call("btcusdt", session=session)


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


def klines_frame(rows: Any, unit_ns: int = 10**9) -> pd.DataFrame:
    """Make the frame `klines` makes, from rows."""
    t, o, h, low, c, v = zip(*rows, strict=True)
    stamps = np.array(t, np.int64) * unit_ns
    index = pd.DatetimeIndex(stamps, dtype=UTC, copy=False, name="time")
    closed = stamps < pd.Timestamp.now("UTC").value // 60_000_000_000 * 60_000_000_000
    columns = {
        "open": np.array(o), "high": np.array(h), "low": np.array(low), "close": np.array(c),
        "volume": np.array(v), "closed": closed,
    }  # fmt: skip
    frame = pd.DataFrame(columns, index=index, copy=False)
    frame.attrs["cdcx"] = _attrs()
    return frame


def trades_frame(
    ids: Any, prices: Any, amounts: Any, times: Any, sides: Any, *, unit_ns: int = 10**6
) -> pd.DataFrame:
    """Make the frame `trades` makes, from columns."""
    stamps = np.array(times, np.int64) * unit_ns
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


class TodaysBar(msgspec.Struct, gc=False):
    """What a candle is, to msgspec."""

    o: float
    h: float
    l: float  # noqa: E741  # the wire's word
    c: float
    v: float
    t: int


class TodaysBars(msgspec.Struct):
    """What holds the candles, to msgspec."""

    data: list[TodaysBar]


class TodaysKlines(msgspec.Struct):
    """What a candlestick answer is, to msgspec."""

    code: int
    result: TodaysBars


class TodaysTrade(msgspec.Struct, gc=False):
    """What a trade is, to msgspec."""

    d: str
    tn: int
    p: float
    q: float
    s: str


class TodaysList(msgspec.Struct):
    """What holds the trades, to msgspec."""

    data: list[TodaysTrade]


class TodaysTrades(msgspec.Struct):
    """What a trades answer is, to msgspec."""

    code: int
    result: TodaysList


TODAYS_KLINES_DECODER = msgspec.json.Decoder(TodaysKlines, strict=False)
TODAYS_TRADES_DECODER = msgspec.json.Decoder(TodaysTrades, strict=False)


def todays_klines_msgspec(body: bytes) -> pd.DataFrame:
    """Floor: typed decoding."""
    rows = TODAYS_KLINES_DECODER.decode(body).result.data
    return klines_frame([(r.t, r.o, r.h, r.l, r.c, r.v) for r in rows], 10**6)


def todays_klines_orjson(body: bytes) -> pd.DataFrame:
    """Floor: orjson."""
    rows = orjson.loads(body)["result"]["data"]
    return klines_frame(
        [
            (r["t"], float(r["o"]), float(r["h"]), float(r["l"]), float(r["c"]), float(r["v"]))
            for r in rows
        ],
        10**6,
    )


def todays_trades_msgspec(body: bytes) -> pd.DataFrame:
    """Floor: typed decoding."""
    rows = TODAYS_TRADES_DECODER.decode(body).result.data[::-1]
    return trades_frame(
        [r.d for r in rows], [r.p for r in rows], [r.q for r in rows], [r.tn for r in rows],
        [r.s for r in rows], unit_ns=1,
    )  # fmt: skip


def todays_trades_orjson(body: bytes) -> pd.DataFrame:
    """Floor: orjson."""
    rows = orjson.loads(body)["result"]["data"][::-1]
    return trades_frame(
        [r["d"] for r in rows], [float(r["p"]) for r in rows], [float(r["q"]) for r in rows],
        [r["tn"] for r in rows], [r["s"] for r in rows], unit_ns=1,
    )  # fmt: skip


# ------------------------------------------------------------------------------------- ccxt


def ccxt_calls(candles: bytes, trades: bytes) -> tuple[Callable[[], object], ...]:
    """Parse answers of today's API by ccxt, and make frames of its lists."""
    exchange = ccxt.cryptocom()
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

    return klines, trades_


FLOORS: dict[str, dict[str, Callable[[bytes], pd.DataFrame]]] = {
    "v1 klines": {"msgspec": klines_msgspec, "orjson": klines_orjson},
    "v1 trades": {"msgspec": trades_msgspec, "orjson": trades_orjson},
    "exchange klines": {"msgspec": todays_klines_msgspec, "orjson": todays_klines_orjson},
    "exchange trades": {"msgspec": todays_trades_msgspec, "orjson": todays_trades_orjson},
}


def run() -> Iterator[Row]:
    """Compare the three, in turns."""
    today = todays_kline_body(), todays_trade_body()
    # V1's trades are 200 and today's 150: ccxt is only told today's.
    theirs = ccxt_calls(*today)
    for name, body, dialect, call, ccxt_call, faster in (
        ("klines, 300 rows", kline_body(), "v1", marketdata.klines, theirs[0], 3),
        ("trades, 200 rows", trade_body(), "v1", marketdata.trades, theirs[1], 3),
        ("klines, 300 rows", today[0], "exchange", marketdata.klines, theirs[0], 3),
        ("trades, 150 rows", today[1], "exchange", marketdata.trades, theirs[1], 15),
    ):
        floors = FLOORS[f"{dialect} {name[:6]}"]
        calls: dict[str, Callable[[], object]] = {"ours": ours(body, call, dialect)}
        calls |= {kind: (lambda f=floor, b=body: f(b)) for kind, floor in floors.items()}
        calls["ccxt"] = ccxt_call
        same = ours(body, call, dialect)()
        pd.testing.assert_frame_equal(same, floors["msgspec"](body), check_freq=False)
        took = best_of(calls)
        floor = min(took[kind] for kind in floors)
        shown = ", ".join(f"{kind} {took[kind] * 1e6:.0f} µs" for kind in calls)
        yield Row(
            f"{dialect}: {name}, bytes to frame, beside the hand-written floor",
            f"{took['ours'] / floor:.2f} x ({shown})",
            "≤ 1.3 x",
            took["ours"] <= 1.3 * floor,
        )
        yield Row(
            f"{dialect}: {name}, beside ccxt and pandas",
            f"{took['ccxt'] / took['ours']:.1f} x faster",
            f"≥ {faster} x",
            took["ccxt"] >= faster * took["ours"],
        )
