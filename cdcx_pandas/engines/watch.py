"""What one `Live` watches: routes a stream's events to tracks, and tracks' questions to the venue.

It is told what happened and when; it opens nothing, waits for nothing, and knows no clock. The
threads of a live stream and the replay of a recorded one drive it alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from cdcx_pandas import messages as m
from cdcx_pandas.channels import (
    BalanceChannel,
    Channel,
    DepthChannel,
    FillChannel,
    KlineChannel,
    OrderChannel,
    TickerChannel,
    TradeChannel,
)
from cdcx_pandas.dialects.base import Paging
from cdcx_pandas.engines import stream
from cdcx_pandas.engines.tracks.bars import BarTrack
from cdcx_pandas.engines.tracks.board import BalanceTrack, Board, OrderTrack, TickerTrack
from cdcx_pandas.engines.tracks.books import BookTrack
from cdcx_pandas.engines.tracks.fills import FillTrack
from cdcx_pandas.engines.tracks.gaps import Gaps
from cdcx_pandas.engines.tracks.trades import TradeTrack
from cdcx_pandas.frames.rolling import RollingFrame
from cdcx_pandas.operations import GetKlines, GetTrades
from cdcx_pandas.tables import ACCOUNT, FILLS, KLINES, ORDERS, RECEIVED, TICKERS, TRADES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cdcx_pandas.dialects.base import Dialect
    from cdcx_pandas.engines.tracks.track import Now, Track
    from cdcx_pandas.operations import Operation

EVERYTHING = "*"
MARKET = ("klines", "trades", "depth", "ticker")
USER = ("orders", "my_trades", "account")


@dataclass(frozen=True)
class Plan:
    """What is to be watched.

    Attributes
    ----------
    symbols
        The markets.
    is_single
        Whether one was named by itself: its frames then have no column ``symbol``.
    period, step, window
        Of the klines; of the book; how many rows are kept.
    channels
        Words of `MARKET` and `USER`.
    is_everything
        Whether the markets are all there are.
    """

    symbols: tuple[str, ...]
    is_single: bool
    period: str
    channels: tuple[str, ...]
    step: int = 0
    window: int = 5000
    is_everything: bool = False


class Question(NamedTuple):
    """Something a track wants to know of the venue; a probe tells whether a channel is mute."""

    channel: Channel
    operation: Operation[Any]
    is_probe: bool = False


class Watch:
    """All tracks of one `Live`, and the frames they fill.

    Parameters
    ----------
    plan
        What is watched.
    dialect
        How the venue speaks, knowing its markets.

    Attributes
    ----------
    klines, trades, my_trades
        Rolling frames; None where not watched.
    tickers, orders, account
        Boards; None where not watched.
    books
        Symbol → its book.
    gaps
        What may be, or is, missing.
    version
        Changes with whatever can be seen.
    messages
        How much news came.
    changed
        The words of channels that had news; who looks takes them away.
    refused
        Channel → why the venue does not tell it.
    """

    def __init__(self, plan: Plan, dialect: Dialect) -> None:
        self.plan = plan
        self.gaps = Gaps()
        self.version = self.messages = 0
        self.refused: dict[Channel | None, str] = {}
        self.books: dict[str, BookTrack] = {}
        self.changed: set[str] = set()
        symbols = () if plan.is_single else plan.symbols
        watched = set(plan.channels)

        def rolling(name: str, table: Any, **how: Any) -> RollingFrame | None:
            if name not in watched:
                return None
            return RollingFrame(table, plan.window, extra=(RECEIVED,), **how)

        self.klines = rolling("klines", KLINES, symbols=symbols)
        self.trades = rolling("trades", TRADES, symbols=symbols, numbered="id")
        self.my_trades = rolling("my_trades", FILLS, numbered="id")
        self.tickers = Board(TICKERS, order=plan.symbols) if "ticker" in watched else None
        self.orders = Board(ORDERS, plan.window) if "orders" in watched else None
        self.account = Board(ACCOUNT) if "account" in watched else None
        self._tracks: dict[Channel, Track] = {}
        self._past: set[Channel] = set()
        self._has_data: set[Channel] = set()
        self._probes: list[Channel] = []
        for channel in _channels(plan):
            known = _as_told(channel, dialect)
            self._tracks[known] = self._track(known, dialect)
        self._past.update(self._tracks)

    def _track(self, channel: Channel, dialect: Dialect) -> Track:
        has_symbol = not self.plan.is_single
        match channel:
            case KlineChannel() if self.klines is not None:
                rows = dialect.endpoint(GetKlines(channel.symbol, channel.period)).page_rows or 1
                return BarTrack(
                    channel, self.klines, self.gaps, has_symbol=has_symbol, page_rows=rows
                )
            case TradeChannel() if self.trades is not None:
                endpoint = dialect.endpoint(GetTrades(channel.symbol))
                return TradeTrack(
                    channel,
                    self.trades,
                    self.gaps,
                    has_symbol=has_symbol,
                    page_rows=endpoint.page_rows or 1,
                    reaches_back=endpoint.paging is Paging.BACKWARD,
                )
            case DepthChannel():
                return self.books.setdefault(channel.symbol, BookTrack(channel))
            case TickerChannel() if self.tickers is not None:
                return TickerTrack(channel, self.tickers)
            case OrderChannel() if self.orders is not None:
                return OrderTrack(channel, self.orders, self.gaps)
            case FillChannel() if self.my_trades is not None:
                return FillTrack(channel, self.my_trades, self.gaps)
            case BalanceChannel() if self.account is not None:
                return BalanceTrack(channel, self.account)
            case _:
                raise AssertionError(f"nobody asked for {channel}")

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What is to be listened to, as the venue's stream names it."""
        return tuple(self._tracks)

    # --------------------------------------------------------------------------- the stream

    def take(self, events: Iterable[stream.Event], now: Now) -> None:
        """Take what a connection tells; news of one channel is taken together."""
        news: dict[Channel, list[m.Update]] = {}
        for event in events:
            if type(event) is m.Update:
                if event.channel in self._tracks:
                    news.setdefault(event.channel, []).append(event)
                continue
            self._news(news, now)
            news = {}
            self._happened(event, now)
        self._news(news, now)

    def _news(self, news: dict[Channel, list[m.Update]], now: Now) -> None:
        for channel, updates in news.items():
            track = self._tracks[channel]
            self.messages += len(updates)
            for update in _together(updates):
                track.news(update, now)
            self.changed.add(NAMES[type(channel)])
            self._has_data.add(channel)
            self.version += 1

    def _happened(self, event: stream.Event, now: Now) -> None:
        match event:
            case stream.Interrupted(channels, why):
                for channel in channels:
                    if channel in self._tracks:
                        self._tracks[channel].interrupted(why, now)
            case stream.Resumed(channel) if channel in self._tracks:
                self._tracks[channel].resumed(now)
            case stream.Probe(channel) if channel in self._tracks:
                self._probes.append(channel)
            case stream.Refused(refused, text) if refused is None or refused in self._tracks:
                self.refused[refused] = text
                if refused is not None:
                    self._past.discard(refused)
            case _:
                return
        self.version += 1

    def resubscribe(self) -> tuple[Channel, ...]:
        """Return the channels of books that are needed whole, once each."""
        wanted = [book for book in self.books.values() if book.wants_whole]
        for book in wanted:
            book.wants_whole = False
        return tuple(book.channel for book in wanted)

    # ---------------------------------------------------------------------------- the venue

    def questions(self, now: Now) -> list[Question]:
        """Return what the venue is to be asked; each is answered, or said to have failed."""
        asked = []
        for channel in self._probes:
            operation = self._tracks[channel].probe()
            if operation is not None:
                asked.append(Question(channel, operation, is_probe=True))
        self._probes.clear()
        for channel, track in self._tracks.items():
            if channel in self.refused:
                continue
            operation = track.question(now)
            if operation is not None:
                asked.append(Question(channel, operation))
            elif channel in self._past and track.heard_at is not None and not _asks(track):
                self._past.discard(channel)
        return asked

    def answered(self, question: Question, answer: Any, now: Now) -> bool:
        """Take an answer; tell whether it holds what the stream should have told."""
        track = self._tracks[question.channel]
        is_newer = question.is_probe and track.is_newer(answer)
        if not question.is_probe:
            track.answered(question.operation, answer, now)
            self.changed.add(NAMES[type(question.channel)])
        self._past.discard(question.channel)
        if len(answer):
            self._has_data.add(question.channel)
        self.version += 1
        return is_newer

    def failed(self, question: Question, now: Now) -> None:
        """Take note that there was no answer."""
        if not question.is_probe:
            self._tracks[question.channel].unanswered(now)

    def tick(self, now: Now) -> None:
        """Do what is due."""
        before = self.gaps.version
        for track in self._tracks.values():
            track.tick(now)
        self.version += self.gaps.version != before

    # ------------------------------------------------------------------------------ reading

    @property
    def is_filled(self) -> bool:
        """Whether every market channel that is not refused has data, and its past was asked for."""
        wanted = [
            channel
            for channel in self._tracks
            if isinstance(channel, KlineChannel | TradeChannel | DepthChannel | TickerChannel)
            and channel not in self.refused
        ]
        return all(self._is_filled(channel) for channel in wanted)

    def _is_filled(self, channel: Channel) -> bool:
        if isinstance(channel, DepthChannel):
            return self.books[channel.symbol].is_whole
        return channel in self._has_data and channel not in self._past

    def heard_at(self, kind: type[Any]) -> float | None:
        """Return when any channel of a kind had news last, monotonic."""
        heard = [
            track.heard_at
            for channel, track in self._tracks.items()
            if isinstance(channel, kind) and track.heard_at is not None
        ]
        return max(heard, default=None)

    def corrected(self) -> int:
        """Return how many final bars differ from the stream's last word about them."""
        return sum(
            track.corrected for track in self._tracks.values() if isinstance(track, BarTrack)
        )

    def memory_bytes(self) -> int:
        """Return what the frames take."""
        frames = (self.klines, self.trades, self.my_trades)
        return sum(frame.memory_bytes for frame in frames if frame is not None)


