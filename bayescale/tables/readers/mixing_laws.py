"""The mixtures of Ye et al. 2024: five training domains, four sizes, 22 validation domains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bayescale.tables.table import Table

DOMAINS = ("academic", "prose", "dialogue", "symbolic", "internet")
# Parameters outside the embeddings, of the Pythia models with these names.
PARAMS = {"70M": 18_915_328, "160M": 85_056_000, "305M": 201_541_632, "410M": 302_311_424}
TOKENS_A_STEP = 4_096 * 256
# How the paper of the Pile groups its parts (Gao et al. 2020, arXiv:2101.00027); the rest, code and
# mathematics, is the symbolic domain.
PARTS = {
    "academic": "ArXiv FreeLaw NIH_ExPorter PhilPapers PubMed_Abstracts PubMed_Central "
    "USPTO_Backgrounds",
    "prose": "BookCorpus2 Books3 PG19",
    "dialogue": "Enron_Emails EuroParl HackerNews OpenSubtitles Ubuntu_IRC YoutubeSubtitles",
    "symbolic": "DM_Mathematics Github",
    "internet": "OpenWebText2 Pile-CC StackExchange Wikipedia_en",
}
GROUPS = {part: group for group, names in PARTS.items() for part in names.split()}
HELD_OUT = 900  # mixtures of a higher number are the authors' test


def read(files: Sequence[Path]) -> Table:
    """Read the losses of all checkpoints, one row for each validation domain."""
    source = pd.concat([pd.read_csv(file) for file in files]).drop_duplicates()
    # Such as 70M_13-0.25-0.125-0.625-0-0: size, number of the mixture, proportions.
    parts = source["run"].str.split("-", expand=True)
    head = parts[0].str.split("_", expand=True)
    frame = pd.DataFrame(
        {
            "size": head[0],
            "mixture": "mix-" + head[1],
            "held_out": (head[1].astype("int64") > HELD_OUT).map({True: "yes", False: "no"}),
            "domain": source["valid_domain"],
            "params": head[0].map(PARAMS),
            "step": source["step"],
            "tokens": source["step"] * TOKENS_A_STEP,
            **{f"shares_{d}": parts[i].astype("float64") for i, d in enumerate(DOMAINS, start=1)},
            "loss": source["loss"],
        }
    ).reset_index(drop=True)
    frame.insert(4, "group", frame["domain"].map(GROUPS))
    share = sum(frame[f"shares_{d}"].where(frame["group"] == d, 0.0) for d in DOMAINS)
    frame["trained"] = (share > 0).map({True: "yes", False: "no"})
    frame["share"] = share
    return Table.from_runs(frame, "loss", units={"loss": "nats/token"}, name="mixing-laws")
