"""The package is laid out in rooms, and a room imports only what lies below it.

All imports count: those inside functions, those for types alone, and `import bayescale`, the face
of the package, which only the command line stands above.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import bayescale
from tests.kit.imports import Import, imports_of, modules_of
from tests.kit.paths import ROOT

PACKAGE = Path(bayescale.__file__).parent
ROOMS = (
    *("base", "tables", "parts", "laws", "links", "noises", "models", "inference", "predict"),
    *("ask", "backtesting", "comparison", "fits", "plots", "cli"),
)
FILES = ("fits",)  # the room that is one file
# What a law of a user's imports; `coefficients` and `inputs` are the old names, for one version.
DOORS = ("own", "coefficients", "inputs")
ORDER = (*ROOMS[:-1], "bayescale", "cli", "__main__")
# `law` in its old place warns, so that it must not be imported before it is asked for.
LATE = ("bayescale.parts",)


def room(module: str) -> str:
    return [*module.split("."), ""][1] or module


def upwards(found: Iterable[Import]) -> list[str]:
    """Imports of a room above, of a door by a room, and of anything but parts by a door."""
    return [
        f"{one}: {room(one.module)} may import {', '.join(below(room(one.module)))}"
        for one in found
        if not allowed(room(one.module), room(one.imported))
    ]


def below(importer: str) -> tuple[str, ...]:
    """What a room may import: itself and the rooms under it."""
    if importer in DOORS:
        return ("parts",)
    return ORDER[: ORDER.index(importer) + 1] if importer in ORDER else ()


def allowed(importer: str, imported: str) -> bool:
    return imported in below(importer)


def circle(found: Iterable[Import]) -> list[str]:
    """Modules that import one another in turn; empty if there are none."""
    graph: dict[str, set[str]] = {}
    for one in found:
        graph.setdefault(one.module, set()).add(one.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def late(found: Iterable[Import]) -> list[str]:
    """Imports inside functions; commands may, so that help is fast."""
    return [
        str(one)
        for one in found
        if one.late and room(one.module) != "cli" and one.module not in LATE
    ]


def loose(folder: Path) -> list[str]:
    """Modules that lie outside the rooms."""
    kept = {"__init__", "__main__", *FILES, *DOORS}
    return sorted(path.stem for path in folder.glob("*.py") if path.stem not in kept)


def full_inits(folder: Path) -> list[str]:
    """Packages below the top whose `__init__.py` has anything in it; `parts` has its old `law`."""
    full = [path.parent for path in folder.rglob("*/__init__.py") if path.read_text().strip()]
    names = [path.relative_to(folder).as_posix() for path in full]
    return sorted(name for name in names if name not in (".", "parts"))


IMPORTS = imports_of(PACKAGE)


def test_no_room_imports_one_above_it() -> None:
    assert upwards(IMPORTS) == []


def test_no_modules_import_one_another_in_a_circle() -> None:
    assert circle(IMPORTS) == []


def test_only_commands_import_inside_functions() -> None:
    assert late(IMPORTS) == []


def test_every_module_is_in_a_room() -> None:
    assert loose(PACKAGE) == []


def test_a_room_is_its_files_and_its_init_is_empty() -> None:
    assert full_inits(PACKAGE) == []


def test_the_table_of_rooms_is_that_of_the_folders() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("| room | holds |\n| --- | --- |\n")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()]
    told = [name for cell in cells for name in re.findall(r"`(\w+)(?:/|\.py)`", cell)]
    assert told == list(ROOMS)
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(ROOMS) - set(FILES)


def test_contributors_are_told_which_files_a_new_thing_needs() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = page.partition("| adding a | files |\n| --- | --- |\n")[2].partition("\n\n")[0]
    rows = dict(line.strip("| ").split(" | ") for line in table.splitlines())
    things = ("law", "link", "noise", "group effect", "table", "question", "plot")
    assert set(things) <= set(rows)
    named = re.findall(r"`([\w.]+/[\w./]*)`", table)
    assert [name for name in named if not (ROOT / name).exists()] == []


# --- The checks find what is planted


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A package in order: three rooms and the face."""
    folder = tmp_path / "bayescale"
    texts = {
        "__init__.py": "from bayescale.base.errors import Wrong",
        "base/__init__.py": "",
        "base/errors.py": "class Wrong(Exception): ...",
        "tables/__init__.py": "",
        "tables/table.py": "from bayescale.base.errors import Wrong\n"
        "from bayescale.tables import read",
        "tables/read.py": "import json\nimport bayescale.base.errors",
        "parts/__init__.py": "def __getattr__(name):\n    from bayescale.parts import declare",
        "parts/declare.py": "from importlib import import_module\n"
        "def find(name):\n"
        '    return import_module("bayescale.laws"), import_module(f"bayescale.{name}")',
        "own.py": "from bayescale.parts.declare import find",
        "cli/__init__.py": "",
        "cli/app.py": "def run():\n    import bayescale\n    from bayescale.tables import table",
        "__main__.py": "from bayescale.cli.app import run",
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text + "\n" if text else "")
    return folder


