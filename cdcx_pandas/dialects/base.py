"""What a dialect is: three pairs of functions, and a table of endpoints.

A dialect turns meanings (operations, channels, messages, columns) into bytes and back, from
both ends of the wire: the client writes questions and reads answers, the sandbox reads
questions and writes answers. Every function is a value of its arguments: time comes in as a
number, credentials as a value; no clock, no socket, no pandas.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cdcx_pandas.credentials import Credentials, Secret
    from cdcx_pandas.errors import CdcxError
    from cdcx_pandas.messages import (
        Authenticate,
        Caller,
        HttpRequest,
        HttpResponse,
        Message,
    )
    from cdcx_pandas.operations import GetOpenOrders, Operation
    from cdcx_pandas.tables import Columns

A = TypeVar("A")


class Paging(Enum):
    """How a long answer is cut into pages."""

    NONE = "one page is all there is"
    BEFORE = "so many rows before a time; an empty page means there is nothing earlier"
    WINDOW = "as BEFORE, and the beginning of the range is told too"
    BACKWARD = "newest first, at most so many of a range: the rest is before the oldest of them"
    NUMBERED = "numbered pages, each telling how many rows there are in all"


@dataclass(frozen=True)
class Limit:
    """A published limit: at most `count` questions in any `window_s` seconds.

    `scope` says what is counted: all questions of an internet address, or of a key.
    """

    bucket: str
    count: int
    window_s: float
    scope: Literal["address", "key"]


@dataclass(frozen=True)
class Endpoint:
    """How one operation is asked: a row of the dialect's table."""

    operation: type[Operation[Any]]
    path: str
    bucket: str
    method: Literal["GET", "POST"] = "GET"
    signed: bool = False
    via: Literal["http", "socket"] = "http"
    paging: Paging = Paging.NONE
    page_rows: int | None = None
    """The most rows one page can hold."""
    window_s: float | None = None
    """The longest range one question can have."""
    newest_s: float | None = None
    """The range that is asked for without a start; without, the newest page."""
    open_too: type[GetOpenOrders] | None = None
    """The question whose rows belong to the answer too: open orders, where a history has none."""


@dataclass(frozen=True)
class StreamTerms:
    """What a dialect's streams have, and ask of who listens.

    Attributes
    ----------
    market, user
        The families of channels that everybody hears, and those only an account's owner does.
    channels_per_frame, channels_per_connection
        How many channels one subscribing frame can name, and one connection hear; None: any.
    settles_s
        How long a new connection waits before it says anything.
    acknowledges
        Whether a subscription is always answered, so that silence is a failure.
    changes
        Whether books can be had as changes; None where the server decides.
    """

    market: frozenset[type[Any]]
    user: frozenset[type[Any]] = frozenset()
    channels_per_frame: int = 1
    channels_per_connection: int | None = None
    settles_s: float = 0.0
    acknowledges: bool = False
    changes: bool | None = None


class Dialect(Protocol):
    """How a venue speaks."""

    @property
    def name(self) -> str:
        """The word for the dialect in `use` and in errors."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Everything that can be asked."""

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The published limits, one for each bucket."""

    @property
    def periods(self) -> tuple[str, ...]:
        """The kline periods the dialect has."""

    @property
    def streams(self) -> StreamTerms:
        """What its streams have."""

    @property
    def merges_depth(self) -> bool:
        """Whether the venue itself merges the prices of a book in steps."""

    def knowing(self, symbols: Columns) -> Dialect:
        """Return the dialect that says the markets of `symbols` in the venue's own spelling."""

    def endpoint(self, operation: Operation[Any]) -> Endpoint:
        """Return how `operation` is asked; `Unsupported` when it cannot be."""

    def encode_request(
        self, operation: Operation[Any], credentials: Credentials | None, now_ms: int
    ) -> HttpRequest:
        """Write a question as the client sends it, signed where the endpoint asks for it."""

    def decode_request(
        self, request: HttpRequest, secret_of: Callable[[str], Secret | None]
    ) -> tuple[Operation[Any], Caller | None]:
        """Read a question as the server gets it; raises `AuthError` on a wrong signature."""

    def encode_response(
        self,
        operation: Operation[Any] | None,
        answer: object | CdcxError,
        *,
        ref: str | None = None,
    ) -> HttpResponse:
        """Write an answer, or an error, as the server sends it; `ref` is the caller's, echoed."""

    def decode_response(
        self, operation: Operation[A], response: HttpResponse, *, exact: bool = False
    ) -> A:
        """Read an answer; numbers are floats, or `Decimal` from the text when `exact`."""

    def encode_frame(self, message: Message) -> str | bytes:
        """Write a stream message of either side."""

    def decode_frame(self, frame: str | bytes, *, exact: bool = False) -> Message:
        """Read a stream message of either side."""

    def authenticate(
        self, credentials: Credentials, now_ms: int, ref: str | None = None
    ) -> Authenticate:
        """Make the message that opens a user stream; `Unsupported` where there is none."""

    def verify(self, message: Authenticate, secret_of: Callable[[str], Secret | None]) -> Caller:
        """Return who opened a user stream; raises `AuthError` on a wrong signature."""

    def server_codes(self) -> Mapping[str, type[CdcxError]]:
        """Return the venue's error codes and the exception each becomes."""
