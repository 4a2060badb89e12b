"""What the exchange's streams tell: the result of a frame as news of a channel, both ways.

Rows stand here as they do over HTTP, but for a few keys; `market`, `account` and `orders` know
them. Nothing tells the time of a frame, so that news is as old as the newest of its rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdcx_pandas import messages as m
from cdcx_pandas.channels import (
    BalanceChannel,
    Channel,
    DepthChannel,
    FillChannel,
    KlineChannel,
    OrderChannel,
    PositionChannel,
    TickerChannel,
    TradeChannel,
    ValuationChannel,
)
from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.exchange import account, market, orders, wire
from cdcx_pandas.tables import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from cdcx_pandas.dialects.exchange.symbols import Names
    from cdcx_pandas.tables import Columns

_CHANGED = "book.update"
_STAMPS = ("updated", "time")
"""What tells the age of a row: when it last changed, or when it happened."""


def _newest(columns: Columns) -> int | None:
    for name in _STAMPS:
        stamps = [stamp for stamp in columns.get(name, ()) if stamp is not None]
        if stamps:
            return int(max(stamps))
    return None


# ------------------------------------------------------------------------------------ reading


def read_update(
    channel: Channel, result: Mapping[str, Any], ref: str | None, names: Names, *, exact: bool
) -> m.Update:
    """Read the news of a channel."""
    rows = r.listed(result["data"])
    if isinstance(channel, DepthChannel):
        return _read_book(channel, result, ref, exact=exact)
    if isinstance(channel, BalanceChannel):
        (block,) = rows
        columns, facts = account.read_account(block, exact=exact)
        return m.Update(channel, Answer(channel.table, columns, facts), ref=ref)
    columns = _columns(channel, rows, names, exact=exact)
    answer = Answer(channel.table, columns)
    return m.Update(channel, answer, _mode(channel, result, ref), _newest(columns), ref)


def _columns(channel: Channel, rows: list[Any], names: Names, *, exact: bool) -> Columns:
    match channel:
        case TickerChannel():
            return market.read_tickers(rows, names, stream=True, exact=exact)
        case KlineChannel():
            return market.read_klines(rows, stream=True, exact=exact)
        case TradeChannel():
            return market.read_trades(rows, exact=exact)
        case ValuationChannel():
            return market.read_values(rows, "value", exact=exact)
        case OrderChannel():
            return r.ascending(orders.read_orders(rows, names, exact=exact), "updated")
        case FillChannel():
            return account.read_fills(rows, names, exact=exact)
        case PositionChannel():
            return account.read_positions(rows, names, exact=exact)
        case _:
            raise ValueError("news of a channel that is none")


def _mode(
    channel: Channel, result: Mapping[str, Any], ref: str | None
) -> Literal["snapshot", "delta"]:
    """Tell whether news stands for everything or is added to what is known.

    Trades are always added. Of orders and positions the first frame is a whole listing, told by
    the request's number or, seen in a recording, by its full name where later ones say the
    family.
    """
    if isinstance(channel, TradeChannel | FillChannel):
        return "delta"
    if isinstance(channel, OrderChannel | PositionChannel):
        is_named = channel != OrderChannel() and result.get("channel") != "user.order"
        is_first = isinstance(channel, OrderChannel) and is_named
        return "snapshot" if ref is not None or is_first else "delta"
    return "snapshot"


def _read_book(
    channel: DepthChannel, result: Mapping[str, Any], ref: str | None, *, exact: bool
) -> m.Update:
    (book,) = r.listed(result["data"])
    is_change = result.get("channel") == _CHANGED or "update" in book
    read = market.read_changes(book["update"], exact=exact) if is_change else None
    columns = market.read_book(book, exact=exact) if read is None else read
    return m.Update(
        channel,
        Answer(channel.table, columns, {"time": r.time(book.get("tt"))}),
        "delta" if is_change else "snapshot",
        r.time(book.get("t")),
        ref,
        r.whole(book.get("u")),
        r.whole(book["pu"]) if is_change else None,
    )


# ------------------------------------------------------------------------------------ writing


def write_update(message: m.Update, name: str, names: Names) -> dict[str, Any]:
    """Write the result of a frame; `name` is the channel's."""
    channel = message.channel
    parts = name.split(".")
    result: dict[str, Any] = {"subscription": name, "channel": parts[0]}
    if parts[0] == "user":
        return result | _of_account(message, name, names)
    if isinstance(channel, DepthChannel):
        is_change = message.mode == "delta"
        result |= {
            "instrument_name": parts[1],
            "channel": _CHANGED if is_change else "book",
            "depth": channel.levels or wire.STREAM_DEPTH,
        }
        return result | {"data": [_book(message)]}
    if isinstance(channel, KlineChannel):
        result["interval"] = parts[1]
    instrument = name.removeprefix(f"{parts[0]}.").removeprefix(f"{result.get('interval')}.")
    rows = _rows(channel, message.answer.columns, instrument, names)
    return result | {"instrument_name": instrument, "data": rows}


def _book(message: m.Update) -> dict[str, Any]:
    levels = market.write_book(message.answer.columns)
    changed = message.answer.facts.get("time")
    book: dict[str, Any] = {
        "t": r.millis(message.time),
        "tt": r.millis(message.time if changed is None else changed),
        "u": message.sequence or 0,
        "cs": 0,
    }
    if message.mode == "delta":
        return {"update": levels} | book | {"pu": message.previous or 0}
    return levels | book


def _rows(channel: Channel, columns: Columns, instrument: str, names: Names) -> list[Any]:
    match channel:
        case TickerChannel():
            return market.write_tickers(columns, names, stream=True)
        case KlineChannel():
            return market.write_klines(columns, stream=True)
        case TradeChannel():
            return market.write_trades(columns, instrument, stream=True)
        case _:
            return market.write_values(columns, "value")


def _of_account(message: m.Update, name: str, names: Names) -> dict[str, Any]:
    """Write news of an account; of one market, later frames say the family and the market."""
    channel, columns = message.channel, message.answer.columns
    family = ".".join(name.split(".")[:2])
    instrument = name.removeprefix(family)[1:]
    written: dict[str, Any] = {"channel": family}
    match channel:
        case OrderChannel():
            written["data"] = orders.write_orders(columns, names, stream=True)
            if message.mode == "snapshot":
                return written | {"channel": name}
        case FillChannel():
            written["data"] = account.write_fills(columns, names, stream=True)
        case PositionChannel():
            written["data"] = account.write_positions(columns, names)
        case _:
            written["data"] = [account.write_account(columns, message.answer.facts)]
    return written | {"instrument_name": instrument} if instrument else written
