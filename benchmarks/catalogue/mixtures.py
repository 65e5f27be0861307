"""Mixtures of domains, of which one in four is held out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from bayescale.tables.table import Table
from benchmarks.catalogue.common import Line, at_most, quiet, runs_with_scores

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
