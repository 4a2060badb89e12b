"""The rules of the streams: what each family of channels answers and sends first.

A table for each address, and nothing that reads one. What a family sends later, and how often,
is its feed's business. Seconds are those of the published cadence; an option of the sandbox
makes all of them shorter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from cdcx_pandas.channels import (
    BalanceChannel,
    DepthChannel,
    FillChannel,
    KlineChannel,
    OrderChannel,
    PositionChannel,
    TickerChannel,
    TradeChannel,
    ValuationChannel,
)
from cdcx_pandas.sandbox import feeds
from cdcx_pandas.sandbox import stream as v1

if TYPE_CHECKING:
    from cdcx_pandas.dialects.base import Dialect
    from cdcx_pandas.sandbox.terms import Terms


class Rule(NamedTuple):
    """How a family of channels is told.

    Attributes
    ----------
    make
        What makes a feed of it.
    acknowledged
        Whether a bare word comes before the first news.
    refers
        Whether the first news carries the number of the request.
    first_after_s
        How long the first news takes.
    """

    make: Callable[[feeds.Asked], feeds.Feed]
    acknowledged: bool = False
    refers: bool = False
    first_after_s: float = 0.0


Rules = Mapping[type[Any], Rule]


@dataclass(frozen=True)
class Beats:
    """How a stream asks whether one is there.

    Attributes
    ----------
    every_s
        How often.
    missed
        How many unanswered ones are forgiven.
    unit_ns
        The unit of the number that must come back.
    together
        Whether all connections are asked at the same time.
    close
        The code a dead connection is closed with; None cuts it.
    """

    every_s: float
    missed: int = 3
    unit_ns: int = 10**6
    together: bool = False
    close: int | None = None


@dataclass(frozen=True)
class Line:
    """One address of a stream.

    Attributes
    ----------
    path
        Where it is.
    rules
        What can be heard there.
    beats
        How it asks whether one is there.
    turn_s
        How often what happened is looked for.
    pace
        By how much the cadences of the rules are multiplied.
    answers
        Whether a subscription that cannot be, and the end of one, are answered.
    private
        Whether it is for the owners of accounts, who say first who they are.
    most_channels, most_requests
        How many channels one connection can hear, and messages it can send in a second.
    """

    path: str
    rules: Rules
    beats: Beats
    turn_s: float = 1.0
    pace: float = 1.0
    answers: bool = False
    private: bool = False
    most_channels: int | None = None
    most_requests: int | None = None


@dataclass(frozen=True)
class Wire:
    """One dialect, where it is spoken, and on which terms.

    Attributes
    ----------
    dialect
        How it speaks, knowing the markets it lists.
    prefix
        What the paths of its questions begin with.
    root
        What is taken off a path before the dialect reads it.
    lines
        The addresses of its streams.
    terms
        What is shown, and which orders are taken.
    clock_window_s
        How far a signed time may be off.
    refusal
        The rest of an answer whose code is ordered by a fault.
    """

    dialect: Dialect
    prefix: str
    terms: Terms
    lines: tuple[Line, ...] = ()
    root: str = ""
    clock_window_s: float = 30.0
    refusal: Mapping[str, Any] | None = None


def v1_rules(*, acknowledges: bool, incremental: bool, pace: float = 1.0) -> Rules:
    """Return the rules of V1, whose servers differ in these; `pace` is that of repetitions."""

    def make(asked: feeds.Asked) -> v1.Feed:
        return v1.Feed(asked.channel, incremental, pace)

    rule = Rule(make, acknowledged=acknowledges)
    return dict.fromkeys((TickerChannel, TradeChannel, KlineChannel, DepthChannel), rule)


def _book(asked: feeds.Asked) -> feeds.BookFeed | feeds.ChangesFeed:
    return feeds.ChangesFeed(asked) if asked.changes else feeds.BookFeed(asked)


TODAYS_MARKET: Rules = {
    DepthChannel: Rule(_book, acknowledged=True, first_after_s=1.0),
    TickerChannel: Rule(feeds.TickerFeed, refers=True),
    TradeChannel: Rule(feeds.TradeFeed, refers=True),
    KlineChannel: Rule(feeds.KlineFeed, refers=True),
    ValuationChannel: Rule(feeds.ValuationFeed, refers=True),
}
TODAYS_USER: Rules = {
    OrderChannel: Rule(feeds.OrderFeed, refers=True),
    FillChannel: Rule(feeds.FillFeed, acknowledged=True),
    BalanceChannel: Rule(feeds.BalanceFeed, refers=True),
    PositionChannel: Rule(feeds.PositionFeed, refers=True),
}
MARKET_REQUESTS, USER_REQUESTS = 100, 150
MOST_CHANNELS = 400
