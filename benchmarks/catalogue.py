"""Refits of published laws: what papers print, the band around it, and what comes out here.

    python benchmarks/catalogue.py                 # every row, a few minutes
    python benchmarks/catalogue.py --row 7 --json

Set BAYESCALE_MIRROR to the folder of raw files. A row without a band is shown beside the others: a
published number that need not be that of another noise or of fewer runs. "mean" is a posterior
mean, "best" what least squares (or the paper's own objective) finds with our law. It is longer than
400 lines so that a row is one function here, and one test in tests/test_catalogue_rows.py.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from scipy.optimize import least_squares, minimize
from scipy.spatial import ConvexHull
from scipy.special import logsumexp

import bayescale as bs
from bayescale.base.files import atomic_path
from bayescale.base.runtime import keep_compiled
from bayescale.fits import Fit
from bayescale.inference.estimates import law_draws
from bayescale.inference.run import DRAWS
from bayescale.models.cards import load_model, model_from_card, model_of_law, own_table
from bayescale.parts.part import find_part
from bayescale.tables.table import Table

RESULTS = Path(__file__).parent / "results" / "catalogue.json"
Array = np.ndarray[Any, Any]
R_HAT, DIVERGENT = 1.01, 0.001


@dataclass(frozen=True)
class Line:
    """One number: published, half-width of its band or limits (none: only shown), and found."""

    law: str
    what: str
    published: float | None
    band: float | None
    found: float
    least: float | None = None
    most: float | None = None

    @property
    def inside(self) -> bool | None:
        low, high = self.least, self.most
        if self.band is not None and self.published is not None:
            low, high = self.published - self.band, self.published + self.band
        if low is None and high is None:
            return None
        return bool((low is None or self.found >= low) and (high is None or self.found <= high))


def at_most(law: str, what: str, limit: float, found: float) -> Line:
    """A line with an upper limit."""
    return Line(law, what, None, None, float(found), most=limit)


def quiet(model: Any, table: Table | None = None, **changes: Any) -> Fit:
    return bs.fit(model, table, seed=0, progress=False, **changes)


@cache
def of_card(name: str) -> Fit:
    """Fit a card to its own table, once in a process: rows and the test of cards ask for it."""
    result = load_model(name).result
    return bs.fit(name, seed=result["seed"], draws=result.get("draws", DRAWS), progress=False)


def means(fit: Fit, place: tuple[str, str] | None = None) -> dict[str, float]:
    """Posterior means of the paper's coefficients."""
    return {name: float(v.mean()) for name, v in law_draws(fit, place, "paper").items()}


def sampled_well(law: str, what: str, fit: Fit) -> list[Line]:
    summary = fit.summary()
    share = summary.divergences / (summary.chains * summary.draws)
    return [
        at_most(law, f"{what}, R-hat", R_HAT, summary.max_r_hat),
        at_most(law, f"{what}, share of divergences", DIVERGENT, share),
    ]


def runs_with_scores(name: str) -> pd.DataFrame:
    """Runs of a table with a column for each thing measured."""
    table = bs.load_table(name)
    measured = table.scores.pivot(index="run", columns="benchmark", values="score")
    return table.runs.join(measured.rename(columns=str))


def best(residuals: Callable[[Array], Array], starts: Iterable[Sequence[float]]) -> Array:
    """Least squares from several starts."""
    found = [
        least_squares(residuals, start, xtol=1e-14, ftol=1e-14, gtol=1e-14, max_nfev=20_000)
        for start in starts
    ]
    x: Array = min(found, key=lambda one: one.cost).x
    return x


# ---- chinchilla


def huber_chinchilla(runs: pd.DataFrame) -> dict[str, float]:
    """The paper's own fit: Huber of 0.001 on log residuals, log-sum-exp, a grid of starts."""
    log_n, log_d, log_y = (np.log(runs[c].to_numpy()) for c in ("params", "tokens", "loss"))

    def objective(p: Array) -> float:
        a, b, e, alpha, beta = p
        terms = np.stack([a - alpha * log_n, b - beta * log_d, np.full_like(log_n, e)])
        away = np.abs(logsumexp(terms, axis=0) - log_y)
        return float(np.where(away < 1e-3, away**2 / 2, 1e-3 * (away - 5e-4)).sum() * 1e3)

    starts = [
        (a, b, e, x, x) for a in (4, 8) for b in (4, 8) for e in (0.3, 0.8) for x in (0.3, 0.6)
    ]
    found = min((minimize(objective, s, method="BFGS") for s in starts), key=lambda one: one.fun)
    found = minimize(objective, found.x, method="Nelder-Mead", options={"maxiter": 20_000})
    a, b, e, alpha, beta = found.x
    return {"A": np.exp(a), "B": np.exp(b), "E": np.exp(e), "alpha": alpha, "beta": beta}


