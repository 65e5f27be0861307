"""Effective resources: repeats, experts, streams and vocabulary turned into size or data."""

from __future__ import annotations

import math
from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array

from bayescale.laws.power_sums import NATS, Amplitude, Exponent, Floor
from bayescale.laws.terms import power as term
from bayescale.laws.terms import repeated, saturated_experts
from bayescale.parts.coefficients import positive, real
from bayescale.parts.declare import amplitudes, law, printed
from bayescale.parts.inputs import (
    BodyParams,
    Characters,
    Experts,
    Params,
    Streams,
    Tokens,
    UniqueTokens,
    Vocabulary,
    VocabularyParams,
)
from bayescale.parts.part import Values

LN10 = math.log(10)


@law(
    response="loss",
    unit=NATS,
    source="Muennighoff et al. 2023, arXiv:2305.16264, eqs 5 to 7",
    plausible=(1, 10),
    falls=("params", "tokens", "unique_tokens"),
    floor="E",
    paper=amplitudes(A={"params": "alpha"}, B={"tokens": "beta"}),
    published={
        # The released code gives logarithms.
        "Muennighoff et al. 2023": printed(
            E=math.exp(0.6254804),
            A=math.exp(6.255414),
            B=math.exp(7.3049974),
            alpha=0.3526596,
            beta=0.3526596,
            R_D=15.387756,
            R_N=5.309743,
        ),
    },
    traps=(
        "fitting the base law first and the half-lives then hides how they are correlated",
        "heavily repeated runs over-fit: the noise grows with the repeats",
    ),
)
def data_constrained(
    params: Params,
    tokens: Tokens,
    unique_tokens: UniqueTokens,
    *,
    E: Floor,
    A: Amplitude,
    B: Amplitude,
    alpha: Exponent,
    beta: Exponent,
    R_D: Annotated[Array, positive(10, 2.7, unit="epochs", meaning="repeats that keep 1 - 1/e")],
    R_N: Annotated[Array, positive(10, 2.7, unit="1", meaning="the same of excess params")],
) -> Array:
    r"""Repeated data, and params beyond what the data can fill, are worth less and less.

    .. math:: L = E + A\,N'^{-\alpha} + B\,D'^{-\beta}, \quad
              D' = U_D \left(1 + R_D^* (1 - e^{-R_D/R_D^*})\right), \quad R_D = D/U_D - 1

    and N' likewise, with U_N the size that is optimal for U_D tokens, or N if that is smaller.
    """
    # The paper's minima stay: D' and N' have no jump of slope there, as R is zero on either side.
    unique = jnp.minimum(unique_tokens, tokens)
    optimal = jnp.exp((jnp.log(alpha * A / (beta * B)) + beta * jnp.log(unique)) / alpha)
    filled = jnp.minimum(params, optimal)
    size, data = repeated(filled, params, R_N), repeated(unique, tokens, R_D)
    return E + term(A, size, alpha) + term(B, data, beta)


def _routed_paper(c: Values, reference: Values) -> dict[str, Any]:
    """Centred at the reference run, natural logs; to raw inputs, logs of base ten."""
    log_params, log_start = jnp.log(reference["params"]), jnp.log(c["start"] + 1)
    b = c["b"] - c["c"] * log_params
    return {
        "a": -c["a"] - c["c"] * log_start,
        "b": b,
        "c": c["c"] * LN10,
        "d": (jnp.log(c["L"]) + c["a"] * log_params - b * log_start) / LN10,
        "E_start": c["start"] + 1,
        "E_max": c["start"] + 1 + c["span"],
    }


@law(
    response="loss",
    unit=NATS,
    source="Clark et al. 2022, arXiv:2202.01169, eqs 7 and 8",
    plausible=(1, 10),
    paper=_routed_paper,
    published={
        "S-BASE, refitted": printed(
            a=-0.0838, b=-0.1233, c=0.0104, d=1.122, E_start=2.39, E_max=218.0
        ),
        "RL-R, refitted": printed(
            a=-0.0835, b=-0.1279, c=0.0117, d=1.114, E_start=1.99, E_max=425.0
        ),
        "Hash, refitted": printed(
            a=-0.0887, b=-0.1463, c=0.0134, d=1.173, E_start=4.98, E_max=370.0
        ),
    },
    traps=(
        "c and d are in base 10 in the paper",
        "the largest useful number of experts, b and c trade off",
    ),
)
def routed_clark(
    params: Params,
    experts: Experts,
    *,
    L: Annotated[Array, positive(2.5, 1.5, unit=NATS, meaning="dense loss at the reference run")],
    a: Annotated[Array, positive(0.08, 1.65, unit="1", meaning="exponent of params, dense")],
    b: Annotated[Array, real(-0.05, 0.1, unit="1", meaning="power of experts there")],
    c: Annotated[Array, real(0, 0.02, unit="1", meaning="how it changes with log params")],
    start: Annotated[Array, positive(1, 2.7, unit="experts", meaning="E_start - 1")],
    span: Annotated[Array, positive(300, 2.7, unit="experts", meaning="E_max - E_start")],
) -> Array:
    r"""Routing multiplies the size, by less the larger the dense model is.

    .. math:: \log L = \log L_0 - a \log N + b \log (\hat E/E_{start})
              + c \log N \log (\hat E/E_{start})

    so that a dense model, whose effective number of experts is E_start, has the first two terms.
    """
    log_params = jnp.log(params)
    effective = saturated_experts(experts, start + 1, start + 1 + span)
    log_experts = jnp.log(effective / (start + 1))
    return L * jnp.exp(-a * log_params + (b + c * log_params) * log_experts)


