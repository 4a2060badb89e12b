"""The replay: a tape read from recorded data, trades or bars, in CSV or Parquet.

This module knows how such a file is read, exactly: numbers are taken as text and become
integer ticks and lots of as many decimals as the file has, so nothing passes through a binary
float. It invents nothing but what bars leave out: a bar becomes the few trades that make this
very bar again. A stretch without data stays without trades. What a tape answers is declared in
`tape`; where the file comes from and who looks at it is not known here.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from cdcx_pandas.errors import BadRequest
from cdcx_pandas.periods import NS_PER_DAY, NS_PER_MINUTE, floor_times
from cdcx_pandas.sandbox.bookmaker import BookMaker
from cdcx_pandas.sandbox.pairs import Pair
from cdcx_pandas.sandbox.tape import (
    BOOK_LEVELS,
    EMPTY_BOOK,
    Bars,
    Book,
    DayStats,
    Trades,
    bars_of,
    stats_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

QUOTES = ("USDT", "USDC", "USD", "BTC", "CRO", "ETH", "EUR")
"""The coins a symbol may end with, longer ones before those they end with."""
TIME_NAMES = ("time", "datetime", "timestamp", "date")
TRADE_COLUMNS = ("price", "amount", "side")
BAR_COLUMNS = ("open", "high", "low", "close", "volume")
SIDES = {"buy": 1, "sell": -1}

_SEPARATORS = re.compile(r"[\s_/-]")
_FRACTION = re.compile(r"(?<=:\d\d)[.,](\d+)")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")
_EXACT = Context(prec=64, traps=[Inexact, InvalidOperation])
_INT64_ENDS = 2**63
# Up to 5138 in seconds; and from 1973 on in ms, us and ns.
_UNITS_NS = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3))
_PIECE_NS = 1_000_000
"""Derived trades are at whole milliseconds if their bar is long enough."""


def read_replay(path: str | Path, symbol: str) -> ReplayTape:
    """Read a file of trades or bars and make it a tape.

    Parameters
    ----------
    path
        A CSV file, or Parquet if the name ends with ``.parquet`` or ``.pq`` (needs pyarrow).
        The first row of a CSV names the columns: ``time, price, amount, side`` and optionally
        ``id`` and ``match``, or ``time, open, high, low, close, volume``; letter case and order
        do not matter, ``datetime``, ``timestamp`` and ``date`` mean time, further columns are
        ignored. Times are ISO text (UTC where no zone is said) or numbers since the epoch in
        s, ms, us or ns, told apart by size; bars are named by their opening time.
    symbol
        The pair, such as ``btcusd``; its quote coin is one of `QUOTES`.

    Returns
    -------
    ReplayTape
        Precisions are those of the data: the most decimals of any price and any amount,
        closing zeros aside. Rows that are not in order are sorted. A flat bar without volume
        is a stretch in which nothing traded, so there is nothing of it on the tape.

    Raises
    ------
    BadRequest
        Where the file cannot be meant; it names file, row and column.
    """
    pair = _pair_of(symbol)
    sheet = _read_sheet(Path(path))
    time_name = next((name for name in TIME_NAMES if name in sheet.columns), None)
    if time_name is None:
        sheet.refuse("has no column 'time'")
    is_bars = not set(TRADE_COLUMNS) <= sheet.columns.keys()
    wanted = BAR_COLUMNS if is_bars else TRADE_COLUMNS
    missing = [name for name in wanted if name not in sheet.columns]
    if missing:
        sheet.refuse(f"has no column {missing[0]!r}")
    time_ns = np.array(sheet.parse(time_name, _time_ns), dtype=np.int64)
    if not time_ns.size:
        sheet.refuse("has no rows")
    read = _read_bars if is_bars else _read_trades
    matches = {} if is_bars else _read_matches(sheet)
    trades, price_precision, amount_precision = read(sheet, time_ns)
    if not trades.id.size:
        sheet.refuse("has no row in which anything traded")
    pair = Pair(
        symbol=pair.symbol,
        base=pair.base,
        quote=pair.quote,
        price_precision=price_precision,
        amount_precision=amount_precision,
        listed_ns=int(trades.time_ns[0]),
    )
    return ReplayTape(pair, trades, matches=matches)


class ReplayTape:
    """A tape of recorded trades; see `tape.Tape` for what it answers.

    Parameters
    ----------
    pair
        What is traded, in which precisions.
    trades
        All there is, in ascending order. Ids recorded with holes keep them.
    seed
        Of the book, which no file of trades tells and which is made up around the last trade.
    matches
        Trade → the number of its match, where recorded.
    """

    def __init__(
        self, pair: Pair, trades: Trades, seed: int = 0, matches: Mapping[int, str] | None = None
    ) -> None:
        self.pair = pair
        self.matches = matches or {}
        self._trades = trades
        self._opened: dict[str, tuple[Ints, Ints]] = {}
        self._book = BookMaker(pair.symbol, seed)
        minutes = np.unique(floor_times("1min", trades.time_ns)).size
        self._usual = int(trades.amount.sum() // max(minutes, 1))

    def trades(self, start_ns: int, end_ns: int) -> Trades:
        """Return the trades in ``[start_ns, end_ns)``."""
        first, stop = self._trades.time_ns.searchsorted((start_ns, end_ns))
        return self._trades.rows(slice(first, stop))

    def last_trades(self, before_ns: int, count: int) -> Trades:
        """Return the newest `count` trades before `before_ns`."""
        stop = int(self._trades.time_ns.searchsorted(before_ns))
        return self._trades.rows(slice(max(stop - max(count, 0), 0), stop))

    def bars(self, period: str, start_ns: int, end_ns: int, now_ns: int) -> Bars:
        """Return the bars that open in ``[start_ns, end_ns)``, of trades up to `now_ns`."""
        opened, _ = self._bars_opened(period)
        first, stop = opened.searchsorted((start_ns, end_ns))
        return self._bars_at(period, int(first), int(stop), now_ns)

    def bars_before(self, period: str, end_ns: int, count: int, now_ns: int) -> Bars:
        """Return the newest `count` bars that open before `end_ns`."""
        opened, first = self._bars_opened(period)
        known = int(self._trades.time_ns.searchsorted(now_ns, "right"))
        stop = int(min(opened.searchsorted(end_ns), first.searchsorted(known)))
        return self._bars_at(period, max(stop - max(count, 0), 0), stop, now_ns)

    def book(self, now_ns: int, levels: int = BOOK_LEVELS) -> Book:
        """Return standing orders made up around the last trade."""
        last = self.last_trades(now_ns + 1, 1)
        if not last.id.size:
            return EMPTY_BOOK
        return self._book(now_ns, int(last.price[0]), int(last.side[0]), self._usual, levels)

    def day_stats(self, now_ns: int) -> DayStats | None:
        """Return the last 24 hours, to the trade; None if nothing traded in them."""
        return stats_of(self.trades(now_ns - NS_PER_DAY + 1, now_ns + 1))

    def _bars_opened(self, period: str) -> tuple[Ints, Ints]:
        """Return all opening times of a period and the place of each bar's first trade."""
        if period not in self._opened:
            times = floor_times(period, self._trades.time_ns)
            self._opened[period] = np.unique(times, return_index=True)
        return self._opened[period]

    def _bars_at(self, period: str, first: int, stop: int, now_ns: int) -> Bars:
        _, places = self._bars_opened(period)
        known = int(self._trades.time_ns.searchsorted(now_ns, "right"))
        end = int(places[stop]) if stop < places.size else known
        begin = int(places[first]) if first < places.size else end
        return bars_of(self._trades.rows(slice(begin, min(end, known))), period)


