"""Curves that break or saturate: plateaus at either end, and bends between power laws."""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array, lax
from jax.nn import sigmoid, softplus

from bayescale.laws.terms import above_floor, soft_break
from bayescale.laws.terms import power as term
from bayescale.parts.coefficients import fraction, positive, real
from bayescale.parts.declare import amplitudes, law, printed
from bayescale.parts.inputs import Examples, Scale
from bayescale.parts.part import Values

REVISITING = "Alabdulmohsin, Neyshabur, Zhai 2022, arXiv:2209.06640"
ERROR = "error or loss"
Exponent = Annotated[Array, positive(0.3, 2, unit="1", meaning="exponent")]
Level = Annotated[Array, positive(0.5, 2, unit=ERROR, meaning="reducible part at the reference")]
FloorShare = Annotated[Array, fraction(0.2, 1, unit="1", meaning="of that level that is floor")]
Floor = Annotated[Array, positive(0.1, 3, unit=ERROR, meaning="error that nothing buys down")]


@law(
    response="error",
    unit=ERROR,
    source=REVISITING,
    status="unverified",
    plausible=(0.01, 20),
    falls=("x",),
    paper=amplitudes(b={"x": "c"}),
    traps=("a straight line in log-log: wrong wherever a curve bends",),
)
def m1(x: Scale, *, b: Level, c: Exponent) -> Array:
    r"""The error falls as one power.

    .. math:: \epsilon = b\,x^{-c}
    """
    return term(b, x, c)


def _m2_paper(c: Values, reference: Values) -> dict[str, Any]:
    exponent = c["slope"] / (1 - c["share"])
    amplitude = c["L"] * (1 - c["share"]) * reference["x"] ** exponent
    return {"b": amplitude, "c": exponent, "floor": c["L"] * c["share"]}


@law(
    response="error",
    unit=ERROR,
    source=REVISITING,
    status="unverified",
    plausible=(0.03, 20),
    falls=("x",),
    limits=lambda c: (None, c["L"] * c["share"]),
    paper=_m2_paper,
    traps=("floor and exponent trade off until the curve bends towards the floor",),
)
def m2(
    x: Scale,
    *,
    L: Annotated[Array, positive(0.6, 2, unit=ERROR, meaning="error at the reference")],
    share: FloorShare,
    slope: Annotated[Array, positive(0.15, 2, unit="1", meaning="fall of log error there")],
) -> Array:
    r"""The error falls as one power towards a floor.

    .. math:: \epsilon = b\,x^{-c} + \epsilon_\infty
    """
    return above_floor(L, share, slope * jnp.log(x))


def _m3_paper(c: Values, reference: Values) -> dict[str, Any]:
    return {**c, "b": c["b"] * reference["x"] ** c["c"], "g": c["g"] / reference["x"]}


@law(
    response="error",
    unit=ERROR,
    source=REVISITING,
    status="unverified",
    plausible=(0.03, 20),
    falls=("x",),
    paper=_m3_paper,
    traps=("the plateau b g^c lies beside the floor: only their sum is seen in the end",),
)
def m3(
    x: Scale,
    *,
    b: Level,
    c: Exponent,
    g: Annotated[
        Array, positive(0.1, 10, unit="1/reference x", meaning="inverse of where it levels off")
    ],
    floor: Floor,
) -> Array:
    r"""A power that levels off once x is far beyond 1/g.

    .. math:: \epsilon = b\,(1/x + g)^{c} + \epsilon_\infty
    """
    return floor + term(b, 1 / x + g, -c)


def _m4_paper(c: Values, reference: Values) -> dict[str, Any]:
    half = c["start"] * (1 - c["share"]) / 2
    return {
        "a": c["a"],
        "b": half ** (1 - c["a"]) * (c["middle"] * reference["x"]) ** c["c"],
        "c": c["c"],
        "eps_0": c["start"],
        "eps_inf": c["start"] * c["share"],
    }


