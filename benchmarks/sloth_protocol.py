"""The six held-out protocols of the Sloth paper, through one configuration of a model.

    python -m benchmarks.sloth_protocol --json benchmarks/results/sloth_protocol.json
    python -m benchmarks.sloth_protocol --model compute --cell v1,1
    python -m benchmarks.sloth_protocol --development        # families that are test of no cell

For each cell (a set of benchmarks; how many of the smallest models of a test family are kept) every
group of test families is held out in turn but for its smallest models. Point prediction: posterior
median of the expected score. MAE, in points, is a mean over rows within a group, then over groups.
Configurations are chosen with --development, which looks at no test family of any cell.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.backtesting.refit import CHAINS, DRAWS, fold_fitter
from bayescale.backtesting.run import score_folds
from bayescale.backtesting.scores import cluster_bootstrap, two_level_mean
from bayescale.backtesting.splits import Fold, Split
from bayescale.base.files import atomic_path, write_json
from bayescale.tables.named import table_folder
from bayescale.tables.table import Table
from benchmarks.shared.command import parser_of, say

CELLS = [("v1", 1), ("v1", 2), ("v2", 1), ("v2", 2), ("all", 1), ("all", 2)]
PUBLISHED = [4.25, 4.18, 3.51, 3.62, 3.52, 4.02]  # Sloth, trained link, three skills
BEST_OF_28 = [4.06, 4.10, 2.86, 3.25, 3.52, 3.96]  # picked afterwards in each cell
POINTS = 100


def cell_table(protocol: dict, marks: str) -> Table:
    """The runs of the Sloth table with every score of a set and known training tokens."""
    table = bs.load_table("sloth-2024").select(benchmarks=protocol["sets"][marks])
    complete = table.scores.groupby("run").size() == len(protocol["sets"][marks])
    known = table.runs["tokens"].notna()
    return table.select(runs=[run for run in table.runs.index if complete.get(run) and known[run]])


def groups_of(protocol: dict, table: Table, marks: str, keep: int, development: bool) -> list:
    """The groups of families that are held out together."""
    if not development:
        return protocol["test_families"][marks][str(keep)]
    used = {
        family
        for by_keep in protocol["test_families"].values()
        for groups in by_keep.values()
        for group in groups
        for family in group
    }
    sizes = table.runs["family"].value_counts()
    return [[name] for name in table.families if name not in used and sizes[name] > keep]


def cell_split(table: Table, groups: list, keep: int) -> Split:
    """One fold a group: all but the `keep` smallest runs of each of its families are tested."""
    folds = []
    for group in groups:
        held: list[str] = []
        for family in group:
            runs = table.runs[table.runs["family"] == family].sort_values("params", kind="stable")
            held += list(runs.index[keep:])
        test = table.scores["run"].isin(held).to_numpy()
        if test.any():
            folds.append(Fold(label=group[0], train=~test, test=test, unlisted=0))
    return Split("protocol", tuple(folds))


def run_cell(
    model: str, marks: str, keep: int, args: argparse.Namespace
) -> tuple[dict, pd.DataFrame]:
    """Backtest one cell: its line of the table, and the rows behind."""
    began = time.perf_counter()
    protocol = json.loads((table_folder("sloth-2024") / "protocol.json").read_text())
    table = cell_table(protocol, marks)
    groups = groups_of(protocol, table, marks, keep, args.development)
    split = cell_split(table, groups, keep)
    tell = say if args.verbose else None
    options = {"tell": tell} if tell else {}
    fitter = fold_fitter(
        bs.load_model(model),
        table,
        split,
        seed=args.seed,
        chains=args.chains,
        draws=args.draws,
        **options,
    )
    prepared = time.perf_counter() - began
    card = score_folds(model, table, split, [fitter(fold) for fold in split.folds])
    rows = card.rows.assign(set=marks, keep=keep)
    folds = card.folds["seconds"].to_numpy()
    line = {
        "set": marks,
        "keep": keep,
        "model": model,
        "mae": POINTS * two_level_mean(rows["absolute_error"], rows["fold"]),
        "crps": POINTS * two_level_mean(rows["crps"], rows["fold"]),
        "interval_score": POINTS * two_level_mean(rows["interval_score"], rows["fold"]),
        "coverage": card.coverage,
        "coverage_se": card.coverage_se,
        "n": card.n,
        "folds": len(split.folds),
        "max_r_hat": card.max_r_hat,
        "divergences": card.divergences,
        "folds_longer": int((card.folds["length"] > 1).sum()),
        "seconds": time.perf_counter() - began,
        "seconds_prepare": prepared,
        "seconds_fold_median": float(np.median(folds[1:])) if len(folds) > 1 else float(folds[0]),
        "seconds_fold_max": float(folds[1:].max()) if len(folds) > 1 else float(folds[0]),
    }
    return line, rows


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--model", nargs="+", default=["skills"], help="model names or cards")
    parser.add_argument("--cell", action="append", help="SET,KEEP such as v1,1; repeatable")
    parser.add_argument("--development", action="store_true", help="families of no cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chains", type=int, default=CHAINS)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--json", type=Path, help="write cells, means and settings here")
    parser.add_argument("--rows", type=Path, help="write every predicted score here (CSV)")
    parser.add_argument("--verbose", action="store_true", help="tell each fold")
    args = parser.parse_args()
    chosen = [(name.split(",")[0], int(name.split(",")[1])) for name in args.cell or []] or CELLS
    lines, every = [], []
    for model in args.model:
        for marks, keep in chosen:
            line, rows = run_cell(model, marks, keep, args)
            lines.append(line)
            every.append(rows.assign(model=model))
            print(
                f"{model:14s} ({marks},{keep})  MAE {line['mae']:.2f}  CRPS {line['crps']:.2f}  "
                f"IS90 {line['interval_score']:.1f}  "
                + "  ".join(f"{k}: {v:.3f}" for k, v in line["coverage"].items())
                + f"  n {line['n']}  R-hat {line['max_r_hat']:.3f}  fold "
                f"{line['seconds_fold_median']:.1f} s (max {line['seconds_fold_max']:.1f}; "
                f"{line['folds_longer']} longer)  "
                f"total {line['seconds']:.0f} s",
                flush=True,
            )
            _write(args, lines, every)
        print(model, json.dumps(_summary(lines, every)[model]))


def _summary(lines: list[dict], every: list[pd.DataFrame]) -> dict:
    """Means over the cells of each model, and its coverage over all their rows."""
    rows = pd.concat(every, ignore_index=True)
    summary = {}
    for model, own in rows.groupby("model"):
        cells = [line for line in lines if line["model"] == model]
        pooled = {
            level: cluster_bootstrap(own[f"covered_{level}"], own["family"], seed=0)
            for level in ("0.5", "0.8", "0.9", "0.95")
        }
        summary[str(model)] = {
            "mean_mae": float(np.mean([line["mae"] for line in cells])),
            "mean_crps": float(np.mean([line["crps"] for line in cells])),
            "mean_interval_score": float(np.mean([line["interval_score"] for line in cells])),
            "coverage": {level: value for level, (value, _) in pooled.items()},
            "coverage_se": {level: se for level, (_, se) in pooled.items()},
        }
    return summary


def _write(args: argparse.Namespace, lines: list[dict], every: list[pd.DataFrame]) -> None:
    """Write what there is so far: a run takes half an hour, and may be stopped."""
    if args.rows:
        with atomic_path(args.rows) as temporary:
            pd.concat(every, ignore_index=True).to_csv(temporary, index=False)
    if args.json:
        summary = _summary(lines, every)
        result = {
            "cells": lines,
            "mean_mae": summary[args.model[0]]["mean_mae"],
            "summary": summary,
            "published": PUBLISHED,
            "best_of_28": BEST_OF_28,
            "settings": {k: str(v) for k, v in vars(args).items()},
        }
        write_json(args.json, result)


if __name__ == "__main__":
    main()
