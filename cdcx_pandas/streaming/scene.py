"""What is to be seen of a live stream, as JSON for a picture: all of it, or only what is newer."""

from __future__ import annotations

import sys
from collections import OrderedDict
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from cdcx_pandas.engines.stream import State
from cdcx_pandas.operations import GetKlines
from cdcx_pandas.periods import FIXED_NS
from cdcx_pandas.streaming.shown import merged
from cdcx_pandas.tables import NS_PER_MS

if TYPE_CHECKING:
    from decimal import Decimal

    from cdcx_pandas.engines.tracks.gaps import Gap
    from cdcx_pandas.frames.rolling import RollingFrame
    from cdcx_pandas.streaming.core import Core
    from cdcx_pandas.streaming.live import Live

BARS, CHANGED_BARS, TRADES, LEVELS, GAPS = 1000, 5, 60, 50, 100
_REMEMBERED = 32
_BAR = ("time", "open", "high", "low", "close", "volume", "closed")
_TRADE = ("time", "price", "amount", "side", "id")
_PRICE = ("last", "bid", "ask", "change", "high", "low", "volume")
_BOARD = ("symbol", "last", "bid", "ask", "change", "volume")


class _Shown(NamedTuple):
    """What a scene had, so that the next one can leave it out."""

    seen: int
    trade: tuple[int, int]
    book: int
    gaps: int
    board: int


