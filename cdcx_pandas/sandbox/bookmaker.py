"""The standing orders of a tape: a book around its last trade, made from the seed.

Which of them an order meets is the engine's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cdcx_pandas.sandbox.chance import draw, field, key, unit
from cdcx_pandas.sandbox.tape import BOOK_LEVELS, NS_PER_S, Book

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

_FAR_BIDS = (0.5, 0.3, 0.1, 0.02)
_FAR_ASKS = (1.6, 2.5, 8.0, 90.0)
"""Orders nobody expects to be met: V1 books had asks at 90 times the price."""
_NEAR = 0.45
"""Ordinary levels stand closer to the price than this part of it."""


class BookMaker:
    """Makes a book around a last trade.

    A level lives in a cell of its own at a fixed distance from the touch, the wider the
    deeper, and stays as it is for some seconds, the longer the deeper: so a book changes
    from one second to the next about as much as real ones do.
    """

    def __init__(self, symbol: str, seed: int) -> None:
        words = ("spread", "life", "bids", "asks")
        self._keys = {word: key(seed, symbol, "book", word) for word in words}
        self._depth = np.arange(BOOK_LEVELS, dtype=np.int64)
        phase = field(draw(self._keys["life"], self._depth), 0)
        self._life = 2 + self._depth // 4 + phase % 5
        self._phase = phase
        shape = self._depth / 12.0
        self._shape = self._depth + 4 * shape * shape * shape

    def __call__(self, now_ns: int, price: int, side: int, usual: int, levels: int) -> Book:
        """Return the book at a moment.

        Parameters
        ----------
        now_ns
            Which whole second it is of.
        price, side
            The last trade's: the ask stands at the price if its taker bought, else the bid.
        usual
            Lots traded in an ordinary minute: levels are of this order.
        levels
            The most levels each side shall have, up to `BOOK_LEVELS`.
        """
        second = now_ns // NS_PER_S
        luck = unit(draw(self._keys["spread"], np.array([second])), 0)
        spread = 1 + int(price * 0.0006 * float(luck[0]) * float(luck[0]))
        ask, bid = (price, price - spread) if side > 0 else (price + spread, price)
        edge = self._depth + np.floor(self._shape * (price * 0.00008)).astype(np.int64)
        epoch = (second + self._phase) // self._life
        sides: list[Ints] = []
        for word, best, sign, far in (("bids", bid, -1, _FAR_BIDS), ("asks", ask, 1, _FAR_ASKS)):
            bits = draw(self._keys[word], epoch * BOOK_LEVELS + self._depth)
            width = np.diff(edge, append=edge[-1:] + 1)
            distance = edge + (width * field(bits, 0) >> 16)
            distance[0] = 0
            prices = best + sign * distance[: BOOK_LEVELS - len(far)]
            prices = prices[distance[: prices.size] < max(_NEAR * price, 1)]
            outliers = [int(price * times) for times in far]
            prices = np.concatenate((prices, np.array(outliers, dtype=np.int64)))
            prices = prices[prices > 0][:levels]
            size = unit(bits, 1) * unit(bits, 2)
            lots = usual * (0.04 + 1.2 * size * size) * (1 + self._depth / 10)
            amounts = 1 + np.rint(lots).astype(np.int64)
            sides.append(np.stack((prices, amounts[: prices.size]), axis=1))
        return Book(bids=sides[0], asks=sides[1])
