"""Calibration within each predicted class of each group: top-label calibration, held in every given group.

One column for each pair (group, predicted class) that occurs; the mean over columns is weighed by their rows. It
asks P(label is c | confidence, c is predicted, group) to equal the confidence: the finest partition that this package
offers, with the fewest rows in each part, so compare it with its null level. Source: Gupta and Ramdas (2022) for
predicted classes, Hebert-Johnson et al. (2018) for groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibrant.metrics.notions.partition import Partition, Parts, given_groups
from calibrant.predictions import Predictions
from calibrant.registry import register

_PLANNED = 16  # groups that memory is planned for


@register("notion", "predicted_group", reference="gupta2022")
@dataclass(frozen=True)
class PredictedGroup(Partition):
    """The confidence against correctness, apart for each predicted class in each given group."""

    over = "groups and predicted classes"

    def columns(self, k: int) -> int:
        """Return a guess: the pairs that occur are known only after all rows were seen."""
        return _PLANNED * k

    def parts(self, predictions: Predictions) -> Parts:
        """Return the pair (group, predicted class) of each row."""
        groups, group = np.unique(given_groups(predictions), return_inverse=True)
        cells, column = np.unique(group * predictions.k + predictions.summary.top, return_inverse=True)
        names = groups.tolist()
        keys = tuple((names[cell // predictions.k], cell % predictions.k) for cell in cells.tolist())
        return Parts(keys, column.astype(np.int64))
