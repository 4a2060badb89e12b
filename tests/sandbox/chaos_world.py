"""One raw client for both wires, and a sandbox that can be told to make mischief.

`websocket-client` and the standard library only: frames are seen as they come.
"""

from __future__ import annotations

import gzip
import itertools
import json
import time
from contextlib import suppress
from typing import Any, NamedTuple, Self

import requests
import websocket

from cdcx_pandas import launch

BINARY, TEXT = websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT
CLOSED = (OSError, websocket.WebSocketException)


class Names(NamedTuple):
    """What a wire calls things."""

    path: str
    rest: str
    trades: str
    ticker: str
    depth: str


NAMES = {
    "v1": Names(
        "/kline-api/ws", "/v1/trades", "market_btcusdt_trade_ticker", "market_btcusdt_ticker",
        "market_btcusdt_depth_step0",
    ),
    "exchange": Names(
        "/exchange/v1/market", "/exchange/v1/public/get-trades", "trade.BTC_USDT",
        "ticker.BTC_USDT", "book.BTC_USDT.50",
    ),
}  # fmt: skip


class Raw:
    """One connection, seen frame by frame."""

    def __init__(self, wire: str, address: str) -> None:
        self.wire = wire
        self.socket = websocket.create_connection(address, timeout=10)
        self.pings = 0
        self._ids = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.shutdown()

    def subscribe(self, channel: str, **params: Any) -> None:
        """Ask for a channel."""
        if self.wire == "v1":
            extra = {"asks": 150, "bids": 150} if "depth" in channel else {}
            body: Any = {"event": "sub", "params": {"channel": channel, **extra}}
        else:
            body = {
                "id": next(self._ids),
                "method": "subscribe",
                "params": {"channels": [channel], **params},
            }
        self.socket.send(json.dumps(body))

    def frame(self, seconds: float = 5.0) -> tuple[int, bytes]:
        """Return the next frame, ping or not."""
        self.socket.settimeout(seconds)
        opcode, frame = self.socket.recv_data()
        return opcode, frame

    def read(self, frame: bytes) -> Any:
        """Read a frame as the wire has it."""
        return json.loads(gzip.decompress(frame) if self.wire == "v1" else frame)

    def answer(self, message: Any) -> bool:
        """Answer a ping; tell whether it was one."""
        if "ping" in message:
            self.socket.send(json.dumps({"pong": message["ping"]}))
        elif message.get("method") == "public/heartbeat":
            body = {"id": message["id"], "method": "public/respond-heartbeat"}
            self.socket.send(json.dumps(body))
        else:
            return False
        self.pings += 1
        return True

    def news(self, seconds: float = 5.0) -> Any:
        """Return the next message with data: `tick` on V1, `result` on today's wire."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            if left <= 0:
                raise websocket.WebSocketTimeoutException("no news")
            opcode, frame = self.frame(left)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                raise ConnectionError(int.from_bytes(frame[:2], "big"))
            message = self.read(frame)
            if self.answer(message):
                continue
            if self.wire == "v1" and "tick" in message:
                return message["tick"]
            if self.wire != "v1" and "data" in message.get("result", {}):
                return message["result"]

    def trade_ids(self, seconds: float = 5.0) -> list[int]:
        """Return the ids of the next news of trades, ascending."""
        news = self.news(seconds)
        rows = news["data"]
        return sorted(int(row["id"] if self.wire == "v1" else row["d"]) for row in rows)

    def best(self, seconds: float = 5.0) -> tuple[float, float]:
        """Return the best bid and ask of the next whole book."""
        while True:
            news = self.news(seconds)
            book = news if self.wire == "v1" else news["data"][0]
            if "asks" in book:
                bids = book.get("buys") or book.get("bids")
                bid, ask = (max(float(x[0]) for x in bids), min(float(x[0]) for x in book["asks"]))
                return bid, ask


class Chaotic:
    """A sandbox that can be told to make mischief."""

    def __init__(self, running: launch.Running) -> None:
        self.running = running

    def raw(self, wire: str) -> Raw:
        """Connect."""
        return Raw(wire, self.running.addresses[wire].ws)

    def order(self, method: str, what: str, expected: int = 200, **json: Any) -> Any:
        """Order or ask something of the sandbox."""
        answer = requests.request(
            method,
            f"{self.running.control_url}/{what}",
            json=json,
            headers={"X-Sandbox-Token": self.running.control_token},
            timeout=10,
        )
        assert answer.status_code == expected, answer.text
        return answer.json()

    def fail(self, where: str, **fault: Any) -> None:
        """Order a fault."""
        self.order("POST", "faults", where=where, **fault)

    def chaos(self, **orders: Any) -> None:
        """Order chaos."""
        self.order("POST", "chaos", **orders)

    def peace(self) -> None:
        """End all mischief."""
        self.order("DELETE", "faults")
        self.chaos(rates={})

    def state(self) -> Any:
        """Return what the sandbox tells of itself."""
        return self.order("GET", "state")

    def truth(self, **asked: Any) -> Any:
        """Ask for the truth."""
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        return self.order("GET", f"truth?{query}")

    def restart(self, seconds: float) -> None:
        """Let it go away for so long, and wait until it is back."""
        before = self.state()["happened"].get("back", 0)
        self.order("POST", f"restart?seconds={seconds}")
        self.until_back(before + 1, seconds + 5)

    def until_back(self, times: int, seconds: float = 5.0) -> None:
        """Wait until it has come back so many times."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with suppress(requests.RequestException):
                if self.state()["happened"].get("back", 0) >= times:
                    return
            time.sleep(0.01)
        raise AssertionError("it did not come back")
