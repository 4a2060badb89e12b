"""HTTP: bytes out, bytes in, and exactly what is known when it fails.

This module knows no exchange. It moves one question and one answer, within caps of time and
size, and tells whether a question that failed had left. Errors are built where a library's
error is caught and raised after it, so that no text of a request can travel along in
``__context__``.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from cdcx_pandas.about import VERSION
from cdcx_pandas.errors import CdcxError, ConnectFailed, ProtocolError, Sent, TimedOut
from cdcx_pandas.messages import HttpResponse, is_loopback
from cdcx_pandas.operations import Effect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdcx_pandas.messages import HttpRequest
    from cdcx_pandas.transport.clock import Clock

CONNECT_S, READ_S, ORDER_READ_S = 3.0, 10.0, 15.0
PLAIN_CAP, COMPRESSED_CAP = 8 << 20, 1 << 20
_CHUNK = 1 << 16
USER_AGENT = f"cdcx_pandas/{VERSION}"

_FRESH = {Effect.NEW_ORDER, Effect.CANCEL, Effect.CANCEL_ALL}
"""What never goes out on a connection that has been idle: a stale one makes doubt."""


class TlsFailed(ConnectFailed):
    """The certificate is not the venue's: never retried."""


class RedirectRefused(ProtocolError):
    """The venue sent us elsewhere: never followed."""


class Exchanged(NamedTuple):
    """An answer, and the venue clock's time around it."""

    response: HttpResponse
    sent_at_ns: int
    received_at_ns: int


class _Mark(threading.local):
    """Whether the question of this thread has begun to leave."""

    sent = False


_mark = _Mark()


class _MarkedHttp(HTTPConnection):
    def send(self, data: Any) -> None:
        """Connect first, so that the mark means: connected, and about to write."""
        if self.sock is None:
            self.connect()
        _mark.sent = True
        super().send(data)


class _MarkedHttps(HTTPSConnection):
    def send(self, data: Any) -> None:
        """Connect first, so that the mark means: connected, and about to write."""
        if self.sock is None:
            self.connect()
        _mark.sent = True
        super().send(data)


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _MarkedHttp


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _MarkedHttps


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        return manager


def _new_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no .netrc, no surprise proxy, no surprise certificates
    session.headers.clear()
    session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"})
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(max_retries=0))
    return session


