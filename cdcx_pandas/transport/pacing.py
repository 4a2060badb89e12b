"""Waiting for one's turn, in one budget for all processes of a person.

The arithmetic is in `engines.limits`; here are the clock, the sleep, and the file that the
processes share. Keys stand in it as fingerprints only.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
import struct
import tempfile
import threading
import warnings
import weakref
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from cdcx_pandas.engines.limits import (
    FURTHEST_S,
    Pace,
    Told,
    banned,
    published,
    reserve,
    throttled,
    told_by,
)
from cdcx_pandas.errors import CdcxWarning, RateLimited
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

_CLOSE_S = 0.001
"""The last part of a wait, slept by itself: long sleeps end later than short ones."""

_LONGEST_S = FURTHEST_S / 2
"""Nobody waits longer, whatever the deadline; slots further ahead would be taken for damage."""

_FORBIDDEN, _IM_A_TEAPOT, _TOO_MANY = 403, 418, 429


class Store(Protocol):
    """Where paces are kept."""

    def update(self, key: str, change: Callable[[Pace], Pace]) -> Pace:
        """Replace the pace of `key` by what `change` makes of it, undisturbed; return that.

        `change` may be called again with another pace when keeping its first result failed.
        """


class MemoryStore:
    """Paces of one process."""

    def __init__(self) -> None:
        self._paces: dict[str, Pace] = {}
        self._lock = threading.Lock()
        _forkable.add(self)

    def update(self, key: str, change: Callable[[Pace], Pace]) -> Pace:
        """Change a pace under a lock."""
        with self._lock:
            pace = self._paces[key] = change(self._paces.get(key, Pace()))
            return pace

    def after_fork(self) -> None:
        """Begin anew in a child, where nobody is left to open the parent's lock."""
        self._lock = threading.Lock()


_RECORD = struct.Struct("<16sdddddddddQQ")  # key, eight times of a Pace in order, two counts
_HEAD = b"cdcx_pandas 2\0\0\0"
"""How the file begins; another beginning is another layout, or no file of ours."""

_PLACES, _TRIED = 256, 16
"""Records are hashed to so many places, and stand there or in one of the next few."""


