"""Names of the exchange's channels, both ways: ``candlestick.1m.BTC_USDT`` and the like.

A name that is no channel is told why, in the venue's own words, so that a server can say them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from cdcx_pandas import errors as e
from cdcx_pandas.channels import (
    BalanceChannel,
    Channel,
    DepthChannel,
    FillChannel,
    KlineChannel,
    OrderChannel,
    PositionChannel,
    TickerChannel,
    TradeChannel,
    ValuationChannel,
)
from cdcx_pandas.dialects.exchange import symbols as s
from cdcx_pandas.dialects.exchange import wire

if TYPE_CHECKING:
    from cdcx_pandas.dialects.exchange.symbols import Names
    from cdcx_pandas.tables import ValuationKind

_VALUATIONS: dict[str, ValuationKind] = {
    "mark": "mark",
    "index": "index",
    "funding": "funding",
    "estimatedfunding": "estimated_funding",
}
_VALUATION_WORDS = {kind: word for word, kind in _VALUATIONS.items()}


class Wrong(NamedTuple):
    """Why a name is no channel, in the venue's own words."""

    words: str


def write_channel(channel: Channel, names: Names) -> str:
    """Return a channel's name on the wire; refuses one that the exchange cannot have."""
    match channel:
        case TickerChannel(symbol):
            return f"ticker.{names.theirs(symbol)}"
        case TradeChannel(symbol):
            return f"trade.{names.theirs(symbol)}"
        case KlineChannel(symbol, period):
            if period not in wire.PERIODS:
                raise wire.bad_period(period)
            return f"candlestick.{wire.PERIODS[period]}.{names.theirs(symbol)}"
        case DepthChannel(symbol, step, levels):
            if step:
                raise wire.unmerged(step)
            return f"book.{names.theirs(symbol)}.{_told_depth(levels)}"
        case ValuationChannel(symbol, kind):
            return f"{_VALUATION_WORDS[kind]}.{_valued(names.theirs(symbol), kind)}"
        case OrderChannel(symbol):
            return "user.order" if symbol is None else f"user.order.{names.theirs(symbol)}"
        case FillChannel(symbol):
            return "user.trade" if symbol is None else f"user.trade.{names.theirs(symbol)}"
        case BalanceChannel():
            return "user.balance"
        case PositionChannel():
            return "user.positions"
        case _:
            raise e.Unsupported(
                "The exchange's stream has no tickers of all markets.",
                why="It tells tickers of one market each.",
                todo="Watch a list of markets, or ask tickers().",
                sent="no",
            )


def _told_depth(levels: int | None) -> int:
    depth = wire.STREAM_DEPTH if levels is None else levels
    if depth not in wire.BOOK_DEPTHS:
        raise e.BadRequest(
            f"levels: the exchange's stream has no books of {levels!r} levels.",
            why=f"It has {', '.join(map(str, wire.BOOK_DEPTHS))}, the last as whole books only.",
            todo="Ask for the next larger one, and take what you need of it.",
            sent="no",
        )
    return depth


def _valued(theirs: str, kind: ValuationKind) -> str:
    """Return the name a valuation goes by: an index is named by itself, not its perpetual."""
    if kind != "index":
        return theirs
    index = s.index_of(theirs)
    if index is None:
        raise e.BadRequest(
            f"symbol: {theirs} has no index on the stream.",
            why="Indices are those under perpetuals.",
            todo="Name the perpetual.",
            sent="no",
        )
    return index


def read_channel(name: str, names: Names) -> Channel | Wrong:
    """Return the channel of a name, or why it is none."""
    family, _, rest = name.partition(".")
    if family == "user":
        return _read_user_channel(rest, names)
    if family == "candlestick":
        frame, _, rest = rest.partition(".")
        period = wire.TIMEFRAMES.get(frame)
        if period is None or not rest:
            return Wrong("Unrecognized channel")
        return KlineChannel(names.ours(rest), period) if names.lists(rest) else _UNKNOWN
    if family == "book":
        return _read_book_channel(rest, names)
    if not rest or family not in {"ticker", "trade", *_VALUATIONS}:
        return Wrong("Unrecognized channel")
    if family in _VALUATIONS:
        return _read_valuation_channel(_VALUATIONS[family], rest, names)
    if not names.lists(rest):
        return _UNKNOWN
    symbol = names.ours(rest)
    return TickerChannel(symbol) if family == "ticker" else TradeChannel(symbol)


_UNKNOWN = Wrong("Unknown symbol")
_DEPTH = re.compile(r"(?P<instrument>.+?)(\.(?P<depth>\d{1,4}))?", re.ASCII)


def _read_book_channel(rest: str, names: Names) -> Channel | Wrong:
    match = _DEPTH.fullmatch(rest)
    if match is None:
        return Wrong("Unrecognized channel")
    if not names.lists(match["instrument"]):
        return _UNKNOWN
    depth = int(match["depth"] or wire.STREAM_DEPTH)
    if depth not in wire.BOOK_DEPTHS:
        return Wrong("Invalid depth")
    return DepthChannel(names.ours(match["instrument"]), levels=depth)


def _read_valuation_channel(kind: ValuationKind, theirs: str, names: Names) -> Channel | Wrong:
    perpetual = s.perpetual_of(theirs)
    if (theirs != perpetual) is not (kind == "index"):
        return Wrong("Unsupported instrument")
    if not names.lists(perpetual):
        return _UNKNOWN
    return ValuationChannel(names.ours(perpetual), kind)


def _read_user_channel(rest: str, names: Names) -> Channel | Wrong:
    what, _, instrument = rest.partition(".")
    if instrument and not names.lists(instrument):
        return _UNKNOWN
    symbol = names.ours(instrument) if instrument else None
    match what:
        case "order":
            return OrderChannel(symbol)
        case "trade":
            return FillChannel(symbol)
        case "balance" if not instrument:
            return BalanceChannel()
        case "positions" if not instrument:
            return PositionChannel()
        case _:
            return Wrong("Unrecognized channel")
