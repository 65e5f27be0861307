"""Losses of over-trained runs, and what they make of downstream errors."""

from __future__ import annotations

import math

import jax
import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.inference.estimates import law_draws
from bayescale.models.cards import load_model, model_from_card
from bayescale.parts.find import find_part
from bayescale.parts.part import Law, Link
from benchmarks.catalogue.common import Array, Line, at_most, best, quiet, runs_with_scores

GADRE = {"c4": (0.121, 1.51), "redpajama": (0.136, 1.84), "refinedweb": (0.127, 1.73)}


def default_runs(corpus: str, runs: pd.DataFrame) -> pd.DataFrame:
    return runs[(runs["corpus"] == corpus) & (runs["default_run"] == "yes")]


def overtraining_best(runs: pd.DataFrame) -> dict[str, float]:
    """Least squares of the loss with our law, in the paper's coefficients."""
    law = find_part(Law, "gadre-overtrain")
    flops, ratio, loss = (runs[c].to_numpy() for c in ("flops", "multiplier", "loss"))
    reference = {"flops": float(np.exp(np.log(flops).mean())), "multiplier": 20.0}
    x, m = flops / reference["flops"], ratio / reference["multiplier"]

    def curve(p: Array) -> Array:
        E, a, b, eta = np.exp(p)
        return np.asarray(law(x, m, E=E, a=a, b=b, eta=eta))

    with jax.enable_x64(True):
        starts = [np.log([E, 1, 1, eta]) for E in (1.0, 2.0) for eta in (0.08, 0.2)]
        found = np.exp(best(lambda p: curve(p) - loss, starts))
        names = dict(zip(("E", "a", "b", "eta"), found, strict=True))
        return {c: float(v) for c, v in law.paper(names, reference).items()}


def row_5() -> list[Line]:
    runs, table = runs_with_scores("overtraining"), bs.load_table("overtraining")
    lines = []
    for corpus, (eta, floor) in GADRE.items():
        mode = overtraining_best(default_runs(corpus, runs))
        lines += [
            Line("gadre-overtrain", f"{corpus}, best eta", eta, 0.005, mode["eta"]),
            Line("gadre-overtrain", f"{corpus}, best E", floor, 0.03, mode["E"]),
        ]
        chosen = table.where(corpus=corpus, default_run="yes").select(benchmarks=["loss"])
        fit = quiet("gadre-overtrain", chosen, noise="normal")
        draws = law_draws(fit, None, "paper")
        for c, value in (("eta", eta), ("E", floor)):
            lines += [
                Line("gadre-overtrain", f"{corpus}, mean {c}", value, None, draws[c].mean()),
                Line("gadre-overtrain", f"{corpus}, sd of {c}", None, None, draws[c].std()),
            ]
    return lines


def downstream_best(loss: Array, error: Array) -> dict[str, float]:
    """Least squares of the mean error with our link, in the paper's coefficients."""
    link, pivot = find_part(Link, "downstream-exp"), 3.0

    def curve(p: Array, at: Array) -> Array:
        share, largest = 1 / (1 + np.exp(-p[:2]))
        told = link(at, pivot, 0.0, 1.0, error=share, largest=largest, rate=np.exp(p[2]))
        return 1 - np.asarray(told)

    with jax.enable_x64(True):
        starts = [(0.4, 1.7, math.log(g)) for g in (0.5, 0.8, 1.2)]
        p = best(lambda p: curve(p, loss) - error, starts)
    share, largest = 1 / (1 + np.exp(-p[:2]))
    g = float(np.exp(p[2]))
    return {"epsilon": largest, "k": largest * (1 - share) * math.exp(g * pivot), "g": g}


def row_6() -> list[Line]:
    runs = runs_with_scores("overtraining")
    of = runs[runs["corpus"] == "redpajama"]
    six = (of["default_run"] == "yes") | ((of["size"] == "1.4B") & (of["token_multiplier"] == 1))
    fitted = of[six]
    found = downstream_best(fitted["loss"].to_numpy(), 1 - fitted["accuracy_17"].to_numpy())
    published = {"g": 0.715, "k": 2.21, "epsilon": 0.857}
    law = "downstream-exp"
    lines = [Line(law, f"best {c}", v, 0.05 * v, float(found[c])) for c, v in published.items()]
    first = overtraining_best(default_runs("redpajama", runs))

    def predicted(run: pd.Series) -> float:
        scale = run["flops"] ** -first["eta"]
        m = run["multiplier"] ** first["eta"]
        loss = first["E"] + (first["a"] * m + first["b"] / m) * scale
        return float(found["epsilon"] - found["k"] * math.exp(-found["g"] * loss))

    large = {"redpajama 6.9B 1": 0.001, "redpajama 1.4B 32": 0.04}
    for run, limit in large.items():
        error = 1 - of.loc[run, "accuracy_17"]
        away = abs(predicted(of.loc[run]) / error - 1)
        lines.append(at_most(law, f"{run}, best, relative miss of the error", limit, away))
    table = bs.load_table("overtraining").select(
        benchmarks=["loss", "accuracy_17"], runs=list(fitted.index)
    )
    card = load_model("overtraining-downstream").card.split("[pooling]")[0]
    both = quiet(model_from_card(card), table)
    rows = of.loc[list(large), ["flops", "multiplier", "params", "tokens"]]
    told = both.predict(rows=rows.reset_index(drop=True), benchmark="accuracy_17", kind="mean")
    for (run, _), draws in zip(large.items(), told.draws.T, strict=True):
        error = 1 - of.loc[run, "accuracy_17"]
        lines += [
            Line(law, f"{run}, two responses: error, median", error, None, np.median(1 - draws)),
            Line(law, f"{run}, two responses: error, sd", None, None, draws.std()),
        ]
    return lines
