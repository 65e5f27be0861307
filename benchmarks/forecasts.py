"""Forecasts of the leaderboard: later models, whole families, and the new default beside the old.

    python -m benchmarks.forecasts --json benchmarks/results/forecasts.json

- date: trained on what was released before 2024-01-01, and before 2024-06-01, tested on the rest.
- half-years: rolling origins, the rule of `backtest --by date`.
- family: whole families held out, chosen by inputs alone: the tenth with the most compute, the
  tenth released last, and twenty seeded tenths of families that are in the upper quarter by either.

The old default is `shared/skills_before.toml`, the card of commit 6f04e54, fitted to the same table
with every ceiling at one, as it was then. Scores are paired, row by row; standard errors are from a
bootstrap over families. Finished folds are kept: a run that was stopped goes on.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.backtesting.scores import cluster_bootstrap
from bayescale.backtesting.splits import Fold, Split
from bayescale.base.files import write_json
from bayescale.base.runtime import keep_compiled
from bayescale.tables.table import Table
from benchmarks.shared.command import parser_of

TABLE = "open-llm-leaderboard"
BEFORE = Path(__file__).parent / "shared/skills_before.toml"
CUTOFFS = ("2024-01-01", "2024-06-01")
SEEDS, SHARE, UPPER = 20, 0.1, 0.25
KEYS = ["fold", "run", "benchmark"]


def main() -> None:
    """Run what is missing, print, and write the summaries."""
    parser = parser_of(__doc__)
    parser.add_argument("--only", choices=["date", "half-years", "family"])
    parser.add_argument("--model", default="skills", help="what takes the place of the default")
    parser.add_argument("--rows", type=Path, help="write every row here")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write what was found here")
    arguments = parser.parse_args()
    keep_compiled()
    table = bs.load_table(TABLE)
    asked = {
        **{f"date {day}": bs.hold_out(table, "date", cutoffs=(day,)) for day in CUTOFFS},
        "half-years": bs.hold_out(table, "date"),
        "family": families(table),
    }
    found: dict[str, Any] = {}
    for name, split in asked.items():
        if arguments.only and not name.startswith(arguments.only):
            continue
        rows = both(table, split, arguments.model, arguments.seed)
        if arguments.rows:
            rows.assign(split=name).to_csv(arguments.rows.with_suffix(f".{name}.csv"), index=False)
        found[name] = summary(rows)
        if name == "family":
            whole = rows["fold"].str.startswith("seed")
            parts = {label: rows[rows["fold"] == label] for label in ("compute", "latest")}
            found |= {
                f"family {n}": summary(p) for n, p in (parts | {"seeds": rows[whole]}).items()
            }
            found["family above all"] = summary(rows[rows["above_all"]])
        print(pd.DataFrame({k: v for k, v in found.items() if k.startswith(name)}).round(4))
    if arguments.json:
        write_json(arguments.json, {"seed": arguments.seed, **json.loads(json.dumps(found))})


def families(table: Table) -> Split:
    """Hold out tenths of families whole, with what derives from them."""
    runs = table.runs
    compute = runs.groupby("family")["flops"].max().sort_values(ascending=False)
    latest = runs.groupby("family")["released"].max().sort_values(ascending=False, kind="stable")
    tenth, quarter = round(SHARE * len(compute)), round(UPPER * len(compute))
    chosen = {"compute": list(compute.index[:tenth]), "latest": list(latest.index[:tenth])}
    upper = sorted({*compute.index[:quarter], *latest.index[:quarter]})
    for seed in range(SEEDS):
        drawn = np.random.default_rng(seed).permutation(upper)[:tenth]
        chosen[f"seed {seed}"] = sorted(drawn)
    at = runs.loc[table.scores["run"]]
    folds = []
    for label, names in chosen.items():
        test = at["family"].isin(names).to_numpy()
        train = ~test & ~at["lineage"].isin(names).to_numpy()
        folds.append(Fold(label, train, test, 0))
    return Split("whole families", tuple(folds))


def both(table: Table, split: Split, model: str, seed: int) -> pd.DataFrame:
    """Predict the rows of every fold by the new default and by the old one."""
    old = replace(table, benchmarks=table.benchmarks.assign(ceiling=1.0))
    new = bs.backtest({"skills": model}, table, split=split, seed=seed)["skills"].rows
    before = bs.backtest({"skills": str(BEFORE)}, old, split=split, seed=seed)["skills"].rows
    rows = new.merge(before, on=KEYS, suffixes=("", "_before"), validate="1:1")
    trained = {
        fold.label: table.scores[fold.train].groupby("benchmark")["score"].max()
        for fold in split.folds
    }
    best = [trained[row.fold].get(row.benchmark, np.nan) for row in rows.itertuples()]
    return rows.assign(above_all=rows["score"] > best)


def summary(rows: pd.DataFrame) -> dict[str, float]:
    """Score both models, with standard errors over families."""
    clusters = rows["family"].to_numpy(str)
    found: dict[str, float] = {"scores": len(rows), "families": rows["family"].nunique()}

    def told(name: str, values: pd.Series) -> None:
        mean, error = cluster_bootstrap(values.to_numpy(float), clusters, seed=0)
        found[name], found[f"{name}_se"] = float(mean), float(error)

    for after in ("", "_before"):
        for level in ("0.5", "0.9"):
            told(f"coverage_{level}{after}", rows[f"covered_{level}{after}"])
        for name in ("interval_score", "absolute_error", "crps"):
            told(f"{name}{after}", rows[f"{name}{after}"])
        found[f"above{after}"] = float((rows["score"] > rows[f"score_upper_0.9{after}"]).mean())
        found[f"below{after}"] = float((rows["score"] < rows[f"score_lower_0.9{after}"]).mean())
    told("interval_score_less", rows["interval_score_before"] - rows["interval_score"])
    found["interval_score_ratio"] = found["interval_score"] / found["interval_score_before"]
    return found


if __name__ == "__main__":
    main()
