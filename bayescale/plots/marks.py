"""What pictures of answers share: bands, whiskers, percent, words beside the data, legends."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from bayescale.base.intervals import Floats
from bayescale.base.words import told
from bayescale.plots.scales import input_words
from bayescale.plots.style import (
    GREY,
    INK,
    AxesGrid,
    given_panels,
    legend_below,
    outer_labels,
    panels,
)

BAND = 0.22  # opacity of an interval
QUARTERS = (0, 0.25, 0.5, 0.75, 1)  # ticks of a probability
LETTER = 5.6  # points that a letter of a title takes
LABELS = 40  # that a tall panel has room for
BELOW = 5.0  # letters between a panel and a legend below it: ticks and their label
ROW = 0.26  # inches that a row of a panel takes


def panels_for(
    ax: Any, count: int, columns: int, size: tuple[float, float], **options: Any
) -> AxesGrid:
    """Make a figure of as many panels, or check the axes that the user gave."""
    if ax is None:
        return panels(count, columns, size, **options)
    return given_panels(ax, count, "plot_answer")


def put_legend(grid: AxesGrid, handles: Sequence[Artist], ax: Any, columns: int = 3) -> None:
    """Put a legend below a figure of ours, or below the first of the axes that the user gave."""
    if ax is None:
        legend_below(grid, handles, columns)
    else:
        grid[0].legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, 0.0),
            borderaxespad=BELOW,
            ncols=min(2, len(handles)),
            frameon=False,
            fontsize="small",
        )


def ends(frame: Any, interval: float, before: str = "") -> tuple[Any, Any]:
    """Give both ends of the interval, of a frame (columns) or a row (numbers)."""
    return frame[f"{before}lower_{interval:g}"], frame[f"{before}upper_{interval:g}"]


def band(axes: Axes, along: str, rows: pd.DataFrame, interval: float, colour: str) -> None:
    """Draw a median along an input, and its interval as a band."""
    low, high = ends(rows, interval)
    axes.fill_between(rows[along], low, high, color=colour, alpha=BAND, linewidth=0)
    axes.plot(rows[along], rows["median"], color=colour, linewidth=1.8)


def whiskers(
    axes: Axes,
    rows: pd.DataFrame,
    places: Sequence[float] | Floats,
    interval: float,
    colour: str,
    before: str = "",
    linewidth: float = 1.6,
    **look: Any,
) -> None:
    """Draw medians as dots and intervals as bars, across, one to a place."""
    low, high = ends(rows, interval, before)
    middle = rows[f"{before}median"].to_numpy(float)
    axes.hlines(places, low, high, color=colour, linewidth=linewidth, zorder=3)
    style: dict[str, Any] = {"marker": "o", "markersize": 5} | look
    axes.plot(middle, places, **style, linestyle="", color=colour, zorder=4)


def rows_of(axes: Axes, names: Sequence[str]) -> Floats:
    """Lay rows out from the top, with their names, thinned where there are many; their places."""
    places = np.arange(len(names), dtype=float)[::-1]
    step = -(-len(names) // LABELS)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_yticks(places[::step], list(names)[::step])
    axes.tick_params(axis="y", length=0)
    return places


def name_rows_once(grid: AxesGrid, columns: int, words: str) -> None:
    """Name rows at the left alone, where they are the same in all panels, and the axis once."""
    outer_labels(grid, columns)
    for i, axes in enumerate(grid):
        axes.tick_params(axis="y", labelleft=i % columns == 0)
        axes.set_xlabel("")
    grid[0].figure.supxlabel(words, fontsize="medium")


def probability_axis(axes: Axes, which: str) -> None:
    """Write the ticks of a probability in percent."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_ticks(QUARTERS, [f"{value:.0%}" for value in QUARTERS])


def mark_span(axes: Axes, low: float, middle: float, high: float, text: str) -> None:
    """Mark a median and its interval just above the x axis; arrows where these go on beyond."""
    left, right = axes.get_xlim()
    at, across = 0.035, axes.get_xaxis_transform()
    seen = np.clip([low, high], left, right)
    axes.plot(seen, [at, at], color=INK, linewidth=3, transform=across, solid_capstyle="butt")
    for beyond, edge, arrow in ((low < left, left, "<"), (high > right, right, ">")):
        if beyond:
            axes.plot(edge, at, arrow, color=INK, transform=across, clip_on=False)
    if left <= middle <= right:
        axes.plot(middle, at, "o", color=INK, markersize=7, transform=across, mec="white")
    place = float(np.clip(middle, left, right))
    far = np.log(place / left) / np.log(right / left)
    side = "left" if far < 0.25 else "right" if far > 0.75 else "center"
    axes.text(place, 0.06, text, ha=side, color=INK, fontsize="small", transform=across)


def amount(column: str, value: float) -> str:
    """Write so much of an input: 7B parameters, 1.5e24 FLOPs."""
    return f"{told(value)} {'FLOPs' if column == 'flops' else input_words(column)}"


def title(axes: Axes, text: str) -> None:
    """Write a sentence above a panel, broken into lines that are no wider."""
    width = axes.get_window_extent().width * 72 / axes.figure.dpi  # in points
    lines = textwrap.fill(text, max(20, int(width / LETTER)))
    axes.set_title(lines, color=INK, fontsize="medium")


def guide(axes: Axes, which: str, value: float, **look: Any) -> None:
    """Draw a thin line across the panel, at a value of the x or of the y axis."""
    style: dict[str, Any] = {"color": GREY, "linewidth": 1.0, "linestyle": "--"} | look
    (axes.axvline if which == "x" else axes.axhline)(value, **style)
