"""`live`, against the sandbox in both dialects: what a person can rely on."""

from __future__ import annotations

import errno
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cdcx_pandas as cdcx
from cdcx_pandas import errors as e
from cdcx_pandas import launch
from cdcx_pandas.engines.reconnect import Policy
from cdcx_pandas.engines.stream import Refused
from cdcx_pandas.frames.schema import check
from cdcx_pandas.operations import PlaceOrder
from cdcx_pandas.session import Session
from cdcx_pandas.streaming import registry
from cdcx_pandas.streaming.asking import Helpers
from cdcx_pandas.streaming.callbacks import Callbacks
from cdcx_pandas.tables import ACCOUNT, DEPTH, FILLS, KLINES, ORDERS, TICKERS, TRADES
from cdcx_pandas.widgets.still import summary
from tests.conftest import Faulty, as_default, session_of

ROOT = Path(__file__).resolve().parents[2]
QUICK = Policy(first_delay_s=0.05, base_s=0.05, cap_s=0.2, most_attempts=10**6)
BARS = ["open", "high", "low", "close", "volume"]


@pytest.fixture(scope="module")
def fast() -> Iterator[launch.Running]:
    """Start a sandbox whose minute takes two seconds, and that tells ten times as often."""
    process = launch.start(("--seed", "7", "--speed", "30", "--push-every", "0.1", "--no-limits"))
    yield process
    process.stop()


@pytest.fixture(params=["v1", "exchange"])
def session(request: pytest.FixtureRequest, fast: launch.Running) -> Iterator[Session]:
    """Make it the default, in either dialect; whatever is live ends with the test."""
    with as_default(session_of(fast, request.param)) as made:
        yield made
        registry.stop_all()


def until(true: Callable[[], object], within_s: float = 15.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)


def threads() -> list[str]:
    """Return the names of our threads, without those that end by themselves soon."""
    return sorted(
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith("cdcx") and thread.name != "cdcx-ask"
    )


# ---------------------------------------------------------------------------------- frames


def test_frames_are_those_of_the_batch_functions(session: Session) -> None:
    """Same index, columns and dtypes, and `received` behind them; the history is there."""
    stream = cdcx.live("btcusdt", "1min", policy=QUICK)
    assert stream.wait(15)
    until(lambda: stream.health["trades_age_s"] is not None)
    for table, frame in (
        (KLINES, stream.klines), (TRADES, stream.trades), (DEPTH, stream.depth),
        (TICKERS, stream.ticker),
    ):  # fmt: skip
        check(table, frame.drop(columns="received"))
        assert str(frame["received"].dtype) == "datetime64[ns, UTC]"
        told = frame.attrs["cdcx"]
        assert told["simulated"] is True
        assert told["live"] is True
        assert told["venue"] == "sandbox"
    assert len(stream.klines) > 250
    assert len(stream.trades) >= 100
    assert stream.klines["closed"].iloc[:-3].all()
    assert stream.trades.index.is_monotonic_increasing
    for times in (stream.trades.index, stream.trades["received"], stream.klines["received"]):
        assert (pd.DatetimeIndex(times).as_unit("ns").asi8 % 10**6 == 0).all()


def test_several_markets_come_together_with_a_column_for_each(session: Session) -> None:
    """`symbol` stands first, in every frame that is not by symbol already."""
    stream = cdcx.live(["btcusdt", "ethusdt"], "1min", policy=QUICK)
    assert stream.wait(20)
    for frame in (stream.klines, stream.trades, stream.depth):
        assert frame.columns[0] == "symbol"
        assert set(frame["symbol"]) == {"btcusdt", "ethusdt"}
    assert stream.ticker.index.tolist() == ["btcusdt", "ethusdt"]
    assert stream.trades.index.is_monotonic_increasing
    trades = stream.trades  # once: the next one may have more rows
    one = trades[trades["symbol"] == "ethusdt"]
    ids = one["id"].astype("int64")
    assert (ids.diff().dropna() == 1).all()
    assert "symbol" in stream.gaps.columns
    assert stream.view("trades")["symbol"].dtype == "category"


