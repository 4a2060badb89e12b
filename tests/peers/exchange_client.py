"""A client of today's exchange written from its documents alone: no code of the package is in it.

One codec for both ends of a wire could agree with itself on a misreading. This client signs as
the documents say, and returns plain JSON.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable
from typing import Any, Self

import requests
import websocket


def written(value: Any) -> str:
    """Return the text of parameters that is signed: names sorted, lists in order."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "".join(key + written(value[key]) for key in sorted(value))
    if isinstance(value, list):
        return "".join(map(written, value))
    return value if isinstance(value, str) else json.dumps(value)


class ExchangeClient:
    """What a person would write today."""

    def __init__(
        self,
        rest: str,
        sockets: tuple[str, str],
        key: str = "",
        secret: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        self.rest, (self.market_ws, self.user_ws) = rest, sockets
        self.key, self.secret, self.now = key, secret, now
        self.http = requests.Session()
        self.ids = itertools.count(1)

    def get(self, method: str, **params: Any) -> requests.Response:
        """Ask a market question."""
        return self.http.get(f"{self.rest}/public/{method}", params=params, timeout=10)

    def result(self, method: str, **params: Any) -> Any:
        """Return the result of a successful market question."""
        answer = self.get(method, **params)
        envelope = answer.json()
        assert (answer.status_code, envelope["code"]) == (200, 0), answer.text
        assert envelope["method"] == f"public/{method}"
        return envelope["result"]

    def data(self, method: str, **params: Any) -> Any:
        """Return the rows of a successful market question."""
        return self.result(method, **params)["data"]

    def body(self, method: str, params: dict[str, Any], **instead: Any) -> dict[str, Any]:
        """Return a signed body; `instead` replaces parts of it before it is signed."""
        body = {
            "id": next(self.ids),
            "method": method,
            "api_key": self.key,
            "params": params,
            "nonce": int(self.now() * 1000),
        } | instead
        text = "".join(
            (body["method"], str(body["id"]), body["api_key"], written(body["params"] or ""),
             str(body["nonce"]))
        )  # fmt: skip
        signature = hmac.new(self.secret.encode(), text.encode(), hashlib.sha256)
        return body | {"sig": signature.hexdigest()}

    def post(self, method: str, params: dict[str, Any], **instead: Any) -> requests.Response:
        """Ask a user question once."""
        body = self.body(f"private/{method}", params, **instead)
        return self.http.post(f"{self.rest}/private/{method}", json=body, timeout=10)

    def signed(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask a user question, again where it came too soon; return the envelope."""
        for _ in range(50):
            answer = self.post(method, params)
            if answer.status_code != 429:
                break
            time.sleep(0.11)
        envelope: dict[str, Any] = answer.json()
        return envelope

    def user(self, method: str, **params: Any) -> Any:
        """Return the result of a successful user question."""
        envelope = self.signed(method, **params)
        assert envelope["code"] == 0, envelope
        assert envelope["method"] == f"private/{method}"
        return envelope.get("result")

    def place(self, **params: Any) -> Any:
        """Place an order; return its ids."""
        return self.user("create-order", **params)

    def detail(self, order_id: str) -> Any:
        """Return an order."""
        return self.user("get-order-detail", order_id=order_id)

    def market(self) -> ExchangeStream:
        """Open the market socket."""
        return ExchangeStream(self.market_ws)

    def account(self) -> ExchangeStream:
        """Open the user socket, and say who asks."""
        stream = ExchangeStream(self.user_ws)
        body = self.body("public/auth", {})
        del body["params"]
        stream.send(body)
        assert stream.next() == {"id": body["id"], "method": "public/auth", "code": 0}
        return stream


class ExchangeStream:
    """One connection."""

    def __init__(self, address: str) -> None:
        self.socket = websocket.create_connection(address, timeout=10)
        self.answers_heartbeats = True
        self.heartbeats: list[int] = []
        self.ids = itertools.count(100)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.socket.shutdown()  # `close` leaves a socket open that has seen a closing frame

    def send(self, message: dict[str, Any]) -> None:
        """Send one message."""
        self.socket.send(json.dumps(message))

    def subscribe(self, *channels: str, **params: Any) -> int:
        """Ask for channels; return the number of the request."""
        number = next(self.ids)
        self.send({"id": number, "method": "subscribe", "params": {"channels": channels} | params})
        return number

    def unsubscribe(self, *channels: str) -> int:
        """Ask for no more of channels; return the number of the request."""
        number = next(self.ids)
        self.send({"id": number, "method": "unsubscribe", "params": {"channels": channels}})
        return number

    def next(self, seconds: float = 10.0) -> Any:
        """Return the next message that is no heartbeat; every frame is one text."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            if left <= 0:
                raise websocket.WebSocketTimeoutException("nothing but heartbeats")
            self.socket.settimeout(left)
            opcode, frame = self.socket.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                raise ConnectionError(int.from_bytes(frame[:2], "big"))
            assert opcode == websocket.ABNF.OPCODE_TEXT
            message = json.loads(frame)
            if message["method"] != "public/heartbeat":
                return message
            assert set(message) == {"id", "method", "code"}
            self.heartbeats.append(message["id"])
            if self.answers_heartbeats:
                self.send({"id": message["id"], "method": "public/respond-heartbeat"})

    def news(self, seconds: float = 10.0) -> Any:
        """Return the result of the next message that has data."""
        while True:
            message = self.next(seconds)
            if "data" in message.get("result", {}):
                assert (message["method"], message["code"]) == ("subscribe", 0)
                return message["result"]

    def silent(self, seconds: float) -> bool:
        """Tell whether nothing but heartbeats comes."""
        try:
            self.next(seconds)
        except websocket.WebSocketTimeoutException:
            return True
        return False
