"""How far the shape of a model's law has drifted at each run: on its log, or on skills."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from bayescale.models.cells import distance
from bayescale.models.grid import Cells, Grid
from bayescale.models.level import log_residuals
from bayescale.models.pace import Pace, pace_of, paced
from bayescale.models.plan import plan
from bayescale.models.record import ModelRecord
from bayescale.models.sites import Pulled, normal, site, spread
from bayescale.parts.drift import CELL, DRIFT, hinges

GEOMETRY = ("place", "width", "along", "part")  # of cells, where all are one run's
PACE = "pace_"  # before what `law_at` knows of it
USUAL_NOISE = 0.01  # of the log response, where a noise tells none


def sample_increments(
    model: ModelRecord,
    grid: Grid,
    population: Mapping[str, Array],
    pull: tuple[Array, Array] | None = None,
) -> Array:
    """Sample the increments of drifts, shape (cell,); of a leaderboard (cell, skill or benchmark).

    Parameters
    ----------
    model, grid
        As of the density.
    population
        Real-line values of the noise's coefficients: where runs scatter more about a law, it
        drifts more beyond them, by the root.
    pull
        Residuals of the runs that pull at increments, and their noise; for coordinates alone.
    """
    members = plan(model).sites[DRIFT]
    known, total = grid.counts(CELL)
    rules = [rule for drift in model.drift.values() for rule in drift.parts.values()]
    at_edge = [drift.origin == "edge" for drift in model.drift.values() for _ in drift.parts]
    wider = jnp.where(jnp.array(at_edge), jnp.sqrt(_scatter(model, population) / USUAL_NOISE), 1.0)
    scales = (jnp.stack([spread(DRIFT, rule, ()) for rule in rules]) * wider)[grid.cells.part]
    shape = tuple(grid.size(dim) for dim in members.dims[1:])
    wide = jnp.broadcast_to(scales.reshape(-1, *(1 for _ in shape)), (total, *shape))
    blocks = [] if total else [jnp.zeros((0, *shape))]
    if known and pull is not None:
        blocks.append(site(members.name, Pulled(0.0, wide[:known], *pull).to_event(1)))
    elif known:
        blocks.append(site(members.name, normal(0.0, wide[:known], (known, *shape))))
    if total > known:
        blocks.append(site(members.new, normal(0.0, wide[known:], (total - known, *shape))))
    return jnp.concatenate(blocks)


def drifting_law(
    model: ModelRecord, grid: Grid, population: Mapping[str, Array], law: Callable[[Any], Array]
) -> Array:
    """Sample what a law of a quantity gives, drifted, for each run, shape (run,).

    Parameters
    ----------
    model, grid
        As of the density.
    population
        Real-line values of the noise's coefficients.
    law
        Of inputs over those of the reference run: what it gives for each run.
    """
    given = law(grid.inputs)
    pull = log_residuals(grid, jnp.log(given)), _noise(model, population)
    moved = sample_increments(model, grid, population, pull)
    if not len(moved):
        return given
    mine = jnp.where(_mine(model, grid, grid.groups), moved[:, None], 0.0)
    if any(grid.cells.from_edge):
        given = law(paced(model, pace_of(model, grid.cells, mine), grid.inputs))
    if model.learns_drift:
        given = given * jnp.exp(moved @ reach(model, grid, grid.inputs, grid.groups))
    return given


def reach(
    model: ModelRecord, grid: Grid, inputs: Mapping[str, Any], groups: Mapping[str, Any]
) -> Array:
    """Give what a unit increment of each cell adds to each run, or place, shape (cell, run).

    Parameters
    ----------
    model, grid
        As of the density.
    inputs
        Over those of the reference run.
    groups
        Index of the member of each group that a drift tells apart.
    """
    away = jnp.stack([distance(inputs, along, jnp.log) for along in model.drift])
    return jnp.where(_mine(model, grid, groups), _units(model, grid.cells, away), 0.0)


def _mine(model: ModelRecord, grid: Grid, groups: Mapping[str, Any]) -> Array:
    """Say which cells are a run's, or a place's: (cell, run), or (cell, 1) where all share all."""
    names = [group for drift in model.drift.values() for group in drift.parts]
    nobody = jnp.zeros(1, int)
    each = jnp.broadcast_arrays(*(jnp.asarray(groups[n]) if n else nobody for n in names))
    found: Array = jnp.stack(each)[grid.cells.part] == jnp.asarray(grid.cells.member)[:, None]
    return found


def of_run(model: ModelRecord, grid: Grid, run: int) -> NDArray[np.bool_]:
    """Say which cells are a run's: those that all share, and those of its members."""
    names = [group for drift in model.drift.values() for group in drift.parts]
    mine = np.array([np.asarray(grid.groups[g])[run] if g else 0 for g in names])
    found: NDArray[np.bool_] = mine[np.asarray(grid.cells.part)] == np.asarray(grid.cells.member)
    return found


