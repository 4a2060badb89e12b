"""A server that only sends: frames encoded beforehand, as fast as the other side takes them.

``python -m tests.benchmarks.raw_server FRAMES`` prints its port and serves both dialects until its
standard input ends. It answers the few questions a client begins with (markets, the newest
trades), holds every listener that subscribed, and lets them have it on ``/go?frames=N``. What it
sends is the dialects' own wire, one trade a frame; while it sends, it does nothing else.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import hashlib
import random
import socket
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.channels import TradeChannel
from cdcx_pandas.dialects.base import Dialect
from cdcx_pandas.dialects.exchange import DIALECT as EXCHANGE
from cdcx_pandas.dialects.v1 import DIALECT as V1
from cdcx_pandas.tables import SYMBOLS, TRADES, Answer, Columns

PAGE = 100
FIRST_NS = 1_754_000_000_000_000_000
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

MARKET: Columns = {
    "symbol": ["btcusdt"], "base": ["BTC"], "quote": ["USDT"], "venue_symbol": ["BTC_USDT"],
    "kind": ["spot"], "price_tick": [Decimal("0.01")], "amount_tick": [Decimal("0.000001")],
    "amount_min": [None], "price_precision": [2], "amount_precision": [6], "tradable": [True],
    "expires": [None],
}  # fmt: skip
DIALECTS: dict[str, Dialect] = {"v1": V1, "exchange": EXCHANGE.knowing(MARKET)}


def trades(first: int, count: int, dialect: str) -> Columns:
    """Make trades, numbered without holes and 10 ms apart."""
    dice = random.Random(first)
    numbers = range(first, first + count)
    columns: Columns = {
        "id": [str(4_611_686_018_000_000_000 + n) for n in numbers],
        "price": [Decimal(dice.randint(5_900_000, 6_100_000)) / 100 for _ in numbers],
        "amount": [Decimal(dice.randint(1, 900_000)) / 10**6 for _ in numbers],
        "time": [FIRST_NS + n * 10_000_000 for n in numbers],
        "side": [dice.choice(("buy", "sell")) for _ in numbers],
    }
    return columns if dialect == "v1" else columns | {"match_id": columns["id"]}


def frames(dialect: str, count: int) -> Iterator[bytes]:
    """Encode trades, one a message, as WebSocket frames of a server."""
    columns = trades(PAGE, count, dialect)
    for at in range(count):
        one = {name: values[at : at + 1] for name, values in columns.items()}
        update = m.Update(TradeChannel("btcusdt"), Answer(TRADES, one), "delta", one["time"][0])
        yield framed(DIALECTS[dialect].encode_frame(update))


def framed(message: str | bytes) -> bytes:
    """Put a message in a WebSocket frame."""
    first, data = (0x81, message.encode()) if isinstance(message, str) else (0x82, message)
    if len(data) < 126:
        return bytes((first, len(data))) + data
    return bytes((first, 126)) + len(data).to_bytes(2, "big") + data


class Sender:
    """Who waits for frames, and the frames."""

    def __init__(self, count: int) -> None:
        self.frames = {name: list(frames(name, count)) for name in DIALECTS}
        self.changed = threading.Condition()
        self.waiting: list[tuple[socket.socket, str]] = []

    def wait(self, line: socket.socket, dialect: str) -> None:
        """Take note of a listener."""
        with self.changed:
            self.waiting.append((line, dialect))
            self.changed.notify_all()

    def go(self, count: int) -> list[tuple[socket.socket, bytes]]:
        """Return who waits, and what each is sent: at least one, waited for a while."""
        with self.changed:
            self.changed.wait_for(lambda: self.waiting, 15)
            waiting, self.waiting = self.waiting, []
        return [(line, b"".join(self.frames[dialect][:count])) for line, dialect in waiting]


class Handler(BaseHTTPRequestHandler):
    """Answers questions, and opens streams."""

    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer, or open a stream, or let all who wait have it."""
        url = urlsplit(self.path)
        dialect = "exchange" if url.path.startswith("/exchange/") else "v1"
        if "upgrade" in self.headers.get("Connection", "").lower():
            self._stream(dialect)
        elif url.path == "/go":
            sent = self.server.sender.go(int(parse_qs(url.query)["frames"][0]))
            self._answer(b"{}")
            for line, data in sent:
                threading.Thread(target=_send, args=(line, data), daemon=True).start()
        else:
            asked: op.Operation[Any]
            if "instruments" in url.path or "symbols" in url.path:
                asked, answer = op.GetSymbols(), Answer(SYMBOLS, MARKET)
            else:
                asked = op.GetTrades("btcusdt")
                answer = Answer(TRADES, trades(0, PAGE, dialect))
            self._answer(DIALECTS[dialect].encode_response(asked, answer).body)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, dialect: str) -> None:
        """Shake hands, read the subscription, and hold the line until its other end closes it."""
        key = self.headers["Sec-WebSocket-Key"].encode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        digest = hashlib.sha1(key + _GUID, usedforsecurity=False).digest()
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(digest).decode())
        self.end_headers()
        self.close_connection = True
        if (asked := self._read_frame()) is None:
            return
        if dialect == "exchange":
            number = (_number(asked) or b"1").decode()
            ack = f'{{"id":{number},"method":"subscribe","code":0,"channel":"trade.BTC_USDT"}}'
            self.connection.sendall(framed(ack))
        self.server.sender.wait(self.connection, dialect)
        while self._read_frame() is not None:
            pass

    def _read_frame(self) -> bytes | None:
        """Read a frame of a client: it is short and masked."""
        try:
            head = self.rfile.read(2)
            if len(head) < 2:
                return None
            size = head[1] & 0x7F
            if size == 126:
                size = int.from_bytes(self.rfile.read(2), "big")
            mask = self.rfile.read(4)
            return bytes(b ^ mask[i % 4] for i, b in enumerate(self.rfile.read(size)))
        except OSError:
            return None


def _number(asked: bytes) -> bytes | None:
    """Return the number of a question, if it has one."""
    _, _, rest = asked.partition(b'"id":')
    digits = rest.lstrip(b' "').split(b",")[0].strip(b'" }')
    return digits if digits.isdigit() else None


def _send(line: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):  # the other side has seen enough
        line.sendall(data)


class Server(ThreadingHTTPServer):
    """The server."""

    daemon_threads = True

    def __init__(self, count: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.sender = Sender(count)


def main(count: int) -> None:
    """Serve until nobody holds the other end of standard input."""
    server = Server(count)
    gc.collect()
    gc.disable()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
