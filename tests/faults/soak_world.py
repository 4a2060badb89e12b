"""``python -m tests.faults.soak_world [CONNECTIONS] [SEED]``: worlds upon worlds, on all cores.

Each world is a venue in virtual time with a bad network; the first that ends with frames other
than the truth is printed with its kind and seed, and the exit code is 1.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from cdcx_pandas.dialects.exchange import DIALECT as EXCHANGE
from cdcx_pandas.dialects.v1 import DIALECT as V1
from tests.faults.world import Faults, World, problems

TODAY = EXCHANGE.knowing(
    {"symbol": ["btcusdt"], "venue_symbol": ["BTC_USDT"], "base": ["BTC"], "quote": ["USDT"],
     "kind": ["spot"]}
)  # fmt: skip
BAD = Faults(
    drop=0.01, twice=0.02, swap=0.02, damage=0.002, cut_every_s=15, half_open=0.001, refuse=0.3,
    mute=0.001, unanswered=0.1, lag_s=0.5,
)  # fmt: skip
SEEDS = (0, 1, 2, 3, 31)
BAD_S = 200.0

KINDS: dict[str, Callable[[int, Faults], World]] = {
    "exchange": lambda seed, faults: World(TODAY, seed, faults),
    "v1": lambda seed, faults: World(V1, seed, faults, page=200, whole_books=True),
    "v1, books as changes": lambda seed, faults: World(V1, seed, faults, page=200),
    "v1, numbers that jump": lambda seed, faults: World(V1, seed, faults, page=200, dense=False),
    "v1, a page too small": lambda seed, faults: World(V1, seed, faults, page=10, rate=4.0),
}


class Result(NamedTuple):
    """How a world ended."""

    problems: list[str]
    connections: int
    frames: int
    repaired: int
    lost: int


def explored(kind: str, seed: int, faults: Faults, seconds: float = BAD_S) -> Result:
    """Let a world run badly, then well, and compare."""
    world = KINDS[kind](seed, faults)
    world.begin()
    world.run(seconds)
    world.calm()
    gaps = world.watch.gaps
    return Result(problems(world), world.connected, world.frames, gaps.repaired, gaps.lost)


def tried(kind: str, seed: int) -> Result:
    """Try a world with everything that can go wrong."""
    return explored(kind, seed, BAD)


def _try(job: tuple[str, int]) -> tuple[str, int, Result]:
    return (*job, explored(*job, BAD, seconds=1800.0))


def main(connections: int = 100_000, seed: int | None = None) -> int:
    """Try worlds until there were so many connections."""
    begin = int(time.time()) if seed is None else seed
    print(f"worlds from seed {begin}, until there were {connections:,} connections")
    jobs = ((kind, begin + n) for n in range(10**9) for kind in KINDS)
    made = frames = repaired = lost = worlds = 0
    began = time.monotonic()
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for kind, number, result in pool.imap_unordered(_try, jobs):
            if result.problems:
                print(f"{kind!r}, seed {number}: {result.problems}")
                return 1
            worlds, made, frames = worlds + 1, made + result.connections, frames + result.frames
            repaired, lost = repaired + result.repaired, lost + result.lost
            if made >= connections:
                break
        pool.terminate()
    seconds = time.monotonic() - began
    print(
        f"{worlds:,} worlds, {made:,} connections, {frames:,} frames in {seconds:.0f} s:"
        f" 0 lost in silence, 0 doubled, 0 invented;"
        f" {repaired:,} gaps repaired, {lost:,} declared lost"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
