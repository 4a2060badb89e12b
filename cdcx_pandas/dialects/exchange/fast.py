"""News of trades in its common form, decoded straight to its types: several times faster.

A stream mostly tells trades. What has another form, or values that only the liberal reader
(`told`, `market`) takes or refuses, is None here and read by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from cdcx_pandas import messages as m
from cdcx_pandas.channels import TradeChannel
from cdcx_pandas.dialects import reading as r
from cdcx_pandas.tables import NS_PER_MS, TRADES, Answer

if TYPE_CHECKING:
    from cdcx_pandas.dialects.exchange.symbols import Names
    from cdcx_pandas.tables import Columns


class _Trade(msgspec.Struct, gc=False):
    d: str
    t: int
    p: float
    q: float
    s: Literal["BUY", "SELL"]
    m: str | None = None


class _Result(msgspec.Struct, gc=False):
    subscription: str
    data: list[_Trade]


class _News(msgspec.Struct, gc=False):
    id: int
    code: int
    result: _Result


# Numbers are texts here, which only the lax mode reads as numbers.
_DECODER = msgspec.json.Decoder(_News, strict=False)
_SIDES = {"BUY": "buy", "SELL": "sell"}
_FAMILY = "trade."
_MS = range(10**11, 10**14)
"""What is milliseconds, as `reading.time` has it."""


def read_trades(frame: str, names: Names) -> m.Update | None:
    """Read news of public trades; None where it is none, or has another form."""
    if '"trade.' not in frame:
        return None
    try:
        news = _DECODER.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    instrument = news.result.subscription.removeprefix(_FAMILY)
    rows = news.result.data
    if news.code != 0 or not rows or instrument == news.result.subscription:
        return None
    columns = _columns(rows)
    are_usual = _are_placed(rows) and r.are_meant(columns, "price", "amount")
    if not are_usual or not names.lists(instrument):
        return None
    if len(rows) > 1:
        columns = r.by_time_and_id(columns)
    return m.Update(
        TradeChannel(names.ours(instrument)),
        Answer(TRADES, columns),
        "delta",
        columns["time"][-1],
        str(news.id) if news.id >= 0 else None,
    )


def _are_placed(rows: list[_Trade]) -> bool:
    """Tell whether all rows have a time in ms, and ids that can be counted by."""
    return all(
        row.t in _MS and r.is_count(row.d) and (row.m is None or r.is_count(row.m)) for row in rows
    )


def _columns(rows: list[_Trade]) -> Columns:
    rows.reverse()  # newest first on the wire
    return {
        "id": [row.d for row in rows],
        "price": [row.p for row in rows],
        "amount": [row.q for row in rows],
        "time": [row.t * NS_PER_MS for row in rows],
        "side": [_SIDES[row.s] for row in rows],
        "match_id": [row.m for row in rows],
    }
