"""What has one row for each key, and only its newest word counts: tickers, orders, balances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdcx_pandas.dialects.reading import rows_of
from cdcx_pandas.engines.tracks.gaps import Gap
from cdcx_pandas.engines.tracks.track import Asking, Now
from cdcx_pandas.operations import GetAccount, GetOrderHistory, GetTicker
from cdcx_pandas.tables import OPEN_STATUSES

if TYPE_CHECKING:
    from collections.abc import Hashable

    from cdcx_pandas import messages as m
    from cdcx_pandas.channels import BalanceChannel, Channel, OrderChannel, TickerChannel
    from cdcx_pandas.engines.tracks.gaps import Gaps
    from cdcx_pandas.operations import Operation
    from cdcx_pandas.tables import Answer, Columns, Table

SLACK_NS = 300 * 10**9
"""After an interruption orders are asked for again from so long before it."""
FIRST_S = 2.0
"""A stream mostly tells the ticker at once; the venue is asked where it did not."""
PAST_NS = 86_400 * 10**9
"""Of the time before the stream, one day is asked for."""


class Board:
    """Rows by key: those of `order` first, then in the order in which they were first seen.

    Parameters
    ----------
    table
        What the rows are.
    most
        How many are kept; the oldest key goes first.
    order
        Keys that are expected, as they are to be shown.
    """

    def __init__(self, table: Table, most: int = 100_000, order: tuple[str, ...] = ()) -> None:
        self.table = table
        self.version = 0
        self._key = table.key[0]
        self._names = [column.name for column in table.fields] + ["received"]
        self._rows: dict[Hashable, dict[str, Any]] = {}
        self._most = most
        self._order = order

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._rows

    def get(self, key: Hashable) -> dict[str, Any] | None:
        """Return the row of a key."""
        return self._rows.get(key)

    def put(self, row: dict[str, Any], now: Now) -> None:
        """Take the newest word about a key."""
        self._rows[row[self._key]] = row | {"received": now.ns}
        self.version += 1
        if len(self._rows) > self._most:
            del self._rows[next(iter(self._rows))]

    def replace(self, rows: list[dict[str, Any]], now: Now) -> None:
        """Take a listing of all there is."""
        self._rows.clear()
        for row in rows:
            self.put(row, now)
        self.version += 1

    def columns(self) -> Columns:
        """Return all rows as columns."""
        keys = dict.fromkeys([key for key in self._order if key in self._rows]) | self._rows
        rows = [self._rows[key] for key in keys]
        return {name: [row.get(name) for row in rows] for name in self._names}


class _Quiet:
    """A track without questions."""

    heard_at: float | None = None

    def interrupted(self, why: str, now: Now, /) -> None:
        """Do nothing: the next word replaces the last."""

    def resumed(self, now: Now, /) -> None:
        """Do nothing: the next word is on its way."""

    def question(self, _: Now) -> Operation[Any] | None:
        """Ask nothing."""
        return None

    def answered(self, operation: Operation[Any], answer: Any, now: Now, /) -> None:
        """Do nothing."""

    def unanswered(self, now: Now, /) -> None:
        """Do nothing."""

    def probe(self) -> Operation[Any] | None:
        """Nothing tells whether it is mute."""
        return None

    def is_newer(self, _: Any) -> bool:
        """Nothing tells whether it is mute."""
        return False

    def tick(self, now: Now, /) -> None:
        """Do nothing."""


class TickerTrack(_Quiet):
    """The ticker of one market: the newest by the venue's own time.

    Parameters
    ----------
    channel, board
        Where it comes from, and where it goes.
    """

    def __init__(self, channel: TickerChannel, board: Board) -> None:
        self.channel = channel
        self._board = board
        self._asking = Asking()
        self._is_due = True
        self._ask_at: float | None = None

    def news(self, update: m.Update, now: Now) -> None:
        """Take the newest."""
        self.heard_at = now.monotonic
        self._put(update.answer, now)

    def _put(self, answer: Answer, now: Now) -> None:
        for row in rows_of(answer.columns):
            known = self._board.get(row["symbol"])
            is_older = known is not None and (row.get("time") or 0) < (known["time"] or 0)
            if not is_older:
                self._board.put(row, now)

    def question(self, now: Now) -> Operation[Any] | None:
        """Ask once, where the stream told none at first: some tell a quiet market's never."""
        if self._ask_at is None:
            self._ask_at = now.monotonic + FIRST_S
        is_early = now.monotonic < self._ask_at
        if is_early or not self._is_due or self.heard_at or not self._asking.may(now):
            return None
        self._asking.asked()
        return GetTicker(self.channel.symbol)

    def answered(self, _: Operation[Any], answer: Answer, now: Now) -> None:
        """Take it where the stream told none yet."""
        self._asking.answered(now)
        self._is_due = False
        if self.channel.symbol not in self._board:
            self._put(answer, now)

    def unanswered(self, now: Now) -> None:
        """Ask again later."""
        self._asking.failed(now)

    def probe(self) -> Operation[Any]:
        """Ask for the ticker."""
        return GetTicker(self.channel.symbol)

    def is_newer(self, answer: Answer) -> bool:
        """Tell whether the last price is another."""
        known = self._board.get(self.channel.symbol)
        last = answer.columns["last"]
        return bool(last) and (known is None or known["last"] != last[0])


