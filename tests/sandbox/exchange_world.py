"""What the tests of today's wire share: how the strange client reaches a sandbox."""

from __future__ import annotations

from typing import Any

from cdcx_pandas import launch
from cdcx_pandas.sandbox.keys import make_keys
from cdcx_pandas.transport.clock import ScaledClock
from tests.peers.exchange_client import ExchangeClient
from tests.peers.v1_client import V1Client

MAIN, REVOKED, READ_ONLY, ELSEWHERE = make_keys(7)


def client_of(running: launch.Running, key: Any = MAIN) -> ExchangeClient:
    """Return the strange client, with one of the sandbox's keys."""
    address = running.addresses["exchange"]
    assert address.user_ws is not None
    clock = ScaledClock(running.at_ns, running.since_ns, running.speed)
    return ExchangeClient(
        address.rest, (address.ws, address.user_ws), key.key, key.secret,
        lambda: clock.now_ns() / 1e9,
    )  # fmt: skip


def v1_client_of(running: launch.Running) -> V1Client:
    """Return the strange client of V1 at the same sandbox."""
    address = running.addresses["v1"]
    clock = ScaledClock(running.at_ns, running.since_ns, running.speed)
    return V1Client(address.rest, address.ws, MAIN.key, MAIN.secret, lambda: clock.now_ns() / 1e9)
