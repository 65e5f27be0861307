"""Laws of leaderboards: how size and data turn into skills, or straight into scores.

Inputs reach a law divided by the reference run's, so that a coefficient is what holds there.
`intercept` and the slopes may vary by family and run; the model adds those offsets.
"""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array

from bayescale.parts.coefficients import real
from bayescale.parts.declare import law
from bayescale.parts.inputs import Flops, Instruct, Params, Tokens
from bayescale.parts.part import Values

LOGIT = "logits of the anchor's score"
PER_EFOLD = "logits per e-fold"
SQUARED = "logits per squared e-fold"

# The coefficients of both laws of skills.
Level = Annotated[Array, real(0, 1.5, "skill", unit=LOGIT, meaning="skill at reference")]
OfParams = Annotated[Array, real(0.5, 0.4, "skill", unit=PER_EFOLD, meaning="gain from params")]
OfTokens = Annotated[Array, real(0.5, 0.4, "skill", unit=PER_EFOLD, meaning="gain from tokens")]
OfBoth = Annotated[Array, real(0, 0.15, "skill", unit=SQUARED, meaning="size x tokens")]


def _skills_raw(c: Values, reference: Values) -> dict[str, Any]:
    """Move the intercept from the reference run to where all inputs are one."""
    log_params, log_tokens = jnp.log(reference["params"]), jnp.log(reference["tokens"])
    size = c["size"] - c["interaction"] * log_tokens
    intercept = c["intercept"] - size * log_params - c["data"] * log_tokens
    data = c["data"] - c["interaction"] * log_params
    return {**c, "intercept": intercept, "size": size, "data": data}


@law(
    response="skills",
    unit="logits",
    source="Maia Polo et al. 2024, arXiv:2412.06540 (Sloth)",
    plausible=(-10, 10),
    paper=_skills_raw,
)
def skills(
    params: Params,
    tokens: Tokens,
    *,
    intercept: Level,
    size: OfParams,
    data: OfTokens,
    interaction: OfBoth,
) -> Array:
    r"""Skills grow with log params, log tokens and their product.

    .. math:: \theta_k = a_k + b_k \log N + c_k \log D + e_k \log N \log D

    Parameters
    ----------
    params, tokens
        Parameters and training tokens over those of the reference run, shape (..., 1).
    intercept, size, data, interaction
        Shape (..., skill).

    Returns
    -------
    Array
        Skills, shape (..., skill), in logits of the anchor benchmark's score.
    """
    log_params, log_tokens = jnp.log(params), jnp.log(tokens)
    return intercept + size * log_params + (data + interaction * log_params) * log_tokens


@law(
    response="skills",
    unit="logits",
    source="skills of Maia Polo et al. 2024, arXiv:2412.06540, with a shift of tuned models",
    plausible=(-10, 10),
    paper=_skills_raw,
)
def tuned_skills(
    params: Params,
    tokens: Tokens,
    instruct: Instruct,
    *,
    intercept: Level,
    size: OfParams,
    data: OfTokens,
    interaction: OfBoth,
    tuning: Annotated[
        Array, real(0, 0.5, "skill", unit=LOGIT, meaning="gain from tuning to instructions")
    ],
) -> Array:
    r"""Skills grow as those of `skills`, and tuning to follow instructions shifts each.

    .. math:: \theta_k = a_k + b_k \log N + c_k \log D + e_k \log N \log D + t_k I

    Parameters
    ----------
    params, tokens
        Parameters and training tokens over those of the reference run, shape (..., 1).
    instruct
        1 of a model that was tuned to follow instructions, shape (..., 1).
    intercept, size, data, interaction, tuning
        Shape (..., skill).

    Returns
    -------
    Array
        Skills, shape (..., skill), in logits of the anchor benchmark's score.
    """
    grown = skills.function(
        params, tokens, intercept=intercept, size=size, data=data, interaction=interaction
    )
    found: Array = grown + tuning * instruct
    return found


def _raw(c: Values, slope: str, reference: Values) -> dict[str, Any]:
    return {**c, "intercept": c["intercept"] - c[slope] * jnp.log(reference["flops"])}


@law(
    response="skills",
    unit="logits",
    source="Ruan, Maddison, Hashimoto 2024, arXiv:2405.10938",
    plausible=(-10, 10),
    paper=lambda c, reference: _raw(c, "efficiency", reference),
)
def observational(
    flops: Flops,
    *,
    intercept: Annotated[Array, real(0, 1.5, "skill", unit=LOGIT, meaning="skill at reference")],
    efficiency: Annotated[
        Array, real(0.5, 0.3, "skill", unit=PER_EFOLD, meaning="gain from training compute")
    ],
) -> Array:
    r"""Skills grow with log compute, each family turning compute into skill at its own rate.

    .. math:: \theta_k = \nu_k + \vartheta_k \log C

    Parameters
    ----------
    flops
        Training FLOPs over those of the reference run, shape (..., 1).
    intercept, efficiency
        Shape (..., skill); the model lets both vary by family.

    Returns
    -------
    Array
        Skills, shape (..., skill), in logits of the anchor benchmark's score.
    """
    return intercept + efficiency * jnp.log(flops)


@law(
    response="latent",
    unit="logits",
    source="the logistic curve in log FLOPs of Owen 2024, arXiv:2401.04757",
    plausible=(-10, 10),
    paper=lambda c, reference: _raw(c, "slope", reference),
)
def compute(
    flops: Flops,
    *,
    intercept: Annotated[
        Array, real(0, 1.5, "benchmark", unit="logits", meaning="level at reference")
    ],
    slope: Annotated[
        Array, real(0.4, 0.3, "benchmark", unit=PER_EFOLD, meaning="gain from training compute")
    ],
) -> Array:
    r"""Each benchmark follows one logistic curve in log compute, shifted by the family.

    .. math:: \eta_b = \nu_b + \vartheta_b \log C

    Parameters
    ----------
    flops
        Training FLOPs over those of the reference run, shape (..., 1).
    intercept, slope
        Shape (..., benchmark).

    Returns
    -------
    Array
        Latent scores in logits, shape (..., benchmark).
    """
    return intercept + slope * jnp.log(flops)
