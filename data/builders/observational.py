"""Base models on standard benchmarks, emergent tasks and prompting methods: Ruan et al. 2024."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bayescale.tables.frames import ACCURACY
from bayescale.tables.table import Table
from builders.obsscaling import STANDARD, facts, read
from builders.open_llm_leaderboard import short

# Of BIG-bench: our name, chance, questions (each accuracy is a multiple of one over these), unit.
EMERGENT = {
    "parsinlu_qa_2_acc": ("Persian QA", 0.25, 1050, 1),
    "word_unscrambling_2_exact_match": ("Word unscrambling", 0, 2000, 1),
    "ipa_transliterate_2_exact_match": ("IPA transliteration", 0, 1003, 1),
    "ipa_transliterate_2_bleu": ("IPA transliteration BLEU", 0, None, 100),
    "arithmetic_3ds_2_acc": ("3-digit subtraction", 0, 2000, 1),
    "arithmetic_3da_2_acc": ("3-digit addition", 0, 2000, 1),
    "arithmetic_2dm_2_acc": ("2-digit multiplication", 0, 2000, 1),
    "arithmetic_2da_2_acc": ("2-digit addition", 0, 2000, 1),
}
# Prompting methods; the chance of BBH is the mean over its 27 tasks.
SAMPLED = "gsm8k_cot_self_consistency_8_exact_match"
PROMPTED = {
    "gsm8k_5_exact_match,flexible-extract": ("GSM8K naive", 0, 500),
    "gsm8k_cot_8_exact_match,flexible-extract": ("GSM8K CoT", 0, 500),
    f"{SAMPLED},maj@5-flexible-extract": ("GSM8K CoT + SC", 0, 500),
    "bbh_fewshot_overall_3_exact_match,flexible-extract": ("BBH naive", None, 6511),
    "bbh_cot_fewshot_overall_3_exact_match,flexible-extract": ("BBH CoT", None, 6511),
}
# Total and active parameters that the makers published; the file has now one, now the other.
MIXTURES = {
    "mixtral-8x7b-v0.1": (46.7e9, 12.9e9),
    "mixtral-8x22b-v0.1": (141e9, 39e9),
    "qwen2-57b-a14b": (57e9, 14e9),
    "deepseek-v2": (236e9, 21e9),
    "deepseek-coder-v2-base": (236e9, 21e9),
    "deepseek-moe-16b-base": (16.4e9, 2.8e9),
    "jamba-v0.1": (52e9, 12e9),
}
# Misprints: 627 trillion tokens; a model of 7 billion parameters called one of 13.
CORRECTED = {"btlm-3b-8k-base": ("tokens", 0.627e12), "open_llama_7b_v2": ("params", 7e9)}
# `PREREGISTERED_BASE_MODEL_MAP` of the source: released after the paper, predicted before.
PREREGISTERED = {
    "meta-llama-3.1-405b-fp8",
    "meta-llama-3.1-70b",
    "meta-llama-3.1-8b",
    "qwen1.5-110b",
    "qwen2-72b",
    "qwen2-57b-a14b",
    "qwen2-7b",
    "qwen2-1.5b",
    "qwen2-0.5b",
    "deepseek-v2",
    "deepseek-coder-v2-base",
    "gemma-2-27b",
    "gemma-2-9b",
    "gemma-2-2b",
    "mixtral-8x22b-v0.1",
    "mistral-nemo-base-2407",
    "yi-1.5-34b",
    "yi-1.5-9b",
    "yi-1.5-6b",
    "jamba-v0.1",
}


def build(raw: Path) -> Table:
    """Build the table of the base models."""
    frame = read(raw, "base_llm_benchmark_eval.csv")
    emergent = pd.read_csv(raw / "obsscaling/base_llm_emergent_capability_eval.csv")
    prompted = pd.read_csv(raw / "obsscaling/base_llm_post_training_eval.csv")
    frame["run"] = frame["run"].map(short)
    scores = frame[["run", *STANDARD]]
    for file, names in ((emergent, EMERGENT), (prompted, PROMPTED)):
        own = file[list(names)].rename(columns={column: told[0] for column, told in names.items()})
        scores = scores.merge(own.assign(run=file["Model"].map(short)), on="run", how="left")
    percent = [name for name, *_, unit in EMERGENT.values() if unit == 100]
    scores[percent] = scores[percent] / 100
    runs = frame[["run", "family", "params", "tokens"]].assign(
        params_convention="nominal",
        lineage=frame["family"],
        instruct=frame["run"].str.contains("raven"),
        preregistered=frame["run"].isin(PREREGISTERED).map({True: "yes", False: "no"}),
        moe=frame["run"].isin(MIXTURES),
        params_active=frame["run"].map({run: active for run, (_, active) in MIXTURES.items()}),
    )
    total = runs["run"].map({run: total for run, (total, _) in MIXTURES.items()})
    runs["params"] = total.fillna(runs["params"])
    for run, (column, value) in CORRECTED.items():
        runs.loc[runs["run"] == run, column] = value
    told = [(name, chance, items) for name, chance, items, _ in EMERGENT.values()]
    told += [
        (name, bbh_chance(prompted) if chance is None else chance, items)
        for name, chance, items in PROMPTED.values()
    ]
    new = pd.DataFrame(told, columns=["benchmark", "chance", "items"])
    new = new.assign(ceiling=1.0, resolution=0.0, unit=ACCURACY)
    known = pd.concat([facts(raw, STANDARD), new], ignore_index=True)
    return Table.from_wide(runs.merge(scores, on="run"), known, "observational")


def bbh_chance(prompted: pd.DataFrame) -> float:
    """Return the mean score of guessing over the tasks of BBH.

    Beside each task's score s the file has (s - c) / (1 - c), which tells the task's c.
    """
    ends = "_3_exact_match,flexible-extract"
    tasks = [
        column
        for column in prompted
        if column.startswith("bbh_fewshot_") and column.endswith(ends) and "overall" not in column
    ]
    assert len(tasks) == 27
    first = prompted.dropna(subset=tasks).iloc[0]
    normalised = first[[f"{task},norm" for task in tasks]].to_numpy(float)
    chance = (first[tasks].to_numpy(float) - normalised) / (1 - normalised)
    return round(float(chance.mean()), 6)
