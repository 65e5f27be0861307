"""Emergent tasks, prompting methods and agents from standard benchmarks, held out as in the paper.

    python benchmarks/observational.py --json benchmarks/results/observational.json

The protocol is that of Ruan, Maddison and Hashimoto 2024: emergent tasks and prompting methods are
learned on weaker models and tested on those with more training compute (or unknown compute); agent
scores are learned on the lower nine tenths and tested on the best. Standard scores of the tested
models are known. The baseline is the paper's regression, with intervals from its errors on training
models that are held out by the same rule, and from leaving each out.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pca_logistic
from numpy.typing import NDArray

import bayescale as bs
from bayescale.baselines import DRAWS, ENOUGH
from bayescale.datasets import table_folder
from bayescale.files import write_json
from bayescale.scores import cluster_bootstrap, coverage, crps, interval_score
from bayescale.table import Table

Floats = NDArray[np.float64]

LEVEL = 0.9
STANDARD = ("MMLU", "ARC", "HellaSwag", "Winogrande", "TruthfulQA", "GSM8K", "XWinograd")
STANDARD = (*STANDARD, "HumanEval")
# GSM8K must not predict arithmetic, nor itself.
NO_GSM8K = tuple(name for name in STANDARD if name != "GSM8K")
OF_INSTRUCT = tuple(name for name in STANDARD if name != "XWinograd")
BEST = 0.1  # share of the models that are tested as agents
# Of the closed models, whose size nobody publishes: the reference run's. Each is its own family.
STAND_IN = 7e9


@dataclass(frozen=True)
class Task:
    """What is predicted, from which benchmarks, by which rule.

    Parameters
    ----------
    name, kind
        The benchmark, and "emergent", "methods" or "agents".
    predictors
        Standard benchmarks.
    cutoff
        Training FLOPs of the largest training model; None where the best are tested.
    floor
        Whether the paper's curve has a floor that is fitted.
    shown
        Whether it is in the paper's figures.
    """

    name: str
    kind: str
    predictors: tuple[str, ...]
    cutoff: float | None
    floor: bool
    shown: bool = True


TASKS = (
    Task("Word unscrambling", "emergent", STANDARD, 84e21, False),
    Task("Persian QA", "emergent", STANDARD, 84e21, False),
    Task("3-digit subtraction", "emergent", NO_GSM8K, 22e21, False),
    Task("2-digit multiplication", "emergent", NO_GSM8K, 22e21, False),
    Task("3-digit addition", "emergent", NO_GSM8K, 22e21, False, shown=False),
    Task("2-digit addition", "emergent", NO_GSM8K, 22e21, False, shown=False),
    Task("IPA transliteration", "emergent", STANDARD, 84e21, False, shown=False),
    Task("GSM8K naive", "methods", NO_GSM8K, 84e21, True),
    Task("GSM8K CoT", "methods", NO_GSM8K, 84e21, True),
    Task("GSM8K CoT + SC", "methods", NO_GSM8K, 84e21, True),
    Task("BBH naive", "methods", NO_GSM8K, 84e21, True),
    Task("BBH CoT", "methods", NO_GSM8K, 84e21, True),
    Task("AgentBench", "agents", OF_INSTRUCT, None, True),
    Task("AgentBoard", "agents", OF_INSTRUCT, None, True),
)


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


@cache
def base_models() -> Table:
    """The base models of the paper."""
    return bs.load_table("observational")


@cache
def with_agents() -> Table:
    """Base and instruct models together, the closed ones with a stand-in for their size."""
    base, agents = base_models(), bs.load_table("observational-agents")
    closed = pd.read_csv(table_folder("observational-agents") / "closed.csv")
    unknown = closed.drop_duplicates("run")[["run", "family"]].assign(
        params=STAND_IN, tokens=np.nan, instruct=True
    )
    runs = pd.concat([base.runs.reset_index(), agents.runs.reset_index(), unknown])
    own = agents.benchmarks[~agents.benchmarks.index.isin(base.benchmarks.index)]
    scores = pd.concat([base.scores, agents.scores, closed])
    marks = pd.concat([base.benchmarks, own]).reset_index()
    runs["instruct"] = runs["instruct"].astype(bool)
    return Table.from_long(scores, runs.drop(columns="preregistered"), marks, "with agents")


def table_of(task: Task) -> Table:
    """The table that has a task."""
    return with_agents() if task.kind == "agents" else base_models()


@cache
def wide(agents: bool) -> pd.DataFrame:
    """Runs and scores, one row a run."""
    return (with_agents() if agents else base_models()).to_wide()


def known(task: Task) -> pd.DataFrame:
    """The runs with a score on a task, from the weakest: by compute, or by the score itself."""
    rows = wide(task.kind == "agents").dropna(subset=[task.name])
    order = task.name if task.cutoff is None else "flops"
    return rows.sort_values(order, kind="stable", na_position="last")


def divide(task: Task) -> tuple[list[str], list[str]]:
    """Training and tested runs of a task; runs of unknown compute are tested, as in the paper."""
    rows = known(task)
    if task.cutoff is None:
        count = len(rows) - int(BEST * len(rows))
    else:
        count = int((rows["flops"] <= task.cutoff * (1 + 1e-9)).sum())
    return list(rows.index[:count]), list(rows.index[count:])


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


def forward(train: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """Divide training runs as the protocol divides all: the weaker half, and the stronger."""
    half = (len(train) + 1) // 2
    return [(list(train[:half]), list(train[half:]))]


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

    As in `bayescale.baselines`: quantiles of a task's own errors, or of all of its kind where they
    are few.
    """
    point = regression(task, train, test)
    own = errors(task, divided)
    if len(own) < ENOUGH:
        own = np.concatenate([errors(other, divided) for other in TASKS if other.kind == task.kind])
    levels = (np.arange(DRAWS) + 0.5) / DRAWS
    draws = np.quantile(own, levels)[:, None] + point
    return Predicted(np.clip(draws, 0, 1), np.clip(point, 0, 1))


