"""How fast do laws drift beyond data? Scales chosen on other tables, judged on the one left out.

    python -m benchmarks.drift --json benchmarks/results/drift.json

Pairs of a law and a table (`PAIRS`) were written down before the first run: the laws of
`stacking.py` on the three tables that several laws are fitted to, the law of the table's own card
elsewhere. On each the larger half of the sizes of every group is held out. Three pairs are of runs
that a card does not speak of: `misfitting` and `step-law` by the best run of each size and length,
all sizes of `olmo-ladder`; gemstones are held out by size of model, since checkpoints of one run
miss together.

A drift that starts at the edge of the data changes no fit, so one fit tells every candidate: a
median of the scale of inputs, where runs scatter by a percent about their law, and what share of it
is the scale of compute.

1. Validate, without drift and with each candidate, by three splits: inside the training rows the
   larger half of sizes, and the largest quarter, is predicted from the smaller ones, and what was
   held out from all training rows.
2. Choose. For each table by the splits of the other tables alone: of the candidates whose mean log
   ratio of interval scores, with drift to without, is the least within one standard error over
   tables, that whose 90% intervals hold nearest to 90%. The same choice from the splits inside
   training rows alone is told beside it (`inside`): laws fitted to a quarter of the sizes are
   unsure by themselves, and those to three quarters look hardly beyond, so it sees less.
3. Judge. What was held out of the table left out, with the candidate that the others chose and
   without drift.

This is the third design; README.md tells of the others, drifts of the log response from the
reference run and from the edge. Its form, that it is wider where runs scatter more, and the grid of
scales were settled on figures of these pairs; the choice inside the grid leaves a table out.

Fits are kept in a folder (`--keep`), so that a run that was stopped goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.backtesting.refit import as_trained, fold_fitter
from bayescale.backtesting.rules import size_ranks
from bayescale.backtesting.run import held_out
from bayescale.backtesting.scores import cluster_bootstrap, interval_score
from bayescale.backtesting.splits import Fold, Split
from bayescale.base.files import atomic_path, write_json
from bayescale.base.intervals import Floats
from bayescale.base.runtime import keep_compiled
from bayescale.models.cards import customise, load_model, model_of_law
from bayescale.models.cells import FLOPS, drifting
from bayescale.models.evaluate import evaluate
from bayescale.models.lay_out import fitted_members, lay_out
from bayescale.models.model import Model
from bayescale.models.plan import plan
from bayescale.parts.drift import CELL
from bayescale.tables.table import Table, grid_positions
from benchmarks.shared.command import parser_of, say
from benchmarks.stacking import LAWS

SEVERAL = ("loss-to-loss", "compute-optimal", "chinchilla-replication")
OF_TRIALS = SEVERAL  # the tables that the trials before this benchmark looked at
SCALES = (0.2, 0.3, 0.4, 0.55)
OF_COMPUTE = (0.25, 0.5, 1.0)  # that of compute over that of size and tokens
FACTOR = 2.0
INSIDE = (0.5, 0.75)  # shares of the sizes inside the training rows that validation trains on
WHOLE = 1.0  # stands for the split of the whole table
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

    @property
    def name(self) -> str:
        """Its name in files."""
        return f"{self.scale} {self.of_compute}"


CANDIDATES = tuple(Candidate(*each) for each in product(SCALES, OF_COMPUTE))
FACTS = ("r_hat", "divergences", "length", "seconds")  # of a fit, as they are kept


def main() -> None:
    """Run what is missing, and write the record."""
    parser = parser_of(__doc__)
    parser.add_argument("--json", type=Path, default=Path("drift.json"))
    parser.add_argument("--keep", type=Path, default=Path("build/drift"))
    parser.add_argument("--table", action="append", help="only this table")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder = arguments.keep / f"edge-{arguments.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    pairs = [pair for pair in PAIRS if not arguments.table or pair.table in arguments.table]
    parallel = joblib.Parallel(arguments.jobs)
    seed = arguments.seed
    tasks = list(product(pairs, (*INSIDE, WHOLE)))
    found = parallel(joblib.delayed(validated)(*task, folder, seed) for task in tasks)
    every = pd.DataFrame([line for lines in found for line in lines])
    frame = every[every["drift"]]
    inside = frame[frame["share"] != WHOLE]
    tables = sorted({pair.table for pair in pairs})
    chosen = {table: choice(frame, table) for table in tables}
    of_inside = {table: choice(inside, table) for table in tables}
    lines, by_inside = judged(every, chosen), judged(every, of_inside)
    print(means(frame).round(3).to_string())
    print(lines.round(4).to_string(index=False))
    write_json(
        arguments.json,
        {
            "seed": seed,
            "factor": FACTOR,
            "candidates": json.loads(means(frame).reset_index().to_json(orient="records")),
            "validated": json.loads(frame.to_json(orient="records")),
            "chosen": {table: asdict(candidate) for table, candidate in chosen.items()},
            "of_all": asdict(choice(frame, "")),
            "judged": json.loads(lines.to_json(orient="records")),
            "summary": summary(lines),
            "inside": {
                "chosen": {table: asdict(candidate) for table, candidate in of_inside.items()},
                "of_all": asdict(choice(inside, "")),
                "judged": json.loads(by_inside.to_json(orient="records")),
                "summary": summary(by_inside),
            },
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


def drift_of(pair: Pair, candidate: Candidate) -> Any:
    """Write down the drift along all inputs of a law as cards do."""
    model = model_of(pair, "none")
    found = {}
    for along in drifting(model.law.columns):
        of_compute = model.inputs.get(along, along) == FLOPS
        median = candidate.scale * (candidate.of_compute if of_compute else 1.0)
        found[along] = {"origin": "edge", "scale": [median, FACTOR]}
    return found


def validated(pair: Pair, share: float, folder: Path, seed: int) -> list[dict[str, Any]]:
    """Score predictions of larger sizes, without drift and with each candidate; one line each."""
    table = table_of(pair)
    split = bs.hold_out(table, by="size", group=pair.group, size=pair.size)
    if share != WHOLE:
        table = table.select(runs=table.scores["run"][split.folds[0].train].unique())
        split = smaller(pair, table, share)
    found = fitted(pair, table, split, folder / f"{pair.table}_{pair.model}_{share}.npz", seed)
    fold, draws = split.folds[0], found.pop("draws")
    facts = {name: found.pop(name).item() for name in FACTS}
    rows = held_out(table, split, fold, pair.group)
    clusters = (rows["family"] if rows["family"].nunique() > 1 else rows["run"]).to_numpy(str)
    bare = scored(draws, rows, clusters)
    lines = [{"drift": False, **bare["all"], "log_ratio": 0.0}]
    # Candidates differ in the values of scales alone, so that one compiled program serves all.
    model = as_trained(model_of(pair, drift_of(pair, CANDIDATES[0])), table, split)
    for candidate in CANDIDATES:
        scales = scales_of(pair, candidate, len(draws), seed)
        told = scored(with_scales(model, table, fold, {**found, **scales}, seed), rows, clusters)
        line = {"drift": True, **asdict(candidate), **told["all"]}
        lines.append({**line, "log_ratio": log_ratio(told, bare)})
    which = {"table": pair.table, "model": pair.model, "share": share}
    return [{**which, **line, "n": len(rows), **facts} for line in lines]


def smaller(pair: Pair, table: Table, share: float) -> Split:
    """Train on a share of the sizes of each group, the smallest, and on all but one at most."""
    split = bs.hold_out(table, by="size", group=pair.group, size=pair.size)
    assert split.rule is not None
    ranks = size_ranks(table, split.rule)
    most = np.minimum(np.ceil(ranks["sizes"] * share), np.maximum(ranks["sizes"] - 1, 1))
    larger = (ranks["rank"] > most).loc[table.scores["run"]].to_numpy()
    # Points of a training run that is held out stay out, as they do in the split by halves.
    dropped = ~split.folds[0].train & ~split.folds[0].test
    return replace(split, folds=(Fold("larger", ~larger & ~dropped, larger & ~dropped, 0),))


def fitted(pair: Pair, table: Table, split: Split, path: Path, seed: int) -> dict[str, Any]:
    """Give draws of a law without drift: sites, `draws` of what is held out, facts of the fit."""
    if path.exists():
        with np.load(path) as kept:
            return dict(kept)
    keep_compiled()
    fold = split.folds[0]
    bare = model_of(pair, "none")
    found = fold_fitter(bare, table, split, seed=seed, chains=CHAINS, draws=DRAWS)(fold)
    say(f"{pair.name}: R-hat {found.max_r_hat:.3f}, {found.length}, {found.seconds:.0f} s")
    facts = (found.max_r_hat, found.divergences, found.length, found.seconds)
    kept = {**found.sites, "draws": found.draws, **dict(zip(FACTS, facts, strict=True))}
    with atomic_path(path) as new:
        np.savez(new, **kept)
    return {name: np.asarray(value) for name, value in kept.items()}


def scales_of(pair: Pair, candidate: Candidate, count: int, seed: int) -> dict[str, Floats]:
    """Draw the scales of a candidate, on the real line."""
    random = np.random.default_rng(seed)
    return {
        name: site.rule.learned.location + site.rule.learned.scale * random.standard_normal(count)
        for name, site in plan(model_of(pair, drift_of(pair, candidate))).sites.items()
        if site.group == CELL and site.rule
    }


def with_scales(
    model: Model, table: Table, fold: Fold, sites: Mapping[str, Floats], seed: int
) -> Floats:
    """Predict held-out rows by draws of a fit without drift, which a drift beyond leaves alone."""
    row, column = grid_positions(table)
    weights = np.zeros((len(table.runs), len(table.benchmarks)))
    weights[row[fold.train], column[fold.train]] = 1.0
    grid = lay_out(model, table, fitted_members(model, table)).with_weights(weights)
    out = evaluate(model, grid, sites, seed=seed)
    return np.asarray(out.score[:, row[fold.test], column[fold.test]])


def scored(draws: Floats, rows: pd.DataFrame, clusters: Any) -> dict[str, dict[str, float]]:
    """Score predictions of each benchmark, and of all together with standard errors."""
    score = rows["score"].to_numpy(float)
    told = pd.DataFrame({"benchmark": rows["benchmark"].to_numpy(str)})
    errors = {}
    for level in LEVELS:
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
        inside = (low <= score) & (score <= high)
        told[f"hold_{level}"] = inside.astype(float)
        errors[f"hold_{level}_se"] = cluster_bootstrap(inside.astype(float), clusters, seed=0)[1]
        if level == 0.9:
            told["interval"] = interval_score(low, high, score, level)
    middle = np.median(draws, axis=0)
    told["error"] = np.abs(middle - score)
    told["above"] = (score > middle).astype(float)
    of_each = told.groupby("benchmark").mean().to_dict(orient="index")
    everything = dict(told.drop(columns="benchmark").mean()) | errors
    return {str(name): line for name, line in of_each.items()} | {"all": everything}


def log_ratio(told: Mapping[str, Any], bare: Mapping[str, Any]) -> float:
    """Give the mean over benchmarks of the log ratio of interval scores."""
    names = [name for name in bare if name != "all"]
    return float(np.mean([np.log(told[n]["interval"] / bare[n]["interval"]) for n in names]))


def means(frame: pd.DataFrame) -> pd.DataFrame:
    """Average over the pairs of a table and the splits, then over tables."""
    return of_tables(frame).groupby(["scale", "of_compute"]).mean()


def of_tables(frame: pd.DataFrame) -> pd.DataFrame:
    """Average over the pairs of each table and the splits."""
    numbers = ["log_ratio", *(f"hold_{level}" for level in LEVELS)]
    return frame.groupby(["table", "scale", "of_compute"])[numbers].mean()


def choice(frame: pd.DataFrame, left_out: str) -> Candidate:
    """Choose on the other tables: of those as good as the best, that nearest to 90%."""
    others = frame[frame["table"] != left_out]
    told = means(others)
    by_table = of_tables(others)["log_ratio"].unstack("table")
    away = by_table.sub(by_table.loc[told["log_ratio"].idxmin()])
    error = (away.std(axis=1, ddof=1) / np.sqrt(away.shape[1])).fillna(0.0)
    as_good = told[away.mean(axis=1) <= error]
    return Candidate(*(as_good["hold_0.9"] - 0.9).abs().idxmin())


def judged(frame: pd.DataFrame, chosen: Mapping[str, Candidate]) -> pd.DataFrame:
    """Give the scores of the held-out halves, without drift and with what the others chose."""
    whole = frame[frame["share"] == WHOLE]
    picked = pd.DataFrame([{"table": table, **asdict(c)} for table, c in chosen.items()])
    having = whole[whole["drift"]].merge(picked, on=["table", "scale", "of_compute"])
    found = pd.concat([whole[~whole["drift"]], having])
    return found.sort_values(["table", "model", "drift"], kind="stable").drop(columns="share")


def summary(lines: pd.DataFrame) -> dict[str, Any]:
    """Set drift beside none, over all tables, and apart for those that the trials looked at."""
    index = ["table", "model"]
    having = lines[lines["drift"]].set_index(index)
    bare = lines[~lines["drift"]].set_index(index)
    ratio = having["log_ratio"]
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
