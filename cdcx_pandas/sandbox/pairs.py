"""The markets the local exchange lists, with the precisions their numbers have.

Which pairs V1 had, and in which order they came, is history (the V1 protocol, section 11); of
the precisions only those of ``crobtc`` are known, the others are chosen. Today's exchange has
them and a few more: pairs in dollars, a perpetual, a dated future. What a market's prices do
is the tape's business; the sizes it starts from stand here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

NS_PER_DAY = 86_400_000_000_000
HISTORY_BEGINS_NS = 18_214 * NS_PER_DAY
"""2019-11-14T00:00Z: every pair has history from here on, also those listed later."""


@dataclass(frozen=True)
class Pair:
    """A market of the local exchange.

    Attributes
    ----------
    symbol
        As it is said everywhere in the package: ``btcusdt``.
    base, quote
        What is traded and what it is paid with, upper case.
    price_precision
        Decimals of a price: one tick is ``10 ** -price_precision`` of the quote coin.
    amount_precision
        Decimals of an amount: one lot is ``10 ** -amount_precision`` of the base coin.
    listed_ns
        When the pair came to the exchange, ns UTC. History begins earlier all the same.
    daily_usd
        What is traded on an ordinary day, in US dollars.
    trades_per_minute
        How many trades an ordinary minute has.
    kind
        What is traded.
    follows
        The pair a derivative is about; its tape takes the same way.
    expires_ns
        When a future ends.
    """

    symbol: str
    base: str
    quote: str
    price_precision: int
    amount_precision: int
    listed_ns: int = HISTORY_BEGINS_NS
    daily_usd: int = 1_000_000
    trades_per_minute: float = 1.5
    kind: Literal["spot", "perp", "future"] = "spot"
    follows: str = ""
    expires_ns: int | None = None

    @property
    def code(self) -> str:
        """The market as today's exchange writes it: ``BTC_USDT``, ``BTCUSD-PERP``."""
        return f"{self.base}_{self.quote}" if self.kind == "spot" else self.symbol.upper()


def _listed(  # noqa: PLR0917  # a row of the table below
    base: str,
    quote: str,
    price_precision: int,
    amount_precision: int,
    days: int,
    daily_usd: int,
    trades_per_minute: float,
) -> Pair:
    """Make a pair listed so many days after history begins."""
    return Pair(
        symbol=(base + quote).lower(),
        base=base,
        quote=quote,
        price_precision=price_precision,
        amount_precision=amount_precision,
        listed_ns=HISTORY_BEGINS_NS + days * NS_PER_DAY,
        daily_usd=daily_usd,
        trades_per_minute=trades_per_minute,
    )


