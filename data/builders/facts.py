"""What the builders of run tables share: facts of the test sets, and numbers as short as exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from bayescale.tables.table import Table


def with_tests(table: Table, chance: Mapping[str, float], items: Mapping[str, float]) -> Table:
    """Add chance levels and test-set sizes to the accuracies of a table."""
    facts = table.benchmarks.copy()
    for column, known in (("chance", chance), ("items", items)):
        known = pd.Series(known, dtype="float64")
        facts[column] = known.reindex(facts.index).fillna(facts[column])
    return replace(table, benchmarks=facts)


def single(values: pd.Series) -> pd.Series:
    """Write 0.2 for 0.20000000298, where the source turned 32-bit numbers into 64-bit ones.

    Both round to the same 32-bit number, which is all that was measured.
    """
    return values.astype("float32").map(lambda value: float(str(np.float32(value))))
