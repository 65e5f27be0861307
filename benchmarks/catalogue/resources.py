"""Laws of effective resources: experts, parallel streams, vocabularies, learning rates."""

from __future__ import annotations

import math

import jax
import numpy as np
from scipy.optimize import least_squares

from bayescale.inference.estimates import law_draws
from bayescale.models.cards import load_model, own_table
from bayescale.parts.find import find_part
from bayescale.parts.part import Law
from benchmarks.catalogue.common import (
    Array,
    Line,
    means,
    of_card,
    quiet,
    runs_with_scores,
    sampled_well,
)

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
    law = find_part(Law, "vocabulary")
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
