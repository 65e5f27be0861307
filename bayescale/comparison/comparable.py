"""What a fit must offer to be compared, and what fits must share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayescale.base.errors import CompareError
from bayescale.models.model import Model
from bayescale.models.responses import own_responses
from bayescale.predict.prediction import Prediction
from bayescale.tables.table import Table

KEY = ["run", "benchmark"]


class Observed(Protocol):
    """What was measured."""

    @property
    def table(self) -> Table:
        """The table it saw."""

    def observations(self) -> pd.DataFrame:
        """Columns run, family, benchmark, score; in the order of the dimension row."""


class Comparable(Observed, Protocol):
    """A fit, or what stands in for one."""

    @property
    def model(self) -> Model:
        """The model; scorecards bear its name."""

    @property
    def posterior(self) -> xr.Dataset:
        """Draws of every site, dims (chain, draw, ...)."""

    @property
    def verdict_ok(self) -> bool:
        """Whether the sampler's verdict lets the draws be used."""

    def log_likelihood(self) -> xr.DataArray:
        """Pointwise log likelihood in nats, dims (chain, draw, row)."""

    def sites(self) -> dict[str, NDArray[np.generic]]:
        """Draws of every site with chains joined, shape (chain * draw, ...)."""

    def predict(self, rows: pd.DataFrame | None = None, **given: Any) -> Prediction:
        """Predict what nobody has measured, with credible intervals."""


def only_scores(fits: Mapping[str, Comparable]) -> bool:
    """Whether fits saw scores behind a link alone, and nothing that their laws give themselves."""
    return not any(own_responses(fit.model, fit.table) for fit in fits.values())


def _check_units(fits: Mapping[str, Observed]) -> None:
    """Refuse one benchmark in two units, such as nats and bits, where both tables tell theirs."""
    units = pd.DataFrame({name: fit.table.benchmarks["unit"] for name, fit in fits.items()})
    for benchmark, row in units.iterrows():
        told = {name: unit for name, unit in row.dropna().items() if unit}
        if len(set(told.values())) > 1:
            given = ", ".join(f"{name}: {benchmark} in {unit}" for name, unit in told.items())
            raise CompareError(
                f"fits of different response scales cannot be compared ({given}): their log "
                "likelihoods have different units. Refit them on one scale, or compare them by a "
                "backtest."
            )


def common_observations(fits: Mapping[str, Observed]) -> pd.DataFrame:
    """Check that fits can be compared, and return what all saw, by run and benchmark.

    Raises
    ------
    CompareError
        They saw different scores, or scores in different units.
    """
    _check_units(fits)
    first_name, first = "", pd.DataFrame()
    for name, fit in fits.items():
        frame = fit.observations()[["run", "family", "benchmark", "score"]]
        frame = frame.sort_values(KEY, ignore_index=True)
        if not first_name:
            first_name, first = name, frame
            continue
        both = first.merge(frame, on=KEY, how="outer", indicator=True, suffixes=("", "_other"))
        for side, has, lacks in (("left_only", first_name, name), ("right_only", name, first_name)):
            only = both[both["_merge"] == side]
            if len(only):
                row = only.iloc[0]
                raise CompareError(
                    f"{has} saw {len(only)} scores that {lacks} did not, first run "
                    f'"{row["run"]}" on "{row["benchmark"]}" ({len(first)} scores in '
                    f"{first_name}, {len(frame)} in {name}). Refit both on the same table."
                )
        other = both[both["score"] != both["score_other"]]
        if len(other):
            row = other.iloc[0]
            raise CompareError(
                f"{first_name} and {name} saw different values of {len(other)} scores, first run "
                f'"{row["run"]}" on "{row["benchmark"]}": {row["score"]} and '
                f"{row['score_other']}. {_log_of(both)}Refit both on the same table."
            )
    return first


def _log_of(both: pd.DataFrame) -> str:
    """Say so where one fit saw the logarithms of what the other saw."""
    pair = both[["score", "score_other"]]
    for one, other in (("score", "score_other"), ("score_other", "score")):
        if (pair[one] > 0).all() and np.allclose(np.log(pair[one]), pair[other]):
            return (
                "One has the logarithms of the other: a density of logarithms is of another scale. "
                'Give the values themselves, with a noise of logarithms such as "student-t-log". '
            )
    return ""
