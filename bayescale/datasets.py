"""Bundled tables: one folder of `data/` each, with a card that says where it comes from."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from bayescale.errors import RecordError
from bayescale.records import records_dir
from bayescale.table import Table
from bayescale.tablefiles import read_table
from bayescale.validation import suggest

CARD_KEYS = ("name", "claim", "licence", "author", "source", "units", "selection", "counts")


def list_tables() -> list[str]:
    """Return the names of the bundled tables, sorted."""
    return sorted(card.parent.name for card in records_dir("data").glob("*/card.toml"))


def load_card(name: str) -> dict[str, Any]:
    """Read the card of a bundled table: source, licence, units, selection rule, counts, traps.

    Parameters
    ----------
    name
        A name from `list_tables`.

    Returns
    -------
    dict

    Raises
    ------
    RecordError
        There is no such table, or its card is malformed.

    Examples
    --------
    >>> load_card("sloth-2024")["licence"]
    'MIT'
    """
    path = table_folder(name) / "card.toml"
    try:
        card = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise RecordError(f"{path}: not valid TOML: {error}") from error
    missing = [key for key in CARD_KEYS if key not in card]
    if missing:
        raise RecordError(f"{path}: the card lacks {', '.join(missing)}")
    return card


def load_table(name: str) -> Table:
    """Load a bundled table.

    Parameters
    ----------
    name
        A name from `list_tables`, such as "open-llm-leaderboard" or "sloth-2024".

    Returns
    -------
    Table

    Raises
    ------
    RecordError
        There is no such table.

    Examples
    --------
    >>> load_table("sloth-2024").n_rows > 1500
    True
    """
    return read_table(table_folder(name), name=name)


def table_folder(name: str) -> Path:
    """Return the folder of a bundled table; raise `RecordError` when there is none."""
    names = list_tables()
    if name not in names:
        raise RecordError(
            f'no bundled table "{name}"{suggest(name, names)}; there are {", ".join(names)}; '
            "a file of your own is read by read_table"
        )
    return records_dir("data") / name
