"""Skills drift along the release date, and along what the law reads: on logits, by a sum."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from bayescale.base.errors import ModelError, PredictError
from bayescale.fits import Fit
from bayescale.links.logistic import logistic
from bayescale.models.cards import customise, model_from_card
from bayescale.models.cells import cell
from bayescale.models.dates import years_of
from bayescale.models.lay_out import fitted_members, lay_out
from bayescale.models.model import Model
from bayescale.models.simulate import simulate
from bayescale.tables.table import Table
from tests.kit.prior_fits import fit_of

CARD = """
name = "drifting-skills"
claim = "Skills grow with compute, and their level wanders with the years."
law = "observational"
link = "logistic"
noise = "normal"
[reference]
flops = 1e23
released = 2023.0
[skills]
general = ["MMLU"]
[pooling.intercept]
family = { spread = [0.5, 2.0] }
[drift.released]
"""
DATES = ["2022-03-01", "2022-09-01", "2023-02-01", "2023-08-01", "2024-02-01", ""]


def board() -> Table:
    rows = []
    for i, family in enumerate("abcdef"):
        for j in range(3):
            params, tokens = 1e9 * 4.0**j, 1e12 * (1 + i)
            rows.append(
                {
                    "run": f"{family}{j}",
                    "family": family,
                    "params": params,
                    "tokens": tokens,
                    "released": DATES[i],
                    "organisation": "x" if i < 2 else "y",
                    "MMLU": 0.4 + 0.05 * j,
                    "ARC": 0.3 + 0.05 * j,
                }
            )
    facts = pd.DataFrame({"benchmark": ["MMLU", "ARC"], "chance": 0.25, "items": 1000.0})
    return Table.from_wide(pd.DataFrame(rows), facts, "board")


@pytest.fixture(scope="module")
def model() -> Model:
    return model_from_card(CARD)


@pytest.fixture(scope="module")
def fit(model: Model) -> Fit:
    table = board()
    sites, _ = simulate(model, lay_out(model, table), draws=64, seed=1)
    return fit_of(model, table, sites)


def test_a_day_is_a_share_of_its_year() -> None:
    found = years_of(pd.Series(["2024-01-01", "2024-07-01", ""]))
    assert found[0] == 2024.0
    assert found[1] == pytest.approx(2024.5, abs=0.003)
    assert np.isnan(found[2])


def test_cells_are_quarters_from_the_reference_to_the_last_run(model: Model) -> None:
    cells = fitted_members(model, board())["cell"]
    assert [cell(name).side for name in cells].count("-") == 4  # ten months before 2023
    assert [cell(name).side for name in cells].count("+") == 5  # thirteen after


def test_an_undated_run_counts_as_of_the_middle_of_all(model: Model) -> None:
    grid = lay_out(model, board())
    years = np.asarray(grid.inputs["released"])
    assert years[-1] == pytest.approx(np.median(years[:-3]))


def test_the_level_wanders_as_a_random_walk_of_the_date() -> None:
    """The expected score of the anchor by hand: the link of the law and the sum of increments."""
    text = CARD.replace("family = { spread = [0.5, 2.0] }", "")
    model, table = model_from_card(text), board()
    grid = lay_out(model, table)
    sites, grids = simulate(model, grid, draws=5, seed=3)
    years, log_flops = np.asarray(grid.inputs["released"]), np.log(grid.inputs["flops"])
    moved = np.zeros((5, len(years)))
    for i, name in enumerate(fitted_members(model, table)["cell"]):
        one = cell(name)
        past = (years if one.side == "+" else -years) / 0.25 - (one.number - 1)
        moved += sites["drift"][:, i] * 0.5 * np.clip(past, 0, 1)
    level = sites["intercept"]
    latent = level + sites["efficiency"] * log_flops + moved
    with jax.enable_x64(True):
        wanted = logistic.function(
            latent,
            level,
            0.25,
            1.0,
            ceiling=expit(sites["ceiling"][:, :1]),
            shape=np.exp(sites["shape"][:, :1]),
        )
    np.testing.assert_allclose(grids["expected"][:, :, 0], wanted, rtol=1e-9)


@pytest.mark.parametrize("more", ["", "organisation = { spread = [0.5, 2.0] }\n"])
def test_a_family_is_told_where_drift_and_its_organisation_have_taken_it(more: str) -> None:
    """Its site is its latent score at the mean inputs and date of its runs."""
    model = model_from_card(CARD.replace("family =", f"{more}family ="))
    table = board()
    grid = lay_out(model, table)
    sites, grids = simulate(model, grid, draws=3, seed=5)
    middle = table.runs.index.get_indexer(["a1"])[0]  # at the mean inputs of family a
    score = grids["expected"][:, middle, 0]
    with jax.enable_x64(True):
        wanted = logistic.function(
            sites["intercept_family"][:, 0, :1],
            sites["intercept"],
            0.25,
            1.0,
            ceiling=expit(sites["ceiling"][:, :1]),
            shape=np.exp(sites["shape"][:, :1]),
        )
    np.testing.assert_allclose(score, np.asarray(wanted)[:, 0], rtol=1e-9)


def test_a_later_date_is_less_sure(fit: Fit) -> None:
    def width(date: str) -> float:
        draws = fit.predict(
            family="new", params=7e9, tokens=2e12, released=date, benchmark="MMLU", kind="mean"
        ).draws
        return float(np.std(logit(np.clip(draws, 0.26, 0.99) - 0.25)))

    assert width("2023-01-01") < width("2024-02-01") < width("2027-02-01")


def test_a_query_takes_the_date_of_its_family_or_the_latest(fit: Fit) -> None:
    """A family without any date was taken to be of the middle one of all (f)."""
    frame = fit.predict(
        pd.DataFrame({"family": ["b", "new", "f"], "params": 7e9, "tokens": 2e12})
    ).frame
    told = frame.drop_duplicates("family").set_index("family")["released"].to_dict()
    assert told == {"b": "2022-09-01", "new": "2024-02-01", "f": "2023-02-01"}
    assert fit.predict(run="c1").frame["released"].iloc[0] == "2023-02-01"
    day = pd.Timestamp("2023-05-06")
    asked = fit.predict(params=7e9, tokens=2e12, released=day).frame
    assert asked["released"].iloc[0] == "2023-05-06"


def test_the_usual_drift_of_skills_is_along_inputs_and_the_date(model: Model) -> None:
    assert list(customise(model, drift="usual").drift) == ["flops", "released"]


def test_a_date_that_is_none_is_refused_and_one_far_ahead_is_doubted(fit: Fit) -> None:
    for bad in ("soon", "2024-6-15"):
        with pytest.raises(PredictError, match=f'released is "{bad}"; give a day such as 2026-06'):
            fit.predict(params=7e9, tokens=2e12, released=bad)
    doubts = fit.predict(params=7e9, tokens=2e12, released="2026-02-01").doubts
    assert any("2.0 years after the fit's last (2024-02-01)" in doubt for doubt in doubts)
    doubts = fit.predict(params=7e9, tokens=2e12, released="2020-03-01").doubts
    assert any("2.0 years before the fit's first (2022-03-01)" in doubt for doubt in doubts)


def test_a_table_without_dates_is_refused(model: Model) -> None:
    table = board()
    empty = Table(
        table.scores, table.runs.assign(released=""), table.benchmarks, table.name, table.excluded
    )
    with pytest.raises(ModelError, match=r"needs dates, and no run of table board has one.*none"):
        lay_out(model, empty)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("released = 2023.0", ""), r"\[reference\] lacks released"),
        (("[drift.released]", "[drift.released]\norder = 3"), "order is 1 or 2; given: 3"),
        (
            ("[drift.released]", "[drift.flops]\nown = { family = [0.1, 2.0] }"),
            "own is of laws of a quantity",
        ),
        (("[drift.released]", "[drift.tokens]"), "along no input of observational"),
        (("released = 2023.0", "released = 202306.0"), r"\[reference\] released is a year"),
    ],
)
def test_a_drift_that_makes_no_sense_is_refused(changes: tuple[str, str], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        model_from_card(CARD.replace(*changes))


def test_an_undated_run_is_asked_where_the_fit_took_it_to_be(model: Model) -> None:
    """Undated with its whole family, or alone in it."""
    table = board()
    alone = table.runs.index == "d0"
    table = dataclasses.replace(
        table, runs=table.runs.assign(released=table.runs["released"].mask(alone, ""))
    )
    sites, grids = simulate(model, lay_out(model, table), draws=8, seed=2)
    fit = fit_of(model, table, sites)
    for run in ("d0", "f1"):
        asked = fit.predict(run=run, benchmark="MMLU", kind="mean")
        at = table.runs.index.get_loc(run)
        np.testing.assert_allclose(asked.draws[:, 0], grids["expected"][:, at, 0], rtol=1e-5)


def test_a_query_names_a_family_and_its_organisation_comes_along() -> None:
    """What is asked of a run's family at the run's own inputs is what the run had."""
    more = "organisation = { spread = [0.5, 2.0] }\n"
    model, table = model_from_card(CARD.replace("family =", f"{more}family =")), board()
    sites, grids = simulate(model, lay_out(model, table), draws=8, seed=2)
    fit = fit_of(model, table, sites)
    for run in ("b2", "d0"):
        own = table.runs.loc[run]
        asked = fit.predict(
            family=own["family"],
            params=own["params"],
            tokens=own["tokens"],
            released=own["released"],
            benchmark="MMLU",
            kind="mean",
        )
        at = table.runs.index.get_loc(run)
        np.testing.assert_allclose(asked.draws[:, 0], grids["expected"][:, at, 0], rtol=1e-5)


def test_skills_drift_along_inputs_too() -> None:
    model: Any = model_from_card(CARD.replace("[drift.released]", "[drift.flops]"))
    assert model.drift["flops"].order == 2
    table = board()
    sites, _ = simulate(model, lay_out(model, table), draws=2, seed=1)
    assert sites["drift"].shape[2] == 1
