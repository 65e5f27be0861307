"""Coefficients: priors in natural units agree with the distributions they claim."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit, logit

from bayescale.base.errors import ModelError
from bayescale.parts.coefficients import (
    Pooling,
    Prior,
    Support,
    fraction,
    pooling_from_card,
    positive,
    real,
)

PRIOR = Prior("positive", 0.3, 3.0)
TAILS = np.array([0.05, 0.95])


def test_central_interval_is_that_of_scipys_distributions() -> None:
    assert Prior("real", 0.3, 2.0).interval() == pytest.approx(stats.norm(0.3, 2).ppf(TAILS))
    lognormal = stats.lognorm(s=np.log(1.7), scale=0.02)
    assert Prior("positive", 0.02, 1.7).interval() == pytest.approx(lognormal.ppf(TAILS))
    logitnormal = expit(stats.norm(logit(0.93), 0.8).ppf(TAILS))
    assert Prior("fraction", 0.93, 0.8).interval() == pytest.approx(logitnormal)


def test_factor_of_a_positive_prior_holds_two_thirds() -> None:
    prior = Prior("positive", 5.0, 2.0)
    ends = (np.log([2.5, 10.0]) - prior.location) / prior.scale
    assert np.diff(stats.norm.cdf(ends)) == pytest.approx(0.6827, abs=1e-4)


@given(
    st.sampled_from(["real", "positive", "fraction"]),
    st.floats(0.01, 0.99),
    st.floats(-8, 8),
)
def test_natural_undoes_the_map_to_the_real_line(support: Support, median: float, x: float) -> None:
    prior = Prior(support, median, 1.5)
    with jax.enable_x64(True):
        assert float(prior.natural(prior.location)) == pytest.approx(median)
        natural = float(prior.natural(x))
        assert natural == pytest.approx(
            {"real": x, "positive": np.exp(x), "fraction": expit(x)}[support]
        )
        assert float(prior.natural(x + 0.1)) > natural


def test_natural_keeps_the_bounds_of_the_support() -> None:
    x = np.linspace(-30, 30, 61)
    with jax.enable_x64(True):
        assert (np.asarray(Prior("positive", 1.0, 2.0).natural(x)) > 0).all()
        share = np.asarray(Prior("fraction", 0.5, 2.0).natural(x))
    assert ((share > 0) & (share < 1)).all()


@pytest.mark.parametrize(
    ("support", "median", "spread", "said"),
    [
        ("real", 0.0, 0.0, "spread above 0"),
        ("real", 0.0, float("nan"), "two numbers"),
        ("positive", 1.0, 1.0, "spread above 1"),
        ("positive", 0.0, 2.0, "median above 0"),
        ("fraction", 1.0, 1.0, r"median in \(0, 1\)"),
        ("fraction", 0.5, -1.0, "spread above 0"),
    ],
)
def test_impossible_priors_are_refused(
    support: Support, median: float, spread: float, said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        Prior(support, median, spread)


def test_declarations_carry_support_dims_and_unit() -> None:
    found = positive(0.02, 2.0, "benchmark", unit="score", meaning="noise")
    assert found.prior == Prior("positive", 0.02, 2.0)
    assert (found.dims, found.unit, found.meaning) == (("benchmark",), "score", "noise")
    assert real(0.0, 1.0).prior.support == "real"
    assert fraction(0.5, 1.0, "other", "skill").dims == ("other", "skill")


def test_pooling_reads_its_card() -> None:
    found = pooling_from_card("family", {"spread": [0.7, 2], "correlated": True}, PRIOR)
    assert found == Pooling("family", Prior("positive", 0.7, 2.0), correlated=True)


@pytest.mark.parametrize("card", [{}, {"spred": [1, 2]}, {"spread": [1, 2], "center": True}])
def test_pooling_without_spread_or_with_unknown_keys_is_refused(card: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="pooling over family: give spread"):
        pooling_from_card("family", card, PRIOR)


def test_pooling_in_a_word_expects_a_share_of_the_priors_spread() -> None:
    partial = pooling_from_card("corpus", "partial", PRIOR)
    assert partial == Pooling("corpus", Prior("positive", 0.3 * np.log(3), 2.0))
    assert pooling_from_card("corpus", "correlated", PRIOR) == replace(partial, correlated=True)
    assert pooling_from_card("corpus", "separate", PRIOR).spread is None
    with pytest.raises(ModelError, match="partial, correlated, separate"):
        pooling_from_card("corpus", "sperate", PRIOR)
