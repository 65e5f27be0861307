"""Files that are either written whole or not at all, and values as JSON."""

from __future__ import annotations

import json
import math
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayescale.base.errors import BayescaleError

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path to write to, and move it into place when the block ends well.

    After an error or an interrupt, the file at `path` is what it was before. A link is followed to
    its file, and a file that is replaced keeps its permissions.

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
    check_writable(path)
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        yield temporary
        if target.exists():
            shutil.copymode(target, temporary)
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
        `path` is a folder, a device or a pipe, or its folder cannot be made or written to.
    """
    try:
        target = Path(os.path.realpath(path))
        kind = target.stat().st_mode
    except FileNotFoundError:
        kind = stat.S_IFREG
    except (OSError, ValueError) as error:  # a name too long, or with a zero byte in it
        raise BayescaleError(f"cannot write to {str(path)!r}: {error}") from None
    if stat.S_ISDIR(kind):
        raise BayescaleError(f"cannot write to {path}: it is a folder; name a file in it")
    if not stat.S_ISREG(kind):
        raise BayescaleError(f"cannot write to {path}: it is a device or a pipe; name a file")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise BayescaleError(
            f"cannot write to {target}: {error.strerror or error}; "
            "choose a folder that you may write to"
        ) from error


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write a value as JSON, whole or not at all.

    Parameters
    ----------
    path
        The file to write. Its folder is made when it does not exist.
    value
        Whatever `plain` knows.

    Raises
    ------
    BayescaleError
        The folder cannot be made or written to.
    """
    with atomic_path(path) as temporary:
        text = json.dumps(plain(value), indent=2, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def plain(value: Any) -> Any:
    """Turn NumPy scalars, arrays and frames into what JSON knows; NaN and infinity become None."""
    if hasattr(value, "to_json"):
        value = with_index(value)
        return json.loads(value.to_json(orient="records", double_precision=15))
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn an index that has a name into columns; a plain row number is nobody's business."""
    return frame if frame.index.names == [None] else frame.reset_index()
