"""A `Live` so simple that it is plainly right, and ways to make it wrong: it tries the harness.

It hears trades and asks for everything else again and again. It is no example of how to do it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pandas as pd
import websocket

from cdcx_pandas import marketdata
from cdcx_pandas import messages as m
from cdcx_pandas.channels import TradeChannel
from cdcx_pandas.errors import CdcxError
from cdcx_pandas.session import Session

_FAILURES = (CdcxError, OSError, ValueError, EOFError, websocket.WebSocketException)
_GAPS = ["symbol", "channel", "start", "end", "reason", "estimate", "repaired"]
_EVENTS = ["time", "state", "why"]
_TRADES = ["time", "symbol", "id", "price", "amount", "side", "received"]
Row = tuple[Any, ...]


class NaiveLive:
    """Trades from the stream and from REST, united by their ids; all else from REST.

    Parameters
    ----------
    symbols
        The markets.
    session
        Where.
    silence_s
        A connection that tells no trade for so long is given up.
    poll_s
        How often REST is asked.
    spoil
        What is done to the rows of a frame before it is shown, to be wrong on purpose.
    """

    def __init__(
        self,
        symbols: Iterable[str],
        *,
        session: Session,
        silence_s: float = 1.0,
        poll_s: float = 0.3,
        spoil: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
    ) -> None:
        self._symbols = list(symbols)
        self._session = session
        self._silence_s, self._poll_s = silence_s, poll_s
        self._spoil = spoil
        self._rows: dict[tuple[str, int], Row] = {}
        self._gaps: list[Row] = []
        self._events: list[Row] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._reconnects = -1
        self._threads = [
            threading.Thread(target=target, daemon=True) for target in (self._hear, self._poll)
        ]
        self._ask()
        for thread in self._threads:
            thread.start()

    # ---------------------------------------------------------------------------- threads

    def _hear(self) -> None:
        while not self._stopped.is_set():
            why = "it ended"
            try:
                self._converse()
            except _FAILURES as error:
                why = type(error).__name__
            self._event("backoff", why)
            self._stopped.wait(0.02)

    def _converse(self) -> None:
        dialect = self._session.dialect
        socket = websocket.create_connection(self._session.venue.ws, timeout=1)
        try:
            self._reconnects += 1
            for symbol in self._symbols:
                socket.send(dialect.encode_frame(m.Subscribe((TradeChannel(symbol),), "1")))
            self._event("live", "connected")
            self._ask()  # while what is heard waits, so that both overlap
            heard = time.monotonic()
            while not self._stopped.is_set():
                if time.monotonic() - heard > self._silence_s:
                    return
                with suppress(websocket.WebSocketTimeoutException):
                    socket.settimeout(self._silence_s)
                    opcode, frame = socket.recv_data()
                    if opcode == websocket.ABNF.OPCODE_CLOSE:
                        return
                    is_text = opcode == websocket.ABNF.OPCODE_TEXT
                    message = dialect.decode_frame(frame.decode() if is_text else frame)
                    if isinstance(message, m.Heartbeat):
                        socket.send(dialect.encode_frame(m.HeartbeatReply(message.value)))
                    elif isinstance(message, m.Update):
                        heard = time.monotonic()
                        self._add(message.channel.symbol, message.answer.columns)
        finally:
            socket.shutdown()

    def _poll(self) -> None:
        while not self._stopped.wait(self._poll_s):
            self._ask()

    def _ask(self) -> None:
        for symbol in self._symbols:
            with suppress(CdcxError):
                page = marketdata.trades(symbol, session=self._session, progress=False)
                columns = {name: page[name].tolist() for name in ("id", "price", "amount", "side")}
                columns["time"] = page.index.as_unit("ns").asi8.tolist()
                self._declare(symbol, columns)
                self._add(symbol, columns)

    def _declare(self, symbol: str, page: dict[str, Any]) -> None:
        """Declare a gap where a page of REST does not reach back to what is known."""
        first = int(page["id"][0])
        with self._lock:
            before = max(
                (id_ for name, id_ in self._rows if name == symbol and id_ < first), default=first
            )
            if (symbol, first) not in self._rows and before < first - 1:
                missing = first - before - 1
                start = self._rows[symbol, before][0]
                row = (symbol, "trades", start, page["time"][0], "too long", missing, False)
                self._gaps.append(row)

    def _add(self, symbol: str, columns: dict[str, Any]) -> None:
        now = self._session.clock.now_ns()
        names = ("time", "id", "price", "amount", "side")
        with self._lock:
            for at, id_, price, amount, side in zip(*(columns[n] for n in names), strict=True):
                row = (at, symbol, id_, float(price), float(amount), side, now)
                self._rows.setdefault((symbol, int(id_)), row)

    def _event(self, state: str, why: str) -> None:
        self._events.append((self._session.clock.now_ns(), state, why))

    # ----------------------------------------------------------------------------- frames

    @property
    def trades(self) -> pd.DataFrame:
        """The newest public trades."""
        with self._lock:
            rows = sorted(self._rows.values(), key=lambda row: (row[0], int(row[2])))
        frame = _timed(pd.DataFrame(rows, columns=_TRADES), "time", "received").set_index("time")
        return self._spoil(frame) if self._spoil else frame

    @property
    def klines(self) -> pd.DataFrame:
        """The newest bars."""
        return self._each(lambda symbol: marketdata.klines(symbol, "1min", session=self._session))

    @property
    def depth(self) -> pd.DataFrame:
        """The book."""
        return self._each(
            lambda symbol: marketdata.depth(symbol, session=self._session).reset_index()
        )

    @property
    def ticker(self) -> pd.DataFrame:
        """The tickers."""
        return marketdata.tickers(session=self._session)

    def _each(self, ask: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
        return pd.concat([ask(symbol).assign(symbol=symbol) for symbol in self._symbols])

    @property
    def gaps(self) -> pd.DataFrame:
        """What is missing."""
        return _timed(pd.DataFrame(list(self._gaps), columns=_GAPS), "start", "end")

    @property
    def events(self) -> pd.DataFrame:
        """What happened to the connection."""
        return _timed(pd.DataFrame(list(self._events), columns=_EVENTS), "time")

    @property
    def health(self) -> pd.Series:
        """How it stands."""
        state = self._events[-1][1] if self._events else "connecting"
        return pd.Series(
            {"state": state, "reconnects": max(self._reconnects, 0), "repaired": 0, "lost": 0,
             "messages_per_s": 0.0}
        )  # fmt: skip

    def wait(self, timeout: float) -> bool:
        """Wait for data."""
        until = time.monotonic() + timeout
        while not self._events and time.monotonic() < until:
            time.sleep(0.01)
        return bool(self._events)

    def stop(self) -> None:
        """End."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(3)


def _timed(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    return frame.assign(
        **{name: pd.to_datetime(frame[name], unit="ns", utc=True) for name in names}
    )
