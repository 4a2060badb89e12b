"""A made-up market that can be looked at like a `Live`: seeded, and as fast as one likes."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from typing import Any

from cdcx_pandas import periods
from cdcx_pandas.errors import BadRequest

PICKABLE = ("btcusdt", "ethusdt", "crousdt", "solusdt")
STARTS = {"btcusdt": 50_000.0, "ethusdt": 3_000.0, "crousdt": 0.12, "solusdt": 140.0}
CHANNELS = ("klines", "trades", "depth", "ticker")


class FakeSource:
    """Keeps the promises of `Source` without any venue.

    Parameters
    ----------
    symbols, period
        What it pretends to watch; ``("*",)`` has a board alone.
    rate
        Events a second. 0: nothing happens by itself; `step` makes it happen.
    history
        Bars to begin with.
    channels
        Which of the four there are.
    simulated
        Whether the venue is a made-up one.
    clock_ms
        Where its time begins; it goes on as time does.
    """

    def __init__(
        self,
        symbols: tuple[str, ...] = ("btcusdt",),
        period: str = "1min",
        *,
        seed: int = 7,
        rate: float = 50.0,
        history: int = 300,
        channels: tuple[str, ...] = CHANNELS,
        simulated: bool = True,
        clock_ms: int | None = None,
    ) -> None:
        self.symbols, self.period = symbols, period
        self.channels, self.simulated = channels, simulated
        self.is_paused = self.is_stopped = False
        self.state, self.why = "live", ""
        self.calls: list[str] = []
        self.others: dict[tuple[str, str], FakeSource] = {}
        self.blocks_s = 0.0  # how long the blocking calls take
        self.raises: Exception | None = None  # what `scene` meets
        self.gaps: list[list[Any]] = []
        self._lock = threading.RLock()
        self._random = random.Random(seed)
        self._offset_ms = 0 if clock_ms is None else clock_ms - time.time() * 1000
        self._version = 0
        self._number = 0
        self._reconnects = self._repaired = self._lost = 0
        markets = PICKABLE if symbols == ("*",) else symbols
        self.markets = {name: _Market(self, name, history) for name in markets}
        self._rate = rate
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake-feed", daemon=True)
        if rate:
            self._thread.start()

    # ----------------------------------------------------------------------------- the promises

    def scene(self, symbol: str | None, since: int | None) -> dict[str, Any]:
        """Return a keyframe or what is new."""
        with self._lock:
            if self.raises is not None:
                raise self.raises
            is_key = since is None
            known = -1 if since is None else since
            name = symbol or (PICKABLE[0] if self.symbols == ("*",) else self.symbols[0])
            scene: dict[str, Any] = {
                "version": self._version,
                "key": is_key,
                "symbol": name,
                "period": self.period,
                "period_ms": self.period_ms,
                "symbols": list(self.symbols),
                "pickable": list(PICKABLE),
                "periods": list(periods.PERIODS),
                "venue": "sandbox" if self.simulated else "exchange",
                "simulated": self.simulated,
                "can_cut": self.simulated,
                "state": self.state,
                "why": self.why,
                "now_ms": self.now_ms(),
                "decimals": {"price": 4 if STARTS[name] < 1 else 2, "amount": 6},
                "health": self._health(),
                "gaps": self.gaps[-100:],
            }
            if self.symbols != ("*",):
                scene |= self.markets[name].scene(known, self.channels)
            if len(self.markets) > 1:
                scene["board"] = [market.board_row() for market in self.markets.values()]
            return scene

    def older_bars(self, symbol: str, before_ms: int, count: int) -> list[list[Any]]:
        """Return made-up history; it begins a thousand bars before the window."""
        self._block("older_bars")
        return self.markets[symbol].older(before_ms, count)

    def other(self, symbol: str, period: str) -> FakeSource:
        """Return the fake of another market."""
        self._block("other")
        if symbol not in PICKABLE:
            raise BadRequest(f"No symbol {symbol}.", why="The fake has four.", todo="Take one.")
        key = (symbol, period)
        if key not in self.others or self.others[key].is_stopped:
            self.others[key] = FakeSource((symbol,), period, rate=self._rate)
        return self.others[key]

    def pause(self) -> None:
        """Hold the picture."""
        self.is_paused = True

    def resume(self) -> None:
        """Let it go."""
        self.is_paused = False

    def stop(self) -> None:
        """End the feed and, as `Live` does, leave a picture."""
        from cdcx_pandas.widgets import view

        self._ended.set()
        if not self.is_stopped:
            view.freeze_views_of(self)
        self.is_stopped = True
        self.state = "stopped"

    def cut(self) -> None:
        """Lose the wire for two seconds; bars and trades are repaired, depth cannot be."""
        self._block("cut")
        threading.Thread(target=self._lose_and_heal, name="fake-cut", daemon=True).start()

    # ------------------------------------------------------------------------------ how it moves

    def now_ms(self) -> int:
        """Return the time of the made-up venue."""
        return int(time.time() * 1000 + self._offset_ms)

    @property
    def period_ms(self) -> int | None:
        """Return the length of a bar; None for a month."""
        length = periods.FIXED_NS.get(self.period)
        return None if length is None else length // 1_000_000

    def step(self, events: int = 1) -> None:
        """Let so many events happen."""
        with self._lock:
            for _ in range(events):
                self._version += 1
                market = self._random.choice(list(self.markets.values()))
                market.happen(self._random, self._version)

    def _run(self) -> None:
        began, done = time.monotonic(), 0
        while not self._ended.wait(0.02):
            due = int((time.monotonic() - began) * self._rate)
            if self.state == "live":
                self.step(due - done)
            done = due

    def _lose_and_heal(self) -> None:
        start = self.now_ms()
        self.state, self.why = "reconnecting", "the wire was cut; next attempt in 1 s"
        with self._lock:
            self._version += 1
            self.gaps = [
                *self.gaps,
                *([name, start, None, 0, "wire cut"] for name in self.channels),
            ]
        time.sleep(2)
        with self._lock:
            end = self.now_ms()
            for gap in self.gaps:
                if gap[2] is None:
                    gap[2], gap[3] = end, int(gap[0] != "depth")
            self._reconnects += 1
            self._repaired += 2
            self._lost += 1
            self.state, self.why = "live", ""

    def _health(self) -> dict[str, Any]:
        return {
            "ages": dict.fromkeys(self.channels, 0.02),
            "reconnects": self._reconnects,
            "repaired": self._repaired,
            "lost": self._lost,
            "messages_per_s": float(self._rate),
            "memory_bytes": 4_200_000,
            "last_error": "",
            "callback_errors": 0,
        }

    def _block(self, name: str) -> None:
        self.calls.append(name)
        time.sleep(self.blocks_s)


class _Market:
    """One random walk, with its bars, trades and book."""

    def __init__(self, source: FakeSource, name: str, history: int) -> None:
        self.source, self.name = source, name
        self.price = self.opened = STARTS[name]
        self.tick = 0.0001 if self.price < 1 else 0.01
        self.trades: deque[list[Any]] = deque(maxlen=60)
        self.versions: deque[int] = deque(maxlen=60)
        self.bars: list[list[Any]] = []
        self.changed: dict[int, int] = {}  # a bar's time -> the version of its last change
        self.book_version = 0
        chance = random.Random(name)
        start = self._open_of(source.now_ms())
        times = [start]
        while len(times) < history:
            times.append(self._open_of(times[-1] - 1))
        for time_ms in reversed(times):
            self._walk_bar(time_ms, chance)
        self.bars[-1][6] = 0
        self._make_book(chance)
        for _ in range(40):
            self._trade(chance, 0)

    def happen(self, chance: random.Random, version: int) -> None:
        """Let one thing happen: a trade, or a change of the book."""
        if chance.random() < 0.4:
            self.price = max(self.tick, self.price * (1 + chance.gauss(0, 0.00008)))
            self._trade(chance, version)
            self._into_bar(version)
        else:
            self._make_book(chance)
            self.book_version = version

    def scene(self, known: int, channels: tuple[str, ...]) -> dict[str, Any]:
        """Return the parts that the channels give and that are newer than a version."""
        made: dict[str, Any] = {}
        is_key = known < 0
        if "ticker" in channels:
            last = round(self.price, 4)
            made["price"] = {
                "last": last, "bid": self.bids[0][0], "ask": self.asks[0][0],
                "change": self.price / self.opened - 1, "high": self.opened * 1.02,
                "low": self.opened * 0.98, "volume": 1234.5,
            }  # fmt: skip
        if "klines" in channels:
            made["bars"] = (
                self.bars[-1000:]
                if is_key
                else [bar for bar in self.bars[-5:] if self.changed.get(bar[0], -1) > known]
            )
        if "trades" in channels:
            pairs = zip(self.trades, self.versions, strict=True)
            made["trades"] = [trade for trade, version in pairs if version > known]
        if "depth" in channels and (is_key or self.book_version > known):
            made["book"] = {"bids": self.bids, "asks": self.asks, "stale": False, "step": 0}
        return made

    def board_row(self) -> list[Any]:
        """Return the market's line of the watch-list."""
        bid, ask = self.bids[0][0], self.asks[0][0]
        return [self.name, round(self.price, 4), bid, ask, self.price / self.opened - 1, 1234.5]

    def older(self, before_ms: int, count: int) -> list[list[Any]]:
        """Return made-up bars before a time, none beyond a thousand before the window."""
        first = self.bars[0][0]
        made: list[list[Any]] = []
        time_ms = self._open_of(before_ms - 1)
        length = self.source.period_ms or 2_600_000_000
        while len(made) < count and time_ms >= first - 1000 * length:
            price = STARTS[self.name] * (1 + 0.01 * random.Random(time_ms).gauss(0, 1))
            made.append([time_ms, price, price * 1.002, price * 0.998, price * 1.001, 3.0, 1])
            time_ms = self._open_of(time_ms - 1)
        return made[::-1]

    def _open_of(self, time_ms: int) -> int:
        return periods.floor_time(self.source.period, time_ms * 1_000_000) // 1_000_000

    def _walk_bar(self, time_ms: int, chance: random.Random) -> None:
        open_ = self.price
        path = [open_ * (1 + chance.gauss(0, 0.0008) * i**0.5) for i in range(1, 5)]
        self.price = path[-1]
        high, low = max(open_, *path), min(open_, *path)
        volume = abs(chance.gauss(0, 4)) + 0.5
        self.bars.append([time_ms, open_, high, low, self.price, volume, 1])

    def _trade(self, chance: random.Random, version: int) -> None:
        self.source._number += 1
        amount = round(chance.expovariate(8), 6)
        buy = int(chance.random() < 0.5)
        price = round(self.price, 4)
        now = self.source.now_ms()
        self.trades.append([now, price, amount, buy, str(self.source._number)])
        self.versions.append(version)

    def _into_bar(self, version: int) -> None:
        time_ms = self._open_of(self.source.now_ms())
        last = self.bars[-1]
        if last[0] != time_ms:
            last[6] = 1
            self.changed[last[0]] = version
            last = [time_ms, self.price, self.price, self.price, self.price, 0.0, 0]
            self.bars.append(last)
        last[2], last[3] = max(last[2], self.price), min(last[3], self.price)
        last[4], last[5] = self.price, last[5] + 0.002
        self.changed[time_ms] = version

    def _make_book(self, chance: random.Random) -> None:
        step = max(self.tick, self.price * 0.00002)

        def side(sign: int) -> list[list[float]]:
            return [
                [round(self.price + sign * step * (i + 0.5), 4), round(chance.expovariate(1), 4)]
                for i in range(50)
            ]

        self.bids, self.asks = side(-1), side(1)
