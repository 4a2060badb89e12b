"""Dialect ``v1``: the first public API of the Crypto.com Exchange (2019 to about 2022).

REST under ``/v1/`` and a market-data stream at ``/kline-api/ws``. It was a deployment of a
white-label platform's open API with new paths and a SHA-256 signature. Its hosts answer
nobody today; the sandbox speaks it. What is known of the wire, and from where, is told in
``docs/protocol-v1.md``.

Two profiles of the same paths exist: ``"a"``, the documented one of 2019 and 2020, and
``"b"``, seen from mid 2020 on (ids as text, pages from 0, other keys). Readers take both;
the profile says what is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from cdcx_pandas.dialects.v1 import answers, codes, rest, stream, wire

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
class V1:
    """The V1 dialect; the options are those on which its servers differ.

    Parameters
    ----------
    profile
        ``"a"`` as documented, ``"b"`` as seen later.
    spells_valuation
        Write ``btcValuation``, as two clients read it, for the documented ``btcValuatin``.
    repeats_trade_list
        Write the fills of an order twice, as the sample of 2019 does.
    zone
        The zone of the date texts of order lists, which no document names.
    cuts_times
        Write times as the exchange did: cut down to whole seconds, and none with a book.
    """

    profile: Literal["a", "b"] = "a"
    spells_valuation: bool = False
    repeats_trade_list: bool = False
    zone: timedelta = timedelta(0)
    cuts_times: bool = False

    @property
    def name(self) -> str:
        return "v1"

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return (*rest.ENDPOINTS, rest.KLINE_HISTORY)

    @property
    def limits(self) -> tuple[Limit, ...]:
        return rest.LIMITS

    @property
    def periods(self) -> tuple[str, ...]:
        return wire.PERIODS

    @property
    def first_page(self) -> int:
        """The number of the first page: 1 as documented, 0 later."""
        return 0 if self.profile == "b" else 1

    @property
    def streams(self) -> StreamTerms:
        return stream.TERMS

    @property
    def merges_depth(self) -> bool:
        return self.profile == "a"

    def knowing(self, symbols: Columns) -> V1:
        return self  # V1 says its markets as the package does

    def endpoint(self, operation: Operation[Any]) -> Endpoint:
        return rest.endpoint(operation)

    def encode_request(
        self, operation: Operation[Any], credentials: Credentials | None, now_ms: int
    ) -> HttpRequest:
        return rest.encode_request(operation, credentials, now_ms, self)

    def decode_request(
        self, request: HttpRequest, secret_of: Callable[[str], Secret | None]
    ) -> tuple[Operation[Any], Caller | None]:
        return rest.decode_request(request, secret_of, self)

    def encode_response(
        self,
        operation: Operation[Any] | None,
        answer: object | CdcxError,
        *,
        ref: str | None = None,
    ) -> HttpResponse:
        return answers.encode_response(operation, answer, self)

    def decode_response(
        self, operation: Operation[A], response: HttpResponse, *, exact: bool = False
    ) -> A:
        return cast("A", answers.decode_response(operation, response, exact=exact))

    def encode_frame(self, message: Message) -> str | bytes:
        return stream.encode_frame(message, cuts_times=self.cuts_times)

    def decode_frame(self, frame: str | bytes, *, exact: bool = False) -> Message:
        return stream.decode_frame(frame, exact=exact)

    def authenticate(
        self, credentials: Credentials, now_ms: int, ref: str | None = None
    ) -> Authenticate:
        raise stream.no_user_stream()

    def verify(self, message: Authenticate, secret_of: Callable[[str], Secret | None]) -> Caller:
        raise stream.no_user_stream()

    def server_codes(self) -> Mapping[str, type[CdcxError]]:
        return codes.CODES


DIALECT = V1()
