"""`fit`: sample a model's posterior given a table; `Fit`: what came out, and what it can do."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import bayescale.ask.allocate
import bayescale.ask.checklist
import bayescale.ask.contributions
import bayescale.ask.crossing
import bayescale.ask.elasticity
import bayescale.ask.exceed
import bayescale.ask.gain
import bayescale.ask.next_run
import bayescale.ask.place
import bayescale.ask.required
import bayescale.ask.update
import bayescale.inference.estimates
import bayescale.inference.sensitivity
import bayescale.inference.storage
import bayescale.predict.predict
from bayescale.comparison.stacking import Stack, read_stack
from bayescale.inference.diagnostics import Diagnosis
from bayescale.inference.posterior import Posterior
from bayescale.inference.run import CHAINS, DRAWS, WINDOWS, run
from bayescale.inference.sensitivity import judged
from bayescale.inference.storage import read_fit
from bayescale.inference.transition import WINDOW
from bayescale.models.cards import (
    Drifts,
    Pool,
    Rules,
    customise,
    for_other_table,
    load_model,
    own_table,
)
from bayescale.models.model import Model
from bayescale.parts.find import Own, own_laws
from bayescale.predict.drifted import drift_note
from bayescale.tables.table import Table


class Fit(Posterior):  # noqa: D101  # told once, with the fields
    __doc__ = Posterior.__doc__

    @cached_property
    def _summary(self) -> Diagnosis:
        found = judged(self)
        return replace(found, notes=(*found.notes, *drift_note(self)))

    def summary(self) -> Diagnosis:
        """Say whether the draws can be trusted, in words and by site.

        Returns
        -------
        Diagnosis

        Examples
        --------
        >>> print(fit.summary())  # doctest: +SKIP
        """
        return self._summary

    # Each of the other methods is a function of a file, whose first argument is the fit.
    sensitivity = bayescale.inference.sensitivity.sensitivity
    coefficients = bayescale.inference.estimates.coefficients
    save = bayescale.inference.storage.save_fit
    predict = bayescale.predict.predict.predict

    # Questions: each gives an `Answer`.
    required = bayescale.ask.required.required
    exceed = bayescale.ask.exceed.exceed
    allocate = bayescale.ask.allocate.allocate
    crossing = bayescale.ask.crossing.crossing
    gain = bayescale.ask.gain.gain
    elasticity = bayescale.ask.elasticity.elasticity
    contributions = bayescale.ask.contributions.contributions
    update = bayescale.ask.update.update
    place = bayescale.ask.place.place
    next_run = bayescale.ask.next_run.next_run
    checklist = bayescale.ask.checklist.checklist


def load_fit(path: str | os.PathLike[str], *, law: Own = ()) -> Fit:
    """Read a fit that `Fit.save` wrote.

    A fit is data, and loading it runs no file: a law of your own is named again.

    Parameters
    ----------
    path
        The file.
    law
        Of a fit of a law of your own: `FILE.py:LAW`, the law, or several that it may be of. It must
        be the law of the fit to the letter.

    Raises
    ------
    FitFileError
        There is no such file, or it is broken, no fit, or of a newer version; or its law is in a
        file, and none is given that has the same text.
    """
    return read_fit(path, Fit, own_laws(law))


def load_stack(path: str | Path, *, law: Own = ()) -> Stack:
    """Read a stack that `Stack.save` wrote, and its fits.

    Parameters
    ----------
    path
        The file.
    law
        Laws of your own that its fits are of, as in `load_fit`.

    Raises
    ------
    FitFileError
        There is no such file, it is no stack, or one of its fits is not there, or not to be read.
    """
    return read_stack(path, Fit, own_laws(law))


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
    drift: Drifts = None,
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
        Groups, such as the runs that checkpoints are of, whose members shift the log response,
        or skills and latent scores.
    noise
        Another noise than the card's: "normal-log", "student-t-log", ...
    priors
        Median and spread for coefficients.
    reference, inputs
        Values at the reference run, and columns, for inputs of the law.
    drift
        How the law's shape drifts: "none"; "usual", along every input of the law and compute; names
        of inputs; or for each a mapping with `order`, `scale` and `own`, as in a card.

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
    chosen = customise(
        named,
        pool=pool,
        effects=effects,
        noise=noise,
        priors=priors,
        reference=reference,
        inputs=inputs,
        drift=drift,
    )
    return run(
        Fit,
        chosen,
        table,
        seed=seed,
        chains=chains,
        warmup=warmup,
        draws=draws,
        progress=progress,
        left_out=left_out,
    )
