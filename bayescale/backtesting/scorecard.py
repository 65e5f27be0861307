"""`Scorecard`: how well predictive draws agreed with scores that the fit did not see."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayescale.backtesting import scores
from bayescale.base.files import plain, write_json
from bayescale.base.intervals import Floats, quantiles
from bayescale.tables.frames import ACCURACY

LEVELS = (0.5, 0.8, 0.9, 0.95)
SHOWN = 0.9  # the level of the interval score and of the mean width
BOOTSTRAP_SEED = 0
FIFTHS, UNKNOWN, UNSEEN = 5, 5, "no run of the family in training"


@dataclass(frozen=True, eq=False, repr=False)
class Scorecard:
    """How well a model predicted held-out scores; all scores are in the table's unit.

    `mae` is that of the posterior median of the expected score; `crps`, `log_score` (nats),
    `interval_score`, `coverage` and `mean_width` are those of the distribution of a measured
    score; the interval score and the mean width belong to the 90% interval. Each is a mean over
    rows; `mae_over_families` is a mean over rows within a family, then over families.
    `standard_errors` and `coverage_se` come from a bootstrap over families, NaN for one family.
    `by_benchmark`, `by_family`, `by_distance` and `folds` are frames, `rows` has one row per
    predicted score. Distance is the log10 of a run's compute over the most of its family's runs in
    training; `by_distance` has fifths of it, and families without any. `unit` is that of the
    scores, "mixed units" where there are several. `against` has a row for each baseline: its own
    scores and by how much the model is better, with standard errors over families.
    """

    model: str
    n: int
    mae: float
    mae_over_families: float
    crps: float
    log_score: float
    interval_score: float
    mean_width: float
    coverage: dict[str, float]
    coverage_se: dict[str, float]
    standard_errors: dict[str, float]
    by_benchmark: pd.DataFrame
    by_family: pd.DataFrame
    by_distance: pd.DataFrame
    rows: pd.DataFrame
    folds: pd.DataFrame
    seconds: float
    max_r_hat: float
    divergences: int
    unit: str = ACCURACY
    against: pd.DataFrame = field(default_factory=pd.DataFrame)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values; numbers that are not known are None.

        Returns
        -------
        dict
            `coverage` and `coverage_se` keyed "0.5", "0.8", "0.9", "0.95"; `by_benchmark`,
            `by_family`, `by_distance` and `against` keyed by name; `rows` and `folds` lists of
            records.
        """
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("by_benchmark", "by_family", "by_distance"):
            values[name] = {key: _nested(row) for key, row in values[name].iterrows()}
        values["against"] = values["against"].to_dict("index")
        for name in ("rows", "folds"):
            values[name] = values[name].to_dict("records")
        result: dict[str, Any] = plain(values)
        return result

    def to_json(self, path: str | Path) -> Path:
        """Write `to_dict()` to a file, whole or not at all.

        Raises
        ------
        BayescaleError
            The file cannot be written there.
        """
        path = Path(path)
        write_json(path, self.to_dict())
        return path

    def to_frame(self) -> pd.DataFrame:
        """One row for the model: every score and the standard error of those that have one."""
        row: dict[str, Any] = {"model": self.model, "n": self.n}
        for name in ("mae", "mae_over_families", "crps", "log_score", "interval_score"):
            row[name] = getattr(self, name)
            row[f"{name}_se"] = self.standard_errors[name]
        row["mean_width_0.9"] = self.mean_width
        for level, covered in self.coverage.items():
            row[f"coverage_{level}"] = covered
            row[f"coverage_{level}_se"] = self.coverage_se[level]
        for name in ("seconds", "max_r_hat", "divergences"):
            row[name] = getattr(self, name)
        return pd.DataFrame([row]).set_index("model")

    def __str__(self) -> str:
        return "\n\n".join([self.headline(), *(part.to_string() for part in self.parts())])

    __repr__ = __str__

    def headline(self) -> str:
        """Say the scores of the whole, with standard errors, in a few lines."""
        factor, digits, unit = scale_of(self.unit)

        def told(value: float) -> str:
            return f"{factor * value:.{digits}f}"

        se = {name: told(error) for name, error in self.standard_errors.items()}
        covered = ", ".join(
            f"{float(level):.0%} {self.coverage[level]:.1%} (se {_percent(error)})"
            for level, error in self.coverage_se.items()
        )
        families = len(self.by_family)
        return f"""\
{self.model}: {self.n} held-out scores of {families} {"families" if families > 1 else "family"} \
in {len(self.folds)} fold{"s" if len(self.folds) > 1 else ""}
  MAE of the median expected score: {told(self.mae)} {unit} (se {se["mae"]}); \
every family counted alike: {told(self.mae_over_families)}
  CRPS: {told(self.crps)} {unit} (se {se["crps"]}); \
log score: {self.log_score:.3f} nats (se {self.standard_errors["log_score"]:.3f})
  coverage of score intervals: {covered}
  90% score interval: interval score {told(self.interval_score)} {unit} \
(se {se["interval_score"]}), mean width {told(self.mean_width)} {unit}
  {self.seconds:.1f} s of fitting, largest R-hat {self.max_r_hat:.3f}, \
{self.divergences} divergences
  (se: standard error from a bootstrap over families)"""

    def parts(self) -> list[pd.DataFrame]:
        """Give what stands below the headline: scores by benchmark, family and distance."""
        columns = ["n", "mae", "crps", "interval_score", f"coverage_{SHOWN}", "mean_width"]
        frames = [self.by_benchmark, self.by_family, self.by_distance]
        return [frame[columns].round(4) for frame in frames if len(frame)]


