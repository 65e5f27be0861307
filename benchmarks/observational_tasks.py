"""Which tasks of Ruan, Maddison and Hashimoto 2024 are predicted from what, learned on whom.

The rules are those of their code: the cutoffs of training compute, GSM8K kept from arithmetic, the
best tenth of agents, and models of unknown compute among the tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.tables.named import table_folder
from bayescale.tables.table import Table

LEADERBOARD = ("MMLU", "ARC", "HellaSwag", "Winogrande", "TruthfulQA", "GSM8K")
STANDARD = (*LEADERBOARD, "XWinograd", "HumanEval")
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
        Whether it is in the paper's figures; means are over these.
    inner
        Whether the training models alone are divided again, to choose a model.
    """

    name: str
    kind: str
    predictors: tuple[str, ...]
    cutoff: float | None
    floor: bool
    shown: bool = True
    inner: bool = False


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
CHOICE = tuple(replace(task, inner=True) for task in TASKS)


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
    train, test = list(rows.index[:count]), list(rows.index[count:])
    return forward(train)[0] if task.inner else (train, test)


def pool(task: Task) -> tuple[Task, ...]:
    """All tasks, divided as this one is."""
    return CHOICE if task.inner else TASKS


def forward(train: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """Divide training runs as the protocol divides all: the weaker half, and the stronger."""
    half = (len(train) + 1) // 2
    return [(list(train[:half]), list(train[half:]))]
