"""Recipe of the log-likelihood arrays in waic_arviz023.json, and the script that made that file.

    python -m venv old && old/bin/pip install "arviz==0.23.*"
    old/bin/python tests/reference/waic_arviz023.py > tests/reference/waic_arviz023.json

Normal numbers come from uniform ones through the inverse distribution function, because NumPy
keeps its stream of uniform numbers stable between releases and promises nothing for the others.
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

CHAINS, DRAWS = 4, 250


def _normal(seed: int, *shape: int) -> NDArray[np.float64]:
    result: NDArray[np.float64] = ndtri(np.random.default_rng(seed).random(shape))
    return result


def _log_density(
    y: NDArray[np.float64], mean: NDArray[np.float64], sd: NDArray[np.float64]
) -> NDArray[np.float64]:
    result: NDArray[np.float64] = -0.5 * ((y - mean) / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi))
    return result


def _normal_means(
    y: NDArray[np.float64], sd: NDArray[np.float64], tau: float, seed: int
) -> NDArray[np.float64]:
    """Exact posterior of y_j ~ N(theta_j, sd_j), theta_j ~ N(8, tau)."""
    precision = 1 / sd**2 + 1 / tau**2
    centre = (y / sd**2 + 8.0 / tau**2) / precision
    theta = centre + _normal(seed, CHAINS, DRAWS, len(y)) / np.sqrt(precision)
    return _log_density(y, theta, sd)


def arrays() -> dict[str, NDArray[np.float64]]:
    """Log likelihood of three small models, each with dims (chain, draw, row)."""
    schools = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    errors = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
    x = np.linspace(-1.0, 1.0, 30)
    y = 0.5 + 0.8 * x + 0.2 * _normal(11, 30)
    y[3] += 1.5  # an outlier, so that p_waic passes 0.4 and Pareto k is large
    design = np.stack([np.ones(30), x], axis=1)
    covariance = 0.04 * np.linalg.inv(design.T @ design)
    centre = np.linalg.lstsq(design, y, rcond=None)[0]
    draws = centre + _normal(12, CHAINS, DRAWS, 2) @ np.linalg.cholesky(covariance).T
    mean: NDArray[np.float64] = np.asarray(draws @ design.T, dtype=np.float64)
    return {
        "eight-schools-pooled": _normal_means(schools, errors, 3.0, seed=10),
        "eight-schools-separate": _normal_means(schools, errors, 100.0, seed=13),
        "line-with-outlier": _log_density(y, mean, np.full(30, 0.2)),
    }


def main() -> None:
    import arviz as az

    assert az.__version__.startswith("0.23"), az.__version__
    out: dict[str, object] = {"arviz": az.__version__, "numpy": np.__version__, "scale": "log"}
    for name, array in arrays().items():
        data = az.from_dict(log_likelihood={"y": array})
        waic = az.waic(data, pointwise=True, scale="log")
        loo = az.loo(data, pointwise=True, scale="log", reff=1.0)
        out[name] = {
            "checksum": float(array.sum()),
            "elpd_waic": float(waic.elpd_waic),
            "p_waic": float(waic.p_waic),
            "se_waic": float(waic.se),
            "warning_waic": bool(waic.warning),
            "waic_i": np.asarray(waic.waic_i).tolist(),
            "elpd_loo": float(loo.elpd_loo),
            "p_loo": float(loo.p_loo),
            "se_loo": float(loo.se),
            "loo_i": np.asarray(loo.loo_i).tolist(),
            "pareto_k": np.asarray(loo.pareto_k).tolist(),
        }
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
