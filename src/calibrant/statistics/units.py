"""Independent units behind rows, and paired differences of losses with their standard error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.predictions import Predictions

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Units:
    """The independent units behind rows: ``share`` (n,) of each row, summing to 1, and the ``unit`` (n,) it is in.

    Rows that share an id are one unit.
    """

    share: Floats
    unit: NDArray[np.int64]

    @classmethod
    def of(cls, predictions: Predictions) -> Units:
        """Return the units of the rows of a batch."""
        unit = np.unique(predictions.row_keys, return_inverse=True)[1]
        return cls(predictions.row_weights / predictions.row_weights.sum(), unit)

    def mean(self, values: Floats) -> float:
        """Return the weighted mean of values (n,), which may be infinite; a row without weight does not count."""
        return float((self.share * np.where(self.share > 0, values, 0.0)).sum())

    def standard_error(self, values: Floats, mean: float) -> float:
        """Return the standard error of the weighted mean over independent units, NaN for a single one."""
        concentration = float((np.bincount(self.unit, self.share) ** 2).sum())
        if self.unit.max() == 0 or concentration >= 1:
            return math.nan
        residuals = np.bincount(self.unit, self.share * (values - mean))
        return math.sqrt(float((residuals**2).sum()) / (1 - concentration))


def paired_gain(before: Floats, after: Floats, units: Units) -> tuple[float, float]:
    """Return the weighted mean of before - after over rows (n,) and its standard error.

    The error is that of a weighted mean over independent units. Where a loss is infinite before and finite after the
    gain is infinite, the other way round it is -inf, and the error is NaN; both are NaN where it goes both ways.
    """
    with np.errstate(invalid="ignore"):
        difference = np.where((before == after) | (units.share == 0), 0.0, before - after)
        mean = units.mean(difference)
    return mean, units.standard_error(difference, mean) if math.isfinite(mean) else math.nan
