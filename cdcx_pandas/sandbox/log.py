"""What happened to the orders of all accounts, in order: written once, read by position.

Whoever reads keeps the position it has read up to. Old entries are forgotten, so that a
sandbox can run for ever; a reader that far behind misses them.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cdcx_pandas.sandbox.orders import OwnTrade
    from cdcx_pandas.tables import Columns

KEPT = 100_000


class Event(NamedTuple):
    """An order as it stood after something happened to it; `fill` is what, if it traded."""

    time_ns: int
    account: str
    symbol: str
    order: Columns
    fill: OwnTrade | None


class Log:
    """The events, numbered from 0.

    Examples
    --------
    >>> log = Log()
    >>> log.add(Event(1, "user", "btcusdt", {}, None))
    >>> [event.symbol for event in log.between(0, log.end)]
    ['btcusdt']
    """

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=KEPT)
        self.end = 0

    def add(self, event: Event) -> None:
        """Write an event at the end."""
        self._events.append(event)
        self.end += 1

    def between(self, first: int, stop: int) -> list[Event]:
        """Return the events with numbers from `first` to ``stop - 1`` that are still kept."""
        forgotten = self.end - len(self._events)
        return list(islice(self._events, max(first - forgotten, 0), max(stop - forgotten, 0)))
