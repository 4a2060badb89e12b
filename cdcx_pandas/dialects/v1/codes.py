"""V1's error codes: the exception each becomes, and the code each exception is written as.

The codes are those of the white-label platform the exchange was founded on; 100004, 100005
and 22 were seen on the exchange itself. Texts can be in any language: never match on them.
"""

from __future__ import annotations

from typing import NamedTuple

from cdcx_pandas import errors as e


class Code(NamedTuple):
    """What an error code becomes, what it means in our words, and the platform's own words."""

    kind: type[e.CdcxError]
    meaning: str
    words: str = ""


TABLE: dict[str, Code] = {
    "1": Code(e.ServerError, "system error"),
    "2": Code(e.BadRequest, "bad parameter"),
    "3": Code(e.AuthError, "not logged in"),
    "4": Code(e.InsufficientFunds, "insufficient balance"),
    "5": Code(
        e.PriceOutOfBand,
        "order rejected for its price or precision",
        "Price fluctuates more than1000.0%",
    ),
    "6": Code(e.BelowMinimum, "volume below the minimum"),
    "7": Code(e.AboveMaximum, "volume above the maximum"),
    "8": Code(e.CancelRefused, "cancel failed", "Order cancellation failed"),
    "9": Code(e.TradingSuspended, "trading frozen"),
    "13": Code(e.ServerError, "internal error, contact support"),
    "19": Code(
        e.InsufficientFunds,
        "available balance insufficient",
        "Available balance is insufficient",
    ),
    "22": Code(e.OrderNotFound, "order does not exist", "not exist order"),
    "23": Code(e.BadRequest, "the volume is missing"),
    "24": Code(e.BadRequest, "the price is missing"),
    "25": Code(e.PrecisionTooHigh, "price or volume has too many decimals"),
    "31": Code(e.BelowMinimum, "price or amount below the minimum"),
    "32": Code(e.PriceOutOfBand, "price outside the daily band"),
    "33": Code(e.AboveMaximum, "volume above the maximum"),
    "34": Code(e.RateLimited, "too many orders"),
    "10034": Code(e.InsufficientFunds, "insufficient balance"),
    "10062": Code(e.PrecisionTooHigh, "too many decimals"),
    "10063": Code(e.BelowMinimum, "volume below the minimum"),
    "10069": Code(e.OrderRejected, "market orders not allowed for the pair"),
    "101117": Code(e.OrderRejected, "market orders not allowed for the pair"),
    "100001": Code(e.ServerError, "system abnormal"),
    "100002": Code(e.Maintenance, "system upgrade"),
    "100004": Code(e.BadRequest, "request parameter illegal"),
    "100005": Code(e.AuthError, "signature wrong", "request sign illegal"),
    "100007": Code(e.PermissionDenied, "internet address not allowed"),
    "101999": Code(e.TradingSuspended, "pair not open"),
    "110002": Code(e.BadRequest, "unknown coin code"),
    "110003": Code(e.PermissionDenied, "fund password wrong"),
    "110004": Code(e.PermissionDenied, "withdrawal frozen"),
    "110005": Code(e.InsufficientFunds, "available balance insufficient"),
    "110020": Code(e.AuthError, "user unknown"),
    "110023": Code(e.BadRequest, "phone registered"),
    "110024": Code(e.BadRequest, "email registered"),
    "110025": Code(e.PermissionDenied, "account locked by the back office"),
    "110032": Code(e.PermissionDenied, "no permission for this operation"),
    "110033": Code(e.ServerError, "deposit failed"),
    "110034": Code(e.ServerError, "withdrawal failed"),
    "-100": Code(
        e.NotFound,
        "path does not exist, or wrong method",
        "Your request path is not exist or you can try method GET/POST.",
    ),
    "-1000": Code(e.Maintenance, "maintenance", "System maintenance!"),
}

CODES: dict[str, type[e.CdcxError]] = {code: row.kind for code, row in TABLE.items()}

WRITTEN: dict[type[e.CdcxError], tuple[str, str]] = {
    e.InsufficientFunds: ("19", ""),
    e.PriceOutOfBand: ("5", ""),
    e.PrecisionTooHigh: ("5", "Precision of price or volume is too high"),
    e.OrderRejected: ("5", "Order rejected"),
    e.BelowMinimum: ("6", ""),
    e.AboveMaximum: ("7", ""),
    e.CancelRefused: ("8", ""),
    e.TradingSuspended: ("9", ""),
    e.OrderNotFound: ("22", ""),
    e.NotFound: ("-100", ""),
    e.PermissionDenied: ("110032", ""),
    e.Maintenance: ("100002", ""),
    e.ServerError: ("100001", ""),
    e.AuthError: ("100005", ""),
    e.BadRequest: ("100004", ""),
}
"""Code and, where they are not the code's own, words that the server writes for an exception.

The first base that is listed counts. Code 5 says "price or precision" and no more, so a
client reads whatever is written so as the likeliest: a price out of band.
"""


def written_as(error: e.CdcxError) -> tuple[str, str]:
    """Return code and message of an error, as the server writes them.

    One that carries a code of V1's own is written with that.
    """
    code, words = error.code, ""
    if code is None or code not in TABLE:
        kinds = (kind for kind in type(error).__mro__ if kind in WRITTEN)
        code, words = WRITTEN[next(kinds, e.ServerError)]
    row = TABLE[code]
    return code, words or row.words or row.meaning
