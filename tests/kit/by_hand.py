"""The models once more, in NumPy and scipy, as straight from their formulas as can be."""

from __future__ import annotations

from typing import Any

import numpy as np
from bayescale.models.design import Design
from scipy.special import expit, logit

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


def _linked(latent: Any, pivot: Any, design: Design, s: Sites) -> Any:
    ceiling, shape = expit(s["ceiling"]), np.exp(s["shape"])
    return link(latent, pivot, design.chance, design.top, ceiling, shape)


def _family_mean(values: Any, design: Design) -> Any:
    return np.array([values[design.family == f].mean() for f in range(design.families)])


def _tokens(design: Design, s: Sites) -> Any:
    tokens = design.tokens.copy()
    if len(design.unknown):
        tokens[design.unknown] = 2e12 * 3 ** s["tokens_unknown"]
    return tokens


def compute(design: Design, s: Sites) -> Any:
    """Expected scores of COMPUTE, (run, benchmark); a family's site is its level at its middle."""
    x = np.log(6 * design.active * _tokens(design, s) / 8.4e22)
    # Tokens that nobody knows stand at their prior median in the middle, so that it is fixed.
    middle = _family_mean(np.log(6 * design.active * design.tokens / 8.4e22), design)
    away = x - middle[design.family]
    latent = s["intercept_family"][design.family] + s["slope"] * away[:, None]
    return _linked(latent, s["intercept"], design, s)


def compute_prior_centre(design: Design, s: Sites) -> Any:
    """Mean of COMPUTE's family site, (family, benchmark)."""
    middle = _family_mean(np.log(6 * design.active * design.tokens / 8.4e22), design)
    return s["intercept"] + s["slope"] * middle[:, None]


def skills(design: Design, s: Sites) -> Any:
    """Expected scores of SKILLS, (run, benchmark)."""
    # A family's site is its skill at its mean inputs, a run's its skill, both with the family's
    # own slopes; the difficulty's site is the latent score at the family's mean inputs.
    theta = s["intercept_run"]
    own = s["difficulty_family"] - s["intercept_family"] @ s["loading"].T
    latent = np.empty(design.weights.shape)
    latent[:, design.anchors] = theta
    latent[:, design.others] = own[design.family] + theta @ s["loading"].T
    pivot = np.empty(design.benchmarks)
    pivot[list(design.anchors)], pivot[list(design.others)] = s["intercept"], s["difficulty"]
    return _linked(latent, pivot, design, s)


def skills_prior_centres(design: Design, s: Sites) -> Sites:
    """Means of the sites of SKILLS that are levels at some place."""
    x, fixed = np.log(design.params / 7e9), np.log(design.tokens / 2e12)
    y = np.log(_tokens(design, s) / 2e12)

    def growth(x: Any, y: Any) -> Any:
        size = s["size_family"][design.family] if len(x) == design.runs else s["size_family"]
        x, y = x[:, None], y[:, None]
        return size * x + s["data"] * y + s["interaction"] * x * y

    middle = growth(_family_mean(x, design), _family_mean(fixed, design))
    from_middle = growth(x, y) - middle[design.family]
    return {
        "intercept_family": s["intercept"] + middle,
        "intercept_run": s["intercept_family"][design.family] + from_middle,
        "difficulty_family": s["difficulty"] + s["intercept_family"] @ s["loading"].T,
    }


def noise_scale(design: Design, s: Sites, expected: Any) -> Any:
    """Scale of the Student-t noise, (run, benchmark); `spread` of each benchmark, or of all."""
    variance = expected * (1 - expected) / design.items + design.resolution**2 / 12
    return np.sqrt(variance + np.exp(2 * s["spread"]))
