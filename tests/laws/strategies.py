"""Random questions and answers, made from the tables: what any dialect must carry unharmed."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any

from hypothesis import strategies as st

from cdcx_pandas import operations as op
from cdcx_pandas.dialects.base import Dialect
from cdcx_pandas.tables import (
    ACCOUNT,
    DEPTH,
    FILLS,
    KLINES,
    ORDERS,
    SYMBOLS,
    TICKERS,
    TRADES,
    Answer,
)

EXACT = Context(prec=200)
"""In which products are what they are."""

S = 10**9
symbols = st.sampled_from(["btcusdt", "crobtc", "ethcro", "usdcusdt"])
COINS = {"btcusdt": ("BTC", "USDT"), "crobtc": ("CRO", "BTC"), "ethcro": ("ETH", "CRO"),
         "usdcusdt": ("USDC", "USDT")}  # fmt: skip
seconds = st.integers(1_574_000_000, 1_800_000_000).map(lambda s: s * S)
millis = st.integers(1_574_000_000_000, 1_800_000_000_000).map(lambda ms: ms * 10**6)
money = st.decimals(0, 10**9, places=8, allow_nan=False)
positive = st.decimals(Decimal("0.00000001"), 10**9, places=8, allow_nan=False)
change = st.decimals(-1, 100, places=10)
ids = st.integers(1, 2**53).map(str)
sides = st.sampled_from(["buy", "sell"])
pages = st.none() | st.integers(0, 500)
days = st.integers(18_000, 20_000).map(lambda day: day * 86_400 * S)


def questions(dialect: Dialect) -> st.SearchStrategy[op.Operation[Any]]:
    """Questions over HTTP that a dialect can say whole."""
    one = symbols
    limit_order = st.builds(
        op.PlaceOrder, one, sides, st.just("limit"), amount=positive, price=positive
    )
    sizes = st.none() | st.integers(1, 1000)
    return st.one_of(
        st.just(op.GetSymbols()), st.just(op.GetTickers()), st.just(op.GetPrices()),
        st.just(op.GetAccount()),
        st.builds(op.GetTicker, one),
        st.builds(op.GetKlines, one, st.sampled_from(dialect.periods)),
        st.builds(op.GetTrades, one),
        st.builds(op.GetDepth, one, st.integers(0, 2)),
        limit_order,
        st.builds(op.PlaceOrder, one, st.just("buy"), st.just("market"), spend=positive),
        st.builds(op.PlaceOrder, one, st.just("sell"), st.just("market"), amount=positive),
        st.builds(op.GetOrder, ids, one), st.builds(op.CancelOrder, ids, one),
        st.builds(op.CancelAllOrders, one),
        st.builds(op.GetOpenOrders, one, pages, sizes),
        st.builds(op.GetOrderHistory, one, st.none() | days, st.none() | days, pages, sizes),
        st.builds(op.GetMyTrades, one, st.none() | days, st.none() | days, pages, sizes,
                  st.none() | st.booleans()),
    )  # fmt: skip


def _columns(rows: st.SearchStrategy[dict[str, Any]], most: int) -> st.SearchStrategy[Any]:
    return st.lists(rows, min_size=1, max_size=most).map(
        lambda found: {name: [row[name] for row in found] for name in found[0]}
    )


def _ascending(columns: dict[str, list[Any]], *keys: str) -> dict[str, list[Any]]:
    def key(i: int) -> tuple[int, ...]:
        return tuple(int(columns[name][i]) for name in keys)

    order = sorted(range(len(columns[keys[0]])), key=key)
    return {name: [values[i] for i in order] for name, values in columns.items()}


def bars() -> st.SearchStrategy[dict[str, list[Any]]]:
    """Klines with different opening times."""
    row = st.fixed_dictionaries(
        {"time": seconds, "open": money, "high": money, "low": money, "close": money,
         "volume": money}
    )  # fmt: skip
    return (
        st.lists(row, min_size=1, max_size=5, unique_by=lambda bar: bar["time"])
        .map(lambda found: {name: [bar[name] for bar in found] for name in found[0]})
        .map(lambda columns: _ascending(columns, "time"))
    )


def trades() -> st.SearchStrategy[dict[str, list[Any]]]:
    """Trades with different ids."""
    row = st.fixed_dictionaries(
        {"id": ids, "price": money, "amount": money, "time": millis, "side": sides}
    )
    return (
        st.lists(row, min_size=1, max_size=5, unique_by=lambda trade: trade["id"])
        .map(lambda found: {name: [trade[name] for trade in found] for name in found[0]})
        .map(lambda columns: _ascending(columns, "time", "id"))
    )


@st.composite
def books(draw: st.DrawFn) -> dict[str, list[Any]]:
    """Whole books, best first."""
    prices = sorted(draw(st.lists(positive, min_size=2, max_size=8, unique=True)))
    cut = draw(st.integers(0, len(prices)))
    bids, asks = prices[:cut][::-1], prices[cut:]
    return {
        "side": ["bid"] * len(bids) + ["ask"] * len(asks),
        "level": [*range(len(bids)), *range(len(asks))],
        "price": [*bids, *asks],
        "amount": [draw(positive) for _ in prices],
    }


@st.composite
def orders(draw: st.DrawFn, symbol: str, most: int = 3) -> dict[str, list[Any]]:
    """Orders as an exchange tells them."""
    base, quote = COINS[symbol]
    rows = []
    for _ in range(draw(st.integers(1, most))):
        market, side = draw(st.booleans()), draw(sides)
        spends = market and side == "buy"
        volume, cost = draw(positive), draw(money)
        filled = draw(st.just(Decimal(0)) | positive)
        status = draw(st.sampled_from(["init", "open", "filled", "partial", "canceled"]))
        if market and status == "canceled" and filled:
            status = "filled"
        rows.append(
            {
                "id": draw(ids), "client_id": None, "symbol": symbol, "side": side,
                "type": "market" if market else "limit", "status": status,
                "price": None if market else draw(positive),
                "amount": None if spends else volume, "spend": volume if spends else None,
                "filled": filled, "remaining": None if spends else draw(money),
                "average": draw(positive) if filled else None,
                "cost": min(cost, volume) if spends else cost, "fee": draw(money),
                "fee_coin": draw(st.sampled_from([base, quote])),
                "created": draw(millis), "updated": draw(millis), "base": base, "quote": quote,
            }
        )  # fmt: skip
    return {name: [row[name] for row in rows] for name in rows[0]}


def fills(symbol: str, order: tuple[str, str] | None = None) -> st.SearchStrategy[Any]:
    """Own trades; `order` is the order they all belong to."""
    row = st.fixed_dictionaries(
        {
            "id": ids, "side": st.just(order[1]) if order else sides, "price": money,
            "amount": money, "fee": money, "fee_coin": st.sampled_from(COINS[symbol]),
            "time": millis, "role": st.none(), "symbol": st.just(symbol),
            "order_id": st.just(order[0]) if order else ids,
        }
    ).map(lambda fill: fill | {"cost": EXACT.multiply(fill["price"], fill["amount"])})  # fmt: skip
    return (
        st.lists(row, min_size=1, max_size=4, unique_by=lambda fill: fill["id"])
        .map(lambda found: {name: [fill[name] for fill in found] for name in found[0]})
        .map(lambda columns: _ascending(columns, "time", "id"))
    )


@st.composite
def answers(draw: st.DrawFn, question: op.Operation[Any]) -> Any:  # a case each
    """Draw an answer to a question."""
    match question:
        case op.PlaceOrder():
            return draw(ids)
        case op.CancelOrder() | op.CancelAllOrders():
            return None
        case op.GetSymbols():
            names = draw(st.lists(symbols, min_size=1, max_size=4, unique=True))
            prices = [draw(st.integers(0, 10)) for _ in names]
            lots = [draw(st.integers(0, 10)) for _ in names]
            columns = {
                "symbol": names, "base": [COINS[n][0] for n in names],
                "quote": [COINS[n][1] for n in names], "amount_min": [None] * len(names),
                "price_precision": prices, "amount_precision": lots, "venue_symbol": names,
                "kind": ["spot"] * len(names),
                "price_tick": [Decimal(1).scaleb(-p) for p in prices],
                "amount_tick": [Decimal(1).scaleb(-p) for p in lots],
                "tradable": [True] * len(names), "expires": [None] * len(names),
            }  # fmt: skip
            return Answer(SYMBOLS, columns)
        case op.GetTickers() | op.GetTicker():
            time = draw(millis)
            row = st.fixed_dictionaries(
                {
                    name: st.none() | money
                    for name in ("last", "bid", "ask", "high", "low", "volume")
                }
                | {"change": st.none() | change}
            )
            one = isinstance(question, op.GetTicker)
            columns = draw(_columns(row, 1 if one else 4))
            count = len(columns["last"])
            names = [question.symbol] if isinstance(question, op.GetTicker) else list(COINS)[:count]
            columns = {"symbol": names} | columns | {"time": [time] * count}
            return Answer(TICKERS, columns, {} if one else {"time": time})
        case op.GetPrices():
            names = draw(st.lists(symbols, min_size=1, max_size=4, unique=True))
            return Answer(TICKERS, {"symbol": names, "last": [draw(money) for _ in names]})
        case op.GetKlines():
            return Answer(KLINES, draw(bars()))
        case op.GetTrades():
            return Answer(TRADES, draw(trades()))
        case op.GetDepth():
            return Answer(DEPTH, draw(books()), {"time": draw(st.none() | millis)})
        case op.GetAccount():
            row = st.fixed_dictionaries({"available": money, "locked": money, "btc_value": money})
            columns = draw(_columns(row, 4))
            coins = ["BTC", "CRO", "ETH", "USDT"][: len(columns["locked"])]
            totals = [a + b for a, b in zip(columns["available"], columns["locked"], strict=True)]
            columns = {"coin": coins} | columns | {"total": totals}
            return Answer(ACCOUNT, columns, {"total_btc": draw(money)})
        case op.GetOrder(id=id_, symbol=symbol):
            columns = draw(orders(str(symbol), most=1)) | {"id": [id_]}
            own = draw(fills(str(symbol), (id_, columns["side"][0])))
            return Answer(ORDERS, columns, {"fills": own})
        case op.GetOpenOrders(symbol=symbol) | op.GetOrderHistory(symbol=symbol):
            columns = draw(orders(str(symbol)))
            return Answer(ORDERS, columns, {"count": draw(st.integers(1, 10**6))})
        case op.GetMyTrades(symbol=symbol):
            columns = draw(fills(str(symbol)))
            return Answer(FILLS, columns, {"count": draw(st.integers(1, 10**6))})
    raise AssertionError(question)
