"""Two real days of Coinbase, second by second, asked back over the V1 wire as minutes."""

from __future__ import annotations

import csv
import io
import zipfile
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

import cdcx_pandas as cdcx
from cdcx_pandas import launch
from tests.conftest import session_of

DAYS = ("20161007", "20161008")
FIELDS = ("open", "high", "low", "close", "volume")


def bars_of(folder: Path) -> list[tuple[pd.Timestamp, list[str]]]:
    """Read the recorded bars: ms since midnight, then the five numbers as text."""
    bars = []
    for day in DAYS:
        with zipfile.ZipFile(folder / f"{day}_trade.zip") as packed:
            (name,) = packed.namelist()
            for ms, *numbers in csv.reader(io.StringIO(packed.read(name).decode())):
                time = pd.Timestamp(day, tz="UTC") + pd.Timedelta(int(ms), "ms")
                bars.append((time, numbers))
    return bars


@pytest.mark.evidence
def test_seconds_replayed_are_the_exchanges_own_minutes(evidence: Path, tmp_path: Path) -> None:
    """Every minute bar, every field, equals the recorded one exactly; holes stay holes."""
    seconds = bars_of(evidence / "market" / "coinbase-second")
    minutes = bars_of(evidence / "market" / "coinbase-minute")
    assert (len(seconds), len(minutes)) == (7516, 2819)
    file = tmp_path / "btcusd.csv"
    lines = [f"{time.isoformat()},{','.join(numbers)}" for time, numbers in seconds]
    file.write_text("\n".join([f"time,{','.join(FIELDS)}", *lines]) + "\n")
    running = launch.start(("--replay", str(file), "--symbol", "btcusd"))
    try:
        session = session_of(running)
        df = cdcx.klines(
            "btcusd", "1min", start="2016-10-07", end="2016-10-09", exact=True, session=session
        )
    finally:
        running.stop()
    assert df.index.tolist() == [time for time, _ in minutes]
    for at, field in enumerate(FIELDS):
        recorded = [Decimal(numbers[at]) for _, numbers in minutes]
        assert df[field].tolist() == recorded, field
    assert df["closed"].all()
