"""`update` against what can be worked out by hand, and against the model itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import bayescale as bs
from bayescale.base.errors import AskError
from bayescale.fits import Fit
from bayescale.models.cards import customise, model_of_law
from bayescale.models.lay_out import on_table
from tests.kit.prior_fits import fit_of

DRAWS = 4000
WIDTH, NOISE = 0.3, 0.05  # of corpora, of a measurement; both in logs


@pytest.fixture(scope="module")
def pooled() -> Fit:
    """Losses A / x by corpus: log A ~ N(level, WIDTH) for a new corpus, level ~ N(log 3, 0.2)."""
    frame = pd.DataFrame({"x": [1.0, 4.0], "corpus": ["a", "b"], "loss": [3.0, 2.0]})
    table = bs.Table.from_runs(frame)
    pool: Any = {"A": "corpus"}
    model = on_table(
        customise(model_of_law("power"), pool=pool, noise="normal-log", drift="none"), table
    )
    rng = np.random.default_rng(0)
    level = np.log(3) + 0.2 * rng.normal(size=DRAWS)
    sites = {
        "A": level,
        "A_corpus": level[:, None] + WIDTH * rng.normal(size=(DRAWS, 2)),
        "A_corpus_spread": np.full(DRAWS, np.log(WIDTH)),
        "alpha": np.zeros(DRAWS),  # the exponent is one
        "spread": np.full((DRAWS, 1), np.log(NOISE)),
    }
    return fit_of(model, table, sites)


def runs(corpus: str, losses: list[float], x: float = 2.0) -> bs.Table:
    frame = pd.DataFrame({"x": x, "corpus": corpus, "loss": losses})
    frame["run"] = [f"{corpus} {i}" for i in range(len(losses))]
    return bs.Table.from_runs(frame)


@pytest.mark.parametrize("losses", [[3.4], [3.4, 3.5, 3.3]])
def test_a_new_member_and_the_population_have_their_exact_posterior(
    losses: list[float], pooled: Fit
) -> None:
    answer = pooled.update(runs("new", losses), seed=1)
    assert answer.fit is not None
    assert answer.fit.evidence[0].how == "reweighted"
    # At the reference run x = 2 a log loss is log A: Normal in Normal in Normal.
    mean, error = float(np.mean(np.log(losses))), NOISE / np.sqrt(len(losses))
    found = {name: values.astype(float) for name, values in answer.fit.sites().items()}
    own = 1 / (1 / error**2 + 1 / (WIDTH**2 + 0.2**2))
    centre = own * (mean / error**2 + np.log(3) / (WIDTH**2 + 0.2**2))
    member = found["A_corpus"][:, 2]
    assert member.mean() == pytest.approx(centre, abs=5 * np.sqrt(own / 2000))
    assert member.std() == pytest.approx(np.sqrt(own), rel=0.06)
    around = 1 / (1 / 0.2**2 + 1 / (WIDTH**2 + error**2))
    level = around * (np.log(3) / 0.2**2 + mean / (WIDTH**2 + error**2))
    assert found["A"].mean() == pytest.approx(level, abs=5 * np.sqrt(around / 2000))
    assert found["A"].std() == pytest.approx(np.sqrt(around), rel=0.08)
    # Members that were known keep their own values.
    old = pooled.sites()["A_corpus"][:, 0].astype(np.float32)
    assert np.isin(found["A_corpus"][:, 0].astype(np.float32), old).all()


def test_a_run_of_a_known_member_only_weighs_the_draws(pooled: Fit) -> None:
    answer = pooled.update(runs("a", [3.0]), seed=1)
    assert answer.fit is not None
    member = answer.fit.sites()["A_corpus"][:, 0].astype(float)
    before = pooled.sites()["A_corpus"][:, 0]
    weights = norm.pdf(np.log(3.0), before, NOISE)
    assert member.mean() == pytest.approx(np.average(before, weights=weights), abs=0.01)
    assert answer.fit.posterior["A_corpus"].sizes["corpus"] == 2


def test_a_surprise_is_refitted_or_said_to_be_one(pooled: Fit) -> None:
    answer = pooled.update(runs("a", [30.0]), refit="never", seed=1)
    assert answer.about["why"]
    assert "Do not rely on it" in answer.sentence
    assert answer.frame["probability_below"].iloc[0] == 1.0


@pytest.mark.slow
def test_two_updates_are_one_update_of_both(pooled: Fit) -> None:
    first = pooled.update(runs("new", [3.4]), seed=1).fit
    assert first is not None
    second = first.update(runs("newer", [2.5]), seed=2).fit
    both = pd.concat([runs("new", [3.4]).runs, runs("newer", [2.5]).runs])
    frame = both[["x", "corpus"]].assign(loss=[3.4, 2.5])
    together = pooled.update(bs.Table.from_runs(frame), seed=3).fit
    assert second is not None
    assert together is not None
    assert len(second.evidence) == 2
    one, other = (f.sites()["A"].astype(float) for f in (second, together))
    assert one.mean() == pytest.approx(other.mean(), abs=0.02)
    assert one.std() == pytest.approx(other.std(), rel=0.1)


@pytest.mark.slow
def test_what_is_weighted_again_counts_once(pooled: Fit) -> None:
    """The draws that count fall with each update by what it weighs, not by all before it."""
    after, counts = pooled, []
    for number in range(4):
        found = after.update(runs(f"new {number}", [3.0]), seed=number).fit
        assert found is not None
        after = found
        counts.append(after.evidence[-1].effective)
    names = [f"new {i}" for i in range(4)]
    together = pd.DataFrame({"x": 2.0, "corpus": names, "run": names, "loss": 3.0})
    at_once = pooled.update(bs.Table.from_runs(together), seed=9).about["effective"]
    assert counts[-1] == pytest.approx(at_once, rel=0.3)


def test_a_fit_made_again_knows_all_and_owes_nothing_to_weights(pooled: Fit) -> None:
    weighted = pooled.update(runs("new", [3.4]), seed=1).fit
    assert weighted is not None
    answer = weighted.update(runs("newer", [2.5]), refit="always", seed=2, progress=False)
    assert answer.fit is not None
    assert [one.how for one in answer.fit.evidence] == ["refitted"]
    assert answer.sentence.startswith("Fitted again with 1 scores of newer 0: asked for.")
    assert answer.fit.table.n_rows == pooled.table.n_rows + 2
    # Members that only the refit has seen are where their losses are.
    level = answer.fit.predict(x=2.0, corpus="newer", kind="mean").frame["mean_median"].iloc[0]
    assert level == pytest.approx(2.5, rel=0.1)


def test_a_surprise_is_fitted_again_by_itself(pooled: Fit) -> None:
    answer = pooled.update(runs("a", [30.0]), seed=1, progress=False)
    assert answer.fit is not None
    assert answer.fit.evidence[-1].how == "refitted"


@pytest.fixture(scope="module")
def small_run(small_table: bs.Table) -> bs.Table:
    """One run of a family that nobody knows, in the middle of the others."""
    scores = pd.DataFrame(
        {
            "run": "mine-1b",
            "benchmark": ["MMLU", "HellaSwag", "GSM8K", "ARC", "Winogrande"],
            "score": [0.30, 0.62, 0.05, 0.35, 0.60],
        }
    )
    facts = pd.DataFrame(
        {"run": ["mine-1b"], "family": ["mine"], "params": [1e9], "tokens": [1e12]}
    )
    return bs.Table.from_long(scores, facts, small_table.benchmarks.reset_index(), name="mine")


def test_a_small_run_of_a_new_family_pulls_and_narrows_its_larger_sibling(
    small_fit: Fit, small_run: bs.Table
) -> None:
    answer = small_fit.update(small_run, refit="never", seed=1)
    after = answer.fit
    assert after is not None
    query: dict[str, Any] = {"family": "mine", "params": 7e9, "tokens": 1e12, "kind": "mean"}
    before, now = (f.predict(**query).draws for f in (small_fit, after))
    assert (now.std(axis=0) < before.std(axis=0)).all()
    own = after.predict(run="mine-1b", kind="mean").frame["mean_median"].to_numpy()
    observed = small_run.scores.set_index("benchmark")["score"][list(after.table.benchmarks.index)]
    assert np.abs(own - observed.to_numpy()).max() < 0.03
    # A run as large as the one that was seen is expected to score as it did.
    again = after.predict(family="mine", params=1e9, tokens=1e12, kind="mean")
    assert np.abs(again.frame["mean_median"].to_numpy() - observed.to_numpy()).max() < 0.06
    assert list(answer.frame["observed"]) == list(observed[answer.frame["benchmark"]])


def test_families_that_were_known_keep_their_predictions(
    small_fit: Fit, small_run: bs.Table
) -> None:
    after = small_fit.update(small_run, refit="never", seed=1).fit
    assert after is not None
    query: dict[str, Any] = {"family": "pythia", "params": 3e9, "tokens": 3e11, "kind": "mean"}
    before, now = (f.predict(**query).draws for f in (small_fit, after))
    assert (np.abs(before.mean(axis=0) - now.mean(axis=0)) < 0.5 * before.std(axis=0)).all()


@pytest.mark.slow
def test_a_new_run_of_a_known_family_moves_where_its_level_is_told(small_fit: Fit) -> None:
    """Adding a run moves the middle of the family: levels are told there, and mean the same."""
    family = small_fit.table.runs[small_fit.table.runs["family"] == "pythia"]
    query = {"family": "pythia", "params": 5e10, "tokens": 3e11}
    expected = small_fit.predict(**query, kind="mean")
    scores = expected.frame[["benchmark"]].assign(
        run="pythia-50b", score=expected.frame["mean_median"].clip(0, 1)
    )
    facts = pd.DataFrame({"run": ["pythia-50b"], **{k: [v] for k, v in query.items()}})
    new = bs.Table.from_long(scores, facts, small_fit.table.benchmarks.reset_index())
    after = small_fit.update(new, refit="never", seed=1).fit
    assert after is not None
    small = {"family": "pythia", "params": float(family["params"].min()), "tokens": 3e11}
    before, now = (f.predict(**small, kind="mean").draws for f in (small_fit, after))
    assert (np.abs(before.mean(axis=0) - now.mean(axis=0)) < before.std(axis=0)).all()


def test_the_evidence_is_kept_in_the_file(
    small_fit: Fit, small_run: bs.Table, tmp_path: Path
) -> None:
    after = small_fit.update(small_run, refit="never", seed=1).fit
    assert after is not None
    after.save(tmp_path / "mine.nc")
    again = bs.load_fit(tmp_path / "mine.nc")
    assert again.evidence == after.evidence
    assert "Pareto k" in str(again.evidence[0])
    assert str(again.evidence[0]) in again.summary().notes
    query = {"family": "mine", "params": 7e9, "tokens": 1e12}
    np.testing.assert_allclose(again.predict(**query).draws, after.predict(**query).draws)


@pytest.mark.parametrize(
    ("new", "change", "said"),
    [
        ("table", {"refit": "sometimes"}, "refit must be one of auto, never, always"),
        ("table", {"interval": 1.0}, "interval must lie strictly between"),
        ("known", {}, "cannot add"),
        ("other", {}, "knows no .accuracy.: place"),
        ("frame", {}, "new evidence is a Table of runs"),
    ],
)
def test_evidence_that_makes_no_sense_is_refused(
    new: str, change: dict[str, Any], said: str, pooled: Fit
) -> None:
    frame = pd.DataFrame({"x": [1.0], "corpus": ["c"], "accuracy": [0.5]})
    given: dict[str, Any] = {
        "table": runs("new", [3.4]),
        "known": pooled.table,
        "other": bs.Table.from_runs(frame, "accuracy"),
        "frame": frame,
    }
    with pytest.raises(AskError, match=said):
        pooled.update(given[new], **change)
