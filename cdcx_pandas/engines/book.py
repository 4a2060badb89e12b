"""Order books as arithmetic on columns."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cdcx_pandas.tables import Columns

_WIDE = Context(prec=60)


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


def _decimal(value: Decimal | float) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(repr(value))
