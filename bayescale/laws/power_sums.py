"""Sums of power terms: a floor, and what size, data or compute buy down."""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array

from bayescale.laws.terms import above_floor, log_reducible
from bayescale.laws.terms import power as term
from bayescale.parts.coefficients import fraction, positive, real
from bayescale.parts.declare import amplitudes, law, printed
from bayescale.parts.inputs import (
    Continued,
    Depth,
    Flops,
    Loss,
    Multiplier,
    Params,
    Scale,
    Tokens,
    Width,
)
from bayescale.parts.part import Values

NATS = "nats/token"
AT_REFERENCE = "at the reference run"
Exponent = Annotated[Array, positive(0.35, 1.65, unit="1", meaning="exponent")]
Floor = Annotated[Array, positive(1.8, 1.35, unit=NATS, meaning="loss that nothing buys down")]
Amplitude = Annotated[
    Array, positive(0.3, 3, unit=NATS, meaning=f"worth of the term {AT_REFERENCE}")
]


@law(
    response="loss",
    unit="of the response",
    source="Hestness et al. 2017, arXiv:1712.00409; Kaplan et al. 2020, arXiv:2001.08361",
    plausible=(0.1, 100),
    falls=("x",),
    paper=amplitudes(A={"x": "alpha"}),
    traps=("no floor: exponents come out smaller than those of a law that has one",),
)
def power(
    x: Scale,
    *,
    A: Annotated[Array, positive(3, 3, unit="of the response", meaning=f"value {AT_REFERENCE}")],
    alpha: Annotated[Array, positive(0.1, 2, unit="1", meaning="exponent")],
) -> Array:
    r"""The response falls as one power of size, data or compute.

    .. math:: L = A\,x^{-\alpha}
    """
    return term(A, x, alpha)


def _power_floor_paper(c: Values, reference: Values) -> dict[str, Any]:
    exponent = c["slope"] / (1 - c["share"])
    amplitude = c["L"] * (1 - c["share"]) * reference["x"] ** exponent
    return {"E": c["L"] * c["share"], "A": amplitude, "alpha": exponent}


@law(
    response="loss",
    unit="of the response",
    source="Henighan et al. 2020, arXiv:2010.14701; Hestness et al. 2017, arXiv:1712.00409",
    plausible=(0.3, 20),
    falls=("x",),
    limits=lambda c: (None, c["L"] * c["share"]),
    paper=_power_floor_paper,
    traps=("floor and exponent trade off when the reducible part spans less than two decades",),
)
def power_floor(
    x: Scale,
    *,
    L: Annotated[Array, positive(2.5, 2, unit="of the response", meaning=f"value {AT_REFERENCE}")],
    share: Annotated[Array, fraction(0.5, 1, unit="1", meaning="of it that nothing buys down")],
    slope: Annotated[Array, positive(0.07, 2, unit="1", meaning="fall of log L with log x there")],
) -> Array:
    r"""A power of one input above a floor that nothing buys down.

    .. math:: L = E + A\,x^{-\alpha}
    """
    return above_floor(L, share, slope * jnp.log(x))


def _kaplan_single_paper(c: Values, reference: Values) -> dict[str, Any]:
    return {"X_c": reference["x"] * c["L"] ** (1 / c["alpha"]), "alpha": c["alpha"]}


@law(
    response="loss",
    unit=NATS,
    source="Kaplan et al. 2020, arXiv:2001.08361, eqs 1.1 to 1.3",
    plausible=(0.5, 20),
    falls=("x",),
    paper=_kaplan_single_paper,
    published={
        "params": printed(alpha=0.076),
        "tokens": printed(alpha=0.095),
        "compute, at the best batch": printed(alpha=0.050),
    },
    traps=(
        "no floor: exponents come out smaller than those of a law that has one",
        "the paper counts params without embeddings",
    ),
)
def kaplan_single(
    x: Scale,
    *,
    L: Annotated[Array, positive(3, 1.65, unit=NATS, meaning=f"loss {AT_REFERENCE}")],
    alpha: Annotated[Array, positive(0.08, 1.65, unit="1", meaning="exponent")],
) -> Array:
    r"""Loss falls as one power, down to no floor: (X_c / x) to the power alpha.

    .. math:: L = (X_c/x)^\alpha
    """
    return term(L, x, alpha)


