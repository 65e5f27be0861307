"""Emergent tasks, prompting methods and agents from standard benchmarks, held out as in the paper.

    python -m benchmarks.observational --json benchmarks/results/observational.json
    python -m benchmarks.observational --choose      # tests inside the training models alone

The protocol is that of Ruan, Maddison and Hashimoto 2024: emergent tasks and prompting methods are
learned on weaker models and tested on those with more training compute (or unknown compute); agent
scores are learned on the lower nine tenths and tested on the best. Standard scores of the tested
models are known. The baseline is the paper's regression, with intervals from its errors on training
models that are held out by the same rule, and from leaving each out. `place` was chosen with
--choose, which learns on the weaker half of each task's training models and tests on the stronger.
"""

from __future__ import annotations

import sys
import time
import tomllib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tomli_w
from numpy.typing import NDArray

import bayescale as bs
from bayescale.backtesting.baselines import DRAWS, ENOUGH
from bayescale.backtesting.scores import cluster_bootstrap, coverage, crps, interval_score
from bayescale.base.files import write_json
from bayescale.base.records import records_dir
from bayescale.models.cards import model_from_card
from bayescale.models.model import Model
from bayescale.tables.table import Table
from benchmarks import pca_logistic
from benchmarks.observational_tasks import (
    CHOICE,
    NO_GSM8K,
    STANDARD,
    TASKS,
    Task,
    divide,
    forward,
    pool,
    table_of,
    wide,
    with_agents,
)
from benchmarks.shared.command import parser_of, say

Floats = NDArray[np.float64]

LEVEL = 0.9


# Two more skills than the card's: these tables have benchmarks of code and of languages.
SKILLS = {"code": ["HumanEval"], "languages": ["XWinograd"]}
JOINT = "skills, refitted"


@dataclass(frozen=True, eq=False)
class Predicted:
    """Draws of each tested score (draw, run), and the point that is judged by its square error."""

    draws: Floats
    point: Floats

    @classmethod
    def of(cls, draws: Floats) -> Predicted:
        """Take the mean of the draws as the point."""
        return cls(draws, draws.mean(axis=0))


# (task, training runs, tested runs) -> what is predicted of the tested runs.
Predictor = Callable[[Task, Sequence[str], Sequence[str]], Predicted]


def regression(task: Task, train: Sequence[str], test: Sequence[str]) -> Floats:
    """Point predictions of the paper's regression."""
    rows = wide(task.kind == "agents")
    marks = list(task.predictors)
    return pca_logistic.predict(
        rows.loc[list(train), marks].to_numpy(float),
        rows.loc[list(train), task.name].to_numpy(float),
        rows.loc[list(test), marks].to_numpy(float),
        chance=float(table_of(task).benchmarks.loc[task.name, "chance"]),
        floor=task.floor,
    )


