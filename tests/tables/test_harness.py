"""lm-evaluation-harness results become rows with their standard errors."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bayescale.base.errors import TableError
from bayescale.tables.harness import TASKS, read_harness
from bayescale.tables.read import read_table
from bayescale.tables.table import Table

RECORD: dict[str, Any] = {
    "results": {
        "arc_challenge": {
            "alias": "arc_challenge",
            "acc,none": 0.30,
            "acc_stderr,none": 0.013,
            "acc_norm,none": 0.33,
            "acc_norm_stderr,none": 0.014,
        },
        "gsm8k": {
            "exact_match,strict-match": 0.05,
            "exact_match_stderr,strict-match": 0.006,
            "exact_match,flexible-extract": 0.06,
        },
        "mmlu": {"acc,none": 0.26, "acc_stderr,none": 0.0037},
        "mmlu_anatomy": {"acc,none": 0.3, "acc_stderr,none": 0.04},
        "leaderboard_ifeval": {
            "prompt_level_strict_acc,none": 0.2,
            "prompt_level_strict_acc_stderr,none": 0.017,
            "inst_level_strict_acc,none": 0.3,
            "inst_level_strict_acc_stderr,none": "N/A",
        },
        "leaderboard_musr": {" ,none": " ", "alias": " - leaderboard_musr"},
        "leaderboard_musr_murder_mysteries": {"acc_norm,none": 0.5, "acc_norm_stderr,none": 0.03},
        "leaderboard_musr_object_placements": {"acc_norm,none": 0.2, "acc_norm_stderr,none": 0.02},
        "leaderboard_musr_team_allocation": {"acc_norm,none": 0.3, "acc_norm_stderr,none": 0.03},
    },
    "group_subtasks": {
        "leaderboard_musr": [
            "leaderboard_musr_murder_mysteries",
            "leaderboard_musr_object_placements",
            "leaderboard_musr_team_allocation",
        ]
    },
    "n-samples": {
        "leaderboard_musr_murder_mysteries": {"original": 250, "effective": 250},
        "leaderboard_musr_object_placements": {"original": 256, "effective": 256},
        "leaderboard_musr_team_allocation": {"original": 250, "effective": 250},
    },
    "config": {"model": "hf", "model_args": "pretrained=me/mine-1b"},
    "model_name": "me/mine-1b",
}


def read(tmp_path: Path, record: Any) -> Table:
    path = tmp_path / "results_2024.json"
    path.write_text(json.dumps(record))
    return read_harness(path, family="mine", params=1e9, tokens=2e11)


def test_scores_and_errors(tmp_path: Path) -> None:
    table = read(tmp_path, RECORD)
    assert list(table.runs.index) == ["me/mine-1b"]
    assert table.runs["flops"].tolist() == [1.2e21]
    rows = table.scores.set_index("benchmark")
    assert rows.loc["ARC", ["score", "stderr"]].tolist() == [0.33, 0.014]
    assert rows.loc["GSM8K", ["score", "stderr"]].tolist() == [0.05, 0.006]
    assert rows.loc["MMLU", "score"] == 0.26
    assert rows.loc["IFEval", "score"] == 0.25
    assert set(rows.index) == {"ARC", "GSM8K", "MMLU", "IFEval", "MUSR"}


def test_a_group_without_a_score_is_the_mean_over_items(tmp_path: Path) -> None:
    row = read(tmp_path, RECORD).scores.set_index("benchmark").loc["MUSR"]
    assert row["score"] == pytest.approx((250 * 0.5 + 256 * 0.2 + 250 * 0.3) / 756)
    error = math.sqrt((250 * 0.03) ** 2 + (256 * 0.02) ** 2 + (250 * 0.03) ** 2) / 756
    assert row["stderr"] == pytest.approx(error)


def test_group_scores_may_stand_apart(tmp_path: Path) -> None:
    record = {"results": {"mmlu_anatomy": {"acc,none": 0.3}}, "groups": {"mmlu": {"acc,none": 0.4}}}
    table = read(tmp_path, record)
    assert table.scores["score"].tolist() == [0.4]
    assert table.scores["stderr"].isna().all()
    assert list(table.runs.index) == ["results_2024"]


def test_every_known_task_is_a_benchmark_of_the_leaderboards() -> None:
    from bayescale.tables.named import load_table

    names = set(load_table("open-llm-leaderboard").benchmarks.index)
    assert {task.benchmark for task in TASKS.values()} == names


def test_the_result_joins_a_bundled_table_through_a_file(tmp_path: Path) -> None:
    from bayescale.tables.named import load_table

    mine = read(tmp_path, RECORD)
    mine.to_wide().to_csv(tmp_path / "mine.csv")
    table = load_table("sloth-2024")
    joined = table.add(read_table(tmp_path / "mine.csv", benchmarks=table.benchmarks))
    assert joined.n_rows == table.n_rows + mine.n_rows
    assert joined.scores["stderr"].notna().sum() == mine.scores["stderr"].notna().sum()


def test_other_tasks_are_named(tmp_path: Path) -> None:
    record = {**RECORD, "results": {**RECORD["results"], "piqa": {"acc,none": 0.7}}}
    with pytest.warns(UserWarning, match=r'left out "piqa".*known are arc_challenge'):
        assert read(tmp_path, record).n_rows == 5


def test_a_lookalike_is_not_taken_for_a_part(tmp_path: Path) -> None:
    record = {**RECORD, "results": {**RECORD["results"], "mmlu_pro": {"exact_match,x": 0.1}}}
    with pytest.warns(UserWarning, match=r'left out "mmlu_pro"'):
        read(tmp_path, record)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"rows": []}, 'no "results"'),
        ([], 'no "results"'),
        ({"results": {}}, "no score of a known task"),
        ({"results": {"gsm8k": {"exact_match,flexible-extract": 0.1}}}, "exact_match,strict-match"),
    ],
)
def test_files_that_are_no_results(tmp_path: Path, record: Any, words: str) -> None:
    with pytest.raises(TableError, match=words):
        read(tmp_path, record)


def test_a_file_that_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("{")
    with pytest.raises(TableError, match=r"x\.json: cannot be read as JSON"):
        read_harness(path, family="mine", params=1e9)
