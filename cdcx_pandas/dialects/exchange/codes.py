"""The exchange's error codes: the exception each becomes, and the code each is written as.

Names and HTTP statuses are those of the exchange's own table; a status is written and never
decided on, since orders are refused as 400 and as 500 alike. Which kind of thing was not found
depends on what was asked, and is decided in `failures`.
"""

from __future__ import annotations

from typing import NamedTuple

from cdcx_pandas import errors as e
from cdcx_pandas import operations as op


class Code(NamedTuple):
    """What an error code becomes, its name, the HTTP status it comes with, and its meaning."""

    kind: type[e.CdcxError]
    name: str
    status: int
    meaning: str


_RETIRED = "a code of the retired /v2/ generation"

TABLE: dict[str, Code] = {
    "201": Code(e.OrderRejected, "NO_POSITION", 500, "no position"),
    "202": Code(e.TradingSuspended, "ACCOUNT_IS_SUSPENDED", 400, "account is suspended"),
    "203": Code(e.OrderRejected, "ACCOUNTS_DO_NOT_MATCH", 500, "accounts do not match"),
    "204": Code(e.OrderRejected, "DUPLICATE_CLORDID", 400, "duplicate client order id"),
    "205": Code(e.OrderRejected, "DUPLICATE_ORDERID", 500, "duplicate order id"),
    "206": Code(e.TradingSuspended, "INSTRUMENT_EXPIRED", 500, "instrument has expired"),
    "207": Code(e.OrderRejected, "NO_MARK_PRICE", 400, "no mark price"),
    "208": Code(e.TradingSuspended, "INSTRUMENT_NOT_TRADABLE", 400, "instrument is not tradable"),
    "209": Code(e.UnknownSymbol, "INVALID_INSTRUMENT", 400, "instrument is invalid"),
    "210": Code(e.BadRequest, "INVALID_ACCOUNT", 500, "account is invalid"),
    "211": Code(e.BadRequest, "INVALID_CURRENCY", 500, "currency is invalid"),
    "212": Code(e.NotFound, "INVALID_ORDERID", 500, "no such order id"),
    "213": Code(
        e.PrecisionTooHigh, "INVALID_ORDERQTY", 400, "the amount is not on the tick, or no number"
    ),
    "214": Code(e.BadRequest, "INVALID_SETTLE_CURRENCY", 500, "invalid settlement currency"),
    "215": Code(e.BadRequest, "INVALID_FEE_CURRENCY", 500, "invalid fee currency"),
    "216": Code(e.OrderRejected, "INVALID_POSITION_QTY", 500, "invalid position quantity"),
    "217": Code(e.OrderRejected, "INVALID_OPEN_QTY", 500, "invalid open quantity"),
    "218": Code(e.BadRequest, "INVALID_ORDTYPE", 400, "invalid order_type"),
    "219": Code(e.BadRequest, "INVALID_EXECINST", 500, "invalid exec_inst"),
    "220": Code(e.BadRequest, "INVALID_SIDE", 400, "invalid side"),
    "221": Code(e.BadRequest, "INVALID_TIF", 400, "invalid time_in_force"),
    "222": Code(e.OrderRejected, "STALE_MARK_PRICE", 400, "stale mark price"),
    "223": Code(e.BadRequest, "NO_CLORDID", 400, "no client order id"),
    "224": Code(e.OrderRejected, "REJ_BY_MATCHING_ENGINE", 400, "rejected by matching engine"),
    "225": Code(
        e.OrderRejected, "EXCEED_MAXIMUM_ENTRY_LEVERAGE", 400, "exceeds maximum entry leverage"
    ),
    "226": Code(e.BadRequest, "INVALID_LEVERAGE", 400, "invalid leverage"),
    "227": Code(e.BadRequest, "INVALID_SLIPPAGE", 400, "invalid slippage"),
    "228": Code(e.BadRequest, "INVALID_FLOOR_PRICE", 400, "invalid floor price"),
    "229": Code(e.BadRequest, "INVALID_REF_PRICE", 400, "invalid ref price"),
    "230": Code(e.BadRequest, "INVALID_REF_PRICE_TYPE", 400, "invalid ref price type"),
    "301": Code(e.OrderRejected, "ACCOUNT_IS_IN_MARGIN_CALL", 500, "account is in margin call"),
    "302": Code(e.OrderRejected, "EXCEEDS_ACCOUNT_RISK_LIMIT", 500, "exceeds account risk limit"),
    "303": Code(e.OrderRejected, "EXCEEDS_POSITION_RISK_LIMIT", 500, "exceeds position risk limit"),
    "304": Code(
        e.OrderRejected,
        "ORDER_WILL_LEAD_TO_IMMEDIATE_LIQUIDATION",
        500,
        "order will lead to immediate liquidation",
    ),
    "305": Code(
        e.OrderRejected, "ORDER_WILL_TRIGGER_MARGIN_CALL", 500, "order will trigger margin call"
    ),
    "306": Code(
        e.InsufficientFunds, "INSUFFICIENT_AVAILABLE_BALANCE", 500, "not enough available balance"
    ),
    "307": Code(e.OrderRejected, "INVALID_ORDSTATUS", 500, "invalid order status"),
    "308": Code(
        e.PrecisionTooHigh, "INVALID_PRICE", 400, "the price is not on the tick, or no text"
    ),
    "309": Code(e.TradingSuspended, "MARKET_IS_NOT_OPEN", 500, "market is not open"),
    "310": Code(
        e.OrderRejected,
        "ORDER_PRICE_BEYOND_LIQUIDATION_PRICE",
        500,
        "order price beyond liquidation price",
    ),
    "311": Code(e.OrderRejected, "POSITION_IS_IN_LIQUIDATION", 500, "position is in liquidation"),
    "312": Code(
        e.PriceOutOfBand,
        "ORDER_PRICE_GREATER_THAN_LIMITUPPRICE",
        500,
        "order price is greater than the limit up price",
    ),
    "313": Code(
        e.PriceOutOfBand,
        "ORDER_PRICE_LESS_THAN_LIMITDOWNPRICE",
        500,
        "order price is less than the limit down price",
    ),
    "314": Code(e.AboveMaximum, "EXCEEDS_MAX_ORDER_SIZE", 400, "larger than an order may be"),
    "315": Code(
        e.PriceOutOfBand, "FAR_AWAY_LIMIT_PRICE", 400, "a limit price too far from the market"
    ),
    "316": Code(e.NotFound, "NO_ACTIVE_ORDER", 500, "no active order"),
    "317": Code(e.OrderRejected, "POSITION_NO_EXIST", 500, "position does not exist"),
    "318": Code(e.OrderRejected, "EXCEEDS_MAX_ALLOWED_ORDERS", 400, "exceeds max allowed orders"),
    "319": Code(e.AboveMaximum, "EXCEEDS_MAX_POSITION_SIZE", 400, "exceeds max position size"),
    "320": Code(e.InsufficientFunds, "EXCEEDS_INITIAL_MARGIN", 500, "exceeds initial margin"),
    "321": Code(
        e.InsufficientFunds,
        "EXCEEDS_MAX_AVAILABLE_BALANCE",
        500,
        "exceeds maximum available balance",
    ),
    "325": Code(e.AboveMaximum, "EXCEED_DAILY_VOL_LIMIT", 400, "more than a day may trade"),
    "401": Code(e.PermissionDenied, "ACCOUNT_DOES_NOT_EXIST", 400, "account does not exist"),
    "406": Code(e.PermissionDenied, "ACCOUNT_IS_NOT_ACTIVE", 500, "account is not active"),
    "407": Code(
        e.PermissionDenied, "MARGIN_UNIT_DOES_NOT_EXIST", 500, "margin unit does not exist"
    ),
    "408": Code(e.PermissionDenied, "MARGIN_UNIT_IS_SUSPENDED", 400, "margin unit is suspended"),
    "409": Code(e.PermissionDenied, "INVALID_USER", 500, "invalid user"),
    "410": Code(e.PermissionDenied, "USER_IS_NOT_ACTIVE", 500, "user is not active"),
    "411": Code(
        e.PermissionDenied, "USER_NO_DERIV_ACCESS", 500, "user does not have derivative access"
    ),
    "412": Code(
        e.PermissionDenied,
        "ACCOUNT_NO_DERIV_ACCESS",
        500,
        "account does not have derivative access",
    ),
    "415": Code(e.BelowMinimum, "BELOW_MIN_ORDER_SIZE", 500, "below Min. Order Size"),
    "416": Code(e.PermissionDenied, "USER_NO_MARGIN_ACCESS", 400, "no margin for this account"),
    "501": Code(
        e.OrderRejected,
        "EXCEED_MAXIMUM_EFFECTIVE_LEVERAGE",
        500,
        "exceeds maximum effective leverage",
    ),
    "604": Code(e.ServerError, "INVALID_COLLATERAL_PRICE", 500, "invalid collateral price"),
    "605": Code(e.ServerError, "INVALID_MARGIN_CALC", 500, "invalid margin calculation"),
    "606": Code(e.PriceOutOfBand, "EXCEED_ALLOWED_SLIPPAGE", 500, "exceed allowed slippage"),
    "613": Code(e.BadRequest, "INVALID_ISOLATION_ID", 500, "invalid isolation ID"),
    "614": Code(
        e.OrderRejected,
        "EXCEEDS_ISOLATED_POSITION_LIMIT",
        500,
        "exceeds maximum allowed number of isolated position",
    ),
    "615": Code(
        e.OrderRejected,
        "ACCOUNT_DOES_NOT_SUPPORT_ISOLATED_POSITION",
        500,
        "account does not support isolated position",
    ),
    "616": Code(
        e.OrderRejected,
        "CREATE_ISOLATED_POSITION_FAILED",
        500,
        "failed to create isolated position",
    ),
    "617": Code(
        e.OrderRejected,
        "DUPLICATED_INSTRUMENT_ORDER_FOR_ISOLATED_MARGIN",
        500,
        "there is an isolated position in the instrument",
    ),
    "618": Code(
        e.OrderRejected,
        "TOO_MANY_PENDING_ISOLATED_MARGIN_REQUESTS",
        500,
        "exceeds request limit for isolated margin order",
    ),
    "619": Code(
        e.OrderRejected,
        "UNSUPPORTED_OPERATION_ON_ISOLATED_POSITION",
        500,
        "unsupported operation on isolated position",
    ),
    "620": Code(
        e.ServerError,
        "CREATE_ISOLATED_POSITION_TIMEOUT",
        500,
        "request for create isolated position has timed out",
    ),
    "1110": Code(
        e.OrderRejected, "REDUCE_ONLY_REJECTED", 400, "reduce-only order would not reduce"
    ),
    "30024": Code(e.AboveMaximum, "MAX_AMOUNT_VIOLATED", 400, "more than may be moved"),
    "40001": Code(e.BadRequest, "BAD_REQUEST", 400, "bad request"),
    "40002": Code(e.NotFound, "METHOD_NOT_FOUND", 400, "no such method"),
    "40003": Code(e.BadRequest, "INVALID_REQUEST", 400, "invalid request"),
    "40004": Code(
        e.BadRequest, "MISSING_OR_INVALID_ARGUMENT", 400, "an argument is missing or wrong"
    ),
    "40005": Code(e.BadTime, "INVALID_DATE", 400, "invalid date"),
    "40006": Code(e.BadRequest, "DUPLICATE_REQUEST", 400, "duplicate request received"),
    "40007": Code(e.BadRequest, "BAD_REQUEST", 400, "bad request"),
    "40101": Code(
        e.AuthError,
        "UNAUTHORIZED",
        401,
        "key, secret or signature is wrong, or an amount was sent as a number",
    ),
    "40102": Code(e.ClockSkew, "INVALID_NONCE", 400, "the signed time is more than 60 seconds off"),
    "40103": Code(e.PermissionDenied, "IP_ILLEGAL", 401, "iP address not whitelisted"),
    "40104": Code(e.PermissionDenied, "USER_TIER_INVALID", 401, "disallowed based on user tier"),
    "40107": Code(
        e.BadRequest, "EXCEED_MAX_SUBSCRIPTIONS", 400, "too many channels on one connection"
    ),
    "40401": Code(e.NotFound, "NOT_FOUND", 200, "not found"),
    "40801": Code(e.ServerError, "REQUEST_TIMEOUT", 408, "request has timed out"),
    "42901": Code(e.RateLimited, "TOO_MANY_REQUESTS", 429, "requests have exceeded rate limits"),
    "43003": Code(e.OrderRejected, "FILL_OR_KILL", 500, "fill-or-kill order not filled whole"),
    "43004": Code(
        e.OrderRejected, "IMMEDIATE_OR_CANCEL", 500, "immediate-or-cancel order not filled"
    ),
    "43005": Code(e.OrderRejected, "POST_ONLY_REJ", 500, "post-only order would have met another"),
    "43012": Code(e.OrderRejected, "SELF_TRADE_PREVENTION", 200, "it would have met an own order"),
    "50001": Code(
        e.ServerError,
        "ERR_INTERNAL",
        400,
        "internal error; also a GET for a POST, or the other way round",
    ),
    "50002": Code(
        e.PermissionDenied, "DW_CREDIT_LINE_NOT_MAINTAINED", 400, "credit line not maintained"
    ),
    "50007": Code(e.BadRequest, "INVALID_TRIGGER_PRICE", 400, "trigger price is wrong"),
    "50010": Code(e.BadRequest, "INVALID_ORDER_PARAMETERS", 400, "order parameters are wrong"),
    "120009": Code(e.OrderRejected, "REJECTED", 500, "request rejected by upstream service"),
    "130008": Code(
        e.BadRequest, "NON_APPLICABLE", 500, "operation not applicable for current state"
    ),
    "140001": Code(e.PermissionDenied, "API_DISABLED", 400, "not served by this method"),
    "5000811": Code(
        e.PermissionDenied,
        "WITHDRAW_ADDRESS_NOT_IN_WHITE_LIST",
        400,
        "address is not on the list of the account",
    ),
    "9010001": Code(e.Maintenance, "SYSTEM_MAINTENANCE", 503, "maintenance"),
    # The generation before today's: old documents and issues name them.
    "10001": Code(e.ServerError, "SYS_ERROR", 400, _RETIRED),
    "10002": Code(e.AuthError, "UNAUTHORIZED", 400, _RETIRED),
    "10003": Code(e.PermissionDenied, "IP_ILLEGAL", 400, _RETIRED),
    "10004": Code(e.BadRequest, "BAD_REQUEST", 400, _RETIRED),
    "10005": Code(e.PermissionDenied, "USER_TIER_INVALID", 400, _RETIRED),
    "10006": Code(e.RateLimited, "TOO_MANY_REQUESTS", 400, _RETIRED),
    "10007": Code(e.ClockSkew, "INVALID_NONCE", 400, _RETIRED),
    "10008": Code(e.NotFound, "METHOD_NOT_FOUND", 400, _RETIRED),
    "10009": Code(e.BadTime, "INVALID_DATE_RANGE", 400, _RETIRED),
    "20001": Code(e.BadRequest, "DUPLICATE_RECORD", 400, _RETIRED),
    "20002": Code(e.InsufficientFunds, "NEGATIVE_BALANCE", 400, _RETIRED),
}

