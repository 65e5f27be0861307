"""`next_run`: which of some runs would tell most, for each FLOP, about a question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.ask.answer import Answer
from bayescale.ask.kit.costs import costs_of
from bayescale.ask.kit.plan import Plan, believe, noise_worth, plan_runs
from bayescale.base.errors import AskError
from bayescale.base.intervals import Floats, check_interval, intervals, number, quantiles
from bayescale.base.words import percent, quoted, suggest, told
from bayescale.inference.posterior import Posterior
from bayescale.predict.predict import predict
from bayescale.predict.prediction import Prediction
from bayescale.predict.queries import query_columns
from bayescale.tables.frames import ACCURACY

SPAN = 3.0  # a positive question whose interval spans such a factor goes by its log
MOST_NEVER = 0.5  # share of infinite draws above which there is no width to shrink
CHANCE = 0.99  # of unrelated draws, so many give less than what counts as told
CLOSE = 1.001  # a width so near counts as reached
ADDED = ("cost", "reduction", "width_after", "worth", "rank", "chosen", "width_then")


def next_run(
    fit: Posterior,
    candidates: pd.DataFrame,
    of: Answer | Prediction,
    *,
    cost: str | None = None,
    batch: int | None = None,
    budget: float | None = None,
    width: float | None = None,
    benchmark: str | None = None,
    interval: float = 0.9,
    seed: int = 0,
) -> Answer:
    r"""Find which run would shrink the uncertainty of a question most for its FLOPs.

    Runs that could be made are ranked by what they would tell about a question, for each FLOP.

    A run's measurement y has the mean m that the fit draws and noise of variance v, and the
    question is q, all on the log where they are positive and span scales. By Bayes linear updating,
    exact if all are jointly Normal, the measurement is expected to leave
    :math:`\mathrm{Var}(q)(1 - r)` with

    .. math:: r = c^\top (V + \mathrm{diag}\,v)^{-1} c\,/\,\mathrm{Var}(q), \quad
              c = \mathrm{Cov}(m, q), \quad V = \mathrm{Var}(m)

    over the posterior draws; m is a vector where a run is measured on several benchmarks. For
    noise with tails, v is one over the Fisher information of its location, since outliers say
    little and the rest much: :math:`v = s^2(\nu + 3)/(\nu + 1)` of a Student-t. Runs are ranked
    by the expected information about q, :math:`-\frac12 \log(1 - r)`, over their cost. A batch is
    chosen one run after the other, each given the measurements of those before, whatever these
    turn out to be. A candidate is made once: list it twice if two of it may be made.

    To reach a `width`, runs are chosen in this way until it is reached, and then, the dearest
    first, those are dropped that are not needed given the others: for each FLOP a cheap run is the
    best for long, and the dear ones that come in the end make many of them superfluous.

    Parameters
    ----------
    fit
        The fit.
    candidates
        A row for each run that could be made: what `predict` takes, and its cost.
    of
        The question: an answer or a prediction of this fit (its first row), or a draw for each of
        the fit's, in their order. A prediction is asked again beside the candidates. A family new
        to the fit is the same in question and candidates where both have one seed. Infinite draws
        ("never") count as the largest finite one. Rather a mean than a score, whose noise no run
        takes away.
    cost
        Column of the cost; "flops" by default, else 6 x params x tokens, in FLOPs.
    batch
        How many runs to choose, one by default; fewer where no further one can be told to help.
    width
        Width that the interval is to come down to. What is chosen is then the cheapest set found
        that is expected to reach it, the cheapest run first; with `batch`, so many of it.
    budget
        Most that the batch may cost, in the unit of the cost.
    benchmark
        What runs are measured on; by default all benchmarks of the fit.
    interval
        Probability of the interval whose width is told.
    seed
        Seed; that of the question.

    Returns
    -------
    Answer
        `.frame`: a row for each candidate, the best first: its inputs, `cost`, `reduction`
        (expected share of the question's variance that goes), `width_after` (expected width of the
        interval then), `worth` (information for the cost, of the best one's), `rank`, `chosen`
        (order in the batch, 0 if not), `width_then` (after it and those chosen before).

    Raises
    ------
    AskError
        No candidate, a cost that is missing or not positive, draws that are not of this fit, do not
        differ or are mostly infinite, a batch below 1, or a budget that affords none.
    PredictError
        Candidates that the fit cannot predict.

    Examples
    --------
    >>> far = fit.predict(params=9e10, tokens=2e12, kind="mean")  # doctest: +SKIP
    >>> print(fit.next_run(runs, far, batch=3, budget=1e22))  # doctest: +SKIP

    Source: Goldstein and Wooff 2007, Bayes Linear Statistics (updating); Cohn 1996, Neural Networks
    9 (variance of a chosen prediction); Lindley 1956 (information of an experiment).
    """
    check_interval(interval)
    for name, value in (("batch", batch), ("width", width), ("budget", budget)):
        if value is not None:
            number(name, value)
    if batch is not None and not (float(batch).is_integer() and batch >= 1):
        raise AskError(f"batch must be a whole number of runs, at least 1; given: {batch}")
    runs = _checked(candidates)
    costs = costs_of(runs, cost)
    if budget is not None and not budget >= costs.min():
        raise AskError(
            f"a budget of {budget:g} affords none of the candidates: the cheapest costs "
            f"{costs.min():g}; give a larger budget or smaller runs"
        )
    raw, mean, score, doubts = _draws(fit, runs, of, cost, benchmark, seed)
    question, scale, back, notes = _scale(raw)
    outcomes, noise = _outcomes(fit, mean, score, benchmark)

    def wide(share: float) -> float:
        """Give the width of the interval when a share of the variance is gone."""
        middle = question.mean()
        low, high = _ends(back(middle + np.sqrt(1 - share) * (question - middle)), interval)
        return high - low

    plan = plan_runs(
        believe(question, outcomes, noise),
        costs,
        batch=(batch or 1) if width is None else None,
        budget=np.inf if budget is None else budget,
        least=_told_from(fit, question, outcomes.shape[2]),
        enough=1.0 if width is None else _share_for(width, wide),
    )
    whole = len(plan.chosen)
    reached = wide(plan.together[-1])
    if width is not None:
        plan = plan.first(batch or whole)
    if not plan.worth.any():
        notes.append(
            "no candidate shrinks it by more than the draws can tell: larger or other runs, more "
            "benchmarks, or more draws of the fit are needed"
        )
    elif width is not None and reached > width * CLOSE:
        notes.append(
            f"the interval is expected to come down to {told(reached)}, not to {told(width)}: "
            "that takes a larger budget, or larger or more candidates"
        )
    elif width is None and whole < (batch or 1):
        notes.append(
            f"{whole} runs chosen, not {batch}: no further one is affordable and tells anything "
            "that the draws can tell"
        )
    about = {
        "scale": scale,
        "budget": budget,
        "width": wide(0.0),
        "width_batch": wide(plan.together[-1]),
        "reduction_batch": plan.together[-1],
        "cost_batch": float(costs[list(plan.chosen)].sum()),
        "runs_planned": whole,
        "width_planned": reached,
    }
    frame = _frame(runs, costs, plan, wide)
    return Answer(
        question="next_run",
        frame=frame,
        draws=raw[:, None],
        sentence=_sentence(frame, about, interval, cost),
        doubts=tuple(dict.fromkeys([*doubts, *notes])),
        interval=interval,
        picture=frame[["cost", "reduction", "width_after", "worth", "chosen"]].copy(),
        about=about,
    )


def _share_for(width: float, wide: Callable[[float], float]) -> float:
    """Give the share of the variance whose loss brings the interval down to a width."""
    from scipy.optimize import brentq

    now = wide(0.0)
    if not 0 < width < now:
        raise AskError(
            f"width must lie between 0 and the present width of the interval, {now:.4g}; given: "
            f"{width:g}"
        )
    return float(brentq(lambda share: wide(share) - width, 0.0, 1.0, xtol=1e-6))


def _checked(candidates: pd.DataFrame) -> pd.DataFrame:
    if not isinstance(candidates, pd.DataFrame):
        raise AskError(
            "candidates must be a frame with a row for each run that could be made; given: "
            f"{type(candidates).__name__}"
        )
    if candidates.empty:
        raise AskError("there are no candidates: give a row for each run that could be made")
    return candidates.reset_index(drop=True)


def _draws(
    fit: Posterior,
    runs: pd.DataFrame,
    of: Answer | Prediction | NDArray[Any],
    cost: str | None,
    benchmark: str | None,
    seed: int,
) -> tuple[Floats, Floats, Floats, tuple[str, ...]]:
    """Give draws of the question, of expected and of measured values of candidates, and doubts.

    Shapes (draw,) and (draw, candidate, benchmark).
    """
    count = fit.posterior.sizes["chain"] * fit.posterior.sizes["draw"]
    given = of.draws if isinstance(of, Answer | Prediction) else of
    raw = np.asarray(given, float)
    raw = raw[:, 0] if raw.ndim == 2 and raw.shape[1] else raw
    marks = list(fit.table.benchmarks.index)
    foreign = isinstance(of, Prediction) and of.frame["benchmark"].iloc[0] not in marks
    if raw.ndim != 1 or len(raw) != count or foreign:
        raise AskError(
            f"the question must have one draw for each of the fit's {count}, in their order; "
            f"given: draws of shape {np.shape(given)}. Ask it of this fit"
        )
    # A cost that the fit does not read is not asked of it; other columns that it lacks are errors.
    only_cost = {cost, "flops"} - {*query_columns(fit.model, fit.table)}
    queries = runs[[name for name in runs if name not in only_cost]]
    # The question's own run comes first, so that no candidate is taken for it; a family that is
    # new to the fit is the same in all, by its name and the seed.
    first = _asked_first(fit, of) if isinstance(of, Prediction) else queries.iloc[[0]]
    queries = pd.concat([first, queries], ignore_index=True)
    # Both calls draw the same new members, and one the noise besides.
    mean, score = (predict(fit, queries, kind=k, seed=seed) for k in ("mean", "score"))
    expected, measured = (p.draws.reshape(count, len(queries), -1) for p in (mean, score))
    if isinstance(of, Prediction):
        at = marks.index(of.frame["benchmark"].iloc[0])
        raw = (expected if of.kind == "mean" else measured)[:, 0, at]
    if benchmark is not None:
        if benchmark not in marks:
            raise AskError(
                f"the fit has no benchmark {benchmark!r}{suggest(benchmark, marks)}; it has: "
                f"{quoted(marks)}"
            )
        marks = [benchmark]
    column = [list(fit.table.benchmarks.index).index(name) for name in marks]
    return raw, expected[:, 1:, column], measured[:, 1:, column], mean.doubts


def _asked_first(fit: Posterior, of: Prediction) -> pd.DataFrame:
    """Give the query of a prediction's first row."""
    readable, first = query_columns(fit.model, fit.table), of.frame.iloc[[0]]
    asked = first[[name for name in first if name in readable]].dropna(axis="columns")
    return asked[["run"]] if "run" in asked else asked  # its own facts count


def _scale(raw: Floats) -> tuple[Floats, str, Callable[[Floats], Floats], list[str]]:
    """Put a question on the scale that it is judged on, and give the way back."""
    if np.isnan(raw).any():
        raise AskError("the question has draws that are not known (NaN): ask one with an answer")
    finite = raw[np.isfinite(raw)]
    share = 1 - len(finite) / len(raw)
    if share > MOST_NEVER:
        raise AskError(
            f"{percent(share)} of the question's draws say never: its interval has no end to "
            "shrink; ask of a nearer target, such as the score at a given run"
        )
    low, high = quantiles(finite, [0.05, 0.95])
    if high == low:
        raise AskError(f"the question's draws are (nearly) all {low:g}: there is nothing to shrink")
    notes = []
    if share:
        notes.append(
            f"{percent(share)} of the question's draws say never: they count as its largest finite "
            f"draw, {told(float(finite.max()))}"
        )
    values = np.clip(raw, finite.min(), finite.max())
    if finite.min() > 0 and high > SPAN * low:
        return np.log(values), "log", np.exp, notes
    return values, "plain", lambda v: v, notes


def _outcomes(
    fit: Posterior, mean: Floats, score: Floats, benchmark: str | None
) -> tuple[Floats, Floats]:
    """Put measurements on the log where they are positive quantities, and find their noise."""
    units = fit.table.benchmarks["unit"]
    units = units if benchmark is None else units.loc[[benchmark]]
    positive = (mean > 0).all(axis=(0, 1)) & (score > 0).all(axis=(0, 1))
    on_log = positive & (units != ACCURACY).to_numpy()
    expected, measured = (
        np.where(on_log, np.log(np.where(on_log, values, 1.0)), values) for values in (mean, score)
    )
    return expected, noise_worth(measured - expected)


def _told_from(fit: Posterior, question: Floats, marks: int) -> float:
    """Give the reduction that draws unrelated to the question stay below, nearly always."""
    import arviz_stats
    from scipy.stats import chi2

    stats: Any = arviz_stats
    size = float(stats.ess(question.reshape(fit.posterior.sizes["chain"], -1)))
    return float(min(chi2.ppf(CHANCE, marks) / min(size, len(question)), 0.5))


def _ends(draws: Floats, interval: float) -> tuple[float, float]:
    found = list(intervals(draws, interval).values())
    return float(found[1]), float(found[2])


def _frame(
    runs: pd.DataFrame, costs: Floats, plan: Plan, width: Callable[[float], float]
) -> pd.DataFrame:
    order = {run: i for i, run in enumerate(plan.chosen)}
    best = plan.worth.max()
    frame = runs.drop(columns=[name for name in ADDED if name in runs]).assign(
        cost=costs,
        reduction=plan.reduction,
        width_after=[width(share) for share in plan.reduction],
        worth=plan.worth / best if best > 0 else 0.0,
        chosen=[order[i] + 1 if i in order else 0 for i in range(len(runs))],
        width_then=[
            width(plan.together[order[i]]) if i in order else np.nan for i in range(len(runs))
        ],
    )
    # Where nothing can be told, by what was guessed.
    frame["rank"] = np.lexsort((costs, -plan.reduction / costs, -frame["worth"])).argsort() + 1
    frame = frame.sort_values("rank", ignore_index=True)
    return frame[[*(c for c in frame if c not in ADDED), *ADDED]]


def _sentence(frame: pd.DataFrame, about: dict[str, Any], interval: float, cost: str | None) -> str:
    chosen = frame[frame["chosen"] > 0].sort_values("chosen")
    inputs = [name for name in frame if name not in (*ADDED, cost, "flops")]

    def named(row: pd.Series) -> str:
        given = {name: row[name] for name in inputs if pd.notna(row[name])}
        words = (f"{k} {v if isinstance(v, str) else told(v)}" for k, v in given.items())
        return ", ".join(words) or f"the run of cost {told(row['cost'])}"

    now, then = about["width"], about["width_batch"]
    if not frame["worth"].any():
        return (
            f"None of these runs is known to tell anything of the question, whose {interval:.0%} "
            f"interval is {told(now)} wide; the best guess is "
            f"{'; '.join(named(row) for _, row in chosen.iterrows())}."
        )
    narrower = percent(1 - then / now) if now else "not"
    more = about["runs_planned"] - len(chosen)
    first = f" (and {more} more: {told(about['width_planned'])})" if more else ""
    return (
        f"Make next: {'; '.join(named(row) for _, row in chosen.iterrows())}. For "
        f"{told(about['cost_batch'])} {'FLOPs' if cost in (None, 'flops') else cost} the "
        f"{interval:.0%} interval is expected to be {narrower} narrower: {told(then)} wide, now "
        f"{told(now)}{first}."
    )
