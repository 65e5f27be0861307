"""What a law is a function of: named columns with a unit, a range and a reference.

An input reaches a law divided by its value at the reference run, so that an amplitude is what a term
is worth there. Inputs that a formula uses as they are (a number of experts, a bit width) are
absolute; inputs that a formula compares with another (unique tokens with tokens) share its reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from jax import Array

Kind = Literal["number", "series", "mixture"]


@dataclass(frozen=True)
class Input:
    """A column that a law reads.

    Parameters
    ----------
    unit
        Unit of the column.
    low, high
        Usual range: where the law's card is checked and its prior is drawn.
    meaning
        What it is.
    scale
        "own": divided by its own reference; "absolute": used as it is; or the name of the input
        whose reference it shares.
    kind
        "number"; "series", one row of numbers for each run, padded, with a mask; "mixture", several
        columns that sum to one.
    name
        The name that the formula uses; filled in by the decorator.
    """

    unit: str
    low: float
    high: float
    meaning: str = ""
    scale: str = "own"
    kind: Kind = "number"
    name: str = ""


Params = Annotated[Array, Input("params", 1e7, 1e11, "parameters, embeddings included")]
ActiveParams = Annotated[Array, Input("params", 1e7, 1e11, "parameters active on a token")]
Tokens = Annotated[Array, Input("tokens", 1e8, 1e13, "training tokens")]
UniqueTokens = Annotated[
    Array, Input("tokens", 1e8, 1e12, "training tokens that differ", scale="tokens")
]
Flops = Annotated[Array, Input("FLOPs", 1e17, 1e24, "training compute")]
Multiplier = Annotated[Array, Input("tokens/param", 1.0, 1e3, "training tokens for each parameter")]
Width = Annotated[Array, Input("units", 128, 16384, "width of the residual stream")]
Depth = Annotated[Array, Input("layers", 3, 128, "number of layers")]
Experts = Annotated[Array, Input("experts", 1, 512, "experts of a layer", scale="absolute")]
Streams = Annotated[Array, Input("streams", 1, 16, "parallel streams", scale="absolute")]
Vocabulary = Annotated[Array, Input("tokens", 4e3, 1e5, "size of the vocabulary", scale="absolute")]
Bits = Annotated[Array, Input("bits", 2, 8, "bits of a weight")]
GroupSize = Annotated[
    Array, Input("weights", 32, 512, "weights that share a scale", scale="absolute")
]
LearningRate = Annotated[Array, Input("1", 1e-4, 1e-2, "peak learning rate")]
Batch = Annotated[Array, Input("tokens", 1e4, 1e7, "tokens of a batch")]
Steps = Annotated[Array, Input("steps", 1e2, 1e6, "steps of the optimiser")]
Loss = Annotated[Array, Input("nats/token", 2.0, 4.0, "loss elsewhere", scale="absolute")]
Flag = Annotated[Array, Input("0 or 1", 0, 1, "whether it holds", scale="absolute")]
Mixture = Annotated[
    Array, Input("share", 0, 1, "shares that sum to one", scale="absolute", kind="mixture")
]
Schedule = Annotated[
    Array, Input("1", 0, 1e-2, "learning rate over steps", scale="absolute", kind="series")
]
# A law of one input, whatever it is: the card or the call says which column.
Scale = Annotated[Array, Input("of the column", 1e2, 1e8, "the one input: data, size or compute")]
