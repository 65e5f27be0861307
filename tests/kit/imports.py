"""What the modules of a package import of one another, read from their text without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Import:
    """One import of a module of the package by another; late if it waits for a function's call."""

    module: str
    imported: str
    line: int
    late: bool

    def __str__(self) -> str:
        return f"{self.module}, line {self.line}, imports {self.imported}"


def modules_of(folder: Path) -> dict[str, Path]:
    """Give the file of each module of the package in a folder, the package itself included."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        names = path.relative_to(folder.parent).with_suffix("").parts
        found[".".join(names[:-1] if names[-1] == "__init__" else names)] = path
    return found


def imports_of(folder: Path) -> list[Import]:
    """Read every import inside the package: nested, for types alone, and by `import_module`.

    `import_module` counts by what is written in its argument. A text with places to fill in names
    the folder that is searched, whenever that is done; a room that is searched by its name counts
    as no import.
    """
    modules = modules_of(folder)
    return [
        Import(module, imported, node.lineno, late and not _searches(node))
        for module, path in modules.items()
        for node, late in _walk(ast.parse(path.read_text(encoding="utf-8")))
        for imported in _imported(node, module, path, modules, folder.name)
        if imported != module
    ]


def _walk(node: ast.AST, late: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Give every node, and whether it is inside a function."""
    for child in ast.iter_child_nodes(node):
        inside = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield child, inside
        yield from _walk(child, inside)


def _imported(
    node: ast.AST, module: str, path: Path, modules: dict[str, Path], package: str
) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        source = node.module or ""
        if node.level:  # relative to the package that the file lies in
            here = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
            above = here[: len(here) - node.level + 1]
            source = ".".join([*above, *([node.module] if node.module else [])])
        whole = [f"{source}.{alias.name}" for alias in node.names]
        names = [name if name in modules else source for name in whole]
    elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
        names = _written(node)
    else:
        return
    yield from (name for name in names if name.split(".")[0] == package)


def _called(node: ast.Call) -> str:
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _searches(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.args[0], ast.JoinedStr)


def _written(node: ast.Call) -> list[str]:
    """Give the module, or the folder of modules, that a call of `import_module` names."""
    match node.args:
        case [ast.Constant(value=str(name)), *_]:
            pass
        case [ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]), *_]:
            name = text.rpartition(".")[0]
            if "." not in name:
                return []
        case _:
            return []
    return [] if name.count(".") == 1 else [name]
