"""A venue in virtual time: a market whose truth is known, a stream of it, and a bad network.

Everything that happens comes from one seed, so a failing run is repeated by its number. Nothing
here uses the sandbox: the market is a few lines, and the wire is written by the dialect alone.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.channels import Channel, DepthChannel, KlineChannel, TickerChannel, TradeChannel
from cdcx_pandas.dialects.base import Dialect
from cdcx_pandas.engines.reconnect import Ending, Policy
from cdcx_pandas.engines.stream import ClientStream
from cdcx_pandas.engines.tracks.track import Now
from cdcx_pandas.engines.watch import Plan, Watch
from cdcx_pandas.periods import NS_PER_MINUTE
from cdcx_pandas.tables import DEPTH, KLINES, NS_PER_MS, NS_PER_S, TICKERS, TRADES, Answer

SYMBOL = "btcusdt"
BEGIN_NS = 1_700_000_040 * NS_PER_S
CALM_S = 100.0
"""Enough for everything that is to be repaired."""
CHANNELS = ("klines", "trades", "depth", "ticker")


@dataclass(frozen=True)
class Faults:
    """How often what happens; shares of frames, of questions, or times in seconds."""

    drop: float = 0.0
    twice: float = 0.0
    swap: float = 0.0
    damage: float = 0.0
    cut_every_s: float = 0.0
    half_open: float = 0.0
    refuse: float = 0.0
    mute: float = 0.0
    unanswered: float = 0.0
    lag_s: float = 0.0


@dataclass
class Market:
    """One market: all trades, the book, and the bars they make."""

    rng: random.Random
    rate: float
    dense: bool
    trades: list[dict[str, Any]] = field(default_factory=list)
    bars: dict[int, list[Any]] = field(default_factory=dict)
    book: dict[tuple[str, Decimal], Decimal] = field(default_factory=dict)
    sequence: int = 1000
    price: Decimal = Decimal(50_000)
    next_id: int = 1_000_000

    def trade(self, now_ns: int) -> dict[str, Any]:
        """Let somebody trade."""
        rng = self.rng
        self.price = max(Decimal(100), self.price + rng.choice((-1, 0, 1)) * Decimal("0.5"))
        self.next_id += 1 if self.dense else rng.randint(1, 9)
        amount = Decimal(rng.randint(1, 999)) / 1000
        time = now_ns // NS_PER_MS * NS_PER_MS
        row = {
            "id": str(self.next_id), "match_id": str(self.next_id), "time": time,
            "price": self.price, "amount": amount, "side": rng.choice(("buy", "sell")),
        }  # fmt: skip
        self.trades.append(row)
        opening = time // NS_PER_MINUTE * NS_PER_MINUTE
        bar = self.bars.setdefault(
            opening, [self.price, self.price, self.price, self.price, Decimal(0)]
        )
        bar[1], bar[2] = max(bar[1], self.price), min(bar[2], self.price)
        bar[3], bar[4] = self.price, bar[4] + amount
        return row

    def move(self) -> dict[str, Any]:
        """Move one level of the book; return the change."""
        rng = self.rng
        side = rng.choice(("bid", "ask"))
        away = Decimal(rng.randint(1, 20))
        price = Decimal(10_000) - away if side == "bid" else Decimal(10_000) + away
        amount = Decimal(rng.choice((0, 1, 2, 3, 5)))
        if amount:
            self.book[side, price] = amount
        else:
            self.book.pop((side, price), None)
        previous, self.sequence = self.sequence, self.sequence + rng.randint(1, 1000)
        return {"side": side, "price": price, "amount": amount, "previous": previous,
                "sequence": self.sequence}  # fmt: skip

    def book_columns(self) -> dict[str, list[Any]]:
        """Return the whole book."""
        columns: dict[str, list[Any]] = {k: [] for k in ("side", "level", "price", "amount")}
        for side in ("bid", "ask"):
            prices = sorted((p for s, p in self.book if s == side), reverse=side == "bid")
            columns["side"] += [side] * len(prices)
            columns["level"] += range(len(prices))
            columns["price"] += prices
            columns["amount"] += [self.book[side, price] for price in prices]
        return columns | {"orders": [1] * len(columns["side"])}

    def bar_columns(self, times: list[int]) -> dict[str, list[Any]]:
        """Return bars."""
        names = ("open", "high", "low", "close", "volume")
        columns = {name: [self.bars[t][at] for t in times] for at, name in enumerate(names)}
        return {"time": times, **columns}


def rows(trades: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return trades as columns."""
    names = ("id", "match_id", "time", "price", "amount", "side")
    return {name: [row[name] for row in trades] for name in names}


