"""Pictures of fits and scorecards; each `plot_*` has a `plot_*_frame` that gives the data drawn.

The data of `plot_answer` are the answer's own `picture`.
"""

from bayescale.plots.answer import plot_answer
from bayescale.plots.comparison import plot_comparison, plot_comparison_frame
from bayescale.plots.contours import plot_contours, plot_contours_frame
from bayescale.plots.coverage import plot_coverage, plot_coverage_frame
from bayescale.plots.curve import plot_curve, plot_curve_frame
from bayescale.plots.diagnostics import (
    plot_rank,
    plot_rank_frame,
    plot_trace,
    plot_trace_frame,
)
from bayescale.plots.fans import plot_fans, plot_fans_frame
from bayescale.plots.forest import plot_forest, plot_forest_frame
from bayescale.plots.isoflops import plot_isoflops, plot_isoflops_frame
from bayescale.plots.loadings import plot_loadings, plot_loadings_frame
from bayescale.plots.pit import plot_pit, plot_pit_frame
from bayescale.plots.predicted import plot_predicted, plot_predicted_frame
from bayescale.plots.prior import plot_prior, plot_prior_frame
from bayescale.plots.residuals import plot_residuals, plot_residuals_frame
from bayescale.plots.skill import plot_skill, plot_skill_frame
from bayescale.plots.weights import plot_weights, plot_weights_frame

__all__ = [
    "plot_answer",
    "plot_comparison",
    "plot_comparison_frame",
    "plot_contours",
    "plot_contours_frame",
    "plot_coverage",
    "plot_coverage_frame",
    "plot_curve",
    "plot_curve_frame",
    "plot_fans",
    "plot_fans_frame",
    "plot_forest",
    "plot_forest_frame",
    "plot_isoflops",
    "plot_isoflops_frame",
    "plot_loadings",
    "plot_loadings_frame",
    "plot_pit",
    "plot_pit_frame",
    "plot_predicted",
    "plot_predicted_frame",
    "plot_prior",
    "plot_prior_frame",
    "plot_rank",
    "plot_rank_frame",
    "plot_residuals",
    "plot_residuals_frame",
    "plot_skill",
    "plot_skill_frame",
    "plot_trace",
    "plot_trace_frame",
    "plot_weights",
    "plot_weights_frame",
]
