"""Reading the recorded files of today's exchange."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from cdcx_pandas import operations as op
from cdcx_pandas.dialects.exchange import DIALECT, Exchange
from cdcx_pandas.messages import HttpResponse

MS = 10**6


def loaded(evidence: Path, name: str) -> Any:
    """Return what a recorded file holds, parsed by the standard library."""
    return json.loads((evidence / "exchange" / name).read_text(encoding="utf-8"))


def recorded(evidence: Path, name: str) -> Iterator[tuple[dict[str, str], list[dict[str, Any]]]]:
    """Yield the calls of a recorder's file: their parameters, and the rows that came."""
    (by_query,) = loaded(evidence, f"recorded/{name}.json").values()
    for query, calls in by_query.items():
        pairs = (pair.split("=") for pair in query.split(",") if "=" in pair)
        for call in calls:
            yield dict(pairs), call["response"]


def response_of(result: Any, *, status: int = 200, **more: Any) -> HttpResponse:
    """Return an answer around a result, as the exchange puts it."""
    body = {"id": 1, "method": "any", "code": 0, "result": result} | more
    return HttpResponse(status, json.dumps(body).encode())


def rows_of(rows: list[Any], **more: Any) -> HttpResponse:
    """Return an answer around rows."""
    return response_of({"data": rows} | more)


@cache
def knowing(evidence: Path, *more: str) -> Exchange:
    """Return the dialect that knows the 930 recorded instruments, and more."""
    ((_, rows),) = recorded(evidence, "get_pairs")
    others = [{"symbol": name, "inst_type": "CCY_PAIR"} for name in more]
    symbols = DIALECT.decode_response(op.GetSymbols(), rows_of(rows + others))
    return DIALECT.knowing(symbols.columns)


def number(value: Any) -> Decimal | None:
    """Read a number by nothing but the standard library."""
    return None if value is None else Decimal(value)