def _kaplan_nd_paper(c: Values, reference: Values) -> dict[str, Any]:
    whole = c["R"] ** (1 / c["alpha_D"])
    size = (c["share"] * whole) ** (c["alpha_D"] / c["alpha_N"])
    return {
        "E": c["E"],
        "N_c": reference["params"] * size,
        "D_c": reference["tokens"] * (1 - c["share"]) * whole,
        "alpha_N": c["alpha_N"],
        "alpha_D": c["alpha_D"],
    }


@law(
    response="loss",
    unit=NATS,
    source="Kaplan et al. 2020, arXiv:2001.08361, eq. 1.5; with a floor: Brandfonbrener et al. "
    "2024, arXiv:2411.12925",
    plausible=(1, 10),
    falls=("params", "tokens"),
    floor="E",
    paper=_kaplan_nd_paper,
    traps=("without a floor the exponents are near 0.08 and 0.1, with one near 0.4",),
)
def kaplan_nd(
    params: Params,
    tokens: Tokens,
    *,
    E: Floor,
    R: Annotated[Array, positive(0.6, 2, unit=NATS, meaning=f"reducible loss {AT_REFERENCE}")],
    share: Annotated[Array, fraction(0.5, 1, unit="1", meaning="of size in the bracket there")],
    alpha_N: Annotated[Array, positive(0.4, 1.65, unit="1", meaning="exponent of params")],
    alpha_D: Annotated[Array, positive(0.4, 1.65, unit="1", meaning="exponent of tokens")],
) -> Array:
    r"""Size and data limit the loss together, inside one power.

    .. math:: L = E + \left[(N_c/N)^{\alpha_N/\alpha_D} + D_c/D\right]^{\alpha_D}
    """
    inside = term(share, params, alpha_N / alpha_D) + (1 - share) / tokens
    return E + R * jnp.exp(alpha_D * jnp.log(inside))


@law(
    response="loss",
    unit=NATS,
    source="Hoffmann et al. 2022, arXiv:2203.15556, eq. 2; Besiroglu et al. 2024, arXiv:2404.10102",
    plausible=(1, 10),
    falls=("params", "tokens"),
    floor="E",
    paper=amplitudes(A={"params": "alpha"}, B={"tokens": "beta"}),
    published={
        "Besiroglu et al. 2024": printed(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658),
        "Hoffmann et al. 2022, approach 3": printed(
            E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28
        ),
    },
    traps=(
        "with one ratio of tokens to params the two terms are exchangeable: demand two ratios",
        "a few runs with very few tokens a param decide B and beta: use noise with tails",
        "embeddings and head in the count of params move the exponents by 0.1 to 0.4",
    ),
)
def chinchilla(
    params: Params,
    tokens: Tokens,
    *,
    E: Floor,
    A: Amplitude,
    B: Amplitude,
    alpha: Exponent,
    beta: Exponent,
) -> Array:
    r"""Loss is an irreducible floor, a term that size buys down and one that data buy down.

    .. math:: L = E + A\,N^{-\alpha} + B\,D^{-\beta}
    """
    return E + term(A, params, alpha) + term(B, tokens, beta)


@law(
    response="loss",
    unit=NATS,
    source="Gadre et al. 2024, arXiv:2403.08540, eq. 4",
    plausible=(1, 10),
    falls=("flops",),
    floor="E",
    paper=amplitudes(
        a={"flops": "eta", "multiplier": "-eta"}, b={"flops": "eta", "multiplier": "eta"}
    ),
    published={
        "C4": printed(E=1.51, a=141.0, b=190.0, eta=0.121),
        "RedPajama": printed(E=1.84, a=212.0, b=367.0, eta=0.136),
        "RefinedWeb": printed(E=1.73, a=157.0, b=246.0, eta=0.127),
    },
    traps=("five runs for four coefficients, as in the paper, leave the floor to the prior",),
)
def gadre_overtrain(
    flops: Flops,
    multiplier: Multiplier,
    *,
    E: Floor,
    a: Amplitude,
    b: Amplitude,
    eta: Annotated[Array, positive(0.12, 1.65, unit="1", meaning="exponent of compute")],
) -> Array:
    r"""Over-training moves the loss along parallel lines in log compute.

    .. math:: L = E + (a M^\eta + b M^{-\eta})\,C^{-\eta}
    """
    return E + term(a, flops / multiplier, eta) + term(b, flops * multiplier, eta)


