"""Leave-one-out kernel regression on the simplex: what the pairwise and the canonical calibration error share.

The kernel of row i at p is the Dirichlet density at p with parameters p_i / h + 1; for two classes it is the Beta
density. Source: Popordanoska, Sayer and Blaschko (2022), after Ouimet and Tolosana-Delgado (2022).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.errors import require

Floats = NDArray[np.float64]

BANDWIDTHS = 10.0 ** np.linspace(-4, 0, 13)  # among which the likelihood chooses


def check(bandwidth: float | None, norm: float) -> None:
    """Raise ``DataError`` unless the options hold."""
    positive = bandwidth is None or 0 < bandwidth < np.inf
    require(positive, "bandwidth", "be a positive number, or None to choose it by likelihood", bandwidth)
    require(norm in (1, 2), "norm", "be 1 or 2", norm)


def log_kernels(at: Floats, rows: Floats, h: float) -> Floats:
    """Return the log densities at points (j, k) under the kernels of rows (i, k), as (j, i); -inf where it is 0."""
    zero = at == 0
    logs = np.log(np.where(zero, 1.0, at))  # 0 log 0 = 0
    order = rows / h
    gamma = scipy.special.gammaln
    normalizer = gamma(order + 1).sum(1) - gamma((order + 1).sum(1))  # (i,)
    densities: Floats = _product(logs, order) - normalizer
    some = np.flatnonzero(zero.any(1))
    densities[some] = np.where(_impossible(zero[some], rows), -np.inf, densities[some])
    return densities


def _impossible(zero: NDArray[np.bool_], rows: Floats) -> NDArray[np.bool_]:
    """Return where points (j, k), of which the zeros are given, have a zero that rows (i, k) have not (j, i)."""
    clashes = zero.astype(np.float32) @ (rows > 0).T.astype(np.float32)
    return np.asarray(clashes > 0)


def _product(logs: Floats, order: Floats) -> Floats:
    """Return logs (j, k) times order (i, k), as (j, i)."""
    if logs.shape[1] > 2:
        return np.asarray(logs @ order.T)
    pairs = zip(logs.T, order.T, strict=True)  # two outer products are faster than a thin product of matrices
    return np.asarray(sum(np.multiply.outer(left, right) for left, right in pairs))


def scaled(logs: Floats) -> tuple[Floats, Floats]:
    """Return the exponentials (j, i), each row over its largest, and the logs of these (j,); -inf for rows of zeros."""
    largest = logs.max(1)
    logs -= np.where(largest > -np.inf, largest, 0.0)[:, None]
    return kernels.exponentials(logs), largest


def likeliest(likelihood: Callable[[float], float]) -> float:
    """Return the bandwidth with the largest likelihood, the largest one on ties."""
    return float(max(BANDWIDTHS[::-1], key=likelihood))


def mean_power(powers: Floats, weight: Floats, reached: NDArray[np.bool_], norm: float) -> float:
    """Return the weighted mean over the rows that are reached, its root for norm 2; NaN where none is."""
    if not reached.any():
        return float("nan")
    mean = float((powers * weight)[reached].sum() / weight[reached].sum())
    return mean if norm == 1 else float(np.sqrt(mean))


def remarks(reached: NDArray[np.bool_]) -> tuple[str, ...]:
    """Say where the kernel of no other row reaches a row."""
    if reached.all():
        return ()
    left_out = "rows that the kernel of no other row reaches are left out"
    return (left_out if reached.any() else "not defined: the kernel of no row reaches another",)
