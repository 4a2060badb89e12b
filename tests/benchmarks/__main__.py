"""``python -m tests.benchmarks [NAME ...]``: run the benchmarks and print their tables."""

from __future__ import annotations

import platform
import sys

import pandas as pd

from tests.benchmarks import decoding, importing, limiting, paging, serving, streaming, viewing

ALL = {
    "decoding": decoding.run,
    "importing": importing.run,
    "serving": serving.run,
    "limiting": limiting.run,
    "paging": paging.run,
    "streaming": streaming.run,
    "viewing": viewing.run,
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, all without names."""
    print(f"Python {platform.python_version()}, pandas {pd.__version__}, {platform.machine()}\n")
    print("| what | measured | target | met |\n|---|---|---|---|")
    for name in names or list(ALL):
        for row in ALL[name]():
            print(row.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
