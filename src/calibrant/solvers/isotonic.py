"""Isotonic regression on log-odds: what counts as log-odds, and the one curve of all classes together.

The log-odds are log p - log(1 - p); where p is above 1023 / 1024 the sum of the other classes stands for 1 - p, of
which rounding would leave too little. Below, equal probabilities are ties, and p alone tells.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.formulas import TINY, Ops
from calibrant.predictions import Predictions
from calibrant.solvers.columns import effective_weights

Floats = NDArray[np.float64]
Scores = NDArray[np.floating]

NEAR_ONE = 1 - 2.0**-10
# Blocks whose values differ by less have the same value up to the rounding of their sums, and are one block.
_SAME = 1e-9
# Log-odds that are this near are ties: what comes out of a softmax carries the rounding of a few operations.
_TIES = {np.dtype(np.float32): 4 * 2.0**-23, np.dtype(np.float64): 2.0**-39}
# Up to so many scores each of them counts; of more, those that agree in ten binary digits are one.
_EACH = 1 << 20


class Groups(NamedTuple):
    """Groups of equal scores in rising order (groups,): weight, label mass, and means of p, 1 - p and log-odds."""

    mass: Floats
    outcome: Floats
    p: Floats
    rest: Floats
    odds: Floats


class Curve(NamedTuple):
    """A rising curve through ``levels`` (knots,) at ``centres`` (knots,), both log-odds."""

    centres: Floats
    levels: Floats


def log_odds(ops: Ops, log_p: Any) -> Any:
    """Return the log-odds (n, k) of log-probabilities (n, k)."""
    p, one = ops.exp(log_p), ops.constant(1.0)
    others = ops.sum(p * (one - ops.top(log_p)))
    rest = ops.where(ops.constant(NEAR_ONE) < p, others, one - p)
    return log_p - ops.log(ops.maximum(rest, ops.constant(TINY)))


def outcomes_of(predictions: Predictions) -> dict[str, Any]:
    """Return the labels and effective weights of a batch as the kernels take them."""
    soft = np.ascontiguousarray(predictions.labels, dtype=np.float64) if predictions.soft else None
    return {
        "labels": None if predictions.soft else predictions.hard_labels,
        "soft": soft,
        "weights": None if predictions.weights is None else effective_weights(predictions),
    }


def pooled_groups(predictions: Predictions) -> Groups:
    """Return the groups of the scores of all classes of a batch without exact zeros, as outcomes of their classes."""
    if predictions.scores.size <= _EACH:
        return _groups_of_each(predictions)
    cells = kernels.score_cells(predictions.probabilities, **outcomes_of(predictions))
    smaller = cells.smaller / cells.weight
    p, rest = np.where(cells.low, smaller, 1 - smaller), np.where(cells.low, 1 - smaller, smaller)
    return Groups(cells.weight, cells.outcome, p, rest, np.log(p / rest))


def _groups_of_each(predictions: Predictions) -> Groups:
    k = predictions.k
    probabilities = predictions.probabilities.astype(np.float64)
    weights = np.repeat(effective_weights(predictions), k)
    labels = predictions.labels if predictions.soft else np.eye(k)[predictions.hard_labels]
    p, rest = probabilities.ravel(), _rest(probabilities).ravel()
    p = np.maximum(p, TINY)
    odds = np.log(p / rest)
    order = np.argsort(odds)
    first = np.flatnonzero(np.diff(odds[order], prepend=-np.inf) > _TIES[predictions.scores.dtype])
    assert labels is not None
    mass = np.add.reduceat(weights[order], first)
    columns = (labels.ravel(), p, rest, odds)
    outcome, *means = (np.add.reduceat((weights * column)[order], first) for column in columns)
    return Groups(mass, outcome, *(mean / mass for mean in means))


def _rest(probabilities: Floats) -> Floats:
    """Return 1 - p (n, k)."""
    rest = 1 - probabilities
    rows, tops = np.nonzero(probabilities > NEAR_ONE)
    near = probabilities[rows]  # (rows, k)
    near[np.arange(len(rows)), tops] = 0.0
    rest[rows, tops] = np.maximum(near.sum(1), TINY)
    return rest


def rising_curve(groups: Groups, smoothing: float) -> Curve:
    """Return the isotonic regression of the outcomes, one knot a block, with pseudo-rows at each block's mean score."""
    mass, outcome = groups.mass, groups.outcome
    level = scipy.optimize.isotonic_regression(outcome / mass, weights=mass).x
    first = np.flatnonzero(np.diff(level, prepend=-1.0) > _SAME)  # the first group of each block
    total = np.add.reduceat(mass, first)
    sums = [np.add.reduceat(mass * column, first) for column in (groups.p, groups.rest, groups.odds)]
    inside, outside = (np.add.reduceat(column, first) for column in (outcome, np.maximum(mass - outcome, 0.0)))
    p, rest, centres = np.stack(sums) / total
    inside, outside, total = inside + smoothing * p, outside + smoothing * rest, total + smoothing
    rising = scipy.optimize.isotonic_regression(inside / total, weights=total).x  # small blocks are smoothed more
    falling = scipy.optimize.isotonic_regression(outside / total, weights=total, increasing=False).x
    return Curve(centres, np.log(rising) - np.log(falling))
