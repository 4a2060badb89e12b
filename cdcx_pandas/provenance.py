"""Where a frame comes from: what stands in ``df.attrs["cdcx"]``.

JSON scalars only, times as ISO text, so that attrs survive being written to a file.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from cdcx_pandas.errors import BadRequest
from cdcx_pandas.frames.schema import ATTRS_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_STRETCHES = 20
"""Coverage names so many stretches at most; beyond, it is their number."""


def iso(ns: int | None) -> str | None:
    """Return an instant as ISO text, UTC."""
    return None if ns is None else pd.Timestamp(ns, tz="UTC").isoformat()


def scalar(value: Any) -> Any:
    """Return a fact as a JSON scalar: exact numbers become their text."""
    return format(value, "f") if isinstance(value, Decimal) else value


def provenance(
    *,
    venue: str,
    simulated: bool,
    fetched_ns: int,
    coverage: str | tuple[int | None, int | None] | None = None,
    **facts: Any,
) -> dict[str, Any]:
    """Return the entry for ``df.attrs["cdcx"]``.

    Parameters
    ----------
    venue, simulated, fetched_ns
        Where and when.
    coverage
        The range ``[start, end)`` that is whole, or a word such as ``"newest page"``.
    facts
        What else was told: symbol, period, totals.
    """
    if isinstance(coverage, tuple):
        stretch: Any = [[iso(bound) for bound in coverage]]
    else:
        stretch = coverage
    return {
        "venue": venue,
        "simulated": simulated,
        "fetched": iso(fetched_ns),
        **{name: scalar(value) for name, value in facts.items()},
        "coverage": stretch,
    }


def concat(frames: Iterable[pd.DataFrame] | Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Join frames one below the other and keep saying where they come from.

    ``pandas.concat`` keeps `attrs` only when they are all equal; here what the frames agree
    on stays, what they differ in becomes a list, and one simulated frame makes the whole
    simulated.

    Parameters
    ----------
    frames
        Frames of one kind, or a mapping whose keys become an index level ``symbol``.

    Returns
    -------
    pandas.DataFrame
        Rows as in ``pandas.concat``.

    Raises
    ------
    BadRequest
        There is nothing to join.

    Examples
    --------
    >>> import pandas as pd
    >>> a = pd.DataFrame({"x": [1]})
    >>> a.attrs["cdcx"] = {"venue": "sandbox", "simulated": True}
    >>> concat([a, a]).attrs["cdcx"]
    {'venue': 'sandbox', 'simulated': True}
    """
    named = hasattr(frames, "keys")
    parts = list(frames.values() if named else frames)  # type: ignore[union-attr]  # told by keys
    if not parts:
        raise BadRequest("There are no frames to join.")
    joined: pd.DataFrame = (
        pd.concat(parts, keys=list(frames), names=["symbol"]) if named else pd.concat(parts)
    )
    joined.attrs = {}
    told = [part.attrs.get(ATTRS_KEY) for part in parts]
    if all(isinstance(entry, dict) for entry in told):
        joined.attrs[ATTRS_KEY] = _merged([entry for entry in told if entry])
    return joined


def _merged(entries: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name in dict.fromkeys(name for entry in entries for name in entry):
        values = [entry[name] for entry in entries if name in entry]
        if name == "simulated":
            merged[name] = any(values)
        elif name == "coverage":
            merged[name] = _stretches(values)
        else:
            distinct = list(dict.fromkeys(map(str, values)))
            merged[name] = values[0] if len(distinct) == 1 else distinct
    return merged


def _stretches(values: list[Any]) -> Any:
    if all(isinstance(value, list) for value in values):
        stretches = [stretch for value in values for stretch in value]
        return stretches if len(stretches) <= MAX_STRETCHES else len(stretches)
    distinct = list(dict.fromkeys(map(str, values)))
    return values[0] if len(distinct) == 1 else distinct
