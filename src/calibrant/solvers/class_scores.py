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
# What exp and log add to p, relative to it: |log p| ulps, at most 8e-14.
ROUNDING = 1e-12


def class_scores(batch: Predictions, function: Callable[[Floats], Floats]) -> Floats:
    """Return the scores (k, n) that a function of log-probabilities (b, k) gives, row by row; of no exact zeros."""
    n, k = batch.scores.shape
    out, step = np.empty((k, n)), max(1, _BLOCK // k)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        out[:, rows] = function(log_probabilities(batch, rows)).T
    return out


def mass_edges(p: Floats, weights: Floats, bins: int) -> Floats:
    """Return the inner edges (bins - 1,) of bins of equal weight, just above a score, so that ties are never split.

    Where ties leave fewer bins, the last edges are infinite. Edges are so little higher than a score (`ROUNDING`, or
    half way to the next one) that it stays below them however it is computed, and so do others that are the same.
    """
    order = np.argsort(p)
    ranked, reached = p[order], np.cumsum(weights[order])
    targets = np.arange(1, bins) / bins * reached[-1] * (1 - _REACHED)
    same = ranked[np.searchsorted(reached, targets)] * (1 + ROUNDING)
    above = np.unique(np.searchsorted(ranked, same, "right"))
    above = above[above < len(p)]  # nothing lies above the largest score
    edges = np.minimum(ranked[above - 1] * (1 + ROUNDING), (ranked[above - 1] + ranked[above]) / 2)
    return np.append(edges, np.full(bins - 1 - len(edges), np.inf))
