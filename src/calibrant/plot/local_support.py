"""Calibration against local support: is the classifier as right where it has few rows around it as in the crowd?

Rows are cut into tenths by their effective number of neighbours. In each the gap is being right minus the confidence,
and the error the ECE of its confidence, in which gaps of sure and unsure rows do not cancel. The bands are those of
labels redrawn from the scores. Source of the question: Xiong et al. (2023), Proximity-informed calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics.local_choices import weighted_median
from calibrant.metrics.mass_bins import mass_bins
from calibrant.plot import surroundings
from calibrant.plot.surroundings import Surroundings
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_GROUPS, _BINS = 10, 5  # of support, and of the confidence in each


@dataclass(frozen=True, eq=False, kw_only=True)
class SupportDiagram:
    """Tenths of the rows by local support, the least first, (b,) each; fewer where many rows have the same.

    Attributes
    ----------
    support : median effective number of neighbours. rows : how many.
    confidence, accuracy, gaps : weighted means, and accuracy minus confidence.
    errors : mean absolute gap over five bins of the confidence, of equal mass.
    low, high : band of the gap of a calibrated model. error_null, error_low, error_high : mean and band of its error.
        Each band holds ``level`` by itself; NaN where not ``banded``.
    n : rows.
    """

    support: Floats
    rows: Ints
    confidence: Floats
    accuracy: Floats
    gaps: Floats
    errors: Floats
    low: Floats
    high: Floats
    error_null: Floats
    error_low: Floats
    error_high: Floats
    level: float
    n: int
    banded: bool = True

    @property
    def beyond(self) -> NDArray[np.bool_]:
        """Which gaps are outside their band; none without one."""
        return np.asarray((self.gaps < self.low - 1e-12) | (self.gaps > self.high + 1e-12))

    @property
    def error_beyond(self) -> NDArray[np.bool_]:
        """Which errors are above their band; none without one."""
        return np.asarray(self.errors > self.error_high + 1e-12)


def prepare(
    predictions: Predictions, *, level: float = 0.95, replicates: int = 200, seed: int = 0, **choices: Any
) -> SupportDiagram:
    """Return calibration by local support of labelled predictions with features; arguments as for the local map."""
    made = surroundings.prepare(predictions, level=level, replicates=replicates, seed=seed, **choices)
    return of(made)


def of(made: Surroundings) -> SupportDiagram:
    """Return the diagram of what is around each row."""
    w, sizes, confidence = made.batch.row_weights, made.found.effective_size, made.batch.summary.confidence
    _, group = np.unique(mass_bins(sizes, w, _GROUPS), return_inverse=True)
    mass = np.bincount(group, w)
    cell = np.empty(len(group), np.int64)
    for g in range(len(mass)):
        inside = group == g
        cell[inside] = g * _BINS + mass_bins(confidence[inside], w[inside], _BINS)
    everything = np.vstack([made.residuals, made.drawn])  # (R + 1, n)
    sums = np.array([np.bincount(cell, w * each, len(mass) * _BINS) for each in everything])
    by_group = sums.reshape(len(everything), -1, _BINS)  # (R + 1, b, bins)
    gaps, errors = by_group.sum(2) / mass, np.abs(by_group).sum(2) / mass
    says = np.bincount(group, w * confidence) / mass
    low, high = _band(gaps[1:], made.found.level)
    error_low, error_high = _band(errors[1:], made.found.level)
    return SupportDiagram(
        support=np.array([weighted_median(sizes[group == g], w[group == g]) for g in range(len(mass))]),
        rows=np.bincount(group),
        confidence=says,
        accuracy=says + gaps[0],
        gaps=gaps[0],
        errors=errors[0],
        low=low,
        high=high,
        error_null=errors[1:].mean(0) if made.banded else np.full(len(mass), np.nan),
        error_low=error_low,
        error_high=error_high,
        level=made.found.level,
        n=len(group),
        banded=made.banded,
    )


def _band(drawn: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the central quantiles (b,), (b,) of redrawn values (R, b); NaN of none."""
    if not len(drawn):
        return np.full(drawn.shape[1], np.nan), np.full(drawn.shape[1], np.nan)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.asarray(low), np.asarray(high)
