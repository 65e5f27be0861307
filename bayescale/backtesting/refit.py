"""One compiled program for many folds: weights change, shapes and executables stay.

Before the folds, one run with every fold's held-out rows at weight zero learns a start, a step size
and a metric; each fold then continues from there. So no start depends on a value held out. Where
every row is held out once, there is nothing to learn from, and each fold learns its own.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from bayescale.backtesting.splits import Fold, Split
from bayescale.inference.diagnostics import largest_r_hat
from bayescale.inference.labels import to_datasets
from bayescale.inference.sampler import Draws, Start, sample
from bayescale.inference.transition import Program, compile_program
from bayescale.models.evaluate import Evaluation, evaluate
from bayescale.models.grid import Grid
from bayescale.models.lay_out import fitted_members, lay_out, on_table
from bayescale.models.model import Model
from bayescale.tables.table import Table, grid_positions

CHAINS, WINDOWS, DRAWS = 2, 2, 300
FIRST_WINDOWS = 6
R_HAT_LIMIT = 1.05
LONGEST = 16  # a fold whose chains disagree goes on, up to this many times as long


@dataclass(frozen=True, eq=False)
class FoldPrediction:
    """What fitting one fold gives for its test rows, in the order of `Fold.test`.

    Parameters
    ----------
    draws
        Predictive draws of the measured score, shape (draw, row).
    mean_draws
        Posterior draws of the expected score, shape (draw, row).
    log_density
        Log density of each observed score under each draw, shape (draw, row).
    seconds
        Time of the fit and the prediction.
    max_r_hat
        Largest R-hat of the fit.
    divergences
        Number of divergent draws.
    length
        How many times the usual number of draws it took.
    sites
        Posterior draws of every site, shape (draw, ...), thinned to the usual number.
    """

    draws: NDArray[np.float64]
    mean_draws: NDArray[np.float64]
    log_density: NDArray[np.float64]
    seconds: float
    max_r_hat: float
    divergences: int
    length: int
    sites: dict[str, NDArray[Any]] = field(default_factory=dict)


def silent(_: str) -> None:
    """Tell nobody."""


def fold_fitter(
    model: Model,
    table: Table,
    split: Split,
    *,
    seed: int,
    chains: int = CHAINS,
    draws: int = DRAWS,
    tell: Callable[[str], None] = silent,
) -> Callable[[Fold], FoldPrediction]:
    """Compile a model for a table, and give a function that fits and predicts one fold.

    Parameters
    ----------
    model, table
        What to fit.
    split
        All folds to come.
    seed
        Seed; folds are numbered from it in the order of the split.
    chains, draws
        Chains of a fold, and draws of each.
    tell
        Is told what is being done.

    Returns
    -------
    callable
        From a fold to its prediction. A fold with R-hat above 1.05 goes on for as many draws again,
        at most to sixteen times the draws; its seconds count all.
    """
    model = as_trained(model, table, split)
    grid = lay_out(model, table)
    # Held-out rows may lie in cells of a drift that no fit has.
    ahead = lay_out(model, table, fitted_members(model, table)) if model.drift else grid
    tell(f"compiling {model.name}")
    began = time.perf_counter()
    with jax.enable_x64(True):
        program = compile_program(model, grid)
    common = _common(split)
    start: Start | None = None
    if common.any():
        tell("learning a start from the rows that every fold trains on")
        start = _learned(program, grid.with_weights(_grid(table, common)), seed, chains)
    before = {"seconds": time.perf_counter() - began}  # counts to the first fold

    def fit_fold(fold: Fold) -> FoldPrediction:
        started = time.perf_counter() - before.pop("seconds", 0.0)
        number = split.folds.index(fold)
        held = grid.with_weights(_grid(table, fold.train))

        def more(length: int, windows: int, start: Start | None) -> Draws:
            with jax.enable_x64(True):
                return sample(
                    program,
                    held,
                    seed=seed + 1000 * (number + 1) + windows + length,
                    chains=chains,
                    windows=windows,
                    draws=draws * length,
                    start=start,
                )

        length, found = 1, more(1, WINDOWS if start else FIRST_WINDOWS, start)
        while (r_hat := _r_hat(model, table, found)) > R_HAT_LIMIT and length < LONGEST:
            tell(f"fold {fold.label}: R-hat {r_hat:.2f}; as many draws again")
            found = found.then(more(length, 0, found.end))
            length *= 2
        # A longer run is thinned to the usual length, which keeps one compiled evaluation.
        sites = {
            name: values[:, ::length].reshape(-1, *values.shape[2:])
            for name, values in found.sites.items()
        }
        told = ahead.with_weights(held.weights)
        out = _held_out(model, told, table, fold, sites, seed=seed + number)
        return FoldPrediction(
            draws=out.score,
            mean_draws=out.expected,
            log_density=out.log_density,
            seconds=time.perf_counter() - started,
            max_r_hat=r_hat,
            divergences=int(found.stats["diverging"].sum()),
            length=length,
            sites=sites,
        )

    return fit_fold


def as_trained(model: Model, table: Table, split: Split) -> Model:
    """Give a model with the reference run of the rows that every fold trains on, if there are any.

    Parameters
    ----------
    model, table
        What to fit.
    split
        All folds to come.
    """
    common = _common(split)
    runs = table.scores["run"]
    return on_table(model, table.select(runs=runs[common].unique()) if common.any() else table)


def _common(split: Split) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.logical_and.reduce([fold.train for fold in split.folds])
    return found


def _grid(table: Table, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give these scores weight, and no others, shape (run, benchmark)."""
    row, column = grid_positions(table)
    weights = np.zeros((len(table.runs), len(table.benchmarks)))
    weights[row[rows], column[rows]] = 1.0
    return weights


def _learned(program: Program, grid: Grid, seed: int, chains: int) -> Start:
    """Learn where to start, a step size and a metric."""
    with jax.enable_x64(True):
        return sample(program, grid, seed=seed, chains=chains, windows=FIRST_WINDOWS, draws=50).end


def _held_out(
    model: Model,
    held: Grid,
    table: Table,
    fold: Fold,
    sites: dict[str, NDArray[Any]],
    *,
    seed: int,
) -> Evaluation:
    """Predict a fold's test rows, shape (draw, row).

    The density of held-out scores needs them on the grid, after sampling has ended; their standard
    errors are as unknown as they are.
    """
    stderr = np.where(_grid(table, fold.test) > 0, np.nan, held.stderr)
    weights = _grid(table, fold.train | fold.test)
    scored = dataclasses.replace(held, weights=weights, stderr=stderr)
    out = evaluate(model, scored, sites, seed=seed)
    row, column = grid_positions(table)
    at = (slice(None), row[fold.test], column[fold.test])
    return Evaluation(*(values[at] for values in (out.expected, out.score, out.log_density)))


def _r_hat(model: Model, table: Table, found: Draws) -> float:
    return largest_r_hat(to_datasets(model, table, found)[0])
