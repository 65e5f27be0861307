r"""A small Bayesian regression of a new benchmark on the expected scores that a fit knows.

.. math:: \eta = d + \sum_k w_k \left[(1 - a)\, \mathrm{logit}\, q_k + 4 a\, q_k\right],
          \quad p = l + (u - l)\, \sigma(\eta + \tau t_5)

q is an expected score as a share of the room above chance. A logit alone runs away far above the
training runs, and a score alone saturates: the share a of the two is learned. The prior predictive
of a run as strong as the training runs covers the whole range, see `PRIORS`.

What the fit does not know of the features of a training run widens its error; the scores of the new
benchmark say nothing back of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import xarray as xr
from jax import Array
from numpyro.infer import MCMC, NUTS, init_to_median

from bayescale.base.intervals import Floats
from bayescale.inference.diagnostics import POPULATION, Diagnosis, diagnose

# Each with what it says. Normals by mean and spread, log-normals by median and spread of the log.
PRIORS: dict[str, tuple[float, float]] = {
    "level": (-1.5, 2.5),  # logits above chance of the mean training run: 0.4% to 94% of the room
    "weight": (0.0, 2.0),  # logits, of all features moved by one together; of each over root K
    "unexplained": (0.4, 0.6),  # logits by which runs of equal features differ
    "spread": (0.01, 0.6),  # points by which measurements differ, beside a finite test set
    "floor": (-4.5, 1.0),  # logit: a curve begins at 1% of the room above chance
    "ceiling": (4.5, 1.5),  # logit: it ends at 0.99
}
DEGREES = 5.0  # of Student's t: of measurements, and of runs
STEEPEST = 4.0  # one over the logistic's slope in the middle: both forms of a feature rise alike
EDGE = 1e-4  # shares are kept this far from 0 and 1
CHAINS, WARMUP, DRAWS = 4, 500, 500
ACCEPT = 0.9


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of a new benchmark, and what is known of its test.

    Parameters
    ----------
    score, error
        Of the training runs: scores, and standard errors where told, else NaN.
    chance
        Score of guessing.
    items
        Number of questions; infinite where not known.
    """

    score: Floats
    error: Floats
    chance: float
    items: float


@dataclass(frozen=True, eq=False)
class Placed:
    """Draws of the regression, and the sampler's verdict."""

    sites: dict[str, Floats]
    middle: Floats
    diagnosis: Diagnosis


def features(expected: Floats, chance: Floats) -> Floats:
    """Give both forms of expected scores (draw, run, benchmark): (form, draw, run, benchmark)."""
    share = np.clip((expected - chance) / (1 - chance), EDGE, 1 - EDGE)
    return np.stack([np.log(share / (1 - share)), STEEPEST * share])


def prior(count: int) -> dict[str, Array]:
    """Draw the unknowns of a benchmark that leans on so many features."""

    def normal(name: str) -> Any:
        return dist.Normal(*PRIORS[name])

    def positive(name: str) -> Any:
        middle, spread = PRIORS[name]
        return dist.LogNormal(np.log(middle), spread)

    middle, spread = PRIORS["weight"]
    weight = dist.Normal(middle, spread / np.sqrt(count)).expand([count]).to_event(1)
    return {
        "level": numpyro.sample("level", normal("level")),
        "weight": numpyro.sample("weight", weight),
        "bounded": numpyro.sample("bounded", dist.Uniform(0.0, 1.0)),
        "unexplained": numpyro.sample("unexplained", positive("unexplained")),
        "spread": numpyro.sample("spread", positive("spread")),
        "floor": numpyro.sample("floor", normal("floor")),
        "ceiling": numpyro.sample("ceiling", normal("ceiling")),
    }


