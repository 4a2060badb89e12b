"""Waiting for one's turn: in a thread, in threads, in processes."""

from __future__ import annotations

import fcntl
import math
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest

from cdcx_pandas.dialects.base import Limit
from cdcx_pandas.engines.limits import JITTER_S, Pace
from cdcx_pandas.errors import CdcxWarning, RateLimited
from cdcx_pandas.transport.clock import SystemClock
from cdcx_pandas.transport.pacing import (
    MemoryStore,
    Pacer,
    SharedStore,
    runtime_folder,
    shared_store,
)

ORDERS = Limit("orders", 5, 0.1, "key")
MARKET = Limit("market", 100, 1.0, "address")


class ManualClock:
    """Time that moves when it is waited for."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.oversleeps = 0.0

    def now_ns(self) -> int:
        """Return the same time as nanoseconds."""
        return int(self.at * 1e9)

    def monotonic(self) -> float:
        """Return the time."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.at += max(seconds, 0) + self.oversleeps
        self.oversleeps = 0.0


def test_sends_are_spaced() -> None:
    """Each send waits for its slot; the first goes at once."""
    clock = ManualClock()
    pacer = Pacer((ORDERS,), "host", clock)
    sent = []
    for _ in range(6):
        pacer.wait("orders", "key", 5.0)
        sent.append(round(clock.at - 1000, 6))
    assert sent == [0.0, 0.024, 0.048, 0.072, 0.096, 0.12]


def test_a_process_that_wakes_up_late_takes_a_new_slot() -> None:
    """Lateness is jitter to the server: a slot that was slept through is given up."""
    clock = ManualClock()
    pacer = Pacer((ORDERS,), "host", clock)
    pacer.wait("orders", "key", 5.0)
    clock.oversleeps = 0.05
    pacer.wait("orders", "key", 5.0)
    first_late = clock.at
    pacer.wait("orders", "key", 5.0)
    assert clock.at - first_late == pytest.approx(0.024)


def test_keys_and_hosts_do_not_wait_for_each_other() -> None:
    """A budget belongs to a host, a bucket and a key."""
    clock, store = ManualClock(), MemoryStore()
    for host, scope in (("a", "k1"), ("a", "k2"), ("b", "k1")):
        Pacer((ORDERS,), host, clock, store).wait("orders", scope, 5.0)
    assert clock.at == 1000.0


def test_a_wait_beyond_the_deadline_is_refused_and_told() -> None:
    """Too many wait already: the error says how long, and that nothing was sent."""
    clock = ManualClock()
    pacer = Pacer((Limit("slow", 1, 10.0, "key"),), "host", clock)
    pacer.wait("slow", "key", 5.0)
    with pytest.raises(RateLimited) as caught:
        pacer.wait("slow", "key", 5.0)
    assert caught.value.sent == "no"
    assert caught.value.retry_after == pytest.approx(10.02)
    assert str(caught.value) == (
        "Not asked: the next turn of slow is in 10 s.\n"
        "The venue allows 1 per 10 s per key, and more is waiting already.\n"
        "Wait, or ask less often; use live() instead of polling."
    )


def test_a_ban_stops_everything() -> None:
    """After HTTP 418 nothing is sent for a minute."""
    clock = ManualClock()
    pacer = Pacer((MARKET,), "host", clock)
    pacer.told("market", "", 418, {})
    with pytest.raises(RateLimited, match="refused several times"):
        pacer.wait("market", "", 5.0)
    clock.at += 61
    pacer.wait("market", "", 5.0)


def test_a_firewalls_page_stops_everything_and_a_keys_refusal_does_not() -> None:
    """HTTP 403 with a page for people is a ban; the venue's own 403 is about one key."""
    clock = ManualClock()
    pacer = Pacer((ORDERS,), "host", clock)
    pacer.told("orders", "key", 403, {"content-type": "application/json"})
    pacer.wait("orders", "key", 5.0)
    pacer.told("orders", "key", 403, {"content-type": "text/html; charset=utf-8"})
    with pytest.raises(RateLimited, match="refused several times"):
        pacer.wait("orders", "key", 5.0)


