"""What must be read with a comparison, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale.backtesting.refit import R_HAT_LIMIT
from bayescale.base.words import quoted
from bayescale.comparison.advice import advice
from bayescale.comparison.comparable import Comparable, only_scores
from bayescale.comparison.grouped import ROW, GroupScores
from bayescale.comparison.parting import parting
from bayescale.comparison.waic import Waic

FEW_GROUPS = 10
LEAST_EFFECTIVE = 10.0  # samples within a draw: fewer lower a score by a twentieth of a nat
NEAR_ONE = 0.9
LEAST_SHOWN = 0.005  # a weight that rounds to 0.00 predicts nothing that the others miss
REMEDY = 'refit them with refit="bad" (command line: --refit bad)'


def plural(by: str) -> str:
    """Name several groups."""
    words = {ROW: "scores", "family": "families", "corpus": "corpora"}
    return words.get(by, f"{by}s")


def doubts_of(
    fits: Mapping[str, Comparable],
    frame: pd.DataFrame,
    scores: Mapping[str, GroupScores],
    waics: Mapping[str, Waic],
    groups: pd.DataFrame,
    observations: pd.DataFrame,
    by: str,
    task: str,
    backtests: Sequence[Mapping[str, Any]],
) -> list[str]:
    """List the doubts about a comparison.

    Parameters
    ----------
    fits, scores
        The fits, and the scores of their groups, the best first in `scores`.
    frame
        One row per fit, columns without their task.
    waics
        WAIC of each fit; empty for groups of several scores.
    groups
        Indexed by group: its `family` where it has one.
    observations
        All scores, in order of run and benchmark.
    by, task
        What groups are; what the columns are about.
    backtests
        Scorecards as dictionaries.

    Returns
    -------
    list of str
    """
    of_scores = only_scores(fits)
    doubts = [advice(fits, by, task, of_scores, backtests)]
    doubts += [
        f"The sampler's verdict on {name} is not good, so none of its numbers can be trusted yet."
        for name in scores
        if not fits[name].verdict_ok
    ]
    for name, found in scores.items():
        doubts += doubts_of_scores(name, found, groups.index, observations, by)
        if name in waics:
            doubts += _doubts_of_waic(name, found, waics[name])
    by_waic = sorted(waics, key=lambda name: -waics[name].elpd)
    if waics and by_waic != list(scores):
        doubts.append(
            f"LOO ranks {', '.join(scores)} but WAIC ranks {', '.join(by_waic)}: "
            "the ranking is not settled."
        )
    if len(scores) > 1:
        doubts += _doubts_of_difference(frame)
        doubts += _doubts_of_future(fits, frame)
    return doubts + _doubts_of_few(groups, observations, by, of_scores)


def doubts_of_scores(
    name: str, found: GroupScores, groups: pd.Index, observations: pd.DataFrame, by: str
) -> list[str]:
    """Say what is rough in one fit's scores of groups."""
    doubts, loo = [], found.loo
    if loo.bad.any():
        head = (
            f"{name}: Pareto k is above {loo.good_k:.2f} for {loo.bad.sum()} of {len(groups)} "
            f"{plural(by)}"
        )
        if by == ROW:
            where = ", ".join(
                f"{plural(column)} {_most_frequent(observations.loc[loo.bad, column])}"
                for column in ("family", "run", "benchmark")
                if observations[column].nunique() > 1
            )
            doubts.append(
                f"{head} ({where}): LOO is not reliable there, often because one score alone "
                f"decides an effect; {REMEDY}."
            )
        else:
            doubts.append(f"{head} ({_named(groups, loo.bad)}): PSIS fails there; {REMEDY}.")
    rough = found.effective < LEAST_EFFECTIVE
    if rough.any():
        least = f"{found.effective.min():.0f}"
        doubts.append(
            f"{name}: the scores of {plural(by)} {_named(groups, rough)} hang on few draws, of "
            f"effects or of a refit (down to {least} that count): uncertain, and rather too low."
        )
    apart = found.r_hat > R_HAT_LIMIT
    if apart.any():
        doubts.append(
            f"{name}: the refits without {_named(groups, apart)} have R-hat up to "
            f"{np.nanmax(found.r_hat):.2f}, so these scores are rough."
        )
    return doubts


