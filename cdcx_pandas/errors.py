"""Every exception and warning of the package, as one tree.

This module knows what can go wrong and how it is told; where errors are made is the
business of the modules that meet them. A message has three lines: what happened, why we
think so, what to do.

::

    CdcxError
    ├─ BadRequest(ValueError)      400, or refused before sending
    │   ├─ UnknownSymbol  BadPeriod  BadTime  FloatRefused
    ├─ Unsupported                 this dialect cannot; names those that can
    ├─ AuthError                   401, signature, key
    │   ├─ MissingCredentials  PartialCredentials  ClockSkew
    ├─ PermissionDenied            403: address not whitelisted, key without the right
    ├─ NotFound                    404
    │   └─ OrderNotFound
    ├─ RateLimited                 429
    ├─ ServerError                 500 and up
    │   └─ Maintenance
    ├─ ConnectFailed               the question never left
    ├─ TimedOut                    no answer to a question in time
    ├─ ProtocolError               an answer that cannot be read
    ├─ OrderRejected               the venue, or a rule before sending, said no
    │   ├─ InsufficientFunds  BelowMinimum  AboveMaximum  PriceOutOfBand
    │   └─ PrecisionTooHigh  CancelRefused  TradingSuspended
    ├─ OrderOutcomeUnknown         deliberately under none of the above
    ├─ NotArmed  NonInteractive  Halted  IntentConflict
    ├─ InsecureVenue
    ├─ SandboxError                the local exchange did not start, or died
    ├─ StreamError
    └─ ArchiveError
        └─ ArchiveLocked  ArchiveCorrupt  DiskFull
    Interrupted(KeyboardInterrupt)
    CdcxWarning(UserWarning)
    └─ GapWarning  SchemaDriftWarning  StaleDataWarning
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

E = TypeVar("E", bound=BaseException)

Sent = Literal["no", "maybe", "yes"]
"""Whether the bytes of the question reached the venue: known, not guessed."""


class CdcxError(Exception):
    """Something went wrong; the base of every exception of this package.

    Parameters
    ----------
    what
        What happened, one line.
    why
        Why we think so, one line.
    todo
        What to do, one line.
    sent
        Whether the question reached the venue.
    endpoint
        The path that was asked, without parameters.
    code
        The venue's own error code, as text.
    http_status
        The status of the answer.

    Attributes
    ----------
    partial : pandas.DataFrame or None
        The rows that were read before paging failed.
    resume_from : pandas.Timestamp or None
        The ``start`` that continues behind `partial`.
    """

    partial: pd.DataFrame | None = None
    resume_from: pd.Timestamp | None = None

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        todo: str = "",
        sent: Sent | None = None,
        endpoint: str | None = None,
        code: str | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(what)
        self.what, self.why, self.todo = what, why, todo
        self.sent, self.endpoint = sent, endpoint
        self.code, self.http_status = code, http_status

    def __str__(self) -> str:
        return "\n".join(line for line in (self.what, self.why, self.todo) if line)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(kind: type[E], args: tuple[Any, ...], state: dict[str, Any]) -> E:
    """Make an error again from its pickle, without running its constructor."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class BadRequest(CdcxError, ValueError):
    """The question was wrong: the venue answered 400, or it was refused before sending."""


class UnknownSymbol(BadRequest):
    """No such market on this venue; `suggestions` holds near matches."""

    def __init__(self, what: str, *, suggestions: Sequence[str] = (), **rest: Any) -> None:
        super().__init__(what, **rest)
        self.suggestions = list(suggestions)


class BadPeriod(BadRequest):
    """No such kline period on this venue; `allowed` lists those it has."""

    def __init__(self, what: str, *, allowed: Sequence[str] = (), **rest: Any) -> None:
        super().__init__(what, **rest)
        self.allowed = list(allowed)


class BadTime(BadRequest):
    """A time or range that cannot be meant."""


class FloatRefused(BadRequest):
    """A binary float where money is meant."""


class Unsupported(CdcxError):
    """The dialect cannot; the message names those that can."""


class AuthError(CdcxError):
    """The venue does not accept who is asking: key, signature or clock."""


class MissingCredentials(AuthError):
    """A signed question without a key."""


