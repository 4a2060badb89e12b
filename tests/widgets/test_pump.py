"""Each test looks at what a front end would be sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cdcx_pandas.widgets import pump as pumps
from cdcx_pandas.widgets.pump import Pump
from tests.widgets.fake_source import FakeSource


class Wire:
    """The way to a front end: keeps what was sent, and when."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.stops = 0
        self.raises: Exception | None = None

    def send(self, message: dict[str, Any]) -> None:
        """Take a message."""
        if self.raises is not None:
            raise self.raises
        self.messages.append(message)

    def stopped(self) -> None:
        """Take the end."""
        self.stops += 1

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the messages of a kind."""
        return [message for message in self.messages if message["kind"] == kind]

    def keys(self) -> list[dict[str, Any]]:
        """Return the keyframes."""
        return [message for message in self.of("scene") if message["scene"]["key"]]


@contextmanager
def pumping(source: FakeSource) -> Iterator[tuple[Pump, Wire]]:
    """Run a pump, and end it with the block."""
    wire = Wire()
    pump = Pump(source, wire.send, wire.stopped)
    pump.start()
    try:
        yield pump, wire
    finally:
        pump.end()
        pump._thread.join(5)
        source._ended.set()


def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.005)


def test_the_first_frame_is_whole_and_the_next_ones_are_not() -> None:
    """A front end gets everything once, then only what changed."""
    with pumping(FakeSource(rate=200)) as (_, wire):
        until(lambda: len(wire.of("scene")) >= 4)
        first, *rest = wire.of("scene")[:4]
        assert first["scene"]["key"]
        assert first["since"] is None
        assert len(first["scene"]["bars"]) == 300
        assert not any(message["scene"]["key"] for message in rest)
        assert all(len(message["scene"]["bars"]) <= 2 for message in rest)
        assert [message["since"] for message in rest] == [
            message["scene"]["version"] for message in wire.of("scene")[:3]
        ]


@pytest.mark.parametrize("rate", [50, 5000])
def test_ten_frames_a_second_whatever_happens(rate: int) -> None:
    """Many events are one frame, at most ten frames a second, and none is left behind."""
    source = FakeSource(rate=rate)
    with pumping(source) as (_, wire):
        until(lambda: wire.messages)
        began, sent = time.monotonic(), len(wire.messages)
        time.sleep(1.2)
        frames = len(wire.messages) - sent
        assert frames <= 10 * (time.monotonic() - began) + 1
        assert frames >= 5
        source._ended.set()
        source._thread.join()
        until(lambda: wire.messages[-1]["scene"]["version"] == source._version)


def test_a_quiet_market_is_told_once_a_second() -> None:
    """Nothing new: one frame a second, so that ages can grow and silence means something."""
    with pumping(FakeSource(rate=0)) as (_, wire):
        time.sleep(1.4)
        assert len(wire.messages) == 2


def test_hello_brings_a_whole_frame() -> None:
    """A page that was reloaded asks, and gets everything."""
    with pumping(FakeSource(rate=0)) as (pump, wire):
        until(wire.keys)
        pump.order({"do": "hello"})
        until(lambda: len(wire.keys()) == 2, 0.5)
        assert len(wire.keys()[1]["scene"]["bars"]) == 300
        assert wire.keys()[1]["since"] is None


def test_a_whole_frame_comes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was lost on the way is mended within seconds."""
    monkeypatch.setattr(pumps, "EARLY_S", 0.0)
    monkeypatch.setattr(pumps, "KEY_EVERY_S", 0.3)
    with pumping(FakeSource(rate=100)) as (_, wire):
        until(lambda: len(wire.keys()) >= 3, 3)
        whole = wire.keys()
        assert all(len(message["scene"]["bars"]) >= 300 for message in whole)
        assert len(wire.of("scene")) > len(wire.keys())


def test_a_page_that_comes_late_need_not_ask() -> None:
    """While a cell keeps the kernel busy no hello arrives; a whole frame comes all the same."""
    with pumping(FakeSource(rate=100)) as (pump, wire):
        until(lambda: len(wire.keys()) >= 3, 3)
        assert pump._orders.empty()
        whole = wire.keys()
        assert all(len(message["scene"]["bars"]) >= 300 for message in whole)