def _parscale_paper(c: Values, reference: Values) -> dict[str, Any]:
    amplitude = reference["params"] * c["R"] ** (1 / c["alpha"])
    return {"E": c["E"], "A": amplitude, "alpha": c["alpha"], "kappa": c["kappa"]}


@law(
    response="loss",
    unit=NATS,
    source="Chen et al. 2025, arXiv:2505.10475",
    plausible=(0.5, 10),
    falls=("params", "streams"),
    floor="E",
    paper=_parscale_paper,
    published={
        "Stack-Python": printed(E=0.6912, A=1.1307e7, alpha=0.18935, kappa=0.3935),
        "Pile": printed(E=1.2886, A=1.9754e8, alpha=0.19627, kappa=0.3344),
    },
    traps=("one decade of params hardly tells the floor from the exponent",),
)
def parscale(
    params: Params,
    streams: Streams,
    *,
    E: Annotated[Array, positive(1.2, 1.65, unit=NATS, meaning="floor")],
    R: Annotated[Array, positive(0.6, 2, unit=NATS, meaning="reducible loss of one stream there")],
    alpha: Annotated[Array, positive(0.2, 1.65, unit="1", meaning="exponent of params")],
    kappa: Annotated[Array, positive(0.4, 2.7, unit="1", meaning="worth of a factor e of streams")],
) -> Array:
    r"""P parallel streams are worth log P more params.

    .. math:: L = E + \left(\frac{A}{N (\kappa \log P + 1)}\right)^{\alpha}
    """
    return E + term(R, params * (1 + kappa * jnp.log(streams)), alpha)


@law(
    response="unigram-normalised loss",
    unit=NATS,
    source="Tao et al. 2024, arXiv:2407.13623",
    plausible=(-8, 3),
    noise="student-t-plain",
    falls=("body_params", "vocabulary_params", "characters"),
    paper=amplitudes(
        A1={"body_params": "beta"}, A2={"vocabulary_params": "alpha_2"}, B={"characters": "beta"}
    ),
    published={
        "Tao et al. 2024, params in millions, tokens in billions": printed(
            E=5.533, A1=1.831, A2=0.196, B=2.124, alpha_2=0.671, beta=0.447
        ),
    },
    traps=(
        "the released script puts the vocabulary in thousands into the tokens of a character",
        "the response is negative: a normal or Student-t noise, not one on its log",
    ),
)
def vocabulary(
    body_params: BodyParams,
    vocabulary_params: VocabularyParams,
    vocabulary: Vocabulary,
    characters: Characters,
    *,
    E: Annotated[Array, positive(5, 1.35, unit=NATS, meaning="depth of the floor below zero")],
    A1: Amplitude,
    A2: Amplitude,
    B: Amplitude,
    alpha_2: Annotated[Array, positive(0.6, 1.65, unit="1", meaning="exponent of the vocabulary")],
    beta: Annotated[Array, positive(0.4, 1.65, unit="1", meaning="exponent of size and data")],
) -> Array:
    r"""A larger vocabulary costs params and saves tokens.

    .. math:: L_u = -E + A_1 N_{nv}^{-\beta} + A_2 N_v^{-\alpha_2} + B\,(H f(V))^{-\beta}

    with f the parabola of the released script in the log of V in thousands. Of V itself it is the
    tokens of a character; the script, and so the paper's coefficients, take it at V / 1000.
    """
    log_v = jnp.log(vocabulary / 1000)
    tokens = characters * (0.00639222 * log_v**2 - 0.15811069 * log_v + 1.20470122)
    vocabulary_term = term(A2, vocabulary_params, alpha_2)
    return -E + term(A1, body_params, beta) + vocabulary_term + term(B, tokens, beta)
