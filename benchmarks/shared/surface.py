"""Write `tests/reference/surface.json`: what a user saw of BayeScale before it was reorganised.

    python -m benchmarks.shared.surface

That is the public names with their signatures, the commands with their options, and the keys of
what commands print as JSON. The file stands for that version; writing it anew is only for a change
that is meant, and `ALLOWED` of `tests/whole/test_surface.py` is where to try one first.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import inspect
import json
import pkgutil
import re
import shutil
import sys
import tempfile
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

import bayescale

REFERENCE = Path(__file__).resolve().parents[2] / "tests" / "reference"
SURFACE = REFERENCE / "surface.json"

# What a law of the user's own imports, as docs/architecture.md tells.
OF_OWN_LAWS = ("bayescale.coefficients.positive", "bayescale.inputs.Flops", "bayescale.parts.law")
PLOTS = "bayescale.plots"  # each picture has a twin there that returns what it draws
ADDRESS = re.compile(r" at 0x[0-9a-f]+")

# Files that commands read, beside the stored fits.
FILES = {
    "small.csv": "run,family,params,tokens,benchmark,score\n"
    "mine-1b,mine,1e9,1e12,MMLU,0.3\n"
    "mine-1b,mine,1e9,1e12,HellaSwag,0.6\n",
    "exam.csv": "run,benchmark,score\n"
    "llama-2-7b,exam,0.3\n"
    "llama-2-13b,exam,0.4\n"
    "llama-2-70b,exam,0.6\n",
    "candidates.csv": "params,tokens\n1e9,2e10\n3e9,6e10\n",
}
FITS = {"skills": "skills", "chinchilla": "chinchilla", "over": "overtraining"}
TWIN = "twin"  # the same fit under another name: two that saw the same table
STACKED = f"stack chinchilla.nc {TWIN}.nc --out stack.json --quiet --json"
FAMILIES = "--a family=qwen2 --b family=pythia --benchmark MMLU --tokens-per-param 300"
CORPORA = "--a corpus=c4 --b corpus=redpajama --tokens-per-param 20"

# Commands of a few seconds at most, together under half a minute where nothing is compiled yet.
QUICK = (
    "models --json",
    "laws --json",
    "laws chinchilla --json",
    "priors skills --json",
    "priors chinchilla --json",
    "data list --json",
    "data card overtraining --json",
    "data card open-llm-leaderboard --json",
    "data show overtraining --json",
    "data show sloth-2024 --json",
    "doctor --json",
    "summary chinchilla.nc --json",
    "summary chinchilla.nc --all --json",
    "summary skills.nc --json",
    "coefficients chinchilla.nc --json",
    "coefficients chinchilla.nc --units paper --json",
    "coefficients over.nc --by corpus --json",
    "coefficients skills.nc --json",
    "predict chinchilla.nc --params 1.4B --tokens 1T --json",
    "predict chinchilla.nc --rows candidates.csv --json",
    "ask required chinchilla.nc 2.6 --want tokens --params 1.4B --json",
    "ask exceed chinchilla.nc --beat 2.5 --params 7B --tokens 140B --json",
    "ask elasticity chinchilla.nc --params 7B --tokens 140B --json",
    "ask contributions chinchilla.nc --params 70B --tokens 1.4T --json",
    "ask checklist chinchilla.nc --json",
    "ask checklist skills.nc --json",
    "compare chinchilla.nc --json",
)
SLOW = (
    "priors overtraining --draws 2 --json",
    "predict over.nc --params 7B --tokens 140B --at corpus=redpajama --kind mean --json",
    "predict skills.nc --family qwen2 --params 72B --tokens 7T --json",
    "predict skills.nc --run llama-2-70b --json",
    "predict stack.json --params 7B --tokens 2T --json",
    "ask required chinchilla.nc 2.6 --optimal --json",
    "ask required skills.nc 0.8 --want params --benchmark MMLU --family qwen2 --tokens 15T --json",
    (
        "ask exceed skills.nc --beat 0.5 --beat llama-2-7b --benchmark MMLU --family qwen2 "
        "--params 7B --tokens 7T --json"
    ),
    "ask allocate chinchilla.nc 1e23 --rival tokens_per_param=59 --json",
    "ask allocate chinchilla.nc 1e23 --served 1T --json",
    f"ask crossing skills.nc {FAMILIES} --within 1e20..1e26 --json",
    f"ask crossing over.nc {CORPORA} --json",
    f"ask gain skills.nc 1e22 {FAMILIES} --json",
    f"ask gain over.nc 1e21 {CORPORA} --json",
    "ask elasticity skills.nc --family qwen2 --params 7B --tokens 7T --json",
    "ask contributions skills.nc --benchmark MMLU --family mine --params 70B --json",
    "ask update skills.nc small.csv --refit never --quiet --json",
    "ask place skills.nc exam.csv --chance 0.25 --items 400 --quiet --json",
    "ask next-run chinchilla.nc candidates.csv --for predict --params 100B --tokens 10T --json",
    (
        "ask next-run chinchilla.nc candidates.csv --for required --target 2.6 "
        "--tokens-per-param 20 --json"
    ),
    "ask next-run chinchilla.nc candidates.csv --for allocate --flops 1e25 --batch 2 --json",
    f"compare chinchilla.nc {TWIN}.nc --json",
    "compare chinchilla.nc --by run --json",
    STACKED,
    # The one command whose --json names a file; "-" prints.
    (
        "backtest chinchilla --table overtraining --benchmark loss --by size --draws 40 --chains 1 "
        "--workers 1 --quiet --json -"
    ),
)
BEFORE = {"predict stack.json --params 7B --tokens 2T --json": STACKED}


class _Shown:
    """Stands for a default in a signature: a text without the address that a repr may have."""

    def __init__(self, value: object) -> None:
        self.text = f"<{value.__name__}>" if inspect.isroutine(value) else repr(value)

    def __repr__(self) -> str:
        return ADDRESS.sub("", self.text)


def signature(function: Any) -> str:
    """Write names, kinds and defaults of parameters; annotations may be put in other words."""
    found = inspect.signature(function)
    parameters = [
        p.replace(
            annotation=p.empty, default=p.default if p.default is p.empty else _Shown(p.default)
        )
        for p in found.parameters.values()
    ]
    return str(found.replace(parameters=parameters, return_annotation=found.empty))


def public_names() -> dict[str, Any]:
    """Describe every name of `bayescale.__all__`, and what else the documents name."""
    found = {f"bayescale.{name}": _name(getattr(bayescale, name)) for name in bayescale.__all__}
    return found | {path: _name(value) for path, value in (_of_plots() | _of_own_laws()).items()}


def _of_plots() -> dict[str, Any]:
    """Find each picture and its twin in the picture's own file."""
    package = importlib.import_module(PLOTS)
    found = {}
    for module in pkgutil.iter_modules(package.__path__):
        home = importlib.import_module(f"{PLOTS}.{module.name}")
        for name, value in vars(home).items():
            if name.startswith("plot_") and inspect.getmodule(value) is home:
                found[f"{PLOTS}.{name}"] = value
    return found