def as_coefficients(model: ModelRecord, increments: Any, cells: Cells) -> dict[str, Any]:
    """Give increments and the places of their cells as `law_at` takes them, (draw, cell) each.

    And, of a law of a quantity, the pace that they make.
    """
    shape = np.shape(increments)[:2]
    places = {CELL + n: np.broadcast_to(getattr(cells, n), shape) for n in GEOMETRY}
    found = {DRIFT: increments, **places}
    if not model.of_leaderboard:
        with jax.enable_x64(True):
            pace = _pace(model, cells, np.asarray(increments, float))
        found |= {PACE + name: np.asarray(part) for name, part in pace._asdict().items()}
    return found


@partial(jax.jit, static_argnames="model")
def _pace(model: ModelRecord, cells: Cells, increments: Any) -> Pace:
    return jax.vmap(lambda own: pace_of(model, cells, own[:, None]))(increments)


def law_at(model: ModelRecord, inputs: Mapping[str, Any], coefficients: Mapping[str, Any]) -> Array:
    """Give a law of a quantity at some places, with its drift where coefficients tell it.

    Parameters
    ----------
    model
        The model.
    inputs
        Over those of the reference run: numbers, or shape (place,) each.
    coefficients
        In natural units; increments and their places from `as_coefficients`.
    """
    own = {c.name: coefficients[c.name] for c in model.law.coefficients}
    if DRIFT not in coefficients:
        given: Array = model.law.given(inputs, own)
        return given
    start, width, along, part = (jnp.asarray(coefficients[CELL + name]) for name in GEOMETRY)
    cells = _Placed(start, width, along.astype(int), part.astype(int))
    increments = jnp.asarray(coefficients[DRIFT])
    numbers = [c.name for c in model.law.columns if c.kind in ("number", "flag")]
    wide = {**inputs, **{name: jnp.atleast_1d(inputs[name]) for name in numbers}}
    pace = Pace(*(jnp.asarray(coefficients[PACE + name]) for name in Pace._fields))
    given = model.law.given(paced(model, pace, wide), own)
    if model.learns_drift:
        logs = [distance(wide, along, jnp.log) for along in model.drift]
        moved = increments @ _units(model, cells, jnp.stack(jnp.broadcast_arrays(*logs)))
        given = given * jnp.exp(moved)
    return given if any(jnp.ndim(inputs[name]) for name in numbers) else given[0]


class _Placed(NamedTuple):
    """Where cells lie, in e-folds from the reference run, shape (cell,) each."""

    place: Any
    width: Any
    along: Any
    part: Any


def _units(model: ModelRecord, cells: Cells | _Placed, away: Array) -> Array:
    """Give what a unit increment adds at places, whosever the cell is, shape (cell, place).

    Nothing where a law of a quantity drifts from the edge of the data, which moves its inputs.
    """
    moves = [d.origin == "edge" and not model.of_leaderboard for d in model.drift.values()]
    orders = jnp.array([drift.order for drift in model.drift.values() for _ in drift.parts])
    start, width = jnp.asarray(cells.place), jnp.asarray(cells.width)
    along = jnp.asarray(cells.along)
    found = hinges(orders[cells.part][:, None], away[along], start[:, None], width[:, None])
    return jnp.where(jnp.array(moves)[along][:, None], 0.0, found)


def _noise(model: ModelRecord, values: Mapping[str, Array]) -> Array:
    """Give how well one measured log response tells its mean, roughly: noises differ."""
    spread = _scatter(model, values)
    if any(c.name == "degrees" for c in model.noise.coefficients):  # a Student-t tells less
        degrees = 1.0 + jnp.exp(jnp.mean(values["degrees"]))
        spread = spread * jnp.sqrt((degrees + 3) / (degrees + 1))
    return spread


def _scatter(model: ModelRecord, values: Mapping[str, Array]) -> Array:
    """Give the spread of measured log responses, where a noise has one."""
    told = any(c.name == "spread" for c in model.noise.coefficients)
    if not (told and model.noise.name.endswith("-log")):
        return jnp.asarray(USUAL_NOISE)
    return jnp.exp(jnp.mean(values["spread"]))
