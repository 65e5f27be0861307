"""What a law is a function of: named columns with a unit, a range and a reference.

An input reaches a law divided by its value at the reference run, so that an amplitude is what a
term is worth there. Inputs that a formula uses as they are (a number of experts, a share) are
absolute; inputs that a formula compares with another (unique tokens with tokens) share its
reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import jax
from jax import Array

Kind = Literal["number", "flag", "series", "mixture"]


@dataclass(frozen=True)
class Input:
    """A column that a law reads.

    Parameters
    ----------
    unit
        Unit of the column.
    low, high
        Usual range: where the law is tested, and its prior drawn.
    meaning
        What it is.
    scale
        "own": divided by its own reference; "absolute": used as it is; or the name of the input
        whose reference it shares.
    kind
        "number"; "flag", zero or one; "series", a `Schedule`; "mixture", an array of shares that
        sum to one along its last axis, a domain each.
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

    @property
    def reference(self) -> str | None:
        """Name of the input whose reference value it is divided by; None if it is absolute."""
        named = {"own": self.name, "absolute": None}
        return named.get(self.scale, self.scale)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("rates", "steps", "row", "node"),
    meta_fields=(),
)
@dataclass(frozen=True)
class Schedule:
    """Learning rates over the steps of several trainings, and where on them each loss was measured.

    A schedule is given at nodes, as few as tell its shape: the rate of a node holds on the steps
    after the node before, up to its own. Shorter series are padded by repeating their last node.

    Parameters
    ----------
    rates
        Learning rates, shape (series, node); the first is the rate that training starts from.
    steps
        Step of each node, rising, from where summing starts (0, or the end of the warm-up), shape
        (node,) or, with a grid for each series, (series, node).
    row, node
        Series and node of each measured loss, shape (run,).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> rates = jnp.array([[1e-3, 1e-3, 5e-4, 0.0]])
    >>> steps = jnp.array([0, 800, 900, 1000])
    >>> end = Schedule(rates, steps, row=jnp.array([0]), node=jnp.array([3]))
    """

    rates: Any
    steps: Any
    row: Any
    node: Any


Params = Annotated[Array, Input("params", 1e7, 1e11, "parameters, embeddings included")]
BodyParams = Annotated[Array, Input("params", 1e7, 1e11, "parameters without embeddings")]
ActiveParams = Annotated[Array, Input("params", 1e7, 1e11, "parameters active on a token")]
VocabularyParams = Annotated[Array, Input("params", 1e6, 1e9, "vocabulary size times width")]
Tokens = Annotated[Array, Input("tokens", 1e8, 1e13, "training tokens")]
UniqueTokens = Annotated[
    Array, Input("tokens", 1e8, 1e12, "training tokens that differ", scale="tokens")
]
Characters = Annotated[Array, Input("characters", 1e8, 1e13, "training text")]
Examples = Annotated[Array, Input("examples", 1e2, 1e6, "examples to fine-tune on")]
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
Loss = Annotated[Array, Input("nats/token", 2.0, 4.0, "loss elsewhere", scale="absolute")]
Continued = Annotated[
    Array, Input("0 or 1", 0, 1, "1 where training goes on from a model", "absolute", "flag")
]
Instruct = Annotated[
    Array, Input("0 or 1", 0, 1, "1 where tuned to follow instructions", "absolute", "flag")
]
Share = Annotated[Array, Input("1", 0.01, 1, "share of the domain in the mixture")]
Mixture = Annotated[
    Array, Input("1", 0, 1, "shares of the domains, shape (..., domain)", "absolute", "mixture")
]
Rates = Annotated[
    Schedule, Input("1", 1e-4, 1e-3, "learning rates over steps", "absolute", "series")
]
# A law of one input, whatever it is: the card or the call says which column.
Scale = Annotated[Array, Input("of the column", 1e2, 1e8, "the one input: data, size or compute")]
