"""`plot_predicted`: predictions of held-out values against what was observed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from bayescale.plots.scales import log_response
from bayescale.plots.scorecards import Source, chosen
from bayescale.plots.style import COLOURS, GREY, INK, MARKERS, legend_below, panels, tidy
from bayescale.tables.frames import ACCURACY

INTERVAL = 0.9
LOWER, UPPER = f"score_lower_{INTERVAL:g}", f"score_upper_{INTERVAL:g}"
ROWS = ["run", "family", "benchmark", "score", "mean_median", LOWER, UPPER]
DECADES = 1.5  # from the least to the largest positive value: from here on, axes are of logs
MARGIN = 0.04
MANY = 300  # rows from which points and intervals are drawn thinner


def plot_predicted_frame(source: Source, model: str | None = None) -> pd.DataFrame:
    """Give the predictions that `plot_predicted` draws.

    Parameters
    ----------
    source, model
        See `plot_predicted`.

    Returns
    -------
    DataFrame
        One row per held-out value: `model`, `run`, `family`, `benchmark`, `score` (observed),
        `mean_median` (posterior median of the expected score), `score_lower_0.9`,
        `score_upper_0.9` (of a measured score), `outside`.

    Raises
    ------
    BacktestError
        See `plot_predicted`.

    Examples
    --------
    >>> plot_predicted_frame(found, "skills").query("outside")    # doctest: +SKIP
    """
    card = chosen(source, model)
    frame = card.need(*ROWS)[ROWS].reset_index(drop=True)
    frame.insert(0, "model", card.model)
    return frame.assign(outside=(frame["score"] < frame[LOWER]) | (frame["score"] > frame[UPPER]))


def plot_predicted(source: Source, model: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the predicted median and 90% interval of each held-out value against the observed.

    A value is where it was predicted if its point is on the diagonal, and inside its interval if
    the interval crosses the diagonal; the others have a ring.

    Parameters
    ----------
    source
        A backtest, a scorecard, or the dictionary of either as read from JSON.
    model
        Name of a model or a baseline; by default the only model.
    ax
        Axes to draw into; by default a new figure, with a legend below.

    Returns
    -------
    Axes
        Its data: `plot_predicted_frame`.

    Raises
    ------
    BacktestError
        There is no such model, several and none is named, or rows are lacking.

    Examples
    --------
    >>> plot_predicted(found, "skills").figure.savefig("predicted.png")    # doctest: +SKIP
    """
    frame, card = plot_predicted_frame(source, model), chosen(source, model)
    axes = panels(1, 1, (5.6, 5.9))[0] if ax is None else ax
    names = list(dict.fromkeys(frame["benchmark"]))
    thin = len(frame) > MANY
    if len(names) <= len(COLOURS):
        groups = [(name, frame[frame["benchmark"] == name]) for name in names]
    else:
        groups = [(f"{len(names)} benchmarks", frame)]
    handles: list[Any] = []
    for (name, rows), color, marker in zip(groups, COLOURS, MARKERS, strict=False):
        ends = rows[["score", LOWER, "score", UPPER]].to_numpy(float).reshape(-1, 2, 2)
        style: dict[str, Any] = {"color": color, "linewidth": 0.7 if thin else 1.1}
        axes.add_collection(LineCollection(list(ends), alpha=0.25 if thin else 0.5, **style))
        points: dict[str, Any] = {
            "marker": marker,
            "linestyle": "",
            "color": color,
            "markeredgecolor": "white",
        }
        axes.plot(
            rows["score"],
            rows["mean_median"],
            markersize=3.5 if thin else 5.5,
            markeredgewidth=0.3,
            **points,
        )
        handles.append(Line2D([], [], markersize=6, label=name, **points))
    ring: dict[str, Any] = {
        "marker": "o",
        "linestyle": "",
        "markerfacecolor": "none",
        "markeredgecolor": INK,
    }
    out = frame[frame["outside"]]
    size = 5.5 if thin else 9
    axes.plot(out["score"], out["mean_median"], markersize=size, markeredgewidth=0.7, **ring)
    told = f"outside its interval ({len(out)} of {len(frame)}, {len(out) / len(frame):.1%})"
    handles.append(Line2D([], [], markersize=8, label=told, **ring))
    _scale(axes, frame, card.unit)
    unit = {ACCURACY: ""}.get(card.unit, f" ({card.unit})")
    word = card.what.removesuffix("s")
    axes.set_xlabel(f"observed {word}{unit}")
    axes.set_ylabel(f"predicted {word}{unit}: median and {INTERVAL:.0%} interval")
    axes.set_title(str(frame["model"].iloc[0]), color=INK, fontsize="medium")
    if ax is None:
        legend_below(np.array([axes], dtype=object), handles, 3)
    else:
        axes.legend(handles=handles, frameon=False, fontsize="small", loc="upper left")
    return axes


def _scale(axes: Axes, frame: pd.DataFrame, unit: str) -> None:
    """Give both axes one scale, and draw the diagonal."""
    shown = frame[["score", "mean_median", LOWER, UPPER]].to_numpy(float)
    low, high = float(shown.min()), float(shown.max())
    logs = unit != ACCURACY and low > 0 and np.log10(high / low) > DECADES
    if logs:
        low, high = low / (high / low) ** MARGIN, high * (high / low) ** MARGIN
    else:
        low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    for which, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        if logs:
            log_response(axes, which)
        elif unit == ACCURACY:
            axis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.plot([low, high], [low, high], color=GREY, linewidth=1.0, linestyle="--", zorder=1)
    axes.set_aspect("equal")
    tidy(axes)
