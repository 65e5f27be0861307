"""Inputs that act together: experts with size, precision with data, domains in a mixture."""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array

from bayescale.laws.power_sums import NATS, Amplitude, Exponent, Floor
from bayescale.laws.terms import power as term
from bayescale.laws.terms import saturated_experts
from bayescale.parts.coefficients import positive, real
from bayescale.parts.declare import amplitudes, law, printed
from bayescale.parts.inputs import (
    ActiveParams,
    Bits,
    Experts,
    GroupSize,
    Mixture,
    Params,
    Share,
    Tokens,
)
from bayescale.parts.part import Values


def _joint_moe_paper(c: Values, reference: Values) -> dict[str, Any]:
    """Centred at a dense reference run; to raw inputs, and exponents with their sign."""
    log_params, log_tokens = jnp.log(reference["params_active"]), jnp.log(reference["tokens"])
    log_start = jnp.log(c["start"] + 1)
    alpha, beta = -c["alpha"] - c["gamma"] * log_start, -c["beta"] - c["zeta"] * log_start
    return {
        "a": c["A"] * jnp.exp(-c["delta"] * log_start - alpha * log_params),
        "alpha": alpha,
        "delta": c["delta"] - c["gamma"] * log_params,
        "gamma": c["gamma"],
        "b": c["B"] * jnp.exp(-c["omega"] * log_start - beta * log_tokens),
        "beta": beta,
        "omega": c["omega"] - c["zeta"] * log_tokens,
        "zeta": c["zeta"],
        "E_start": c["start"] + 1,
        "E_max": c["start"] + 1 + c["span"],
        "c": c["E"],
    }


@law(
    response="loss",
    unit=NATS,
    source="Ludziejewski et al. 2025, arXiv:2502.05172, eq. 6",
    plausible=(1, 10),
    paper=_joint_moe_paper,
    published={
        "Ludziejewski et al. 2025": printed(
            a=35.91,
            alpha=-0.1889,
            delta=-0.2285,
            gamma=0.0098,
            b=35.98,
            beta=-0.1775,
            omega=0.5529,
            zeta=-0.0259,
            E_start=2.0732,
            E_max=290.4521,
            c=1.3637,
        ),
    },
    traps=("eleven coefficients: without priors a few hundred runs do not pin them down",),
)
def joint_moe(
    params_active: ActiveParams,
    tokens: Tokens,
    experts: Experts,
    *,
    E: Floor,
    A: Amplitude,
    B: Amplitude,
    alpha: Annotated[Array, positive(0.18, 1.65, unit="1", meaning="exponent of params, dense")],
    beta: Annotated[Array, positive(0.18, 1.65, unit="1", meaning="exponent of tokens, dense")],
    delta: Annotated[Array, real(0, 0.2, unit="1", meaning="power of experts in the size term")],
    omega: Annotated[Array, real(0, 0.2, unit="1", meaning="power of experts in the data term")],
    gamma: Annotated[Array, real(0, 0.03, unit="1", meaning="experts' effect on params' power")],
    zeta: Annotated[Array, real(0, 0.03, unit="1", meaning="experts' effect on tokens' power")],
    start: Annotated[Array, positive(1, 2.7, unit="experts", meaning="E_start - 1")],
    span: Annotated[Array, positive(300, 2.7, unit="experts", meaning="E_max - E_start")],
) -> Array:
    r"""Experts change the worth of active params and of tokens, each within its own term.

    .. math:: L = E + A e^{\delta} N^{-\alpha + \gamma \log e}
              + B e^{\omega} D^{-\beta + \zeta \log e}, \quad e = \hat E/E_{start}

    so that a dense model, whose effective number of experts is E_start, has e = 1.
    """
    log_e = jnp.log(saturated_experts(experts, start + 1, start + 1 + span) / (start + 1))
    size = term(A, params_active, alpha - gamma * log_e) * jnp.exp(delta * log_e)
    data = term(B, tokens, beta - zeta * log_e) * jnp.exp(omega * log_e)
    return E + size + data


