"""`plot_trace` and `plot_rank`: do the chains agree? Drawn by arviz-plots."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.lines import Line2D

from bayescale.base.errors import FitError
from bayescale.base.words import suggest
from bayescale.inference.diagnostics import POPULATION
from bayescale.plots.style import (
    COLOURS,
    AxesGrid,
    given_panels,
    legend_below,
    outer_labels,
    panels,
    tidy,
)

if TYPE_CHECKING:
    from bayescale.fits import Fit

MOST = 12  # panels that one figure can show readably
COLUMNS = 3
LONG = 32  # characters of a title that fit on one line


def plot_trace_frame(fit: Fit, sites: Iterable[str] | None = None) -> pd.DataFrame:
    """Give the draws that `plot_trace` draws.

    Parameters
    ----------
    fit, sites
        See `plot_trace`.

    Returns
    -------
    DataFrame
        `unknown` (such as "loading[ARC, knowledge]"), `chain`, `draw`, `value`: as sampled, on
        the real line.

    Raises
    ------
    FitError
        The fit has no such site.

    Examples
    --------
    >>> plot_trace_frame(fit, ["degrees"])    # doctest: +SKIP
    """
    unknowns = _unknowns(fit, sites)
    shape = (fit.posterior.sizes["chain"], fit.posterior.sizes["draw"])
    chain, draw = (index.ravel() for index in np.indices(shape))
    parts = [
        pd.DataFrame({"unknown": name, "chain": chain, "draw": draw, "value": values.ravel()})
        for name, values in unknowns.items()
    ]
    return pd.concat(parts, ignore_index=True)


def plot_rank_frame(fit: Fit, sites: Iterable[str] | None = None) -> pd.DataFrame:
    """Give the ranks that `plot_rank` draws.

    Parameters
    ----------
    fit, sites
        See `plot_trace`.

    Returns
    -------
    DataFrame
        The columns of `plot_trace_frame`, and `rank`: a draw's place among the draws of all
        chains, between 0 and 1.

    Raises
    ------
    FitError
        The fit has no such site.

    Examples
    --------
    >>> plot_rank_frame(fit, ["degrees"])    # doctest: +SKIP
    """
    frame = plot_trace_frame(fit, sites)
    return frame.assign(rank=frame.groupby("unknown")["value"].rank(pct=True))


def plot_trace(fit: Fit, sites: Iterable[str] | None = None, axes: Any = None) -> AxesGrid:
    """Draw each chain's draws in turn: chains that agree lie on top of each other.

    Parameters
    ----------
    fit
        The fit.
    sites
        Population-level sites to show. By default the unknowns of all of them, those with the
        largest R-hat first, at most twelve.
    axes
        Array of axes to draw into, one per unknown; by default a new figure.

    Returns
    -------
    array of Axes
        One per unknown. Their data: `plot_trace_frame`.

    Raises
    ------
    FitError
        The fit has no such site.
    ValueError
        The number of axes is not that of unknowns.

    Examples
    --------
    >>> plot_trace(fit)[0].figure.savefig("trace.png")    # doctest: +SKIP
    """
    look = {"title": False, "xlabel": False, "trace": {"width": 0.7, "alpha": 0.8}}
    return _grid(fit, sites, axes, "plot_trace", {"visuals": look}, ("draw", "value as sampled"))


def plot_rank(fit: Fit, sites: Iterable[str] | None = None, axes: Any = None) -> AxesGrid:
    """Draw each chain's share of every rank: inside the grey band where chains agree.

    Draws are ranked over all chains. A line shows how far one chain's cumulative share of the
    ranks lies above or below an even share; the band holds the whole line of a chain of
    independent draws with probability of at least 99%.

    Parameters
    ----------
    fit, sites, axes
        See `plot_trace`.

    Returns
    -------
    array of Axes
        One per unknown. Their data: `plot_rank_frame`.

    Raises
    ------
    FitError
        The fit has no such site.
    ValueError
        The number of axes is not that of unknowns.

    Examples
    --------
    >>> plot_rank(fit)[0].figure.savefig("rank.png")    # doctest: +SKIP

    Source: Saeilynoja, Buerkner and Vehtari 2022, Statistics and Computing 32:32.
    """
    look = {"title": False, "xlabel": False, "remove_axis": False}
    # Of one chain: with two chains, arviz-stats 0.8 gives a band that nothing can leave.
    band = {"ecdf_pit": {"n_chains": 1}}
    options: dict[str, Any] = {"visuals": look, "stats": band}
    if not version("arviz-plots").startswith("0."):
        # Series 1 would thin the draws, and mark points instead of drawing a band.
        options |= {"method": "envelope", "envelope_prob": 0.99, "thin": False}
    return _grid(fit, sites, axes, "plot_rank", options, ("rank among all draws", "excess share"))


def _unknowns(fit: Fit, sites: Iterable[str] | None) -> dict[str, np.ndarray[Any, Any]]:
    """Name the unknowns to show, with their draws, shape (chain, draw)."""
    elements = fit.summary().elements
    elements = elements[elements["group"] == POPULATION]
    if sites is not None:
        known = list(dict.fromkeys(elements["site"]))
        for site in (sites := list(sites)):
            if site not in known:
                raise FitError(
                    f"the fit has no population-level site {site!r}{suggest(site, known)}; "
                    f"it has: {', '.join(known)}"
                )
        elements = elements[elements["site"].isin(sites)]
    worst = elements.sort_values("r_hat", ascending=False, kind="stable")[:MOST]
    found = {}
    for site in worst["site"].unique():
        values = fit.posterior[site].transpose("chain", "draw", ...)
        for index in np.ndindex(values.shape[2:]):
            names = [
                str(values[dim].to_numpy()[i])
                for dim, i in zip(values.dims[2:], index, strict=True)
            ]
            label = f"{site}[{', '.join(names)}]" if names else str(site)
            found[label] = values.to_numpy()[(slice(None), slice(None), *index)]
    return {label: found[label] for label in worst.index}


def _grid(
    fit: Fit,
    sites: Iterable[str] | None,
    axes: Any,
    draw: str,
    options: Mapping[str, Any],
    labels: tuple[str, str],
) -> AxesGrid:
    """Let arviz-plots draw every unknown into axes of ours."""
    plots: Any = importlib.import_module("arviz_plots")  # untyped in part, and slow to import
    unknowns = _unknowns(fit, sites)
    if axes is None:
        grid = panels(len(unknowns), COLUMNS, (3.4, 1.9), sharex=True)
    else:
        grid = given_panels(axes, len(unknowns), f"plot of each {labels[0]}")
    # Plain names: arviz-plots keeps panels in a tree, where names like "a/b" would be paths.
    names = [f"unknown_{i}" for i in range(len(unknowns))]
    data = xr.Dataset(
        {n: (("chain", "draw"), v) for n, v in zip(names, unknowns.values(), strict=True)},
        {dim: np.arange(fit.posterior.sizes[dim]) for dim in ("chain", "draw")},
    )
    stats = fit.sample_stats[["diverging"]].assign_coords(data.coords)
    tree = xr.DataTree.from_dict({"posterior": data, "sample_stats": stats})
    place = {
        "/": xr.Dataset({"figure": np.array(grid[0].figure, dtype=object)}),
        "plot": xr.Dataset({n: ((), a) for n, a in zip(names, grid, strict=True)}),
    }
    collection = plots.PlotCollection(
        data,
        xr.DataTree.from_dict(place),
        aes={"color": ["chain"], "overlay": ["chain"]},
        backend="matplotlib",
        color=list(COLOURS),
    )
    getattr(plots, draw)(tree, plot_collection=collection, **options)
    for panel, name in zip(grid, unknowns, strict=True):
        title = name if len(name) <= LONG else name.replace("[", "\n[")
        panel.set_title(title, fontsize="small")
        panel.set_xlabel(labels[0], fontsize="small")
        panel.set_ylabel(labels[1], fontsize="small")
        panel.tick_params(labelsize="x-small")
        tidy(panel)
    if axes is None:
        outer_labels(grid, COLUMNS)
        chains = range(fit.posterior.sizes["chain"])
        keys = [Line2D([], [], color=COLOURS[i % len(COLOURS)], label=f"chain {i}") for i in chains]
        legend_below(grid, keys)
    return grid
