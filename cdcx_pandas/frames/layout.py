"""How rows of a table are held in numpy arrays, and how they come out of them again.

Every kind of column has its dtype and its mark for what is missing; categories are held as
codes. Which rows are held, and who may see them, is the business of `rolling`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cdcx_pandas.frames.schema import UTC_NS, category_of, texts
from cdcx_pandas.tables import SYMBOLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cdcx_pandas.tables import Column, Columns

    Array = np.ndarray[Any, np.dtype[Any]]
    Row = tuple[Any, ...]

NAT = np.iinfo(np.int64).min
"""The time that there is none."""

_TEXT_BYTES = 80
"""What a short text and the pointer to it take."""

_DTYPES: dict[str, Any] = {
    "time": np.int64, "number": np.float64, "flag": np.bool_, "count": np.float64, "text": object,
}  # fmt: skip
_MISSING: dict[str, Any] = {
    "time": NAT, "number": np.nan, "count": np.nan, "flag": False, "category": -1, "text": None,
}  # fmt: skip


class Layout:
    """The columns of some rows, and the arrays that hold them.

    Parameters
    ----------
    columns
        What the rows have; the first is their time.

    Attributes
    ----------
    places
        Column → where it stands in a row.
    codes
        Category → its words and their codes.
    row_bytes
        What a row takes.
    """

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self.columns = columns
        self.places = {column.name: at for at, column in enumerate(columns)}
        self.codes = {
            column.name: {word: code for code, word in enumerate(column.words)}
            for column in columns
            if column.kind == "category"
        }
        self.row_bytes = sum(map(_bytes_of, columns))
        self._viewed = [c for c in columns if c.name != "time" and c.kind != "text"]
        self._view_names = pd.Index([column.name for column in self._viewed])

    # ------------------------------------------------------------------------------- inwards

    def room(self, size: int) -> dict[str, Array]:
        """Return new arrays for so many rows."""
        return {column.name: np.empty(size, dtype=_dtype_of(column)) for column in self.columns}

    def row(self, columns: Columns, at: int) -> Row:
        """Return one row as the arrays hold it."""
        return tuple(
            self._held(column, columns[column.name][at])
            if column.name in columns
            else _MISSING[column.kind]
            for column in self.columns
        )

    def _held(self, column: Column, value: Any) -> Any:
        if column.kind == "category":
            return self.codes[column.name].get(value, -1)
        return _MISSING[column.kind] if value is None else value

    def held(self, columns: Columns, count: int) -> list[Any]:
        """Return columns as the arrays hold them; one that is not told is missing."""
        held: list[Any] = []
        for column in self.columns:
            values = columns.get(column.name)
            if values is None:
                held.append([_MISSING[column.kind]] * count)
            elif column.kind == "category":
                codes = self.codes[column.name]
                held.append([codes.get(value, -1) for value in values])
            elif column.kind != "text" and None in values:
                missing = _MISSING[column.kind]
                held.append([missing if value is None else value for value in values])
            else:
                held.append(values)
        return held

    def as_arrays(self, rows: Sequence[Sequence[Any]]) -> list[Array]:
        """Return an array for each column, of values as `held` returns them."""
        return [
            np.array(values, dtype=_dtype_of(column))
            for column, values in zip(self.columns, rows, strict=True)
        ]

    # ------------------------------------------------------------------------------ outwards

    def told(self, place: int, value: Any) -> Any:
        """Return a held value as columns say it."""
        column = self.columns[place]
        if column.kind == "category":
            return None if value < 0 else column.words[value]
        return value

    def told_rows(self, rows: Iterable[Row]) -> Columns:
        """Return held rows as columns."""
        columns = zip(*rows, strict=True)
        return {
            column.name: [self.told(at, value) for value in values]
            for at, (column, values) in enumerate(zip(self.columns, columns, strict=True))
        }

    def listed(self, name: str, array: Array) -> list[Any]:
        """Return what an array of a column holds, as columns say it."""
        place, values = self.places[name], array.tolist()
        if self.columns[place].kind != "category":
            listed: list[Any] = values
            return listed
        return [self.told(place, code) for code in values]

    def frame(self, arrays: list[Array]) -> pd.DataFrame:
        """Return a frame of arrays that are nobody else's."""
        made = {
            column.name: _owned(column, array)
            for column, array in zip(self.columns, arrays, strict=True)
        }
        index = pd.DatetimeIndex(made.pop("time"), name="time")
        return pd.DataFrame(made, index=index, copy=False)

    def view(self, arrays: dict[str, Array], rows: slice) -> pd.DataFrame:
        """Return rows without copying them, read-only: all but texts."""
        made = {
            at: _seen(column, arrays[column.name][rows]) for at, column in enumerate(self._viewed)
        }
        times = _frozen(arrays["time"][rows])
        index = pd.DatetimeIndex(times, dtype=UTC_NS, copy=False, name="time")
        # Named afterwards, as in `schema.to_frame`: an index of names takes long to make.
        frame = pd.DataFrame(made, index=index, copy=False)
        frame.columns = self._view_names
        return frame


def symbol_column(symbols: tuple[str, ...]) -> Column:
    """Return the column that tells rows of several markets apart."""
    return replace(SYMBOLS.index[0], kind="category", words=symbols)


def _dtype_of(column: Column) -> Any:
    if column.kind != "category":
        return _DTYPES[column.kind]
    # What pandas itself takes for so many categories, or it would copy the codes.
    return np.int8 if len(column.words) < 128 else np.int16


def _bytes_of(column: Column) -> int:
    return _TEXT_BYTES if column.kind == "text" else int(np.dtype(_dtype_of(column)).itemsize)


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


def _owned(column: Column, array: Array) -> Any:
    """Return a column of a frame, made of an array that is nobody else's."""
    match column.kind:
        case "category" if column.name == "symbol":
            words = np.array([*column.words, None], dtype=object)
            return texts(words[array])
        case "category":
            return pd.Categorical.from_codes(array, dtype=category_of(column), validate=False)
        case "time":
            return pd.DatetimeIndex(array, dtype=UTC_NS, copy=False)
        case "text":
            return texts(array)
        case "count":
            missing = np.isnan(array)
            return pd.arrays.IntegerArray(np.where(missing, 0, array).astype(np.int64), missing)
        case _:
            return array
