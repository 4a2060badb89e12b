"""``python by_cryptofeed.py PORT FRAMES``: print in how many seconds cryptofeed takes the trades.

A program of its own, so that it can be run by a Python that has cryptofeed and nothing of ours.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import urllib.request
from typing import Any

from cryptofeed import FeedHandler
from cryptofeed.connection import WebsocketEndpoint, WSAsyncConn
from cryptofeed.defines import TRADES
from cryptofeed.exchanges import CryptoDotCom
from cryptofeed.symbols import Symbols


def main(port: int, frames: int) -> None:
    """Listen to the raw server."""
    Symbols.set(
        CryptoDotCom.id, {"BTC-USDT": "BTC_USDT"}, {"instrument_type": {"BTC-USDT": "spot"}}
    )
    CryptoDotCom.websocket_endpoints = [
        WebsocketEndpoint(f"wss://127.0.0.1:{port}/exchange/v1/market")
    ]
    _allow_plain_text()
    handler = FeedHandler(config={"log": {"disabled": True, "filename": "", "level": "ERROR"}})
    began, taken = [0.0], [0]

    async def trade(*_: Any) -> None:
        taken[0] += 1
        if taken[0] == frames:
            print(time.perf_counter() - began[0], flush=True)
            os._exit(0)  # its own way of stopping waits for a minute

    def go() -> None:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/go?frames={frames}").read()
        began[0] = time.perf_counter()

    handler.add_feed(
        CryptoDotCom(symbols=["BTC-USDT"], channels=[TRADES], callbacks={TRADES: trade})
    )
    threading.Thread(target=go, daemon=True).start()
    handler.run(install_signal_handlers=False)


def _allow_plain_text() -> None:
    """Let it connect without TLS: it takes no such address, and nobody else is given TLS here."""
    begin = WSAsyncConn.__init__

    def init(self: WSAsyncConn, address: str, *args: Any, **options: Any) -> None:
        begin(self, address, *args, **options)
        self.address = address.replace("wss://", "ws://")

    WSAsyncConn.__init__ = init


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
