"""Device count and compilation cache: set in time, never against the user, told when too late."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bayescale.runtime import HOST_DEVICES, cache_folder, cpu_count, prepare_process

OURS = ("XLA_FLAGS", "JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS")


def in_new_process(code: str, **env: str) -> list[object]:
    inherited = {name: value for name, value in os.environ.items() if name not in OURS}
    done = subprocess.run(
        [sys.executable, "-c", f"import json, os\nfrom bayescale import runtime\n{code}"],
        capture_output=True,
        text=True,
        check=True,
        env={**inherited, **env},
    )
    result: list[object] = json.loads(done.stdout)
    return result


def test_jax_sees_as_many_devices_as_chains_and_processors_allow(tmp_path: Path) -> None:
    code = """
late = runtime.prepare_process(4)
import jax
started = runtime.jax_has_started(), jax.local_device_count(), runtime.jax_has_started()
print(json.dumps([late, *started, jax.config.jax_compilation_cache_dir]))
"""
    late, before, devices, after, cache = in_new_process(code, BAYESCALE_CACHE=str(tmp_path))
    assert (late, before, after) == (None, False, True)
    assert devices == min(4, cpu_count())
    assert cache == str(tmp_path)


def test_a_user_s_own_flags_are_kept(tmp_path: Path) -> None:
    code = "runtime.prepare_process(4)\nprint(json.dumps([os.environ['XLA_FLAGS']]))"
    [flags] = in_new_process(code, XLA_FLAGS="--xla_dump_to=x", BAYESCALE_CACHE=str(tmp_path))
    assert flags == f"--xla_dump_to=x {HOST_DEVICES}={min(4, cpu_count())}"
    [flags] = in_new_process(code, XLA_FLAGS=f"{HOST_DEVICES}=7", BAYESCALE_CACHE=str(tmp_path))
    assert flags == f"{HOST_DEVICES}=7"


def test_a_user_s_own_jax_cache_is_kept() -> None:
    code = (
        "runtime.prepare_process(1)\nprint(json.dumps([os.environ['JAX_COMPILATION_CACHE_DIR']]))"
    )
    assert in_new_process(code, JAX_COMPILATION_CACHE_DIR="/own") == ["/own"]


def test_no_cache_when_it_is_off() -> None:
    code = "runtime.prepare_process(1)\nprint(json.dumps([*os.environ]))"
    assert {*in_new_process(code, BAYESCALE_CACHE="off")} & {*OURS} == {"XLA_FLAGS"}


@pytest.mark.skipif(cpu_count() < 2, reason="one processor: chains cannot run side by side")
def test_a_call_that_comes_too_late_says_so() -> None:
    code = """
import jax
jax.local_devices()
before = dict(os.environ)
late = runtime.prepare_process(2)
print(json.dumps([late, before == dict(os.environ)]))
"""
    late, same = in_new_process(code)
    assert isinstance(late, str)
    assert "already started" in late
    assert f"{HOST_DEVICES}=2" in late
    assert same is True


def test_one_chain_is_never_too_late() -> None:
    import jax

    jax.local_devices()
    assert prepare_process(1) is None


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BAYESCALE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("BAYESCALE_CACHE", "OFF")
    assert cache_folder() is None
    monkeypatch.delenv("BAYESCALE_CACHE")
    folder = cache_folder()
    assert folder is not None
    assert "bayescale" in folder.parts
