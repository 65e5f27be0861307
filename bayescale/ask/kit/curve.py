"""`Curve`: what a fit expects along one input, draw by draw, and where it comes to a value.

A question that is solved along a path ("what size reaches this loss") is solved in each draw by
itself, so that quantiles of the answers are probabilities: of the sizes that are needed, the 90%
quantile is the size that suffices with probability 90%.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.ask.kit.solve import solve
from bayescale.base.between import Between, drawn_between
from bayescale.base.errors import AskError
from bayescale.base.intervals import Floats, number
from bayescale.base.words import quoted, suggest
from bayescale.inference.posterior import Posterior
from bayescale.predict.predict import ask
from bayescale.predict.prediction import chosen_benchmarks
from bayescale.predict.queries import UNCHECKED, Asked, beyond, query_columns
from bayescale.tables.compute import ACTIVE, COMPUTE, as_read, completed
from bayescale.tables.frames import ACCURACY

Move = Callable[[Floats], dict[str, Any]]
RATIO = "tokens_per_param"
OPTIMAL = "optimal"
COUNTED = ("params", "tokens", "flops")
POINTS = 96  # of the first look along a path
SHORT = 0.35  # e-folds between these, along a law that drifts, whose curve may turn
FEW = 24  # along the best split of each budget, where a loss only falls
BEFORE, BEYOND = 1e3, 1e30  # how far a path goes below and above the inputs of the fit, in factors
LEAST = 1.0  # of a count
LESS = 1 - 1e-6  # of a place, where it is asked whether less would do


@dataclass(frozen=True, eq=False)
class Curve:
    """One response of a fit along a path of inputs.

    Parameters
    ----------
    fit
        The fit.
    along
        The input that changes.
    move
        From values of it, shape (draw, point), to the inputs that change with it, same shape.
    query
        What stays: other inputs and members of groups.
    benchmark
        The response.
    rising
        Whether the response comes to a value from below: scores do, and what a law says rises.
    ends
        How far the path goes.
    seed
        Seed of what is drawn anew.
    points
        How many places are looked at first.
    """

    fit: Posterior
    along: str
    move: Move
    query: Mapping[str, Any]
    benchmark: str
    rising: bool
    ends: tuple[float, float]
    seed: int
    points: int = POINTS

    def __call__(self, values: Any) -> Floats:
        """Give expected values at places of each draw, shape (draw, point)."""
        wide = np.asarray(values, float)
        asked = self._asked(wide.shape[1])
        draws = asked.layout.draws
        changed = {
            name: np.broadcast_to(moved, (draws, wide.shape[1]))
            for name, moved in self.move(np.broadcast_to(wide, (draws, wide.shape[1]))).items()
        }
        found = asked.expected(self.seed, changed, one_run=True)
        return found[:, :, list(self.fit.table.benchmarks.index).index(self.benchmark)]

    def _asked(self, points: int) -> Asked:
        if points not in self._laid_out:
            # A place in the middle stands for all: what moves is put in place of it.
            middle = float(np.sqrt(np.prod(inputs_range(self.fit, self.along))))
            moved = {k: float(np.ravel(v)[0]) for k, v in self.move(np.array([[middle]])).items()}
            row = {k: v for k, v in self.query.items() if v is not None} | moved
            frame = pd.DataFrame([row] * points)
            self._laid_out[points] = ask(self.fit, frame, one={}, seed=self.seed)
        return self._laid_out[points]

    @cached_property
    def _laid_out(self) -> dict[int, Asked]:
        return {}

    @property
    def draws(self) -> int:
        """Number of draws."""
        return self.fit.posterior.sizes["chain"] * self.fit.posterior.sizes["draw"]

    @property
    def doubts(self) -> tuple[str, ...]:
        """What is to be said of the query, wherever on the path."""
        return tuple(d for d in self._asked(1).doubts if UNCHECKED not in d)


def first_reached(curve: Curve, target: Any) -> Floats:
    """Find where each draw's curve first comes to a value.

    Parameters
    ----------
    curve
        The curve.
    target
        A value, or one for each draw, shape (draw,).

    Returns
    -------
    array (draw,)
        Infinite where it never does, on a path of thirty decades beyond the inputs of the fit; the
        least value of the path where it is there from the start.
    """
    grid = np.geomspace(*curve.ends, curve.points)
    wanted = np.broadcast_to(np.asarray(target, float), (curve.draws,))
    # Skills of size times data may turn up again far below the runs of a leaderboard: the way to a
    # score starts where the curve is lowest.
    largest = inputs_range(curve.fit, curve.along)[1]
    scores = higher_is_better(curve.fit, curve.benchmark)
    first = int(np.sum(grid <= largest)) if scores else 1
    return solve(
        lambda x: curve(x) - wanted[:, None],
        grid,
        curve.draws,
        rising=curve.rising,
        lowest_of=first,
    )


def enough_before(curve: Curve, target: float, places: Floats) -> NDArray[np.bool_]:
    """Say in which draws less than what was found would do: a path that begins where it does.

    Parameters
    ----------
    curve, target
        As in `first_reached`.
    places
        What that found, shape (draw,).

    Returns
    -------
    array (draw,)
    """
    finite = np.isfinite(places)
    values = curve(np.where(finite, places * LESS, curve.ends[0])[:, None])[:, 0]
    return finite & (values >= target if curve.rising else values <= target)


def path_curve(
    fit: Posterior,
    along: str,
    given: Mapping[str, Any],
    *,
    benchmark: str | None,
    seed: int,
    move: Move | None = None,
    optimal: bool = False,
) -> Curve:
    """Check a path and what stays on it.

    Parameters
    ----------
    fit
        The fit.
    along
        The input that changes: params, tokens, flops, or another input of a law.
    given
        What else is known: one of params, tokens, flops and tokens_per_param, where the law or the
        leaderboard reads two of them; other inputs; family, or members of groups.
    benchmark
        The response; may be left out where there is one.
    seed
        Seed.
    move
        Another path, such as the best split of each budget.
    optimal
        Whether the question knows such a path, which is said where none was given.

    Raises
    ------
    AskError
        The law has no such input; inputs are missing, contradict each other or are not positive.
    """
    mark = one_benchmark(fit, benchmark)
    known = {name: value for name, value in given.items() if value is not None}
    if RATIO in known:
        known["multiplier"] = known.pop(RATIO)
    counted = [name for name in (*COMPUTE, along) if name in known]
    for name in counted:
        _check_positive(name, known[name])
    columns = law_columns(fit)
    compute = _reads_compute(fit)
    if along not in COMPUTE or not compute:
        if along not in columns:
            raise AskError(
                f"{fit.model.name} has no input {along!r}{suggest(along, columns)}: it can be "
                f"asked along {quoted(dict.fromkeys([*columns, *(COUNTED if compute else ())]))}"
            )
        stays = {name: value for name, value in known.items() if name != along}
        return _curve(fit, along, move or (lambda x: {along: x}), stays, mark, seed)
    fixed = [name for name in COMPUTE if name in known and name != along]
    if ACTIVE in known and fixed != ["params"]:
        raise AskError(
            f"{ACTIVE} is of one size, and along {along} the size changes: give params= beside it, "
            "or leave it out"
        )
    query = {name: value for name, value in known.items() if name not in COMPUTE}
    if move is not None:
        return replace(_curve(fit, along, move, query, mark, seed), points=FEW)
    one_input = [name for name in columns if name in COMPUTE]
    if not fixed and one_input == [along]:
        return _curve(fit, along, lambda x: {along: x}, query, mark, seed)
    if len(fixed) != 1:
        told = f"given: {quoted([RATIO if n == 'multiplier' else n for n in fixed]) or 'nothing'}"
        other = [RATIO if n == "multiplier" else n for n in COMPUTE if n != along]
        options = ["--" + n.replace("_", "-") for n in other if n != "flops"]
        best = ', or rule="optimal"', ", --optimal"
        rule, option = best if optimal and along == "flops" else ("", "")
        raise AskError(
            f"along {along}, say one thing of how size and data go together: one of "
            f"{', '.join(other)}{rule} (command line: {', '.join(options)}{option}); {told}"
        )
    [constraint] = fixed
    level = known[constraint]
    active = {ACTIVE: known[ACTIVE]} if ACTIVE in known else {}
    if isinstance(level, Between):
        draws = fit.posterior.sizes["chain"] * fit.posterior.sizes["draw"]
        level = drawn_between(level, draws, seed=seed, name=f"{constraint} {level}")[:, None]

    def moved(x: Floats) -> dict[str, Any]:
        at = level if np.shape(level)[:1] == np.shape(x)[:1] else np.mean(level)
        both = completed({along: x, constraint: at * np.ones_like(x), **active})
        return {"params": both["params"], "tokens": both["tokens"]}

    return _curve(fit, along, moved, query, mark, seed)


def _curve(
    fit: Posterior, along: str, move: Move, query: Mapping[str, Any], mark: str, seed: int
) -> Curve:
    low, high = inputs_range(fit, along)
    # A count ends at one; what else a law reads has no natural least value.
    least = max(low / BEFORE, LEAST) if along in COMPUTE else low / BEFORE
    ends = least, high * BEYOND
    points = int(np.log(ends[1] / ends[0]) / SHORT) if fit.model.drift else POINTS
    return Curve(fit, along, move, dict(query), mark, _rises(fit, along, mark), ends, seed, points)


def law_columns(fit: Posterior) -> list[str]:
    """List the numbers that tell a run to a fit's law, by the names of their columns."""
    numbers = [c.name for c in fit.model.law.columns if c.kind == "number"]
    read = [fit.model.inputs.get(name, name) for name in numbers]
    # Compute that a query cannot give follows from size and data.
    return read if {*read} <= {*query_columns(fit.model, fit.table)} else ["params", "tokens"]


