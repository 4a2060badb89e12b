"""The questions that can be asked and the acts that can be done, as values.

An operation says what is meant in the words of the package; how it is said on a wire is a
dialect's business, and whether it takes one page or a thousand is an engine's. The same
class serves as the person's question (a range of a year) and as one page of it.

Times are integer nanoseconds since the epoch, UTC; ranges are ``[start, end)``. Money is
``Decimal``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, TypeVar

from cdcx_pandas.errors import FloatRefused
from cdcx_pandas.tables import (
    ACCOUNT,
    DEPTH,
    FILLS,
    KLINES,
    ORDERS,
    SYMBOLS,
    TICKERS,
    TRADES,
    Answer,
    Table,
)

if TYPE_CHECKING:
    from decimal import Decimal

A_co = TypeVar("A_co", covariant=True)
Side = Literal["buy", "sell"]
OrderType = Literal["limit", "market"]


class Effect(Enum):
    """What asking twice would do: the key to whether a question may be repeated.

    HTTP's own verbs cannot tell: on V1 every signed call is a POST, reads included.
    """

    PUBLIC_READ = "public_read"
    PRIVATE_READ = "private_read"
    CANCEL = "cancel"
    CANCEL_ALL = "cancel_all"
    NEW_ORDER = "new_order"


@dataclass(frozen=True)
class Operation(Generic[A_co]):
    """A question or an act, and the type of its answer."""

    effect: ClassVar[Effect] = Effect.PUBLIC_READ
    table: ClassVar[Table | None] = None


@dataclass(frozen=True)
class GetSymbols(Operation[Answer]):
    """Which markets are there."""

    table: ClassVar[Table] = SYMBOLS


@dataclass(frozen=True)
class GetTickers(Operation[Answer]):
    """The tickers of all markets."""

    table: ClassVar[Table] = TICKERS


@dataclass(frozen=True)
class GetTicker(Operation[Answer]):
    """The ticker of one market."""

    symbol: str
    table: ClassVar[Table] = TICKERS


@dataclass(frozen=True)
class GetPrices(Operation[Answer]):
    """The last price of every market, and nothing else."""

    table: ClassVar[Table] = TICKERS


@dataclass(frozen=True)
class GetKlines(Operation[Answer]):
    """Bars of a market with opening times in ``[start, end)``; without bounds the newest."""

    symbol: str
    period: str
    start: int | None = None
    end: int | None = None
    limit: int | None = None
    table: ClassVar[Table] = KLINES


@dataclass(frozen=True)
class GetTrades(Operation[Answer]):
    """Public trades of a market in ``[start, end)``; without bounds the newest."""

    symbol: str
    start: int | None = None
    end: int | None = None
    limit: int | None = None
    table: ClassVar[Table] = TRADES


@dataclass(frozen=True)
class GetDepth(Operation[Answer]):
    """The order book of a market; `step` 0 is the finest, each next one coarser."""

    symbol: str
    step: int = 0
    levels: int | None = None
    table: ClassVar[Table] = DEPTH


@dataclass(frozen=True)
class GetAccount(Operation[Answer]):
    """The balances of the account."""

    effect: ClassVar[Effect] = Effect.PRIVATE_READ
    table: ClassVar[Table] = ACCOUNT


@dataclass(frozen=True)
class GetOrder(Operation[Answer]):
    """One order; its fills, where told, are the fact ``fills`` (columns of own trades)."""

    id: str
    symbol: str | None = None
    effect: ClassVar[Effect] = Effect.PRIVATE_READ
    table: ClassVar[Table] = ORDERS


@dataclass(frozen=True)
class GetOpenOrders(Operation[Answer]):
    """Orders that can still trade; the fact ``count`` is their number over all pages."""

    symbol: str | None = None
    page: int | None = None
    page_size: int | None = None
    effect: ClassVar[Effect] = Effect.PRIVATE_READ
    table: ClassVar[Table] = ORDERS


@dataclass(frozen=True)
class GetOrderHistory(Operation[Answer]):
    """Orders created in ``[start, end)``, open ones too. `page` counts from 0."""

    symbol: str | None = None
    start: int | None = None
    end: int | None = None
    page: int | None = None
    page_size: int | None = None
    effect: ClassVar[Effect] = Effect.PRIVATE_READ
    table: ClassVar[Table] = ORDERS


@dataclass(frozen=True)
class GetMyTrades(Operation[Answer]):
    """Own trades in ``[start, end)``. `page` counts from 0."""

    symbol: str | None = None
    start: int | None = None
    end: int | None = None
    page: int | None = None
    page_size: int | None = None
    newest_first: bool | None = None
    effect: ClassVar[Effect] = Effect.PRIVATE_READ
    table: ClassVar[Table] = FILLS


@dataclass(frozen=True)
class PlaceOrder(Operation[str]):
    """Place an order; the answer is the venue's id of it.

    `amount` is base money, `spend` quote money (market buys); never both.
    """

    symbol: str
    side: Side
    type: OrderType
    amount: Decimal | None = None
    spend: Decimal | None = None
    price: Decimal | None = None
    effect: ClassVar[Effect] = Effect.NEW_ORDER

    def __post_init__(self) -> None:
        for name in ("amount", "spend", "price"):
            value = getattr(self, name)
            if isinstance(value, float):
                raise FloatRefused(
                    f"{name}: {value!r} is a float, and money is meant.",
                    why="A binary float cannot hold most decimal numbers.",
                    todo=f'Write a text, "{value!r}", or a Decimal.',
                    sent="no",
                )


@dataclass(frozen=True)
class CancelOrder(Operation[None]):
    """Cancel one order; done means the venue took the wish, not that it happened."""

    id: str
    symbol: str | None = None
    effect: ClassVar[Effect] = Effect.CANCEL


@dataclass(frozen=True)
class CancelAllOrders(Operation[None]):
    """Cancel every open order of a market."""

    symbol: str | None = None
    effect: ClassVar[Effect] = Effect.CANCEL_ALL
