"""Losses at the largest budget from smaller budgets: six corpora pooled, against a fit of each.

    python -m benchmarks.loss_to_loss --json benchmarks/results/loss_to_loss.json
    python -m benchmarks.loss_to_loss --choose --json benchmarks/results/loss_to_loss_choice.json

Runs of Brandfonbrener et al. 2024 (set BAYESCALE_MIRROR, or be online): 529 on six corpora, with
eight budgets of compute. The 66 of the largest budget, 4.84e19 FLOPs, are held out.

- compute: the loss of a run on its own corpus, from its params and tokens.
- translation: the loss of a run, from that of the FineWeb-Edu run of equal size and budget, which
  is known at the largest budget too: 42 of the 66 have such a twin.

A corpus is a benchmark here, so that each has noise of its own. Claim: pooled, CRPS and interval
score are lower than those of separate fits. `--choose` compares models inside the training
budgets: each of the two largest is predicted from those below it.

Last, a fit of all eight budgets gives the exchange between losses with no floor plugged in: both
losses are latent, and kappa is the slope of one log reducible loss over the other in each draw.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tomli_w

import bayescale as bs
from bayescale.backtesting.refit import fold_fitter
from bayescale.backtesting.scores import cluster_bootstrap, coverage, crps, interval_score
from bayescale.backtesting.splits import Fold, Split
from bayescale.base.files import write_json
from bayescale.base.runtime import keep_compiled
from bayescale.inference.estimates import law_draws
from bayescale.models.cards import model_from_card
from bayescale.tables.table import Table
from benchmarks.shared.command import parser_of, say

Card = dict[str, Any]

# Floors differ by corpus by far more than by a third of the prior: code has half the loss of text.
FLOORS = {"benchmark": {"spread": [0.3, 2.0]}}
COMPUTE: Card = {
    "name": "compute",
    "claim": "Size and data buy down the loss of each corpus; runs of one budget miss alike.",
    "law": "chinchilla",
    "noise": "student-t-log",
    # Steps are tokens over one size of batch: the fewer, the more a run depends on its warm-up.
    "scatter": "tokens",
    # What the law misses is a function of the budget, nearly the same for all sizes and corpora.
    "effects": {"budget": {"spread": [0.002, 1.5]}},
    "pooling": {"E": FLOORS} | dict.fromkeys(("A", "B", "alpha", "beta"), "benchmark"),
}
TRANSLATION: Card = {
    "name": "translation",
    "claim": "The reducible loss of each corpus is a power of that of FineWeb-Edu.",
    "law": "loss-to-loss",
    "noise": "student-t-log",
    "inputs": {"loss": "twin_loss"},
    # Pairs leave floors and kappa on one ridge. The floor of FineWeb-Edu is 2.06 (sd 0.02) by its
    # own compute law of the training budgets; a tenth either way is a wide reading of that.
    "priors": {"E_0": [2.0, 1.1]},
    # E_0 is the floor of FineWeb-Edu, whatever the other corpus: pooled, it is one number.
    "pooling": {"E": FLOORS, "K": "benchmark", "kappa": "benchmark"},
}
CARDS = {"compute": COMPUTE, "translation": TRANSLATION}
OTHERS: dict[str, dict[str, Card]] = {
    "compute": {
        "normal noise": {"noise": "normal-log"},
        "no shifts of budgets": {"effects": {}},
        "noise alike at all tokens": {"scatter": ""},
    },
    "translation": {
        "normal noise": {"noise": "normal-log"},
        "E_0 differs by corpus": {"pooling": {**TRANSLATION["pooling"], "E_0": "benchmark"}},
    },
}
INPUTS = ("params", "tokens")
TWIN = "fineweb-edu"
MEANS = ["error", "crps", "interval_score", "width", "inside"]


def main() -> None:
    """Fit, predict and print."""
    parser = parser_of(__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--choose", action="store_true", help="compare models on other budgets")
    parser.add_argument("--json", type=Path, help="write what was found here")
    arguments = parser.parse_args()
    keep_compiled()
    steps = {"choice": chosen_from} if arguments.choose else {"test": tested, "kappa": exchanged}
    found = {name: step(arguments.seed) for name, step in steps.items()}
    for frame in found.values():
        print(frame.round(4).to_string(index=False))
    if arguments.json:
        frames = {name: frame.to_dict("records") for name, frame in found.items()}
        write_json(arguments.json, {"seed": arguments.seed, **frames})


def tested(seed: int) -> pd.DataFrame:
    """Predict the largest budget, pooled and by corpus; sum each up, and by corpus."""
    parts = []
    for task, card in CARDS.items():
        table = cells(task)
        split = budgets(table, last=1)
        fits = {
            "pooled": predicted(card, table, split, seed, chains=4, draws=500),
            "separate": separate(card, table, seed),
        }
        for fit, rows in fits.items():
            whole = summed(rows)
            for name in ("crps", "interval_score"):
                less = fits["separate"][name] - rows[name]
                whole[f"{name}_gain"], whole[f"{name}_gain_se"] = over_corpora(less, rows)
            by = [summed(of) | {"corpus": corpus} for corpus, of in rows.groupby("corpus")]
            parts += [{"task": task, "fit": fit, **one} for one in [whole | {"corpus": "all"}, *by]]
    return pd.DataFrame(parts)


def chosen_from(seed: int) -> pd.DataFrame:
    """Compare models by the two largest budgets but the one held out, each from those below it."""
    parts = []
    for task, card in CARDS.items():
        table = cells(task)
        split = budgets(table, last=3, but=1)
        for name, change in {"chosen": {}, **OTHERS[task]}.items():
            rows = predicted({**card, **change}, table, split, seed, chains=2, draws=300)
            for fold, of in rows.groupby("budget", sort=False):
                parts.append({"task": task, "model": name, "budget": fold, **summed(of)})
            parts.append({"task": task, "model": name, "budget": "both", **summed(rows)})
    return pd.DataFrame(parts)


def exchanged(seed: int) -> pd.DataFrame:
    """Give kappa and K of each corpus against FineWeb-Edu, of the compute laws of all budgets."""
    table = cells("compute")
    fit = bs.fit(model_from_card(tomli_w.dumps(COMPUTE)), table, seed=seed, progress=False)
    size, data = (table.runs[name].to_numpy() / fit.model.reference[name] for name in INPUTS)

    def log_reducible(corpus: str) -> Any:
        c = {k: v[:, None] for k, v in law_draws(fit, ("benchmark", corpus)).items()}
        return np.log(c["A"] * size ** -c["alpha"] + c["B"] * data ** -c["beta"])

    other = log_reducible(TWIN)
    away = other - other.mean(axis=1, keepdims=True)
    rows = []
    for corpus in table.benchmarks.index.drop(TWIN):
        own = log_reducible(corpus)
        kappa = (away * own).sum(axis=1) / (away**2).sum(axis=1)
        rate = np.exp(own.mean(axis=1) - kappa * other.mean(axis=1))
        told = {
            "kappa": kappa.mean(),
            "kappa_sd": kappa.std(),
            "K": rate.mean(),
            "K_sd": rate.std(),
        }
        rows.append({"corpus": corpus, **told})
    summary = fit.summary()
    return pd.DataFrame(rows).assign(r_hat=summary.max_r_hat, divergences=summary.divergences)


def cells(task: str) -> Table:
    """Give the table of sizes and budgets, with the loss on each corpus as a benchmark."""
    source = bs.load_table("loss-to-loss").select(benchmarks=["loss"])
    loss = source.scores.set_index("run")["score"]
    cell = ["params", "tokens", "flops"]
    wide = source.runs.assign(loss=loss).pivot(index=cell, columns="corpus", values="loss")
    corpora = [str(name) for name in wide]
    frame = wide.reset_index()
    frame["budget"] = frame["flops"].map("{:.3g}".format)
    frame["run"] = frame["params"].map("{:.3g}".format) + " at " + frame["budget"]
    if task == "translation":
        corpora.remove(TWIN)
        frame = frame.rename(columns={TWIN: "twin_loss"}).dropna(subset="twin_loss")
    return Table.from_runs(frame, corpora, units=dict.fromkeys(corpora, "nats/token"), name=task)


def budgets(table: Table, last: int, but: int = 0) -> Split:
    """Hold out each of the largest budgets, but so many, and train on those below it."""
    flops = table.scores["run"].map(table.runs["flops"])
    largest = sorted(flops.unique())[-last:]
    folds = [
        Fold(f"{at:.3g}", (flops < at).to_numpy(), (flops == at).to_numpy(), unlisted=0)
        for at in largest[: last - but]
    ]
    return Split("budgets", tuple(folds))


def separate(card: Card, table: Table, seed: int) -> pd.DataFrame:
    """Predict each corpus from its own runs alone, in the order of the pooled rows."""
    alone = {**card, "pooling": {}}
    tables = {corpus: table.select(benchmarks=[corpus]) for corpus in table.benchmarks.index}
    rows = [
        predicted(alone, of, budgets(of, last=1), seed, chains=4, draws=500)
        for of in tables.values()
    ]
    order = budgets(table, last=1).folds[0].test
    keys = pd.MultiIndex.from_frame(table.scores.loc[order, ["run", "benchmark"]])
    return (
        pd.concat(rows)
        .set_index(["run", "corpus"])
        .loc[keys]
        .rename_axis(["run", "corpus"])
        .reset_index()
    )


def predicted(
    card: Card, table: Table, split: Split, seed: int, *, chains: int, draws: int
) -> pd.DataFrame:
    """Predict what each fold holds out: a row for each loss, with its scores."""
    model = model_from_card(tomli_w.dumps(card))
    fitter = fold_fitter(model, table, split, seed=seed, chains=chains, draws=draws, tell=say)
    parts = []
    for fold in split.folds:
        found = fitter(fold)
        held = table.scores[fold.test]
        observed = held["score"].to_numpy()
        low, median, high = np.quantile(found.draws, [0.05, 0.5, 0.95], axis=0)
        rows = {
            "run": held["run"].to_numpy(),
            "corpus": held["benchmark"].to_numpy(),
            "budget": fold.label,
            "error": median / observed - 1,
            "crps": crps(found.draws, observed),
            "interval_score": interval_score(low, high, observed, level=0.9),
            "width": high - low,
            "inside": coverage(low, high, observed),
            "r_hat": found.max_r_hat,
            "divergences": found.divergences,
            "seconds": found.seconds,
        }
        parts.append(pd.DataFrame(rows))
    return pd.concat(parts, ignore_index=True)


def summed(rows: pd.DataFrame) -> dict[str, Any]:
    """Means over rows; coverage with its standard error over corpora; diagnostics of the fits."""
    fits = rows[["budget", "r_hat", "divergences", "seconds"]].drop_duplicates()
    return {
        "n": len(rows),
        **rows[MEANS].mean().to_dict(),
        "inside_se": over_corpora(rows["inside"], rows)[1],
        "r_hat": float(fits["r_hat"].max()),
        "divergences": int(fits["divergences"].sum()),
        "seconds": float(fits["seconds"].sum()),
    }


def over_corpora(values: pd.Series, rows: pd.DataFrame) -> tuple[float, float]:
    """Mean, and its standard error from a bootstrap over corpora."""
    return cluster_bootstrap(values, rows["corpus"], seed=0)


if __name__ == "__main__":
    main()
