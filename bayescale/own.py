"""The door for a law of one's own: what a file with a law in it imports.

    from bayescale.own import Annotated, Flops, law, positive

It holds the decorator and what goes with it, priors of coefficients, and the inputs that laws read;
an `Input` of one's own goes into `Annotated[float, Input(...)]`.
"""

from __future__ import annotations

from typing import Annotated

from bayescale.parts.coefficients import fraction, positive, real
from bayescale.parts.declare import amplitudes, law, printed
from bayescale.parts.inputs import (
    ActiveParams,
    Batch,
    Bits,
    BodyParams,
    Characters,
    Continued,
    Depth,
    Examples,
    Experts,
    Flops,
    GroupSize,
    Input,
    Instruct,
    LearningRate,
    Loss,
    Mixture,
    Multiplier,
    Params,
    Rates,
    Scale,
    Schedule,
    Share,
    Streams,
    Tokens,
    UniqueTokens,
    Vocabulary,
    VocabularyParams,
    Width,
)

__all__ = [
    "ActiveParams",
    "Annotated",
    "Batch",
    "Bits",
    "BodyParams",
    "Characters",
    "Continued",
    "Depth",
    "Examples",
    "Experts",
    "Flops",
    "GroupSize",
    "Input",
    "Instruct",
    "LearningRate",
    "Loss",
    "Mixture",
    "Multiplier",
    "Params",
    "Rates",
    "Scale",
    "Schedule",
    "Share",
    "Streams",
    "Tokens",
    "UniqueTokens",
    "Vocabulary",
    "VocabularyParams",
    "Width",
    "amplitudes",
    "fraction",
    "law",
    "positive",
    "printed",
    "real",
]
