"""Consistency bands: what the bins of a perfectly calibrated model with the same scores show.

Labels are redrawn from the predicted probabilities (Broecker and Smith, 2007), which keeps the scores, and so the
bins, as they are.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import require
from calibrant.evaluation import resampling
from calibrant.metrics import CalibrationError
from calibrant.predictions import Predictions
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]


def check(predictions: Predictions, level: float, replicates: int) -> None:
    """Raise ``DataError`` without labels, or for a level or a number of replicates that makes no band."""
    require(predictions.labels is not None, "predictions", "have labels to be drawn", way_out="pass labels=")
    require(0 < level < 1, "level", "lie between 0 and 1", level)
    require(replicates >= 1, "replicates", "be at least 1", replicates)


def redrawn(metric: CalibrationError, predictions: Predictions, *, replicates: int, seed: int) -> Iterator[BinSums]:
    """Yield the bin sums of each redraw of the labels."""
    for sums in resampling.null({0: metric}, predictions, replicates=replicates, seed=seed):
        yield metric.final(sums[0])


def band(rates: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the central quantiles (...,) at a level of replicates (R, ...)."""
    low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf")
    return low, high
