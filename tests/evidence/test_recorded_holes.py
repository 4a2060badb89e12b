"""Recorded trades: inside a page no match is missing, and lost ones are found by their ids."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cdcx_pandas.engines.backward import with_gaps

pytestmark = pytest.mark.evidence


def pages(evidence: Path) -> list[list[dict[str, Any]]]:
    """Return the recorded pages, newest first as they came; ids and times stay integers."""
    text = (evidence / "exchange" / "recorded" / "get_trades_no_duplicates.json").read_text()
    (calls,) = json.loads(text).values()
    return [call["response"] for (call,) in calls.values()]


def columns_of(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return rows in order, as a dialect tells them."""
    rows = sorted(rows, key=lambda row: (row["tn"], int(row["d"])))
    return {
        "time": [row["tn"] for row in rows],
        "id": [row["d"] for row in rows],
        "match_id": [row["m"] for row in rows],
    }


def test_no_page_has_a_hole(evidence: Path) -> None:
    """22 pages of 150: matches step by 0 or 1."""
    recorded = pages(evidence)
    assert [len(page) for page in recorded] == [150] * 22
    for page in recorded:
        assert with_gaps(columns_of(page), [])[1] == 0


def test_what_the_recorder_lost_between_its_pages_is_found(evidence: Path) -> None:
    """It rounded the end of each next page down to a second, and lost ten stretches so."""
    columns = columns_of([row for page in pages(evidence) for row in page])
    matches = list(map(int, columns["match_id"]))
    lost = [b - a - 1 for a, b in pairwise(matches) if b - a > 1]
    assert sorted(lost) == [1, 1, 1, 1, 2, 2, 3, 4, 6, 8]
    told, gaps = with_gaps(columns, [])
    assert gaps == len(lost) == 10
    assert len(told["id"]) == 3300 + 10
    assert told["id"].count(None) == 10
