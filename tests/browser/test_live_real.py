"""The real `Live` in a real JupyterLab, on a sandbox: what a person sees of a market that lives.

Tests of a class share one notebook, and a sandbox whose minute takes two seconds.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.browser.lab import Lab, Notebook

pytestmark = pytest.mark.browser

USE = """
import threading
import cdcx_pandas as cdcx
from cdcx_pandas.engines.reconnect import Policy
from ipywidgets.widgets.widget import _instances

slow = Policy(first_delay_s=3)  # so that an interruption mostly lasts for some frames
_ = cdcx.use("sandbox", dialect={dialect!r}, speed=30)
"""
SHOW = """
live = cdcx.live("btcusdt", "1min", policy=slow)
live.wait(20)
live
"""
TICKER = "live.pause(); float(live.ticker['last'].iloc[0])"
GAPS = """
for _ in range(100):
    if live.gaps["repaired"].all():
        break
    threading.Event().wait(0.1)
(live.gaps["repaired"].tolist(), live.state, live.health["reconnects"])
"""
LEFT = """
# Threads that ask the venue come and go; the one that waits for it comes with the first order.
passing = {"cdcx-ask", "cdcx-view-work"}
named = [t.name for t in threading.enumerate() if t.name.startswith("cdcx")]
named = sorted(name for name in named if name not in passing)
(named, len(_instances), str(live.state))
"""
BUSY = "import time\nend = time.time() + 3\nwhile time.time() < end: sum(range(1000))"
PICTURE = ".jp-OutputArea img[src^='data:image/png']"
CELLS = (SHOW, TICKER, GAPS, LEFT, BUSY, "live.resume()")
AT = {name: place for place, name in enumerate(("use", "show", "ticker", "gaps", "left", "busy",
                                                "resume"))}  # fmt: skip


def value(outputs: list[dict[str, Any]]) -> Any:
    """Return the value of a cell."""
    (output,) = outputs
    return ast.literal_eval(output["data"]["text/plain"])


def run(notebook: Notebook, name: str) -> list[dict[str, Any]]:
    """Run a cell by its name."""
    return notebook.run(AT[name])


@contextmanager
def opened(lab: Lab, dialect: str) -> Iterator[Notebook]:
    """Open a notebook with a `Live` that is shown."""
    with lab.notebook(USE.format(dialect=dialect), *CELLS) as notebook:
        run(notebook, "use")
        run(notebook, "show")
        notebook.until("Number(view?.dataset.bars) >= 300")
        yield notebook


@pytest.fixture(scope="class")
def real(lab: Lab) -> Iterator[Notebook]:
    """Open it for today's wire."""
    with opened(lab, "exchange") as notebook:
        yield notebook


def look_whether_it_moves(real: Notebook) -> int:
    """Frames keep coming, and it is live; return how many more there were."""
    before = int(real.data("frames"))
    real.until_frames(10)
    assert real.data("state") == "live"
    words = real.page.locator(".cdcx-live").inner_text()
    assert "SIMULATED" in words
    assert re.search(r"bid [\d,.]+\s+ask [\d,.]+\s+spread", words)
    assert real.page.locator(".cx-ladder td").first.inner_text()
    return int(real.data("frames")) - before


def look_at_the_price(real: Notebook) -> tuple[float, float]:
    """Return the price that is seen, and the one that Python tells.

    The picture stands still before Python is asked, so that both speak of the same time.
    """
    pairs: list[tuple[float, float]] = []
    for _ in range(5):  # a trade may come between the last frame and the pause
        told = value(run(real, "ticker"))
        real.until("view.dataset.paused === 'true'")
        pairs.append((float(real.data("last")), told))
        run(real, "resume")
        real.until("view.dataset.paused === 'false'")
        if pairs[-1][0] == pairs[-1][1]:
            break
    return pairs[-1]


