"""Fits whose posterior is the prior: what questions need, without sampling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bayescale.fits import Fit
from bayescale.inference.labels import to_datasets
from bayescale.inference.sampler import Draws
from bayescale.models.cards import customise, model_of_law
from bayescale.models.lay_out import lay_out, on_table
from bayescale.models.model import Model
from bayescale.models.simulate import simulate
from bayescale.parts.find import load_law
from bayescale.tables.table import Table
from tests.kit import law_checks


def law_table(name: str, runs: int = 6) -> Table:
    """A table with the inputs of a law over their usual range; what was measured is one."""
    law = load_law(name)
    found = law_checks.drawn(law, runs, seed=1)
    columns = {c.name: np.asarray(found.inputs[c.name]) for c in law.columns}
    frame = pd.DataFrame({**columns, "value": np.full(runs, 1.0)})
    return Table.from_runs(frame, "value", units={"value": law.unit or "nats/token"})


def law_alone(name: str) -> Model:
    """The model of a law that does not drift, whose answers have closed forms."""
    return customise(model_of_law(name), drift="none")


def prior_fit(name: str, draws: int = 64, seed: int = 0, table: Table | None = None) -> Fit:
    """A fit of a law with draws of its prior, in two chains."""
    table = law_table(name) if table is None else table
    model = on_table(law_alone(name), table)
    sites, _ = simulate(model, lay_out(model, table), draws=draws, seed=seed)
    return fit_of(model, table, sites)


def fit_of(model: Any, table: Table, sites: dict[str, Any]) -> Fit:
    """A fit with given draws, shape (draw, ...), as two chains."""
    draws = len(next(iter(sites.values())))
    shaped = {k: np.asarray(v).reshape(2, draws // 2, *v.shape[1:]) for k, v in sites.items()}
    posterior, _ = to_datasets(model, table, Draws(shaped, {}, None))  # type: ignore[arg-type]
    # Wide, so that what a question finds can be held against the law to many digits.
    wide = posterior.assign({k: posterior[k].astype(float).copy(data=v) for k, v in shaped.items()})
    energy = np.random.default_rng(0).normal(size=(2, draws // 2))
    stats = {
        "diverging": (("chain", "draw"), np.zeros((2, draws // 2), bool)),
        "energy": (("chain", "draw"), energy),
    }
    return Fit(model, table, wide, posterior[[]].assign(stats), 0)


def given_fit(name: str, table: Table, draws: int, **natural: Any) -> Fit:
    """A fit of a law with coefficients as they are given, and others at their prior's middle.

    Each in natural units, a number or shape (draw,).
    """
    model = on_table(law_alone(name), table)
    sites = {}
    for c in model.coefficients:
        shape = (draws, *(1 for _ in c.dims))
        value = np.full(draws, c.prior.location)
        if c.name in natural:
            given = np.broadcast_to(np.asarray(natural[c.name], float), (draws,))
            value = np.log(given) if c.prior.support == "positive" else given
        sites[c.name] = value.reshape(shape)
    return fit_of(model, table, sites)
