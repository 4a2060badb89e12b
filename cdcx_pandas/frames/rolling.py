"""The last rows of a table: appended in O(new rows), viewed at a cost that no window changes.

Columns are arrays with room to spare. Rows are written behind the last one; when the room is
used up, the last `window` rows go into *new* arrays and the old ones are left to whoever still
looks at them. A row that was visible is never written again, so a view needs no lock and no
copy, and can never change under its reader. Rows that belong before visible ones, and rows that
say something new about a known key, are merged into new arrays as well.

What is still changing (the bar that forms) is kept apart, and joined when a frame is taken.
This module knows tables and time stamps. Who writes is one thread; who reads may be any.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cdcx_pandas.frames.schema import UTC_NS, category_of, to_frame

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from cdcx_pandas.tables import Column, Columns, Table

    Array = np.ndarray[Any, np.dtype[Any]]
    Row = tuple[Any, ...]

HELD_NS = 250_000_000
"""Rows that come too late wait so long for others of their kind, and are merged together."""

MOST_BYTES = 256 << 20
"""The most the arrays of one rolling frame may take; a wider window is narrowed to it."""

_TEXT_BYTES = 80
"""What a short text and the pointer to it take."""

_DTYPES: dict[str, Any] = {
    "time": np.int64, "number": np.float64, "flag": np.bool_, "category": np.int8,
    "count": np.float64, "text": object,
}  # fmt: skip
_NAT = np.iinfo(np.int64).min


@dataclass(frozen=True)
class _Visible:
    """What readers see: arrays, and which of their rows. Replaced as a whole, never changed."""

    arrays: dict[str, Array]
    first: int
    stop: int


class RollingFrame:
    """The last `window` rows of a table with an index of times.

    Parameters
    ----------
    table
        What the rows are; its `key` tells them apart.
    window
        How many rows are kept.
    extra
        Columns that are kept besides the table's: ``received``.
    most_bytes
        The most its arrays may take.
    """

    def __init__(
        self,
        table: Table,
        window: int,
        *,
        extra: tuple[Column, ...] = (),
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.table = table
        self._columns = (*table.fields, *extra)
        self._shown = replace(table, columns=(*table.columns, *extra))
        names = [column.name for column in self._columns]
        self._key_places = [names.index(name) for name in table.key]
        self._row_bytes = sum(_bytes_of(column) for column in self._columns)
        self.window = max(1, min(window, most_bytes // (2 * self._row_bytes)))
        self._keys: dict[Hashable, None] = {}
        self._late: dict[Hashable, Row] = {}
        self._late_since_ns: int | None = None
        self._forming: dict[Hashable, Row] = {}
        self._visible = _Visible(self._room(), 0, 0)

    def __len__(self) -> int:
        seen = self._visible
        return seen.stop - seen.first + len(self._forming)

    @property
    def memory_bytes(self) -> int:
        """What the arrays take now."""
        return self._row_bytes * len(self._visible.arrays[self._columns[0].name])

    # ------------------------------------------------------------------------------ writing

    def append(self, columns: Columns, *, now_ns: int) -> int:
        """Add rows, and return how many were new.

        A row whose key is known is left out; one that belongs before the last row waits for
        `settle`. What formed under the same key is final now.
        """
        new: list[Row] = []
        last_ns = self._last_ns()
        for key, row in self._rows(columns):
            if key in self._keys or key in self._late:
                continue
            self._forming.pop(key, None)
            if row[0] < last_ns:
                self._late[key] = row
                self._late_since_ns = self._late_since_ns or now_ns
                continue
            last_ns = row[0]
            self._keys[key] = None
            new.append(row)
        if new:
            self._write(new, self._visible)
        return len(new)

    def form(self, columns: Columns) -> None:
        """Say how rows stand that are still changing; a later word about a key replaces it."""
        for key, row in self._rows(columns):
            if key not in self._keys:
                self._forming[key] = row

    def settle(self, now_ns: int, *, at_once: bool = False) -> bool:
        """Merge rows that came late, once they waited long enough; tell whether it was done."""
        if self._late_since_ns is None:
            return False
        if not at_once and now_ns - self._late_since_ns < HELD_NS:
            return False
        late, self._late, self._late_since_ns = self._late, {}, None
        self._merge(late)
        return True

    def replace(self, columns: Columns) -> None:
        """Put rows in the place of those with the same keys, and the others where they belong."""
        self._merge(dict(self._rows(columns)))

    def _rows(self, columns: Columns) -> Iterable[tuple[Hashable, Row]]:
        count = len(next(iter(columns.values()), ()))
        values = [
            _stored(column, columns.get(column.name) or [None] * count) for column in self._columns
        ]
        return [(self._key(row), row) for row in zip(*values, strict=True)]

    def _last_ns(self) -> int:
        seen = self._visible
        return int(seen.arrays["time"][seen.stop - 1]) if seen.stop > seen.first else _NAT

    def _room(self) -> dict[str, Array]:
        size = 2 * self.window
        return {c.name: np.empty(size, dtype=_DTYPES[c.kind]) for c in self._columns}

    def _write(self, rows: list[Row], seen: _Visible) -> None:
        """Write rows behind those of `seen`, in new arrays when there is no more room."""
        rows = rows[-self.window :]
        arrays, first, stop = seen.arrays, seen.first, seen.stop
        if stop + len(rows) > 2 * self.window:
            kept = min(stop - first, self.window - len(rows))
            arrays = self._room()
            for name, array in arrays.items():
                array[:kept] = seen.arrays[name][stop - kept : stop]
            first, stop = 0, kept
        end = stop + len(rows)
        for column, values in zip(self._columns, zip(*rows, strict=True), strict=True):
            arrays[column.name][stop:end] = values
        self._visible = _Visible(arrays, max(first, end - self.window), end)
        while len(self._keys) > 2 * self.window:  # older keys are further back than the window
            del self._keys[next(iter(self._keys))]

    def _merge(self, rows: dict[Hashable, Row]) -> None:
        """Make new arrays of what is visible and `rows`, in order of time."""
        seen = self._visible
        known = [seen.arrays[column.name][seen.first : seen.stop] for column in self._columns]
        together: dict[Hashable, Row] = {
            self._key(row): row for row in zip(*(array.tolist() for array in known), strict=True)
        }
        together |= rows
        for key in rows:
            self._forming.pop(key, None)
        self._keys |= dict.fromkeys(rows)
        ordered = sorted(together.values(), key=itemgetter(0))
        if ordered:
            self._write(ordered, _Visible(self._room(), 0, 0))

    def _key(self, row: Row) -> Hashable:
        places = self._key_places
        return row[places[0]] if len(places) == 1 else tuple(row[at] for at in places)

    # ------------------------------------------------------------------------------ reading

    def view(self) -> pd.DataFrame:
        """Return the final rows without copying them: times, numbers, flags and categories.

        The frame is read-only and never changes; it costs the same whatever the window.
        """
        seen = self._visible
        made = {
            column.name: _seen(column, seen.arrays[column.name][seen.first : seen.stop])
            for column in self._columns
            if column.name != "time" and column.kind != "text"
        }
        times = _frozen(seen.arrays["time"][seen.first : seen.stop])
        index = pd.DatetimeIndex(times, dtype=UTC_NS, copy=False, name="time")
        return pd.DataFrame(made, index=index, copy=False)

    def frame(self) -> pd.DataFrame:
        """Return all rows as a frame of one's own: the final ones, then what still forms."""
        seen, forming = self._visible, sorted(self._forming.values(), key=lambda row: row[0])
        columns: Columns = {}
        for at, column in enumerate(self._columns):
            values = seen.arrays[column.name][seen.first : seen.stop].tolist()
            values += [row[at] for row in forming]
            columns[column.name] = [_told(column, value) for value in values]
        return to_frame(self._shown, columns)