def cold_seconds(model: str) -> float:
    """Seconds of a fit from the command line, with an empty cache of compiled programs."""
    command = str(Path(sys.executable).parent / "bayescale")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run(
            [command, "fit", model, "--seed", "0", "--out", f"{folder}/fit.nc", "--quiet"],
            check=True,
            env={**os.environ, "BAYESCALE_CACHE": f"{folder}/cache"},
            stdout=subprocess.DEVNULL,
        )
        return time.perf_counter() - began


BESIROGLU = {"alpha": (0.348, 0.04), "beta": (0.366, 0.04), "E": (1.817, 0.06)}


def chinchilla_lines(fit: Fit, what: str) -> list[Line]:
    found = means(fit)
    lines = [Line("chinchilla", f"{what}, mean {c}", *BESIROGLU[c], found[c]) for c in BESIROGLU]
    share = law_draws(fit, None, "paper")
    a = float((share["beta"] / (share["alpha"] + share["beta"])).mean())
    lines.append(Line("chinchilla", f"{what}, mean a", 0.51, 0.08, a))
    normal = means(quiet("chinchilla", fit.table, noise="normal-log"))
    shown = [
        Line("chinchilla", f"{what}, normal-log noise, mean {c}", BESIROGLU[c][0], None, normal[c])
        for c in BESIROGLU
    ]
    return [*lines, *sampled_well("chinchilla", what, fit), *shown]


def row_1() -> list[Line]:
    runs = runs_with_scores("chinchilla-replication")
    paper = huber_chinchilla(runs[runs["outlier"] == "no"])
    huber = [
        Line("chinchilla", f"240 runs, Huber, best {c}", BESIROGLU[c][0], BESIROGLU[c][1], paper[c])
        for c in BESIROGLU
    ]
    return [*chinchilla_lines(of_card("chinchilla"), "240 runs"), *huber]


def row_1_time() -> list[Line]:
    return [at_most("chinchilla", "seconds of a cold fit", 20.0, cold_seconds("chinchilla"))]


def row_2() -> list[Line]:
    paper = huber_chinchilla(runs_with_scores("chinchilla-replication"))
    fit = quiet("chinchilla", bs.load_table("chinchilla-replication"))
    return [
        *chinchilla_lines(fit, "245 runs"),
        Line("chinchilla", "245 runs, Huber, best beta", 0.45, 0.03, paper["beta"]),
        Line("chinchilla", "245 runs, Huber, best E", 1.891, 0.03, paper["E"]),
    ]


# ---- over-training

GADRE = {"c4": (0.121, 1.51), "redpajama": (0.136, 1.84), "refinedweb": (0.127, 1.73)}


def default_runs(corpus: str, runs: pd.DataFrame) -> pd.DataFrame:
    return runs[(runs["corpus"] == corpus) & (runs["default_run"] == "yes")]


def overtraining_best(runs: pd.DataFrame) -> dict[str, float]:
    """Least squares of the loss with our law, in the paper's coefficients."""
    law = find_part("law", "gadre-overtrain")
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
    link, pivot = find_part("link", "downstream-exp"), 3.0

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


# ---- effective resources

CUT_OFFS = {"S-Base": 6.8e11, "Hash": 8.1e10, "RL-R": 8.8e10}


def row_7() -> list[Line]:
    table = own_table(load_model("routed-clark"))
    law = "routed-clark"
    dense = table.where(router="Dense")
    slope = np.polyfit(np.log(dense.runs["params"]), np.log(dense.scores["score"]), 1)[0]
    lines = [Line(law, "dense, slope in logs", -0.078, 0.003, float(slope))]
    fit = of_card("routed-clark")
    lines += sampled_well(law, "all routers", fit)
    for router, cut in CUT_OFFS.items():
        draws = law_draws(fit, ("router", router), "paper")
        if router == "S-Base":
            lines += [
                Line(law, f"{router}, mean a", -0.082, 0.003, draws["a"].mean()),
                Line(law, f"{router}, mean c", 0.009, 0.004, draws["c"].mean()),
            ]
        log2 = float(np.median(-draws["b"] / draws["c"])) / math.log10(2)
        lines.append(Line(law, f"{router}, log2 of the cut-off size", math.log2(cut), 1.0, log2))
    return lines


