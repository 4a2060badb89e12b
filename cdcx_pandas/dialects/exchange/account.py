"""An account on the exchange's wire: which key is which column of what belongs to it.

As in `market`, every reader has its writer next to it. Rows stand the same over HTTP and on the
stream, but for a few keys.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.exchange.wire import Fields, read_side

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdcx_pandas.dialects.exchange.symbols import Names
    from cdcx_pandas.tables import Columns

_ZERO = Decimal(0)
_BASIS_POINTS = 4
"""Decimals of a basis point: 6.9 of them are 0.00069."""
_NOBODY = "00000000-0000-4000-8000-000000000001"
"""The account a server of ours writes; nothing reads it."""

# --------------------------------------------------------------------------------- balances

_BALANCES: Fields = {
    "coin": (("instrument_name",), r.required(r.upper)),
    "total": (("quantity",), r.required(r.number)),
    "locked": (("reserved_qty",), r.number),
    "value_usd": (("market_value",), r.number),
}


def read_account(block: Mapping[str, Any], *, exact: bool) -> tuple[Columns, dict[str, Any]]:
    """Read a balance block: columns, and the total.

    The exchange tells a dozen totals. ``total_cash_balance`` is the one that is the worth of all
    coins: in every recording it is the sum of their ``market_value``. The others are margins:
    less haircuts, plus results that are not realized, or what is left of them for new orders.
    """
    columns = r.columns_of(r.listed(block["position_balances"]), _BALANCES, exact=True)
    columns["available"] = [
        r.WIDE.subtract(total, locked or _ZERO)
        for total, locked in zip(columns["total"], columns["locked"], strict=True)
    ]
    facts = {"total_usd": r.number(block.get("total_cash_balance"), exact)}
    return columns if exact else r.as_floats(columns), facts


def write_account(columns: Columns, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Write a balance block; margins as of an account without any."""
    total = r.plain(facts.get("total_usd") or _ZERO)
    zeros = (
        "total_initial_margin", "total_haircut", "total_position_im", "total_maintenance_margin",
        "total_position_cost", "total_session_unrealized_pnl", "total_session_realized_pnl",
        "total_isolated_cash_balance", "total_effective_leverage", "position_limit",
        "used_position_limit", "total_borrow", "total_risk_exposure",
    )  # fmt: skip
    return {
        "instrument_name": "USD",
        "total_cash_balance": total,
        "total_available_balance": total,
        "total_margin_balance": total,
        "total_collateral_value": total,
        **dict.fromkeys(zeros, "0"),
        "is_liquidating": False,
        "has_risk": False,
        "terminatable": True,
        "credit_limits": [],
        "isolated_positions": [],
        "position_balances": [_write_balance(row) for row in r.rows_of(columns)],
    }


def _write_balance(row: Mapping[str, Any]) -> dict[str, Any]:
    value = r.plain(row.get("value_usd") or _ZERO)
    return {
        "instrument_name": row["coin"],
        "quantity": r.plain(row["total"]),
        "reserved_qty": r.plain(row["locked"] or _ZERO),
        "market_value": value,
        "collateral_eligible": True,
        "collateral_amount": value,
        "haircut": "0",
        "max_withdrawal_balance": r.plain(row["available"]),
        "hourly_interest_rate": "0",
    }


_TOTALS: Fields = {"time": (("t",), r.required(r.time)), "total": (("c",), r.number)}


def read_totals(rows: Any, *, exact: bool) -> Columns:
    """``user-balance-history``: its order is not documented, so it is made ascending."""
    return r.ascending(r.columns_of(r.listed(rows), _TOTALS, exact=exact), "time")


def write_totals(columns: Columns) -> list[dict[str, Any]]:
    """Write ``user-balance-history``."""
    pairs = zip(columns["time"], columns["total"], strict=True)
    return [{"t": r.millis(time), "c": r.plain(total)} for time, total in pairs]


# --------------------------------------------------------------------------------- positions

_POSITIONS: Fields = {
    "symbol": (("instrument_name",), r.required(r.text)),
    "amount": (("quantity",), r.number),
    "cost": (("cost",), r.number),
    "pnl": (("open_position_pnl",), r.number),
    "updated": (("update_timestamp_ms",), r.time),
}


