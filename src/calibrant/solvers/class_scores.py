"""Scores of one class after the other, as the formulas of the maps see them; equal-mass bins of such a column.

Fits that look at single columns read them from here: what they learn is then looked up where it was learnt.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from calibrant.predictions import Predictions
from calibrant.solvers.rows import log_probabilities

Floats = NDArray[np.float64]

_BLOCK = 1 << 17  # entries of the float64 temporaries: 1 MB each
# Cumulative weights within this share of a target count as having reached it: their sums carry rounding.
_REACHED = 1e-12
# exp(log p) is off from p by |log p| ulps, at most 8e-14 of it.
_ROUNDING = 1e-12


def class_scores(batch: Predictions, function: Callable[[Floats], Floats]) -> Floats:
    """Return the scores (k, n) that a function of log-probabilities (b, k) gives, row by row; of no exact zeros."""
    n, k = batch.scores.shape
    out, step = np.empty((k, n)), max(1, _BLOCK // k)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        out[:, rows] = function(log_probabilities(batch, rows)).T
    return out


def mass_edges(scores: Floats, weights: Floats, bins: int) -> Floats:
    """Return the inner edges (bins - 1,) of bins of equal weight, scores themselves, so that ties are never split.

    Where ties leave fewer bins, the last edges are infinite.
    """
    order = np.argsort(scores)
    reached = np.cumsum(weights[order])
    targets = np.arange(1, bins) / bins * reached[-1] * (1 - _REACHED)
    edges = np.unique(scores[order[np.searchsorted(reached, targets)]])
    edges = edges[edges < scores[order[-1]]]  # nothing lies above the largest score
    return np.append(edges, np.full(bins - 1 - len(edges), np.inf))


def raised(edges: Floats) -> Floats:
    """Return edges of probabilities so little higher that a score on one of them stays below it, however exp rounds."""
    higher: Floats = edges * (1 + _ROUNDING)
    return higher