def test_a_pause_is_confirmed_counted_and_ended_by_a_whole_frame() -> None:
    """While paused no picture is sent, only how things stand and how much was withheld."""
    source = FakeSource(rate=100)
    with pumping(source) as (pump, wire):
        until(lambda: wire.messages)
        pump.order({"do": "pause", "asked": 17})
        until(lambda: wire.of("beat"), 0.5)
        assert source.is_paused
        assert wire.of("beat")[0]["asked"] == 17
        scenes = len(wire.of("scene"))
        until(lambda: len(wire.of("beat")) >= 2)
        assert len(wire.of("scene")) == scenes
        assert wire.of("beat")[-1]["withheld"] >= 5
        assert "bars" not in wire.of("beat")[-1]["scene"]
        assert "health" in wire.of("beat")[-1]["scene"]
        pump.order({"do": "resume", "asked": 18})
        until(lambda: len(wire.of("scene")) > scenes)
        resumed = wire.of("scene")[scenes]
        assert resumed["scene"]["key"]
        assert (resumed["paused"], resumed["asked"]) == (False, 18)


def test_a_pause_by_python_is_seen() -> None:
    """`live.pause()` in a cell holds the picture as the button does."""
    source = FakeSource(rate=100)
    with pumping(source) as (_, wire):
        until(lambda: wire.messages)
        source.pause()
        until(lambda: wire.of("beat") and wire.of("beat")[-1]["paused"], 2)
        scenes = len(wire.of("scene"))
        time.sleep(0.3)
        assert len(wire.of("scene")) == scenes


def test_orders_are_only_queued() -> None:
    """Taking an order takes no time and touches no source, however long the order takes."""
    source = FakeSource(rate=100)
    source.blocks_s = 1.0
    with pumping(source) as (pump, wire):
        until(lambda: wire.messages)
        began = time.monotonic()
        for _ in range(50):
            pump.order({"do": "cut"})
        assert time.monotonic() - began < 0.05
        assert len(source.calls) <= 1


def test_the_picture_moves_while_an_order_waits() -> None:
    """A venue that answers slowly does not stop the frames."""
    source = FakeSource(rate=100)
    source.blocks_s = 0.8
    with pumping(source) as (pump, wire):
        until(lambda: wire.messages)
        first = source.markets["btcusdt"].bars[0][0]
        pump.order({"do": "older", "symbol": "btcusdt", "before_ms": first, "count": 50})
        until(lambda: source.calls)
        frames = len(wire.of("scene"))
        until(lambda: wire.of("older"))
        assert len(wire.of("scene")) - frames >= 4
        bars = wire.of("older")[0]["bars"]
        assert len(bars) == 50
        assert bars[-1][0] < first


def test_another_symbol_is_shown_and_the_way_back() -> None:
    """The picker shows another stream; the one the view was made for is one order away."""
    source = FakeSource(rate=0)
    with pumping(source) as (pump, wire):
        pump.order({"do": "other", "symbol": "ethusdt", "period": "5min"})
        until(lambda: wire.messages and wire.messages[-1]["scene"]["symbol"] == "ethusdt")
        assert wire.messages[-1]["scene"]["key"]
        assert wire.messages[-1]["home"] == "btcusdt"
        pump.order({"do": "home"})
        until(lambda: wire.messages[-1]["scene"]["symbol"] == "btcusdt")
        assert wire.messages[-1]["home"] is None
        assert not source.is_stopped


def test_another_watched_symbol_is_chosen_without_asking_anybody() -> None:
    """Of several watched symbols the view shows the chosen one."""
    source = FakeSource(("btcusdt", "ethusdt"), rate=0)
    with pumping(source) as (pump, wire):
        pump.order({"do": "choose", "symbol": "ethusdt"})
        until(lambda: wire.messages and wire.messages[-1]["scene"]["symbol"] == "ethusdt")
        assert source.calls == []


def test_a_refusal_is_told() -> None:
    """What the venue refuses is a note in the view, and the picture goes on."""
    with pumping(FakeSource(rate=100)) as (pump, wire):
        pump.order({"do": "other", "symbol": "nocoin", "period": "1min"})
        until(lambda: wire.of("refused"))
        assert wire.of("note")[0]["text"] == "other: BadRequest: No symbol nocoin."
        frames = len(wire.of("scene"))
        until(lambda: len(wire.of("scene")) > frames)


