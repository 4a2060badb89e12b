"""The live view in a real JupyterLab, with a made-up market.

Tests of the first part share one notebook, as a person would use it; the others need one that
ends, is saved, or loses its kernel.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.lab import Lab, Notebook

pytestmark = pytest.mark.browser

SETUP = """
from cdcx_pandas.widgets import view
from tests.widgets.fake_source import FakeSource
"""
PICTURE = ".jp-OutputArea img[src^='data:image/png']"
SHOW = SETUP + "source = FakeSource(rate=200); view.show(source)"
SEVERAL = (
    SETUP + "source = FakeSource(('btcusdt', 'ethusdt', 'crousdt'), rate=100)\nview.show(source)"
)


@pytest.fixture(scope="class")
def living(lab: Lab) -> Iterator[Notebook]:
    """Open a notebook with a view that lives."""
    with lab.notebook(SHOW, "source.calls", SETUP) as notebook:
        notebook.run(0)
        notebook.until_frames(3)
        yield notebook


def sight(notebook: Notebook) -> tuple[float, float, str]:
    """Return where the chart is looked at: right edge, bars across, whether it follows."""
    right, span, follows = notebook.data("view").split()
    return float(right), float(span), follows


def box(notebook: Notebook) -> dict[str, float]:
    """Return where the chart is on the page."""
    found: dict[str, float] = notebook.page.locator(".cx-candles").bounding_box()
    return found


def colour(notebook: Notebook) -> list[int]:
    """Return red, green and blue of what the view is drawn on."""
    asked = "(view) => getComputedStyle(view).backgroundColor"
    found: str = notebook.page.locator(".cdcx-live").first.evaluate(asked)
    return [int(part) for part in re.findall(r"\d+", found)[:3]]


def home(notebook: Notebook) -> None:
    """Look at the newest bars again."""
    notebook.page.locator(".cx-candles").focus()
    notebook.page.keyboard.press("End")
    notebook.until("view.dataset.view.endsWith('follows')")


def mime(outputs: list[dict[str, Any]]) -> set[str]:
    """Return the types of the only output."""
    (output,) = outputs
    return set(output["data"])


def gap_words(notebook: Notebook) -> str:
    """Move the crosshair over the newest bars until it tells of a gap, and return what it tells."""
    at = box(notebook)
    for x in range(int(at["width"]) - 60, int(at["width"]) - 160, -2):
        notebook.page.mouse.move(at["x"] + x, at["y"] + 80)
        words: str = notebook.page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() =>"
            " done(document.querySelector('.cx-readout').textContent))))"
        )
        if "wire cut" in words:
            return words
    return ""


class TestLiving:
    """One view, used."""

    def test_it_appears_and_moves(self, living: Notebook) -> None:
        """Candles, price, ladder, trades and health are there, and frames keep coming."""
        living.until_frames(10)
        assert living.data("state") == "live"
        assert living.data("bars") == "300"
        assert float(living.data("last")) > 0
        text = living.page.locator(".cdcx-live").inner_text()
        assert "SIMULATED" in text
        assert "bid 4" in text
        assert re.search(r"age: klines 0\.\d s, trades 0\.\d s", text)
        assert living.page.locator(".cx-ladder td").first.inner_text()
        living.picture("live")

    def test_a_frame_is_drawn_at_once(self, living: Notebook) -> None:
        """From the kernel to the screen takes less than a blink, ten times a second."""
        before = int(living.data("frames"))
        living.page.wait_for_timeout(2000)
        assert int(living.data("frames")) - before >= 14
        assert float(living.data("lag95")) < 1000  # a slow machine; 50 ms is the aim

    def test_keys_pan_and_zoom(self, living: Notebook) -> None:
        """Arrows, plus and minus, Home and End do what they say."""
        home(living)
        right, span, follows = sight(living)
        assert follows == "follows"
        press = living.page.keyboard.press
        press("ArrowLeft")
        living.until("view.dataset.view.endsWith('stays')")
        assert sight(living)[0] < right
        press("+")
        living.until(f"Number(view.dataset.view.split(' ')[1]) < {span - 1}")
        press("-")
        press("-")
        living.until(f"Number(view.dataset.view.split(' ')[1]) > {span + 1}")
        press("Home")
        living.until(f"Number(view.dataset.view.split(' ')[0]) < {right - 100}")
        press("End")
        living.until("view.dataset.view.endsWith('follows')")

    def test_the_notebook_does_not_get_these_keys(self, living: Notebook) -> None:
        """A key meant for the chart, or any other in it, does nothing to the cells."""
        count = "() => window.jupyterapp.shell.currentWidget.content.widgets.length"
        cells = living.page.evaluate(count)
        living.page.locator(".cx-candles").focus()
        for key in ("a", "b", "ArrowUp", "ArrowDown"):
            living.page.keyboard.press(key)
        assert living.page.evaluate(count) == cells

    def test_the_mouse_pans_zooms_and_reads(self, living: Notebook) -> None:
        """Drag pans, the wheel zooms, the crosshair tells the bar under it, Esc hides it."""
        home(living)
        at, mouse = box(living), living.page.mouse
        right, span, _ = sight(living)
        x, y = at["x"] + 200, at["y"] + 120
        mouse.move(x, y)
        mouse.down()
        mouse.move(x + 160, y, steps=4)
        mouse.up()
        living.until(f"Number(view.dataset.view.split(' ')[0]) < {right - 10}")
        crossed = living.page.locator(".cx-readout").inner_text()
        mouse.wheel(0, -400)
        living.until(f"Number(view.dataset.view.split(' ')[1]) < {span - 5}")
        assert re.search(r"O\s[\d,.]+  H\s[\d,.]+  L\s[\d,.]+  C\s[\d,.]+  V", crossed)
        living.page.locator(".cx-candles").focus()
        living.page.keyboard.press("Escape")
        living.until(f"view.querySelector('.cx-readout').textContent !== {json.dumps(crossed)}")
        mouse.move(at["x"] - 30, at["y"] - 200)

    def test_history_is_scrolled_into(self, living: Notebook) -> None:
        """Beyond the window older bars are asked for and put before, and the view stays put."""
        living.page.locator(".cx-candles").focus()
        living.page.keyboard.press("Home")
        living.until("Number(view.dataset.bars) > 700")
        assert sight(living)[2] == "stays"
        before = sight(living)
        living.until_frames(3)
        assert sight(living) == before
        home(living)

    def test_buttons_can_be_named(self, living: Notebook) -> None:
        """Everything that can be done has a name, and the chart says what is seen."""
        for name in ("Pause", "Stop", "Cut the wire", "Zoom in", "Zoom out"):
            assert living.page.get_by_role("button", name=name, exact=True).count() == 1
        assert living.page.get_by_label("Symbol").count() == 1
        assert living.page.get_by_label("Period").count() == 1
        living.until("view.querySelector('canvas').ariaLabel.includes('bars from')")
        label = living.page.locator(".cx-candles").get_attribute("aria-label")
        assert re.match(r"Candles of btcusdt, 1min: \d+ bars from .* UTC, close [\d,.]+$", label)
        assert "btcusdt is live" in living.page.locator(".cx-spoken").inner_text()

    def test_pause_and_resume(self, living: Notebook) -> None:
        """While paused the price stands still and the withheld updates are counted."""
        living.page.get_by_role("button", name="Pause").click()
        living.until("view.dataset.paused === 'true'")
        last = living.data("last")
        living.page.wait_for_timeout(1300)
        assert living.data("last") == last
        words = living.page.locator(".cx-held").inner_text()
        assert int(re.findall(r"PAUSED, (\d+) updates withheld", words)[0]) >= 3
        assert living.data("state") == "live"
        living.page.get_by_role("button", name="Resume").click()
        living.until(f"view.dataset.paused === 'false' && view.dataset.last !== '{last}'")

    def test_the_theme_is_followed(self, living: Notebook) -> None:
        """The view turns dark with the notebook, while it lives."""
        change = "(t) => window.jupyterapp.commands.execute('apputils:change-theme', {theme: t})"
        paper = "getComputedStyle(view).backgroundColor"
        living.page.evaluate(change, "JupyterLab Dark")
        living.until(f"view.dataset.theme === 'dark' && {paper} !== 'rgb(255, 255, 255)'")
        living.until_frames(3)
        living.picture("dark")
        assert living.data("theme") == "dark"
        assert max(colour(living)) < 100
        living.page.evaluate(change, "JupyterLab Light")
        living.until("view.dataset.theme === 'light'")
        assert living.data("theme") == "light"
        assert min(colour(living)) > 200

    def test_the_pickers_show_another_market_and_the_way_back(self, living: Notebook) -> None:
        """Another symbol, another period, and back to what the cell is about."""
        living.page.get_by_label("Symbol").select_option("ethusdt")
        living.until("view.dataset.symbol === 'ethusdt'")
        assert living.data("view").endswith("follows")
        living.page.get_by_label("Period").select_option("5min")
        living.until("view.querySelector('canvas').ariaLabel.includes('ethusdt, 5min')")
        living.page.get_by_role("button", name="Back to btcusdt").click()
        living.until("view.dataset.symbol === 'btcusdt'")
        assert living.page.get_by_label("Symbol").input_value() == "btcusdt"

    def test_a_cut_wire_is_seen_and_heals(self, living: Notebook) -> None:
        """The button cuts, the state says so, and it goes on afterwards."""
        living.page.get_by_role("button", name="Cut the wire").click()
        living.until("view.dataset.state === 'reconnecting'")
        living.picture("cut")
        living.until("view.dataset.state === 'live'")
        assert "reconnects 1" in living.page.locator(".cx-health").inner_text()
        words = gap_words(living)
        assert re.search(r"(klines|trades) \S+–\S+ repaired: wire cut", words)

    def test_it_fits_narrow_places(self, living: Notebook) -> None:
        """At 480 pixels and less everything is there, and nothing sticks out."""
        living.page.set_viewport_size({"width": 560, "height": 1200})
        living.until("view.clientWidth < 480")
        living.until_frames(3)
        living.picture("narrow")
        over = "view.scrollWidth <= view.clientWidth + 1"
        living.until(f"{over} && view.querySelector('.cx-candles').clientWidth > 250")
        assert box(living)["width"] > 250
        assert living.data("state") == "live"
        living.page.set_viewport_size({"width": 1400, "height": 900})

    def test_two_views_of_one_widget(self, living: Notebook) -> None:
        """Shown in another cell as well, both are live, and the first goes on."""
        living.page.evaluate(
            "(code) => { const cells = window.jupyterapp.shell.currentWidget.content.widgets;"
            " cells[2].model.sharedModel.setSource(code); }",
            "view.show(source)",
        )
        living.run(2)
        living.page.locator(".cdcx-live").nth(1).wait_for()
        counts = [int(living.data("frames", nth=n) or 0) for n in (0, 1)]
        living.page.wait_for_function(
            "([a, b]) => { const views = document.querySelectorAll('.cdcx-live');"
            " return views[0].dataset.frames > a + 5 && views[1].dataset.frames > b + 5; }",
            arg=counts,
        )
        assert living.page.locator(".cdcx-live").count() == 2
        assert [living.data("state", nth=n) for n in (0, 1)] == ["live", "live"]

    def test_the_page_can_be_reloaded(self, living: Notebook) -> None:
        """After a reload the view comes back whole, from the kernel that lived on."""
        living.save()
        living.load()
        living.until(
            "view?.dataset.state === 'live' && Number(view.dataset.bars) >= 300", timeout=20
        )
        assert int(living.data("bars")) >= 300
        assert float(living.data("last")) > 0


def test_several_markets(lab: Lab) -> None:
    """A click, or Enter, in the watch-list chooses the market; of all markets there is a list."""
    every = "source.stop(); source = FakeSource(('*',)); view.show(source)"
    with lab.notebook(SEVERAL, every) as notebook:
        notebook.run(0)
        notebook.until("view?.dataset.symbol === 'btcusdt'")
        notebook.page.get_by_role("button", name="ethusdt").click()
        notebook.until("view.dataset.symbol === 'ethusdt'")
        notebook.page.get_by_role("button", name="crousdt").focus()
        notebook.page.keyboard.press("Enter")
        notebook.until("view.dataset.symbol === 'crousdt' && Number(view.dataset.last) < 1")
        notebook.picture("several")
        notebook.run(1)
        notebook.until("view?.querySelectorAll('.cx-market').length === 4")
        assert notebook.page.locator(".cx-candles").is_hidden()
        notebook.page.get_by_role("button", name="btcusdt").click()
        notebook.until("view.dataset.bars === '300'")
        notebook.page.get_by_role("button", name="Back to all markets").click()
        notebook.until("view.dataset.bars === '0'")


def test_a_busy_kernel_and_a_dead_one(lab: Lab) -> None:
    """A cell that sleeps or computes freezes neither view nor pause; a dead kernel is stale."""
    loop = "import time\nend = time.time() + {s}\nwhile time.time() < end: sum(range(1000))"
    with lab.notebook(SHOW, "import time; time.sleep(2)", loop.format(s=4)) as notebook:
        notebook.run(0)
        notebook.until_frames(3)
        notebook.start(1)
        notebook.until_frames(10, timeout=1.9)
        notebook.page.wait_for_timeout(1000)
        notebook.start(2)
        notebook.until_frames(10, timeout=3)
        notebook.page.get_by_role("button", name="Pause").click()
        notebook.until("view.dataset.paused === 'true'", timeout=1)
        last = notebook.data("last")
        notebook.page.get_by_role("button", name="Resume").click()
        notebook.until(f"view.dataset.last !== '{last}'", timeout=2)
        notebook.end_kernel()
        notebook.until("view.dataset.state === 'stale'", timeout=8)
        assert "nothing from the kernel" in notebook.page.locator(".cx-health").inner_text()
        notebook.page.get_by_role("button", name="Pause").click()
        notebook.until("view.dataset.paused === 'true'", timeout=2)
        notebook.picture("stale")


def test_running_again_leaves_nothing_behind(lab: Lab) -> None:
    """Many runs later there are as many threads and models as after the first."""
    again = (
        "try: source.stop()\nexcept NameError: pass\n"
        "source = FakeSource(rate=100); view.show(source)"
    )
    count = (
        "import threading; from ipywidgets.widgets.widget import _instances\n"
        "(sum(t.name.startswith('cdcx-view') for t in threading.enumerate()), len(_instances))"
    )
    with lab.notebook(SETUP, again, count, "view.show(source)") as notebook:
        notebook.run(0)
        for _ in range(2):
            notebook.run(1)
        notebook.until_frames(2)
        notebook.page.wait_for_timeout(500)
        (first,) = notebook.run(2)
        for _ in range(3):
            notebook.run(1)
            notebook.run(3)
        notebook.until_frames(2)
        notebook.page.wait_for_timeout(500)
        (second,) = notebook.run(2)
        assert first["data"]["text/plain"] == second["data"]["text/plain"]
        assert first["data"]["text/plain"].startswith("(1, ")


def test_stop_leaves_a_picture_that_stays(lab: Lab) -> None:
    """The button leaves the picture; saved, reopened and copied to a stranger it is there."""
    with lab.notebook(SHOW, "source.is_stopped") as notebook:
        assert mime(notebook.run(0)) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
        notebook.until_frames(3)
        notebook.page.get_by_role("button", name="Stop").click()
        notebook.page.locator(PICTURE).wait_for()
        assert mime(notebook.outputs(0)) == {"text/plain", "text/html", "image/png"}
        assert notebook.page.locator(".cdcx-live").count() == 0
        assert notebook.run(1)[0]["data"]["text/plain"] == "True"
        notebook.save()
        notebook.picture("stopped")
        notebook.load()
        notebook.page.locator(PICTURE).wait_for()
    # A copy that was changed is signed by nobody, as on another machine.
    kept = json.loads(notebook.path.read_text())
    kept["cells"][0]["source"] = "# a copy"
    copy = notebook.path.with_name("copy.ipynb")
    copy.write_text(json.dumps(kept))
    with lab.open(copy.name) as reopened:
        reopened.page.locator(PICTURE).wait_for()
        reopened.until("document.querySelector('.jp-OutputArea img').naturalWidth === 1100")
        cell = "window.jupyterapp.shell.currentWidget.content.widgets[0]"
        reopened.until(f"{cell}.model.trusted === false")


def test_stop_by_python_leaves_the_picture(lab: Lab) -> None:
    """`source.stop()` in a cell does what the button does, also after the page was reloaded."""
    with lab.notebook(SHOW, "source.stop()") as notebook:
        notebook.run(0)
        notebook.until_frames(3)
        notebook.save()
        notebook.load()
        notebook.until("Number(view?.dataset.bars) > 0", timeout=20)
        notebook.run(1)
        notebook.page.locator(PICTURE).wait_for()
        assert notebook.page.locator(PICTURE).count() == 1
        assert notebook.page.locator(PICTURE).evaluate("(image) => image.naturalWidth") == 1100


def test_no_other_machine_was_asked(lab: Lab) -> None:
    """All that was shown came from this machine."""
    assert lab.foreign == []
