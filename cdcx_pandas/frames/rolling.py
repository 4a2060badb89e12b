"""The last rows of a table: appended in O(new rows), viewed at a cost that no window changes.

Columns are arrays with room to spare. Rows are written behind the last one; when the room is
used up, the last `window` rows go into *new* arrays and the old ones are left to whoever still
looks at them. A row that was visible is never written again, so a view needs no lock and no
copy, and can never change under its reader. Rows that belong before visible ones, and rows that
say something new about a known key, are merged into new arrays as well.

What is still changing (the bar that forms) is kept apart, and joined when a frame is taken.
This module knows tables and time stamps. Who writes is one thread at a time; who reads may be any.
"""

from __future__ import annotations

from collections import deque
from contextlib import nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cdcx_pandas.frames.layout import NAT, Layout, symbol_column
from cdcx_pandas.frames.schema import ATTRS_KEY

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    import pandas as pd

    from cdcx_pandas.frames.layout import Array, Row
    from cdcx_pandas.tables import Column, Columns, Table

HELD_NS = 250_000_000
"""Rows that come too late wait so long for others of their kind, and are merged together."""

FRESH_MOST = 1000
"""Batches of new rows that wait for who listens; older ones are let go, the frame has them."""

MOST_BYTES = 256 << 20
"""The most the arrays of one rolling frame may take; a wider window is narrowed to it."""


