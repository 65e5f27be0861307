"""Every law, this one file for all: finite, differentiable, monotone as declared, well described.

A new law is put to these tests by being there; nothing here names one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

from tests.kit import law_checks
from tests.kit.law_checks import Draws, drawn
from bayescale.parts.find import load_law, parts
from bayescale.parts.part import Law, Part

LAWS = parts(Law)


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.fixture(params=LAWS)
def law(request: pytest.FixtureRequest) -> Part:
    return LAWS[request.param]


@pytest.fixture
def many(law: Part) -> Draws:
    return drawn(law, 400)


@pytest.fixture
def few(law: Part) -> Draws:
    return drawn(law, 4, seed=1)


def test_it_is_declared_in_full(law: Part) -> None:
    law_checks.check_declared(law)


def test_values_and_gradients_are_finite(law: Part, many: Draws) -> None:
    law_checks.check_finite(law, many)


def test_gradients_are_those_of_finite_differences(law: Part, few: Draws) -> None:
    law_checks.check_gradient(law, few)


def test_it_falls_and_rises_as_it_says(law: Part, many: Draws) -> None:
    law_checks.check_monotone(law, many)


def test_far_inputs_give_the_floor(law: Part, many: Draws) -> None:
    law_checks.check_limits(law, many)


def test_prior_draws_are_plausible(law: Part, many: Draws) -> None:
    law_checks.check_plausible(law, many)


def test_plain_numbers_do(law: Part, few: Draws) -> None:
    law_checks.check_plain_numbers(law, few)


def test_the_papers_coefficients_do_not_depend_on_the_reference(law: Part, few: Draws) -> None:
    law_checks.check_paper(law, few)


GOOD = '''
"""A law of a user's own."""

from typing import Annotated

import jax.numpy as jnp
from jax import Array

from bayescale.own import Tokens, amplitudes, law, positive


@law(
    response="loss",
    unit="nats/token",
    source="me",
    plausible=(0.5, 10),
    falls=("tokens",),
    floor="E",
    paper=amplitudes(A={"tokens": "p"}),
)
def mine(
    tokens: Tokens,
    *,
    E: Annotated[Array, positive(1.8, 1.3, unit="nats/token", meaning="floor")],
    A: Annotated[Array, positive(0.5, 2, unit="nats/token", meaning="reducible loss")],
    p: Annotated[Array, positive(0.3, 1.5, unit="1", meaning="exponent")],
) -> Array:
    r"""The loss falls with data.

    .. math:: L = E + A D^{-p}
    """
    return E + A * jnp.exp(-p * jnp.log(tokens))
'''
CHECKS = {
    "declared": lambda law: law_checks.check_declared(law),
    "finite": lambda law: law_checks.check_finite(law, drawn(law, 100)),
    "gradient": lambda law: law_checks.check_gradient(law, drawn(law, 3)),
    "monotone": lambda law: law_checks.check_monotone(law, drawn(law, 100)),
    "limits": lambda law: law_checks.check_limits(law, drawn(law, 100)),
    "plausible": lambda law: law_checks.check_plausible(law, drawn(law, 100)),
    "numbers": lambda law: law_checks.check_plain_numbers(law, drawn(law, 1)),
    "paper": lambda law: law_checks.check_paper(law, drawn(law, 2)),
}
FAULTS = {
    "declared": ("    .. math:: L = E + A D^{-p}\n", ""),
    "finite": ("jnp.log(tokens)", "jnp.log(tokens - 0.1)"),
    "gradient": ("jnp.exp(-p", "jnp.exp(-jax.lax.stop_gradient(p)"),
    "monotone": ("-p * jnp.log", "p * jnp.log"),
    "limits": ('floor="E"', 'floor="A"'),
    "plausible": ("(0.5, 10)", "(5, 10)"),
    "numbers": ("jnp.log(tokens)", "jnp.log(tokens[...])"),
    "paper": ('"p"}', '"-p"}'),
}


def written(folder: Path, old: str = "", new: str = "") -> Part:
    assert GOOD.count(old) == 1 or not old
    path = folder / "my_law.py"
    path.write_text(
        GOOD.replace(old, new).replace("from jax import", "import jax\nfrom jax import")
    )
    return load_law(f"{path}:mine")


def test_a_users_law_can_be_put_to_the_same_tests(tmp_path: Path) -> None:
    law = written(tmp_path)
    for check in CHECKS.values():
        check(law)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_law_with_a_fault_fails_the_test_of_that_fault(fault: str, tmp_path: Path) -> None:
    law = written(tmp_path, *FAULTS[fault])
    with pytest.raises((AssertionError, TypeError)):
        CHECKS[fault](law)
