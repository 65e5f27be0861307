"""Each law is its paper's formula: in the paper's units, with the paper's coefficients.

The formulas are written here a second time, in NumPy and as the papers print them. A law at a
reference run of any size must agree once `Part.paper` has turned its coefficients into theirs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
import scipy.optimize

from bayescale.parts.find import find_part, parts
from bayescale.parts.inputs import Schedule
from bayescale.parts.part import Law
from tests.kit.law_checks import drawn, values

C = SimpleNamespace


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def repeated(unique: Any, total: Any, half_life: Any) -> Any:
    repeats = np.maximum(total / unique - 1, 0)
    return unique + unique * half_life * (1 - np.exp(-repeats / half_life))


def data_constrained(c: C, params: Any, tokens: Any, unique_tokens: Any) -> Any:
    unique = np.minimum(unique_tokens, tokens)
    G = (c.alpha * c.A / (c.beta * c.B)) ** (1 / (c.alpha + c.beta))
    useful = np.minimum(params, G * (G * unique) ** (c.beta / c.alpha))
    N, D = repeated(useful, params, c.R_N), repeated(unique, tokens, c.R_D)
    return c.E + c.A / N**c.alpha + c.B / D**c.beta


def effective_experts(c: C, experts: Any) -> Any:
    return 1 / (1 / (experts - 1 + 1 / (1 / c.E_start - 1 / c.E_max)) + 1 / c.E_max)


def routed(c: C, params: Any, experts: Any) -> Any:
    n, e = np.log10(params), np.log10(effective_experts(c, experts))
    return 10 ** (c.a * n + c.b * e + c.c * n * e + c.d)


def joint_moe(c: C, params_active: Any, tokens: Any, experts: Any) -> Any:
    e = effective_experts(c, experts)
    size = c.a * e**c.delta * params_active ** (c.alpha + c.gamma * np.log(e))
    return size + c.b * e**c.omega * tokens ** (c.beta + c.zeta * np.log(e)) + c.c


def vocabulary(
    c: C, body_params: Any, vocabulary_params: Any, vocabulary: Any, characters: Any
) -> Any:
    v = np.log(vocabulary / 1000)
    tokens = characters * (0.00639222 * v**2 - 0.15811069 * v + 1.20470122)
    embedding = c.A2 / vocabulary_params**c.alpha_2
    return -c.E + c.A1 / body_params**c.beta + embedding + c.B / tokens**c.beta


def m4(c: C, x: Any) -> Any:
    def solve(c: C, x: float) -> float:
        def gap(error: float) -> float:
            return (error - c.eps_inf) - (c.eps_0 - error) ** c.a * c.b * x**-c.c

        return float(scipy.optimize.brentq(gap, c.eps_inf, c.eps_0, xtol=1e-15, rtol=1e-14))

    return np.array(
        [
            solve(C(**{name: float(v[i]) for name, v in vars(c).items()}), float(x[i]))
            for i in range(len(x))
        ]
    )


def bnsl(c: C, x: Any) -> Any:
    y = c.b * x**-c.c_0
    for i in (1, 2):
        if hasattr(c, f"d_{i}"):
            d, change, f = (getattr(c, f"{name}_{i}") for name in "dcf")
            y = y * (1 + (x / d) ** (1 / f)) ** (-change * f)
    return c.a + y


def step_law(c: C, params: Any, tokens: Any, learning_rate: Any, batch: Any) -> Any:
    u = np.log(learning_rate / (c.eta_0 * params**c.p * tokens**c.q))
    v = np.log(batch / (c.B_0 * tokens**c.r))
    rho = 2 * c.tilt - 1
    bowl = (
        0.5 * c.k_eta * u**2 + 0.5 * c.k_batch * v**2 + rho * np.sqrt(c.k_eta * c.k_batch) * u * v
    )
    return c.E + c.A / params**c.alpha + c.B / tokens**c.beta + bowl


def lr_annealing(c: C, schedule: Schedule) -> Any:
    """The two sums of the paper, step by step."""
    found = []
    for i, forgetting in enumerate(c.forgetting):
        nodes = np.asarray(schedule.steps[i])
        rates, node = np.asarray(schedule.rates[i, 0]), int(schedule.node[i, 0])
        eta = np.concatenate([rates[:1], np.repeat(rates[1:], np.diff(nodes))])[: nodes[node] + 1]
        momentum, S2 = 0.0, 0.0
        for before, now in itertools.pairwise(eta):
            momentum = momentum * (1 - forgetting) + before - now
            S2 += momentum
        found.append(c.L_0[i] + c.A[i] * eta[1:].sum() ** -c.alpha[i] - c.C[i] * S2)
    return np.array(found)


def bimix(c: C, share: Any, tokens: Any) -> Any:
    return share**-c.alpha * (c.B / tokens**c.beta + c.C)


def cpt(c: C, params: Any, tokens: Any, continued: Any) -> Any:
    onward = c.B_continued / (tokens**c.beta_continued * params**c.gamma)
    return c.E + c.A / params**c.alpha + np.where(continued, onward, c.B / tokens**c.beta)


def kaplan_nd(c: C, params: Any, tokens: Any) -> Any:
    inside = (c.N_c / params) ** (c.alpha_N / c.alpha_D) + c.D_c / tokens
    return c.E + inside**c.alpha_D


def qat(c: C, params: Any, tokens: Any, group_size: Any) -> Any:
    cost = c.k * tokens**c.gamma_D * np.log2(group_size) ** c.gamma_G / params**c.gamma_N
    return c.E + c.A / params**c.alpha + c.B / tokens**c.beta + cost


def tuned_skills(c: C, params: Any, tokens: Any, instruct: Any) -> Any:
    return skills(c, params, tokens) + c.tuning * instruct


def skills(c: C, params: Any, tokens: Any) -> Any:
    n, d = np.log(params), np.log(tokens)
    return c.intercept + c.size * n + c.data * d + c.interaction * n * d


FORMULAS: dict[str, Callable[..., Any]] = {
    "power": lambda c, x: c.A * x**-c.alpha,
    "power-floor": lambda c, x: c.E + c.A * x**-c.alpha,
    "kaplan-single": lambda c, x: (c.X_c / x) ** c.alpha,
    "kaplan-nd": kaplan_nd,
    "chinchilla": lambda c, params, tokens: c.E + c.A / params**c.alpha + c.B / tokens**c.beta,
    "gadre-overtrain": lambda c, flops, multiplier: (
        c.E + (c.a * multiplier**c.eta + c.b * multiplier**-c.eta) * flops**-c.eta
    ),
    "gemstones": lambda c, width, depth, tokens: (
        c.E + c.A / width**c.alpha + c.B / depth**c.beta + c.C / tokens**c.zeta
    ),
    "loss-to-loss": lambda c, loss: (
        c.E + c.K * np.where(loss > c.E_0, np.abs(loss - c.E_0), 0) ** c.kappa
    ),
    "cpt": cpt,
    "m1": lambda c, x: c.b * x**-c.c,
    "m2": lambda c, x: c.b * x**-c.c + c.floor,
    "m3": lambda c, x: c.b * (1 / x + c.g) ** c.c + c.floor,
    "m4": m4,
    "bnsl": bnsl,
    "bnsl-2": bnsl,
    "rectified": lambda c, examples: c.B / (c.D_l + examples**c.beta) + c.E,
    "vit-saturating": lambda c, x: c.a * (x + c.d) ** -c.b + c.c,
    "data-constrained": data_constrained,
    "routed-clark": routed,
    "parscale": lambda c, params, streams: (
        c.E + (c.A / (params * (c.kappa * np.log(streams) + 1))) ** c.alpha
    ),
    "vocabulary": vocabulary,
    "joint-moe": joint_moe,
    "qat": qat,
    "qid": lambda c, params, tokens, bits: c.k * tokens**c.beta / (params**c.alpha * bits**c.gamma),
    "bimix": bimix,
    "mixing-exp": lambda c, shares: c.c + c.k * np.exp((c.t * shares[:, :-1]).sum(1)),
    "isoflop-optimum": lambda c, flops: c.N_0 * flops**c.a,
    "deepseek-alloc": lambda c, flops: c.d * flops**c.b,
    "step-law": step_law,
    "cbs-data": lambda c, tokens: c.b * tokens**c.p,
    "lr-annealing": lr_annealing,
    "kaplan-steps": lambda c, params, steps: (
        (c.N_c / params) ** c.alpha_N + (c.S_c / steps) ** c.alpha_S
    ),
    "critical-batch-curve": lambda c, batch: c.S_min * (1 + c.B_crit / batch),
    "skills": skills,
    "tuned-skills": tuned_skills,
    "observational": lambda c, flops: c.intercept + c.efficiency * np.log(flops),
    "compute": lambda c, flops: c.intercept + c.slope * np.log(flops),
}


def test_every_law_has_its_formula_here() -> None:
    assert set(FORMULAS) == set(parts(Law))


@pytest.mark.parametrize("name", FORMULAS)
def test_a_law_is_the_papers_formula(name: str) -> None:
    law = find_part(Law, name)
    draws = drawn(law, 3 if name == "lr-annealing" else 50, seed=2)
    found = law.paper(draws.coefficients, draws.reference)
    printed = C(**{key: np.asarray(x) for key, x in found.items()})
    inputs = {
        key: x if isinstance(x, Schedule) else np.asarray(x) for key, x in draws.inputs.items()
    }
    # Near the floor of the loss that it reads, that law is bent, so that there is a log.
    kept = np.abs(inputs["loss"] - printed.E_0) > 0.25 if name == "loss-to-loss" else slice(None)
    value = values(law, draws)
    expected = np.broadcast_to(FORMULAS[name](printed, **inputs), value.shape)
    np.testing.assert_allclose(value[kept], expected[kept], rtol=1e-8)


@pytest.mark.parametrize("name", FORMULAS)
def test_what_is_published_are_coefficients_of_the_paper(name: str) -> None:
    law = find_part(Law, name)
    draws = drawn(law, 1).at(0)
    known = set(law.paper(draws.coefficients, draws.reference))
    for source, printed in law.published.items():
        assert set(printed) <= known, source


def test_memory_of_annealing_may_differ_from_series_to_series() -> None:
    law = find_part(Law, "lr-annealing")
    rates = np.array([[1e-3, 1e-3, 1e-4], [5e-4, 5e-4, 5e-4]])
    steps, row, node = np.array([0, 900, 1000]), np.array([1, 0, 0]), np.array([2, 2, 1])
    shared = {"L_0": 2.0, "A": 0.5, "alpha": 0.5, "gain": 0.1}
    forgetting = np.array([0.001, 0.004, 0.004])  # runs of one series have one memory
    schedule = Schedule(rates, steps, row, node)
    together = law(schedule, **shared, forgetting=forgetting)
    for run, one in enumerate(forgetting):
        alone = Schedule(rates, np.stack([steps, steps]), row[run : run + 1], node[run : run + 1])
        np.testing.assert_allclose(together[run], law(alone, **shared, forgetting=one)[0])


def test_padding_of_a_schedule_changes_nothing() -> None:
    law = find_part(Law, "lr-annealing")
    coefficients = {"L_0": 2.0, "A": 0.5, "alpha": 0.5, "gain": 0.1, "forgetting": 0.003}
    rates, steps = np.array([[1e-3, 1e-3, 1e-4]]), np.array([0, 900, 1000])
    short = Schedule(rates, steps, np.array([0]), np.array([2]))
    last = (np.array([0]), np.array([4]))
    longer = np.pad(rates, ((0, 0), (0, 2)), mode="edge")
    padded = Schedule(longer, np.pad(steps, (0, 2), mode="edge")[None], *last)
    np.testing.assert_allclose(law(padded, **coefficients), law(short, **coefficients), rtol=1e-13)
    # One more node in the middle of a stretch of one rate is the same schedule.
    finer = Schedule(rates[:, [0, 1, 1, 2, 2]], np.array([0, 300, 900, 950, 1000]), *last)
    np.testing.assert_allclose(law(finer, **coefficients), law(short, **coefficients), rtol=1e-13)
