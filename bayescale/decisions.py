"""Which of two families or corpora wins at the larger size: DataDecide's question, with odds.

Source: Magnusson et al. 2025, DataDecide, arXiv:2504.11393 (decision accuracy).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.holdouts import log_compute
from bayescale.splits import Split
from bayescale.table import Table

Floats = NDArray[np.float64]

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
    """Decide each pair by the measured values of the largest run that either has in training.

    Returns
    -------
    array (pair,)
        1.0 or 0.0; 0.5 where they are equal, or one has no run in training.
    """
    runs, scores = table.runs, table.scores
    order = runs[list(SIZES)[::-1]].loc[scores["run"]].reset_index(drop=True)
    known = scores.assign(member=runs[group].loc[scores["run"]].to_numpy(), **order)
    largest: dict[tuple[str, str, str], float] = {}
    for fold in split.folds:
        last = known[fold.train].sort_values([*order.columns], kind="stable")
        last = last.drop_duplicates(["member", "benchmark"], keep="last")
        keys = zip([fold.label] * len(last), last["benchmark"], last["member"], strict=True)
        largest.update(zip(keys, last["score"], strict=True))
    fold, mark = rows["fold"].to_numpy(), rows["benchmark"].to_numpy()
    of = [
        [largest.get((fold[i], mark[i], who), np.nan) for i, who in zip(place, member, strict=True)]
        for place, member in ((pairs["first"], pairs["a"]), (pairs["second"], pairs["b"]))
    ]
    difference = np.subtract(*np.array(of, float).reshape(2, len(pairs)))
    probability: Floats = 0.5 + 0.5 * np.sign(np.nan_to_num(difference))
    return probability


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
