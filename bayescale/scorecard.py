"""`Scorecard`: how well predictive draws agreed with scores that the fit did not see."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayescale import scores
from bayescale.files import plain, write_json

Floats = NDArray[np.float64]

LEVELS = (0.5, 0.8, 0.9, 0.95)
SHOWN = 0.9  # the level of the interval score and of the mean width
BOOTSTRAP_SEED = 0


@dataclass(frozen=True, eq=False, repr=False)
class Scorecard:
    """How well a model predicted held-out scores; all scores are in the table's unit, [0, 1].

    `mae` is that of the posterior median of the expected score; `crps`, `log_score` (nats),
    `interval_score`, `coverage` and `mean_width` are those of the distribution of a measured
    score; the interval score and the mean width belong to the 90% interval. Each is a mean over
    rows; `mae_over_families` is a mean over rows within a family, then over families.
    `standard_errors` and `coverage_se` come from a bootstrap over families, NaN for one family.
    `by_benchmark`, `by_family` and `folds` are frames, `rows` has one row per predicted score.
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
    rows: pd.DataFrame
    folds: pd.DataFrame
    seconds: float
    max_r_hat: float
    divergences: int

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values; numbers that are not known are None.

        Returns
        -------
        dict
            `coverage` and `coverage_se` keyed "0.5", "0.8", "0.9", "0.95"; `by_benchmark` and
            `by_family` keyed by name; `rows` and `folds` lists of records.
        """
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("by_benchmark", "by_family"):
            values[name] = {key: _nested(row) for key, row in values[name].iterrows()}
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
        se = {name: 100 * error for name, error in self.standard_errors.items()}
        covered = ", ".join(
            f"{float(level):.0%} {self.coverage[level]:.1%} (se {_percent(error)})"
            for level, error in self.coverage_se.items()
        )
        columns = ["n", "mae", "crps", "interval_score", f"coverage_{SHOWN}", "mean_width"]
        text = f"""\
{self.model}: {self.n} held-out scores of {len(self.by_family)} families in {len(self.folds)} folds
  MAE of the median expected score: {100 * self.mae:.2f} points (se {se["mae"]:.2f}); \
every family counted alike: {100 * self.mae_over_families:.2f}
  CRPS: {100 * self.crps:.2f} points (se {se["crps"]:.2f}); \
log score: {self.log_score:.3f} nats (se {self.standard_errors["log_score"]:.3f})
  coverage of score intervals: {covered}
  90% score interval: interval score {100 * self.interval_score:.2f} points \
(se {se["interval_score"]:.2f}), mean width {100 * self.mean_width:.2f} points
  {self.seconds:.1f} s of fitting, largest R-hat {self.max_r_hat:.3f}, \
{self.divergences} divergences
  (se: standard error from a bootstrap over families)"""
        frames = (self.by_benchmark[columns], self.by_family[columns])
        return "\n\n".join([text, *(frame.round(4).to_string() for frame in frames)])

    __repr__ = __str__


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
        Columns fold, run, family, benchmark, score (see `held_out`).
    log_density
        Log density of each observed score under each draw, shape (draw, row).

    Returns
    -------
    DataFrame
        The columns of `observed`, and `mean_median`, `absolute_error`, `crps`, `log_score`; for
        each level `score_lower_*`, `score_upper_*`, `covered_*`; `interval_score` and `width` of
        the 90% interval.
    """
    for name, array in (("draws", draws), ("mean_draws", mean_draws), ("log_density", log_density)):
        if array.ndim != 2 or array.shape[1] != len(observed):
            raise ValueError(f"{name} must have shape (draw, {len(observed)}), got {array.shape}")
        if np.isnan(array).any():
            raise ValueError(f"{name} holds NaN")
    y = observed["score"].to_numpy(dtype=np.float64)
    median = np.median(mean_draws, axis=0)
    rows = observed.assign(
        mean_median=median,
        absolute_error=scores.absolute_error(median, y),
        crps=scores.crps(draws, y),
        log_score=scores.log_score(log_density),
    )
    for level in LEVELS:
        low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2], axis=0)
        rows[f"score_lower_{level}"], rows[f"score_upper_{level}"] = low, high
        rows[f"covered_{level}"] = scores.coverage(low, high, y)
        if level == SHOWN:
            rows["interval_score"] = scores.interval_score(low, high, y, level)
            rows["width"] = high - low
    return rows


def scorecard(model: str, rows: pd.DataFrame, folds: pd.DataFrame) -> Scorecard:
    """Sum scored rows up, over all of them, per benchmark and per family.

    Parameters
    ----------
    model
        The model's name.
    rows
        Scored rows of all folds, from `score_rows`.
    folds
        One row a fold: `fold`, `n`, `seconds`, `max_r_hat`, `divergences`, `length`.

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
        rows=rows,
        folds=folds,
        seconds=float(folds["seconds"].sum()),
        max_r_hat=float(folds["max_r_hat"].max(skipna=False)),
        divergences=int(folds["divergences"].sum()),
    )


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
    """Gather the columns `coverage_*` of one group under one key, as in the whole."""
    prefix = "coverage_"
    rest = {key: value for key, value in row.items() if not str(key).startswith(prefix)}
    covered = {str(level): row[f"{prefix}{level}"] for level in LEVELS}
    return {**rest, "n": int(row["n"]), "coverage": covered}


def _percent(value: float) -> str:
    return "not known" if math.isnan(value) else f"{value:.1%}"
