"""The exchange's errors over HTTP: what an answer that is none means, and how one is written.

A code in the envelope tells more than the HTTP status, and the status more than the body: a
refused order comes as 400 or 500 although nothing is wrong with the server. Texts are kept for
the person and never decided on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdcx_pandas import errors as e
from cdcx_pandas import operations as op
from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.exchange import codes
from cdcx_pandas.messages import HttpResponse

if TYPE_CHECKING:
    from cdcx_pandas.operations import Operation

_STATUSES: dict[int, tuple[type[e.CdcxError], str]] = {
    400: (e.BadRequest, "bad request"),
    401: (e.AuthError, "unauthorized"),
    403: (e.PermissionDenied, "forbidden"),
    404: (e.NotFound, "not found"),
    408: (e.ServerError, "the server waited too long"),
    418: (e.PermissionDenied, "this address is banned for a while"),
    429: (e.RateLimited, "too many requests"),
    503: (e.Maintenance, "the server is busy or in maintenance"),
}

_ADVICE: dict[type[e.CdcxError], str] = {
    e.AuthError: "Check that key and secret belong together and to this venue (the test system"
    " has its own), that the key has the right for this, and the clock.",
    e.ClockSkew: "Set the clock of this machine; the exchange allows 60 seconds.",
    e.PermissionDenied: "See the key's rights and its address whitelist on the exchange's site.",
    e.RateLimited: "Ask less often; use live() instead of polling.",
    e.ServerError: "Ask again a little later.",
    e.Maintenance: "Wait; the exchange says when it will be back.",
    e.NotFound: "Check the venue's address: it ends in /exchange/v1.",
    e.OrderNotFound: "Check the id: an order that ended long ago, or just now, is not found.",
    e.BadRequest: "Check the arguments.",
    e.UnknownSymbol: "Check it against symbols().",
    e.BadTime: "Check start and end.",
    e.InsufficientFunds: "Compare with account(): open orders hold what they may need.",
    e.BelowMinimum: "Order at least the market's amount_min in symbols().",
    e.AboveMaximum: "Order less, or in several parts.",
    e.PriceOutOfBand: "Compare the price with depth().",
    e.PrecisionTooHigh: "Round price and amount to the ticks in symbols().",
    e.TradingSuspended: "Wait, or see the exchange's site: market or account is frozen.",
    e.OrderRejected: "See the venue's words; order() tells what became of an order with an id.",
    e.ProtocolError: "Check the venue's address; something else may be answering there.",
    e.CdcxError: "If it keeps happening, please report it with this text.",
}
_PLACING = (op.PlaceOrder, op.PlaceOrders, op.AmendOrder)


# ---------------------------------------------------------------------------------- reading


def by_code(
    code: str,
    message: str,
    response: HttpResponse,
    operation: Operation[Any] | None,
    order_id: str | None = None,
) -> e.CdcxError:
    """Return the exception an error code becomes.

    `order_id` is the id of an order that was made and refused at once.
    """
    row = codes.TABLE.get(code)
    if row is not None:
        kind, meaning = _kind_of(row.kind, operation), row.meaning
    elif response.status == 429:
        return by_status(response)
    else:
        kind, meaning = _of_unknown_code(response, operation), "one this version does not know"
    if order_id is not None and not issubclass(kind, e.OrderRejected):
        kind = e.OrderRejected
    error = kind(
        f"The venue answered code {r.excerpt(code)} ({meaning}).",
        why=f"Its words: {r.excerpt(message)!r}." if message else "It said nothing more.",
        todo=_ADVICE[kind],
        code=code,
        http_status=response.status,
        sent="yes",
    )
    if isinstance(error, e.OrderRejected):
        error.order_id = order_id
    if isinstance(error, e.RateLimited):
        error.retry_after = _retry_after(response)
    return error


def _kind_of(kind: type[e.CdcxError], operation: Operation[Any] | None) -> type[e.CdcxError]:
    is_order = kind is e.NotFound and isinstance(operation, codes.ABOUT_ORDERS)
    return e.OrderNotFound if is_order else kind


def _of_unknown_code(response: HttpResponse, operation: Operation[Any] | None) -> type[e.CdcxError]:
    if isinstance(operation, _PLACING) and response.status < 500:
        return e.OrderRejected
    if 400 <= response.status < 600:
        return type(by_status(response))
    return e.CdcxError


def by_status(response: HttpResponse) -> e.CdcxError:
    """Return the exception an HTTP status becomes when there is no code to tell better."""
    status = response.status
    kind, meaning = _STATUSES.get(status) or _of_unknown_status(status)
    body = r.excerpt(response.body).strip()
    error = kind(
        f"The venue answered HTTP {status}: {meaning}.",
        why=f"The body says: {body!r}." if body else "The body is empty.",
        todo=_ADVICE[kind],
        http_status=status,
        sent="yes",
    )
    if isinstance(error, e.RateLimited):
        error.retry_after = _retry_after(response)
    return error


def _of_unknown_status(status: int) -> tuple[type[e.CdcxError], str]:
    if status >= 500:
        return e.ServerError, "the server failed"
    if status >= 400:
        return e.BadRequest, "the request was refused"
    return e.ProtocolError, "an answer that is none"


def _retry_after(response: HttpResponse) -> float | None:
    try:
        told = float(response.headers.get("retry-after") or "")
    except ValueError:
        return None
    return told if 0 <= told < 10**6 else None


# ---------------------------------------------------------------------------------- writing


def write_error(
    error: e.CdcxError, operation: Operation[Any] | None, envelope: dict[str, Any]
) -> HttpResponse:
    """Write an error: the envelope with code and message, and the id of a refused order.

    A path that nobody serves is answered by the web framework, in its own form.
    """
    told: dict[str, Any]
    if operation is None and type(error) is e.NotFound and error.code is None:
        told = {"status": 404, "error": "Not Found", "path": f"/v1{error.endpoint or ''}"}
        return respond(404, told)
    code, message, status = codes.written_as(error, operation)
    told = envelope | {"code": int(code), "message": message}
    if isinstance(error, e.OrderRejected) and error.order_id is not None:
        told["result"] = {"order_id": error.order_id}
        if isinstance(operation, op.PlaceOrder) and operation.client_id is not None:
            told["result"] = {"client_oid": operation.client_id} | told["result"]
    response = respond(error.http_status or status, told)
    if isinstance(error, e.RateLimited) and error.retry_after is not None:
        response.headers["retry-after"] = f"{error.retry_after:g}"
    return response


def respond(status: int, body: object) -> HttpResponse:
    """Write a body as the exchange's servers do."""
    return HttpResponse(status, r.write_json(body), {"content-type": "application/json"})
