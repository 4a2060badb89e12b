"""Frames of what a `Watch` holds: as the batch functions return them, and `received` besides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from cdcx_pandas.engines.book import merge_prices, mid_and_spread, totals
from cdcx_pandas.frames.schema import UTC_NS, texts, to_frame
from cdcx_pandas.provenance import MAX_STRETCHES, iso
from cdcx_pandas.tables import DEPTH, RECEIVED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from cdcx_pandas.engines.tracks.board import Board
    from cdcx_pandas.engines.tracks.books import Shown
    from cdcx_pandas.engines.tracks.gaps import Gap
    from cdcx_pandas.tables import Columns

_DEPTH = replace(DEPTH, columns=(*DEPTH.columns, RECEIVED))


def board_frame(board: Board, told: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows of a board."""
    table = replace(board.table, columns=(*board.table.columns, RECEIVED))
    return to_frame(table, board.columns(), provenance=told)


def merged(columns: Columns, unit: Decimal | None) -> Columns:
    """Return a book with its prices merged to multiples of `unit`; None leaves them."""
    return columns if unit is None else merge_prices(columns, unit)


def book_columns(shown: Shown | None, unit: Decimal | None) -> Columns:
    """Return a book as columns of a frame; no rows before the first whole one."""
    columns = _DEPTH.empty() if shown is None else merged(shown.columns, unit)
    received = None if shown is None else shown.received
    return columns | {"total": totals(columns), "received": [received] * len(columns["side"])}


def book_frame(columns: Columns, told: Mapping[str, Any]) -> pd.DataFrame:
    """Return the frame of one book."""
    return to_frame(_DEPTH, columns, provenance=told)


def books_frame(books: Mapping[str, Columns], told: Mapping[str, Any]) -> pd.DataFrame:
    """Return the frame of several books, with a column ``symbol``."""
    names = [column.name for column in _DEPTH.fields]
    joined = {name: [v for columns in books.values() for v in _filled(columns, name)]
              for name in names}  # fmt: skip
    frame = to_frame(_DEPTH, joined, provenance=told)
    symbols = [symbol for symbol, columns in books.items() for _ in columns["side"]]
    frame.insert(0, "symbol", texts(symbols))
    return frame


def _filled(columns: Columns, name: str) -> list[Any]:
    return columns.get(name) or [None] * len(columns["side"])


def touch(columns: Columns) -> tuple[float | None, float | None]:
    """Return mid and spread (in hundredths of a percent of the mid) of a book."""
    levels = zip(columns["side"], columns["level"], columns["price"], strict=True)
    best = {side: price for side, level, price in levels if level == 0}
    return mid_and_spread(best.get("bid"), best.get("ask"))


def gaps_frame(gaps: Iterable[Gap], *, has_symbol: bool) -> pd.DataFrame:
    """Return the frame of gaps: those that are still tried count as not repaired."""
    rows = list(gaps)
    made = {
        "channel": texts([gap.channel for gap in rows]),
        "start": pd.DatetimeIndex([gap.start for gap in rows], dtype=UTC_NS),
        "end": pd.DatetimeIndex([gap.end for gap in rows], dtype=UTC_NS),
        "reason": texts([gap.reason for gap in rows]),
        "estimate": pd.array([gap.estimate for gap in rows], dtype="Int64"),
        "repaired": [gap.repaired is True for gap in rows],
    }
    if has_symbol:
        made = {"channel": made.pop("channel"), "symbol": texts([g.symbol for g in rows])} | made
    return pd.DataFrame(made).astype({"repaired": bool})


def events_frame(events: Iterable[tuple[int, str, str]]) -> pd.DataFrame:
    """Return the frame of a stream's states, each with why and since when."""
    rows = list(events)
    index = pd.DatetimeIndex([ns for ns, _, _ in rows], dtype=UTC_NS, name="time")
    states = {"state": texts([state for _, state, _ in rows]), "why": texts([w for *_, w in rows])}
    return pd.DataFrame(states, index=index)


def coverage(
    bounds: tuple[int, int] | None, gaps: Iterable[Gap], channel: str
) -> list[list[str | None]] | int | None:
    """Return the stretches without a gap that is not repaired, or how many they are."""
    if bounds is None:
        return None
    begin, end = bounds
    stretches: list[list[str | None]] = []
    holes = [gap for gap in gaps if gap.channel == channel and gap.repaired is not True]
    for gap in sorted(holes, key=lambda gap: gap.start):
        if gap.end <= begin or gap.start >= end:
            continue
        if gap.start > begin:
            stretches.append([iso(begin), iso(gap.start)])
        begin = max(begin, gap.end)
    stretches.append([iso(begin), iso(end)])
    return stretches if len(stretches) <= MAX_STRETCHES else len(stretches)
