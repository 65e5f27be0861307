"""Which of two families or corpora wins at the larger size: DataDecide's question, with odds.

Source: Magnusson et al. 2025, DataDecide, arXiv:2504.11393 (decision accuracy).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.backtesting.rules import log_compute
from bayescale.backtesting.splits import Split
from bayescale.base.intervals import Floats
from bayescale.tables.table import Table

ALIKE = 0.1  # decades by which two runs of one size may differ
SIZES = ("params", "flops")
RANKING = "ranking by the largest small run"
REPLICATES = 1000


def matched_pairs(rows: pd.DataFrame, table: Table, split: Split) -> pd.DataFrame:
    """List the held-out runs that stand against each other on a benchmark.

    Two held-out runs of different families whose measured values differ, and whose params, FLOPs
    and sizes are equal, within a tenth of a decade; what is not known of one must be unknown of the
    other. They may be of different folds, whose draws are then taken as independent.

    Parameters
    ----------
    rows
        Held-out rows: `fold`, `run`, `family` (the member of the group), `benchmark`, `score`.
    table, split
        Give sizes.

    Returns
    -------
    DataFrame
        `benchmark`, `a` and `b` (members, sorted), `first` and `second` (positions in `rows`),
        `won` (1.0 where the value of `a` is the larger).
    """
    runs = table.runs[list(SIZES)].assign(size=log_compute(table, split))
    if split.rule and split.rule.size:
        runs["size"] = np.log10(table.runs[split.rule.size])
    runs[list(SIZES)] = np.log10(runs[list(SIZES)])
    size = runs.loc[rows["run"]].to_numpy(float)
    nameless = np.isnan(size)
    member, score = rows["family"].to_numpy(str), rows["score"].to_numpy(float)
    found: list[tuple[str, str, str, int, int, float]] = []
    if len(np.unique(member)) == 1:
        rows = rows.iloc[:0]
    for benchmark, own in rows.groupby("benchmark", sort=False).indices.items():
        for i, j in combinations(own, 2):
            if member[i] == member[j] or score[i] == score[j]:
                continue
            apart = np.abs(size[i] - size[j])
            alike = (apart <= ALIKE) | (nameless[i] & nameless[j])
            if not alike.all() or nameless[i].all():
                continue
            first, second = (i, j) if member[i] < member[j] else (j, i)
            won = float(score[first] > score[second])
            found.append((benchmark, member[first], member[second], first, second, won))
    columns = ["benchmark", "a", "b", "first", "second", "won"]
    return pd.DataFrame(found, columns=columns)


def decide(pairs: pd.DataFrame, draws: Floats) -> Floats:
    """Give the probability that the first of each pair has the larger measured value.

    Parameters
    ----------
    pairs
        From `matched_pairs`.
    draws
        Predictive draws of the held-out rows, shape (draw, row), joint within a fold.

    Returns
    -------
    array (pair,)
    """
    a, b = draws[:, pairs["first"]], draws[:, pairs["second"]]
    return np.asarray(((a > b) + 0.5 * (a == b)).mean(axis=0))


def ranked(
    pairs: pd.DataFrame, rows: pd.DataFrame, table: Table, split: Split, group: str
) -> Floats:
    """Decide each pair by the measured values of two training runs: the largest of one size.

    That is the largest run of the first for which the second has one of equal params and FLOPs;
    where there is none, the largest of either.

    Returns
    -------
    array (pair,)
        1.0 or 0.0; 0.5 where they are equal, or one has no run in training.
    """
    runs, scores = table.runs, table.scores
    known = scores[["benchmark", "score"]].assign(member=runs[group].loc[scores["run"]].to_numpy())
    sizes = np.log10(runs[list(SIZES)].loc[scores["run"]].to_numpy(float))
    largest_first = np.lexsort([-np.nan_to_num(size) for size in sizes.T])  # by FLOPs, then params
    trained: dict[tuple[str, str, str], NDArray[np.intp]] = {}
    for fold in split.folds:
        order = largest_first[fold.train[largest_first]]
        for key, of in known.iloc[order].groupby(["benchmark", "member"]).indices.items():
            trained[fold.label, *key] = order[of]
    score = known["score"].to_numpy()
    fold_of, mark = rows["fold"].to_numpy(), rows["benchmark"].to_numpy()
    none = np.zeros(0, np.intp)
    decided: dict[tuple[Any, ...], float] = {}
    for i, j, a, b in zip(pairs["first"], pairs["second"], pairs["a"], pairs["b"], strict=True):
        key = fold_of[i], fold_of[j], mark[i], a, b
        if key not in decided:
            one = trained.get((fold_of[i], mark[i], a), none)
            two = trained.get((fold_of[j], mark[j], b), none)
            decided[key] = _by_largest(one, two, sizes, score)
    return np.array(
        [
            decided[fold_of[i], fold_of[j], mark[i], a, b]
            for i, j, a, b in zip(
                pairs["first"], pairs["second"], pairs["a"], pairs["b"], strict=True
            )
        ]
    )


def _by_largest(
    one: NDArray[np.intp], two: NDArray[np.intp], sizes: Floats, score: Floats
) -> float:
    """Compare the first two rows, from the largest down, that are of one size."""
    if not (len(one) and len(two)):
        return 0.5
    apart = np.abs(sizes[one][:, None] - sizes[two][None])
    alike: NDArray[np.bool_] = np.all(apart <= ALIKE, axis=2)
    i = int(np.argmax(np.any(alike, axis=1)))
    j = int(np.argmax(alike[i]))  # both 0, the largest of either, where none are alike
    return float(0.5 + 0.5 * np.sign(score[one[i]] - score[two[j]]))


def decision_scores(
    pairs: pd.DataFrame, probabilities: Mapping[str, Floats], *, seed: int = 0
) -> pd.DataFrame:
    """Score decisions: how often the likelier winner won, and the Brier score of its probability.

    Parameters
    ----------
    pairs
        From `matched_pairs`.
    probabilities
        For each forecaster the probability that the first of each pair is the larger.
    seed
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        Indexed by forecaster: `n`, `accuracy`, `brier` and their standard errors, from a bootstrap
        that draws members, so that a pair counts as often as both of its members are drawn.
    """
    names, index = np.unique(pairs[["a", "b"]].to_numpy(str).ravel(), return_inverse=True)
    first, second = index.reshape(-1, 2).T
    drawn = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=REPLICATES
    )
    weights = (drawn[:, first] * drawn[:, second]).astype(float)
    total = weights.sum(axis=1)
    weights = weights[total > 0] / total[total > 0, None]
    won = pairs["won"].to_numpy()
    found = {}
    for name, p in probabilities.items():
        right = np.where(p == 0.5, 0.5, (p > 0.5) == (won == 1.0))
        brier = (p - won) ** 2
        found[name] = {
            "n": len(pairs),
            "accuracy": right.mean(),
            "accuracy_se": (weights @ right).std(),
            "brier": brier.mean(),
            "brier_se": (weights @ brier).std(),
        }
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("forecast")
