"""One WebSocket connection, against a server written by hand."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from cdcx_pandas.errors import (
    CdcxError,
    ConnectFailed,
    PermissionDenied,
    ProtocolError,
    RateLimited,
    ServerError,
    TimedOut,
)
from cdcx_pandas.transport.websocket import _Frames, _NeedMore, open_socket

Behave = Callable[[socket.socket], None]


def frame(payload: bytes, opcode: int = 2, *, fin: bool = True, length: int | None = None) -> bytes:
    """Return a server's frame; `length` may lie."""
    size = len(payload) if length is None else length
    first = bytes([(0x80 if fin else 0) | opcode])
    if size < 126:
        return first + bytes([size]) + payload
    if size < 1 << 16:
        return first + b"\x7e" + struct.pack("!H", size) + payload
    return first + b"\x7f" + struct.pack("!Q", size) + payload


@contextlib.contextmanager
def serving(behave: Behave, status: str = "") -> Iterator[str]:
    """Serve one behaviour after the handshake, or answer it with a status."""
    listening = socket.create_server(("127.0.0.1", 0))
    lines: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = listening.accept()
                lines.append(line)
                head = line.recv(65536)
                if status:
                    line.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
                    line.close()
                    continue
                key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
                digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324  # the RFC's
                line.sendall(
                    b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
                )
                behave(line)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}/x"
    finally:
        listening.close()
        for line in lines:
            line.close()


def sending(*parts: bytes, pause_s: float = 0.0) -> Behave:
    """Send parts, with a pause between them, and stay."""

    def behave(line: socket.socket) -> None:
        for part in parts:
            line.sendall(part)
            time.sleep(pause_s)
        line.recv(1)

    return behave


def test_messages_come_as_they_are() -> None:
    """Text as str, binary as bytes, fragments joined, protocol pings passed over."""
    parts = (
        frame(b"hello", 1), frame(b"\x1f\x8b", 2), frame(b"", 9),
        frame(b"ab", 2, fin=False), frame(b"!", 9), frame(b"cd", 0, fin=False), frame(b"ef", 0),
        frame(bytes(70_000), 2),
    )  # fmt: skip
    with serving(sending(*parts)) as url, open_socket(url, deadline_s=5) as stream:
        assert stream.receive(5) == "hello"
        assert stream.receive(5) == b"\x1f\x8b"
        assert stream.receive(5) == b"abcdef"
        assert stream.receive(5) == bytes(70_000)


def test_a_frame_is_taken_up_after_a_time_out() -> None:
    """A time-out in the middle of a frame loses nothing."""
    whole = frame(b"x" * 200)
    slow = sending(whole[:3], whole[3:50], whole[50:], pause_s=0.15)
    with serving(slow) as url, open_socket(url, deadline_s=5) as stream:
        timed_out = 0
        for _ in range(40):
            try:
                assert stream.receive(0.03) == b"x" * 200
                break
            except TimedOut:
                timed_out += 1
        else:
            pytest.fail("it never came")
        assert timed_out >= 2


@pytest.mark.parametrize("size", [1, 2, 3, 5, 127, 4096])
def test_it_does_not_matter_how_bytes_are_cut(size: int) -> None:
    """Frames that are whole when they are looked at, and those that are not, are read alike."""
    told = [b"a" * n for n in (0, 1, 125, 126, 127, 300, 65_535, 65_536)]
    whole = b"".join(frame(text, 1) for text in told) + frame(b"", 9) + frame(b"end", 2)
    frames = _Frames()
    read: list[str | bytes] = []
    for at in range(0, len(whole), size):
        frames.feed(whole[at : at + size])
        with contextlib.suppress(_NeedMore):
            while True:
                message = frames.take_usual()
                if message is None:
                    found = frames.recv_frame()
                    message = found.data.decode() if found.opcode == 1 else found.data
                read.append(message)
    assert read == [*(text.decode() for text in told), b"", b"end"]


def test_a_peer_that_never_pauses_is_heard() -> None:
    """What came is told though more is there: one chunk at a time."""

    def behave(line: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                line.sendall(frame(b"x" * 1000) * 1000)

    with serving(behave) as url, open_socket(url, deadline_s=5) as stream:
        for _ in range(50):
            assert len(stream.messages(5)) <= 140


def test_a_terabyte_is_refused_before_it_is_read() -> None:
    """The header alone is enough to say no."""
    with serving(sending(frame(b"", length=1 << 40))) as url, open_socket(url, deadline_s=5) as s:
        began = time.monotonic()
        with pytest.raises(ProtocolError, match="too large"):
            s.receive(5)
        assert time.monotonic() - began < 2


def test_fragments_are_capped_together() -> None:
    """Many small frames cannot make one huge message."""
    piece = frame(bytes(1 << 20), 0, fin=False)
    parts = (frame(b"", 2, fin=False), *[piece] * 9)
    with (
        serving(sending(*parts)) as url,
        open_socket(url, deadline_s=5) as stream,
        pytest.raises(ProtocolError, match="more than 8,388,608 bytes"),
    ):
        stream.receive(10)


def test_a_close_is_told_with_its_code() -> None:
    """The code of a close frame stands in the error."""
    closing = sending(frame(struct.pack("!H", 1013), 8))
    with (
        serving(closing) as url,
        open_socket(url, deadline_s=5) as stream,
        pytest.raises(ConnectFailed, match="closed it with code 1013"),
    ):
        stream.receive(5)


def test_a_cut_connection_is_told() -> None:
    """The end of the line is an error, not silence."""
    with (
        serving(lambda line: line.close()) as url,
        open_socket(url, deadline_s=5) as stream,
        pytest.raises(ConnectFailed, match="connection was lost"),
    ):
        stream.receive(5)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("403 X", PermissionDenied), ("401 X", PermissionDenied), ("429 X", RateLimited),
        ("503 X", ServerError), ("404 X", ProtocolError),
        ("302 X\r\nLocation: ws://127.0.0.1:9/x", ProtocolError),
    ],
)  # fmt: skip
def test_a_handshake_that_is_refused_is_told(status: str, kind: type[CdcxError]) -> None:
    """Each status is its error; redirects are not followed."""
    with serving(lambda line: None, status) as url, pytest.raises(kind) as caught:
        open_socket(url, deadline_s=5)
    assert caught.value.http_status == int(status[:3])
    assert caught.value.__context__ is None


def test_nobody_there_is_told() -> None:
    """A refused connection was never opened."""
    with pytest.raises(ConnectFailed) as caught:
        open_socket("ws://127.0.0.1:9/x", deadline_s=2)
    assert caught.value.sent == "no"
