"""Who is on trial: `cdcx_pandas.live` where it is there, else the naive stand-in.

This is the one place that knows how it is opened, and with which short timings. `CDCX_SUBJECT`
set to ``naive`` tries the stand-in in any case.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import os
from collections.abc import Iterable
from typing import Any

from cdcx_pandas.session import Session
from tests.faults.ledger import LiveLike
from tests.faults.naive import NaiveLive

SHORT: dict[str, Any] = {
    "first_delay_s": 0.02, "base_s": 0.02, "cap_s": 0.08, "late_cap_s": 0.1,
    "most_attempts": 10_000, "steady_s": 0.3, "forbidden_s": 0.2, "most_forbidden": 10_000,
    "throttled_s": 0.2, "most_damaged": 10_000, "connect_s": 1.0, "ack_within_s": 1.0,
    "taken_after_s": 0.1, "ping_after_s": 0.8, "pong_within_s": 0.5, "depth_stale_s": 1.0,
    "ticker_stale_s": 1.0, "kline_stale_s": 2.0, "trade_stale_s": 2.0, "stale_least_s": 0.5,
    "mute_within_s": 0.5, "tick_s": 0.05,
}  # fmt: skip
"""Field of `Policy` → its value in tests. What `Policy` does not have is left out."""


def is_real() -> bool:
    """Tell whether the package's own `live` is on trial."""
    asked = os.environ.get("CDCX_SUBJECT", "")
    return (
        asked != "naive" and importlib.util.find_spec("cdcx_pandas.engines.reconnect") is not None
    )


def policy(**fields: Any) -> Any:
    """Return a policy with short timings."""
    made = importlib.import_module("cdcx_pandas.engines.reconnect").Policy
    known = {one.name for one in dataclasses.fields(made)}
    return made(**{name: value for name, value in (SHORT | fields).items() if name in known})


def open_live(
    symbols: Iterable[str], session: Session, *, short: bool = True, window: int = 20_000
) -> LiveLike:
    """Open what is on trial."""
    if not is_real():
        return NaiveLive(symbols, session=session)
    live = importlib.import_module("cdcx_pandas").live
    more = {"policy": policy()} if short else {}
    opened: LiveLike = live(list(symbols), "1min", window=window, session=session, **more)
    return opened
