"""What a venue tells the owner of a key, as DataFrames. All of it is signed; none of it acts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdcx_pandas.arguments import to_range
from cdcx_pandas.errors import BadRequest, ProtocolError
from cdcx_pandas.operations import (
    GetAccount,
    GetMyTrades,
    GetOpenOrders,
    GetOrder,
    GetOrderHistory,
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
        ``btc_value`` (BTC, NaN where not told). ``attrs["cdcx"]["total_btc"]`` is the
        venue's own total.

    Raises
    ------
    MissingCredentials, AuthError, PermissionDenied
        No key, a wrong one, or one that may not.

    Notes
    -----
    V1: ``POST /v1/account``.

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
    V1: ``POST /v1/showOrder``.

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
    V1: ``POST /v1/openOrders``, 200 a page.

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
        Created in ``[start, end)``. Without `start`: the newest page on V1 (200).
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
    whole days of any zone, and rows are chosen by their exact stamps.

    Examples
    --------
    >>> history = order_history("btcusdt", start="30D")
    >>> bool(history["created"].is_monotonic_increasing)
    True
    """
    session = session or current_session()
    first, last = to_range(start, end, now_ns=session.now_ns())
    operation = GetOrderHistory(_symbol(session, symbol), first, last)
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
        Times in ``[start, end)``. Without `start`: the newest page on V1 (200).
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
    V1: ``POST /v1/myTrades``, 200 a page.

    Examples
    --------
    >>> fills = my_trades("btcusdt", start="30D")
    >>> bool((fills["fee"] >= 0).all())
    True
    """
    session = session or current_session()
    first, last = to_range(start, end, now_ns=session.now_ns())
    operation = GetMyTrades(
        _symbol(session, symbol), first, last, newest_first=True if first is None else None
    )
    return session.frame(operation, exact=exact, coverage=_coverage(session, first, last))


def _symbol(session: Session, symbol: str | None) -> str | None:
    return None if symbol is None else session.symbol(symbol)


def _coverage(
    session: Session, start: int | None, end: int | None
) -> str | tuple[int | None, int | None]:
    return "newest page" if start is None else (start, end or session.now_ns())
