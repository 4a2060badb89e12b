"""Candles and volume of a kline frame.

One collection per kind of mark, however many bars. Rising bars are hollow and blue, falling
ones filled and vermillion (a pair told apart by every kind of colour vision), so that the
picture can be read without colour too.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from cdcx_pandas.errors import BadRequest
from cdcx_pandas.frames.schema import ATTRS_KEY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RISING, FALLING = "#0072B2", "#D55E00"
_NS_PER_DAY = 86_400 * 10**9  # matplotlib counts dates in days since the epoch
BODY = 0.7
"""Width of a body as a share of the period."""

NOT_RECORDED = "source not recorded"


def source_of(frame: pd.DataFrame) -> str:
    """Return what a picture must say about where its data comes from."""
    told = frame.attrs.get(ATTRS_KEY)
    if not isinstance(told, dict):
        return NOT_RECORDED
    return "SIMULATED" if told.get("simulated") else str(told.get("venue", NOT_RECORDED))


def draw_klines(frame: pd.DataFrame, prices: Axes, volumes: Axes | None = None) -> Axes:
    """Draw candles, and below them the volume.

    Parameters
    ----------
    frame
        Klines of one market (index ``time``).
    prices, volumes
        The axes to draw on; without `volumes` only the candles.

    Returns
    -------
    matplotlib.axes.Axes
        `prices`.

    Raises
    ------
    BadRequest
        The frame holds no klines of one market, or no rows.
    """
    missing = [name for name in ("open", "high", "low", "close") if name not in frame.columns]
    if missing or list(frame.index.names) != ["time"] or frame.empty:
        why = f"Columns {missing} are missing." if missing else "The index is not `time` alone."
        raise BadRequest(
            "This is no frame of klines of one market.",
            why="It has no rows." if frame.empty and not missing else why,
            todo='Pass klines("btcusdt", "1hour"), of several markets frame.loc["btcusdt"].',
        )
    at = pd.DatetimeIndex(frame.index).as_unit("ns").asi8 / _NS_PER_DAY
    open_, high, low, close = (
        frame[name].to_numpy(float) for name in ("open", "high", "low", "close")
    )
    half = BODY * (np.diff(at).min() if len(at) > 1 else 1 / 1440) / 2
    rises = close >= open_
    top, bottom = np.maximum(open_, close), np.minimum(open_, close)
    for chosen, colour, face in ((rises, RISING, "none"), (~rises, FALLING, FALLING)):
        wicks = [
            ((x, a), (x, b))
            for x, lo, hi, bo, to in zip(
                at[chosen], low[chosen], high[chosen], bottom[chosen], top[chosen], strict=True
            )
            for a, b in ((lo, bo), (to, hi))
            if a < b
        ]
        prices.add_collection(LineCollection(wicks, colors=colour, linewidths=0.9))
        prices.add_collection(
            _boxes(at[chosen], half, bottom[chosen], top[chosen], edge=colour, face=face)
        )
        if volumes is not None:
            amounts = frame["volume"].to_numpy(float)[chosen]
            volumes.add_collection(
                _boxes(at[chosen], half, np.zeros_like(amounts), amounts, edge=colour, face=face)
            )
    prices.set_ylabel("price")
    _dated(prices, at, half)
    if volumes is not None:
        volumes.set_ylabel("volume")
        _dated(volumes, at, half)
    return prices


def _boxes(
    at: np.ndarray[Any, Any],
    half: float,
    bottom: np.ndarray[Any, Any],
    top: np.ndarray[Any, Any],
    *,
    edge: str,
    face: str,
) -> PolyCollection:
    x = np.stack([at - half, at - half, at + half, at + half], axis=1)
    y = np.stack([bottom, top, top, bottom], axis=1)
    return PolyCollection(
        list(np.stack([x, y], axis=2)), facecolors=face, edgecolors=edge, linewidths=0.9
    )


def _dated(axes: Axes, at: np.ndarray[Any, Any], half: float) -> None:
    axes.xaxis_date()
    locator = mdates.AutoDateLocator()  # type: ignore[no-untyped-call]  # matplotlib's own
    axes.xaxis.set_major_locator(locator)
    concise = mdates.ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]  # as above
    axes.xaxis.set_major_formatter(concise)
    axes.autoscale_view()
    axes.set_xlim(at[0] - 2 * half, at[-1] + 2 * half)


class Picture(Figure):
    """A figure that a notebook shows by itself, without pyplot and its global state."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=110)
        return file.getvalue()


def klines_figure(frame: pd.DataFrame) -> Picture:
    """Return a figure of candles and volume that says what it shows and where it is from."""
    figure = Picture(figsize=(10, 5.6), layout="constrained")
    prices, volumes = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    draw_klines(frame, prices, volumes)
    prices.tick_params(labelbottom=False)
    told = frame.attrs.get(ATTRS_KEY, {})
    title = " · ".join(str(told[key]) for key in ("symbol", "period") if told.get(key))
    source = source_of(frame)
    prices.set_title(title, loc="left", fontweight="bold", parse_math=False)
    prices.set_title(f"{source} · UTC", loc="right", fontsize="medium", parse_math=False)
    if source == "SIMULATED":
        prices.text(
            0.5, 0.5, source, transform=prices.transAxes, ha="center", va="center",
            fontsize=44, color="0.5", alpha=0.16, fontweight="bold",
        )  # fmt: skip
    for axes in (prices, volumes):
        axes.grid(visible=True, linewidth=0.4, alpha=0.5)
        axes.spines[["top", "right"]].set_visible(False)
    return figure
