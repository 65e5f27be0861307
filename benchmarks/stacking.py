"""Does a stack of laws forecast better than the single best of them?

    python -m benchmarks.stacking --json benchmarks/results/stacking.json

Four tables, named before the first run. On each the larger half of the sizes (by date: the runs
after 2023) is held out. Weights come from a forward validation inside the training rows: their own
larger half is predicted from the smaller. The mixture then predicts what was held out, by each law
fitted to all training rows. Claim: its mean held-out log score is above that of the single best law
(the best in hindsight, and the one that the validation prefers) on two tables or more.

Standard errors of differences are from a bootstrap over families, corpora or experiments, or runs
where there is one. Finished folds are kept, so that a run that was stopped goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logsumexp

import bayescale as bs
from bayescale.backtesting.run import Backtest
from bayescale.backtesting.scores import cluster_bootstrap
from bayescale.base.files import write_json
from bayescale.base.runtime import keep_compiled
from bayescale.comparison.stacking import LOWEST, weights_from
from bayescale.models.cards import customise, model_of_law
from bayescale.models.model import Model
from bayescale.tables.table import Table
from benchmarks.shared.command import parser_of

LAWS = ("chinchilla", "kaplan-nd", "gadre-overtrain", "power-floor")


@dataclass(frozen=True)
class Case:
    """One table, what is held out of it, and which models forecast."""

    table: str
    rule: dict[str, Any]
    group: str = "family"
    benchmarks: tuple[str, ...] = ()
    laws: tuple[str, ...] = LAWS


CASES = (
    Case(
        "open-llm-leaderboard",
        {"by": "date", "cutoffs": ("2024-01-01",)},
        laws=("skills", "observational", "compute"),
    ),
    Case("chinchilla-replication", {"by": "size"}),
    Case("compute-optimal", {"by": "size"}, group="experiment"),
    Case("loss-to-loss", {"by": "size"}, group="corpus", benchmarks=("loss",)),
)


def main() -> None:
    """Run what is missing, and print."""
    parser = parser_of(__doc__)
    parser.add_argument("--table", help="only this table")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write what was found here")
    arguments = parser.parse_args()
    keep_compiled()
    found = [
        stacked(case, arguments.seed) for case in CASES if arguments.table in (None, case.table)
    ]
    for one in found:
        print(pd.DataFrame(one["models"]).round(3).to_string(index=False))
        print({key: value for key, value in one.items() if key != "models"})
    if arguments.json:
        write_json(arguments.json, {"seed": arguments.seed, "tables": found})


def models_of(case: Case) -> dict[str, Model]:
    """Make the models: laws are pooled over the groups, with noise that has tails."""
    if case.laws != LAWS:
        return {name: bs.load_model(name) for name in case.laws}
    found = {}
    for name in case.laws:
        law = bs.load_law(name)
        pool = None if case.group == "family" else {c.name: case.group for c in law.coefficients}
        inputs = {"x": "flops"} if name == "power-floor" else None
        bare = model_of_law(name)
        found[name] = customise(bare, pool=pool, inputs=inputs, noise="student-t-log")
    return found


def stacked(case: Case, seed: int) -> dict[str, Any]:
    """Weigh the laws of one table inside its training rows, and score them on what is held out."""
    table = bs.load_table(case.table)
    if case.benchmarks:
        table = table.select(benchmarks=case.benchmarks)
    models = models_of(case)
    outer = bs.hold_out(table, group=case.group, **case.rule)
    kept = table.scores["run"][outer.folds[0].train].unique()
    inner = table.select(runs=kept)
    validation = bs.backtest(models, inner, by="size", group=case.group, seed=seed)
    test = bs.backtest(models, table, outer, group=case.group, seed=seed)
    weights = weights_from(validation, list(models))
    return {
        "table": case.table,
        "n": test[case.laws[0]].n,
        **compared(validation, test, weights, table, case.group),
    }


def compared(
    validation: Backtest, test: Backtest, weights: pd.Series, table: Table, group: str
) -> dict[str, Any]:
    """Set the stack beside each law: held-out log scores, and differences with errors."""
    each = {name: np.maximum(test[name].rows["log_score"], LOWEST) for name in weights.index}
    mixture = logsumexp(np.stack(list(each.values())), axis=0, b=weights.to_numpy()[:, None])
    rows = test[weights.index[0]].rows
    clusters = rows["family"] if table.runs[group].nunique() > 1 else rows["run"]
    lines = []
    for name, scores in each.items():
        gain, se = cluster_bootstrap(mixture - scores, clusters, seed=0)
        card = test[name]
        lines.append(
            {
                "model": name,
                "weight": weights[name],
                "validation_log_score": float(
                    np.maximum(validation[name].rows["log_score"], LOWEST).mean()
                ),
                "log_score": float(scores.mean()),
                "stack_gain": gain,
                "stack_gain_se": se,
                "crps": card.crps,
                "coverage_0.9": card.coverage["0.9"],
                "max_r_hat": max(card.max_r_hat, validation[name].max_r_hat),
            }
        )
    frame = pd.DataFrame(lines).set_index("model")
    best, chosen = frame["log_score"].idxmax(), frame["validation_log_score"].idxmax()
    return {
        "models": lines,
        "stack_log_score": float(mixture.mean()),
        "best_in_hindsight": best,
        "gain_over_best": float(frame.loc[best, "stack_gain"]),
        "gain_over_best_se": float(frame.loc[best, "stack_gain_se"]),
        "best_by_validation": chosen,
        "gain_over_chosen": float(frame.loc[chosen, "stack_gain"]),
        "gain_over_chosen_se": float(frame.loc[chosen, "stack_gain_se"]),
    }


if __name__ == "__main__":
    main()
