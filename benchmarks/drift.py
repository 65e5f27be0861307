"""How fast do laws drift? Scales chosen on other tables, judged on the table left out.

    python -m benchmarks.drift --json benchmarks/results/drift.json

Pairs of a law and a table (`PAIRS`) were written down before the first run: the laws of
`stacking.py` on the three tables that several laws are fitted to, the law of the table's own card
elsewhere. On each the larger half of the sizes of every group is held out. Three pairs are of runs
that a card does not speak of: `misfitting` and `step-law` by the best run of each size and length,
all sizes of `olmo-ladder`; gemstones are held out by size of model, since checkpoints of one run
miss together.

1. Validate. Inside the training rows their own larger half is predicted from the smaller, without
   drift and with drift that all groups share, under a wide prior of the scales. A candidate
   (median of the scales of inputs, that of compute over it) is scored by weighting these draws by
   its prior. Increments of each group's own, in place of shared ones or beside them, were tried on
   `loss-to-loss` in this way: no better for three of the four laws, at three times the time.
2. Choose. For each table the candidate with the least mean over the other tables of the log ratio
   of interval scores, with drift to without.
3. Judge. Fits of all training rows, with the candidate that the others chose and without drift,
   predict what was held out.

Fits are kept in a folder (`--keep`), so that a run that was stopped goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.backtesting.refit import fold_fitter
from bayescale.backtesting.run import held_out
from bayescale.backtesting.scores import cluster_bootstrap, interval_score
from bayescale.base.files import atomic_path, write_json
from bayescale.base.runtime import keep_compiled
from bayescale.models.cards import customise, load_model, model_of_law
from bayescale.models.cells import FLOPS, drifting
from bayescale.models.model import Model
from bayescale.models.plan import plan
from bayescale.parts.drift import CELL, DRIFT
from bayescale.tables.table import Table
from benchmarks.shared.command import parser_of, say
from benchmarks.stacking import LAWS

SEVERAL = ("loss-to-loss", "compute-optimal", "chinchilla-replication")
OF_TRIALS = SEVERAL  # the tables that the trials before this benchmark looked at
WIDE = 3.0  # factor of the prior that validation samples under
BASE, BASE_OF_COMPUTE = 0.012, 0.004  # its medians
SCALES = (0.004, 0.006, 0.008, 0.012, 0.016, 0.024)
OF_COMPUTE = (0.125, 0.25, 0.5)  # that of compute over that of size and tokens
FACTOR = 2.0
CHAINS, DRAWS = 2, 600
LEVELS = (0.5, 0.9)


@dataclass(frozen=True)
class Pair:
    """A law on a table: what it is fitted to, and whose larger sizes are held out."""

    table: str
    model: str
    group: str = "family"
    measured: tuple[str, ...] = ()
    where: Mapping[str, Any] = field(default_factory=dict)
    best_of: tuple[str, ...] = ()
    size: str | None = None
    of_law: bool = False

    @property
    def name(self) -> str:
        """Name of the pair."""
        return f"{self.table}, {self.model}"


GROUPS = {"loss-to-loss": "corpus", "compute-optimal": "experiment"}
PAIRS = (
    *(
        Pair(table, law, GROUPS.get(table, "family"), ("loss",), of_law=True)
        for table, law in product(SEVERAL, LAWS)
    ),
    Pair("overtraining", "overtraining", "corpus", ("loss",)),
    Pair("data-constrained", "data-constrained"),
    Pair("misfitting", "chinchilla", best_of=("params", "tokens"), of_law=True),
    Pair(
        "olmo-ladder",
        "ladder-2step",
        measured=("hellaswag_val_bpb", "hellaswag_val"),
        where={"rerun": "no"},
    ),
    Pair("parscale", "parscale", "corpus"),
    Pair("gemstones", "gemstones", where={"set": "hot", "grid": "coarse"}, size="params"),
    Pair("vision-curves", "m4", where={"curve": "inet_10 ViT/B/16"}),
    Pair("vision-curves", "vit-saturating", where={"curve": "inet_5 MiX/L/16"}),
    Pair("finetuning", "rectified", "model", where={"task": "flan"}, size="examples"),
    Pair("step-law", "chinchilla", measured=("loss",), best_of=("params", "tokens"), of_law=True),
)


@dataclass(frozen=True)
class Candidate:
    """A prior of the scales of drift."""

    scale: float
    of_compute: float


CANDIDATES = tuple(Candidate(*each) for each in product(SCALES, OF_COMPUTE))


def main() -> None:
    """Run what is missing, and write the record."""
    parser = parser_of(__doc__)
    parser.add_argument("--json", type=Path, default=Path("drift.json"))
    parser.add_argument("--keep", type=Path, default=Path("build/drift"))
    parser.add_argument("--table", action="append", help="only this table")
    parser.add_argument("--validate-only", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder = arguments.keep / f"seed-{arguments.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    pairs = [pair for pair in PAIRS if not arguments.table or pair.table in arguments.table]
    parallel = joblib.Parallel(arguments.jobs)
    seed = arguments.seed
    tasks = product(pairs, (False, True))
    parallel(joblib.delayed(validated)(pair, drifts, folder, seed) for pair, drifts in tasks)
    scored = {pair.name: scores_of_candidates(pair, folder, seed) for pair in pairs}
    frame = pd.concat(scored, names=["pair"]).reset_index(level=0)
    chosen = {table: choice(frame, table) for table in sorted({pair.table for pair in pairs})}
    print(means(frame).round(3).to_string())
    print(chosen)
    if arguments.validate_only:
        return
    cases = [(pair, how) for pair in pairs for how in (None, chosen[pair.table])]
    judged = parallel(joblib.delayed(judge)(pair, how, folder, seed) for pair, how in cases)
    lines = pd.DataFrame(judged)
    print(lines.round(4).to_string(index=False))
    write_json(
        arguments.json,
        {
            "seed": seed,
            "candidates": json.loads(means(frame).reset_index().to_json(orient="records")),
            "by_pair": json.loads(frame.to_json(orient="records")),
            "chosen": {table: asdict(candidate) for table, candidate in chosen.items()},
            "of_all": asdict(choice(frame, "")),
            "judged": judged,
            "summary": summary(lines),
        },
    )


def table_of(pair: Pair) -> Table:
    """Take what a pair is fitted to out of its table."""
    table = bs.load_table(pair.table)
    if pair.where:
        table = table.where(**pair.where)
    if pair.measured:
        table = table.select(benchmarks=list(pair.measured))
    if pair.best_of:
        best = table.scores.set_index("run")["score"].to_frame().join(table.runs)
        names = best.groupby(list(pair.best_of))["score"].idxmin()
        table = table.select(runs=list(names))
    return table


def model_of(pair: Pair, drift: Mapping[str, Any] | str) -> Model:
    """Make a pair's model; laws that are no card's are pooled over the groups."""
    if not pair.of_law:
        return customise(load_model(pair.model), drift=drift)
    bare = model_of_law(pair.model)
    pool = None if pair.group == "family" else {c.name: pair.group for c in bare.law.coefficients}
    inputs = {"x": "flops"} if pair.model == "power-floor" else None
    return customise(bare, pool=pool, inputs=inputs, noise="student-t-log", drift=drift)


def drift_of(pair: Pair, scale: float, of_compute: float, factor: float) -> Any:
    """Write down the drift along all inputs of a law as cards do."""
    model = model_of(pair, "none")
    compute = {n for n in drifting(model.law.columns) if model.inputs.get(n, n) == FLOPS}
    medians = {n: of_compute if n in compute else scale for n in drifting(model.law.columns)}
    return {along: {"scale": [median, factor]} for along, median in medians.items()}


def validated(pair: Pair, drifts: bool, folder: Path, seed: int) -> None:
    """Predict the larger half of the training rows from the smaller, and keep the draws."""
    path = path_of(pair, f"validate-{'wide' if drifts else 'none'}", folder)
    if path.exists():
        return
    whole = table_of(pair)
    outer = bs.hold_out(whole, by="size", group=pair.group, size=pair.size)
    kept = whole.scores["run"][outer.folds[0].train].unique()
    inner = whole.select(runs=kept)
    drift = drift_of(pair, BASE, BASE_OF_COMPUTE, WIDE) if drifts else "none"
    predicted(pair, inner, model_of(pair, drift), path, seed)


def predicted(pair: Pair, table: Table, model: Model, path: Path, seed: int) -> None:
    """Hold out the larger half of the sizes, predict it, and keep the draws."""
    keep_compiled()
    split = bs.hold_out(table, by="size", group=pair.group, size=pair.size)
    fit = fold_fitter(model, table, split, seed=seed, chains=CHAINS, draws=DRAWS)
    found = fit(split.folds[0])
    rows = held_out(table, split, split.folds[0], pair.group)
    scales = {name: v for name, v in found.sites.items() if is_scale(model, name)}
    clusters = rows["family"] if rows["family"].nunique() > 1 else rows["run"]
    with atomic_path(path) as partial:
        np.savez_compressed(
            partial,
            draws=found.draws.astype(np.float32),
            score=rows["score"].to_numpy(float),
            benchmark=rows["benchmark"].to_numpy(str),
            cluster=clusters.to_numpy(str),
            r_hat=found.max_r_hat,
            divergences=found.divergences,
            length=found.length,
            seconds=found.seconds,
            **{f"scale:{name}": values for name, values in scales.items()},
        )
    say(f"{path.stem}: R-hat {found.max_r_hat:.3f}, {found.length}, {found.seconds:.0f} s")


def is_scale(model: Model, name: str) -> bool:
    """Tell the sites of scales of drift."""
    site = plan(model).sites.get(name)
    return site is not None and site.kind == "spread" and site.coefficient == DRIFT


def path_of(pair: Pair, what: str, folder: Path) -> Path:
    """Say where a fit is kept."""
    return folder / f"{pair.table}_{pair.model}_{what}.npz"


def scores_of_candidates(pair: Pair, folder: Path, seed: int) -> pd.DataFrame:
    """Score every candidate inside the training rows, beside the law without drift."""
    bare = scored(np.load(path_of(pair, "validate-none", folder)))
    lines, kept = [], np.load(path_of(pair, "validate-wide", folder))
    for candidate in CANDIDATES:
        told = scored(kept, weights(pair, candidate, kept), seed)
        lines.append(
            {
                "table": pair.table,
                **asdict(candidate),
                "log_ratio": float(
                    np.mean([np.log(told[b]["interval"] / bare[b]["interval"]) for b in bare])
                ),
                **{f"hold_{level}": told["all"][f"hold_{level}"] for level in LEVELS},
                "hold_0.9_bare": bare["all"]["hold_0.9"],
                "error": told["all"]["error"] / bare["all"]["error"],
            }
        )
    return pd.DataFrame(lines)


def weights(pair: Pair, candidate: Candidate, kept: Any) -> np.ndarray[Any, Any]:
    """Weigh draws under the wide prior to those of a candidate's."""

    def model(scale: float, of_compute: float, factor: float) -> Model:
        return model_of(pair, drift_of(pair, scale, of_compute, factor))

    wanted = model(candidate.scale, candidate.scale * candidate.of_compute, FACTOR)
    base = model(BASE, BASE_OF_COMPUTE, WIDE)
    log = np.zeros(len(kept["draws"]))
    for name, site in plan(wanted).sites.items():
        if site.group != CELL or site.kind != "spread":
            continue
        value = np.ravel(kept[f"scale:{name}"])
        for own, sign in ((wanted, 1), (base, -1)):
            prior = plan(own).sites[name].rule.learned
            log -= sign * (((value - prior.location) / prior.scale) ** 2 / 2 + np.log(prior.scale))
    found = np.exp(log - log.max())
    return found / found.sum()


