"""Threads that ask the venue what a live stream wants to know: few, short-lived, daemons."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)
MOST = 6
IDLE_S = 2.0
"""A thread without work ends after so long."""


class Helpers:
    """Runs calls on up to `MOST` threads, which end by themselves when there is nothing to do."""

    def __init__(self, name: str, most: int = MOST) -> None:
        self._name = name
        self._most = most
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._calls = 0  # waiting and running

    def submit(self, call: Callable[[], None]) -> None:
        """Have a call made soon; what it raises is logged."""
        self._work.put(call)
        with self._lock:
            self._calls += 1
            if self._threads >= min(self._calls, self._most):
                return
            self._threads += 1
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                call = self._work.get(timeout=IDLE_S)
            except queue.Empty:
                with self._lock:
                    if self._threads > self._calls:
                        self._threads -= 1
                        return
                continue
            try:
                call()
            except Exception:  # noqa: BLE001  # nobody waits for it
                _log.exception("a question of a live stream")
            with self._lock:
                self._calls -= 1
