"""Zero-one score: 1 where the label is the top class; its mean is the accuracy. Larger is better.

Ties go to the first class; a soft label counts with its mass on the top class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.predictions import Predictions
from calibrant.scoring.base import RowScore, label_column


@dataclass(frozen=True)
class ZeroOne(RowScore):
    """Whether the label is the top class."""

    def of_summary(self, predictions: Predictions) -> NDArray[np.float64]:
        """Return 1 where the label is the top class (n,)."""
        return label_column(predictions.summary.correct)
