"""Market data on V1's wire: which key is which column, REST and stream side by side.

Every table has a reader (rows of JSON → columns) and a writer (columns → JSON) next to each
other. Readers take what any server of this family was seen to send; writers say what the
chosen profile says.
"""

from __future__ import annotations

from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.v1.wire import (
    Fields,
    as_digits,
    beijing_text,
    read_side,
)
from cdcx_pandas.tables import NS_PER_MS, NS_PER_S, Columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# ---------------------------------------------------------------------------------- symbols

_SYMBOLS: Fields = {
    "symbol": (("symbol",), r.required(r.lower)),
    "venue_symbol": (("symbol",), r.text),
    "base": (("base_coin",), r.upper),
    "quote": (("count_coin",), r.upper),
    "amount_min": (("limit_volume_min",), r.number),
    "price_precision": (("price_precision",), r.whole),
    "amount_precision": (("amount_precision",), r.whole),
}

_MOST_DECIMALS = 28


def read_symbols(rows: Any, *, exact: bool) -> Columns:
    """``/v1/symbols``: coins come in either case, ticks are told as numbers of decimals."""
    columns = r.columns_of(r.listed(rows), _SYMBOLS, exact=exact)
    count = len(columns["symbol"])

    def tick(precision: int | None) -> Decimal | float | None:
        if precision is None:
            return None
        if not 0 <= precision <= _MOST_DECIMALS:
            raise ValueError(f"{precision} decimals")
        step = Decimal(1).scaleb(-precision)
        return step if exact else float(step)

    return columns | {
        "kind": ["spot"] * count,
        "price_tick": [tick(p) for p in columns["price_precision"]],
        "amount_tick": [tick(p) for p in columns["amount_precision"]],
        "tradable": [True] * count,
        "expires": [None] * count,
    }


def write_symbols(columns: Columns) -> list[dict[str, Any]]:
    """Write ``/v1/symbols``: coins upper case, as captured on the exchange."""
    return [
        {
            "symbol": row["symbol"],
            "count_coin": row["quote"],
            "amount_precision": row["amount_precision"],
            "base_coin": row["base"],
            "price_precision": row["price_precision"],
        }
        for row in r.rows_of(columns)
    ]


# ---------------------------------------------------------------------------------- tickers

_TICKERS: Fields = {
    "last": (("last",), r.number),
    "bid": (("buy",), r.number),
    "ask": (("sell",), r.number),
    "high": (("high",), r.number),
    "low": (("low",), r.number),
    "volume": (("vol",), r.number),
    "change": (("rose", "change"), r.number),
    "time": (("time",), r.time),
}
_NAMED: Fields = {"symbol": (("symbol",), r.required(r.lower))}
_STREAM_TICKERS: Fields = {
    "last": (("close",), r.number),
    "open": (("open",), r.number),
    "high": (("high",), r.number),
    "low": (("low",), r.number),
    "volume": (("vol",), r.number),
    # Of the stream's ticker it is said that `amount` is turnover in the quote coin.
    "quote_volume": (("amount",), r.number),
    "change": (("rose",), r.number),
}


def read_tickers(data: Any, *, exact: bool) -> Columns:
    """``/v1/ticker`` of all markets: thin markets leave keys out."""
    rows = r.listed(data["ticker"])
    columns = r.columns_of(rows, _NAMED | _TICKERS, exact=exact)
    return columns | {"time": [r.time(data.get("date"))] * len(rows)}


def read_ticker(row: Any, symbol: str, *, exact: bool) -> Columns:
    """``/v1/ticker`` of one market: the answer does not repeat the symbol."""
    if not any(key in row for keys, _ in _TICKERS.values() for key in keys):
        raise ValueError("there is nothing of a ticker in it")
    return {"symbol": [symbol]} | r.columns_of([row], _TICKERS, exact=exact)


def write_ticker_row(row: Mapping[str, Any], *, one: bool, has_change: bool) -> dict[str, Any]:
    """Write a row of ``/v1/ticker``: texts, `last` with 16 decimals, unknown keys left out."""
    written = {
        "symbol": None if one else row["symbol"],
        "high": r.plain(row.get("high")),
        "vol": r.plain(row.get("volume")),
        "last": r.plain(row.get("last"), 16),
        "low": r.plain(row.get("low")),
        "buy": r.plain(row.get("bid")),
        "sell": r.plain(row.get("ask")),
    }
    if has_change:
        change = r.plain(row.get("change"))
        written |= {"rose": change} if one else {"change": change, "rose": change}
    if one:
        written["time"] = r.millis(row.get("time"))
    return {key: value for key, value in written.items() if value is not None}


