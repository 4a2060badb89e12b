"""One market's book, kept whole: shown while it is, and said to be stale while it is not.

Wires differ: whole books each time, changes with a chain of numbers, changes without one. A
broken chain needs a whole book, which a new subscription brings. Changes without numbers cannot
show that one is missing, so the venue is asked for the whole book now and then.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from cdcx_pandas.engines.book import LiveBook
from cdcx_pandas.engines.tracks.track import Asking, Now
from cdcx_pandas.operations import GetDepth

if TYPE_CHECKING:
    from cdcx_pandas import messages as m
    from cdcx_pandas.channels import DepthChannel
    from cdcx_pandas.operations import Operation
    from cdcx_pandas.tables import Answer, Columns

WHOLE_EVERY_S = 30.0
"""A book of changes without numbers is asked for as a whole when the last one is so old."""
CROSSED_S = 1.0
"""A book may cross in the middle of a change told in several messages, and no longer."""
_SLACK_S = 2.0
"""An answer may be older than its question by so much."""
_AGAIN_S = 1.0


class Shown(NamedTuple):
    """A book as it is shown: its levels, when they held, and whether they still do."""

    columns: Columns
    time: int | None
    received: int | None
    is_stale: bool


class BookTrack:
    """The book of one market.

    Parameters
    ----------
    channel
        The channel it comes from.

    Attributes
    ----------
    version
        Changes with every change of what is shown.
    wants_whole
        Whether the channel is to be asked for anew, which brings a whole book.
    resyncs
        How often a whole book was needed.
    """

    def __init__(self, channel: DepthChannel) -> None:
        self.channel = channel
        self.heard_at: float | None = None
        self.wants_whole = False
        self.version = 0
        self.resyncs = 0
        self._book = LiveBook()
        self._time: int | None = None
        self._received: int | None = None
        self._kept: Shown | None = None
        self._has_numbers = True
        self._whole_at: float | None = None
        self._recent: deque[tuple[float, Columns]] = deque()
        self._asked_at = 0.0
        self._wanted_at = float("-inf")
        self._crossed_at: float | None = None
        self._asking = Asking()

    # --------------------------------------------------------------------------- the stream

    def news(self, update: m.Update, now: Now) -> None:
        """Take a whole book, or a change."""
        columns = update.answer.columns
        self.heard_at = now.monotonic
        if update.mode == "snapshot":
            if self._is_older(update):
                return
            self._book.replace(columns, update.sequence)
            self._whole_at = now.monotonic
        else:
            self._change(columns, update, now)
        if self._book.is_whole:
            self._time, self._received, self._kept = update.time, now.ns, None
            self.version += 1

    def _is_older(self, update: m.Update) -> bool:
        """Tell whether a whole book came later than one that is newer."""
        known = self._time
        is_known = known is not None and update.time is not None and self._book.is_whole
        return is_known and update.time < known and update.ref is None  # type: ignore[operator]  # neither is None

    def _change(self, columns: Columns, update: m.Update, now: Now) -> None:
        was_whole = self._book.is_whole
        if was_whole and self._kept is None and update.sequence is not None:
            before = self._book.sequence
            if update.previous is not None and update.previous != before:
                self._keep()  # what was true last, should the chain be broken
        self._has_numbers = update.sequence is not None
        if not self._has_numbers:
            self._recent.append((now.monotonic, columns))
            while now.monotonic - self._recent[0][0] > 2 * WHOLE_EVERY_S:
                self._recent.popleft()
        if not self._book.change(columns, update.sequence, update.previous) and self._has_numbers:
            self._want(now)

    def _want(self, now: Now) -> None:
        """Ask for a whole book by subscribing anew, not more than once a second."""
        if now.monotonic - self._wanted_at >= _AGAIN_S:
            self._wanted_at, self.wants_whole = now.monotonic, True
            self.resyncs += 1

    def interrupted(self, _why: str, _now: Now) -> None:
        """Show what was true last until a whole book comes."""
        self._lose()

    def resumed(self, _: Now) -> None:
        """Wait: the whole book is on its way."""

    def _lose(self) -> None:
        self._keep()
        self._book.lose()
        self._recent.clear()
        self._crossed_at = None
        self.version += 1

    def _keep(self) -> None:
        if self._kept is None and self._book.is_whole:
            self._kept = Shown(self._book.columns(), self._time, self._received, is_stale=True)

    # ---------------------------------------------------------------------------- the venue

    def question(self, now: Now) -> Operation[Any] | None:
        """Ask for the whole book where changes have no numbers and the last whole one is old."""
        if self._has_numbers or not self._asking.may(now) or self.heard_at is None:
            return None
        is_old = self._whole_at is None or now.monotonic - self._whole_at > WHOLE_EVERY_S
        is_lost = not self._book.is_whole and now.monotonic - self.heard_at < _SLACK_S
        if not (is_old or is_lost):
            return None
        self._asking.asked()
        self._asked_at = now.monotonic
        return GetDepth(self.channel.symbol, self.channel.step)

    def answered(self, _: Operation[Any], answer: Answer, now: Now) -> None:
        """Take the whole book, and behind it the changes that may be younger.

        A change says how a level stands, not by how much it moved: saying it twice is harmless.
        """
        self._asking.answered(now)
        if self._has_numbers:
            return  # it was only a probe
        self._book.replace(answer.columns)
        for at, columns in self._recent:
            if at >= self._asked_at - _SLACK_S:
                self._book.change(columns)
        self._whole_at, self._kept, self._received = now.monotonic, None, now.ns
        self.version += 1

    def unanswered(self, now: Now) -> None:
        """Ask again later."""
        self._asking.failed(now)

    def probe(self) -> Operation[Any]:
        """Ask for the book."""
        return GetDepth(self.channel.symbol, self.channel.step)

    def is_newer(self, answer: Answer) -> bool:
        """Tell whether the best levels are others than the stream said."""
        columns = answer.columns
        told = {
            (side, price, amount)
            for side, level, price, amount in zip(
                columns["side"], columns["level"], columns["price"], columns["amount"], strict=True
            )
            if level == 0
        }
        best = zip(("bid", "ask"), self._book.best(), strict=True)
        known = {(side, price, self._book.amount(side, price)) for side, price in best}
        return told != known

    def tick(self, now: Now) -> None:
        """Give up a book that stays crossed."""
        if not self._book.is_whole or not self._book.is_crossed:
            self._crossed_at = None
        elif self._crossed_at is None:
            self._crossed_at = now.monotonic
        elif now.monotonic - self._crossed_at > CROSSED_S:
            self._lose()
            self._want(now)

    # ------------------------------------------------------------------------------ reading

    @property
    def is_whole(self) -> bool:
        """Whether it is known to be as the venue has it."""
        return self._book.is_whole

    def best(self) -> tuple[float | None, float | None]:
        """Return best bid and ask; None where it is not whole, or a side is empty."""
        return self._book.best() if self._book.is_whole else (None, None)

    def shown(self) -> Shown | None:
        """Return the book as it is shown; None before the first whole one."""
        if self._kept is not None:
            return self._kept
        if not self._book.is_whole:
            return None
        columns = self._book.columns()
        return Shown(columns, self._time, self._received, is_stale=self._book.is_crossed)