def _bytes_of(column: Column) -> int:
    return _TEXT_BYTES if column.kind == "text" else int(np.dtype(_DTYPES[column.kind]).itemsize)


def _stored(column: Column, values: list[Any]) -> list[Any]:
    """Return values as the arrays hold them."""
    match column.kind:
        case "category":
            codes = {word: code for code, word in enumerate(column.words)}
            return [codes.get(value, -1) for value in values]
        case "time":
            return [_NAT if value is None else value for value in values]
        case "number" | "count":
            return [np.nan if value is None else float(value) for value in values]
        case "flag":
            return [bool(value) for value in values]
        case "text":
            return values


def _told(column: Column, value: Any) -> Any:
    """Return a stored value as columns say it."""
    match column.kind:
        case "category":
            return None if value < 0 else column.words[value]
        case "count":
            return None if np.isnan(value) else int(value)
        case _:
            return value


def _frozen(array: Array) -> Array:
    array.flags.writeable = False  # of this slice only: the array itself goes on being written
    return array


def _seen(column: Column, array: Array) -> Any:
    frozen = _frozen(array)
    match column.kind:
        case "category":
            return pd.Categorical.from_codes(frozen, dtype=category_of(column), validate=False)
        case "time":
            return pd.DatetimeIndex(frozen, dtype=UTC_NS, copy=False)
        case _:
            return frozen