def row_8() -> list[Line]:
    published = {
        "stack_v2_python": {"kappa": 0.3935, "alpha": 0.1894, "E": 0.691},
        "pile": {"kappa": 0.3344, "alpha": 0.1963, "E": 1.289},
    }
    widths = {"kappa": 0.10, "alpha": 0.05, "E": 0.03}
    fit = of_card("parscale")
    lines = sampled_well("parscale", "both corpora", fit)
    for corpus, values in published.items():
        found = means(fit, ("corpus", corpus))
        lines += [
            Line("parscale", f"{corpus}, mean {c}", v, widths[c] * v, found[c])
            for c, v in values.items()
        ]
    return lines


def row_9() -> list[Line]:
    runs = runs_with_scores("vocabulary")
    runs = runs[runs["fitted"] == "yes"]
    law = find_part("law", "vocabulary")
    columns = ("params_nonvocab", "params_vocab", "vocabulary", "characters")
    at = [runs[c].to_numpy() / unit for c, unit in zip(columns, (1e6, 1e6, 1, 1e9), strict=True)]
    loss = runs["loss"].to_numpy()
    names = ("E", "A1", "A2", "B", "alpha_2", "beta")

    def curve(p: Array) -> Array:
        return np.asarray(law(*at, **dict(zip(names, np.exp(p), strict=True))))

    published = {"beta": (0.446, 0.02), "alpha_2": (0.665, 0.05), "E": (5.53, 0.05)}
    start = np.log([5.5, 1.8, 0.2, 2.1, 0.7, 0.45])
    lines = []
    with jax.enable_x64(True):
        for what, changes in (("Huber 0.001", {"loss": "huber", "f_scale": 1e-3}), ("squares", {})):
            p = least_squares(lambda p: curve(p) - loss, start, **changes).x
            found = dict(zip(names, np.exp(p), strict=True))
            for c, (value, band) in published.items():
                inside = band if what != "squares" else None
                lines.append(Line("vocabulary", f"{what}, best {c}", value, inside, found[c]))
            explained = 1 - ((curve(p) - loss) ** 2).sum() / ((loss - loss.mean()) ** 2).sum()
            shown = 0.005 if what != "squares" else None
            lines.append(Line("vocabulary", f"{what}, R2", 0.971, shown, float(explained)))
    fits = {
        "laplace": of_card("vocabulary"),
        "student-t-plain": quiet("vocabulary", noise="student-t-plain"),
    }
    for noise, fit in fits.items():
        draws = law_draws(fit, None, "paper")
        for c, (value, band) in published.items():
            inside = band if noise == "laplace" and c != "alpha_2" else None
            lines.append(Line("vocabulary", f"{noise}, mean {c}", value, inside, draws[c].mean()))
        if noise == "laplace":
            lines += sampled_well("vocabulary", noise, fit)
            sd = draws["alpha_2"].std()
            lines.append(Line("vocabulary", f"{noise}, sd of alpha_2", None, None, sd))
    return lines


def row_10() -> list[Line]:
    fit = of_card("step-law")
    found = means(fit)
    published = {"p": -0.713, "q": 0.307, "r": 0.571}
    shown = [
        Line("step-law", f"surface, mean {c}", v, None, found[c]) for c, v in published.items()
    ]
    return [*shown, *sampled_well("step-law", "surface", fit)]


# ---- curves