@law(
    response="error",
    unit=ERROR,
    source=REVISITING,
    status="unverified",
    plausible=(0, 1.5),
    falls=("x",),
    limits=lambda c: (c["start"], c["start"] * c["share"]),
    paper=_m4_paper,
    traps=("the start is the error of guessing: give it where it is known",),
)
def m4(
    x: Scale,
    *,
    middle: Annotated[
        Array, positive(1, 10, unit="reference x", meaning="where half of the drop is done")
    ],
    c: Exponent,
    a: Annotated[Array, positive(1, 2, unit="1", meaning="slowness of the start")],
    start: Annotated[Array, positive(0.9, 1.2, unit=ERROR, meaning="error without any x")],
    share: Annotated[Array, fraction(0.2, 1, unit="1", meaning="of the start that is the floor")],
) -> Array:
    r"""The error leaves the level of guessing and falls as a power towards a floor.

    .. math:: \frac{\epsilon - \epsilon_\infty}{(\epsilon_0 - \epsilon)^{a}} = b\,x^{-c}
    """
    done = _solve_m4(-c * (jnp.log(x) - jnp.log(middle)) + (a - 1) * jnp.log(2.0), a)
    return start * (share + (1 - share) * sigmoid(done))


def _solve_m4(target: Array, a: Array, steps: int = 6) -> Array:
    """Solve z + (a - 1) softplus(z) = target for z: rising, and convex or concave.

    From the asymptotes Newton's method comes to rounding in seven steps for a from 1/200 to 200.
    """
    target, a = jnp.broadcast_arrays(jnp.asarray(target, float), a)

    def gap(z: Array, target: Array, a: Array) -> Array:
        return z + (a - 1) * softplus(z) - target

    def step(z: Array, target: Array, a: Array) -> Array:
        slope = lax.stop_gradient(1 + (a - 1) * sigmoid(z))
        return z - gap(z, target, a) / slope

    z, t, fixed = jnp.where(target < 0, target, target / a), *map(lax.stop_gradient, (target, a))
    z = lax.stop_gradient(z)
    for _ in range(steps):
        z = step(z, t, fixed)
    # The last step carries the gradient: that of the implicit function.
    return step(lax.stop_gradient(z), target, a)


Whole = Annotated[
    Array, positive(0.6, 2, unit=ERROR, meaning="level at the reference, before any break")
]
Slope = Annotated[Array, real(0.15, 0.4, unit="1", meaning="fall of log y with log x there")]
Change = Annotated[Array, real(0.2, 0.7, unit="1", meaning="change of that slope at the break")]
Sharpness = Annotated[Array, positive(0.3, 2, unit="1", meaning="softness of the break")]
Gap = Annotated[Array, positive(10, 5, unit="1", meaning="from the break before, as x/d - 1")]
BNSL = "Caballero et al. 2022, arXiv:2210.14891, eq. 1"
BEYOND = (
    "a break beyond the data is the prior: extrapolations through it are as wide as they should be"
)


def _bnsl_paper(c: Values, reference: Values) -> dict[str, Any]:
    """Put breaks at their own positions, and the amplitude where x is one."""
    rest = 1 - c["share"]
    found = {"a": c["L"] * c["share"], "c_0": c["c_0"] / rest, "c_1": c["c_1"] / rest}
    found["b"] = c["L"] * rest * reference["x"] ** found["c_0"]
    found |= {"d_1": c["d_1"] * reference["x"], "f_1": c["f_1"]}
    if "g_2" in c:
        found |= {"c_2": c["c_2"] / rest, "d_2": found["d_1"] * (1 + c["g_2"]), "f_2": c["f_2"]}
    return found


@law(
    response="error",
    unit=ERROR,
    source=BNSL,
    plausible=(0.01, 100),
    paper=_bnsl_paper,
    published={
        "4-digit addition, refitted": printed(
            a=0.42, b=2.27, c_0=0.055, c_1=5.7, d_1=613.0, f_1=0.059
        ),
    },
    traps=(BEYOND, "exponents have either sign: the curve may turn"),
)
def bnsl(
    x: Scale,
    *,
    L: Whole,
    share: FloorShare,
    c_0: Slope,
    d_1: Annotated[Array, positive(1, 10, unit="reference x", meaning="position of the break")],
    c_1: Change,
    f_1: Sharpness,
) -> Array:
    r"""Two power laws joined by one soft break, above a floor.

    .. math:: y = a + b\,x^{-c_0} \left(1 + (x/d_1)^{1/f_1}\right)^{-c_1 f_1}
    """
    return above_floor(L, share, c_0 * jnp.log(x) + c_1 * soft_break(x, d_1, f_1))


