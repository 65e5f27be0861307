"""`plot_residuals`: what was measured over what the law expects, along an input or by a group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayescale.base.errors import PredictError
from bayescale.base.intervals import Floats, quantiles
from bayescale.base.words import quoted, suggest
from bayescale.inference.thinned import thinned
from bayescale.models.evaluate import evaluate
from bayescale.models.lay_out import lay_out
from bayescale.plots.scales import input_label, log_input
from bayescale.plots.style import COLOURS, GREY, INK, MARKERS, legend_below, panels, tidy
from bayescale.predict.surface import (
    INTERVAL,
    MOST_DRAWS,
    Of,
    first_group,
    number_columns,
    observed,
    response_of,
)

if TYPE_CHECKING:
    from bayescale.fits import Fit

IN_A_WINDOW, MOST_WINDOWS = 10, 12  # measurements, of one point of the running median
FAR = 2.0  # half-widths of the noise band beyond which a measurement is an outlier
NAMED = 6  # outliers with a name on the picture, the farthest first
TOLD = ("observed", "expected", "residual", "outlier")
JITTER = 0.25  # to the sides of a member's place


def plot_residuals_frame(
    fit: Fit, against: str | None = None, *, by: str | None = None, of: Of = None
) -> pd.DataFrame:
    """Give the points, medians and bands that `plot_residuals` draws.

    Parameters
    ----------
    fit, against, by, of
        See `plot_residuals`.

    Returns
    -------
    DataFrame
        `part` is "observed" or "window"; both have the column that `against` names. An observation
        has `run`, `observed`, `expected` (posterior mean), `residual`, `outlier`, and the column
        `by`; a window `residual_median`, `noise_lower_0.9` and `noise_upper_0.9`.

    Raises
    ------
    PredictError
        See `plot_residuals`.

    Examples
    --------
    >>> plot_residuals_frame(fit).query("outlier == True")    # doctest: +SKIP
    """
    points, against, by = _points(fit, against, by, of)
    expected, low, high = _of_runs(fit, response_of(fit, of), points["run"])
    points["expected"] = expected
    points["residual"] = _residual(fit, points["observed"].to_numpy(), expected)
    low, high = _residual(fit, low, expected), _residual(fit, high, expected)
    off = np.abs(points["residual"] - (low + high) / 2)
    points["outlier"] = off > FAR * (high - low) / 2
    names = list(dict.fromkeys(["run", against, *([by] if by else []), *TOLD]))
    banded = points[names].assign(low=low, high=high)
    windows = [
        {
            "part": "window",
            against: _middle(inside[against]),
            "residual_median": inside["residual"].median(),
            f"noise_lower_{INTERVAL:g}": inside["low"].median(),
            f"noise_upper_{INTERVAL:g}": inside["high"].median(),
        }
        for _, inside in banded.groupby(_windows(points[against]), sort=True)
    ]
    shown = points[names].assign(part="observed")
    return pd.concat([shown, pd.DataFrame(windows)], ignore_index=True)


def plot_residuals(
    fit: Fit,
    against: str | None = None,
    ax: Axes | None = None,
    *,
    by: str | None = None,
    of: Of = None,
) -> Axes:
    """Draw residuals of a fit against an input or a group, with a running median and the noise.

    A residual is log measured less log expected; of a noise that is of any values, measured less
    expected. What is expected is the posterior mean, given the members and effects that a run has.
    A running median that leaves zero is a law that bends the wrong way. The band holds 90% of the
    measurements that the model expects there; what lies more than twice as far off is an outlier,
    and the farthest six are named.

    Parameters
    ----------
    fit
        A fit of a law of a quantity.
    against
        An input, of the law or another column of the table, or a group; by default the law's first
        number.
    ax
        Axes to draw into; by default a new figure, with a legend below.
    by
        A group that colours the points; by default the first that the law is pooled over. Of more
        than six members, the six with most runs have a colour.
    of
        A group and its member, as in ("corpus", "c4"), whose points to draw; all by default.

    Returns
    -------
    Axes
        Its data: `plot_residuals_frame`.

    Raises
    ------
    PredictError
        The fit is of a leaderboard, or has several responses and none is named; or there is no such
        column or group.

    Examples
    --------
    >>> plot_residuals(fit, "tokens").figure.savefig("residuals.png")    # doctest: +SKIP
    """
    _, against, by = _points(fit, against, by, of)
    frame = plot_residuals_frame(fit, against, by=by, of=of)
    axes = panels(1, 1, (7.2, 4.8))[0] if ax is None else ax
    points, windows = (frame[frame["part"] == part] for part in ("observed", "window"))
    numeric = _numeric(frame[against])
    if numeric:
        across, middles = points[against].to_numpy(float), windows[against].to_numpy(float)
        ends = (across.min(), across.max())
    else:
        order = {name: i for i, name in enumerate(sorted(points[against].unique()))}
        spread = JITTER * np.sin(12.9898 * np.arange(len(points)))  # the same on every drawing
        across = points[against].map(order).to_numpy(float) + spread
        middles = windows[against].map(order).to_numpy(float)
        ends = (0.0, len(order) - 1.0)
    _draw_windows(axes, windows, middles, ends, numeric)
    handles = _draw_points(axes, points, across, by)
    drawn = frame[["residual", *windows.columns[windows.columns.str.startswith("noise")]]]
    low, high = np.nanmin(drawn.to_numpy(float)), np.nanmax(drawn.to_numpy(float))
    axes.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    if numeric:
        log_input(axes, "x", against)
    else:
        axes.set_xticks(range(len(order)), list(order))
        axes.set_xlim(-0.6, len(order) - 0.4)
    axes.set_xlabel(input_label(fit.model, against))
    what = "log(measured / expected)" if fit.model.noise.positive else "measured − expected"
    axes.set_ylabel(f"{what}, {response_of(fit, of).replace('_', ' ')}")
    tidy(axes)
    _name_outliers(axes, points, across)
    if ax is None:
        told: list[Line2D | Patch] = [
            Line2D([], [], color=INK, linewidth=2, marker="_", label="running median"),
            Patch(color=GREY, alpha=0.25, linewidth=0, label="90% of the noise"),
        ]
        legend_below(np.array([axes]), [*handles, *told], 5 if len(handles) < 4 else 4)
    return axes


def _points(
    fit: Fit, against: str | None, by: str | None, of: Of
) -> tuple[pd.DataFrame, str, str | None]:
    """Give the measurements, and the columns along which and by which they are told apart."""
    points = observed(fit, of)
    against = against or next(iter(number_columns(fit.model)), "run")
    group = first_group(fit)
    by = by or (group if group in points else None)
    known = list(points.columns.drop("observed"))
    for name in (against, by):
        if name is not None and name not in known:
            raise PredictError(
                f"the fit has no column {name!r}{suggest(name, known)}; residuals can be drawn "
                f"against {quoted(known, most=15)}"
            )
    if by is not None and _numeric(points[by]):
        raise PredictError(f"by must be a group, and {by} is a column of numbers")
    if _numeric(points[against]):
        points = points[points[against] > 0].reset_index(drop=True)
    if points.empty:
        raise PredictError(f"{against} is positive in no run: there is no log axis to draw")
    return points, against, by


def _of_runs(fit: Fit, name: str, runs: pd.Series) -> tuple[Floats, Floats, Floats]:
    """Give the posterior mean of a response of runs, and the ends of 90% of its noise."""
    thin = thinned(fit.sites(), MOST_DRAWS)
    found = evaluate(fit.model, lay_out(fit.model, fit.table), thin, seed=fit.seed)
    column = list(fit.table.benchmarks.index).index(name)
    row = fit.table.runs.index.get_indexer(runs)
    mean = found.expected[:, row, column].mean(axis=0)
    tail = (1 - INTERVAL) / 2
    low, high = quantiles(found.score[:, row, column], [tail, 1 - tail])
    return mean, low, high


def _residual(fit: Fit, values: Floats, expected: Floats) -> Floats:
    return np.log(values / expected) if fit.model.noise.positive else values - expected


def _numeric(values: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(values))


def _windows(values: pd.Series) -> pd.Series:
    """Cut numbers into windows of equally many; members of a group are a window each."""
    if not _numeric(values):
        return values
    count = int(np.clip(len(values) // IN_A_WINDOW, 1, MOST_WINDOWS))
    return pd.qcut(values, count, labels=False, duplicates="drop")


def _middle(values: pd.Series) -> object:
    return np.exp(np.log(values).mean()) if _numeric(values) else values.iloc[0]


def _draw_windows(
    axes: Axes, windows: pd.DataFrame, middles: Floats, ends: tuple[float, float], numeric: bool
) -> None:
    low, high = (windows[f"noise_{end}_{INTERVAL:g}"].to_numpy() for end in ("lower", "upper"))
    median = windows["residual_median"].to_numpy()
    axes.axhline(0.0, color=GREY, linewidth=1.0)
    if not numeric:
        axes.bar(middles, high - low, 0.8, low, color=GREY, alpha=0.25, linewidth=0)
        axes.hlines(median, middles - 0.4, middles + 0.4, color=INK, linewidth=2.0, zorder=4)
        return
    # The outermost windows hold up to the outermost points.
    wide = np.concatenate([ends[:1], middles, ends[1:]])
    floor, top = (np.concatenate([side[:1], side, side[-1:]]) for side in (low, high))
    axes.fill_between(wide, floor, top, color=GREY, alpha=0.25, linewidth=0)
    axes.plot(middles, median, color=INK, linewidth=2.0, zorder=4)


def _draw_points(axes: Axes, points: pd.DataFrame, across: Floats, by: str | None) -> list[Line2D]:
    """Draw points in the colours of the largest members; return what the legend says of them."""
    told = [] if by is None else list(points[by].value_counts().index[: len(COLOURS)])
    looks = {name: (COLOURS[i], MARKERS[i]) for i, name in enumerate(sorted(told))}
    groups = pd.Series("", points.index) if by is None else points[by].where(points[by].isin(told))
    handles = []
    for name, rows in points.groupby(groups.fillna("others")):
        colour, marker = looks.get(name, (COLOURS[0] if by is None else GREY, "o"))
        inside = points.index.get_indexer(rows.index)
        axes.scatter(
            across[inside],
            rows["residual"],
            color=colour,
            marker=marker,
            s=22,
            edgecolor="white",
            linewidth=0.4,
            zorder=3,
        )
        label = str(name) if by else "measured"
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle="", label=label))
    return handles


def _name_outliers(axes: Axes, points: pd.DataFrame, across: Floats) -> None:
    """Write the names of the farthest outliers towards the middle of the picture."""
    far = points[points["outlier"].astype(bool)]
    worst = far.loc[far["residual"].abs().sort_values(ascending=False).index[:NAMED]]
    low, high = axes.get_xlim()
    log = axes.get_xscale() == "log"
    middle = np.sqrt(low * high) if log else (low + high) / 2
    for row, x in zip(worst.index, across[points.index.get_indexer(worst.index)], strict=True):
        right = x > middle
        axes.annotate(
            str(points.loc[row, "run"]),
            (x, points.loc[row, "residual"]),
            xytext=(-5 if right else 5, 0),
            textcoords="offset points",
            ha="right" if right else "left",
            va="center",
            color=INK,
            fontsize="x-small",
        )
