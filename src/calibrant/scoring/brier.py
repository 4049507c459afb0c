"""Brier score: the sum over classes of (p_c - 1{y = c})^2, in [0, 2].

Strictly proper. Expanding the square gives 1 + sum p^2 - 2 p_y, which needs no second read of the scores; a soft
label is the expectation over the label. Some packages report half of it (binary) or divide by k.
Source: Brier (1950), Verification of forecasts expressed in terms of probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.predictions import Predictions
from calibrant.scoring.base import RowScore, label_column


@dataclass(frozen=True)
class BrierScore(RowScore):
    """Sum over classes of the squared difference between probability and label."""

    def of_summary(self, predictions: Predictions) -> NDArray[np.float64]:
        """Return 1 + sum p^2 - 2 p_y of each row (n,)."""
        summary = predictions.summary
        expanded = 1.0 + summary.sum_of_squares - 2.0 * label_column(summary.label_probability)
        return np.maximum(expanded, 0.0)  # the expansion rounds to -1e-16 on a perfect row
