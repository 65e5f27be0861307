"""`fit`: sample a model's posterior given a table; `Fit`: what came out, and what it can do."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import xarray as xr

import bayescale.base.progress as show
from bayescale.base.errors import FitError
from bayescale.base.version import __version__
from bayescale.inference.diagnostics import Diagnosis, Verdict, diagnose
from bayescale.inference.estimates import coefficient_frame
from bayescale.inference.evidence import Evidence
from bayescale.inference.labels import site_groups, to_datasets
from bayescale.inference.sampler import sample
from bayescale.inference.sensitivity import off_scale, prior_driven, sensitivity
from bayescale.inference.transition import WINDOW, compile_program
from bayescale.models.cards import Pool, Rules, customise, for_other_table, load_model, own_table
from bayescale.models.evaluate import evaluate
from bayescale.models.lay_out import lay_out, on_table
from bayescale.models.model import Model
from bayescale.predict.predict import predict
from bayescale.predict.prediction import Prediction
from bayescale.questions import Questions
from bayescale.tables.table import Table, grid_positions

CHAINS, WINDOWS, DRAWS = 4, 5, 800
LIBRARIES = ("numpyro", "jax", "jaxlib", "numpy", "xarray", "arviz-stats")


@dataclass(frozen=True, eq=False)
class Fit(Questions):
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

    response = "score"
    base_measure = "density"

    def __repr__(self) -> str:
        sizes = self.posterior.sizes
        return (
            f"Fit({self.model.name!r}, {len(self.table.runs)} runs, {self.table.n_rows} scores, "
            f"{sizes['chain']} chains x {sizes['draw']} draws)"
        )

    @cached_property
    def _diagnosis(self) -> Diagnosis:
        groups = {k: v for k, v in site_groups(self.model).items() if k in self.posterior}
        found = diagnose(self.posterior, self.sample_stats, groups)
        said = [str(one) for one in self.evidence]
        if found.sentences and said and self.evidence[-1].how == "reweighted":
            said.append(
                'its draws were weighted, not sampled: `update` with refit="always" samples anew'
            )
        return replace(found, notes=(*said, *off_scale(self), *prior_driven(self)))

    def summary(self) -> Diagnosis:
        """Say whether the draws can be trusted, in words and by site.

        Returns
        -------
        Diagnosis

        Examples
        --------
        >>> print(fit.summary())  # doctest: +SKIP
        """
        return self._diagnosis

    def sensitivity(self) -> pd.DataFrame:
        """Tell how much the posterior owes to the prior, by power-scaling.

        Returns
        -------
        DataFrame
            Indexed by population coefficient: `prior`, `likelihood`, `width`, `diagnosis`.
        """
        return sensitivity(self)

    @property
    def verdict_ok(self) -> bool:
        """Whether the sampler's verdict lets the draws be used."""
        return self.summary().verdict is not Verdict.BAD

    def sites(self) -> dict[str, np.ndarray[Any, Any]]:
        """Give the draws of every site with chains joined, shape (chain * draw, ...)."""
        count = self.posterior.sizes["chain"] * self.posterior.sizes["draw"]
        return {
            str(name): values.to_numpy().reshape(count, *values.shape[2:])
            for name, values in self.posterior.data_vars.items()
        }

    def coefficients(
        self, interval: float = 0.9, *, units: str = "reference", by: str | None = None
    ) -> pd.DataFrame:
        """Summarise the coefficients in natural units.

        Parameters
        ----------
        interval
            Probability of the central interval.
        units
            "reference": at the reference run, where priors are; "paper": those of the law's paper.
        by
            A group, whose members are told beside the population; separate members always are.

        Returns
        -------
        DataFrame
            One row per element: `coefficient`, `of` (skill, benchmark, member), `median`,
            `lower_<interval>`, `upper_<interval>`, `unit`, `meaning`.

        Raises
        ------
        PredictError
            Units or a group that there are none of.
        """
        return coefficient_frame(self, interval=interval, units=units, by=by)

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
        design = lay_out(self.model, self.table)
        found = evaluate(self.model, design, self.sites(), seed=self.seed)
        row, column = grid_positions(self.table)
        chains, draws = self.posterior.sizes["chain"], self.posterior.sizes["draw"]
        values = found.log_density[:, row, column].reshape(chains, draws, -1)
        return xr.DataArray(values, dims=("chain", "draw", "row"), name="log_likelihood")

    def predict(
        self,
        rows: pd.DataFrame | None = None,
        *,
        family: str | None = None,
        params: float | None = None,
        params_active: float | None = None,
        tokens: float | None = None,
        run: str | None = None,
        benchmark: str | Sequence[str] | None = None,
        kind: str = "score",
        interval: float = 0.9,
        seed: int = 0,
        **given: Any,
    ) -> Prediction:
        """Predict scores of models that nobody has tested, with credible intervals.

        Parameters
        ----------
        rows
            A frame with a row per query: `params`, and optionally `family`, `params_active`,
            `tokens`; or `run` alone.
        family, params, params_active, tokens
            One query. A family of the fit, a new one, or None: one of the known, not said which.
            Active parameters are those of a mixture of experts. Unknown tokens are drawn from
            their prior.
        run
            A run of the fit, on benchmarks that it may lack; its own facts count.
        benchmark
            Name or names; all benchmarks of the fit by default.
        kind
            "score": interval of a measured score, in [0, 1]; "mean": of the expected score.
        interval
            Probability of the central interval.
        seed
            Seed.
        given
            Other inputs, and members of groups, of a law of a quantity.

        Returns
        -------
        Prediction
            `.frame`, one row per query and benchmark; `.draws`, shape (draw, row); `.doubts`.

        Raises
        ------
        PredictError
            An unknown benchmark, run, column, kind or interval; a count that is missing, no number
            or too small; `run` together with facts of its own.

        Examples
        --------
        >>> fit.predict(family="qwen2", params=72e9, tokens=7e12).frame  # doctest: +SKIP
        """
        one = {
            "family": family,
            "params": params,
            "params_active": params_active,
            "tokens": tokens,
            "run": run,
            **given,
        }
        return predict(
            self, rows, one=one, benchmark=benchmark, kind=kind, interval=interval, seed=seed
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fit to one netCDF file, whole or not at all.

        Raises
        ------
        FitFileError
            The file cannot be written, or the model is not that of its card.
        """
        from bayescale.inference.storage import save_fit

        save_fit(self, Path(path))


def load_fit(path: str | os.PathLike[str]) -> Fit:
    """Read a fit that `Fit.save` wrote.

    Raises
    ------
    FitFileError
        There is no such file, or it is broken, no fit, or of a newer version.
    """
    from bayescale.inference.storage import read_fit

    return read_fit(Path(path))


def fit(
    model: str | Path | Model,
    table: Table | None = None,
    *,
    seed: int = 0,
    chains: int = CHAINS,
    warmup: int = WINDOWS * WINDOW,
    draws: int = DRAWS,
    progress: bool = True,
    pool: Pool = None,
    effects: Mapping[str, Rules] | Sequence[str] | None = None,
    noise: str | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
    reference: Mapping[str, float] | None = None,
    inputs: Mapping[str, str] | None = None,
) -> Fit:
    """Sample the posterior of a model given a table, with NUTS.

    Sampling is in float64 whatever JAX's flags say, and leaves them as they were. Chains run side
    by side on as many processors as there are.

    Parameters
    ----------
    model
        Name of a bundled model or law, path of a card, `FILE.py:LAW`, or a `Model`.
    table
        What was measured; by default the table that the card names. Of a card given by name,
        groups that another table has no column for are left out.
    seed
        Seed; on one machine with the same versions it gives identical draws.
    chains, warmup, draws
        Number of chains; iterations of adaptation (in windows of 100) and draws of each.
    progress
        Whether to show progress on standard error.
    pool
        A group over which every coefficient of the law is partially pooled; or for each coefficient
        a group, "group:separate", "group:correlated" or a mapping from groups to rules.
    effects
        Groups, such as the runs that checkpoints are of, whose members shift the log response.
    noise
        Another noise than the card's: "normal-log", "student-t-log", ...
    priors
        Median and spread for coefficients.
    reference, inputs
        Values at the reference run, and columns, for inputs of the law.

    Returns
    -------
    Fit

    Raises
    ------
    FitError
        Too few chains, warm-up or draws.
    ModelError
        There is no such model, or what is given as table is none.

    Examples
    --------
    >>> import bayescale as bs
    >>> fit = bs.fit("skills", bs.load_table("open-llm-leaderboard"), seed=0)  # doctest: +SKIP
    """
    named = load_model(model)
    left_out: list[str] = []
    if table is None:
        table = own_table(named)
    elif not isinstance(model, Model) and isinstance(table, Table):
        named, left_out = for_other_table(named, table)
    chosen = on_table(
        customise(
            named,
            pool=pool,
            effects=effects,
            noise=noise,
            priors=priors,
            reference=reference,
            inputs=inputs,
        ),
        table,
    )
    for name, value, least in (
        ("chains", chains, 1),
        ("warmup", warmup, 2 * WINDOW),
        ("draws", draws, 4),
    ):
        if value < least:
            raise FitError(f"{name} must be at least {least}; given: {value}")
    design, used = lay_out(chosen, table), versions()
    windows = -(-warmup // WINDOW)
    with jax.enable_x64(True), show.progress(chains, windows * WINDOW + draws, progress) as report:
        began = time.perf_counter()
        for group in left_out:
            report.say(f"without groups of {group}, which table {table.name} does not tell")
        report.say(f"compiling {chosen.name} (half a minute at most; less when cached)")
        program = compile_program(chosen, design)
        compiled = time.perf_counter()
        report.say(f"sampling {chains} chains of {windows * WINDOW} + {draws}")
        found = sample(
            program,
            design,
            seed=seed,
            chains=chains,
            windows=windows,
            draws=draws,
            tell=report.advance,
        )
        ended = time.perf_counter()
    posterior, stats = to_datasets(chosen, table, found)
    return Fit(
        model=chosen,
        table=table,
        posterior=posterior,
        sample_stats=stats,
        seed=seed,
        versions=used,
        seconds={"compile": compiled - began, "sample": ended - compiled},
    )


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide the draws."""
    found = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), "bayescale": __version__, **found}
