"""What a per-row score is."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import require
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]


class RowScore(ABC):
    """A score of each row, computed from the `RowSummary`, or from the scores in blocks where it is not enough."""

    def rows(self, predictions: Predictions) -> Floats:
        """Return the score of each row (n,); ``DataError`` without labels."""
        require(predictions.labels is not None, "predictions", "have labels to be scored", way_out="pass labels=")
        return self.of_summary(predictions)

    @abstractmethod
    def of_summary(self, predictions: Predictions) -> Floats:
        """Return the score of each row (n,) of labelled predictions."""


def label_column(column: Floats | None) -> Floats:
    """Return a label column of the summary, which labelled predictions always have."""
    if column is None:
        raise AssertionError("a labelled batch has its label columns")
    return column
