"""Does `update` give what a refit gives, and how fast?

Ten families of the bundled leaderboard with three sizes or more leave its table; `skills` is fitted
to the rest once, for long, and one draw in four is kept. Each family then comes back with its
smallest run: by `update`, and by a fit of the table with that run. Both predict the family's
largest run on every benchmark. How far two halves of the refit's chains are apart tells what the
draws alone amount to.

    python -m benchmarks.update

writes benchmarks/results/update.json, and leaves out families that it has; `--fresh` begins anew.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import bayescale as bs
from bayescale.base.files import write_json
from bayescale.base.runtime import keep_compiled
from bayescale.inference.run import versions
from benchmarks.shared.command import RESULTS, parser_of

Floats = NDArray[np.float64]

RECORD = RESULTS / "update.json"
FAMILIES, SIZES = 10, 3
DRAWS, THIN = 1500, 4  # of each of four chains: draws that are kept, and one in so many is
REFIT_DRAWS = 4000  # a longer refit, so that what differs is the update's error
ENDS_AT = (0.05, 0.95)
MEDIAN, ENDS, SECONDS, REFITS = 0.005, 0.01, 10.0, 2


def chosen(table: bs.Table) -> list[str]:
    """Choose families with several sizes at random, by a seed."""
    sizes = table.runs.groupby("family")["params"].nunique()
    names = sorted(sizes.index[sizes >= SIZES])
    rng = np.random.default_rng(5)
    return [str(name) for name in rng.choice(names, FAMILIES, replace=False)]


def thinned(fit: bs.Fit) -> bs.Fit:
    """Keep one draw in so many, since an update's time goes by draws and not by what they tell."""
    every = {"draw": slice(None, None, THIN)}
    return dataclasses.replace(
        fit, posterior=fit.posterior.isel(every), sample_stats=fit.sample_stats.isel(every)
    )


def expected(fit: bs.Fit, run: pd.Series) -> Floats:
    """Predict the expected scores of a run of a family that the fit knows, (chain, draw, mark)."""
    query = {"family": run["family"], "params": run["params"]}
    query |= {n: run[n] for n in ("tokens", "params_active") if pd.notna(run[n])}
    draws = fit.predict(**query, kind="mean").draws
    return draws.reshape(fit.posterior.sizes["chain"], -1, draws.shape[1])


def apart(a: Floats, b: Floats, *levels: float) -> float:
    """Give how far quantiles of two samples (chain, draw, mark) are apart at the most."""
    one, other = (np.quantile(x, levels, axis=(0, 1)) for x in (a, b))
    return float(np.abs(one - other).max())


def one_family(base: bs.Fit, table: bs.Table, family: str) -> dict[str, Any]:
    """Compare the update with a refit."""
    runs = table.runs[table.runs["family"] == family].sort_values("params")
    new = table.select(runs=[runs.index[0]])
    began = time.perf_counter()
    answer = base.update(new, refit="never", seed=1)
    seconds = time.perf_counter() - began
    evidence = answer.about
    full = bs.fit(
        base.model, base.table.add(new), seed=2, chains=4, draws=REFIT_DRAWS, progress=False
    )
    assert answer.fit is not None
    last = runs.iloc[-1]
    before, quick, slow = (expected(fit, last) for fit in (base, answer.fit, full))
    halves = slow[:2], slow[2:]
    return {
        "run": str(runs.index[0]),
        "predicted": str(runs.index[-1]),
        "scores": int(new.n_rows),
        "pareto_k": evidence["pareto_k"],
        "effective": evidence["effective"],
        "needs_refit": bool(evidence["why"]),
        "why": evidence["why"],
        "seconds": seconds,
        "median": apart(quick, slow, 0.5),
        "ends": apart(quick, slow, *ENDS_AT),
        "median_of_halves": apart(*halves, 0.5),
        "ends_of_halves": apart(*halves, *ENDS_AT),
        "median_before": apart(before, slow, 0.5),
        "verdict_of_refit": full.verdict_ok,
    }


def verdict(found: dict[str, Any]) -> dict[str, Any]:
    """Hold the families against the limits; those that `update` would refit are told apart."""
    frame = pd.DataFrame(found).T
    good = frame[~frame["needs_refit"].astype(bool)]
    return {
        "families": len(frame),
        "need_a_refit": int(frame["needs_refit"].astype(bool).sum()),
        "median_worst": float(good["median"].max()),
        "ends_worst": float(good["ends"].max()),
        "median_worst_of_halves": float(frame["median_of_halves"].max()),
        "ends_worst_of_halves": float(frame["ends_of_halves"].max()),
        "ends_middling": float(good["ends"].astype(float).median()),
        "ends_middling_of_halves": float(frame["ends_of_halves"].astype(float).median()),
        "seconds_worst": float(frame["seconds"].max()),
        "seconds_warm": float(frame["seconds"].astype(float).median()),
        "within_median": int((good["median"] <= MEDIAN).sum()),
        "within_ends": int((good["ends"] <= ENDS).sum()),
    }


def main() -> int:
    """Fit the base, then family by family."""
    parser = parser_of(__doc__)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--json", type=Path, default=RECORD)
    options = parser.parse_args()
    keep_compiled()
    table = bs.load_table("open-llm-leaderboard")
    names = chosen(table)
    kept: dict[str, Any] = {}
    if options.json.exists() and not options.fresh:
        kept = json.loads(options.json.read_text(encoding="utf-8")).get("by_family", {})
    rest = table.select(families=[f for f in table.families if f not in names])
    base = thinned(bs.fit("skills", rest, seed=0, chains=4, draws=DRAWS * THIN, progress=False))
    print(base.summary(), flush=True)
    for family in names:
        if family in kept:
            continue
        kept[family] = one_family(base, table, family)
        print(family, json.dumps(kept[family]), flush=True)
        record = {
            "settings": {"draws": DRAWS, "refit_draws": REFIT_DRAWS, "families": names},
            "verdict": verdict(kept),
            "by_family": kept,
            "versions": versions(),
        }
        write_json(options.json, record)
    found = verdict(kept)
    print(json.dumps(found, indent=2))
    passed = found["need_a_refit"] <= REFITS and found["seconds_worst"] <= SECONDS
    passed &= found["median_worst"] <= MEDIAN and found["ends_worst"] <= ENDS
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
