"""Named tables: one folder of `data/` each, with a card that says where the table comes from.

A table whose source has a licence that allows it is bundled; of the others only the card is, and
the files are downloaded once.
"""

from __future__ import annotations

import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

from bayescale.base.errors import RecordError
from bayescale.base.records import records_dir
from bayescale.base.words import suggest
from bayescale.tables.downloads import table_files
from bayescale.tables.read import read_table
from bayescale.tables.table import Table

CARD_KEYS = ("name", "claim", "licence", "author", "source", "units", "selection", "counts")


def list_tables() -> list[str]:
    """Return the names of all tables, bundled and downloadable, sorted."""
    return sorted(card.parent.name for card in records_dir("data").glob("*/card.toml"))


def load_card(name: str) -> dict[str, Any]:
    """Read the card of a table: source, licence, units, selection rule, counts, traps.

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


def is_bundled(card: dict[str, Any]) -> bool:
    """Whether a table comes with BayeScale; the others are downloaded."""
    return "download" not in card


def load_table(name: str) -> Table:
    """Load a table by name.

    A table that is not bundled is read from the folder that the environment variable
    BAYESCALE_MIRROR names, else downloaded once to the user's cache; its checksum is verified.

    Parameters
    ----------
    name
        A name from `list_tables`, such as "open-llm-leaderboard" or "chinchilla-replication".

    Returns
    -------
    Table

    Raises
    ------
    RecordError
        There is no such table, or its files cannot be had.

    Examples
    --------
    >>> load_table("sloth-2024").n_rows > 1500
    True
    """
    card = load_card(name)
    if is_bundled(card):
        return read_table(table_folder(name), name=name)
    reader = import_module(f"bayescale.tables.readers.{name.replace('-', '_')}")
    table: Table = reader.read(table_files(card))
    return table


def table_folder(name: str) -> Path:
    """Return the folder of a table's records; raise `RecordError` when there is none."""
    names = list_tables()
    if name not in names:
        raise RecordError(
            f'no table "{name}"{suggest(name, names)}; there are {", ".join(names)}; '
            "a file of your own is read by read_table"
        )
    return records_dir("data") / name
