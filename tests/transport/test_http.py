"""One question over HTTP, against servers that misbehave byte by byte."""

from __future__ import annotations

import contextlib
import gzip
import os
import pickle
import socket
import threading
import time
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cdcx_pandas.errors import CdcxError, ConnectFailed, ProtocolError, TimedOut
from cdcx_pandas.messages import HttpRequest
from cdcx_pandas.operations import Effect
from cdcx_pandas.transport.clock import SystemClock
from cdcx_pandas.transport.http import HttpTransport, RedirectRefused

CANARY = "CANARYkeyCANARY"
ORDER = HttpRequest(
    "POST", "/v1/order", (("api_key", CANARY),), (("X-Api-Key", CANARY),),
    f"api_key={CANARY}&sign={CANARY}".encode(),
)  # fmt: skip
READ = HttpRequest("GET", "/v1/klines", (("symbol", CANARY),))


class Server:
    """A server that does what a function says to each connection, and counts what it got."""

    def __init__(self, behave: Callable[[socket.socket], None]) -> None:
        self.behave = behave
        self.received = b""
        self.connections = 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.root = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self.listening.accept()
                self.connections += 1
                self.open.append(line)
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.behave(line)

    def question(self, line: socket.socket) -> bytes:
        """Read one question whole."""
        got = b""
        while b"\r\n\r\n" not in got:
            data = line.recv(65536)
            if not data:
                raise OSError
            got += data
            self.received += data
        head, _, body = got.partition(b"\r\n\r\n")
        lengths = [h for h in head.lower().split(b"\r\n") if h.startswith(b"content-length:")]
        length = int(lengths[0].split(b":")[1]) if lengths else 0
        while len(body) < length:
            data = line.recv(65536)
            body += data
            self.received += data
        return got

    def close(self) -> None:
        """Stop."""
        self.listening.close()
        for line in self.open:
            line.close()


@contextlib.contextmanager
def serving(behave: Callable[[Server, socket.socket], None]) -> Iterator[Server]:
    """Run a server for a test."""
    server = Server(lambda line: behave(server, line))
    try:
        yield server
    finally:
        server.close()


def answering(*parts: bytes, then: Callable[[socket.socket], None] | None = None) -> Any:
    """Return a behaviour: read the question, send the parts, then do something."""

    def behave(server: Server, line: socket.socket) -> None:
        while True:
            server.question(line)
            for part in parts:
                line.sendall(part)
            if then:
                then(line)
                return

    return behave


def ok(body: bytes, *headers: str) -> bytes:
    """Return an answer."""
    told = [f"Content-Length: {len(body)}", *headers]
    return ("HTTP/1.1 200 OK\r\n" + "\r\n".join(told) + "\r\n\r\n").encode() + body


def reset(line: socket.socket) -> None:
    """Close with RST."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    line.close()


def send(
    root: str,
    request: HttpRequest = ORDER,
    effect: Effect = Effect.NEW_ORDER,
    deadline: float = 1.0,
) -> Any:
    """Send one question by a transport of its own."""
    with HttpTransport(root, clock=SystemClock()) as transport:
        return transport.send(request, effect=effect, deadline_s=deadline)


def no_secret_in(error: BaseException) -> None:
    """Check every place an error can carry text in."""
    shown = [str(error), repr(error), repr(vars(error)), repr(pickle.dumps(error))]
    shown += traceback.format_exception(error)
    captured = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The locals of the test itself hold the request; those below must not.
    shown += [str(frame.locals) for frame in captured.stack if "/requests/" in frame.filename]
    assert not any(CANARY in text for text in shown)
    assert error.__cause__ is None
    assert error.__context__ is None


# ------------------------------------------------------------------------------ sent or not


def test_refused_means_not_sent() -> None:
    """Nobody listens: the question never left."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        root = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(ConnectFailed) as caught:
        send(root)
    assert caught.value.sent == "no"
    assert "It refused the connection." in str(caught.value)
    assert "Is the sandbox still running?" in str(caught.value)
    no_secret_in(caught.value)


def test_an_unknown_name_means_not_sent() -> None:
    """Nobody knows the host: the question never left, and the sandbox is offered."""
    with pytest.raises(ConnectFailed) as caught:
        send("https://nowhere.invalid")
    assert caught.value.sent == "no"
    assert "Nobody knows the name nowhere.invalid" in str(caught.value)
    assert "cdcx.use('sandbox')" in str(caught.value)
    no_secret_in(caught.value)