def scored(
    kept: Any, weight: np.ndarray[Any, Any] | None = None, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Score predictions of each benchmark, and of all together."""
    draws, score = np.asarray(kept["draws"], float), kept["score"]
    if weight is not None:
        places = (np.arange(len(draws)) + np.random.default_rng(seed).uniform()) / len(draws)
        draws = draws[np.searchsorted(np.cumsum(weight), places).clip(0, len(draws) - 1)]
    ends = {level: [(1 - level) / 2, (1 + level) / 2] for level in LEVELS}
    told = pd.DataFrame({"benchmark": kept["benchmark"]})
    for level, pair in ends.items():
        low, high = np.quantile(draws, pair, axis=0)
        told[f"hold_{level}"] = (low <= score) & (score <= high)
        if level == 0.9:
            told["interval"] = interval_score(low, high, score, level)
    middle = np.median(draws, axis=0)
    told["error"] = np.abs(middle - score)
    told["above"] = score > middle
    numbers = told.drop(columns="benchmark").astype(float)
    found = {str(b): dict(numbers[told["benchmark"] == b].mean()) for b in set(told["benchmark"])}
    return found | {"all": dict(numbers.mean())}


def means(frame: pd.DataFrame) -> pd.DataFrame:
    """Average over the pairs of a table, then over tables."""
    by = ["scale", "of_compute"]
    numbers = ["log_ratio", "hold_0.5", "hold_0.9", "error"]
    of_tables = frame.groupby(["table", *by])[numbers].mean()
    return of_tables.groupby(by).mean()


def choice(frame: pd.DataFrame, left_out: str) -> Candidate:
    """Choose the candidate of least interval score on the other tables."""
    best = means(frame[frame["table"] != left_out])["log_ratio"].idxmin()
    return Candidate(*best)


def judge(pair: Pair, candidate: Candidate | None, folder: Path, seed: int) -> dict[str, Any]:
    """Predict the held-out half, with drift or without, and score it."""
    what, drift = "judge-none", "none"
    if candidate:
        compute = candidate.scale * candidate.of_compute
        what = f"judge-{candidate.scale}-{candidate.of_compute}"
        drift = drift_of(pair, candidate.scale, compute, FACTOR)
    path = path_of(pair, what, folder)
    if not path.exists():
        predicted(pair, table_of(pair), model_of(pair, drift), path, seed)
    kept = np.load(path)
    told = scored(kept)
    draws = np.asarray(kept["draws"], float)
    found: dict[str, Any] = {"table": pair.table, "model": pair.model, "drift": bool(candidate)}
    found |= {"n": len(kept["score"]), **told["all"]}
    for level in LEVELS:
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
        inside = ((low <= kept["score"]) & (kept["score"] <= high)).astype(float)
        found[f"hold_{level}_se"] = cluster_bootstrap(inside, kept["cluster"], seed=0)[1]
    if len(told) > 2:
        found["interval_by_benchmark"] = {
            name: each["interval"] for name, each in told.items() if name != "all"
        }
    for name in ("r_hat", "divergences", "length", "seconds"):
        found[name] = float(kept[name])
    return found


def summary(lines: pd.DataFrame) -> dict[str, Any]:
    """Set drift beside none, over all tables, and apart for those that the trials looked at."""
    index = ["table", "model"]
    having = lines[lines["drift"]].set_index(index)
    bare = lines[~lines["drift"]].set_index(index)
    ratio = np.log(having["interval"] / bare["interval"])
    found = {}
    for name, of in (
        ("all", having.index),
        ("tables of the trials", having.index[having.index.isin(OF_TRIALS, level=0)]),
        ("other tables", having.index[~having.index.isin(OF_TRIALS, level=0)]),
    ):

        def mean(values: pd.Series, of: Any = of) -> float:
            return float(values.loc[of].groupby("table").mean().mean())

        found[name] = {
            "hold_0.9": mean(having["hold_0.9"]),
            "hold_0.9 without": mean(bare["hold_0.9"]),
            "hold_0.5": mean(having["hold_0.5"]),
            "interval_ratio": float(np.exp(mean(ratio))),
            "error_ratio": float(np.exp(mean(np.log(having["error"] / bare["error"])))),
            "largest_interval_ratio": float(np.exp(ratio.loc[of].max())),
        }
    return found


if __name__ == "__main__":
    main()
