"""Isotonic regression of every class against the rest, and the scores of all classes together in narrow cells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.kernels import _native
from calibrant.kernels._arrays import Floats, Ints, Scores
from calibrant.kernels._threads import thread_count

_NO_LABELS = np.empty(0, np.int64)


class IsotonicKnots(NamedTuple):
    """Curves of all classes: class c has the knots ``offsets[c]:offsets[c + 1]``.

    ``centres`` are the mean scores of the blocks, rising within each class, ``levels`` their smoothed values.
    """

    offsets: Ints
    centres: Floats
    levels: Floats


class ScoreCells(NamedTuple):
    """Sums over the scores of all classes that agree in ten binary digits, cells in the order of the scores.

    ``weight`` of the scores · ``outcome`` weight of the labels · ``smaller`` sum of the smaller of p and 1 - p ·
    ``low`` whether that is p.
    """

    weight: Floats
    outcome: Floats
    smaller: Floats
    low: NDArray[np.bool_]


def isotonic_knots(
    probabilities: Scores,
    labels: Ints | None,
    *,
    soft: Floats | None = None,
    weights: Floats | None = None,
    smoothing: float,
    odds: bool,
    threads: int | None = None,
) -> IsotonicKnots:
    """Return the isotonic regression of each class's labels on its log-odds, one knot a block.

    Parameters
    ----------
    probabilities : (n, k). 1 - p of a p above 1023 / 1024 is the sum of the others.
    labels : (n,) classes; None where ``soft`` (n, k) tells.
    weights : (n,) positive, or None for ones.
    smoothing : pseudo-rows at the mean score of each block; levels that then fall again share one value.
    odds : whether centres and levels are log-odds, or probabilities.
    """
    counts = np.empty(probabilities.shape[1], np.int64)
    hard = _NO_LABELS if labels is None or soft is not None else labels
    centres, levels = _native.isotonic_knots(
        probabilities, weights, hard, soft, smoothing, odds, thread_count(threads), counts
    )
    return IsotonicKnots(np.concatenate([[0], np.cumsum(counts)]), centres, levels)


def score_cells(
    probabilities: Scores,
    labels: Ints | None,
    *,
    soft: Floats | None = None,
    weights: Floats | None = None,
    threads: int | None = None,
) -> ScoreCells:
    """Return the sums over cells (cells,), empty ones left out; arguments are as in `isotonic_knots`."""
    planes = np.zeros((3, _native.SCORE_CELLS))
    hard = _NO_LABELS if labels is None or soft is not None else labels
    _native.score_cells(probabilities, weights, hard, soft, thread_count(threads), planes)
    used = np.flatnonzero(planes[0])
    weight, outcome, smaller = planes[:, used]
    return ScoreCells(weight, outcome, smaller, used <= _native.SCORE_CELLS // 2)
