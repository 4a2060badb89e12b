"""Random questions, answers and messages of today's exchange, made from the tables."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from cdcx_pandas import messages as m
from cdcx_pandas import operations as op
from cdcx_pandas.channels import (
    BalanceChannel,
    DepthChannel,
    FillChannel,
    KlineChannel,
    OrderChannel,
    PositionChannel,
    TickerChannel,
    TradeChannel,
    ValuationChannel,
)
from cdcx_pandas.dialects.exchange import DIALECT
from cdcx_pandas.tables import (
    ACCOUNT,
    BALANCE_HISTORY,
    DEPTH,
    FEES,
    FILLS,
    FUNDING,
    KLINES,
    ORDERS,
    POSITIONS,
    SYMBOLS,
    TICKERS,
    TRADES,
    TRANSACTIONS,
    VALUATIONS,
    Answer,
)
from tests.laws import strategies as make

LISTING = {
    # Two that would both be abc, so that each keeps its underscore.
    "symbol": ["btcusdt", "crobtc", "btcusd", "btcusd-perp", "btcusd-261225", "ab_c", "a_bc"],
    "venue_symbol": [
        "BTC_USDT", "CRO_BTC", "BTC_USD", "BTCUSD-PERP", "BTCUSD-261225", "AB_C", "A_BC",
    ],
}  # fmt: skip
KNOWING = DIALECT.knowing(LISTING)
THEIRS = dict(zip(*LISTING.values(), strict=True))
IN_DOLLARS = {"btcusd", "btcusd-perp", "btcusd-261225"}

Columns = dict[str, list[Any]]
symbols = st.sampled_from(LISTING["symbol"])
maybe = st.none() | symbols
nanos = st.integers(1_574_000_000 * 10**9, 1_800_000_000 * 10**9)
millis, money, positive, ids, sides = (
    make.millis, make.money, make.positive, make.ids, make.sides,
)  # fmt: skip
signed = st.decimals(-(10**6), 10**6, places=8)
rates = st.decimals(-1, 1, places=9)
client_ids = st.text("abcXYZ019_-", min_size=1, max_size=36)
hundred = st.integers(1, 100)
bounds = st.none() | nanos
ms_bounds = st.none() | millis


def placed() -> st.SearchStrategy[op.PlaceOrder]:
    """Draw new orders of every kind."""
    common = {"client_id": client_ids}
    waits = common | {"time_in_force": st.sampled_from([None, "gtc", "ioc", "fok"])}
    limit, market = st.just("limit"), st.just("market")
    return st.one_of(
        st.builds(op.PlaceOrder, symbols, sides, limit, amount=positive, price=positive, **waits),
        st.builds(op.PlaceOrder, symbols, sides, limit, amount=positive, price=positive,
                  post_only=st.just(True), **common),
        st.builds(op.PlaceOrder, symbols, st.just("buy"), market, spend=positive, **common),
        st.builds(op.PlaceOrder, symbols, sides, market, amount=positive, **common),
    )  # fmt: skip


def canceled() -> st.SearchStrategy[op.CancelOrder]:
    """Draw cancels by either id."""
    return st.builds(op.CancelOrder, ids, maybe) | st.builds(
        op.CancelOrder, symbol=maybe, client_id=client_ids
    )


def questions() -> st.SearchStrategy[op.Operation[Any]]:
    """Questions over HTTP that the dialect can say whole."""
    kinds = st.sampled_from(["index", "mark", "funding", "estimated_funding"])
    return st.one_of(
        st.sampled_from([op.GetSymbols(), op.GetTickers(), op.GetAccount(), op.GetFeeTier()]),
        st.builds(op.GetTicker, symbols), st.builds(op.GetFees, symbols),
        st.builds(op.GetPositions, maybe), st.builds(op.GetOpenOrders, maybe),
        st.builds(op.GetKlines, symbols, st.sampled_from(KNOWING.periods), ms_bounds, ms_bounds,
                  st.integers(1, 300)),
        st.builds(op.GetTrades, symbols, bounds, bounds, st.integers(1, 150)),
        st.builds(op.GetDepth, symbols, levels=st.integers(1, 150)),
        st.builds(op.GetFunding, symbols, ms_bounds, ms_bounds, hundred),
        st.builds(op.GetValuations, symbols, kinds, ms_bounds, ms_bounds, hundred),
        st.builds(op.GetBalanceHistory, st.sampled_from(["1hour", "1day"]), ms_bounds,
                  st.none() | st.integers(1, 30)),
        st.builds(op.GetTransactions, maybe, bounds, bounds, st.none() | hundred),
        st.builds(op.GetOrderHistory, maybe, bounds, bounds, page_size=st.none() | hundred),
        st.builds(op.GetMyTrades, maybe, bounds, bounds, page_size=st.none() | hundred),
        st.builds(op.GetOrder, ids), st.builds(op.GetOrder, client_id=client_ids),
        placed(), canceled(), st.builds(op.CancelAllOrders, maybe),
        st.lists(placed(), min_size=1, max_size=10).map(lambda o: op.PlaceOrders(tuple(o))),
        st.lists(canceled(), min_size=1, max_size=10).map(lambda o: op.CancelOrders(tuple(o))),
        st.builds(op.AmendOrder, positive, positive, ids, st.none(), st.none() | client_ids, maybe),
        st.builds(op.AmendOrder, positive, positive, st.none(), client_ids),
    )  # fmt: skip


# ---------------------------------------------------------------------------------- columns


def rows(most: int = 4, **columns: st.SearchStrategy[Any]) -> st.SearchStrategy[Columns]:
    """Rows of columns, each drawn on its own."""
    return st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=most).map(
        lambda found: {name: [row[name] for row in found] for name in columns}
    )


def in_order(columns: Columns, *keys: str) -> Columns:
    """Sort columns by some of them, without repeating a row of the first."""
    return make._ascending(columns, *keys)


def tickers(names: list[str], *, stream: bool) -> st.SearchStrategy[Columns]:
    """Tickers; money in USD is quote money where prices are."""
    some = st.none() | money
    more = {"bid_amount": some, "ask_amount": some} if stream else {}
    row = st.fixed_dictionaries(
        dict.fromkeys(("last", "bid", "ask", "high", "low", "volume", "volume_usd"), some)
        | {"change": st.none() | make.change, "open_interest": some, "time": millis} | more
    )  # fmt: skip

    def whole(found: list[dict[str, Any]]) -> Columns:
        columns = {name: [one[name] for one in found] for name in found[0]}
        in_usd = [
            value if name in IN_DOLLARS else None
            for name, value in zip(names, columns["volume_usd"], strict=True)
        ]
        return {"symbol": names} | columns | {"quote_volume": in_usd}

    return st.tuples(*[row] * len(names)).map(list).map(whole)


def trades(*, stream: bool = False) -> st.SearchStrategy[Columns]:
    """Trades with different ids; the stream knows milliseconds only."""
    row = {
        "id": ids, "price": money, "amount": money, "time": millis if stream else nanos,
        "side": sides, "match_id": st.none() | ids,
    }  # fmt: skip
    return rows(5, **row).map(lambda columns: in_order(columns, "time", "id"))


def levels(*, changes: bool) -> st.SearchStrategy[Columns]:
    """Books, or changes of them, which may be none at all."""

    @st.composite
    def draw_levels(draw: st.DrawFn) -> Columns:
        columns: Columns = draw(make.books())
        amounts = money if changes else positive
        count = 0 if changes and draw(st.booleans()) else len(columns["side"])
        columns = {name: values[:count] for name, values in columns.items()}
        columns["amount"] = [draw(amounts) for _ in range(count)]
        if changes:
            columns["level"] = [None] * count
        return columns | {"orders": [draw(st.integers(0, 99)) for _ in range(count)]}

    return draw_levels()


@st.composite
def orders(draw: st.DrawFn, most: int = 3, symbol: str | None = None) -> Columns:
    """Orders as the exchange tells them."""
    made = []
    for _ in range(draw(st.integers(1, most))):
        amount, cost, value = draw(positive), draw(money), draw(positive)
        side, kind = draw(sides), draw(st.sampled_from(["limit", "market", "stop_limit"]))
        spends = kind == "market" and side == "buy" and draw(st.booleans())
        filled = draw(st.just(Decimal(0)) | positive)
        status = draw(st.sampled_from(["init", "open", "filled", "canceled", "rejected"]))
        if filled and status == "open":
            status = "partial"
        if filled and status == "canceled" and kind == "market":
            status = "filled"
        if status == "filled" and not filled:
            filled = amount
        made.append(
            {
                "id": draw(ids), "client_id": draw(client_ids), "side": side, "type": kind,
                "symbol": symbol or draw(symbols), "status": status,
                "price": None if kind == "market" else draw(positive),
                "amount": None if spends else amount, "spend": value if spends else None,
                "value": value, "estimate": amount if spends else None, "filled": filled,
                "remaining": None if spends else amount - filled,
                "average": draw(positive) if filled else None, "cost": cost,
                "fee": draw(signed), "fee_coin": draw(st.sampled_from(["BTC", "USD"])),
                "created": draw(nanos), "updated": draw(millis),
                "time_in_force": draw(st.sampled_from(["gtc", "ioc", "fok"])),
                "instructions": ["NOTIONAL_ORDER"] if spends else [], "reason": 0,
            }
        )  # fmt: skip
    return {name: [row[name] for row in made] for name in made[0]}


def fills() -> st.SearchStrategy[Columns]:
    """Own trades."""
    row = {
        "id": ids, "order_id": ids, "client_id": st.none() | client_ids,
        "match_id": st.none() | ids, "symbol": symbols, "side": sides, "price": money,
        "amount": money, "fee": signed, "fee_coin": st.sampled_from(["BTC", "USD"]),
        "role": st.sampled_from(["maker", "taker"]), "time": nanos, "matched": st.none() | nanos,
    }  # fmt: skip

    def whole(columns: Columns) -> Columns:
        pairs = zip(columns["price"], columns["amount"], strict=True)
        return in_order(
            columns | {"cost": [make.EXACT.multiply(a, b) for a, b in pairs]}, "time", "id"
        )

    return rows(4, **row).map(whole)


def account() -> st.SearchStrategy[Answer]:
    """Balances, and the total."""

    def whole(columns: Columns) -> Columns:
        coins = ["BTC", "CRO", "ETH", "USD"][: len(columns["total"])]
        pairs = zip(columns["total"], columns["locked"], strict=True)
        return {"coin": coins, "available": [a - b for a, b in pairs]} | columns

    columns = rows(4, total=money, locked=money, value_usd=money).map(whole)
    return st.builds(
        lambda found, total: Answer(ACCOUNT, found, {"total_usd": total}), columns, money
    )


def positions() -> st.SearchStrategy[Columns]:
    """Positions."""
    return rows(1, symbol=symbols, amount=signed, cost=signed, pnl=signed, updated=millis)


def values(column: str) -> st.SearchStrategy[Columns]:
    """Draw a series with different times."""
    return st.lists(millis, min_size=1, max_size=5, unique=True).flatmap(
        lambda times: st.fixed_dictionaries(
            {
                "time": st.just(sorted(times)),
                column: st.lists(rates, min_size=len(times), max_size=len(times)),
            }
        )
    )


# ---------------------------------------------------------------------------------- answers


@st.composite
def listing(draw: st.DrawFn) -> Columns:
    """Instruments of every kind."""
    names = draw(st.lists(symbols, min_size=1, max_size=5, unique=True))
    ticks = [draw(positive) for _ in names]
    kinds = ["future" if n[-1].isdigit() else "perp" if "-" in n else "spot" for n in names]
    return {
        "symbol": names, "venue_symbol": [THEIRS[name] for name in names], "kind": kinds,
        "base": ["BTC"] * len(names), "quote": ["USD"] * len(names),
        "price_tick": [draw(positive) for _ in names], "amount_tick": ticks, "amount_min": ticks,
        "price_precision": [draw(st.integers(0, 12)) for _ in names],
        "amount_precision": [draw(st.integers(0, 12)) for _ in names],
        "tradable": [draw(st.booleans()) for _ in names],
        "expires": [draw(millis) if kind == "future" else None for kind in kinds],
    }  # fmt: skip


def transactions() -> st.SearchStrategy[Columns]:
    """Entries about markets and coins."""
    row = {
        "id": ids, "entry": st.sampled_from(["TRADING", "FUNDING", "SESSION_SETTLE"]),
        "symbol": symbols | st.just("USD"), "amount": signed, "cost": signed, "pnl": signed,
        "order_id": st.none() | ids, "trade_id": st.none() | ids, "side": st.none() | sides,
        "role": st.sampled_from([None, "maker", "taker"]), "time": nanos,
    }  # fmt: skip
    return rows(4, **row).map(lambda columns: in_order(columns, "time", "id"))


@st.composite
def answers(draw: st.DrawFn, question: op.Operation[Any]) -> Any:  # a case each
    """Draw an answer to a question."""
    match question:
        case op.GetSymbols():
            return Answer(SYMBOLS, draw(listing()))
        case op.GetTickers():
            names = draw(st.lists(symbols, min_size=1, max_size=4, unique=True))
            return Answer(TICKERS, draw(tickers(names, stream=False)))
        case op.GetTicker(symbol):
            return Answer(TICKERS, draw(tickers([symbol], stream=False)))
        case op.GetKlines():
            return Answer(KLINES, draw(make.bars()))
        case op.GetTrades():
            return Answer(TRADES, draw(trades()))
        case op.GetDepth():
            return Answer(DEPTH, draw(levels(changes=False)), {"time": draw(millis)})
        case op.GetFunding():
            return Answer(FUNDING, draw(values("rate")))
        case op.GetValuations():
            return Answer(VALUATIONS, draw(values("value")))
        case op.GetFees(symbol):
            rate = {"maker": [draw(rates)], "taker": [draw(rates)]}
            return Answer(FEES, {"symbol": [symbol]} | rate)
        case op.GetFeeTier():
            two = st.lists(rates, min_size=2, max_size=2)
            rate = {"maker": draw(two), "taker": draw(two)}
            return Answer(FEES, {"symbol": ["spot", "perp"]} | rate)
        case op.PlaceOrder() | op.AmendOrder():
            return draw(ids)
        case op.PlaceOrders(orders=asked):
            return tuple(op.Done(draw(ids)) for _ in asked)
        case op.CancelOrders(orders=named):
            return tuple(op.Done(order.id) for order in named)
        case op.CancelOrder() | op.CancelAllOrders():
            return None
    return draw(_of_account(question))


@st.composite
def _of_account(draw: st.DrawFn, question: op.Operation[Any]) -> Any:
    match question:
        case op.GetAccount():
            return draw(account())
        case op.GetBalanceHistory():
            return Answer(BALANCE_HISTORY, draw(values("total")))
        case op.GetPositions():
            return Answer(POSITIONS, draw(positions()))
        case op.GetTransactions():
            return Answer(TRANSACTIONS, draw(transactions()))
        case op.GetOrder():
            return Answer(ORDERS, draw(orders(most=1)))
        case op.GetOpenOrders():
            found = draw(orders())
            return Answer(ORDERS, found, {"count": len(found["id"])})
        case op.GetOrderHistory():
            return Answer(ORDERS, draw(orders()))
        case op.GetMyTrades():
            return Answer(FILLS, draw(fills()))
    raise AssertionError(question)


# --------------------------------------------------------------------------------- messages

refs = st.none() | st.integers(0, 2**63 - 1).map(str)
ASKED = refs.filter(lambda ref: ref is not None)


def channels() -> st.SearchStrategy[Any]:
    """Channels as the other side reads them."""
    return st.one_of(
        st.builds(TickerChannel, symbols), st.builds(TradeChannel, symbols),
        st.builds(KlineChannel, symbols, st.sampled_from(KNOWING.periods)),
        st.builds(DepthChannel, symbols, levels=st.sampled_from([10, 50])),
        st.builds(ValuationChannel, symbols,
                  st.sampled_from(["mark", "funding", "estimated_funding"])),
        st.just(ValuationChannel("btcusd-perp", "index")),
        st.builds(OrderChannel, maybe), st.builds(FillChannel, maybe),
        st.sampled_from([BalanceChannel(), PositionChannel()]),
    )  # fmt: skip


def newest(columns: Columns, *names: str) -> int | None:
    """Return the newest of some stamps."""
    return max(stamp for name in names for stamp in columns[name])


@st.composite
def updates(draw: st.DrawFn) -> m.Update:
    """News of every channel."""
    channel, ref = draw(channels()), draw(refs)
    match channel:
        case TickerChannel(symbol):
            columns = draw(tickers([symbol], stream=True))
            return m.Update(channel, Answer(TICKERS, columns), time=columns["time"][0], ref=ref)
        case TradeChannel():
            columns = draw(trades(stream=True))
            time = newest(columns, "time")
            return m.Update(channel, Answer(TRADES, columns), "delta", time, ref)
        case KlineChannel():
            bars = draw(make.bars())
            bars["updated"] = [draw(millis) for _ in bars["time"]]
            time = newest(bars, "updated")
            return m.Update(channel, Answer(KLINES, bars), time=time, ref=ref)
        case DepthChannel():
            is_change, number = draw(st.booleans()), st.integers(1, 2**53)
            answer = Answer(DEPTH, draw(levels(changes=is_change)), {"time": draw(millis)})
            mode = "delta" if is_change else "snapshot"
            before = draw(number) if is_change else None
            return m.Update(channel, answer, mode, draw(millis), ref, draw(number), before)
        case ValuationChannel():
            columns = draw(values("value"))
            time = newest(columns, "time")
            return m.Update(channel, Answer(VALUATIONS, columns), time=time, ref=ref)
        case BalanceChannel():
            return m.Update(channel, draw(account()), ref=ref)
        case PositionChannel():
            columns, mode = draw(positions()), "delta" if ref is None else "snapshot"
            time = newest(columns, "updated")
            return m.Update(channel, Answer(POSITIONS, columns), mode, time, ref)
        case FillChannel():
            columns = draw(fills())
            time = newest(columns, "time")
            return m.Update(channel, Answer(FILLS, columns), "delta", time, ref)
        case _:
            columns = in_order(draw(orders()) | {}, "updated")
            columns["reason"] = [None] * len(columns["id"])  # not told on the stream
            mode = "delta" if ref is None else "snapshot"
            time = newest(columns, "updated")
            return m.Update(channel, Answer(ORDERS, columns), mode, time, ref)


def messages() -> st.SearchStrategy[m.Message]:
    """Messages of either side."""
    several = st.lists(channels(), min_size=1, max_size=100).map(tuple)
    stamps = st.none() | st.integers(1_574_000_000_000, 1_800_000_000_000)
    beats = st.integers(1, 2**53)
    words = st.sampled_from(["Unknown symbol", "Invalid depth", "Maximum subscriptions exceeded"])
    return st.one_of(
        updates(), st.builds(m.Heartbeat, beats), st.builds(m.HeartbeatReply, beats),
        st.builds(m.Subscribe, several, refs, st.sampled_from([None, True, False]), stamps),
        st.builds(m.Unsubscribe, several, refs, stamps),
        st.builds(m.Subscribed, st.none() | channels(), refs), st.builds(m.Unsubscribed, refs),
        st.builds(m.Refused, words, refs, st.sampled_from(["40003", "40107"]),
                  st.none() | channels()),
        st.builds(m.Refused, words, refs, st.just("40003"), name=st.just("nope.BTC_USDT")),
        st.builds(m.Authenticated, refs),
        st.builds(m.Authenticate, client_ids, st.text("0123456789abcdef", min_size=64,
                  max_size=64), beats, ASKED),
    )  # fmt: skip
