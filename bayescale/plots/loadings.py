"""`plot_loadings`: how much each benchmark gains from each latent skill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bayescale.base.errors import ModelError
from bayescale.base.intervals import quantiles
from bayescale.plots.style import INK, panels

if TYPE_CHECKING:
    from bayescale.fits import Fit

INTERVAL = 0.9
MAP = "PuOr_r"  # orange for gains, purple for losses: told apart by colour-blind readers
DARK = 0.65  # share of the colour range above which ink must be white


def plot_loadings_frame(fit: Fit) -> pd.DataFrame:
    """Give the loadings that `plot_loadings` draws.

    Parameters
    ----------
    fit
        A fit of a model with skills.

    Returns
    -------
    DataFrame
        One row per benchmark and skill: `benchmark`, `skill`, `loading_median`,
        `loading_lower_0.9`, `loading_upper_0.9`, `excludes_zero` (whether that interval lies on
        one side of zero) and `fixed` (an anchor: exactly one on its skill, zero on the others).

    Raises
    ------
    ModelError
        The model has no skills.

    Examples
    --------
    >>> plot_loadings_frame(fit).query("excludes_zero")    # doctest: +SKIP
    """
    anchors = fit.model.anchors(fit.table)
    if not anchors:
        raise ModelError(
            f"model {fit.model.name!r} has no skills, so there are no loadings to draw; "
            "a fit of skills or observational has"
        )
    tail = (1 - INTERVAL) / 2
    rows = []
    for benchmark in fit.table.benchmarks.index:
        for skill, anchor in anchors.items():
            fixed = benchmark in anchors.values()
            if fixed:
                low = middle = high = float(benchmark == anchor)
            else:
                draws = fit.posterior["loading"].sel(other=benchmark, skill=skill)
                low, middle, high = quantiles(np.ravel(draws), [tail, 0.5, 1 - tail])
            rows.append((benchmark, skill, middle, low, high, low > 0 or high < 0, fixed))
    names = [f"loading_{part}" for part in ("median", "lower_0.9", "upper_0.9")]
    return pd.DataFrame(rows, columns=["benchmark", "skill", *names, "excludes_zero", "fixed"])


def plot_loadings(fit: Fit, ax: Axes | None = None) -> Axes:
    """Draw how much each benchmark gains from each latent skill, as a heat map.

    A number is the posterior median of a loading, in logits of the benchmark per logit of the
    skill. A star marks a 90% credible interval that excludes zero. Anchors are what gives a skill
    its name and scale: exactly one on their skill and zero on the others, so they carry no star.

    Parameters
    ----------
    fit
        A fit of a model with skills.
    ax
        Axes to draw into; by default a new figure.

    Returns
    -------
    Axes
        Its data: `plot_loadings_frame`.

    Raises
    ------
    ModelError
        The model has no skills.

    Examples
    --------
    >>> plot_loadings(fit).figure.savefig("loadings.png")    # doctest: +SKIP
    """
    frame = plot_loadings_frame(fit)
    skills, benchmarks = list(dict.fromkeys(frame["skill"])), list(fit.table.benchmarks.index)
    size = (2.6 + 1.25 * len(skills), 1.9 + 0.42 * len(benchmarks))
    axes = panels(1, 1, size)[0] if ax is None else ax
    grid = frame["loading_median"].to_numpy().reshape(len(benchmarks), len(skills))
    limit = float(np.abs(grid).max())
    image = axes.imshow(grid, cmap=MAP, vmin=-limit, vmax=limit, aspect="auto")
    for position, row in enumerate(frame.itertuples()):
        y, x = divmod(position, len(skills))
        star = "*" if row.excludes_zero and not row.fixed else ""
        text = f"{row.loading_median:.2f}{star}"
        if row.fixed:
            text = "1 (anchor)" if row.loading_median else "0"
        dark = abs(row.loading_median) > DARK * limit
        weight = "bold" if star else "normal"
        colour = "white" if dark else INK
        axes.text(x, y, text, ha="center", va="center", color=colour, fontweight=weight)
    axes.set_xticks(range(len(skills)), [name.replace(" ", "\n") for name in skills])
    axes.set_yticks(range(len(benchmarks)), benchmarks)
    axes.tick_params(length=0)
    axes.set_frame_on(False)
    # White lines part the cells.
    axes.set_xticks(np.arange(1, len(skills)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(benchmarks)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)
    axes.set_title("Loadings of benchmarks on skills", color=INK)
    axes.set_xlabel("* 90% interval excludes 0", color=INK, fontsize="small")
    bar = axes.figure.colorbar(image, ax=axes, label="posterior median")
    outline: Any = bar.outline  # its type says it cannot be called
    outline.set_visible(False)
    return axes
