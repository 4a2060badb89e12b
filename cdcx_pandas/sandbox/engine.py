"""The matching engine of one market: price, then time, in integers.

This module knows ticks and lots, orders that rest, and the synthetic levels the market shows
beside them. It knows no coins, no fees and no clock: the book of the moment and its whole
second are arguments. What it decides:

* A new order walks the opposite side from the best price on. Where a synthetic level and
  resting orders share a price, the synthetic lots count as older and go first; resting orders
  go in the order they came.
* Synthetic lots that were eaten stay eaten for the rest of the book's whole second; in the
  next one the market shows a new book.
* Synthetic levels that would cross or meet a resting order are not there: whoever stood behind
  them would have traded with that order.
* A resting order is filled by the market's own trades: one through its price fills it whole,
  one at its price fills as many lots as it had. The queue that would have stood before it is
  not modelled, so a resting order here is filled sooner than on a real exchange.
* Nobody trades with themselves: an own resting order that a new order reaches is cancelled.
  (One trade with the same account on both sides would be two own trades of one id.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cdcx_pandas.sandbox.tape import Book

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

BUY, SELL = 1, -1
"""Sides as numbers: the sign of what happens to the amount one has."""


class Fill(NamedTuple):
    """Lots that changed hands at a price; `maker` is the resting order, None if synthetic."""

    price: int
    lots: int
    maker: int | None


class Wish(NamedTuple):
    """What a new order wants, before any of it rests.

    Attributes
    ----------
    owner
        The account it is for.
    side
        `BUY` or `SELL`.
    lots
        The most lots, None if only `budget` bounds it.
    limit
        The worst price in ticks, None for any.
    budget
        The most it may cost, in ticks x lots; None for any.
    """

    owner: str
    side: int
    lots: int | None = None
    limit: int | None = None
    budget: int | None = None


class Taken(NamedTuple):
    """What a new order found: fills in order, and own orders that were in its way."""

    fills: list[Fill]
    cancelled: list[int]


class _Rest(NamedTuple):
    owner: str
    lots: int


class Engine:
    """The orders that rest on one market, and how new ones meet them.

    Attributes
    ----------
    version
        Grows with every change, so that whoever keeps a picture of the book knows its age.
    """

    def __init__(self) -> None:
        # Side → price → order → what is left of it. A dict keeps the order in which orders
        # came, and forgets one from its middle at once.
        self._sides: dict[int, dict[int, dict[int, _Rest]]] = {BUY: {}, SELL: {}}
        self._places: dict[int, tuple[int, int]] = {}
        self._eaten: dict[int, dict[int, int]] = {BUY: {}, SELL: {}}
        self._eaten_in = -1
        self.version = 0

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, order: int) -> bool:
        return order in self._places

    def best(self, side: int) -> int | None:
        """Return the best price at which an order rests."""
        prices = self._sides[side]
        if not prices:
            return None
        return max(prices) if side == BUY else min(prices)

    def lots(self, order: int) -> int:
        """Return what is left of a resting order."""
        side, price = self._places[order]
        return self._sides[side][price][order].lots

    def is_plain(self, second: int) -> bool:
        """Return whether the market's book is visible as it is: nothing rests, nothing eaten."""
        return not self._places and second != self._eaten_in

    def visible(self, book: Book, second: int) -> Book:
        """Return the book as everyone sees it: synthetic levels and resting orders together.

        Parameters
        ----------
        book
            The market's own levels at this moment.
        second
            The whole second it is of.
        """
        if self.is_plain(second):
            return book
        return Book(
            *(
                _rows(_summed(self._levels(side, levels, second)))
                for side, levels in ((BUY, book.bids), (SELL, book.asks))
            )
        )

    def find(self, wish: Wish, book: Book, second: int) -> Taken:
        """Return what a new order would meet now; nothing changes.

        With a budget it ends when what remains of it buys no further lot.
        """
        found = Taken([], [])
        levels = self._levels(-wish.side, book.bids if wish.side == SELL else book.asks, second)
        got, paid = 0, 0
        for price, lots, maker in levels:
            if wish.limit is not None and (price - wish.limit) * wish.side > 0:
                break
            room = lots if wish.lots is None else wish.lots - got
            if wish.budget is not None:
                room = min(room, (wish.budget - paid) // price)
            if room <= 0:
                break
            if maker is not None and self._owner(maker) == wish.owner:
                found.cancelled.append(maker)
                continue
            lots = min(lots, room)  # noqa: PLW2901  # what is taken of the level
            found.fills.append(Fill(price, lots, maker))
            got, paid = got + lots, paid + price * lots
        return found

    def take(self, wish: Wish, book: Book, second: int) -> Taken:
        """Let a new order trade as far as it can; what is left of it does not rest yet."""
        taken = self.find(wish, book, second)
        for order in taken.cancelled:
            self.cancel(order)
        for fill in taken.fills:
            self._remove(fill, -wish.side, second)
        return taken

    def rest(self, order: int, owner: str, side: int, price: int, lots: int) -> None:
        """Put an order, or what is left of it, into the book behind those at its price."""
        assert lots > 0, "an order of nothing cannot rest"
        self._sides[side].setdefault(price, {})[order] = _Rest(owner, lots)
        self._places[order] = (side, price)
        self.version += 1

    def cancel(self, order: int) -> None:
        """Take a resting order out of the book."""
        side, price = self._places.pop(order)
        queue = self._sides[side][price]
        del queue[order]
        if not queue:
            del self._sides[side][price]
        self.version += 1

    def shrink(self, order: int, lots: int) -> None:
        """Leave so many lots of a resting order, which keeps its place."""
        side, price = self._places[order]
        queue = self._sides[side][price]
        assert 0 < lots <= queue[order].lots, "an order that grows loses its place"
        queue[order] = queue[order]._replace(lots=lots)
        self.version += 1

    def meet(self, price: int, lots: int) -> list[Fill]:
        """Let a trade of the market's own fill resting orders, each at its own price.

        Parameters
        ----------
        price, lots
            The trade's. Whose taker it had does not matter: with our order in the book, it
            would have been the one to trade.
        """
        fills: list[Fill] = []
        for side in (BUY, SELL):
            best = self.best(side)
            if best is None or (price - best) * side > 0:
                continue
            left = lots
            for at, held, order in list(self._resting(side)):
                if (price - at) * side > 0:
                    break
                filled = held
                if at == price:
                    filled = min(held, left)
                    left -= filled
                if filled:
                    fills.append(Fill(at, filled, order))
        for fill in fills:
            self._shrink(fill)
        return fills

    def reached(
        self, lows: npt.NDArray[np.int64], highs: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Return which of some trades, or bars of them, reach a resting order."""
        hit = np.zeros(lows.shape, dtype=np.bool_)
        bid, ask = self.best(BUY), self.best(SELL)
        if bid is not None:
            hit |= lows <= bid
        if ask is not None:
            hit |= highs >= ask
        return hit

    def _owner(self, order: int) -> str:
        side, price = self._places[order]
        return self._sides[side][price][order].owner

    def _levels(
        self, side: int, levels: npt.NDArray[np.int64], second: int
    ) -> Iterator[tuple[int, int, int | None]]:
        """Yield price, lots and order of a side, best first, synthetic lots before orders."""
        eaten = self._eaten[side] if second == self._eaten_in else {}
        edge = self.best(-side)
        resting = self._resting(side)
        waiting = next(resting, None)
        for price, lots in levels.tolist():
            if edge is not None and (price - edge) * side >= 0:
                continue
            while waiting is not None and (waiting[0] - price) * side > 0:
                yield waiting
                waiting = next(resting, None)
            left = lots - eaten.get(price, 0)
            if left > 0:
                yield price, left, None
        if waiting is not None:
            yield waiting
            yield from resting

    def _resting(self, side: int) -> Iterator[tuple[int, int, int]]:
        queues = self._sides[side]
        for price in sorted(queues, reverse=side == BUY):
            for order, rest in queues[price].items():
                yield price, rest.lots, order

    def _remove(self, fill: Fill, side: int, second: int) -> None:
        if fill.maker is not None:
            self._shrink(fill)
            return
        if second != self._eaten_in:
            self._eaten, self._eaten_in = {BUY: {}, SELL: {}}, second
        eaten = self._eaten[side]
        eaten[fill.price] = eaten.get(fill.price, 0) + fill.lots
        self.version += 1

    def _shrink(self, fill: Fill) -> None:
        assert fill.maker is not None, "synthetic lots do not rest"
        side, price = self._places[fill.maker]
        queue = self._sides[side][price]
        rest = queue[fill.maker]
        if rest.lots == fill.lots:
            self.cancel(fill.maker)
            return
        # Assigning to a key keeps its place in the queue.
        queue[fill.maker] = rest._replace(lots=rest.lots - fill.lots)
        self.version += 1


def _summed(levels: Iterator[tuple[int, int, int | None]]) -> dict[int, int]:
    lots_at: dict[int, int] = {}
    for price, lots, _ in levels:
        lots_at[price] = lots_at.get(price, 0) + lots
    return lots_at


def _rows(lots_at: dict[int, int]) -> npt.NDArray[np.int64]:
    return np.array(list(lots_at.items()), dtype=np.int64).reshape(-1, 2)
