"""What every picture shares: colours that colour-blind readers can tell apart, and figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

# Okabe and Ito 2008, "Color universal design", without black and the yellow that vanishes on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P")
GREY, INK = "#8A8A8A", "#333333"

AxesGrid = NDArray[np.object_]


def panels(count: int, columns: int, size: tuple[float, float], **options: Any) -> AxesGrid:
    """Make a figure of `count` axes in rows of at most `columns`, each `size` inches.

    The figure is not registered with pyplot: nothing pops up, nothing has to be closed.

    Returns
    -------
    array of Axes
        Shape (count,).
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
    grid: AxesGrid = figure.subplots(rows, columns, squeeze=False, **options).ravel()
    for unused in grid[count:]:
        unused.remove()
    return grid[:count]


def given_panels(ax: Any, count: int, what: str) -> AxesGrid:
    """Check axes that the user gave: one Axes, or an array of as many as there are panels.

    Raises
    ------
    ValueError
        Their number does not fit.
    """
    grid = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if len(grid) != count:
        raise ValueError(f"{what}: {count} panels to draw, {len(grid)} axes given")
    return grid


def outer_labels(grid: AxesGrid, columns: int) -> None:
    """Keep the labels of the x axis below the lowest panels only, of the y axis at the left."""
    for i, axes in enumerate(grid):
        lowest = i + columns >= len(grid)
        axes.tick_params(axis="x", which="both", labelbottom=lowest)
        if not lowest:
            axes.set_xlabel("")
        if i % columns:
            axes.set_ylabel("")


def legend_below(grid: AxesGrid, handles: Sequence[Artist], columns: int = 6) -> None:
    """Put one legend below all panels of a figure of ours, where it covers nothing."""
    grid[0].figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(columns, len(handles)),
        frameon=False,
        fontsize="small",
    )


def tidy(axes: Axes) -> None:
    """Leave the frame on two sides, and a faint grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E6E6E6", linewidth=0.6)
    axes.set_axisbelow(True)
