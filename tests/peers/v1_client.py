"""A V1 client written from the documents alone: it shares no code with the package.

One codec for both ends of a wire could agree with itself on a misreading. This client signs as
the official page says, unpacks with the standard library, and returns plain JSON.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any, Self

import requests
import websocket


class V1Client:
    """What a person in 2020 would have written."""

    def __init__(
        self,
        rest: str,
        ws: str,
        key: str = "",
        secret: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        self.rest, self.ws, self.key, self.secret, self.now = rest, ws, key, secret, now
        self.http = requests.Session()

    def get(self, path: str, **params: Any) -> requests.Response:
        """Ask a market question."""
        return self.http.get(self.rest + path, params=params, timeout=10)

    def data(self, path: str, **params: Any) -> Any:
        """Return the data of a successful market question."""
        answer = self.get(path, **params)
        envelope = json.loads(answer.text)
        assert (answer.status_code, envelope["code"], envelope["msg"]) == (200, "0", "suc"), answer
        return envelope["data"]

    def signed(self, path: str, *, at_ms: int | None = None, **params: Any) -> dict[str, Any]:
        """Ask a user question; return the envelope."""
        form = {name: str(value) for name, value in params.items()}
        form["api_key"] = self.key
        form["time"] = str(at_ms or int(self.now() * 1000))
        text = "".join(name + form[name] for name in sorted(form)) + self.secret
        form["sign"] = hashlib.sha256(text.encode()).hexdigest()
        for _ in range(50):
            answer = self.http.post(self.rest + path, data=form, timeout=10)
            if answer.status_code != 429:
                break
            time.sleep(0.11)
        envelope: dict[str, Any] = json.loads(answer.text)
        return envelope

    def user(self, path: str, **params: Any) -> Any:
        """Return the data of a successful user question."""
        envelope = self.signed(path, **params)
        assert envelope["code"] == "0", envelope
        return envelope["data"]

    def stream(self) -> V1Stream:
        """Open a stream."""
        return V1Stream(self.ws)


class V1Stream:
    """One stream connection."""

    def __init__(self, address: str) -> None:
        self.socket = websocket.create_connection(address, timeout=10)
        self.answers_pings = True
        self.pings: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.socket.shutdown()  # `close` leaves a socket open that has seen a closing frame

    def send(self, event: str, channel: str, **params: Any) -> None:
        """Send one message."""
        body = {"event": event, "params": {"channel": channel, **params}}
        self.socket.send(json.dumps(body))

    def next(self, seconds: float = 30.0) -> Any:
        """Return the next message that is no ping; every frame must be one gzip member."""
        until = time.monotonic() + seconds
        while True:
            if time.monotonic() > until:
                raise websocket.WebSocketTimeoutException("nothing but pings")
            opcode, frame = self.socket.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                raise ConnectionError("closed")
            assert opcode == websocket.ABNF.OPCODE_BINARY
            assert frame[:2] == b"\x1f\x8b"
            message = json.loads(gzip.decompress(frame))
            if "ping" not in message:
                return message
            self.pings.append(message["ping"])
            if self.answers_pings:
                self.socket.send(json.dumps({"pong": message["ping"]}))

    def ask(self, channel: str, **params: Any) -> Any:
        """Send a request and return its reply."""
        self.send("req", channel, **params)
        return self.next()
