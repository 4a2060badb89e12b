"""A session: a venue, who asks, by which clock and at which pace; it runs operations.

The pieces are made elsewhere and meet here: the dialect writes and reads, the pacer waits,
the transport moves bytes, `ask` cuts long questions into pages, the retry table says what may
be repeated. A session is safe to share between threads, and usable in a forked child.
"""

from __future__ import annotations

import os
import random
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pandas as pd

from cdcx_pandas import errors as e
from cdcx_pandas import launch
from cdcx_pandas import messages as m
from cdcx_pandas.arguments import to_ns, to_symbol
from cdcx_pandas.engines.ask import ask
from cdcx_pandas.engines.backward import with_gaps
from cdcx_pandas.engines.offset import OffsetEstimate
from cdcx_pandas.engines.progress import Progress
from cdcx_pandas.engines.retry import Outcome, Retry, RetryBudget, decide
from cdcx_pandas.frames.schema import to_frame
from cdcx_pandas.meter import meter
from cdcx_pandas.operations import Effect, GetSymbols, GetTrades, Operation
from cdcx_pandas.provenance import iso, provenance
from cdcx_pandas.transport.clock import Clock, ScaledClock, SystemClock
from cdcx_pandas.transport.http import Exchanged, HttpTransport, RedirectRefused, TlsFailed
from cdcx_pandas.transport.pacing import Pacer
from cdcx_pandas.transport.websocket import open_socket
from cdcx_pandas.venues import (
    NOBODY_ANSWERS,
    VENUES,
    Venue,
    credentials_for,
    dialect_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from cdcx_pandas.arguments import Time
    from cdcx_pandas.credentials import Credentials
    from cdcx_pandas.tables import Answer, Columns, Table

A = TypeVar("A")
B = TypeVar("B")

THREADS = 12
"""Questions of one session that are in flight together."""

DEADLINE_S = 20.0
"""How long one page may take, with its retries."""

_SYMBOLS_FOR_NS = 3600 * 10**9
_SKEW_S = 1.0
"""A clock further off than this is told."""


class Session:
    """A venue, credentials, a clock and a pace, together.

    Parameters
    ----------
    venue
        A `Venue`, or the name of one: ``"exchange"``, ``"uat"``, ``"v1"``.
    credentials
        Who asks; without, found ones are used where they may be.
    clock
        The venue's time as far as it is known here; the machine's own without.
    pacer
        The waiting; one that follows the venue's published limits, shared with all processes
        of this person, without.
    proxies
        For signed questions, scheme → address. Public ones use the environment's.

    Raises
    ------
    Unsupported
        This version does not speak the venue's dialect.
    """

    def __init__(
        self,
        venue: Venue | str,
        *,
        credentials: Credentials | None = None,
        clock: Clock | None = None,
        pacer: Pacer | None = None,
        proxies: dict[str, str] | None = None,
    ) -> None:
        self.venue = _named_venue(venue) if isinstance(venue, str) else venue
        self.dialect = dialect_of(self.venue)
        self.clock: Clock = clock or SystemClock()
        self._passed = credentials
        self._pacer = pacer or Pacer.shared(self.dialect.limits, self.venue.rest, self.clock)
        self._http = HttpTransport(self.venue.rest, clock=self.clock, private_proxies=proxies)
        self._offset = OffsetEstimate()
        self._budget = RetryBudget()
        self._random = random.Random()  # noqa: S311  # spreads retries, guards nothing
        self._lock = threading.Lock()
        self._symbols: tuple[int, Columns] | None = None
        self._skew_told = False
        self._before: Session | None = None

    def __repr__(self) -> str:
        simulated = ", SIMULATED" if self.venue.simulated else ""
        who = f", {self._passed!r}" if self._passed else ""
        return f"Session({self.venue.name!r}, dialect {self.dialect.name!r}{simulated}{who})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _restore(self)
        self.close()

    @property
    def passed(self) -> Credentials | None:
        """The credentials that were passed to it, if any."""
        return self._passed

    def close(self) -> None:
        """Close the connections; a later question opens new ones."""
        self._http.close()

    # -------------------------------------------------------------------------------- time

    def now_ns(self) -> int:
        """Return the venue's time, as far as its answers have told it."""
        return self.clock.now_ns() + int(self._offset.offset_s * 1e9)

    # ----------------------------------------------------------------------------- running

    def run(
        self,
        operation: Operation[A],
        *,
        exact: bool = False,
        progress: Progress | None = None,
        shown_as: str | None = None,
    ) -> A:
        """Ask a question, in as many pages as it takes, and return the whole answer.

        Parameters
        ----------
        operation
            What is asked.
        exact
            Numbers as `Decimal` from the wire's text.
        progress
            Filled while pages come in.
        shown_as
            The label of a progress bar, if one may be shown.

        Raises
        ------
        CdcxError
            The tree of `errors`.
        """
        progress = progress or Progress()
        asking = ask(operation, self.dialect.endpoint(operation), progress)
        with ExitStack() as stack:
            try:
                pages = next(asking)
                while True:
                    if shown_as is not None and progress.total > 1:
                        stack.enter_context(meter(progress, shown_as))
                        shown_as = None
                    pages = asking.send(self._answers(pages, exact=exact))
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]  # what `ask` returns

    def frame(
        self,
        operation: Operation[Answer],
        *,
        exact: bool = False,
        finish: Callable[[Columns], Columns] | None = None,
        progress: bool = False,
        coverage: str | tuple[int | None, int | None] | None = None,
        **facts: Any,
    ) -> pd.DataFrame:
        """Ask, and make the frame of the answer.

        `finish` derives what the wire does not tell; `coverage` and `facts` are recorded. When
        paging breaks off, the error carries the rows so far.
        """
        table = type(operation).table
        assert table is not None, "questions that become frames have a table"
        done = Progress()
        about = {"symbol": getattr(operation, "symbol", None), **facts}

        def made(columns: Columns, **more: Any) -> pd.DataFrame:
            finished = finish(columns) if finish else columns
            told = {k: v for k, v in (about | more).items() if v is not None}
            return self.made(table, finished, exact=exact, **told)

        problem: e.CdcxError | e.Interrupted
        try:
            label = f"{table.name} {about['symbol'] or ''}" if progress else None
            answer = self.run(operation, exact=exact, progress=done, shown_as=label)
        except e.CdcxError as error:
            problem = error
        except KeyboardInterrupt:
            problem = e.Interrupted()
        else:
            known = {k: v for k, v in answer.facts.items() if not isinstance(v, dict)}
            known.pop("count", None)
            if "time" in known:
                known["time"] = iso(known["time"])
            _warn_of_gaps(known.get("gaps", 0), about["symbol"])
            return made(answer.columns, coverage=coverage, **known)
        if done.columns:
            covered = (getattr(operation, "start", None), done.resume_from)
            is_tape = isinstance(operation, GetTrades)
            columns, gaps = with_gaps(done.columns, []) if is_tape else (done.columns, 0)
            problem.partial = made(columns, coverage=covered, gaps=gaps or None)
        if done.resume_from is not None:
            problem.resume_from = pd.Timestamp(done.resume_from, tz="UTC")
        raise problem

    def made(
        self, table: Table, columns: Columns, *, exact: bool = False, **facts: Any
    ) -> pd.DataFrame:
        """Make a frame that says where it comes from."""
        told = provenance(
            venue=self.venue.name,
            simulated=self.venue.simulated,
            fetched_ns=self.now_ns(),
            **facts,
        )
        return to_frame(table, columns, exact=exact, provenance=told)

    def for_each(self, call: Callable[[A], B], items: list[A]) -> list[B]:
        """Run a call for each item, some at a time; the results in order."""
        if len(items) < 2:  # one needs no threads
            return [call(item) for item in items]
        with ThreadPoolExecutor(min(THREADS, len(items)), "cdcx-ask") as pool:
            futures = [pool.submit(call, item) for item in items]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def limit_rows(self) -> Columns:
        """Return the rows of `limits`."""
        return self._pacer.rows()

    # ----------------------------------------------------------------------------- symbols

    def symbol(self, symbol: str) -> str:
        """Return a market's name as frames say it, whatever spelling it was written in."""
        return to_symbol(symbol, self.listed(), self.venue.name)

    def listed(self) -> Columns:
        """Return the venue's markets, read at most an hour ago."""
        now_ns = self.clock.now_ns()
        known = self._symbols
        if known is None or not 0 <= now_ns - known[0] < _SYMBOLS_FOR_NS:
            columns = self.run(GetSymbols()).columns
            self.dialect = self.dialect.knowing(columns)
            known = self._symbols = (now_ns, columns)
        return known[1]

    def price_tick(self, symbol: str) -> Decimal:
        """Return the smallest step of a market's prices."""
        columns = self.listed()
        tick = columns["price_tick"][columns["symbol"].index(symbol)]
        return Decimal(repr(tick) if isinstance(tick, float) else tick)

    # ----------------------------------------------------------------------------- one page

    def _answers(self, pages: list[Operation[Any]], *, exact: bool) -> list[Any]:
        if self.dialect.endpoint(pages[0]).via == "socket":
            return self._answers_of_socket(pages, exact=exact)
        return self.for_each(lambda page: self._answer(page, exact=exact), pages)

    def _answer(self, page: Operation[A], *, exact: bool) -> A:
        """Ask one page over HTTP, again where that is harmless."""
        endpoint = self.dialect.endpoint(page)
        credentials = credentials_for(self.venue, self._passed) if endpoint.signed else None
        scope = credentials.fingerprint if credentials else ""
        began = self.clock.monotonic()
        attempt = 0
        while True:
            self._pacer.wait(endpoint.bucket, scope, DEADLINE_S)
            signed_ms = self._signing_ms()
            request = self.dialect.encode_request(page, credentials, signed_ms)
            try:
                exchanged = self._http.send(request, effect=page.effect, deadline_s=DEADLINE_S)
                self._learn(endpoint.bucket, scope, exchanged)
                answer = self.dialect.decode_response(page, exchanged.response, exact=exact)
            except e.CdcxError as problem:
                error = problem
            else:
                self._budget.succeeded()
                return answer
            moved_s = abs(self._signing_ms() - signed_ms) / 1000
            verdict = decide(
                page.effect,
                outcome_of(error, clock_moved=credentials is not None and moved_s > _SKEW_S),
                attempt=attempt,
                elapsed_s=self.clock.monotonic() - began,
                retry_after_s=getattr(error, "retry_after", None),
                rng=self._random,
                budget=self._budget,
            )
            if not isinstance(verdict, Retry):
                raise self._told(error, endpoint.path)
            attempt += 1
            self.clock.sleep(verdict.after_s)

    def _answers_of_socket(self, pages: list[Operation[Any]], *, exact: bool) -> list[Any]:
        """Ask some pages over the stream, all in flight on one connection.

        Answers are told apart by the reference that comes back with them, or where a server
        echoes none, by their channel and order. What a broken connection left unanswered is
        asked again on a new one.
        """
        answers: dict[int, Any] = {}
        began = self.clock.monotonic()
        attempt = 0
        while True:
            try:
                self._converse(pages, answers, exact=exact)
            except e.CdcxError as problem:
                error = problem
            else:
                return [answers[at] for at in range(len(pages))]
            verdict = decide(
                Effect.PUBLIC_READ,
                outcome_of(error, clock_moved=False),
                attempt=attempt,
                elapsed_s=self.clock.monotonic() - began,
                retry_after_s=getattr(error, "retry_after", None),
                rng=self._random,
                budget=self._budget,
            )
            if not isinstance(verdict, Retry):
                raise self._told(error, self.dialect.endpoint(pages[0]).path)
            attempt += 1
            self.clock.sleep(verdict.after_s)

    def _converse(
        self, pages: list[Operation[Any]], answers: dict[int, Any], *, exact: bool
    ) -> None:
        assert self.venue.ws is not None, "a dialect that asks over a socket has its address"
        bucket = self.dialect.endpoint(pages[0]).bucket
        waiting = {str(at): page for at, page in enumerate(pages) if at not in answers}
        deadline = self.clock.monotonic() + DEADLINE_S
        with open_socket(self.venue.ws, deadline_s=DEADLINE_S) as socket:
            for ref, page in waiting.items():
                self._pacer.wait(bucket, "", DEADLINE_S)
                socket.send(str(self.dialect.encode_frame(m.Request(page, ref))))
            while waiting:
                frame = socket.receive(deadline - self.clock.monotonic())
                message = self.dialect.decode_frame(frame, exact=exact)
                if isinstance(message, m.Heartbeat):
                    reply = self.dialect.encode_frame(m.HeartbeatReply(message.value))
                    socket.send(str(reply))
                elif isinstance(message, m.Reply):
                    ref = message.ref if message.ref is not None else next(iter(waiting))
                    if waiting.pop(ref, None) is not None:
                        answers[int(ref)] = message.answer

    def _signing_ms(self) -> int:
        return self._offset.signing_time_ms(self.clock.now_ns() // 10**6)

    def _learn(self, bucket: str, scope: str, exchanged: Exchanged) -> None:
        """Take from an answer what it tells of limits and of the time."""
        response = exchanged.response
        self._pacer.told(bucket, scope, response.status, response.headers)
        date = response.headers.get("date")
        if date is None:
            return
        self._offset.add_http_date(
            date, sent_s=exchanged.sent_at_ns / 1e9, received_s=exchanged.received_at_ns / 1e9
        )
        offset_s = self._offset.offset_s
        if abs(offset_s) > _SKEW_S and not self._skew_told:
            self._skew_told = True
            warnings.warn(
                f"This machine's clock is {-offset_s:+.1f} s off the venue's; signed times are"
                " corrected. Set the clock.",
                e.CdcxWarning,
                stacklevel=2,
            )

    def _told(self, error: e.CdcxError, path: str) -> e.CdcxError:
        """Add to an error what only the session knows."""
        error.endpoint = error.endpoint or path
        if isinstance(error, e.AuthError) and error.sent == "yes":
            error = self._clock_told(error)
        if self.venue == VENUES["v1"]:
            error.todo = NOBODY_ANSWERS
        return error

    def _clock_told(self, error: e.AuthError) -> e.AuthError:
        """Add the measured offset; a clock that is off is an error of its own."""
        offset_s = self._offset.offset_s
        clock = f"The local clock is {0.0 - offset_s:+.1f} s off the venue's, as measured."
        if abs(offset_s) > _SKEW_S and type(error) is e.AuthError:
            told = e.ClockSkew(error.what, offset=offset_s)
            told.__dict__.update(error.__dict__)
            error = told
        error.why = f"{error.why} {clock}".strip()
        return error


def _warn_of_gaps(count: int, symbol: str | None) -> None:
    """Tell of holes in public trades: their rows have no values."""
    if count:
        warnings.warn(
            f"{symbol}: {count} {'hole' if count == 1 else 'holes'} in the trades: the ids of"
            " matches jump there. Rows without values stand for them.",
            e.GapWarning,
            stacklevel=4,
        )


def outcome_of(error: e.CdcxError, *, clock_moved: bool) -> Outcome:
    """Return what an error says about the question: whether it may be asked again.

    `clock_moved`: the answer showed that the question was signed with a wrong time.
    """
    match error:
        case TlsFailed():
            return Outcome.TLS
        case RedirectRefused():
            return Outcome.REDIRECT
        case e.ConnectFailed(sent="no"):
            return Outcome.NOT_SENT
        case e.ConnectFailed() | e.TimedOut():
            return Outcome.LOST
        case e.ProtocolError():
            return Outcome.GARBLED
        case e.RateLimited(sent="no"):
            return Outcome.REFUSED  # our own pacing said no: nothing to wait for
        case e.RateLimited():
            return Outcome.THROTTLED
        case e.ServerError(code=None):
            return Outcome.SERVER_ERROR
        case e.ServerError():
            return Outcome.BUSY_CODE
        case e.AuthError() if clock_moved:
            return Outcome.TIME_REJECTED
        case e.PermissionDenied(code=None, http_status=403 | 418):
            return Outcome.BANNED
        case _:
            return Outcome.REFUSED


# ------------------------------------------------------------------------- the default session

_default: Session | None = None
_default_lock = threading.RLock()


def use(
    venue: Venue | str,
    *,
    credentials: Credentials | None = None,
    dialect: str = "v1",
    seed: int = 7,
    speed: float = 1,
    at: Time | None = None,
    replay: str | os.PathLike[str] | None = None,
    symbol: str | None = None,
    proxies: dict[str, str] | None = None,
) -> Session:
    """Choose where questions go from now on.

    Parameters
    ----------
    venue
        ``"exchange"`` (today's, the default of the package), ``"v1"``, ``"uat"``,
        ``"sandbox"``, or a `Venue` of your own.
    credentials
        Who asks; needed for signed questions on a venue of your own and on ``"v1"``. The
        sandbox brings its own.
    dialect, seed, speed, at, replay, symbol
        Of the sandbox only: how it speaks, which history it has, how fast its time runs, when
        it starts (default now), and a file of recorded data for one symbol. The same options
        use the running process again.
    proxies
        For signed questions, scheme → address.

    Returns
    -------
    Session
        Also a context manager: behind it the former session is the default again.

    Raises
    ------
    Unsupported
        This version does not speak the venue's dialect.
    BadRequest
        No such venue.
    SandboxError
        The sandbox did not start.

    Examples
    --------
    >>> with use("sandbox") as session:
    ...     df = klines("btcusdt", "1hour")
    >>> session.venue.name, session.venue.simulated
    ('sandbox', True)
    """
    if venue == "sandbox":
        started_ns = None if at is None else to_ns(at, name="at", now_ns=SystemClock().now_ns())
        session = _sandbox_session(
            launch.running(seed=seed, speed=speed, at_ns=started_ns, replay=replay, symbol=symbol),
            dialect,
            credentials,
        )
    else:
        session = Session(venue, credentials=credentials, proxies=proxies)
    global _default  # noqa: PLW0603  # the one default there is
    with _default_lock:
        session._before = _default  # noqa: SLF001  # the pair of `_restore`
        _default = session
    return session


def _sandbox_session(
    running: launch.Running, dialect: str, credentials: Credentials | None
) -> Session:
    address = running.addresses.get(dialect)
    if address is None:
        raise e.Unsupported(
            f"The sandbox does not speak {dialect!r}.",
            why=f"It speaks {', '.join(running.addresses)}.",
            todo="cdcx.use('sandbox') is V1, dialect='exchange' today's API.",
        )
    venue = Venue("sandbox", dialect, address.rest, address.ws, address.user_ws, simulated=True)
    clock = ScaledClock(running.at_ns, running.since_ns, running.speed)
    return Session(venue, credentials=credentials or running.credentials, clock=clock)


def current_session() -> Session:
    """Return the default session; without a `use`, that of ``CDCX_VENUE`` or the exchange."""
    global _default  # noqa: PLW0603  # the one default there is
    with _default_lock:
        if _default is None:
            name = os.environ.get("CDCX_VENUE") or "exchange"
            if name == "sandbox":
                return use("sandbox")
            _default = Session(name)
        return _default


def _restore(session: Session) -> None:
    global _default  # noqa: PLW0603  # the one default there is
    with _default_lock:
        if _default is session:
            _default = session._before  # noqa: SLF001  # the pair of `use`


def _named_venue(name: str) -> Venue:
    venue = VENUES.get(name)
    if venue is None:
        raise e.BadRequest(
            f"There is no venue {name!r}.",
            why=f"The venues with names are {', '.join([*VENUES, 'sandbox'])}.",
            todo="cdcx.use('sandbox') for the one on this machine, or pass a cdcx.Venue.",
        )
    return venue
