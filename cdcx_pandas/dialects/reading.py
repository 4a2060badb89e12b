"""Reading and writing JSON values the way exchanges really send them.

Readers are liberal: a number may be a JSON number, a text, in exponent form, or missing.
Writers say exactly one thing. This module knows JSON and the package's column kinds; which
key is which column is said by each dialect's ``wire`` module.
"""

from __future__ import annotations

import re
import reprlib
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Context, Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from cdcx_pandas.errors import ProtocolError, SchemaDriftWarning
from cdcx_pandas.tables import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cdcx_pandas.tables import Columns

Number = float | Decimal | None
Reader = Callable[[Any, bool], Any]
"""Value on the wire, exact → value of the column."""

_FAST = msgspec.json.Decoder()
_EXACT = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\Z", re.ASCII)
"""Digits can be matched in one way only: in two, a long text that is no number took seconds."""
_MOST = 10**60
"""No price, amount or id is that large; what is, would overflow later, out of sight."""
_DIGITS = 60
"""As `_MOST`, of ids."""
_END_OF_TIME = 2**63
WIDE = Context(prec=80)
"""Exact for products and sums of money, whatever precision the caller's own context has."""
_EXCERPT = 200
_ECHOED = re.compile(r"(?i)(api_?key|sign(?:ature)?)(\W{0,3}[=:]\W{0,3})[\w-]{6,}")
"""Key and signature, as a server may echo them in a page about an error."""


def excerpt(body: bytes | str) -> str:
    """Return the beginning of foreign text, safe to show: printable, 200 characters, no keys."""
    text = body[: 8 * _EXCERPT].decode("utf-8", "replace") if isinstance(body, bytes) else body
    masked = _ECHOED.sub(r"\1\2***", text[: 2 * _EXCERPT])
    clean = masked[:_EXCERPT]
    if not clean.isprintable():
        clean = "".join(c if c.isprintable() else " " for c in clean)
    return clean + ("…" if len(masked) > _EXCERPT or len(text) > 2 * _EXCERPT else "")


def shown(value: object) -> str:
    """Return the beginning of a parsed value, safe to show however deep or long it is."""
    try:
        return excerpt(reprlib.repr(value))
    except (ValueError, RecursionError):  # a number of more digits than Python writes
        return f"a {type(value).__name__} that cannot be shown"


_REPORT = "Ask again; if it stays, the venue changed its wire: please report it with this text."


UNREADABLE = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError)
"""What reading of JSON that is not of the awaited form raises."""


def told(error: BaseException) -> str:
    """Say in words what was wrong with the form."""
    match error:
        case KeyError(args=(key,)):
            return f"{key!r} is missing"
        case AttributeError() | TypeError():
            return "something in it is of another kind than awaited"
        case _:
            return str(error)


def read_json(body: bytes | str, *, exact: bool) -> Any:
    """Parse JSON; with `exact`, fractions become `Decimal` from their text.

    Raises
    ------
    ProtocolError
        Not JSON, not UTF-8, NaN or Infinity, or nested deeper than the parser's cap.
    """
    problem = ""
    try:
        return (_EXACT if exact else _FAST).decode(body)
    except (msgspec.DecodeError, UnicodeError) as error:
        problem = str(error)
    except RecursionError:
        problem = "it is nested too deeply"
    raise ProtocolError(
        "The answer is not JSON that can be read.",
        why=f"{problem}; it begins: {excerpt(body)!r}" if body else "It is empty.",
        todo=_REPORT,
        excerpt=excerpt(body),
    )


def write_json(value: object) -> bytes:
    """Write JSON; a `Decimal` becomes a number with all its digits."""
    return _ENCODER.encode(value)


# ---------------------------------------------------------------- readers: (value, exact) → value


def number(value: Any, exact: bool) -> Number:
    """Read a number: JSON number or text, exponent form allowed; None and "" are missing."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        if not _NUMBER.match(value):
            raise ValueError(f"{excerpt(value)!r} is no number")
    elif isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ValueError(f"{shown(value)} is no number")
    elif exact and isinstance(value, float):
        value = repr(value)  # the shortest text that means it, not its binary expansion
    try:
        read = Decimal(value) if exact else float(value)
    except OverflowError:
        read = float("inf")
    if not -_MOST < read < _MOST:
        raise ValueError(f"{shown(value)} is too large to be meant")
    return read


def whole(value: Any, exact: bool = True) -> int | None:
    """Read a whole number; None and "" are missing."""
    read = number(value, exact=True)
    if read is None:
        return None
    if read != int(read):
        raise ValueError(f"{shown(value)} is no whole number")
    return int(read)


def time(value: Any, exact: bool = True) -> int | None:
    """Read an instant as ns; seconds, ms, µs and ns are told apart by their size."""
    stamp = whole(value)
    if stamp is None or stamp == 0:
        return None
    unit = (
        NS_PER_S if stamp < 10**11
        else NS_PER_MS if stamp < 10**14
        else 1000 if stamp < 10**17
        else 1
    )  # fmt: skip
    if not 0 < stamp * unit < _END_OF_TIME:
        raise ValueError(f"{shown(value)} is no time")
    return stamp * unit


def text(value: Any, exact: bool = True) -> str | None:
    """Read a text or an id; whole numbers become their digits, None and "" are missing."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{shown(value)} is no text")
    return str(value)


def counted(value: Any, exact: bool = True) -> str | None:
    """Read an id that is a number: such are compared, and a jump of them is a hole."""
    read = text(value)
    if read is not None and not is_count(read):
        raise ValueError(f"{excerpt(read)!r} is no id that can be counted by")
    return read


