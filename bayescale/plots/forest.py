"""`plot_forest`: coefficients of the members of a group, beside the population and the prior."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bayescale.base.errors import PredictError
from bayescale.base.intervals import Floats, quantiles
from bayescale.base.words import quoted, suggest
from bayescale.inference.estimates import UNITS, Place, law_draws, places
from bayescale.plots.style import COLOURS, GREY, INK, AxesGrid, given_panels, legend_below, panels
from bayescale.plots.style import tidy as tidied
from bayescale.predict.surface import INTERVAL, check_quantity, first_group

if TYPE_CHECKING:
    from bayescale.fits import Fit

POPULATION = "population"
LEVELS = (0.5, INTERVAL)
COLUMNS = 4
PRIOR_DRAWS = 4000  # where the prior has to be turned into the units of a paper
ROOM = 0.35  # beside the intervals, as a share of what they span


def plot_forest_frame(
    fit: Fit,
    coefficients: str | Iterable[str] | None = None,
    *,
    by: str | None = None,
    units: str = "reference",
) -> pd.DataFrame:
    """Give the medians and intervals that `plot_forest` draws.

    Parameters
    ----------
    fit, coefficients, by, units
        See `plot_forest`.

    Returns
    -------
    DataFrame
        One row per coefficient and member: `coefficient`, `of` (a member, or "population"),
        `median`, `lower_0.5`, `upper_0.5`, `lower_0.9`, `upper_0.9`, `prior_lower_0.9`,
        `prior_upper_0.9`, `unit`.

    Raises
    ------
    PredictError
        See `plot_forest`.

    Examples
    --------
    >>> plot_forest_frame(fit, "eta", by="corpus")    # doctest: +SKIP
    """
    check_quantity(fit.model)
    if units not in UNITS:
        raise PredictError(f"units must be one of {', '.join(UNITS)}; given: {units!r}")
    told = {place: law_draws(fit, place, units) for place in places(fit, by or first_group(fit))}
    scalars = {place: _scalars(draws) for place, draws in told.items()}
    known = list(dict.fromkeys(name for draws in scalars.values() for name in draws))
    priors = _priors(fit, units)
    rows = []
    for name in _chosen(fit, coefficients, known):
        for place, draws in scalars.items():
            if name in draws and (place is None or _differs(fit, name, place[0], units)):
                of = POPULATION if place is None else place[1]
                row = {"coefficient": name, "of": of, **_intervals(draws[name]), **priors[name]}
                rows.append({**row, "unit": _unit(fit, name, units)})
    return pd.DataFrame(rows)


def plot_forest(
    fit: Fit,
    coefficients: str | Iterable[str] | None = None,
    ax: Any = None,
    *,
    by: str | None = None,
    units: str = "reference",
) -> Axes | AxesGrid:
    """Draw coefficients of a group's members, beside the population's and the prior.

    A dot is a posterior median, the thick line a 50% interval, the thin one a 90% interval; the
    band is the 90% interval of the prior, of the population. Members are in the order of the first
    coefficient.

    Parameters
    ----------
    fit
        A fit of a law of a quantity.
    coefficients
        Names of the law's coefficients, a panel each; by default all.
    ax
        Axes to draw into, one per coefficient; by default a new figure, with a legend below.
    by
        The group; by default the first that a coefficient of the law is pooled over.
    units
        "reference": at the reference run; "paper": as the paper prints them, where an amplitude is
        that at inputs of one, and strongly tied to its exponent.

    Returns
    -------
    Axes or array of Axes
        One Axes for one coefficient, else shape (coefficient,). Their data: `plot_forest_frame`.

    Raises
    ------
    PredictError
        The fit is of a leaderboard; or there is no such coefficient, group, or kind of units.
    ValueError
        The number of axes is not that of coefficients.

    Examples
    --------
    >>> plot_forest(fit, "eta", by="corpus").figure.savefig("forest.png")    # doctest: +SKIP
    """
    frame = plot_forest_frame(fit, coefficients, by=by, units=units)
    names = list(dict.fromkeys(frame["coefficient"]))
    order = _order(frame)
    if ax is None:
        height = 1.4 + 0.24 * len(order)
        rows = -(-len(names) // COLUMNS)
        columns = -(-len(names) // rows)  # rows of nearly equal length
        grid = panels(len(names), columns, (3.0 if len(names) > 1 else 5.0, height), sharey=True)
    else:
        grid = given_panels(ax, len(names), "plot_forest")
    for axes, name in zip(grid, names, strict=True):
        _draw(axes, frame[frame["coefficient"] == name].set_index("of"), order)
        row = frame[frame["coefficient"] == name].iloc[0]
        ends = [f"{row[f'prior_{end}_{INTERVAL:g}']:.3g}" for end in ("lower", "upper")]
        unit = "" if row["unit"] == "1" else f"{row['unit']}; "
        axes.set_title(name, color=INK)
        axes.set_xlabel(f"{unit}prior {ends[0]} to {ends[1]}", fontsize="small")
    if ax is None:
        legend_below(grid, _handles(), 4 if len(names) > 2 else 2)
    return grid[0] if len(grid) == 1 else grid


def _scalars(draws: dict[str, Floats]) -> dict[str, Floats]:
    """Give every number of a coefficient a name of its own, as in "t[2]"."""
    found = {}
    for name, values in draws.items():
        for index in np.ndindex(values.shape[1:]):
            label = f"{name}[{', '.join(map(str, index))}]" if index else name
            found[label] = values[(slice(None), *index)]
    return found


def _chosen(fit: Fit, asked: str | Iterable[str] | None, known: list[str]) -> list[str]:
    if asked is None:
        return known
    names = [asked] if isinstance(asked, str) else list(dict.fromkeys(asked))
    missing = [name for name in names if name not in known]
    if missing or not names:
        hint = suggest(missing[0], known) if missing else ""
        raise PredictError(
            f"{fit.model.law.name} has no coefficient {quoted(missing) or 'of no name'}{hint}; it "
            f"has: {quoted(known, most=12)}"
        )
    return names


def _differs(fit: Fit, name: str, group: str, units: str) -> bool:
    """Whether members have a value of their own; the paper's mix several of ours."""
    rules = fit.model.pooling.get(name.partition("[")[0], ())
    return units == "paper" or any(rule.group == group for rule in rules)


