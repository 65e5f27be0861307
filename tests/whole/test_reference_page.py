"""The reference page lists every public name with its true signature, and no name that is gone."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

import pytest

import bayescale
from tests.kit.paths import ROOT

PAGE = ROOT / "docs" / "reference.md"
WIDTH = 100


def call(name: str, function: Any) -> str:
    """A signature as people read it: without types, broken where it is long."""
    signature = inspect.signature(function)
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    text = str(signature.replace(parameters=bare, return_annotation=signature.empty))
    if len(name + text) <= WIDTH:
        return name + text
    return f"{name}(\n    {text[1:-1]},\n)"


def members(value: Any) -> dict[str, Any]:
    """Public methods and properties of a class, by how they are written: `name` or `name(...)`."""
    if not inspect.isclass(value) or issubclass(value, Exception):
        return {}
    found = {}
    own = [
        pair
        for c in value.__mro__
        if c.__module__.startswith("bayescale")
        for pair in vars(c).items()
    ]
    for name, member in own:
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            found[name] = member
        elif callable(plain := getattr(member, "__func__", member)) and plain.__doc__:
            found[f"{name}(...)"] = plain
    return found


def sections() -> dict[str, str]:
    """Text of the page by the name in its heading."""
    parts = re.split(r"^### `(.+)`$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    names, texts = parts[1::2], parts[2::2]
    assert len(names) == len(set(names))
    return dict(zip(names, texts, strict=True))


def test_the_page_lists_the_public_names_and_no_other() -> None:
    listed = set(sections())
    assert set(bayescale.__all__) - listed == set(), "missing in docs/reference.md"
    assert listed - set(bayescale.__all__) == set(), "gone, but still in docs/reference.md"


@pytest.mark.parametrize("name", sorted(set(bayescale.__all__) - {"__version__"}))
def test_each_entry_is_true(name: str) -> None:
    value, text = getattr(bayescale, name), sections()[name]
    if inspect.isfunction(value):
        [code] = re.findall(r"```python\n(.+?)\n```", text, flags=re.DOTALL)
        double = str.maketrans("'", '"')  # the formatter's quotes, not repr's
        assert code.translate(double) == call(name, value).translate(double)
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert re.search(r"[A-Z].+\.\s", prose), "a sentence says what it is"
    assert re.findall(r"^- `(.+?)`:", text, flags=re.MULTILINE) == list(members(value))
    listed = re.findall(r"^Fields: ((?:`\w+`[,. \n]+)+)", text, flags=re.MULTILINE)
    fields = [f.name for f in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else []
    assert re.findall(r"`(\w+)`", "".join(listed)) == fields