def _of_own_laws() -> dict[str, Any]:
    split = {path: path.rpartition(".") for path in OF_OWN_LAWS}
    return {
        path: getattr(importlib.import_module(module), name)
        for path, (module, _, name) in split.items()
    }


def _name(value: Any) -> dict[str, Any]:
    if isinstance(value, type):
        return _class(value)
    if callable(value):
        return {"kind": "function", "signature": signature(value)}
    return {"kind": type(value).__name__}


def _class(cls: type) -> dict[str, Any]:
    ours = [base for base in cls.__mro__ if base.__module__ != "builtins"]
    members: dict[str, Any] = {}
    for base in reversed(ours):  # the class itself comes last, and so its own members stay
        public = {name: value for name, value in vars(base).items() if not name.startswith("_")}
        members |= {name: told for name, value in public.items() if (told := _member(value))}
    found: dict[str, Any] = {"kind": "class", "members": members}
    # What `except` and `isinstance` of a user may go by.
    found["is a"] = [b.__name__ for b in cls.__mro__ if b not in ours and b is not object]
    if dataclasses.is_dataclass(cls):
        found["signature"] = signature(cls)
        found["fields"] = {
            field.name: _default(field)
            for field in dataclasses.fields(cls)
            if not field.name.startswith("_")
        }
        for name in found["fields"]:
            members.pop(name, None)  # a plain default is an attribute of the class too
    return found


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return "made for each"
    if field.default is dataclasses.MISSING:
        return "required"
    return f"default {_Shown(field.default)!r}"


def _member(value: object) -> str | None:
    if isinstance(value, property | functools.cached_property):
        return "property"  # of either sort: a reader of the value cannot tell
    if isinstance(value, classmethod | staticmethod):
        return f"{type(value).__name__} {signature(value.__func__)}"
    return f"method {signature(value)}" if inspect.isfunction(value) else None


