"""Rows of scores into rows of probabilities or log-probabilities, in the dtype of the scores."""

from __future__ import annotations

import numpy as np

from calibrant.kernels import _native
from calibrant.kernels._arrays import Floats, Scores, log_floor
from calibrant.kernels._threads import thread_count


def log_softmax(scores: Scores, *, threads: int | None = None) -> Scores:
    """Return z - log-sum-exp(z) of each row of logits (n, k); -inf stays -inf."""
    out = np.empty_like(scores)
    _native.log_softmax(scores, thread_count(threads), out)
    return out


def softmax(scores: Scores, *, scale: float = 1.0, threads: int | None = None) -> Scores:
    """Return exp(scale z) / sum_c exp(scale z_c) of each row of logits (n, k), scale >= 0; a logit of -inf gives 0."""
    out = np.empty_like(scores)
    _native.softmax(scores, scale, thread_count(threads), out)
    return out


def log_probabilities(scores: Scores, *, floor: float, threads: int | None = None) -> Scores:
    """Return log(max(p, floor)) of probabilities (n, k); with floor 0 the log of 0 is -inf."""
    out = np.empty_like(scores)
    _native.log_probabilities(scores, log_floor(floor), thread_count(threads), out)
    return out


def affine_softmax(
    scores: Scores,
    scale: Floats,
    shift: Floats,
    *,
    logits: bool,
    total: Floats | None = None,
    floor: float,
    threads: int | None = None,
) -> Scores:
    """Return the softmax over classes of scale_c u_ic + shift_c (n, k), where u_ic = log(max(p_ic, floor)).

    ``scale`` and ``shift`` (k,) float64; ``total`` (n,) is the log-sum-exp, needed for logits. With floor 0 a class
    of probability 0 keeps it.
    """
    normalizer = total if logits else None
    return _affine(scores, scale, shift, normalizer, floor, True, threads)


def affine_logits(
    logits: Scores, scale: Floats, shift: Floats, *, total: Floats, floor: float, threads: int | None = None
) -> Scores:
    """Return scale_c u_ic + shift_c (n, k), where u_ic = max(z_ic - total_i, log floor); the floor is positive."""
    return _affine(logits, scale, shift, total, floor, False, threads)


def _affine(
    scores: Scores,
    scale: Floats,
    shift: Floats,
    normalizer: Floats | None,
    floor: float,
    normalized: bool,
    threads: int | None,
) -> Scores:
    out = np.empty_like(scores)
    _native.affine_rows(scores, scale, shift, normalizer, log_floor(floor), normalized, thread_count(threads), out)
    return out
