"""Carries scenes from a source to a view, and the view's orders back.

At most ten frames a second: whatever happened in between is one frame, so that neither a fast
market nor a slow browser builds a queue. What a frame looks like on a screen, and through
what it is sent, is not known here: a pump is given a function that sends.

One thread looks and sends. Orders of the front end are queued by whichever thread they come
on, and obeyed here; those that must wait for a venue go to a second thread, so that the
picture moves on meanwhile. Nothing in these threads prints or raises: what goes wrong is told
to the front end, which shows it.
"""

from __future__ import annotations

import atexit
import queue
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from cdcx_pandas.widgets.source import Scene, Source

FRAME_S = 0.1
"""Least time between two frames."""
BEAT_S = 1.0
"""Longest time without a frame while the source lives: ages grow even when nothing happens."""
KEY_EVERY_S = 5.0
"""A keyframe this often mends whatever was lost on the way."""
EARLY_S = 10.0
"""At first one every second: a page that is still loading misses some, and cannot ask for
another while a cell keeps the kernel busy."""
OLDER_BARS_MAX = 1000
"""Most bars of history that one order brings."""
RETRY_S = 1.0
"""Wait after a source or a comm has failed."""

BEAT_PARTS = ("version", "symbol", "period", "state", "why", "now_ms", "health", "gaps")
"""What is told of a scene while the picture is paused."""

_PUMPS: weakref.WeakSet[Pump] = weakref.WeakSet()