def _model(known: Array, unsure: Array, score: Array, error: Array, facts: Array) -> None:
    """Describe scores of training runs; features as their mean and covariance by run."""
    chance, items = facts
    own = prior(known.shape[1] // 2)
    weight = mixed(own["weight"], own["bounded"])
    low, high = ends(own["floor"], own["ceiling"], chance)
    share = jax.nn.sigmoid(own["level"] + known @ weight)
    mean = low + (high - low) * share
    variance = jnp.einsum("k,rkl,l->r", weight, unsure, weight)
    slope = (high - low) * share * (1 - share)
    spread = jnp.sqrt(
        noise(mean, own["spread"], error, items) ** 2
        + slope**2 * (own["unexplained"] ** 2 + variance)
    )
    numpyro.sample("score", dist.StudentT(DEGREES, mean, spread), obs=score)


def regress(draws: Floats, scores: Scores, *, seed: int, progress: bool = False) -> Placed:
    """Learn the regression by NUTS.

    Parameters
    ----------
    draws
        Features of the training runs, from `features`.
    scores
        Their scores.
    seed, progress
        Of the sampler.
    """
    middle = draws.mean(axis=(1, 2))
    centred = draws - middle[:, None, None]
    both = np.concatenate([centred[0], centred[1]], axis=-1)  # (draw, run, form and benchmark)
    known = both.mean(axis=0)
    away = both - known
    unsure = np.einsum("srk,srl->rkl", away, away) / len(away)
    kernel = NUTS(_model, target_accept_prob=ACCEPT, init_strategy=init_to_median)
    with jax.enable_x64(True):
        sampler = MCMC(
            kernel,
            num_warmup=WARMUP,
            num_samples=DRAWS,
            num_chains=CHAINS,
            chain_method="vectorized",
            progress_bar=progress,
            jit_model_args=True,  # so that a compiled program serves other scores of this shape
        )
        sampler.run(
            jax.random.PRNGKey(seed),
            *map(jnp.asarray, (known, unsure, scores.score, scores.error)),
            jnp.asarray([scores.chance, scores.items]),
            extra_fields=("energy", "diverging"),
        )
        sites = {name: np.asarray(v) for name, v in sampler.get_samples(True).items()}
        stats = {name: np.asarray(v) for name, v in sampler.get_extra_fields(True).items()}
    diagnosis = diagnose(_dataset(sites), _dataset(stats), dict.fromkeys(sites, POPULATION))
    joined = {name: v.reshape(-1, *v.shape[2:]) for name, v in sites.items()}
    return Placed(joined, middle, diagnosis)


def predict(placed: Placed, draws: Floats, scores: Scores, *, seed: int) -> Floats:
    """Draw measured scores of runs, each draw of the features with one of the regression.

    Parameters
    ----------
    placed
        The regression.
    draws
        Features of the asked runs, from `features`: (form, draw, run, benchmark).
    scores
        What chance and items are.
    seed
        Seed.

    Returns
    -------
    ndarray
        Shape (draw, run), within [0, 1].
    """
    rng = np.random.default_rng(seed)
    count = draws.shape[1]
    total = len(placed.sites["level"])
    chosen = rng.permutation(np.resize(np.arange(total), max(count, total)))[:count]
    own = {name: values[chosen] for name, values in placed.sites.items()}
    centred = draws - placed.middle[:, None, None]
    shared = own["bounded"][:, None, None]
    form = (1 - shared) * centred[0] + shared * centred[1]
    effect = np.einsum("sk,srk->sr", own["weight"], form)
    away = rng.standard_t(DEGREES, size=effect.shape)
    eta = own["level"][:, None] + effect + own["unexplained"][:, None] * away
    with jax.enable_x64(True):
        low, high = ends(own["floor"][:, None], own["ceiling"][:, None], scores.chance)
        mean = low + (high - low) * jax.nn.sigmoid(eta)
        spread = noise(mean, own["spread"][:, None], _usual_error(scores), scores.items)
    measured = np.asarray(mean) + np.asarray(spread) * rng.standard_t(DEGREES, size=effect.shape)
    result: Floats = np.clip(measured, 0.0, 1.0)
    return result


def _usual_error(scores: Scores) -> float:
    """Give the error of a new measurement where items do not tell it: the usual one, or NaN."""
    told = scores.error[np.isfinite(scores.error)]
    return float(np.median(told)) if told.size and np.isinf(scores.items) else float("nan")


def mixed(weight: Array, bounded: Array) -> Array:
    """Give the weights of logits and of bounded scores."""
    return jnp.concatenate([(1 - bounded) * weight, bounded * weight])


def ends(floor: Any, ceiling: Any, chance: Any) -> tuple[Any, Any]:
    """Give where the curve begins and ends, from logits."""
    low = chance + (1 - chance) / (1 + jnp.exp(-floor))
    return low, low + (1 - low) / (1 + jnp.exp(-ceiling))


def noise(mean: Any, spread: Any, error: Any, items: Any) -> Any:
    """Give the standard error of measurements: told, or of a finite test set, and a spread."""
    inside = jnp.clip(mean, 0.0, 1.0)
    of_items = inside * (1 - inside) / items
    told = jnp.isfinite(error)
    return jnp.sqrt(jnp.where(told, jnp.where(told, error, 0.0) ** 2, of_items) + spread**2)


def _dataset(sites: dict[str, Any]) -> xr.Dataset:
    return xr.Dataset(
        {
            name: (("chain", "draw", *(f"{name}_{i}" for i in range(v.ndim - 2))), v)
            for name, v in sites.items()
        }
    )
