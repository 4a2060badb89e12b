"""The rolling frame is the tail of plain concatenation, and what was seen never changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdcx_pandas.frames.rolling import HELD_NS, RollingFrame
from cdcx_pandas.frames.schema import check, to_frame
from cdcx_pandas.tables import FILLS, KLINES, TRADES, Column

RECEIVED = Column("received", "time", "when it arrived here", "UTC")
SECOND = 10**9
BEGIN = 1_700_000_000 * SECOND


def trades(times: list[int], first_id: int = 1) -> dict[str, list[Any]]:
    """Return trades at these times, numbered."""
    return {
        "time": times,
        "id": [str(first_id + n) for n in range(len(times))],
        "price": [100.0 + n for n in range(len(times))],
        "amount": [0.5] * len(times),
        "side": [("buy", "sell", None)[n % 3] for n in range(len(times))],
        "received": times,
    }


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.lists(st.integers(0, 5), max_size=30), max_size=20),
    st.integers(1, 40),
)
def test_it_is_the_tail_of_plain_concatenation(batches: list[list[int]], window: int) -> None:
    """Whatever comes in whatever lots, the last rows are there, in order, with their dtypes."""
    rolling = RollingFrame(TRADES, window, extra=(RECEIVED,))
    time, number, whole = BEGIN, 1, []
    for steps in batches:
        times = []
        for step in steps:
            time += step
            times.append(time)
        columns = trades(times, number)
        number += len(times)
        assert rolling.append(columns, now_ns=time) == len(times)
        whole.append(to_frame(TRADES, columns))
    wanted = pd.concat([to_frame(TRADES, trades([])), *whole]).iloc[-window:]
    frame = rolling.frame()
    assert len(rolling) == len(wanted)
    check(TRADES, frame.drop(columns="received"))
    pd.testing.assert_frame_equal(frame.drop(columns="received"), wanted)
    assert frame["received"].tolist() == frame.index.tolist()
    view = rolling.view()
    pd.testing.assert_frame_equal(view.drop(columns="received"), wanted.drop(columns="id"))


@settings(deadline=None, max_examples=100)
@given(st.permutations(range(30)), st.integers(1, 7))
def test_late_rows_find_their_place(order: list[int], lot: int) -> None:
    """Rows in any order, some twice, end as if they had come in order."""
    rolling = RollingFrame(TRADES, 100)
    columns = trades([BEGIN + n * SECOND for n in range(30)])
    for at in range(0, 30, lot):
        some = [*order[at : at + lot], order[0]]
        rolling.append({k: [v[n] for n in some] for k, v in columns.items()}, now_ns=0)
    rolling.settle(0, at_once=True)
    pd.testing.assert_frame_equal(rolling.frame(), to_frame(TRADES, columns))


def test_what_was_seen_never_changes() -> None:
    """A view taken before appending, merging and replacing says what it said."""
    rolling = RollingFrame(TRADES, 50)
    rolling.append(trades([BEGIN + n * SECOND for n in range(40)]), now_ns=0)
    view = rolling.view()
    before = view.copy(deep=True)
    for n in range(200):
        rolling.append(trades([BEGIN + (40 + n) * SECOND], 41 + n), now_ns=0)
    rolling.append(trades([BEGIN + 5], 1000), now_ns=0)
    rolling.settle(HELD_NS)
    rolling.replace(trades([BEGIN + 239 * SECOND], 240) | {"price": [7.0]})
    pd.testing.assert_frame_equal(view, before)
    assert rolling.frame()["price"].iloc[-1] == 7.0


def test_a_view_cannot_be_written_through() -> None:
    """Its arrays are read-only, and those of the rolling frame are its own."""
    rolling = RollingFrame(TRADES, 50)
    rolling.append(trades([BEGIN]), now_ns=0)
    values = rolling.view()["price"].to_numpy()
    assert not values.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 1.0
    assert np.shares_memory(values, rolling.view()["price"].to_numpy())


def test_a_copy_is_ones_own() -> None:
    """Writing into it harms nothing."""
    rolling = RollingFrame(TRADES, 50)
    rolling.append(trades([BEGIN]), now_ns=0)
    frame = rolling.frame()
    frame.loc[:, "price"] = 1.0
    assert rolling.frame()["price"].tolist() == [100.0]


def test_late_rows_wait_for_others() -> None:
    """A quarter of a second, then all are merged together."""
    rolling = RollingFrame(TRADES, 50)
    rolling.append(trades([BEGIN + 10 * SECOND]), now_ns=0)
    rolling.append(trades([BEGIN], 5), now_ns=0)
    assert len(rolling.frame()) == 1
    assert not rolling.settle(HELD_NS - 1)
    assert rolling.settle(HELD_NS)
    assert rolling.frame()["id"].tolist() == ["5", "1"]
    assert not rolling.settle(HELD_NS)


def bar(minute: int, close: float) -> dict[str, list[Any]]:
    """Return one bar."""
    return {
        "time": [BEGIN + minute * 60 * SECOND], "open": [1.0], "high": [2.0], "low": [0.5],
        "close": [close], "volume": [3.0], "closed": [False],
    }  # fmt: skip


def test_a_forming_bar_is_kept_apart_until_it_is_final() -> None:
    """A copy ends with it, a view does not have it, and its last state is what stays."""
    rolling = RollingFrame(KLINES, 10)
    rolling.append(bar(0, 1.0), now_ns=0)
    rolling.form(bar(1, 1.1))
    rolling.form(bar(1, 1.2))
    assert rolling.frame()["close"].tolist() == [1.0, 1.2]
    assert rolling.view()["close"].tolist() == [1.0]
    rolling.append(bar(1, 1.3), now_ns=0)
    rolling.form(bar(1, 9.9))  # too late: it is final
    assert rolling.frame()["close"].tolist() == [1.0, 1.3]
    assert len(rolling) == 2


def test_a_repair_overwrites_and_fills() -> None:
    """Rows that are known are replaced, missing ones are put where they belong."""
    rolling = RollingFrame(KLINES, 10)
    for minute in (0, 1, 4):
        rolling.append(bar(minute, float(minute)), now_ns=0)
    fixed = [bar(minute, minute + 0.5) for minute in (1, 2, 3)]
    rolling.replace({name: [one[name][0] for one in fixed] for name in fixed[0]})
    assert rolling.frame()["close"].tolist() == [0.0, 1.5, 2.5, 3.5, 4.0]


def test_late_own_trades_find_their_place() -> None:
    """A table that names the market itself, as text, is merged as well."""
    rolling = RollingFrame(FILLS, 10, extra=(RECEIVED,), numbered="id")
    for minute, id_ in ((2, "7"), (1, "6")):
        row = {"time": [BEGIN + minute * SECOND], "id": [id_], "symbol": ["btcusdt"]}
        rolling.append(row, now_ns=0)
    assert rolling.settle(HELD_NS)
    assert rolling.frame()["id"].tolist() == ["6", "7"]


def test_memory_is_bounded_in_bytes() -> None:
    """A window that would take more is narrowed, and the arrays stay as large as they were."""
    rolling = RollingFrame(TRADES, 10**9, most_bytes=1 << 20)
    assert rolling.memory_bytes <= 1 << 20
    before = rolling.memory_bytes
    for n in range(0, 50_000, 1000):
        times = [BEGIN + (n + i) * SECOND for i in range(1000)]
        rolling.append(trades(times, n + 1), now_ns=0)
    assert rolling.memory_bytes == before
    assert len(rolling) == rolling.window
    assert len(rolling._keys) <= 2 * rolling.window
