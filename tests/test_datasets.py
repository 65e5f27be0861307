"""The bundled tables hold what their cards say, and avoid the traps that the cards name."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bayescale.datasets import list_tables, load_card, load_table, table_folder
from bayescale.errors import RecordError
from bayescale.records import records_dir

NAMES = ["open-llm-leaderboard", "sloth-2024"]
V1 = ["MMLU", "ARC", "HellaSwag", "Winogrande", "TruthfulQA", "GSM8K"]
V2 = ["IFEval", "BBH", "MATH Lvl 5", "GPQA", "MUSR", "MMLU-PRO"]


def test_the_list() -> None:
    assert list_tables() == NAMES


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(RecordError, match=r'no bundled table "sloth".*open-llm-leaderboard'):
        load_table("sloth")


@pytest.mark.parametrize("name", NAMES)
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
    assert counts["excluded"] == len(table.excluded) == sum(e["count"] for e in card["exclusion"])
    assert list(table.benchmarks.index) == V1 + V2
    assert table.doubts() == []
    assert set(table.runs.index).isdisjoint(table.excluded["run"])


@pytest.mark.parametrize("name", NAMES)
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