@pytest.mark.parametrize(
    ("behave", "kind", "text"),
    [
        (answering(then=reset), ConnectFailed, "was lost while waiting"),
        (answering(then=lambda line: line.close()), ConnectFailed, "was lost while waiting"),
        (answering(then=lambda line: time.sleep(3)), TimedOut, "No whole answer in time"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Le", then=reset), ConnectFailed, "was lost"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", then=lambda s: s.close()),
         ProtocolError, "cannot be read"),
        (answering(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a',
                   then=lambda s: s.close()), ProtocolError, "cannot be read"),
        (answering(ok(gzip.compress(b"{}" * 99)[:-12], "Content-Encoding: gzip")),
         ProtocolError, "ended in the middle"),
        (answering(ok(b"\x1f\x8bnonsense", "Content-Encoding: gzip")), ProtocolError,
         "cannot be read"),
        (answering(ok(b"x", "Content-Encoding: br")), ProtocolError, "cannot be read"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n" + bytes(9 << 20)),
         ProtocolError, "larger than 8,388,608 bytes"),
    ],
)  # fmt: skip
def test_what_arrived_and_was_not_answered_may_be_done(
    behave: Any, kind: type[CdcxError], text: str
) -> None:
    """The server has the whole question: whatever goes wrong then, `sent` is "maybe"."""
    with serving(behave) as server, pytest.raises(kind) as caught:
        send(server.root)
    assert caught.value.sent == "maybe"
    assert text in str(caught.value)
    assert f"sign={CANARY}".encode() in server.received
    no_secret_in(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("request_", "effect"), [(ORDER, Effect.NEW_ORDER), (READ, Effect.PUBLIC_READ)]
)
def test_redirects_reach_no_other_host(status: int, request_: HttpRequest, effect: Effect) -> None:
    """Host B receives not one connection, and the error names it."""
    with serving(answering(ok(b"{}"))) as b:
        moved = f"HTTP/1.1 {status} X\r\nLocation: {b.root}/x\r\nContent-Length: 0\r\n\r\n"
        with serving(answering(moved.encode())) as a, pytest.raises(RedirectRefused) as caught:
            send(a.root, request_, effect)
        assert b.connections == 0
    assert f"HTTP {status}: ask 127.0.0.1 instead" in str(caught.value)
    no_secret_in(caught.value)


def test_a_slow_drip_ends_at_the_deadline() -> None:
    """A byte now and then does not keep a notebook waiting: the whole has one deadline."""

    def drip(line: socket.socket) -> None:
        for _ in range(100):
            line.sendall(b"x")
            time.sleep(0.1)

    slow = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", then=drip)
    began = time.monotonic()
    with serving(slow) as server, pytest.raises(TimedOut):
        send(server.root, READ, Effect.PUBLIC_READ, deadline=0.6)
    assert time.monotonic() - began < 1.6


def test_a_bomb_costs_no_memory() -> None:
    """A body that inflates to 400 MB is refused within the caps."""
    bomb = gzip.compress(bytes(400 << 20))
    with serving(answering(ok(bomb, "Content-Encoding: gzip"))) as server:
        tracemalloc.start()
        with pytest.raises(ProtocolError, match="inflates to more than"):
            send(server.root, READ, Effect.PUBLIC_READ, deadline=10)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 32 << 20


# -------------------------------------------------------------------------------- connections


def test_reads_keep_their_connection_and_orders_take_a_fresh_one() -> None:
    """In one thread reads share a connection; acts never go out on one that was idle."""
    with (
        serving(answering(ok(b"{}"))) as server,
        HttpTransport(server.root, clock=SystemClock()) as transport,
    ):
        for _ in range(3):
            answer = transport.send(READ, effect=Effect.PUBLIC_READ, deadline_s=5)
            assert (answer.response.status, answer.response.body) == (200, b"{}")
            assert answer.sent_at_ns <= answer.received_at_ns
        assert server.connections == 1
        for effect in (Effect.NEW_ORDER, Effect.CANCEL, Effect.CANCEL_ALL):
            transport.send(ORDER, effect=effect, deadline_s=5)
        assert server.connections == 4


def test_threads_do_not_share_connections() -> None:
    """Each thread has its own session."""
    with (
        serving(answering(ok(b"{}"))) as server,
        HttpTransport(server.root, clock=SystemClock()) as transport,
    ):
        threads = [
            threading.Thread(
                target=transport.send, args=(READ,),
                kwargs={"effect": Effect.PUBLIC_READ, "deadline_s": 5},
            )
            for _ in range(4)
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.connections == 4


def test_a_forked_child_takes_no_connection_of_its_parent() -> None:
    """The child asks on a connection of its own, and the parent's stays whole."""
    with (
        serving(answering(ok(b"{}"))) as server,
        HttpTransport(server.root, clock=SystemClock()) as transport,
    ):
        transport.send(READ, effect=Effect.PUBLIC_READ, deadline_s=5)
        child = os.fork()
        if child == 0:
            answer = transport.send(READ, effect=Effect.PUBLIC_READ, deadline_s=5)
            os._exit(0 if answer.response.body == b"{}" else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert server.connections == 2
        transport.send(READ, effect=Effect.PUBLIC_READ, deadline_s=5)
        assert server.connections == 2


def test_compressed_answers_are_read() -> None:
    """Gzip and plain bodies come out alike; header names are in lower case."""
    body = b'{"a":1}' * 1000
    packed = answering(ok(gzip.compress(body), "Content-Encoding: gzip", "X-Thing: Yes"))
    with serving(packed) as server:
        answer = send(server.root, READ, Effect.PUBLIC_READ, deadline=5)
    assert answer.response.body == body
    assert answer.response.headers["x-thing"] == "Yes"


def test_nothing_of_the_environment_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No .netrc password, no proxy for this machine; the name of the package is told."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving(answering(ok(b"{}"))) as server:
        send(server.root, READ, Effect.PUBLIC_READ, deadline=5)
        send(server.root, deadline=5)
    assert b"User-Agent: cdcx_pandas/" in server.received
    assert b"Authorization" not in server.received