def read_positions(rows: Any, names: Names, *, exact: bool) -> Columns:
    """Read positions."""
    columns = r.columns_of(r.listed(rows), _POSITIONS, exact=exact)
    return columns | {"symbol": names.all_ours(columns["symbol"])}


def write_positions(columns: Columns, names: Names) -> list[dict[str, Any]]:
    """Write positions."""
    return [
        {
            "account_id": _NOBODY,
            "instrument_name": names.theirs(row["symbol"]),
            "type": "PERPETUAL_SWAP",
            "quantity": r.plain(row["amount"]),
            "cost": r.plain(row["cost"]),
            "open_pos_cost": r.plain(row["cost"]),
            "open_position_pnl": r.plain(row["pnl"]),
            "session_pnl": "0",
            "update_timestamp_ms": r.millis(row["updated"]),
        }
        for row in r.rows_of(columns)
    ]


# -------------------------------------------------------------------------------------- fees


def _rate(value: Any, exact: bool) -> Any:
    """Read a rate in basis points as a fraction."""
    points = r.number(value, exact=True)
    rate = None if points is None else Decimal(points).scaleb(-_BASIS_POINTS, r.WIDE)
    return rate if exact or rate is None else float(rate)


def _basis_points(rate: Any) -> str | None:
    return None if rate is None else r.plain(Decimal(str(rate)).scaleb(_BASIS_POINTS, r.WIDE))


def read_fees(result: Mapping[str, Any], symbol: str, *, exact: bool) -> Columns:
    """``get-instrument-fee-rate``: the rates of one market."""
    return {
        "symbol": [symbol],
        "maker": [_rate(result["effective_maker_rate_bps"], exact)],
        "taker": [_rate(result["effective_taker_rate_bps"], exact)],
    }


def write_fees(columns: Columns, instrument: str) -> dict[str, Any]:
    """Write ``get-instrument-fee-rate``."""
    return {
        "instrument_name": instrument,
        "effective_maker_rate_bps": _basis_points(columns["maker"][0]),
        "effective_taker_rate_bps": _basis_points(columns["taker"][0]),
    }


_TIERS = {"spot": "spot", "perp": "deriv"}


def read_fee_tier(result: Mapping[str, Any], *, exact: bool) -> Columns:
    """``get-fee-rate``: a row for spot, and one for derivatives."""
    return {
        "symbol": list(_TIERS),
        **{
            side: [
                _rate(result[f"effective_{theirs}_{side}_rate_bps"], exact)
                for theirs in _TIERS.values()
            ]
            for side in ("maker", "taker")
        },
        "tier": [r.text(result.get(f"{theirs}_tier")) for theirs in _TIERS.values()],
    }


def write_fee_tier(columns: Columns) -> dict[str, Any]:
    """Write ``get-fee-rate``."""
    written: dict[str, Any] = {}
    for row in r.rows_of(columns):
        theirs = _TIERS[row["symbol"]]
        written[f"{theirs}_tier"] = row.get("tier") or "1"
        for side in ("maker", "taker"):
            written[f"effective_{theirs}_{side}_rate_bps"] = _basis_points(row[side])
    return written


# --------------------------------------------------------------------------------- own trades

_ROLE = {"maker": "maker", "taker": "taker"}
read_role: r.Reader = r.word("taker_side", _ROLE, other="other")

_FILLS: Fields = {
    "id": (("trade_id",), r.required(r.text)),
    "order_id": (("order_id",), r.text),
    "client_id": (("client_oid",), r.text),
    "match_id": (("trade_match_id",), r.text),
    "symbol": (("instrument_name",), r.required(r.text)),
    "side": (("side",), read_side),
    "price": (("traded_price",), r.number),
    "amount": (("traded_quantity",), r.number),
    "fee": (("fees",), r.number),
    "fee_coin": (("fee_instrument_name",), r.upper),
    "role": (("taker_side",), read_role),
    # When it was booked: the one stamp that all bodies have, and never before the match, so that
    # paging by it cannot step over a row.
    "time": (("create_time_ns", "create_time"), r.required(r.time)),
    "matched": (("transact_time_ns", "transaction_time"), r.time),
}


