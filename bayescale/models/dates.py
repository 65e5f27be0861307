"""Release dates in years, which skills may drift along."""

from __future__ import annotations

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

    Raises
    ------
    ModelError
        No run has a date.
    """
    found: Floats = years_of(dates_of(table)) - model.reference[RELEASED]
    return found


def dates_of(table: Table) -> pd.Series:
    """Give the date of every run, by run.

    An undated run counts as released with its family, at the middle one of the family's dates;
    without one, at the middle one of all.

    Raises
    ------
    ModelError
        No run has a date.
    """
    dates, families = table.runs[RELEASED], table.runs["family"]
    known = dates[dates != ""]
    if known.empty:
        raise ModelError(
            f"drift along {RELEASED} needs dates, and no run of table {table.name} has one: fill "
            f'the column {RELEASED}, or fit without it (drift="none"; command line: --drift none)'
        )
    of_family = families.map(known.groupby(families).agg(_middle))
    return dates.where(dates != "", of_family).fillna(_middle(known))


def dated_runs(model: ModelRecord, table: Table) -> pd.DataFrame:
    """Give the runs of a fit's table, with the dates that the fit took them to have."""
    if RELEASED not in model.drift:
        return table.runs
    return table.runs.assign(**{RELEASED: dates_of(table)})


def usual_dates(table: Table, families: pd.Series) -> pd.Series:
    """Give the date of a query without one: the middle one of its family's, else the last."""
    dates = dates_of(table)
    return families.map(dates.groupby(table.runs["family"]).agg(_middle)).fillna(dates.max())


def _middle(dates: pd.Series) -> str:
    return str(dates.sort_values().iloc[(len(dates) - 1) // 2])  # the earlier of two
