"""The picture that stays: one scene as PNG, and as what a notebook keeps.

Drawn from a keyframe, with the package's own candles, on a white card that can be read in
light and dark notebooks. Saved notebooks, untrusted copies, GitHub and nbconvert show it,
because it is plain ``image/png`` and an ``<img>`` with the same bytes. When to draw, and where
to put it, is for others to say.
"""

from __future__ import annotations

import base64
import html
import io
import threading
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cdcx_pandas.charts.candles import FALLING, RISING, draw_klines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cdcx_pandas.widgets.source import Scene

WIDTH_IN, HEIGHT_IN, DPI = 10.0, 5.0, 110
BARS_MAX = 160
"""Newest bars in the picture; more would be a comb."""
BOARD_MAX = 16
"""Markets in the picture of a watch-list."""
GAP_LABELS_MAX = 3
_INK, _QUIET = "#1a1a1a", "#5f6368"
_MS_PER_DAY = 86_400_000

# One picture at a time: matplotlib keeps its fonts and caches for all threads.
_DRAWING = threading.Lock()


def picture(scene: Scene) -> bytes:
    """Return a scene (a keyframe) as PNG."""
    # A person's own style must not reach the card: white paper, dark ink, whatever else is set.
    with (
        _DRAWING,
        mpl.rc_context(mpl.rcParamsDefault.copy() | {"backend": mpl.rcParams["backend"]}),
    ):
        file = io.BytesIO()
        drawn = figure(scene)
        FigureCanvasAgg(drawn)  # no pyplot, and no window
        drawn.savefig(file, format="png", dpi=DPI)
    return file.getvalue()


def summary(scene: Scene) -> str:
    """Return the one line that is left where no picture can be shown."""
    price = scene.get("price") or {}
    has_price = price.get("last") is not None
    parts = [
        name_of(scene).replace(" · ", " "),
        f"last {number(price['last'], decimals_of(scene))}" if has_price else "",
        f"{price['change']:+.2%} in 24 h" if price.get("change") is not None else "",
        str(scene["state"]),
        f"{pd.Timestamp(scene['now_ms'], unit='ms'):%Y-%m-%d %H:%M:%S} UTC",
        "SIMULATED" if scene["simulated"] else str(scene["venue"]),
    ]
    return " · ".join(part for part in parts if part)


def bundle(scene: Scene) -> dict[str, Any]:
    """Return a scene as the MIME bundle that survives: picture, the same in HTML, and a line."""
    told = summary(scene)
    png = base64.b64encode(picture(scene)).decode("ascii")
    image = (
        f'<img src="data:image/png;base64,{png}" alt="{html.escape(told)}" '
        f'width="{WIDTH_IN * DPI:.0f}" style="max-width: 100%; height: auto">'
    )
    return {"text/plain": told, "image/png": png, "text/html": image}


def name_of(scene: Scene) -> str:
    """Return what is seen: a market and a period, or all markets."""
    if scene.get("symbol") in {None, "*"}:
        return "all markets"
    return f"{scene['symbol']} · {scene['period']}"


def decimals_of(scene: Scene) -> int:
    """Return how many decimals the market's prices have."""
    return int((scene.get("decimals") or {}).get("price", 2))


def number(value: float | None, decimals: int) -> str:
    """Return a number as people read it; a dash for one that is not known."""
    return "–" if value is None else f"{value:,.{decimals}f}"


def figure(scene: Scene) -> Figure:
    """Return a scene as a figure of its own: title, candles or board, and where it is from."""
    made = Figure(figsize=(WIDTH_IN, HEIGHT_IN), dpi=DPI, facecolor="white", layout="constrained")
    if scene.get("bars"):
        draw_bars(made, scene)
    else:
        draw_board(made, scene)
    title(made.axes[0], scene)
    if scene["simulated"]:
        made.text(
            0.5, 0.55, "SIMULATED", ha="center", va="center",
            fontsize=44, color="0.5", alpha=0.16, fontweight="bold",
        )  # fmt: skip
    return made


def title(axes: Axes, scene: Scene) -> None:
    """Say what is seen, and of when and where it is."""
    price, decimals = scene.get("price") or {}, decimals_of(scene)
    told = [
        name_of(scene),
        number(price["last"], decimals) if price.get("last") is not None else "",
    ]
    if (change := price.get("change")) is not None:
        told.append(f"{'▲' if change >= 0 else '▼'} {change:+.2%}".replace("-", "−"))
    axes.set_title(
        "   ".join(part for part in told if part),
        loc="left", fontweight="bold", color=_INK, parse_math=False,
    )  # fmt: skip
    when = f"{pd.Timestamp(scene['now_ms'], unit='ms'):%Y-%m-%d %H:%M:%S} UTC"
    where = "SIMULATED" if scene["simulated"] else str(scene["venue"])
    axes.set_title(
        f"{scene['state']} · {where} · {when}",
        loc="right", fontsize="medium", color=_QUIET, parse_math=False,
    )  # fmt: skip