def is_count(text: str) -> bool:
    """Tell whether a text is digits only, and no more of them than can be meant."""
    return text.isdecimal() and text.isascii() and len(text) <= _DIGITS


def upper(value: Any, exact: bool = True) -> str | None:
    """Read a coin: upper case everywhere."""
    read = text(value)
    return None if read is None else read.upper()


def lower(value: Any, exact: bool = True) -> str | None:
    """Read a symbol: lower case everywhere."""
    read = text(value)
    return None if read is None else read.lower()


def word(field: str, words: Mapping[str, str], other: str | None) -> Reader:
    """Return a reader for one of few words; an unknown one becomes `other`, with a warning."""
    kept = "nothing there" if other is None else repr(other)

    def read(value: Any, exact: bool = True) -> str | None:
        if value is None or value == "":
            return None
        if isinstance(value, (dict, list, bool)):
            raise ValueError(f"{shown(value)} is no word")
        known = words.get(str(value).lower())
        if known is not None:
            return known
        warnings.warn(
            f"{field} {excerpt(str(value))!r} is unknown to this version; the row is kept"
            f" and says {kept}.",
            SchemaDriftWarning,
            stacklevel=2,
        )
        return other

    return read


def required(reader: Reader) -> Reader:
    """Return a reader for what a row cannot be without."""

    def read(value: Any, exact: bool = True) -> Any:
        found = reader(value, exact)
        if found is None:
            raise ValueError("what a row cannot be without is missing")
        return found

    return read


def listed(value: Any) -> list[Any]:
    """Read a list; null and "" are how some servers say that there is none."""
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        raise ValueError(f"{shown(value)} is no list")
    return value


# ------------------------------------------------------------------------ rows ↔ columns


def columns_of(
    rows: Iterable[Any], fields: Mapping[str, tuple[Sequence[str], Reader]], *, exact: bool
) -> Columns:
    """Turn rows of JSON objects into columns.

    Parameters
    ----------
    rows
        JSON objects; unknown keys are ignored, missing ones become None.
    fields
        Column → (its keys on the wire, the first present one counts; reader).
    exact
        Numbers as `Decimal`.

    Raises
    ------
    ProtocolError
        A row is no object, or a value is not what its column holds.
    """
    rows = list(rows)
    columns: Columns = {}
    keys: Sequence[str] = ()
    try:
        for column, (keys, reader) in fields.items():
            if len(keys) == 1:
                key = keys[0]
                columns[column] = [reader(row.get(key), exact) for row in rows]
            else:
                columns[column] = [reader(first(row, keys), exact) for row in rows]
    except UNREADABLE as error:
        problem = f"{' or '.join(keys)}: {told(error)}"
    else:
        return columns
    raise unreadable(problem, rows)


def are_meant(columns: Columns, *names: str) -> bool:
    """Tell whether there are only numbers such as `number` takes.

    One that is none, or too large, makes the sum so.
    """
    total = 0.0
    for name in names:
        total += sum(columns[name])
    return -_MOST < total < _MOST


def first(row: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """Return the value of the first of `keys` that `row` has and that is not null."""
    for key in keys:
        value = row.get(key)
        if value is not None:
            return value
    return None


def as_floats(columns: Columns) -> Columns:
    """Return the columns with floats for decimals; whole numbers stay whole."""
    return {
        name: [float(value) if isinstance(value, Decimal) else value for value in values]
        for name, values in columns.items()
    }


def ascending(columns: Columns, by: str) -> Columns:
    """Return the columns sorted by one of them; nothing is copied when they already are."""
    return _sorted(columns, columns[by])


def by_time_and_id(columns: Columns) -> Columns:
    """Sort trades by time, those of equal time by id as a number."""
    keys = [
        (stamp or 0, int(id_) if id_ and id_.isdecimal() else 0)
        for stamp, id_ in zip(columns["time"], columns["id"], strict=True)
    ]
    return _sorted(columns, keys)


def _sorted(columns: Columns, keys: list[Any]) -> Columns:
    if keys == sorted(keys):
        return columns
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return {name: [values[i] for i in order] for name, values in columns.items()}


def unreadable(problem: str, seen: object) -> ProtocolError:
    """Return the error for an answer that is JSON and still cannot be read."""
    sample = shown(seen)
    return ProtocolError(
        "The answer is JSON but not what this question is answered with.",
        why=f"{problem}; seen: {sample}",
        todo=_REPORT,
        excerpt=sample,
    )


# --------------------------------------------------------------------------------- writers


def plain(value: Decimal | float | None, decimals: int | None = None) -> str | None:
    """Write a number as text without exponent; with `decimals`, exactly so many, cut down."""
    if value is None:
        return None
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if decimals is not None:
        exact = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_DOWN, WIDE)
    return format(exact, "f")


def json_number(value: Decimal | float | None, decimals: int | None = None) -> msgspec.Raw | None:
    """Write a number as a JSON number without exponent."""
    written = plain(value, decimals)
    return None if written is None else msgspec.Raw(written.encode())


def seconds(ns: int | None) -> int | None:
    """Write an instant as whole seconds, cut down."""
    return None if ns is None else ns // NS_PER_S


def millis(ns: int | None) -> int | None:
    """Write an instant as whole milliseconds, cut down."""
    return None if ns is None else ns // NS_PER_MS


def date(ns: int) -> str:
    """Write the day of an instant, in UTC."""
    return f"{datetime.fromtimestamp(ns // NS_PER_S, UTC):%Y-%m-%d}"


def rows_of(columns: Columns) -> list[dict[str, Any]]:
    """Turn columns into rows, for writing."""
    names = list(columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]
