"""Track records: families, dates and sizes held out, each beside three recalibrated baselines.

    python -m benchmarks.backtests --json benchmarks/results/backtests.json

- family: all families of the bundled leaderboard with two sizes or more, of which the smallest is
  known. Claims: 90% intervals of `skills` hold 86 to 94% (or 90% within two standard errors); no
  fifth of the distance is below 75% by more than two; CRPS and interval score are better than every
  baseline's by more than two standard errors. As a command:

      bayescale backtest skills compute observational --by family --keep 1

- date: trained on what was released before 2024, tested on the rest.
- size: the larger half of the budgets of the compute-optimal and loss-to-loss tables, laws pooled
  over experiments and corpora (those of stacking.py, whose folds it shares). Beside them the law of
  Chinchilla with shifts of what shares an error: training runs of several points, and budgets.

Finished folds are kept: a run that was stopped goes on. Standard errors are from a bootstrap
over families, experiments or corpora.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import bayescale as bs
from bayescale.backtesting.run import Backtest
from bayescale.base.files import write_json
from bayescale.base.runtime import keep_compiled
from bayescale.models.cards import customise
from benchmarks.shared.command import parser_of
from benchmarks.stacking import CASES, models_of

LEADERBOARD = "open-llm-leaderboard"
MODELS = ("skills", "compute", "observational")
RULES: dict[str, dict[str, Any]] = {
    "family": {"by": "family", "keep": 1},
    "date": {"by": "date", "cutoffs": ("2024-01-01",)},
}
SIZES = ("compute-optimal", "loss-to-loss")
SHIFTS = {"compute-optimal": ["trajectory"], "loss-to-loss": ["budget"]}


def main() -> None:
    """Run what is missing, print, and write the summaries."""
    parser = parser_of(__doc__)
    parser.add_argument("--only", choices=[*RULES, *SIZES])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write what was found here")
    arguments = parser.parse_args()
    keep_compiled()
    found = {}
    for name in [arguments.only] if arguments.only else [*RULES, *SIZES]:
        began = time.perf_counter()
        result = run(name, arguments.seed)
        print(result)
        found[name] = {"seconds": time.perf_counter() - began, **summary(result)}
    if arguments.json:
        write_json(arguments.json, {"seed": arguments.seed, **found})


def run(name: str, seed: int) -> Backtest:
    """Run one backtest."""
    if name in RULES:
        table = bs.load_table(LEADERBOARD)
        return bs.backtest(list(MODELS), table, seed=seed, **RULES[name])
    case = next(case for case in CASES if case.table == name)
    table = bs.load_table(name)
    if case.benchmarks:
        table = table.select(benchmarks=case.benchmarks)
    models = models_of(case)
    models["chinchilla with shifts"] = customise(models["chinchilla"], effects=SHIFTS[name])
    return bs.backtest(models, table, by="size", group=case.group, seed=seed)


def summary(result: Backtest) -> dict[str, Any]:
    """Keep all but the rows."""
    told = result.to_dict()
    for card in (*told["cards"], *told["baselines"]):
        for name in ("rows", "by_family"):
            del card[name]
    return told


if __name__ == "__main__":
    main()
