"""The live streams of this kernel: a cell that is run again gets the one that runs."""

from __future__ import annotations

import atexit
import contextlib
import threading
from typing import TYPE_CHECKING, Any

from cdcx_pandas.engines.stream import State
from cdcx_pandas.streaming.pool import at_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from cdcx_pandas.streaming.live import Live

_lock = threading.RLock()
_running: dict[Hashable, tuple[Any, Live]] = {}


def running(
    key: Hashable, options: Any, make: Callable[[], Live], *, is_guest: bool = False
) -> Live:
    """Return the stream of a key: the one that runs with the same options, or a new one.

    One that runs with others is stopped first, unless only a guest asks: it takes it as it is.
    One that cannot go on is stopped as well: a cell that is run again tries again.
    """
    with _lock:
        found = _running.get(key)
        fits = found is not None and (is_guest or found[0] == options)
        if found is not None and fits and found[1].state not in {State.STOPPED, State.FAILED}:
            return found[1]
        if found is not None:
            found[1].stop()
        made = make()
        _running[key] = (options, made)
        return made


def forget(live: Live) -> None:
    """Take note that a stream has stopped."""
    with _lock:
        for key, (_, known) in list(_running.items()):
            if known is live:
                del _running[key]


def every() -> list[Live]:
    """Return all streams that run."""
    with _lock:
        return [live for _, live in _running.values()]


def stop_all() -> None:
    """Stop all streams of this kernel."""
    for live in every():
        with contextlib.suppress(Exception):  # the kernel ends anyway
            live.stop()


def _abandon() -> None:
    """In a forked child nothing runs: the threads are the parent's."""
    global _lock  # noqa: PLW0603  # the one lock there is
    _lock = threading.RLock()
    for _, live in _running.values():
        live.is_stopped = True
    _running.clear()


at_fork(_abandon)
atexit.register(stop_all)
