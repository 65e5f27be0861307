"""Parts are found by name, or in a file of the user's, and stay ordinary functions."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import pytest

import bayescale
from bayescale.base.errors import ModelError
from bayescale.parts.coefficients import Prior, positive, real
from bayescale.parts.declare import law
from bayescale.parts.find import find_part, list_laws, load_law, parts, source_text
from bayescale.parts.inputs import Flops, Input
from bayescale.parts.part import Law, Link, Noise, Part

SHIPPED: dict[type[Part], set[str]] = {
    Law: {
        *("bimix", "bnsl", "bnsl-2", "cbs-data", "chinchilla", "compute", "cpt"),
        *("critical-batch-curve", "data-constrained", "deepseek-alloc", "gadre-overtrain"),
        *("gemstones", "isoflop-optimum", "joint-moe", "kaplan-nd", "kaplan-single"),
        "kaplan-steps",
        *(
            "loss-to-loss",
            "lr-annealing",
            "m1",
            "m2",
            "m3",
            "m4",
            "mixing-exp",
            "observational",
            "tuned-skills",
        ),
        *("parscale", "power", "power-floor", "qat", "qid", "rectified", "routed-clark", "skills"),
        *("step-law", "vit-saturating", "vocabulary"),
    },
    Link: {"downstream-exp", "ladder-2step", "logistic"},
    Noise: {"student-t"},
}


@pytest.mark.parametrize("kind", SHIPPED)
def test_every_shipped_part_is_found_by_its_name(kind: type[Part]) -> None:
    found = parts(kind)
    assert set(found) >= SHIPPED[kind]
    for name, part in found.items():
        assert find_part(kind, name) is part
        assert isinstance(part, bayescale.Part)
        assert (type(part), part.name) == (kind, name)
        assert part.claim.endswith(".")
        assert part.source
        assert part.inputs
        assert part.coefficients
        assert all(c.name and c.unit and c.meaning for c in part.coefficients)


@pytest.mark.parametrize(
    ("kind", "wrong", "right"),
    [
        (Law, "skils", "skills"),
        (Link, "logistc", "logistic"),
        (Noise, "student", "student-t"),
    ],
)
def test_a_misspelt_name_gets_a_hint_and_the_list(kind: type[Part], wrong: str, right: str) -> None:
    with pytest.raises(ModelError) as caught:
        find_part(kind, wrong)
    text = str(caught.value)
    assert f"no {kind.kind} is called {wrong!r}" in text
    assert "did you mean" in text
    assert right in text


def test_a_decorated_function_declares_its_keyword_arguments_and_still_computes() -> None:
    @law(response="latent", source="nobody", rises=("flops",))
    def two_terms(
        flops: Flops,
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
    [column] = two_terms.columns
    assert (column.name, column.unit, column.reference) == ("flops", "FLOPs", "flops")


def test_a_law_that_is_not_fully_declared_is_told_everything_at_once() -> None:
    with pytest.raises(ModelError) as caught:

        @law(response="loss", source="nobody", falls=("token",), rises=("size",), floor="F")
        def careless(
            tokens: float,
            unique: Annotated[float, Input("tokens", 1, 2, scale="tokns")],
            *,
            E: float,
            A: Annotated[float, positive(0.5, 3.0)],
        ) -> float:
            return E + A * tokens * unique

    text = str(caught.value)
    assert "the law careless" in text
    for told in (
        "input tokens has no unit",
        "coefficient E has no prior",
        "falls names 'token', which is no input (did you mean \"tokens\"?)",
        "rises names 'size', which is no input",
        "scale of unique names 'tokns'",
        "floor names 'F', which is no coefficient",
    ):
        assert told in text


OWN = '''
"""Laws of my own: a straight line in the logs."""

from typing import Annotated

from bayescale.own import Tokens, law, positive

RATE = 2


@law(response="loss", source="me")
def my_law(tokens: Tokens, *, A: Annotated[float, positive(0.5, 2)]) -> float:
    """A line."""
    return A * tokens * RATE


def plain(tokens):
    return tokens
'''


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "my laws.py"
    path.write_text(OWN)
    return path


def test_bundled_laws_are_loaded_by_name() -> None:
    assert list_laws() == sorted(SHIPPED[Law])
    chinchilla = load_law("chinchilla")
    assert chinchilla is find_part(Law, "chinchilla")
    assert chinchilla.origin is None
    assert "def chinchilla(" in source_text(chinchilla)
    assert chinchilla.group == "Sums of power terms"


def test_a_law_is_loaded_from_a_file_of_the_users(own: Path) -> None:
    mine = load_law(f"{own}:my_law")
    assert mine(3.0, A=0.5) == 3.0
    assert (mine.name, mine.origin, mine.group) == ("my-law", own, "Laws of my own")
    assert source_text(mine) == OWN
    assert load_law(f"{own}:my_law") == mine
    # Nothing is left beside the file.
    assert list(own.parent.iterdir()) == [own]


def test_an_edited_file_is_a_new_law_and_the_old_one_stays(own: Path) -> None:
    before = load_law(f"{own}:my_law")
    own.write_text(OWN.replace("RATE = 2", "RATE = 7"))  # as long, and within the same second
    after = load_law(f"{own}:my_law")
    assert (before(1.0, A=1.0), after(1.0, A=1.0)) == (2.0, 7.0)
    digests = {hashlib.sha256(source_text(part).encode()).digest() for part in (before, after)}
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("my_laws", "no law is called"),
        ("{own}", "say which, as in {own}:my_law"),
        ("{own}x.py:my_law", "there is no file {own}x.py"),
        (
            "{own}:my_lawn",
            "has no 'my_lawn' (did you mean \"my_law\"?); the laws in it are: my_law",
        ),
        ("{own}:plain", "plain in {own} is not a law: put @law(response=..., source=...)"),
        ("{own}:RATE", "RATE in {own} is not a law"),
    ],
)
def test_what_is_wrong_with_the_name_of_a_law_is_told(own: Path, name: str, told: str) -> None:
    with pytest.raises(ModelError) as caught:
        load_law(name.replace("{own}", str(own)))
    assert told.replace("{own}", str(own)) in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("RATE = 2", "RATE = 1 / 0", "ZeroDivisionError in line 8: division by zero"),
        ("RATE = 2", "RATE = (", "SyntaxError"),
        ("law, positive", "lawn, positive", "ImportError in line 6"),
        ("RATE = 2", "RATE = '\0'", "cannot be imported"),
        ("return A * tokens", "return B * tokens", "cannot be evaluated: NameError in line 14"),
        ("RATE = 2", "raise SystemExit(3)", "SystemExit in line 8: 3"),
        ("positive(0.5, 2)", "positive(0.5, 2, 'skill')", "a value for each 'skill'"),
        ("positive(0.5, 2)", "positive(0.5, 2, 'contrast')", "a value for each 'contrast'"),
        ("tokens: Tokens", "tokens", "input tokens has no unit"),
    ],
)
def test_a_file_that_cannot_be_imported_is_told_with_its_line(
    own: Path, old: str, new: str, told: str
) -> None:
    own.write_text(OWN.replace(old, new))
    with pytest.raises(ModelError) as caught:
        load_law(f"{own}:my_law")
    assert str(own) in str(caught.value)
    assert told in str(caught.value)
    # Mended, it loads: nothing of the first try is left.
    own.write_text(OWN)
    assert load_law(f"{own}:my_law").name == "my-law"


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "compiled.py"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="is no Python file"):
        load_law(f"{path}:my_law")
