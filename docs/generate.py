"""Makes the pages of ``docs/`` that say what the source says already.

``support.md`` is made of the dialects' endpoints, ``reference.md`` of signatures, docstrings
and tables. ``make docs`` writes them; a test fails when they are not what would be written.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import cdcx_pandas as cdcx
from cdcx_pandas import channels
from cdcx_pandas import operations as op
from cdcx_pandas.dialects import DIALECTS
from cdcx_pandas.dialects.base import Dialect, Endpoint, Paging
from cdcx_pandas.engines.limits import published
from cdcx_pandas.errors import Unsupported
from cdcx_pandas.frames.schema import dtype_of
from cdcx_pandas.tables import TABLES, Column, Table

HERE = Path(__file__).parent
MADE = "<!-- Made by docs/generate.py; change the source instead, and run `make docs`. -->"

QUESTIONS: dict[str, op.Operation[Any]] = {
    "symbols()": op.GetSymbols(),
    "tickers()": op.GetTickers(),
    "ticker(symbol)": op.GetTicker("btcusdt"),
    "klines(symbol, period)": op.GetKlines("btcusdt", "1min"),
    "klines(…, start=…)": op.GetKlines("btcusdt", "1min", 0, 1),
    "trades(symbol)": op.GetTrades("btcusdt"),
    "trades(symbol, start=…)": op.GetTrades("btcusdt", 0, 1),
    "depth(symbol)": op.GetDepth("btcusdt"),
    "funding(symbol)": op.GetFunding("btcusd-perp"),
    "account()": op.GetAccount(),
    "order(id)": op.GetOrder("1", "btcusdt"),
    "open_orders()": op.GetOpenOrders("btcusdt"),
    "order_history()": op.GetOrderHistory("btcusdt"),
    "my_trades()": op.GetMyTrades("btcusdt"),
    "positions()": op.GetPositions(),
    "fees(symbol)": op.GetFees("btcusdt"),
}
"""The functions a person calls, each with the question it asks."""

STREAMS: dict[str, type[Any]] = {
    "live(symbol, period).klines": channels.KlineChannel,
    "live(symbol).trades": channels.TradeChannel,
    "live(symbol).depth": channels.DepthChannel,
    "live(symbol).ticker": channels.TickerChannel,
    "live(…).orders": channels.OrderChannel,
    "live(…).my_trades": channels.FillChannel,
    "live(…).account": channels.BalanceChannel,
}
"""What can be watched, each with the family of channels it comes from."""


# ---------------------------------------------------------------------------------- support


def support_page() -> str:
    """Return the page that says what each dialect can do."""
    names = list(DIALECTS)
    rows = [
        "| call | " + " | ".join(f"`{name}`" for name in names) + " |",
        "|---|" + "---|" * len(names),
    ]
    for call, question in QUESTIONS.items():
        told = [_support(dialect, question) for dialect in DIALECTS.values()]
        rows.append(f"| `{call}` | " + " | ".join(told) + " |")
    for call, family in STREAMS.items():
        told = [_streamed(dialect, family) for dialect in DIALECTS.values()]
        rows.append(f"| `{call}` | " + " | ".join(told) + " |")
    periods = [
        f"| `{name}` | " + " ".join(f"`{period}`" for period in dialect.periods) + " |"
        for name, dialect in DIALECTS.items()
    ]
    limits = [
        f"| `{name}` | `{limit.bucket}` | {published(limit)} |"
        for name, dialect in DIALECTS.items()
        for limit in dialect.limits
    ]
    return "\n".join(
        [
            MADE,
            "",
            "# What each venue can do",
            "",
            "Dialect `v1` is spoken by the venues `v1` (where nobody answers) and `sandbox`,",
            "dialect `exchange` by `exchange`, `uat` and `sandbox`. A dash means that the call",
            "raises `Unsupported` and says what can.",
            "",
            *rows,
            "",
            "## Periods of klines",
            "",
            "| dialect | periods |",
            "|---|---|",
            *periods,
            "",
            "## Published limits",
            "",
            "| dialect | bucket | limit |",
            "|---|---|---|",
            *limits,
            "",
        ]
    )


def _support(dialect: Dialect, question: op.Operation[Any]) -> str:
    try:
        endpoint = dialect.endpoint(question)
    except Unsupported:
        return "–"
    reaches_back = isinstance(question, op.GetTrades) and question.start is not None
    if reaches_back and endpoint.paging is Paging.NONE:
        return "–"
    return f"`{endpoint.path.lstrip('/')}`" + _reach(endpoint)


def _streamed(dialect: Dialect, family: type[Any]) -> str:
    terms = dialect.streams
    if family in terms.user:
        return "streamed, signed"
    return "streamed" if family in terms.market else "–"


def _reach(endpoint: Endpoint) -> str:
    if endpoint.page_rows is None:
        return ""
    if endpoint.paging is Paging.NONE:
        return f", the newest {endpoint.page_rows}"
    reach = "all" if endpoint.operation is op.GetOpenOrders else "any range"
    return f", {reach}, {endpoint.page_rows} a page"


# -------------------------------------------------------------------------------- reference


def reference_page() -> str:
    """Return the page of functions and tables."""
    functions = [name for name in cdcx.__all__ if inspect.isfunction(getattr(cdcx, name))]
    classes = [name for name in cdcx.__all__ if inspect.isclass(getattr(cdcx, name))]
    parts = [MADE, "", "# Reference", "", "## Functions", ""]
    for name in functions:
        parts += _documented(name)
    parts += ["## Classes", ""]
    for name in classes:
        parts += _documented(name)
    parts += ["## Tables", "", "What a frame of each kind holds. Index columns come first."]
    for table in TABLES:
        parts += _table(table)
    return "\n".join(parts) + "\n"


def _documented(name: str) -> list[str]:
    found = getattr(cdcx, name)
    signature = str(inspect.signature(found)) if inspect.isfunction(found) else ""
    signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", signature)  # annotations are texts
    text = inspect.getdoc(found) or ""
    return [f"### `{name}`", "", "```text", f"{name}{signature}", "", text, "```", ""]


def _table(table: Table) -> list[str]:
    rows = [_column(column, index=True) for column in table.index]
    rows += [_column(column, index=False) for column in table.columns]
    key = " and ".join(f"`{name}`" for name in table.key)
    return [
        "",
        f"### `{table.name}`",
        "",
        f"{table.meaning[0].upper()}{table.meaning[1:]}; a row is one {key}.",
        "",
        "| column | dtype | unit | meaning |",
        "|---|---|---|---|",
        *rows,
    ]


def _column(column: Column, *, index: bool) -> str:
    kind = "text" if column.kind == "text" else dtype_of(column, index=index)
    shown = "category " + " ".join(column.words) if column.words else kind
    name = f"**`{column.name}`**" if index else f"`{column.name}`"
    return f"| {name} | {shown} | {column.unit} | {column.meaning} |"


PAGES = {"support.md": support_page, "reference.md": reference_page}


def main() -> int:
    """Write the pages."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