def plant(toy: Path, name: str, text: str) -> list[Import]:
    with (toy / name).open("a") as file:
        file.write(text + "\n")
    return imports_of(toy)


def test_a_package_in_order_passes(toy: Path) -> None:
    found = imports_of(toy)
    assert len(modules_of(toy)) == 12
    assert {one.imported for one in found if one.module == "bayescale.tables.table"} == {
        "bayescale.base.errors",
        "bayescale.tables.read",
    }
    assert [upwards(found), circle(found), late(found), loose(toy), full_inits(toy)] == [[]] * 5


@pytest.mark.parametrize(
    "text",
    [
        "from bayescale.tables.table import Table",
        "from bayescale.tables import table",
        "import bayescale.tables.table as other",
        "import bayescale",
        "from bayescale import fit",
        "from ..tables import table",
        "if TYPE_CHECKING:\n    from bayescale.tables.table import Table",
        "def ask():\n    from bayescale.tables.table import Table",
        "class Error:\n    def ask(self):\n        if self:\n            import bayescale.tables",
        'importlib.import_module("bayescale.tables.table")',
        'import_module(f"bayescale.plots.ask.{name}")',
        "from bayescale.own import law",
        "from bayescale.attic import old",
    ],
)
def test_an_import_upwards_is_found(text: str, toy: Path) -> None:
    [found] = upwards(plant(toy, "base/errors.py", text))
    assert found.startswith("bayescale.base.errors, line ")


def test_a_door_opens_to_parts_alone(toy: Path) -> None:
    assert len(upwards(plant(toy, "own.py", "from bayescale.base.errors import Wrong"))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "from bayescale.tables.table import Table",
        "from bayescale.tables import table",
        "if TYPE_CHECKING:\n    from bayescale.tables.table import Table",
        "def read():\n    from . import table",
    ],
)
def test_a_circle_inside_a_room_is_found(text: str, toy: Path) -> None:
    found = plant(toy, "tables/read.py", text)
    assert upwards(found) == []
    assert set(circle(found)) == {"bayescale.tables.table", "bayescale.tables.read"}


@pytest.mark.parametrize(
    "text",
    [
        "def ask():\n    from bayescale.base.errors import Wrong",
        "async def ask():\n    import bayescale.base.errors",
        'def ask():\n    return import_module("bayescale.base.errors")',
        'ask = lambda: importlib.import_module("bayescale.base.errors")',
    ],
)
def test_an_import_inside_a_function_is_found(text: str, toy: Path) -> None:
    [found] = late(plant(toy, "tables/table.py", text))
    assert found.endswith("imports bayescale.base.errors")


def test_modules_and_code_out_of_place_are_found(toy: Path) -> None:
    (toy / "questions.py").write_text("")
    plant(toy, "tables/__init__.py", '"""Only a docstring."""')
    assert loose(toy) == ["questions"]
    assert full_inits(toy) == ["tables"]
