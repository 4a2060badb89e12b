"""Reading the recorded V1 files, and comparing JSON the way wires are compared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from cdcx_pandas.messages import HttpResponse


def text_of(folder: Path, name: str) -> str:
    """Return a recorded file."""
    return (folder / "v1" / f"{name}.json").read_text(encoding="utf-8")


def response_of(folder: Path, name: str, status: int = 200) -> HttpResponse:
    """Return a recorded answer as it came."""
    return HttpResponse(status, text_of(folder, name).encode())


def parsed(text: str | bytes) -> Any:
    """Parse JSON by the standard library, with every number exact."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def differences(
    recorded: Any,
    written: Any,
    unmodelled: Mapping[str, AbstractSet[str]] | None = None,
    where: str = "",
) -> list[str]:
    """Tell where two JSON values differ; numbers, also in texts, compare as decimals.

    `unmodelled` names keys to leave out, by the path of the object they stand in (without
    positions in lists: ``.data.resultList``).
    """
    skip = (unmodelled or {}).get(re.sub(r"\[\d+\]", "", where), frozenset())
    if isinstance(recorded, dict) and isinstance(written, dict):
        found = []
        for key in (recorded.keys() | written.keys()) - skip:
            if key not in recorded or key not in written:
                found.append(f"{where}.{key}: only {'recorded' if key in recorded else 'written'}")
            else:
                found += differences(recorded[key], written[key], unmodelled, f"{where}.{key}")
        return found
    if isinstance(recorded, list) and isinstance(written, list):
        if len(recorded) != len(written):
            return [f"{where}: {len(recorded)} recorded, {len(written)} written"]
        pairs = zip(recorded, written, strict=True)
        return [
            line
            for at, (a, b) in enumerate(pairs)
            for line in differences(a, b, unmodelled, f"{where}[{at}]")
        ]
    same_kind = isinstance(recorded, str) == isinstance(written, str)
    if same_kind and _number(recorded) is not None and _number(recorded) == _number(written):
        return []
    return [] if recorded == written and same_kind else [f"{where}: {recorded!r} ≠ {written!r}"]


def _number(value: Any) -> Decimal | None:
    try:
        return Decimal(value) if isinstance(value, (str, Decimal)) else None
    except InvalidOperation:
        return None
