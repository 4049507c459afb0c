"""Weights of a linear pool of forecasts: the mixture that gives the observed labels the largest likelihood.

With p_im the probability that member m gave to what row i showed, sum_i w_i log(sum_m a_m p_im) is concave in the
weights a. Pseudo-rows, c for each member, on which only that member was right add c log a_m and hold the weights off 0.
Without the condition sum a = 1 but with (sum w + c M) sum a subtracted the maximum fulfils it by itself, since the rest
is homogeneous; so plain Newton steps inside a > 0 find what the EM algorithm does, in some twenty steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS = 100
_CERTIFIED = 1e-10  # of the pseudo-rows and rows: the predicted gain that is left, in nats a row
_INSIDE = 0.95  # share of the way to the border that a step may take
_SUFFICIENT = 1e-4


def pool_weights(log_p: Floats, weights: Floats, pseudo_rows: float) -> Floats:
    """Return the weights (m,) of members from their log-probabilities of the labels (n, m).

    ``weights`` (n,) count rows; ``pseudo_rows`` > 0 are spread evenly over the members.
    """
    members = log_p.shape[1]
    top = log_p.max(1, keepdims=True)
    with np.errstate(invalid="ignore"):  # a row that nobody thought possible tells no member from another
        p = np.where(np.isneginf(top), 1.0, np.exp(log_p - top))  # only ratios within a row matter
    count, total = pseudo_rows / members, weights.sum() + pseudo_rows

    def value(a: Floats) -> float:
        return float(weights @ np.log(p @ a) + count * np.log(a).sum() - total * a.sum())

    a = np.full(members, 1 / members)
    for _ in range(_STEPS):
        step, gain = _newton(p, weights, a, count, total)
        if gain <= _CERTIFIED * total:
            break
        share = min(1.0, _INSIDE / max(float((-step / a).max()), 1e-300))
        now = value(a)
        while value(a + share * step) < now + _SUFFICIENT * share * gain and share > 1e-9:
            share /= 2
        a = a + share * step
    return np.asarray(a / a.sum())


def _newton(p: Floats, weights: Floats, a: Floats, count: float, total: float) -> tuple[Floats, float]:
    """Return the Newton step (m,) and the slope of the value along it."""
    mixture = p @ a
    gradient = p.T @ (weights / mixture) + count / a - total
    curvature = (p * (weights / mixture**2)[:, None]).T @ p
    curvature[np.diag_indices(len(a))] += count / a**2
    step: Floats = np.linalg.solve(curvature, gradient).astype(np.float64, copy=False)
    return step, float(gradient @ step)


def pooled(log_p: Floats, a: Floats) -> Floats:
    """Return the log of the pool's probability of each label (n,), from those of the members (n, m)."""
    top = log_p.max(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.isneginf(top), -np.inf, np.log(np.exp(log_p - top[:, None]) @ a) + top)
