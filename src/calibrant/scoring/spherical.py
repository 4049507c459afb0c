"""Spherical score as a loss: 1 - p_y / ||p||, in [0, 1]; smaller is better.

Strictly proper. The literature's score is p_y / ||p||, larger is better; one minus it orders forecasts the same way. It
looks only at the direction of p, never at its sum, and is bounded, so that one bad row cannot decide it. A soft label
is the expectation over the label. Source: Gneiting and Raftery (2007), Strictly proper scoring rules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.predictions import Predictions
from calibrant.scoring.base import RowScore, label_column


@dataclass(frozen=True)
class SphericalScore(RowScore):
    """One minus the probability of the label over the Euclidean norm of the probabilities."""

    def of_summary(self, predictions: Predictions) -> NDArray[np.float64]:
        """Return 1 - p_y / ||p|| of each row (n,)."""
        summary = predictions.summary
        cosine = label_column(summary.label_probability) / np.sqrt(summary.sum_of_squares)
        return np.maximum(1.0 - cosine, 0.0)  # p / sqrt(p^2) may round above 1
