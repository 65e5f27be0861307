"""`Design`: the arrays that a model sees, made from a Table.

Scores lie on a grid of runs and benchmarks; a score that is missing, or held out, has weight zero,
and nothing about a fit depends on its value. Groups beyond those of the fit (a new family, a new
run) come after the known ones, so that a prediction is the same model on a longer design.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
import pandas as pd

from bayescale.tables.table import Table, grid_positions

UNKNOWN_TOKENS = (2e12, 3.0)  # prior median and factor of a run's tokens when they are not known


@partial(
    jax.tree_util.register_dataclass,
    data_fields=(
        "params",
        "active",
        "tokens",
        "flops",
        "unknown",
        "family",
        "middle",
        "chance",
        "top",
        "items",
        "resolution",
        "stderr",
        "scores",
        "weights",
    ),
    meta_fields=("anchors", "known_runs", "known_families", "families", "known_unknown"),
)
@dataclass(frozen=True)
class Design:
    """Arrays of a table, runs by benchmarks.

    Parameters
    ----------
    params, active, tokens
        Total and active parameters, training tokens, shape (run,). Where tokens are unknown: their
        prior median.
    flops
        Training FLOPs where given, else NaN: 6 * active * tokens, shape (run,).
    unknown
        Positions of the runs whose tokens are not known, shape (unknown,).
    family
        Index of each run's family, shape (run,).
    middle
        Geometric means of `params`, `tokens` and `flops` over the runs of each family that have
        some weight, shape (family, 3); NaN for a family without any.
    chance, top, items, resolution
        Of each benchmark, shape (benchmark,); `items` is infinite when not known.
    stderr
        Published standard errors, NaN where there is none, shape (run, benchmark).
    scores, weights
        Observed scores and their weights (1 observed, 0 missing or held out), (run, benchmark).
    anchors
        Position of each skill's anchor benchmark.
    known_runs, known_families, known_unknown
        How many of the runs, families and unknown token counts were in the fit.
    families
        Number of families, new ones included.
    """

    params: Any
    active: Any
    tokens: Any
    flops: Any
    unknown: Any
    family: Any
    middle: Any
    chance: Any
    top: Any
    items: Any
    resolution: Any
    stderr: Any
    scores: Any
    weights: Any
    anchors: tuple[int, ...]
    known_runs: int
    known_families: int
    families: int
    known_unknown: int

    @property
    def runs(self) -> int:
        """Number of runs, new ones included."""
        return int(self.params.shape[0])

    @property
    def benchmarks(self) -> int:
        """Number of benchmarks."""
        return int(self.chance.shape[0])

    @property
    def others(self) -> tuple[int, ...]:
        """Positions of the benchmarks that anchor no skill."""
        return tuple(j for j in range(self.benchmarks) if j not in self.anchors)

    def sizes(self) -> dict[str, int]:
        """Length of each dimension that a coefficient may have."""
        return {
            "skill": len(self.anchors),
            "benchmark": self.benchmarks,
            "other": len(self.others),
        }

    def with_weights(self, weights: Any) -> Design:
        """Return the same design with other weights, as if the other rows were not there."""
        counts = np.column_stack([self.params, self.tokens, self.flops])
        counts[:, 2] = np.where(np.isnan(self.flops), 6 * self.active * self.tokens, self.flops)
        seen = (np.asarray(weights) > 0).any(axis=1)
        means = pd.DataFrame(np.log(counts[seen])).groupby(np.asarray(self.family)[seen]).mean()
        middle = np.exp(means.reindex(range(self.known_families)).to_numpy())
        return dataclasses.replace(self, weights=weights, middle=middle)


def make_design(table: Table, anchors: tuple[str, ...]) -> Design:
    """Lay a table out on the grid.

    Parameters
    ----------
    table
        The table; every score has weight one.
    anchors
        Names of the anchor benchmarks, one a skill.

    Returns
    -------
    Design
    """
    runs, marks = table.runs, table.benchmarks
    row, column = grid_positions(table)
    shape = (len(runs), len(marks))
    scores, weights, stderr = np.zeros(shape), np.zeros(shape), np.full(shape, np.nan)
    scores[row, column] = table.scores["score"]
    weights[row, column] = 1.0
    stderr[row, column] = table.scores["stderr"]
    active = runs["params_active"].fillna(runs["params"]).to_numpy(float)
    flops = runs["flops"].to_numpy(float)
    tokens = runs["tokens"].to_numpy(float)
    tokens = np.where(np.isnan(tokens), flops / (6 * active), tokens)
    unknown = np.flatnonzero(np.isnan(tokens))
    tokens = np.where(np.isnan(tokens), UNKNOWN_TOKENS[0], tokens)
    families = list(table.families)
    family = runs["family"].map({name: i for i, name in enumerate(families)}).to_numpy(int)
    params = runs["params"].to_numpy(float)
    design = Design(
        params=params,
        active=active,
        tokens=tokens,
        flops=flops,
        unknown=unknown,
        family=family,
        middle=np.full((len(families), 3), np.nan),
        chance=marks["chance"].to_numpy(float),
        top=marks["ceiling"].to_numpy(float),
        items=marks["items"].fillna(np.inf).to_numpy(float),
        resolution=marks["resolution"].to_numpy(float),
        stderr=stderr,
        scores=scores,
        weights=weights,
        anchors=tuple(list(marks.index).index(name) for name in anchors),
        known_runs=len(runs),
        known_families=len(families),
        families=len(families),
        known_unknown=len(unknown),
    )
    return design.with_weights(weights)