class HttpTransport:
    """HTTP to one host.

    Parameters
    ----------
    root
        What stands before the path: ``https://host``.
    clock
        The venue's wall time, and the deadlines'.
    private_proxies
        Proxies of signed questions, scheme → address; public ones use the environment's.
    """

    def __init__(
        self, root: str, *, clock: Clock, private_proxies: Mapping[str, str] | None = None
    ) -> None:
        self._root = root.rstrip("/")
        self._host = urlsplit(root).hostname or ""
        self._clock = clock
        self._private_proxies = dict(private_proxies or {})
        self._own = threading.local()
        self._open: weakref.WeakSet[requests.Session] = weakref.WeakSet()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of all threads; a later question opens new ones."""
        for session in list(self._open):
            session.close()

    def send(self, request: HttpRequest, *, effect: Effect, deadline_s: float) -> Exchanged:
        """Move one question and its answer.

        Parameters
        ----------
        request
            What goes out.
        effect
            What it does: acts go out on connections of their own.
        deadline_s
            The longest it may take, on the monotonic clock.

        Raises
        ------
        ConnectFailed
            No connection (``sent`` is "no"), or it was lost ("maybe").
        TimedOut
            No whole answer in time.
        ProtocolError
            A redirect, or a body that is too large, damaged or cut off.
        """
        ends = self._clock.monotonic() + deadline_s
        fresh = effect in _FRESH
        session = _new_session() if fresh else self._session()
        read_s = ORDER_READ_S if effect is Effect.NEW_ORDER else READ_S
        _mark.sent = False
        failure: CdcxError
        try:
            sent_at = self._clock.now_ns()
            answer = session.request(
                request.method,
                self._root + request.path,
                params=list(request.query),
                data=request.body or None,
                headers=dict(request.headers),
                timeout=(min(CONNECT_S, deadline_s), min(read_s, deadline_s)),
                allow_redirects=False,
                stream=True,
                proxies=self._proxies(effect),
            )
            with contextlib.closing(answer):
                received_at = self._clock.now_ns()
                response = self._read(answer, ends)
            return Exchanged(response, sent_at, received_at)
        except CdcxError as error:
            failure = error
        except (requests.RequestException, HTTPError, OSError, zlib.error) as error:
            failure = self._failure(error, maybe=_mark.sent)
        finally:
            if fresh:
                session.close()
        raise failure

    def _session(self) -> requests.Session:
        """Return this thread's session; a forked child never uses its parent's."""
        own = self._own
        if getattr(own, "pid", None) != os.getpid():
            own.pid, own.session = os.getpid(), _new_session()
            self._open.add(own.session)
        session: requests.Session = own.session
        return session

    def _proxies(self, effect: Effect) -> dict[str, str]:
        if effect is not Effect.PUBLIC_READ:
            return self._private_proxies
        if is_loopback(self._host) or proxy_bypass(self._host):
            return {}
        return getproxies()

    def _read(self, answer: requests.Response, ends: float) -> HttpResponse:
        """Read a body within the caps."""
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if 300 <= answer.status_code < 400:  # the redirects
            target = urlsplit(headers.get("location", "")).hostname or "nowhere"
            raise RedirectRefused(
                f"The venue answered HTTP {answer.status_code}: ask {target} instead.",
                why="Redirects are not followed: a signed question would go to another host.",
                todo="Check the venue's address.",
                sent="yes",
                http_status=answer.status_code,
            )
        inflate = _inflater(headers.get("content-encoding", ""))
        cap = COMPRESSED_CAP if inflate else PLAIN_CAP
        parts: list[bytes] = []
        size = 0
        while chunk := answer.raw.read1(_CHUNK, decode_content=False):
            parts.append(chunk)
            size += len(chunk)
            if size > cap:
                raise _garbled(f"Its body is larger than {cap:,} bytes.")
            if self._clock.monotonic() > ends:
                raise _late()
        told = headers.get("content-length")
        if told is not None and told.isdecimal() and size < int(told) and size > 0:
            raise _garbled(f"Its body ended after {size:,} of {int(told):,} bytes.")
        body = b"".join(parts)
        if inflate:
            body = _inflated(inflate, body)
        return HttpResponse(answer.status_code, body, headers)

    def _failure(self, error: Exception, *, maybe: bool) -> CdcxError:
        """Return our error for a library's, without a word of its text."""
        sent: Sent = "maybe" if maybe else "no"
        advice = (
            "Is the sandbox still running?"
            if is_loopback(self._host)
            else "No network? cdcx.use('sandbox') needs none."
        )
        chain = _chain(error)
        names = {type(e).__name__ for e in chain}
        if names & {"SSLError", "SSLCertVerificationError", "CertificateError"}:
            return TlsFailed(
                f"{self._host} did not prove that it is {self._host}.",
                why="Its certificate was refused.",
                todo="Something stands between you and the venue; do not send keys there.",
                sent=sent,
            )
        if not maybe:
            slow = "ConnectTimeout" in names or "ConnectTimeoutError" in names
            unknown = "NameResolutionError" in names or "gaierror" in names
            why = (
                f"Nobody knows the name {self._host}." if unknown
                else f"It did not answer within {CONNECT_S:g} s." if slow
                else "It refused the connection."
            )  # fmt: skip
            return ConnectFailed(f"No connection to {self._host}.", why=why, todo=advice, sent="no")
        if names & {"ReadTimeout", "ReadTimeoutError", "TimeoutError", "timeout"}:
            return _late()
        if names & {"IncompleteRead", "InvalidChunkLength", "DecodeError", "error"}:
            return _garbled("Its body ended in the middle.")
        return ConnectFailed(
            f"The connection to {self._host} was lost while waiting for the answer.",
            why="The question may have arrived.",
            todo=advice,
            sent=sent,
        )


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and everything it carries, to tell what it was."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [one.__cause__, one.__context__, *one.args, getattr(one, "reason", None)]
    return found


def _late() -> TimedOut:
    return TimedOut(
        "No whole answer in time.",
        why="The question may have arrived.",
        todo="Ask again later.",
        sent="maybe",
    )


def _garbled(why: str) -> ProtocolError:
    return ProtocolError("The answer cannot be read.", why=why, sent="maybe")


def _inflater(encoding: str) -> Any:
    """Return a bounded decompressor for a content encoding, None for plain."""
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return zlib.decompressobj(31)
        case "deflate":
            return zlib.decompressobj()
        case _:
            raise _garbled("It is compressed in a way that was not asked for.")


def _inflated(inflate: Any, body: bytes) -> bytes:
    plain: bytes = inflate.decompress(body, PLAIN_CAP + 1)
    if len(plain) > PLAIN_CAP:
        raise _garbled(f"Its body inflates to more than {PLAIN_CAP:,} bytes.")
    if not inflate.eof:
        raise _garbled("Its compressed body ended in the middle.")
    return plain
