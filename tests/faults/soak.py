"""Thousands of reconnects on both wires, held against the truth, and how fast a stream recovers.

Run by ``make soak``, or ``python -m tests.faults.soak --reconnects 10000``. First one fault at a
time, with the timings a user has: how long until it is noticed, and until there is data again.
Then storms, with short timings, each followed by a reckoning. It ends with 1 if anything was
lost, doubled or invented.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from cdcx_pandas import launch
from tests.conftest import session_of
from tests.faults.ledger import Findings, LiveLike, Truth, judge_in_time, ns_of
from tests.faults.scenarios import CONNECTION, SYMBOLS, WIRES
from tests.faults.subject import is_real, open_live
from tests.sandbox.chaos_world import Chaotic

OPTIONS = (
    "--no-limits", "--push-every", "0.05", "--speed", "40", "--at", "2024-03-01T12:00",
    "--ping-every", "2", "--heartbeat-every", "2",
)  # fmt: skip
PAST = pd.Timestamp("2025-01-01", tz="UTC").value
"""The sandbox's time is before it, the machine's after: so times tell whose they are."""
ROUND_S = 20.0
RATES = {
    "mute": 0.002, "twice": 0.01, "swap": 0.01, "delay": 0.005, "garble": 0.002, "crossed": 0.002,
    "refuse": 0.05, "pings_only": 0.003,
}  # fmt: skip
OFTEN_S = {"drop": 0.08, "cut_inside": 0.12, "close": 0.4, "half_open": 10.0}
SELDOM_S = {"drop": 2.0, "cut_inside": 3.0, "close": 5.0, "half_open": 10.0}
"""Every third round connections last, so that more happens to what is told on them."""
KINDS = ("drop", "cut_inside", "close", "half_open", "restart")
GIVEN_UP_S = 60.0


@dataclass
class Tally:
    """What came of all rounds on one wire."""

    reconnects: int = 0
    rows: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    declared: int = 0
    true: int = 0
    vain_s: float = 0.0
    run_s: float = 0.0
    examples: list[str] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)

    def add(self, found: dict[str, Findings]) -> None:
        """Add what was found after a round."""
        for symbol, one in found.items():
            self.rows += one.rows
            self.declared += one.declared
            self.true += one.true
            self.vain_s += one.vain_s
            self.run_s += one.run_s
            for name, wrong in one.problems.items():
                self.wrong[name] += wrong[0] if isinstance(wrong, list) else 1
                self.examples.append(f"{symbol} {name} {wrong}")


@dataclass
class Place:
    """A sandbox, what is on trial there, and their common truth."""

    wire: str
    running: launch.Running
    sandbox: Chaotic
    truth: Truth
    live: LiveLike

    def real_s(self, times: Any) -> list[float]:
        """Return times of the sandbox or of the machine as the machine's seconds."""
        run = self.running
        return [
            (run.since_ns + (at - run.at_ns) / run.speed if at < PAST else at) / 1e9
            for at in ns_of(times)
        ]


@contextmanager
def place(wire: str, seed: int, *, short: bool) -> Iterator[Place]:
    """Start a sandbox, and open what is on trial."""
    with ExitStack() as stack:
        running = launch.start((*OPTIONS, "--seed", str(seed)))
        stack.callback(running.stop)
        truth = Truth(running)
        stack.callback(truth.close)
        session = stack.enter_context(session_of(running, wire))
        live = open_live(SYMBOLS, session, short=short)
        stack.callback(live.stop)
        live.wait(20)
        yield Place(wire, running, Chaotic(running), truth, live)


# -------------------------------------------------------------------------- one at a time


def measure(place: Place, kinds: Sequence[str], times: int) -> dict[str, dict[str, list[float]]]:
    """Return, for each kind of fault, how long it took to be noticed, and to have data again."""
    found: dict[str, dict[str, list[float]]] = {}
    for kind in kinds:
        noticed, again = [], []
        for _ in range(times):
            until_live(place)
            began, back = befall(place, kind)
            noticed.append(first_event(place, began, live=False) - began)
            first_event(place, max(began + noticed[-1], back), live=True)
            again.append(first_data(place, back if back > began else began + noticed[-1]))
        found[kind] = {"noticed": noticed, "data again": again}
    return found


def befall(place: Place, kind: str) -> tuple[float, float]:
    """Let one fault happen; return when it did, and when the server was back."""
    known = place.sandbox.state()["happened"].get(kind, 0)
    if kind == "restart":
        place.sandbox.restart(2.0)
    else:
        fault: dict[str, Any] = {kind: 1012 if kind == "close" else True}
        place.sandbox.fail(WIRES[place.wire].trades[0], **fault)
    until = time.monotonic() + GIVEN_UP_S
    while time.monotonic() < until:
        state = place.sandbox.state()
        if state["happened"].get(kind, 0) > known:
            at = {name: at_ns / 1e9 for name, at_ns, _ in state["diary"]}  # the last one of each
            return at[kind], at["back"] if kind == "restart" else 0.0
        time.sleep(0.02)
    raise AssertionError(f"{kind} did not happen")


def until_live(place: Place) -> None:
    """Wait until the stream has been fine for a second."""
    until = time.monotonic() + GIVEN_UP_S
    good = time.monotonic()
    while time.monotonic() < until and time.monotonic() - good < 1.0:
        if str(place.live.health["state"]).lower() != "live":
            good = time.monotonic()
        time.sleep(0.05)


def first_event(place: Place, after_s: float, *, live: bool) -> float:
    """Return when the stream said first that it is live, or that it is not."""
    until = time.monotonic() + GIVEN_UP_S
    while time.monotonic() < until:
        events = place.live.events.reset_index()
        states = (str(state).lower() == "live" for state in events["state"])
        for at, is_live in zip(place.real_s(events["time"]), states, strict=True):
            if at >= after_s - 0.001 and is_live is live:  # events are told in whole ms
                return at
        time.sleep(0.02)
    return float("nan")


