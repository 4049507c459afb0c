"""Class frequencies of the largest likelihood: the maximum over the simplex of sum_i w_i log(L_i . pi).

It is concave. Steps of expectation-maximisation, pi_c <- sum_i w_i L_ic pi_c / (L_i . pi), climb without fail and
slow down near the top, above all for classes that look alike; steps of Newton, each a quadratic programme with pi >= 0,
end the climb. With D_c = sum_i w_i L_ic / (L_i . pi), no more than max D - 1 is left to gain: a certificate.
Source: Saerens, Latinne and Decaestecker 2002 for the steps of expectation-maximisation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CERTIFIED = 1e-10  # nats a row that may be left
CLIMBS = 20
MOST_NEWTON, MOST_CLIMBS = 100, 20_000
MOST_DENSE = 2048  # classes for which a step of Newton, O(n k^2 + k^3), is cheaper than thousands of the others
RIDGE = 1e-13  # of the largest curvature: keeps directions that change no likelihood from wandering
SUFFICIENT = 1e-4
SHORTEST = 1e-10


class Frequencies(NamedTuple):
    """The frequencies (k,), the steps that were taken, and the gain in nats a row that may be left."""

    values: Floats
    steps: int
    gap: float

    @property
    def converged(self) -> bool:
        """Whether what is left is within ``CERTIFIED``."""
        return self.gap <= CERTIFIED


def likeliest_frequencies(likelihoods: Floats, weights: Floats, start: Floats) -> Frequencies:
    """Return the maximum for ``likelihoods`` (n, k), ``weights`` (n,) that sum to 1, from a ``start`` (k,).

    A class whose start is 0 keeps 0; every row must have a positive likelihood under the start.
    """
    pi = climbed(likelihoods, weights, start, CLIMBS)
    dense = int((start > 0).sum()) <= MOST_DENSE
    most = MOST_NEWTON if dense else MOST_CLIMBS
    for step in range(most):
        slopes = _slopes(likelihoods, weights, pi)
        gap = float(slopes[start > 0].max() - 1)
        if gap <= CERTIFIED:
            return Frequencies(pi, CLIMBS + step, gap)
        pi = _newton(likelihoods, weights, pi, slopes, start > 0) if dense else pi * slopes
    return Frequencies(pi, CLIMBS + most, gap)


def climbed(likelihoods: Floats, weights: Floats, pi: Floats, steps: int) -> Floats:
    """Return the frequencies after some steps of expectation-maximisation."""
    for _ in range(steps):
        pi = pi * _slopes(likelihoods, weights, pi)
    return np.asarray(pi / pi.sum())


def log_likelihood(likelihoods: Floats, weights: Floats, pi: Floats) -> float:
    """Return sum_i w_i log(L_i . pi)."""
    with np.errstate(divide="ignore"):  # a trial step may rule out a row
        return float(weights @ np.log(likelihoods @ pi))


def _slopes(likelihoods: Floats, weights: Floats, pi: Floats) -> Floats:
    slopes: Floats = (weights / (likelihoods @ pi)) @ likelihoods
    return slopes


def _newton(likelihoods: Floats, weights: Floats, pi: Floats, slopes: Floats, free: NDArray[np.bool_]) -> Floats:
    """Return the frequencies after one step: the maximum over pi >= 0 of the quadratic model, approached halvingly.

    Of sum_i w_i log(L_i . pi) - sum_c pi_c, whose maximum has sum 1 by itself: with H its curvature, H pi = D, the
    model at y is - y' H y / 2 + (2 D - 1)' y, a problem of least squares with y >= 0.
    """
    shares = likelihoods[:, free] * (np.sqrt(weights) / (likelihoods @ pi))[:, None]  # (n, f)
    curvature = shares.T @ shares
    curvature[np.diag_indices(len(curvature))] += RIDGE * curvature.diagonal().max()
    root = scipy.linalg.cholesky(curvature)
    linear = 2 * slopes[free] - 1 + RIDGE * curvature.diagonal().max() * pi[free]
    target = scipy.linalg.solve_triangular(root, linear, trans="T")
    move = np.zeros_like(pi)
    move[free] = scipy.optimize.nnls(root, target)[0] - pi[free]
    slope, here = float((slopes - 1) @ move), log_likelihood(likelihoods, weights, pi) - pi.sum()
    share = 1.0
    while share > SHORTEST:
        there = pi + share * move
        if log_likelihood(likelihoods, weights, there) - there.sum() >= here + SUFFICIENT * share * slope:
            return np.asarray(there / there.sum())
        share /= 2
    return climbed(likelihoods, weights, pi, 1)  # rounding alone is left, or nearly
