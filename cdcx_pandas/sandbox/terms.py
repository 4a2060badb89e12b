"""On what terms a wire shows the exchange: data, so that no part of it knows a dialect.

All wires share tapes, engines and ledger. They differ in what is listed, in how far a question
without a range reaches, and in which orders are kept and how many may be open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


@dataclass(frozen=True)
class Terms:
    """The terms of one wire; the default ones refuse nothing and leave nothing out.

    Attributes
    ----------
    listed
        The markets that are shown; None for all.
    windowed
        Whether the start of a kline question is rounded down to a bar, and the newest are
        told where there are more than asked for. Otherwise a bar opens within the range, and
        the first are told.
    flat
        Whether a spot bar without a trade is told as a flat one.
    looks_back_ns
        How long before its end a range of trades or orders begins that names no start; None
        reaches back to the beginning.
    finished_only
        Whether a history of orders has the finished ones, by the time they last changed. Else
        it has all, by the time they were created.
    ascending
        Whether orders are listed with the oldest first; pages count from the newest anyway.
    newest_first
        Whether own trades are counted from the newest where a question does not say.
    open_rows, page_rows
        How many open orders (None for all), and how many rows of a history, are told at once
        where a question does not say.
    keeps_refused
        Whether an order that was refused for what it asks has an id, and is in the history.
    most_open
        How many orders may be open on a market and in all; None for any number.
    """

    listed: AbstractSet[str] | None = None
    windowed: bool = False
    flat: bool = False
    looks_back_ns: int | None = None
    finished_only: bool = False
    ascending: bool = False
    newest_first: bool = False
    open_rows: int | None = 20
    page_rows: int = 20
    keeps_refused: bool = False
    most_open: tuple[int, int] | None = None

    def shows(self, symbol: str) -> bool:
        """Tell whether a market is shown."""
        return self.listed is None or symbol in self.listed


ALL = Terms()