NAMES: dict[type[Any], str] = {
    KlineChannel: "klines", TradeChannel: "trades", DepthChannel: "depth",
    TickerChannel: "ticker", OrderChannel: "orders", FillChannel: "my_trades",
    BalanceChannel: "account",
}  # fmt: skip
"""Family of channels → the word of `Live` for it."""


def _channels(plan: Plan) -> list[Channel]:
    """Return the channels of a plan, market by market."""
    made: dict[str, Callable[[str], Channel]] = {
        "klines": lambda symbol: KlineChannel(symbol, plan.period),
        "trades": TradeChannel,
        "depth": lambda symbol: DepthChannel(symbol, plan.step),
        "ticker": TickerChannel,
    }
    of_markets = [
        made[name](symbol) for symbol in plan.symbols for name in MARKET if name in plan.channels
    ]
    of_account: list[Channel] = []
    if "orders" in plan.channels:
        of_account.append(OrderChannel())
    if "my_trades" in plan.channels:
        of_account.append(FillChannel())
    if "account" in plan.channels:
        of_account.append(BalanceChannel())
    return of_markets + of_account


def _as_told(channel: Channel, dialect: Dialect) -> Channel:
    """Return a channel as the venue's frames name it: what is left open gets its usual value."""
    read = dialect.decode_frame(dialect.encode_frame(m.Subscribe((channel,))))
    assert isinstance(read, m.Subscribe), "what is written as a wish is read as one"
    (told,) = read.channels
    return told


def _asks(track: Track) -> bool:
    return not isinstance(track, TickerTrack | BookTrack | BalanceTrack)


def _together(updates: list[m.Update]) -> list[m.Update]:
    """Join news that only adds rows, so that it is written at once."""
    if len(updates) == 1 or not isinstance(updates[0].channel, TradeChannel):
        return updates
    first, columns = updates[0], [update.answer.columns for update in updates]
    names = [name for name in columns[0] if all(name in one for one in columns)]
    joined = {name: [value for one in columns for value in one[name]] for name in names}
    answer = type(first.answer)(first.answer.table, joined)
    return [m.Update(first.channel, answer, first.mode, updates[-1].time)]