def row_11() -> list[Line]:
    name = "MBZUAI/LaMini-GPT-124M"
    table = bs.load_table("finetuning").where(task="flan", model=name)
    fit = quiet(model_of_law("rectified"), table)  # alone: there is nothing to pool
    found = means(fit)
    median = np.median(
        fit.predict(rows=table.runs[["examples"]].reset_index(drop=True), kind="mean").draws, 0
    )
    loss = table.scores.set_index("run")["score"].loc[table.runs.index].to_numpy()
    rms = float(np.sqrt((np.log(median / loss) ** 2).mean()))
    other = quiet("power-floor", table, inputs={"x": "examples"}, noise="student-t-log")
    frame = bs.compare({"rectified": fit, "power-floor": other}).loo
    gap = float(frame["rectified"].elpd - frame["power-floor"].elpd)
    law = "rectified"
    return [
        Line(law, "LaMini-GPT-124M, mean beta", 0.455, 0.05, found["beta"]),
        Line(law, "LaMini-GPT-124M, mean E", 1.07, 0.15, found["E"]),
        at_most(law, "LaMini-GPT-124M, RMS log residual", 0.005, rms),
        # Ten nats are a factor of 22,000 in how likely the left-out points were.
        Line(law, "LOO ahead of power-floor, nats", None, None, gap, least=10.0),
        *sampled_well(law, "LaMini-GPT-124M", fit),
    ]


def row_18() -> list[Line]:
    whole = bs.load_table("bnsl-addition")
    fit = of_card("bnsl")
    last = whole.where(training=0)
    rows = last.runs[["examples"]].reset_index(drop=True)
    found = np.median(fit.predict(rows=rows, kind="mean").draws, axis=0)
    loss = last.scores.set_index("run")["score"].loc[last.runs.index].to_numpy()
    return [
        Line("bnsl", "mean d_1", 613.0, None, means(fit)["d_1"]),
        *(
            Line("bnsl", f"loss at {x:g} examples", y, 0.03 * y, got)
            for x, y, got in zip(rows["examples"], loss, found, strict=True)
        ),
        *sampled_well("bnsl", "14 points", fit),
    ]


# ---- from one corpus to another


def pairs(runs: pd.DataFrame, corpus: str) -> Table:
    """Losses of one corpus beside those of FineWeb-Edu at the same size and compute."""
    cell = ["params", "flops"]
    there = runs.loc[runs["corpus"] == "fineweb-edu", [*cell, "loss"]]
    here = runs.loc[runs["corpus"] == corpus, [*cell, "loss"]]
    both = here.merge(there, on=cell, suffixes=("", "_fineweb_edu"))
    return Table.from_runs(both, "loss", units={"loss": "nats/token"}, name=f"{corpus} pairs")


def kaplan_floor(runs: pd.DataFrame) -> float:
    """Floor of the Kaplan variant, by the paper's objective: Huber of 0.001 on logs."""
    law = find_part("law", "kaplan-nd")
    params, tokens, loss = (runs[c].to_numpy() for c in ("params", "tokens", "loss"))

    def away(p: Array) -> Array:
        E, R, odds, a, b = np.exp(p)
        share = odds / (1 + odds)
        told = law(params / 3e8, tokens / 3e9, E=E, R=R, share=share, alpha_N=a, alpha_D=b)
        return np.log(np.asarray(told) / loss)

    with jax.enable_x64(True):
        starts = [np.log([E, 1.0, 1.0, 0.4, 0.4]) for E in (0.5, 1.0, 1.7)]
        found = [least_squares(away, s, loss="huber", f_scale=1e-3, max_nfev=5_000) for s in starts]
    return float(np.exp(min(found, key=lambda one: one.cost).x[0]))


def row_12() -> list[Line]:
    runs = runs_with_scores("loss-to-loss")
    floors = {corpus: kaplan_floor(of) for corpus, of in runs.groupby("corpus")}
    lines, law = [], "loss-to-loss"
    for corpus in sorted(set(floors) - {"fineweb-edu"}):
        table = pairs(runs, corpus)
        # The paper plugs both floors in; a factor of 1.001 is as near to that as a prior comes.
        known = {"E": (floors[corpus], 1.001), "E_0": (floors["fineweb-edu"], 1.001)}
        column = {"loss": "loss_fineweb_edu"}
        fit = quiet(law, table, priors=known, inputs=column)
        draws = law_draws(fit)
        free = law_draws(quiet(model_of_law(law), table, inputs=column))["kappa"]
        lines += [
            Line(law, f"{corpus}, mean kappa", 1.035, 0.085, draws["kappa"].mean()),
            *sampled_well(law, corpus, fit),
            Line(law, f"{corpus}, floors free, mean kappa", None, None, free.mean()),
            Line(law, f"{corpus}, floors free, sd of kappa", None, None, free.std()),
        ]
        if corpus == "fineweb":
            lines += [
                Line(law, f"{corpus}, mean kappa, narrow", 1.0, 0.03, draws["kappa"].mean()),
                Line(law, f"{corpus}, mean K", 1.01, 0.03, draws["K"].mean()),
            ]
    return lines


