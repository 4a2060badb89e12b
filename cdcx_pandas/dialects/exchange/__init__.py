"""Dialect ``exchange``: today's API of the Crypto.com Exchange, "Exchange API v1".

REST under ``/exchange/v1/`` with JSON both ways and HMAC signatures, and two WebSockets of JSON
text beside it, one for markets and one for an account. What is known of the wire, and from
where, is told in ``docs/protocol-exchange.md``, and so is what this package refuses to say on
it: nothing here can move money off the exchange.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cdcx_pandas.dialects.exchange import answers, asked, codes, rest, stream, wire
from cdcx_pandas.dialects.exchange.symbols import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cdcx_pandas.credentials import Credentials, Secret
    from cdcx_pandas.dialects.base import Endpoint, Limit, StreamTerms
    from cdcx_pandas.errors import CdcxError
    from cdcx_pandas.messages import (
        Authenticate,
        Caller,
        HttpRequest,
        HttpResponse,
        Message,
    )
    from cdcx_pandas.operations import Operation
    from cdcx_pandas.tables import Columns

A = TypeVar("A")


@dataclass(frozen=True)
class Exchange:
    """The dialect of today's exchange.

    Parameters
    ----------
    names
        The names of a listing; without any, only questions that name no market can be written.
        See `knowing`.
    """

    names: Names = field(default_factory=Names)

    @property
    def name(self) -> str:
        return "exchange"

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return rest.ENDPOINTS

    @property
    def limits(self) -> tuple[Limit, ...]:
        return rest.LIMITS

    @property
    def periods(self) -> tuple[str, ...]:
        return tuple(wire.PERIODS)

    @property
    def streams(self) -> StreamTerms:
        return stream.TERMS

    @property
    def merges_depth(self) -> bool:
        return False

    def knowing(self, symbols: Columns) -> Exchange:
        return Exchange(Names.of(symbols))

    def endpoint(self, operation: Operation[Any]) -> Endpoint:
        return rest.endpoint(operation)

    def encode_request(
        self, operation: Operation[Any], credentials: Credentials | None, now_ms: int
    ) -> HttpRequest:
        return rest.encode_request(operation, credentials, now_ms, self)

    def decode_request(
        self, request: HttpRequest, secret_of: Callable[[str], Secret | None]
    ) -> tuple[Operation[Any], Caller | None]:
        return asked.decode_request(request, secret_of, self)

    def encode_response(
        self,
        operation: Operation[Any] | None,
        answer: object | CdcxError,
        *,
        ref: str | None = None,
    ) -> HttpResponse:
        return answers.encode_response(operation, answer, self.names, ref)

    def decode_response(
        self, operation: Operation[A], response: HttpResponse, *, exact: bool = False
    ) -> A:
        return cast("A", answers.decode_response(operation, response, self.names, exact=exact))

    def encode_frame(self, message: Message) -> str | bytes:
        return stream.encode_frame(message, self.names)

    def decode_frame(self, frame: str | bytes, *, exact: bool = False) -> Message:
        return stream.decode_frame(frame, self.names, exact=exact)

    def authenticate(
        self, credentials: Credentials, now_ms: int, ref: str | None = None
    ) -> Authenticate:
        return stream.authenticate(credentials, now_ms, ref)

    def verify(self, message: Authenticate, secret_of: Callable[[str], Secret | None]) -> Caller:
        return stream.verify(message, secret_of)

    def server_codes(self) -> Mapping[str, type[CdcxError]]:
        return codes.CODES


DIALECT = Exchange()
