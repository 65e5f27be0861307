"""The bundled tables hold what their cards say, and avoid the traps that the cards name.

Over 400 lines: a short check for each table, and each trap beside its table.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit
from scipy.spatial import ConvexHull

from bayescale.base.errors import RecordError
from bayescale.base.records import records_dir
from bayescale.tables.named import is_bundled, list_tables, load_card, load_table, table_folder
from bayescale.tables.table import Table

NAMES = ["open-llm-leaderboard", "sloth-2024"]
OBSERVATIONAL = ["observational", "observational-agents"]
LEADERBOARDS = NAMES + OBSERVATIONAL
RUN_TABLES = [
    "compute-optima",
    "compute-optimal",
    "data-constrained",
    "dclm",
    "finetuning",
    "gemstones",
    "lr-schedules",
    "olmo-ladder",
    "overtraining",
    "routed",
    "vision-curves",
]
DOWNLOADED = [
    "bnsl-addition",
    "chinchilla-replication",
    "isoflops",
    "loss-to-loss",
    "misfitting",
    "mixing-laws",
    "parscale",
    "step-law",
    "vocabulary",
]
FREE = {"MIT", "Apache-2.0", "CC-BY-4.0", "MIT and Apache-2.0"}
V1 = ["MMLU", "ARC", "HellaSwag", "Winogrande", "TruthfulQA", "GSM8K"]
V2 = ["IFEval", "BBH", "MATH Lvl 5", "GPQA", "MUSR", "MMLU-PRO"]


def test_the_list() -> None:
    assert list_tables() == sorted(LEADERBOARDS + RUN_TABLES + DOWNLOADED)
    assert [name for name in list_tables() if not is_bundled(load_card(name))] == DOWNLOADED


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(RecordError, match=r'no table "sloth".*open-llm-leaderboard'):
        load_table("sloth")


@pytest.mark.parametrize("name", LEADERBOARDS + RUN_TABLES)
def test_only_tables_of_a_licence_that_allows_it_are_bundled(name: str) -> None:
    card = load_card(name)
    assert card["licence"] in FREE
    assert all(source["licence"].split(" ")[0] in FREE for source in card["source"])


@pytest.mark.parametrize("name", DOWNLOADED)
def test_nothing_of_the_others_is_bundled(name: str) -> None:
    assert [path.name for path in table_folder(name).iterdir()] == ["card.toml"]
    notice = (records_dir("data") / "NOTICE").read_text("utf-8")
    assert f"\n{name}\n---" not in notice


@pytest.mark.parametrize("name", list_tables())
def test_cards_are_whole(name: str) -> None:
    card = load_card(name)
    assert card["name"] == name
    assert card["traps"]
    for source in card["source"]:
        assert {"repository", "commit", "files", "licence", "copyright", "paper"} <= set(source)


@pytest.mark.parametrize("name", LEADERBOARDS)
def test_counts_are_those_of_the_card(name: str) -> None:
    table, card = load_table(name), load_card(name)
    counts = card["counts"]
    assert card["name"] == table.name == name
    assert counts["runs"] == len(table.runs)
    assert counts["families"] == len(table.families)
    assert counts["scores"] == table.n_rows
    sizes = table.runs.groupby("family")["params"].nunique()
    assert counts["families_with_several_sizes"] == (sizes > 1).sum()
    assert counts["by_benchmark"] == table.scores["benchmark"].value_counts().to_dict()
    assert (
        counts["excluded"]
        == len(table.excluded)
        == sum(entry["count"] for entry in card.get("exclusion", []))
    )
    if name in NAMES:
        assert list(table.benchmarks.index) == V1 + V2
    assert table.doubts() == []
    assert set(table.runs.index).isdisjoint(table.excluded["run"])


@pytest.mark.parametrize("name", LEADERBOARDS + RUN_TABLES)
def test_the_notice_names_every_source(name: str) -> None:
    notice = (records_dir("data") / "NOTICE").read_text("utf-8")
    for source in load_card(name)["source"]:
        assert f"{source['repository']} at {source['commit']}" in notice
        assert source["copyright"] in notice


@pytest.mark.parametrize("name", NAMES)
def test_second_leaderboard_scores_are_raw(name: str) -> None:
    # Four choices: raw accuracies of weak models lie near 0.25, normalised ones near 0.
    gpqa = load_table(name).to_wide()["GPQA"].dropna()
    assert 0.22 < gpqa.min() < gpqa.max() < 0.5
    assert load_table(name).to_wide()["MUSR"].dropna().min() > 0.3


def test_leaderboard_values_known_from_the_dump() -> None:
    table = load_table("open-llm-leaderboard")
    wide = table.to_wide()
    assert wide.loc["yi-1.5-34b", "GPQA"] == pytest.approx(0.365772, abs=1e-6)  # not the 0.26 copy
    assert wide.loc["gemma-2-9b-it", "MATH Lvl 5"] < 0.01  # a format failure, real, kept
    assert wide.loc["falcon-180b", "GSM8K"] == pytest.approx(0.4594)  # not the 4-bit row
    assert table.runs.loc["gemma-7b", "params"] == 8.538e9
    assert table.runs.loc["gemma-7b", "params_convention"] == "weights"
    assert table.runs.loc["gemma-2-2b", "tokens"] == 2e12
    assert table.runs.loc["qwen2-0.5b", "tokens"] == 12e12
    assert table.runs.loc["qwen2-7b-instruct", ["family", "lineage"]].tolist() == [
        "qwen2-instruct",
        "qwen2",
    ]
    experts = table.runs.loc["deepseek-moe-16b-base"]
    assert experts["flops"] == 6 * 2.8e9 * 2e12


def test_leaderboard_dates_are_told_with_a_text_that_says_them() -> None:
    told = pd.read_csv(table_folder("open-llm-leaderboard") / "dates.csv", keep_default_na=False)
    runs = load_table("open-llm-leaderboard").runs
    assert not told["run"].duplicated().any()
    assert set(told["run"]) <= set(runs.index)
    assert (told[["released", "source", "quote"]] != "").all(axis=None)
    assert (runs.loc[told["run"], "released"].to_numpy() == told["released"]).all()
    assert (runs["released"] == "").sum() <= 12
    # No day of a submission is left: the first leaderboard opened years after these models.
    years = {"opt": "2022", "xglm": "2021", "codegen-nl": "2022", "bloomz": "2022"}
    for family, year in years.items():
        assert runs.loc[runs["family"] == family, "released"].str.startswith(year).all()


def test_leaderboard_holds_no_models_of_others() -> None:
    table = load_table("open-llm-leaderboard")
    assert table.runs["tokens"].notna().all()
    for word in ("dolphin", "hermes", "sauerkraut", "blossom", "orca", "dolly", "zephyr", "magnum"):
        assert not table.runs.index.str.contains(word).any()
        assert table.excluded["run"].str.contains(word).any()


def test_leaderboard_has_no_row_twice() -> None:
    wide = load_table("open-llm-leaderboard").to_wide()[V1 + V2]
    for part in (V1, V2):
        full = wide[part].dropna()
        assert not full.round(6).duplicated().any()


def test_sloth_is_the_files_own() -> None:
    table = load_table("sloth-2024")
    assert table.scores["benchmark"].isin(V1).sum() == 6 * 156
    assert table.scores["benchmark"].isin(V2).sum() == 6 * 109
    known = table.runs.dropna(subset=["tokens"])
    np.testing.assert_allclose(known["flops"], 6 * known["params"] * known["tokens"], rtol=1e-12)
    assert table.runs.loc["qwen2-7b", "flops"] == 294e21
    second = table.scores[table.scores["benchmark"].isin(V2)]["score"]
    np.testing.assert_allclose(second, second.round(2), atol=1e-12)
    assert table.benchmarks.loc["BBH", "items"] == 5761


def test_sloth_protocol_names_families_and_benchmarks_of_the_table() -> None:
    table = load_table("sloth-2024")
    text = (table_folder("sloth-2024") / "protocol.json").read_text("utf-8")
    protocol = json.loads(text)
    assert protocol["sets"] == {"v1": V1, "v2": V2, "all": V1 + V2}
    for name, benchmarks in protocol["sets"].items():
        full = table.to_wide().dropna(subset=benchmarks)
        for keep in ("1", "2"):
            for group in protocol["test_families"][name][keep]:
                assert (full["family"] == group[0]).sum() > int(keep)


@pytest.fixture(scope="module")
def observational() -> Table:
    return load_table("observational")


def test_observational_values_known_from_the_files(observational: Table) -> None:
    wide, facts = observational.to_wide(), observational.benchmarks
    llama = wide.loc["llama-2-70b"]
    assert llama["Word unscrambling"] == 0.3685
    assert llama["3-digit subtraction"] == 0.975
    assert llama["IPA transliteration BLEU"] == pytest.approx(0.53061, abs=1e-5)
    assert llama[["GSM8K naive", "GSM8K CoT", "GSM8K CoT + SC"]].tolist() == [0.178, 0.58, 0.658]
    assert llama["BBH naive"] == pytest.approx(0.531844, abs=1e-6)
    assert llama["BBH CoT"] == pytest.approx(0.678915, abs=1e-6)
    # One over the number of answers of each of 27 tasks; four tasks have none to choose from.
    answers = {2: 8, 3: 3, 4: 2, 5: 4, 6: 2, 7: 2, 9: 1, 18: 1}
    chance = sum(tasks / number for number, tasks in answers.items()) / (sum(answers.values()) + 4)
    assert facts.loc["BBH naive", "chance"] == pytest.approx(chance, abs=1e-6)
    assert facts.loc["Persian QA", "chance"] == 0.25
    for task in ("Persian QA", "Word unscrambling", "3-digit addition", "GSM8K CoT"):
        right = wide[task] * facts.loc[task, "items"]
        np.testing.assert_allclose(right, right.round(), atol=1e-6)


def test_observational_compute_is_the_papers(observational: Table) -> None:
    runs = observational.runs
    assert runs.loc["llama-2-7b", "flops"] == pytest.approx(84e21, rel=1e-12)
    assert runs.loc["llama-2-7b", "preregistered"] == "no"
    assert (runs["preregistered"] == "yes").sum() == 20
    # Of a mixture of experts the active parameters count; two misprints of the source are mended.
    assert runs.loc["deepseek-v2", "flops"] == pytest.approx(1020.6e21, rel=1e-12)
    assert runs.loc["mixtral-8x22b-v0.1", ["params", "params_active"]].tolist() == [141e9, 39e9]
    assert runs.loc["btlm-3b-8k-base", "tokens"] == 627e9
    assert runs.loc["open_llama_7b_v2", "params"] == 7e9
    assert runs["tokens"].max() == 15e12


def test_observational_scores_are_those_of_the_leaderboard(observational: Table) -> None:
    ours, theirs = observational.to_wide(), load_table("open-llm-leaderboard").to_wide()
    both = ours.index.intersection(theirs.index)
    assert len(both) > 90
    for benchmark in V1:
        gap = (ours.loc[both, benchmark] - theirs.loc[both, benchmark]).abs()
        assert gap.median() < 1e-4, benchmark


def test_agents_and_the_closed_models_beside_them() -> None:
    table = load_table("observational-agents")
    closed = pd.read_csv(table_folder("observational-agents") / "closed.csv")
    assert set(closed["run"]) == set(table.excluded["run"])
    assert set(closed["benchmark"]) == set(table.benchmarks.index)
    assert closed["score"].between(0, 1).all()
    wide = closed.pivot(index="run", columns="benchmark", values="score")
    assert wide.loc["gpt-4-0613", "AgentBench"] == 0.401
    assert wide.loc["gpt-4-0314", ["AgentBoard", "AgentBoard progress"]].tolist() == [0.479, 0.7]
    assert wide.loc["claude-2.0", "GSM8K"] == 0.88
    scores = table.to_wide()
    assert scores.loc["llama-2-70b-chat", "AgentBench"] == 0.078
    assert scores["AgentBench"].count() + wide["AgentBench"].count() == 22
    assert scores["AgentBoard"].count() + wide["AgentBoard"].count() == 11


@pytest.mark.parametrize("name", RUN_TABLES)
def test_run_tables_are_those_of_their_cards(name: str) -> None:
    table, counts = load_table(name), load_card(name)["counts"]
    assert table.name == name
    assert (len(table.runs), table.n_rows) == (counts["runs"], counts["scores"])
    assert table.scores["benchmark"].value_counts().to_dict() == counts["by_benchmark"]
    groups = {group: table.runs[group].nunique() for group in table.groups}
    assert {g: n for g, n in groups.items() if g in counts["by_group"]} == counts["by_group"]
    assert table.runs[list(table.inputs)].notna().all().all()
    # A power law takes logs of its inputs; `training` is a flag.
    others = [name for name in table.inputs if name != "training"]
    assert (table.runs[others] > 0).all().all()
    units = table.benchmarks["unit"]
    nats = table.scores.loc[table.scores["benchmark"].map(units) == "nats/token", "score"]
    assert ((nats > 0.3) & (nats < 12)).all()


@pytest.fixture(scope="module")
def overtraining() -> Table:
    return load_table("overtraining")


def test_overtraining_multipliers(overtraining: Table) -> None:
    runs = overtraining.runs
    np.testing.assert_allclose(runs["multiplier"], runs["tokens"] / runs["params"], rtol=1e-12)
    np.testing.assert_allclose(runs["multiplier"], 20 * runs["token_multiplier"], rtol=1e-12)
    np.testing.assert_allclose(runs["flops"], 6 * runs["params"] * runs["tokens"], rtol=1e-12)
    default = runs[runs["default_run"] == "yes"]
    assert default.groupby("corpus").size().to_dict() == {"c4": 5, "redpajama": 5, "refinedweb": 5}
    assert sorted(default["multiplier"].unique()) == [20, 320]


def test_overtraining_mean_accuracies(overtraining: Table) -> None:
    wide = overtraining.to_wide()
    tasks = overtraining.benchmarks.index[overtraining.benchmarks["unit"] == "accuracy"]
    tasks = tasks.difference(["accuracy_17", "accuracy_46"])
    assert len(tasks) == 46
    np.testing.assert_allclose(wide["accuracy_46"], wide[tasks].mean(axis=1), atol=1e-7)
    assert (wide["accuracy_17"] != wide["accuracy_46"]).all()
    facts = overtraining.benchmarks
    assert facts.loc["accuracy_46", "chance"] == pytest.approx(facts.loc[tasks, "chance"].mean())
    assert facts.loc["piqa", ["chance", "items"]].tolist() == [0.5, 1838]
    # An accuracy is a number of right answers over that of questions.
    right = wide["piqa"] * facts.loc["piqa", "items"]
    np.testing.assert_allclose(right, right.round(), atol=1e-3)


@pytest.mark.parametrize(
    ("corpus", "floor", "eta"),
    [("c4", 1.51, 0.121), ("redpajama", 1.84, 0.136), ("refinedweb", 1.73, 0.127)],
)
def test_the_default_runs_give_the_published_law(
    overtraining: Table, corpus: str, floor: float, eta: float
) -> None:
    runs = overtraining.to_wide().query(f"default_run == 'yes' and corpus == '{corpus}'")

    def law(point: np.ndarray, e: float, a: float, b: float, eta: float) -> np.ndarray:
        flops, multiplier = point
        amplitude = np.exp(a) * multiplier**eta + np.exp(b) * multiplier**-eta
        return e + amplitude * flops**-eta

    point = runs[["flops", "multiplier"]].to_numpy().T
    found, _ = curve_fit(law, point, runs["loss"], p0=[1.6, 5, 5.5, 0.12], maxfev=10_000)
    assert found[0] == pytest.approx(floor, abs=0.006)
    assert found[3] == pytest.approx(eta, abs=0.0006)


def test_the_data_constrained_check() -> None:
    runs = load_table("data-constrained").to_wide()
    assert len(runs) == 182
    np.testing.assert_allclose(runs["epochs"], runs["tokens"] / runs["unique_tokens"])
    assert runs["epochs"].between(1, 9000).all()
    # The authors' constants without repetition; their own figure is 0.4451684.
    law = np.exp(0.6254804) + np.exp(6.255414) * runs["params"] ** -0.3526596
    law += np.exp(7.3049974) * runs["tokens"] ** -0.3526596
    rest = ((runs["loss"] - law) ** 2).sum() / ((runs["loss"] - runs["loss"].mean()) ** 2).sum()
    assert 1 - rest == pytest.approx(0.4451684, abs=1e-6)


def lower_hull_exponent(runs: pd.DataFrame, size: str) -> float:
    """Slope of log size against log compute along the lower convex hull of loss over compute."""
    x, y = np.log(runs["flops"].to_numpy()), np.log(runs["loss"].to_numpy())
    above = [x.max() + np.log(2), y.max() + np.log(2)]  # so that the hull is the lower one
    corners = ConvexHull(np.vstack([np.column_stack([x, y]), above])).vertices
    corners = np.array(sorted((c for c in corners if c < len(x)), key=lambda c: x[c]))
    falling = np.concatenate([[True], np.diff(y[corners]) < 0])
    kept = corners[falling]
    return float(np.polyfit(x[kept], np.log(runs[size].to_numpy())[kept], 1)[0])


@pytest.mark.parametrize(
    ("sets", "size", "exponent"),
    [
        (["hot"], "params", 0.499),
        (["hot", "hot-100b"], "params", 0.458),
        (["hot"], "params_nonemb", 0.627),
        (["cool-end"], "params", 0.597),
    ],
)
def test_gemstones_give_the_published_exponents(
    sets: list[str], size: str, exponent: float
) -> None:
    runs = load_table("gemstones").to_wide()
    assert len(runs.query("set == 'hot' and grid == 'coarse'")) == 220
    runs = runs[runs["set"].isin(sets)]
    assert lower_hull_exponent(runs, size) == pytest.approx(exponent, abs=0.0006)


def test_the_ladder_counts_right_answers() -> None:
    table = load_table("olmo-ladder")
    wide, facts = table.to_wide(), table.benchmarks
    tested = facts[facts["unit"] == "accuracy"]
    assert len(tested) == 20
    right = wide[tested.index] * tested["items"]
    np.testing.assert_allclose(right, right.round(), atol=2e-3)
    assert (wide["rerun"] == "yes").sum() == 5
    # Ten times the Chinchilla tokens are 200 a parameter.
    longest = wide[wide["chinchilla_multiple"] == 10]
    np.testing.assert_allclose(longest["tokens"] / longest["params"], 200, rtol=5e-4)


def test_fine_tuning_keeps_the_loss_without_examples_apart() -> None:
    runs = load_table("finetuning").to_wide()
    assert runs["examples"].min() == 200
    assert (runs.groupby(["task", "model"])["loss_zero_shot"].nunique() == 1).all()
    assert (runs["loss_zero_shot"] > runs["loss"]).mean() > 0.98


def test_schedules_are_series_that_runs_name() -> None:
    table = load_table("lr-schedules")
    assert set(table.runs["schedule"]) == set(table.series["series"])
    assert table.runs.groupby("schedule").size().max() <= 100
    for name, nodes in table.series.groupby("series"):
        steps = table.runs.loc[table.runs["schedule"] == name, "step"]
        assert nodes["step"].iloc[0] == 1080 < steps.min()
        assert nodes["step"].iloc[-1] == steps.max()
        assert steps.isin(nodes["step"]).all()
    ends = table.series.groupby("series")["value"].agg(["first", "last"])
    assert (ends.filter(like="constant", axis=0).nunique(axis=1) == 1).all()
    np.testing.assert_allclose(ends.filter(like="cosine", axis=0)["last"], 3e-5, rtol=0.01)


def test_a_sudden_drop_of_the_rate_comes_after_the_loss_logged_with_it() -> None:
    table = load_table("lr-schedules")
    nodes = table.series[table.series["series"] == "400M wsdcon_9"].set_index("step")["value"]
    assert (nodes[8000], nodes[8128]) == (3e-4, 9e-5)
    runs = table.to_wide()
    loss = runs[runs["schedule"] == "400M wsdcon_9"].set_index("step")["loss"]
    assert loss[8000] > 3.0 > loss[8256]


def test_optima_lie_among_the_points_they_were_read_off() -> None:
    optima, points = load_table("compute-optima").to_wide(), load_table("compute-optimal").to_wide()
    cell = ["experiment", "flops"]
    lowest = points.loc[points.groupby(cell)["loss"].idxmin()].set_index(cell)
    found = optima.set_index(cell)
    ratio = found["best_params"] / lowest.loc[found.index, "params"]
    assert ratio.between(1 / 1.6, 1.6).all()
    assert (found["loss"] / lowest.loc[found.index, "loss"]).between(0.98, 1.01).all()
    np.testing.assert_allclose(
        6 * optima["best_params"] * optima["best_tokens"], optima["flops"], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("experiment", "exponent"),
    [("refinedweb 0", 0.88), ("refinedweb 4", 0.50), ("openwebtext2 4", 0.50)],
)
def test_optima_have_the_published_exponents(experiment: str, exponent: float) -> None:
    runs = load_table("compute-optima").where(experiment=experiment).to_wide()
    slope = np.polyfit(np.log(runs["flops"]), np.log(runs["best_params"]), 1)[0]
    assert slope == pytest.approx(exponent, abs=0.03)


def test_routed_dense_runs_give_the_published_exponent() -> None:
    runs = load_table("routed").to_wide()
    dense = runs[runs["router"] == "Dense"]
    slope = np.polyfit(np.log(dense["params"]), np.log(dense["loss"]), 1)[0]
    assert slope == pytest.approx(-0.078, abs=0.002)
    assert (dense["experts"] == 1).all()
    assert (runs["params_total"] >= runs["params"]).all()


def test_vision_curves_keep_the_exam() -> None:
    runs = load_table("vision-curves").to_wide()
    assert len(runs) == 18_883
    assert runs["curve"].nunique() == 72
    assert set(runs["training"]) == {0, 1}
    last_fitted = runs[runs["training"] == 1].groupby("curve")["examples"].max()
    first_asked = runs[runs["training"] == 0].groupby("curve")["examples"].min()
    assert (last_fitted < first_asked).all()
