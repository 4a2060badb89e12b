"""The front end without a browser: what it computes, run by node when there is one."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from cdcx_pandas.widgets.view import front_end

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")

MINUTE, DAY = 60_000, 86_400_000
NOON = 1_763_985_600_000  # 2025-11-24 12:00 UTC


def run(script: str, **given: object) -> Any:
    """Return what a script prints as JSON; it sees the front end's names, and what is given."""
    names = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in given.items())
    source = f"{front_end()}\n{names}\nconsole.log(JSON.stringify((() => {{ {script} }})()));"
    assert NODE is not None
    done = subprocess.run(
        [NODE, "--input-type=module"], input=source, capture_output=True, text=True, timeout=20,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() != "undefined" else None


def bar(minute: int, close: float = 1.0, closed: int = 1) -> list[float]:
    """Return a bar."""
    return [NOON + minute * MINUTE, 1.0, 2.0, 0.5, close, 3.0, closed]


def frame(since: int | None, version: int, **parts: object) -> dict[str, object]:
    """Return a frame as the pump sends it."""
    scene = {"symbol": "btcusdt", "period": "1min", "key": since is None, "version": version}
    told = {"paused": False, "asked": 0, "withheld": 0, "home": None, "sent_ms": 0}
    return {"kind": "scene", "since": since, "scene": scene | parts, **told}


class TestScenes:
    """How frames become one scene."""

    def test_bars_change_and_come(self) -> None:
        """A delta replaces the forming bar and adds the next, without touching the rest."""
        merged = run(
            "const s = mergeFrame(blankScene(), key).scene;"
            "const r = mergeFrame(s, delta); return [r.scene.bars, r.lost];",
            key=frame(None, 1, bars=[bar(0), bar(1, closed=0)]),
            delta=frame(1, 2, bars=[bar(1, 1.5), bar(3, closed=0)]),
        )
        assert merged == [[bar(0), bar(1, 1.5), bar(3, closed=0)], False]

    def test_a_lost_frame_is_noticed(self) -> None:
        """A delta that follows another version than ours asks for a whole frame."""
        script = "return mergeFrame(mergeFrame(blankScene(), key).scene, delta).lost;"
        assert run(script, key=frame(None, 1), delta=frame(5, 6)) is True
        assert run(script, key=frame(None, 1), delta=frame(None, 6, symbol="eth", key=False))

    def test_history_stays_when_a_whole_frame_comes(self) -> None:
        """Bars that were scrolled into are kept, unless something is missing in between."""
        script = (
            "let s = mergeFrame(blankScene(), first).scene;"
            "s.bars = mergeOlder(s.bars, older);"
            "return mergeFrame(s, again).scene.bars.map((b) => (b[0] - noon) / 60000);"
        )
        given = {
            "first": frame(None, 1, bars=[bar(0), bar(1)]),
            "older": [bar(-2), bar(-1), bar(0)],
            "noon": NOON,
        }
        kept = run(script, again=frame(None, 2, bars=[bar(1), bar(2)]), **given)
        assert kept == [-2, -1, 0, 1, 2]
        dropped = run(script, again=frame(None, 2, bars=[bar(9), bar(10)]), **given)
        assert dropped == [9, 10]

    def test_another_symbol_begins_anew(self) -> None:
        """Nothing of the old symbol is left."""
        bars = run(
            "return mergeFrame(mergeFrame(blankScene(), a).scene, b).scene.bars;",
            a=frame(None, 1, bars=[bar(0), bar(1)]),
            b=frame(None, 2, symbol="ethusdt", bars=[bar(1)]),
        )
        assert bars == [bar(1)]

    def test_trades_come_once_and_not_for_ever(self) -> None:
        """A trade that is known is not shown twice; sixty are kept."""
        ids = run(
            "let t = mergeTrades([], first); t = mergeTrades(t, more);"
            "return t.map((trade) => trade[4]);",
            first=[[0, 1, 1, 1, str(i)] for i in range(50)],
            more=[[0, 1, 1, 1, str(i)] for i in range(40, 80)],
        )
        assert ids == [str(i) for i in range(20, 80)]

    def test_parts_that_a_stream_does_not_have(self) -> None:
        """What the whole frame does not have is not shown."""
        shows = run(
            "return mergeFrame(blankScene(), key).scene.shows;",
            key=frame(None, 1, bars=[], price={"last": 1}),
        )
        assert shows == ["price", "bars"]

    def test_a_missing_minute_is_a_hole(self) -> None:
        """Places count time, not bars: a bar that is missing leaves its place empty."""
        places = run(
            "const c = clockOf(60000, bars[0][0]);"
            "return bars.map((b) => c.placeOf(b[0]) - c.placeOf(bars[0][0]));",
            bars=[bar(0), bar(1), bar(4)],
        )
        assert places == [0, 1, 4]

    def test_months_are_counted(self) -> None:
        """Months have places one apart, whatever their length, and back again."""
        script = (
            "const c = clockOf(null, 0);"
            "const t = [Date.UTC(2025, 11, 1), Date.UTC(2026, 0, 1), Date.UTC(2026, 1, 1)];"
            "return [t.map(c.placeOf), t.every((x) => c.timeOf(c.placeOf(x)) === x)];"
        )
        assert run(script) == [[24311, 24312, 24313], True]


class TestView:
    """What pan and zoom do to the view."""

    def test_zooming_keeps_the_place_under_the_pointer(self) -> None:
        """The bar under the pointer stays there."""
        zoomed = run("return zoomView({right: 100, span: 40}, 0.5, 0.25, 1000);")
        assert zoomed["right"] - zoomed["span"] * 0.75 == 100 - 40 * 0.75

    def test_zoom_has_ends(self) -> None:
        """Neither one bar nor a million fill the view."""
        assert run("return zoomView({right: 0, span: 10}, 0.0001, 0.5, 1000).span;") == 8
        assert run("return zoomView({right: 0, span: 10}, 9999, 0.5, 1000).span;") == 1000

    def test_some_bars_stay_in_sight(self) -> None:
        """However far one drags, bars are seen."""
        far = run("return clampView({right: 9999, span: 40}, 0, 299).right;")
        back = run("return clampView({right: -9999, span: 40}, 0, 299).right;")
        assert far == 312
        assert back == 28

    def test_the_range_fits_what_is_seen(self) -> None:
        """The price axis holds lowest low and highest high, with a margin; one price is enough."""
        low, high = run("return priceRange(bars, [2.5]);", bars=[bar(0), bar(1)])
        assert low < 0.5
        assert 2.5 < high < 3
        flat = run("return priceRange([[0, 5, 5, 5, 5, 0, 1]], []);")
        assert flat[0] < 5 < flat[1]


class TestScales:
    """Ticks people can read."""

    @pytest.mark.parametrize(
        ("low", "high", "ticks"),
        [(0, 10, [0, 2, 4, 6, 8, 10]), (48_210, 48_790, [48_400, 48_600])],
    )
    def test_prices(self, low: float, high: float, ticks: list[float]) -> None:
        """Ones, twos and fives of some power of ten."""
        assert run("return niceTicks(low, high, 5);", low=low, high=high) == ticks

    def test_nothing_to_scale(self) -> None:
        """An empty range has no ticks, and does not hang."""
        assert run("return niceTicks(5, 5, 5).concat(niceTicks(NaN, NaN, 5));") == []

    @pytest.mark.parametrize(
        ("hours", "labels"),
        [
            (0.25, ["24 Nov 12:00", "12:05", "12:10", "12:15"]),
            (15, ["24 Nov 12:00", "18:00", "25 Nov"]),
            (24 * 9, ["28 Nov", "2 Dec"]),
            (24 * 200, ["2026", "1 Mar", "1 May"]),
            (24 * 365 * 5, ["2026", "2028", "2030"]),
        ],
    )
    def test_times(self, hours: float, labels: list[str]) -> None:
        """A label names what changed: minute, day, month, year; all in UTC."""
        to = NOON + int(hours * 3_600_000)
        ticks = run("return timeTicks(from, to, (to - from) / 4);", **{"from": NOON, "to": to})
        assert [label for _, label in ticks] == labels

    def test_time_labels_name_a_new_year(self) -> None:
        """The first of January is a year."""
        script = "return timeTicks(Date.UTC(2025, 10, 2), Date.UTC(2026, 2, 2), 28 * 86400000);"
        assert [label for _, label in run(script)] == ["1 Dec 2025", "2026", "1 Feb", "1 Mar"]

    def test_ticks_have_the_decimals_they_need(self) -> None:
        """Neighbouring ticks differ in what is written, and no more is written."""
        assert run("return [200, 1, 0.5, 0.25, 0.1, 0.001].map(decimalsFor);") == [0, 0, 1, 2, 1, 3]


class TestWords:
    """Numbers and times in words."""

    @pytest.mark.parametrize(
        ("call", "text"),
        [
            ("formatNumber(48385.5, 2)", "48,385.50"),
            ("formatNumber(-0.5, 1)", "−0.5"),
            ("formatNumber(null, 2)", "–"),
            ("formatChange(0.0123)", "+1.23 %"),
            ("formatChange(-0.0123)", "−1.23 %"),
            ("formatChange(null)", "–"),
            ("formatShort(1234567)", "1.23M"),
            ("formatShort(12.345)", "12.3"),
            ("formatShort(0)", "0"),
            ("formatPlain(0.00001234)", "0.00001234"),
            ("formatPlain(48385.5)", "48,385.5"),
            ("formatAge(null)", "none yet"),
            ("formatAge(0.04)", "0.0 s"),
            ("formatAge(75)", "75 s"),
            ("formatAge(600)", "10 min"),
            ("formatMemory(4200000)", "4.2 MB"),
            (f"formatMoment({NOON}, 60000)", "24 Nov 2025 12:00"),
            (f"formatMoment({NOON}, 86400000)", "24 Nov 2025"),
            (
                f"describeGap(['depth', {NOON}, null, 0, 'wire cut'])",
                "depth 12:00:00–now not received: wire cut",
            ),
            (
                f"describeGap(['trades', {NOON}, {NOON + 5000}, 1, ''])",
                "trades 12:00:00–12:00:05 repaired",
            ),
        ],
    )
    def test_words(self, call: str, text: str) -> None:
        """What is written is what a person reads."""
        assert run(f"return {call};") == text

    def test_dark_and_light(self) -> None:
        """A background tells whether ink must be light."""
        script = "return ['rgb(17, 17, 17)', 'rgb(255, 255, 255)', 'rgba(0, 0, 0, 0)'].map(isDark);"
        assert run(script) == [True, False, False]


class TestStore:
    """What the front end believes."""

    SAYS = "const said = []; const s = createStore(0); s.model = {send: (m) => said.push(m)};"

    def test_a_pause_holds_at_once_and_survives_old_news(self) -> None:
        """The picture stands before Python knows, and frames sent before do not let it go."""
        script = (
            f"{self.SAYS} receive(s, first, 0); setPaused(s, true, 500); receive(s, second, 600);"
            "return [isPaused(s), s.held.version, s.scene.version, s.withheldHere, said];"
        )
        paused, held, version, withheld, said = run(
            script, first=frame(None, 1, bars=[bar(0)]), second=frame(1, 2, bars=[bar(1)])
        )
        assert (paused, held, version, withheld) == (True, 1, 2, 1)
        assert said == [{"do": "pause", "asked": 500}]

    def test_a_resume_shows_what_was_withheld(self) -> None:
        """Resume is instant too: what came meanwhile is shown."""
        script = (
            f"{self.SAYS} receive(s, first, 0); setPaused(s, true, 500); receive(s, second, 600);"
            "setPaused(s, false, 700); return [isPaused(s), s.held, s.scene.version];"
        )
        got = run(script, first=frame(None, 1), second=frame(1, 2))
        assert got == [False, None, 2]

    def test_python_may_pause_too(self) -> None:
        """What Python says counts when it knows of the last click."""
        told = frame(1, 2) | {"paused": True, "asked": 500}
        script = f"{self.SAYS} receive(s, first, 0); receive(s, told, 1); return isPaused(s);"
        assert run(script, first=frame(None, 1), told=told) is True

    def test_silence_is_stale(self) -> None:
        """Three seconds without a frame and the view says so, whatever Python said last."""
        script = (
            f"{self.SAYS} const before = [stateOf(s, 0)[0], stateOf(s, 9000)[0]];"
            "receive(s, first, 1000);"
            "return [before, stateOf(s, 3900)[0], stateOf(s, 4100)];"
        )
        before, live, stale = run(script, first=frame(None, 1, state="live", why=""))
        assert (before, live) == (["connecting", "stale"], "live")
        assert stale == ["stale", "nothing from the kernel for 3.1 s"]

    def test_a_lost_frame_is_asked_for_once_a_second(self) -> None:
        """Many lost frames are one question."""
        script = (
            f"{self.SAYS} receive(s, first, 5000);"
            "for (let i = 0; i < 10; i += 1) receive(s, lost, 5000 + i); return said;"
        )
        assert run(script, first=frame(None, 1), lost=frame(7, 9)) == [{"do": "hello"}]

    def test_a_page_that_missed_the_first_frame_asks(self) -> None:
        """A delta without a beginning shows nothing yet, and a whole frame is asked for."""
        script = f"{self.SAYS} receive(s, late, 5000); return [stateOf(s, 5000)[0], said];"
        late = frame(3, 4, state="live", bars=[bar(1)])
        assert run(script, late=late) == ["connecting", [{"do": "hello"}]]

    def test_a_kernel_that_is_gone_is_survived(self) -> None:
        """A pause holds the picture though nobody can be told any more; a note says so."""
        script = (
            "const s = createStore(0);"
            "s.model = {send: () => { throw new Error('Cannot send'); }};"
            "receive(s, first, 0); setPaused(s, true, 1); return [isPaused(s), s.note.text];"
        )
        got = run(script, first=frame(None, 1))
        assert got == [True, "The kernel cannot be told: Cannot send"]

    def test_after_the_end_nothing_moves(self) -> None:
        """The last picture is not overwritten by a frame that was late."""
        script = (
            f"{self.SAYS} receive(s, {{kind: 'frozen', png: 'x'}}, 0); receive(s, first, 1);"
            "return [s.scene.version, stateOf(s, 9)[0]];"
        )
        assert run(script, first=frame(None, 1)) == [None, "stopped"]

    def test_what_is_not_known_is_passed_over(self) -> None:
        """A message of another version does no harm."""
        assert run(f"{self.SAYS} receive(s, {{kind: 'x'}}, 0); return s.heardAt;") is None
