"""The old place of what `bayescale.own` holds; it goes with version 0.3."""

import warnings

from bayescale.parts.coefficients import *  # noqa: F403

warnings.warn(
    "bayescale.coefficients goes with version 0.3: import from bayescale.own",
    FutureWarning,
    stacklevel=2,
)
