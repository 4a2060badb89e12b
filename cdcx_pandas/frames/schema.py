"""Columns become a DataFrame by the table that declares them, and are checked against it.

One function per direction and none per table: dtypes follow from a column's kind. What the
columns mean, and where they come from, is said elsewhere.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdcx_pandas.tables import Column, Columns, Table

UTC_NS = pd.DatetimeTZDtype("ns", "UTC")
TEXT: Any = pd.Series(["a"]).dtype
"""What pandas itself makes of a list of str: object on 2.2, str on 3."""

ATTRS_KEY = "cdcx"
"""Where a frame's provenance stands: ``df.attrs["cdcx"]``."""

_NAT = np.iinfo(np.int64).min


def category_of(column: Column) -> pd.CategoricalDtype:
    """Return the fixed categories of a column."""
    return _category(column.words)


@cache
def _category(words: tuple[str, ...]) -> pd.CategoricalDtype:
    return pd.CategoricalDtype(list(words))


def to_frame(
    table: Table,
    columns: Columns,
    *,
    exact: bool = False,
    provenance: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return the DataFrame of a table.

    Parameters
    ----------
    table
        What the columns are.
    columns
        Column → values, equally long. Columns the table has and the answer has not become
        missing values; others are left out.
    exact
        Numbers stay `Decimal` in object columns.
    provenance
        JSON scalars for ``df.attrs["cdcx"]``.

    Returns
    -------
    pandas.DataFrame
        Index and columns in the table's order, with its dtypes.
    """
    count = len(next(iter(columns.values()), ()))
    # Numbered first and named afterwards: pandas makes an index of names anew every time, and
    # that takes a quarter of a small frame's time.
    made = {
        at: _values(column, columns.get(column.name), count, exact=exact)
        for at, column in enumerate(table.columns)
    }
    frame = pd.DataFrame(made, index=_index(table, columns, count), copy=False)
    frame.columns = _names(table)
    if provenance is not None:
        frame.attrs[ATTRS_KEY] = dict(provenance)
    return frame


@cache
def _names(table: Table) -> pd.Index[Any]:
    return pd.Index([column.name for column in table.columns])


def empty_frame(table: Table, *, exact: bool = False) -> pd.DataFrame:
    """Return the table with no rows: asked, and there was none."""
    return to_frame(table, table.empty(), exact=exact)


def _index(table: Table, columns: Columns, count: int) -> pd.Index[Any]:
    levels: list[Any] = []
    for column in table.index:
        values = columns.get(column.name)
        if column.kind == "time":
            levels.append(pd.DatetimeIndex(_stamps(values, count), dtype=UTC_NS, copy=False))
        elif column.kind == "count":
            levels.append(np.asarray(values, dtype=np.int64))
        else:
            levels.append(_values(column, values, count, exact=False))
    names = [column.name for column in table.index]
    if len(levels) > 1:
        return pd.MultiIndex.from_arrays(levels, names=names)
    (level,) = levels
    if isinstance(level, pd.DatetimeIndex):
        level.name = names[0]
        return level
    index: pd.Index[Any] = pd.Index(level, name=names[0])
    return index


def _stamps(values: Any, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    if values is None:
        return np.full(count, _NAT)
    try:
        return np.array(values, dtype=np.int64)
    except TypeError:  # a None among them
        return np.array([_NAT if ns is None else ns for ns in values], dtype=np.int64)


def _values(column: Column, values: Any, count: int, *, exact: bool) -> Any:
    """Return a column's values as the array its kind asks for."""
    match column.kind:
        case "number" if exact:
            objects = np.empty(count, dtype=object)
            if values is not None:
                objects[:] = values
            return objects
        case "number":
            if values is None:
                return np.full(count, np.nan)
            return np.array(values, dtype=np.float64)
        case "time":
            return pd.array(_stamps(values, count), dtype=UTC_NS, copy=False)
        case "flag":
            return np.zeros(count, bool) if values is None else np.array(values, dtype=bool)
        case "count":
            return pd.array([None] * count if values is None else values, dtype="Int64")
        case "text":
            return texts([None] * count if values is None else values)
        case "category":
            return pd.Categorical.from_codes(
                _codes(column.words, values, count), dtype=category_of(column), validate=False
            )


def _codes(words: tuple[str, ...], values: Any, count: int) -> np.ndarray[Any, np.dtype[np.int8]]:
    if values is None:
        return np.full(count, -1, dtype=np.int8)
    codes = {word: code for code, word in enumerate(words)}
    try:
        found = list(map(codes.__getitem__, values))
    except KeyError:  # a missing one among them
        found = [codes.get(word, -1) for word in values]
    return np.array(found, dtype=np.int8)


def texts(values: Any) -> Any:
    """Return a column of text as pandas itself has it; `values` holds str or None."""
    objects = np.empty(len(values), dtype=object)
    objects[:] = values
    return objects if isinstance(TEXT, np.dtype) else pd.array(objects, dtype=TEXT)


# ------------------------------------------------------------------------------------ check


def dtype_of(column: Column, *, exact: bool = False, index: bool = False) -> Any:
    """Return the dtype a column has in a frame."""
    match column.kind:
        case "number":
            return np.dtype(object) if exact else np.dtype(np.float64)
        case "time":
            return UTC_NS
        case "flag":
            return np.dtype(bool)
        case "count":
            return np.dtype(np.int64) if index else pd.Int64Dtype()
        case "text":
            return TEXT
        case "category":
            return category_of(column)


def check(table: Table, frame: pd.DataFrame, *, exact: bool = False) -> None:
    """Raise `TypeError` naming the first thing in which a frame differs from its table.

    A leading index level ``symbol`` (several markets in one frame) is allowed.
    """
    names = list(frame.index.names)
    wanted = [column.name for column in table.index]
    if names not in (wanted, ["symbol", *wanted]):
        raise TypeError(f"{table.name}: the index is {names}, not {wanted}")
    if list(frame.columns) != [column.name for column in table.columns]:
        raise TypeError(f"{table.name}: the columns are {list(frame.columns)}")
    for column in table.columns:
        _same(table, column.name, frame[column.name].dtype, dtype_of(column, exact=exact))
    for column in table.index:
        values = frame.index.get_level_values(column.name)
        _same(table, column.name, values.dtype, dtype_of(column, index=True))


def _same(table: Table, name: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise TypeError(f"{table.name}: column {name} is {found}, not {wanted}")


# -------------------------------------------------------------------------- several frames


def by_symbol(frames: Mapping[str, pd.DataFrame], table: Table) -> pd.DataFrame:
    """Join frames of several markets under an index level ``symbol``, in the order given."""
    if not frames:
        joined = empty_frame(table)
        joined.index = pd.MultiIndex.from_arrays(
            [texts([]), joined.index], names=["symbol", *joined.index.names]
        )
        return joined
    joined = pd.concat(frames.values(), keys=texts(list(frames)), names=["symbol"])
    joined.attrs = {}
    return joined
