"""Bins of one column of scores for measures of all rows: of equal width, or of equal mass with ties together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_ROUNDING = 1e-12  # of cumulative shares, so that scaling all weights moves no row


def width_bins(scores: Floats, count: int) -> Ints:
    """Return the right-closed bin of each score of [0, 1] (...) among ``count`` of equal width; 0 is in the first."""
    edges = np.linspace(0.0, 1.0, count + 1)
    return np.clip(np.searchsorted(edges, scores, side="left") - 1, 0, count - 1)


def mass_bins(scores: Floats, weights: Floats, count: int) -> Ints:
    """Return the bin of each score (m,) among at most ``count`` that hold equal weight as far as ties allow.

    A bin ends at the score at which the weight of all scores up to it first reaches its share; equal scores are never
    split, so that each score is in one bin, and some bins may be empty.
    """
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    cuts = np.searchsorted(reached, np.arange(1, count) / count - _ROUNDING)
    ends = scores[order][np.minimum(cuts, len(scores) - 1)]  # (count - 1,) rising
    return np.asarray(np.searchsorted(ends, scores, side="left"), dtype=np.int64)