def test_a_failing_source_is_told_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the source is a note, not the end; afterwards a whole frame comes."""
    monkeypatch.setattr(pumps, "RETRY_S", 0.05)
    source = FakeSource(rate=0)
    source.raises = RuntimeError("broken\nsecond line")
    with pumping(source) as (_, wire):
        until(lambda: wire.of("note"))
        assert wire.of("note")[0]["text"] == "RuntimeError: broken"
        source.raises = None
        until(wire.keys)


def test_a_failing_wire_is_survived(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A comm that cannot send neither ends the pump nor prints; it recovers with a whole frame."""
    monkeypatch.setattr(pumps, "RETRY_S", 0.02)
    with pumping(FakeSource(rate=100)) as (_, wire):
        until(lambda: wire.messages)
        keys = len(wire.keys())
        wire.raises = ValueError("no comm")
        time.sleep(0.3)
        wire.raises = None
        until(lambda: len(wire.keys()) > keys)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("command", [{}, {"do": "x"}, {"do": "pause"}, {"do": "older"}])
def test_an_unknown_order_is_passed_over(command: dict[str, Any]) -> None:
    """What no front end of this version says does no harm."""
    with pumping(FakeSource(rate=100)) as (pump, wire):
        pump.order(command)
        frames = len(wire.messages)
        until(lambda: len(wire.messages) > frames + 1)
        assert not wire.of("note")


def test_the_end_of_the_source_is_the_end_of_the_pump() -> None:
    """A source that stopped by itself is noticed, once."""
    source = FakeSource(rate=100)
    with pumping(source) as (pump, wire):
        until(lambda: wire.messages)
        source.is_stopped = True
        until(lambda: pump.is_ended)
        pump._thread.join(2)
        assert wire.stops == 1
        assert not pump._thread.is_alive()


def test_a_visited_source_that_ends_leads_home() -> None:
    """When the stream that a picker led to ends, the view shows its own again."""
    with pumping(FakeSource(rate=0)) as (pump, wire):
        pump.order({"do": "other", "symbol": "ethusdt", "period": "1min"})
        until(lambda: pump.source is not pump.home)
        pump.source.stop()
        until(lambda: pump.source is pump.home)
        assert wire.stops == 0


def test_stop_ends_what_is_shown_and_what_the_view_was_made_for() -> None:
    """The button ends both streams, after the picture was asked for."""
    source = FakeSource(rate=100)
    with pumping(source) as (pump, wire):
        pump.order({"do": "other", "symbol": "ethusdt", "period": "1min"})
        until(lambda: pump.source is not pump.home)
        shown = pump.source
        pump.order({"do": "stop"})
        until(lambda: source.is_stopped)
        assert shown.is_stopped
        assert wire.stops == 1


def test_a_left_source_is_told_when_it_wants_to_know() -> None:
    """A stream that only a picker needed can end itself when nobody looks any more."""
    with pumping(FakeSource(rate=0)) as (pump, _):
        left: list[str] = []
        pump.order({"do": "other", "symbol": "ethusdt", "period": "1min"})
        until(lambda: pump.source is not pump.home)
        pump.source.leave = lambda: left.append("ethusdt")  # type: ignore[attr-defined]  # optional
        pump.order({"do": "home"})
        until(lambda: left == ["ethusdt"])
        assert pump.source is pump.home


def test_a_source_is_left_when_the_next_one_is_shown() -> None:
    """It may end then, and whatever still shows a source that ends goes home."""
    with pumping(FakeSource(rate=0)) as (pump, _):
        shown: list[bool] = []
        pump.order({"do": "other", "symbol": "ethusdt", "period": "1min"})
        until(lambda: pump.source is not pump.home)
        first = pump.source
        first.leave = lambda: shown.append(pump.source is first)  # type: ignore[attr-defined]  # optional
        pump.order({"do": "other", "symbol": "ethusdt", "period": "5min"})
        until(lambda: shown == [False])
        assert pump.source not in {first, pump.home}
        assert pump.source.period == "5min"


def test_no_thread_is_left() -> None:
    """Both threads end with the pump."""
    with pumping(FakeSource(rate=100)) as (pump, _):
        pump.order({"do": "cut"})
        until(lambda: pump._worker)
        worker = pump._worker
    assert worker is not None
    worker.join(5)
    assert not worker.is_alive()
    assert not pump._thread.is_alive()
    assert pump._thread.daemon
    assert worker.daemon


def test_the_threads_say_whose_they_are() -> None:
    """A person who lists threads sees what these are."""
    with pumping(FakeSource(rate=0)):
        assert "cdcx-view" in {thread.name for thread in threading.enumerate()}