# --- Reading --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sheet:
    """The columns of a file as text, and where each row stands in it."""

    path: Path
    columns: dict[str, list[str]]
    rows: Sequence[int]

    def parse(self, name: str, read: Callable[[str], Any]) -> list[Any]:
        """Read a column; what cannot be read is refused by its place."""
        values = []
        for place, text in enumerate(self.columns[name]):
            try:
                values.append(read(text))
            except (ValueError, ArithmeticError):
                what = f"{text!r} is no {_KINDS.get(name, 'number')}" if text else "is empty"
                self.refuse_at(place, name, what)
        return values

    def refuse_at(self, place: int, name: str, what: str) -> NoReturn:
        """Refuse a value."""
        raise BadRequest(
            f"{self.path.name}, row {self.rows[place]}, column {name!r}: {what}.",
            why=f"The file is {self.path}.",
            todo="Correct the row, or leave it out: a replay keeps its holes.",
        )

    def refuse(self, what: str) -> NoReturn:
        """Refuse the file."""
        found = ", ".join(self.columns) or "none"
        raise BadRequest(
            f"{self.path.name} {what}.",
            why=f"The columns of {self.path} are: {found}.",
            todo="Trades are time, price, amount, side; "
            "bars are time, open, high, low, close, volume.",
        )


_KINDS = {**dict.fromkeys(TIME_NAMES, "time"), "side": "side: buy or sell", "id": "whole number"}