def test_a_told_wait_that_is_too_long_says_who_asked_for_it() -> None:
    """After a refusal the error does not blame the person's own questions."""
    clock = ManualClock()
    pacer = Pacer((ORDERS,), "host", clock)
    pacer.told("orders", "key", 429, {"retry-after": "60"})
    with pytest.raises(RateLimited, match="The venue refused lately") as caught:
        pacer.wait("orders", "key", 5.0)
    assert caught.value.retry_after == pytest.approx(60.0)


def test_a_date_to_come_back_at_is_waited_for() -> None:
    """`Retry-After` as a date is read on the venue's wall time."""
    clock = ManualClock()
    pacer = Pacer((ORDERS,), "host", clock)
    pacer.told("orders", "key", 429, {"retry-after": formatdate(clock.at + 3, usegmt=True)})
    pacer.wait("orders", "key", 5.0)
    assert clock.at == pytest.approx(1003.0)


def test_no_deadline_means_now_or_never() -> None:
    """With a deadline of nothing a free slot is taken, and another one is not waited for."""
    clock = ManualClock()
    pacer = Pacer((ORDERS,), "host", clock)
    pacer.wait("orders", "key", 0.0)
    with pytest.raises(RateLimited, match=r"is in 0\.024 s"):
        pacer.wait("orders", "key", 0.0)
    assert clock.at == 1000.0


def test_ctrl_c_ends_a_wait_and_harms_nobody() -> None:
    """The slot is lost and the next question gets the one behind it."""

    class Impatient(ManualClock):
        """Somebody presses Ctrl-C in the second wait."""

        def sleep(self, seconds: float) -> None:
            """Be interrupted."""
            raise KeyboardInterrupt

    store = MemoryStore()
    Pacer((ORDERS,), "host", ManualClock(), store).wait("orders", "key", 5.0)
    with pytest.raises(KeyboardInterrupt):
        Pacer((ORDERS,), "host", Impatient(), store).wait("orders", "key", 5.0)
    clock = ManualClock()
    Pacer((ORDERS,), "host", clock, store).wait("orders", "key", 5.0)
    assert clock.at == pytest.approx(1000.048)


def test_rows_tell_what_was_used_and_told() -> None:
    """The columns of `limits`: our counts, and what headers said."""
    clock = ManualClock()
    pacer = Pacer((MARKET, ORDERS), "host", clock)
    for _ in range(3):
        pacer.wait("market", "", 5.0)
    pacer.told("market", "", 200, {"x-ratelimit-remaining": "97", "x-ratelimit-reset": "0.4"})
    pacer.told("orders", "key", 429, {"retry-after": "2"})
    rows = pacer.rows()
    assert rows["bucket"] == ["market", "orders"]
    assert rows["used"] == [3, 0]
    assert rows["refused"] == [0, 1]
    assert rows["remaining_told"] == [97, None]
    assert rows["reset_told"] == [0.4, None]
    assert rows["wait_s"][1] == pytest.approx(2.0)


# ------------------------------------------------------------------------- the shared file


def test_paces_survive_in_the_file(tmp_path: Path) -> None:
    """Another store on the same file goes on where the first one stopped."""
    pace = Pace(1.5, 2.0, 3.5, (4.0, 5.0, 6.0), 7.0, 8.0, 9, 10.5, 11)
    SharedStore(tmp_path / "pace").update("key", lambda _: pace)
    found = SharedStore(tmp_path / "pace").update("key", lambda pace: pace)
    assert found == pace
    assert SharedStore(tmp_path / "pace").update("other", lambda pace: pace) == Pace()
    assert (tmp_path / "pace").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"hello", os.urandom(100_000), b"\xff" * 50_000])
def test_a_damaged_file_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    """A foreign, truncated or random file never stops or delays anybody."""
    (tmp_path / "pace").write_bytes(content)
    clock = ManualClock()
    pacer = Pacer((MARKET,), "host", clock, SharedStore(tmp_path / "pace"))
    for _ in range(3):
        pacer.wait("market", "", 5.0)
    assert clock.at == pytest.approx(1000 + 2 * 0.0102)
    assert (tmp_path / "pace").stat().st_size < 30_000


