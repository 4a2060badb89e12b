"""Columns become frames by their tables."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdcx_pandas.frames.schema import by_symbol, check, dtype_of, empty_frame, to_frame
from cdcx_pandas.tables import DEPTH, KLINES, ORDERS, SYMBOLS, TABLES, TRADES, Column, Table

PANDAS_3 = int(pd.__version__.split(".")[0]) >= 3


def values_of(column: Column, *, index: bool) -> st.SearchStrategy[Any]:
    """Make values a column can hold; index columns have none missing."""
    match column.kind:
        case "time":
            some: st.SearchStrategy[Any] = st.integers(10**18, 4 * 10**18)
        case "number":
            some = st.floats(allow_nan=False, allow_infinity=False)
        case "count":
            some = st.integers(0, 10**9)
        case "flag":
            return st.booleans()
        case "text":
            some = st.text(max_size=8)
        case "category":
            some = st.sampled_from(column.words)
    return some if index else st.none() | some


def columns_of(table: Table) -> st.SearchStrategy[dict[str, list[Any]]]:
    """Make columns of a table, equally long."""
    names = [column.name for column in table.fields]
    row = st.tuples(*(values_of(column, index=column in table.index) for column in table.fields))
    return st.lists(row, max_size=6).map(
        lambda rows: {name: [row[i] for row in rows] for i, name in enumerate(names)}
    )


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_every_table_makes_a_frame_that_passes_its_check(table: Table, data: st.DataObject) -> None:
    """A frame has the declared index, columns and dtypes, whatever its values, empty or not."""
    columns = data.draw(columns_of(table))
    frame = to_frame(table, columns)
    check(table, frame)
    for column in table.columns:
        back = [None if pd.isna(value) else value for value in frame[column.name].tolist()]
        wanted = columns[column.name]
        if column.kind == "time":
            assert back == [None if ns is None else pd.Timestamp(ns, tz="UTC") for ns in wanted]
        else:
            assert back == wanted


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@pytest.mark.parametrize("exact", [False, True])
def test_empty_frames_have_the_dtypes_of_full_ones(table: Table, exact: bool) -> None:
    """Asked, and there was none: same columns, same dtypes, no rows."""
    frame = empty_frame(table, exact=exact)
    check(table, frame, exact=exact)
    assert len(frame) == 0


def test_text_has_the_dtype_pandas_gives_a_list_of_str() -> None:
    """Text is object on pandas 2.2 and str on pandas 3."""
    frame = to_frame(TRADES, {"time": [1], "id": ["7"], "side": ["buy"]})
    assert frame["id"].dtype == pd.Series(["7"]).dtype
    assert (frame["id"].dtype == object) is not PANDAS_3


def test_columns_a_venue_does_not_tell_are_missing_values() -> None:
    """An answer may lack columns; they become NaN, NaT and NA, and nothing is invented."""
    frame = to_frame(ORDERS, {"id": ["1", "2"]})
    check(ORDERS, frame)
    assert frame.isna().all(axis=None)


def test_columns_a_table_has_not_are_left_out() -> None:
    """An answer may carry more than the table."""
    frame = to_frame(KLINES, {"time": [0], "open": [1.0], "quote_volume": [5.0]})
    assert list(frame.columns) == ["open", "high", "low", "close", "volume", "closed"]


def test_exact_frames_keep_every_digit() -> None:
    """With `exact`, a number is the Decimal of the wire."""
    price = Decimal("0.1000000000000000055511151231257827")
    frame = to_frame(TRADES, {"time": [1], "price": [price]}, exact=True)
    check(TRADES, frame, exact=True)
    assert frame["price"].iloc[0] == price


def test_check_names_the_first_thing_that_differs() -> None:
    """The check says which column is wrong, and how."""
    frame = empty_frame(KLINES)
    wrong = frame.assign(close=pd.array([], dtype="Int64"))
    with pytest.raises(TypeError, match="klines: column close is Int64, not float64"):
        check(KLINES, wrong)
    with pytest.raises(TypeError, match="klines: the index is"):
        check(KLINES, frame.reset_index())
    with pytest.raises(TypeError, match="klines: the columns are"):
        check(KLINES, frame[["open"]])


def test_several_markets_stand_under_an_index_level_symbol() -> None:
    """Frames of several markets join in the order given and keep their dtypes."""
    one = to_frame(KLINES, {"time": [0, 60], "close": [1.0, 2.0]})
    joined = by_symbol({"ethusdt": one, "btcusdt": one}, KLINES)
    check(KLINES, joined)
    assert joined.index.names == ["symbol", "time"]
    assert list(joined.index.get_level_values("symbol").unique()) == ["ethusdt", "btcusdt"]
    check(KLINES, by_symbol({}, KLINES))


def test_depth_is_indexed_by_side_and_level() -> None:
    """The book's index is a fixed category and a plain integer."""
    frame = to_frame(DEPTH, {"side": ["bid", "ask"], "level": [0, 0], "price": [1.0, 2.0]})
    check(DEPTH, frame)
    assert frame.index.get_level_values("level").dtype == np.int64
    assert frame.loc[("ask", 0), "price"] == 2.0


def test_dtypes_follow_from_the_kind_alone() -> None:
    """Two columns of one kind have one dtype."""
    kinds = {(c.kind, c.words): str(dtype_of(c)) for t in TABLES for c in t.columns}
    assert kinds["number", ()] == "float64"
    assert kinds["count", ()] == "Int64"
    assert kinds["flag", ()] == "bool"
    assert kinds["time", ()] == "datetime64[ns, UTC]"
    assert list(to_frame(SYMBOLS, {"symbol": []})["kind"].cat.categories) == [
        "spot", "perp", "future", "other",
    ]  # fmt: skip
