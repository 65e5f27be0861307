"""Release dates in years, which skills may drift along."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescale.base.errors import ModelError
from bayescale.base.intervals import Floats
from bayescale.models.record import ModelRecord
from bayescale.parts.drift import RELEASED
from bayescale.tables.table import Table

YEAR = 365.25  # days


def years_of(dates: pd.Series) -> Floats:
    """Turn ISO dates into years with their fraction, such as 2024.5; NaN for an empty one."""
    read = pd.to_datetime(dates.where(dates != ""), format="%Y-%m-%d")
    found: Floats = (read.dt.year + (read.dt.day_of_year - 1) / YEAR).to_numpy(float)
    return found


def years_from_reference(model: ModelRecord, table: Table) -> Floats:
    """Give how many years after the reference run each run was released, shape (run,).

    An undated run counts as released with its family, at the middle of the family's dates; without
    one, at the middle of all.

    Raises
    ------
    ModelError
        No run has a date.
    """
    years = pd.Series(years_of(table.runs[RELEASED]), table.runs.index)
    if years.isna().all():
        raise ModelError(
            f"drift along {RELEASED} needs dates, and no run of table {table.name} has one: fill "
            f'the column {RELEASED}, or fit without it (drift="none"; command line: --drift none)'
        )
    of_family = years.groupby(table.runs["family"]).transform("median")
    whole = years.fillna(of_family).fillna(years.median())
    found: Floats = whole.to_numpy(float) - model.reference[RELEASED]
    return np.asarray(found)
