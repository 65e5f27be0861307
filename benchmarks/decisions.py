"""Which of two corpora is better at the largest budget, decided from the two smallest?

    python -m benchmarks.decisions --json benchmarks/results/decisions.json
    python -m benchmarks.decisions --choose --json benchmarks/results/decisions_choice.json

DataDecide's question (Magnusson et al. 2025, arXiv:2504.11393) on the runs of Brandfonbrener et al.
2024 (set BAYESCALE_MIRROR, or be online): six corpora, fifteen pairs, on every validation loss and
task that all share. A law pooled over corpora is fitted to the runs of the two smallest budgets and
predicts those of the largest; a pair of runs of equal size is decided by the probability that one
value lies below the other. Beside it the usual way: rank by the single largest small run (the most
compute, then the most params), or by the best run of the largest training budget.

`--choose` compares models inside the training budgets, on a third of the measures: the second
budget is decided from the smallest.

Claim: higher accuracy than the ranking, and a Brier score below 0.25 and below the ranking's. Its
standard errors are from a bootstrap over corpora.

DCLM: data sets that were trained at two scales or more are ranked by Core at the smaller.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.backtesting.decisions import RANKING, decide, decision_scores, matched_pairs, ranked
from bayescale.backtesting.run import held_out
from bayescale.backtesting.splits import Fold, Split
from bayescale.backtesting.workers import fit_folds
from bayescale.base.files import write_json
from bayescale.base.runtime import keep_compiled
from bayescale.models.cards import customise, model_of_law
from bayescale.models.model import Model
from bayescale.tables.table import Table
from benchmarks.shared.command import parser_of

LAW = "chinchilla"
BEST = "ranking by the best run of the largest training budget"
SMALL = 2  # budgets that are trained on
THIRD = 3  # of the measures, one in so many tells models apart
# Which coefficients differ by corpus; with none, each corpus shifts the log of the response.
MODELS = {
    "every coefficient by corpus": ("E", "A", "B", "alpha", "beta"),
    "levels by corpus": ("E", "A", "B"),
    "both terms by corpus": ("A", "B"),
    "floor by corpus": ("E",),
    "a shift of each corpus": (),
}
CHOSEN = "floor by corpus"  # the most accurate inside the training budgets, by a little


def main() -> None:
    """Decide every pair on every measure, and sum up."""
    parser = parser_of(__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--choose", action="store_true", help="compare models on other budgets")
    parser.add_argument("--json", type=Path, help="write what was found here")
    arguments = parser.parse_args()
    keep_compiled()
    if arguments.choose:
        chosen = {name: loss_to_loss(arguments.seed, name, 1, 1)[0] for name in MODELS}
        table = pd.concat({name: found.loc[[LAW]] for name, found in chosen.items()})
        rankings = next(iter(chosen.values())).drop(LAW)
        table = pd.concat([table.droplevel(1), rankings])
        print(table.round(4).to_string())
        if arguments.json:
            write_json(arguments.json, {"seed": arguments.seed, **table.to_dict("index")})
        return
    found, by_measure = loss_to_loss(arguments.seed, CHOSEN, SMALL, None)
    print(found.round(4).to_string())
    print(by_measure.round(3).to_string())
    dclm = by_core()
    print(dclm)
    if arguments.json:
        result = {
            "seed": arguments.seed,
            "loss-to-loss": found.to_dict("index"),
            "by_measure": by_measure.to_dict("index"),
            "dclm": dclm,
        }
        write_json(arguments.json, result)


def model(name: str) -> Model:
    """Pool some coefficients over the corpora."""
    pooled = MODELS[name]
    pool = dict.fromkeys(pooled, "corpus")
    return customise(
        model_of_law(LAW), pool=pool, effects=None if pooled else ["corpus"], noise="student-t-log"
    )


def loss_to_loss(
    seed: int, name: str, small: int, ahead: int | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decide all pairs of corpora, and give the scores of the whole and by measure.

    Trained on the smallest budgets; tested on the one so many steps ahead, the largest by default.
    """
    table = bs.load_table("loss-to-loss")
    corpora = table.runs["corpus"].nunique()
    of = table.runs["corpus"].loc[table.scores["run"]].to_numpy()
    shared = table.scores.assign(corpus=of).groupby("benchmark")["corpus"].nunique() == corpora
    names = [name for name in table.benchmarks.index if shared[name] and name != "loss"]
    names = names if ahead is None else names[::THIRD]
    parts, odds = [], []
    for number, measure in enumerate(names, start=1):
        one = table.select(benchmarks=[measure])
        split = budgets(one, small, ahead)
        fitted = fit_folds({LAW: model(name)}, one, split, seed=seed, chains=2, draws=300)
        predicted = fitted[LAW][0]
        rows = held_out(one, split, split.folds[0], "corpus")
        pairs = matched_pairs(rows, one, split)
        parts.append(pairs)
        odds.append(
            {
                LAW: decide(pairs, predicted.draws),
                RANKING: ranked(pairs, rows, one, split, "corpus"),
                BEST: by_best(pairs, one, split),
            }
        )
        told = f"[{number}/{len(names)}] {name}, {measure}: R-hat {predicted.max_r_hat:.2f}"
        print(told, file=sys.stderr, flush=True)
    pairs = pd.concat(parts, ignore_index=True)
    joined = {way: np.concatenate([of[way] for of in odds]) for way in odds[0]}
    by = {
        measure: {
            f"{way}: {score}": float(decision_scores(own, of).loc[way, score])
            for way in of
            for score in ("accuracy", "brier")
        }
        for measure, own, of in zip(names, parts, odds, strict=True)
    }
    return decision_scores(pairs, joined), pd.DataFrame.from_dict(by, orient="index")


