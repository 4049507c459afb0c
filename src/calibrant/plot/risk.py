"""Errors in counts: how many rows of each bin of the confidence are wrong, and how many should be.

If the confidences are right, the errors of a bin are independent and occur with one minus the confidence; their
number then has the Poisson-binomial distribution, whose central quantiles are the band.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.plot import reliability
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class RiskDiagram:
    """Errors expected and observed in bins of the confidence; all columns (B,), zero in empty bins.

    Attributes
    ----------
    edges : (B+1,) of the bins.
    mean_scores : mean confidence.
    rows : rows of positive weight.
    expected, observed : number of errors; of weighted rows their share of errors times the rows.
    low, high, level : where the number lies, with probability ``level``, if the confidences are right; NaN for
        soft labels.
    beyond : which bins lie outside their band.
    n : rows of positive weight.
    """

    edges: Floats
    mean_scores: Floats
    rows: NDArray[np.int64]
    expected: Floats
    observed: Floats
    low: Floats
    high: Floats
    beyond: NDArray[np.bool_]
    level: float
    n: int

    @property
    def banded(self) -> bool:
        """Whether there is a band."""
        return not np.isnan(self.low).any()


def prepare(predictions: Predictions, *, bins: int = 15, level: float = 0.95) -> RiskDiagram:
    """Return expected and observed errors in equal-width bins of the confidence, those of the measure ``ece``.

    Parameters
    ----------
    predictions : labelled rows.
    bins : number of bins on [0, 1].
    level : of the band.

    Raises
    ------
    DataError : without labels.
    """
    told = reliability.prepare(predictions, bins=bins, level=level)
    rows = np.asarray(told.rows, dtype=np.float64)
    return RiskDiagram(
        edges=told.edges,
        mean_scores=told.mean_scores,
        rows=told.rows,
        expected=rows * (1 - told.mean_scores),
        observed=rows * (1 - told.outcome_rates),
        low=rows * (1 - told.high),
        high=rows * (1 - told.low),
        beyond=told.beyond,
        level=level,
        n=told.n,
    )
