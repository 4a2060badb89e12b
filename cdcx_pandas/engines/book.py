"""Order books as arithmetic on columns: merged to coarser prices, kept up to date by changes."""

from __future__ import annotations

from collections import deque
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cdcx_pandas.tables import Columns

_WIDE = Context(prec=60)

BUFFERED = 1000
"""Changes that are kept while a snapshot is awaited; older ones are let go."""


def merge_prices(columns: Columns, unit: Decimal) -> Columns:
    """Merge the levels of a book to multiples of `unit`: bids down, asks up.

    Sums are exact: floats are added as the decimals they were written as.

    Parameters
    ----------
    columns
        ``side level price amount`` and, where told, ``orders``; best first on either side.
    unit
        The coarser step of prices.
    """
    exact = any(isinstance(price, Decimal) for price in columns["price"])
    orders = columns.get("orders") or [None] * len(columns["side"])
    merged: dict[tuple[str, Decimal], list[Any]] = {}
    rows = zip(columns["side"], columns["price"], columns["amount"], orders, strict=True)
    for side, price, amount, count in rows:
        rounding = ROUND_FLOOR if side == "bid" else ROUND_CEILING
        steps = (_decimal(price) / unit).to_integral_value(rounding)
        level = merged.setdefault((side, _WIDE.multiply(steps, unit)), [Decimal(0), 0])
        level[0] = _WIDE.add(level[0], _decimal(amount))
        level[1] = None if count is None or level[1] is None else level[1] + count
    sides = [side for side, _ in merged]
    first_ask = sides.index("ask") if "ask" in sides else len(sides)

    def told(value: Decimal) -> Any:
        return value if exact else float(value)

    return {
        "side": sides,
        "level": [*range(first_ask), *range(len(sides) - first_ask)],
        "price": [told(price) for _, price in merged],
        "amount": [told(amount) for amount, _ in merged.values()],
        "orders": [count for _, count in merged.values()],
    }


def totals(columns: Columns) -> list[Any]:
    """Return the amounts of a book from the best level on, summed up."""
    summed: list[Any] = []
    for level, amount in zip(columns["level"], columns["amount"], strict=True):
        summed.append(amount if level == 0 else summed[-1] + amount)
    return summed


def mid_and_spread(bid: Any, ask: Any) -> tuple[float | None, float | None]:
    """Return mid, and spread in hundredths of a percent of it; None where a side is empty."""
    if bid is None or ask is None:
        return None, None
    low, high = float(bid), float(ask)
    mid = (low + high) / 2
    return mid, (high - low) / mid * 10_000


def _decimal(value: Decimal | float) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(repr(value))


# ------------------------------------------------------------------------------ kept up to date


class Change(NamedTuple):
    """Levels that changed (amount 0 removes one), and where they stand in the chain."""

    columns: Columns
    sequence: int | None
    previous: int | None


class LiveBook:
    """One market's book, made of snapshots and changes.

    A chain of changes is whole when each one's `previous` is the `sequence` before it. Where it
    is not, the book is not shown any more until the next snapshot; changes that come meanwhile
    are kept, and those that the snapshot does not know yet are applied behind it. Venues without
    numbers send changes that always apply.

    Attributes
    ----------
    is_whole
        Whether it can be shown.
    sequence
        The last number of the chain, None where there are none.
    breaks
        How often the chain broke.
    """

    def __init__(self) -> None:
        self.is_whole = False
        self.sequence: int | None = None
        self.breaks = 0
        self._levels: dict[str, dict[Any, Any]] = {"bid": {}, "ask": {}}
        self._orders: dict[tuple[str, Any], Any] = {}
        self._waiting: deque[Change] = deque(maxlen=BUFFERED)
        self._begins = False

    def replace(self, columns: Columns, sequence: int | None = None) -> None:
        """Take a whole book, and behind it the kept changes that it does not know."""
        self._levels = {"bid": {}, "ask": {}}
        self._orders = {}
        self._set(columns)
        self.sequence, self.is_whole, self._begins = sequence, True, True
        waiting, self._waiting = list(self._waiting), deque(maxlen=BUFFERED)
        for change in waiting:
            self.change(*change)

    def change(
        self, columns: Columns, sequence: int | None = None, previous: int | None = None
    ) -> bool:
        """Apply a change; False where the chain is broken and a snapshot is needed."""
        if not self.is_whole:
            self._waiting.append(Change(columns, sequence, previous))
            return False
        if sequence is not None and self.sequence is not None:
            if self._begins and sequence <= self.sequence and previous != self.sequence:
                return True  # older than the snapshot, which knows it
            # The first one behind a snapshot may begin before it: levels are told, not steps.
            follows = previous is None or previous == self.sequence
            if not follows and not (self._begins and (previous or 0) < self.sequence):
                self.is_whole, self.breaks = False, self.breaks + 1
                self._waiting.append(Change(columns, sequence, previous))
                return False
        self._set(columns)
        self._begins = False
        self.sequence = self.sequence if sequence is None else sequence
        return True

    def lose(self) -> None:
        """Show it no more until the next snapshot: a change may have been missed."""
        self.is_whole = False
        self._waiting.clear()

    @property
    def is_crossed(self) -> bool:
        """Whether somebody would buy for more than somebody sells for: no book stays so."""
        bid, ask = self.best()
        return bid is not None and ask is not None and bid >= ask

    def _set(self, columns: Columns) -> None:
        orders = columns.get("orders") or [None] * len(columns["side"])
        rows = zip(columns["side"], columns["price"], columns["amount"], orders, strict=True)
        for side, price, amount, count in rows:
            if amount:
                self._levels[side][price] = amount
                self._orders[side, price] = count
            else:
                self._levels[side].pop(price, None)
                self._orders.pop((side, price), None)

    def best(self) -> tuple[Any, Any]:
        """Return best bid and best ask, None where a side is empty."""
        bids, asks = self._levels["bid"], self._levels["ask"]
        return max(bids, default=None), min(asks, default=None)

    def amount(self, side: str, price: Any) -> Any:
        """Return the amount of a level, None where there is none."""
        return self._levels[side].get(price)

    def columns(self, levels: int | None = None) -> Columns:
        """Return the book as columns, bids first, best first on either side."""
        told: Columns = {name: [] for name in ("side", "level", "price", "amount", "orders")}
        for side in ("bid", "ask"):
            prices = sorted(self._levels[side], reverse=side == "bid")[:levels]
            told["side"] += [side] * len(prices)
            told["level"] += range(len(prices))
            told["price"] += prices
            told["amount"] += [self._levels[side][price] for price in prices]
            told["orders"] += [self._orders[side, price] for price in prices]
        return told
