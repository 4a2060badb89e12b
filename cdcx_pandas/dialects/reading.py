"""Reading and writing JSON values the way exchanges really send them.

Readers are liberal: a number may be a JSON number, a text, in exponent form, or missing.
Writers say exactly one thing. This module knows JSON and the package's column kinds; which
key is which column is said by each dialect's ``wire`` module.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from decimal import Decimal
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
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\Z", re.ASCII)
_EXCERPT = 200


def excerpt(body: bytes | str) -> str:
    """Return the beginning of foreign text, made safe to show: printable, 200 characters."""
    text = body[: 4 * _EXCERPT].decode("utf-8", "replace") if isinstance(body, bytes) else body
    clean = "".join(c if c.isprintable() else " " for c in text[:_EXCERPT])
    return clean + ("…" if len(text) > _EXCERPT else "")


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
        return Decimal(value) if exact else float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ValueError(f"{excerpt(repr(value))} is no number")
    return Decimal(value) if exact else float(value)


def whole(value: Any, exact: bool = True) -> int | None:
    """Read a whole number; None and "" are missing."""
    read = number(value, exact=True)
    if read is None:
        return None
    if read != int(read):
        raise ValueError(f"{value!r} is no whole number")
    return int(read)


def time(value: Any, exact: bool = True) -> int | None:
    """Read an instant as ns; seconds, ms, µs and ns are told apart by their size."""
    stamp = whole(value)
    if stamp is None or stamp == 0:
        return None
    if stamp < 10**11:
        return stamp * NS_PER_S
    if stamp < 10**14:
        return stamp * NS_PER_MS
    return stamp * 1000 if stamp < 10**17 else stamp


def text(value: Any, exact: bool = True) -> str | None:
    """Read a text or an id; numbers become their digits, None and "" are missing."""
    if value is None or value == "":
        return None
    if isinstance(value, (dict, list, bool)):
        raise ValueError(f"{excerpt(repr(value))} is no text")
    return str(value)


def upper(value: Any, exact: bool = True) -> str | None:
    """Read a coin: upper case everywhere."""
    read = text(value)
    return None if read is None else read.upper()


def word(field: str, words: Mapping[str, str], other: str | None) -> Reader:
    """Return a reader for one of few words; an unknown one becomes `other`, with a warning."""

    def read(value: Any, exact: bool = True) -> str | None:
        if value is None or value == "":
            return None
        known = words.get(str(value).lower())
        if known is not None:
            return known
        warnings.warn(
            f"{field} {excerpt(str(value))!r} is unknown to this version; the row is kept"
            f" and says {other!r}.",
            SchemaDriftWarning,
            stacklevel=2,
        )
        return other

    return read


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
    try:
        for column, (keys, reader) in fields.items():
            if len(keys) == 1:
                key = keys[0]
                columns[column] = [reader(row.get(key), exact) for row in rows]
            else:
                columns[column] = [reader(first(row, keys), exact) for row in rows]
    except (ValueError, TypeError, AttributeError) as error:
        problem = str(error)
    else:
        return columns
    raise unreadable(problem, rows)


def first(row: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """Return the value of the first of `keys` that `row` has and that is not null."""
    for key in keys:
        value = row.get(key)
        if value is not None:
            return value
    return None


def unreadable(problem: str, shown: object) -> ProtocolError:
    """Return the error for an answer that is JSON and still cannot be read."""
    sample = excerpt(repr(shown))
    return ProtocolError(
        "The answer is JSON but not what this question is answered with.",
        why=f"{problem}; seen: {sample}",
        todo="If the venue changed its wire, please report it with this text.",
        excerpt=sample,
    )


# --------------------------------------------------------------------------------- writers


def plain(value: Decimal | float | None, decimals: int | None = None) -> str | None:
    """Write a number as text without exponent; with `decimals`, exactly so many, cut down."""
    if value is None:
        return None
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if decimals is not None:
        exact = exact.quantize(Decimal(1).scaleb(-decimals), rounding="ROUND_DOWN")
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


def rows_of(columns: Columns) -> list[dict[str, Any]]:
    """Turn columns into rows, for writing."""
    names = list(columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]
