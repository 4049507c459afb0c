"""Ranked probability score: the sum over cut points of (P(class <= j) - 1{y <= j})^2, for ordered classes.

Strictly proper; it forgives a near miss. There are k - 1 cut points; ``normalized`` divides by their number, so that
the score lies in [0, 1] (Epstein, 1969, in the form of Murphy, 1971); without, it is the sum that verification
packages give. For k = 2 both are half of the Brier score. A soft label is the expectation over the label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.predictions import Predictions
from calibrant.scoring.base import RowScore

Floats = NDArray[np.float64]
_BLOCK = 1 << 16  # entries of a block: a temporary of half a megabyte stays in a cache


@dataclass(frozen=True)
class RankedProbabilityScore(RowScore):
    """Squared differences of cumulative probabilities and labels, over the cut points between ordered classes."""

    normalized: bool = True

    def of_summary(self, predictions: Predictions) -> Floats:
        """Return the score of each row (n,): a second read of the scores."""
        cuts = predictions.k - 1 if self.normalized else 1
        return (_soft(predictions) if predictions.soft else _hard(predictions)) / cuts


def _hard(predictions: Predictions) -> Floats:
    total, logits = predictions.summary.total, predictions.logits
    return kernels.ranked_rows(predictions.scores, predictions.hard_labels, logits=logits, total=total)


def _soft(predictions: Predictions) -> Floats:
    """Return the expectation over the label of each row (n,), in blocks of rows."""
    n, k = predictions.scores.shape
    step, out = max(1, _BLOCK // k), np.empty(n)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        below = _below(predictions, rows)
        label_below = np.cumsum(predictions.labels[rows, :-1], axis=1)  # type: ignore[index]
        out[rows] = ((below - label_below) ** 2 + label_below * (1 - label_below)).sum(1)
    return out


def _below(predictions: Predictions, rows: slice) -> Floats:
    """Return the probability of the classes up to each cut point (m, k - 1)."""
    scores = predictions.scores[rows, :-1]
    if predictions.logits:
        scores = np.exp(scores - predictions.summary.total[rows, None])
    below = np.cumsum(scores, axis=1, dtype=np.float64)
    return np.minimum(below, 1.0, out=below)  # sums of probabilities may round above 1
