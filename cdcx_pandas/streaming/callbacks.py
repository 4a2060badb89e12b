"""A person's functions, called with new rows on one thread, at most ten times a second.

What they raise is kept and counted, and harms nothing: neither the stream nor other functions.
"""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

EVERY_S = 0.1


class Callbacks:
    """The functions of one `Live`, and the thread that calls them.

    Parameters
    ----------
    fresh
        Returns the rows of a channel since it was asked last; None where there are none.

    Attributes
    ----------
    errors, last_error
        How often a function raised, and what it said last.
    """

    def __init__(self, fresh: Callable[[str], pd.DataFrame | None]) -> None:
        self._fresh = fresh
        self._functions: list[tuple[str, Callable[[pd.DataFrame], Any]]] = []
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self.errors = 0
        self.last_error = ""

    def add(self, channel: str, function: Callable[[pd.DataFrame], Any]) -> None:
        """Call a function from now on, in the place of one of the same name: a cell run again."""
        kept = [known for known in self._functions if not _is_again(known, (channel, function))]
        self._functions = [*kept, (channel, function)]
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="cdcx-callbacks", daemon=True)
            self._thread.start()

    def remove(self, channel: str) -> None:
        """Call the functions of a channel no more."""
        self._functions = [known for known in self._functions if known[0] != channel]

    def stop(self) -> None:
        """Call nothing any more."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(EVERY_S):
            self.call()

    def call(self) -> None:
        """Call every function whose channel has new rows."""
        for channel in dict.fromkeys(channel for channel, _ in self._functions):
            functions = [function for wanted, function in self._functions if wanted == channel]
            try:
                rows = self._fresh(channel)
            except Exception as error:  # noqa: BLE001  # a warning that was made an error
                self._failed(error)
                continue
            if rows is None:
                continue
            for function in functions:  # what one does to its rows, the others do not see
                self._one(function, rows if len(functions) == 1 else rows.copy())

    def _one(self, function: Callable[[pd.DataFrame], Any], rows: pd.DataFrame) -> None:
        try:
            function(rows)
        except Exception as error:  # noqa: BLE001  # theirs, and shown to them
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.errors += 1
        where = traceback.extract_tb(error.__traceback__)[-1]
        self.last_error = f"{type(error).__name__}: {error} (line {where.lineno})"


def _is_again(known: tuple[str, Any], new: tuple[str, Any]) -> bool:
    """Tell whether a function is another edition of a known one; those without a name never are."""
    (channel, function), (wanted, other) = known, new
    name = getattr(other, "__qualname__", "<lambda>")
    return (
        channel == wanted
        and "<lambda>" not in name
        and name == getattr(function, "__qualname__", None)
        and getattr(other, "__module__", None) == getattr(function, "__module__", None)
    )