def test_everything_is_the_ticker_of_every_market(session: Session) -> None:
    """One row for each market there is."""
    stream = cdcx.live("*", policy=QUICK)
    assert stream.wait(20)
    assert set(stream.ticker.index) == set(cdcx.symbols().index)
    with pytest.raises(e.BadRequest, match="does not watch klines"):
        _ = stream.klines
    assert repr(stream).startswith("<Live * on ")
    assert summary(stream.scene()).startswith("all markets · live")
    verified = stream.verify()  # tickers have no history to compare
    assert (len(verified), list(verified)[:2]) == (0, ["compared", "equal"])


def test_stream_equals_batch(session: Session) -> None:
    """Closed bars are bit for bit those that `klines` returns afterwards, and `verify` says so."""
    stream = cdcx.live("btcusdt", "1min", policy=QUICK)
    assert stream.wait(15)
    before = int(stream.klines["closed"].sum())
    until(lambda: int(stream.klines["closed"].sum()) >= before + 3)
    live = stream.klines
    live = live[live["closed"]]
    batch = cdcx.klines("btcusdt", "1min", start=live.index[0], closed=True)
    batch = batch.loc[: live.index[-1]]
    pd.testing.assert_frame_equal(live[BARS], batch[BARS], check_exact=True)
    table = stream.verify()
    assert table["ok"].all(), table
    assert table.loc[("klines", "btcusdt"), "equal"] > 100
    assert table.loc[("trades", "btcusdt"), "equal"] > 50


def test_a_view_costs_nothing_and_never_changes(session: Session) -> None:
    """It is read-only, holds no text, and stays as it was while the stream goes on."""
    stream = cdcx.live("btcusdt", "1min", policy=QUICK)
    assert stream.wait(15)
    view = stream.view("trades")
    kept = view.copy(deep=True)
    assert list(view.columns) == ["price", "amount", "side", "received"]
    rows = len(stream.trades)
    until(lambda: len(stream.trades) > rows)
    pd.testing.assert_frame_equal(view, kept)
    assert not view["price"].to_numpy().flags.writeable
    with pytest.raises(e.BadRequest, match="no view of 'depth'"):
        stream.view("depth")


def test_a_window_is_kept(session: Session) -> None:
    """Only so many rows, the newest."""
    stream = cdcx.live("btcusdt", "1min", window=50, policy=QUICK)
    assert stream.wait(15)
    until(lambda: stream.health["trades_age_s"] is not None)
    assert len(stream.trades) == 50
    assert 50 <= len(stream.klines) <= 53  # and what still forms


# -------------------------------------------------------------------------------- interruptions


def test_a_cut_is_repaired_and_declared(session: Session, fast: launch.Running) -> None:
    """After it, nothing lacks: ids go on without a jump, and the venue agrees."""
    stream = cdcx.live("btcusdt", "1min", policy=QUICK)
    assert stream.wait(15)
    for _ in range(3):
        connections = stream.health["reconnects"]
        until(lambda: stream.state == "live")
        fast.cut()
        until(lambda n=connections: stream.health["reconnects"] > n)  # type: ignore[misc]  # each its own
        until(lambda: stream.state == "live")
    until(lambda: stream.gaps.empty or bool(stream.gaps["repaired"].all()))
    time.sleep(1.0)
    ids = stream.trades["id"].astype("int64")
    assert (ids.diff().dropna() == 1).all()
    assert stream.verify()["ok"].all()
    assert stream.health["lost"] == 0
    states = stream.events["state"].tolist()
    assert states.count("reconnecting") >= 3
    assert stream.events["why"][stream.events["state"] == "reconnecting"].str.len().min() > 5


def test_what_cannot_be_repaired_is_declared() -> None:
    """V1 tells 200 trades: a longer absence is a row of gaps, a warning, and less coverage."""
    process = launch.start(("--speed", "2000", "--no-limits", "--push-every", "0.1"))
    try:
        with as_default(session_of(process)):
            slow = Policy(first_delay_s=1.5, base_s=1.5)
            stream = cdcx.live("btcusdt", "1hour", channels=["trades"], policy=slow)
            assert stream.wait(15)
            until(lambda: stream.health["trades_age_s"] is not None)
            for _ in range(8):  # a delay may be short by chance
                process.cut()
                until(lambda: stream.state == "live")
                time.sleep(1.5)
                if stream.health["lost"]:
                    break
            gaps = stream.gaps
            lost = gaps[~gaps["repaired"]]
            assert len(lost) >= 1
            assert (lost["channel"] == "trades").all()
            assert (lost["start"] < lost["end"]).all()
            assert (lost["estimate"] > 0).all()
            with pytest.warns(e.GapWarning, match="could not be repaired"):
                frame = stream.trades
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                _ = stream.trades  # once is enough
            assert frame.attrs["cdcx"]["gaps"] >= 1
            assert len(frame.attrs["cdcx"]["coverage"]) >= 2
            ids = frame["id"].astype("int64").to_numpy()
            assert (np.diff(ids) > 1).sum() == len(lost)
            stream.stop()
    finally:
        process.stop()


