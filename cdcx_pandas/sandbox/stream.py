"""What a stream owes its listeners: subscriptions, due updates and pings, without I/O.

A feed is one channel as all its listeners see it; an update is made once and sent to all. A
connection remembers which feeds it listens to and how many pings it left unanswered. Time and
the exchange are arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.channels import (
    Channel,
    DepthChannel,
    KlineChannel,
    TickerChannel,
    TickersChannel,
    TradeChannel,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cdcx_pandas.sandbox.exchange import Exchange
    from cdcx_pandas.tables import Answer, Columns

HISTORY_ROWS = 300
TOP_TRADES = 200
REPEAT_BOOK_S = 10.0
WHOLE_BOOK_EVERY_S = 30.0
MISSED_PINGS = 3


@dataclass
class Feed:
    """One channel: what was told last."""

    channel: Channel
    incremental: bool = False
    last_id: int = 0
    last: Columns = field(default_factory=dict)
    book_key: Any = None
    told_at: float = 0.0
    whole_at: float = 0.0

    def first(self, exchange: Exchange, now_ns: int) -> Iterator[m.Update]:
        """Return what a new listener is told at once."""
        match self.channel:
            case KlineChannel(symbol, period):
                yield self._update(exchange.bar(symbol, period, now_ns), now_ns)
            case TickerChannel(symbol):
                yield self._update(exchange.ticker(symbol, now_ns), now_ns)
            case DepthChannel():
                yield self._update(self._book(exchange, now_ns), now_ns)
            case TradeChannel() | TickersChannel():
                pass

    def due(self, exchange: Exchange, now_ns: int, monotonic: float) -> Iterator[m.Update]:
        """Return what happened since it was asked last; `monotonic` paces repetitions."""
        match self.channel:
            case TradeChannel(symbol):
                if self.last_id:
                    answer = exchange.trades_after(symbol, self.last_id, now_ns)
                    if len(answer):
                        yield self._update(answer, now_ns, "delta")
                self.last_id = exchange.last_trade_id(symbol, now_ns)
            case TickerChannel(symbol):
                answer = exchange.ticker(symbol, now_ns)
                told = {k: v for k, v in answer.columns.items() if k != "time"}
                if told != self.last:
                    self.last = told
                    yield self._update(answer, now_ns)
            case KlineChannel():
                yield from self._bars(exchange, now_ns)
            case DepthChannel():
                yield from self._books(exchange, now_ns, monotonic)
            case TickersChannel():
                pass

    def _bars(self, exchange: Exchange, now_ns: int) -> Iterator[m.Update]:
        """Tell the last state of finished bars, then the bar of now, where they changed."""
        assert isinstance(self.channel, KlineChannel), "only kline feeds have bars"
        symbol, period = self.channel.symbol, self.channel.period
        since = self.last.get("time", [None])[0]
        if since is None:
            answer = exchange.bar(symbol, period, now_ns)
        else:
            answer = exchange.answer(op.GetKlines(symbol, period, start=since), now_ns)
        for row in range(len(answer)):
            bar = {name: [values[row]] for name, values in answer.columns.items()}
            if bar != self.last:
                self.last = bar
                yield self._update(replace(answer, columns=bar), now_ns)

    def _books(self, exchange: Exchange, now_ns: int, monotonic: float) -> Iterator[m.Update]:
        assert isinstance(self.channel, DepthChannel), "only depth feeds have books"
        key = exchange.book_key(self.channel.symbol, now_ns)
        if key == self.book_key and monotonic - self.told_at < REPEAT_BOOK_S:
            return
        self.book_key, self.told_at = key, monotonic
        answer = self._book(exchange, now_ns)
        levels = _levels(answer.columns)
        before, self.last = self.last, levels
        if not self.incremental or not before or monotonic - self.whole_at > WHOLE_BOOK_EVERY_S:
            self.whole_at = monotonic
            yield self._update(answer, now_ns)
            return
        for (side, price), amount in _changes(before, levels):
            columns = {"side": [side], "level": [None], "price": [price], "amount": [amount]}
            yield self._update(replace(answer, columns=columns), now_ns, "delta")

    def _book(self, exchange: Exchange, now_ns: int) -> Answer:
        assert isinstance(self.channel, DepthChannel), "only depth feeds have books"
        return exchange.book(self.channel.symbol, now_ns, self.channel.step, self.channel.levels)

    def _update(self, answer: Answer, now_ns: int, mode: Any = "snapshot") -> m.Update:
        return m.Update(self.channel, answer, mode, now_ns)


def _levels(columns: Columns) -> Any:
    keys = zip(columns["side"], columns["price"], strict=True)
    return dict(zip(keys, columns["amount"], strict=True))


def _changes(before: Any, after: Any) -> Iterator[tuple[Any, Any]]:
    """Tell removed levels first, so that a book made of these changes never crosses."""
    for key in before:
        if key not in after:
            yield key, 0
    for key, amount in after.items():
        if before.get(key) != amount:
            yield key, amount


def reply_to(request: m.Request, exchange: Exchange, now_ns: int) -> m.Reply | None:
    """Answer a question of the stream; None for one it has not."""
    match request.operation:
        case op.GetTickers():
            channel: Channel = TickersChannel()
            asked: op.Operation[Answer] = request.operation
        case op.GetTrades(symbol=symbol, limit=limit):
            channel = TradeChannel(symbol)
            asked = op.GetTrades(symbol, limit=min(limit or TOP_TRADES, TOP_TRADES))
        case op.GetKlines() as klines:
            channel = KlineChannel(klines.symbol, klines.period)
            asked = replace(klines, limit=min(klines.limit or HISTORY_ROWS, HISTORY_ROWS))
        case _:
            return None
    return m.Reply(channel, exchange.answer(asked, now_ns), request.ref, now_ns)


@dataclass
class Pings:
    """Whether the other side is there."""

    every_s: float
    missed: int = 0
    next_at: float = 0.0

    def due(self, monotonic: float) -> bool:
        """Tell whether to ask again, and count the question as missed until it is answered."""
        if monotonic < self.next_at:
            return False
        self.next_at = monotonic + self.every_s
        self.missed += 1
        return True

    @property
    def dead(self) -> bool:
        """Whether so many pings went unanswered that the connection is closed."""
        return self.missed > MISSED_PINGS

    def answered(self) -> None:
        """Take an answer."""
        self.missed = 0
