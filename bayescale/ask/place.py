"""`place`: a new benchmark with scores for a handful of runs, on the skills that a fit knows.

Two stages. The fit gives draws of each run's expected scores; a small regression learns how the new
benchmark follows from them (`placement.py`). Nothing is fitted again.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescale.ask.answer import Answer
from bayescale.ask.kit.placement import Placed, Scores, features, predicted, regress
from bayescale.base.counts import format_count
from bayescale.base.errors import AskError
from bayescale.base.intervals import Floats, check_interval, intervals, number, quantiles
from bayescale.base.words import percent, quoted, suggest
from bayescale.inference.diagnostics import Verdict
from bayescale.inference.posterior import Posterior
from bayescale.models.responses import own_responses
from bayescale.predict.predict import predict
from bayescale.predict.prediction import COUNTS
from bayescale.tables.validation import Sourced

COLUMNS = ("run", "benchmark", "score")
FEW = 5  # scores of a benchmark below which its place is mostly the prior's


def place(
    fit: Posterior,
    scores: pd.DataFrame,
    rows: pd.DataFrame | Sourced | None = None,
    *,
    chance: float = 0.0,
    items: float | None = None,
    interval: float = 0.9,
    seed: int = 0,
    progress: bool = False,
) -> Answer:
    r"""Place a new benchmark, agent task or ability on the skills that the leaderboard knows.

    .. math:: \eta = d + \sum_k w_k \left[(1 - a)\, \mathrm{logit}\, q_k + 4 a\, q_k\right],
              \quad p = l + (u - l)\, \sigma(\eta + \tau t_5)

    q are the expected scores of the skills' anchors (of all benchmarks, where a model has no
    skills), as shares of the room above chance, in the draws of the fit. The fit stays as it
    is: a small regression learns the level, the weights, how far the features are bounded, the
    ends of the curve, and how far runs depart from it. `bayescale.ask.kit.placement.PRIORS` has
    its priors.

    Parameters
    ----------
    scores
        Columns run, benchmark, score in [0, 1], and maybe stderr: a handful of runs of the fit
        on one benchmark that it does not know.
    rows
        What to predict, as in `predict`: planned models, or runs. Every run of the fit by
        default.
    chance
        Score of guessing.
    items
        Number of questions, where known.
    interval
        Probability of the central interval of a measured score.
    seed
        Seed.
    progress
        Whether the regression shows progress.

    Returns
    -------
    Answer
        `.frame`: the rows, the highest first, each with its measured score, if any, and the
        one that a measurement is to give. `.about`: the weights.

    Raises
    ------
    AskError
        A fit of a law, unknown runs, a benchmark that is known, several at once, a score that
        is no share.

    Examples
    --------
    >>> fit.place(scores, chance=0.25, items=400)  # doctest: +SKIP
    >>> plans = pd.DataFrame({"params": [70e9], "tokens": [15e12]})  # doctest: +SKIP
    >>> fit.place(scores, plans, chance=0.25)  # doctest: +SKIP

    Source: Ruan, Maddison and Hashimoto 2024, arXiv:2405.10938 (observational scaling laws).
    """
    check_interval(interval)
    name = _check(fit, scores, chance, items)
    # The order of the rows is of no account, not even to the seed.
    numbers = {n: pd.to_numeric(scores[n]) for n in ("score", "stderr") if n in scores}
    known = scores.assign(run=scores["run"].astype(str), **numbers)
    known = known.sort_values("run", kind="stable")
    if rows is None:
        rows = pd.DataFrame({"run": list(fit.table.runs.index)})
    anchors = leaned_on(fit)
    of_known, _, doubts = _features(fit, pd.DataFrame({"run": known["run"]}), anchors, seed)
    of_asked, frame, more = _features(fit, rows, anchors, seed)
    error = known.get("stderr", pd.Series(np.nan, known.index)).to_numpy(float)
    told = Scores(known["score"].to_numpy(float), error, chance, items or np.inf)
    placed = regress(of_known, told, seed=seed, progress=progress)
    draws = predicted(placed, of_asked, told, seed=seed)
    frame["benchmark"] = name
    measured = known.groupby("run")["score"].mean()
    frame["observed"] = measured.reindex(frame["run"]).to_numpy(float) if "run" in frame else np.nan
    frame = frame.assign(**intervals(draws, interval))
    order = np.argsort(-frame["median"].to_numpy(), kind="stable")
    frame = frame.iloc[order].reset_index(drop=True)
    weights = dict(zip(anchors, placed.sites["weight"].T, strict=True))
    return Answer(
        question="place",
        frame=frame,
        draws=draws[:, order],
        sentence=_sentence(frame, name, weights, len(known), interval),
        doubts=(
            *dict.fromkeys((*doubts, *more)),
            *_doubts(name, len(known), placed, of_known, of_asked),
        ),
        interval=interval,
        picture=_picture(frame),
        about={
            "benchmark": name,
            "weights": {mark: float(quantiles(values, 0.5)) for mark, values in weights.items()},
        },
    )


def leaned_on(fit: Posterior) -> list[str]:
    """Give the benchmarks whose expected scores are features: anchors of skills, or all."""
    return list(fit.model.anchors(fit.table).values()) or list(fit.table.benchmarks.index)


def _features(
    fit: Posterior, rows: pd.DataFrame | Sourced, anchors: list[str], seed: int
) -> tuple[Floats, pd.DataFrame, tuple[str, ...]]:
    found = predict(fit, rows, benchmark=anchors, kind="mean", seed=seed)
    draws = found.draws.reshape(len(found.draws), -1, len(anchors))
    facts = fit.table.benchmarks.loc[anchors]
    queries = found.frame.iloc[:: len(anchors)].reset_index(drop=True)
    names = ("run", "family", "params", "params_active", "tokens")
    given = rows.frame if isinstance(rows, Sourced) else rows
    kept = [column for column in names if column in queries and column in given]
    return features(draws, facts["chance"].to_numpy(float)), queries[kept], found.doubts


def _check(fit: Posterior, scores: pd.DataFrame, chance: float, items: float | None) -> str:
    if own_responses(fit.model, fit.table):
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
    if twice := [str(run) for run in scores["run"][scores["run"].duplicated()]]:
        raise AskError(f"{quoted(twice)} has two scores on {name}: give one")
    if not 0 <= number("chance", chance) < 1:
        raise AskError(f"chance must be in [0, 1); given: {chance:g}")
    if items is not None and not number("items", items) >= 1:
        raise AskError(f"items must be at least 1; given: {items:g}")
    values = pd.to_numeric(scores["score"], errors="coerce")
    if bad := list(scores["score"][~values.between(0, 1)]):
        hint = "; divide percents by 100" if (values > 1).any() else ""
        raise AskError(f"scores are shares in [0, 1]; given: {quoted(map(str, bad))}{hint}")
    told = scores.get("stderr", pd.Series(dtype=float))
    errors = pd.to_numeric(told, errors="coerce")
    if bad := list(told[(errors < 0) | (errors.isna() & told.notna())]):
        raise AskError(f"stderr is a number, not below 0; given: {quoted(map(str, bad))}")
    return name


def _doubts(
    name: str, scores: int, placed: Placed, known: Floats, asked: Floats
) -> tuple[str, ...]:
    doubts = []
    if scores < FEW:
        few = "one score says" if scores == 1 else f"{scores} scores say"
        doubts.append(f"{few} little of {name}: its place is mostly the prior's")
    if placed.diagnosis.verdict is not Verdict.GOOD:
        reasons = " ".join(placed.diagnosis.sentences)
        doubts.append(f"the sampler's verdict on the place: {placed.diagnosis.verdict} {reasons}")
    weight = quantiles(placed.sites["weight"], 0.5)
    strongest = (known[0].mean(axis=0) @ weight).max()
    beyond = int(((asked[0].mean(axis=0) @ weight) > strongest).sum())
    if beyond:
        doubts.append(
            f"{beyond} of {asked.shape[2]} rows are beyond the strongest run with a score on "
            f"{name}: an extrapolation that no score of it checks"
        )
    return tuple(doubts)


def _picture(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the frame, with words for planned models in place of the name of a run."""
    if "run" in frame and frame["run"].notna().all():
        return frame
    about = [c for c in ("family", "params", "tokens") if c in frame]
    words = [
        ", ".join(f"{format_count(v)} {c}" if c in COUNTS else str(v) for c, v in row.items())
        for row in (row.dropna() for _, row in frame[about].iterrows())
    ]
    told = pd.Series(words, frame.index)
    return frame.assign(
        run=frame["run"].where(frame["run"].notna(), told) if "run" in frame else told
    )


def _sentence(
    frame: pd.DataFrame, name: str, weights: dict[str, Floats], scores: int, interval: float
) -> str:
    ordered = sorted(weights.items(), key=lambda pair: -abs(float(quantiles(pair[1], 0.5))))
    each = [f"{mark} {quantiles(values, 0.5):.2g}" for mark, values in ordered]
    text = (
        f"Placed by {scores} scores, {name} leans on {', '.join(each)} (logits for a logit of the "
        "expected score)"
    )
    unseen = _picture(frame)[frame["observed"].isna()]
    if len(unseen):
        best = unseen.iloc[0]
        low, high = best[f"lower_{interval:g}"], best[f"upper_{interval:g}"]
        text += (
            f"; of {len(unseen)} without a score {best['run']} is expected highest: "
            f"{best['median']:.3g} ({percent(interval)} interval {low:.3g} to {high:.3g})"
        )
    return f"{text}."
