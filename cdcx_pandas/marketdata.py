"""What a venue tells everybody, as DataFrames: no key needed.

Arguments are made exact at the door, a session asks, and the declared table makes the frame.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING

from cdcx_pandas.arguments import to_limit, to_period, to_range, to_step, to_symbols
from cdcx_pandas.dialects.base import Paging
from cdcx_pandas.engines.book import merge_prices, mid_and_spread, totals
from cdcx_pandas.errors import BadRequest, Unsupported
from cdcx_pandas.frames.schema import ATTRS_KEY, by_symbol
from cdcx_pandas.operations import (
    GetDepth,
    GetFunding,
    GetKlines,
    GetSymbols,
    GetTicker,
    GetTickers,
    GetTrades,
)
from cdcx_pandas.periods import floor_time
from cdcx_pandas.provenance import iso
from cdcx_pandas.session import Session, current_session
from cdcx_pandas.tables import KLINES, LIMITS, NS_PER_S, TRADES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

    from cdcx_pandas.arguments import Period, Time
    from cdcx_pandas.tables import Columns, Table

CLOSED_AFTER_NS = 2 * NS_PER_S
"""A bar is final when the venue's clock is so far behind its end."""


def symbols(*, exact: bool = False, session: Session | None = None) -> pd.DataFrame:
    """List the markets of the venue.

    Parameters
    ----------
    exact
        Ticks as `Decimal` instead of float64.
    session
        Where to ask; the default session without.

    Returns
    -------
    pandas.DataFrame
        Index ``symbol``; columns ``base quote venue_symbol`` (text), ``kind`` {spot, perp,
        future, other}, ``price_tick amount_tick amount_min`` (float64, NaN where the venue
        does not tell), ``price_precision amount_precision`` (Int64), ``tradable`` (bool),
        ``expires`` (UTC).

    Notes
    -----
    V1: ``GET /v1/symbols``. It tells no smallest amount. Today: ``public/get-instruments``,
    where the smallest amount is the amount's tick.

    Examples
    --------
    >>> symbols().loc["crobtc", ["base", "quote"]].tolist()
    ['CRO', 'BTC']
    """
    session = session or current_session()
    return session.frame(GetSymbols(), exact=exact)


def tickers(
    symbols: Iterable[str] | None = None, *, exact: bool = False, session: Session | None = None
) -> pd.DataFrame:
    """Return the last 24 hours of all markets, one row each.

    Parameters
    ----------
    symbols
        The markets wanted, in this order; all without.
    exact
        Numbers as `Decimal` instead of float64.
    session
        Where to ask; the default session without.

    Returns
    -------
    pandas.DataFrame
        Index ``symbol``; float64 columns ``last bid ask high low volume quote_volume change``
        (prices in quote coin, volume in base coin, change as a fraction) and ``time`` (UTC).
        ``quote_volume`` is NaN where it is not known to be quote money.

    Notes
    -----
    V1: ``GET /v1/ticker``. It tells no turnover, and leaves out what a thin market has not.
    Today: ``public/get-tickers``, whose turnover is in US dollars: told where these are the quote.

    Examples
    --------
    >>> tickers(["btcusdt", "ethusdt"]).index.tolist()
    ['btcusdt', 'ethusdt']
    """
    session = session or current_session()
    if isinstance(symbols, str):
        raise BadRequest(
            f"tickers takes a list of symbols, not the text {symbols!r}.",
            todo=f"ticker({symbols!r}) is its one row.",
        )
    frame = session.frame(GetTickers(), exact=exact)
    if symbols is None:
        return frame
    wanted = [session.symbol(symbol) for symbol in to_symbols(symbols)]
    return _keeping_attrs(frame.reindex(wanted).rename_axis("symbol"), frame)


def ticker(symbol: str, *, exact: bool = False, session: Session | None = None) -> pd.DataFrame:
    """Return the last 24 hours of one market: the one row of `tickers`.

    Parameters
    ----------
    symbol
        The market, in any spelling.
    exact
        Numbers as `Decimal` instead of float64.
    session
        Where to ask; the default session without.

    Returns
    -------
    pandas.DataFrame
        One row, as `tickers` has it.

    Raises
    ------
    UnknownSymbol
        The venue has no such market.

    Notes
    -----
    V1: ``GET /v1/ticker?symbol=``. Today: ``public/get-tickers?instrument_name=``.

    Examples
    --------
    >>> ticker("BTC/USDT").index.tolist()
    ['btcusdt']
    """
    session = session or current_session()
    return session.frame(GetTicker(session.symbol(symbol)), exact=exact)