def _read_sheet(path: Path) -> _Sheet:
    if not path.is_file():
        raise BadRequest(f"There is no file {path}.", todo="Check the path of the replay.")
    if path.suffix.lower() in {".parquet", ".pq"}:
        return _read_parquet(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        names = [name.strip().lower() for name in next(reader, [])]
        cells: list[list[str]] = []
        rows: list[int] = []
        for row in reader:
            if row:
                cells.append(row)
                rows.append(reader.line_num)
    width = len(names)
    for number, cell in zip(rows, cells, strict=True):
        if len(cell) != width:
            raise BadRequest(
                f"{path.name}, row {number}: {len(cell)} values under {width} column names.",
                why=f"The file is {path}.",
                todo="Give every row one value for each column of the header.",
            )
    turned = zip(*cells, strict=True) if cells else ([] for _ in names)
    columns = {
        name: [text.strip() for text in column] for name, column in zip(names, turned, strict=True)
    }
    return _Sheet(path, columns, rows)


def _read_parquet(path: Path) -> _Sheet:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ImportError("Parquet needs pyarrow: pip install 'cdcx-pandas[archive]'") from None
    # The file's own handle: a folder of that name or a partitioned data set is not meant.
    with path.open("rb") as file:
        table = pq.ParquetFile(file).read()
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_timestamp(column.type):
            values = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64()).to_pylist()
        else:
            values = column.to_pylist()
        # The repr of a float is the shortest decimal that is this float: what was written.
        columns[name.strip().lower()] = [
            "" if value is None else repr(value) if isinstance(value, float) else str(value)
            for value in values
        ]
    return _Sheet(path, columns, range(1, table.num_rows + 1))


def _read_trades(sheet: _Sheet, time_ns: Ints) -> tuple[Trades, int, int]:
    (price,), price_precision = _integers(sheet, ("price",), least=1)
    (amount,), amount_precision = _integers(sheet, ("amount",), least=1)
    side = np.array(sheet.parse("side", _side), dtype=np.int64)
    if "id" in sheet.columns:
        ids = np.array(sheet.parse("id", int), dtype=np.int64)
        order = np.lexsort((ids, time_ns))
        ids = ids[order]
        for place in np.flatnonzero(np.diff(ids) <= 0)[:1] + 1:
            sheet.refuse_at(int(order[place]), "id", f"{ids[place]} does not ascend with time")
    else:
        order = np.argsort(time_ns, kind="stable")
        ids = np.arange(1, time_ns.size + 1, dtype=np.int64)
    trades = Trades(ids, time_ns[order], price[order], amount[order], side[order])
    return trades, price_precision, amount_precision


def _read_matches(sheet: _Sheet) -> dict[int, str]:
    """Return the match of each trade, where the file has ids and matches."""
    if not {"id", "match"} <= sheet.columns.keys():
        return {}
    return dict(zip(sheet.parse("id", int), sheet.columns["match"], strict=True))


def _read_bars(sheet: _Sheet, time_ns: Ints) -> tuple[Trades, int, int]:
    prices, price_precision = _integers(sheet, BAR_COLUMNS[:4], least=1)
    (volume,), amount_precision = _integers(sheet, BAR_COLUMNS[4:], least=0)
    opening, high, low, closing = prices
    for name, wrong, what in (
        ("high", high < low, "the high is below the low"),
        ("open", (opening > high) | (opening < low), "the open is not between low and high"),
        ("close", (closing > high) | (closing < low), "the close is not between low and high"),
        ("volume", (volume == 0) & (high > low), "prices move although nothing traded"),
    ):
        for place in np.flatnonzero(wrong)[:1]:
            sheet.refuse_at(int(place), name, what)
    order = np.argsort(time_ns, kind="stable")
    for place in np.flatnonzero(np.diff(time_ns[order]) == 0)[:1] + 1:
        row = sheet.rows[int(order[place - 1])]
        sheet.refuse_at(int(order[place]), "time", f"the bar of row {row} has the same time")
    columns = np.stack((time_ns, opening, high, low, closing, volume))[:, order]
    # Each bar is shorter than any distance between two, and so is what all distances are
    # multiples of, holes or not.
    length = int(np.gcd.reduce(np.diff(columns[0]))) if order.size > 1 else 0
    columns = columns[:, columns[5] > 0]
    trades, finer = _trades_of_bars(columns, length or NS_PER_MINUTE)
    return trades, price_precision, amount_precision + finer


