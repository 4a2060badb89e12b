"""What ``import cdcx_pandas`` costs over importing pandas and requests."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from tests.benchmarks.row import Row

ROUNDS = 15
_TAKE = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
_BASE = "import pandas, requests; "


def _least(code: str) -> float:
    """Return the least time, with bytecode in place, as any second import has it."""
    settings = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    with tempfile.TemporaryDirectory() as folder:
        settings["PYTHONPYCACHEPREFIX"] = folder
        subprocess.run(command, env=settings, check=True, capture_output=True)
        return min(
            float(subprocess.run(command, env=settings, check=True, capture_output=True).stdout)
            for _ in range(ROUNDS)
        )


def run() -> Iterator[Row]:
    """Take the import alone, and with the first use of `klines` and `use`."""
    bare = _least(_BASE + _TAKE.format("cdcx_pandas"))
    used = _least(
        _BASE
        + _TAKE.format("cdcx_pandas; cdcx_pandas.klines; cdcx_pandas.use; cdcx_pandas.account")
    )
    yield Row("import cdcx_pandas, over pandas and requests", f"{bare * 1e3:.1f} ms", "≤ 40 ms",
              bare <= 0.040)  # fmt: skip
    yield Row("the same with its functions loaded", f"{used * 1e3:.1f} ms", "≤ 40 ms",
              used <= 0.040)  # fmt: skip
