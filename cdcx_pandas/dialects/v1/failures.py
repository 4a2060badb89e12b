"""V1's errors over HTTP: what an answer that is none means, and how the server writes one.

A code in the envelope tells more than the HTTP status, and the status more than the body.
Texts are kept for the person and never decided on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdcx_pandas import errors as e
from cdcx_pandas import operations as op
from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.v1 import codes
from cdcx_pandas.messages import HttpResponse

if TYPE_CHECKING:
    from cdcx_pandas.operations import Operation

_STATUSES: dict[int, tuple[type[e.CdcxError], str]] = {
    400: (e.BadRequest, "bad request"),
    401: (e.AuthError, "unauthorized"),
    403: (e.PermissionDenied, "forbidden"),
    404: (e.NotFound, "not found"),
    418: (e.PermissionDenied, "this address is banned for a while"),
    429: (e.RateLimited, "too many requests"),
    500: (e.ServerError, "the server failed"),
    502: (e.ServerError, "bad gateway"),
    503: (e.Maintenance, "the server is busy or in maintenance"),
    504: (e.ServerError, "the gateway timed out"),
}

_ADVICE: dict[type[e.CdcxError], str] = {
    e.AuthError: "Check that key and secret belong together and are whole, that nothing signs"
    " in another order, and the clock.",
    e.PermissionDenied: "See the key's rights and its address whitelist on the exchange's site.",
    e.RateLimited: "Ask less often; use live() instead of polling.",
    e.ServerError: "Ask again a little later.",
    e.Maintenance: "Wait; the exchange says when it will be back.",
    e.NotFound: "Check the venue's address; V1 (2019) answers nobody, the sandbox does.",
    e.OrderNotFound: "Check the id and the symbol: V1 looks an order up in one market only.",
    e.BadRequest: "Check symbol and arguments against symbols().",
    e.InsufficientFunds: "Compare with account(): open orders hold what they may need.",
    e.BelowMinimum: "Order more; V1 does not tell its minimum.",
    e.AboveMaximum: "Order less, or in several parts.",
    e.PriceOutOfBand: "Compare the price with depth(), and its decimals with symbols().",
    e.PrecisionTooHigh: "Round price and amount to the decimals in symbols().",
    e.CancelRefused: "See order(): it may be filled or canceled already.",
    e.TradingSuspended: "Wait, or see the exchange's site: market or account is frozen.",
    e.OrderRejected: "See the venue's words.",
    e.ProtocolError: "Check the venue's address; something else may be answering there.",
    e.CdcxError: "If it keeps happening, please report it with this text.",
}
_UNKNOWN_SYMBOL = "V1 answers so to an unknown symbol too: check it against symbols()."


# ---------------------------------------------------------------------------------- reading


def by_code(
    code: str, message: str, response: HttpResponse, operation: Operation[Any] | None
) -> e.CdcxError:
    """Return the exception an error code becomes."""
    if response.status == 429:
        return by_status(response, operation)
    row = codes.TABLE.get(code)
    if row is not None:
        kind, meaning = row.kind, row.meaning
    else:
        kind, meaning = _of_unknown_code(response, operation), "one this version does not know"
    return kind(
        f"The venue answered code {r.excerpt(code)} ({meaning}).",
        why=f"Its words: {r.excerpt(message)!r}." if message else "It said nothing more.",
        todo=_ADVICE[kind],
        code=code,
        sent="yes",
    )


def _of_unknown_code(response: HttpResponse, operation: Operation[Any] | None) -> type[e.CdcxError]:
    if 400 <= response.status < 600:
        return type(by_status(response, operation))
    return e.OrderRejected if isinstance(operation, op.PlaceOrder) else e.CdcxError


def by_status(response: HttpResponse, operation: Operation[Any] | None) -> e.CdcxError:
    """Return the exception an HTTP status becomes when there is no code to tell better."""
    status = response.status
    kind, meaning = _STATUSES.get(status) or _of_unknown_status(status)
    body = r.excerpt(response.body).strip()
    todo = _ADVICE[kind]
    if status == 500 and hasattr(operation, "symbol"):
        todo = f"{todo} {_UNKNOWN_SYMBOL}"
    error = kind(
        f"The venue answered HTTP {status}: {meaning}.",
        why=f"The body says: {body!r}." if body else "The body is empty.",
        todo=todo,
        http_status=status,
        sent="yes",
    )
    if isinstance(error, e.RateLimited):
        error.retry_after = _retry_after(response.headers.get("retry-after"))
    return error


def _of_unknown_status(status: int) -> tuple[type[e.CdcxError], str]:
    if status >= 500:
        return e.ServerError, "the server failed"
    if status >= 400:
        return e.BadRequest, "the request was refused"
    return e.ProtocolError, "an answer that is none"


def _retry_after(value: str | None) -> float | None:
    try:
        told = float(value or "")
    except ValueError:
        return None
    return told if 0 <= told < 10**6 else None


# ---------------------------------------------------------------------------------- writing


def write_error(error: e.CdcxError) -> HttpResponse:
    """Write an error: the envelope with data null, or a text without envelope for too many."""
    if isinstance(error, e.RateLimited) and error.code is None:
        headers = {"content-type": "text/html"}
        if error.retry_after is not None:
            headers["retry-after"] = f"{error.retry_after:g}"
        return HttpResponse(429, b"Too Many Requests", headers)
    code, message = codes.written_as(error)
    # Seen on the exchange: market calls answer an unknown symbol with HTTP 500.
    status = 500 if isinstance(error, e.UnknownSymbol) else 404 if code == "-100" else 200
    return respond(error.http_status or status, {"code": code, "msg": message, "data": None})


def respond(status: int, envelope: object) -> HttpResponse:
    """Write an envelope as the platform's servers did."""
    headers = {"content-type": "application/json;charset=utf-8"}
    return HttpResponse(status, r.write_json(envelope), headers)
