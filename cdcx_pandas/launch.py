"""Starts the sandbox's process, and finds the one that is running.

The sandbox is started by its command line and known by the one line it prints: nothing of it
is imported here. Its standard input is ours, so it ends when this process does, however that
happens.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from cdcx_pandas.credentials import Credentials
from cdcx_pandas.errors import SandboxError

START_S = 20.0
"""How long a start may take; it takes about one second."""


@dataclass(frozen=True)
class Address:
    """Where a dialect is spoken."""

    rest: str
    ws: str
    user_ws: str | None = None


@dataclass
class Running:
    """A sandbox that runs.

    Attributes
    ----------
    addresses
        Dialect → where it is spoken.
    credentials
        The key it brings.
    run
        Tells this run from others.
    at_ns, since_ns, speed
        Its time: `at_ns` when this machine's clock said `since_ns`, and `speed` as fast.
    control_url, control_token
        Where faults are ordered, for tests.
    """

    addresses: dict[str, Address]
    credentials: Credentials
    run: str
    at_ns: int
    since_ns: int
    speed: float
    control_url: str
    control_token: str = field(repr=False)
    process: subprocess.Popen[str] = field(repr=False)
    owner: int = field(default_factory=os.getpid, repr=False)

    @property
    def alive(self) -> bool:
        """Whether it still runs, and was started by this very process."""
        return self.owner == os.getpid() and self.process.poll() is None

    def cut(self) -> None:
        """Cut all its streams, as a broken wire would."""
        request = urllib.request.Request(  # noqa: S310  # our own server, over loopback
            f"{self.control_url}/cut",
            method="POST",
            headers={"X-Sandbox-Token": self.control_token},
        )
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=5):  # noqa: S310  # as above
            pass

    def stop(self) -> None:
        """End it; nothing happens when it has ended."""
        if self.owner != os.getpid():
            return  # a forked child leaves its parent's sandbox alone
        assert self.process.stdin is not None, "started with a pipe"
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.terminate()  # a forked child of ours may hold the pipe open
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


_running: dict[tuple[str, ...], Running] = {}
_lock = threading.Lock()


def _forget_the_lock() -> None:
    """In a forked child nobody is left who would release a lock that was held."""
    global _lock  # noqa: PLW0603  # the one lock there is
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_the_lock)


def serving(ws: str | None) -> Running | None:
    """Return the sandbox of this kernel that has this stream, None if there is none."""
    with _lock:
        for found in _running.values():
            if found.alive and any(address.ws == ws for address in found.addresses.values()):
                return found
    return None


def running(
    *,
    seed: int = 7,
    speed: float = 1.0,
    at_ns: int | None = None,
    replay: str | os.PathLike[str] | None = None,
    symbol: str | None = None,
    options: tuple[str, ...] = (),
) -> Running:
    """Return the sandbox with these options: the one that runs, or a new one.

    Raises
    ------
    SandboxError
        It did not start; the error quotes what it said.
    """
    arguments = ["--seed", str(seed), "--speed", repr(float(speed))]
    if at_ns is not None:
        arguments += ["--at", str(at_ns)]
    if replay is not None:
        arguments += ["--replay", str(Path(replay).resolve())]
    if symbol is not None:
        arguments += ["--symbol", symbol]
    key = (*arguments, *options)
    with _lock:
        found = _running.get(key)
        if found is None or not found.alive:
            found = _running[key] = start(key)
        return found


def start(arguments: tuple[str, ...]) -> Running:
    """Start a sandbox of its own with these command-line arguments."""
    command = [sys.executable, "-m", "cdcx_pandas.sandbox", "--json", *arguments]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(  # noqa: S603  # our own module, without a shell
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True,
            env=_environment(),
        )  # fmt: skip
        line = _first_line(process)
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if told is None:
            process.kill()
            process.communicate()  # waits, and closes the pipes
            raise _not_started(said)
    started = _read(told, process)
    atexit.register(started.stop)
    return started


def _environment() -> dict[str, str]:
    """Leave our keys out, and let the sandbox find this package where we did."""
    home = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    kept = {k: v for k, v in os.environ.items() if k not in {"CDCX_API_KEY", "CDCX_API_SECRET"}}
    return kept | {"PYTHONPATH": path}


def _first_line(process: subprocess.Popen[str]) -> str:
    """Read the sandbox's line, for as long as a start may take."""
    assert process.stdout is not None, "started with a pipe"
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(process.stdout.readline()), daemon=True)  # type: ignore[union-attr]  # as above
    reader.start()
    reader.join(START_S)
    return found[0] if found else ""


def _not_started(said: IO[str]) -> SandboxError:
    said.seek(0)
    lines = [line for line in said.read().splitlines() if line.strip()]
    lines = [line for line in lines if ": error: " in line] or lines  # without argparse's usage
    return SandboxError(
        "The sandbox did not start.",
        why="It said: " + " ".join(lines[-3:]) if lines else f"It said nothing in {START_S:g} s.",
        todo="cdcx-pandas sandbox, in a terminal, shows more.",
    )


def _read(told: dict[str, Any], process: subprocess.Popen[str]) -> Running:
    clock, control = told["clock"], told["control"]
    return Running(
        addresses={
            name: Address(
                there["rest"], there.get("ws") or there["market_ws"], there.get("user_ws")
            )
            for name, there in told.items()
            if isinstance(there, dict) and "rest" in there
        },
        credentials=Credentials(told["api_key"], told["api_secret"], source="sandbox"),
        run=told["run"],
        at_ns=clock["at"],
        since_ns=clock["since"],
        speed=clock["speed"],
        control_url=control["url"],
        control_token=control["token"],
        process=process,
    )
