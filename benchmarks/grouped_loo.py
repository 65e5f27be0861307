"""Leaving families out by integrated PSIS-LOO, against leaving them out in truth.

    python -m benchmarks.grouped_loo --json benchmarks/results/grouped_loo.json
    python -m benchmarks.grouped_loo --case compute

Each case fits a model, scores every family (or corpus) by PSIS with its own effects integrated out,
and again by a refit without it. Where Pareto k is good the two must agree within two standard
errors of the difference, from the Monte Carlo errors of both sides. The table itself names the
others.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

import bayescale as bs
from bayescale.base.files import write_json
from benchmarks.shared.command import parser_of

FAMILIES = [
    *("bloom", "falcon-rw", "gemma", "gpt2", "llama", "llama-2", "meta-llama-3", "mpt", "olmo"),
    *("opt", "phi-2", "pythia", "qwen1.5", "qwen2", "rwkv-4-pile", "smollm", "starcoder2", "xglm"),
    *("yi", "yi-1.5"),
]
CASES = {
    "compute": ("compute", "family"),
    "overtraining": ("overtraining", "size"),
    "skills": ("skills", "family"),
    "observational": ("observational", "family"),
}


def run_case(name: str, seed: int, progress: bool) -> dict[str, Any]:
    """Score every group of one case by PSIS and by refits."""
    model, by = CASES[name]
    table = None if by != "family" else bs.load_table("sloth-2024").select(families=FAMILIES)
    fit = bs.fit(model, table, seed=seed, progress=progress)
    began = time.perf_counter()
    psis = bs.compare({name: fit}, by=by, seed=seed, progress=progress)
    middle = time.perf_counter()
    exact = bs.compare({name: fit}, by=by, refit="all", seed=seed, progress=progress)
    ended = time.perf_counter()
    both = psis.groups.merge(exact.groups, on="group", suffixes=("", "_exact"))
    error = np.hypot(both["monte_carlo_error"], both["monte_carlo_error_exact"])
    both["difference"] = both["elpd"] - both["elpd_exact"]
    both["in_errors"] = both["difference"] / error
    loo = psis.loo[name]
    good = both["pareto_k"] <= loo.good_k
    return {
        "model": model,
        "by": by,
        "verdict": str(fit.summary().verdict.value),
        "groups": len(both),
        "good_k": loo.good_k,
        "elpd_psis": loo.elpd,
        "elpd_exact": exact.loo[name].elpd,
        "good": int(good.sum()),
        "good_within_two_errors": int((both["in_errors"].abs() <= 2)[good].sum()),
        "largest_difference_where_good": float(both["difference"].abs()[good].max()),
        "largest_difference_where_bad": float(both["difference"].abs()[~good].max()),
        "seconds_psis": middle - began,
        "seconds_exact": ended - middle,
        "doubts": psis.doubts,
        "doubts_exact": exact.doubts,
        "rows": both.drop(columns=["model", "model_exact", "refitted", "refitted_exact"]),
    }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--case", choices=CASES, action="append", help="one or more; all if none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="add the cases to this file")
    parser.add_argument("--quiet", action="store_true")
    args = parser.parse_args()
    record = json.loads(args.json.read_text()) if args.json and args.json.exists() else {}
    for name in args.case or CASES:
        found = run_case(name, args.seed, not args.quiet)
        print(found["rows"].round(2).to_string())
        print(json.dumps({k: v for k, v in found.items() if k != "rows"}, indent=1, default=str))
        record[name] = found
        if args.json:
            write_json(args.json, record)


if __name__ == "__main__":
    main()