def commands() -> dict[str, Any]:
    """Describe every command of the command line, and the groups that they are in."""
    from bayescale.cli.app import app

    return dict(_commands(typer.main.get_command(app), "bayescale"))


def _commands(command: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    hints = _hints(command)
    told = {_shown_name(p): _parameter(p, hints.get(p.name)) for p in command.params}
    arguments = [_shown_name(p) for p in command.params if p.param_type_name == "argument"]
    yield path, {"arguments in order": arguments, "parameters": told}
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, f"{path} {name}")


def _shown_name(param: Any) -> str:
    """Give what a user types or reads; the name in Python is nobody's concern."""
    if param.param_type_name == "argument":
        return str(param.metavar or param.name.upper())
    return str(param.opts[0])


def _hints(command: Any) -> dict[str, Any]:
    if command.callback is None:
        return {}
    return typing.get_type_hints(inspect.unwrap(command.callback), include_extras=True)


def _parameter(param: Any, hint: Any) -> dict[str, Any]:
    found = {
        "opts": [] if param.param_type_name == "argument" else [*param.opts, *param.secondary_opts],
        "required": param.required,
        "multiple": param.multiple,
        "nargs": param.nargs,
        "is flag": bool(getattr(param, "is_flag", False)),
        "default": _plain(param.default),
        "metavar": param.metavar,
        "hidden": bool(getattr(param, "hidden", False)),
    }
    # From the annotation, since the classes that hold these have changed between typers.
    info = {
        key: value for part in _parts(hint) for key, value in getattr(part, "__dict__", {}).items()
    }
    limits = {key: info[key] for key in ("min", "max") if info.get(key) is not None}
    choices = [
        member.value
        for part in _parts(hint)
        if isinstance(part, type) and issubclass(part, Enum)
        for member in part
    ]
    return found | limits | ({"choices": choices} if choices else {})


def _parts(hint: Any) -> Iterator[Any]:
    """Give a type, those within it, and what `Annotated` says of it."""
    yield from getattr(hint, "__metadata__", ())
    inner = typing.get_args(hint)
    yield from (part for each in inner for part in _parts(each))
    if not inner:
        yield hint


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Path):
        return value.as_posix()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return repr(_Shown(value))


@contextlib.contextmanager
def folder() -> Iterator[None]:
    """Work in a folder with the stored fits and the files that commands read."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        for ours, stored in FITS.items():
            shutil.copy(REFERENCE / f"fit-{stored}.nc", f"{ours}.nc")
        shutil.copy("chinchilla.nc", f"{TWIN}.nc")
        for file, text in FILES.items():
            Path(file).write_text(text, encoding="utf-8")
        yield


def json_keys(command: str) -> list[str]:
    """Run a command, and list the keys of what it prints."""
    with folder():
        if command in BEFORE:
            _printed(BEFORE[command])
        return sorted(set(_keys(json.loads(_printed(command)), "")))


def _printed(command: str) -> str:
    from bayescale.cli.app import app

    result = CliRunner().invoke(app, command.split())
    if result.exit_code:
        raise RuntimeError(f"bayescale {command}: {result.output}") from result.exception
    return result.stdout


def _keys(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _keys(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        yield f"{path}[]"
        for inner in value:
            yield from _keys(inner, f"{path}[]")
    elif path:
        yield path


def stored() -> dict[str, Any]:
    """Read what was written."""
    found: dict[str, Any] = json.loads(SURFACE.read_text(encoding="utf-8"))
    return found


def differences(before: Any, now: Any, where: str) -> dict[str, str]:
    """Tell what differs: place to what was and what is."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        found: dict[str, str] = {}
        for key in sorted({*before, *now}):
            place = f"{where} > {key}"
            if key not in now:
                found[place] = "is gone"
            elif key not in before:
                found[place] = "is new"
            else:
                found |= differences(before[key], now[key], place)
        return found
    return {} if before == now else {where: f"was {before!r}, is {now!r}"}


def write() -> None:
    """Write all of it."""
    keys = {}
    for command in (*QUICK, *SLOW):
        keys[command] = json_keys(command)
        print(len(keys[command]), "keys:", command, file=sys.stderr, flush=True)
    surface = {"names": public_names(), "commands": commands(), "json": keys}
    text = json.dumps(surface, indent=1, sort_keys=True, ensure_ascii=False)
    SURFACE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
