"""Files that are either written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bayescale.errors import BayescaleError


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path to write to, and move it into place when the block ends well.

    After an error or an interrupt, the file at `path` is what it was before.

    Parameters
    ----------
    path
        The file to write. Its folder is made when it does not exist.

    Yields
    ------
    Path
        A file in the same folder with the same suffix, so that the move cannot cross file systems
        and writers that look at the suffix behave as they should.

    Raises
    ------
    BayescaleError
        The folder cannot be made or written to.

    Examples
    --------
    >>> with atomic_path("scores.csv") as temporary:      # doctest: +SKIP
    ...     temporary.write_text("run,benchmark,score")
    """
    target = Path(path)
    check_writable(target)
    temporary = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Fail now, not after an hour of sampling, when a file cannot be written.

    Parameters
    ----------
    path
        The file that shall be written later. Its folder is made when it does not exist.

    Raises
    ------
    BayescaleError
        `path` is a folder, or its folder cannot be made or written to.
    """
    target = Path(path)
    if target.is_dir():
        raise BayescaleError(f"cannot write to {target}: it is a folder; name a file in it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise BayescaleError(
            f"cannot write to {target}: {error.strerror or error}; "
            "choose a folder that you may write to"
        ) from error