@law(
    response="loss",
    unit=NATS,
    source="McLeish et al. 2025, arXiv:2502.06857",
    plausible=(1, 10),
    falls=("width", "depth", "tokens"),
    floor="E",
    paper=amplitudes(A={"width": "alpha"}, B={"depth": "beta"}, C={"tokens": "zeta"}),
    traps=(
        "width, depth and params are nearly collinear: vary the shape at a fixed size",
        "checkpoints of one run share its noise: give the run a level of its own",
    ),
)
def gemstones(
    width: Width,
    depth: Depth,
    tokens: Tokens,
    *,
    E: Floor,
    A: Amplitude,
    B: Amplitude,
    C: Amplitude,
    alpha: Exponent,
    beta: Exponent,
    zeta: Exponent,
) -> Array:
    r"""Width, depth and data each buy down a term of their own.

    .. math:: L = E + A\,w^{-\alpha} + B\,l^{-\beta} + C\,T^{-\zeta}
    """
    return E + term(A, width, alpha) + term(B, depth, beta) + term(C, tokens, zeta)


@law(
    response="loss",
    unit=NATS,
    source="Brandfonbrener et al. 2024, arXiv:2411.12925",
    plausible=(1, 10),
    rises=("loss",),
    published={
        "FineWeb-Edu to FineWeb, refitted": printed(kappa=1.00, K=1.01),
        "FineWeb-Edu to SmolLM, refitted": printed(kappa=1.01, K=1.07),
        "FineWeb-Edu to SlimPajama, refitted": printed(kappa=0.97, K=1.05),
        "FineWeb-Edu to Proof-Pile-2, refitted": printed(kappa=1.07, K=0.61),
        "FineWeb-Edu to StarCoder, refitted": printed(kappa=1.10, K=0.63),
    },
    traps=("the loss that is read has noise too", "its floor E_0 and kappa trade off"),
)
def loss_to_loss(
    loss: Loss,
    *,
    E: Floor,
    E_0: Annotated[Array, positive(1.5, 1.35, unit=NATS, meaning="floor of the loss elsewhere")],
    K: Annotated[Array, positive(1, 2, unit="1", meaning="exchange rate of reducible losses")],
    kappa: Annotated[Array, positive(1, 1.22, unit="1", meaning="exponent")],
) -> Array:
    r"""Reducible losses on two distributions are powers of each other.

    .. math:: L_1 = E_1 + K (L_0 - E_0)^\kappa
    """
    return E + K * jnp.exp(kappa * log_reducible(loss, E_0))


@law(
    response="loss",
    unit=NATS,
    source="Zheng et al. 2024, arXiv:2407.02118",
    plausible=(1, 10),
    falls=("tokens",),
    published={
        "Zheng et al. 2024": printed(
            E=1.55,
            A=420.0,
            alpha=0.40,
            B=719.5,
            beta=0.30,
            B_continued=433.3,
            beta_continued=0.20,
            gamma=0.08,
        ),
    },
    paper=amplitudes(
        A={"params": "alpha"},
        B={"tokens": "beta"},
        B_continued={"tokens": "beta_continued", "params": "gamma"},
    ),
    traps=(
        "gamma is told from alpha only by runs of several sizes at one number of tokens",
        "there is a best size at a budget only where beta_continued exceeds gamma",
    ),
)
def cpt(
    params: Params,
    tokens: Tokens,
    continued: Continued,
    *,
    E: Floor,
    A: Amplitude,
    B: Amplitude,
    B_continued: Amplitude,
    alpha: Exponent,
    beta: Exponent,
    beta_continued: Annotated[
        Array, positive(0.25, 1.65, unit="1", meaning="exponent of tokens, continued")
    ],
    gamma: Annotated[Array, real(0.05, 0.1, unit="1", meaning="exponent of params, continued")],
) -> Array:
    r"""Pre-training that continues from another language shares floor and size term with a new one.

    .. math:: L = E + A\,N^{-\alpha} + B\,D^{-\beta} \quad\text{or}\quad
              L = E + A\,N^{-\alpha} + B'\,D^{-\beta'} N^{-\gamma}
    """
    anew = term(B, tokens, beta)
    onward = term(B_continued, tokens, beta_continued) * jnp.exp(-gamma * jnp.log(params))
    return E + term(A, params, alpha) + jnp.where(continued > 0, onward, anew)
