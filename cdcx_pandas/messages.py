"""What crosses a wire, as values: HTTP requests and answers, and the messages of a stream.

These values know no exchange and no socket. Their ``repr`` never shows parameters, since a
signed request carries a key and a signature.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

if TYPE_CHECKING:
    from cdcx_pandas.channels import Channel
    from cdcx_pandas.operations import Operation
    from cdcx_pandas.tables import Answer

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class HttpRequest:
    """One HTTP question: `query` goes into the address, `body` is what is posted."""

    method: Literal["GET", "POST"]
    path: str
    query: Pairs = field(default=(), repr=False)
    headers: Pairs = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def target(self) -> str:
        """Path and query, as they stand in the request line."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


@dataclass(frozen=True)
class HttpResponse:
    """One HTTP answer, read completely. Header names are lower case."""

    status: int
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Caller:
    """Who signed a request, and the time they signed it at (venue clock, ms).

    `ref` is the request's own number, where the answer echoes it.
    """

    key: str = field(repr=False)
    time_ms: int = 0
    ref: str | None = None


@dataclass(frozen=True)
class Authenticate:
    """Client: this is who I am. Made and verified by a dialect, which knows how to sign."""

    key: str = field(repr=False)
    signature: str = field(repr=False)
    time_ms: int = 0
    ref: str | None = None


@dataclass(frozen=True)
class Subscribe:
    """Client: tell me what happens on these channels, as many as the dialect puts in a frame.

    `ref` is a free text that may come back. `changes` asks for books as a whole one and then
    changes (True), or as whole ones (False); None leaves it to the server. `time_ms` is the
    client's clock, where the dialect says it. `refused` is what a server could not read of it as
    channels of its own: the answers to those, ready to be sent.
    """

    channels: tuple[Channel, ...]
    ref: str | None = None
    changes: bool | None = None
    time_ms: int | None = None
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True)
class Unsubscribe:
    """Client: no more of these channels."""

    channels: tuple[Channel, ...]
    ref: str | None = None
    time_ms: int | None = None


@dataclass(frozen=True)
class Request:
    """Client: a question asked over the stream."""

    operation: Operation[Any]
    ref: str | None = None


@dataclass(frozen=True)
class Authenticated:
    """Server: I know who you are."""

    ref: str | None = None


@dataclass(frozen=True)
class Subscribed:
    """Server: the subscription stands. Some servers never say so.

    `channel` is None where the server names none: then it stands for the whole request `ref`.
    """

    channel: Channel | None
    ref: str | None = None
    time: int | None = None


@dataclass(frozen=True)
class Reply:
    """Server: the answer to a `Request`, told by its channel and, where echoed, its `ref`."""

    channel: Channel
    answer: Answer
    ref: str | None = None
    time: int | None = None


@dataclass(frozen=True)
class Update:
    """Server: news of a channel.

    `mode` is ``"snapshot"`` when the answer replaces what was known (a whole book, the bar as
    it stands now), ``"delta"`` when it changes it (levels of a book, amount 0 removes one).
    `ref` is told where the news is the answer to a `Subscribe`. A chain of changes is whole when
    each one's `previous` is the `sequence` before it; servers without such numbers tell none.
    """

    channel: Channel
    answer: Answer
    mode: Literal["snapshot", "delta"] = "snapshot"
    time: int | None = None
    ref: str | None = None
    sequence: int | None = None
    previous: int | None = None


@dataclass(frozen=True)
class Heartbeat:
    """Server: are you there. The value must come back unchanged."""

    value: int


@dataclass(frozen=True)
class HeartbeatReply:
    """Client: I am."""

    value: int


@dataclass(frozen=True)
class Refused:
    """Server: no; the venue's own words, and its code and the channel where told.

    `name` is the channel as it was written, where it is none of the dialect's.
    """

    text: str
    ref: str | None = None
    code: str | None = None
    channel: Channel | None = None
    name: str | None = None


@dataclass(frozen=True)
class Unsubscribed:
    """Server: no more of these. `ref` tells which request."""

    ref: str | None = None


@dataclass(frozen=True)
class Unknown:
    """A well-formed message this version has no word for; kept, not guessed at."""

    text: str


ClientMessage = Authenticate | Subscribe | Unsubscribe | Request | HeartbeatReply
ServerMessage = Authenticated | Subscribed | Unsubscribed | Reply | Update | Heartbeat | Refused
Message = ClientMessage | ServerMessage | Unknown


def is_loopback(host: str) -> bool:
    """Tell whether a host name is this machine, without asking anybody."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
