"""Counts are read as people write them, and written so that they read back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.base.counts import format_count, parse_count
from bayescale.base.errors import BayescaleError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7B", 7e9),
        ("1.5e9", 1.5e9),
        ("15T", 15e12),
        ("300M", 300e6),
        ("300m", 300e6),
        ("12k", 12e3),
        (" 0.5 B ", 0.5e9),
        (".5B", 0.5e9),
        ("7.", 7.0),
        ("1e21", 1e21),
        ("70000000000", 7e10),
    ],
)
def test_reads(text: str, value: float) -> None:
    assert parse_count(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "text",
    ["", "B", "7Q", "7 billion", "-7B", "0", "0B", "nan", "inf", "1e400", "1,5B", "7BB", "."],
)
def test_refuses_and_repeats_what_was_given(text: str) -> None:
    with pytest.raises(BayescaleError, match=r"count") as caught:
        parse_count(text)
    assert repr(text) in str(caught.value)


@given(st.floats(min_value=1, max_value=1e30))
def test_what_is_written_reads_back_to_three_digits(value: float) -> None:
    assert parse_count(format_count(value)) == pytest.approx(value, rel=5.1e-3)


@pytest.mark.parametrize(
    ("value", "text"),
    [(7e9, "7B"), (1.42e12, "1.42T"), (999.9e6, "1B"), (3e21, "3e+21"), (12, "12"), (1e3, "1K")],
)
def test_writes_the_short_way(value: float, text: str) -> None:
    assert format_count(value) == text


def test_an_unknown_count_is_a_question_mark() -> None:
    assert format_count(math.nan) == "?"
