"""BayeScale: Bayesian scaling laws that predict benchmark scores with credible intervals.

Every public name is loaded when it is first used, so that `import bayescale` is fast and neither
starts JAX nor sets any of its flags.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayescale.answer import Answer
    from bayescale.backtest import Backtest, Scorecard, backtest
    from bayescale.cards import list_models, load_model
    from bayescale.compare import Comparison, compare
    from bayescale.datasets import list_tables, load_table
    from bayescale.errors import BayescaleError
    from bayescale.fit import Fit, fit, load_fit
    from bayescale.harness import read_harness
    from bayescale.holdouts import hold_out
    from bayescale.model import Model
    from bayescale.parts import Part, list_laws, load_law
    from bayescale.plots import (
        plot_answer,
        plot_comparison,
        plot_contours,
        plot_coverage,
        plot_curve,
        plot_fans,
        plot_forest,
        plot_isoflops,
        plot_loadings,
        plot_pit,
        plot_predicted,
        plot_prior,
        plot_rank,
        plot_residuals,
        plot_skill,
        plot_trace,
        plot_weights,
    )
    from bayescale.prediction import Prediction
    from bayescale.splits import read_split
    from bayescale.stacking import Stack, load_stack, stack
    from bayescale.table import Table
    from bayescale.tablefiles import read_table
    from bayescale.unknown import between
    from bayescale.waic import waic

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Backtest",
    "BayescaleError",
    "Comparison",
    "Fit",
    "Model",
    "Part",
    "Prediction",
    "Scorecard",
    "Stack",
    "Table",
    "__version__",
    "backtest",
    "between",
    "compare",
    "fit",
    "hold_out",
    "list_laws",
    "list_models",
    "list_tables",
    "load_fit",
    "load_law",
    "load_model",
    "load_stack",
    "load_table",
    "plot_answer",
    "plot_comparison",
    "plot_contours",
    "plot_coverage",
    "plot_curve",
    "plot_fans",
    "plot_forest",
    "plot_isoflops",
    "plot_loadings",
    "plot_pit",
    "plot_predicted",
    "plot_prior",
    "plot_rank",
    "plot_residuals",
    "plot_skill",
    "plot_trace",
    "plot_weights",
    "read_harness",
    "read_split",
    "read_table",
    "stack",
    "waic",
]

_HOME = {
    "Answer": "answer",
    "Backtest": "backtest",
    "BayescaleError": "errors",
    "Comparison": "compare",
    "Fit": "fit",
    "Model": "model",
    "Part": "parts",
    "Prediction": "prediction",
    "Scorecard": "backtest",
    "Stack": "stacking",
    "Table": "table",
    "backtest": "backtest",
    "between": "unknown",
    "compare": "compare",
    "fit": "fit",
    "hold_out": "holdouts",
    "list_laws": "parts",
    "list_models": "cards",
    "list_tables": "datasets",
    "load_fit": "fit",
    "load_law": "parts",
    "load_model": "cards",
    "load_stack": "stacking",
    "load_table": "datasets",
    "plot_answer": "plots",
    "plot_comparison": "plots",
    "plot_contours": "plots",
    "plot_coverage": "plots",
    "plot_curve": "plots",
    "plot_fans": "plots",
    "plot_forest": "plots",
    "plot_isoflops": "plots",
    "plot_loadings": "plots",
    "plot_pit": "plots",
    "plot_predicted": "plots",
    "plot_prior": "plots",
    "plot_rank": "plots",
    "plot_residuals": "plots",
    "plot_skill": "plots",
    "plot_trace": "plots",
    "plot_weights": "plots",
    "read_harness": "harness",
    "read_split": "splits",
    "read_table": "tablefiles",
    "stack": "stacking",
    "waic": "waic",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'bayescale' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"bayescale.{_HOME[name]}"), name)
    setattr(sys.modules[__name__], name, value)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Keeps public functions in place where a submodule has the same name.

    Importing the submodule `bayescale.fit` binds it as an attribute of the package, which would
    hide the function `bayescale.fit`. That binding is left out; `from bayescale.fit import Fit`
    does not need it.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if name in _HOME and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