class _Visible(NamedTuple):
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
    symbols
        The markets whose rows come together here; they get a column ``symbol`` then.
    numbered
        The column whose text, as a number, orders rows of equal time: ``id``.
    most_bytes
        The most its arrays may take.
    """

    def __init__(
        self,
        table: Table,
        window: int,
        *,
        extra: tuple[Column, ...] = (),
        symbols: tuple[str, ...] = (),
        numbered: str | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        fields = (*table.fields, *extra)
        if symbols:
            fields = (fields[0], symbol_column(symbols), *fields[1:])
        self.table = table
        self._layout = Layout(fields)
        self._places = self._layout.places
        self._key_names = ("symbol", *table.key) if symbols else table.key
        self._key_places = [self._places[name] for name in self._key_names]
        self._numbered = numbered
        self.window = max(1, min(window, most_bytes // (2 * self._layout.row_bytes)))
        self._keys: dict[Hashable, None] = {}
        self._last_numbers: dict[Any, tuple[int, int]] = {}
        self._late: dict[Hashable, Row] = {}
        self._late_since_ns: int | None = None
        self._forming: dict[Hashable, Row] = {}
        self._fresh: deque[Columns] | None = None
        self._visible = _Visible(self._layout.room(2 * self.window), 0, 0)

    def __len__(self) -> int:
        seen = self._visible
        return seen.stop - seen.first + len(self._forming)

    @property
    def memory_bytes(self) -> int:
        """What the arrays take now."""
        return self._layout.row_bytes * 2 * self.window

    # ------------------------------------------------------------------------------ writing

    def append(self, columns: Columns, *, now_ns: int) -> int:
        """Add rows, and return how many were new.

        A row whose key is known is left out; one that belongs before the last row waits for
        `settle`. What formed under the same key is final now.
        """
        keys = self._keys_of(columns)
        if self._follow(columns, keys):
            self._keys |= dict.fromkeys(keys)
            self._add(columns, len(keys))
            return len(keys)
        known, late, forming = self._keys, self._late, self._forming
        new: list[int] = []
        last_ns = self._last_ns()
        for at, key in enumerate(keys):
            if key in known or key in late:
                continue
            if forming:
                forming.pop(key, None)
            if self._belongs_before(columns, at, last_ns):
                late[key] = self._layout.row(columns, at)
                self._late_since_ns = now_ns if self._late_since_ns is None else self._late_since_ns
                continue
            last_ns = columns["time"][at]
            known[key] = None
            new.append(at)
        if new:
            if len(new) < len(keys):
                columns = {name: [values[at] for at in new] for name, values in columns.items()}
            self._add(columns, len(new))
        return len(new)

    def _add(self, columns: Columns, count: int) -> None:
        """Write new rows, and keep them for who listens."""
        if self._fresh is not None:
            self._fresh.append(columns)
        self._write(self._layout.held(columns, count), count)

    def form(self, columns: Columns) -> None:
        """Say how rows stand that are still changing; a later word about a key replaces it."""
        for at, key in enumerate(self._keys_of(columns)):
            if key not in self._keys:
                self._forming[key] = self._layout.row(columns, at)
        if self._fresh is not None:
            self._fresh.append(columns)

    def drop_forming(self, keys: Iterable[Hashable]) -> None:
        """Forget rows that formed and that there are not after all."""
        for key in keys:
            self._forming.pop(key, None)

    def settle(self, now_ns: int, *, at_once: bool = False) -> bool:
        """Merge rows that came late, once they waited long enough; tell whether it was done."""
        if self._late_since_ns is None:
            return False
        if not at_once and now_ns - self._late_since_ns < HELD_NS:
            return False
        late, self._late, self._late_since_ns = self._late, {}, None
        if self._fresh is not None:
            self._fresh.append(self._layout.told_rows(late.values()))
        self._merge(late)
        return True

    def replace(self, columns: Columns) -> None:
        """Put rows in the place of those with the same keys, and the others where they belong."""
        rows = {key: self._layout.row(columns, at) for at, key in enumerate(self._keys_of(columns))}
        self._merge(rows)

    def _keys_of(self, columns: Columns) -> Sequence[Hashable]:
        if len(self._key_names) == 1:
            return columns[self._key_names[0]]
        return list(zip(*(columns[name] for name in self._key_names), strict=True))

    def _follow(self, columns: Columns, keys: Sequence[Hashable]) -> bool:
        """Tell whether all rows are new ones behind the last, as they mostly are; take note of it.

        Rows of several markets at once are left to be looked at one by one.
        """
        times = columns["time"]
        is_plain = not self._late and not self._forming and times
        if not is_plain or times[0] < self._last_ns() or not self._keys.keys().isdisjoint(keys):
            return False
        places: list[Any] = times
        market = None
        if self._numbered is not None:
            if "symbol" in self._places:
                market = columns["symbol"][0]
                if columns["symbol"].count(market) < len(times):
                    return False
            places = list(zip(times, map(_as_number, columns[self._numbered]), strict=True))
            before = self._last_numbers.get(market)
            if before is not None and before > places[0]:
                return False
        if len(keys) > 1 and (places != sorted(places) or len(set(keys)) < len(keys)):
            return False
        if self._numbered is not None:
            self._last_numbers[market] = places[-1]
        return True

    def _belongs_before(self, columns: Columns, at: int, last_ns: int) -> bool:
        """Tell whether a row comes too late to stand behind the last one.

        Of equal times the number decides, within a market: between markets there is no order.
        """
        time = columns["time"][at]
        if time < last_ns:
            return True
        if self._numbered is None:
            return False
        market = columns["symbol"][at] if "symbol" in self._places else None
        number = _as_number(columns[self._numbered][at])
        before = self._last_numbers.get(market)
        if before is not None and before > (time, number):
            return True
        self._last_numbers[market] = (time, number)
        return False

    def _last_ns(self) -> int:
        seen = self._visible
        return int(seen.arrays["time"][seen.stop - 1]) if seen.stop > seen.first else NAT

    def _write(self, held: Sequence[Sequence[Any]], count: int) -> None:
        """Write rows behind the visible ones, in new arrays when there is no more room."""
        if count > self.window:
            held, count = [values[-self.window :] for values in held], self.window
        seen = self._visible
        arrays, first, stop = seen.arrays, seen.first, seen.stop
        if stop + count > 2 * self.window:
            kept = min(stop - first, self.window - count)
            arrays = self._layout.room(2 * self.window)
            for name, array in arrays.items():
                array[:kept] = seen.arrays[name][stop - kept : stop]
            first, stop = 0, kept
        end = stop + count
        if count == 1:  # the usual case, and a slice costs ten times as much
            for column, values in zip(self._layout.columns, held, strict=True):
                arrays[column.name][stop] = values[0]
        else:
            for column, values in zip(self._layout.columns, held, strict=True):
                arrays[column.name][stop:end] = values
        self._visible = _Visible(arrays, max(first, end - self.window), end)
        self._forget_keys()

    def _forget_keys(self) -> None:
        """Forget keys that are further back than the window, many at a time.

        One at a time would cost more the wider the window is: a dict looks for its first key
        behind all that were deleted before it.
        """
        excess = len(self._keys) - 2 * self.window
        if excess > 0:
            for key in list(islice(self._keys, excess + self.window // 4)):
                del self._keys[key]

    def _merge(self, rows: dict[Hashable, Row]) -> None:
        """Make new arrays of what is visible and `rows`, in order of time.

        Rows before the first merged one are copied as arrays; only what stands behind it is
        taken apart. Rows that come too late for the whole window are let go.
        """
        if not rows:
            return
        for key in rows:
            self._forming.pop(key, None)
        self._keys |= dict.fromkeys(rows)
        seen, begins = self._visible, self._first_touched(rows)
        tail = {
            self._key(row): row
            for row in zip(
                *(seen.arrays[c.name][begins : seen.stop].tolist() for c in self._layout.columns),
                strict=True,
            )
        }
        ordered = sorted((tail | rows).values(), key=self._order)[-self.window :]
        kept = min(begins - seen.first, self.window - len(ordered))
        arrays = self._layout.room(2 * self.window)
        end = kept + len(ordered)
        for column, values in zip(self._layout.columns, zip(*ordered, strict=True), strict=True):
            array = arrays[column.name]
            array[:kept] = seen.arrays[column.name][begins - kept : begins]
            array[kept:end] = values
        self._visible = _Visible(arrays, 0, end)
        self._note_numbers(ordered)

    def _first_touched(self, rows: dict[Hashable, Row]) -> int:
        """Return where the first visible row stands that merging may move."""
        seen, at = self._visible, self._places["time"]
        times = seen.arrays["time"][seen.first : seen.stop]
        earliest = min(row[at] for row in rows.values())
        return seen.first + int(np.searchsorted(times, earliest, side="left"))

    def _note_numbers(self, rows: Iterable[Row]) -> None:
        if self._numbered is None:
            return
        symbol, time = self._places.get("symbol"), self._places["time"]
        for row in rows:
            market = self._layout.told(symbol, row[symbol]) if symbol is not None else None
            mark = (row[time], self._order(row)[1])
            if mark > self._last_numbers.get(market, (NAT, 0)):
                self._last_numbers[market] = mark

    def _order(self, row: Row) -> tuple[int, int]:
        number = 0 if self._numbered is None else _as_number(row[self._places[self._numbered]])
        return row[self._places["time"]], number

    def _key(self, row: Row) -> Hashable:
        told = [self._layout.told(place, row[place]) for place in self._key_places]
        return told[0] if len(told) == 1 else tuple(told)

    # ------------------------------------------------------------------------------ reading

    def listen(self) -> None:
        """Keep new rows for `fresh` from now on."""
        if self._fresh is None:
            self._fresh = deque(maxlen=FRESH_MOST)

    def fresh(self) -> pd.DataFrame | None:
        """Return the rows that came since it was asked last; None where there are none.

        Of rows that still form every state is told, so that the last of a time counts.
        """
        batches: list[Columns] = []
        while self._fresh:
            batches.append(self._fresh.popleft())
        if not batches:
            return None
        joined = {
            name: [value for columns in batches for value in _of(columns, name)]
            for name in self._places
        }
        held = self._layout.held(joined, len(joined["time"]))
        return self._layout.frame(self._layout.as_arrays(held))

    def view(self) -> pd.DataFrame:
        """Return the final rows without copying them: times, numbers, flags and categories.

        The frame is read-only and never changes; it costs the same whatever the window.
        """
        seen = self._visible
        return self._layout.view(seen.arrays, slice(seen.first, seen.stop))

    def frame(
        self,
        *,
        provenance: Mapping[str, Any] | None = None,
        lock: AbstractContextManager[Any] | None = None,
    ) -> pd.DataFrame:
        """Return the rows as a frame of one's own: the final ones, then what still forms.

        Parameters
        ----------
        provenance
            JSON scalars for ``df.attrs["cdcx"]``.
        lock
            Held by who writes, so that a row is seen as forming or as final, not as neither. What
            takes long, the copying, needs none.
        """
        with lock or nullcontext():
            seen, forming = self._visible, self._forming_rows()
        still = list(zip(*forming, strict=True)) if forming else [()] * len(self._places)
        arrays = [
            np.concatenate([seen.arrays[name][seen.first : seen.stop], rows])
            for name, rows in zip(self._places, self._layout.as_arrays(still), strict=True)
        ]
        frame = self._layout.frame(arrays)
        if provenance is not None:
            frame.attrs[ATTRS_KEY] = dict(provenance)
        return frame

    def _forming_rows(self) -> list[Row]:
        rows = list(self._forming.values())  # at once: another thread may be writing
        return sorted(rows, key=lambda row: int(row[0]))

    def forming(self, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return the rows that still change, oldest first, as these columns."""
        places = [self._places[name] for name in names]
        return [
            tuple(self._layout.told(place, row[place]) for place in places)
            for row in self._forming_rows()
        ]

    def newest(
        self, count: int, names: Sequence[str], symbol: str | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the newest final rows, oldest first, as these columns.

        `symbol`: of this market only, where the rows of several come together.
        """
        seen = self._visible
        rows: Any = slice(max(seen.first, seen.stop - count), seen.stop)
        if symbol is not None and "symbol" in self._places:
            codes = seen.arrays["symbol"][seen.first : seen.stop]
            rows = (
                seen.first + np.flatnonzero(codes == self._layout.codes["symbol"][symbol])[-count:]
            )
        return list(
            zip(
                *(self._layout.listed(name, seen.arrays[name][rows]) for name in names),
                strict=True,
            )
        )

    def bounds(self) -> tuple[int, int] | None:
        """Return the times of the first and the last final row, None where there is none."""
        seen = self._visible
        if seen.stop == seen.first:
            return None
        times = seen.arrays["time"]
        return int(times[seen.first]), int(times[seen.stop - 1])


def _of(columns: Columns, name: str) -> list[Any]:
    values = columns.get(name)
    return [None] * len(columns["time"]) if values is None else values


def _as_number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0
