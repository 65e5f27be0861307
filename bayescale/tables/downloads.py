"""The files of a table that is not bundled: from a mirror folder, else downloaded once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from bayescale.base.errors import RecordError

MIRROR = "BAYESCALE_MIRROR"
TIMEOUT = 30  # seconds without an answer


def table_files(card: dict[str, Any]) -> list[Path]:
    """Find the files that a card names, in its order, and check their SHA-256.

    A file is looked for in the folder that the environment variable BAYESCALE_MIRROR names, else
    in the user's cache, where it is downloaded to when it is not there yet.

    Parameters
    ----------
    card
        With a list `download` of entries: `url` and `sha256` of the published file, and `mirror`,
        its path in the mirror folder. Where that holds the same numbers in another form, `how`
        describes that, and its checksum is nobody's; an entry may have this form alone.

    Returns
    -------
    list of Path

    Raises
    ------
    RecordError
        A file cannot be had, or is not the one that the card means.
    """
    return [_file(card, entry) for entry in card["download"]]


def cache_folder() -> Path:
    """Find the user's cache folder of downloaded tables."""
    from platformdirs import user_cache_path

    return user_cache_path("bayescale", appauthor=False) / "tables"


def _file(card: dict[str, Any], entry: dict[str, str]) -> Path:
    mirror = os.environ.get(MIRROR, "")
    tried = f"{MIRROR} is not set"
    if mirror:
        path = Path(mirror).expanduser() / entry["mirror"]
        if path.is_file():
            if "how" not in entry:
                _check(path, entry["sha256"])
            return path
        tried = f"{path} is not there"
    offline = f"put the file into a folder as {_place(entry)} and name that folder in {MIRROR}"
    if "url" not in entry:
        raise RecordError(
            f'table "{card["name"]}" is not bundled, since its source states no licence, and is '
            f"not published in a form that could be downloaded: {tried}; {offline}"
        )
    return _download(card["name"], entry, tried, offline)


def _place(entry: dict[str, str]) -> str:
    return entry["mirror"] + (f" ({entry['how']})" if "how" in entry else "")


def _download(name: str, entry: dict[str, str], tried: str, offline: str) -> Path:
    import pooch

    url, file = entry["url"], f"{name}-{entry['url'].rsplit('/', 1)[-1]}"
    store = pooch.create(
        cache_folder(),
        base_url="",
        registry={file: f"sha256:{entry['sha256']}"},
        urls={file: url},
        retry_if_failed=1,
    )
    downloader = pooch.HTTPDownloader(progressbar=False, timeout=TIMEOUT)
    try:
        return Path(store.fetch(file, downloader=downloader))
    except ValueError as error:  # pooch's word for a wrong checksum; it keeps no such file
        raise RecordError(
            f'table "{name}": what {url} sent is not the file that the card means: {error} '
            f"Else {offline}"
        ) from error
    except OSError as error:
        raise RecordError(
            f'table "{name}" is not bundled and could not be downloaded: {tried}; {url} failed: '
            f"{error}. Go online, or {offline}"
        ) from error


def _check(path: Path, expected: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise RecordError(
            f"{path} is not the file that the card means: SHA-256 is {found}, expected {expected}; "
            f"replace it, or unset {MIRROR} to download it"
        )