def draw_bars(figure: Figure, scene: Scene) -> None:
    """Draw candles, volume, what is missing, and the last price."""
    prices, volumes = figure.subplots(2, 1, sharex=True, height_ratios=[3.4, 1])
    frame = frame_of(scene["bars"][-BARS_MAX:])
    draw_klines(frame, prices, volumes)
    draw_gaps(prices, volumes, scene.get("gaps") or [], scene["now_ms"])
    last = (scene.get("price") or {}).get("last")
    if last is not None:
        draw_last(prices, float(last), decimals_of(scene), rises=last >= frame["open"].iloc[-1])
    prices.tick_params(labelbottom=False)
    prices.set_ylabel("")
    for axes in (prices, volumes):
        axes.grid(visible=True, linewidth=0.4, alpha=0.5)
        axes.spines[["top", "left"]].set_visible(False)
        axes.yaxis.tick_right()
        axes.tick_params(colors=_QUIET, length=3)
    decimals = decimals_of(scene)
    prices.yaxis.set_major_formatter(lambda value, _: number(value, decimals))
    volumes.set_ylabel("volume", color=_QUIET)
    volumes.set_xlabel("UTC", color=_QUIET)


def frame_of(bars: list[list[Any]]) -> pd.DataFrame:
    """Return bars as the frame that the package's candles are drawn from."""
    columns = ["time", "open", "high", "low", "close", "volume"]
    frame = pd.DataFrame([bar[:6] for bar in bars], columns=columns)
    frame["time"] = pd.to_datetime(frame["time"], unit="ms", utc=True)
    return frame.set_index("time")


def draw_gaps(prices: Axes, volumes: Axes, gaps: list[list[Any]], now_ms: int) -> None:
    """Hatch what was not received; mark lightly what was, later."""
    left, right = prices.get_xlim()
    labels = 0
    for channel, start_ms, end_ms, repaired, _ in gaps:
        start = start_ms / _MS_PER_DAY
        end = (now_ms if end_ms is None else end_ms) / _MS_PER_DAY
        if end < left or start > right:
            continue
        start, end = max(start, left), min(max(end, start + (right - left) * 0.003), right)
        # A hole in trades or depth leaves the candles whole: it is marked beside the volume.
        whole = channel == "klines"
        for axes in (prices, volumes) if whole else (volumes,):
            axes.axvspan(
                start, end, ymax=1 if whole else 0.08, facecolor="0.5", edgecolor="0.35",
                alpha=0.12 if repaired else 0.45, hatch=None if repaired else "////",
                linewidth=0,
            )  # fmt: skip
        if whole and not repaired and labels < GAP_LABELS_MAX:
            labels += 1
            prices.text(
                (start + end) / 2, 0.98, "not received", rotation=90, ha="center", va="top",
                fontsize="small", color=_INK, transform=prices.get_xaxis_transform(),
            )  # fmt: skip


def draw_last(axes: Axes, last: float, decimals: int, *, rises: bool) -> None:
    """Draw the line of the last price, with its number at the edge."""
    colour = RISING if rises else FALLING
    axes.axhline(last, color=colour, linewidth=0.9, linestyle="--")
    axes.annotate(
        number(last, decimals), (1, last), xycoords=("axes fraction", "data"),
        xytext=(3, 0), textcoords="offset points", va="center", fontsize="small", color="white",
        bbox={"boxstyle": "square,pad=0.25", "facecolor": colour, "edgecolor": "none"},
        annotation_clip=False,
    )  # fmt: skip


def draw_board(figure: Figure, scene: Scene) -> None:
    """Draw the watch-list as a table; a line of text when there is not even that."""
    axes = figure.subplots()
    axes.set_axis_off()
    rows = scene.get("board") or []
    if not rows:
        axes.text(0.5, 0.35, "no bars were received", ha="center", color=_QUIET)
        return
    cells = [
        [symbol, *(plain(value) for value in (last, bid, ask)), share(change), plain(volume)]
        for symbol, last, bid, ask, change, volume in rows[:BOARD_MAX]
    ]
    heads = ["market", "last", "bid", "ask", "24 h", "volume"]
    table = axes.table(cells, colLabels=heads, loc="upper center", edges="horizontal")
    table.auto_set_font_size(value=False)
    table.set_fontsize(10)
    table.scale(1, 1.35)
    if len(rows) > BOARD_MAX:
        axes.text(0, -0.02, f"and {len(rows) - BOARD_MAX} more", va="top", color=_QUIET)


def plain(value: float | None) -> str:
    """Return a number of unknown precision."""
    if value is None:
        return "–"
    told = f"{value:,.8g}"
    return f"{value:.12f}".rstrip("0") if "e-" in told else told


def share(value: float | None) -> str:
    """Return a fraction as signed per cent."""
    return "–" if value is None else f"{value:+.2%}".replace("-", "−")
