"""Which V1 wire key is which column: REST and stream side by side, both directions.

Every table has a reader (rows of JSON → columns) and a writer (columns → JSON) next to each
other. Readers take what any server of this family was seen to send; writers say what the
chosen profile says. Sources: the API's own samples and captures, in `docs/protocol-v1.md`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cdcx_pandas.dialects import reading as r
from cdcx_pandas.tables import NS_PER_MS, NS_PER_S, SIDES, Answer, Columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cdcx_pandas.operations import Side

Fields = dict[str, tuple[tuple[str, ...], r.Reader]]

PERIODS = ("1min", "5min", "15min", "30min", "1hour", "1day", "1week", "1month")
REST_PERIODS = dict(zip(PERIODS, (1, 5, 15, 30, 60, 1440, 10080, 43200), strict=True))
"""REST says minutes."""
STREAM_PERIODS = {period: period for period in PERIODS} | {"1hour": "60min"}
"""The stream says words, and 60min for an hour."""

UNMODELLED: dict[str, frozenset[str]] = {
    "tickers": frozenset({"change"}),  # repeats `rose`
    "klines": frozenset({"ds", "tradeId"}),
    "trades": frozenset({"ds", "top"}),
    "orders": frozenset(
        {"side_msg", "source", "source_msg", "status_msg", "total_price", "trade_list"}
    ),
    # `type` is a display text of the side; `deal_price` is price x volume, cut.
    "my_trades": frozenset({"type", "deal_price", "ask_user_id", "bid_user_id"}),
    "stream": frozenset({"data", "status", "event_rep", "lower_frame", "asks", "bids"}),
}
"""Keys that are written for completeness and not read back, by table."""

_side: r.Reader = r.word("side", {side: side for side in SIDES}, other=None)
_role: r.Reader = r.word("role", {"maker": "maker", "taker": "taker"}, other="other")
_STATUS = {
    "0": "init",
    "1": "open",
    "2": "filled",
    "3": "partial",
    "4": "canceled",
    "5": "canceling",
    # Called EXPIRED by the platform, but nothing expires on V1: the engine rejected it.
    "6": "rejected",
}
_STATUS_CODES = {word: int(code) for code, word in _STATUS.items()} | {"expired": 6, "other": 6}
_STATUS_TEXTS = ("", "unsettled", "Completely Filled", "Partially Filled", "Canceled",
                 "Pending cancel", "abnormal order")  # fmt: skip
_status: r.Reader = r.word("status", _STATUS, other="other")
_type: r.Reader = r.word("type", {"1": "limit", "2": "market"}, other="other")
_DECIMALS = 8
"""Decimals of money texts in orders and accounts."""


# ---------------------------------------------------------------------------------- symbols

_SYMBOLS: Fields = {
    "symbol": (("symbol",), r.text),
    "base": (("base_coin",), r.upper),
    "quote": (("count_coin",), r.upper),
    "amount_min": (("limit_volume_min",), r.number),
    "price_precision": (("price_precision",), r.whole),
    "amount_precision": (("amount_precision",), r.whole),
}


def read_symbols(rows: Any, *, exact: bool) -> Columns:
    """``/v1/symbols``: coins come in either case, ticks are told as numbers of decimals."""
    columns = r.columns_of(rows, _SYMBOLS, exact=exact)
    count = len(columns["symbol"])

    def tick(precision: int | None) -> Decimal | float | None:
        if precision is None:
            return None
        step = Decimal(1).scaleb(-precision)
        return step if exact else float(step)

    return columns | {
        "symbol": [symbol.lower() for symbol in columns["symbol"]],
        "venue_symbol": columns["symbol"],
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
    rows = data["ticker"]
    columns = {"symbol": [str(row["symbol"]).lower() for row in rows]}
    columns |= r.columns_of(rows, _TICKERS, exact=exact)
    return columns | {"time": [r.time(data.get("date"))] * len(rows)}


def read_ticker(row: Any, symbol: str, *, exact: bool) -> Columns:
    """``/v1/ticker`` of one market: the answer does not repeat the symbol."""
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
_STREAM_KLINES: Fields = {
    "time": (("id",), r.time),
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
    return ascending(columns, "time")


def read_klines(rows: Any, *, exact: bool) -> Columns:
    """``/v1/klines``: arrays of six; newer platforms add a seventh column, which is left."""
    fields: Fields = {"time": (("0",), r.time)}
    fields |= {name: ((str(i),), r.number) for i, name in enumerate(_BAR, 1)}
    named = [{str(i): value for i, value in enumerate(row[:6])} for row in rows]
    return ascending(r.columns_of(named, fields, exact=exact), "time")


def write_klines(columns: Columns) -> list[list[Any]]:
    """Write ``/v1/klines``: numbers, time in seconds."""
    return [
        [r.seconds(time), *map(r.json_number, bar)]
        for time, *bar in zip(columns["time"], *(columns[n] for n in _BAR), strict=True)
    ]


def read_stream_klines(rows: Any, *, exact: bool) -> Columns:
    """Kline pushes and kline history: objects, named as on REST but for ``id`` and ``vol``."""
    return ascending(r.columns_of(rows, _STREAM_KLINES, exact=exact), "time")


def write_stream_klines(columns: Columns, *, push: bool) -> list[dict[str, Any]]:
    """Write kline rows of the stream: numbers, the opening time in seconds as ``id``.

    A push also has ``ds``, the same time as text in UTC+8.
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
        written.append(line)
    return written


