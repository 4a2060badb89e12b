"""The connections of this process: one an address, shared; more only where one has no room."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from cdcx_pandas.engines.stream import State
from cdcx_pandas.streaming.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cdcx_pandas.channels import Channel
    from cdcx_pandas.credentials import Credentials
    from cdcx_pandas.engines.reconnect import Policy
    from cdcx_pandas.session import Session
    from cdcx_pandas.streaming.connection import Listener

Key = tuple[str, str, "Policy"]


class Pool:
    """Connections by address, owner and policy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Key, list[Connection]] = {}

    def join(
        self,
        listener: Listener,
        channels: Iterable[Channel],
        *,
        url: str,
        session: Session,
        policy: Policy,
        credentials: Credentials | None = None,
    ) -> list[Connection]:
        """Let somebody hear channels; return the connections they come from."""
        channels = list(channels)
        most = session.dialect.streams.channels_per_connection
        key = (url, credentials.fingerprint if credentials else "", policy)
        used: list[Connection] = []
        with self._lock:
            known = [one for one in self._open.get(key, ()) if one.is_alive]
            self._open[key] = known
            while channels:
                fit = (one for one in known if one.room(most) > 0 and one.state is not State.FAILED)
                connection = next(fit, None)
                if connection is None:
                    connection = Connection(url, session, policy, credentials)
                    known.append(connection)
                some = channels[: connection.room(most)]
                if not connection.join(listener, some):
                    known.remove(connection)  # its last listener has just left it
                    continue
                channels = channels[len(some) :]
                used.append(connection)
        return used

    def abandon(self) -> None:
        """Forget everything in a forked child: threads do not follow, sockets are the parent's."""
        self._lock = threading.Lock()
        for some in self._open.values():
            for connection in some:
                connection.abandon()
        self._open = {}


POOL = Pool()


def at_fork(forget: Callable[[], None]) -> None:
    """Have something forgotten in forked children."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)


at_fork(POOL.abandon)
