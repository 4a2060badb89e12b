"""What can be listened to, as values.

A channel says what is meant; its name on a wire is a dialect's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cdcx_pandas.tables import (
    ACCOUNT,
    DEPTH,
    FILLS,
    KLINES,
    ORDERS,
    POSITIONS,
    TICKERS,
    TRADES,
    VALUATIONS,
    Table,
)

if TYPE_CHECKING:
    from cdcx_pandas.tables import ValuationKind


@dataclass(frozen=True)
class TickerChannel:
    """The ticker of one market."""

    symbol: str
    table: ClassVar[Table] = TICKERS


@dataclass(frozen=True)
class TickersChannel:
    """The tickers of all markets."""

    table: ClassVar[Table] = TICKERS


@dataclass(frozen=True)
class KlineChannel:
    """The bars of one market and period."""

    symbol: str
    period: str
    table: ClassVar[Table] = KLINES


@dataclass(frozen=True)
class TradeChannel:
    """The public trades of one market."""

    symbol: str
    table: ClassVar[Table] = TRADES


@dataclass(frozen=True)
class DepthChannel:
    """The order book of one market; `levels` a side if not all."""

    symbol: str
    step: int = 0
    levels: int | None = None
    table: ClassVar[Table] = DEPTH


@dataclass(frozen=True)
class ValuationChannel:
    """The venue's own price of an instrument: its index, its mark, or a funding rate."""

    symbol: str
    kind: ValuationKind
    table: ClassVar[Table] = VALUATIONS


@dataclass(frozen=True)
class OrderChannel:
    """The account's orders on one market, or on all."""

    symbol: str | None = None
    table: ClassVar[Table] = ORDERS


@dataclass(frozen=True)
class FillChannel:
    """The account's own trades on one market, or on all."""

    symbol: str | None = None
    table: ClassVar[Table] = FILLS


@dataclass(frozen=True)
class BalanceChannel:
    """The account's balances."""

    table: ClassVar[Table] = ACCOUNT


@dataclass(frozen=True)
class PositionChannel:
    """The account's open positions."""

    table: ClassVar[Table] = POSITIONS


MarketChannel = (
    TickerChannel | TickersChannel | KlineChannel | TradeChannel | DepthChannel | ValuationChannel
)
UserChannel = OrderChannel | FillChannel | BalanceChannel | PositionChannel
"""What only the owner of an account hears."""
Channel = MarketChannel | UserChannel
