"""The table of error codes is the exchange's own, whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdcx_pandas.dialects.exchange import codes
from tests.evidence.exchange_files import loaded

pytestmark = pytest.mark.evidence


def test_every_code_of_every_generation_is_known(evidence: Path) -> None:
    """Code, name and, where printed, the HTTP status."""
    table = loaded(evidence, "error-codes.json")
    known = {}
    for section in ("official", "seen_but_not_in_table", "legacy_v2_generation"):
        for row in table[section]:
            if row["code"] == 0:
                continue
            known[str(row["code"])] = row
            found = codes.TABLE[str(row["code"])]
            assert found.name == row["name"]
            if row.get("http"):
                assert found.status == row["http"]
            assert found.meaning
    assert set(codes.TABLE) - set(known) == {"40007"}  # of which only ccxt knows
