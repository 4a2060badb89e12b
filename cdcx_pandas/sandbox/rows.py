"""The form in which a synthetic tape's bars and trades are worked on.

Bars are one array of integers, whose first axis has the fields named here; trades are one whose
first axis has those of `Trades`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cdcx_pandas.periods import floor_times
from cdcx_pandas.sandbox.tape import Bars, Trades, bars_of, starts_of

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

TIME, ID, OPEN, HIGH, LOW, CLOSE, VOLUME, TURNOVER, TRADES = range(9)
FIELDS = 9


def joined_rows(rows: list[Ints]) -> Ints:
    """Join arrays of rows one behind the other."""
    match rows:
        case []:
            return np.empty((FIELDS, 0), dtype=np.int64)
        case [one]:
            return one
        case _:
            return np.concatenate(rows, axis=1)


def cut_rows(rows: Ints, width: int) -> list[Ints]:
    """Cut rows into blocks that do not keep each other alive."""
    return [rows[:, at : at + width].copy() for at in range(0, rows.shape[1], width)]


def rows_of_trades(trades: Trades) -> Ints:
    """Make minute bars of a synthetic tape's trades, in the form they are worked on."""
    bars = bars_of(trades, "1min")
    first_id = bars.last_id - bars.trades + 1
    return np.stack(
        (bars.time_ns, first_id, *bars[1:6], bars.turnover.astype(np.int64), bars.trades)
    )


def bars_of_rows(period: str, rows: Ints) -> Bars:
    """Join a synthetic tape's bars to longer ones; its sums are known to fit into 64 bits."""
    opened = floor_times(period, rows[TIME])
    first = starts_of(opened)
    if not first.size:
        return Bars(*np.empty((FIELDS, 0), dtype=np.int64))
    last = np.append(first[1:], opened.size) - 1
    return Bars(
        time_ns=opened[first],
        open=rows[OPEN][first],
        high=np.maximum.reduceat(rows[HIGH], first),
        low=np.minimum.reduceat(rows[LOW], first),
        close=rows[CLOSE][last],
        volume=np.add.reduceat(rows[VOLUME], first),
        turnover=np.add.reduceat(rows[TURNOVER], first),
        trades=np.add.reduceat(rows[TRADES], first),
        last_id=rows[ID][last] + rows[TRADES][last] - 1,
    )
