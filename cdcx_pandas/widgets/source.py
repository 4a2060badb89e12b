"""What a live view asks of the stream it shows.

Only the promise stands here. Whoever keeps it (a `Live`, a recording, a made-up market in a
test) can be seen; how the data comes in, and how it is drawn, are other people's business.
"""

from __future__ import annotations

from typing import Any, Protocol

Scene = dict[str, Any]
"""All that is to be seen of one symbol, or what is new since a version; ready for JSON.

Always there: ``version key symbol period period_ms symbols pickable periods venue simulated
can_cut state why now_ms``. There when the stream has it, and in a delta when it changed:
``price decimals bars trades book gaps board health``. Times are epoch milliseconds, prices and
amounts are numbers, what is not known is None.
"""

Bar = list[Any]
"""``[time_ms, open, high, low, close, volume, closed]``; `closed` is 0 or 1."""


class Source(Protocol):
    """A stream that can be looked at.

    All calls are cheap and may come from any thread, but for those that say "blocks".
    """

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is watched, in the package's words; ``("*",)`` for every market."""

    @property
    def period(self) -> str:
        """The period of its bars."""

    @property
    def is_paused(self) -> bool:
        """Whether the picture stands still; the data never does."""

    @property
    def is_stopped(self) -> bool:
        """Whether the stream has ended for good."""

    def scene(self, symbol: str | None, since: int | None) -> Scene:
        """Return what is to be seen of `symbol` (None: the first watched).

        With `since` None everything, a keyframe; else what is newer than the scene of that
        version, or a keyframe when that cannot be told any more.
        """

    def older_bars(self, symbol: str, before_ms: int, count: int) -> list[Bar]:
        """Return up to `count` bars before a time, ascending; none: there are none. Blocks."""

    def other(self, symbol: str, period: str) -> Source:
        """Return the stream of another symbol or period. Blocks."""

    def pause(self) -> None:
        """Let the picture stand still."""

    def resume(self) -> None:
        """Let it move again."""

    def stop(self) -> None:
        """End the stream. Blocks."""

    def cut(self) -> None:
        """Cut the wire, to see it heal; sandbox only. Blocks."""
