"""The runs of Gadre et al. 2024: loss and downstream error far beyond the compute optimum."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table
from builders.facts import single, with_tests

CORPORA = {"c4_original": "c4", "rpj": "redpajama", "rw_original": "refinedweb"}
SIZES = {
    "d=96_l=8_h=4": "11M",
    "d=512_l=8_h=4": "79M",
    "d=576_l=24_h=8": "154M",
    "d=1024_l=24_h=8": "411M",
    "open_lm_1b": "1.4B",
    "open_lm_7b": "6.9B",
}
SMALLEST, FOUR_SIZES = "11M", ["11M", "79M", "154M", "411M"]
# The subset of tasks on which the paper's largest runs are clear of chance.
SUBSET = [
    "bigbench_operators",
    "pubmed_qa_labeled",
    "hellaswag_zeroshot",
    "boolq",
    "arc_easy",
    "coqa",
    "bigbench_dyck_languages",
    "lambada_openai",
    "bigbench_novel_concepts",
    "winograd",
    "bigbench_cs_algorithms",
    "commonsense_qa",
    "bigbench_qa_wikidata",
    "hellaswag",
    "copa",
    "squad",
    "piqa",
]


def build(raw: Path) -> Table:
    """Build the table of 104 runs."""
    source = pd.read_csv(raw / "gadre-overtraining/runs_104.csv")
    tests = pd.read_csv(raw / "gadre-overtraining/eval_metadata.csv").set_index("Eval Task")
    multiplier, size = source["token_multiplier"], source["arch"].map(SIZES)
    default = size.isin(FOUR_SIZES) & (multiplier == 1) | (size == SMALLEST) & (multiplier == 16)
    corpus = source["train_dataset"].map(CORPORA)
    frame = pd.DataFrame(
        {
            "run": corpus + " " + size + " " + multiplier.map("{:g}".format),
            "family": corpus,
            "corpus": corpus,
            "arch": source["arch"],
            "size": size,
            "length": "x" + multiplier.map("{:g}".format),
            "default_run": default.map({True: "yes", False: "no"}),
            "params": source["N"],
            "params_nonemb": source["N_no_embed"],
            "tokens": source["D"],
            "flops": source["C_6ND"].astype("float64"),
            "multiplier": source["D"] / source["N"],
            "token_multiplier": multiplier,
            "loss": source["loss_c4_val"],
        }
    )
    losses = [name for name in source if name.startswith("loss_") and name != "loss_c4_val"]
    frame = frame.join(source[losses])
    tasks = source.filter(regex="^acc_").rename(columns=lambda name: name.removeprefix("acc_"))
    means = {"accuracy_17": SUBSET, "accuracy_46": list(tasks)}
    averages = {name: tasks[of].mean(axis="columns") for name, of in means.items()}
    frame = frame.assign(**averages).join(tasks.apply(single))
    units = dict.fromkeys(["loss", *losses], "nats/token")
    units |= dict.fromkeys([*means, *tasks], "accuracy")
    table = Table.from_runs(frame, list(units), units=units, name="overtraining")
    known = tests.loc[list(tasks)]
    chance = known["Random baseline"] / 100
    of_means = pd.Series({name: chance[of].mean() for name, of in means.items()})
    return with_tests(table, pd.concat([of_means, chance]), known["#datapoints"])
