"""Candles: what is drawn is what the frame says, and where it is from stands in the picture."""

from __future__ import annotations

import io
import warnings

import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from cdcx_pandas.charts.candles import FALLING, RISING, draw_klines, klines_figure, source_of
from cdcx_pandas.errors import BadRequest

TIMES = pd.date_range("2026-01-01", periods=3, freq="h", tz="UTC", name="time")


def bars(**told: object) -> pd.DataFrame:
    """Return three bars: one rises, one falls, one ends where it began."""
    frame = pd.DataFrame(
        {
            "open": [10.0, 12.0, 11.0],
            "high": [13.0, 12.5, 11.0],
            "low": [9.0, 10.5, 11.0],
            "close": [12.0, 11.0, 11.0],
            "volume": [1.0, 2.0, 3.0],
            "closed": [True, True, False],
        },
        index=TIMES,
    )
    if told:
        frame.attrs["cdcx"] = told
    return frame


def texts(figure: Figure) -> list[str]:
    """Return every text of a figure's first axes."""
    axes = figure.axes[0]
    found = [axes.get_title("left"), axes.get_title("right")]
    return found + [text.get_text() for text in axes.texts]


def test_bodies_and_wicks_are_the_bars() -> None:
    """A body reaches from open to close, the wicks from there to low and high."""
    axes = Figure().subplots()
    draw_klines(bars(), axes)
    rising_wicks, rising, falling_wicks, falling = axes.collections
    assert to_hex(rising.get_edgecolor()[0]) == RISING.lower()
    assert rising.get_facecolor().size == 0
    assert to_hex(falling.get_facecolor()[0]) == FALLING.lower()
    boxes = [[float(y) for y in path.vertices[:2, 1]] for path in rising.get_paths()]
    assert boxes == [[10.0, 12.0], [11.0, 11.0]]
    assert [[float(y) for y in path.vertices[:2, 1]] for path in falling.get_paths()] == [
        [11.0, 12.0]
    ]
    ends = [[float(y) for y in line[:, 1]] for line in rising_wicks.get_segments()]
    assert ends == [[9.0, 10.0], [12.0, 13.0]]
    assert len(falling_wicks.get_segments()) == 2


def test_simulated_data_is_called_so() -> None:
    """A picture of the sandbox says SIMULATED twice, once across the prices."""
    figure = klines_figure(bars(venue="sandbox", simulated=True, symbol="btcusdt", period="1hour"))
    assert texts(figure) == ["btcusdt · 1hour", "SIMULATED · UTC", "SIMULATED"]


def test_real_data_names_its_venue() -> None:
    """No watermark; the venue stands above."""
    figure = klines_figure(bars(venue="exchange", simulated=False, symbol="btcusdt"))
    assert texts(figure) == ["btcusdt", "exchange · UTC"]


def test_unmarked_frames_are_called_so() -> None:
    """Nothing is guessed where the provenance was dropped."""
    assert source_of(bars()) == "source not recorded"
    assert texts(klines_figure(bars())) == ["", "source not recorded · UTC"]


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (bars().drop(columns=["open", "close"]), "Columns ['open', 'close'] are missing."),
        (bars().head(0), "It has no rows."),
        (bars().reset_index(), "The index is not `time` alone."),
    ],
)
def test_what_is_no_klines_frame_is_told(frame: pd.DataFrame, why: str) -> None:
    """The error says what is wrong with the frame, and what to pass."""
    with pytest.raises(BadRequest) as caught:
        klines_figure(frame)
    assert str(caught.value) == (
        f"This is no frame of klines of one market.\n{why}\n"
        'Pass klines("btcusdt", "1hour"), of several markets frame.loc["btcusdt"].'
    )


@pytest.mark.parametrize("rows", [1, 3])
def test_a_notebook_shows_it(rows: int) -> None:
    """The figure is a PNG by itself, also of a single bar, and warns of nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png = klines_figure(bars(venue="x").head(rows))._repr_png_()
    with Image.open(io.BytesIO(png)) as image:
        assert image.size == (1100, 616)
