"""Confidence calibration: P(label is the top class | confidence) must equal the confidence.

One pair a row: the largest probability, and whether the top class (first on ties) is the label. Called
top-label or confidence calibration; source: Guo et al. (2017), On calibration of modern neural networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics.notions.single import SingleColumn, bin_pairs
from calibrant.metrics.relabelling import Relabellings
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

    def relabelled_outcomes(self, drawn: Relabellings) -> Floats:
        """Return whether the top class is each of the labels (R, n)."""
        return drawn.correct
