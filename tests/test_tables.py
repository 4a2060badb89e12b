"""The tables have the promised columns; the top level has the promised names."""

from __future__ import annotations

import pkgutil
import tomllib
from pathlib import Path

import pytest

import cdcx_pandas as cdcx
from cdcx_pandas.tables import TABLES

PROMISED = {
    "symbols": ("symbol", ("base quote venue_symbol kind price_tick amount_tick amount_min"
                " price_precision amount_precision tradable expires")),
    "tickers": ("symbol", "last bid ask high low volume quote_volume change time"),
    "klines": ("time", "open high low close volume closed"),
    "trades": ("time", "id price amount side"),
    "depth": ("side level", "price amount total orders"),
    "account": ("coin", "available locked total btc_value"),
    "orders": ("id", ("client_id symbol side type status price amount spend filled remaining"
               " average cost fee fee_coin created updated")),
    "my_trades": ("time", "id order_id symbol side price amount cost fee fee_coin role"),
    "positions": ("symbol", "amount cost pnl updated"),
    "fees": ("symbol", "maker taker"),
    "funding": ("time", "rate"),
    "valuations": ("time", "value"),
    "balance_history": ("time", "total"),
    "transactions": ("time", "id entry symbol amount cost pnl order_id trade_id side role"),
    "limits": ("bucket", "published used wait_s refused remaining_told reset_told"),
}  # fmt: skip
WORDS = {
    "side": {("buy", "sell"), ("bid", "ask")},
    "type": {("limit", "market", "stop", "stop_limit", "take_profit", "take_profit_limit",
              "other")},
    "status": {("init", "open", "partial", "filled", "canceling", "canceled", "rejected",
                "expired", "other")},
    "kind": {("spot", "perp", "future", "other")},
    "role": {("maker", "taker", "other")},
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_columns_are_the_promised_ones(table: object) -> None:
    """Index and columns, in the promised order."""
    index, columns = PROMISED[table.name]  # type: ignore[attr-defined]  # a Table
    assert [c.name for c in table.index] == index.split()  # type: ignore[attr-defined]  # a Table
    assert [c.name for c in table.columns] == columns.split()  # type: ignore[attr-defined]  # a Table


def test_every_column_says_what_it_means() -> None:
    """Meanings, and units of every number; categories are fixed in order."""
    assert {table.name for table in TABLES} == set(PROMISED)
    for table in TABLES:
        for column in table.fields:
            assert column.meaning
            if column.kind == "number":
                assert column.unit, (table.name, column.name)
            if column.kind == "category":
                assert column.words in WORDS[column.name]


def test_the_top_level_is_short_and_hides_no_module() -> None:
    """At most 35 names, sorted, each there, and none of them a module of the package."""
    assert len(cdcx.__all__) <= 35
    assert cdcx.__all__ == sorted(cdcx.__all__)
    modules = {module.name for module in pkgutil.iter_modules(cdcx.__path__)}
    assert not modules & set(cdcx.__all__)
    for name in cdcx.__all__:
        assert getattr(cdcx, name) is not None
        assert name in dir(cdcx)
    assert cdcx.errors.UnknownSymbol is cdcx.UnknownSymbol
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        cdcx.nonsense  # noqa: B018  # the access is the test


def test_the_version_is_said_once() -> None:
    """What the package says is what is built."""
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    assert project["project"]["version"] == cdcx.__version__
