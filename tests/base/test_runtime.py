"""The compilation cache: set in time, never against the user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bayescale.base.runtime import cache_folder

OURS = ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS")


def in_new_process(code: str, **env: str) -> list[object]:
    inherited = {name: value for name, value in os.environ.items() if name not in OURS}
    done = subprocess.run(
        [sys.executable, "-c", f"import json, os\nfrom bayescale.base import runtime\n{code}"],
        capture_output=True,
        text=True,
        check=True,
        env={**inherited, **env},
    )
    result: list[object] = json.loads(done.stdout)
    return result


def test_jax_keeps_compiled_programs_in_our_folder(tmp_path: Path) -> None:
    code = """
runtime.keep_compiled()
import jax
print(json.dumps([jax.config.jax_compilation_cache_dir]))
"""
    assert in_new_process(code, BAYESCALE_CACHE=str(tmp_path)) == [str(tmp_path)]


def test_a_user_s_own_jax_cache_is_kept() -> None:
    code = "runtime.keep_compiled()\nprint(json.dumps([os.environ['JAX_COMPILATION_CACHE_DIR']]))"
    assert in_new_process(code, JAX_COMPILATION_CACHE_DIR="/own") == ["/own"]


def test_no_cache_when_it_is_off() -> None:
    code = "runtime.keep_compiled()\nprint(json.dumps([*os.environ]))"
    assert {*in_new_process(code, BAYESCALE_CACHE="off")} & {*OURS} == set()


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BAYESCALE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("BAYESCALE_CACHE", "OFF")
    assert cache_folder() is None
    monkeypatch.delenv("BAYESCALE_CACHE")
    folder = cache_folder()
    assert folder is not None
    assert "bayescale" in folder.parts
