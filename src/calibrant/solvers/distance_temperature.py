"""A temperature that grows with a distance: T_i = T (1 + v r_i), r >= 0, v >= 0, of the smallest log loss.

The ridge, in pseudo-rows, holds log T and v at their start, the temperature of all rows and 0. The loss is convex in
each 1 / T_i, not in the two numbers: the answer is never worse than the start.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from calibrant.solvers.rows import FitRows

Floats = NDArray[np.float64]

_MOST = 20.0  # of v, and of the change of log T


class Found(NamedTuple):
    """1 / T at r = 0, the growth v, whether the search ended by itself, and its steps."""

    beta: float
    growth: float
    converged: bool
    steps: int


def distance_temperature(rows: FitRows, beta: float, distances: Floats, ridge: float) -> Found:
    """Return the best numbers for distances r (n,); ``beta`` is that of all rows."""

    def loss(x: Floats) -> tuple[float, Floats]:
        grown = 1 + x[1] * distances
        value, slopes = _loss(rows, beta * np.exp(-x[0]) / grown)
        gradient = -np.array([slopes.sum(), slopes @ (distances / grown)])
        return value + ridge / 2 * float(x @ x), gradient + ridge * x

    bounds = [(-_MOST, _MOST), (0.0, _MOST)]
    options = {"ftol": 1e-14, "gtol": 1e-9}
    found = scipy.optimize.minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return Found(beta * float(np.exp(-found.x[0])), float(found.x[1]), bool(found.success), int(found.nfev))


def _loss(rows: FitRows, betas: Floats) -> tuple[float, Floats]:
    """Return the log loss, and of each row (n,) its derivative in log beta, times its weight."""
    value, slopes = 0.0, np.empty(len(betas))
    for block in rows.slices():
        b, w, u = betas[block], rows.weights[block], rows.log_probabilities(block)
        own = rows.at_label(u, block)
        top = u.max(1)
        shifted = np.exp(b[:, None] * (u - top[:, None]))
        sums = shifted.sum(1)
        value += float(w @ (np.log(sums) + b * (top - own)))
        slopes[block] = w * b * ((shifted * u).sum(1) / sums - own)
    return value, slopes
