"""``python -m tests.faults.fuzz [FRAMES] [SEED]``: damaged frames, and what they are read as.

Sound frames of both dialects are changed (see `mutations`) and given to `decode_frame`, which may
raise nothing but `CdcxError`, and to a live stream's engines, which may raise nothing at all;
their frames must still be readable. Everything comes from the seed: the same arguments do the
same again, whatever the machine.
"""

from __future__ import annotations

import random
import secrets
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from cdcx_pandas.dialects.base import Dialect
from cdcx_pandas.engines.reconnect import Ending, Policy
from cdcx_pandas.engines.stream import ClientStream
from cdcx_pandas.engines.tracks.track import Now
from cdcx_pandas.engines.watch import MARKET, USER, Plan, Watch
from cdcx_pandas.errors import CdcxError
from tests.faults import mutations
from tests.faults.corpus import BEGIN, DIALECTS, WATCHED, texts

FRAMES = 1_000_000
SHARD = 25_000
FRESH = 4_000
"""After so many frames everything begins anew."""
REOPENED = 8
"""So many refused frames end a connection; one would, but then little else were tried."""
LOOK = 250
"""After so many frames the tables are read."""
BOMBS = 1 / 1500
MOST_RISE = 32 << 20
SLOWEST_S = 0.250
_STATM = Path("/proc/self/statm")
Frame = str | bytes


@dataclass
class Told:
    """What became of some frames.

    Attributes
    ----------
    frames, unreadable
        How many there were, and how many were refused.
    slowest_s, slowest_by
        The most time of the processor one frame took, both readings together; its mutations.
    rise
        By how many bytes the process grew after its first frames.
    used
        Mutation → how often.
    failure
        What must not have happened, in words; empty where nothing did.
    """

    frames: int = 0
    unreadable: int = 0
    slowest_s: float = 0.0
    slowest_by: str = ""
    rise: int = 0
    used: Counter[str] = field(default_factory=Counter)
    failure: str = ""

    def add(self, other: Told) -> None:
        """Add what became of others."""
        self.frames += other.frames
        self.unreadable += other.unreadable
        if other.slowest_s > self.slowest_s:
            self.slowest_s, self.slowest_by = other.slowest_s, other.slowest_by
        self.rise = max(self.rise, other.rise)
        self.used += other.used
        self.failure = self.failure or other.failure

    @property
    def is_good(self) -> bool:
        """Whether all that is wanted held."""
        return not self.failure and self.rise < MOST_RISE and self.slowest_s < SLOWEST_S

    def summary(self) -> str:
        """Say it in one line."""
        return (
            f"{self.frames:,} frames, {self.unreadable:,} of them refused;"
            f" the slowest took {self.slowest_s * 1e3:.0f} ms ({self.slowest_by});"
            f" memory rose by {self.rise / 2**20:.1f} MB"
        )


# -------------------------------------------------------------------------------- mutations


def mutated(dice: random.Random, dialect: str) -> tuple[Frame, list[str]]:
    """Return a frame that was damaged, and how."""
    known = texts(dialect)
    text, other = dice.choice(known), dice.choice(known).encode()
    used: list[str] = []
    kind = dice.random()
    if kind < 0.6:
        text, used = mutations.mutate_json(dice, text)
    data = text.encode("utf-8", "surrogatepass")
    if 0.5 < kind < 0.9:
        for _ in range(dice.choice((1, 1, 2))):
            name = dice.choice(list(mutations.BYTES))
            data = mutations.BYTES[name](dice, data, other)
            used.append(name)
    if dice.random() < BOMBS:
        return mutations.bomb(dice, data), [*used, mutations.BOMB]
    if kind >= 0.9:
        name = dice.choice(list(mutations.GZIP))
        return mutations.GZIP[name](dice, data, other), [*used, name]
    if dialect == "v1" and dice.random() < 0.9:
        return mutations.packed(data), used
    if dialect == "v1" or dice.random() < 0.1:
        return data, used
    return data.decode("utf-8", "replace"), used


# ---------------------------------------------------------------------------------- engines