CODES: dict[str, type[e.CdcxError]] = {code: row.kind for code, row in TABLE.items()}

ABOUT_ORDERS = (
    op.GetOrder, op.PlaceOrder, op.AmendOrder, op.CancelOrder, op.CancelOrders, op.CancelAllOrders,
)  # fmt: skip
"""Questions of which "not found" means the order."""

WORDS = frozenset(
    {
        "Invalid book_subscription_type",
        "Invalid depth",
        "Invalid instrument_name",
        "Invalid limit",
        "Invalid quantity format",
        "Invalid valuation_type",
        "Missing instrument_name param",
    }
)
"""Texts that were seen in the place of a name; a refusal that says one is written with it."""

WRITTEN: dict[type[e.CdcxError], str] = {
    e.UnknownSymbol: "40004",
    e.BadTime: "40005",
    e.BadPeriod: "40003",
    e.BadRequest: "40004",
    e.ClockSkew: "40102",
    e.AuthError: "40101",
    e.PermissionDenied: "40103",
    e.OrderNotFound: "40401",
    e.NotFound: "40401",
    e.RateLimited: "42901",
    e.Maintenance: "9010001",
    e.ServerError: "50001",
    e.InsufficientFunds: "306",
    e.BelowMinimum: "415",
    e.AboveMaximum: "314",
    e.PriceOutOfBand: "315",
    e.PrecisionTooHigh: "213",
    e.CancelRefused: "316",
    e.TradingSuspended: "208",
    e.OrderRejected: "224",
    e.Unsupported: "40002",
}
"""Which code the server writes for an exception that carries none of its own.

The first base that is listed counts.
"""


def written_as(error: e.CdcxError, operation: op.Operation[object] | None) -> tuple[str, str, int]:
    """Return code, message and HTTP status of an error, as the server writes them.

    An order that is not there is told in three ways, by what was asked of it
    (docs/protocol-exchange.md, 7).
    """
    code = error.code
    if code is None or code not in TABLE:
        kinds = (kind for kind in type(error).__mro__ if kind in WRITTEN)
        kind = next(kinds, e.ServerError)
        code = WRITTEN[kind]
        if kind is e.OrderNotFound and isinstance(operation, op.CancelOrder):
            code = "316"
        elif kind is e.OrderNotFound and isinstance(operation, op.AmendOrder):
            code = "212"
    row = TABLE[code]
    if isinstance(error, e.UnknownSymbol) and code == "40004":
        return code, "Invalid instrument_name", row.status
    return code, error.what if error.what in WORDS else row.name, row.status
