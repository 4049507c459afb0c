"""Log loss: minus the log-probability of the label, -log p_y, in nats.

Strictly proper; infinite where a class of probability zero occurs (nothing is clipped). For soft labels q it is
-sum_c q_c log p_c. Source: Good (1952), Rational decisions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.predictions import Predictions
from calibrant.scoring.base import RowScore, label_column


@dataclass(frozen=True)
class LogLoss(RowScore):
    """Minus the log-probability of the label, in nats."""

    def of_summary(self, predictions: Predictions) -> NDArray[np.float64]:
        """Return -log p_y of each row (n,)."""
        return -label_column(predictions.summary.label_log_probability)
