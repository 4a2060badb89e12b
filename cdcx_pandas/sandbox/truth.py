"""The truth: what happened on the markets, told exactly and past every wire.

Whoever heard a stream can hold it against this. It is asked of the markets themselves, so no
dialect has a part in it: numbers are texts, times are ns, ids are as everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdcx_pandas.errors import BadRequest
from cdcx_pandas.operations import GetDepth
from cdcx_pandas.periods import PERIODS
from cdcx_pandas.sandbox.answers import kline_columns, trade_columns
from cdcx_pandas.tables import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdcx_pandas.sandbox.exchange import Exchange
    from cdcx_pandas.tables import Columns

MOST_ROWS = 5000
"""So many rows are told at once; `next` says what to ask for after them."""
_MOST_BACK = 1_000_000
"""Trades are told so far back, since they are counted from the newest."""
_LOOK_NS = NS_PER_S // 4
_MOST_LOOKS = 4000
_BARS = ("time", "open", "high", "low", "close", "volume", "closed", "last_id")


def truth(asked: Mapping[str, str], exchange: Exchange, now_ns: int) -> dict[str, Any]:
    """Answer a question about what really happened.

    Parameters
    ----------
    asked
        ``what``: ``trades`` (if it is not said) of ``symbol`` with ids above ``after``, up to
        and with ``until``; ``klines`` of a ``period`` that open in ``[start, end)``, in ns;
        ``book`` as it is now, or was ``at`` a time, with ``step`` and ``levels``; ``books``,
        all there were in ``[start, end]``; ``now``: time, newest ids and prices. Books of the
        past do not know orders of accounts that are gone.
    exchange
        What is asked.
    now_ns
        The venue's time.

    Raises
    ------
    CdcxError
        There is no such question, or no such market.
    """
    now_ns = exchange.advance(now_ns)
    match asked.get("what", "trades"):
        case "now":
            told = _now(exchange, now_ns)
        case "trades":
            told = _trades(exchange, asked, now_ns)
        case "klines":
            told = _klines(exchange, asked, now_ns)
        case "book":
            told = _book(exchange, asked, now_ns)
        case "books":
            told = _books(exchange, asked, now_ns)
        case other:
            raise BadRequest(f"There is no truth of {other!r}.")
    return {"now_ns": now_ns} | told


def _number(asked: Mapping[str, str], name: str, otherwise: int | None = None) -> int:
    text = asked.get(name)
    if text is None and otherwise is not None:
        return otherwise
    if text is None or not text.removeprefix("-").isdecimal():
        raise BadRequest(f"{name} is a whole number, and is needed.")
    return int(text)


def _now(exchange: Exchange, now_ns: int) -> dict[str, Any]:
    desks = exchange.floor.desks
    return {
        "last_id": {symbol: str(desk.last_id(now_ns)) for symbol, desk in desks.items()},
        "last": {
            symbol: str(desk.scale.price(price))
            for symbol, desk in desks.items()
            if (price := desk.last_price(now_ns)) is not None
        },
    }


def _trades(exchange: Exchange, asked: Mapping[str, str], now_ns: int) -> dict[str, Any]:
    desk = exchange.floor.desk(asked.get("symbol", ""))
    last = desk.last_id(now_ns)
    after = _number(asked, "after")
    until = min(_number(asked, "until", last), last)
    back = max(last - max(after, 0), 0)
    if back > _MOST_BACK:
        raise BadRequest(f"after is {back} trades ago; at most {_MOST_BACK} are told.")
    trades = desk.market.last_trades(now_ns + 1, back)
    trades = trades.rows(slice(0, int(trades.id.searchsorted(until, "right"))))
    page = trades.rows(slice(MOST_ROWS))
    columns = trade_columns(page, desk.scale, desk.market.matches)
    is_all = page.id.size == trades.id.size
    return {
        "symbol": desk.pair.symbol,
        "last_id": str(last),
        "trades": _rows(columns, ("id", "time", "price", "amount", "side")),
        "next": None if is_all else columns["id"][-1],
    }


def _klines(exchange: Exchange, asked: Mapping[str, str], now_ns: int) -> dict[str, Any]:
    desk = exchange.floor.desk(asked.get("symbol", ""))
    period = asked.get("period", "1min")
    if period not in PERIODS:
        raise BadRequest(f"There is no period {period!r}.")
    start, end = _number(asked, "start"), _number(asked, "end", now_ns + 1)
    bars = desk.market.bars(period, start, end, now_ns)
    page = bars.rows(slice(MOST_ROWS))
    columns = kline_columns(page, period, desk.scale, now_ns)
    is_all = page.time_ns.size == bars.time_ns.size
    return {
        "symbol": desk.pair.symbol,
        "klines": _rows(columns, _BARS),
        "next": None if is_all else columns["time"][-1] + 1,
    }


def _book(exchange: Exchange, asked: Mapping[str, str], now_ns: int) -> dict[str, Any]:
    desk = exchange.floor.desk(asked.get("symbol", ""))
    at_ns = min(_number(asked, "at", now_ns), now_ns)
    return {"symbol": desk.pair.symbol} | _book_at(exchange, asked, at_ns)


def _books(exchange: Exchange, asked: Mapping[str, str], now_ns: int) -> dict[str, Any]:
    """Tell the books of a stretch of time, each once, when it was seen first.

    A book stays the same for a second or until the next trade, so it is looked at often.
    """
    desk = exchange.floor.desk(asked.get("symbol", ""))
    start, end = _number(asked, "start"), min(_number(asked, "end", now_ns), now_ns)
    if end - start > _MOST_LOOKS * _LOOK_NS:
        raise BadRequest("Books are told of a few minutes at most.")
    by_key: dict[tuple[int, int], int] = {}
    for at_ns in range(start, end + 1, _LOOK_NS):
        newest = desk.market.last_trades(at_ns + 1, 1).id
        by_key.setdefault((at_ns // NS_PER_S, int(newest[0]) if newest.size else 0), at_ns)
    return {
        "symbol": desk.pair.symbol,
        "books": [{"at": at_ns} | _book_at(exchange, asked, at_ns) for at_ns in by_key.values()],
    }


def _book_at(exchange: Exchange, asked: Mapping[str, str], at_ns: int) -> dict[str, Any]:
    levels = _number(asked, "levels", 10**6)
    question = GetDepth(asked.get("symbol", ""), _number(asked, "step", 0), levels)
    book = exchange.floor.tell(question, at_ns).columns
    rows = list(zip(book["side"], book["price"], book["amount"], strict=True))
    return {
        "bids": [[str(price), str(amount)] for side, price, amount in rows if side == "bid"],
        "asks": [[str(price), str(amount)] for side, price, amount in rows if side == "ask"],
    }


def _rows(columns: Columns, names: tuple[str, ...]) -> list[dict[str, Any]]:
    keys = ["time_ns" if name == "time" else name for name in names]
    rows = zip(*(columns[name] for name in names), strict=True)
    return [dict(zip(keys, map(_plain, row), strict=True)) for row in rows]


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str | bool) else str(value)
