"""`checklist`: what a reader needs to reproduce a fit, answered from the fit itself.

The items are those of a survey of scaling-law papers, most of which leave out what is needed to fit
their laws again.

Source: Li, Kudugunta and Zettlemoyer 2025, arXiv:2502.18969 ((Mis)Fitting).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayescale.ask.answer import Answer
from bayescale.ask.kit.curve import law_columns
from bayescale.base.words import quoted, told
from bayescale.inference.diagnostics import Verdict
from bayescale.inference.posterior import Posterior
from bayescale.inference.sensitivity import judged
from bayescale.tables.compute import as_read

NOT_KNOWN = "not known to the fit: say it in the paper"
Item = tuple[str, str, str | None]


def checklist(fit: Posterior) -> Answer:
    """List what a reader needs to reproduce this fit, and what is not known of it.

    Returns
    -------
    Answer
        `.frame`: `section`, `item`, `answer`, and whether it is `known`.

    Examples
    --------
    >>> print(fit.checklist())  # doctest: +SKIP

    Source: Li et al. 2025, arXiv:2502.18969 ((Mis)Fitting).
    """
    items = [
        *_hypothesis(fit),
        *_setup(fit),
        *_counting(fit),
        *_data(fit),
        *_fitting(fit),
        *_validation(fit),
        *_release(fit),
    ]
    frame = pd.DataFrame(
        [
            (section, item, answer or NOT_KNOWN, answer is not None)
            for section, item, answer in items
        ],
        columns=["section", "item", "answer", "known"],
    )
    missing = frame.loc[~frame["known"], "item"]
    return Answer(
        question="checklist",
        frame=frame,
        draws=np.zeros((0, len(frame))),
        sentence=(
            f"{int(frame['known'].sum())} of {len(frame)} items follow from the fit; left to say: "
            f"{quoted(missing, most=20)}."
        ),
        doubts=() if fit.verdict_ok else (f"the sampler's verdict: {fit.diagnosis.verdict}",),
        about={"model": fit.model.name, "table": fit.table.name},
    )


def _hypothesis(fit: Posterior) -> Iterator[Item]:
    law, marks = fit.model.law, fit.table.benchmarks
    formula = (law.function.__doc__ or "").split(".. math::")
    text = " ".join(formula[1].split("\n\n")[0].split()) if len(formula) > 1 else None
    section = "hypothesis"
    yield (
        section,
        "response and unit",
        quoted([f"{name} ({unit})" for name, unit in marks["unit"].items()], most=6),
    )
    yield section, "independent variables", ", ".join(law_columns(fit))
    yield section, "equation", text
    yield section, "source of the law", law.source
    yield section, "claim of the model", fit.model.claim
    yield section, "alternatives considered", None


def _setup(fit: Posterior) -> Iterator[Item]:
    runs, section = fit.table.runs, "setup"
    yield section, "number of runs", str(len(runs))
    pairs = runs[["params", "tokens"]].dropna().drop_duplicates()
    yield section, "different pairs of params and tokens", str(len(pairs))
    for name in ("params", "tokens", "flops", "multiplier"):
        values = as_read(runs, name).dropna()
        values = values[values > 0]
        span = f"{told(values.min())} to {told(values.max())}" if len(values) else None
        yield section, f"range of {'tokens per param' if name == 'multiplier' else name}", span
    for item in (
        "architecture, and how its shape scales",
        "data, filtering, repeats, tokeniser, context length",
        "learning rate, schedule, batch, optimiser, and what was tuned at each scale",
        "precision of the hardware",
    ):
        yield section, item, None


def _counting(fit: Posterior) -> Iterator[Item]:
    runs, section = fit.table.runs, "counting"
    said = runs["params_convention"] if "params_convention" in runs else pd.Series(dtype=str)
    conventions = sorted({str(value) for value in said.dropna() if str(value)})
    yield section, "how params are counted", ", ".join(conventions) or None
    active = runs["params_active"].notna().any()
    yield section, "active params told", "yes" if active else "no: all params are active"
    given = runs["flops"].notna()
    rule = "6 x params x tokens"
    if given.any():
        rule = "as the table gives them" + ("" if given.all() else f", else {rule}")
    yield section, "FLOPs of a run", rule


def _data(fit: Posterior) -> Iterator[Item]:
    table, section = fit.table, "data"
    left_out = table.excluded
    many = table.runs["trajectory"].nunique() if "trajectory" in table.runs else 0
    yield (
        section,
        "end points or checkpoints",
        (f"points of {many} training runs, told by trajectory" if many else None),
    )
    why = "none"
    if len(left_out):
        reasons = sorted(set(left_out["reason"].astype(str)))
        why = f"{len(left_out)} rows: {quoted(reasons, most=4)}"
    chosen = ", ".join(f"{k} = {v}" for k, v in fit.model.where.items())
    yield section, "points excluded, and why", f"{why}; the card takes {chosen}" if chosen else why
    known = table.scores["stderr"].notna().mean()
    yield section, "known standard errors", f"of {known:.0%} of the measurements"
    yield section, "train or validation loss, smoothing", None


def _fitting(fit: Posterior) -> Iterator[Item]:
    model, section = fit.model, "fit"
    yield section, "likelihood", model.noise.name
    priors = model.priors()
    ends = priors.drop_duplicates("coefficient").set_index("coefficient")
    told_each = [
        f"{name} {row['median']:.3g} ({row['lower_0.9']:.3g} to {row['upper_0.9']:.3g})"
        for name, row in ends.iterrows()
    ]
    yield section, "priors: median and 90% interval", "; ".join(told_each)
    pooled = [
        f"{name} by {rule.group}" + ("" if rule.spread is not None else " (separate)")
        for name, rules in model.pooling.items()
        for rule in rules
    ]
    yield section, "pooling", ", ".join(pooled) or "one value of each coefficient"
    sizes = fit.posterior.sizes
    yield section, "sampler", f"NUTS, {sizes['chain']} chains of {sizes['draw']} draws"
    yield section, "seed", str(fit.seed)
    reference = ", ".join(f"{k} {told(float(v))}" for k, v in model.reference.items())
    yield section, "inputs are divided by", reference or "nothing"


def _validation(fit: Posterior) -> Iterator[Item]:
    found, section = judged(fit), "validation"
    yield section, "diagnostics", str(found).split("\n")[1] if "\n" in str(found) else str(found)
    yield section, "verdict", str(found.verdict)
    yield section, "interval", "central, of the posterior predictive"
    if found.verdict is not Verdict.BAD:
        weak = [note for note in found.notes if "prior" in note]
        yield section, "owed to the priors", "; ".join(weak) or "nothing that was found"
    for item in ("held-out scale and how far it extrapolates", "sensitivity to the points used"):
        yield section, f"{item} (`bayescale backtest`)", None


def _release(fit: Posterior) -> Iterator[Item]:
    section = "release"
    yield section, "table", f"{fit.table.name}, kept in the fit file"
    yield section, "model card", "kept in the fit file"
    yield section, "code and versions", ", ".join(f"{k} {v}" for k, v in fit.versions.items())