class Client:
    """A stream and what it fills, as a `Live` has them."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        words = MARKET + (USER if dialect.streams.user else ())
        self.watch = Watch(Plan(WATCHED[dialect.name], False, "1min", words, 0, 300), dialect)
        self.now = Now(100.0, BEGIN)
        self.ends = 0
        self.stream = self._opened()

    def _opened(self) -> ClientStream:
        policy = Policy(most_attempts=10**9, most_damaged=10**9)
        stream = ClientStream(self.dialect, policy=policy, rng=random.Random(0))
        stream.want(self.watch.channels, self.now.monotonic)
        stream.opened(self.now.monotonic, self.now.ns // 10**6)
        stream.tick(self.now.monotonic + 2)
        return stream

    def take(self, frame: Frame) -> None:
        """Take a frame as a connection's thread does."""
        self.now = Now(self.now.monotonic + 0.01, self.now.ns + 10_000_000)
        self.stream.receive(frame, self.now.monotonic)
        self.watch.take(self.stream.events(), self.now)
        self.stream.to_send()
        if self.stream.is_over is not None:
            self.ends += 1
            if self.ends % REOPENED:
                self.stream.is_over = None  # as a replay does; to begin anew takes longer
            else:
                self.end()
                self.stream = self._opened()

    def look(self) -> None:
        """Do what is due, and read everything."""
        watch, now = self.watch, self.now
        self.stream.tick(now.monotonic)
        watch.tick(now)
        for question in watch.questions(now):
            watch.failed(question, now)
        self.stream.resubscribe(watch.resubscribe(), now.monotonic)
        for frame in (watch.klines, watch.trades, watch.my_trades):
            if frame is not None:
                frame.frame()
                frame.view()
        for book in watch.books.values():
            book.shown()

    def end(self) -> None:
        """End the connection, as a server may."""
        self.stream.ended(self.stream.is_over or Ending("the end"), self.now.monotonic)
        self.watch.take(self.stream.events(), self.now)


# --------------------------------------------------------------------------------- fuzzing


def fuzz(dialect: str, seed: str, count: int, speaks: Dialect | None = None) -> Told:
    """Give damaged frames to a dialect and to the engines; stop at the first failure.

    Parameters
    ----------
    dialect, seed, count
        Whose frames, where chance comes from, how many.
    speaks
        What reads them; the dialect itself without. For a test of this test.
    """
    speaks = speaks or DIALECTS[dialect]
    dice, told, client = random.Random(f"{seed}/{dialect}"), Told(), Client(speaks)
    before, settled = 0, min(2000, count // 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # words that are new to this version are kept, with one
        for at in range(count):
            frame, used = mutated(dice, dialect)
            told.used.update(used)
            if at % FRESH == FRESH - 1:
                client.end()
                client = Client(speaks)
            began = time.thread_time()
            doing = "decode_frame"
            try:
                try:
                    speaks.decode_frame(frame)
                except CdcxError:
                    told.unreadable += 1
                doing = "ClientStream.receive and Watch.take"
                client.take(frame)
                took = time.thread_time() - began
                if at % LOOK == LOOK - 1:
                    doing = "reading what is there"
                    client.look()
            except Exception:  # noqa: BLE001  # whatever it is: that is what is looked for
                shown = frame if len(frame) < 4000 else frame[:4000]
                told.failure = (
                    f"{doing} of {dialect!r} raised, at frame {at} of seed {seed!r},"
                    f" mutated by {', '.join(used) or 'nothing'}:\n{shown!r}\n"
                    f"{traceback.format_exc()}"
                )
                return told
            told.frames += 1
            if took > told.slowest_s:
                told.slowest_s, told.slowest_by = took, ", ".join(used) or "nothing"
            if at == settled:
                before = _memory()
            elif at > settled and at % 500 == 0:
                told.rise = max(told.rise, _memory() - before)
    return told


def _memory() -> int:
    """Return the bytes of this process that are in memory, where the system tells."""
    try:
        return int(_STATM.read_text("ascii").split()[1]) * 4096
    except OSError:
        return 0


def _shards(frames: int, seed: int) -> Iterator[tuple[str, str, int]]:
    """Yield parts of the work, of one seed each."""
    left, number = frames, 0
    while left > 0:
        for dialect in DIALECTS:
            count = min(SHARD, left)
            if count > 0:
                yield dialect, f"{seed}.{number}", count
            left -= count
        number += 1


def _fuzzed(shard: tuple[str, str, int]) -> Told:
    return fuzz(*shard)


def run(frames: int, seed: int, *, processes: int = 2) -> Told:
    """Give so many frames, on all processors; tell how it went."""
    whole, next_at = Told(), frames // 10
    with get_context("spawn").Pool(processes) as pool:
        for told in pool.imap_unordered(_fuzzed, _shards(frames, seed)):
            whole.add(told)
            if whole.failure:
                break
            if whole.frames >= next_at:
                print(f"fuzz: {whole.frames:,} of {frames:,}", flush=True)  # noqa: T201  # its output
                next_at += frames // 10
    return whole


def main(arguments: list[str]) -> int:
    """Fuzz, and say what came of it."""
    frames = int(arguments[0].replace(",", "").replace("_", "")) if arguments else FRAMES
    seed = int(arguments[1]) if len(arguments) > 1 else secrets.randbelow(10**6)
    print(f"fuzz: {frames:,} frames, seed {seed}", flush=True)  # noqa: T201  # its output
    told = run(frames, seed)
    print(f"fuzz: {told.summary()}")  # noqa: T201  # as above
    if told.failure:
        print(f"fuzz: FAILED, seed {seed}\n{told.failure}")  # noqa: T201  # as above
    elif not told.is_good:
        print(f"fuzz: FAILED, seed {seed}: too slow, or too much memory")  # noqa: T201  # as above
    return 0 if told.is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
