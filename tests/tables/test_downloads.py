"""Tables that are not bundled: found in a mirror, downloaded once, and never taken unchecked."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bayescale.base.errors import RecordError
from bayescale.tables import downloads
from bayescale.tables.downloads import MIRROR, table_files
from bayescale.tables.named import is_bundled, list_tables, load_card, load_table

TEXT = b"params,loss\n1e6,4.1\n4e6,3.7\n"
SHA256 = hashlib.sha256(TEXT).hexdigest()
DOWNLOADED = [name for name in list_tables() if not is_bundled(load_card(name))]


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serve files, and remember what was asked for."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        self.server.asked.append(format % args)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[http.server.HTTPServer]:
    """A server of one file, an empty cache, and no mirror."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "runs.csv").write_bytes(TEXT)
    monkeypatch.delenv(MIRROR, raising=False)
    monkeypatch.setattr(downloads, "cache_folder", lambda: tmp_path / "cache")
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def card_of(server: http.server.HTTPServer, **changes: str) -> dict[str, Any]:
    url = f"http://127.0.0.1:{server.server_port}/runs.csv"
    entry = {"url": url, "sha256": SHA256, "mirror": "mine/runs.csv"} | changes
    return {"name": "mine", "download": [entry]}


def test_a_file_is_downloaded_once(site: http.server.HTTPServer) -> None:
    [first] = table_files(card_of(site))
    [second] = table_files(card_of(site))
    assert first.read_bytes() == TEXT
    assert first == second
    assert len(site.asked) == 1


def test_a_file_that_changed_in_the_cache_is_downloaded_again(
    site: http.server.HTTPServer,
) -> None:
    [path] = table_files(card_of(site))
    path.write_bytes(b"spoiled")
    assert table_files(card_of(site))[0].read_bytes() == TEXT
    assert len(site.asked) == 2


def test_a_wrong_checksum_names_both_and_keeps_nothing(
    site: http.server.HTTPServer, tmp_path: Path
) -> None:
    with pytest.raises(RecordError) as caught:
        table_files(card_of(site, sha256="0" * 64))
    told = str(caught.value)
    assert SHA256 in told
    assert "0" * 64 in told
    assert "/runs.csv" in told
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_file_that_is_not_there_says_so(site: http.server.HTTPServer) -> None:
    card = card_of(site, url=f"http://127.0.0.1:{site.server_port}/nothing.csv")
    with pytest.raises(RecordError, match=r"nothing\.csv failed: 404"):
        table_files(card)


def test_without_a_network_the_error_tells_what_to_do(site: http.server.HTTPServer) -> None:
    card = card_of(site)
    site.shutdown()
    site.server_close()
    with pytest.raises(RecordError) as caught:
        table_files(card)
    told = str(caught.value)
    for part in ('table "mine"', f"{MIRROR} is not set", "/runs.csv failed", "mine/runs.csv"):
        assert part in told


