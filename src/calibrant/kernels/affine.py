"""The sums that a gradient and a diagonal preconditioner of vector scaling need, in one pass over the scores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calibrant.kernels import _native
from calibrant.kernels._arrays import Floats, Scores, log_floor
from calibrant.kernels._threads import thread_count


class AffineSums(NamedTuple):
    """Sums over rows with p = softmax(scale u + shift).

    ``log_normalizer`` sum w log-sum-exp · ``mass`` (k,) sum w p · ``moment`` (k,) sum w p u · ``curvature`` (3, k)
    sum w p (1 - p) times u^2, u and 1.
    """

    log_normalizer: float
    mass: Floats
    moment: Floats
    curvature: Floats


def affine_pass(
    scores: Scores,
    scale: Floats,
    shift: Floats,
    *,
    logits: bool,
    total: Floats | None = None,
    weights: Floats | None = None,
    floor: float,
    threads: int | None = None,
) -> AffineSums:
    """Return the sums of a softmax of scale_c u_ic + shift_c, where u_ic = log(max(p_ic, floor)), (n, k).

    ``scale`` and ``shift`` (k,) float64; ``total`` (n,) is the log-sum-exp, needed for logits. With floor 0 a class
    of probability 0 takes no part.
    """
    planes = np.zeros((5, scores.shape[1]))
    normalizer = total if logits else None
    log_normalizer = _native.affine_pass(
        scores, scale, shift, normalizer, weights, log_floor(floor), thread_count(threads), planes
    )
    return AffineSums(log_normalizer, planes[0], planes[1], planes[2:])
