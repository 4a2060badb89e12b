"""What all tracks have in common: the calls of a `Watch`, and when the venue is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from cdcx_pandas.tables import NS_PER_MS

if TYPE_CHECKING:
    from cdcx_pandas import messages as m
    from cdcx_pandas.channels import Channel
    from cdcx_pandas.operations import Operation
    from cdcx_pandas.tables import Columns


class Now(NamedTuple):
    """An instant: monotonic seconds, and the venue's time in ns."""

    monotonic: float
    ns: int

    @classmethod
    def at(cls, monotonic: float, ns: int) -> Now:
        """Return an instant of a live stream, whose times are whole milliseconds."""
        return cls(monotonic, ns // NS_PER_MS * NS_PER_MS)


class Track(Protocol):
    """One channel, as a `Watch` keeps it.

    Attributes
    ----------
    heard_at
        When news came last, monotonic; None before the first.
    """

    heard_at: float | None

    @property
    def channel(self) -> Channel:
        """What it is."""

    def news(self, update: m.Update, now: Now, /) -> None:
        """Take news."""

    def interrupted(self, why: str, now: Now, /) -> None:
        """Take note that news may be missing from now on."""

    def resumed(self, now: Now, /) -> None:
        """Take note that the channel is told again."""

    def question(self, now: Now, /) -> Operation[Any] | None:
        """Return what the venue is to be asked now; then None until it was answered."""

    def answered(self, operation: Operation[Any], answer: Any, now: Now, /) -> None:
        """Take an answer."""

    def unanswered(self, now: Now, /) -> None:
        """Take note that there was none."""

    def probe(self) -> Operation[Any] | None:
        """Return the question whose answer tells whether the channel is mute; None if none can."""

    def is_newer(self, answer: Any, /) -> bool:
        """Tell whether an answer to `probe` holds what should have been told and was not."""

    def tick(self, now: Now, /) -> None:
        """Do what is due."""


class Asking:
    """When to ask: never two questions at a time, and later each time there was no answer."""

    SPACING_S = 1.0
    LONGEST_S = 30.0

    def __init__(self) -> None:
        self.is_waiting = False
        self._next_at = 0.0
        self._failures = 0

    def may(self, now: Now) -> bool:
        """Tell whether a question may be asked now."""
        return not self.is_waiting and now.monotonic >= self._next_at

    def asked(self) -> None:
        """Take note of a question."""
        self.is_waiting = True

    def answered(self, now: Now) -> None:
        """Take note of its answer."""
        self.is_waiting, self._failures = False, 0
        self._next_at = now.monotonic + self.SPACING_S

    def failed(self, now: Now) -> None:
        """Take note that there was none."""
        self.is_waiting = False
        self._failures += 1
        self._next_at = now.monotonic + min(self.LONGEST_S, self.SPACING_S * 2**self._failures)


def to_millis(stamps: list[Any]) -> list[int]:
    """Cut times to whole milliseconds: a stream tells no finer ones."""
    return [stamp // NS_PER_MS * NS_PER_MS for stamp in stamps]


def received(columns: Columns, now: Now, symbol: str | None = None) -> Columns:
    """Return the columns with the time at which they arrived; of several markets, with which."""
    count = len(next(iter(columns.values()), ()))
    told: Columns = {"received": [now.ns] * count}
    return columns | told if symbol is None else columns | told | {"symbol": [symbol] * count}