class PartialCredentials(AuthError):
    """Half a pair: a key without its secret, or the other way round."""


class ClockSkew(AuthError):
    """The local clock is `offset` seconds away from the venue's."""

    def __init__(self, what: str, *, offset: float | None = None, **rest: Any) -> None:
        super().__init__(what, **rest)
        self.offset = offset


class PermissionDenied(CdcxError):
    """The key is known and may not do this, or not from this address."""


class NotFound(CdcxError):
    """The venue has no such thing."""


class OrderNotFound(NotFound):
    """The venue has no such order on this account."""


class RateLimited(CdcxError):
    """Too many questions; `retry_after` seconds if the venue told."""

    def __init__(self, what: str, *, retry_after: float | None = None, **rest: Any) -> None:
        super().__init__(what, **rest)
        self.retry_after = retry_after


class ServerError(CdcxError):
    """The venue failed (500 and up)."""


class Maintenance(ServerError):
    """The venue is closed for maintenance."""


class ConnectFailed(CdcxError):
    """No connection: the question never left this machine."""


class TimedOut(CdcxError):
    """No complete answer to a question in time."""


class ProtocolError(CdcxError):
    """An answer that cannot be read; `excerpt` holds its beginning, made safe."""

    def __init__(self, what: str, *, excerpt: str = "", **rest: Any) -> None:
        super().__init__(what, **rest)
        self.excerpt = excerpt


class OrderRejected(CdcxError):
    """The order was refused; `order_id` if the venue gave one all the same."""

    def __init__(self, what: str, *, order_id: str | None = None, **rest: Any) -> None:
        super().__init__(what, **rest)
        self.order_id = order_id


class InsufficientFunds(OrderRejected):
    """Not enough available balance."""


class BelowMinimum(OrderRejected):
    """Smaller than the market allows."""


class AboveMaximum(OrderRejected):
    """Larger than the market allows."""


class PriceOutOfBand(OrderRejected):
    """A price too far from the market."""


class PrecisionTooHigh(OrderRejected):
    """More decimals than the market has."""


class CancelRefused(OrderRejected):
    """The order can no longer be cancelled."""


class TradingSuspended(OrderRejected):
    """The market or the account is frozen."""


class OrderOutcomeUnknown(CdcxError):
    """The order may or may not exist. Nothing re-sends it.

    Under none of the no-answer errors on purpose: a broad ``except TimedOut: retry`` must
    not catch it.
    """


class NotArmed(CdcxError):
    """An order on a real venue outside ``arm(...)``."""


class NonInteractive(CdcxError):
    """Nobody is there to type the budget."""


class Halted(CdcxError):
    """``halt()`` refuses all but cancels."""


class IntentConflict(CdcxError):
    """The same intent was used before with other terms."""


class InsecureVenue(CdcxError):
    """An address that is neither encrypted nor on this machine."""


class SandboxError(CdcxError):
    """The local exchange did not start, or died."""


class StreamError(CdcxError):
    """A live stream cannot go on."""


class ArchiveError(CdcxError):
    """The archive cannot do that."""


class ArchiveLocked(ArchiveError):
    """Another process writes to the archive."""


class ArchiveCorrupt(ArchiveError):
    """A file of the archive is not what was written."""


class DiskFull(ArchiveError):
    """No room left."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in the middle of paging.

    Attributes
    ----------
    partial : pandas.DataFrame or None
        The rows read so far.
    resume_from : pandas.Timestamp or None
        The ``start`` that continues behind them.
    """

    def __init__(
        self,
        what: str = "Interrupted.",
        *,
        partial: pd.DataFrame | None = None,
        resume_from: pd.Timestamp | None = None,
    ) -> None:
        super().__init__(what)
        self.partial, self.resume_from = partial, resume_from

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, dict(self.__dict__))


class CdcxWarning(UserWarning):
    """The base of the package's warnings."""


class GapWarning(CdcxWarning):
    """A stretch of data is missing."""


class SchemaDriftWarning(CdcxWarning):
    """The venue said a word this version does not know; the row is kept."""


class StaleDataWarning(CdcxWarning):
    """The newest data is older than it should be."""