def test_a_server_that_is_away_is_found_again() -> None:
    """While it is away the state says so and why; frames stay; afterwards all is repaired."""
    process = launch.start(("--speed", "20", "--no-limits", "--push-every", "0.1"))
    port = process.addresses["v1"].rest.rsplit(":", 1)[1]
    with as_default(session_of(process)):
        stream = cdcx.live("btcusdt", "1min", policy=QUICK)
        assert stream.wait(15)
        process.stop()
        until(lambda: stream.state in {"reconnecting", "connecting"})
        rows = len(stream.trades)
        assert rows > 50
        with pytest.warns(e.StaleDataWarning, match="last one that was"):
            assert stream.depth.attrs["cdcx"]["stale"] is True
        again = launch.start(
            ("--speed", "20", "--no-limits", "--push-every", "0.1", "--port", port,
             "--at", str(process.at_ns + int((time.time_ns() - process.since_ns) * 20)))
        )  # fmt: skip
        try:
            until(lambda: stream.state == "live")
            until(lambda: len(stream.trades) > rows)
            until(lambda: not stream.depth.attrs["cdcx"]["stale"])
        finally:
            stream.stop()
            again.stop()


# ------------------------------------------------------------------------------------- a life


def test_the_same_call_returns_the_same_stream(session: Session) -> None:
    """A re-run cell reuses it; other options replace it; another market is another one."""
    first = cdcx.live("btcusdt", "1min", policy=QUICK)
    assert cdcx.live("BTC/USDT", "1m", policy=QUICK) is first
    other = cdcx.live("ethusdt", "1min", policy=QUICK)
    assert other is not first
    assert not first.is_stopped
    wider = cdcx.live("btcusdt", "1min", window=100, policy=QUICK)
    assert wider is not first
    assert first.is_stopped
    hourly = cdcx.live("btcusdt", "1hour", policy=QUICK)
    assert not wider.is_stopped
    assert hourly.wait(15)
    assert not cdcx.live("ethusdt", "1min", policy=QUICK).is_stopped


def test_a_hundred_re_runs_leave_no_threads(session: Session) -> None:
    """One connection and one thread for the stream, however often the cell is run."""
    cdcx.live("btcusdt", "1min", policy=QUICK).wait(15)
    before = threads()
    for turn in range(100):
        stream = cdcx.live("btcusdt", "1min", window=1000 + turn % 5, policy=QUICK)
    assert stream.wait(15)
    until(lambda: threads() == before)
    assert before == ["cdcx-live", "cdcx-stream"]
    stream.stop()
    until(lambda: threads() == [])


def test_streams_of_one_address_share_a_connection(session: Session) -> None:
    """Two of them, one socket; it ends with the last."""
    first = cdcx.live("btcusdt", "1min", policy=QUICK)
    second = cdcx.live("ethusdt", "1min", policy=QUICK)
    assert first.wait(15)
    assert second.wait(15)
    assert threads().count("cdcx-stream") == 1
    first.stop()
    rows = len(second.trades)
    until(lambda: len(second.trades) > rows)
    second.stop()
    until(lambda: threads() == [])


def test_a_probe_of_one_stream_disturbs_no_other(session: Session) -> None:
    """What the venue said of a channel is of no concern to who does not watch it."""
    first = cdcx.live("btcusdt", "1min", policy=QUICK)
    second = cdcx.live("ethusdt", "1min", policy=QUICK)
    assert first.wait(15)
    assert second.wait(15)
    core: Any = first._core
    (connection,) = core.connections
    connection.probed(core.watch.channels[0], is_newer=False)
    done = threading.Event()
    connection.wish(lambda _: done.set())
    assert done.wait(5)
    assert second.health["reconnects"] == first.health["reconnects"] == 0