def klines(
    symbol: str | Iterable[str],
    period: Period = "1min",
    *,
    start: Time | None = None,
    end: Time | None = None,
    limit: int | None = None,
    closed: bool = False,
    exact: bool = False,
    progress: bool = True,
    session: Session | None = None,
) -> pd.DataFrame:
    """Return open, high, low, close and volume per period.

    Parameters
    ----------
    symbol
        A market in any spelling, or a list of them.
    period
        ``1min 5min 15min 30min 1hour 4hour 12hour 1day 1week 1month``, their synonyms
        (``1m 60min 1h 1D 1w``; only ``1M`` is a month) or a `Timedelta`; as far as the venue
        has it.
    start, end
        Opening times in ``[start, end)``: date text, `Timestamp`, epoch ms, or an age such as
        ``"30D"``. Without `start` the newest page; with it, as many pages as it takes.
    limit
        Rows per symbol: the first ones with `start`, the newest without.
    closed
        Finished bars only; without, the last bar may still be forming.
    exact
        Prices and volumes as `Decimal`, read from the text of the wire.
    progress
        Whether a bar is shown when it takes longer than two seconds.
    session
        Where to ask; the default session without.

    Returns
    -------
    pandas.DataFrame
        Index ``time`` (UTC, opening time, ascending), for a list ``(symbol, time)``; columns
        ``open high low close`` (quote coin), ``volume`` (base coin), ``closed`` (bool: the
        venue's clock is 2 s or more behind the end of the bar). A period without trades is
        missing, unless the venue itself sends it.

    Raises
    ------
    UnknownSymbol, BadPeriod, BadTime
        An argument cannot be meant; the choices are named.
    CdcxError
        The venue failed; after some pages, with ``.partial`` and ``.resume_from``.
    Interrupted
        Ctrl-C between pages, with the same.

    Notes
    -----
    V1: ``GET /v1/klines`` for the newest 300; older ones by the stream's history request, 300
    rows a page. Today: ``public/get-candlestick``, 300 rows a page, by windows ``[start, end)``;
    spot pairs have flat bars where nothing was traded, perpetuals have none there.

    Examples
    --------
    >>> df = klines("btcusdt", "1hour", start="2020-01-01", end="2020-01-02")
    >>> len(df), str(df.index[0])
    (24, '2020-01-01 00:00:00+00:00')
    """
    session = session or current_session()
    now_ns = session.now_ns()
    name = to_period(period, session.dialect.periods, session.venue.name)
    first, last = to_range(start, end, now_ns=now_ns)
    rows = to_limit(limit)

    if first is not None and last is None:
        last = now_ns + 1

    def of_one(one: str) -> pd.DataFrame:
        asked = GetKlines(session.symbol(one), name, first, last, rows)
        return _klines(session, asked, closed=closed, exact=exact, progress=progress)

    return _one_or_many(session, symbol, of_one, KLINES)


def _klines(
    session: Session, asked: GetKlines, *, closed: bool, exact: bool, progress: bool
) -> pd.DataFrame:
    newest = asked.start is None
    # One more than asked for when the forming bar will be left out.
    spare = 1 if closed and newest and asked.limit is not None else 0
    operation = asked if not spare else replace(asked, limit=(asked.limit or 0) + spare)

    def finish(columns: Columns) -> Columns:
        boundary = floor_time(asked.period, session.now_ns() - CLOSED_AFTER_NS)
        final = bisect_left(columns["time"], boundary)
        columns = columns | {"closed": [True] * final + [False] * (len(columns["time"]) - final)}
        if closed:
            columns = _rows(columns, 0, final)
        return _first_or_newest(columns, asked.limit, newest=newest)

    return session.frame(
        operation,
        exact=exact,
        finish=finish,
        progress=progress,
        coverage=_coverage(asked),
        period=asked.period,
    )


def _coverage(asked: GetKlines) -> str | tuple[int | None, int | None]:
    if asked.start is None:
        return "newest rows"
    return "first rows" if asked.limit is not None else (asked.start, asked.end)


def _first_or_newest(columns: Columns, limit: int | None, *, newest: bool) -> Columns:
    if limit is None:
        return columns
    return _rows(columns, -limit, None) if newest else _rows(columns, 0, limit)


