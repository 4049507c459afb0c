"""The likeliest class against the rest: its share of each row, and rows with another confidence.

Classes that tie for the top share the row, so that the names of the classes do not matter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.formulas import NUMPY, TINY, Ops, normalized
from calibrant.predictions import Predictions
from calibrant.solvers.rows import log_probabilities

Floats = NDArray[np.float64]


def top_shares(ops: Ops, log_p: Any) -> Any:
    """Return 1 for the likeliest class of each row and 0 for the others (n, k); classes that tie have equal shares."""
    first = ops.where(log_p < ops.largest(log_p), ops.constant(0.0), ops.constant(1.0))
    return first / ops.sum(first)


def with_confidence(ops: Ops, log_p: Any, shares: Any, confidence: Any) -> Any:
    """Return rows whose top class has the ``confidence``, the others the rest in proportion to their scores (n, k).

    ``confidence`` (n, k) is read where ``shares``, of `top_shares`, are positive. Where classes tie, the rows of each
    of them as the only top are averaged.
    """
    p, one, least = ops.exp(log_p), ops.constant(1.0), ops.constant(TINY)
    others = ops.maximum(ops.sum(p * (one - ops.top(log_p))), least)  # (n, 1), 1 - p of any class at the top
    to_others = shares * (one - confidence) / others  # per unit of their score
    return normalized(ops, shares * confidence + p * (ops.sum(to_others) - to_others), p)


def top_outcome(batch: Predictions) -> tuple[Floats, Floats]:
    """Return how right the likeliest class is (n,), in part where several tie, and its probability (n,)."""
    log_p = log_probabilities(batch, slice(None))
    shares: Floats = top_shares(NUMPY, log_p)
    if batch.soft:
        assert batch.labels is not None
        right = (shares * batch.labels).sum(1)
    else:
        right = shares[np.arange(len(batch)), batch.hard_labels]
    return np.clip(right, 0.0, 1.0), np.exp(log_p.max(1))