# ---- leaderboards


def components(scores: Array, rank: int = 1, rounds: int = 1_000) -> tuple[Array, Array]:
    """Shares of variance and first component, missing scores filled in by the component itself."""
    missing = np.isnan(scores)
    filled = np.where(missing, np.nanmean(scores, axis=0), scores)
    for _ in range(rounds):
        middle = filled.mean(axis=0)
        left, sizes, right = np.linalg.svd(filled - middle, full_matrices=False)
        guess = (left[:, :rank] * sizes[:rank]) @ right[:rank] + middle
        if np.abs(np.where(missing, guess - filled, 0)).max() < 1e-10:
            break
        filled = np.where(missing, guess, filled)
    return sizes**2 / (sizes**2).sum(), left[:, 0] * sizes[0] * np.sign(right[0].sum())


def row_14() -> list[Line]:
    folder = Path(os.environ["BAYESCALE_MIRROR"]) / "obsscaling"
    source = pd.read_csv(folder / "base_llm_benchmark_eval.csv")
    shares, first = components(source.iloc[:, 5:].to_numpy(float))
    lines = [
        Line("obs-scaling", "share of the first component", 0.85, 0.03, float(shares[0])),
        Line("obs-scaling", "share of three components", 0.97, 0.03, float(shares[:3].sum())),
    ]
    source = source.assign(first=first, log_flops=np.log(source["FLOPs (1E21)"]))
    known = source.dropna(subset="log_flops")
    for family in ("Llama", "OPT", "Pythia", "Qwen1.5", "BLOOM"):
        of = known[known["Model Family"] == family]
        r2 = float(np.corrcoef(of["log_flops"], of["first"])[0, 1] ** 2)
        what = f"{family}, R2 of the first on log FLOPs"
        lines.append(Line("obs-scaling", what, None, None, r2, least=0.9))
    return lines


# ---- shapes and mixtures


def hull_exponent(runs: pd.DataFrame, size: str) -> float:
    """Slope of log size against log compute along the lower convex hull of loss over compute."""
    x, y = np.log(runs["flops"].to_numpy()), np.log(runs["loss"].to_numpy())
    above = [x.max() + math.log(2), y.max() + math.log(2)]  # so that the hull is the lower one
    points = np.vstack([np.column_stack([x, y]), above])
    corner = [i for i in ConvexHull(points).vertices if i < len(x)]
    return float(np.polyfit(x[corner], np.log(runs[size].to_numpy())[corner], 1)[0])


def row_22() -> list[Line]:
    runs = runs_with_scores("gemstones")
    rows = (
        ("all of the constant rate", ["hot"], "params", 0.499),
        ("beyond 100 billion tokens too", ["hot", "hot-100b"], "params", 0.458),
        ("without embeddings", ["hot"], "params_nonemb", 0.627),
    )
    return [
        Line("gemstones", what, value, 0.03, hull_exponent(runs[runs["set"].isin(sets)], size))
        for what, sets, size, value in rows
    ]


# How the Pile's paper groups its parts (Gao et al. 2020, arXiv:2101.00027); its miscellany of code
# and mathematics is the symbolic domain of the mixtures.
PILE = {
    "academic": "ArXiv PubMed_Central PubMed_Abstracts FreeLaw USPTO_Backgrounds PhilPapers "
    "NIH_ExPorter",
    "internet": "Pile-CC OpenWebText2 StackExchange Wikipedia_en",
    "prose": "Books3 BookCorpus2 PG19",
    "dialogue": "OpenSubtitles YoutubeSubtitles Ubuntu_IRC EuroParl HackerNews Enron_Emails",
    "symbolic": "Github DM_Mathematics",
}
FOLDS = 4


def mixture_losses() -> pd.DataFrame:
    """Mean losses of five domains for each mixture and checkpoint of the largest size."""
    runs = runs_with_scores("mixing-laws")
    runs = runs[(runs["size"] == "410M") & (runs["step"] <= 30_000)]
    group = {part: name for name, text in PILE.items() for part in text.split()}
    shares = [f"shares_{name}" for name in PILE]
    key = [*shares, "mixture", "step", "tokens", "params"]
    runs = runs.assign(group=runs["domain"].map(group))
    found = runs.groupby(["group", *key], as_index=False)["loss"].mean()
    found["share"] = [row[f"shares_{row['group']}"] for row in found.to_dict("records")]
    order = sorted(found["mixture"].unique(), key=lambda name: int(name.split("-")[1]))
    return found.assign(fold=found["mixture"].map({m: i % FOLDS for i, m in enumerate(order)}))


