"""The pairs the local exchange lists, with the precisions their numbers have.

Which pairs there were, and in which order they came, is history (the V1 protocol, section 11);
of the precisions only those of ``crobtc`` are known, the others are chosen. What a pair's
prices do is the tape's business; the sizes it starts from stand here.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    symbol: str
    base: str
    quote: str
    price_precision: int
    amount_precision: int
    listed_ns: int = HISTORY_BEGINS_NS
    daily_usd: int = 1_000_000
    trades_per_minute: float = 1.5


def _listed(  # noqa: PLR0917 - a row of the table below
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