def _trades_of_bars(columns: Ints, length_ns: int) -> tuple[Trades, int]:
    """Make the fewest trades that give these bars again.

    A bar that closes above its open went down first and then up: open, low, high, close; the
    other way round if it closes below. Where two of them in a row are equal they are one.

    Returns
    -------
    trades, finer
        `finer` is 1 if lots had to be divided by ten, because a bar has fewer lots than the
        trades it takes, and otherwise 0.
    """
    time_ns, opening, high, low, closing, volume = columns
    rising = closing >= opening
    path = np.stack(
        (opening, np.where(rising, low, high), np.where(rising, high, low), closing), axis=1
    )
    kept = np.ones(path.shape, dtype=bool)
    kept[:, 1:] = path[:, 1:] != path[:, :-1]
    count = kept.sum(axis=1)
    finer = int((volume < count).any())
    volume = volume * 10**finer
    place = kept.cumsum(axis=1) - 1
    amount = np.broadcast_to((volume // count)[:, None], path.shape) + (
        (place == 0) * (volume % count)[:, None]
    )
    step = length_ns // 4
    step -= step % _PIECE_NS if step >= _PIECE_NS else 0
    times = time_ns[:, None] + place * step
    price = path[kept]
    trades = Trades(
        id=np.arange(1, price.size + 1, dtype=np.int64),
        time_ns=times[kept],
        price=price,
        amount=amount[kept],
        side=_sides_of(price),
    )
    return trades, finer


def _sides_of(price: Ints) -> Ints:
    """Guess takers' sides: who lifts the price bought, and where it stays the last one goes on."""
    step = np.sign(np.diff(price, prepend=price[:1]))
    moved = np.where(step != 0, np.arange(step.size), 0)
    step = step[np.maximum.accumulate(moved)] if step.size else step
    return np.where(step == 0, 1, step)


class _Number(NamedTuple):
    value: Decimal
    decimals: int


def _integers(sheet: _Sheet, names: Sequence[str], *, least: int) -> tuple[list[Ints], int]:
    """Read columns of one unit as integers of the finest decimal that occurs in any of them."""
    columns = [sheet.parse(name, _number) for name in names]
    precision = max((number.decimals for column in columns for number in column), default=0)
    result = []
    for name, column in zip(names, columns, strict=True):
        whole = [int(_EXACT.scaleb(number.value, precision)) for number in column]
        for place, number in enumerate(whole):
            if number < least:
                what = "must be greater than 0" if least else "must not be negative"
                sheet.refuse_at(place, name, f"{sheet.columns[name][place]} {what}")
            if number >= _INT64_ENDS // 10:
                what = f"is too large beside numbers of {precision} decimals"
                sheet.refuse_at(place, name, f"{sheet.columns[name][place]} {what}")
        result.append(np.array(whole, dtype=np.int64))
    if sum(map(int, result[0])) >= _INT64_ENDS // 10 and names[0] in {"amount", "volume"}:
        sheet.refuse(f"has more than 64 bits of {names[0]} in units of its finest decimal")
    return result, precision


def _number(text: str) -> _Number:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(text)
    exponent = _EXACT.normalize(value).as_tuple().exponent
    assert isinstance(exponent, int), "a finite number has an exponent"
    return _Number(value, max(-exponent, 0))


def _time_ns(text: str) -> int:
    """Read a time: a number since the epoch by its size, else ISO text."""
    if _NUMBER.fullmatch(text):
        number = Decimal(text)
        size = abs(number)
        unit = next((unit for limit, unit in _UNITS_NS if size < limit), 1)
        return int(number * unit)
    # `datetime` ends at microseconds; the fraction is read on its own.
    fraction = _FRACTION.search(text)
    moment = datetime.fromisoformat(_FRACTION.sub("", text))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    nanos = int(fraction[1][:9].ljust(9, "0")) if fraction else 0
    return (since.days * 86_400 + since.seconds) * 10**9 + nanos


def _side(text: str) -> int:
    side = SIDES.get(text.lower())
    if side is None:
        raise ValueError(text)
    return side


def _pair_of(symbol: str) -> Pair:
    """Tell base and quote of a symbol; precisions are not known yet."""
    name = _SEPARATORS.sub("", symbol).upper()
    quote = next((quote for quote in QUOTES if name.endswith(quote) and name != quote), None)
    if quote is None:
        raise BadRequest(
            f"No pair can be read from the symbol {symbol!r}.",
            why=f"It should end with one of {', '.join(QUOTES)}.",
            todo="Write base and quote together, such as 'btcusdt'.",
        )
    return Pair(name.lower(), name.removesuffix(quote), quote, 0, 0)