def read_prices(data: Mapping[str, Any], *, exact: bool) -> Columns:
    """``/v1/ticker/price``: an object of symbol → last price."""
    return {
        "symbol": [symbol.lower() for symbol in data],
        "last": [r.number(price, exact) for price in data.values()],
    }


def write_prices(columns: Columns) -> dict[str, Any]:
    """Write ``/v1/ticker/price``."""
    return {
        symbol: r.json_number(price)
        for symbol, price in zip(columns["symbol"], columns["last"], strict=True)
    }


def read_stream_ticker(row: Any, symbol: str, ts: int | None, *, exact: bool) -> Columns:
    """Read the tick of a ticker push."""
    return read_review({symbol: row}, ts, exact=exact)


def read_review(data: Mapping[str, Any], ts: int | None, *, exact: bool) -> Columns:
    """``review``: an object of symbol → tick."""
    columns = {"symbol": [symbol.lower() for symbol in data]}
    columns |= r.columns_of(data.values(), _STREAM_TICKERS, exact=exact)
    return columns | {"time": [ts] * len(columns["symbol"])}


def write_stream_ticker(row: Mapping[str, Any]) -> dict[str, Any]:
    """Write the tick of a ticker push or of ``review``: all texts."""
    return {
        keys[0]: r.plain(row.get(column)) for column, (keys, _) in sorted(_STREAM_TICKERS.items())
    }


# ----------------------------------------------------------------------------------- klines

_BAR = ("open", "high", "low", "close", "volume")
_opening = r.required(r.time)
_STREAM_KLINES: Fields = {
    "time": (("id",), _opening),
    "open": (("open",), r.number),
    "high": (("high",), r.number),
    "low": (("low",), r.number),
    "close": (("close",), r.number),
    "volume": (("vol",), r.number),
    "quote_volume": (("amount",), r.number),
}


def bar_columns(rows: Sequence[Sequence[Any]]) -> Columns:
    """Turn rows whose types are already right into columns: [seconds, o, h, l, c, volume]."""
    times, *numbers = zip(*rows, strict=True)
    columns: Columns = {"time": [stamp * NS_PER_S for stamp in times]}
    for name, values in zip(_BAR, numbers, strict=True):
        columns[name] = list(values)
    return r.ascending(columns, "time")


def read_klines(rows: Any, *, exact: bool) -> Columns:
    """``/v1/klines``: arrays of six; newer platforms add a seventh column, which is left."""
    columns: Columns = {name: [] for name in ("time", *_BAR)}
    for row in r.listed(rows):
        if not isinstance(row, list) or len(row) <= len(_BAR):
            raise ValueError(f"{r.shown(row)} is no bar of six numbers")
        columns["time"].append(_opening(row[0], exact))
        for name, value in zip(_BAR, row[1:], strict=False):
            columns[name].append(r.number(value, exact))
    return r.ascending(columns, "time")


def write_klines(columns: Columns) -> list[list[Any]]:
    """Write ``/v1/klines``: numbers, time in seconds."""
    return [
        [r.seconds(time), *map(r.json_number, bar)]
        for time, *bar in zip(columns["time"], *(columns[n] for n in _BAR), strict=True)
    ]


def read_stream_klines(rows: Any, *, exact: bool) -> Columns:
    """Kline pushes and kline history: objects, named as on REST but for ``id`` and ``vol``."""
    return r.ascending(r.columns_of(r.listed(rows), _STREAM_KLINES, exact=exact), "time")


def write_stream_klines(columns: Columns, *, push: bool) -> list[dict[str, Any]]:
    """Write kline rows of the stream: numbers, the opening time in seconds as ``id``.

    A push also has ``ds``, the same time as text in UTC+8, and the id of the last trade.
    """
    written = []
    for row in r.rows_of(columns):
        line: dict[str, Any] = {
            "id": r.seconds(row["time"]),
            "open": r.json_number(row["open"]),
            "close": r.json_number(row["close"]),
            "low": r.json_number(row["low"]),
            "high": r.json_number(row["high"]),
            "vol": r.json_number(row["volume"]),
        }
        if row.get("quote_volume") is not None:
            line["amount"] = r.json_number(row["quote_volume"])
        if push:
            line["ds"] = beijing_text(row["time"])
            if row.get("last_id") is not None:
                line["tradeId"] = row["last_id"]
        written.append(line)
    return written


# ----------------------------------------------------------------------------------- trades

