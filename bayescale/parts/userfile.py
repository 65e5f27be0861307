"""A Python file of the user's, imported under a private name that depends on its text."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from bayescale.base.errors import ModelError

TEXT = "__bayescale_text__"  # name under which the module holds its text


class _Loader(importlib.machinery.SourceFileLoader):
    """Reads the text itself, and leaves no compiled file beside a user's."""

    def path_stats(self, path: Any) -> Mapping[str, Any]:
        # A file edited twice within a second would be taken from the cache of compiled files.
        raise OSError(f"the compiled form of {path} is not used")


def import_file(path: Path) -> ModuleType:
    """Import a file, and keep its text in the module; an edited file is a new module.

    Raises
    ------
    ModelError
        The file cannot be imported; the error's kind, text and line are told.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{path} is no Python file: it is not text in UTF-8 ({error})") from None
    key = hashlib.sha256(f"{path}\n{text}".encode()).hexdigest()
    name = f"_bayescale_law_{key[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path, loader=_Loader(name, str(path)))
    if spec is None or spec.loader is None:
        raise ModelError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    setattr(module, TEXT, text)
    sys.modules[name] = module  # before it runs, as dataclasses look it up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f" in line {f.lineno}" for f in frames if f.filename == str(path)]
        raise ModelError(
            f"{path} cannot be imported: {type(error).__name__}{''.join(lines[-1:])}: {error}"
        ) from error
    return module