class OrderTrack(_Quiet):
    """The account's orders: each as it stands, and never back to where it was.

    Parameters
    ----------
    channel, board, gaps
        Where they come from, where they go, where interruptions are declared.
    """

    def __init__(self, channel: OrderChannel, board: Board, gaps: Gaps) -> None:
        self.channel = channel
        self._board = board
        self._gaps = gaps
        self._heard_ns: int | None = None
        self._since_ns: int | None = None
        self._suspects = ""
        self._is_due = True
        self._gap: Gap | None = None
        self._asking = Asking()

    def news(self, update: m.Update, now: Now) -> None:
        """Take how orders stand; the first frame lists the open ones."""
        if self._suspects and self._heard_ns is not None and self._gap is None:
            self._gap = self._gaps.open(
                Gap("orders", self.channel.symbol, self._heard_ns, now.ns, self._suspects)
            )
        self._suspects = ""
        self.heard_at, self._heard_ns = now.monotonic, now.ns
        if update.mode == "snapshot" and self._has_left_out(update.answer.columns):
            self._is_due = True  # some ended while nobody listened
        self._put(update.answer, now)

    def _has_left_out(self, columns: Columns) -> bool:
        listed = set(columns["id"])
        known = self._board.columns()
        return any(
            status in OPEN_STATUSES and id_ not in listed
            for id_, status in zip(known["id"], known["status"], strict=True)
        )

    def _put(self, answer: Answer, now: Now) -> None:
        for row in rows_of(answer.columns):
            known = self._board.get(row["id"])
            if known is None or _is_later(row, known):
                self._board.put(
                    (known or {}) | {k: v for k, v in row.items() if v is not None}, now
                )

    def interrupted(self, why: str, _: Now) -> None:
        """Suspect that orders changed unheard from now on."""
        self._suspects = why
        self._since_ns = self._heard_ns if self._since_ns is None else self._since_ns

    def resumed(self, _: Now) -> None:
        """Ask for the orders since."""
        self._is_due = True

    def question(self, now: Now) -> Operation[Any] | None:
        """Ask for the orders of the last day, then for those since an interruption."""
        if not self._is_due or not self._asking.may(now):
            return None
        self._asking.asked()
        since = now.ns - PAST_NS if self._since_ns is None else self._since_ns - SLACK_NS
        return GetOrderHistory(self.channel.symbol, since, now.ns + 1)

    def answered(self, _: Operation[Any], answer: Answer, now: Now) -> None:
        """Take them; the stream's later words count."""
        self._asking.answered(now)
        self._put(answer, now)
        self._is_due, self._since_ns = False, None
        if self._gap is not None and not self._suspects:
            self._gaps.close(self._gap, repaired=True)
            self._gap = None

    def unanswered(self, now: Now) -> None:
        """Ask again later."""
        self._asking.failed(now)


def _is_later(row: dict[str, Any], known: dict[str, Any]) -> bool:
    """Tell whether a word about an order is newer than the last: what ended does not open again."""
    stood = known.get("status")  # a row may leave it out
    has_ended = stood is not None and stood not in OPEN_STATUSES
    if has_ended and row["status"] in OPEN_STATUSES:
        return False
    return (row.get("filled") or 0) >= (known.get("filled") or 0)


class BalanceTrack(_Quiet):
    """The account's balances, as they are told as a whole.

    Parameters
    ----------
    channel, board
        Where they come from, and where they go.
    """

    def __init__(self, channel: BalanceChannel, board: Board) -> None:
        self.channel: Channel = channel
        self._board = board
        self._is_due = True
        self._asking = Asking()

    def news(self, update: m.Update, now: Now) -> None:
        """Take them."""
        self.heard_at = now.monotonic
        self._board.replace(rows_of(update.answer.columns), now)

    def question(self, now: Now) -> Operation[Any] | None:
        """Ask once, at the beginning."""
        if not self._is_due or self.heard_at is not None or not self._asking.may(now):
            return None
        self._asking.asked()
        return GetAccount()

    def answered(self, _: Operation[Any], answer: Answer, now: Now) -> None:
        """Take them where the stream told none yet."""
        self._asking.answered(now)
        self._is_due = False
        if self.heard_at is None:
            self._board.replace(rows_of(answer.columns), now)

    def unanswered(self, now: Now) -> None:
        """Ask again later."""
        self._asking.failed(now)
