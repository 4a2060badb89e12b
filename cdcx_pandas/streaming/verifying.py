"""Stream equals batch: what a stream has put together, beside what the venue says when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from cdcx_pandas.engines.tracks.track import to_millis
from cdcx_pandas.frames.schema import texts
from cdcx_pandas.operations import GetKlines, GetTrades
from cdcx_pandas.periods import bar_number

if TYPE_CHECKING:
    from cdcx_pandas.engines.watch import Watch
    from cdcx_pandas.frames.rolling import RollingFrame
    from cdcx_pandas.session import Session
    from cdcx_pandas.tables import Columns

Rows = dict[Any, tuple[Any, ...]]
_BARS = ("time", "open", "high", "low", "close", "volume")
_TRADES = ("id", "time", "price", "amount", "side")
_MOST_BARS = 300
_COLUMNS = ("channel", "symbol", "compared", "equal", "different", "missing", "extra")


def verified(watch: Watch, session: Session) -> pd.DataFrame:
    """Return how many rows of each channel and market are as the venue says."""
    rows = []
    for symbol in watch.plan.symbols:
        if watch.klines is not None:
            rows.append(_compared("klines", symbol, *_bars(watch, watch.klines, session, symbol)))
        if watch.trades is not None:
            rows.append(_compared("trades", symbol, *_trades(watch, watch.trades, session, symbol)))
    frame = pd.DataFrame(rows, columns=[*_COLUMNS, "ok"])
    index = pd.MultiIndex.from_arrays(
        [texts(list(frame.pop("channel"))), texts(list(frame.pop("symbol")))],
        names=["channel", "symbol"],
    )
    return frame.set_index(index)


def _compared(channel: str, symbol: str, ours: Rows, theirs: Rows) -> dict[str, Any]:
    both = ours.keys() & theirs.keys()
    different = sum(ours[key] != theirs[key] for key in both)
    missing, extra = len(theirs.keys() - ours.keys()), len(ours.keys() - theirs.keys())
    return {
        "channel": channel,
        "symbol": symbol,
        "compared": len(both | theirs.keys() | ours.keys()),
        "equal": len(both) - different,
        "different": different,
        "missing": missing,
        "extra": extra,
        "ok": not (different or missing or extra),
    }


def _own(frame: RollingFrame, names: tuple[str, ...], symbol: str, *, is_single: bool) -> Columns:
    wanted = names if is_single else (*names, "symbol")
    rows = [row for row in frame.newest(frame.window, wanted) if is_single or row[-1] == symbol]
    return {name: [row[at] for row in rows] for at, name in enumerate(names)}


def _rows(columns: Columns, names: tuple[str, ...]) -> Rows:
    return {row[0]: row for row in zip(*(columns[name] for name in names), strict=True)}


def _bars(watch: Watch, frame: RollingFrame, session: Session, symbol: str) -> tuple[Rows, Rows]:
    """Compare the newest final bars."""
    own = _own(frame, _BARS, symbol, is_single=watch.plan.is_single)
    own = {name: values[-_MOST_BARS:] for name, values in own.items()}
    if not own["time"]:
        return {}, {}
    first, last = own["time"][0], own["time"][-1]
    now_ns = session.now_ns()
    count = bar_number(watch.plan.period, now_ns) - bar_number(watch.plan.period, first) + 1
    asked = (
        GetKlines(symbol, watch.plan.period, limit=count)
        if count <= _MOST_BARS
        else GetKlines(symbol, watch.plan.period, first, last + 1)
    )
    told = session.run(asked).columns
    keep = [at for at, time in enumerate(told["time"]) if first <= time <= last]
    theirs = {name: [told[name][at] for at in keep] for name in _BARS}
    return _rows(own, _BARS), _rows(theirs, _BARS)


def _trades(watch: Watch, frame: RollingFrame, session: Session, symbol: str) -> tuple[Rows, Rows]:
    """Compare the trades of the venue's newest page that the stream has told by now."""
    told = session.run(GetTrades(symbol)).columns
    own = _own(frame, _TRADES, symbol, is_single=watch.plan.is_single)
    keep = [at for at, id_ in enumerate(told["id"]) if id_ is not None]
    told = {name: [told[name][at] for at in keep] for name in _TRADES}
    told["time"] = to_millis(told["time"])
    if not own["id"] or not told["id"]:
        return {}, {}
    low = max(int(own["id"][0]), int(told["id"][0]))
    high = min(int(own["id"][-1]), int(told["id"][-1]))
    ours, theirs = (
        {key: row for key, row in _rows(columns, _TRADES).items() if low <= int(key) <= high}
        for columns in (own, told)
    )
    lost = [
        (gap.start, gap.end)
        for gap in watch.gaps
        if gap.channel == "trades" and gap.symbol == symbol and gap.repaired is not True
    ]
    theirs = {
        key: row
        for key, row in theirs.items()
        if key in ours or not any(start <= row[1] <= end for start, end in lost)
    }
    return ours, theirs
