"""A log-linear pool of forecasts: logits z + sum_m x_m f_m of the smallest log loss, convex in x; Newton's method."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS = 50
_CERTIFIED = 1e-10  # predicted decrease left, in nats
_LEAST_SHARE = 2.0**-30


class Pooled(NamedTuple):
    """The numbers x (m,), their log loss without the ridge, and whether the optimum was certified."""

    numbers: Floats
    loss: float
    converged: bool


class _Point(NamedTuple):
    value: float
    loss: float
    gradient: Floats
    curvature: Floats


def log_pool(logits: Floats, features: Floats, labels: Floats, weights: Floats, ridge: float) -> Pooled:
    """Return the best x (m,), with ``ridge`` / 2 times its squared length.

    ``logits`` (n, k), ``features`` (m, n, k), ``labels`` (n, k) label mass, ``weights`` (n,) that sum to 1.
    """
    at_labels = np.einsum("nk,mnk->mn", labels, features)
    own = np.einsum("nk,nk->n", labels, logits)

    def at(x: Floats) -> _Point:
        z = logits + np.tensordot(x, features, 1)
        top = z.max(1)
        z = np.exp(z - top[:, None])
        sums = z.sum(1)
        p = z / sums[:, None]
        means = np.einsum("nk,mnk->mn", p, features)
        loss = float(weights @ (np.log(sums) + top - own - x @ at_labels))
        gradient = (means - at_labels) @ weights + ridge * x
        second = np.einsum("n,nk,ank,bnk->ab", weights, p, features, features, optimize=True)
        curvature = second - (means * weights) @ means.T + ridge * np.eye(len(x))
        return _Point(loss + 0.5 * ridge * float(x @ x), loss, gradient, curvature)

    x = np.zeros(len(features))
    here = at(x)
    for _ in range(_STEPS):
        step = -np.linalg.solve(here.curvature, here.gradient)
        slope = float(here.gradient @ step)
        if -slope / 2 <= _CERTIFIED:
            return Pooled(x, here.loss, True)
        share, there = 1.0, at(x + step)
        while not there.value <= here.value + 1e-4 * share * slope and share > _LEAST_SHARE:
            share /= 2
            there = at(x + share * step)
        x, here = x + share * step, there
    return Pooled(x, here.loss, False)
