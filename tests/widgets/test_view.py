"""The notebook's side, with a stand-in for the notebook."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from ipywidgets.widgets.widget import _instances

from cdcx_pandas.widgets import view as views
from cdcx_pandas.widgets.view import LiveView, freeze_views_of, show
from tests.widgets.fake_source import FakeSource
from tests.widgets.test_pump import until


class Screen:
    """What was displayed, in order: (bundle, display id, whether it replaced something)."""

    def __init__(self) -> None:
        self.shown: list[tuple[dict[str, Any], str | None, bool]] = []

    def display(
        self, bundle: dict[str, Any], *, raw: bool, display_id: str | None = None,
        update: bool = False,
    ) -> None:  # fmt: skip
        """Stand in for IPython's `display`."""
        assert raw
        self.shown.append((bundle, display_id, update))


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """Pretend to be in a notebook; no view is left afterwards, nor before."""
    until(lambda: not view_threads())
    made = Screen()
    monkeypatch.setattr(views, "display", made.display)
    monkeypatch.setattr(views, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    yield made
    for view in list(views._VIEWS):
        view.close()


@pytest.fixture
def source() -> Iterator[FakeSource]:
    """Return a made-up market that stands still."""
    made = FakeSource(rate=0)
    yield made
    made._ended.set()


def view_of(source: FakeSource) -> LiveView:
    """Return the one view of a source."""
    (found,) = [v for v in views._VIEWS if v.pump.home is source and not v.is_over]
    return found


def say(view: LiveView, **content: object) -> None:
    """Say what a front end says."""
    view._handle_custom_msg(content, [])


def view_threads() -> list[threading.Thread]:
    """Return the threads that belong to views."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("cdcx-view")]


def test_it_is_shown_as_a_widget_and_a_line_of_text(screen: Screen, source: FakeSource) -> None:
    """A notebook gets the widget; whatever shows no widgets gets the line."""
    show(source)
    ((bundle, display_id, update),) = screen.shown
    assert set(bundle) == {"text/plain", views.WIDGET}
    assert bundle[views.WIDGET]["model_id"] == view_of(source).model_id
    assert bundle["text/plain"].startswith("btcusdt 1min")
    assert display_id
    assert not update


def test_shown_again_it_is_the_same_view(screen: Screen, source: FakeSource) -> None:
    """A cell run many times has one model and one thread."""
    models, threads = len(_instances), len(view_threads())
    for _ in range(20):
        show(source)
    assert len({bundle[views.WIDGET]["model_id"] for bundle, _, _ in screen.shown}) == 1
    assert len({display_id for _, display_id, _ in screen.shown}) == 1
    assert len(_instances) - models == 2  # the view and its layout
    assert len(view_threads()) - threads == 1


def test_a_frame_is_one_message(
    screen: Screen, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much happens between two frames, the comm carries one message."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(LiveView, "send", lambda self, content, buffers=None: sent.append(content))
    show(source)
    until(lambda: sent)
    source.step(1000)
    until(lambda: len(sent) >= 2)
    assert len(sent[1:]) == 1
    assert sent[1]["scene"]["version"] == 1000


def test_a_handler_only_queues(screen: Screen, source: FakeSource) -> None:
    """On whichever thread a click arrives, it returns at once."""
    source.blocks_s = 1.0
    show(source)
    began = time.monotonic()
    say(view_of(source), do="cut")
    assert time.monotonic() - began < 0.2
    until(lambda: source.calls == ["cut"])


@pytest.mark.parametrize("content", [None, 7, "x", {}, {"do": 3}, {"do": "?"}, ["do"]])
def test_nonsense_from_a_page_is_passed_over(
    screen: Screen, source: FakeSource, content: object
) -> None:
    """Only what our front end says is obeyed."""
    show(source)
    view_of(source)._handle_custom_msg(content, [])
    assert not view_of(source).is_over


def test_stopping_leaves_the_picture(screen: Screen, source: FakeSource) -> None:
    """`source.stop()` puts the picture where the view was, and ends view, layout and thread."""
    models = len(_instances)
    show(source)
    shown = screen.shown[0][1]
    pump = view_of(source).pump
    source.stop()
    bundle, display_id, update = screen.shown[-1]
    assert set(bundle) == {"text/plain", "image/png", "text/html"}
    assert (display_id, update) == (shown, True)
    assert "stopped" in bundle["text/plain"]
    assert len(_instances) == models
    pump._thread.join(2)
    assert not pump._thread.is_alive()


def test_the_stop_button_leaves_the_picture(screen: Screen, source: FakeSource) -> None:
    """The button does what `source.stop()` does."""
    show(source)
    view = view_of(source)
    say(view, do="stop")
    until(lambda: source.is_stopped)
    assert screen.shown[-1][2]
    assert "image/png" in screen.shown[-1][0]
    assert [update for _, _, update in screen.shown] == [False, True]


def test_a_view_that_was_seen_hands_the_picture_over_before_it_goes(
    screen: Screen, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page gets the picture too, and the model goes when nothing shows it any more."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(LiveView, "send", lambda self, content, buffers=None: sent.append(content))
    show(source)
    view = view_of(source)
    say(view, do="hello")
    source.stop()
    assert sent[-1]["kind"] == "frozen"
    assert sent[-1]["png"] == screen.shown[-1][0]["image/png"]
    assert view.comm is not None
    say(view, do="gone")
    assert view.comm is None


def test_a_stopped_source_shows_its_picture(screen: Screen, source: FakeSource) -> None:
    """Showing what has ended starts no thread."""
    source.stop()
    threads = len(view_threads())
    show(source)
    assert "image/png" in screen.shown[-1][0]
    assert len(view_threads()) == threads


def test_a_stop_stops_even_without_a_picture(
    screen: Screen, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong with the picture is said in its place."""

    def fail(scene: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(views.still, "bundle", fail)
    show(source)
    source.stop()
    assert "no picture: no room" in screen.shown[-1][0]["text/plain"]
    assert source.is_stopped


def test_a_stop_stops_even_a_source_that_fails(screen: Screen, source: FakeSource) -> None:
    """A source with nothing to show any more leaves a line of text."""
    show(source)
    source.raises = RuntimeError("broken")
    source.stop()
    assert screen.shown[-1][0] == {"text/plain": "btcusdt stopped (no picture: broken)"}


def test_a_visiting_view_goes_home(screen: Screen, source: FakeSource) -> None:
    """When the stream a picker led to stops, the view is not frozen but goes back."""
    show(source)
    view = view_of(source)
    say(view, do="other", symbol="ethusdt", period="1min")
    until(lambda: view.pump.source is not source)
    view.pump.source.stop()
    until(lambda: view.pump.source is source)
    assert not view.is_over


def test_freezing_twice_is_freezing_once(screen: Screen, source: FakeSource) -> None:
    """Button and call at the same time leave one picture."""
    show(source)
    threads = [threading.Thread(target=freeze_views_of, args=(source,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [update for _, _, update in screen.shown] == [False, True]


def test_a_new_source_in_the_same_cell_leaves_nothing_behind(screen: Screen) -> None:
    """Stop the old, show the new, many times: as many models and threads as before."""
    models, threads = len(_instances), len(view_threads())
    for _ in range(5):
        made = FakeSource(rate=50)
        show(made)
        made.stop()
        made._thread.join(2)
    until(lambda: len(view_threads()) <= threads)
    assert len(_instances) == models


def test_a_forgotten_view_ends(screen: Screen, source: FakeSource) -> None:
    """The thread holds the view weakly: a view that nobody holds any more is gone."""
    view = LiveView(source)
    pump = view.pump
    views.LiveView.close(view)
    held = weakref.ref(view)
    del view
    gc.collect()
    until(lambda: not pump._thread.is_alive())
    assert held() is None
    assert pump.is_ended


def test_without_a_kernel_there_is_a_line_of_text(
    monkeypatch: pytest.MonkeyPatch, source: FakeSource, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a terminal no widget can be shown, so none is made."""
    monkeypatch.setattr(views, "get_ipython", lambda: None)
    threads = len(view_threads())
    show(source)
    assert capsys.readouterr().out.startswith("btcusdt 1min · last")
    assert len(view_threads()) == threads


def test_the_front_end_is_one_module_that_asks_nobody(source: FakeSource) -> None:
    """All scripts in one text; no import is left, and no address of another machine."""
    text = views.front_end()
    assert 'from "./' not in text
    assert text.count("export default") == 1
    assert len(text) < 80_000
    addresses = [line for line in text.splitlines() if "://" in line]
    assert all("www.w3.org/2000/svg" in line for line in addresses)
    assert "fetch(" not in text
    assert "import(" not in text
