"""`Posterior`: draws of a model given a table, which all that is asked of a fit is asked of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayescale.inference.diagnostics import Diagnosis, Judged, Verdict, diagnose, judge
from bayescale.inference.evidence import Evidence
from bayescale.inference.labels import site_groups
from bayescale.models.evaluate import evaluate
from bayescale.models.lay_out import lay_out
from bayescale.models.model import Model
from bayescale.tables.table import Table, grid_positions

UNSEALED = (
    "its file has no seal, as those of earlier versions: a changed number would not be seen in all "
    "places; save it again"
)


@dataclass(frozen=True, eq=False)
class Posterior:
    """A posterior with all that is needed to use it again.

    Parameters
    ----------
    model
        The model.
    table
        The table it saw.
    posterior
        Draws of every site, dims (chain, draw, ...), float32; real-line values (see
        `coefficients` for natural units).
    sample_stats
        The sampler's record, dims (chain, draw).
    seed
        The seed.
    versions
        Versions of Python and of the libraries.
    seconds
        Time for compilation and sampling.
    stored_log_likelihood
        What a small fit's file holds of `log_likelihood`.
    evidence
        Scores that it was conditioned on after it was fitted, and how.
    stored_judged
        What a file holds of `judged`.
    sealed
        Whether it was saved with a seal, or not read from a file at all.
    """

    model: Model
    table: Table
    posterior: xr.Dataset
    sample_stats: xr.Dataset
    seed: int
    versions: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    stored_log_likelihood: xr.DataArray | None = None
    evidence: tuple[Evidence, ...] = ()
    stored_judged: Judged | None = None
    sealed: bool = True

    response = "score"
    base_measure = "density"

    def __repr__(self) -> str:
        sizes = self.posterior.sizes
        return (
            f"{type(self).__name__}({self.model.name!r}, {len(self.table.runs)} runs, "
            f"{self.table.n_rows} scores, {sizes['chain']} chains x {sizes['draw']} draws)"
        )

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """Whether the sampler's draws can be trusted, and what they were conditioned on since."""
        found = diagnose(self.posterior, self.sample_stats, self._groups, self.judged)
        said = [str(one) for one in self.evidence]
        if not self.sealed:
            said.append(UNSEALED)
        if found.sentences and self.evidence and self.evidence[-1].how == "reweighted":
            said.append(
                'its draws were weighted, not sampled: `update` with refit="always" samples anew'
            )
        return replace(found, notes=tuple(said))

    @cached_property
    def judged(self) -> Judged:
        """R-hat and effective draws of every scalar: long work, done once."""
        return self.stored_judged or judge(self.posterior, self._groups)

    @property
    def _groups(self) -> dict[str, str]:
        return {k: v for k, v in site_groups(self.model).items() if k in self.posterior}

    @property
    def verdict_ok(self) -> bool:
        """Whether the sampler's verdict lets the draws be used."""
        return self.diagnosis.verdict is not Verdict.BAD

    def sites(self) -> dict[str, np.ndarray[Any, Any]]:
        """Give the draws of every site with chains joined, shape (chain * draw, ...)."""
        count = self.posterior.sizes["chain"] * self.posterior.sizes["draw"]
        return {
            str(name): values.to_numpy().reshape(count, *values.shape[2:])
            for name, values in self.posterior.data_vars.items()
        }

    def observations(self) -> pd.DataFrame:
        """Give the scores of the fit: columns run, family, benchmark, score."""
        frame = self.table.scores[["run", "benchmark", "score"]].reset_index(drop=True)
        frame.insert(1, "family", self.table.runs["family"].loc[frame["run"]].to_numpy())
        return frame

    def log_likelihood(self) -> xr.DataArray:
        """Compute the pointwise log likelihood, dims (chain, draw, row).

        Given the run's own effects: row order is that of `observations`.
        """
        if self.stored_log_likelihood is not None:
            return self.stored_log_likelihood
        grid = lay_out(self.model, self.table)
        found = evaluate(self.model, grid, self.sites(), seed=self.seed)
        row, column = grid_positions(self.table)
        chains, draws = self.posterior.sizes["chain"], self.posterior.sizes["draw"]
        values = found.log_density[:, row, column].reshape(chains, draws, -1)
        return xr.DataArray(values, dims=("chain", "draw", "row"), name="log_likelihood")
