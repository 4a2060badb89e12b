"""Market data on the exchange's wire: which key is which column, REST and stream side by side.

Every table has a reader (rows of JSON → columns) and a writer (columns → JSON) next to each
other. Names of markets come from `symbols`; the envelopes around the rows are the business of
`answers` and `stream`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.exchange import symbols as s
from cdcx_pandas.dialects.exchange.wire import Fields, read_side
from cdcx_pandas.tables import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cdcx_pandas.dialects.exchange.symbols import Names
    from cdcx_pandas.tables import Columns

# ---------------------------------------------------------------------------------- symbols

_KINDS = {"ccy_pair": "spot", "perpetual_swap": "perp", "future": "future", "warrant": "other"}
_INST_TYPES = {"spot": "CCY_PAIR", "perp": "PERPETUAL_SWAP", "future": "FUTURE", "other": "WARRANT"}

_SYMBOLS: Fields = {
    "venue_symbol": (("symbol",), r.required(r.text)),
    "base": (("base_ccy",), r.upper),
    "quote": (("quote_ccy",), r.upper),
    "kind": (("inst_type",), r.word("inst_type", _KINDS, other="other")),
    "price_tick": (("price_tick_size",), r.number),
    "amount_tick": (("qty_tick_size",), r.number),
    # Documented as tick and smallest amount in one (docs/protocol-exchange.md, 6).
    "amount_min": (("qty_tick_size",), r.number),
    "price_precision": (("quote_decimals",), r.whole),
    "amount_precision": (("quantity_decimals",), r.whole),
    "tradable": (("tradable",), lambda value, _: value is not False),
    "expires": (("expiry_timestamp_ms",), r.time),
}


def read_symbols(rows: Any, names: Names, *, exact: bool) -> Columns:
    """``get-instruments``: ticks are told beside decimals, and are what counts."""
    columns = r.columns_of(r.listed(rows), _SYMBOLS, exact=exact)
    return {"symbol": names.all_ours(columns["venue_symbol"])} | columns


def write_symbols(columns: Columns) -> list[dict[str, Any]]:
    """Write ``get-instruments``; what no table holds is written as it mostly is."""
    return [_write_symbol(row) for row in r.rows_of(columns)]


def _write_symbol(row: Mapping[str, Any]) -> dict[str, Any]:
    theirs, base, quote = row["venue_symbol"], row["base"], row["quote"]
    is_spot = row["kind"] == "spot"
    written = {
        "symbol": theirs,
        "inst_type": _INST_TYPES[row["kind"]],
        "display_name": f"{base}/{quote}" if is_spot else _derivative_name(row),
        "base_ccy": base,
        "quote_ccy": quote,
        "quote_decimals": row["price_precision"],
        "quantity_decimals": row["amount_precision"],
        "price_tick_size": r.plain(row["price_tick"]),
        "qty_tick_size": r.plain(row["amount_tick"]),
        "max_leverage": "50",
        "tradable": row["tradable"],
        "expiry_timestamp_ms": r.millis(row["expires"]) or 0,
        "beta_product": False,
        "product_type": "DIGITAL_CURRENCIES",
        "margin_buy_enabled": is_spot,
        "margin_sell_enabled": is_spot,
    }
    if not is_spot:
        underlying = f"{theirs.partition('-')[0]}-INDEX"
        written |= {"underlying_symbol": underlying, "contract_size": "1"}
    return written


def _derivative_name(row: Mapping[str, Any]) -> str:
    pair = row["venue_symbol"].partition("-")[0]
    if row["expires"] is None:
        return f"{pair} Perpetual"
    return f"{pair} Futures {datetime.fromtimestamp(row['expires'] // NS_PER_S, UTC):%Y%m%d}"


# ---------------------------------------------------------------------------------- tickers

_TICKERS: Fields = {
    "last": (("a",), r.number),
    "bid": (("b",), r.number),
    "ask": (("k",), r.number),
    "high": (("h",), r.number),
    "low": (("l",), r.number),
    "volume": (("v",), r.number),
    "volume_usd": (("vv",), r.number),
    "change": (("c",), r.number),
    "open_interest": (("oi",), r.number),
    "time": (("t",), r.time),
}
_STREAM_ONLY: Fields = {"bid_amount": (("bs",), r.number), "ask_amount": (("ks",), r.number)}
_NAME: Fields = {"symbol": (("i",), r.required(r.text))}


def read_tickers(rows: Any, names: Names, *, stream: bool = False, exact: bool) -> Columns:
    """Read tickers: `vv` is money in USD, so it is quote money where prices are in USD."""
    fields = _NAME | _TICKERS | (_STREAM_ONLY if stream else {})
    columns = r.columns_of(r.listed(rows), fields, exact=exact)
    theirs = columns["symbol"]
    columns["symbol"] = names.all_ours(theirs)
    columns["quote_volume"] = [
        money if s.is_in_dollars(name) else None
        for name, money in zip(theirs, columns["volume_usd"], strict=True)
    ]
    return columns


def write_tickers(columns: Columns, names: Names, *, stream: bool = False) -> list[dict[str, Any]]:
    """Write tickers: texts, null for what there is not."""
    return [_write_ticker(row, names, stream=stream) for row in r.rows_of(columns)]


def _write_ticker(row: Mapping[str, Any], names: Names, *, stream: bool) -> dict[str, Any]:
    in_usd = row.get("volume_usd")
    written = {
        "i": names.theirs(row["symbol"]),
        "h": r.plain(row.get("high")),
        "l": r.plain(row.get("low")),
        "a": r.plain(row.get("last")),
        "v": r.plain(row.get("volume")),
        "vv": r.plain(row.get("quote_volume") if in_usd is None else in_usd),
        "c": r.plain(row.get("change")),
        "b": r.plain(row.get("bid")),
        "k": r.plain(row.get("ask")),
        "oi": r.plain(row.get("open_interest")),
        "t": r.millis(row.get("time")),
    }
    if stream:
        written |= {"bs": r.plain(row.get("bid_amount")), "ks": r.plain(row.get("ask_amount"))}
    return written


# ----------------------------------------------------------------------------------- klines

BAR = ("open", "high", "low", "close", "volume")
_KLINES: Fields = {
    "time": (("t",), r.required(r.time)),
    "open": (("o",), r.number),
    "high": (("h",), r.number),
    "low": (("l",), r.number),
    "close": (("c",), r.number),
    "volume": (("v",), r.number),
}
_UPDATED: Fields = {"updated": (("ut",), r.time)}


def bar_columns(rows: Sequence[Any]) -> Columns:
    """Turn bars whose types are already right into columns."""
    columns: Columns = {
        "time": [row.t * NS_PER_MS for row in rows],
        "open": [row.o for row in rows],
        "high": [row.h for row in rows],
        "low": [row.l for row in rows],
        "close": [row.c for row in rows],
        "volume": [row.v for row in rows],
    }
    return r.ascending(columns, "time")


def read_klines(rows: Any, *, stream: bool = False, exact: bool) -> Columns:
    """Read candlesticks; on the stream each also tells when it last changed."""
    fields = _KLINES | (_UPDATED if stream else {})
    return r.ascending(r.columns_of(r.listed(rows), fields, exact=exact), "time")


def write_klines(columns: Columns, *, stream: bool = False) -> list[dict[str, Any]]:
    """Write candlesticks, ascending."""
    written = []
    for row in r.rows_of(columns):
        opened, updated = r.millis(row["time"]), r.millis(row.get("updated"))
        o, h, low, c, v = (r.plain(row[name]) for name in BAR)
        line = {"o": o, "h": h, "l": low, "c": c, "v": v, "t": opened}
        written.append(line | {"ut": updated or opened} if stream else line)
    return written


# ----------------------------------------------------------------------------------- trades

_TRADES: Fields = {
    "id": (("d",), r.required(r.counted)),
    "price": (("p",), r.number),
    "amount": (("q",), r.number),
    # The nanoseconds are a JSON number beyond 2**53, and older bodies have none.
    "time": (("tn", "t"), r.required(r.time)),
    "side": (("s",), read_side),
    # All fills of one taker order share it; neighbours differ by one, so a jump is a hole.
    "match_id": (("m",), r.counted),
}


def trade_columns(rows: Sequence[Any]) -> Columns:
    """Turn trades whose types are already right into columns."""
    rows = rows[::-1]  # newest first on the wire
    ids, times = [row.d for row in rows], [row.tn for row in rows]
    columns: Columns = {
        "id": ids,
        "price": [row.p for row in rows],
        "amount": [row.q for row in rows],
        "time": times,
        "side": [row.s for row in rows],
        "match_id": [row.m for row in rows],
    }
    in_order = times == sorted(times) and ids == sorted(ids) and len(ids[0]) == len(ids[-1])
    return columns if in_order else r.by_time_and_id(columns)


def read_trades(rows: Any, *, exact: bool) -> Columns:
    """Read public trades: newest first on the wire, ascending here."""
    return r.by_time_and_id(r.columns_of(r.listed(rows)[::-1], _TRADES, exact=exact))


def write_trades(
    columns: Columns, instrument: str, *, stream: bool = False
) -> list[dict[str, Any]]:
    """Write public trades, newest first; the stream has no nanoseconds and shouts the side."""
    written = []
    for row in reversed(r.rows_of(columns)):
        line = {
            "d": row["id"],
            "t": r.millis(row["time"]),
            "tn": row["time"],
            "q": r.plain(row["amount"]),
            "p": r.plain(row["price"]),
            "s": row["side"].upper() if stream else row["side"],
            "i": instrument,
            "m": row.get("match_id"),
        }
        if stream:
            del line["tn"]
        written.append({key: value for key, value in line.items() if value is not None})
    return written


# ------------------------------------------------------------------------------------ depth

_money = r.required(r.number)


def read_book(book: Mapping[str, Any], *, exact: bool) -> Columns:
    """Read a whole book: levels are [price, amount, orders], best first on either side."""
    return _read_levels(book["bids"], book["asks"], exact=exact, numbered=True)


def read_changes(book: Mapping[str, Any], *, exact: bool) -> Columns:
    """Read changes of a book, bids first: amount 0 removes a level."""
    return _read_levels(book["bids"], book["asks"], exact=exact, numbered=False)


def _read_levels(bids: Any, asks: Any, *, exact: bool, numbered: bool) -> Columns:
    columns: Columns = {"side": [], "level": [], "price": [], "amount": [], "orders": []}
    for side, levels in (("bid", bids), ("ask", asks)):
        read = [_level(level, exact=exact) for level in r.listed(levels)]
        if numbered:
            read.sort(key=itemgetter(0), reverse=side == "bid")
        columns["side"] += [side] * len(read)
        columns["level"] += range(len(read)) if numbered else [None] * len(read)
        columns["price"] += [price for price, _, _ in read]
        columns["amount"] += [amount for _, amount, _ in read]
        columns["orders"] += [orders for _, _, orders in read]
    return columns


def _level(level: Any, *, exact: bool) -> tuple[Any, Any, int | None]:
    if not isinstance(level, list) or len(level) < 2:
        raise ValueError(f"{r.shown(level)} is no level of a book")
    orders = r.whole(level[2]) if len(level) > 2 else None
    return _money(level[0], exact), _money(level[1], exact), orders


def write_book(columns: Columns) -> dict[str, list[list[str | None]]]:
    """Write the levels of a book, or of its changes: all texts."""
    written: dict[str, list[list[str | None]]] = {"bids": [], "asks": []}
    for row in r.rows_of(columns):
        orders = row.get("orders")
        if orders is None:
            orders = 1 if row["amount"] else 0
        level = [r.plain(row["price"]), r.plain(row["amount"]), str(orders)]
        written["asks" if row["side"] == "ask" else "bids"].append(level)
    return written


# ------------------------------------------------------------------------------- valuations


def read_values(rows: Any, column: str, *, exact: bool) -> Columns:
    """Read index, mark or rates: newest first on the wire, ascending here."""
    fields: Fields = {"time": (("t",), r.required(r.time)), column: (("v",), r.number)}
    return r.ascending(r.columns_of(r.listed(rows)[::-1], fields, exact=exact), "time")


def write_values(columns: Columns, column: str) -> list[dict[str, Any]]:
    """Write index, mark or rates, newest first."""
    return [
        {"v": r.plain(value), "t": r.millis(time)}
        for time, value in zip(reversed(columns["time"]), reversed(columns[column]), strict=True)
    ]