_TRADES: Fields = {
    "id": (("id",), r.counted),
    "price": (("price",), r.number),
    "amount": (("amount",), r.number),
    "time": (("ctime", "trade_time", "create_time", "ts"), r.time),
    "side": (("type", "side"), read_side),
}
_STREAM_TRADES: Fields = {
    "id": (("id",), r.required(r.counted)),
    "price": (("price",), r.number),
    "amount": (("vol",), r.number),  # here `amount` is price x vol
    "time": (("ts", "ctime"), r.required(r.time)),
    "side": (("side", "type"), read_side),
}


def trade_columns(rows: Sequence[Any]) -> Columns:
    """Turn rows whose types are already right into columns."""
    rows = rows[::-1]  # newest first on the wire
    ids, times = [row.id for row in rows], [row.ctime * NS_PER_MS for row in rows]
    columns: Columns = {
        "id": [str(id_) for id_ in ids],
        "price": [row.price for row in rows],
        "amount": [row.amount for row in rows],
        "time": times,
        "side": [row.type for row in rows],
    }
    in_order = ids == sorted(ids) and times == sorted(times)
    return columns if in_order else r.by_time_and_id(columns)


def read_trades(rows: Any, *, exact: bool) -> Columns:
    """``/v1/trades``: newest first on the wire, ascending here; the time has several names."""
    return r.by_time_and_id(r.columns_of(r.listed(rows)[::-1], _TRADES, exact=exact))


def write_trades(columns: Columns) -> list[dict[str, Any]]:
    """Write ``/v1/trades``: newest first, numbers with 16 decimals."""
    return [
        {
            "amount": r.json_number(row["amount"], 16),
            "price": r.json_number(row["price"], 16),
            "ctime": r.millis(row["time"]),
            "id": as_digits(row["id"]),
            "type": row["side"],
        }
        for row in reversed(r.rows_of(columns))
    ]


def read_stream_trades(rows: Any, *, exact: bool) -> Columns:
    """Trades of the stream: ``vol`` is the amount and ``amount`` is money."""
    return r.by_time_and_id(r.columns_of(r.listed(rows)[::-1], _STREAM_TRADES, exact=exact))


def write_stream_trades(columns: Columns) -> list[dict[str, Any]]:
    """Write trades of the stream: texts, sides in upper case, newest first."""
    return [
        {
            "id": as_digits(row["id"]),
            "side": row["side"].upper(),
            "price": r.plain(row["price"]),
            "vol": r.plain(row["amount"]),
            "amount": r.plain(r.WIDE.multiply(row["price"], row["amount"])),
            "ts": r.millis(row["time"]),
            "ds": beijing_text(row["time"]),
        }
        for row in reversed(r.rows_of(columns))
    ]


# ------------------------------------------------------------------------------------ depth

_money = r.required(r.number)


def read_book(asks: Any, bids: Any, *, exact: bool) -> Columns:
    """Read a whole book: levels are [price, amount], best first on either side."""
    columns: Columns = {"side": [], "level": [], "price": [], "amount": []}
    for side, levels in (("bid", bids), ("ask", asks)):
        read = [_level(level, exact=exact) for level in r.listed(levels)]
        read.sort(key=itemgetter(0), reverse=side == "bid")
        columns["side"] += [side] * len(read)
        columns["level"] += range(len(read))
        columns["price"] += [price for price, _ in read]
        columns["amount"] += [amount for _, amount in read]
    return columns


def _level(level: Any, *, exact: bool) -> tuple[Any, Any]:
    if not isinstance(level, list) or len(level) < 2:
        raise ValueError(f"{r.shown(level)} is no level of a book")
    return _money(level[0], exact), _money(level[1], exact)


def write_book(columns: Columns, *, bids: str) -> dict[str, Any]:
    """Write a whole book; the bid side is `bids` on REST and ``buys`` on the stream."""
    written: dict[str, Any] = {"asks": [], bids: []}
    for side, price, amount in zip(
        columns["side"], columns["price"], columns["amount"], strict=True
    ):
        key = "asks" if side == "ask" else bids
        written[key].append([r.json_number(price), r.json_number(amount)])
    return written


def read_level(tick: Mapping[str, Any], *, exact: bool) -> Columns:
    """Read the change of one level: amount 0 removes it."""
    side = {"asks": "ask", "buys": "bid", "bids": "bid"}.get(str(tick["side"]))
    if side is None:
        raise ValueError(f"{r.shown(tick['side'])} is no side of a book")
    return {
        "side": [side],
        "level": [None],
        "price": [_money(tick["price"], exact)],
        "amount": [_money(tick["volume"], exact)],
    }


def write_level(columns: Columns, row: int) -> dict[str, Any]:
    """Write the change of one level."""
    return {
        "side": "asks" if columns["side"][row] == "ask" else "buys",
        "price": r.json_number(columns["price"][row]),
        "volume": r.json_number(columns["amount"][row]),
    }