def test_a_connection_that_has_ended_takes_nobody(session: Session) -> None:
    """Who comes as the last one leaves gets a new connection."""
    first = cdcx.live("btcusdt", "1min", policy=QUICK)
    core: Any = first._core
    (connection,) = core.connections
    first.stop()
    until(lambda: connection._stopped)
    assert not connection.join(core, core.watch.channels)
    assert cdcx.live("btcusdt", "1min", policy=QUICK).wait(15)


def test_a_picker_takes_the_stream_that_runs(session: Session) -> None:
    """With whatever options somebody else has asked for it; one of its own ends when left."""
    first = cdcx.live("btcusdt", "1min", policy=QUICK)
    second = cdcx.live("ethusdt", "1min", window=100, policy=QUICK)
    assert first.other("ethusdt", "1min") is second
    second.leave()
    assert not second.is_stopped
    guest = first.other("crousdt", "1min")
    assert guest.is_guest
    assert first.other("crousdt", "1min") is guest
    guest.leave()
    assert guest.is_stopped
    guest = first.other("crousdt", "1min")
    assert cdcx.live("crousdt", "1min", policy=QUICK) is guest
    guest.leave()
    assert not guest.is_stopped


def test_a_full_disk_ends_the_recording_only(session: Session, tmp_path: Path) -> None:
    """The stream goes on, and says so."""
    stream = cdcx.live("btcusdt", "1min", record=tmp_path / "full.gz", policy=QUICK)
    assert stream.wait(15)
    core: Any = stream._core

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    core._recorder.note = full
    until(lambda: core._recorder is None)
    assert "recording broke off: No space" in stream.health["last_error"]
    rows = len(stream.trades)
    until(lambda: len(stream.trades) > rows)
    assert stream.health["reconnects"] == 0


def test_a_refused_channel_is_told(session: Session) -> None:
    """What the venue does not tell is said in `health`, also while the rest is live."""
    stream = cdcx.live("btcusdt", "1min", policy=QUICK)
    assert stream.wait(15)
    core: Any = stream._core
    with core.lock:
        core.take("test", [Refused(core.watch.channels[1], "no such channel")], core.place.now())
    assert "refused a channel: no such channel" in stream.health["last_error"]
    assert "no such channel" in stream.scene()["health"]["last_error"]


def test_a_stopped_stream_keeps_its_frames(session: Session) -> None:
    """And says that it has stopped; a second stop does nothing."""
    with cdcx.live("btcusdt", "1min", policy=QUICK) as stream:
        assert stream.wait(15)
    rows = len(stream.trades)
    assert rows > 50
    assert stream.state == "stopped"
    assert stream.is_stopped
    stream.stop()
    time.sleep(0.3)
    assert len(stream.trades) == rows
    assert "stopped" in repr(stream)
    assert "SIMULATED" in repr(stream)


def _in_a_child(queue: Any) -> None:
    stream = cdcx.live("btcusdt", "1min", policy=QUICK)
    queue.put((stream.wait(20), len(stream.klines) > 100))
    stream.stop()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_streams_of_its_own(session: Session) -> None:
    """The parent's goes on unharmed, and the child's works."""
    stream = cdcx.live("btcusdt", "1min", policy=QUICK)
    assert stream.wait(15)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python's, about forks with threads
        child = context.Process(target=_in_a_child, args=(queue,))
        child.start()
    assert queue.get(timeout=40) == (True, True)
    child.join(20)
    assert child.exitcode == 0
    rows, lost = len(stream.trades), stream.health["reconnects"]
    until(lambda: len(stream.trades) > rows)
    assert stream.health["reconnects"] == lost