class Scenes:
    """The scenes of one `Live`.

    Parameters
    ----------
    live, core, units
        What is shown, and to which multiples prices of books are merged.
    """

    def __init__(self, live: Live, core: Core, units: dict[str, Decimal | None]) -> None:
        self._live, self._core, self._units = live, core, units
        self._sent: OrderedDict[tuple[str | None, int], _Shown] = OrderedDict()
        self._count = 0

    def scene(self, symbol: str | None, since: int | None) -> dict[str, Any]:
        """Return what is to be seen of a market."""
        live, core = self._live, self._core
        symbol = symbol if symbol in live.symbols else live.symbols[0]
        with core.lock:
            before = None if since is None else self._sent.get((symbol, since))
            if before is not None and before.seen == core.watch.version:
                return self._always(symbol) | {"version": since, "key": False}
            self._count += 1
            scene, now_shown = self._scene(symbol, before)
            self._sent[symbol, self._count] = now_shown
            while len(self._sent) > _REMEMBERED:
                self._sent.popitem(last=False)
        return scene | {"version": self._count, "key": before is None}

    def _always(self, symbol: str) -> dict[str, Any]:
        """Return what is told each time: what is watched, and how the stream is."""
        live, core = self._live, self._core
        watch, place, wish = core.watch, core.place, live.wish
        state, why = core.state()
        length = FIXED_NS.get(live.period)
        health = live.told_health()
        if state == State.LIVE and not health["callback_errors"] and not watch.refused:
            health["last_error"] = ""  # what is over
        return {
            "symbol": symbol, "symbols": list(live.symbols), "pickable": list(wish.pickable),
            "period": live.period, "periods": list(wish.periods),
            "period_ms": None if length is None else length // NS_PER_MS,
            "venue": place.venue, "simulated": place.simulated, "can_cut": wish.can_cut,
            "state": str(state), "why": why, "now_ms": place.now().ns // NS_PER_MS,
            "decimals": wish.decimals(symbol),
            "health": {
                "ages": {name: health[f"{name}_age_s"] for name in watch.plan.channels},
                "memory_bytes": watch.memory_bytes(),
                **{name: health[name] for name in (
                    "reconnects", "repaired", "lost", "messages_per_s", "last_error",
                    "callback_errors",
                )},
            },
        }  # fmt: skip

    def _scene(self, symbol: str, before: _Shown | None) -> tuple[dict[str, Any], _Shown]:
        """Return all that is to be seen, or what changed since it was shown."""
        watch = self._core.watch
        scene = self._always(symbol)
        last_trade = (0, 0) if before is None else before.trade
        if watch.klines is not None:
            scene["bars"] = self._bars(
                watch.klines, symbol, BARS if before is None else CHANGED_BARS
            )
        if watch.trades is not None:
            scene["trades"] = _trades(watch.trades, symbol, last_trade)
            if scene["trades"]:
                last_trade = _mark(scene["trades"][-1])
        book = watch.books.get(symbol)
        book_version = -1 if book is None else book.version
        if book is not None and (before is None or before.book != book_version):
            scene["book"] = self._book(symbol)
        if before is None or before.gaps != watch.gaps.version:
            scene["gaps"] = _gaps(watch.gaps, symbol)
        board = -1 if watch.tickers is None else watch.tickers.version
        is_priced = before is None or before.board != board or before.book != book_version
        if watch.tickers is not None and is_priced:
            scene["price"] = self._price(symbol)
            if len(watch.plan.symbols) > 1:
                scene["board"] = self._board()
        return scene, _Shown(watch.version, last_trade, book_version, watch.gaps.version, board)

    def _bars(self, frame: RollingFrame, symbol: str, count: int) -> list[list[Any]]:
        is_single = self._core.watch.plan.is_single
        rows = frame.newest(count, _BAR, None if is_single else symbol)
        names = _BAR if is_single else (*_BAR, "symbol")
        forming = [
            row[: len(_BAR)] for row in frame.forming(names) if is_single or row[-1] == symbol
        ]
        return [_bar(row) for row in [*rows, *forming]]

    def _book(self, symbol: str) -> dict[str, Any]:
        book = self._core.watch.books[symbol].shown()
        sides: dict[str, list[list[Any]]] = {"bid": [], "ask": []}
        if book is not None:
            columns = merged(book.columns, self._units.get(symbol))
            levels = zip(columns["side"], columns["price"], columns["amount"], strict=True)
            for side, price, amount in levels:
                sides[side].append([float(price), float(amount)])
        return {
            "bids": sides["bid"][:LEVELS],
            "asks": sides["ask"][:LEVELS],
            "stale": book is None or book.is_stale,
            "step": self._live.wish.step,
        }

    def _price(self, symbol: str) -> dict[str, Any]:
        tickers = self._core.watch.tickers
        row = (tickers.get(symbol) if tickers is not None else None) or {}
        price = {name: _finite(row.get(name)) for name in _PRICE}
        book = self._core.watch.books.get(symbol)
        if book is not None and price["bid"] is price["ask"] is None:  # V1's tickers tell neither
            price["bid"], price["ask"] = map(_finite, book.best())
        return price

    def _board(self) -> list[list[Any]]:
        tickers = self._core.watch.tickers
        assert tickers is not None, "asked for where there are tickers"
        symbols = self._core.watch.plan.symbols
        rows = [tickers.get(symbol) or {"symbol": symbol} for symbol in symbols]
        return [[row["symbol"], *(_finite(row.get(name)) for name in _BOARD[1:])] for row in rows]

    def older_bars(self, symbol: str, before_ms: int, count: int) -> list[list[Any]]:
        """Ask the venue for bars before a time; a replay has none."""
        session = self._core.venue_has()
        if session is None:
            return []
        asked = GetKlines(
            symbol, self._live.period, end=before_ms * NS_PER_MS, limit=min(count, BARS)
        )
        columns = session.run(asked).columns
        rows = zip(*(columns[name] for name in _BAR[:-1]), strict=True)
        return [_bar((*row, True)) for row in rows]

    def freeze(self) -> None:
        """Let the pictures of this stream stand still for good."""
        view = sys.modules.get("cdcx_pandas.widgets.view")
        if view is not None:
            view.freeze_views_of(self._live)


def _bar(row: tuple[Any, ...]) -> list[Any]:
    time, *values, closed = row
    return [time // NS_PER_MS, *map(_finite, values), int(closed)]


def _trades(frame: RollingFrame, symbol: str, since: tuple[int, int]) -> list[list[Any]]:
    rows = [
        [time // NS_PER_MS, _finite(price), _finite(amount), int(side == "buy"), id_]
        for time, price, amount, side, id_ in frame.newest(TRADES, _TRADE, symbol)
    ]
    return [row for row in rows if _mark(row) > since]


def _mark(row: list[Any]) -> tuple[int, int]:
    return row[0], int(row[-1])


def _gaps(gaps: Any, symbol: str) -> list[list[Any]]:
    def told(gap: Gap) -> list[Any]:
        start, end = gap.start // NS_PER_MS, gap.end // NS_PER_MS
        return [gap.channel, start, end, int(gap.repaired is True), gap.reason]

    return [told(gap) for gap in gaps if gap.symbol in {None, symbol}][-GAPS:]


def _finite(value: Any) -> float | None:
    return None if value is None or not isfinite(value) else float(value)
