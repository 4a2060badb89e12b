"""What the package's tables hold: every column, its kind, unit and meaning, said once.

Frames, empty frames, checks, documentation and test data are made from these rows and from
nowhere else. This module knows no wire, no pandas and no venue.

Inside the package a table travels as *columns* (name → list), never as a list of objects:
a frame is made from columns without another pass.

* ``time``: integer nanoseconds since the epoch, UTC; ``None`` where unknown.
* ``number``: ``Decimal`` or ``float``; ``None`` where unknown.
* ``count``: ``int`` or ``None``.
* ``flag``: ``bool``.
* ``text``: ``str`` or ``None``.
* ``category``: one of `Column.words`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["time", "number", "count", "flag", "text", "category"]
Columns = dict[str, list[Any]]
"""Column name → values, equally long; a column a venue does not tell may be absent."""

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Column:
    """One column: its name, what it holds, in which unit, and what it means."""

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table a user meets: its index, its columns, and what makes a row unique."""

    name: str
    meaning: str
    index: tuple[Column, ...]
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def fields(self) -> tuple[Column, ...]:
        """Index and columns together, in the order a person reads them."""
        return self.index + self.columns

    def empty(self) -> Columns:
        """Return the table with no rows."""
        return {column.name: [] for column in self.fields}


@dataclass(frozen=True)
class Answer:
    """What a venue said to a question about a table.

    `columns` may lack columns the venue does not tell (they become missing values) and may
    carry more than the table has (a frame leaves them out). `facts` holds what is said about
    the answer as a whole: a server time, a total, the number of rows there are.
    """

    table: Table
    columns: Columns
    facts: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))


ValuationKind = Literal["index", "mark", "funding", "estimated_funding"]
"""What a venue computes of an instrument by itself."""

SIDES = ("buy", "sell")
ORDER_TYPES = (
    "limit", "market", "stop", "stop_limit", "take_profit", "take_profit_limit", "other",
)  # fmt: skip
STATUSES = (
    "init", "open", "partial", "filled", "canceling", "canceled", "rejected", "expired", "other",
)  # fmt: skip
ROLES = ("maker", "taker", "other")
OPEN_STATUSES = frozenset({"init", "open", "partial", "canceling"})
"""The statuses of an order that can still trade."""


def _time(name: str, meaning: str) -> Column:
    return Column(name, "time", meaning, "UTC")


def _number(name: str, meaning: str, unit: str) -> Column:
    return Column(name, "number", meaning, unit)


def _text(name: str, meaning: str) -> Column:
    return Column(name, "text", meaning)


_SYMBOL = _text("symbol", "the market, said as btcusdt on every venue")
_SIDE = Column("side", "category", "buy or sell; of public trades the taker's", words=SIDES)

SYMBOLS = Table(
    "symbols",
    "the markets of a venue",
    (_SYMBOL,),
    (
        _text("base", "the coin that is bought and sold"),
        _text("quote", "the coin that prices are counted in"),
        _text("venue_symbol", "the market as the venue writes it"),
        Column("kind", "category", "what is traded", words=("spot", "perp", "future", "other")),
        _number("price_tick", "smallest step of a price", "quote"),
        _number("amount_tick", "smallest step of an amount", "base"),
        _number("amount_min", "smallest amount of an order, where told", "base"),
        Column("price_precision", "count", "decimals of a price"),
        Column("amount_precision", "count", "decimals of an amount"),
        Column("tradable", "flag", "whether orders are taken"),
        _time("expires", "when a future ends"),
    ),
    ("symbol",),
)

TICKERS = Table(
    "tickers",
    "the state of markets over the last 24 hours",
    (_SYMBOL,),
    (
        _number("last", "price of the last trade", "quote"),
        _number("bid", "best price to sell at", "quote"),
        _number("ask", "best price to buy at", "quote"),
        _number("high", "highest price of 24 hours", "quote"),
        _number("low", "lowest price of 24 hours", "quote"),
        _number("volume", "amount traded in 24 hours", "base"),
        _number("quote_volume", "money traded in 24 hours, where known to be quote", "quote"),
        _number("change", "price change over 24 hours, as a fraction", "1"),
        _time("time", "when the venue said so"),
    ),
    ("symbol",),
)

KLINES = Table(
    "klines",
    "open, high, low, close and volume per period",
    (_time("time", "opening time of the bar"),),
    (
        _number("open", "first price", "quote"),
        _number("high", "highest price", "quote"),
        _number("low", "lowest price", "quote"),
        _number("close", "last price", "quote"),
        _number("volume", "amount traded", "base"),
        Column("closed", "flag", "whether the bar is final: venue clock ≥ close + 2 s"),
    ),
    ("time",),
)

TRADES = Table(
    "trades",
    "public trades",
    (_time("time", "when it happened"),),
    (
        _text("id", "the venue's id of the trade"),
        _number("price", "price", "quote"),
        _number("amount", "amount", "base"),
        _SIDE,
    ),
    ("id",),
)

DEPTH = Table(
    "depth",
    "the order book by level, bids first",
    (
        Column("side", "category", "bid or ask", words=("bid", "ask")),
        Column("level", "count", "0 is the best"),
    ),
    (
        _number("price", "price of the level", "quote"),
        _number("amount", "amount at the level", "base"),
        _number("total", "amount from the best level to this one", "base"),
        Column("orders", "count", "number of orders at the level, where told"),
    ),
    ("side", "level"),
)

