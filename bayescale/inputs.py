"""The old place of what `bayescale.own` holds; it goes with version 0.3."""

import warnings

from bayescale.parts.inputs import *  # noqa: F403

warnings.warn(
    "bayescale.inputs goes with version 0.3: import from bayescale.own",
    FutureWarning,
    stacklevel=2,
)
