"""`plot_drift`: how far a law's shape has drifted along each input, and may beyond the data."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.base.intervals import intervals
from bayescale.parts.drift import RELEASED
from bayescale.plots.marks import BAND, panels_for, put_legend
from bayescale.plots.scales import input_label, log_input
from bayescale.plots.style import COLOURS, GREY, INK, AxesGrid, tidy
from bayescale.predict.drifted import drift_along, runs_along

if TYPE_CHECKING:
    from bayescale.fits import Fit

INTERVAL = 0.9
COLUMNS = 3
Of = tuple[str, str] | None


def plot_drift_frame(fit: Fit, of: Of = None, *, seed: int = 0) -> pd.DataFrame:
    """Give the drift that `plot_drift` draws.

    Parameters
    ----------
    fit, of, seed
        See `plot_drift`.

    Returns
    -------
    DataFrame
        One row per input and place: `along`, `of` (a skill or benchmark; "" of a quantity),
        `value` (in the table's unit; of a date the year), `beyond` (the data), `drift_median`,
        `drift_lower_0.9`, `drift_upper_0.9`: a share of the response, or logits.

    Raises
    ------
    PredictError
        The fit does not drift.

    Examples
    --------
    >>> plot_drift_frame(fit).query("beyond")    # doctest: +SKIP
    """
    model, parts = fit.model, []
    for along in list(model.drift) or [""]:
        found = drift_along(fit, along, of, seed=seed)
        runs = runs_along(fit, along)
        skills = list(model.anchors(fit.table)) or list(fit.table.benchmarks.index)
        for i, name in enumerate(skills if model.of_leaderboard else [""]):
            draws = found.draws[:, :, i]
            told = draws if model.of_leaderboard else np.expm1(draws)
            frame = pd.DataFrame({"along": along, "of": name, "value": found.values})
            frame["beyond"] = (found.values < runs.min()) | (found.values > runs.max())
            parts.append(frame.assign(**intervals(told, INTERVAL, "drift")))
    return pd.concat(parts, ignore_index=True)


def plot_drift(fit: Fit, of: Of = None, ax: AxesGrid | None = None, *, seed: int = 0) -> AxesGrid:
    """Draw how far a law has drifted along each input, with its band, and where the data are.

    Zero where the law is as its formula says: at the reference run, or wherever there are runs.
    Beyond the data increments are new in each draw, so that the band opens as fast as data show
    the law to drift; where it drifts beyond them alone, as fast as its prior says.

    Parameters
    ----------
    fit
        A fit whose law drifts.
    of
        A member of a group, as in ("corpus", "c4"), whose own drift is added.
    ax
        As many axes as there are inputs; by default a new figure.
    seed
        Seed of the increments beyond the data.

    Returns
    -------
    array of Axes
        Their data: `plot_drift_frame`.

    Raises
    ------
    PredictError
        The fit does not drift.

    Examples
    --------
    >>> plot_drift(fit)[0].figure.savefig("drift.png")    # doctest: +SKIP
    """
    frame = plot_drift_frame(fit, of, seed=seed)
    inputs = list(dict.fromkeys(frame["along"]))
    grid = panels_for(ax, len(inputs), COLUMNS, (4.3, 3.4), sharey=True)
    handles: list[Line2D | Patch] = []
    for axes, along in zip(grid, inputs, strict=True):
        handles = []
        rows, column = frame[frame["along"] == along], fit.model.inputs.get(along, along)
        for colour, (name, own) in zip(
            cycle(COLOURS), rows.groupby("of", sort=False), strict=False
        ):
            low, high = (own[f"drift_{end}_{INTERVAL:g}"] for end in ("lower", "upper"))
            axes.fill_between(own["value"], low, high, color=colour, alpha=BAND, linewidth=0)
            axes.plot(own["value"], own["drift_median"], color=colour, linewidth=1.6)
            handles.append(Line2D([], [], color=colour, label=str(name) or "posterior median"))
        axes.axhline(0.0, color=GREY, linewidth=0.8, zorder=0)
        marks = np.unique(runs_along(fit, along))
        axes.plot(marks, 0 * marks, "|", color=INK, markersize=9, markeredgewidth=0.7, alpha=0.6)
        if column == RELEASED:
            axes.set_xlabel("release date")
        else:
            log_input(axes, "x", column)
            axes.set_xlabel(input_label(fit.model, column))
        tidy(axes)
    leaderboard = fit.model.of_leaderboard
    grid[0].set_ylabel("drift of a skill, logits" if leaderboard else "drift of the response")
    if not leaderboard:
        grid[0].yaxis.set_major_formatter(lambda value, _: f"{value:+.0%}" if value else "0")
    band = Patch(color=GREY, alpha=BAND, linewidth=0, label=f"{INTERVAL:.0%} interval")
    runs = Line2D([], [], color=INK, marker="|", linestyle="", label="runs of the fit")
    put_legend(grid, [*handles, band, runs], ax)
    return grid
