"""`live` and `Live`: markets watched by threads, in frames that are always there.

This is what a person holds. What comes in, and what is asked of the venue, is the `Core`'s part;
how it is drawn is the widget's, which is imported when it is shown.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from cdcx_pandas import errors as e
from cdcx_pandas.engines.stream import State
from cdcx_pandas.engines.watch import EVERYTHING, MARKET, NAMES, USER
from cdcx_pandas.frames.schema import ATTRS_KEY
from cdcx_pandas.provenance import iso, provenance
from cdcx_pandas.streaming import registry, shown
from cdcx_pandas.streaming.callbacks import Callbacks
from cdcx_pandas.streaming.scene import Scenes
from cdcx_pandas.streaming.verifying import verified

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from cdcx_pandas.frames.rolling import RollingFrame
    from cdcx_pandas.streaming.core import Core
    from cdcx_pandas.streaming.opening import Wish

_KINDS = {word: kind for kind, word in NAMES.items()}
_ROLLING = ("klines", "trades", "my_trades")


class Live:
    """Markets as they are now, in frames that fill themselves.

    Made by `live` and `replay`. Taking a frame is a copy of one's own; `view` shows rows without
    copying. Frames hold the columns of the batch functions and ``received`` (UTC, when a row
    arrived here); of several markets also ``symbol``. Times are whole milliseconds.

    Attributes
    ----------
    symbols, period
        What is watched; ``("*",)`` is every market.
    is_paused, is_stopped
        Whether the picture stands still, and whether all is over.
    is_guest
        Whether only a picker of another stream's picture asked for it.

    Notes
    -----
    Whatever the venue can still tell is repaired after an interruption; what it cannot is a row
    of `gaps`, and a `GapWarning` when the frame is taken next.
    """

    def __init__(self, core: Core, wish: Wish, *, units: dict[str, Decimal | None]) -> None:
        plan = core.watch.plan
        self.symbols = (EVERYTHING,) if plan.is_everything else plan.symbols
        self.period = plan.period
        self.is_paused = self.is_stopped = self.is_guest = False
        self.wish = wish
        self._core, self._units = core, units
        self._watch = core.watch
        self._warned = 0
        self._callbacks = Callbacks(self._fresh)
        self._scenes = Scenes(self, core, units)

    def __repr__(self) -> str:
        state, why = self._core.state()
        place = self._core.place
        simulated = ", SIMULATED" if place.simulated else ""
        told = f" ({why})" if why else ""
        names = ", ".join(self.symbols[:4]) + (", …" if len(self.symbols) > 4 else "")
        period = f" {self.period}" if "klines" in self._watch.plan.channels else ""
        return f"<Live {names}{period} on {place.venue}{simulated}: {state}{told}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---------------------------------------------------------------------------- frames

    @property
    def klines(self) -> pd.DataFrame:
        """The bars: final ones, then what still forms (``closed`` is False)."""
        return self._rolling("klines")

    @property
    def trades(self) -> pd.DataFrame:
        """Public trades, by time and then by id."""
        return self._rolling("trades")

    @property
    def my_trades(self) -> pd.DataFrame:
        """Own trades, those of the last day too."""
        return self._rolling("my_trades")

    @property
    def ticker(self) -> pd.DataFrame:
        """The newest ticker of each market."""
        return self._board("ticker")

    @property
    def orders(self) -> pd.DataFrame:
        """Own orders as they stand, those of the last day too."""
        return self._board("orders")

    @property
    def account(self) -> pd.DataFrame:
        """The balances of the account."""
        return self._board("account")

    @property
    def depth(self) -> pd.DataFrame:
        """The book as it is now.

        While it is not known to be whole, this is the last one that was, with its ``time`` and
        ``stale`` in ``attrs["cdcx"]``, and a `StaleDataWarning`.
        """
        self._check_watched("depth")
        with self._core.lock:
            found = {symbol: book.shown() for symbol, book in self._watch.books.items()}
        books = {
            symbol: shown.book_columns(book, self._units.get(symbol))
            for symbol, book in found.items()
        }
        stale = [s for s, book in found.items() if book is None or book.is_stale]
        if stale:
            warnings.warn(
                f"The book of {', '.join(stale)} is not known to be whole now; this is the last"
                " one that was.",
                e.StaleDataWarning,
                stacklevel=2,
            )
        told = self._told("depth", stale=bool(stale), step=self.wish.step)
        if not self._watch.plan.is_single:
            return shown.books_frame(books, told)
        ((symbol, columns),) = books.items()
        book = found[symbol]
        told["time"] = iso(book.time) if book is not None else None
        told["mid"], told["spread_bps"] = shown.touch(columns)
        return shown.book_frame(columns, told)

    def view(self, channel: str) -> pd.DataFrame:
        """Return ``"klines"``, ``"trades"`` or ``"my_trades"`` without copying, read-only.

        It holds the final rows, and of these times, numbers and categories; it costs the same
        whatever the window, and never changes.

        Raises
        ------
        BadRequest
            No such channel, or it is not watched.
        """
        self._check_watched(channel)
        if channel not in _ROLLING:
            raise e.BadRequest(
                f"There is no view of {channel!r}.",
                why=f"Views are of rows: {', '.join(_ROLLING)}.",
                todo=f"live.{channel} is small: take that.",
                sent="no",
            )
        return self._frame_of(channel).view()

    def _rolling(self, channel: str) -> pd.DataFrame:
        frame = self._frame_of(channel)
        self._warn_of_gaps()
        return frame.frame(provenance=self._told(channel, frame=frame), lock=self._core.lock)

    def _frame_of(self, channel: str) -> RollingFrame:
        self._check_watched(channel)
        frame: RollingFrame | None = getattr(self._watch, channel)
        assert frame is not None, "watched, so it is there"
        return frame

    def _board(self, channel: str) -> pd.DataFrame:
        self._check_watched(channel)
        board = getattr(self._watch, "tickers" if channel == "ticker" else channel)
        with self._core.lock:
            return shown.board_frame(board, self._told(channel))

    def _check_watched(self, channel: str) -> None:
        watched = self._watch.plan.channels
        if channel in watched:
            return
        known = (*MARKET, *USER)
        if channel not in known:
            raise e.BadRequest(
                f"There is no channel {channel!r}.", why=f"There are {', '.join(known)}.", sent="no"
            )
        wanted = ", ".join(map(repr, (*watched, channel)))
        raise e.BadRequest(
            f"This Live does not watch {channel}.",
            why=f"It watches {', '.join(watched)}.",
            todo=f"live(..., channels=({wanted})) does.",
            sent="no",
        )

    def _told(
        self, channel: str, *, frame: RollingFrame | None = None, **facts: Any
    ) -> dict[str, Any]:
        """Return what a frame says about itself."""
        place, watch = self._core.place, self._watch
        if frame is not None:
            facts["gaps"] = sum(g.channel == channel and g.repaired is not True for g in watch.gaps)
        return provenance(
            venue=place.venue,
            simulated=place.simulated,
            fetched_ns=place.now().ns,
            coverage=shown.coverage(frame.bounds(), watch.gaps, channel) if frame else None,  # type: ignore[arg-type]  # stretches as they are told
            live=True,
            symbol=" ".join(self.symbols),
            **({"period": self.period} if channel == "klines" else {}),
            **facts,
        )

    def _warn_of_gaps(self) -> None:
        lost = self._watch.gaps.lost
        if lost > self._warned:
            self._warned, new = lost, lost - self._warned
            warnings.warn(
                f"{new} {'stretch' if new == 1 else 'stretches'} of the stream could not be"
                " repaired: live.gaps tells which.",
                e.GapWarning,
                stacklevel=4,
            )

    # ---------------------------------------------------------------------- how it stands

    @property
    def gaps(self) -> pd.DataFrame:
        """Stretches in which rows may be, or are, missing.

        Columns ``channel`` (``symbol`` of several markets), ``start end`` (UTC, of the rows
        around it), ``reason``, ``estimate`` (rows, Int64), ``repaired``: whether all of it was
        had from the venue afterwards. While that is tried it is False.
        """
        return shown.gaps_frame(self._watch.gaps, has_symbol=not self._watch.plan.is_single)

    @property
    def events(self) -> pd.DataFrame:
        """The states of the stream so far: index ``time``, columns ``state why``."""
        return shown.events_frame(list(self._core.events))

    @property
    def state(self) -> str:
        """One of connecting, subscribing, live, stale, reconnecting, failed, stopped.

        Of several connections the one that is worst.
        """
        return str(self._core.state()[0])

    @property
    def health(self) -> pd.Series[Any]:
        """How the stream is: state, ages of the last news in seconds, counts, memory.

        ``state why``, ``<channel>_age_s`` for each channel (None before the first news),
        ``reconnects``, ``repaired lost`` (stretches), ``corrected`` (final bars that had been
        told otherwise before), ``messages_per_s``, ``memory_mb``, ``callback_errors last_error``.
        """
        return pd.Series(self.told_health(), name="health", dtype=object)

    def told_health(self) -> dict[str, Any]:
        """Return the values of `health`."""
        core, watch = self._core, self._watch
        now = core.place.now().monotonic
        state, why = core.state()
        told: dict[str, Any] = {"state": str(state), "why": why}
        for channel in watch.plan.channels:
            heard_at = watch.heard_at(_KINDS[channel])
            told[f"{channel}_age_s"] = None if heard_at is None else round(now - heard_at, 3)
        return told | {
            "reconnects": core.reconnects,
            "repaired": watch.gaps.repaired,
            "lost": watch.gaps.lost,
            "corrected": watch.corrected(),
            "messages_per_s": round(core.messages_per_s(), 1),
            "memory_mb": round(watch.memory_bytes() / 2**20, 3),
            "callback_errors": self._callbacks.errors,
            "last_error": self._callbacks.last_error or core.last_error,
        }

    def verify(self) -> pd.DataFrame:
        """Ask the venue again, and compare.

        Returns
        -------
        pandas.DataFrame
            Index ``channel symbol``; columns ``compared equal different missing extra`` (rows)
            and ``ok``. Compared are final bars, and trades as far back as the venue's newest
            page reaches; rows inside a declared gap are not counted as missing.

        Raises
        ------
        Unsupported
            A replay has no venue to ask.
        """
        session = self._core.venue_has()
        if session is None:
            raise e.Unsupported(
                "A replay cannot be verified.", why="There is no venue behind a recording."
            )
        return verified(self._watch, session)

    # ------------------------------------------------------------------------- what to do

    def on(
        self, channel: str, function: Callable[[pd.DataFrame], Any]
    ) -> Callable[[pd.DataFrame], Any]:
        """Call a function with the new rows of a channel, at most ten times a second.

        Of ``"klines"``, ``"trades"`` and ``"my_trades"`` it gets the rows since its last call
        (of a bar that forms, each of its states), of the others the frame as it is now. All
        functions are called on one thread; what they raise is counted in `health` and harms
        nothing. They are called until `off` or `stop`. One with the name of a known one takes its
        place, so that a cell can be run again; lambdas have no name, and each is another one.

        Raises
        ------
        BadRequest
            The channel is not watched, or what is given cannot be called.
        """
        self._check_watched(channel)
        if not callable(function):
            raise e.BadRequest(
                f"{function!r} cannot be called.",
                todo='live.on("trades", lambda rows: print(len(rows)))',
                sent="no",
            )
        if channel in _ROLLING:
            self._frame_of(channel).listen()
        self._callbacks.add(channel, function)
        return function

    def off(self, channel: str) -> None:
        """Call no function with the rows of a channel any more."""
        self._check_watched(channel)
        self._callbacks.remove(channel)

    def _fresh(self, channel: str) -> pd.DataFrame | None:
        """Return what is new of a channel: rows, or the frame as it is now; None if nothing is."""
        if channel in _ROLLING:
            with self._core.lock:
                rows = self._frame_of(channel).fresh()
            if rows is not None:
                rows.attrs[ATTRS_KEY] = self._told(channel)
            return rows
        with self._core.lock:
            if channel not in self._watch.changed:
                return None
            self._watch.changed.discard(channel)
        return self.depth if channel == "depth" else self._board(channel)

    def wait(self, timeout: float = 30.0) -> bool:
        """Wait until every market channel has data and its past is there.

        Parameters
        ----------
        timeout
            Seconds.

        Returns
        -------
        bool
            Whether it is so; False when the time is over.

        Raises
        ------
        StreamError
            The stream cannot go on.
        """
        failed = State.FAILED
        with self._core.changed:
            self._core.changed.wait_for(
                lambda: self._watch.is_filled or self._core.state()[0] is failed or self.is_stopped,
                timeout,
            )
            state, why = self._core.state()
            filled = self._watch.is_filled
        if state is failed and not filled:
            raise e.StreamError("The stream cannot go on.", why=why, todo="live.events tells more.")
        return filled

    def pause(self) -> None:
        """Let the picture stand still; data goes on coming."""
        self.is_paused = True

    def resume(self) -> None:
        """Let the picture go on."""
        self.is_paused = False

    def stop(self) -> None:
        """End the stream; the frames stay, and the picture becomes a still one."""
        if self.is_stopped:
            return
        self.is_stopped = True
        self._callbacks.stop()
        self._core.stop()
        registry.forget(self)
        self._scenes.freeze()

    # ---------------------------------------------------------------------- for the widget

    def scene(self, symbol: str | None = None, since: int | None = None) -> dict[str, Any]:
        """Return what is to be seen, as JSON: all of it, or what is newer than a version."""
        return self._scenes.scene(symbol, since)

    def older_bars(self, symbol: str, before_ms: int, count: int) -> list[list[Any]]:
        """Ask the venue for bars before a time, for scrolling back; it blocks."""
        return self._scenes.older_bars(symbol, before_ms, count)

    def other(self, symbol: str, period: str) -> Live:
        """Return the `Live` of another market or period, with the same options; it blocks."""
        return self.wish.other(symbol, period)

    def leave(self) -> None:
        """Take note that a picture shows it no more: a guest ends then."""
        if self.is_guest:
            self.stop()

    def cut(self) -> None:
        """Cut the wire of a sandbox, to see what happens."""
        self.wish.cut()

    def _ipython_display_(self) -> None:
        from cdcx_pandas.widgets.view import show

        show(self)