@law(
    response="loss",
    unit=NATS,
    source="Chen et al. 2025, arXiv:2505.14302",
    plausible=(1, 10),
    falls=("params",),
    rises=("group_size",),
    paper=amplitudes(
        A={"params": "alpha"},
        B={"tokens": "beta"},
        k={"params": "gamma_N", "tokens": "-gamma_D"},
    ),
    published={
        "W4A4": printed(k=0.1582, gamma_N=0.2186, gamma_D=0.0745, gamma_G=0.7779),
        "W4A16": printed(k=0.2522, gamma_N=0.3589, gamma_D=0.1610, gamma_G=0.3533),
        "W16A4": printed(k=0.1004, gamma_N=0.1816, gamma_D=0.0331, gamma_G=0.9812),
        "W4A4, FC2 at 8 bits": printed(k=0.3519, gamma_N=0.2637, gamma_D=0.0964, gamma_G=0.3407),
    },
    traps=(
        "the units of params and tokens in the paper's k are uncertain: refit it",
        "quantisation by channel has no group size: give it the number of weights of a channel",
    ),
)
def qat(
    params: Params,
    tokens: Tokens,
    group_size: GroupSize,
    *,
    E: Floor,
    A: Amplitude,
    B: Amplitude,
    alpha: Exponent,
    beta: Exponent,
    k: Annotated[Array, positive(0.02, 3, unit=NATS, meaning="cost at the reference, groups of 2")],
    gamma_N: Annotated[Array, positive(0.25, 1.65, unit="1", meaning="exponent of params")],
    gamma_D: Annotated[Array, positive(0.1, 2, unit="1", meaning="exponent of tokens")],
    gamma_G: Annotated[Array, positive(0.6, 1.65, unit="1", meaning="exponent of log2 group")],
) -> Array:
    r"""Training with quantised weights costs a loss that grows with data and shrinks with size.

    .. math:: L = E + A N^{-\alpha} + B D^{-\beta}
              + k\,D^{\gamma_D} (\log_2 G)^{\gamma_G} N^{-\gamma_N}
    """
    grouped = k * jnp.exp(gamma_G * jnp.log(jnp.log2(group_size)))
    cost = term(term(grouped, params, gamma_N), tokens, -gamma_D)
    return E + term(A, params, alpha) + term(B, tokens, beta) + cost


@law(
    response="loss difference",
    unit=NATS,
    source="Ouyang et al. 2024, arXiv:2411.17691, eq. 7",
    plausible=(1e-6, 1e4),
    falls=("params", "bits"),
    rises=("tokens",),
    paper=amplitudes(k={"params": "alpha", "tokens": "-beta", "bits": "gamma"}),
    published={
        "Pythia, GPTQ": printed(k=0.017, beta=0.5251, alpha=0.2261, gamma=5.4967),
    },
    traps=(
        "differences below the noise of a loss are censored, not zero",
        "gamma needs three bit widths",
    ),
)
def qid(
    params: Params,
    tokens: Tokens,
    bits: Bits,
    *,
    k: Annotated[Array, positive(0.1, 5, unit=NATS, meaning="cost at the reference run")],
    alpha: Annotated[Array, positive(0.3, 1.65, unit="1", meaning="exponent of params")],
    beta: Annotated[Array, positive(0.5, 1.65, unit="1", meaning="exponent of tokens")],
    gamma: Annotated[Array, positive(5, 1.65, unit="1", meaning="exponent of bits")],
) -> Array:
    r"""Quantisation after training costs more the longer the training was.

    .. math:: \Delta L = k\,\frac{D^{\beta}}{N^{\alpha} P^{\gamma}}
    """
    return term(term(term(k, params, alpha), tokens, -beta), bits, gamma)


def _bimix_paper(c: Values, reference: Values) -> dict[str, Any]:
    share = reference["share"] ** c["alpha"]
    return {
        "alpha": c["alpha"],
        "beta": c["beta"],
        "B": share * c["B"] * reference["tokens"] ** c["beta"],
        "C": share * c["C"],
    }


@law(
    response="loss",
    unit=NATS,
    source="Ge et al. 2024, arXiv:2405.14908 (BiMix)",
    plausible=(1, 10),
    falls=("share", "tokens"),
    paper=_bimix_paper,
    traps=("the paper's A is one: only its products with B and C are identified",),
)
def bimix(
    share: Share,
    tokens: Tokens,
    *,
    C: Annotated[Array, positive(1.8, 1.35, unit=NATS, meaning="loss that data do not buy down")],
    B: Amplitude,
    alpha: Annotated[Array, positive(0.1, 2, unit="1", meaning="exponent of the share")],
    beta: Annotated[Array, positive(0.4, 1.65, unit="1", meaning="exponent of tokens")],
) -> Array:
    r"""A domain's loss falls with its share of the mixture and with the data, by factors.

    .. math:: L_i = r_i^{-\alpha_i} \left(B_i D^{-\beta_i} + C_i\right)
    """
    return term(C + term(B, tokens, beta), share, alpha)


@law(
    response="loss",
    unit=NATS,
    source="Ye et al. 2024, arXiv:2403.16952",
    status="unverified",
    plausible=(0.5, 20),
    traps=("shares sum to one: only contrasts with the last domain are identified",),
)
def mixing_exp(
    shares: Mixture,
    *,
    c: Annotated[Array, positive(1.5, 1.5, unit=NATS, meaning="loss that no mixture buys down")],
    k: Annotated[Array, positive(1, 2, unit=NATS, meaning="the rest with the last domain alone")],
    t: Annotated[Array, real(0, 1, "contrast", unit="1", meaning="of a domain less the last's")],
) -> Array:
    r"""A domain's loss falls exponentially with the shares of the domains that help it.

    .. math:: L_i = c_i + k_i \exp\Big(\sum_j t_{ij} r_j\Big)
    """
    return c + k * jnp.exp((t * shares[..., :-1]).sum(axis=-1))
