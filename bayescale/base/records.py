"""Where records lie: `data/` and `models/` of a checkout, `bayescale/_records/` of a wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from bayescale.base.errors import RecordError

PACKAGE = Path(__file__).resolve().parents[1]


def records_dir(kind: Literal["data", "models"]) -> Path:
    """Find the folder of bundled records.

    Parameters
    ----------
    kind
        "data" (tables) or "models" (model cards).

    Returns
    -------
    Path
        `bayescale/_records/<kind>` of an installed wheel, else `<kind>/` at the root of a checkout.

    Raises
    ------
    RecordError
        Neither folder exists.

    Examples
    --------
    >>> records_dir("data").is_dir()
    True
    """
    places = (PACKAGE / "_records" / kind, PACKAGE.parent / kind)
    for place in places:
        if place.is_dir():
            return place
    looked = " and ".join(str(place) for place in places)
    raise RecordError(
        f"no folder of {kind} records: looked in {looked}; reinstall bayescale, "
        "or run from a complete checkout"
    )