# ----------------------------------------------------------------------------------- trades

_TRADES: Fields = {
    "id": (("id",), r.text),
    "price": (("price",), r.number),
    "amount": (("amount",), r.number),
    "time": (("ctime", "trade_time", "create_time", "ts"), r.time),
    "side": (("type", "side"), _side),
}
_STREAM_TRADES: Fields = {
    "id": (("id",), r.text),
    "price": (("price",), r.number),
    "amount": (("vol",), r.number),  # here `amount` is price x vol
    "time": (("ts", "ctime"), r.time),
    "side": (("side", "type"), _side),
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
    return columns if in_order else _by_time_and_id(columns)


def read_trades(rows: Any, *, exact: bool) -> Columns:
    """``/v1/trades``: newest first on the wire, ascending here; the time has several names."""
    return _by_time_and_id(r.columns_of(list(rows)[::-1], _TRADES, exact=exact))


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
    return _by_time_and_id(r.columns_of(list(rows)[::-1], _STREAM_TRADES, exact=exact))


def write_stream_trades(columns: Columns) -> list[dict[str, Any]]:
    """Write trades of the stream: texts, sides in upper case, newest first."""
    return [
        {
            "id": as_digits(row["id"]),
            "side": row["side"].upper(),
            "price": r.plain(row["price"]),
            "vol": r.plain(row["amount"]),
            "amount": r.plain(row["price"] * row["amount"]),
            "ts": r.millis(row["time"]),
            "ds": beijing_text(row["time"]),
        }
        for row in reversed(r.rows_of(columns))
    ]


# ------------------------------------------------------------------------------------ depth


def read_book(asks: Any, bids: Any, *, exact: bool) -> Columns:
    """Read a whole book: levels are [price, amount], best first on either side."""
    columns: Columns = {"side": [], "level": [], "price": [], "amount": []}
    try:
        for side, levels, best_first in (
            ("bid", bids or [], lambda level: -level[0]),
            ("ask", asks or [], lambda level: level[0]),
        ):
            read = [(r.number(row[0], exact), r.number(row[1], exact)) for row in levels]
            for level, (price, amount) in enumerate(sorted(read, key=best_first)):
                columns["side"].append(side)
                columns["level"].append(level)
                columns["price"].append(price)
                columns["amount"].append(amount)
    except (ValueError, TypeError, IndexError, KeyError) as error:
        problem = str(error)
    else:
        return columns
    raise r.unreadable(f"a level of the book: {problem}", {"asks": asks, "bids": bids})


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
        raise r.unreadable(f"{tick['side']!r} is no side of a book", tick)
    return {
        "side": [side],
        "level": [None],
        "price": [r.number(tick["price"], exact)],
        "amount": [r.number(tick["volume"], exact)],
    }


def write_level(columns: Columns, row: int) -> dict[str, Any]:
    """Write the change of one level."""
    return {
        "side": "asks" if columns["side"][row] == "ask" else "buys",
        "price": r.json_number(columns["price"][row]),
        "volume": r.json_number(columns["amount"][row]),
    }


# ---------------------------------------------------------------------------------- account

_ACCOUNT: Fields = {
    "coin": (("coin",), r.upper),
    "available": (("normal",), r.number),
    "locked": (("locked",), r.number),
    # The documents print btcValuatin; two clients of the exchange read btcValuation.
    "btc_value": (("btcValuatin", "btcValuation"), r.number),
}


def read_account(rows: Any, *, exact: bool) -> Columns:
    """``/v1/account``: the total is available and locked, added as decimals."""
    columns = r.columns_of(rows, _ACCOUNT, exact=True)
    columns["total"] = [
        None if available is None or locked is None else available + locked
        for available, locked in zip(columns["available"], columns["locked"], strict=True)
    ]
    return columns if exact else _as_floats(columns)


def write_account(columns: Columns, *, value_key: str) -> list[dict[str, Any]]:
    """Write ``coin_list``: texts with 8 decimals, coins in lower case."""
    return [
        {
            "normal": r.plain(row["available"], _DECIMALS),
            "locked": r.plain(row["locked"], _DECIMALS),
            value_key: r.plain(row["btc_value"], _DECIMALS),
            "coin": row["coin"].lower(),
        }
        for row in r.rows_of(columns)
    ]


# ----------------------------------------------------------------------------------- orders

_ORDERS: Fields = {
    "id": (("id",), r.text),
    "side": (("side",), _side),
    "type": (("type",), _type),
    "status": (("status",), _status),
    "price": (("price",), r.number),
    "volume": (("volume",), r.number),
    "filled": (("deal_volume",), r.number),
    "remaining": (("remain_volume",), r.number),
    "average": (("avg_price",), r.number),
    # Named a price, it is the money that changed hands: 9744.25 x 0.001 = 9.74425.
    "cost": (("deal_price",), r.number),
    "fee": (("fee",), r.number),
    "fee_coin": (("fee_coin", "feeCoin"), r.upper),
    "created": (("created_at",), r.time),
    "updated": (("updated_at",), r.time),
    "base": (("baseCoin",), r.upper),
    "quote": (("countCoin",), r.upper),
}


def read_orders(rows: Any, symbol: str | None, *, exact: bool) -> Columns:
    """Read order objects.

    A market buy's volume is the quote money to spend, so amount and remaining are unknown
    then. Nothing was executed → no average. A market order cannot rest, so one that ended
    canceled after fills did all it could: filled.
    """
    columns = r.columns_of(rows, _ORDERS, exact=True)
    volumes = columns.pop("volume")
    columns |= {
        "symbol": [
            f"{base}{quote}".lower() if base and quote else symbol
            for base, quote in zip(columns["base"], columns["quote"], strict=True)
        ],
        "client_id": [None] * len(volumes),
        "amount": list(volumes),
        "spend": [None] * len(volumes),
    }
    for i, volume in enumerate(volumes):
        filled = columns["filled"][i]
        if columns["type"][i] == "market":
            columns["price"][i] = None
            if columns["side"][i] == "buy":
                columns["spend"][i] = volume
                columns["amount"][i] = columns["remaining"][i] = None
            if columns["status"][i] == "canceled" and filled:
                columns["status"][i] = "filled"
        if not filled:
            columns["average"][i] = None
    return columns if exact else _as_floats(columns)


def write_order(row: Mapping[str, Any], *, profile_b: bool) -> dict[str, Any]:
    """Write an order object: money as texts with 8 decimals."""
    spends = row["spend"] is not None
    volume = row["spend"] if spends else row["amount"]
    cost = row["cost"] or Decimal(0)
    filled = row["filled"] or Decimal(0)
    total = volume if row["price"] is None else row["price"] * volume
    code = _STATUS_CODES[row["status"]]
    money = {
        "total_price": total,
        "fee": row["fee"],
        "deal_price": cost,
        "avg_price": row["average"],
        "volume": volume,
        "price": row["price"],
        "deal_volume": filled,
        "remain_volume": volume - cost if spends else row["remaining"],
    }
    written = {
        "side": row["side"].upper(),
        "created_at": r.millis(row["created"]),
        "countCoin": row["quote"],
        "source": 3,
        "type": 2 if row["type"] == "market" else 1,
        "side_msg": row["side"].capitalize(),
        "updated_at": r.millis(row["updated"]),
        "source_msg": "API",
        "status_msg": _STATUS_TEXTS[code],
        "fee_coin": row["fee_coin"],
        "id": row["id"] if profile_b else as_digits(row["id"]),
        "baseCoin": row["base"],
        "status": code,
    }
    if profile_b:
        del written["source_msg"]
        written["type"] = str(written["type"])
    return written | {key: r.plain(value or Decimal(0), _DECIMALS) for key, value in money.items()}


# --------------------------------------------------------------------------------- own trades

_FILLS: Fields = {
    "id": (("id",), r.text),
    "side": (("side", "type"), r.text),
    "price": (("price",), r.number),
    "amount": (("volume",), r.number),
    "fee": (("fee",), r.number),
    "fee_coin": (("feeCoin", "fee_coin"), r.upper),
    "time": (("ctime",), r.time),
    "bid_id": (("bid_id",), r.text),
    "ask_id": (("ask_id",), r.text),
    "role": (("role",), _role),
}


def read_fills(
    rows: Any, symbol: str | None, *, order: tuple[str, Side] | None = None, exact: bool
) -> Columns:
    """Read own trades; `order` is the order (id, side) that a ``tradeList`` stands in.

    The cost is price x amount: the wire's own ``deal_price`` is cut to the price's decimals.
    The order is named by ``bid_id`` of a buy and ``ask_id`` of a sell.
    """
    columns = r.columns_of(rows, _FILLS, exact=True)
    bids, asks = columns.pop("bid_id"), columns.pop("ask_id")
    sides = [order[1] if order else _side(side, exact) for side in columns["side"]]
    columns |= {
        "side": sides,
        "symbol": [symbol] * len(sides),
        "order_id": [
            order[0] if order else (bid if side == "buy" else ask)
            for side, bid, ask in zip(sides, bids, asks, strict=True)
        ],
        "cost": [
            None if price is None or amount is None else price * amount
            for price, amount in zip(columns["price"], columns["amount"], strict=True)
        ],
    }
    return _by_time_and_id(columns if exact else _as_floats(columns))


def write_fill(row: Mapping[str, Any], *, in_order: bool, profile_b: bool) -> dict[str, Any]:
    """Write one own trade; inside an order it names neither order nor side."""
    order_key = "bid_id" if row["side"] == "buy" else "ask_id"
    written = {
        "volume": r.plain(row["amount"]),
        "feeCoin": row["fee_coin"],
        "price": r.plain(row["price"], _DECIMALS),
        "fee": r.plain(row["fee"], _DECIMALS),
        "ctime": r.millis(row["time"]),
        "deal_price": r.plain(row["cost"], _DECIMALS),
        "id": row["id"] if profile_b else as_digits(row["id"]),
        "type": row["side"].capitalize(),
    }
    if not in_order:
        order_id = row["order_id"] if profile_b else as_digits(row["order_id"])
        written |= {"side": row["side"].upper(), order_key: order_id}
    return written


# ------------------------------------------------------------------------------------ helpers


def ascending(columns: Columns, by: str) -> Columns:
    """Return the columns sorted by one of them; nothing is copied when they already are."""
    keys = columns[by]
    if keys == sorted(keys):
        return columns
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return {name: [values[i] for i in order] for name, values in columns.items()}


def _by_time_and_id(columns: Columns) -> Columns:
    """Sort trades by time, those of equal time by id as a number."""
    keys = [
        (stamp or 0, int(id_) if id_ and id_.isdecimal() else 0)
        for stamp, id_ in zip(columns["time"], columns["id"], strict=True)
    ]
    if keys == sorted(keys):
        return columns
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return {name: [values[i] for i in order] for name, values in columns.items()}


def _as_floats(columns: Columns) -> Columns:
    return {
        name: [float(v) if isinstance(v, Decimal) else v for v in values]
        for name, values in columns.items()
    }


def as_digits(id_: str | None) -> Any:
    """Write an id as a number where it is one (profile A)."""
    return int(id_) if id_ is not None and id_.isdecimal() else id_


def whole_seconds(answer: Answer) -> Answer:
    """Return an answer with times as the exchange wrote them: cut down to whole seconds."""
    facts = dict(answer.facts)
    if "fills" in facts:
        facts["fills"] = _cut(facts["fills"])
    return Answer(answer.table, _cut(answer.columns), facts)


def _cut(columns: Columns) -> Columns:
    cut = {
        name: [None if ns is None else ns // NS_PER_S * NS_PER_S for ns in columns[name]]
        for name in ("time", "created", "updated")
        if name in columns
    }
    return columns | cut


def beijing_text(ns: int) -> str:
    """Write an instant as the platform's display text: date and time in UTC+8."""
    moment = datetime.fromtimestamp(ns // NS_PER_S, UTC) + timedelta(hours=8)
    return moment.strftime("%Y-%m-%d %H:%M:%S")
