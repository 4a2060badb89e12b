"""What today's exchange owes the listeners of a channel, one class for each family.

A feed is a channel as all its listeners see it: `first` is told to whoever joins, `due` to all.
An update is made once and sent to all. `every_s` is how often a feed is looked at, 0 for every
turn of the stream. Time and the exchange are arguments, nothing here does I/O. Orders act first
and are told after: an event is told when it has been there at the look before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.periods import bar_number, next_time
from cdcx_pandas.sandbox.orders import fill_columns
from cdcx_pandas.sandbox.past import Dice
from cdcx_pandas.sandbox.terms import ALL, Terms
from cdcx_pandas.tables import FILLS, NS_PER_MS, NS_PER_S, ORDERS, Answer, Columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cdcx_pandas.channels import (
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
    from cdcx_pandas.sandbox.exchange import Exchange
    from cdcx_pandas.sandbox.log import Event

FIRST_TRADES = 50
FIRST_BARS = 300
IDLE_S = 5.0
"""A book that does not change says so this often."""
BALANCE_S = 2.0
"""Balances whose worth moves are told this often."""
_FIRST_SEQUENCE = 370_000_000_000_000
_MOST_STEP = 1_000_000
_LEAST_STEP = 10_000
_MINUTE_NS = 60 * NS_PER_S


class Asked(NamedTuple):
    """What somebody wants to hear: the channel, how, who asks, on which terms, in which pace."""

    channel: Any
    changes: bool = False
    account: str | None = None
    terms: Terms = ALL
    pace: float = 1.0


class Feed(Protocol):
    """One channel, and what was told of it last."""

    every_s: ClassVar[float]

    @property
    def channel(self) -> Any:
        """The channel."""

    def first(self, exchange: Exchange, now_ns: int) -> Iterator[m.Update]:
        """Return what a new listener is told."""

    def due(self, exchange: Exchange, now_ns: int, monotonic: float) -> Iterator[m.Update]:
        """Return what happened since it was asked last; `monotonic` paces repetitions."""


class TickerFeed:
    """The ticker, whenever it changed."""

    every_s: ClassVar[float] = 0.5

    def __init__(self, asked: Asked) -> None:
        self.channel: TickerChannel = asked.channel
        self._last: Columns = {}

    def first(self, exchange: Exchange, now_ns: int) -> Iterator[m.Update]:
        """Tell the ticker of now."""
        yield m.Update(self.channel, exchange.ticker(self.channel.symbol, now_ns), time=now_ns)

    def due(self, exchange: Exchange, now_ns: int, _: float) -> Iterator[m.Update]:
        """Tell it if anything but its time is another."""
        answer = exchange.ticker(self.channel.symbol, now_ns)
        told = {name: value for name, value in answer.columns.items() if name != "time"}
        if told != self._last:
            self._last = told
            yield m.Update(self.channel, answer, time=now_ns)


class TradeFeed:
    """Public trades: the newest ones first, then every new one, none twice."""

    every_s: ClassVar[float] = 0.0

    def __init__(self, asked: Asked) -> None:
        self.channel: TradeChannel = asked.channel
        self._last_id: int | None = None

    def first(self, exchange: Exchange, now_ns: int) -> Iterator[m.Update]:
        """Tell the newest trades up to the one that was told last."""
        answer = exchange.answer(op.GetTrades(self.channel.symbol), now_ns)
        if self._last_id is None:
            self._last_id = exchange.last_trade_id(self.channel.symbol, now_ns)
        known = [at for at, id_ in enumerate(answer.columns["id"]) if int(id_) <= self._last_id]
        yield m.Update(self.channel, _rows(answer, known[-FIRST_TRADES:]), "delta", now_ns)

    def due(self, exchange: Exchange, now_ns: int, _: float) -> Iterator[m.Update]:
        """Tell what traded since."""
        if self._last_id is not None:
            answer = exchange.trades_after(self.channel.symbol, self._last_id, now_ns)
            if len(answer):
                yield m.Update(self.channel, answer, "delta", now_ns)
        self._last_id = exchange.last_trade_id(self.channel.symbol, now_ns)


class KlineFeed:
    """Bars: a page of them first, then the last state of each that changed, in order."""

    every_s: ClassVar[float] = 0.5

    def __init__(self, asked: Asked) -> None:
        self.channel: KlineChannel = asked.channel
        self._terms = asked.terms
        self._last: Columns = {}

    def first(self, exchange: Exchange, now_ns: int) -> Iterator[m.Update]:
        """Tell the newest page, the bar of now included."""
        asked = op.GetKlines(self.channel.symbol, self.channel.period, limit=FIRST_BARS)
        answer = exchange.answer(asked, now_ns, terms=self._terms)
        yield m.Update(self.channel, self._dated(answer, exchange, now_ns), time=now_ns)

    def due(self, exchange: Exchange, now_ns: int, _: float) -> Iterator[m.Update]:
        """Tell the finished bar as it ended, then the bar of now, where they changed."""
        since, limit = self._last.get("time", [None])[0], 1
        if since is not None:  # no more than can have been told since
            periods = bar_number(self.channel.period, now_ns)
            periods -= bar_number(self.channel.period, since)
            limit = min(periods + 2, FIRST_BARS)
        asked = op.GetKlines(self.channel.symbol, self.channel.period, since, limit=limit)
        answer = exchange.answer(asked, now_ns, terms=self._terms)
        for at in range(len(answer)):
            bar = _rows(answer, [at])
            if bar.columns != self._last:
                self._last = bar.columns
                yield m.Update(self.channel, self._dated(bar, exchange, now_ns), time=now_ns)

    def _dated(self, answer: Answer, exchange: Exchange, now_ns: int) -> Answer:
        """Add when each bar changed last: the newest exactly, older ones when they ended."""
        market = exchange.floor.desk(self.channel.symbol).market
        times, volumes = answer.columns["time"], answer.columns["volume"]
        updated = []
        for at, (opened, volume) in enumerate(zip(times, volumes, strict=True)):
            end_ns = next_time(self.channel.period, opened)
            changed = end_ns - NS_PER_MS
            if at >= len(times) - 2:
                last = market.last_trades(min(end_ns, now_ns + 1), 1).time_ns
                changed = int(last[0]) if last.size else opened
            updated.append(changed if volume else opened)
        return replace(answer, columns=answer.columns | {"updated": updated})


class BookFeed:
    """The whole book at every look, changed or not."""

    every_s: ClassVar[float] = 0.5

    def __init__(self, asked: Asked) -> None:
        self.channel: DepthChannel = asked.channel
        self._chain = _Chain(self.channel)
        self._key: object = None

    def first(self, exchange: Exchange, now_ns: int) -> Iterator[m.Update]:
        """Tell the book of now."""
        key = exchange.book_key(self.channel.symbol, now_ns)
        if key != self._key:
            self._key = key
            self._chain.step()
        yield m.Update(
            self.channel,
            exchange.book(self.channel.symbol, now_ns, levels=self.channel.levels),
            time=now_ns,
            sequence=self._chain.at,
        )

    def due(self, exchange: Exchange, now_ns: int, _: float) -> Iterator[m.Update]:
        """Tell it again."""
        yield from self.first(exchange, now_ns)


class ChangesFeed:
    """A book as changes: each belongs to the one before, and a quiet book says it is quiet."""

    every_s: ClassVar[float] = 0.1

    def __init__(self, asked: Asked) -> None:
        self.channel: DepthChannel = asked.channel
        self._chain = _Chain(self.channel)
        self._idle_s = IDLE_S * asked.pace
        self._book: Answer | None = None
        self._key: object = None
        self._told_at = 0.0

    def first(self, exchange: Exchange, now_ns: int) -> Iterator[m.Update]:
        """Tell the book that was told last: the changes to come are against it."""
        if self._book is None:
            self._book = exchange.book(self.channel.symbol, now_ns, levels=self.channel.levels)
        yield m.Update(self.channel, self._book, time=now_ns, sequence=self._chain.at)

    def due(self, exchange: Exchange, now_ns: int, monotonic: float) -> Iterator[m.Update]:
        """Tell all levels that changed, or that none did."""
        key = exchange.book_key(self.channel.symbol, now_ns)
        before, book = self._book, self._book
        if book is None or key != self._key:
            book = exchange.book(self.channel.symbol, now_ns, levels=self.channel.levels)
            self._book, self._key = book, key
        changed = _NO_CHANGES if before is None or before is book else _changed(before, book)
        if changed["side"]:
            previous = self._chain.at
            self._chain.step()
        elif before and monotonic - self._told_at >= self._idle_s:
            previous = self._chain.at
        else:
            self._told_at = self._told_at or monotonic
            return
        self._told_at = monotonic
        answer = replace(book, columns=changed)
        yield m.Update(
            self.channel, answer, "delta", now_ns, sequence=self._chain.at, previous=previous
        )


class _Chain:
    """The numbers of a book's changes: they grow by large, uneven steps."""

    def __init__(self, channel: DepthChannel) -> None:
        self._dice = Dice(channel.symbol, channel.levels, "chain")
        self.at = _FIRST_SEQUENCE + self._dice.below(_FIRST_SEQUENCE // 10)

    def step(self) -> None:
        """Go on."""
        self.at += _LEAST_STEP + self._dice.below(_MOST_STEP - _LEAST_STEP)


_LEVEL = ("side", "price", "amount", "orders")
_NO_CHANGES: Columns = {name: [] for name in (*_LEVEL, "level")}


def _changed(before: Answer, after: Answer) -> Columns:
    """Return the levels that are others now; those that are gone with amount 0, first."""
    old, new = _levels(before), _levels(after)
    gone = [(*key, 0, 0) for key in old if key not in new]
    other = [(*key, *level) for key, level in new.items() if old.get(key) != level]
    rows = gone + other
    columns = {name: [row[at] for row in rows] for at, name in enumerate(_LEVEL)}
    return columns | {"level": [None] * len(rows)}


def _levels(book: Answer) -> dict[tuple[str, Any], tuple[Any, Any]]:
    columns = book.columns
    keys = zip(columns["side"], columns["price"], strict=True)
    levels = zip(columns["amount"], columns["orders"], strict=True)
    return dict(zip(keys, levels, strict=True))


class ValuationFeed:
    """Index and mark once a second, funding once a minute, stamped on the whole one."""

    every_s: ClassVar[float] = 0.0

    def __init__(self, asked: Asked) -> None:
        self.channel: ValuationChannel = asked.channel
        is_price = self.channel.kind in {"index", "mark"}
        self._every_ns = NS_PER_S if is_price else _MINUTE_NS
        self._last: int | None = None

    def first(self, exchange: Exchange, now_ns: int) -> Iterator[m.Update]:
        """Tell the value of now."""
        asked = op.GetValuations(self.channel.symbol, self.channel.kind, limit=1)
        yield m.Update(self.channel, exchange.answer(asked, now_ns), time=now_ns)

    def due(self, exchange: Exchange, now_ns: int, _: float) -> Iterator[m.Update]:
        """Tell it when another second, or minute, has begun."""
        at = now_ns // self._every_ns
        if self._last is not None and at != self._last:
            yield from self.first(exchange, now_ns)
        self._last = at


# ----------------------------------------------------------------------------- the account's


class _EventFeed:
    """What happens to an account's orders, told at the look after it happened."""

    every_s: ClassVar[float] = 0.0

    def __init__(self, asked: Asked) -> None:
        self.channel: Any = asked.channel
        self._account = asked.account
        self._told: int | None = None
        self._seen = 0

    def _events(self, exchange: Exchange, now_ns: int) -> list[Event]:
        exchange.advance(now_ns)
        log = exchange.log
        if self._told is None:
            self._told = self._seen = log.end
        events = log.between(self._told, self._seen)
        self._told, self._seen = self._seen, log.end
        return [
            event
            for event in events
            if event.account == self._account and self.channel.symbol in {None, event.symbol}
        ]


class OrderFeed(_EventFeed):
    """Orders: the open ones first, then each as it stands after an event."""

    channel: OrderChannel

    def first(self, exchange: Exchange, now_ns: int) -> Iterator[m.Update]:
        """Tell the open orders, the oldest first."""
        asked = op.GetOpenOrders(self.channel.symbol, page_size=10**6)
        answer = exchange.answer(asked, now_ns, self._account)
        oldest_first = range(len(answer))[::-1]
        yield m.Update(self.channel, _rows(answer, list(oldest_first)), time=now_ns)

    def due(self, exchange: Exchange, now_ns: int, _: float) -> Iterator[m.Update]:
        """Tell one order an event."""
        for event in self._events(exchange, now_ns):
            yield m.Update(self.channel, Answer(ORDERS, event.order), "delta", event.time_ns)


class FillFeed(_EventFeed):
    """Own trades, as they happen."""

    channel: FillChannel

    def first(self, *_: object) -> Iterator[m.Update]:
        """Tell nothing: past trades are asked for elsewhere."""
        yield from ()

    def due(self, exchange: Exchange, now_ns: int, _: float) -> Iterator[m.Update]:
        """Tell one trade an event."""
        for event in self._events(exchange, now_ns):
            if event.fill is not None:
                answer = Answer(FILLS, fill_columns([event.fill]))
                yield m.Update(self.channel, answer, "delta", event.time_ns)


class BalanceFeed:
    """Balances: at once when an amount changed, every two seconds when their worth did."""

    every_s: ClassVar[float] = 0.0

    def __init__(self, asked: Asked) -> None:
        self.channel: Channel = asked.channel
        self._account = asked.account
        self._every_s = BALANCE_S * asked.pace
        self._told: Columns = {}
        self._told_at = 0.0
        self._changed = False

    def first(self, exchange: Exchange, now_ns: int) -> Iterator[m.Update]:
        """Tell the balances of now."""
        answer = exchange.answer(op.GetAccount(), now_ns, self._account)
        yield m.Update(self.channel, answer, time=now_ns)

    def due(self, exchange: Exchange, now_ns: int, monotonic: float) -> Iterator[m.Update]:
        """Tell them where they changed."""
        answer = exchange.answer(op.GetAccount(), now_ns, self._account)
        before, new = self._told, answer.columns
        if not before:
            self._told, self._told_at = new, monotonic
            return
        moved = any(before[name] != new[name] for name in ("coin", "available", "locked"))
        is_late = monotonic - self._told_at >= self._every_s
        # What an act changed is told at the look after it, like the order it belongs to.
        if self._changed or (new != before and is_late):
            self._told, self._told_at, self._changed = new, monotonic, False
            yield m.Update(self.channel, answer, time=now_ns)
        elif moved:
            self._changed = True


class PositionFeed:
    """Positions: there are none, and none come."""

    every_s: ClassVar[float] = 0.0

    def __init__(self, asked: Asked) -> None:
        self.channel: PositionChannel = asked.channel
        self._account = asked.account

    def first(self, exchange: Exchange, now_ns: int) -> Iterator[m.Update]:
        """Tell that there are none."""
        answer = exchange.answer(op.GetPositions(), now_ns, self._account)
        yield m.Update(self.channel, answer, time=now_ns)

    def due(self, *_: object) -> Iterator[m.Update]:
        """Tell nothing."""
        yield from ()


def _rows(answer: Answer, where: list[int]) -> Answer:
    columns = {name: [values[at] for at in where] for name, values in answer.columns.items()}
    return replace(answer, columns=columns)
