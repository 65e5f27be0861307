"""What the pieces of a model are: declared, checked and found."""

from __future__ import annotations

import warnings
from typing import Any


def __getattr__(name: str) -> Any:
    """Give `law` to files that import it from here, as they did before version 0.2."""
    if name != "law":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        "law goes from bayescale.parts with version 0.3: import it from bayescale.own",
        FutureWarning,
        stacklevel=2,
    )
    from bayescale.parts.declare import law

    return law