def read_fills(rows: Any, names: Names, *, exact: bool) -> Columns:
    """Read own trades: newest first on the wire, ascending here.

    A fee is negative there when it is paid; here it is positive.
    """
    columns = r.columns_of(r.listed(rows)[::-1], _FILLS, exact=True)
    columns["symbol"] = list(map(names.ours, columns["symbol"]))
    columns["fee"] = [None if fee is None else 0 - fee for fee in columns["fee"]]
    columns["cost"] = [
        None if price is None or amount is None else r.WIDE.multiply(price, amount)
        for price, amount in zip(columns["price"], columns["amount"], strict=True)
    ]
    return r.by_time_and_id(columns if exact else r.as_floats(columns))


def write_fills(columns: Columns, names: Names, *, stream: bool = False) -> list[dict[str, Any]]:
    """Write own trades, newest first."""
    matched = "transaction_time" if stream else "transact_time_ns"
    written = []
    for row in reversed(r.rows_of(columns)):
        fee = row["fee"]
        line = {
            "account_id": _NOBODY,
            "event_date": r.date(row["time"]),
            "journal_type": "TRADING",
            "side": row["side"].upper(),
            "instrument_name": names.theirs(row["symbol"]),
            "fees": None if fee is None else r.plain(0 - fee),
            "trade_id": row["id"],
            "trade_match_id": row.get("match_id"),
            "create_time": r.millis(row["time"]),
            "traded_price": r.plain(row["price"]),
            "traded_quantity": r.plain(row["amount"]),
            "fee_instrument_name": row["fee_coin"],
            "client_oid": row.get("client_id"),
            "taker_side": None if row["role"] is None else row["role"].upper(),
            "order_id": row["order_id"],
            "match_count": 1,
            "create_time_ns": str(row["time"]),
            matched: None if row.get("matched") is None else str(row["matched"]),
        }
        written.append({key: value for key, value in line.items() if value is not None})
    return written


# ------------------------------------------------------------------------------- transactions

_TRANSACTIONS: Fields = {
    "id": (("journal_id",), r.required(r.text)),
    "entry": (("journal_type",), r.text),
    "symbol": (("instrument_name",), r.text),
    "amount": (("transaction_qty",), r.number),
    "cost": (("transaction_cost",), r.number),
    "pnl": (("realized_pnl",), r.number),
    "order_id": (("order_id",), r.text),
    "trade_id": (("trade_id",), r.text),
    "side": (("side",), read_side),
    "role": (("taker_side",), read_role),
    "time": (("event_timestamp_ns", "event_timestamp_ms"), r.required(r.time)),
}


def _is_market(instrument: str) -> bool:
    return "_" in instrument or "-" in instrument


def read_transactions(rows: Any, names: Names, *, exact: bool) -> Columns:
    """Read entries: newest first on the wire, ascending here; about a market or a coin."""
    columns = r.columns_of(r.listed(rows)[::-1], _TRANSACTIONS, exact=exact)
    columns["symbol"] = [
        names.ours(about) if about is not None and _is_market(about) else about
        for about in columns["symbol"]
    ]
    return r.by_time_and_id(columns)


def write_transactions(columns: Columns, names: Names) -> list[dict[str, Any]]:
    """Write entries, newest first."""
    written = []
    for row in reversed(r.rows_of(columns)):
        about = row["symbol"]
        line = {
            "account_id": _NOBODY,
            "event_date": r.date(row["time"]),
            "journal_type": row["entry"],
            "journal_id": row["id"],
            "transaction_qty": r.plain(row["amount"]),
            "transaction_cost": r.plain(row["cost"]),
            "realized_pnl": r.plain(row["pnl"]),
            "order_id": row["order_id"],
            "trade_id": row["trade_id"],
            "event_timestamp_ms": r.millis(row["time"]),
            "event_timestamp_ns": str(row["time"]),
            "taker_side": (row["role"] or "").upper(),
            "side": None if row["side"] is None else row["side"].upper(),
            "instrument_name": about if about is None or about.isupper() else names.theirs(about),
        }
        written.append({key: value for key, value in line.items() if value is not None})
    return written
