"""Weighted sum of one per-row value: what a mean score needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.statistics.base import Merging, Statistic


@dataclass(frozen=True)
class Moments(Statistic):
    """Rows with positive weight, their weight, and the weighted sum of a value; ``Moments()`` is neutral."""

    rows: int = 0
    weight: float = 0.0
    total: float = 0.0

    @classmethod
    def of(cls, values: NDArray[np.float64], weights: NDArray[np.float64] | None) -> Moments:
        """Return the sums of values (n,); a row of weight zero is not there, even if its value is infinite."""
        if weights is None:
            return cls(len(values), float(len(values)), float(values.sum()))
        there = weights > 0
        # Not a dot product: waking BLAS threads costs more than these sums.
        return cls(int(there.sum()), float(weights.sum()), float((values[there] * weights[there]).sum()))

    @classmethod
    def of_many(cls, values: NDArray[np.float64], weights: NDArray[np.float64]) -> list[Moments]:
        """Return the sums of values (n,) under each of R weightings (n, R)."""
        there = weights > 0
        finite = np.isfinite(values)[:, None]
        summands = np.multiply(values[:, None], weights, out=np.zeros_like(weights), where=there | finite)
        sums = there.sum(0).tolist(), weights.sum(0).tolist(), summands.sum(0).tolist()
        return [cls(*of_one) for of_one in zip(*sums, strict=True)]

    @property
    def merging(self) -> Merging:
        """Sums merge exactly."""
        return "exact"

    def merge(self, other: Moments) -> Moments:
        """Return the sums of both sets of rows."""
        return Moments(self.rows + other.rows, self.weight + other.weight, self.total + other.total)

    @property
    def mean(self) -> float:
        """The weighted mean, NaN without rows."""
        return self.total / self.weight if self.weight else float("nan")
