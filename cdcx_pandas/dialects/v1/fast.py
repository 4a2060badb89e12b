"""News of trades in its common form, decoded straight to its types: several times faster.

A stream mostly tells trades. What has another form, or values that only the liberal reader
(`stream`, `market`) takes or refuses, is None here and read by it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import msgspec

from cdcx_pandas import messages as m
from cdcx_pandas.channels import TradeChannel
from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.v1 import wire
from cdcx_pandas.tables import NS_PER_MS, TRADES, Answer

if TYPE_CHECKING:
    from cdcx_pandas.tables import Columns


class _Trade(msgspec.Struct, gc=False):
    id: int
    side: Literal["BUY", "SELL"]
    price: float
    vol: float
    ts: int


class _Tick(msgspec.Struct, gc=False):
    data: list[_Trade]


class _Push(msgspec.Struct, gc=False):
    channel: str
    tick: _Tick
    ts: int
    event_rep: Literal[""] = ""
    status: Literal["ok"] = "ok"


# Numbers are texts here, which only the lax mode reads as numbers.
_DECODER = msgspec.json.Decoder(_Push, strict=False)
_SIDES = {"BUY": "buy", "SELL": "sell"}
_NAME = re.compile(rf"market_(?P<symbol>{wire.SYMBOL})_trade_ticker", re.ASCII)
_MS = range(10**11, 10**14)
"""What is milliseconds, as `reading.time` has it."""
_IDS = range(2**63)


def read_trades(plain: bytes) -> m.Update | None:
    """Read news of public trades; None where it is none, or has another form."""
    if b"_trade_ticker" not in plain:
        return None
    try:
        push = _DECODER.decode(plain)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    rows, channel = push.tick.data, _channel(push.channel)
    if channel is None or not rows or push.ts not in _MS:
        return None
    columns = _columns(rows)
    are_usual = all(row.id in _IDS and row.ts in _MS for row in rows)
    if not are_usual or not r.are_meant(columns, "price", "amount"):
        return None
    if len(rows) > 1:
        columns = r.by_time_and_id(columns)
    return m.Update(channel, Answer(TRADES, columns), "delta", push.ts * NS_PER_MS)


@lru_cache(maxsize=1024)
def _channel(name: str) -> TradeChannel | None:
    match = _NAME.fullmatch(name)
    return None if match is None else TradeChannel(match["symbol"])


def _columns(rows: list[_Trade]) -> Columns:
    rows.reverse()  # newest first on the wire
    return {
        "id": [str(row.id) for row in rows],
        "price": [row.price for row in rows],
        "amount": [row.vol for row in rows],
        "time": [row.ts * NS_PER_MS for row in rows],
        "side": [_SIDES[row.side] for row in rows],
    }
