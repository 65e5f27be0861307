"""`place`: a new benchmark with scores for a handful of runs, on the skills that a fit knows.

The scores join the table of the fit, and the model is fitted once more: so the new benchmark's
loadings, level and noise are learned with the skills, and what is not known of either is in every
interval.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayescale.answer import Answer, Floats, check_interval, percent, quantiles
from bayescale.errors import AskError, BayescaleError
from bayescale.evidence import Evidence
from bayescale.table import Table
from bayescale.validation import quoted, suggest

if TYPE_CHECKING:
    from bayescale.fit import Fit

COLUMNS = ("run", "benchmark", "score")
FEW = 5  # scores of a benchmark below which its place is mostly the prior's


def place(
    fit: Fit,
    scores: pd.DataFrame,
    *,
    chance: float,
    items: float | None,
    interval: float,
    seed: int,
    progress: bool,
) -> Answer:
    """Place a new benchmark; `Questions.place` documents the arguments."""
    check_interval(interval)
    name = _check(fit, scores, chance)
    joint = _joined(fit, scores, name, chance, items)
    from bayescale.fit import fit as fit_again

    sizes = fit.posterior.sizes
    after = fit_again(
        fit.model, joint, seed=seed, chains=sizes["chain"], draws=sizes["draw"], progress=progress
    )
    runs = tuple(map(str, scores["run"]))
    evidence = Evidence(runs=runs, scores=len(scores), how="placed", why=name)
    after = dataclasses.replace(after, evidence=(*fit.evidence, evidence))
    asked = pd.DataFrame({"run": list(fit.table.runs.index)})
    found = after.predict(asked, benchmark=name, kind="score", interval=interval, seed=seed)
    frame = pd.DataFrame({"run": asked["run"], "benchmark": name})
    frame["observed"] = scores.set_index("run")["score"].reindex(frame["run"]).to_numpy(float)
    frame = frame.assign(**quantiles(found.draws, interval))
    order = np.argsort(-frame["median"].to_numpy(), kind="stable")
    frame = frame.iloc[order].reset_index(drop=True)
    doubts = [f"the sampler's verdict: {after.summary().verdict}"] if not after.verdict_ok else []
    if len(scores) < FEW:
        doubts.append(f"{len(scores)} scores say little of {name}: its place is mostly the prior's")
    loadings = _loadings(after, name)
    return Answer(
        question="place",
        frame=frame,
        draws=found.draws[:, order],
        sentence=_sentence(frame, name, loadings, len(scores), interval),
        doubts=tuple(doubts),
        interval=interval,
        picture=frame,
        about={
            "benchmark": name,
            "loadings": {skill: float(np.median(v)) for skill, v in loadings.items()},
        },
        fit=after,
    )


def _check(fit: Fit, scores: pd.DataFrame, chance: float) -> str:
    if not fit.model.of_leaderboard:
        raise AskError(
            f"{fit.model.name} is a law of a {fit.model.law.response}: a benchmark is placed on "
            "the skills of a leaderboard's model, such as skills"
        )
    if missing := [name for name in COLUMNS if name not in scores]:
        raise AskError(f"scores need columns {', '.join(COLUMNS)}; {quoted(missing)} is not there")
    names = list(dict.fromkeys(map(str, scores["benchmark"])))
    if len(names) != 1:
        raise AskError(f"one benchmark is placed at a time; given: {quoted(names) or 'none'}")
    [name] = names
    if name in fit.table.benchmarks.index:
        raise AskError(f"the fit knows {name} already: update() takes new runs on it")
    runs = fit.table.runs.index
    if unknown := [str(run) for run in scores["run"] if run not in runs]:
        hint = suggest(unknown[0], map(str, runs))
        raise AskError(
            f"the fit has no run {quoted(unknown)}{hint}: only runs whose skills it knows can say "
            "where a benchmark stands; add others to the table and fit again"
        )
    if not 0 <= chance < 1:
        raise AskError(f"chance must be in [0, 1); given: {chance:g}")
    return name


def _joined(fit: Fit, scores: pd.DataFrame, name: str, chance: float, items: float | None) -> Table:
    table = fit.table
    marks = table.benchmarks.copy()
    fact: dict[str, Any] = {"chance": chance, "ceiling": 1.0, "unit": "accuracy"}
    fact["items"] = np.nan if items is None else float(items)
    marks.loc[name] = pd.Series(fact).reindex(marks.columns)
    if "resolution" in marks:
        marks.loc[name, "resolution"] = 0.0
    more = scores.assign(run=scores["run"].astype(str)).reindex(columns=list(table.scores.columns))
    try:
        return Table.from_long(
            pd.concat([table.scores, more], ignore_index=True),
            table.runs.reset_index(),
            marks.reset_index(),
            name=table.name,
            excluded=table.excluded,
            series=table.series,
        )
    except BayescaleError as error:
        raise AskError(str(error)) from error


def _loadings(fit: Fit, name: str) -> dict[str, Floats]:
    """Give the draws of a benchmark's loadings, where the model has skills."""
    if "loading" not in fit.posterior:
        return {}
    own = fit.posterior["loading"].sel(other=name).stack(sample=("chain", "draw"))
    return {str(skill): own.sel(skill=skill).to_numpy() for skill in own["skill"].to_numpy()}


def _sentence(
    frame: pd.DataFrame, name: str, loadings: dict[str, Floats], scores: int, interval: float
) -> str:
    text = f"Placed by {scores} scores"
    if loadings:
        ordered = sorted(loadings.items(), key=lambda pair: -abs(float(np.median(pair[1]))))
        each = [f"{skill} {np.median(values):.2g}" for skill, values in ordered]
        text += f", {name} gains from {', '.join(each)} (logits a logit of the skill)"
    unseen = frame[frame["observed"].isna()]
    if len(unseen):
        best = unseen.iloc[0]
        low, high = best[f"lower_{interval:g}"], best[f"upper_{interval:g}"]
        text += (
            f"; of {len(unseen)} runs without a score {best['run']} is expected highest: "
            f"{best['median']:.3g} ({percent(interval)} interval {low:.3g} to {high:.3g})"
        )
    return f"{text}."
