"""What is best at a budget: log-affine laws of an optimum, and a surface around it."""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array

from bayescale.laws.power_sums import NATS, Amplitude, Exponent, Floor
from bayescale.laws.terms import power as term
from bayescale.parts.coefficients import fraction, positive, real
from bayescale.parts.declare import amplitudes, law, printed
from bayescale.parts.inputs import Batch, Flops, LearningRate, Params, Tokens
from bayescale.parts.part import Values


@law(
    response="optimum",
    unit="params",
    source="Porian et al. 2024, arXiv:2406.19146; Hoffmann et al. 2022, arXiv:2203.15556",
    status="unverified",
    plausible=(1e6, 1e13),
    rises=("flops",),
    paper=amplitudes(N_0={"flops": "-a"}),
    published={
        "Porian et al. 2024, optimiser tuned, about": printed(a=0.5),
    },
    traps=("minima at the edge of a grid are censored", "how params are counted moves a by 0.1"),
)
def isoflop_optimum(
    flops: Flops,
    *,
    N_0: Annotated[Array, positive(1e9, 10, unit="params", meaning="best size at the reference")],
    a: Annotated[Array, fraction(0.5, 0.7, unit="1", meaning="share of compute's growth")],
) -> Array:
    r"""The best size at a budget is a power of the budget.

    .. math:: N^* = N_0\,C^{a}
    """
    return term(N_0, flops, -a)


def _deepseek_paper(c: Values, reference: Values) -> dict[str, Any]:
    data = amplitudes(d={"flops": "-b"})(c, reference)
    return {**data, "m": 1 / data["d"], "a": 1 - c["b"]}


@law(
    response="optimum",
    unit="tokens",
    source="DeepSeek-AI 2024, arXiv:2401.02954, section 3.2",
    plausible=(1e8, 1e15),
    rises=("flops",),
    paper=_deepseek_paper,
    published={
        "DeepSeek LLM": printed(d=5.8316, b=0.4757, m=0.1715, a=0.5243),
        "corpus of the least quality": printed(a=0.450, b=0.550),
        "of middling quality": printed(a=0.524, b=0.476),
        "of the best quality": printed(a=0.578, b=0.422),
    },
    traps=(
        "size is counted in non-embedding FLOPs a token, M, not in params",
        "the better the corpus, the more of the compute goes to size",
    ),
)
def deepseek_alloc(
    flops: Flops,
    *,
    d: Annotated[Array, positive(1e11, 10, unit="tokens", meaning="best data at the reference")],
    b: Annotated[Array, fraction(0.5, 0.7, unit="1", meaning="share of compute's growth")],
) -> Array:
    r"""The best amount of data is a power of compute; the best size is what is left of it.

    .. math:: D^* = d\,C^{b}, \quad M^* = C / D^* = m\,C^{a}
    """
    return term(d, flops, -b)


def _step_law_paper(c: Values, reference: Values) -> dict[str, Any]:
    terms = amplitudes(A={"params": "alpha"}, B={"tokens": "beta"})(c, reference)
    params, tokens = reference["params"], reference["tokens"]
    rate = c["eta_0"] * reference["learning_rate"] * params ** -c["p"] * tokens ** -c["q"]
    return {**terms, "eta_0": rate, "B_0": c["B_0"] * reference["batch"] * tokens ** -c["r"]}


@law(
    response="loss",
    unit=NATS,
    source="Li et al. 2025, arXiv:2503.04715 (Step law), as a surface around its optimum",
    plausible=(1, 20),
    paper=_step_law_paper,
    published={
        "Li et al. 2025": printed(eta_0=1.79, p=-0.713, q=0.307, B_0=0.58, r=0.571),
    },
    traps=(
        "optima read off a grid are noisy, and wrong at its edges: the surface uses every run",
        "the optimum depends on the schedule's shape",
    ),
)
def step_law(
    params: Params,
    tokens: Tokens,
    learning_rate: LearningRate,
    batch: Batch,
    *,
    E: Floor,
    A: Amplitude,
    B: Amplitude,
    alpha: Exponent,
    beta: Exponent,
    eta_0: Annotated[Array, positive(1, 3, unit="reference rate", meaning="best rate there")],
    p: Annotated[Array, real(-0.5, 0.5, unit="1", meaning="exponent of params in the best rate")],
    q: Annotated[Array, real(0.2, 0.5, unit="1", meaning="exponent of tokens in the best rate")],
    B_0: Annotated[Array, positive(1, 3, unit="reference batch", meaning="best batch there")],
    r: Annotated[Array, real(0.5, 0.5, unit="1", meaning="exponent of tokens in the best batch")],
    k_eta: Annotated[Array, positive(0.03, 3, unit=NATS, meaning="curvature in log rate")],
    k_batch: Annotated[Array, positive(0.03, 3, unit=NATS, meaning="curvature in log batch")],
    tilt: Annotated[Array, fraction(0.5, 1, unit="1", meaning="0.5: rate and batch act apart")],
) -> Array:
    r"""Loss is a bowl in log rate and log batch around an optimum that moves with size and data.

    .. math:: L = L^*(N, D) + \tfrac12 k_\eta u^2 + \tfrac12 k_B v^2
              + \rho \sqrt{k_\eta k_B}\,u v, \quad
              u = \log \eta - \log \eta_0 N^p D^q, \quad v = \log B - \log B_0 D^r

    with rho = 2 tilt - 1.
    """
    log_tokens = jnp.log(tokens)
    u = jnp.log(learning_rate / eta_0) - p * jnp.log(params) - q * log_tokens
    v = jnp.log(batch / B_0) - r * log_tokens
    cross = (2 * tilt - 1) * jnp.sqrt(k_eta * k_batch) * u * v
    bowl = 0.5 * (k_eta * u**2 + k_batch * v**2) + cross
    return E + term(A, params, alpha) + term(B, tokens, beta) + bowl


@law(
    response="optimum",
    unit="tokens",
    source="Zhang et al. 2024, arXiv:2410.21676",
    plausible=(1e3, 1e9),
    rises=("tokens",),
    paper=amplitudes(b={"tokens": "-p"}),
    traps=("units of the published constants are not certain: refit them",),
)
def cbs_data(
    tokens: Tokens,
    *,
    b: Annotated[Array, positive(1e6, 10, unit="tokens", meaning="critical batch there")],
    p: Annotated[Array, positive(0.47, 1.65, unit="1", meaning="exponent of tokens")],
) -> Array:
    r"""The critical batch grows with the data, and hardly with size.

    .. math:: B^* = b\,D^{p}
    """
    return term(b, tokens, -p)
