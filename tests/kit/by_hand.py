"""The models once more, in NumPy and scipy, as straight from their formulas as can be."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit, logit

from bayescale.models.grid import Grid

Sites = dict[str, np.ndarray[Any, Any]]

COMPUTE = """
name = "test-compute"
claim = "One logistic curve a benchmark; family levels sampled centred."
law = "compute"
link = "logistic"
noise = "student-t"
[reference]
flops = 8.4e22
[pooling.intercept]
family = { spread = [0.7, 2.0] }
"""
SKILLS = """
name = "test-skills"
claim = "Two skills, and every kind of pooling."
law = "skills"
link = "logistic"
noise = "student-t"
[reference]
params = 7e9
tokens = 2e12
[skills]
knowledge = ["MMLU"]
mathematics = ["GSM8K"]
[pooling.intercept]
family = { spread = [1.0, 1.65], correlated = true }
run = { spread = [0.22, 2.0] }
[pooling.size]
family = { spread = [0.14, 2.0] }
[pooling.difficulty]
family = { spread = [0.22, 2.0] }
[pooling.spread]
other = { spread = [0.4, 1.5] }
"""


def at(sites: Sites, draw: int) -> Sites:
    """One draw of every site."""
    return {name: values[draw].astype(float) for name, values in sites.items()}


def link(latent: Any, pivot: Any, chance: Any, top: Any, ceiling: Any, shape: Any) -> Any:
    """Curve kappa * sigmoid(x) ** shape through sigmoid(pivot), where its logit has slope one."""
    reference = expit(pivot)
    kappa = reference + (1 - reference) * ceiling
    base = (reference / kappa) ** (1 / shape)
    x = logit(base) + (1 - reference) / (shape * (1 - base)) * (latent - pivot)
    return chance + (top - chance) * kappa * expit(x) ** shape


def _linked(latent: Any, pivot: Any, grid: Grid, s: Sites) -> Any:
    ceiling, shape = expit(s["ceiling"]), np.exp(s["shape"])
    return link(latent, pivot, grid.chance, grid.top, ceiling, shape)


def _family_mean(values: Any, grid: Grid) -> Any:
    _, families = grid.counts("family")
    return np.array([values[grid.groups["family"] == f].mean() for f in range(families)])


def _log(name: str, grid: Grid, s: Sites) -> Any:
    """Log of tokens or FLOPs over the reference run's, unknown tokens by their site."""
    values = np.log(grid.inputs[name])
    if len(grid.unknown):
        values[grid.unknown] += np.log(3) * s["tokens_unknown"]
    return values


def compute(grid: Grid, s: Sites) -> Any:
    """Expected scores of COMPUTE, (run, benchmark); a family's site is its level at its middle."""
    # Tokens that nobody knows stand at their prior median in the middle, so that it is fixed.
    middle = _family_mean(np.log(grid.inputs["flops"]), grid)
    family = grid.groups["family"]
    away = _log("flops", grid, s) - middle[family]
    latent = s["intercept_family"][family] + s["slope"] * away[:, None]
    return _linked(latent, s["intercept"], grid, s)


def compute_prior_centre(grid: Grid, s: Sites) -> Any:
    """Mean of COMPUTE's family site, (family, benchmark)."""
    middle = _family_mean(np.log(grid.inputs["flops"]), grid)
    return s["intercept"] + s["slope"] * middle[:, None]


def skills(grid: Grid, s: Sites) -> Any:
    """Expected scores of SKILLS, (run, benchmark)."""
    # A family's site is its skill at its mean inputs, a run's its skill, both with the family's
    # own slopes; the difficulty's site is the latent score at the family's mean inputs.
    theta = s["intercept_run"]
    own = s["difficulty_family"] - s["intercept_family"] @ s["loading"].T
    latent = np.empty(grid.weights.shape)
    latent[:, grid.anchors] = theta
    latent[:, grid.others] = own[grid.groups["family"]] + theta @ s["loading"].T
    pivot = np.empty(grid.benchmarks)
    pivot[list(grid.anchors)], pivot[list(grid.others)] = s["intercept"], s["difficulty"]
    return _linked(latent, pivot, grid, s)


def skills_prior_centres(grid: Grid, s: Sites) -> Sites:
    """Means of the sites of SKILLS that are levels at some place."""
    x, fixed = np.log(grid.inputs["params"]), np.log(grid.inputs["tokens"])
    y, family = _log("tokens", grid, s), grid.groups["family"]

    def growth(x: Any, y: Any) -> Any:
        size = s["size_family"][family] if len(x) == grid.runs else s["size_family"]
        x, y = x[:, None], y[:, None]
        return size * x + s["data"] * y + s["interaction"] * x * y

    middle = growth(_family_mean(x, grid), _family_mean(fixed, grid))
    from_middle = growth(x, y) - middle[family]
    return {
        "intercept_family": s["intercept"] + middle,
        "intercept_run": s["intercept_family"][family] + from_middle,
        "difficulty_family": s["difficulty"] + s["intercept_family"] @ s["loading"].T,
    }


def noise_scale(grid: Grid, s: Sites, expected: Any) -> Any:
    """Scale of the Student-t noise, (run, benchmark); `spread` of each benchmark, or of all."""
    variance = expected * (1 - expected) / grid.items + grid.resolution**2 / 12
    return np.sqrt(variance + np.exp(2 * s["spread"]))
