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
    BALANCE_HISTORY,
    DEPTH,
    FEES,
    FILLS,
    FUNDING,
    KLINES,
    ORDERS,
    POSITIONS,
    SYMBOLS,
    TICKERS,
    TRADES,
    TRANSACTIONS,
    VALUATIONS,
    Answer,
    Table,
)

if TYPE_CHECKING:
    from decimal import Decimal

    from cdcx_pandas.errors import CdcxError
    from cdcx_pandas.tables import ValuationKind

A_co = TypeVar("A_co", covariant=True)
Side = Literal["buy", "sell"]
OrderType = Literal["limit", "market"]
TimeInForce = Literal["gtc", "ioc", "fok"]
"""How long an order may wait: until cancelled, not at all, or not at all and only whole."""


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
class GetFunding(Operation[Answer]):
    """The settled funding rates of a perpetual in ``[start, end)``."""

    symbol: str
    start: int | None = None
    end: int | None = None
    limit: int | None = None
    table: ClassVar[Table] = FUNDING


@dataclass(frozen=True)
class GetValuations(Operation[Answer]):
    """The venue's own price of an instrument in ``[start, end)``; without bounds the newest."""

    symbol: str
    kind: ValuationKind
    start: int | None = None
    end: int | None = None
    limit: int | None = None
    table: ClassVar[Table] = VALUATIONS


@dataclass(frozen=True)
class GetAccount(Operation[Answer]):
    """The balances of the account."""

    effect: ClassVar[Effect] = Effect.PRIVATE_READ
    table: ClassVar[Table] = ACCOUNT


@dataclass(frozen=True)
class GetOrder(Operation[Answer]):
    """One order, by the venue's id or by the client's.

    Its fills, where told, are the fact ``fills`` (columns of own trades).
    """

    id: str | None = None
    symbol: str | None = None
    client_id: str | None = None
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
class GetPositions(Operation[Answer]):
    """The open positions of the account, of one instrument or of all."""

    symbol: str | None = None
    effect: ClassVar[Effect] = Effect.PRIVATE_READ
    table: ClassVar[Table] = POSITIONS


@dataclass(frozen=True)
class GetFees(Operation[Answer]):
    """What trading one market costs this account."""

    symbol: str
    effect: ClassVar[Effect] = Effect.PRIVATE_READ
    table: ClassVar[Table] = FEES


@dataclass(frozen=True)
class GetFeeTier(Operation[Answer]):
    """What trading costs this account in general: a row ``spot`` and a row ``perp``."""

    effect: ClassVar[Effect] = Effect.PRIVATE_READ
    table: ClassVar[Table] = FEES


@dataclass(frozen=True)
class GetBalanceHistory(Operation[Answer]):
    """The worth of the account by hour or by day, up to `end`."""

    period: Literal["1hour", "1day"] = "1day"
    end: int | None = None
    limit: int | None = None
    effect: ClassVar[Effect] = Effect.PRIVATE_READ
    table: ClassVar[Table] = BALANCE_HISTORY


@dataclass(frozen=True)
class GetTransactions(Operation[Answer]):
    """Everything that moved the balances in ``[start, end)``."""

    symbol: str | None = None
    start: int | None = None
    end: int | None = None
    limit: int | None = None
    effect: ClassVar[Effect] = Effect.PRIVATE_READ
    table: ClassVar[Table] = TRANSACTIONS


def _refuse_floats(order: PlaceOrder | AmendOrder, *names: str) -> None:
    """Refuse binary floats where money is meant."""
    for name in names:
        value = getattr(order, name)
        if isinstance(value, float):
            raise FloatRefused(
                f"{name}: {value!r} is a float, and money is meant.",
                why="A binary float cannot hold most decimal numbers.",
                todo=f'Write a text, "{value!r}", or a Decimal.',
                sent="no",
            )


@dataclass(frozen=True)
class PlaceOrder(Operation[str]):
    """Place an order; the answer is the venue's id of it.

    `amount` is base money, `spend` quote money (market buys); never both. `client_id` is the
    name the client gives it, `time_in_force` and `post_only` (refused rather than met) how it
    may wait; where a dialect has none of these it refuses to say them.
    """

    symbol: str
    side: Side
    type: OrderType
    amount: Decimal | None = None
    spend: Decimal | None = None
    price: Decimal | None = None
    client_id: str | None = None
    time_in_force: TimeInForce | None = None
    post_only: bool = False
    effect: ClassVar[Effect] = Effect.NEW_ORDER

    def __post_init__(self) -> None:
        _refuse_floats(self, "amount", "spend", "price")


@dataclass(frozen=True)
class AmendOrder(Operation[str]):
    """Change amount and price of an open order, named by either id; the answer is its id.

    `new_client_id` is the name the client gives the changed order.
    """

    amount: Decimal
    price: Decimal
    id: str | None = None
    client_id: str | None = None
    new_client_id: str | None = None
    symbol: str | None = None
    effect: ClassVar[Effect] = Effect.NEW_ORDER

    def __post_init__(self) -> None:
        _refuse_floats(self, "amount", "price")


@dataclass(frozen=True)
class Done:
    """What became of one entry of a list: the order's id, or the error it got, or both."""

    id: str | None = None
    error: CdcxError | None = None


@dataclass(frozen=True)
class PlaceOrders(Operation[tuple[Done, ...]]):
    """Place several orders at once; each stands or falls by itself."""

    orders: tuple[PlaceOrder, ...]
    effect: ClassVar[Effect] = Effect.NEW_ORDER


@dataclass(frozen=True)
class CancelOrder(Operation[None]):
    """Cancel one order; done means the venue took the wish, not that it happened."""

    id: str | None = None
    symbol: str | None = None
    client_id: str | None = None
    effect: ClassVar[Effect] = Effect.CANCEL


@dataclass(frozen=True)
class CancelAllOrders(Operation[None]):
    """Cancel every open order of a market, or of all."""

    symbol: str | None = None
    effect: ClassVar[Effect] = Effect.CANCEL_ALL


@dataclass(frozen=True)
class CancelOrders(Operation[tuple[Done, ...]]):
    """Cancel several orders at once."""

    orders: tuple[CancelOrder, ...]
    effect: ClassVar[Effect] = Effect.CANCEL
