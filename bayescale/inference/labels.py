"""Names of what was drawn: dimensions and coordinates of every site."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayescale.inference.sampler import Draws
from bayescale.models.lay_out import fitted_members
from bayescale.models.plan import UNKNOWN, plan
from bayescale.models.record import ModelRecord
from bayescale.tables.frames import ACCURACY
from bayescale.tables.table import Table


def to_datasets(model: ModelRecord, table: Table, found: Draws) -> tuple[xr.Dataset, xr.Dataset]:
    """Name the dimensions of the draws.

    Returns
    -------
    posterior : Dataset
        Every site, dims (chain, draw, then family, run, skill, benchmark, ...), rounded to float32:
        what is saved is what was used.
    sample_stats : Dataset
        Dims (chain, draw).
    """
    sites, coords = plan(model).sites, coordinates(model, table)
    variables = {
        name: (("chain", "draw", *sites[name].dims), np.asarray(values, np.float32))
        for name, values in sorted(found.sites.items())
    }
    used = {dim for name in variables for dim in sites[name].dims}
    posterior = xr.Dataset(variables, {dim: coords[dim] for dim in sorted(used & set(coords))})
    stats = xr.Dataset({name: (("chain", "draw"), v) for name, v in found.stats.items()})
    return posterior, stats


def site_groups(model: ModelRecord) -> dict[str, str]:
    """Tell members of groups from population sites, by the names that a model can sample."""
    return dict.fromkeys(plan(model).members, "group")


def coordinates(model: ModelRecord, table: Table) -> dict[str, list[str]]:
    """Name the members of every dimension that a site of the model may have."""
    marks, anchors = table.benchmarks, model.anchors(table)
    linked = (marks["unit"] == ACCURACY) & (model.link is not None)
    coords = {
        "skill": list(anchors),
        "skill_2": list(anchors),
        "benchmark": list(marks.index[linked]),
        "response": list(marks.index[~linked]),
        "other": [b for b in marks.index if b not in anchors.values()],
    }
    named = fitted_members(model, table)
    coords |= {axis: members for axis, members in named.items() if axis != UNKNOWN}
    for group, coefficients in plan(model).joint.items():
        axis = f"coefficient_{group}"
        coords[axis] = coords[f"{axis}_2"] = [c.name for c in coefficients]
    return coords