class Pump:
    """Looks at a source ten times a second and sends what changed.

    Parameters
    ----------
    source
        What is shown at first, and again when the person goes back.
    send
        Takes a message, ready for JSON. Called from the pump's threads only.
    stopped
        Called once, from one of the pump's threads, when the source was seen to have ended or
        the person asked for the end.
    """

    def __init__(
        self, source: Source, send: Callable[[dict[str, Any]], None], stopped: Callable[[], None]
    ) -> None:
        self.home = source
        self.source = source
        self.symbol: str | None = None
        self._send = send
        self._stopped = stopped
        self._orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._jobs: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None
        self._ended = threading.Event()
        # What the front end has (None: nothing, so a keyframe is due), and what was looked at.
        self._sent_version: int | None = None
        self._seen_version: int | None = None
        self._sent_at = self._keyed_at = float("-inf")
        self._began = time.monotonic()
        self._asked = 0  # the front end's stamp of the last pause or resume that was obeyed
        self._withheld = 0
        self._thread = threading.Thread(target=self._run, name="cdcx-view", daemon=True)

    @property
    def is_ended(self) -> bool:
        """Whether no more frames will come."""
        return self._ended.is_set()

    def start(self) -> None:
        """Begin to look."""
        _PUMPS.add(self)
        self._thread.start()

    def end(self) -> None:
        """Look no more. Returns at once; callable from any thread, and twice."""
        self._ended.set()
        self._jobs.put(None)

    def order(self, command: dict[str, Any]) -> None:
        """Queue what the front end wants. Returns at once; callable from any thread."""
        self._orders.put(command)

    def go_home(self) -> None:
        """Show the first source again. Returns at once; callable from any thread."""
        self.order({"do": "home"})

    # ------------------------------------------------------------------ the thread that looks

    def _run(self) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            pause = FRAME_S
            try:
                self._obey()
                self._look()
            except Exception as error:  # noqa: BLE001  # a thread has nobody to raise to
                self._sent_version = None
                self._tell(error)
                pause = RETRY_S
            due = max(due + pause, time.monotonic())  # what was late is not made up for
            self._ended.wait(due - time.monotonic())

    def _obey(self) -> None:
        while True:
            try:
                command = self._orders.get_nowait()
            except queue.Empty:
                return
            self._obey_one(command)

    def _obey_one(self, command: dict[str, Any]) -> None:
        match command:
            case {"do": "hello"}:
                self._sent_version = None
            case {"do": "pause" | "resume" as what, "asked": int(asked)}:
                (self.source.pause if what == "pause" else self.source.resume)()
                self._asked = max(self._asked, asked)
                self._sent_at = float("-inf")  # confirm at once
            case {"do": "choose", "symbol": str(symbol)}:
                self._show(self.source, symbol)
            case {"do": "show", "source": source, "symbol": symbol}:
                self._show(source, symbol)
            case {"do": "home"}:
                self._show(self.home, None)
            case {"do": "older" | "other" | "cut" | "stop"}:
                self._work_on(command)
            case _:
                pass  # a front end of another version may say more

    def _show(self, source: Source, symbol: str | None) -> None:
        left, self.source, self.symbol = self.source, source, symbol
        self._sent_version = self._seen_version = None
        if left is not source and left is not self.home:
            leave(left)  # now that it is shown no more: it may end, and whoever shows it goes home

    def _look(self) -> None:
        source = self.source
        if source.is_stopped:
            if source is not self.home and not self.home.is_stopped:
                self._show(self.home, None)
            else:
                self._ended.set()
                self._stopped()
            return
        if source.is_paused and self._sent_version is not None:
            self._hold(source)
        else:
            self._forward(source)

    def _forward(self, source: Source) -> None:
        now = time.monotonic()
        key_every = BEAT_S if now - self._began < EARLY_S else KEY_EVERY_S
        is_due = self._sent_version is None or now - self._keyed_at >= key_every
        since = None if is_due else self._sent_version
        scene = source.scene(self.symbol, since)
        if scene["version"] == since and now - self._sent_at < BEAT_S:
            return
        self._withheld = 0
        self._say(source, "scene", scene, since)
        self._sent_version = self._seen_version = scene["version"]
        if scene["key"]:
            self._keyed_at = now

    def _hold(self, source: Source) -> None:
        """Count what would have been shown, and tell once a second how things stand."""
        scene = source.scene(self.symbol, self._seen_version)
        self._withheld += scene["version"] != self._seen_version
        self._seen_version = scene["version"]
        if time.monotonic() - self._sent_at >= BEAT_S:
            slow = {name: scene[name] for name in BEAT_PARTS if name in scene}
            self._say(source, "beat", slow, None)
            self._keyed_at = float("-inf")  # the first frame after the pause is whole

    def _say(self, source: Source, kind: str, scene: Scene, since: int | None) -> None:
        self._send(
            {
                "kind": kind,
                "sent_ms": time.time() * 1000,
                "since": since,
                "scene": scene,
                "paused": source.is_paused,
                "withheld": self._withheld,
                "asked": self._asked,
                "home": None if source is self.home else f"{self.home.symbols[0]}",
            }
        )
        self._sent_at = time.monotonic()

    def _tell(self, error: Exception, during: str = "") -> None:
        first = (str(error).splitlines() or [""])[0]
        text = f"{during}{type(error).__name__}: {first}"
        try:
            self._send({"kind": "note", "text": text})
        except Exception:  # noqa: BLE001  # the way to the front end is what is broken
            self._sent_version = None

    # ----------------------------------------------------------- the thread that may wait

    def _work_on(self, command: dict[str, Any]) -> None:
        self._jobs.put(command)
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="cdcx-view-work", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        while (command := self._jobs.get()) is not None:
            try:
                self._work_one(command)
            except Exception as error:  # noqa: BLE001  # told to the front end
                self._tell(error, f"{command['do']}: ")
                self._send_quietly({"kind": "refused", "do": command["do"]})

    def _work_one(self, command: dict[str, Any]) -> None:
        match command:
            case {"do": "older", "symbol": str(symbol), "before_ms": before_ms, "count": count}:
                source, count = self.source, min(int(count), OLDER_BARS_MAX)
                bars = source.older_bars(symbol, int(before_ms), count)
                told = {"symbol": symbol, "period": source.period, "before_ms": before_ms}
                self._send({"kind": "older", **told, "bars": bars})
            case {"do": "other", "symbol": str(symbol), "period": str(period)}:
                other = self.source.other(symbol, period)
                self.order({"do": "show", "source": other, "symbol": symbol})
            case {"do": "cut"}:
                self.source.cut()
            case {"do": "stop"}:
                self._stop()
            case _:
                pass  # an order without its particulars

    def _stop(self) -> None:
        shown = self.source
        self._ended.set()
        try:
            self._stopped()  # the picture first: it shows what the person sees now
        finally:
            shown.stop()
            self.home.stop()

    def _send_quietly(self, message: dict[str, Any]) -> None:
        try:
            self._send(message)
        except Exception:  # noqa: BLE001  # the front end is gone; nobody waits for this
            return


def leave(source: Source) -> None:
    """Tell a source that was asked for by `other` that it is shown no more, if it wants to know."""
    left = getattr(source, "leave", None)
    if callable(left):
        left()


@atexit.register
def _end_all() -> None:
    """Let no thread send while the interpreter goes down: that would be heard."""
    for pump in list(_PUMPS):
        pump.end()
