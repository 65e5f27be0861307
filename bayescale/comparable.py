"""What a fit must offer to be compared."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayescale.model import Model
from bayescale.prediction import Prediction
from bayescale.table import Table


class Comparable(Protocol):
    """A fit, or what stands in for one."""

    @property
    def model(self) -> Model:
        """The model; scorecards bear its name."""

    @property
    def table(self) -> Table:
        """The table it saw."""

    @property
    def posterior(self) -> xr.Dataset:
        """Draws of every site, dims (chain, draw, ...)."""

    @property
    def response(self) -> str:
        """Scale of what is predicted, such as "score"."""

    @property
    def base_measure(self) -> str:
        """Unit of the likelihood: "density" or "counts"."""

    @property
    def verdict_ok(self) -> bool:
        """Whether the sampler's verdict lets the draws be used."""

    def log_likelihood(self) -> xr.DataArray:
        """Pointwise log likelihood in nats, dims (chain, draw, row)."""

    def observations(self) -> pd.DataFrame:
        """Columns run, family, benchmark, score; in the order of the dimension row."""

    def sites(self) -> dict[str, NDArray[np.generic]]:
        """Draws of every site with chains joined, shape (chain * draw, ...)."""

    def predict(self, rows: pd.DataFrame | None = None, **given: Any) -> Prediction:
        """Predict what nobody has measured, with credible intervals."""
