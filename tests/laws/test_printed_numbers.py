"""Numbers that papers print and that follow from their formulas alone come out of our laws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import pytest
import scipy.optimize

from bayescale.parts.find import find_part
from bayescale.parts.part import Law


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def best(loss: Callable[[Any, Any], Any], flops: float) -> tuple[float, float]:
    """Params and tokens of the least loss where 6 N D is the budget, by minimising."""
    found = scipy.optimize.minimize_scalar(
        lambda log_params: float(loss(np.exp(log_params), flops / 6 / np.exp(log_params))),
        bounds=(np.log(1e7), np.log(1e13)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    params = float(np.exp(found.x))
    return params, flops / 6 / params


def at_besiroglu() -> dict[str, float]:
    return dict(find_part(Law, "chinchilla").published["Besiroglu et al. 2024"])


# Hoffmann's exponents with the digits of their code, where the paper prints two.
HOFFMANN = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.3392, "beta": 0.2849}


@pytest.mark.parametrize(
    ("coefficients", "params", "tokens"),
    [(at_besiroglu(), 7.30e10, 1.342e12), (HOFFMANN, 4.07e10, 2.41e12)],
    ids=["Besiroglu", "Hoffmann"],
)
def test_best_size_and_data_of_chinchilla(
    coefficients: dict[str, float], params: float, tokens: float
) -> None:
    flops, c = 5.88e23, coefficients
    found = best(lambda n, d: find_part(Law, "chinchilla")(n, d, **c), flops)
    G = (c["alpha"] * c["A"] / (c["beta"] * c["B"])) ** (1 / (c["alpha"] + c["beta"]))
    closed = G * (flops / 6) ** (c["beta"] / (c["alpha"] + c["beta"]))
    assert found == pytest.approx((closed, flops / 6 / closed), rel=1e-4)
    assert found == pytest.approx((params, tokens), rel=0.01)


@pytest.mark.parametrize(
    ("params", "tokens", "loss"),
    [(6.34e9, 242e9, 2.2256440889984477), (8.67e9, 178e9, 2.2269634075087867)],
)
def test_losses_of_repeated_data(params: float, tokens: float, loss: float) -> None:
    law = find_part(Law, "data-constrained")
    [coefficients] = law.published.values()
    assert float(law(params, tokens, 25e9, **coefficients)) == pytest.approx(loss, abs=1e-9)


@pytest.mark.parametrize(
    ("flops", "params", "tokens"),
    [(1e20, 1.72e9, 9.67e9), (1e21, 5.70e9, 29.2e9), (1e22, 18.9e9, 88.4e9)],
)
def test_best_size_and_data_of_a_dense_model_in_the_joint_law_of_experts(
    flops: float, params: float, tokens: float
) -> None:
    law = find_part(Law, "joint-moe")
    [printed] = law.published.values()
    coefficients = at_reference_one(law.paper, printed)
    found = best(lambda n, d: law(n, d, 1.0, **coefficients), flops)
    assert found == pytest.approx((params, tokens), rel=0.01)


def at_reference_one(paper: Any, printed: Any) -> dict[str, float]:
    """Coefficients at a reference of one parameter and one token, from the printed ones."""
    log_start = np.log(printed["E_start"])
    found = {
        "E": printed["c"],
        "A": printed["a"] * np.exp(printed["delta"] * log_start),
        "B": printed["b"] * np.exp(printed["omega"] * log_start),
        "alpha": -printed["alpha"] - printed["gamma"] * log_start,
        "beta": -printed["beta"] - printed["zeta"] * log_start,
        "delta": printed["delta"],
        "omega": printed["omega"],
        "gamma": printed["gamma"],
        "zeta": printed["zeta"],
        "start": printed["E_start"] - 1,
        "span": printed["E_max"] - printed["E_start"],
    }
    one = {"params_active": 1.0, "tokens": 1.0}
    assert {k: float(v) for k, v in paper(found, one).items()} == pytest.approx(dict(printed))
    return {name: float(value) for name, value in found.items()}


def test_deepseeks_size_times_data_is_the_budget() -> None:
    law = find_part(Law, "deepseek-alloc")
    printed = law.published["DeepSeek LLM"]
    for one in law.published.values():
        assert one["a"] + one["b"] == pytest.approx(1)
    tokens = float(law(1e22, d=printed["d"], b=printed["b"]))
    size = printed["m"] * 1e22 ** printed["a"]
    assert size * tokens / 1e22 == pytest.approx(1.0001, rel=1e-4)
    derived = law.paper({"d": printed["d"], "b": printed["b"]}, {"flops": 1.0})
    assert {k: float(v) for k, v in derived.items()} == pytest.approx(dict(printed), rel=1e-3)


@pytest.mark.parametrize(("continued", "share"), [(0.0, 0.429), (1.0, 0.385)])
def test_how_the_best_size_grows_with_compute_from_scratch_and_continued(
    continued: float, share: float
) -> None:
    law = find_part(Law, "cpt")
    [printed] = law.published.values()
    sizes = [best(lambda n, d: law(n, d, continued, **printed), c)[0] for c in (1e22, 1e24)]
    assert np.log(sizes[1] / sizes[0]) / np.log(100) == pytest.approx(share, abs=0.001)


def test_cost_of_four_bits_at_ten_billion_params() -> None:
    law = find_part(Law, "qid")
    [printed] = law.published.values()
    assert float(law(1e10, 1e12, 4.0, **printed)) == pytest.approx(0.0915, rel=1e-3)
