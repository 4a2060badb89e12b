"""What all of V1's wire has in common: words, periods, ids and times.

Which key is which column is said in `market` and `account`. Sources: the API's own samples
and captures, in ``docs/protocol-v1.md``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cdcx_pandas import errors as e
from cdcx_pandas.dialects import reading as r
from cdcx_pandas.tables import NS_PER_S, SIDES, Answer, Columns

Fields = dict[str, tuple[tuple[str, ...], r.Reader]]
"""Column → (its keys on the wire, the first present one counts; reader)."""

SYMBOL = r"[a-z0-9]{2,20}"
"""Base then quote, no separator: ``btcusdt``."""

PERIODS = ("1min", "5min", "15min", "30min", "1hour", "1day", "1week", "1month")
REST_PERIODS = dict(zip(PERIODS, (1, 5, 15, 30, 60, 1440, 10080, 43200), strict=True))
"""REST says minutes."""
STREAM_PERIODS = {period: period for period in PERIODS} | {"1hour": "60min"}
"""The stream says words, and 60min for an hour."""

STEPS = (0, 1, 2)
"""How prices of a book are merged: 0 is the finest."""

_ORDER = frozenset({"side_msg", "source", "source_msg", "status_msg", "total_price"})
# `type` is a display text of the side; `deal_price` is price x volume, cut.
_FILL = frozenset({"type", "deal_price", "ask_user_id", "bid_user_id"})

UNMODELLED: dict[str, frozenset[str]] = {
    "order": _ORDER,
    "fill": _FILL,
    "show_order": frozenset({"trade_list"}),  # repeats `tradeList` of the order
    "kline_push": frozenset({"ds", "tradeId"}),
    "trade_push": frozenset({"ds", "amount"}),  # here `amount` is price x vol
    "push": frozenset({"data"}),
    "reply": frozenset({"tick", "top", "ds"}),
    "acknowledgement": frozenset({"lower_frame"}),
}
"""Keys of Crypto.com's samples that carry nothing for a table, by the object they stand in.

Some are written for completeness; none is read.
"""

read_side: r.Reader = r.word("side", {word: word for word in SIDES}, other=None)


def bad_period(period: str) -> e.BadPeriod:
    """Return the error for a period that V1 does not have."""
    return e.BadPeriod(
        f"V1 has no period {period!r}.",
        why=f"It has {', '.join(PERIODS)}.",
        todo="Take a finer one and make it with df.cdcx.resample.",
        allowed=PERIODS,
        sent="no",
    )


def bad_step(step: int) -> e.BadRequest:
    """Return the error for a merging of prices that V1 does not have."""
    return e.BadRequest(
        f"step: {step!r} is none of V1's.",
        why="It merges the prices of a book in the steps 0 (finest), 1 and 2.",
        todo="Write step=0, 1 or 2.",
        sent="no",
    )


def as_digits(id_: str | None) -> Any:
    """Write an id as a number where it is one (profile A)."""
    return int(id_) if id_ is not None and id_.isdecimal() else id_


# -------------------------------------------------------------------------------------- times


def whole_seconds(answer: Answer) -> Answer:
    """Return an answer with times as the exchange wrote them: cut down to whole seconds."""
    facts = dict(answer.facts)
    if "fills" in facts:
        facts["fills"] = _cut(facts["fills"])
    return Answer(answer.table, _cut(answer.columns), facts)


def _cut(columns: Columns) -> Columns:
    cut = {
        name: [None if ns is None else ns // NS_PER_S * NS_PER_S for ns in columns[name]]
        for name in ("time", "created", "updated")
        if name in columns
    }
    return columns | cut


def beijing_text(ns: int) -> str:
    """Write an instant as the platform's display text: date and time in UTC+8."""
    moment = datetime.fromtimestamp(ns // NS_PER_S, UTC) + timedelta(hours=8)
    return moment.strftime("%Y-%m-%d %H:%M:%S")
