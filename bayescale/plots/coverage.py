"""`plot_coverage`: how often intervals hold what was observed, against their probability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from bayescale.plots.style import COLOURS, GREY, INK, panels, tidy

if TYPE_CHECKING:
    from bayescale.fit import Fit
    from bayescale.scorecard import Scorecard

LOWEST, HIGHEST = 0.4, 1.02
HELD_OUT, SEEN = "held-out scores", "scores that the fit saw"


def plot_coverage_frame(
    source: Scorecard | Mapping[str, Any] | Fit, *, seed: int = 0
) -> pd.DataFrame:
    """Give the numbers that `plot_coverage` draws.

    Parameters
    ----------
    source, seed
        See `plot_coverage`.

    Returns
    -------
    DataFrame
        One row per level: `model`, `scores` (which scores were counted), `n`, `level` (nominal
        probability), `coverage`, `coverage_se` (bootstrap over families; NaN when not known).

    Examples
    --------
    >>> plot_coverage_frame(card)    # doctest: +SKIP
    """
    from bayescale.fit import Fit

    if isinstance(source, Fit):
        return _of_fit(source, seed)
    card = source if isinstance(source, Mapping) else source.to_dict()
    return pd.DataFrame(
        {
            "model": card["model"],
            "scores": HELD_OUT,
            "n": card["n"],
            "level": [float(level) for level in card["coverage"]],
            "coverage": list(card["coverage"].values()),
            "coverage_se": [card["coverage_se"][level] for level in card["coverage"]],
        }
    ).astype({"coverage": float, "coverage_se": float})


def _of_fit(fit: Fit, seed: int) -> pd.DataFrame:
    """Coverage of the fit's own scores, with each run's effects known."""
    from bayescale import scores
    from bayescale.design import grid_positions
    from bayescale.scorecard import BOOTSTRAP_SEED, LEVELS

    rows = pd.DataFrame({"run": fit.table.runs.index})
    draws = fit.predict(rows=rows, kind="score", seed=seed).draws
    row, column = grid_positions(fit.table)
    own = draws.reshape(len(draws), len(rows), -1)[:, row, column]
    seen = fit.observations()
    y, family = seen["score"].to_numpy(float), seen["family"].to_numpy()
    found = []
    for level in LEVELS:
        low, high = np.quantile(own, [0.5 - level / 2, 0.5 + level / 2], axis=0)
        inside = scores.coverage(low, high, y)
        value, se = scores.cluster_bootstrap(inside, family, seed=BOOTSTRAP_SEED)
        found.append({"level": level, "coverage": value, "coverage_se": se})
    about = {"model": fit.model.name, "scores": SEEN, "n": len(y)}
    return pd.DataFrame([{**about, **one} for one in found])


def plot_coverage(
    source: Scorecard | Mapping[str, Any] | Fit,
    ax: Axes | None = None,
    *,
    color: str = COLOURS[0],
    seed: int = 0,
) -> Axes:
    """Draw how often score intervals hold the observed score, against their nominal probability.

    On the diagonal, intervals keep their promise; below it they are too narrow. The band is two
    standard errors to each side, from a bootstrap over families.

    Parameters
    ----------
    source
        A scorecard, or its dictionary as read from JSON: held-out scores. Or a fit: the scores
        that it saw, given each run's own effects, which flatters it; only a backtest measures
        coverage of what is new.
    ax
        Axes to draw into, as for a second model beside the first; by default a new figure.
    color
        Colour of the line and the band.
    seed
        Seed of the predictions of a fit.

    Returns
    -------
    Axes
        Its data: `plot_coverage_frame`.

    Examples
    --------
    >>> axes = plot_coverage(backtest("skills", table, split))     # doctest: +SKIP
    >>> axes = plot_coverage(other, ax=axes, color="#D55E00")      # doctest: +SKIP
    """
    frame = plot_coverage_frame(source, seed=seed)
    axes = panels(1, 1, (5.4, 5.0))[0] if ax is None else ax
    if not axes.lines:
        _background(axes, frame["level"])
    nominal, covered = frame["level"], frame["coverage"]
    if frame["coverage_se"].notna().any():
        band = 2 * frame["coverage_se"]
        low, high = (covered - band).clip(0, 1), (covered + band).clip(0, 1)
        axes.fill_between(nominal, low, high, color=color, alpha=0.18, linewidth=0)
    first = frame.iloc[0]
    label = f"{first['model']} ({first['n']} {first['scores']})"
    axes.plot(nominal, covered, color=color, marker="o", markersize=6, linewidth=1.6, label=label)
    axes.set_ylim(min(LOWEST, float(covered.min()) - 0.05), HIGHEST)
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, handlelength=1.6, ncols=1
    )
    return axes


def _background(axes: Axes, levels: pd.Series) -> None:
    """Draw the diagonal, and say which side of it means what."""
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1.0, linestyle="--")
    axes.set_xlim(LOWEST, HIGHEST)
    axes.set_xticks(list(levels))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.set_xlabel("nominal probability of the interval")
    axes.set_ylabel("scores inside the interval")
    notes = [(0.03, 0.96, "left", "top", "above the diagonal:\nintervals wider than needed")]
    notes += [(0.97, 0.04, "right", "bottom", "below the diagonal:\nintervals too narrow")]
    for x, y, side, end, text in notes:
        axes.text(
            x, y, text, transform=axes.transAxes, ha=side, va=end, color=INK, fontsize="small"
        )
    tidy(axes)