ACCOUNT = Table(
    "account",
    "the balances of an account",
    (_text("coin", "the coin, upper case"),),
    (
        _number("available", "free to use", "coin"),
        _number("locked", "held by open orders", "coin"),
        _number("total", "available and locked", "coin"),
        _number("btc_value", "worth of the total, where told", "BTC"),
    ),
    ("coin",),
)

ORDERS = Table(
    "orders",
    "orders of an account",
    (_text("id", "the venue's id of the order"),),
    (
        _text("client_id", "the id the client gave, where there is one"),
        _SYMBOL,
        _SIDE,
        Column("type", "category", "how the order meets the book", words=ORDER_TYPES),
        Column("status", "category", "where the order stands", words=STATUSES),
        _number("price", "limit price; missing for market orders", "quote"),
        _number("amount", "amount ordered; missing where `spend` is meant", "base"),
        _number("spend", "money a market buy may use", "quote"),
        _number("filled", "amount executed", "base"),
        _number("remaining", "amount still to execute; missing where `spend` is meant", "base"),
        _number("average", "average price of the fills; missing before the first", "quote"),
        _number("cost", "money that changed hands", "quote"),
        _number("fee", "fee so far: positive when paid, negative for a rebate", "fee_coin"),
        _text("fee_coin", "the coin of the fee"),
        _time("created", "when the venue took the order"),
        _time("updated", "when it last changed, where told"),
    ),
    ("id",),
)

FILLS = Table(
    "my_trades",
    "own trades of an account",
    (_time("time", "when it happened"),),
    (
        _text("id", "the venue's id of the trade"),
        _text("order_id", "the order it belongs to"),
        _SYMBOL,
        _SIDE,
        _number("price", "price", "quote"),
        _number("amount", "amount", "base"),
        _number("cost", "money that changed hands", "quote"),
        _number("fee", "fee: positive when paid, negative for a rebate", "fee_coin"),
        _text("fee_coin", "the coin of the fee"),
        Column("role", "category", "who was in the book first", words=ROLES),
    ),
    ("id",),
)

POSITIONS = Table(
    "positions",
    "open positions in perpetuals and futures",
    (_SYMBOL,),
    (
        _number("amount", "amount held: positive long, negative short", "base"),
        _number("cost", "what it cost, signed as the amount", "quote"),
        _number("pnl", "profit or loss that is not realized", "quote"),
        _time("updated", "when the venue last changed it"),
    ),
    ("symbol",),
)

FEES = Table(
    "fees",
    "what trading costs this account",
    (_SYMBOL,),
    (
        _number("maker", "fee of an order that waited in the book, as a fraction", "1"),
        _number("taker", "fee of an order that met one in the book, as a fraction", "1"),
    ),
    ("symbol",),
)

FUNDING = Table(
    "funding",
    "what holders of a perpetual paid each other",
    (_time("time", "when it was settled"),),
    (_number("rate", "rate of the settlement, as a fraction: positive is paid by longs", "1"),),
    ("time",),
)

VALUATIONS = Table(
    "valuations",
    "the venue's own price of an instrument: its index, its mark, or a rate",
    (_time("time", "when it held"),),
    (_number("value", "price, or rate as a fraction", "quote"),),
    ("time",),
)

BALANCE_HISTORY = Table(
    "balance_history",
    "the worth of an account over time",
    (_time("time", "when it was counted"),),
    (_number("total", "cash balance", "USD"),),
    ("time",),
)

TRANSACTIONS = Table(
    "transactions",
    "everything that moved the balances of an account",
    (_time("time", "when it was booked"),),
    (
        _text("id", "the venue's id of the entry"),
        _text("entry", "what kind of entry, in the venue's word"),
        _text("symbol", "the market or coin it is about"),
        _number("amount", "amount moved, signed", "base"),
        _number("cost", "money moved, signed", "quote"),
        _number("pnl", "profit or loss that it realized", "quote"),
        _text("order_id", "the order it belongs to, where there is one"),
        _text("trade_id", "the trade it belongs to, where there is one"),
        _SIDE,
        Column("role", "category", "who was in the book first", words=ROLES),
    ),
    ("id",),
)

RECEIVED = _time("received", "when it arrived here")
"""What rows of a live stream have besides those of their table."""

LIMITS = Table(
    "limits",
    "our pacing, and what the venue told about its limits",
    (_text("bucket", "what is counted together"),),
    (
        _text("published", "the venue's rule"),
        Column("used", "count", "questions in the current window"),
        _number("wait_s", "time until the next may go", "s"),
        Column("refused", "count", "answers that said too many"),
        Column("remaining_told", "count", "what the venue's headers said is left"),
        _number("reset_told", "when the venue's headers said it resets", "s"),
    ),
    ("bucket",),
)

TABLES = (
    SYMBOLS, TICKERS, KLINES, TRADES, DEPTH, FUNDING, VALUATIONS, ACCOUNT, ORDERS, FILLS,
    POSITIONS, FEES, BALANCE_HISTORY, TRANSACTIONS, LIMITS,
)  # fmt: skip