def scale_of(unit: str) -> tuple[float, int, str]:
    """Give factor, digits and name of the unit that scores are shown in."""
    return (100.0, 2, "points") if unit == ACCURACY else (1.0, 4, unit)


def score_rows(
    draws: Floats, mean_draws: Floats, observed: pd.DataFrame, log_density: Floats
) -> pd.DataFrame:
    """Score each held-out row from its predictive draws.

    Parameters
    ----------
    draws
        Predictive draws of the measured score, shape (draw, row).
    mean_draws
        Posterior draws of the expected score, shape (draw, row).
    observed
        Columns fold, run, family, benchmark, score, and maybe distance (see `held_out`).
    log_density
        Log density of each observed score under each draw, shape (draw, row).

    Returns
    -------
    DataFrame
        The columns of `observed`, and `mean_median`, `absolute_error`, `crps`, `log_score`, `pit`
        (share of draws below the score, with half of those equal to it); for each level
        `score_lower_*`, `score_upper_*`, `covered_*`; `interval_score` and `width` of the 90%
        interval.
    """
    for name, array in (("draws", draws), ("mean_draws", mean_draws), ("log_density", log_density)):
        if array.ndim != 2 or array.shape[1] != len(observed):
            raise ValueError(f"{name} must have shape (draw, {len(observed)}), got {array.shape}")
        if np.isnan(array).any():
            raise ValueError(f"{name} holds NaN")
    y = observed["score"].to_numpy(dtype=np.float64)
    median = quantiles(mean_draws, 0.5)
    rows = observed.assign(
        mean_median=median,
        absolute_error=scores.absolute_error(median, y),
        crps=scores.crps(draws, y),
        log_score=scores.log_score(log_density),
        pit=((draws < y).mean(axis=0) + (draws <= y).mean(axis=0)) / 2,
    )
    for level in LEVELS:
        low, high = quantiles(draws, [0.5 - level / 2, 0.5 + level / 2])
        rows[f"score_lower_{level}"], rows[f"score_upper_{level}"] = low, high
        rows[f"covered_{level}"] = scores.coverage(low, high, y)
        if level == SHOWN:
            rows["interval_score"] = scores.interval_score(low, high, y, level)
            rows["width"] = high - low
    return rows


def scorecard(
    model: str, rows: pd.DataFrame, folds: pd.DataFrame, unit: str = ACCURACY
) -> Scorecard:
    """Sum scored rows up, over all of them, per benchmark and per family.

    Parameters
    ----------
    model
        The model's name.
    rows
        Scored rows of all folds, from `score_rows`.
    folds
        One row a fold: `fold`, `n`, `seconds`, `max_r_hat`, `divergences`, `length`.
    unit
        Unit of the scores.

    Returns
    -------
    Scorecard
    """
    family = rows["family"].to_numpy()

    def bootstrap(column: str) -> tuple[float, float]:
        return scores.cluster_bootstrap(rows[column], family, seed=BOOTSTRAP_SEED)

    means = {
        name: bootstrap(column)
        for name, column in (
            ("mae", "absolute_error"),
            ("crps", "crps"),
            ("log_score", "log_score"),
            ("interval_score", "interval_score"),
        )
    }
    means["mae_over_families"] = scores.cluster_bootstrap(
        rows["absolute_error"], family, "two-level mean", seed=BOOTSTRAP_SEED
    )
    covered = {str(level): bootstrap(f"covered_{level}") for level in LEVELS}
    return Scorecard(
        model=model,
        n=len(rows),
        mae=means["mae"][0],
        mae_over_families=means["mae_over_families"][0],
        crps=means["crps"][0],
        log_score=means["log_score"][0],
        interval_score=means["interval_score"][0],
        mean_width=float(rows["width"].mean()),
        coverage={level: value for level, (value, _) in covered.items()},
        coverage_se={level: se for level, (_, se) in covered.items()},
        standard_errors={name: se for name, (_, se) in means.items()},
        by_benchmark=_by(rows, "benchmark"),
        by_family=_by(rows, "family"),
        by_distance=_by_distance(rows),
        rows=rows,
        folds=folds,
        seconds=float(folds["seconds"].sum()),
        max_r_hat=float(folds["max_r_hat"].max(skipna=False)),
        divergences=int(folds["divergences"].sum()),
        unit=unit,
    )


