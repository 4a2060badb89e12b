"""One market's desk: its tape and its engine together, and pictures kept for a while.

What belongs to one pair stands here; what belongs to an account, in the exchange.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cdcx_pandas.periods import NS_PER_DAY, NS_PER_MINUTE
from cdcx_pandas.sandbox.engine import Engine
from cdcx_pandas.sandbox.orders import Scale
from cdcx_pandas.sandbox.tape import BOOK_LEVELS, Book
from cdcx_pandas.tables import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cdcx_pandas.sandbox.market import Market
    from cdcx_pandas.sandbox.pairs import Pair
    from cdcx_pandas.sandbox.tape import DayStats


class Hit(NamedTuple):
    """A trade of the tape that reached a resting order."""

    time_ns: int
    symbol: str
    price: int
    lots: int


class Touch(NamedTuple):
    """The best prices of a book and the lots there, None where a side is empty."""

    bid: int | None
    ask: int | None
    bid_lots: int | None
    ask_lots: int | None


class _Newest:
    """The newest trade as time goes by, looked up again only when another one is due.

    The tape knows its future, so it is known until when a trade stays the newest.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._since_ns = self._until_ns = 0
        self._found: tuple[int, int | None] = (0, None)

    def at(self, now_ns: int) -> tuple[int, int | None]:
        """Return id and price of the newest trade, 0 and None before the first."""
        if not self._since_ns <= now_ns < self._until_ns:
            last = self._market.last_trades(now_ns + 1, 1)
            self._found = (int(last.id[0]), int(last.price[0])) if last.id.size else (0, None)
            later = self._market.trades(now_ns + 1, now_ns + NS_PER_MINUTE).time_ns
            self._since_ns = now_ns
            self._until_ns = int(later[0]) if later.size else now_ns + NS_PER_MINUTE
        return self._found

    def is_same(self, since_ns: int, until_ns: int) -> bool:
        """Return whether no trade happens in ``[since_ns, until_ns)``, as far as is known."""
        return self._since_ns < since_ns and until_ns <= self._until_ns

    def forget(self) -> None:
        """Look again next time."""
        self._until_ns = 0


class Desk:
    """What belongs to one market, and the pictures of it that are kept for a while."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.engine = Engine()
        self.scale = Scale.of(market.pair)
        self._newest = _Newest(market)
        self._newest_a_day_ago = _Newest(market)
        self._stats: tuple[tuple[int, int], DayStats | None] | None = None
        self._touch: tuple[tuple[int, int, int], Touch] | None = None

    @property
    def pair(self) -> Pair:
        """The pair that trades here."""
        return self.scale.pair

    def last_id(self, now_ns: int) -> int:
        """Return the id of the newest trade, 0 before the first."""
        return self._newest.at(now_ns)[0]

    def last_price(self, now_ns: int) -> int | None:
        """Return the price of the newest trade, None before the first."""
        return self._newest.at(now_ns)[1]

    def record(self, time_ns: int, price: int, lots: int, side: int) -> int:
        """Print a trade of an account on the tape; return its id."""
        self._newest.forget()
        self._newest_a_day_ago.forget()
        return self.market.record(time_ns, price, lots, side)

    def book(self, now_ns: int) -> Book:
        """Return the whole visible book."""
        return self.engine.visible(self.market.book(now_ns), now_ns // NS_PER_S)

    def book_key(self, now_ns: int) -> tuple[int, int, int]:
        """Return a value that stays the same as long as the book does."""
        return now_ns // NS_PER_S, self.last_id(now_ns), self.engine.version

    def price_at(self, time_ns: int) -> int | None:
        """Return the price of the newest trade at any time, None before the first."""
        last = self.market.last_trades(time_ns + 1, 1).price
        return int(last[0]) if last.size else None

    def touch(self, now_ns: int) -> Touch:
        """Return the best levels of the visible book."""
        key = self.book_key(now_ns)
        if self._touch is None or self._touch[0] != key:
            levels = 1 if self.engine.is_plain(key[0]) else BOOK_LEVELS
            book = self.engine.visible(self.market.book(now_ns, levels), key[0])
            (bid, bid_lots), (ask, ask_lots) = (
                (int(side[0, 0]), int(side[0, 1])) if len(side) else (None, None) for side in book
            )
            self._touch = key, Touch(bid, ask, bid_lots, ask_lots)
        return self._touch[1]

    def day(self, now_ns: int) -> DayStats | None:
        """Return the last 24 hours: the same until a trade enters or leaves them."""
        key = self.last_id(now_ns), self._newest_a_day_ago.at(now_ns - NS_PER_DAY)[0]
        if self._stats is None or self._stats[0] != key:
            self._stats = key, self.market.day_stats(now_ns)
        return self._stats[1]

    def hits(self, start_ns: int, end_ns: int) -> Iterator[Hit]:
        """Yield the trades in ``[start_ns, end_ns)`` that reach a resting order."""
        if self._newest.is_same(start_ns, end_ns):
            return
        trades = self.market.trades(start_ns, end_ns)
        for at in np.flatnonzero(self.engine.reached(trades.price, trades.price)).tolist():
            yield Hit(
                int(trades.time_ns[at]),
                self.pair.symbol,
                int(trades.price[at]),
                int(trades.amount[at]),
            )
