"""Cumulative differences: how far the outcomes run ahead of, or behind, the confidence, row by row in its order.

At the i-th of n rows in the order of their confidence c, the curve is sum_{j<=i} (correct_j - c_j) / n. Where it falls
the classifier is over-confident there, and its slope is by how much; no bins are chosen. Its largest distance from
zero is the Kolmogorov-Smirnov calibration error (Gupta et al., 2021), its range the Kuiper error (Arrieta-Ibarra et
al., 2022, Metrics of calibration for probabilistic predictions).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.plot import bands, groups
from calibrant.plot.groups import Groups
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
_POINTS = 1000  # of the curve as drawn: finer than a screen shows


@dataclass(frozen=True, eq=False, kw_only=True)
class CumulativeDiagram:
    """The curve of cumulative differences over the rows in the order of their confidence.

    Attributes
    ----------
    shares, scores, differences : (m,) share of the weight up to here, confidence here, and the curve; the first point
        is (0, least confidence, 0).
    bound, level : with probability ``level`` the whole curve of a calibrated model stays within ``bound`` of zero; NaN
        for soft labels.
    largest, span : largest distance from zero, with its sign, and highest minus lowest value; over all rows.
    at : index of the point with the largest distance.
    n : rows of positive weight.
    """

    shares: Floats
    scores: Floats
    differences: Floats
    bound: float
    level: float
    largest: float
    span: float
    at: int
    n: int

    @property
    def banded(self) -> bool:
        """Whether there is a band."""
        return not np.isnan(self.bound)


def prepare(
    predictions: Predictions, *, level: float = 0.95, replicates: int = 500, seed: int = 0
) -> CumulativeDiagram:
    """Return the curve of cumulative differences of (confidence, correct) with a band for the whole curve.

    Parameters
    ----------
    predictions : labelled rows.
    level, replicates, seed : of the band, from outcomes redrawn from the scores in at most 4,096 groups.

    Raises
    ------
    DataError : without labels.
    """
    bands.check(predictions, level, replicates)
    pairs, column = groups.of_confidence(predictions)
    curve = np.append(0.0, np.cumsum(column.residuals))  # (m + 1,)
    shown = _shown(curve)
    return CumulativeDiagram(
        shares=np.append(0.0, np.cumsum(column.shares))[shown],
        scores=np.append(column.scores[0], column.scores)[shown],
        differences=curve[shown],
        bound=_bound(pairs, level, replicates, seed) if bands.known(predictions) else np.nan,
        level=level,
        largest=float(curve[np.abs(curve).argmax()]),
        span=float(curve.max() - curve.min()),
        at=int(np.abs(curve[shown]).argmax()),
        n=pairs.rows,
    )


def _bound(pairs: Groups, level: float, replicates: int, seed: int) -> float:
    """Return the quantile of the largest distance from zero of redrawn curves."""
    drawn = [
        np.abs(np.cumsum(pairs.shares * (rates - pairs.scores))).max() for rates in pairs.redrawn(replicates, seed)
    ]
    return float(np.quantile(drawn, level))


def _shown(curve: Floats) -> NDArray[np.int64]:
    """Return the indices of the points to draw: evenly spaced ones, the ends, the highest and the lowest."""
    even = np.linspace(0, len(curve) - 1, min(len(curve), _POINTS)).astype(np.int64)
    return np.unique(np.append(even, [curve.argmax(), curve.argmin()]))