def trades(
    symbol: str | Iterable[str],
    *,
    start: Time | None = None,
    end: Time | None = None,
    limit: int | None = None,
    exact: bool = False,
    progress: bool = True,
    session: Session | None = None,
) -> pd.DataFrame:
    """Return public trades.

    Parameters
    ----------
    symbol
        A market in any spelling, or a list of them.
    start, end
        Times in ``[start, end)``; without `start`, the newest page (200 rows on V1, 150 today).
    limit
        Rows per symbol: the first ones with `start`, the newest without.
    exact
        Numbers as `Decimal` instead of float64.
    progress
        Whether a bar is shown when it takes longer than two seconds.
    session
        Where to ask; the default session without.

    Returns
    -------
    pandas.DataFrame
        Index ``time`` (UTC, ascending; equal times ordered by id), for a list ``(symbol,
        time)``; columns ``id`` (text), ``price`` (quote coin), ``amount`` (base coin),
        ``side`` {buy, sell}, the taker's. Where the ids of matches jump, trades are missing: a
        row with the time of the last trade before them and no values stands for them, a
        `GapWarning` tells how many such holes there are, and so does ``attrs["cdcx"]["gaps"]``.
        ``attrs["cdcx"]["coverage"]`` begins with the oldest trade that was told, since nobody
        knows how far back a venue keeps them.

    Raises
    ------
    Unsupported
        The venue has no trades as old as asked for: V1 tells the newest 200 only.
    CdcxError
        The venue failed; after some pages, with ``.partial`` and ``.resume_from``.

    Notes
    -----
    V1: ``GET /v1/trades``; its times are whole seconds. Today: ``public/get-trades``, with times
    in ns; pages are walked back by these, never by rounded ones, and told apart by id.

    Examples
    --------
    >>> len(trades("btcusdt"))
    200
    """
    session = session or current_session()
    now_ns = session.now_ns()
    first, last = to_range(start, end, now_ns=now_ns)
    rows = to_limit(limit)

    def of_one(one: str) -> pd.DataFrame:
        asked = GetTrades(session.symbol(one), first, last, rows)
        endpoint = session.dialect.endpoint(asked)
        if endpoint.paging is Paging.NONE:
            return _trades_of_a_page(session, asked, endpoint.page_rows or 1, exact=exact)
        pages = first is not None or (rows or 0) > (endpoint.page_rows or 1)
        if pages and last is None:
            asked = replace(asked, end=now_ns + 1)
        return _trades(session, asked, exact=exact, progress=progress)

    return _one_or_many(session, symbol, of_one, TRADES)


def _trades(session: Session, asked: GetTrades, *, exact: bool, progress: bool) -> pd.DataFrame:
    frame = session.frame(
        asked,
        exact=exact,
        progress=progress,
        coverage="newest rows" if asked.start is None else "first rows",
    )
    if asked.start is not None and asked.limit is None:
        begins = int(frame.index[0].value) if len(frame) else asked.end
        frame.attrs[ATTRS_KEY]["coverage"] = [[iso(begins), iso(asked.end)]]
    return frame


def _trades_of_a_page(
    session: Session, asked: GetTrades, page_rows: int, *, exact: bool
) -> pd.DataFrame:
    """Ask for the newest page, and cut it; a range it does not reach cannot be answered."""
    newest = asked.start is None

    def finish(columns: Columns) -> Columns:
        times = columns["time"]
        low = 0 if asked.start is None else bisect_left(times, asked.start)
        high = len(times) if asked.end is None else bisect_left(times, asked.end)
        # Whole means: a row before the start was seen, or as many rows as wanted.
        needed = 0 if asked.limit is None and asked.end is None else asked.limit or 1
        whole = high >= needed if newest else low > 0
        if not whole and len(times) >= page_rows:
            raise Unsupported(
                f"{session.venue.name} tells the newest {page_rows} trades only; those of"
                f" {asked.symbol} reach back to {iso(times[0])}.",
                why="V1 has no call for older public trades.",
                todo="klines(start=...) reaches further back; today's exchange pages trades.",
                sent="yes",
            )
        if high - low < len(times):
            columns = _rows(columns, low, high)
        return _first_or_newest(columns, asked.limit, newest=newest)

    coverage = "newest page" if newest else (asked.start, asked.end or session.now_ns())
    page = GetTrades(asked.symbol)
    return session.frame(page, exact=exact, finish=finish, coverage=coverage)


def _rows(columns: Columns, low: int, high: int | None) -> Columns:
    return {name: values[low:high] for name, values in columns.items()}