def test_threads_end_with_the_kernel() -> None:
    """A program with a live stream ends at once when it is done."""
    program = (
        "import cdcx_pandas as c\nc.use('sandbox')\n"
        "s = c.live('btcusdt'); assert s.wait(20)\nprint(len(s.klines))\n"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert int(done.stdout) > 100
    assert time.monotonic() - began < 20


# ---------------------------------------------------------------------------------- callbacks


def test_a_function_gets_the_new_rows(session: Session) -> None:
    """Each once, in order, on one thread, at most ten times a second."""
    stream = cdcx.live("btcusdt", "1min", policy=QUICK)
    assert stream.wait(15)
    seen: list[pd.DataFrame] = []
    on: set[str] = set()
    times: list[float] = []

    def take(rows: pd.DataFrame) -> None:
        seen.append(rows)
        on.add(threading.current_thread().name)
        times.append(time.monotonic())

    assert stream.on("trades", take) is take
    until(lambda: sum(map(len, seen)) >= 20)
    ids = [int(id_) for rows in seen for id_ in rows["id"]]
    assert len(ids) == len(set(ids))
    assert ids == sorted(ids)
    assert on == {"cdcx-callbacks"}
    assert min(np.diff(times), default=1.0) > 0.08
    check(TRADES, seen[0].drop(columns="received"))


def test_what_is_no_function_is_refused(session: Session) -> None:
    """At once, and not ten times a second in silence."""
    stream = cdcx.live("btcusdt", "1min", policy=QUICK)
    with pytest.raises(e.BadRequest, match="5 cannot be called"):
        stream.on("trades", 5)  # type: ignore[arg-type]  # that is the point


def test_functions_have_rows_of_their_own() -> None:
    """What one does to them the other does not see, and what fails on the way is counted."""
    news: list[pd.DataFrame | None] = [pd.DataFrame({"price": [1.0]}), None]

    def fresh(_: str) -> pd.DataFrame | None:
        return news.pop(0)

    calls = Callbacks(fresh)
    prices: list[float] = []

    def halved(rows: pd.DataFrame) -> None:
        rows["price"] /= 2
        prices.append(float(rows["price"].iloc[0]))

    calls._functions = [("trades", halved), ("trades", halved)]
    calls.call()
    calls.call()
    assert prices == [0.5, 0.5]
    calls.call()
    assert calls.errors == 1
    assert "IndexError" in calls.last_error


def test_a_function_defined_again_takes_the_place_of_the_first(session: Session) -> None:
    """As when a cell is run again; `off` ends all of a channel."""
    stream = cdcx.live("btcusdt", "1min", policy=QUICK)
    assert stream.wait(15)
    calls: list[str] = []

    def defined(word: str) -> Callable[[pd.DataFrame], None]:
        def take(_: pd.DataFrame) -> None:
            calls.append(word)

        return take

    stream.on("ticker", defined("first"))
    stream.on("ticker", defined("second"))
    stream.on("ticker", lambda _: calls.append("third"))
    until(lambda: calls.count("second") >= 2)
    assert "first" not in calls
    assert "third" in calls
    stream.off("ticker")
    time.sleep(0.3)
    count = len(calls)
    time.sleep(1.0)
    assert len(calls) == count


def test_what_a_function_raises_harms_nothing(session: Session) -> None:
    """It is counted and shown, and the other functions are called all the same."""
    stream = cdcx.live("btcusdt", "1min", policy=QUICK)
    assert stream.wait(15)
    good: list[int] = []

    stream.on("ticker", lambda rows: 1 / 0)
    stream.on("ticker", lambda rows: good.append(len(rows)))
    until(lambda: len(good) >= 2)
    assert stream.health["callback_errors"] >= 2
    assert "ZeroDivisionError" in stream.health["last_error"]
    assert stream.state == "live"


# ------------------------------------------------------------------------------- the account


def test_an_account_is_watched_where_the_venue_streams_it(fast: launch.Running) -> None:
    """Orders, own trades and balances, with what was before; an order that fills appears."""
    with as_default(session_of(fast, "exchange")) as session:
        names = ("ticker", "orders", "my_trades", "account")
        stream = cdcx.live("btcusdt", channels=names, policy=QUICK)
        assert stream.wait(15)
        until(lambda: len(stream.account) > 0 and len(stream.orders) > 0)
        for table, frame in (
            (ORDERS, stream.orders), (FILLS, stream.my_trades), (ACCOUNT, stream.account),
        ):  # fmt: skip
            check(table, frame.drop(columns="received"))
        before = stream.account.loc["BTC", "total"]
        wish = PlaceOrder("btcusdt", "buy", "market", spend=Decimal(50), client_id="first")
        id_ = session.run(wish)
        until(lambda: id_ in stream.orders.index and id_ in set(stream.my_trades["order_id"]))
        until(lambda: stream.account.loc["BTC", "total"] > before)
        until(lambda: stream.orders.loc[id_, "status"] == "filled")
        fast.cut()
        until(lambda: stream.health["reconnects"] >= 2)
        until(lambda: stream.state == "live")
        id_ = session.run(replace(wish, client_id="second"))
        until(lambda: id_ in set(stream.my_trades["order_id"]))
        assert stream.my_trades["id"].is_unique
        stream.stop()


def test_v1_says_that_it_streams_no_account(fast: launch.Running) -> None:
    """And what can be asked instead."""
    with as_default(session_of(fast)), pytest.raises(e.Unsupported, match="does not stream orders"):
        cdcx.live("btcusdt", channels=("klines", "orders"))


# -------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"symbols": "btcusdr"}, e.UnknownSymbol, "btcusdt"),
        ({"symbols": []}, e.BadRequest, "symbols is empty"),
        ({"symbols": "btcusdt", "period": "7min"}, e.BadPeriod, "1min"),
        ({"symbols": "btcusdt", "channels": ("candles",)}, e.BadRequest, "klines, trades"),
        ({"symbols": "btcusdt", "channels": ()}, e.BadRequest, "cannot be watched"),
        ({"symbols": "btcusdt", "window": 0}, e.BadRequest, "window: 0"),
        ({"symbols": "btcusdt", "step": 7}, e.BadRequest, "step"),
        ({"symbols": "*", "channels": ("trades",)}, e.BadRequest, "the ticker of every market"),
    ],
)
def test_an_argument_that_cannot_be_meant_is_refused(
    session: Session, arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Before anything is opened, and the choices are named."""
    before = threads()
    with pytest.raises(error, match=words):
        cdcx.live(**arguments)
    assert threads() == before


def test_what_there_is_no_view_of_is_refused(session: Session) -> None:
    """It is said which there are, and what there is instead."""
    stream = cdcx.live("btcusdt", "1min", policy=QUICK)
    assert stream.state in {"connecting", "subscribing", "live"}
    with pytest.raises(e.BadRequest, match=r"live.depth is small"):
        stream.view("depth")
    with pytest.raises(e.BadRequest, match="There is no channel 'foo'"):
        stream.view("foo")
    with pytest.raises(e.BadRequest, match="does not watch my_trades"):
        stream.view("my_trades")


def test_helpers_work_side_by_side() -> None:
    """A slow answer holds no other question up, also when a thread was idle before."""
    helpers = Helpers("cdcx-test")
    helpers.submit(lambda: None)
    time.sleep(0.1)
    together = threading.Barrier(3)
    for _ in range(3):
        helpers.submit(lambda: together.wait(5) and None)
    until(lambda: helpers._calls == 0)
    assert not together.broken
    until(lambda: helpers._threads == 0)


def test_a_stream_that_cannot_go_on_says_so(faulty: Faulty) -> None:
    """A redirect is refused for good: the state is failed, and waiting raises; a re-run tries."""
    faulty.fail(where="/kline-api/ws", status=302, times=0)
    with as_default(faulty.session):
        stream = cdcx.live("btcusdt", policy=QUICK)
        with pytest.raises(e.StreamError, match="cannot go on"):
            stream.wait(10)
        assert stream.state == "failed"
        assert "302" in stream.health["why"]
        faulty.forgive()
        again = cdcx.live("btcusdt", policy=QUICK)
        assert again is not stream
        assert stream.is_stopped
        assert again.wait(10)
        again.stop()


@pytest.mark.parametrize("dialect", ["v1", "exchange"])
def test_a_merged_book_is_the_one_of_the_batch_function(fast: launch.Running, dialect: str) -> None:
    """`step` merges prices as `depth` does: by the venue, or here."""
    with as_default(session_of(fast, dialect)):
        stream = cdcx.live("btcusdt", channels=("depth",), step=1, policy=QUICK)
        assert stream.wait(15)
        book = stream.depth
        told = book.attrs["cdcx"]
        assert told["step"] == 1
        ticks = book["price"] * 100 / 100
        assert (ticks.round(0) == ticks).all()
        assert book.loc["bid", "price"].is_monotonic_decreasing
        assert book.loc[("bid", 0), "price"] < book.loc[("ask", 0), "price"]
        assert told["mid"] > 0
        stream.stop()
