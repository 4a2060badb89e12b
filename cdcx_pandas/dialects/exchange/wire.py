"""What all of the exchange's wire has in common: periods, words, times, depths.

Which key is which column is said in `market` and `account`; the names of markets in `symbols`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdcx_pandas import errors as e
from cdcx_pandas.dialects import reading as r
from cdcx_pandas.tables import NS_PER_MS, SIDES

if TYPE_CHECKING:
    from cdcx_pandas.tables import ValuationKind

Fields = dict[str, tuple[tuple[str, ...], r.Reader]]
"""Column → (its keys on the wire, the first present one counts; reader)."""

PERIODS = {
    "1min": "1m",
    "5min": "5m",
    "15min": "15m",
    "30min": "30m",
    "1hour": "1h",
    "4hour": "4h",
    "12hour": "12h",
    "1day": "1D",
    "1week": "7D",
    "1month": "1M",
}
"""Our period → the venue's timeframe; case matters, 1m is a minute and 1M a month."""

_TWINS = {
    "M1": "1min", "M5": "5min", "M15": "15min", "M30": "30min", "H1": "1hour", "H4": "4hour",
    "H12": "12hour", "D1": "1day", "D7": "1week",
}  # fmt: skip
TIMEFRAMES = {theirs: ours for ours, theirs in PERIODS.items()} | _TWINS
"""The venue's timeframe → our period; the older spellings too, which it still takes."""

BOOK_DEPTHS = (10, 50, 150)
"""How many levels a side the stream's books can have; 150 as whole books only."""
STREAM_DEPTH = 50
REST_DEPTH = 150

VALUATIONS: dict[ValuationKind, str] = {
    "index": "index_price",
    "mark": "mark_price",
    "funding": "funding_rate",
    "estimated_funding": "estimated_funding_rate",
}
SETTLED_FUNDING = "funding_hist"

ORDERS_AT_ONCE = 10
CLIENT_ID_LENGTH = 36

UNMODELLED: dict[str, frozenset[str]] = {
    "symbol": frozenset(
        {"display_name", "max_leverage", "beta_product", "product_type", "margin_buy_enabled",
         "margin_sell_enabled", "underlying_symbol", "contract_size"}
    ),
    "book": frozenset({"cs"}),  # a checksum nobody could make sense of
    "order": frozenset(
        {"account_id", "update_user_id", "maker_fee_rate", "taker_fee_rate", "ref_price",
         "ref_price_type"}
    ),
    "stream_order": frozenset({"transaction_time_ns"}),
    "fill": frozenset({"account_id", "event_date", "journal_type", "fee_credits", "match_count"}),
    "balance": frozenset(
        {"collateral_eligible", "collateral_amount", "haircut", "max_withdrawal_balance",
         "hourly_interest_rate"}
    ),
    "account": frozenset(
        {"total_available_balance", "total_margin_balance", "total_initial_margin",
         "total_haircut", "total_position_im", "total_maintenance_margin", "total_position_cost",
         "total_collateral_value", "total_session_unrealized_pnl", "total_session_realized_pnl",
         "total_isolated_cash_balance", "total_effective_leverage", "position_limit",
         "used_position_limit", "total_borrow", "total_risk_exposure", "is_liquidating",
         "has_risk", "terminatable", "margin_score", "credit_limits", "isolated_positions"}
    ),
    "position": frozenset({"account_id", "open_pos_cost", "session_pnl", "type"}),
    "transaction": frozenset(
        {"account_id", "event_date", "client_oid", "trade_match_id", "isolation_id"}
    ),
}  # fmt: skip
"""Keys that carry nothing for a table, by the object they stand in.

Some are written, with the plainest value, because other clients read them; none is read.
"""

read_side: r.Reader = r.word("side", {word: word for word in SIDES}, other=None)
"""Lower case over HTTP and upper case on the stream."""


def bad_period(period: str) -> e.BadPeriod:
    """Return the error for a period that the exchange does not have."""
    return e.BadPeriod(
        f"The exchange has no period {period!r}.",
        why=f"It has {', '.join(PERIODS)}.",
        todo="Take a finer one and make it with df.cdcx.resample.",
        allowed=tuple(PERIODS),
        sent="no",
    )


def unmerged(step: int) -> e.Unsupported:
    """Return the error for a book whose prices the exchange should merge."""
    return e.Unsupported(
        f"step: the exchange does not merge the prices of a book (asked: {step!r}).",
        why="It tells single levels only; V1 had steps.",
        todo="Ask with step=0: merging is done on this side.",
        sent="no",
    )


def ceil_ms(ns: int) -> int:
    """Return the first whole millisecond at or after an instant."""
    return -(-ns // NS_PER_MS)


def text_of_whole(value: Any) -> str | None:
    """Write an id as the exchange does: as text."""
    return None if value is None else str(value)
