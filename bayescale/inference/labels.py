"""Names of what was drawn: dimensions and coordinates of every site."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from bayescale.inference.sampler import Draws
from bayescale.models.model import Model
from bayescale.models.record import EFFECT, OF_SCORES
from bayescale.models.rows import SCORE_UNIT, members
from bayescale.parts.coefficients import OF_BENCHMARKS
from bayescale.tables.table import Table

Dims = dict[str, tuple[str, ...]]


def to_datasets(model: Model, table: Table, found: Draws) -> tuple[xr.Dataset, xr.Dataset]:
    """Name the dimensions of the draws.

    Returns
    -------
    posterior : Dataset
        Every site, dims (chain, draw, then family, run, skill, benchmark, ...), rounded to float32:
        what is saved is what was used.
    sample_stats : Dataset
        Dims (chain, draw).
    """
    dims, coords = _of_leaderboard(model, table) if model.of_leaderboard else _of_law(model, table)
    variables = {
        name: (("chain", "draw", *dims[name]), np.asarray(values, np.float32))
        for name, values in sorted(found.sites.items())
    }
    used = {dim for name in variables for dim in dims[name]}
    posterior = xr.Dataset(variables, {dim: coords[dim] for dim in sorted(used & set(coords))})
    stats = xr.Dataset({name: (("chain", "draw"), v) for name, v in found.stats.items()})
    return posterior, stats


def site_groups(model: Model) -> dict[str, str]:
    """Tell members of groups from population sites, by the names that a model can sample."""
    groups = {"tokens_unknown": "group"}
    for name, rules in model.pooling.items():
        groups.update({f"{name}_{rule.group}": "group" for rule in rules})
    groups.update({f"{EFFECT}_{group}": "group" for group in model.effects})
    return groups


def _of_leaderboard(model: Model, table: Table) -> tuple[Dims, Mapping[str, list[str]]]:
    anchors = model.anchors(table)
    coords: dict[str, list[str]] = {
        "skill": list(anchors),
        "skill_2": list(anchors),
        "benchmark": list(table.benchmarks.index),
        "other": [b for b in table.benchmarks.index if b not in anchors.values()],
        "family": list(table.families),
        "run": list(table.runs.index),
    }
    dims: Dims = {"tokens_unknown": ("unknown",)}
    for c in model.coefficients:
        rules = model.pooling.get(c.name, ())
        pooled = any(rule.group in OF_BENCHMARKS for rule in rules)
        dims[c.name] = () if pooled else c.dims
        for rule in rules:
            site = f"{c.name}_{rule.group}"
            over_benchmarks = rule.group in OF_BENCHMARKS
            dims[site] = (rule.group,) if over_benchmarks else (rule.group, *c.dims)
            dims[f"{site}_spread"] = () if over_benchmarks else c.dims
            dims[f"{site}_corr"] = ("skill", "skill_2")
    return dims, coords


def _of_law(model: Model, table: Table) -> tuple[Dims, Mapping[str, list[str]]]:
    """Name dimensions; what the law itself gives is measured by "responses", not "benchmarks"."""
    marks = table.benchmarks
    linked = (marks["unit"] == SCORE_UNIT) & (model.link is not None)
    coords = {
        "benchmark": list(marks.index[linked]),
        "response": list(marks.index[~linked]),
    }
    of_scores = {c.name for c in model.link.coefficients} if model.link else set()
    dims: Dims = {}
    for c in model.coefficients:
        scored = c.name in of_scores or c.name.startswith(OF_SCORES)
        own = tuple("response" if d == "benchmark" and not scored else d for d in c.dims)
        dims[c.name] = own
        for rule in model.pooling.get(c.name, ()):
            group = "response" if rule.group == "benchmark" else rule.group
            site = f"{c.name}_{rule.group}"
            dims[site], dims[f"{site}_spread"] = (group, *own), own
            if group != "response":
                coords[group] = members(table, group)
            if rule.correlated:
                joint = f"coefficient_{group}"
                dims[f"{group}_corr"] = (joint, f"{joint}_2")
                coords.setdefault(joint, []).append(c.name)
                coords[f"{joint}_2"] = coords[joint]
    for group in model.effects:
        dims[f"{EFFECT}_{group}"], dims[f"{EFFECT}_{group}_spread"] = (group,), ()
        coords[group] = members(table, group)
    return dims, coords