def test_the_mirror_comes_first(
    site: http.server.HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mirror/mine").mkdir(parents=True)
    (tmp_path / "mirror/mine/runs.csv").write_bytes(TEXT)
    monkeypatch.setenv(MIRROR, str(tmp_path / "mirror"))
    assert table_files(card_of(site)) == [tmp_path / "mirror/mine/runs.csv"]
    assert site.asked == []


def test_a_mirror_without_the_file_is_no_obstacle(
    site: http.server.HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MIRROR, str(tmp_path))
    assert table_files(card_of(site))[0].read_bytes() == TEXT


def test_a_wrong_file_in_the_mirror_is_refused(
    site: http.server.HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/runs.csv").write_bytes(TEXT + b"8e6,3.4\n")
    monkeypatch.setenv(MIRROR, str(tmp_path))
    with pytest.raises(RecordError) as caught:
        table_files(card_of(site))
    assert SHA256 in str(caught.value)
    assert str(tmp_path / "mine/runs.csv") in str(caught.value)
    # Of the same numbers in another form no checksum is known.
    assert table_files(card_of(site, how="two columns"))


def test_a_table_without_a_published_file_tells_its_form(
    site: http.server.HTTPServer,
) -> None:
    card = card_of(site, how="two columns")
    del card["download"][0]["url"]
    with pytest.raises(RecordError, match=rf"mine/runs\.csv \(two columns\).*{MIRROR}"):
        table_files(card)


@pytest.mark.parametrize("name", DOWNLOADED)
def test_cards_name_their_files(name: str) -> None:
    card = load_card(name)
    assert card["licence"] == "none"
    for entry in card["download"]:
        assert entry["mirror"]
        if "url" not in entry:
            assert entry["how"]
            continue
        assert len(bytes.fromhex(entry["sha256"])) == 32
        [source] = card["source"]
        repository = source["repository"].removeprefix("https://github.com/")
        start = f"https://raw.githubusercontent.com/{repository}/{source['commit']}/"
        assert entry["url"] == start + source["files"]


# Inputs that only some runs have, and the group that tells which.
PARTIAL = {"twin_loss": "twin", "share": "trained"}


@pytest.mark.mirror
@pytest.mark.parametrize("name", DOWNLOADED)
def test_the_mirror_has_the_table_of_the_card(name: str) -> None:
    table, counts = load_table(name), load_card(name)["counts"]
    assert table.name == name
    assert len(table.runs) == counts["runs"]
    assert table.n_rows == counts["scores"]
    assert table.scores["benchmark"].value_counts().to_dict() == counts["by_benchmark"]
    groups = {group: table.runs[group].nunique() for group in table.groups}
    assert {g: n for g, n in groups.items() if g in counts["by_group"]} == counts["by_group"]
    for column, told_by in PARTIAL.items():
        if column in table.inputs:
            assert ((table.runs[column] > 0) == (table.runs[told_by] == "yes")).all()
    others = [i for i in table.inputs if i not in PARTIAL]
    assert table.runs[others].notna().all().all()
    # Nothing of a power law is zero or negative but flags and shares.
    positive = [i for i in others if i != "training" and not i.startswith("shares_")]
    assert (table.runs[positive] > 0).all().all()


@pytest.mark.mirror
def test_chinchilla_values() -> None:
    table = load_table("chinchilla-replication")
    runs = table.to_wide()
    assert len(runs) == 245
    outliers = runs[runs["outlier"] == "yes"]
    assert len(outliers) == 5
    assert (outliers["tokens"] / outliers["params"]).max() < 0.5
    assert outliers["loss"].min() > runs.loc[runs["outlier"] == "no", "loss"].max()
    # The residual of the published law on the others, in logs.
    kept = runs[runs["outlier"] == "no"]
    law = 1.8172 + 482.01 * kept["params"] ** -0.3478 + 2085.43 * kept["tokens"] ** -0.3658
    assert (law / kept["loss"] - 1).abs().median() < 0.01


@pytest.mark.mirror
def test_loss_to_loss_values() -> None:
    runs = load_table("loss-to-loss").to_wide()
    assert runs["corpus"].nunique() == 6
    for corpus, mine in runs.groupby("corpus"):
        assert (mine["loss"] == mine[f"loss_{corpus}"]).all()
    assert runs["flops"].nunique() == 8
    assert (runs["flops"] / (6 * runs["params"] * runs["tokens"])).sub(1).abs().max() < 1e-9


@pytest.mark.mirror
def test_mixtures_sum_to_one() -> None:
    runs = load_table("mixing-laws").runs
    assert runs.filter(regex="^shares_").sum(axis="columns").sub(1).abs().max() < 1e-9
    assert set(runs["size"]) == {"70M", "160M", "305M", "410M"}


@pytest.mark.mirror
def test_step_law_cells() -> None:
    runs = load_table("step-law").runs
    assert runs["cell"].nunique() == 17
    used = runs["batch_tokens"] * runs["step"] / runs["tokens"]
    assert 0.99 < used.min() <= used.max() < 1.01


@pytest.mark.mirror
def test_the_addition_script_and_its_numbers_agree(tmp_path: Path) -> None:
    from bayescale.tables.readers import bnsl_addition

    table = load_table("bnsl-addition")
    script = tmp_path / "fit.py"
    arrays = [table.runs["examples"].astype("int64").tolist(), table.scores["score"].tolist()]
    lines = [f"{name} = np.array({values})" for name, values in zip("xy", arrays, strict=True)]
    script.write_text("import numpy as np\n" + "\n".join(lines) + "\nz = np.array([x[0]])\n")
    again = bnsl_addition.read([script])
    pd.testing.assert_frame_equal(again.scores, table.scores)
    pd.testing.assert_frame_equal(again.runs, table.runs)
    assert table.runs["training"].sum() == 14
