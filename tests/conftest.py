"""What all tests share: the evidence folder, and a sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import requests

from cdcx_pandas import launch
from cdcx_pandas.session import Session
from cdcx_pandas.transport.clock import ScaledClock
from cdcx_pandas.venues import Venue

hypothesis.settings.register_profile("here", deadline=None)  # a slow moment is no failure
hypothesis.settings.load_profile("here")

ROOT = Path(__file__).resolve().parent.parent
EVIDENCE = ROOT.parent / "shared" / "evidence"


@pytest.fixture(scope="session")
def evidence() -> Path:
    """Return the folder of recorded data, which is not part of the repository."""
    if not EVIDENCE.is_dir():
        pytest.skip(f"recorded data is not here: {EVIDENCE.parent.name}/{EVIDENCE.name} is absent")
    return EVIDENCE


@pytest.fixture(autouse=True)
def _no_keys_of_yours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the person's own keys, settings and paces out of every test."""
    for name in ("CDCX_API_KEY", "CDCX_API_SECRET", "CDCX_VENUE", "CDCX_DATA"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    runtime = tmp_path / "runtime"
    home.mkdir()
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))


def session_of(running: launch.Running, dialect: str = "v1") -> Session:
    """Return a new session with a running sandbox."""
    address = running.addresses[dialect]
    venue = Venue("sandbox", dialect, address.rest, address.ws, address.user_ws, simulated=True)
    clock = ScaledClock(running.at_ns, running.since_ns, running.speed)
    return Session(venue, credentials=running.credentials, clock=clock)


@pytest.fixture(scope="session")
def running() -> Iterator[launch.Running]:
    """Return one sandbox for all tests that do not order faults of it."""
    process = launch.start(("--seed", "7"))
    yield process
    process.stop()


def as_default(session: Session) -> Session:
    """Make a session the default, as `use` would."""
    import cdcx_pandas.session as sessions

    session._before = sessions._default
    sessions._default = session
    return session


@pytest.fixture
def sandbox(running: launch.Running) -> Iterator[Session]:
    """Make a sandbox the default."""
    with as_default(session_of(running)) as session:
        yield session


@pytest.fixture
def today(running: launch.Running) -> Iterator[Session]:
    """Make the same sandbox the default, speaking today's API."""
    with as_default(session_of(running, "exchange")) as session:
        yield session


class Faulty:
    """A sandbox of one's own that can be told to fail."""

    def __init__(self, running: launch.Running) -> None:
        self.running = running
        self.session = session_of(running)

    def _order(self, method: str, what: str, **json: object) -> Any:
        answer = requests.request(
            method,
            f"{self.running.control_url}/{what}",
            json=json,
            headers={"X-Sandbox-Token": self.running.control_token},
            timeout=10,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fail(self, **fault: object) -> None:
        """Order a fault."""
        self._order("POST", "faults", **fault)

    def forgive(self) -> None:
        """Forget the faults that have not happened."""
        self._order("DELETE", "faults")

    def asked(self, path: str) -> int:
        """Return how many questions reached a path."""
        counts: dict[str, int] = self._order("GET", "state")["counts"]
        return counts.get(path, 0)


@pytest.fixture(scope="session")
def faulty_process() -> Iterator[launch.Running]:
    """Start the sandbox that fails."""
    process = launch.start(("--seed", "7", "--rate-headers"))
    yield process
    process.stop()


@pytest.fixture
def faulty(faulty_process: launch.Running) -> Iterator[Faulty]:
    """Return a sandbox that can be told to fail, and has no faults left over."""
    made = Faulty(faulty_process)
    made.forgive()
    made.session.symbol("btcusdt")
    with made.session:
        yield made
    made.forgive()
