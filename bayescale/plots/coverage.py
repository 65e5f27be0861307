"""`plot_coverage`: how often intervals hold what was observed, against their probability."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from bayescale.backtesting import scores
from bayescale.backtesting.scorecard import BOOTSTRAP_SEED, LEVELS
from bayescale.base.intervals import quantiles
from bayescale.fits import Fit
from bayescale.plots.scorecards import Source, measured, read_cards
from bayescale.plots.style import COLOURS, GREY, INK, MARKERS, panels, tidy
from bayescale.tables.table import grid_positions

LOWEST, HIGHEST = 0.4, 1.02
NOTE_FROM, NOTE_HIGH = 0.75, 0.15  # where the lower note begins; its share of the height

APART = 0.006  # between the error bars of models
MODEL: dict[str, Any] = {"marker": "o", "markersize": 6, "linewidth": 1.6, "zorder": 2.0}
BASELINE: dict[str, Any] = {"markersize": 5, "linewidth": 1.1, "linestyle": "--", "zorder": 1.9}


def plot_coverage_frame(source: Source | Fit, *, seed: int = 0) -> pd.DataFrame:
    """Give the numbers that `plot_coverage` draws.

    Parameters
    ----------
    source, seed
        See `plot_coverage`.

    Returns
    -------
    DataFrame
        One row per model and level: `model`, `scores` (which scores or values were counted), `n`,
        `level` (nominal probability), `coverage`, `coverage_se` (bootstrap over families; NaN when
        not known), `baseline` (whether it is one).

    Raises
    ------
    BacktestError
        The source is none of what is drawn.

    Examples
    --------
    >>> plot_coverage_frame(card)    # doctest: +SKIP
    """
    if isinstance(source, Fit):
        return _of_fit(source, seed)
    found = []
    for card in read_cards(source):
        about = card.coverage.assign(baseline=card.baseline)
        for place, (name, value) in enumerate(
            (("model", card.model), ("scores", f"held-out {card.what}"), ("n", card.n))
        ):
            about.insert(place, name, value)
        found.append(about)
    return pd.concat(found, ignore_index=True)


def _of_fit(fit: Fit, seed: int) -> pd.DataFrame:
    """Coverage of the fit's own scores, with each run's effects known."""
    rows = pd.DataFrame({"run": fit.table.runs.index})
    draws = fit.predict(rows=rows, kind="score", seed=seed).draws
    row, column = grid_positions(fit.table)
    own = draws.reshape(len(draws), len(rows), -1)[:, row, column]
    seen = fit.observations()
    y, family = seen["score"].to_numpy(float), seen["family"].to_numpy()
    found = []
    for level in LEVELS:
        low, high = quantiles(own, [0.5 - level / 2, 0.5 + level / 2])
        inside = scores.coverage(low, high, y)
        value, se = scores.cluster_bootstrap(inside, family, seed=BOOTSTRAP_SEED)
        found.append({"level": level, "coverage": value, "coverage_se": se})
    units = fit.table.benchmarks["unit"].unique()
    seen_by_fit = f"{measured(units[0] if len(units) == 1 else '')} that the fit saw"
    about = {"model": fit.model.name, "scores": seen_by_fit, "n": len(y)}
    return pd.DataFrame([{**about, **one, "baseline": False} for one in found])


def plot_coverage(
    source: Source | Fit,
    ax: Axes | None = None,
    *,
    color: str = COLOURS[0],
    seed: int = 0,
) -> Axes:
    """Draw how often score intervals hold the observed score, against their nominal probability.

    On the diagonal, intervals keep their promise; below it they are too narrow. The band, or the
    bar where there are several models, is two standard errors to each side, from a bootstrap over
    families.

    Parameters
    ----------
    source
        A backtest: each model has a colour, each baseline is grey. A scorecard. Either as the
        dictionary read from JSON. Or a fit: the scores that it saw, given each run's own effects,
        which flatters it; only a backtest measures coverage of what is new.
    ax
        Axes to draw into, as for a second model beside the first; by default a new figure.
    color
        Colour of the line and its errors, of the first model where there are several.
    seed
        Seed of the predictions of a fit.

    Returns
    -------
    Axes
        Its data: `plot_coverage_frame`.

    Raises
    ------
    BacktestError
        The source is none of these.

    Examples
    --------
    >>> axes = plot_coverage(backtest(["skills", "compute"], table, by="size"))  # doctest: +SKIP
    >>> axes = plot_coverage(card, ax=axes, color="#D55E00")                     # doctest: +SKIP
    """
    frame = plot_coverage_frame(source, seed=seed)
    axes = panels(1, 1, (5.4, 5.0))[0] if ax is None else ax
    if not axes.lines:
        _background(axes, frame)
    colours = [color, *(other for other in COLOURS if other != color)]
    about = frame.drop_duplicates(["baseline", "model"])
    many = int((~about["baseline"]).sum())
    place = {True: 0, False: 0}
    for first in about.to_dict("records"):
        rows = frame[(frame["model"] == first["model"]) & (frame["baseline"] == first["baseline"])]
        i = place[first["baseline"]]
        place[first["baseline"]] += 1
        label = first["model"]
        if len(about) == 1:
            label += f" ({first['n']} {first['scores']})"
        if first["baseline"]:
            look = {"color": GREY, "marker": MARKERS[1 + i % (len(MARKERS) - 1)], **BASELINE}
        else:
            look = {"color": colours[i % len(colours)], **MODEL}
            _errors(axes, rows, look["color"], (i - (many - 1) / 2) * APART if many > 1 else None)
        axes.plot(rows["level"], rows["coverage"], label=label, **look)
    axes.set_ylim(_lowest(axes), HIGHEST)
    axes.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        frameon=False,
        handlelength=2.2,
        ncols=1 if len(about) < 3 else 2,
    )
    return axes


def _lowest(axes: Axes) -> float:
    """Find a lower end of the axis with room for the lines, and for the note at the right."""
    found = LOWEST
    for line in axes.lines[1:]:
        nominal, covered = (np.asarray(a, dtype=float) for a in line.get_data())
        right = covered[nominal > NOTE_FROM]
        found = min(found, float(covered.min()) - 0.05)
        if len(right):
            found = min(found, (float(right.min()) - NOTE_HIGH * HIGHEST) / (1 - NOTE_HIGH))
    return found


def _errors(axes: Axes, rows: pd.DataFrame, color: str, shift: float | None) -> None:
    """Draw two standard errors to each side: a band, or bars where bands would hide each other."""
    known = rows[rows["coverage_se"].notna()]
    if known.empty:
        return
    nominal, covered, reach = known["level"], known["coverage"], 2 * known["coverage_se"]
    low, high = (covered - reach).clip(0, 1), (covered + reach).clip(0, 1)
    if shift is None:
        axes.fill_between(nominal, low, high, color=color, alpha=0.18, linewidth=0)
    else:
        axes.vlines(nominal + shift, low, high, color=color, linewidth=1.2)


def _background(axes: Axes, frame: pd.DataFrame) -> None:
    """Draw the diagonal, and say which side of it means what."""
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    axes.set_xlim(LOWEST, HIGHEST)
    axes.set_xticks(sorted(frame["level"].unique()))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.set_xlabel("nominal probability of the interval")
    first, several = frame.iloc[0], frame["model"].nunique() > 1
    counted = "scores" if "scores" in first["scores"] else "values"
    if several:
        counted = f"{first['n']} {first['scores']}"
    axes.set_ylabel(f"{counted} inside the interval")
    notes = [(0.03, 0.96, "left", "top", "above the diagonal:\nintervals wider than needed")]
    notes += [(0.97, 0.04, "right", "bottom", "below the diagonal:\nintervals too narrow")]
    for x, y, side, end, text in notes:
        axes.text(
            x, y, text, transform=axes.transAxes, ha=side, va=end, color=INK, fontsize="small"
        )
    tidy(axes)