# Price and amount together have at most 8 decimals (crobtc, which is genuine, has 10), so that
# price x amount is told exactly by the 8 decimals every money field of V1 has.
PAIRS: tuple[Pair, ...] = (
    _listed("BTC", "USDT", 2, 6, 0, 30_000_000, 8.0),
    _listed("CRO", "BTC", 8, 2, 0, 3_000_000, 3.0),
    _listed("CRO", "USDT", 5, 3, 0, 8_000_000, 4.0),
    _listed("EOS", "BTC", 7, 1, 0, 1_000_000, 1.4),
    _listed("EOS", "CRO", 4, 4, 0, 400_000, 1.3),
    _listed("EOS", "USDT", 4, 4, 0, 2_000_000, 1.6),
    _listed("ETH", "BTC", 5, 3, 0, 15_000_000, 2.5),
    _listed("ETH", "CRO", 2, 5, 0, 1_500_000, 1.5),
    _listed("ETH", "USDT", 2, 5, 0, 18_000_000, 5.0),
    _listed("LTC", "BTC", 6, 2, 0, 2_500_000, 1.4),
    _listed("LTC", "CRO", 3, 5, 0, 400_000, 1.3),
    _listed("LTC", "USDT", 2, 5, 0, 3_000_000, 1.8),
    _listed("MCO", "BTC", 7, 1, 0, 1_200_000, 1.4),
    _listed("MCO", "CRO", 4, 4, 0, 600_000, 1.4),
    _listed("MCO", "USDT", 4, 4, 0, 1_500_000, 1.8),
    _listed("XRP", "BTC", 8, 0, 0, 2_500_000, 1.5),
    _listed("XRP", "CRO", 5, 3, 0, 700_000, 1.4),
    _listed("XRP", "USDT", 5, 3, 0, 4_000_000, 2.2),
    _listed("XLM", "BTC", 8, 0, 65, 800_000, 1.3),
    _listed("XLM", "CRO", 5, 3, 65, 300_000, 1.3),
    _listed("XLM", "USDT", 5, 3, 65, 1_200_000, 1.5),
    _listed("USDC", "USDT", 4, 4, 83, 1_000_000, 1.4),
    _listed("ATOM", "BTC", 7, 1, 95, 1_000_000, 1.3),
    _listed("ATOM", "CRO", 4, 4, 95, 350_000, 1.3),
    _listed("ATOM", "USDT", 4, 4, 95, 1_500_000, 1.5),
    _listed("CRO", "USDC", 5, 3, 95, 900_000, 1.5),
    _listed("LINK", "BTC", 7, 1, 122, 2_000_000, 1.4),
    _listed("LINK", "CRO", 4, 4, 122, 500_000, 1.3),
    _listed("LINK", "USDT", 4, 4, 122, 2_500_000, 1.8),
    _listed("XTZ", "BTC", 7, 1, 122, 900_000, 1.3),
    _listed("XTZ", "CRO", 4, 4, 122, 350_000, 1.3),
    _listed("XTZ", "USDT", 4, 4, 122, 1_300_000, 1.5),
    _listed("BCH", "BTC", 5, 3, 154, 3_000_000, 1.4),
    _listed("BCH", "CRO", 3, 5, 154, 400_000, 1.3),
    _listed("BCH", "USDT", 2, 5, 154, 2_500_000, 1.7),
    _listed("VET", "BTC", 8, 0, 186, 900_000, 1.3),
    _listed("VET", "CRO", 6, 2, 186, 500_000, 1.3),
    _listed("VET", "USDT", 6, 2, 186, 1_400_000, 1.5),
    _listed("ICX", "BTC", 8, 0, 195, 900_000, 1.3),
    _listed("ICX", "CRO", 5, 3, 195, 350_000, 1.3),
    _listed("ICX", "USDT", 5, 3, 195, 1_200_000, 1.5),
)
"""The 41 pairs of V1 in the order they were listed."""

PAIR_BY_SYMBOL = {pair.symbol: pair for pair in PAIRS}
"""``btcusdt`` → its pair."""

TODAYS_PAIRS: tuple[Pair, ...] = (
    _listed("BTC", "USD", 2, 5, 400, 40_000_000, 8.0),
    _listed("CRO", "USD", 5, 3, 400, 9_000_000, 4.0),
    _listed("SOL", "USDT", 2, 4, 500, 12_000_000, 4.0),
)
"""What today's exchange lists beside the 41."""

_FRIDAY = 4
_EXPIRES_H = 8
_NOTICE = timedelta(days=14)
_BTC_USD = TODAYS_PAIRS[0]


def derivatives(at_ns: int) -> tuple[Pair, Pair]:
    """Return the perpetual and the dated future that are listed at a time.

    The future ends at 08:00 UTC of a quarter's last Friday: the first that is two weeks away.

    Examples
    --------
    >>> [pair.code for pair in derivatives(1_796_000_000 * 10**9)]
    ['BTCUSD-PERP', 'BTCUSD-261225']
    """
    expires = _expiry_after(datetime.fromtimestamp(at_ns // 10**9, UTC) + _NOTICE)
    seconds = (expires - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    return (
        _derivative("btcusd-perp", "perp", 90_000_000),
        _derivative(f"btcusd-{expires:%y%m%d}", "future", 5_000_000, seconds * 10**9),
    )


def _derivative(
    symbol: str, kind: Literal["perp", "future"], daily_usd: int, expires_ns: int | None = None
) -> Pair:
    return Pair(
        symbol,
        "BTC",
        "USD",
        price_precision=1,
        amount_precision=4,
        daily_usd=daily_usd,
        trades_per_minute=_BTC_USD.trades_per_minute,
        kind=kind,
        follows=_BTC_USD.symbol,
        expires_ns=expires_ns,
    )


def _expiry_after(moment: datetime) -> datetime:
    """Return the first last Friday of a quarter, 08:00 UTC, after a moment."""
    year, month = moment.year, (moment.month + 2) // 3 * 3
    while True:
        over = datetime(year + month // 12, month % 12 + 1, 1, _EXPIRES_H, tzinfo=UTC)
        last = over - timedelta(days=1)
        friday = last - timedelta(days=(last.weekday() - _FRIDAY) % 7)
        if friday > moment:
            return friday
        year, month = (year, month + 3) if month < 12 else (year + 1, 3)
