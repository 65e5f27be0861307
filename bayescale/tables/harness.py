"""Result JSON of lm-evaluation-harness -> `Table`, with the standard errors it reports."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bayescale.base.errors import TableError
from bayescale.base.words import quoted
from bayescale.tables.table import Table


@dataclass(frozen=True)
class Task:
    """How a harness task becomes a benchmark: the mean of its metrics."""

    benchmark: str
    metrics: tuple[str, ...]


# Metric names as the harness writes them: metric,filter.
TASKS = {
    "arc_challenge": Task("ARC", ("acc_norm,none",)),
    "hellaswag": Task("HellaSwag", ("acc_norm,none",)),
    "mmlu": Task("MMLU", ("acc,none",)),
    "winogrande": Task("Winogrande", ("acc,none",)),
    "truthfulqa_mc2": Task("TruthfulQA", ("acc,none",)),
    "gsm8k": Task("GSM8K", ("exact_match,strict-match",)),
    "leaderboard_bbh": Task("BBH", ("acc_norm,none",)),
    "leaderboard_gpqa": Task("GPQA", ("acc_norm,none",)),
    "leaderboard_musr": Task("MUSR", ("acc_norm,none",)),
    "leaderboard_math_hard": Task("MATH Lvl 5", ("exact_match,none",)),
    "leaderboard_mmlu_pro": Task("MMLU-PRO", ("acc,none",)),
    # The leaderboard shows the mean of the two.
    "leaderboard_ifeval": Task(
        "IFEval", ("prompt_level_strict_acc,none", "inst_level_strict_acc,none")
    ),
}
# Parts of the tasks above, whose scores are already in the group's.
PART_PREFIXES = (
    "mmlu_",
    "leaderboard_bbh_",
    "leaderboard_gpqa_",
    "leaderboard_musr_",
    "leaderboard_math_",
)
HEADINGS = frozenset({"leaderboard", "leaderboard_instruction_following"})


def read_harness(
    path: str | Path,
    *,
    family: str,
    params: float,
    tokens: float | None = None,
    run: str | None = None,
) -> Table:
    """Read the results of one model from a result file of lm-evaluation-harness.

    Scores keep the reported standard error; where a group lacks its own score, it is the mean of
    its parts weighted by their numbers of items. The mean of two metrics on the same items gets
    the larger of their standard errors, since the metrics are nearly one.

    Parameters
    ----------
    path
        A `results_*.json` file.
    family
        The family of the run.
    params
        Number of parameters.
    tokens
        Number of training tokens; None when unknown.
    run
        The run's name; None takes the model's name in the file.

    Returns
    -------
    Table
        One run, one row per benchmark known to the bundled tables.

    Raises
    ------
    TableError
        The file is not such a result, or holds no score of a known task.

    Warns
    -----
    UserWarning
        The file holds other tasks too; the warning names them.

    Examples
    --------
    >>> read_harness("results.json", family="mine", params=1e9, tokens=2e11)  # doctest: +SKIP
    """
    path = Path(path)
    record = _read(path)
    results: dict[str, dict[str, Any]] = {**record["results"], **record.get("groups", {})}
    sizes = {
        task: float(sizes.get("effective", sizes.get("original", math.nan)))
        for task, sizes in record.get("n-samples", {}).items()
    }
    unknown = [name for name in results if not _is_known(name)]
    if unknown:
        warnings.warn(
            f"{path}: left out {quoted(unknown)}: not a task of the leaderboards; "
            f"known are {', '.join(sorted(TASKS))} and their parts",
            stacklevel=2,
        )
    rows, unread = [], []
    for name, task in TASKS.items():
        found = _score(name, task, results, record.get("group_subtasks", {}), sizes)
        if found is not None:
            rows.append({"benchmark": task.benchmark, "score": found[0], "stderr": found[1]})
        elif name in results:
            unread.append(f'"{name}" has none of {", ".join(task.metrics)}')
    if unread:
        raise TableError(f"{path}: no score in the leaderboards' metric: {'; '.join(unread)}")
    if not rows:
        raise TableError(f"{path}: no score of a known task; known are {', '.join(sorted(TASKS))}")
    run = run or record.get("model_name") or record.get("config", {}).get("model") or path.stem
    scores = pd.DataFrame(rows).assign(run=run)
    facts = {"run": [run], "family": [family], "params": [params], "tokens": [tokens]}
    return Table.from_long(scores, pd.DataFrame(facts), name=path.stem)


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(record, dict) or not isinstance(record.get("results"), dict):
        raise TableError(f'{path}: not a result of lm-evaluation-harness: it has no "results"')
    return record


def _is_known(name: str) -> bool:
    part = name.startswith(PART_PREFIXES) and not name.startswith("mmlu_pro")
    return part or name in TASKS or name in HEADINGS


def _score(
    name: str,
    task: Task,
    results: dict[str, dict[str, Any]],
    parts_of: dict[str, list[str]],
    sizes: dict[str, float],
) -> tuple[float, float] | None:
    """Return score and standard error of a task, from itself or from its parts; None if absent."""
    own = results.get(name, {})
    if all(metric in own for metric in task.metrics):
        scores = [float(own[metric]) for metric in task.metrics]
        errors = [_stderr(own, metric) for metric in task.metrics]
        return sum(scores) / len(scores), max(errors)
    parts = _leaves(name, parts_of)
    if not parts or any(part not in results or part not in sizes for part in parts):
        return None
    below = [_score(part, task, results, {}, sizes) for part in parts]
    total = sum(sizes[part] for part in parts)
    score, variance = 0.0, 0.0
    for part, value in zip(parts, below, strict=True):
        if value is None:
            return None
        weight = sizes[part] / total
        score += weight * value[0]
        variance += (weight * value[1]) ** 2
    return score, math.sqrt(variance)


def _leaves(name: str, parts_of: dict[str, list[str]]) -> list[str]:
    """List the tasks at the bottom of a group, such as the 57 subjects of MMLU."""
    parts = parts_of.get(name, [])
    return [leaf for part in parts for leaf in (_leaves(part, parts_of) or [part])]


def _stderr(result: dict[str, Any], metric: str) -> float:
    word, _, filtered = metric.partition(",")
    value = result.get(f"{word}_stderr,{filtered}")
    # The harness writes "N/A" where it has none.
    return float(value) if isinstance(value, int | float) else math.nan
