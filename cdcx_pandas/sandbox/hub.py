"""Who listens to what: one feed for all who hear the same, made when the first one comes.

No I/O: time and the exchange are arguments, listeners are whatever can be told apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from cdcx_pandas.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from cdcx_pandas import messages as m
    from cdcx_pandas.channels import Channel
    from cdcx_pandas.sandbox.exchange import Exchange
    from cdcx_pandas.sandbox.feeds import Asked, Feed
    from cdcx_pandas.sandbox.rules import Rule, Rules

L = TypeVar("L", bound="Hashable")


@dataclass
class Broadcast(Generic[L]):
    """A feed and its listeners; `next_at` is when it is looked at again, monotonic."""

    feed: Feed
    listeners: set[L] = field(default_factory=set)
    next_at: float = 0.0


class Hub(Generic[L]):
    """Who listens to what at one address.

    Parameters
    ----------
    exchange
        What is told.
    rules
        What can be heard.
    named
        The name of a channel on the wire: what is named alike is one channel there.
    """

    def __init__(self, exchange: Exchange, rules: Rules, named: Callable[[Channel], str]) -> None:
        self._exchange = exchange
        self._rules = rules
        self._named = named
        self._broadcasts: dict[tuple[Channel, bool, str | None], Broadcast[L]] = {}

    def __len__(self) -> int:
        return len(self._broadcasts)

    def broadcasts(self) -> list[Broadcast[L]]:
        """Return what is listened to now."""
        return list(self._broadcasts.values())

    def due(self, monotonic: float, pace: float = 1.0) -> Iterator[Broadcast[L]]:
        """Yield what is to be looked at now, each in its own cadence."""
        for broadcast in self.broadcasts():
            if monotonic >= broadcast.next_at:
                every_s = broadcast.feed.every_s * pace
                broadcast.next_at = (monotonic // every_s + 1) * every_s if every_s else 0.0
                yield broadcast

    def rule(self, asked: Asked) -> Rule:
        """Return how a channel is told.

        Raises
        ------
        CdcxError
            It is none that can be heard here, or there is no such market.
        """
        rule = self._rules.get(type(asked.channel))
        if rule is None:
            raise Unsupported("That is not heard here.")
        self._exchange.floor.check(getattr(asked.channel, "symbol", None), asked.terms)
        return rule

    def join(self, listener: L, asked: Asked, now_ns: int, monotonic: float) -> list[m.Update]:
        """Let somebody listen from now on; return what they are told at once.

        A second time is another first one. Of channels that are named alike on the wire, such
        as V1's books of any number of levels, one connection hears one.

        Raises
        ------
        CdcxError
            As `rule`.
        """
        key = (asked.channel, asked.changes, asked.account)
        rule, found = self.rule(asked), self._broadcasts.get(key)
        if found is None:
            found = Broadcast(rule.make(asked))
            for _ in found.feed.due(self._exchange, now_ns, monotonic):
                pass  # what happened so far is told by `first`
        told = list(found.feed.first(self._exchange, now_ns))
        self.leave(listener, asked.channel)
        found.listeners.add(listener)
        self._broadcasts[key] = found
        return told

    def leave(self, listener: L, channel: Channel) -> None:
        """Let somebody listen no more to what is named like a channel."""
        name = self._named(channel)
        for (one, changes, account), broadcast in list(self._broadcasts.items()):
            if listener in broadcast.listeners and self._named(one) == name:
                self._drop(listener, (one, changes, account))

    def gone(self, listener: L) -> None:
        """Forget somebody."""
        for key in list(self._broadcasts):
            self._drop(listener, key)

    def _drop(self, listener: L, key: tuple[Channel, bool, str | None]) -> None:
        broadcast = self._broadcasts[key]
        broadcast.listeners.discard(listener)
        if not broadcast.listeners:
            del self._broadcasts[key]
