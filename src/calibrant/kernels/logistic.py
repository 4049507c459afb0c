"""Logistic maps of each class's log-odds, one class against the rest: the sums of a fit, and the maps themselves.

The log-odds are s = log p - log(1 - p), with p and 1 - p at least ``floor`` > 0; 1 - p of a large p is the sum of
the other probabilities where the scores are logits, so nothing is lost near 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calibrant.kernels import _native
from calibrant.kernels._arrays import Floats, Scores, log_floor
from calibrant.kernels._threads import thread_count


class LogisticSums(NamedTuple):
    """Sums over rows with a = slope s + intercept and sigma = 1 / (1 + exp(-a)), each (k,).

    ``softplus`` sum w log(1 + exp a) · ``mass`` sum w sigma · ``moment`` sum w sigma s · ``curvature`` (3, k)
    sum w sigma (1 - sigma) times s^2, s and 1.
    """

    softplus: Floats
    mass: Floats
    moment: Floats
    curvature: Floats


def logistic_pass(
    scores: Scores,
    slope: Floats,
    intercept: Floats,
    *,
    logits: bool,
    total: Floats | None = None,
    weights: Floats | None = None,
    floor: float,
    threads: int | None = None,
) -> LogisticSums:
    """Return the sums of k logistic fits on scores (n, k); ``slope`` and ``intercept`` (k,) float64.

    ``total`` (n,) is the log-sum-exp, needed for logits; ``weights`` (n,); ``floor`` must be positive.
    """
    planes = np.zeros((6, scores.shape[1]))
    normalizer = total if logits else None
    _native.logistic_pass(
        scores, slope, intercept, normalizer, weights, log_floor(floor), thread_count(threads), planes
    )
    return LogisticSums(planes[0], planes[1], planes[2], planes[3:])


def logistic_apply(
    scores: Scores,
    slope: Floats,
    intercept: Floats,
    *,
    logits: bool,
    total: Floats | None = None,
    floor: float,
    threads: int | None = None,
) -> Scores:
    """Return sigma (n, k) of every class, in the dtype of the scores; rows do not sum to 1."""
    out = np.empty_like(scores)
    normalizer = total if logits else None
    _native.logistic_apply(scores, slope, intercept, normalizer, log_floor(floor), thread_count(threads), out)
    return out
