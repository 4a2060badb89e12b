"""What a stream must survive, as orders to the sandbox: one table for the tests and the soak."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cdcx_pandas.sandbox.faults import EVERY_CHANNEL, GARBLES
from tests.sandbox.chaos_world import Chaotic


class Wire(NamedTuple):
    """What a wire calls things."""

    path: str
    trades: tuple[str, ...]
    books: tuple[str, ...]


SYMBOLS = ("btcusdt", "ethusdt")
CLOSES = (1000, 1001, 1011, 1012, 1013)
_CODES = ("BTC_USDT", "ETH_USDT")
WIRES: Mapping[str, Wire] = {
    "v1": Wire(
        "/kline-api/ws",
        tuple(f"market_{symbol}_trade_ticker" for symbol in SYMBOLS),
        tuple(f"market_{symbol}_depth_step0" for symbol in SYMBOLS),
    ),
    "exchange": Wire(
        "/exchange/v1/market",
        tuple(f"trade.{code}" for code in _CODES),
        tuple(f"book.{code}.{levels}" for code in _CODES for levels in (10, 50, 150)),
    ),
}


class Scenario(NamedTuple):
    """What goes wrong, and for how long.

    Attributes
    ----------
    order
        What is ordered of a sandbox, once for each wire.
    lasts_s
        How long it goes on, until all orders that are left are taken back.
    fires
        Whether to wait until all orders have happened, and go on from there.
    kind
        What the sandbox's diary calls it, where a connection is lost by it.
    """

    order: Callable[[Chaotic, Wire], None]
    lasts_s: float = 0.2
    fires: bool = True
    kind: str = ""


def on_trades(**fault: Any) -> Callable[[Chaotic, Wire], None]:
    """Order a fault of the first market's trades."""
    return lambda sandbox, wire: sandbox.fail(wire.trades[0], **fault)


def one_after_another(*faults: dict[str, Any]) -> Callable[[Chaotic, Wire], None]:
    """Order faults of the first market's next trades."""

    def order(sandbox: Chaotic, wire: Wire) -> None:
        for fault in faults:
            sandbox.fail(wire.trades[0], **fault)

    return order


def on_all_trades(**fault: Any) -> Callable[[Chaotic, Wire], None]:
    """Order a fault of the trades of all markets."""

    def order(sandbox: Chaotic, wire: Wire) -> None:
        for channel in wire.trades:
            sandbox.fail(channel, **fault)

    return order


def on_books(**fault: Any) -> Callable[[Chaotic, Wire], None]:
    """Order a fault of the books, however many levels are listened to."""

    def order(sandbox: Chaotic, wire: Wire) -> None:
        for channel in wire.books:
            sandbox.fail(channel, **fault)

    return order


def at_reopening(**fault: Any) -> Callable[[Chaotic, Wire], None]:
    """Cut the connection, and order a fault of the next opening."""

    def order(sandbox: Chaotic, wire: Wire) -> None:
        sandbox.fail(wire.path, **fault)
        sandbox.fail(wire.trades[0], drop=True)

    return order


def restart(seconds: float) -> Callable[[Chaotic, Wire], None]:
    """Let the sandbox go away for a while."""

    def order(sandbox: Chaotic, _: Wire) -> None:
        sandbox.restart(seconds)

    return order


def everywhere(**fault: Any) -> Callable[[Chaotic, Wire], None]:
    """Order a fault of the next updates, whatever they are of."""
    return lambda sandbox, _: sandbox.fail(EVERY_CHANNEL, **fault)


SCENARIOS: Mapping[str, Scenario] = {
    "nothing": Scenario(lambda _sandbox, _wire: None, 1.0),
    "reset inside a frame": Scenario(on_trades(cut_inside=True), kind="cut_inside"),
    "reset inside the first frame": Scenario(at_reopening(cut_inside=True)),
    "dropped": Scenario(on_trades(drop=True), kind="drop"),
    "half open": Scenario(on_trades(half_open=True), 1.0, kind="half_open"),
    "half open from the opening": Scenario(at_reopening(half_open=True), 0.3),
    "mute channel": Scenario(on_trades(mute=True, times=0), 1.5, fires=False),
    "pings only": Scenario(at_reopening(mute=True), 0.5),
    "duplicates": Scenario(on_all_trades(twice=True, times=3), 0.3),
    "reordering": Scenario(on_all_trades(swap=True, times=3), 0.3),
    "late news": Scenario(on_all_trades(delay_s=0.5, times=3), 0.5),
    "lost news": Scenario(on_all_trades(mute=True, times=3), 0.3),
    "429 at the handshake": Scenario(at_reopening(status=429, retry_after=0.2, times=2)),
    "503 at the handshake": Scenario(at_reopening(status=503, times=2)),
    "spoilt frames": Scenario(
        one_after_another({"truncate": True}, *({"garble": how} for how in GARBLES))
    ),
    "closed": Scenario(one_after_another(*({"close": code} for code in CLOSES)), kind="close"),
    "hole in a book": Scenario(on_books(mute=True, times=1), 0.6, fires=False),
    "crossed book": Scenario(on_books(crossed=True, times=1), 0.6, fires=False),
    "garbled book": Scenario(on_books(garble="crc", times=1), 0.6, fires=False),
    "lost book": Scenario(on_books(drop=True, times=1), 0.6, fires=False),
    "anything late": Scenario(everywhere(delay_s=0.3, times=8), 0.4),
    "restart": Scenario(restart(0.5), 0.1, kind="restart"),
}
CONNECTION = {"cut_inside", "drop", "half_open", "close", "restart"}
"""Kinds that end a connection."""
