"""Waiting for one's turn, in one budget for all processes of a person.

The arithmetic is in `engines.limits`; here are the clock, the sleep, and the file that the
processes share. Keys stand in it as fingerprints only.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import tempfile
import threading
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from cdcx_pandas.engines.limits import (
    Pace,
    Told,
    banned,
    published,
    reserve,
    throttled,
    told_by,
)
from cdcx_pandas.errors import RateLimited
from cdcx_pandas.transport.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cdcx_pandas.dialects.base import Limit
    from cdcx_pandas.tables import Columns
    from cdcx_pandas.transport.clock import Clock

try:
    import fcntl

    SHARES = True
except ImportError:  # Windows: each process keeps its own budget there
    SHARES = False

LATE_S = 0.010
"""A process that wakes up so late takes a new slot: lateness is jitter to the server."""

_IM_A_TEAPOT, _TOO_MANY = 418, 429
_STALE_S = 1000.0
"""Nothing we write reaches further ahead; what does is damaged, or older than a reboot."""


class Store(Protocol):
    """Where paces are kept."""

    def update(self, key: str, change: Callable[[Pace], Pace]) -> Pace:
        """Replace the pace of `key` by what `change` makes of it, undisturbed; return that."""


class MemoryStore:
    """Paces of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paces: dict[str, Pace] = {}

    def update(self, key: str, change: Callable[[Pace], Pace]) -> Pace:
        """Change a pace under a lock."""
        with self._lock:
            pace = self._paces[key] = change(self._paces.get(key, Pace()))
            return pace


_RECORD = struct.Struct("<16sdddddddddQQ")  # key, eight times of a Pace in order, two counts
_SLOTS = 256


class SharedStore:
    """Paces of all processes of a person: fixed records in a locked file.

    A file that is damaged or foreign is begun anew; a process that is killed leaves no lock
    behind, since the kernel frees it; a forked child opens the file itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._pid = 0
        self._file = -1

    def update(self, key: str, change: Callable[[Pace], Pace]) -> Pace:
        """Change a pace under a lock that holds across threads and processes."""
        digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
        with self._lock:
            file = self._opened()
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                at, pace = self._find(file, digest)
                pace = change(pace)
                os.pwrite(file, _packed(digest, pace), at)
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)
        return pace

    def _opened(self) -> int:
        if self._pid != os.getpid():  # a fork shares the parent's lock: open it anew
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
            self._file = os.open(self.path, flags, 0o600)
            self._pid = os.getpid()
        return self._file

    @staticmethod
    def _find(file: int, digest: bytes) -> tuple[int, Pace]:
        """Return where a key's record is or may be written, and what stands there."""
        first = int.from_bytes(digest[:4], "little") % _SLOTS
        for step in range(_SLOTS):
            at = (first + step) % _SLOTS * _RECORD.size
            record = os.pread(file, _RECORD.size, at)
            if len(record) < _RECORD.size or record[:16] == bytes(16):
                return at, Pace()
            if record[:16] == digest:
                return at, _unpacked(record)
        return first * _RECORD.size, Pace()


def _packed(digest: bytes, pace: Pace) -> bytes:
    next_free, factor, clean, refusals, until, length, refused, start, used = astuple(pace)
    return _RECORD.pack(
        digest, next_free, factor, clean, *refusals, until, length, start, refused, used
    )


def _unpacked(record: bytes) -> Pace:
    _, next_free, factor, clean, a, b, c, until, length, start, refused, used = _RECORD.unpack(
        record
    )
    return Pace(next_free, factor, clean, (a, b, c), until, length, refused, start, used)