def _named(groups: pd.Index, chosen: NDArray[np.bool_]) -> str:
    return quoted(groups[chosen], most=12)


def _doubts_of_waic(name: str, found: GroupScores, waic: Waic) -> list[str]:
    doubts = [f"{name}: {waic.warning}"] if waic.warning else []
    gap = abs(found.loo.elpd - waic.elpd)
    if gap > max(1.0, 0.1 * found.loo.se):
        doubts.append(
            f"{name}: WAIC and LOO differ by {gap:.1f}; where they do, LOO is the better."
        )
    return doubts


def error_of(row: pd.Series) -> float:
    """Give the larger of the standard errors of a difference to the best."""
    errors = row[["se_diff", "se_diff_over_families"]].to_numpy(dtype=float)
    return float(np.nanmax(errors))


def _doubts_of_difference(frame: pd.DataFrame) -> list[str]:
    doubts = []
    best = frame.index[0]
    for name, row in frame.iloc[1:].iterrows():
        error = error_of(row)
        if abs(row["elpd_diff"]) < error:
            doubts.append(
                f"{name} is {abs(row['elpd_diff']):.1f} behind {best}, less than the difference's "
                f"standard error of {error:.1f}: these scores do not tell them apart."
            )
    weights = frame["stacking_weight"].sort_values(ascending=False)
    if weights.iloc[0] < NEAR_ONE:
        shares = ", ".join(
            f"{name} {weight:.2f}" for name, weight in weights.items() if weight >= LEAST_SHOWN
        )
        doubts.append(
            f"No fit takes nearly all the stacking weight ({shares}): each predicts something "
            "that the others miss. Look at their forecasts side by side."
        )
    return doubts


def _doubts_of_future(fits: Mapping[str, Comparable], frame: pd.DataFrame) -> list[str]:
    """Say where fits that score alike expect different things of a much larger run."""
    alike = [
        str(name)
        for i, (name, row) in enumerate(frame.iterrows())
        if i == 0 or abs(row["elpd_diff"]) < 2 * error_of(row)
    ]
    if len(alike) < 2:
        return []
    found = parting({name: fits[name] for name in alike})
    if found is None or found.between <= found.within:
        return []
    told = ", ".join(f"{name} {value:.4g}" for name, value in found.medians.items())
    text = (
        f"Equal fit but different future: {found.where} the expected values are {told}, which lie "
        f"{found.between:.2g} apart (standard deviation), more than the {found.within:.2g} that "
        "each is unsure of by itself."
    )
    return [text]


def _doubts_of_few(
    groups: pd.DataFrame, observations: pd.DataFrame, by: str, of_scores: bool
) -> list[str]:
    what = "scores" if of_scores else "measurements"
    if by != ROW and len(groups) < FEW_GROUPS:
        return [
            f"Only {len(groups)} {plural(by)} are left out: standard errors over them are rough."
        ]
    families = observations["family"].nunique()
    if families == 1:
        return [
            f"The {what} are of one family: standard errors take each as independent of the others."
        ]
    if families < FEW_GROUPS and by in (ROW, "run"):
        text = (
            f"The {what} come from only {families} families: standard errors over families are "
            f"rough, and those over {plural(by)} take those of one family as independent."
        )
        return [text]
    return []


def _most_frequent(values: pd.Series, most: int = 3) -> str:
    counts = values.value_counts()
    text = ", ".join(f"{name} ({count})" for name, count in counts.head(most).items())
    return text + (f" and {len(counts) - most} more" if len(counts) > most else "")