DAMAGED = [
    Pace(factor=math.nan, clean_since=math.nan),
    Pace(factor=-1.0),
    Pace(next_free=math.nan),
    Pace(open_until=math.inf),
    Pace(next_free=1000.0, window_start=999.99, used=2**64 - 1),
]


@pytest.mark.parametrize("pace", DAMAGED, ids=str)
def test_a_damaged_record_is_begun_anew(tmp_path: Path, pace: Pace) -> None:
    """Nonsense under one's own key neither stops, nor raises, nor lets questions through."""
    clock = ManualClock()
    store = SharedStore(tmp_path / "pace")
    store.update("host market ", lambda _: pace)
    pacer = Pacer((MARKET,), "host", clock, store)
    for _ in range(3):
        pacer.wait("market", "", 5.0)
    assert clock.at == pytest.approx(1000 + 2 * 0.0102)
    assert pacer.rows()["used"] == [3]


def test_addresses_that_come_and_go_leave_room(tmp_path: Path) -> None:
    """Sandboxes leave records behind: the file stays small, and live budgets stay in it."""
    store = SharedStore(tmp_path / "pace")
    live = Pace(next_free=5000.0, used=7)
    store.update("live", lambda _: live)
    for n in range(2000):
        pace = Pace(next_free=float(n))
        store.update(f"sandbox {n}", lambda _, pace=pace: pace)  # type: ignore[misc]  # a default
        assert store.update(f"sandbox {n}", lambda pace: pace).next_free == n
    assert store.update("live", lambda pace: pace) == live
    assert (tmp_path / "pace").stat().st_size < 30_000


def test_looking_leaves_no_record(tmp_path: Path) -> None:
    """`limits()` only reads."""
    store = SharedStore(tmp_path / "pace")
    Pacer((MARKET, ORDERS), "host", ManualClock(), store).rows()
    assert (tmp_path / "pace").stat().st_size < 100


def test_a_file_that_is_removed_is_made_again(tmp_path: Path) -> None:
    """Who had it open follows to the new one, so that the budget stays one."""
    first, second = SharedStore(tmp_path / "pace"), SharedStore(tmp_path / "pace")
    first.update("key", lambda _: Pace(used=1))
    (tmp_path / "pace").unlink()
    second.update("key", lambda pace: replace(pace, used=pace.used + 10))
    assert first.update("key", lambda pace: pace).used == 10


def test_without_a_file_the_process_goes_on_alone(tmp_path: Path) -> None:
    """A disk that cannot be written is told once, and the limits are kept in memory."""
    (tmp_path / "pace").mkdir()
    clock = ManualClock()
    pacer = Pacer((ORDERS,), "host", clock, SharedStore(tmp_path / "pace"))
    with pytest.warns(CdcxWarning, match="by this process alone"):
        pacer.wait("orders", "key", 5.0)
    pacer.wait("orders", "key", 5.0)
    assert clock.at == pytest.approx(1000.024)


def test_a_folder_of_somebody_else_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written into another person's folder; this process goes on alone."""
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert runtime_folder() == tmp_path / f"cdcx_pandas-{os.getuid()}"
    somebody = os.getuid() + 1
    (tmp_path / f"cdcx_pandas-{somebody}").mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: somebody)
    with pytest.warns(CdcxWarning, match="not this person's alone"):
        assert isinstance(shared_store(), MemoryStore)


def test_a_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is a link to somewhere else is refused."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "cdcx_pandas").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(PermissionError):
        runtime_folder()