@law(
    response="error",
    unit=ERROR,
    source=BNSL,
    plausible=(0.01, 100),
    paper=_bnsl_paper,
    traps=(BEYOND, "exponents have either sign: the curve may turn"),
)
def bnsl_2(
    x: Scale,
    *,
    L: Whole,
    share: FloorShare,
    c_0: Slope,
    d_1: Annotated[
        Array, positive(0.1, 10, unit="reference x", meaning="position of the first break")
    ],
    c_1: Change,
    f_1: Sharpness,
    g_2: Gap,
    c_2: Change,
    f_2: Sharpness,
) -> Array:
    r"""Three power laws joined by two soft breaks in order, above a floor.

    .. math:: y = a + b\,x^{-c_0} \prod_i \left(1 + (x/d_i)^{1/f_i}\right)^{-c_i f_i}, \quad
              d_2 = d_1 (1 + g_2)
    """
    bends = c_1 * soft_break(x, d_1, f_1) + c_2 * soft_break(x, d_1 * (1 + g_2), f_2)
    return above_floor(L, share, c_0 * jnp.log(x) + bends)


def _rectified_paper(c: Values, reference: Values) -> dict[str, Any]:
    beta = c["slope"] / (1 - c["share"])
    learned = (c["transition"] * reference["examples"]) ** beta
    floor = c["L"] * c["share"]
    return {"E": floor, "B": (c["L"] - floor) * learned, "D_l": learned, "beta": beta}


@law(
    response="loss",
    unit="nats/token",
    source="Lin et al. 2024, arXiv:2402.02314 (rectified scaling law)",
    plausible=(0.3, 10),
    falls=("examples",),
    limits=lambda c: (c["L"], c["L"] * c["share"]),
    paper=_rectified_paper,
    published={
        "LaMini-GPT-124M on FLAN, refitted": printed(B=564.0, D_l=166.0, beta=0.455, E=1.07),
    },
    traps=("before the power phase B and D_l are one ridge: the loss without tuning is sampled",),
)
def rectified(
    examples: Examples,
    *,
    L: Annotated[Array, positive(3, 1.65, unit="nats/token", meaning="loss untuned")],
    share: Annotated[Array, fraction(0.3, 1, unit="1", meaning="of it that is floor")],
    transition: Annotated[
        Array, positive(0.1, 30, unit="reference examples", meaning="where the power starts")
    ],
    slope: Annotated[Array, positive(0.25, 1.65, unit="1", meaning="fall of log loss from there")],
) -> Array:
    r"""Fine-tuning loss stays level until the data outweigh what was learned before.

    .. math:: L = \frac{B}{D_l + D^{\beta}} + E
    """
    return above_floor(L, share, slope * soft_break(examples, transition, (1 - share) / slope))


def _vit_paper(c: Values, reference: Values) -> dict[str, Any]:
    shift = c["d"] * reference["x"]
    return {"a": c["R"] * shift ** c["b"], "b": c["b"], "c": c["floor"], "d": shift}


@law(
    response="error",
    unit=ERROR,
    source="Zhai et al. 2021, arXiv:2106.04560",
    status="unverified",
    plausible=(0.01, 1.5),
    falls=("x",),
    floor="floor",
    limits=lambda c: (c["floor"] + c["R"], c["floor"]),
    paper=_vit_paper,
    traps=("the start and d are one ridge where the level start is not seen",),
)
def vit_saturating(
    x: Scale,
    *,
    R: Annotated[Array, positive(0.6, 1.5, unit=ERROR, meaning="reducible error at x = 0")],
    b: Exponent,
    d: Annotated[
        Array, positive(0.01, 30, unit="reference x", meaning="where the level start ends")
    ],
    floor: Floor,
) -> Array:
    r"""The error saturates at both ends: a shift at small compute, a floor at large.

    .. math:: \epsilon = a\,(C + d)^{-b} + c
    """
    return floor + R * jnp.exp(-b * soft_break(x, d, 1.0))
