"""Parts are found by name, and stay ordinary functions."""

from __future__ import annotations

from typing import Annotated

import pytest

from bayescale.coefficients import Prior, positive, real
from bayescale.errors import ModelError
from bayescale.parts import Kind, find_part, law, parts

SHIPPED: dict[Kind, set[str]] = {
    "law": {"compute", "observational", "skills"},
    "link": {"logistic"},
    "noise": {"student-t"},
}


@pytest.mark.parametrize("kind", SHIPPED)
def test_every_shipped_part_is_found_by_its_name(kind: Kind) -> None:
    found = parts(kind)
    assert set(found) >= SHIPPED[kind]
    for name, part in found.items():
        assert find_part(kind, name) is part
        assert (part.kind, part.name) == (kind, name)
        assert part.claim.endswith(".")
        assert part.source
        assert part.inputs
        assert part.coefficients
        assert all(c.name and c.unit and c.meaning for c in part.coefficients)


@pytest.mark.parametrize(
    ("kind", "wrong", "right"),
    [
        ("law", "skils", "skills"),
        ("link", "logistc", "logistic"),
        ("noise", "student", "student-t"),
    ],
)
def test_a_misspelt_name_gets_a_hint_and_the_list(kind: Kind, wrong: str, right: str) -> None:
    with pytest.raises(ModelError) as caught:
        find_part(kind, wrong)
    text = str(caught.value)
    assert f"no {kind} is called {wrong!r}" in text
    assert "did you mean" in text
    assert right in text


def test_a_decorated_function_declares_its_keyword_arguments_and_still_computes() -> None:
    @law(response="latent", source="nobody")
    def two_terms(
        flops: float,
        *,
        level: Annotated[float, real(1.0, 2.0, "benchmark")],
        gain: Annotated[float, positive(0.5, 3.0)],
        power: float = 2.0,
    ) -> float:
        """Add a level and a power.

        More text.
        """
        return level + gain * flops**power

    assert two_terms(3.0, level=1.0, gain=2.0) == 19.0
    assert two_terms.name == "two-terms"
    assert two_terms.inputs == ("flops",)
    assert two_terms.claim == "Add a level and a power."
    level, gain = two_terms.coefficients
    assert (level.name, level.dims, level.prior) == ("level", ("benchmark",), Prior("real", 1, 2))
    assert (gain.name, gain.prior) == ("gain", Prior("positive", 0.5, 3.0))