class SharedStore:
    """Paces of all processes of a person: fixed records in a locked file.

    A file that is damaged or foreign is begun anew, and one that was removed is made again; a
    process that is killed leaves no lock behind, since the kernel frees it; a forked child
    opens the file itself. Where the file cannot be had, paces are kept in this process, and
    a warning says so once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1
        self._own: MemoryStore | None = None
        self._lock = threading.Lock()
        _forkable.add(self)

    def update(self, key: str, change: Callable[[Pace], Pace]) -> Pace:
        """Change a pace under a lock that holds across threads and processes."""
        if self._own is not None:
            return self._own.update(key, change)
        digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
        try:
            with self._lock:
                return self._changed(digest, change)
        except OSError as problem:
            self._own = MemoryStore()
            _warn_alone(problem)
        return self._own.update(key, change)

    def _changed(self, digest: bytes, change: Callable[[Pace], Pace]) -> Pace:
        try:  # locked inside: Ctrl-C right behind the lock must free it too
            self._take()
            at, pace = self._find(digest)
            changed = change(pace)
            if changed is not pace:
                os.pwrite(self._file, _packed(digest, changed), at)
            return changed
        finally:
            if self._file >= 0:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _take(self) -> None:
        """Lock the file, opened before where it was not, or where somebody removed it."""
        while True:
            fresh = self._file < 0
            if fresh:
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                self._file = os.open(self.path, flags, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            if os.fstat(self._file).st_nlink:
                break
            os.close(self._file)
            self._file = -1
        if fresh and os.pread(self._file, len(_HEAD), 0) != _HEAD:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, _HEAD, 0)

    def _find(self, digest: bytes) -> tuple[int, Pace]:
        """Return where a key's record is or may be written, and what stands there.

        A key without a record takes the first place that is empty, else the one whose slots
        have been over for the longest: sandboxes come and go, each at an address of its own.
        """
        first = len(_HEAD) + int.from_bytes(digest[:4], "little") % _PLACES * _RECORD.size
        read = os.pread(self._file, _TRIED * _RECORD.size, first)
        idle: list[tuple[float, int]] = []
        for offset in range(0, _TRIED * _RECORD.size, _RECORD.size):
            record = read[offset : offset + _RECORD.size]
            if len(record) < _RECORD.size or record[:16] == bytes(16):
                return first + offset, Pace()
            if record[:16] == digest:
                return first + offset, _unpacked(record)
            pace = _unpacked(record)
            until = max(pace.next_free, pace.open_until)
            idle.append((until if math.isfinite(until) else -math.inf, offset))
        return first + min(idle)[1], Pace()

    def after_fork(self) -> None:
        """Begin anew in a child: neither the lock nor the open file may be its parent's.

        Closing does not unlock what the parent holds; keeping it open would keep the lock
        of a parent that is killed.
        """
        self._lock = threading.Lock()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


_forkable: weakref.WeakSet[MemoryStore | SharedStore] = weakref.WeakSet()


def _after_fork() -> None:
    for store in list(_forkable):
        store.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _warn_alone(problem: object) -> None:
    warnings.warn(
        f"The venue's limits are kept to by this process alone: {problem}."
        " Other notebooks of yours do not know what it asks.",
        CdcxWarning,
        stacklevel=2,
    )


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
    problem: object = "this system has no file locks that can be used"
    if SHARES:
        try:
            return SharedStore(runtime_folder() / "pace")
        except OSError as refused:
            problem = refused
    _warn_alone(problem)
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
            The longest wait; five minutes at most.

        Raises
        ------
        RateLimited
            It would take longer, or the venue has shut us out for a while.
        """
        limit = self._limits[bucket]
        key = self._key(bucket, scope)
        ends = self._clock.monotonic() + min(deadline_s, _LONGEST_S)
        while True:
            slot = self._reserve(key, limit, ends)
            self._sleep_until(slot)
            if self._clock.monotonic() <= slot + LATE_S:
                return

    def _sleep_until(self, slot: float) -> None:
        far_s = slot - self._clock.monotonic() - _CLOSE_S
        if far_s > 0:
            self._clock.sleep(far_s)
        self._clock.sleep(slot - self._clock.monotonic())

    def _update(self, key: str, change: Callable[[Pace, float], Pace]) -> tuple[Pace, float]:
        """Change a pace by what the time is once it is ours; what is not sound begins anew."""
        at = 0.0

        def changed(pace: Pace) -> Pace:
            nonlocal at
            at = self._clock.monotonic()
            return change(pace if pace.is_sound(at) else Pace(), at)

        return self._store.update(key, changed), at

    def _reserve(self, key: str, limit: Limit, ends: float) -> float:
        taken: float | None = None

        def take(pace: Pace, now: float) -> Pace:
            nonlocal taken
            taken = None
            if pace.next_free > ends or now > ends + LATE_S or pace.open_until > now:
                return pace
            taken, pace = reserve(pace, limit, now)
            return pace

        pace, now = self._update(key, take)
        if taken is not None:
            return taken
        wait_s = pace.waits_s(now)
        if pace.open_until > now:
            why = "The venue refused several times, so nothing is sent for a while."
        elif pace.factor > 1:
            why = "The venue refused lately, so questions go out later and slower for a while."
        else:
            why = f"The venue allows {published(limit)}, and more is waiting already."
        raise RateLimited(
            f"Not asked: the next turn of {limit.bucket} is in {wait_s:.3g} s.",
            why=why,
            todo="Wait, or ask less often; use live() instead of polling.",
            retry_after=wait_s,
            sent="no",
        )

    def told(self, bucket: str, scope: str, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer; the names of its headers are in lower case."""
        told = told_by(headers, self._clock.now_ns() / 1e9)
        if told != Told():
            self._told[bucket] = told
        # A firewall shuts out with a page for people; the venue's own 403 is about one key.
        page = headers.get("content-type", "").startswith("text/html")
        refused = {_TOO_MANY: throttled, _IM_A_TEAPOT: banned} | (
            {_FORBIDDEN: banned} if page else {}
        )
        if status in refused:
            self._update(
                self._key(bucket, scope),
                lambda pace, now: refused[status](pace, now, told.retry_after_s),
            )

    def rows(self) -> Columns:
        """Return where every bucket stands: the columns of `limits`."""
        columns: Columns = {
            name: []
            for name in (
                "bucket", "published", "used", "wait_s", "refused", "remaining_told", "reset_told",
            )
        }  # fmt: skip
        for bucket, limit in self._limits.items():
            scope = self._scopes.get(bucket, "")
            pace, now = self._update(self._key(bucket, scope), lambda pace, _: pace)
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
