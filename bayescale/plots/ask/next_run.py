"""Picture of `next_run`: what each run that could be made would tell, against what it costs."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.lines import Line2D

from bayescale.ask.answer import Answer
from bayescale.base.words import told
from bayescale.plots.marks import panels_for, put_legend
from bayescale.plots.scales import log_input
from bayescale.plots.style import COLOURS, GREY, INK, AxesGrid, tidy

# Columns that the answer adds to the candidates' own.
ADDED = ("cost", "reduction", "width_after", "worth", "rank", "chosen", "width_then")
NAMED = 8  # of the chosen, that the legend has room for
SPARE = 1.6  # factor of costs that is left free at both sides


def draw(answer: Answer, ax: Any = None) -> AxesGrid:
    """Draw a dot for each candidate; those that are chosen with their number in the batch."""
    frame = answer.frame
    chosen = frame[frame["chosen"] > 0].sort_values("chosen")
    rest = frame[frame["chosen"] == 0]
    grid = panels_for(ax, 1, 1, (6.6, 4.8))
    axes = grid[0]
    axes.scatter(rest["cost"], rest["reduction"], s=30, color=GREY, edgecolor="white", lw=0.5)
    axes.scatter(chosen["cost"], chosen["reduction"], s=170, color=COLOURS[1], zorder=3)
    for row in chosen.to_dict("records"):
        at = (row["cost"], row["reduction"])
        look = {"color": "white", "fontsize": "small", "fontweight": "bold", "zorder": 4}
        axes.annotate(f"{row['chosen']:.0f}", at, ha="center", va="center", **look)
    axes.set_xlim(frame["cost"].min() / SPARE, frame["cost"].max() * SPARE)
    top = max(float(frame["reduction"].max()), 0.01)
    axes.set_ylim(-0.06 * top, 1.12 * top)
    log_input(axes, "x", "flops")
    ticks = [tick for tick in axes.get_yticks() if 0 <= tick <= 1.12 * top]
    axes.set_yticks(ticks, [f"{100 * tick:.3g}%" for tick in ticks])
    axes.set_xlabel("cost (FLOPs)" if "flops" in frame or "tokens" in frame else "cost")
    axes.set_ylabel("share of the variance that goes")
    axes.set_title("what each run would tell", color=INK, fontsize="medium")
    tidy(axes)
    handles = [
        Line2D([], [], color=COLOURS[1], marker="o", ls="", label=_words(row))
        for row in chosen.head(NAMED).to_dict("records")
    ]
    if len(rest):
        label = f"not chosen: {len(rest)}"
        handles.append(Line2D([], [], color=GREY, marker="o", ls="", label=label))
    put_legend(grid, handles, ax, 2)
    return grid


def _words(row: dict[str, Any]) -> str:
    """Say which run it is: 1: 7B params, 2T tokens."""
    own = {name: value for name, value in row.items() if name not in ADDED and not pd.isna(value)}
    parts = [
        f"{told(float(value))} {name}" if isinstance(value, int | float) else f"{value}"
        for name, value in own.items()
    ]
    return f"{row['chosen']:.0f}: {', '.join(parts).replace('_', ' ')}"