def gains(card: Scorecard, baselines: Mapping[str, Scorecard]) -> pd.DataFrame:
    """Set a model beside baselines: by how much it is better on the same rows.

    Parameters
    ----------
    card
        Of the model.
    baselines
        Of the baselines, with the same rows in the same order.

    Returns
    -------
    DataFrame
        Indexed by baseline: its `mae`, `crps`, `log_score`, `interval_score`, `coverage_0.9`,
        `mean_width`; `<score>_gain` and `<score>_gain_se` for CRPS, interval score and log score:
        positive where the model is better, standard errors by bootstrap over families.
    """
    found = {}
    for name, other in baselines.items():
        row: dict[str, float] = {
            score: getattr(other, score)
            for score in ("mae", "crps", "log_score", "interval_score", "mean_width")
        }
        row[f"coverage_{SHOWN}"] = other.coverage[str(SHOWN)]
        for score, sign in (("crps", -1), ("interval_score", -1), ("log_score", 1)):
            better = sign * (card.rows[score] - other.rows[score])
            row[f"{score}_gain"], row[f"{score}_gain_se"] = scores.cluster_bootstrap(
                better, card.rows["family"], seed=BOOTSTRAP_SEED
            )
        found[name] = row
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("baseline")


def distance_parts(distance: pd.Series) -> pd.Series:
    """Divide a distance into fifths, by number; equal distances stay together.

    Parameters
    ----------
    distance
        Decades, NaN where a family has no run in training.

    Returns
    -------
    Series
        0 to 4, and 5 where the distance is not known.
    """
    near = distance.round(2)
    levels = np.unique(near.dropna())
    # As few values as parts: each is one.
    cuts = levels if len(levels) <= FIFTHS else near.quantile(np.arange(1, FIFTHS + 1) / FIFTHS)
    part = np.searchsorted(np.unique(cuts), near.fillna(-np.inf))
    return pd.Series(np.where(near.isna(), UNKNOWN, part), distance.index)


def _by_distance(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over fifths of the distance, and over the rows of families without training runs."""
    distance = rows.get("distance", pd.Series(np.nan, rows.index))
    if distance.isna().all():
        return _by(rows.assign(distance=UNSEEN), "distance").iloc[:0]
    part = distance_parts(distance)
    names = {UNKNOWN: UNSEEN}
    for number, of in distance.round(2).groupby(part):
        if number != UNKNOWN:
            low, high = of.min(), of.max()
            names[number] = f"{low:.2f}" + (f" to {high:.2f}" if high > low else "") + " decades"
    label = part.map(names)
    found = _by(rows.assign(distance=label), "distance")
    found = found.reindex([names[number] for number in sorted(part.unique())])
    groups = rows.groupby(label)
    for level in LEVELS:
        found[f"coverage_{level}_se"] = [
            scores.cluster_bootstrap(of[f"covered_{level}"], of["family"], seed=BOOTSTRAP_SEED)[1]
            for of in map(groups.get_group, found.index)
        ]
    return found


def _by(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Means over the rows of each benchmark or family, in order of first appearance."""
    groups = rows.groupby(column, sort=False)
    named = {
        "mae": "absolute_error",
        "crps": "crps",
        "log_score": "log_score",
        "interval_score": "interval_score",
        "mean_width": "width",
        **{f"coverage_{level}": f"covered_{level}" for level in LEVELS},
    }
    means = groups[list(named.values())].mean().set_axis(list(named), axis=1)
    means.insert(0, "n", groups.size())
    return means


def _nested(row: pd.Series) -> dict[str, Any]:
    """Gather the columns `coverage_*` of one group under one key each, as in the whole."""
    rest = {key: value for key, value in row.items() if not str(key).startswith("coverage_")}
    found = {**rest, "n": int(row["n"])}
    for key, end in (("coverage", ""), ("coverage_se", "_se")):
        if f"coverage_{SHOWN}{end}" in row:
            found[key] = {str(level): row[f"coverage_{level}{end}"] for level in LEVELS}
    return found


def _percent(value: float) -> str:
    return "not known" if math.isnan(value) else f"{value:.1%}"
