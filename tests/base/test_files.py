"""A file is written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescale.base.errors import BayescaleError
from bayescale.base.files import atomic_path, check_writable, plain, write_json


def test_the_file_and_its_folder_come_into_being(tmp_path: Path) -> None:
    target = tmp_path / "new" / "scores.csv"
    with atomic_path(target) as temporary:
        assert temporary.suffix == ".csv"
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_after_an_interrupt_the_old_file_stands(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "fit.nc"
    target.write_text("old")

    def write_half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_new_file_has_the_rights_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with atomic_path(tmp_path / "ours") as temporary:
        temporary.write_text("x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BayescaleError, match="it is a folder"):
        check_writable(tmp_path)


def test_a_file_in_the_way_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(BayescaleError, match=r"cannot write to .*taken/fit\.nc"):
        check_writable(tmp_path / "taken" / "fit.nc")


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    check_writable(tmp_path / "fit.nc")
    assert list(tmp_path.iterdir()) == []


def test_json_knows_no_nan(tmp_path: Path) -> None:
    frame = pd.DataFrame({"score": [0.5, float("nan")]})
    scores = frame["score"].to_numpy()
    value = {"frame": frame, "x": float("inf"), "y": scores, "z": (1, "a"), "n": np.int64(3)}
    expected = {
        "frame": [{"score": 0.5}, {"score": None}],
        "x": None,
        "y": [0.5, None],
        "z": [1, "a"],
        "n": 3,
    }
    assert plain(value) == expected
    write_json(tmp_path / "value.json", value)
    assert json.loads((tmp_path / "value.json").read_text()) == expected


def test_the_index_of_a_frame_is_kept_when_it_has_a_name() -> None:
    frame = pd.DataFrame({"score": [0.5]}, index=pd.Index(["a-7b"], name="run"))
    assert plain(frame) == [{"run": "a-7b", "score": 0.5}]


def test_what_json_does_not_know_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "value.json"
    target.write_text("old")
    with pytest.raises(TypeError, match="JSON"):
        write_json(target, {"x": object()})
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_is_followed_and_permissions_stay(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "scores.csv", tmp_path / "link.csv"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    with atomic_path(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640
    assert sorted(tmp_path.rglob("*")) == sorted([target.parent, target, link])


@pytest.mark.parametrize("name", ["/dev/null", "pipe", "x" * 400, "a\0b"])
def test_what_is_no_file_is_not_written_to(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BayescaleError, match="cannot write to"):
        check_writable(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