def first_data(place: Place, after_s: float) -> float:
    """Return how long after that the first trade was received."""
    until = time.monotonic() + GIVEN_UP_S
    while time.monotonic() < until:
        later = [at for at in place.real_s(place.live.trades["received"]) if at >= after_s]
        if later:
            return min(later) - after_s
        time.sleep(0.02)
    return float("nan")


# --------------------------------------------------------------------------------- storms


class Watch:
    """What this process takes, looked at every second; for the storms' slope."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self.rss: list[float] = []
        self.threads: list[int] = []

    def look(self) -> None:
        """Look once."""
        statm = Path("/proc/self/statm")
        pages = int(statm.read_text().split()[1]) if statm.exists() else 0
        self.at.append(time.monotonic())
        self.rss.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
        self.threads.append(threading.active_count())

    def slope(self) -> float:
        """Return MB an hour: the median of the slopes of all pairs, without the first tenth."""
        points = list(zip(self.at, self.rss, strict=True))[len(self.at) // 10 :]
        points = points[:: max(len(points) // 200, 1)]
        slopes = [
            (b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.combinations(points, 2)
        ]  # fmt: skip
        return statistics.median(slopes) * 3600 if slopes else 0.0


def storm(place: Place, reconnects: int, seed: int, watch: Watch) -> Tally:
    """Let it storm until there were so many reconnects, and reckon after each round."""
    tally = Tally()
    first = int(place.live.health["reconnects"])
    since = place.truth.last_ids(SYMBOLS)
    for number in itertools.count():
        if tally.reconnects >= reconnects:
            break
        every_s = SELDOM_S if number % 3 == 2 else OFTEN_S
        place.sandbox.chaos(seed=seed + number, for_s=ROUND_S, rates=RATES, every_s=every_s)
        until = time.monotonic() + ROUND_S
        while time.monotonic() < until:
            if int(place.live.health["reconnects"]) - first >= reconnects:
                break
            watch.look()
            time.sleep(1)
        place.sandbox.peace()
        next_since = place.truth.last_ids(SYMBOLS)
        found = judge_in_time(
            place.live, place.truth, place.wire, SYMBOLS, since, timeout_s=20
        )  # fmt: skip
        tally.add(found)
        since = next_since  # what is after it is judged again, with the next round
        tally.happened = Counter(place.sandbox.state()["happened"])
        tally.reconnects = int(place.live.health["reconnects"]) - first
        said = tally.examples[-1:] or ["all is true"]
        print(f"  {place.wire} seed {seed + number}: {tally.reconnects} reconnects, {said[0]}")
    return tally


# --------------------------------------------------------------------------------- telling


def percentiles(values: list[float]) -> str:
    """Return median, p95 and p99 of some seconds."""
    known = sorted(value for value in values if value == value)  # noqa: PLR0124  # not NaN
    if not known:
        return "never"
    at = (known[min(int(len(known) * part), len(known) - 1)] for part in (0.5, 0.95, 0.99))
    lost = f"  ({len(values) - len(known)} never)" if len(known) < len(values) else ""
    return "  ".join(f"{value:7.3f}" for value in at) + lost


def report(wire: str, tally: Tally, watch: Watch) -> None:
    """Print what the storms came to."""
    vain = tally.vain_s / tally.run_s if tally.run_s else 0.0
    rows: list[tuple[str, Any]] = [
        ("reconnects", tally.reconnects), ("rows", tally.rows), ("lost", tally.wrong["lost"]),
        ("doubled", tally.wrong["doubled"]), ("invented", tally.wrong["invented"]),
        ("out of order", tally.wrong["disordered"]), ("wrong bars", tally.wrong["bars"]),
        ("wrong books", tally.wrong["book"]), ("wrong tickers", tally.wrong["ticker"]),
        ("declared gaps", tally.declared), ("true gaps", tally.true),
        ("declared in vain", f"{vain:.3%} of time"),
        ("RSS", f"{watch.rss[-1] if watch.rss else 0:.0f} MB, {watch.slope():+.1f} MB/h"),
        ("threads", f"{min(watch.threads, default=0)} to {max(watch.threads, default=0)}"),
        ("what happened", ", ".join(f"{k} {n}" for k, n in sorted(tally.happened.items()))),
    ]  # fmt: skip
    print(f"\n{wire}")
    for name, value in rows:
        print(f"  {name:18}{value}")
    for example in tally.examples[:10]:
        print(f"  ! {example}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run; return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--reconnects", type=int, default=10_000, help="of each wire")
    parser.add_argument("--times", type=int, default=10, help="of each fault that is measured")
    parser.add_argument("--wire", choices=tuple(WIRES), help="only this one")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    wires = [options.wire] if options.wire else list(WIRES)
    print(f"on trial: {'cdcx_pandas.live' if is_real() else 'the naive stand-in'}")
    is_right = True
    for wire in wires:
        if options.times:
            with place(wire, options.seed, short=False) as calm:
                times = measure(calm, KINDS, options.times)
            print(f"\n{wire}: seconds, median, p95, p99 of {options.times}")
            for kind, found in times.items():
                for what, values in found.items():
                    print(f"  {kind:12}{what:12}{percentiles(values)}")
        if options.reconnects:
            watch = Watch()
            with place(wire, options.seed, short=True) as wild:
                tally = storm(wild, options.reconnects, options.seed, watch)
            report(wire, tally, watch)
            is_right = is_right and not tally.wrong
    return 0 if is_right else 1


assert set(KINDS) == CONNECTION

if __name__ == "__main__":
    sys.exit(main())
