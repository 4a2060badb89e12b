"""What the account did before the exchange was started: orders that agree with the tape.

Each past fill is one public trade of the tape, whole: its id, time, price and amount. The
account was its taker, or the maker on the other side. A past limit order was created when the
market was away from its price, was filled by the first trades that reached it, and was
cancelled before the next one would have been. So a person who holds orders against public
trades finds that they fit.

This module finds such orders and says what happened to them; what that came to in money is
worked out by the exchange, with the arithmetic it has for new orders.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cdcx_pandas.periods import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, floor_time
from cdcx_pandas.sandbox.engine import BUY, SELL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cdcx_pandas.sandbox.pairs import Pair
    from cdcx_pandas.sandbox.tape import Tape, Trades

DAYS = 30
SYMBOLS = ("btcusdt", "ethusdt", "crousdt", "ethbtc", "crobtc")

_MOST = {"BTC": "0.05", "ETH": "1", "CRO": "10000"}
"""The largest past trade in each coin: small beside what the account has."""
_LEAST_PART = 500
"""The smallest is one part in so many of it."""
_KINDS = ("filled", "taken", "filled", "partial", "taken", "filled", "canceled")
"""What becomes of orders, over and over: as maker, as taker, in part, not at all."""
_SITTING = 4
"""Orders in a row on the same market, within the same hour."""
_TRIES = 60
_ROUNDS = 4
"""How often the days are gone through for orders; real tapes may be thin."""
_MS = 1_000_000
_MIN_GAP_NS = 3 * _MS


class PastFill(NamedTuple):
    """A public trade that was the account's."""

    id: int
    time_ns: int
    price: int
    lots: int


class PastOrder(NamedTuple):
    """An order of the past and its end; see `Order` for the fields of the same name."""

    symbol: str
    side: int
    price: int | None
    lots: int
    created_ns: int
    fills: tuple[PastFill, ...] = ()
    cancelled_ns: int | None = None


class Dice:
    """Whole numbers by chance, the same for the same words on every machine."""

    def __init__(self, *words: object) -> None:
        self._seed = ":".join(map(str, words)).encode()
        self._rolls = 0

    def below(self, count: int) -> int:
        """Return a number from 0 to ``count - 1``."""
        self._rolls += 1
        rolled = blake2b(self._seed, digest_size=8, salt=self._rolls.to_bytes(8, "big"))
        return int.from_bytes(rolled.digest(), "big") % count

    def between(self, first_ns: int, last_ns: int) -> int:
        """Return an instant of whole milliseconds strictly between two others."""
        first, last = first_ns // _MS + 1, -(-last_ns // _MS) - 1
        return (first + self.below(last - first + 1)) * _MS


