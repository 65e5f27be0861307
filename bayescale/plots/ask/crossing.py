"""Picture of `crossing`: both curves, and on the axis where they meet."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayescale.ask.answer import Answer
from bayescale.base.words import percent, told
from bayescale.plots.marks import amount, ends, mark_span, title
from bayescale.plots.style import AxesGrid
from bayescale.plots.two_curves import draw_pair


def draw(answer: Answer, ax: Any = None) -> AxesGrid:
    """Draw the curves, the median and interval of the crossing, and say how probable none is."""
    grid = draw_pair(answer, ax)
    row, along = answer.frame.iloc[0], str(answer.about["along"])
    low, high = map(float, ends(row, answer.interval))
    middle = float(row["median"])
    span = f"between {told(row['from'])} and {amount(along, row['to'])}"
    title(grid[0], f"{percent(float(row['never']))}: they never cross {span}")
    if np.isfinite(low):
        words = f"crossing: {told(middle)} ({told(low)} to {told(high)})"
        mark_span(grid[0], low, middle, high, words)
    return grid
