"""What a backtest says of each benchmark: predictable, flat, saturated, erratic or too few."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from bayescale.backtesting.scores import cluster_bootstrap
from bayescale.predict.prediction import PREDICTABLE

if TYPE_CHECKING:
    from bayescale.backtesting.scorecard import Scorecard
    from bayescale.tables.table import Table

EDGE = 0.05  # share of the range from chance to ceiling that counts as its end
EXPLAINED = 0.5  # share of the held-out spread that a predictable benchmark's medians explain
LEVEL, LEAST_COVERED, NEVER_BELOW = 0.9, 0.86, 0.8
FEW_SCORES, FEW_FAMILIES = 10, 3
BOOTSTRAP_SEED = 0
RULES = f"""\
too few to tell: fewer than {FEW_SCORES} held-out scores, or than {FEW_FAMILIES} families
flat at chance: nine of ten held-out scores are within {EDGE:.0%} of the range above chance
saturated: nine of ten are within {EDGE:.0%} of the range below the ceiling
predictable: medians explain {EXPLAINED:.0%} of the variance of held-out scores or more, and 90% \
intervals hold {LEAST_COVERED:.0%} of them or more, or 90% within two standard errors \
but no less than {NEVER_BELOW:.0%}
erratic: anything else"""


def verdicts(card: Scorecard, table: Table) -> pd.DataFrame:
    """Judge each benchmark by how its held-out scores were predicted.

    The first rule that applies counts (`RULES`): too few to tell, flat at chance, saturated,
    predictable, erratic. Only an accuracy can be flat or saturated.

    Parameters
    ----------
    card
        Of the model, from a backtest.
    table
        Gives chance and ceiling.

    Returns
    -------
    DataFrame
        Indexed by benchmark: `verdict`, `n`, `median_score`, `explained` (1 less the mean squared
        error of medians over the variance of held-out scores), `coverage_0.9`, `coverage_0.9_se`.
    """
    found = {}
    for name, rows in card.rows.groupby("benchmark", sort=False):
        chance, ceiling = table.benchmarks.loc[name, ["chance", "ceiling"]].astype(float)
        low, middle, high = rows["score"].quantile([0.1, 0.5, 0.9])
        spread = float(rows["score"].var(ddof=0))
        error = float(((rows["score"] - rows["mean_median"]) ** 2).mean())
        explained = 1.0 - error / spread if spread > 0 else math.nan
        covered, se = cluster_bootstrap(
            rows[f"covered_{LEVEL}"], rows["family"], seed=BOOTSTRAP_SEED
        )
        near = covered + 2 * se >= LEVEL and covered >= NEVER_BELOW
        holds = covered >= LEAST_COVERED or near
        edge = EDGE * (ceiling - chance)
        if len(rows) < FEW_SCORES or rows["family"].nunique() < FEW_FAMILIES:
            verdict = "too few to tell"
        elif high < chance + edge:
            verdict = "flat at chance"
        elif low > ceiling - edge:
            verdict = "saturated"
        else:
            verdict = PREDICTABLE if explained >= EXPLAINED and holds else "erratic"
        found[name] = {
            "verdict": verdict,
            "n": len(rows),
            "median_score": middle,
            "explained": explained,
            f"coverage_{LEVEL}": covered,
            f"coverage_{LEVEL}_se": se,
        }
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("benchmark")
