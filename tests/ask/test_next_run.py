"""Which run next: closed forms, what it must not depend on, batches, and bad input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import t

import bayescale as bs
from bayescale.ask.answer import Answer
from bayescale.ask.kit.plan import Belief, believe, noise_worth, plan_runs
from bayescale.ask.next_run import next_run
from bayescale.base.errors import AskError, PredictError
from bayescale.predict.prediction import Prediction
from bayescale.tables.table import Table
from tests.kit.short import SHORT

if TYPE_CHECKING:
    from bayescale.fits import Fit

DRAWS = 4000


def line() -> Belief:
    """A line a + b x with a, b standard Normal, asked at x = 3; measured at 0, 1, 2 and 2."""
    at = np.array([3.0, 0.0, 1.0, 2.0, 2.0])
    return Belief(1 + np.outer(at, at), np.full((4, 1), 0.5))


def line_by_hand(measured: list[float]) -> float:
    """Variance of the line at 3, from the normal equations."""
    rows = np.array([[1.0, x] for x in measured]).reshape(-1, 2)
    precision = np.eye(2) + rows.T @ rows / 0.5
    asked = np.array([1.0, 3.0])
    return float(asked @ np.linalg.solve(precision, asked))


def test_a_line_s_reductions_are_exact() -> None:
    found = line().taken()
    by_hand = [1 - line_by_hand([x]) / line_by_hand([]) for x in (0.0, 1.0, 2.0, 2.0)]
    assert found == pytest.approx(by_hand, rel=1e-12)
    assert found[0] == pytest.approx(1 / (1.5 * 10), rel=1e-12)  # cov 1, variance 1.5, of 10


def test_a_batch_is_conditional_on_itself() -> None:
    costs = np.ones(4)
    plan = plan_runs(line(), costs, batch=4)
    best = list(plan.chosen)
    assert best[0] in (2, 3)
    for i in range(4):
        x = [[0.0, 1.0, 2.0, 2.0][run] for run in best[: i + 1]]
        assert 1 - plan.together[i] == pytest.approx(line_by_hand(x) / 10, rel=1e-9)


def test_a_duplicate_is_worth_less_once_the_first_is_made() -> None:
    """With hardly any noise the second of two equal runs tells nothing, and a worse one is next."""
    sharp = replace(line(), noise=np.full((4, 1), 1e-6))
    alone = plan_runs(sharp, np.ones(4)).reduction
    assert alone[2] == alone[3] > alone[0]
    chosen = plan_runs(sharp, np.ones(4), batch=2).chosen
    assert chosen[0] in (2, 3)
    assert chosen[1] in (0, 1)
    noisy = replace(line(), noise=np.full((4, 1), 100.0))
    assert set(plan_runs(noisy, np.ones(4), batch=2).chosen) == {2, 3}


def test_a_vector_of_measurements_is_one_update() -> None:
    belief = line()
    both = Belief(belief.covariance[:3, :3], belief.noise[:2].reshape(1, 2))
    assert both.taken()[0] == pytest.approx(1 - line_by_hand([0.0, 1.0]) / 10, rel=1e-12)


def test_a_dear_run_loses_by_its_cost() -> None:
    plan = plan_runs(line(), np.array([1.0, 1.0, 1e3, 1e3]), batch=1)
    assert plan.chosen == (1,)
    assert plan_runs(line(), np.full(4, 7.0)).chosen[0] in (2, 3)


def test_a_budget_holds_and_is_used() -> None:
    costs = np.array([1.0, 2.0, 4.0, 4.0])
    plan = plan_runs(line(), costs, batch=4, budget=5.0)
    assert 0 < costs[list(plan.chosen)].sum() <= 5.0
    assert plan_runs(line(), costs, batch=4, budget=3.5).chosen in ((0, 1), (1, 0))


def test_what_a_dear_run_makes_superfluous_is_dropped() -> None:
    """Cheap runs come first for each unit of cost, and are not needed beside the last."""
    costs = np.array([0.02, 0.3, 1.0, 1.0])
    enough = 1 - line_by_hand([2.0]) / 10
    greedy = plan_runs(line(), costs, batch=4)
    assert greedy.chosen[0] == 0
    plan = plan_runs(line(), costs, enough=enough)
    assert plan.together[-1] >= enough
    assert costs[list(plan.chosen)].sum() <= 1.0
    assert list(costs[list(plan.chosen)]) == sorted(costs[list(plan.chosen)])


def test_a_width_that_cannot_be_reached_takes_all_that_tells() -> None:
    """In the order of information for the cost, not of cost."""
    plan = plan_runs(line(), np.array([1.0, 1.0, 1.1, 1.2]), enough=0.999)
    assert sorted(plan.chosen) == [0, 1, 2, 3]
    assert plan.chosen[0] == 2
    assert plan.together[-1] == pytest.approx(1 - line_by_hand([0.0, 1.0, 2.0, 2.0]) / 10)


def test_reductions_below_the_least_have_no_worth() -> None:
    plan = plan_runs(line(), np.ones(4), least=0.5)
    assert list(plan.worth > 0) == list(plan.reduction >= 0.5)
    assert len(plan_runs(line(), np.ones(4), batch=4, least=0.5).chosen) < 4
    assert plan_runs(line(), np.ones(4), least=0.99).chosen[0] in (2, 3)  # the best guess


@pytest.mark.parametrize("degrees", [1.5, 4.0, 30.0])
def test_noise_is_worth_its_information(degrees: float) -> None:
    """Of Student-t noise, by quadrature of the squared score."""

    def integrand(x: float) -> float:
        step = 1e-4
        slope = (t.logpdf(x + step, degrees) - t.logpdf(x - step, degrees)) / (2 * step)
        return float(slope**2 * t.pdf(x, degrees))

    information = quad(integrand, -np.inf, np.inf)[0]
    residuals = 0.3 * t.ppf((np.arange(DRAWS) + 0.5) / DRAWS, degrees)
    assert noise_worth(residuals) == pytest.approx(0.3**2 / information, rel=0.02)
    assert noise_worth(residuals + 5.0) == pytest.approx(noise_worth(residuals), rel=1e-6)


def test_no_noise_is_no_error() -> None:
    rng = np.random.default_rng(0)
    q = rng.normal(size=(200, 1))
    belief = believe(q[:, 0], q[:, :, None] * [[[2.0]]], noise_worth(np.zeros((200, 1, 1))))
    assert plan_runs(belief, np.ones(1)).reduction == pytest.approx([1.0])


class Straight:
    """Stands for a fit: a line on the log of the loss in the log of params, with Normal noise."""

    def __init__(self, draws: int = DRAWS, noise: float = 0.05) -> None:
        rng = np.random.default_rng(3)
        self.level, self.slope = rng.normal(1.0, 0.1, draws), rng.normal(-0.1, 0.05, draws)
        self.noise = noise
        self.verdict_ok = True
        self.posterior = SimpleNamespace(sizes={"chain": 4, "draw": draws // 4})
        self.table = SimpleNamespace(
            benchmarks=pd.DataFrame({"unit": ["nats/token"]}, index=["loss"]),
            inputs=("params", "tokens"),
            groups=(),
        )
        self.model = SimpleNamespace(
            of_leaderboard=False,
            inputs={},
            law=SimpleNamespace(inputs=("params",)),
            pooling={},
            effects={},
            along=None,
            drift={},
        )

    def predict(self, rows: pd.DataFrame, *, kind: str, seed: int) -> Prediction:
        if unknown := set(rows) - {"params", "tokens"}:
            raise PredictError(f"no column {unknown}")
        x = np.log(rows["params"].to_numpy(float) / 1e9)
        log_loss = self.level[:, None] + self.slope[:, None] * x
        if kind == "score":
            log_loss = log_loss + self.noise * np.random.default_rng(seed).normal(
                size=log_loss.shape
            )
        frame = rows.assign(benchmark="loss", mean_median=0.0)
        return Prediction(frame, np.exp(log_loss), kind, 0.9, ())

    def question(self, params: float) -> np.ndarray[Any, Any]:
        return np.asarray(self.level + self.slope * np.log(params / 1e9))


@pytest.fixture(scope="module")
def straight() -> Iterator[Any]:
    def predict(fit: Any, rows: pd.DataFrame, **given: Any) -> Prediction:
        found: Prediction = fit.predict(rows, **given)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bayescale.ask.next_run.predict", predict)
        yield Straight()


RUNS = pd.DataFrame({"params": [1e7, 1e8, 1e9, 1e10], "tokens": [1e10] * 4})


def test_a_line_s_fit_gives_the_closed_form(straight: Any) -> None:
    far = 1e12
    answer = next_run(straight, RUNS, of=straight.question(far))
    frame = answer.frame.set_index("params")

    def by_hand(params: float) -> float:
        x, q = np.log(params / 1e9), np.log(far / 1e9)
        shared = 0.1**2 + 0.05**2 * x * q
        return float(
            shared**2 / ((0.1**2 + (0.05 * x) ** 2 + 0.05**2) * (0.1**2 + (0.05 * q) ** 2))
        )

    for params in RUNS["params"]:
        assert frame.loc[params, "reduction"] == pytest.approx(by_hand(params), abs=0.03)
    width = answer.about["width"]
    shrunk = frame["width_after"] / width
    assert shrunk.to_numpy() == pytest.approx(np.sqrt(1 - frame["reduction"].to_numpy()), rel=1e-6)
    assert answer.draws.shape == (DRAWS, 1)
    assert answer.question == "next_run"


def test_neither_the_unit_of_cost_nor_the_order_matters(straight: Any) -> None:
    of = straight.question(1e12)
    one = next_run(straight, RUNS, of=of, batch=3)
    dollars = RUNS.assign(dollars=6 * RUNS["params"] * RUNS["tokens"] / 1e17)
    other = next_run(straight, dollars, of=of, batch=3, cost="dollars")
    shared = ["params", "reduction", "width_after", "worth", "rank", "chosen", "width_then"]
    pd.testing.assert_frame_equal(one.frame[shared], other.frame[shared])
    # Another order draws other noise for each candidate, of the same size.
    turned = next_run(straight, RUNS.iloc[::-1], of=of, batch=3)
    pd.testing.assert_frame_equal(one.frame[shared], turned.frame[shared], rtol=0.02)
    assert "dollars" in other.sentence
    assert "FLOPs" in one.sentence


def test_a_shifted_or_stretched_question_has_the_same_answer(straight: Any) -> None:
    of = straight.question(1e12)
    one, other = (next_run(straight, RUNS, of=q).frame for q in (of, 5 * of - 20))
    assert one["reduction"].to_numpy() == pytest.approx(other["reduction"].to_numpy())
    assert 5 * one["width_after"].to_numpy() == pytest.approx(other["width_after"].to_numpy())


def test_counts_go_by_their_log(straight: Any) -> None:
    of = straight.question(1e12)
    counts = np.exp(20 + 10 * of)
    plain, log = next_run(straight, RUNS, of=of), next_run(straight, RUNS, of=counts)
    assert log.about["scale"] == "log"
    assert plain.about["scale"] == "plain"
    assert log.frame["reduction"].to_numpy() == pytest.approx(plain.frame["reduction"].to_numpy())
    assert (log.frame["width_after"] < log.about["width"]).all()


def test_never_counts_as_the_largest_finite_draw(straight: Any) -> None:
    of = straight.question(1e12)
    never = np.where(of > np.quantile(of, 0.99), np.inf, of)
    answer = next_run(straight, RUNS, of=never)
    assert any("1% of the question's draws say never" in doubt for doubt in answer.doubts)
    assert np.isinf(answer.draws).sum() == 40
    censored = next_run(straight, RUNS, of=np.minimum(of, of[np.isfinite(never)].max()))
    pd.testing.assert_frame_equal(answer.frame, censored.frame)
    with pytest.raises(AskError, match="say never"):
        next_run(straight, RUNS, of=np.where(of > np.median(of) - 0.01, np.inf, of))


def test_a_prediction_and_an_answer_are_questions(straight: Any) -> None:
    rows = pd.DataFrame({"params": [1e12]})
    asked = straight.predict(rows, kind="mean", seed=0)
    by_prediction = next_run(straight, RUNS, of=asked)
    by_draws = next_run(straight, RUNS, of=asked.draws)
    answer = Answer(question="x", frame=rows, draws=asked.draws, sentence="")
    for other in (by_draws, next_run(straight, RUNS, of=answer)):
        pd.testing.assert_frame_equal(by_prediction.frame, other.frame, rtol=0.02)


def test_a_width_is_reached_at_less_cost(straight: Any) -> None:
    of = straight.question(1e12)
    now = next_run(straight, RUNS, of=of).about["width"]
    answer = next_run(straight, RUNS, of=of, width=0.5 * now)
    chosen = answer.frame[answer.frame["chosen"] > 0].sort_values("chosen")
    assert chosen["width_then"].iloc[-1] <= 0.5 * now * 1.001
    assert chosen["cost"].is_monotonic_increasing
    first = next_run(straight, RUNS, of=of, width=0.5 * now, batch=1)
    assert (first.frame["chosen"] > 0).sum() == 1
    assert "more" in first.sentence or len(chosen) == 1
    hopeless = next_run(straight, RUNS, of=of, width=0.01 * now)
    assert any("is expected to come down to" in doubt for doubt in hopeless.doubts)
    for width in (0.0, -1.0, 2 * now):
        with pytest.raises(AskError, match="width must lie between 0 and the present"):
            next_run(straight, RUNS, of=of, width=width)


def test_what_nothing_shrinks_is_doubted(straight: Any) -> None:
    unrelated = np.random.default_rng(8).normal(size=DRAWS)
    answer = next_run(straight, RUNS, of=unrelated)
    assert (answer.frame["worth"] == 0).all()
    assert (answer.frame["chosen"] > 0).sum() == 1
    assert any("no candidate shrinks it" in doubt for doubt in answer.doubts)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"candidates": RUNS.iloc[:0]}, "no candidates"),
        ({"candidates": [1, 2]}, "must be a frame"),
        ({"candidates": RUNS.drop(columns="tokens")}, "need columns params and tokens"),
        ({"candidates": RUNS.assign(flops=[1.0, -1.0, 1.0, 1.0])}, r'"row 2 \(-1\)"'),
        ({"candidates": RUNS.assign(flops=[1.0, 1.0, 0.0, 1.0])}, r'"row 3 \(0\)"'),
        ({"candidates": RUNS.assign(price=[1.0, 1.0, 1.0, np.nan]), "cost": "price"}, "row 4"),
        ({"cost": "price"}, "no column 'price'"),
        ({"of": np.zeros(7)}, "one draw for each of the fit's 4000"),
        ({"of": np.ones(DRAWS)}, "all 1: there is nothing to shrink"),
        ({"of": np.r_[5.0, np.ones(DRAWS - 1)]}, "all 1: there is nothing to shrink"),
        ({"of": np.full(DRAWS, np.nan)}, "not known"),
        ({"batch": 0}, "batch must be"),
        ({"batch": 1.5}, "batch must be"),
        ({"batch": np.nan}, "batch must be"),
        ({"interval": 0.0}, "interval must lie"),
        ({"interval": 1.0}, "interval must lie"),
        ({"budget": 1.0}, "affords none"),
        ({"budget": np.nan}, "affords none"),
        ({"benchmark": "los"}, 'did you mean "loss"'),
    ],
)
def test_bad_input_is_named(straight: Any, change: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"candidates": RUNS, "of": straight.question(1e12), **change}
    candidates = given.pop("candidates")
    with pytest.raises(AskError, match=words):
        next_run(straight, candidates, **given)


@pytest.fixture(scope="module")
def chinchilla() -> Fit:
    """Eight small runs of the replication of Chinchilla."""
    table = bs.load_table("chinchilla-replication")
    small = table.runs["flops"].sort_values().index[:40:5]
    frame = table.runs.loc[small, ["params", "tokens"]]
    losses = table.scores.set_index("run")["score"].loc[small]
    own = Table.from_runs(frame.assign(loss=losses))
    return bs.fit("chinchilla", own, seed=0, **{**SHORT, "warmup": 400, "draws": 400})


def test_a_real_fit_prefers_what_is_near_the_question(chinchilla: Fit) -> None:
    """A question about many tokens is told by long runs, one about many params by large ones."""
    runs = pd.DataFrame({"params": [3e7, 3e9], "tokens": [3e11, 3e9]}, index=["long", "large"])
    for params, tokens, best in ((3e7, 3e12, 0), (3e10, 3e9, 1)):
        far = chinchilla.predict(params=params, tokens=tokens, kind="mean")
        answer = next_run(chinchilla, runs, of=far)
        assert answer.frame["params"].iloc[0] == runs["params"].iloc[best]
        assert answer.frame["width_after"].iloc[0] < answer.about["width"]


def test_more_of_a_real_fit_s_runs_leave_less(chinchilla: Fit) -> None:
    runs = pd.DataFrame({"params": np.geomspace(1e8, 1e10, 5), "tokens": 2e11})
    far = chinchilla.predict(params=9e10, tokens=2e12, kind="mean")
    answer = next_run(chinchilla, runs, of=far, batch=3)
    widths = answer.frame[answer.frame["chosen"] > 0].sort_values("chosen")["width_then"]
    assert widths.is_monotonic_decreasing
    assert widths.iloc[0] < answer.about["width"]
    assert "Make next: params" in str(answer)


@pytest.mark.slow
def test_a_family_new_to_the_fit_is_the_same_in_question_and_runs(small_fit: Fit) -> None:
    runs = pd.DataFrame({"family": ["mine", "other"], "params": 1e9, "tokens": 1e12})
    far = small_fit.predict(family="mine", params=7e10, tokens=1e12, benchmark="MMLU", kind="mean")
    frame = next_run(small_fit, runs, of=far).frame.set_index("family")
    assert frame.loc["mine", "reduction"] > 3 * frame.loc["other", "reduction"]
    assert frame.loc["mine", "rank"] == 1
    needed = small_fit.required(0.5, "flops", benchmark="MMLU", family="mine", tokens_per_param=99)
    for question in (far.draws, needed):
        found = next_run(small_fit, runs, of=question).frame.set_index("family")
        assert found.loc["mine", "reduction"] > 3 * found.loc["other", "reduction"]
    # By another seed it is another family of the same name.
    apart = next_run(small_fit, runs, of=far.draws, seed=1).frame.set_index("family")
    assert apart.loc["mine", "reduction"] < 0.5 * frame.loc["mine", "reduction"]
    one = next_run(small_fit, runs, of=far, benchmark="HellaSwag").frame.set_index("family")
    assert one.loc["mine", "reduction"] < frame.loc["mine", "reduction"]