def _reads_compute(fit: Posterior) -> bool:
    """Whether the law reads params, tokens or compute."""
    active = {"params_active"} & set(law_columns(fit))
    return bool(active or set(COMPUTE) & set(law_columns(fit)))


def inputs_range(fit: Posterior, name: str) -> tuple[float, float]:
    """Give the range of an input over the runs of the fit."""
    runs = fit.table.runs
    known = {n: as_read(runs, n) for n in COMPUTE}
    told = completed({n: values for n, values in known.items() if values.notna().any()})
    values = told.get(name, as_read(runs, name)).dropna()
    values = values[values > 0]
    return (float(values.min()), float(values.max())) if len(values) else (1.0, 1.0)


def far(name: str, values: Any, curve: Curve) -> list[str]:
    """Say where places on a curve lie far outside the fit's."""
    return beyond(name, values, np.array(inputs_range(curve.fit, curve.along)))


def one_benchmark(fit: Posterior, benchmark: str | None) -> str:
    """Check the name of a response; it may be left out where the fit has one.

    Raises
    ------
    AskError
        The fit has several, and none is named.
    PredictError
        The fit has no such benchmark.
    """
    if benchmark is not None:
        return chosen_benchmarks(fit, benchmark)[0]
    names = [str(name) for name in fit.table.benchmarks.index]
    if len(names) > 1:
        raise AskError(
            f"the fit has {len(names)} responses: {quoted(names)}; say which with benchmark="
            f"{names[0]!r} (command line: --benchmark {names[0]})"
        )
    return names[0]


def _rises(fit: Posterior, along: str, benchmark: str) -> bool:
    columns = {fit.model.inputs.get(name, name) for name in fit.model.law.rises}
    return higher_is_better(fit, benchmark) or along in columns


def higher_is_better(fit: Posterior, benchmark: str) -> bool:
    """Whether more of a response is better, as of a score."""
    return str(fit.table.benchmarks.loc[benchmark, "unit"]) == ACCURACY


def positive(name: str, value: Any) -> float:
    """Check that an input is one positive number that is known.

    Raises
    ------
    AskError
        It is not.
    """
    if isinstance(value, Between):
        raise AskError(f"{name} must be known here: give one number, not {value}")
    _check_positive(name, value)
    return float(value)


def _check_positive(name: str, value: Any) -> None:
    if isinstance(value, Between):
        return
    if not 0 < number(name, value) < np.inf:
        raise AskError(f"{name} must be a positive number; given: {value:g}")