def one_out(train: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """Leave out each training run in turn."""
    return [([*train[:i], *train[i + 1 :]], [train[i]]) for i in range(len(train))]


@cache
def errors(task: Task, divided: Callable[..., Any]) -> Floats:
    """Errors of the regression on training runs that are held out."""
    rows = wide(task.kind == "agents")
    parts = [
        rows.loc[test, task.name].to_numpy(float) - regression(task, train, test)
        for train, test in divided(divide(task)[0])
    ]
    return np.concatenate(parts)


def recalibrated(
    divided: Callable[..., Any], task: Task, train: Sequence[str], test: Sequence[str]
) -> Predicted:
    """The paper's regression with intervals from its errors on training runs.

    As in `bayescale.backtesting.baselines`: quantiles of a task's own errors, or of all of its kind
    where they are few.
    """
    point = regression(task, train, test)
    own = errors(task, divided)
    if len(own) < ENOUGH:
        own = np.concatenate(
            [errors(other, divided) for other in pool(task) if other.kind == task.kind]
        )
    levels = (np.arange(DRAWS) + 0.5) / DRAWS
    draws = np.quantile(own, levels)[:, None] + point
    return Predicted(np.clip(draws, 0, 1), np.clip(point, 0, 1))


@cache
def model() -> Model:
    """Read the card of `skills`, with two more skills."""
    card = tomllib.loads((records_dir("models") / "skills.toml").read_text("utf-8"))
    return model_from_card(tomli_w.dumps(card | {"skills": card["skills"] | SKILLS}))


@cache
def leaderboard(marks: tuple[str, ...], settings: tuple[tuple[str, int], ...]) -> Any:
    """Fit standard scores of all models, without any task."""
    fit = bs.fit(
        model(), with_agents().select(benchmarks=list(marks)), progress=False, **dict(settings)
    )
    if not fit.verdict_ok:
        raise RuntimeError(f"fit longer: {fit.summary()}")
    print(fit.summary(), file=sys.stderr, flush=True)
    return fit


def placed(
    settings: tuple[tuple[str, int], ...], task: Task, train: Sequence[str], test: Sequence[str]
) -> Predicted:
    """`Fit.place`, on a fit of the standard scores."""
    fit = leaderboard(STANDARD if "GSM8K" in task.predictors else NO_GSM8K, settings)
    facts = table_of(task).benchmarks.loc[task.name]
    rows = wide(task.kind == "agents").loc[list(train)]
    scores = pd.DataFrame({"run": list(train), "benchmark": task.name})
    scores["score"] = rows[task.name].to_numpy(float)
    answer = fit.place(
        scores,
        pd.DataFrame({"run": list(test)}),
        chance=float(facts["chance"]),
        items=float(facts["items"]) if np.isfinite(facts["items"]) else None,
        seed=dict(settings)["seed"],
    )
    for doubt in answer.doubts:
        if "verdict on the place" in doubt:
            say(f"{task.name}: {doubt}")
    order = pd.Index(answer.frame["run"]).get_indexer(list(test))
    return Predicted.of(answer.draws[:, order])


@cache
def joint_fit(like: Task, settings: tuple[tuple[str, int], ...]) -> Any:
    """Fit standard scores of all runs with the task's of its training runs.

    Tasks that share predictors and training rule share a fit.
    """
    table = table_of(like)
    together = [task for task in pool(like) if alike(task, like)]
    names = [task.name for task in together]
    scores = table.scores
    kept = scores["benchmark"].isin(like.predictors)
    for task in together:
        kept |= (scores["benchmark"] == task.name) & scores["run"].isin(divide(task)[0])
    chosen = table.select(benchmarks=[*like.predictors, *names])
    chosen = Table(scores[kept].reset_index(drop=True), chosen.runs, chosen.benchmarks, chosen.name)
    return bs.fit(model(), chosen, progress=False, **dict(settings))


def alike(task: Task, other: Task) -> bool:
    """Whether two tasks can be learned in one fit."""
    return (task.predictors, task.cutoff, task.kind == "agents") == (
        other.predictors,
        other.cutoff,
        other.kind == "agents",
    )


def joint(
    settings: tuple[tuple[str, int], ...],
    task: Task,
    train: Sequence[str],
    test: Sequence[str],
) -> Predicted:
    """One Bayesian model of all scores, refitted with the task."""
    del train  # `divide` again says the same of every task of the fit
    like = next(other for other in pool(task) if alike(other, task))
    fit = joint_fit(like, settings)
    rows = pd.DataFrame({"run": list(test)})
    return Predicted.of(fit.predict(rows, benchmark=task.name, kind="score").draws)


def score(task: Task, name: str, predictor: Predictor) -> pd.DataFrame:
    """Score a predictor on a task, one row a tested run."""
    train, test = divide(task)
    began = time.perf_counter()
    found = predictor(task, train, test)
    rows = wide(task.kind == "agents").loc[test]
    y = rows[task.name].to_numpy(float)
    low, high = np.quantile(found.draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return pd.DataFrame(
        {
            "predictor": name,
            "task": task.name,
            "kind": task.kind,
            "shown": task.shown,
            "run": test,
            "family": rows["family"].to_numpy(str),
            "preregistered": rows.get("preregistered", pd.Series("no", rows.index)).to_numpy(str),
            "train": len(train),
            "observed": y,
            "point": found.point,
            "lower": low,
            "upper": high,
            "squared_error": (found.point - y) ** 2,
            "crps": crps(found.draws, y),
            "interval_score": interval_score(low, high, y, LEVEL),
            "covered": coverage(low, high, y),
            "seconds": time.perf_counter() - began,
        }
    )


def summary(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Means over tested runs, and the coverage's standard error over families."""
    lines = []
    for key, own in rows.groupby(by, sort=False):
        held, error = cluster_bootstrap(own["covered"], own["family"], seed=0)
        lines.append(
            dict(zip(by, key, strict=True))
            | {
                "train": int(own["train"].iloc[0]),
                "test": len(own),
                "mse": own["squared_error"].mean(),
                "crps": own["crps"].mean(),
                "interval_score": own["interval_score"].mean(),
                "coverage": held,
                "coverage_se": error,
            }
        )
    return pd.DataFrame(lines)


def kinds(rows: pd.DataFrame, by_task: pd.DataFrame) -> pd.DataFrame:
    """Means over tasks, whatever the number of their tested runs; coverage over all runs."""
    by = ["kind", "predictor"]
    held = summary(rows, by)[[*by, "coverage", "coverage_se"]]
    shown = by_task[by_task["task"].isin(rows["task"])]
    means = shown.groupby(by, sort=False)[["mse", "crps", "interval_score"]].mean()
    return held.merge(means.reset_index(), on=by)


def main() -> None:
    """Score the baseline and models on every task."""
    parser = parser_of(__doc__)
    parser.add_argument("--joint", action="store_true", help="refit with the tasks as well")
    parser.add_argument("--choose", action="store_true", help="inside the training models alone")
    parser.add_argument("--kind", nargs="+", default=["emergent", "methods", "agents"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chains", type=int, default=2)
    parser.add_argument("--warmup", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=3000)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--rows", type=Path, help="write every predicted score here (CSV)")
    args = parser.parse_args()
    settings = tuple((name, getattr(args, name)) for name in ("seed", "chains", "warmup", "draws"))
    predictors: dict[str, Predictor] = {
        "PCA + logistic, forward": partial(recalibrated, forward),
        "PCA + logistic, leave one out": partial(recalibrated, one_out),
        "place": partial(placed, settings),
    }
    if args.joint:
        predictors[JOINT] = partial(joint, settings)
    parts = []
    for name, predictor in predictors.items():
        for task in CHOICE if args.choose else TASKS:
            if task.kind not in args.kind:
                continue
            parts.append(score(task, name, predictor))
            say(f"{name}: {task.name}")
        if args.rows:
            pd.concat(parts).to_csv(args.rows, index=False)
    rows = pd.concat(parts, ignore_index=True)
    by_task = summary(rows, ["kind", "task", "predictor"])
    by_kind = kinds(rows[rows["shown"]], by_task)
    with pd.option_context("display.width", 160, "display.max_columns", 20):
        print(by_task.round(4).to_string(index=False))
        print(by_kind.round(4).to_string(index=False))
    if args.json:
        write_json(
            args.json,
            {
                "by_kind": by_kind.to_dict("records"),
                "by_task": by_task.to_dict("records"),
                "settings": {name: str(value) for name, value in vars(args).items()},
            },
        )


if __name__ == "__main__":
    warnings.simplefilter("error", RuntimeWarning)
    main()
