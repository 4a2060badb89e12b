"""Waiting for one's turn: in a thread, in threads, in processes."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest

from cdcx_pandas.dialects.base import Limit
from cdcx_pandas.engines.limits import JITTER_S, Pace
from cdcx_pandas.errors import RateLimited
from cdcx_pandas.transport.clock import SystemClock
from cdcx_pandas.transport.pacing import MemoryStore, Pacer, SharedStore, runtime_folder

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
    until = time.monotonic() + 2.5
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
    assert len(sent) > 10
