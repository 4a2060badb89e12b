"""The picture that stays."""

from __future__ import annotations

import base64
import struct

import matplotlib as mpl
import pytest

from cdcx_pandas.widgets import still
from tests.widgets.fake_source import FakeSource


def scene_of(**options: object) -> dict[str, object]:
    """Return a keyframe of a made-up market that stands still."""
    return FakeSource(rate=0, **options).scene(None, None)  # type: ignore[arg-type]  # options


def texts_of(scene: dict[str, object]) -> list[str]:
    """Return everything that is written in a picture."""
    figure = still.figure(scene)
    words = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        words += [axes.get_title(loc) for loc in ("left", "center", "right")]
        words += [text.get_text() for text in axes.texts]
        for table in axes.tables:
            words += [cell.get_text().get_text() for cell in table.get_celld().values()]
    return [word for word in words if word]


def test_it_is_a_png_of_the_size_it_says() -> None:
    """The bytes are a PNG, 1100 by 550, with something in it."""
    png = still.picture(scene_of())
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (1100, 550)
    assert len(png) > 20_000


def test_a_simulated_market_says_so() -> None:
    """SIMULATED stands across the picture and in its title; a real venue is named instead."""
    assert texts_of(scene_of()).count("SIMULATED") == 1
    assert any("SIMULATED" in text and "UTC" in text for text in texts_of(scene_of()))
    real = texts_of(scene_of(simulated=False))
    assert not any("SIMULATED" in text for text in real)
    assert any("exchange" in text for text in real)


def test_it_says_what_and_when() -> None:
    """Symbol, period, price, change with sign and arrow, state and time are in words."""
    scene = scene_of(clock_ms=1_790_000_000_000) | {"state": "stopped"}
    _, title, where = texts_of(scene)[:3]
    assert title.startswith("btcusdt · 1min")
    assert "▼ −" in title or "▲ +" in title
    assert where.startswith("stopped · SIMULATED · 2026-09-21 14:13:2")


def test_what_was_not_received_is_hatched_and_named() -> None:
    """A hole in the klines is hatched through the whole picture; a repaired one is only grey."""
    scene = scene_of()
    first, now = scene["bars"][-100][0], scene["now_ms"]  # type: ignore[index]  # a list
    scene["gaps"] = [
        ["klines", first, first + 600_000, 0, "no answer"],
        ["klines", first + 900_000, first + 960_000, 1, "wire cut"],
        ["depth", first, None, 0, "wire cut"],
        ["klines", 0, 60_000, 0, "long ago"],
    ]
    assert first < now
    figure = still.figure(scene)
    prices, volumes = figure.axes[:2]
    hatches = [patch.get_hatch() for patch in prices.patches]
    assert hatches == ["////", None]
    assert len(volumes.patches) == 3
    assert "not received" in [text.get_text() for text in prices.texts]


def test_a_watch_list_is_a_table() -> None:
    """Where there are no bars, the board is drawn."""
    words = texts_of(scene_of(symbols=("*",)))
    assert {"market", "btcusdt", "ethusdt", "SIMULATED"} <= set(words)


def test_nothing_at_all_is_a_picture_too() -> None:
    """A stream that stopped before its first bar leaves a card that says so."""
    scene = scene_of(channels=())
    assert "no bars were received" in texts_of(scene)
    assert still.picture(scene).startswith(b"\x89PNG")


@pytest.mark.parametrize("period", ["1min", "1week", "1month"])
@pytest.mark.parametrize("history", [1, 2, 500])
def test_few_bars_and_long_ones(period: str, history: int) -> None:
    """One bar is enough, and months are as good as minutes."""
    assert still.picture(scene_of(period=period, history=history)).startswith(b"\x89PNG")


def test_the_bundle_is_what_every_reader_of_notebooks_shows() -> None:
    """PNG, the same bytes as an image in HTML, and a line of text; no script, no address."""
    bundle = still.bundle(scene_of())
    assert set(bundle) == {"text/plain", "image/png", "text/html"}
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert f'src="data:image/png;base64,{bundle["image/png"]}"' in bundle["text/html"]
    assert "http" not in bundle["text/html"]
    assert "<script" not in bundle["text/html"]
    assert bundle["text/plain"].startswith("btcusdt 1min · last 4")
    assert bundle["text/plain"].endswith("SIMULATED")


def test_names_cannot_break_out_of_the_image() -> None:
    """What a venue calls itself is text, not markup."""
    scene = scene_of(simulated=False) | {"venue": '"><script>x</script>'}
    assert "<script" not in still.bundle(scene)["text/html"]


def test_a_persons_style_does_not_reach_the_card() -> None:
    """Dark settings of one's own figures leave the card white, and are left alone by it."""
    scene = scene_of(clock_ms=1_790_000_000_000)
    plain = still.picture(scene)
    with mpl.rc_context({"axes.facecolor": "black", "text.color": "white", "font.size": 30}):
        assert still.picture(scene) == plain
        assert mpl.rcParams["font.size"] == 30
