"""The bar of a long question: not shown for a short one, and honest about its speed."""

from __future__ import annotations

import re
import threading

import pytest

from cdcx_pandas.engines.progress import Progress
from cdcx_pandas.meter import meter


class Watched(Progress):
    """A progress that knows when the bar has looked at it twice."""

    looks = 0

    def __init__(self, total: int, done: int) -> None:
        self.seen = threading.Event()
        super().__init__()
        self.total = total
        self.__dict__["done"] = done

    def __getattribute__(self, name: str) -> object:
        if name == "done":
            self.looks += 1
            if self.looks >= 2:
                self.seen.set()
        return super().__getattribute__(name)


def test_a_short_question_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is written, and nothing is waited for."""
    with meter(Progress(), "klines btcusdt"):
        pass
    assert capsys.readouterr().err == ""


def test_a_long_question_shows_what_is_done_and_a_forecast(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The bar has the label, the pages done of all, and the time they are likely to take."""
    progress = Watched(total=60, done=15)
    with meter(progress, "klines btcusdt", after_s=0.01):
        assert progress.seen.wait(10)
    said = capsys.readouterr().err
    assert re.search(r"klines btcusdt: +25%\|.*\| 15/60 \[\d\d:\d\d<\d\d:\d\d, .*page", said)
    assert not said.split("\r")[-1].strip(), "the bar goes when the answer is there"


def test_the_forecast_counts_from_when_the_question_began(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two seconds before the bar appeared are part of what the pages took."""
    over = threading.Event()
    monkeypatch.setattr(over, "wait", lambda _timeout: over.is_set())
    progress = Watched(total=100, done=10)
    threading.Thread(target=lambda: (progress.seen.wait(10), over.set()), daemon=True).start()
    from cdcx_pandas.meter import _watch

    _watch(progress, "klines btcusdt", over, 100.0)
    shown = re.findall(r"10/100 \[(\d\d:\d\d)<(\d\d:\d\d)", capsys.readouterr().err)
    assert ("01:40", "15:00") in shown
