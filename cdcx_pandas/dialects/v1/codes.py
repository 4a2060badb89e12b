"""V1's error codes and the exception each becomes.

The codes are those of the white-label platform the exchange was founded on; 100004, 100005
and 22 were seen on the exchange itself. Texts can be in any language: never match on them.
"""

from __future__ import annotations

from cdcx_pandas import errors as e

CODES: dict[str, type[e.CdcxError]] = {
    "1": e.ServerError,
    "2": e.BadRequest,
    "3": e.AuthError,
    "4": e.InsufficientFunds,
    "5": e.PriceOutOfBand,
    "6": e.BelowMinimum,
    "7": e.AboveMaximum,
    "8": e.CancelRefused,
    "9": e.TradingSuspended,
    "13": e.ServerError,
    "19": e.InsufficientFunds,
    "22": e.OrderNotFound,
    "23": e.BadRequest,
    "24": e.BadRequest,
    "25": e.PrecisionTooHigh,
    "31": e.BelowMinimum,
    "32": e.PriceOutOfBand,
    "33": e.AboveMaximum,
    "34": e.RateLimited,
    "10034": e.InsufficientFunds,
    "10062": e.PrecisionTooHigh,
    "10063": e.BelowMinimum,
    "10069": e.OrderRejected,
    "101117": e.OrderRejected,
    "100001": e.ServerError,
    "100002": e.Maintenance,
    "100004": e.BadRequest,
    "100005": e.AuthError,
    "100007": e.PermissionDenied,
    "101999": e.TradingSuspended,
    "110002": e.BadRequest,
    "110003": e.PermissionDenied,
    "110004": e.PermissionDenied,
    "110005": e.InsufficientFunds,
    "110020": e.AuthError,
    "110023": e.BadRequest,
    "110024": e.BadRequest,
    "110025": e.PermissionDenied,
    "110032": e.PermissionDenied,
    "110033": e.ServerError,
    "110034": e.ServerError,
    "-100": e.NotFound,
    "-1000": e.Maintenance,
}

MEANINGS = {
    "1": "system error",
    "2": "bad parameter",
    "3": "not logged in",
    "4": "insufficient balance",
    "5": "order rejected for its price or precision",
    "6": "volume below the minimum",
    "7": "volume above the maximum",
    "8": "cancel failed",
    "9": "trading frozen",
    "13": "internal error, contact support",
    "19": "available balance insufficient",
    "22": "order does not exist",
    "23": "the volume is missing",
    "24": "the price is missing",
    "25": "price or volume has too many decimals",
    "31": "price or amount below the minimum",
    "32": "price outside the daily band",
    "33": "volume above the maximum",
    "34": "too many orders",
    "10034": "insufficient balance",
    "10062": "too many decimals",
    "10063": "volume below the minimum",
    "10069": "market orders not allowed for the pair",
    "101117": "market orders not allowed for the pair",
    "100001": "system abnormal",
    "100002": "system upgrade",
    "100004": "request parameter illegal",
    "100005": "signature wrong",
    "100007": "internet address not allowed",
    "101999": "pair not open",
    "110002": "unknown coin code",
    "110003": "fund password wrong",
    "110004": "withdrawal frozen",
    "110005": "available balance insufficient",
    "110020": "user unknown",
    "110023": "phone registered",
    "110024": "email registered",
    "110025": "account locked by the back office",
    "110032": "no permission for this operation",
    "110033": "deposit failed",
    "110034": "withdrawal failed",
    "-100": "path does not exist, or wrong method",
    "-1000": "maintenance",
}
"""What each code means, in our words."""

WRITTEN: dict[type[e.CdcxError], tuple[str, str]] = {
    e.InsufficientFunds: ("19", "Available balance is insufficient"),
    e.PriceOutOfBand: ("5", "Price fluctuates more than1000.0%"),
    e.BelowMinimum: ("6", "Less than the minimum volume"),
    e.AboveMaximum: ("7", "More than the maximum volume"),
    e.PrecisionTooHigh: ("5", "Precision of price or volume is too high"),
    e.CancelRefused: ("8", "Order cancellation failed"),
    e.TradingSuspended: ("9", "Trading is frozen"),
    e.OrderNotFound: ("22", "not exist order"),
    e.PermissionDenied: ("110032", "no permission for this operation"),
    e.Maintenance: ("100002", "System upgrade"),
    e.ServerError: ("100001", "System abnormal"),
    e.AuthError: ("100005", "request sign illegal"),
    e.NotFound: ("-100", "Your request path is not exist or you can try method GET/POST."),
    e.OrderRejected: ("5", "Order rejected"),
    e.BadRequest: ("100004", "request parameter illegal"),
}
"""What the server writes for our exceptions; the first base that is listed counts.

An error that carries a code of its own is written with that one.
"""


def written_as(error: e.CdcxError) -> tuple[str, str]:
    """Return code and message for an error, as the server writes them."""
    if error.code in CODES:
        texts = dict(WRITTEN.values())
        return error.code, texts.get(error.code, MEANINGS[error.code])
    for kind in type(error).__mro__:
        if kind in WRITTEN:
            return WRITTEN[kind]
    return WRITTEN[e.ServerError]
