"""The end points of the model ladder of Bhagia et al. 2024: losses and tasks of 30 runs."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table
from builders.facts import single, with_tests

SIZES = {
    "190M": 190_354_176,
    "370M": 371_262_464,
    "760M": 758_220_288,
    "1B": 1_279_395_840,
    # Not in the source; its width of 3,328 and 16 layers by the rule that the others follow.
    "3B": 16 * 16 * 3_328**2 + 100_352 * 3_328 + 65 * 3_328,
}
LOSS = re.compile(r"(?P<name>.+)-validation/CrossEntropyLoss")
BITS = re.compile(r"downstream_bpb/(?P<name>.+)_rc_5shot_bpb")
ACCURACY = re.compile(r"downstream/(?P<name>.+)_rc_5shot_(len_norm|acc)")
# Of the start of a task's name; four answers where it is not here.
CHANCE = {"boolq": 1 / 2, "piqa": 1 / 2, "winogrande": 1 / 2, "csqa": 1 / 5, "socialiqa": 1 / 3}
# Each accuracy of the source is a multiple of one over these.
ITEMS = {
    "mmlu_stem_val": 321,
    "mmlu_humanities_val": 518,
    "mmlu_social_sciences_val": 337,
    "mmlu_other_val": 355,
    "mmlu_stem_test": 3_018,
    "mmlu_humanities_test": 4_705,
    "mmlu_social_sciences_test": 3_077,
    "mmlu_other_test": 3_242,
    "hellaswag_val": 10_042,
    "arc_easy_val": 570,
    "arc_easy_test": 2_376,
    "arc_challenge_val": 299,
    "arc_challenge_test": 1_172,
    "boolq_val": 3_270,
    "csqa_val": 1_221,
    "openbookqa_val": 500,
    "openbookqa_test": 500,
    "piqa_val": 1_838,
    "socialiqa_val": 1_954,
    "winogrande_val": 1_267,
}


def build(raw: Path) -> Table:
    """Build the table of the last evaluation of each run."""
    source = pd.read_csv(raw / "olmo-ladder/ladder_final.csv")
    frame = pd.DataFrame(
        {
            "run": source["run"],
            "family": "olmo-ladder",
            "size": source["size"],
            "rerun": source["rerun"].map({True: "yes", False: "no"}),
            "params": source["size"].map(SIZES),
            "tokens": source["throughput/total_tokens"].round(),
            "flops": source["throughput/total_training_Gflops"] * 1e9,
            "chinchilla_multiple": source["xC"],
            "batch_tokens": source["batch_size_in_tokens"],
            "learning_rate": source["learning_rate_peak"],
        }
    )
    responses, units = {}, {}
    for column in source:
        if found := LOSS.fullmatch(column):
            name = "loss" if found["name"] == "c4_en" else f"loss_{found['name']}"
            units[name] = "nats/token"
        elif found := BITS.fullmatch(column):
            name = f"{found['name']}_bpb"
            units[name] = "bits/byte"
        elif found := ACCURACY.fullmatch(column):
            name = found["name"]
            units[name] = "accuracy"
        else:
            continue
        responses[name] = single(source[column])
    frame = pd.concat([frame, pd.DataFrame(responses)], axis="columns")
    table = Table.from_runs(frame, list(units), units=units, name="olmo-ladder")
    tasks = [name for name, unit in units.items() if unit == "accuracy"]
    chance = {name: CHANCE.get(name.split("_")[0], 1 / 4) for name in tasks}
    return with_tests(table, chance, ITEMS)
