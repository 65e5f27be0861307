"""Recipe of the log likelihoods of groups in grouped_loo_arviz023.json, and what made that file.

    python -m venv old && old/bin/pip install "arviz==0.23.*"
    cd tests/reference
    ../../old/bin/python grouped_loo_arviz023.py > grouped_loo_arviz023.json

Normal numbers come from uniform ones through the inverse distribution function, as in
waic_arviz023.py.
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

CHAINS, DRAWS = 4, 1000
Floats = NDArray[np.float64]


def _normal(seed: int, *shape: int) -> Floats:
    result: Floats = ndtri(np.random.default_rng(seed).random(shape))
    return result


def _groups(groups: int, size: int, between: float, seed: int) -> Floats:
    """y_gi ~ N(mu + u_g, 1), u_g ~ N(0, between): log p(y_g | mu) with u_g integrated out."""
    y = _normal(seed, groups, size) + between * _normal(seed + 1, groups, 1)
    variance = 1 / size + between**2
    mu = y.mean() + np.sqrt(variance / groups) * _normal(seed + 2, CHAINS, DRAWS, 1)
    within = ((y - y.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    constant = -0.5 * (size * np.log(2 * np.pi) + np.log(size * variance) + within)
    found: Floats = constant - 0.5 * (y.mean(axis=1) - mu) ** 2 / variance
    return found


def arrays() -> dict[str, Floats]:
    """Log likelihood of groups under three small fits, each with dims (chain, draw, group)."""
    return {
        "twenty-groups-of-four": _groups(20, 4, 0.5, seed=20),
        "twelve-groups-of-one": _groups(12, 1, 0.1, seed=30),
        "forty-groups-far-apart": _groups(40, 8, 2.0, seed=40),
    }


def main() -> None:
    import arviz as az

    assert az.__version__.startswith("0.23"), az.__version__
    out: dict[str, object] = {"arviz": az.__version__, "numpy": np.__version__, "scale": "log"}
    for name, array in arrays().items():
        data = az.from_dict(log_likelihood={"y": array})
        loo = az.loo(data, pointwise=True, scale="log", reff=1.0)
        out[name] = {
            "checksum": float(array.sum()),
            "elpd_loo": float(loo.elpd_loo),
            "p_loo": float(loo.p_loo),
            "loo_i": np.asarray(loo.loo_i).tolist(),
            "pareto_k": np.asarray(loo.pareto_k).tolist(),
        }
    base = arrays()["twenty-groups-of-four"]
    loos = {
        name: az.loo(
            az.from_dict(log_likelihood={"y": base + shift}), pointwise=True, scale="log", reff=1.0
        )
        for name, shift in (("a", 0.0), ("b", 0.3 * _normal(50, 20)))
    }
    table = az.compare(loos, method="BB-pseudo-BMA", seed=0, b_samples=20000)
    out["pseudo_bma"] = {str(name): float(table.loc[name, "weight"]) for name in loos}
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