def missed(law: str, runs: pd.DataFrame, columns: list[str], **changes: Any) -> tuple[float, float]:
    """Mean relative miss of held-out mixtures, and the largest R-hat of the fits."""
    away, r_hat = [], 0.0
    for fold in range(FOLDS):
        kept, held = runs[runs["fold"] != fold], runs[runs["fold"] == fold]
        table = Table.from_runs(
            kept[[*columns, "loss"]], "loss", units={"loss": "nats/token"}, name=law
        )
        fit = quiet(law, table, noise="student-t-log", **changes)
        told = fit.predict(rows=held[columns].reset_index(drop=True), kind="mean")
        away.append(np.abs(np.median(told.draws, axis=0) / held["loss"].to_numpy() - 1))
        r_hat = max(r_hat, fit.summary().max_r_hat)
    return float(np.concatenate(away).mean()), r_hat


def mixture_lines(law: str, one: Callable[[pd.DataFrame], tuple[float, float]]) -> list[Line]:
    runs = mixture_losses()
    found = {name: one(of) for name, of in runs.groupby("group")}
    each = [
        Line(law, f"{name}, mean relative miss of held-out mixtures", None, None, miss)
        for name, (miss, _) in found.items()
    ]
    mean = float(np.mean([miss for miss, _ in found.values()]))
    r_hat = max(r_hat for _, r_hat in found.values())
    return [
        *each,
        at_most(law, "five domains, mean relative miss of held-out mixtures", 0.01, mean),
        Line(law, "five domains, largest R-hat", None, None, r_hat),
    ]


def row_24_bimix() -> list[Line]:
    def one(runs: pd.DataFrame) -> tuple[float, float]:
        return missed("bimix", runs[runs["share"] > 0], ["share", "tokens"])

    return mixture_lines("bimix", one)


def row_24_mixing() -> list[Line]:
    def one(runs: pd.DataFrame) -> tuple[float, float]:
        last = runs[runs["step"] == 30_000]
        # A sixteenth of a domain can matter, so contrasts of ten are possible.
        wide = {"t": (0.0, 5.0)}
        # The last domain is what others are set against: one that is not measured, since of its own
        # domain a mixture may leave next to no reducible loss.
        names = list(PILE)
        first = names.index(runs["group"].iloc[0])
        columns = [f"shares_{name}" for name in (*names[first:], *names[:first])]
        return missed("mixing-exp", last, columns, priors=wide)

    return mixture_lines("mixing-exp", one)


ROWS: Mapping[str, Callable[[], list[Line]]] = {
    "1": row_1,
    "1-time": row_1_time,
    "2": row_2,
    "5": row_5,
    "6": row_6,
    "7": row_7,
    "8": row_8,
    "9": row_9,
    "10": row_10,
    "11": row_11,
    "12": row_12,
    "14": row_14,
    "18": row_18,
    "22": row_22,
    "24-bimix": row_24_bimix,
    "24-mixing": row_24_mixing,
}


def done() -> dict[str, list[dict[str, Any]]]:
    return json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--row", nargs="+", choices=list(ROWS), help="rows to run, even if done")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    keep_compiled()
    found = done()
    for row in args.row or [row for row in ROWS if row not in found]:
        print(f"row {row}", file=sys.stderr, flush=True)
        lines = ROWS[row]()
        found[row] = [{**asdict(line), "inside": line.inside} for line in lines]
        found = {row: found[row] for row in ROWS if row in found}
        with atomic_path(RESULTS) as temporary:
            temporary.write_text(json.dumps(found, indent=1, default=float) + "\n", "utf-8")
    shown = {row: found[row] for row in args.row or found}
    if args.json:
        print(json.dumps(shown, indent=1))
        return
    frame = pd.DataFrame([{"row": row, **line} for row, lines in shown.items() for line in lines])
    inside = frame["inside"].map({True: "yes", False: "NO"}).fillna("shown")
    print(frame.assign(inside=inside).to_string(index=False, float_format="{:.4g}".format))


if __name__ == "__main__":
    main()