@cache
def joint_fit(model: Any, like: Task, settings: tuple[tuple[str, int], ...]) -> Any:
    """Fit standard scores of all runs with the task's of its training runs.

    Tasks that share predictors and training rule share a fit.
    """
    table = table_of(like)
    together = [task for task in TASKS if alike(task, like)]
    names = [task.name for task in together]
    scores = table.scores
    kept = scores["benchmark"].isin(like.predictors)
    for task in together:
        kept |= (scores["benchmark"] == task.name) & scores["run"].isin(divide(task)[0])
    chosen = table.select(benchmarks=[*like.predictors, *names])
    chosen = Table(scores[kept].reset_index(drop=True), chosen.runs, chosen.benchmarks, chosen.name)
    return bs.fit(model, chosen, progress=False, **dict(settings))


def alike(task: Task, other: Task) -> bool:
    """Whether two tasks can be learned in one fit."""
    return (task.predictors, task.cutoff, task.kind == "agents") == (
        other.predictors,
        other.cutoff,
        other.kind == "agents",
    )


def joint(
    model: Any,
    settings: tuple[tuple[str, int], ...],
    task: Task,
    train: Sequence[str],
    test: Sequence[str],
) -> Predicted:
    """One Bayesian model of all scores, refitted with the task."""
    del train  # `divide` again says the same of every task of the fit
    like = next(other for other in TASKS if alike(other, task))
    fit = joint_fit(model, like, settings)
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


def main() -> None:
    """Score the baseline and models on every task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", nargs="*", default=["skills"], help="model names or cards")
    parser.add_argument("--kind", nargs="+", default=["emergent", "methods", "agents"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--warmup", type=int, default=500)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--rows", type=Path, help="write every predicted score here (CSV)")
    args = parser.parse_args()
    settings = tuple((name, getattr(args, name)) for name in ("seed", "chains", "warmup", "draws"))
    predictors: dict[str, Predictor] = {
        "PCA + logistic, forward": partial(recalibrated, forward),
        "PCA + logistic, leave one out": partial(recalibrated, one_out),
        **{model: partial(joint, model, settings) for model in args.model},
    }
    parts = []
    for name, predictor in predictors.items():
        for task in TASKS:
            if task.kind not in args.kind:
                continue
            parts.append(score(task, name, predictor))
            print(f"{name}: {task.name}", file=sys.stderr, flush=True)
        if args.rows:
            pd.concat(parts).to_csv(args.rows, index=False)
    rows = pd.concat(parts, ignore_index=True)
    by_task = summary(rows, ["kind", "task", "predictor"])
    # Every task counts the same, whatever the number of its tested runs.
    figures = by_task.groupby(["kind", "predictor"], sort=False)[["mse", "crps", "interval_score"]]
    by_kind = summary(rows, ["kind", "predictor"]).drop(columns=["train", "test"])
    by_kind = by_kind[["kind", "predictor", "coverage", "coverage_se"]].merge(
        figures.mean().reset_index(), on=["kind", "predictor"]
    )
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