def cut_and_look(real: Notebook) -> tuple[list[bool], str, int]:
    """Cut: the word changes, then it is live again and all is repaired, without a reload.

    Return what Python tells: of each gap whether it is repaired, the state, the reconnects.
    """
    from playwright.sync_api import TimeoutError as TooLate

    away = "['reconnecting', 'connecting', 'subscribing'].includes(view.dataset.state)"
    for attempt in range(3):  # it may be back within a frame: the delay is a random one
        real.page.get_by_role("button", name="Cut the wire").click()
        try:
            real.until(away, timeout=2)
            break
        except TooLate:
            assert attempt < 2, "no other word was seen"
    real.until("view.dataset.state === 'live'", timeout=15)
    real.until(r"/reconnects [1-9] .*repaired [1-9]/.test(view.textContent)", timeout=15)
    assert "lost 0" in real.page.locator(".cx-health").inner_text()
    told: tuple[list[bool], str, int] = value(run(real, "gaps"))
    real.until_frames(3)
    return told


class TestReal:
    """One market on today's wire, used."""

    def test_it_appears_and_moves(self, real: Notebook) -> None:
        """Frames keep coming, and it is live."""
        assert look_whether_it_moves(real) >= 10

    def test_the_price_is_that_of_the_ticker(self, real: Notebook) -> None:
        """What is seen is what Python says."""
        seen, told = look_at_the_price(real)
        assert seen == told
        assert seen > 0

    def test_a_cut_is_seen_and_heals(self, real: Notebook) -> None:
        """The hole is declared, filled, and said to be."""
        repaired, state, reconnects = cut_and_look(real)
        assert repaired
        assert all(repaired)
        assert state == "live"
        assert reconnects >= 1

    def test_a_busy_kernel_does_not_freeze_it(self, real: Notebook) -> None:
        """While Python computes for three seconds, frames keep coming."""
        real.until_frames(1)
        before = int(real.data("frames"))
        real.start(AT["busy"])
        real.until_frames(10, timeout=2.8)
        assert int(real.data("frames")) >= before + 10
        assert real.data("state") == "live"

    def test_the_pickers_leave_nothing_behind(self, real: Notebook) -> None:
        """Another market and back again: its threads end, those of the first go on."""
        before = value(run(real, "left"))
        real.page.get_by_label("Symbol").select_option("ethusdt")
        real.until("view.dataset.symbol === 'ethusdt' && Number(view.dataset.bars) >= 100")
        real.page.get_by_label("Period").select_option("5min")
        real.until("view.querySelector('canvas').ariaLabel.includes('ethusdt, 5min')")
        real.page.get_by_role("button", name="Back to btcusdt").click()
        real.until("view.dataset.symbol === 'btcusdt'")
        after = value(run(real, "left"))
        assert after == before
        assert after[0].count("cdcx-live") == 1

    def test_a_cell_run_again_is_the_same_stream(self, real: Notebook) -> None:
        """Five times later there are as many threads, and so connections, and models as before."""
        run(real, "show")
        real.until_frames(2)
        before = value(run(real, "left"))
        for _ in range(5):
            run(real, "show")
        real.until_frames(2)
        assert value(run(real, "left")) == before

    def test_stop_leaves_the_picture_and_ends_the_threads(self, real: Notebook) -> None:
        """Nothing of ours runs any more, and the picture is there when it is opened again."""
        real.page.get_by_role("button", name="Stop").click()
        real.page.locator(PICTURE).wait_for()
        real.page.locator(".cdcx-live").wait_for(state="detached")
        threads, _, state = value(run(real, "left"))
        assert (threads, state) == ([], "stopped")
        real.save()
        real.load()
        real.page.locator(PICTURE).wait_for()


def test_the_wire_of_2019_is_seen_as_well(lab: Lab) -> None:
    """It moves, tells the ticker's price, and heals."""
    with opened(lab, "v1") as notebook:
        assert look_whether_it_moves(notebook) >= 10
        seen, told = look_at_the_price(notebook)
        assert seen == told
        repaired, state, _ = cut_and_look(notebook)
        assert repaired
        assert all(repaired)
        assert state == "live"


def test_no_other_machine_was_asked(lab: Lab) -> None:
    """All that was shown came from this machine."""
    assert lab.foreign == []
