"""The truth agrees with what both wires say, to the last digit."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from cdcx_pandas import launch
from cdcx_pandas.sandbox.truth import MOST_ROWS
from tests.sandbox.chaos_world import NAMES, Chaotic

D = Decimal
START = "2021-05-01T12:00"


@pytest.fixture(scope="module")
def process() -> Iterator[launch.Running]:
    """Start a sandbox whose time stands still, so that all answers are of one moment."""
    running = launch.start(("--no-limits", "--speed", "0", "--at", START))
    yield running
    running.stop()


@pytest.fixture
def sandbox(process: launch.Running) -> Chaotic:
    """Return it, with its orders."""
    return Chaotic(process)


def asked(sandbox: Chaotic, wire: str, path: str, **params: Any) -> Any:
    """Ask a wire's REST, numbers as decimals."""
    root = sandbox.running.addresses[wire].rest
    answer = requests.get(f"{root}{path}", params=params, timeout=10)
    return json.loads(answer.text, parse_float=Decimal)


@pytest.mark.parametrize("symbol", ["btcusdt", "crobtc", "ethusdt"])
def test_trades_are_those_of_v1(sandbox: Chaotic, symbol: str) -> None:
    """Ids, sides, prices and amounts are equal; times are V1's to the second."""
    rows = asked(sandbox, "v1", NAMES["v1"].rest, symbol=symbol)["data"]
    rows.sort(key=lambda row: row["id"])
    told = sandbox.truth(symbol=symbol, after=rows[0]["id"] - 1)
    assert told["next"] is None
    assert told["last_id"] == str(rows[-1]["id"])
    assert [
        (row["id"], row["time_ns"] // 10**9 * 1000, D(row["price"]), D(row["amount"]), row["side"])
        for row in told["trades"]
    ] == [
        (str(row["id"]), row["ctime"], D(row["price"]), D(row["amount"]), row["type"])
        for row in rows
    ]


@pytest.mark.parametrize("code", ["BTC_USDT", "CRO_BTC", "ETH_USDT"])
def test_trades_are_those_of_today(sandbox: Chaotic, code: str) -> None:
    """Ids, sides, prices, amounts and times in ns are equal."""
    answer = asked(sandbox, "exchange", "/public/get-trades", instrument_name=code, count=150)
    rows = sorted(answer["result"]["data"], key=lambda row: int(row["d"]))
    symbol = code.replace("_", "").lower()
    told = sandbox.truth(symbol=symbol, after=int(rows[0]["d"]) - 1)["trades"]
    assert [
        (row["id"], row["time_ns"], D(row["price"]), D(row["amount"]), row["side"]) for row in told
    ] == [(row["d"], int(row["tn"]), D(row["p"]), D(row["q"]), row["s"].lower()) for row in rows]


def test_numbers_are_texts(sandbox: Chaotic) -> None:
    """No number with a point is anything else, so no reader can round it."""
    last = int(sandbox.truth(what="now")["last_id"]["btcusdt"])
    row = sandbox.truth(symbol="btcusdt", after=last - 1)["trades"][0]
    assert {name: type(value) for name, value in row.items()} == {
        "id": str, "time_ns": int, "price": str, "amount": str, "side": str,
    }  # fmt: skip


def test_long_answers_are_continued(sandbox: Chaotic) -> None:
    """Pages follow each other without a seam, up to and with `until`."""
    last = int(sandbox.truth(what="now")["last_id"]["btcusdt"])
    after = last - MOST_ROWS - 500
    ids = []
    follow: str | None = str(after)
    while follow is not None:
        page = sandbox.truth(symbol="btcusdt", after=follow, until=last - 100)
        ids += [int(row["id"]) for row in page["trades"]]
        follow = page["next"]
    assert ids == list(range(after + 1, last - 99))


def test_bars_are_those_of_both_wires(sandbox: Chaotic) -> None:
    """All bars of a range, the forming one included, equal to the last digit."""
    v1 = asked(sandbox, "v1", "/v1/klines", symbol="btcusdt", period=1)["data"]
    start = v1[0][0] * 10**9
    told = sandbox.truth(what="klines", symbol="btcusdt", period="1min", start=start)["klines"]
    names = ("open", "high", "low", "close", "volume")
    numbers = [[D(row[name]) for name in names] for row in told]
    assert numbers == [[D(value) for value in row[1:]] for row in v1]
    assert [row["time_ns"] // 10**9 for row in told] == [row[0] for row in v1]
    answer = asked(
        sandbox, "exchange", "/public/get-candlestick", instrument_name="BTC_USDT",
        timeframe="1m", count=300,
    )  # fmt: skip
    today = answer["result"]["data"]
    by_time = {row["time_ns"] // 10**6: row for row in told}
    assert [[D(row[name[0]]) for name in names] for row in today if row["t"] in by_time] == [
        [D(by_time[row["t"]][name]) for name in names] for row in today if row["t"] in by_time
    ]
    end = told[10]["time_ns"]
    part = sandbox.truth(what="klines", symbol="btcusdt", period="1min", start=start, end=end)
    assert part["klines"] == told[:10]
    assert told[0]["closed"] is True


def test_the_book_is_that_of_both_wires(sandbox: Chaotic) -> None:
    """Levels, prices and amounts."""
    told = sandbox.truth(what="book", symbol="btcusdt")
    levels = [[[D(p), D(a)] for p, a in told[side]] for side in ("asks", "bids")]
    tick = asked(sandbox, "v1", "/v1/depth", symbol="btcusdt", type="step0")["data"]["tick"]
    assert levels == [[[D(p), D(a)] for p, a in tick[side]] for side in ("asks", "bids")]
    (book,) = asked(
        sandbox, "exchange", "/public/get-book", instrument_name="BTC_USDT", depth=50
    )["result"]["data"]  # fmt: skip
    few = sandbox.truth(what="book", symbol="btcusdt", levels=50)
    for side in ("asks", "bids"):
        assert [[D(p), D(a)] for p, a in few[side]] == [[D(p), D(a)] for p, a, _ in book[side]]


def test_books_of_the_past(sandbox: Chaotic) -> None:
    """Each once, with when it was; the last is that of now, and one time can be asked about."""
    now_ns = sandbox.truth(what="now")["now_ns"]
    start = now_ns - 30 * 10**9
    books = sandbox.truth(what="books", symbol="btcusdt", start=start, end=now_ns, levels=3)
    found = [(book["bids"], book["asks"]) for book in books["books"]]
    assert 30 <= len(found) < 60
    assert all(before != after for before, after in itertools.pairwise(found))
    whole = sandbox.truth(what="book", symbol="btcusdt")
    assert found[-1] == (whole["bids"][:3], whole["asks"][:3])
    at = books["books"][3]["at"]
    then = sandbox.truth(what="book", symbol="btcusdt", at=at)
    assert found[3] == (then["bids"][:3], then["asks"][:3])


def test_now_knows_the_last_of_all(sandbox: Chaotic) -> None:
    """Every market's newest id and price."""
    now = sandbox.truth(what="now")
    (row,) = sandbox.truth(symbol="ltcbtc", after=int(now["last_id"]["ltcbtc"]) - 1)["trades"]
    assert (row["id"], row["price"]) == (now["last_id"]["ltcbtc"], now["last"]["ltcbtc"])
    assert len(now["last"]) > 41


@pytest.mark.parametrize(
    "question",
    ["symbol=btcusdt", "symbol=nothing&after=1", "what=love", "symbol=btcusdt&after=0",
     "what=klines&symbol=btcusdt&start=0&period=2min", "what=book&symbol=btcusdt&step=9",
     "what=books&symbol=btcusdt&start=0"],
)  # fmt: skip
def test_other_questions_are_refused(sandbox: Chaotic, question: str) -> None:
    """With a reason."""
    assert sandbox.order("GET", f"truth?{question}", expected=400)["error"]
