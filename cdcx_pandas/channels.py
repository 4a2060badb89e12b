"""What can be listened to, as values.

A channel says what is meant; its name on a wire is a dialect's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cdcx_pandas.tables import DEPTH, KLINES, TICKERS, TRADES, Table


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


Channel = TickerChannel | TickersChannel | KlineChannel | TradeChannel | DepthChannel
