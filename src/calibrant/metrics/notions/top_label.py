"""Top-label calibration: P(label is c | c is predicted, confidence) must equal the confidence, for every class c.

One column for each class, which holds the rows that are predicted to be of it; the mean over columns is weighed by
their rows: TL-ECE = sum over c of P(top = c) E|P(label = c | confidence, top = c) - confidence|. Stronger than
confidence calibration, whose rows of all predicted classes share their bins. Source: Gupta and Ramdas (2022),
Top-label calibration and multiclass-to-binary reductions. Many packages say "top-label" for plain confidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibrant.metrics.notions.partition import Partition, Parts
from calibrant.predictions import Predictions
from calibrant.registry import register


@register("notion", "top_label", reference="gupta2022")
@dataclass(frozen=True)
class TopLabel(Partition):
    """The confidence against correctness, apart for each predicted class."""

    over = "predicted classes"

    def columns(self, k: int) -> int:
        """One column a class."""
        return k

    def parts(self, predictions: Predictions) -> Parts:
        """Return the predicted class of each row; a class that is never predicted keeps its column."""
        return Parts(tuple(range(predictions.k)), predictions.summary.top.astype(np.int64))
