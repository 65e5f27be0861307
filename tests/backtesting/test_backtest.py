"""The backtest and its scorecard, with folds that are predicted without any fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from bayescale.backtesting import scores
from bayescale.backtesting.run import FoldPrediction, held_out, score_folds
from bayescale.backtesting.scorecard import Scorecard, gains, score_rows, scorecard
from bayescale.backtesting.splits import Fold, Split
from bayescale.base.errors import BayescaleError
from bayescale.tables.table import Table

ISSUE_KEYS = {
    *("model", "mae", "crps", "interval_score", "coverage", "by_benchmark", "by_family"),
    *("rows", "n", "seconds", "max_r_hat", "divergences"),
}
SD = 0.05


@pytest.fixture(scope="module")
def table() -> Table:
    """Eight families of three sizes; scores are 0.5 and Gaussian noise of known spread."""
    rng = np.random.default_rng(0)
    names = [f"{f}-{s}b" for f in "abcdefgh" for s in (1, 7, 70)]
    runs = pd.DataFrame({"run": names, "family": [name[0] for name in names]})
    runs["params"] = [float(name[2:-1]) * 1e9 for name in names]
    runs["tokens"] = 1e12
    pairs = [(run, benchmark) for run in names for benchmark in ("MMLU", "MATH", "BBH")]
    frame = pd.DataFrame(pairs, columns=["run", "benchmark"])
    frame["score"] = 0.5 + SD * rng.normal(size=len(frame))
    return Table.from_long(frame, runs)


@pytest.fixture(scope="module")
def split(table: Table) -> Split:
    """One fold a family."""
    family = table.runs["family"].loc[table.scores["run"]].to_numpy()
    folds = [Fold(f, family != f, family == f, 0) for f in "abcdefgh"]
    return Split("families", tuple(folds))


def oracle(
    table: Table, split: Split, sd: float = SD, shift: float = 0.0, draws: int = 1999
) -> list[FoldPrediction]:
    """Predict the distribution that the scores were drawn from, or one beside it."""
    grid = norm.ppf((np.arange(draws) + 0.5) / draws)

    def fit_fold(fold: Fold) -> FoldPrediction:
        y = held_out(table, split, fold)["score"].to_numpy()
        mean = np.full((draws, len(y)), 0.5 + shift)
        return FoldPrediction(
            draws=mean + sd * grid[:, None],
            mean_draws=mean,
            log_density=norm.logpdf(y, mean, sd),
            seconds=1.5,
            max_r_hat=1.0 + 0.01 * (fold.label == "c"),
            divergences=1,
            length=1,
        )

    return [fit_fold(fold) for fold in split.folds]


@pytest.fixture(scope="module")
def card(table: Table, split: Split) -> Scorecard:
    return score_folds("oracle", table, split, oracle(table, split))


def test_each_test_row_is_scored_once_against_its_own_value(card: Scorecard, table: Table) -> None:
    assert card.n == len(table.scores)
    joined = card.rows.merge(table.scores, on=["run", "benchmark"], validate="1:1")
    np.testing.assert_array_equal(joined["score_x"], joined["score_y"])
    assert (card.rows["family"] == card.rows["run"].str[0]).all()
    assert (card.rows["fold"] == card.rows["family"]).all()


def test_scores_of_the_whole_are_closed_forms(card: Scorecard, table: Table) -> None:
    y = table.scores["score"].to_numpy()
    z = (y - 0.5) / SD
    assert card.mae == pytest.approx(np.abs(y - 0.5).mean())
    assert card.log_score == pytest.approx(norm.logpdf(y, 0.5, SD).mean())
    crps = SD * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - np.pi**-0.5)
    assert card.crps == pytest.approx(crps.mean(), rel=2e-3)
    half = norm.ppf(0.95) * SD
    assert card.mean_width == pytest.approx(2 * half, rel=2e-3)
    expected = scores.interval_score(0.5 - half, 0.5 + half, y, 0.9).mean()
    assert card.interval_score == pytest.approx(expected, rel=5e-3)
    for level in (0.5, 0.8, 0.9, 0.95):
        inside = np.abs(z) <= norm.ppf(0.5 + level / 2)
        assert card.coverage[str(level)] == pytest.approx(inside.mean(), abs=0.02)


def test_point_prediction_is_the_expected_scores_median_intervals_are_of_the_score() -> None:
    observed = pd.DataFrame(
        {"fold": ["1"], "run": ["p"], "family": ["a"], "benchmark": ["MMLU"], "score": [0.5]}
    )
    draws = np.linspace(0.2, 0.4, 101)[:, None]
    mean_draws = np.array([[0.1], [0.6], [0.9]])
    row = score_rows(draws, mean_draws, observed, np.zeros((3, 1))).iloc[0]
    assert row["mean_median"] == pytest.approx(0.6)
    assert row["absolute_error"] == pytest.approx(0.1)
    assert row["score_lower_0.9"] == pytest.approx(0.21)
    assert row["score_upper_0.5"] == pytest.approx(0.35)
    assert row["crps"] == pytest.approx(scores.crps(draws, [0.5])[0])


def test_true_distribution_is_calibrated_and_others_score_worse(
    card: Scorecard, table: Table, split: Split
) -> None:
    for level, covered in card.coverage.items():
        assert abs(covered - float(level)) < 3 * max(card.coverage_se[level], 0.01)
    for sd, shift in [(SD / 2, 0.0), (2 * SD, 0.0), (SD, 0.04)]:
        other = score_folds("other", table, split, oracle(table, split, sd, shift))
        assert other.crps > card.crps
        assert other.interval_score > card.interval_score
        assert other.log_score < card.log_score


def test_parts_add_up_to_the_whole(card: Scorecard) -> None:
    for frame in (card.by_benchmark, card.by_family):
        assert frame["n"].sum() == card.n
        for name in ("mae", "crps", "log_score", "interval_score", "mean_width"):
            assert np.average(frame[name], weights=frame["n"]) == pytest.approx(getattr(card, name))
        for level, covered in card.coverage.items():
            assert np.average(frame[f"coverage_{level}"], weights=frame["n"]) == pytest.approx(
                covered
            )
    assert card.seconds == pytest.approx(8 * 1.5)
    assert card.max_r_hat == pytest.approx(1.01)
    assert card.divergences == 8
    assert list(card.folds["fold"]) == list("abcdefgh")
    assert list(card.by_benchmark.index) == ["MMLU", "MATH", "BBH"]


def test_families_counted_alike_differ_from_rows_counted_alike() -> None:
    observed = pd.DataFrame(
        {"fold": "1", "run": list("pqr"), "family": ["a", "a", "b"], "benchmark": "MMLU"}
    ).assign(score=[0.5, 0.5, 0.9])
    draws = np.full((10, 3), 0.5)
    rows = score_rows(draws, draws, observed, np.zeros((10, 3)))
    folds = pd.DataFrame(
        {"fold": ["1"], "n": [3], "seconds": [1.0], "max_r_hat": [np.nan], "divergences": [0]}
    )
    card = scorecard("m", rows, folds)
    assert card.mae == pytest.approx(0.4 / 3)
    assert card.mae_over_families == pytest.approx(0.2)
    assert np.isnan(card.max_r_hat)


def test_json_has_the_promised_keys_and_comes_back(card: Scorecard, tmp_path: Path) -> None:
    path = card.to_json(tmp_path / "card.json")
    read = json.loads(path.read_text())
    assert read == card.to_dict()
    assert set(read) >= ISSUE_KEYS
    assert set(read["coverage"]) == {"0.5", "0.8", "0.9", "0.95"}
    assert read["by_benchmark"]["MATH"]["n"] == 24
    assert set(read["by_family"]["a"]["coverage"]) == set(read["coverage"])
    assert len(read["rows"]) == read["n"] == card.n
    assert read["rows"][0]["run"] == "a-1b"
    errors = [abs(row["mean_median"] - row["score"]) for row in read["rows"]]
    assert read["mae"] == pytest.approx(np.mean(errors))
    assert [p.name for p in tmp_path.iterdir()] == ["card.json"]


def test_what_is_not_known_is_null_in_json(table: Table, split: Split) -> None:
    one = Split("one", split.folds[:1])
    card = score_folds("m", table, one, oracle(table, one))
    assert np.isnan(card.coverage_se["0.9"])
    assert card.to_dict()["coverage_se"]["0.9"] is None
    assert "se not known" in str(card)


def test_an_impossible_observation_gives_minus_infinity_not_a_crash(card: Scorecard) -> None:
    rows = card.rows.copy()
    rows.loc[0, "log_score"] = -np.inf
    worst = scorecard("m", rows, card.folds)
    assert worst.log_score == -np.inf
    assert worst.to_dict()["log_score"] is None


def test_unwritable_places_are_refused(card: Scorecard, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(BayescaleError, match="cannot write"):
        card.to_json(tmp_path / "taken" / "card.json")


@pytest.mark.parametrize("part", ["draws", "mean_draws", "log_density"])
def test_arrays_of_wrong_shape_or_with_nan_are_refused(
    part: str, table: Table, split: Split
) -> None:
    observed = held_out(table, split, split.folds[0])
    good = np.full((5, len(observed)), 0.5)
    for bad in (good[:, 1:], good[0], np.where(np.eye(5, len(observed)), np.nan, good)):
        arrays = {"draws": good, "mean_draws": good, "log_density": good, part: bad}
        with pytest.raises(ValueError, match=rf"^{part}"):
            score_rows(observed=observed, **arrays)


def test_pit_of_the_true_distribution_is_that_of_its_cdf(card: Scorecard, table: Table) -> None:
    y = table.scores.set_index(["run", "benchmark"])["score"]
    of_rows = y.loc[list(zip(card.rows["run"], card.rows["benchmark"], strict=True))]
    np.testing.assert_allclose(card.rows["pit"], norm.cdf(of_rows, 0.5, SD), atol=1e-3)


def test_distance_is_in_decades_from_the_familys_most_compute_in_training(table: Table) -> None:
    run = table.scores["run"].to_numpy()
    fold = Fold("1", ~np.isin(run, ["a-70b", "a-7b", "b-1b", "b-7b", "b-70b"]), run == "a-70b", 0)
    assert held_out(table, split, fold)["distance"].to_numpy() == pytest.approx(np.log10(70))
    unseen = Fold("2", fold.train, run == "b-7b", 0)
    assert held_out(table, split, unseen)["distance"].isna().all()


def test_fifths_of_distance_hold_every_row_once(table: Table, split: Split) -> None:
    large = Split(
        "large",
        tuple(
            Fold(
                f,
                ~(fold.test & table.scores["run"].str.contains("-70b|-7b").to_numpy()),
                fold.test & table.scores["run"].str.contains("-70b|-7b").to_numpy(),
                0,
            )
            for f, fold in zip("abcdefgh", split.folds, strict=True)
        ),
    )
    card = score_folds("m", table, large, oracle(table, large))
    assert card.by_distance["n"].sum() == card.n == 48
    assert len(card.by_distance) == 2  # two sizes a family: two distances, whatever the fifths
    assert card.by_distance["coverage_0.9_se"].between(0, 0.2).all()
    assert set(card.to_dict()["by_distance"]) == set(card.by_distance.index)


def test_gains_are_differences_on_the_same_rows(
    table: Table, split: Split, card: Scorecard
) -> None:
    wide = score_folds("wide", table, split, oracle(table, split, 3 * SD))
    frame = gains(card, {"wide": wide, "same": card})
    assert frame.loc["wide", "crps_gain"] == pytest.approx(wide.crps - card.crps)
    assert (
        frame.loc["wide", "interval_score_gain"] > 2 * frame.loc["wide", "interval_score_gain_se"]
    )
    assert frame.loc["wide", "log_score_gain"] == pytest.approx(card.log_score - wide.log_score)
    assert frame.loc["same", "crps_gain"] == frame.loc["same", "crps_gain_se"] == 0.0


def test_text_and_frame_name_unit_levels_and_errors(card: Scorecard) -> None:
    text = str(card)
    for word in ("points", "90% score interval", "over families", "R-hat 1.010", "MATH"):
        assert word in text
    frame = card.to_frame()
    assert frame.loc["oracle", "coverage_0.9"] == card.coverage["0.9"]
    assert frame.loc["oracle", "mae_se"] == card.standard_errors["mae"] > 0
