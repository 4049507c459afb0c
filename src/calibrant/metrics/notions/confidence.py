"""Confidence calibration: P(label is the top class | confidence) must equal the confidence.

One pair a row: the largest probability, and whether the top class (first on ties) is the label. Called
top-label or confidence calibration; source: Guo et al. (2017), On calibration of modern neural networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from calibrant.metrics.notions.single import SingleColumn, bin_pairs
from calibrant.metrics.relabelling import Relabellings
from calibrant.metrics.row_blocks import slices
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.scoring import ZeroOne

__all__ = ["Confidence", "bin_pairs"]

Floats = NDArray[np.float64]


@register("notion", "confidence", reference="guo2017")
@dataclass(frozen=True)
class Confidence(SingleColumn):
    """The largest probability against whether its class is the label."""

    def scores(self, predictions: Predictions) -> Floats:
        """Return the confidence of each row."""
        return predictions.summary.confidence

    def outcome(self, predictions: Predictions) -> Floats:
        """Return whether the top class is the label."""
        return ZeroOne().rows(predictions)

    def log_remainder(self, predictions: Predictions, rows: NDArray[np.int64]) -> Floats:
        """Return the log of the sum of all probabilities but the largest, of some rows (m,)."""
        logs = np.empty(len(rows))
        for some in slices(len(rows), predictions.k):
            logs[some] = _log_rest(predictions, rows[some])
        return logs

    def relabelled_outcomes(self, drawn: Relabellings) -> Floats:
        """Return whether the top class is each of the labels (R, n)."""
        return drawn.correct


def _log_rest(predictions: Predictions, rows: NDArray[np.int64]) -> Floats:
    scores, top = predictions.scores[rows].astype(np.float64), predictions.summary.top[rows]
    if predictions.logits:
        scores -= predictions.summary.total[rows, None]
    else:
        with np.errstate(divide="ignore"):
            np.log(scores, out=scores)
    scores[np.arange(len(rows)), top] = -np.inf
    logs: Floats = scipy.special.logsumexp(scores, axis=1)
    return logs
