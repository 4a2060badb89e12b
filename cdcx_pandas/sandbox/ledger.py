"""The ledger: who has how much of which coin, to the last unit.

Everything is counted in integers of 10^-16 of a coin, so that price x amount and every fee is
a whole number of units and nothing is ever rounded away. Coins are never made: what an account
starts with comes from the house, which may owe, and each movement takes from one account what
it gives to another. So the sum over all accounts is nought for every coin, always; `check`
proves it.

This module knows no orders, no prices and no time. How much an order must hold is decided by
whoever places it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from typing import NamedTuple

from cdcx_pandas.errors import InsufficientFunds

UNIT_DECIMALS = 16
MONEY_DECIMALS = 8
"""The decimals of money on V1; fees are rounded to them."""
MONEY_UNITS = 10 ** (UNIT_DECIMALS - MONEY_DECIMALS)

USER, HOUSE, FEES = "user", "house", "fees"
"""The person's account; that of everyone else on the market; where fees go."""

MAKER_PPM, TAKER_PPM = 1_000, 1_600
"""0.1 % and 0.16 %, in millionths of what is received."""
_MILLION = 1_000_000

# The usual context has 28 digits, which a house full of a cheap coin would exceed.
_EXACT = Context(prec=80)


def to_units(amount: Decimal) -> int:
    """Return an amount of a coin in units; it must be a whole number of them."""
    scaled = _EXACT.scaleb(amount, UNIT_DECIMALS)
    units = int(scaled)
    assert units == scaled, "nobody has checked the decimals of this amount"
    return units


def scaled(number: int, decimals: int) -> Decimal:
    """Return ``number x 10 ** -decimals`` exactly, with so many decimals written.

    Examples
    --------
    >>> scaled(984117, 2)
    Decimal('9841.17')
    """
    return _EXACT.scaleb(Decimal(number), -decimals)


def to_money(units: int) -> Decimal:
    """Return units as a decimal: 8 decimals, more only where they are needed to be exact."""
    if units % MONEY_UNITS == 0:
        return scaled(units // MONEY_UNITS, MONEY_DECIMALS)
    return _EXACT.normalize(scaled(units, UNIT_DECIMALS))


def fee_on(received: int, ppm: int) -> int:
    """Return the fee on what is received, both in units: rounded up to 8 decimals.

    Of a receipt smaller than that the whole is taken and no more, so that a fee can always be
    paid out of what it is for.

    Examples
    --------
    >>> fee_on(to_units(Decimal("0.001")), MAKER_PPM) == to_units(Decimal("0.000001"))
    True
    """
    steps = -(-received * ppm // (_MILLION * MONEY_UNITS))
    return int(min(steps * MONEY_UNITS, received))


class Balance(NamedTuple):
    """What an account has of a coin, in units."""

    available: int
    locked: int

    @property
    def total(self) -> int:
        """Available and locked together."""
        return self.available + self.locked


class Settlement(NamedTuple):
    """A trade as the ledger sees it: who gives what to whom.

    `amount` of `base` goes from seller to buyer, `cost` of `quote` from buyer to seller, and
    each pays a fee out of what they receive. Everything is in units.
    """

    base: str
    quote: str
    amount: int
    cost: int
    buyer: str
    seller: str
    buyer_fee: int = 0
    seller_fee: int = 0


@dataclass(slots=True)
class _Purse:
    available: int = 0
    locked: int = 0


class Ledger:
    """The accounts and what they have.

    The house pays from what it has available, and owes where that is not enough; everyone
    else pays with what was held before.
    """

    def __init__(self) -> None:
        self._purses: dict[str, dict[str, _Purse]] = {}

    def coins(self, account: str) -> list[str]:
        """Return the coins an account has had to do with, the first one first."""
        return list(self._purses.get(account, {}))

    def balance(self, account: str, coin: str) -> Balance:
        """Return what an account has of a coin."""
        purse = self._purses.get(account, {}).get(coin)
        return Balance(purse.available, purse.locked) if purse else Balance(0, 0)

    def grant(self, account: str, coin: str, units: int) -> None:
        """Let the house give units to an account; take them back if negative."""
        assert account != HOUSE, "the house cannot give to itself"
        self._purse(account, coin).available += units
        self._purse(HOUSE, coin).available -= units

    def hold(self, account: str, coin: str, units: int) -> None:
        """Lock units for an order.

        Raises
        ------
        InsufficientFunds
            Less is available.
        """
        assert units >= 0, "nobody orders a negative amount"
        available = self.balance(account, coin).available
        if available < units:
            raise InsufficientFunds(
                f"There is not enough {coin} for the order.",
                why=f"It takes {to_money(units):f} {coin}; {to_money(available):f} are available.",
                todo="Order less, or cancel an order that locks funds.",
            )
        purse = self._purse(account, coin)
        purse.available -= units
        purse.locked += units

    def release(self, account: str, coin: str, units: int) -> None:
        """Unlock units that an order no longer needs."""
        purse = self._purse(account, coin)
        assert 0 <= units <= purse.locked, "only what was held can be released"
        purse.locked -= units
        purse.available += units

    def settle(self, trade: Settlement) -> None:
        """Move what a trade moves; buyer and seller pay with what they hold."""
        base, quote = trade.base, trade.quote
        assert 0 <= trade.buyer_fee <= trade.amount, "a fee is paid out of what is received"
        assert 0 <= trade.seller_fee <= trade.cost, "a fee is paid out of what is received"
        self._pay(trade.buyer, quote, trade.cost)
        self._pay(trade.seller, base, trade.amount)
        self._purse(trade.buyer, base).available += trade.amount - trade.buyer_fee
        self._purse(trade.seller, quote).available += trade.cost - trade.seller_fee
        self._purse(FEES, base).available += trade.buyer_fee
        self._purse(FEES, quote).available += trade.seller_fee

    def check(self) -> None:
        """Prove that no coin was made or lost and nobody but the house owes.

        Raises
        ------
        AssertionError
            It is not so; the message names account and coin.
        """
        totals: dict[str, int] = {}
        for account, purses in self._purses.items():
            for coin, purse in purses.items():
                totals[coin] = totals.get(coin, 0) + purse.available + purse.locked
                owes = min(purse.available, purse.locked) < 0
                assert account == HOUSE or not owes, f"{account} owes {coin}"
        for coin, total in totals.items():
            assert total == 0, f"the accounts have {total} units of {coin} too many"

    def _pay(self, account: str, coin: str, units: int) -> None:
        purse = self._purse(account, coin)
        if account == HOUSE:
            purse.available -= units
            return
        assert units <= purse.locked, "an order holds what it can come to cost"
        purse.locked -= units

    def _purse(self, account: str, coin: str) -> _Purse:
        return self._purses.setdefault(account, {}).setdefault(coin, _Purse())
