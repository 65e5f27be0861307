"""`plot_fans`: scores against training compute, with fans of credible intervals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from bayescale.base.errors import PredictError
from bayescale.base.intervals import quantiles
from bayescale.base.words import suggest
from bayescale.models.responses import own_responses
from bayescale.plots.style import (
    COLOURS,
    GREY,
    INK,
    MARKERS,
    AxesGrid,
    given_panels,
    legend_below,
    outer_labels,
    panels,
    tidy,
)

if TYPE_CHECKING:
    from bayescale.fits import Fit

LEVELS = (0.5, 0.9)
REACH = 10.0  # how far a fan goes beyond the family's largest run, in params
POINTS = 25  # of each curve
SMOOTHING = (11, 2)  # window and degree that take the Monte Carlo noise out of a fan's edges
FAMILIES = 3  # shown when none is chosen: more fans cover each other
COLUMNS = 3  # of panels
ABOUT = {"score": "of a measured score", "mean": "of the expected score"}


def plot_fans_frame(
    fit: Fit,
    families: Iterable[str] | None = None,
    benchmarks: Iterable[str] | None = None,
    *,
    kind: str = "score",
    seed: int = 0,
) -> pd.DataFrame:
    """Give the curves and points that `plot_fans` draws.

    Parameters
    ----------
    fit, families, benchmarks, kind, seed
        See `plot_fans`.

    Returns
    -------
    DataFrame
        `part` is "curve" or "observed". Both have `family`, `benchmark`, `params`, `tokens`,
        `flops`; a curve has `extrapolated` (beyond the family's largest run), `<kind>_median`,
        `<kind>_lower_*` and `<kind>_upper_*` for 0.5 and 0.9; an observation has `run`, `score`.

    Raises
    ------
    PredictError
        The fit is of a law of a quantity; it has no such family or benchmark; or there is no such
        kind.

    Examples
    --------
    >>> plot_fans_frame(fit, ["qwen2"], ["MMLU"])    # doctest: +SKIP
    """
    if own_responses(fit.model, fit.table):
        raise PredictError(
            f"{fit.model.name} is a law of a {fit.model.law.response}, and fans are of scores of "
            "families: plot_curve draws a law along an input (command line: plot curve)"
        )
    chosen = _families(fit, families)
    names = list(fit.table.benchmarks.index) if benchmarks is None else list(benchmarks)
    grid = pd.concat([_curve(fit.table.runs, name) for name in chosen], ignore_index=True)
    # One call for all families: every new shape of a prediction is compiled anew.
    queries = grid[["family", "params", "params_active", "tokens"]]
    predicted = fit.predict(rows=queries, benchmark=names, kind=kind, seed=seed)
    curves = grid.loc[grid.index.repeat(len(names))].reset_index(drop=True)
    curves.insert(0, "part", "curve")
    curves.insert(2, "benchmark", names * len(grid))
    for column, level in _quantiles(kind).items():
        edge = quantiles(predicted.draws, level).reshape(-1, POINTS, len(names))
        smooth = np.clip(savgol_filter(edge, *SMOOTHING, axis=1), 0.0, 1.0)
        curves[column] = smooth.reshape(-1)

    scores = fit.table.to_frame()
    seen = scores[scores["family"].isin(chosen) & scores["benchmark"].isin(names)]
    kept = ["family", "benchmark", "params", "tokens", "flops", "run", "score"]
    observed = seen[kept].assign(part="observed")
    return pd.concat([curves.drop(columns="params_active"), observed], ignore_index=True)


def plot_fans(
    fit: Fit,
    families: Iterable[str] | None = None,
    benchmarks: Iterable[str] | None = None,
    ax: Any = None,
    *,
    kind: str = "score",
    seed: int = 0,
) -> Axes | AxesGrid:
    """Draw scores against training compute, with fans of 50% and 90% credible intervals.

    A fan is the prediction for a new run of its family, of a size between the family's smallest
    run and ten times its largest; dashed where beyond the largest. Tokens (and the active share of
    parameters) follow the family's own runs: those of the runs next in size, interpolated on log
    scales, and those of the largest run beyond it; a family with no known tokens is predicted with
    tokens unknown, and drawn at the tokens of the fit's median run. The edges of a fan are
    quantiles of draws, smoothed along the curve to take out their Monte Carlo noise.

    Parameters
    ----------
    fit
        The fit.
    families
        Families of the fit; by default the three with most runs.
    benchmarks
        Benchmarks of the fit, a panel each; by default all.
    ax
        Axes to draw into, one per benchmark: an Axes, or an array of them. By default a new
        figure, with a legend below the panels. Axes of yours get labels but no legend.
    kind
        "score": intervals of a measured score, which the points should keep to; "mean": of the
        expected score.
    seed
        Seed of the predictions.

    Returns
    -------
    Axes or array of Axes
        One Axes for one benchmark, else shape (benchmark,). Their data: `plot_fans_frame`.

    Raises
    ------
    PredictError
        The fit has no such family or benchmark, or there is no such kind.
    ValueError
        The number of axes is not that of benchmarks.

    Examples
    --------
    >>> axes = plot_fans(fit, families=["qwen2", "llama-2"], benchmarks=["MMLU"])  # doctest: +SKIP
    >>> axes.figure.savefig("fans.png")                                            # doctest: +SKIP
    """
    names = list(fit.table.benchmarks.index) if benchmarks is None else list(benchmarks)
    grid = None if ax is None else given_panels(ax, len(names), "plot_fans")
    frame = plot_fans_frame(fit, families, names, kind=kind, seed=seed)
    if grid is None:
        size = (7.5, 5.0) if len(names) == 1 else (3.9, 3.2)
        grid = panels(len(names), COLUMNS, size, sharex=True)
    for axes, name in zip(grid, names, strict=True):
        _draw(axes, frame[frame["benchmark"] == name], kind)
        axes.set_title(name, color=INK)
        chance = float(fit.table.benchmarks.loc[name, "chance"])
        if chance > 0:
            axes.axhline(chance, color=GREY, linewidth=0.9, linestyle=":", label="guessing")
    if ax is None:
        _finish(grid)
    return grid[0] if len(grid) == 1 else grid


def _families(fit: Fit, families: Iterable[str] | None) -> list[str]:
    known = fit.table.families
    if families is None:
        most = fit.table.runs["family"].value_counts(sort=True)
        return [str(name) for name in most.index[:FAMILIES]]
    chosen = list(dict.fromkeys(families))
    for name in chosen:
        if name not in known:
            raise PredictError(
                f"the fit has no family {name!r}{suggest(name, known)}; it has: {', '.join(known)}"
            )
    if not chosen or len(chosen) > len(COLOURS):
        raise PredictError(
            f"choose 1 to {len(COLOURS)} families: more fans cover each other; given: {len(chosen)}"
        )
    return chosen


def _curve(runs: pd.DataFrame, family: str) -> pd.DataFrame:
    """Make queries along a family's own way of growing, smallest first."""
    own = runs[runs["family"] == family]
    largest = float(own["params"].max())
    params = np.geomspace(own["params"].min(), REACH * largest, POINTS)
    share = (own["params_active"] / own["params"]).fillna(1.0)
    active = params * _between(params, own["params"], share)
    tokens = _between(params, own["params"], own["tokens"])
    drawn_at = np.where(np.isnan(tokens), runs["tokens"].median(), tokens)
    return pd.DataFrame(
        {
            "family": family,
            "params": params,
            "params_active": active,
            "tokens": tokens,
            "flops": 6 * active * drawn_at,
            "extrapolated": params > largest,
        }
    )


def _between(params: NDArray[Any], sizes: pd.Series, values: pd.Series) -> NDArray[np.float64]:
    """Interpolate positive values over sizes on log scales; NaN when no value is known."""
    known = np.log(values.dropna()).groupby(sizes[values.notna()]).mean()
    if known.empty:
        return np.full(len(params), np.nan)
    sizes_known = np.log(known.index.to_numpy(float))
    logs: NDArray[np.float64] = np.interp(np.log(params), sizes_known, known.to_numpy(float))
    return np.exp(logs)


def _quantiles(kind: str) -> dict[str, float]:
    columns = {f"{kind}_median": 0.5}
    for level in LEVELS:
        columns[f"{kind}_lower_{level:g}"] = 0.5 - level / 2
        columns[f"{kind}_upper_{level:g}"] = 0.5 + level / 2
    return columns


def _draw(axes: Axes, frame: pd.DataFrame, kind: str) -> None:
    curves = frame[frame["part"] == "curve"]
    for i, (family, curve) in enumerate(curves.groupby("family", sort=False)):
        colour = COLOURS[i]
        for level, alpha in zip(LEVELS, (0.28, 0.14), strict=True):
            low, high = curve[f"{kind}_lower_{level:g}"], curve[f"{kind}_upper_{level:g}"]
            axes.fill_between(curve["flops"], low, high, color=colour, alpha=alpha, linewidth=0)
        inside = curve[~curve["extrapolated"].astype(bool)]
        beyond = curve.iloc[max(len(inside) - 1, 0) :]  # joined to the solid part
        axes.plot(inside["flops"], inside[f"{kind}_median"], color=colour, linewidth=1.6)
        axes.plot(beyond["flops"], beyond[f"{kind}_median"], color=colour, linewidth=1.6, ls="--")
        points = frame[(frame["part"] == "observed") & (frame["family"] == family)]
        axes.scatter(
            points["flops"],
            points["score"],
            color=colour,
            marker=MARKERS[i],
            s=30,
            edgecolor="white",
            linewidth=0.7,
            zorder=3,
            label=str(family),
        )
    for level, alpha in zip(LEVELS, (0.6, 0.3), strict=True):
        label = f"{level:.0%} interval {ABOUT[kind]}"
        axes.fill_between([], [], [], color=GREY, alpha=alpha, linewidth=0, label=label)
    axes.plot([], [], color=GREY, linestyle="--", label="beyond the family's largest run")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=7))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"1e{np.log10(value):.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.set_xlabel("training compute (FLOPs)")
    axes.set_ylabel("score")
    tidy(axes)


def _finish(grid: AxesGrid) -> None:
    """One legend for all panels: families in the first columns, then what the marks mean."""
    outer_labels(grid, COLUMNS)
    entries: dict[str, Any] = {}
    for axes in grid:
        handles, labels = axes.get_legend_handles_labels()
        entries.update(zip(labels, handles, strict=True))
    families = [entry for entry in entries.values() if isinstance(entry, PathCollection)]
    marks = [entry for entry in entries.values() if not isinstance(entry, PathCollection)]
    rows = 2 if len(families) <= 4 else 3
    blank = [Line2D([], [], linestyle="", label=" ")] * (-len(families) % rows)
    columns = -(-len(families) // rows) + -(-len(marks) // rows)
    legend_below(grid, [*families, *blank, *marks], columns)
