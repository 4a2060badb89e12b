"""What V1's stream owes its listeners: due updates, replies and pings, without I/O.

A feed is one channel as all its listeners see it; an update is made once and sent to all. Who
listens is known to the hub; pings know whether somebody is there. Time and the exchange are
arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

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
from cdcx_pandas.sandbox.terms import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cdcx_pandas.sandbox.exchange import Exchange
    from cdcx_pandas.sandbox.terms import Terms
    from cdcx_pandas.tables import Answer, Columns

HISTORY_ROWS = 300
TOP_TRADES = 200
REPEAT_BOOK_S = 10.0
WHOLE_BOOK_EVERY_S = 30.0
MISSED_PINGS = 3
_NO_NEWS = frozenset({"time", "bid_amount", "ask_amount"})
"""What may change in a ticker without its being told again."""


@dataclass
class Feed:
    """One channel: what was told last; `pace` is what the cadence of repetitions is times."""

    every_s: ClassVar[float] = 0.0

    channel: Channel
    incremental: bool = False
    pace: float = 1.0
    last_id: int | None = None
    last: Columns = field(default_factory=dict)
    book: Answer | None = None
    book_key: Any = None
    told_at: float = 0.0
    whole_at: float = 0.0

    def first(self, exchange: Exchange, now_ns: int) -> Iterator[m.Update]:
        """Return what a new listener is told at once."""
        match self.channel:
            case KlineChannel(symbol, period):
                bar = exchange.bar(symbol, period, now_ns)
                if len(bar):  # a replay may have none yet
                    yield self._update(bar, now_ns)
            case TickerChannel(symbol):
                yield self._update(exchange.ticker(symbol, now_ns), now_ns)
            case DepthChannel():
                # Changes are told against the book that was told last. A newer one would make
                # this listener miss a change that is undone until the next telling.
                book = self.book if self.incremental else None
                yield self._update(book or self._book(exchange, now_ns), now_ns)
            case _:
                pass

    def due(self, exchange: Exchange, now_ns: int, monotonic: float) -> Iterator[m.Update]:
        """Return what happened since it was asked last; `monotonic` paces repetitions."""
        match self.channel:
            case TradeChannel(symbol):
                if self.last_id is not None:
                    answer = exchange.trades_after(symbol, self.last_id, now_ns)
                    if len(answer):
                        yield self._update(answer, now_ns, "delta")
                self.last_id = exchange.last_trade_id(symbol, now_ns)
            case TickerChannel(symbol):
                answer = exchange.ticker(symbol, now_ns)
                told = {k: v for k, v in answer.columns.items() if k not in _NO_NEWS}
                if told != self.last:
                    self.last = told
                    yield self._update(answer, now_ns)
            case KlineChannel():
                yield from self._bars(exchange, now_ns)
            case DepthChannel():
                yield from self._books(exchange, now_ns, monotonic)
            case _:
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
        if key == self.book_key and monotonic - self.told_at < REPEAT_BOOK_S * self.pace:
            return
        before, self.book = self.book, self._book(exchange, now_ns)
        self.book_key, self.told_at = key, monotonic
        whole_s = WHOLE_BOOK_EVERY_S * self.pace
        if not self.incremental or not before or monotonic - self.whole_at > whole_s:
            self.whole_at = monotonic
            yield self._update(self.book, now_ns)
            return
        for (side, price), amount in _changes(before.columns, self.book.columns):
            columns = {"side": [side], "level": [None], "price": [price], "amount": [amount]}
            yield self._update(replace(self.book, columns=columns), now_ns, "delta")

    def _book(self, exchange: Exchange, now_ns: int) -> Answer:
        assert isinstance(self.channel, DepthChannel), "only depth feeds have books"
        return exchange.book(self.channel.symbol, now_ns, self.channel.step, self.channel.levels)

    def _update(self, answer: Answer, now_ns: int, mode: Any = "snapshot") -> m.Update:
        return m.Update(self.channel, answer, mode, now_ns)


def _changes(before: Columns, after: Columns) -> Iterator[tuple[Any, Any]]:
    """Tell removed levels first, so that a book made of these changes never crosses."""
    old, new = _levels(before), _levels(after)
    for key in old:
        if key not in new:
            yield key, 0
    for key, amount in new.items():
        if old.get(key) != amount:
            yield key, amount


def _levels(columns: Columns) -> dict[tuple[str, Any], Any]:
    keys = zip(columns["side"], columns["price"], strict=True)
    return dict(zip(keys, columns["amount"], strict=True))


def reply_to(
    request: m.Request, exchange: Exchange, now_ns: int, terms: Terms = ALL
) -> m.Reply | None:
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
    return m.Reply(channel, exchange.answer(asked, now_ns, None, terms), request.ref, now_ns)


# -------------------------------------------------------------------------------- who is there


@dataclass
class Pings:
    """Whether the other side is there.

    Attributes
    ----------
    every_s
        How often it is asked.
    next_at
        When it is asked next, monotonic.
    missed
        How many unanswered pings are too many.
    unanswered
        The values asked with since the last answer.
    """

    every_s: float
    next_at: float
    missed: int = MISSED_PINGS
    unanswered: list[int] = field(default_factory=list)

    def due(self, monotonic: float) -> bool:
        """Tell whether it is time to ask again."""
        if monotonic < self.next_at:
            return False
        self.next_at = monotonic + self.every_s
        return True

    @property
    def dead(self) -> bool:
        """Whether so many pings went unanswered that the connection is closed."""
        return len(self.unanswered) >= self.missed

    def asked(self, value: int) -> None:
        """Remember a question."""
        self.unanswered.append(value)

    def answered(self, value: int) -> None:
        """Take an answer; one to a question nobody asked is none."""
        if value in self.unanswered:
            self.unanswered.clear()
