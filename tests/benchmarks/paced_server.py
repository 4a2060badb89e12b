"""A busy market at a steady pace, of frames encoded beforehand: `raw_server`, without its haste.

``python -m tests.benchmarks.paced_server FRAMES`` prints its port and serves today's wire until
its standard input ends. On ``/go?rate=R`` whoever subscribed gets R frames a second, in slices of
ten milliseconds, for as long as it listens: mostly trades, each with its own number, and in
between the bar of now, whole books and tickers, which come round again when they were all told.
"""

from __future__ import annotations

import random
import socket
import sys
import threading
import time
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.channels import DepthChannel, KlineChannel, TickerChannel
from cdcx_pandas.tables import DEPTH, KLINES, SYMBOLS, TICKERS, TRADES, Answer, Columns
from tests.benchmarks import raw_server
from tests.benchmarks.raw_server import MARKET, PAGE, framed

SPEAKS = raw_server.DIALECTS["exchange"]
SLICE_S = 0.01
EVERY = 10
"""One frame in so many is no trade."""
OTHERS = 300
LEVELS = 50
BARS = 300
MINUTE_NS = 60 * 10**9


def bars(count: int, dice: random.Random) -> Columns:
    """Make the newest bars, the one of now as the last."""
    last = time.time_ns() // MINUTE_NS * MINUTE_NS
    opens = [Decimal(dice.randint(5_990_000, 6_010_000)) / 100 for _ in range(count)]
    return {
        "time": [last - n * MINUTE_NS for n in reversed(range(count))],
        "open": opens, "high": [price + 20 for price in opens],
        "low": [price - 20 for price in opens], "close": [price + 5 for price in opens],
        "volume": [Decimal(dice.randint(1, 900)) / 100 for _ in range(count)],
    }  # fmt: skip


def book(dice: random.Random) -> Columns:
    """Make a whole book."""
    middle = 6_000_000 + dice.randint(-1000, 1000)
    steps = range(LEVELS)
    return {
        "side": ["bid"] * LEVELS + ["ask"] * LEVELS,
        "level": [*steps, *steps],
        "price": [Decimal(middle - 1 - n) / 100 for n in steps]
        + [Decimal(middle + 1 + n) / 100 for n in steps],
        "amount": [Decimal(dice.randint(1, 90_000)) / 10**5 for _ in range(2 * LEVELS)],
        "orders": [dice.randint(1, 9) for _ in range(2 * LEVELS)],
    }


def ticker(dice: random.Random) -> Columns:
    """Make a ticker."""
    last = Decimal(6_000_000 + dice.randint(-1000, 1000)) / 100
    return {
        "symbol": ["btcusdt"], "last": [last], "bid": [last], "ask": [last + 1],
        "high": [last + 900], "low": [last - 900], "volume": [Decimal("965.5")],
        "quote_volume": [Decimal(57_000_000)], "change": [Decimal("-0.0279")],
        "time": [time.time_ns() // 10**6 * 10**6],
    }  # fmt: skip


def others() -> list[bytes]:
    """Encode what is told besides trades, in turns."""
    made: list[bytes] = []
    dice, sequence = random.Random(1), 1
    for _ in range(OTHERS // 3):
        sequence += 1
        now = time.time_ns()
        updates = (
            m.Update(KlineChannel("btcusdt", "1min"), Answer(KLINES, bars(1, dice)), time=now),
            m.Update(
                DepthChannel("btcusdt"), Answer(DEPTH, book(dice)), time=now, sequence=sequence
            ),
            m.Update(TickerChannel("btcusdt"), Answer(TICKERS, ticker(dice)), time=now),
        )
        made += [framed(SPEAKS.encode_frame(update)) for update in updates]
    return made


class Market:
    """Frames, and who waits for them."""

    def __init__(self, count: int) -> None:
        self.trades = list(raw_server.frames("exchange", count))
        self.changed = threading.Condition()
        self.waiting: list[socket.socket] = []

    def wait(self, line: socket.socket, _: str) -> None:
        """Take note of a listener."""
        with self.changed:
            self.waiting.append(line)
            self.changed.notify_all()

    def go(self, rate: float) -> None:
        """Send to the one that waits, from now on, on a thread of its own."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.waiting, 30), "nobody came"
            line = self.waiting.pop()
        threading.Thread(target=self._send, args=(line, rate), daemon=True).start()

    def _send(self, line: socket.socket, rate: float) -> None:
        rest, trades = others(), iter(self.trades)
        sent, begun = 0, time.monotonic()
        while True:
            due = int((time.monotonic() - begun) * rate)
            some = [
                rest[at // EVERY % OTHERS] if at % EVERY == 0 else next(trades, b"")
                for at in range(sent, due)
            ]
            try:
                line.sendall(b"".join(some))
            except OSError:
                return  # the other side has seen enough
            sent = due
            time.sleep(SLICE_S)


class Handler(raw_server.Handler):
    """Answers what a whole `Live` asks, and opens streams."""

    def do_GET(self) -> None:  # noqa: N802  # the library's name
        """Answer, or open a stream, or let who waits have it."""
        url = urlsplit(self.path)
        if "upgrade" in self.headers.get("Connection", "").lower():
            self._stream("exchange")
        elif url.path == "/go":
            self.server.sender.go(float(parse_qs(url.query)["rate"][0]))
            self._answer(b"{}")
        else:
            asked, answer = _told(url.path)
            self._answer(SPEAKS.encode_response(asked, answer).body)


def _told(path: str) -> tuple[op.Operation[Any], Answer]:
    dice = random.Random(2)
    if "instruments" in path:
        return op.GetSymbols(), Answer(SYMBOLS, MARKET)
    if "candlestick" in path:
        return op.GetKlines("btcusdt", "1min"), Answer(KLINES, bars(BARS, dice))
    if "tickers" in path:
        return op.GetTicker("btcusdt"), Answer(TICKERS, ticker(dice))
    if "book" in path:
        return op.GetDepth("btcusdt"), Answer(DEPTH, book(dice))
    return op.GetTrades("btcusdt"), Answer(TRADES, raw_server.trades(0, PAGE, "exchange"))


class Server(raw_server.Server):
    """The server."""

    def __init__(self, count: int) -> None:
        super().__init__(0)
        self.RequestHandlerClass = Handler
        self.sender: Any = Market(count)


def main(count: int) -> None:
    """Serve until nobody holds the other end of standard input."""
    server = Server(count)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