def _intervals(draws: Floats) -> dict[str, float]:
    found = {"median": float(quantiles(draws, 0.5))}
    for level in LEVELS:
        low, high = quantiles(draws, [0.5 - level / 2, 0.5 + level / 2])
        found |= {f"lower_{level:g}": float(low), f"upper_{level:g}": float(high)}
    return found


def _priors(fit: Fit, units: str) -> dict[str, dict[str, float]]:
    """Give the prior's central interval of every number of a coefficient."""
    declared = {c.name: c for c in fit.model.coefficients}
    ends, some = {}, _any_draws(fit)
    if units == "reference":
        for name in _scalars(some):
            ends[name] = declared[name.partition("[")[0]].prior.interval()
    else:
        rng = np.random.default_rng(0)
        shapes = {name: values.shape[1:] for name, values in some.items()}
        with jax.enable_x64(True):
            drawn = {
                name: declared[name].prior.natural(
                    declared[name].prior.location
                    + declared[name].prior.scale * rng.normal(size=(PRIOR_DRAWS, *shape))
                )
                for name, shape in shapes.items()
            }
            paper = fit.model.law.paper(drawn, fit.model.reference)
        tail = (1 - INTERVAL) / 2
        for name, values in _scalars({k: np.asarray(v) for k, v in paper.items()}).items():
            low, high = quantiles(values, [tail, 1 - tail])
            ends[name] = (float(low), float(high))
    keys = (f"prior_lower_{INTERVAL:g}", f"prior_upper_{INTERVAL:g}")
    return {name: dict(zip(keys, pair, strict=True)) for name, pair in ends.items()}


def _any_draws(fit: Fit) -> dict[str, Floats]:
    """Give draws of every coefficient, of the population or, where it has none, of a member."""
    own: list[Place] = places(fit, None)
    found: dict[str, Floats] = {}
    for place in reversed(own):
        found |= law_draws(fit, place)
    return found


def _unit(fit: Fit, name: str, units: str) -> str:
    if units == "paper":
        return "as in the paper"
    bare = name.partition("[")[0]
    return next(c.unit for c in fit.model.coefficients if c.name == bare)


def _order(frame: pd.DataFrame) -> list[str]:
    """List the members from the bottom up, the population on top."""
    first = frame.drop_duplicates("of").set_index("of")["median"]
    names = list(first.drop(POPULATION, errors="ignore").sort_values(ascending=False).index)
    return [*names, *([POPULATION] if POPULATION in first.index else [])]


def _draw(axes: Axes, rows: pd.DataFrame, order: list[str]) -> None:
    low, high = rows[f"lower_{INTERVAL:g}"].min(), rows[f"upper_{INTERVAL:g}"].max()
    prior = rows.iloc[0][[f"prior_lower_{INTERVAL:g}", f"prior_upper_{INTERVAL:g}"]]
    axes.axvspan(*prior, color=COLOURS[5], alpha=0.16, linewidth=0)
    for height, name in enumerate(order):
        if name not in rows.index:
            continue
        row, colour = rows.loc[name], INK if name == POPULATION else COLOURS[0]
        for level, width in zip(LEVELS, (4.0, 1.4), strict=True):
            ends = row[[f"lower_{level:g}", f"upper_{level:g}"]]
            axes.plot(ends, [height, height], color=colour, linewidth=width, solid_capstyle="butt")
        axes.plot(row["median"], height, "o", color=colour, markeredgecolor="white", markersize=7)
    if POPULATION in order and len(order) > 1:
        axes.axhline(len(order) - 1.5, color=GREY, linewidth=0.8)
    axes.set_xlim(low - ROOM * (high - low), high + ROOM * (high - low))
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_yticks(range(len(order)), order)
    axes.xaxis.set_major_locator(MaxNLocator(4, min_n_ticks=3))
    tidied(axes)


def _handles() -> list[Any]:
    return [
        Line2D([], [], color=INK, linestyle="", marker="o", label="posterior median"),
        Line2D([], [], color=INK, linewidth=4, label="50% interval"),
        Line2D([], [], color=INK, linewidth=1.4, label="90% interval"),
        Patch(color=COLOURS[5], alpha=0.16, linewidth=0, label="90% of the prior"),
    ]