def runtime_folder() -> Path:
    """Return a folder that is this person's alone and lasts as long as the machine is up."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and Path(base).is_dir():
        folder = Path(base) / "cdcx_pandas"
    else:
        who = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
        folder = Path(tempfile.gettempdir()) / f"cdcx_pandas-{who}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if os.name == "posix" and (
        not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077
    ):
        raise PermissionError(f"{folder} is not this person's alone")
    return folder


def shared_store() -> Store:
    """Return the store of this person; one of this process where no file can be shared."""
    if not SHARES:
        return MemoryStore()
    try:
        return SharedStore(runtime_folder() / "pace")
    except OSError:
        return MemoryStore()


class Pacer:
    """Holds questions back until it is their turn.

    Parameters
    ----------
    limits
        The venue's published limits.
    host
        Whose limits they are: questions to different hosts do not wait for each other.
    clock
        Tells and waits.
    store
        Where paces are kept.
    """

    def __init__(
        self, limits: Sequence[Limit], host: str, clock: Clock, store: Store | None = None
    ) -> None:
        self._limits = {limit.bucket: limit for limit in limits}
        self._host = host
        self._clock = clock
        self._store = store or MemoryStore()
        self._scopes: dict[str, str] = {}
        self._told: dict[str, Told] = {}

    @classmethod
    def shared(cls, limits: Sequence[Limit], host: str, clock: Clock | None = None) -> Self:
        """Return a pacer in the budget that all processes of this person share."""
        return cls(limits, host, clock or SystemClock(), shared_store())

    def wait(self, bucket: str, scope: str, deadline_s: float) -> None:
        """Wait for the next slot of a bucket.

        Parameters
        ----------
        bucket
            What is counted together.
        scope
            The key's fingerprint, "" where the address is counted.
        deadline_s
            The longest wait.

        Raises
        ------
        RateLimited
            It would take longer, or the venue has shut us out for a while.
        """
        limit = self._limits[bucket]
        key = self._key(bucket, scope)
        ends = self._clock.monotonic() + deadline_s
        while True:
            slot = self._reserve(key, limit, ends)
            self._clock.sleep(slot - self._clock.monotonic())
            if self._clock.monotonic() <= slot + LATE_S:
                return

    def _reserve(self, key: str, limit: Limit, ends: float) -> float:
        now = self._clock.monotonic()
        taken = [0.0]

        def take(pace: Pace) -> Pace:
            if not pace.waits_s(now) <= _STALE_S:  # not a number counts too
                pace = Pace()
            if max(pace.next_free, pace.open_until) > ends or pace.open_until > now:
                taken[0] = -1.0
                return pace
            taken[0], pace = reserve(pace, limit, now)
            return pace

        pace = self._store.update(key, take)
        if taken[0] >= 0:
            return taken[0]
        wait_s = pace.waits_s(now)
        shut_out = pace.open_until > now
        raise RateLimited(
            f"Not asked: the next turn of {limit.bucket} is in {wait_s:.0f} s.",
            why="The venue refused several times, so nothing is sent for a while."
            if shut_out
            else f"The venue allows {published(limit)}, and more is waiting already.",
            todo="Wait, or ask less often; use live() instead of polling.",
            retry_after=wait_s,
            sent="no",
        )

    def told(self, bucket: str, scope: str, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer."""
        told = told_by(headers)
        if told != Told():
            self._told[bucket] = told
        if status not in {_TOO_MANY, _IM_A_TEAPOT}:
            return
        now = self._clock.monotonic()

        def change(pace: Pace) -> Pace:
            if status == _IM_A_TEAPOT:
                return banned(pace, now)
            return throttled(pace, now, told.retry_after_s)

        self._store.update(self._key(bucket, scope), change)

    def rows(self) -> Columns:
        """Return where every bucket stands: the columns of `limits`."""
        now = self._clock.monotonic()
        columns: Columns = {
            name: []
            for name in (
                "bucket", "published", "used", "wait_s", "refused", "remaining_told", "reset_told",
            )
        }  # fmt: skip
        for bucket, limit in self._limits.items():
            scope = self._scopes.get(bucket, "")
            pace = self._store.update(self._key(bucket, scope), lambda pace: pace)
            counted = pace.window_start <= now < pace.window_start + limit.window_s
            told = self._told.get(bucket, Told())
            row = (
                bucket, published(limit), pace.used if counted else 0, pace.waits_s(now),
                pace.refused, told.remaining, told.reset_s,
            )  # fmt: skip
            for values, value in zip(columns.values(), row, strict=True):
                values.append(value)
        return columns

    def _key(self, bucket: str, scope: str) -> str:
        if scope:
            self._scopes[bucket] = scope
        return f"{self._host} {bucket} {scope}"
