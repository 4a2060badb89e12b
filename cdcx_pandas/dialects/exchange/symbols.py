"""The exchange's names of markets and ours: ``BTC_USDT`` is said ``btcusdt``.

A spot market is said without its underscore; everything else (perpetuals, futures, names of
other forms) keeps its own name in lower case. Where that would make two markets of one listing
the same, each of them keeps its own name, underscore included. Reading is a rule and needs no
listing; writing needs one, since nobody can tell where ``crobtc`` is to be parted.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cdcx_pandas.dialects import reading as r
from cdcx_pandas.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cdcx_pandas.tables import Columns

_SPOT = re.compile(r"[A-Z0-9]+_[A-Z0-9]+", re.ASCII)
_PERP, _INDEX = "-PERP", "-INDEX"
_IN_DOLLARS = re.compile(r"\w+_USD|[A-Z0-9]+USD-(PERP|\d{6})", re.ASCII)


def by_rule(theirs: str) -> str:
    """Return how a market is said when it is looked at alone.

    Examples
    --------
    >>> by_rule("BTC_USDT"), by_rule("BTCUSD-PERP"), by_rule("SHIB_BTC@OEX_HK")
    ('btcusdt', 'btcusd-perp', 'shib_btc@oex_hk')
    """
    return (theirs.replace("_", "") if _SPOT.fullmatch(theirs) else theirs).lower()


def index_of(theirs: str) -> str | None:
    """Return the name of the index under a perpetual; None for what is no perpetual."""
    return theirs.removesuffix(_PERP) + _INDEX if theirs.endswith(_PERP) else None


def perpetual_of(theirs: str) -> str:
    """Return the perpetual over an index; any other name as it is."""
    return theirs.removesuffix(_INDEX) + _PERP if theirs.endswith(_INDEX) else theirs


def is_in_dollars(theirs: str) -> bool:
    """Tell whether prices of a market are in USD, so that money in USD is quote money."""
    return _IN_DOLLARS.fullmatch(theirs) is not None


@dataclass(frozen=True, eq=False)
class Names:
    """The names of a listing, both ways; without a listing it can read and not write."""

    _ours: Mapping[str, str] = field(default_factory=dict, repr=False)
    _theirs: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, symbols: Columns) -> Names:
        """Return the names of a listing: its columns ``symbol`` and ``venue_symbol``."""
        pairs = list(zip(symbols["symbol"], symbols["venue_symbol"], strict=True))
        return cls({theirs: ours for ours, theirs in pairs}, dict(pairs))

    @property
    def are_known(self) -> bool:
        """Whether there is a listing."""
        return bool(self._theirs)

    def lists(self, theirs: str) -> bool:
        """Tell whether the listing has a market; without a listing, any is taken."""
        return not self._ours or theirs in self._ours

    def ours(self, theirs: str) -> str:
        """Return how we say one of their markets."""
        return self._ours.get(theirs) or by_rule(theirs)

    def all_ours(self, theirs: Sequence[str]) -> list[str]:
        """Return how we say the markets of one list, no two of them alike."""
        said = [self.ours(name) for name in theirs]
        count = Counter(said)
        return [
            name if count[name] == 1 else original.lower()
            for name, original in zip(said, theirs, strict=True)
        ]

    def theirs(self, ours: str) -> str:
        """Return how they write one of our markets.

        Raises
        ------
        BadRequest
            The listing has no such market, or there is no listing.
        """
        name = self._theirs.get(ours)
        if name is None:
            raise BadRequest(
                f"symbol: {r.excerpt(ours)!r} is none this session has seen listed.",
                why="Only the exchange's own list tells how it writes a market.",
                todo="Ask symbols() first; it lists what there is.",
                sent="no",
            )
        return name