def test_a_fork_in_the_middle_of_a_change_stops_nobody(tmp_path: Path) -> None:
    """The child has a lock and a file of its own, and waits for its parent's change."""
    store = SharedStore(tmp_path / "pace")
    children: list[int] = []

    def fork(pace: Pace) -> Pace:
        child = os.fork()
        if child == 0:
            signal.alarm(10)  # a child that waits for ever ends by this
            store.update("key", lambda pace: replace(pace, used=pace.used + 1))
            os._exit(0)
        children.append(child)
        return replace(pace, used=1)

    store.update("key", fork)
    assert os.waitpid(children[0], 0)[1] == 0
    assert store.update("key", lambda pace: pace).used == 2


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    """Not even when it had forked: the child does not keep its parent's file."""
    store = SharedStore(tmp_path / "pace")
    store.update("key", lambda _: Pace(used=1))
    told, tell = os.pipe()

    def die(_: Pace) -> Pace:
        if os.fork() == 0:
            signal.alarm(10)
            os.write(tell, str(os.getpid()).encode())
            signal.pause()
        os.kill(os.getpid(), signal.SIGSTOP)
        return Pace()

    holder = os.fork()
    if holder == 0:
        signal.alarm(10)
        store.update("key", die)
        os._exit(1)
    grandchild = int(os.read(told, 20))
    try:
        os.waitpid(holder, os.WUNTRACED)  # it holds the lock and stands still
        file = os.open(tmp_path / "pace", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(file)
        assert store.update("key", lambda pace: pace).used == 1
    finally:
        os.kill(grandchild, signal.SIGKILL)
        os.close(told)
        os.close(tell)


def test_ctrl_c_in_a_change_frees_the_lock(tmp_path: Path) -> None:
    """Other processes do not wait for somebody who was interrupted."""
    store = SharedStore(tmp_path / "pace")

    def interrupted(_: Pace) -> Pace:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.update("key", interrupted)
    with (tmp_path / "pace").open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_what_was_written_before_a_reboot_does_not_delay(tmp_path: Path) -> None:
    """The machine's monotonic time begins anew with it; slots of before are void."""
    clock = ManualClock()
    clock.at = 10.0
    store = SharedStore(tmp_path / "pace")
    pacer = Pacer((MARKET,), "host", clock, store)
    store.update("host market ", lambda _: Pace(next_free=500_000.0))
    pacer.wait("market", "", 5.0)
    assert clock.at == 10.0


def test_the_folder_is_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder others can write to is refused."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert runtime_folder() == tmp_path / "cdcx_pandas"
    (tmp_path / "cdcx_pandas").chmod(0o777)
    with pytest.raises(PermissionError):
        runtime_folder()


def test_a_forked_child_locks_by_itself(tmp_path: Path) -> None:
    """After a fork the two processes exclude each other."""
    store = SharedStore(tmp_path / "pace")
    store.update("key", lambda pace: pace)

    def count(pace: Pace) -> Pace:
        return Pace(used=pace.used + 1)

    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            for _ in range(500):
                store.update("key", count)
            os._exit(0)
        children.append(child)
    for _ in range(500):
        store.update("key", count)
    for child in children:
        os.waitpid(child, 0)
    assert store.update("key", lambda pace: pace).used == 1500


def _send(path: str, found: multiprocessing.Queue[list[float]], until: float) -> None:
    """Send as fast as allowed from four threads; the slots taken go back."""
    pacer = Pacer((ORDERS,), "host", SystemClock(), SharedStore(Path(path)))
    sent: list[float] = []

    def ask() -> None:
        while time.monotonic() < until:
            pacer.wait("orders", "key", 5.0)
            sent.append(time.monotonic())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.put(sent)


def test_two_processes_with_four_threads_each_keep_one_budget(tmp_path: Path) -> None:
    """Together they keep the limit, and use it."""
    context = multiprocessing.get_context("spawn")
    found: multiprocessing.Queue[list[float]] = context.Queue()
    until = time.monotonic() + 3.0
    asking = [
        context.Process(target=_send, args=(str(tmp_path / "pace"), found, until)) for _ in range(2)
    ]
    for process in asking:
        process.start()
    sent = sorted(at for _ in asking for at in found.get(timeout=30))
    for process in asking:
        process.join()
    # A slot may be taken up to 10 ms late; what is slept through longer is given up.
    least = ORDERS.window_s + JITTER_S - 0.012
    spans = [b - a for a, b in zip(sent, sent[ORDERS.count :], strict=False)]
    assert min(spans) >= least
    share = (len(sent) - 1) / (sent[-1] - sent[0]) / (ORDERS.count / ORDERS.window_s)
    print(f"{len(sent)} sends, {share:.0%} of the allowance")  # noqa: T201  # shown by -s
    assert share >= 0.5
