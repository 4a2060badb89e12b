"""Own trades: the stream tells them as they happen, the venue's listing those it missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdcx_pandas.engines.tracks.board import PAST_NS, SLACK_NS
from cdcx_pandas.engines.tracks.gaps import Gap
from cdcx_pandas.engines.tracks.track import Asking, Now, received, to_millis
from cdcx_pandas.operations import GetMyTrades

if TYPE_CHECKING:
    from cdcx_pandas import messages as m
    from cdcx_pandas.channels import FillChannel
    from cdcx_pandas.engines.tracks.gaps import Gaps
    from cdcx_pandas.frames.rolling import RollingFrame
    from cdcx_pandas.operations import Operation
    from cdcx_pandas.tables import Answer


class FillTrack:
    """The account's own trades.

    Parameters
    ----------
    channel, frame, gaps
        Where they come from, where they go, where interruptions are declared.
    """

    def __init__(self, channel: FillChannel, frame: RollingFrame, gaps: Gaps) -> None:
        self.channel = channel
        self.frame = frame
        self.heard_at: float | None = None
        self._gaps = gaps
        self._since_ns: int | None = None
        self._gap: Gap | None = None
        self._is_due = True
        self._is_resumed = True
        self._asking = Asking()

    def news(self, update: m.Update, now: Now) -> None:
        """Take new ones."""
        self.heard_at = now.monotonic
        self._put(update.answer, now)

    def _put(self, answer: Answer, now: Now) -> int:
        columns = answer.columns
        columns = columns | {"time": to_millis(columns["time"])}
        return self.frame.append(received(columns, now), now_ns=now.ns)

    def interrupted(self, why: str, now: Now) -> None:
        """Suspect that some are missed: silence does not tell whether there were any."""
        if self._gap is None:
            self._gap = self._gaps.open(Gap("my_trades", self.channel.symbol, now.ns, now.ns, why))
        self._since_ns = now.ns if self._since_ns is None else self._since_ns
        self._is_resumed = False

    def resumed(self, _: Now) -> None:
        """Ask for those since."""
        self._is_due = self._is_resumed = True

    def question(self, now: Now) -> Operation[Any] | None:
        """Ask for the own trades of the last day, then for those since an interruption."""
        if not self._is_due or not self._asking.may(now):
            return None
        self._asking.asked()
        since = now.ns - PAST_NS if self._since_ns is None else self._since_ns - SLACK_NS
        return GetMyTrades(self.channel.symbol, since, now.ns + 1)

    def answered(self, _: Operation[Any], answer: Answer, now: Now) -> None:
        """Take them."""
        self._asking.answered(now)
        self._put(answer, now)
        self.frame.settle(now.ns, at_once=True)
        self._is_due, self._since_ns = False, None
        if self._gap is not None and self._is_resumed:
            self._gap.end = now.ns
            self._gaps.close(self._gap, repaired=True)
            self._gap = None

    def unanswered(self, now: Now) -> None:
        """Ask again later."""
        self._asking.failed(now)

    def probe(self) -> Operation[Any] | None:
        """Nothing tells: an account may be quiet for days."""
        return None

    def is_newer(self, _: Any) -> bool:
        """Nothing tells."""
        return False

    def tick(self, now: Now) -> None:
        """Merge what came late."""
        self.frame.settle(now.ns)
