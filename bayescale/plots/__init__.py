"""Pictures of fits and scorecards; each `plot_*` has a `plot_*_frame` that gives the data drawn."""

from bayescale.plots.coverage import plot_coverage, plot_coverage_frame
from bayescale.plots.diagnostics import (
    plot_rank,
    plot_rank_frame,
    plot_trace,
    plot_trace_frame,
)
from bayescale.plots.fans import plot_fans, plot_fans_frame
from bayescale.plots.loadings import plot_loadings, plot_loadings_frame

__all__ = [
    "plot_coverage",
    "plot_coverage_frame",
    "plot_fans",
    "plot_fans_frame",
    "plot_loadings",
    "plot_loadings_frame",
    "plot_rank",
    "plot_rank_frame",
    "plot_trace",
    "plot_trace_frame",
]