def make_past(tapes: Mapping[str, Tape], seed: int, start_ns: int, count: int) -> list[PastOrder]:
    """Find past orders on the tapes.

    Parameters
    ----------
    tapes
        The markets by symbol; those of `SYMBOLS` that are missing are passed over.
    seed
        The same seed, tapes and start give the same orders.
    start_ns
        When the past ends.
    count
        How many orders to find: there are fewer where the tapes have too few trades.

    Returns
    -------
    list of PastOrder
        In the order in which they were created.
    """
    symbols = [symbol for symbol in SYMBOLS if symbol in tapes]
    if not symbols or count < 1:
        return []
    dice = Dice(seed, start_ns, "past")
    orders = _open_orders(tapes, start_ns, dice)[:count]
    used: set[tuple[str, int]] = set()
    sittings = -(-count // _SITTING)
    stretch = (DAYS * 24 - 2) // sittings
    # Spread evenly over the days, each sitting in a random hour of its stretch; an hour that
    # has no order of some kind leaves it to a later one.
    for number in range(_ROUNDS * sittings):
        hours_ago = 1 + number % sittings * stretch + dice.below(max(stretch, 1))
        symbol = symbols[number % len(symbols)]
        opened = floor_time("1hour", start_ns) - hours_ago * NS_PER_HOUR
        trades = tapes[symbol].trades(opened, opened + NS_PER_HOUR)
        hour = _Hour(tapes[symbol].pair, trades, dice, used)
        for _ in range(min(_SITTING, count - len(orders))):
            found = hour.find(_KINDS[len(orders) % len(_KINDS)])
            if found is not None:
                orders.append(found)
        if len(orders) == count:
            break
    return sorted(orders, key=lambda order: order.created_ns)


def _open_orders(tapes: Mapping[str, Tape], start_ns: int, dice: Dice) -> list[PastOrder]:
    """Return orders that still rest, far from where the market ever was since."""
    orders = []
    for symbol, side, parts in (
        ("btcusdt", BUY, 1),
        ("ethusdt", SELL, 1),
        ("crousdt", BUY, 1),
        ("crobtc", SELL, 2),
    ):
        if symbol not in tapes:
            continue
        pair = tapes[symbol].pair
        created_ns = start_ns - NS_PER_DAY * (2 + dice.below(20)) - dice.below(86_400) * 1_000 * _MS
        bars = tapes[symbol].bars("1day", floor_time("1day", created_ns), start_ns, start_ns)
        if not bars.time_ns.size:
            continue
        price = int(bars.low.min()) * 7 // 10 if side == BUY else int(bars.high.max()) * 14 // 10
        lots = _lots(pair, _MOST[pair.base]) // parts
        orders.append(PastOrder(symbol, side, price, lots, created_ns // _MS * _MS))
    return orders


class _Hour:
    """The trades of one hour, and the orders that can be read out of them.

    A trade *reaches* a limit order if it happened at its price or through it.
    """

    def __init__(self, pair: Pair, trades: Trades, dice: Dice, used: set[tuple[str, int]]) -> None:
        self._pair, self._trades, self._dice, self._used = pair, trades, dice, used
        self._most = _lots(pair, _MOST[pair.base])

    def find(self, kind: str) -> PastOrder | None:
        """Return an order of this kind, None if the hour has none."""
        if self._trades.id.size < len(_KINDS):
            return None
        how: dict[str, Callable[[int], PastOrder | None]] = {
            "taken": self._taken,
            "filled": self._filled,
            "partial": self._partial,
            "canceled": self._canceled,
        }
        for _ in range(_TRIES):
            # Not the hour's last trade: something must come after.
            order = how[kind](self._dice.below(self._trades.id.size - 1))
            if order is not None:
                self._used.update((order.symbol, fill.id) for fill in order.fills)
                return order
        return None

    def _taken(self, at: int) -> PastOrder | None:
        """Return a market order that took the resting side of a trade."""
        if not self._is_free(at):
            return None
        fill = self._fill(at)
        side = int(self._trades.side[at])
        return PastOrder(self._pair.symbol, side, None, fill.lots, fill.time_ns, (fill,))

    def _filled(self, at: int) -> PastOrder | None:
        """Return a limit order that one trade, or two in a row, filled."""
        created_ns = self._created_before(at)
        if created_ns is None:
            return None
        side, price = -int(self._trades.side[at]), int(self._trades.price[at])
        fills = [self._fill(at)]
        after = self._next_reaching(at, side, price)
        if (
            after is not None
            and price == self._trades.price[after]
            and side == -int(self._trades.side[after])
            and self._is_free(after)
            and self._dice.below(2)
        ):
            fills.append(self._fill(after))
        lots = sum(fill.lots for fill in fills)
        return PastOrder(self._pair.symbol, side, price, lots, created_ns, tuple(fills))

    def _partial(self, at: int) -> PastOrder | None:
        """Return a limit order that one trade filled in part, cancelled before the next."""
        created_ns = self._created_before(at)
        if created_ns is None:
            return None
        side, price = -int(self._trades.side[at]), int(self._trades.price[at])
        cancelled_ns = self._cancelled_after(at, side, price)
        if cancelled_ns is None:
            return None
        fill = self._fill(at)
        lots = fill.lots * (2 + self._dice.below(3))
        return PastOrder(self._pair.symbol, side, price, lots, created_ns, (fill,), cancelled_ns)

    def _canceled(self, at: int) -> PastOrder | None:
        """Return a limit order that no trade reached before it was cancelled."""
        side = (BUY, SELL)[self._dice.below(2)]
        last = int(self._trades.price[at])
        away = max(last * (2 + self._dice.below(6)) // 1_000, 2)
        price = last - side * away
        created_ns = int(self._trades.time_ns[at]) + _MS
        if self._trades.time_ns[at + 1] <= created_ns:
            return None
        cancelled_ns = self._cancelled_after(at, side, price)
        if cancelled_ns is None or cancelled_ns <= created_ns:
            return None
        lots = self._most * (1 + self._dice.below(20)) // 20
        return PastOrder(
            self._pair.symbol, side, price, lots, created_ns, cancelled_ns=cancelled_ns
        )

    def _is_free(self, at: int) -> bool:
        """Return whether a trade has a likely size and is not the account's already."""
        lots = int(self._trades.amount[at])
        mine = (self._pair.symbol, int(self._trades.id[at])) in self._used
        return not mine and self._most // _LEAST_PART < lots <= self._most

    def _fill(self, at: int) -> PastFill:
        trades = self._trades
        return PastFill(
            int(trades.id[at]),
            int(trades.time_ns[at]),
            int(trades.price[at]),
            int(trades.amount[at]),
        )

    def _created_before(self, at: int) -> int | None:
        """Return when the order was created that the trade `at` is the first to reach.

        The last trade before then must not have reached it either: the order would have been
        a taker's.
        """
        if not self._is_free(at):
            return None
        side, price = -int(self._trades.side[at]), int(self._trades.price[at])
        reached = np.flatnonzero((self._trades.price[:at] - price) * side <= 0)
        away = int(reached[-1]) + 1 if reached.size else 0
        if away >= at:
            return None
        filled_ns = int(self._trades.time_ns[at])
        since_ns = max(int(self._trades.time_ns[away]), filled_ns - 10 * NS_PER_MINUTE)
        if filled_ns - since_ns < _MIN_GAP_NS:
            return None
        return self._dice.between(since_ns, filled_ns)

    def _cancelled_after(self, at: int, side: int, price: int) -> int | None:
        """Return when an order was cancelled that `at` is the last trade to reach."""
        since_ns = int(self._trades.time_ns[at]) + _MS
        after = self._next_reaching(at, side, price)
        until_ns = int(self._trades.time_ns[-1 if after is None else after])
        until_ns = min(until_ns, since_ns + 20 * NS_PER_MINUTE)
        if until_ns - since_ns < _MIN_GAP_NS:
            return None
        return self._dice.between(since_ns, until_ns)

    def _next_reaching(self, at: int, side: int, price: int) -> int | None:
        reached = np.flatnonzero((self._trades.price[at + 1 :] - price) * side <= 0)
        return at + 1 + int(reached[0]) if reached.size else None


def _lots(pair: Pair, amount: str) -> int:
    whole, _, decimals = amount.partition(".")
    return int(whole + decimals.ljust(pair.amount_precision, "0")[: pair.amount_precision])