def as_floats(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Return columns as a client reads them."""
    return {
        name: [float(v) if isinstance(v, Decimal) else v for v in values]
        for name, values in columns.items()
    }


class World:
    """A client and a venue, and the network between them.

    Parameters
    ----------
    dialect
        How they speak.
    seed
        Where all that happens comes from.
    faults
        What goes wrong, until `calm`.
    whole_books
        Whether books are told as whole ones each time.
    """

    def __init__(
        self,
        dialect: Dialect,
        seed: int,
        faults: Faults,
        *,
        rate: float = 2.0,
        dense: bool = True,
        page: int = 150,
        window: int = 5000,
        whole_books: bool = False,
        policy: Policy | None = None,
    ) -> None:
        self.rng = random.Random(seed)
        self.dialect = dialect
        self.faults = faults
        self.page = page
        self.whole_books = whole_books
        self.has_numbers = dialect.streams.changes is True
        self.market = Market(random.Random(seed + 1), rate, dense)
        self.now = 0.0
        self.connected = 0
        self.frames = 0
        self.policy = policy or Policy(most_attempts=10**9, most_damaged=10**9)
        self.stream = ClientStream(dialect, policy=self.policy, rng=self.rng)
        self.watch = Watch(Plan((SYMBOL,), True, "1min", CHANNELS, 0, window), dialect)
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._line = 0  # the connection that lives, 0 for none
        self._half_open = False
        self._is_over = False
        self._muted: set[Channel] = set()
        self._subscribed: set[Channel] = set()
        self._held: dict[Channel, str | bytes] = {}
        for _ in range(50):
            self.market.move()
        for second in range(300, 0, -1):
            if self.rng.random() < min(1.0, rate):
                self.market.trade(self.ns - second * NS_PER_S)

    @property
    def ns(self) -> int:
        """The venue's time."""
        return BEGIN_NS + int(self.now * NS_PER_S)

    def moment(self) -> Now:
        """Return the present."""
        return Now(self.now, self.ns)

    def later(self, after_s: float, do: Callable[[], None]) -> None:
        """Have something happen."""
        self._order += 1
        heapq.heappush(self._queue, (self.now + after_s, self._order, do))

    # -------------------------------------------------------------------------------- time

    def begin(self) -> None:
        """Let it begin."""
        self.stream.want(self.watch.channels, self.now)
        self.later(0.0, self._market_moves)
        self.later(0.0, self._turn)
        self.later(0.0, self._cut_now_and_then)

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, do = heapq.heappop(self._queue)
            do()
            if until is not None and until():
                return
        self.now = end

    def calm(self) -> None:
        """Let nothing go wrong any more until all is repaired; then let the market be quiet."""
        self.faults = Faults()
        self._muted.clear()
        self._half_open = False
        self.run(CALM_S)
        self._is_over = True
        self.run(1.0)  # what is on its way arrives

    # ------------------------------------------------------------------------------ client

    def _turn(self) -> None:
        """Do what a driver's threads do: ten times a second."""
        stream, watch = self.stream, self.watch
        if self.now >= stream.due:
            stream.tick(self.now)
        watch.tick(self.moment())
        for question in watch.questions(self.moment()):
            self._ask(question)
        stream.resubscribe(watch.resubscribe(), self.now)
        self._after()
        self.later(0.1, self._turn)

    def _after(self) -> None:
        """Do what the engine wants done."""
        stream = self.stream
        self.watch.take(stream.events(), self.moment())
        if stream.should_connect and not self._line:
            self._connect()
        for frame in stream.to_send():
            self._sent(frame)
        if stream.wants_ping:
            stream.wants_ping = False
            if not self._half_open and self._line:
                line = self._line
                self.later(0.05, lambda: self._pong(line))
        if stream.is_over is not None and self._line:
            self._end(stream.is_over)

    def _pong(self, line: int) -> None:
        if line == self._line and not self._half_open:
            self.stream.heard(self.now)

    def _connect(self) -> None:
        if self.rng.random() < self.faults.refuse:
            status = self.rng.choice((429, 503, None))
            after = 0.5 if status == 429 else None
            self._line = -1
            self.later(0.05, lambda: self._end(Ending("refused", None, status, after)))
            return
        self.connected += 1
        self._line = self.connected
        self._half_open = False
        self._subscribed.clear()
        self._muted.clear()
        self._held.clear()
        self.stream.opened(self.now, self.ns // NS_PER_MS)
        self._after()

    def _end(self, ending: Ending) -> None:
        self._line = 0
        self.stream.ended(ending, self.now)
        self.watch.take(self.stream.events(), self.moment())

    def _ask(self, question: Any) -> None:
        """Ask the venue: it answers after a while, or not."""
        failed = self.rng.random() < self.faults.unanswered

        def answered() -> None:
            if failed:
                self.watch.failed(question, self.moment())
                newer = None
            else:
                newer = self.watch.answered(
                    question, self._answer(question.operation), self.moment()
                )
            if question.is_probe:
                self.stream.probed(question.channel, is_newer=newer, now=self.now)
            self._after()

        self.later(0.02 + self.rng.random() * 0.3, answered)

    # ------------------------------------------------------------------------------- venue

    def _answer(self, asked: op.Operation[Any]) -> Answer:
        """Answer as the venue's REST side does, which may lag behind its stream."""
        market, until = self.market, self.ns - int(self.rng.random() * self.faults.lag_s * NS_PER_S)
        match asked:
            case op.GetTrades():
                told = [row for row in market.trades if row["time"] <= until]
                if asked.start is not None:
                    told = [r for r in told if asked.start <= r["time"] < (asked.end or 2**62)]
                else:
                    told = told[-(asked.limit or self.page) :]
                columns = rows(told)
                if not self.has_numbers:
                    del columns["match_id"]
                return Answer(TRADES, as_floats(columns))
            case op.GetKlines():
                times = [t for t in sorted(market.bars) if t <= until]
                if asked.start is not None:
                    times = [t for t in times if asked.start <= t < (asked.end or 2**62)]
                else:
                    times = times[-(asked.limit or 300) :]
                return Answer(KLINES, as_floats(market.bar_columns(times)))
            case op.GetDepth():
                return Answer(DEPTH, as_floats(market.book_columns()))
            case _:
                return Answer(TICKERS, as_floats(self._ticker()))

    def _ticker(self) -> dict[str, list[Any]]:
        price = self.market.price
        columns: dict[str, list[Any]] = {
            name: [price] for name in ("last", "bid", "ask", "high", "low", "volume")
        }
        return {"symbol": [SYMBOL], **columns, "change": [Decimal(0)],
                "time": [self.ns // NS_PER_MS * NS_PER_MS]}  # fmt: skip

    def _market_moves(self) -> None:
        """Let something happen, and tell it."""
        if self._is_over:
            return
        rate = self.market.rate
        if self.rng.random() < 0.5:
            row = self.market.trade(self.ns)
            self._tell(TradeChannel(SYMBOL), rows([row]), TRADES, "delta")
            opening = row["time"] // NS_PER_MINUTE * NS_PER_MINUTE
            self._tell(KlineChannel(SYMBOL, "1min"), self.market.bar_columns([opening]), KLINES)
        elif self.rng.random() < 0.8:
            self._tell_change(self.market.move())
        else:
            self._tell(TickerChannel(SYMBOL), self._ticker(), TICKERS)
        self.later(self.rng.expovariate(2 * rate), self._market_moves)

    def _depth(self) -> Channel:
        return next(c for c in self.watch.channels if isinstance(c, DepthChannel))

    def _tell_change(self, change: dict[str, Any]) -> None:
        if self.whole_books:
            self._tell(self._depth(), self.market.book_columns(), DEPTH)
            return
        columns = {
            "side": [change["side"]],
            "level": [None],
            "price": [change["price"]],
            "amount": [change["amount"]],
            "orders": [1 if change["amount"] else 0],
        }
        numbers = (change["sequence"], change["previous"]) if self.has_numbers else (None, None)
        self._tell(self._depth(), columns, DEPTH, "delta", *numbers)

    def _tell(
        self,
        channel: Channel,
        columns: dict[str, list[Any]],
        table: Any,
        mode: Any = "snapshot",
        *chain: int | None,
    ) -> None:
        if channel not in self._subscribed or self._line <= 0:
            return
        if table is KLINES and self.has_numbers:
            columns = columns | {"updated": columns["time"]}
        if table is TRADES and not self.has_numbers:
            columns = {k: v for k, v in columns.items() if k != "match_id"}
        update = m.Update(channel, Answer(table, columns), mode, self.ns, None, *chain)
        self._network(channel, self.dialect.encode_frame(update))

    def _network(self, channel: Channel, frame: str | bytes) -> None:
        """Carry a frame, or what becomes of it."""
        rng, faults = self.rng, self.faults
        if self._half_open or channel in self._muted:
            return
        if rng.random() < faults.mute:
            self._muted.add(channel)
            return
        if rng.random() < faults.half_open:
            self._half_open = True
            return
        if rng.random() < faults.drop:
            return
        if rng.random() < faults.damage:
            frame = frame[: len(frame) // 2]
        if rng.random() < faults.swap and channel not in self._held:
            self._held[channel] = frame
            return
        carried = [frame] * (2 if rng.random() < faults.twice else 1)
        if channel in self._held:
            carried.append(self._held.pop(channel))
        for one in carried:
            line = self._line
            self.later(0.01, lambda one=one, line=line: self._arrives(line, one))  # type: ignore[misc]  # each its own

    def _arrives(self, line: int, frame: str | bytes) -> None:
        if line != self._line or self.stream.is_over is not None:
            return
        self.frames += 1
        self.stream.heard(self.now)
        self.stream.receive(frame, self.now)
        self._after()

    def _sent(self, frame: str) -> None:
        """Hear what the client says."""
        message = self.dialect.decode_frame(frame)
        if self._half_open or self._line <= 0:
            return
        line = self._line
        if isinstance(message, m.Subscribe):
            for channel in message.channels:
                self.later(0.05, lambda c=channel: self._begin(line, c, message.ref))  # type: ignore[misc]  # as above

    def _begin(self, line: int, channel: Channel, ref: str | None) -> None:
        """Begin to tell a channel: whole books and the newest rows first."""
        if line != self._line:
            return
        self._subscribed.add(channel)
        self._muted.discard(channel)
        if self.has_numbers:
            self._carry(m.Subscribed(channel, ref))
        match channel:
            case DepthChannel():
                book = Answer(DEPTH, self.market.book_columns())
                number = self.market.sequence if self.has_numbers else None
                self._carry(m.Update(channel, book, "snapshot", self.ns, None, number))
            case TradeChannel() if self.has_numbers:
                newest = rows(self.market.trades[-50:])
                self._carry(m.Update(channel, Answer(TRADES, newest), "delta", self.ns, ref))
            case KlineChannel() if self.has_numbers:
                bars = self.market.bar_columns(sorted(self.market.bars)[-300:])
                bars["updated"] = bars["time"]
                self._carry(m.Update(channel, Answer(KLINES, bars), "snapshot", self.ns, ref))
            case _:
                pass

    def _carry(self, message: m.Message) -> None:
        frame, line = self.dialect.encode_frame(message), self._line
        self.later(0.01, lambda: self._arrives(line, frame))

    def _cut_now_and_then(self) -> None:
        every = self.faults.cut_every_s
        if every and self._line > 0:
            code = self.rng.choice((None, None, 1000, 1006, 1012, 1013))
            self._end(Ending("cut", code))
        self.later(self.rng.expovariate(1 / every) if every else 1.0, self._cut_now_and_then)


# ------------------------------------------------------------------------------------ truth


def problems(world: World) -> list[str]:
    """Return in what the client's frames differ from the truth: nothing is the only good answer."""
    return [
        *_problems_of_trades(world), *_problems_of_bars(world), *_problems_of_book(world),
    ]  # fmt: skip


def _problems_of_trades(world: World) -> list[str]:
    assert world.watch.trades is not None
    frame = world.watch.trades.frame()
    truth = {row["id"]: row for row in world.market.trades}
    lost_in = [
        (gap.start, gap.end)
        for gap in world.watch.gaps
        if gap.channel == "trades" and gap.repaired is not True
    ]
    ids = frame["id"].tolist()
    times = frame.index.as_unit("ns").asi8.tolist()
    found = []
    if len(set(ids)) != len(ids):
        found.append("trades doubled")
    if ids != sorted(ids, key=int) or times != sorted(times):
        found.append("trades out of order")
    if any(gap.repaired is None for gap in world.watch.gaps):
        found.append("a gap was never decided")
    for id_, time, price, amount, side in zip(
        ids, times, frame["price"], frame["amount"], frame["side"], strict=True
    ):
        row = truth.get(id_)
        told = (time, price, amount, side)
        if row is None or told != (
            row["time"], float(row["price"]), float(row["amount"]), row["side"]
        ):  # fmt: skip
            found.append(f"trade {id_} invented or wrong")
            break
    known = set(ids)
    lost = [
        row
        for row in world.market.trades
        if int(row["id"]) >= int(ids[0])
        and row["id"] not in known
        and not any(start <= row["time"] <= end for start, end in lost_in)
    ]
    if lost:
        found.append(f"{len(lost)} trades lost in silence, the first {lost[0]['id']}")
    for start, end in lost_in:  # what is declared lost was lost
        inside = [r for r in world.market.trades if start <= r["time"] <= end]
        if all(row["id"] in known for row in inside):
            found.append(f"a gap without a loss: {start} to {end}")
    return found


def _problems_of_bars(world: World) -> list[str]:
    assert world.watch.klines is not None
    frame = world.watch.klines.frame()
    names = ["open", "high", "low", "close", "volume"]
    closed = frame[frame["closed"]]
    times = closed.index.as_unit("ns").asi8.tolist()
    found = []
    if times != sorted(set(times)):
        found.append("bars doubled or out of order")
    for time, *bar in zip(times, *(closed[name] for name in names), strict=True):
        if bar != [float(value) for value in world.market.bars.get(time, [])]:
            found.append(f"the bar of {time} is wrong")
            break
    wanted = [t for t in sorted(world.market.bars) if times and times[0] <= t <= times[-1]]
    if wanted != times:
        found.append("bars are missing")
    over = world.ns - 5 * NS_PER_S
    newest = [t for t in world.market.bars if t + NS_PER_MINUTE < over]
    if not times or max(newest) != times[-1]:
        found.append("the newest bar that is over is not final")
    return found


def _problems_of_book(world: World) -> list[str]:
    book = world.watch.books[SYMBOL].shown()
    if book is None or book.is_stale:
        return ["the book is not whole"]
    truth = as_floats(world.market.book_columns())
    told = [book.columns[name] for name in ("side", "price", "amount")]
    if told != [truth[name] for name in ("side", "price", "amount")]:
        return ["the book is wrong"]
    return []
