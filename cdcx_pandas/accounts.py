"""What a venue tells the owner of a key, as DataFrames. All of it is signed; none of it acts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdcx_pandas.arguments import to_range
from cdcx_pandas.errors import BadRequest, ProtocolError
from cdcx_pandas.operations import (
    GetAccount,
    GetFees,
    GetMyTrades,
    GetOpenOrders,
    GetOrder,
    GetOrderHistory,
    GetPositions,
)
from cdcx_pandas.session import Session, current_session

if TYPE_CHECKING:
    import pandas as pd

    from cdcx_pandas.arguments import Time


def account(*, exact: bool = False, session: Session | None = None) -> pd.DataFrame:
    """Return the balances.

    Parameters
    ----------
    exact
        Numbers as `Decimal` instead of float64.
    session
        Where to ask; the default session without.

    Returns
    -------
    pandas.DataFrame
        Index ``coin`` (upper case); columns ``available locked total`` (in the coin) and
        ``btc_value`` (BTC, NaN where not told). ``attrs["cdcx"]`` has the venue's own total:
        ``total_btc`` on V1, ``total_usd`` today.

    Raises
    ------
    MissingCredentials, AuthError, PermissionDenied
        No key, a wrong one, or one that may not.

    Notes
    -----
    V1: ``POST /v1/account``. Today: ``private/user-balance``; available is what is not reserved.

    Examples
    --------
    >>> float(account().loc["USDT", "total"])
    100000.0
    """
    session = session or current_session()
    return session.frame(GetAccount(), exact=exact)


def order(
    id: str | int,
    symbol: str | None = None,
    *,
    exact: bool = False,
    session: Session | None = None,
) -> pd.DataFrame:
    """Return one order.

    Parameters
    ----------
    id
        The venue's id of the order.
    symbol
        Its market; V1 needs it.
    exact
        Numbers as `Decimal` instead of float64.
    session
        Where to ask; the default session without.

    Returns
    -------
    pandas.DataFrame
        One row, as `order_history` has it.

    Raises
    ------
    OrderNotFound
        There is no such order on this account and market.
    Unsupported
        The venue needs the market named.

    Notes
    -----
    V1: ``POST /v1/showOrder``. Today: ``private/get-order-detail``.

    Examples
    --------
    >>> past = order_history("btcusdt")
    >>> order(past.index[0], "btcusdt").index.tolist() == past.index[:1].tolist()
    True
    """
    session = session or current_session()
    asked = str(id)
    if isinstance(id, bool) or not asked.strip():
        raise BadRequest(f"id: {id!r} is no order id.", todo="Ids stand in the index of orders.")
    frame = session.frame(GetOrder(asked, _symbol(session, symbol)), exact=exact)
    if frame.index.tolist() != [asked]:
        raise ProtocolError(
            f"Asked for order {asked}, the venue answered about {', '.join(frame.index)}.",
            todo="Ask again; if it stays so, please report it.",
        )
    return frame


def open_orders(
    symbol: str | None = None, *, exact: bool = False, session: Session | None = None
) -> pd.DataFrame:
    """Return the orders that can still trade, all of them.

    Parameters
    ----------
    symbol
        Their market; V1 needs it.
    exact
        Numbers as `Decimal` instead of float64.
    session
        Where to ask; the default session without.

    Returns
    -------
    pandas.DataFrame
        As `order_history` has it.

    Raises
    ------
    Unsupported
        The venue cannot list across symbols (V1).
    ProtocolError
        The pages do not make a whole.

    Notes
    -----
    V1: ``POST /v1/openOrders``, 200 a page. Today: ``private/get-open-orders``.

    Examples
    --------
    >>> set(open_orders("btcusdt")["status"]) <= {"init", "open", "partial", "canceling"}
    True
    """
    session = session or current_session()
    return session.frame(GetOpenOrders(_symbol(session, symbol)), exact=exact, coverage="all open")


def order_history(
    symbol: str | None = None,
    *,
    start: Time | None = None,
    end: Time | None = None,
    exact: bool = False,
    session: Session | None = None,
) -> pd.DataFrame:
    """Return orders by the time of their creation, open ones too.

    Parameters
    ----------
    symbol
        Their market; V1 needs it.
    start, end
        Created in ``[start, end)``. Without `start`: the newest page on V1 (200), the last
        seven days today; ``attrs["cdcx"]["coverage"]`` says which.
    exact
        Numbers as `Decimal` instead of float64.
    session
        Where to ask; the default session without.

    Returns
    -------
    pandas.DataFrame
        Index ``id`` (text); columns ``client_id symbol`` (text), ``side type status``
        (categories), ``price amount spend filled remaining average cost fee`` (float64),
        ``fee_coin`` (text), ``created updated`` (UTC), oldest first. ``spend`` is the quote
        money of a market buy, and then ``amount`` and ``remaining`` are NaN; ``price`` is NaN
        for market orders, ``average`` before a fill; ``fee`` is positive when paid.

    Raises
    ------
    Unsupported
        The venue cannot list across symbols (V1).
    ProtocolError
        The pages do not make a whole.

    Notes
    -----
    V1: ``POST /v1/allOrders``, 200 a page. Its dates name no zone: they are sent widened to
    whole days of any zone, and rows are chosen by their exact stamps. Today:
    ``private/get-order-history`` has finished orders, 100 a page and one page a second, and
    ``private/get-open-orders`` the others; they are joined.

    Examples
    --------
    >>> history = order_history("btcusdt", start="30D")
    >>> bool(history["created"].is_monotonic_increasing)
    True
    """
    session = session or current_session()
    market = _symbol(session, symbol)
    first, last = _range(session, GetOrderHistory(market), start, end)
    operation = GetOrderHistory(market, first, last)
    return session.frame(operation, exact=exact, coverage=_coverage(session, first, last))


def my_trades(
    symbol: str | None = None,
    *,
    start: Time | None = None,
    end: Time | None = None,
    exact: bool = False,
    session: Session | None = None,
) -> pd.DataFrame:
    """Return own trades.

    Parameters
    ----------
    symbol
        Their market; V1 needs it.
    start, end
        Times in ``[start, end)``. Without `start`: the newest page on V1 (200), the last seven
        days today; ``attrs["cdcx"]["coverage"]`` says which.
    exact
        Numbers as `Decimal` instead of float64.
    session
        Where to ask; the default session without.

    Returns
    -------
    pandas.DataFrame
        Index ``time`` (UTC, ascending); columns ``id order_id symbol`` (text), ``side``,
        ``price amount cost fee`` (float64; cost is price x amount), ``fee_coin``, ``role``
        {maker, taker, other} (missing where the venue does not tell; V1 does not).

    Raises
    ------
    Unsupported
        The venue cannot list across symbols (V1).
    ProtocolError
        The pages do not make a whole.

    Notes
    -----
    V1: ``POST /v1/myTrades``, 200 a page. Today: ``private/get-trades``, 100 a page and one page
    a second.

    Examples
    --------
    >>> fills = my_trades("btcusdt", start="30D")
    >>> bool((fills["fee"] >= 0).all())
    True
    """
    session = session or current_session()
    market = _symbol(session, symbol)
    first, last = _range(session, GetMyTrades(market), start, end)
    newest_first = True if first is None else None
    operation = GetMyTrades(market, first, last, newest_first=newest_first)
    return session.frame(operation, exact=exact, coverage=_coverage(session, first, last))


def positions(
    symbol: str | None = None, *, exact: bool = False, session: Session | None = None
) -> pd.DataFrame:
    """Return the open positions in perpetuals and futures.

    Parameters
    ----------
    symbol
        One instrument; all without.
    exact
        Numbers as `Decimal` instead of float64.
    session
        Where to ask; the default session without.

    Returns
    -------
    pandas.DataFrame
        Index ``symbol``; columns ``amount`` (positive long, negative short), ``cost``, ``pnl``
        (not realized) and ``updated`` (UTC).

    Raises
    ------
    Unsupported
        The venue has spot markets only (V1).

    Notes
    -----
    Today: ``private/get-positions``.

    Examples
    --------
    >>> with use("sandbox", dialect="exchange"):
    ...     held = positions()
    >>> list(held.columns)
    ['amount', 'cost', 'pnl', 'updated']
    """
    session = session or current_session()
    return session.frame(GetPositions(_symbol(session, symbol)), exact=exact)


def fees(symbol: str, *, exact: bool = False, session: Session | None = None) -> pd.DataFrame:
    """Return what trading a market costs this account.

    Parameters
    ----------
    symbol
        The market, in any spelling.
    exact
        Fractions as `Decimal` instead of float64.
    session
        Where to ask; the default session without.

    Returns
    -------
    pandas.DataFrame
        One row: index ``symbol``; columns ``maker taker``, as fractions: 0.001 is 0.1 %.

    Raises
    ------
    Unsupported
        The venue does not tell (V1).

    Notes
    -----
    Today: ``private/get-instrument-fee-rate``.

    Examples
    --------
    >>> with use("sandbox", dialect="exchange"):
    ...     paid = fees("btcusdt")
    >>> paid["taker"].tolist()
    [0.0016]
    """
    session = session or current_session()
    return session.frame(GetFees(session.symbol(symbol)), exact=exact)


def _symbol(session: Session, symbol: str | None) -> str | None:
    return None if symbol is None else session.symbol(symbol)


def _range(
    session: Session,
    asked: GetOrderHistory | GetMyTrades,
    start: Time | None,
    end: Time | None,
) -> tuple[int | None, int | None]:
    """Return the bounds of a history; without a start, those that the venue's page has."""
    now_ns = session.now_ns()
    first, last = to_range(start, end, now_ns=now_ns)
    endpoint = session.dialect.endpoint(asked)
    if endpoint.window_s is not None and last is None:
        last = now_ns + 1
    if first is None and endpoint.newest_s is not None:
        first = (last if last is not None else now_ns) - int(endpoint.newest_s * 1e9)
    return first, last


def _coverage(
    session: Session, start: int | None, end: int | None
) -> str | tuple[int | None, int | None]:
    return "newest page" if start is None else (start, end or session.now_ns())