def depth(
    symbol: str,
    *,
    levels: int | None = None,
    step: int | str | None = None,
    exact: bool = False,
    session: Session | None = None,
) -> pd.DataFrame:
    """Return the order book.

    Parameters
    ----------
    symbol
        The market, in any spelling.
    levels
        Levels a side; all the venue sends without (up to 150).
    step
        0 (or ``"step0"``) the finest; 1 and 2 with prices merged to two and four decimals
        less, bids down and asks up.
    exact
        Numbers as `Decimal` instead of float64.
    session
        Where to ask; the default session without.

    Returns
    -------
    pandas.DataFrame
        Index ``side`` {bid, ask} and ``level`` (0 is the best), bids first; columns ``price``
        (quote coin), ``amount`` and ``total`` (base coin, cumulative), ``orders`` (Int64,
        missing where the venue does not tell). ``attrs["cdcx"]`` has ``time`` (as the venue
        told; V1 tells none), ``mid`` and ``spread_bps``.

    Notes
    -----
    V1: ``GET /v1/depth``; a merged book is merged by the venue. Today: ``public/get-book``,
    merged here from its 150 levels a side.

    Examples
    --------
    >>> book = depth("btcusdt", levels=5)
    >>> bool(book.loc[("bid", 0), "price"] < book.loc[("ask", 0), "price"])
    True
    """
    session = session or current_session()
    wanted, cap = to_step(step), to_limit(levels)
    market = session.symbol(symbol)
    merges = wanted == 0 or session.dialect.merges_depth
    operation = GetDepth(market, wanted, cap) if merges else GetDepth(market)

    def finish(columns: Columns) -> Columns:
        if not merges:
            unit = session.price_tick(market) * 100**wanted
            columns = merge_prices(columns, unit)
        if cap is not None:
            keep = [i for i, level in enumerate(columns["level"]) if level < cap]
            columns = {name: [values[i] for i in keep] for name, values in columns.items()}
        return columns | {"total": totals(columns)}

    frame = session.frame(operation, exact=exact, finish=finish, step=wanted)
    told = frame.attrs[ATTRS_KEY]
    bid, ask = (frame["price"].get((side, 0)) for side in ("bid", "ask"))
    told["mid"], told["spread_bps"] = mid_and_spread(bid, ask)
    return frame


def funding(
    symbol: str,
    start: Time | None = None,
    end: Time | None = None,
    *,
    exact: bool = False,
    session: Session | None = None,
) -> pd.DataFrame:
    """Return what holders of a perpetual paid each other.

    Parameters
    ----------
    symbol
        The perpetual, in any spelling.
    start, end
        Settlements in ``[start, end)``; without `start` the newest page (100).
    exact
        Rates as `Decimal` instead of float64.
    session
        Where to ask; the default session without.

    Returns
    -------
    pandas.DataFrame
        Index ``time`` (UTC, ascending); column ``rate``, a fraction of the position per
        settlement: positive is paid by longs to shorts.

    Raises
    ------
    Unsupported
        The venue has no perpetuals (V1).

    Notes
    -----
    Today: ``public/get-valuations`` with ``funding_hist``, settled every whole hour.

    Examples
    --------
    >>> with use("sandbox", dialect="exchange"):
    ...     rates = funding("btcusd-perp", start="2D")
    >>> len(rates)
    48
    """
    session = session or current_session()
    first, last = to_range(start, end, now_ns=session.now_ns())
    operation = GetFunding(session.symbol(symbol), first, last)
    coverage = "newest page" if first is None else (first, last or session.now_ns())
    return session.frame(operation, exact=exact, coverage=coverage)


def limits(*, session: Session | None = None) -> pd.DataFrame:
    """Return our pacing, and what the venue's headers told about its limits.

    Parameters
    ----------
    session
        Whose; the default session without.

    Returns
    -------
    pandas.DataFrame
        Index ``bucket``; columns ``published`` (the venue's rule), ``used`` (questions in the
        current window, of all processes of this person), ``wait_s`` (until the next may go),
        ``refused`` (answers that said too many), ``remaining_told reset_told`` (from
        ``RateLimit-*`` and ``X-RateLimit-*`` headers).

    Examples
    --------
    >>> limits().loc["market", "published"]
    '100 per 1 s per address'
    """
    session = session or current_session()
    return session.made(LIMITS, session.limit_rows())


# ------------------------------------------------------------------------------------ helpers


def _one_or_many(
    session: Session,
    symbol: str | Iterable[str],
    of_one: Callable[[str], pd.DataFrame],
    table: Table,
) -> pd.DataFrame:
    """Return a flat frame for a text; for a list, also of one, add an index level ``symbol``."""
    if isinstance(symbol, str):
        return of_one(symbol)
    names = list(dict.fromkeys(session.symbol(one) for one in to_symbols(symbol)))
    frames = dict(zip(names, session.for_each(of_one, names), strict=True))
    joined = by_symbol(frames, table)
    told = dict(next(iter(frames.values())).attrs[ATTRS_KEY])
    joined.attrs[ATTRS_KEY] = told | {"symbol": " ".join(names)}
    return joined


def _keeping_attrs(frame: pd.DataFrame, source: pd.DataFrame) -> pd.DataFrame:
    frame.attrs[ATTRS_KEY] = dict(source.attrs[ATTRS_KEY])
    return frame