def budgets(table: Table, small: int, ahead: int | None) -> Split:
    """Train on the smallest budgets, test a larger one."""
    flops = table.runs["flops"].loc[table.scores["run"]].to_numpy()
    levels = np.unique(flops)
    tested = levels[-1] if ahead is None else levels[small + ahead - 1]
    fold = Fold("larger", np.isin(flops, levels[:small]), flops == tested, 0)
    return Split("budgets", (fold,))


def by_best(pairs: pd.DataFrame, table: Table, split: Split) -> np.ndarray[Any, Any]:
    """Decide each pair by the lowest value of either corpus at the largest training budget."""
    rows = table.scores[split.folds[0].train].join(table.runs[["corpus", "flops"]], on="run")
    second = rows[rows["flops"] == rows["flops"].max()]
    best = second.groupby("corpus")["score"].min()
    difference = best.loc[pairs["a"]].to_numpy() - best.loc[pairs["b"]].to_numpy()
    return np.asarray(0.5 + 0.5 * np.sign(difference))


def by_core() -> dict[str, Any]:
    """Rank DCLM's data sets by Core at a smaller scale, and look at each larger one."""
    table = bs.load_table("dclm").select(benchmarks=["core"])
    frame = table.scores.join(table.runs[["dataset", "params", "tokens", "flops"]], on="run")
    # A data set's scale has several runs, of other recipes: its median.
    scale = frame["flops"].map("{:.1e}".format)
    cells = frame.groupby(["dataset", scale])["score"].median().unstack()
    order = sorted(cells.columns, key=float)
    right, total = 0, 0
    for i, small in enumerate(order):
        for large in order[i + 1 :]:
            both = cells[[small, large]].dropna()
            apart = [np.sign(np.subtract.outer(of, of)) for of in both.to_numpy().T]
            upper = np.triu_indices(len(both), 1)
            decided = apart[1][upper] != 0
            right += int((apart[0][upper] == apart[1][upper])[decided].sum())
            total += int(decided.sum())
    return {
        "pairs": total,
        "accuracy": right / total,
        "data_sets": int((cells.count(axis=1) > 1).sum()),
    }


if __name__ == "__main__":
    main()
