"""Kernels of probability vectors, exp(-distance / bandwidth), and the bandwidth that the vectors suggest.

The bandwidth is the median of the positive distances, a usual choice: Gretton, Borgwardt, Rasch, Schoelkopf and Smola
(2012), A kernel two-sample test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from calibrant.metrics.row_blocks import Rows, slices
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
KERNELS = ("laplacian", "total_variation")
# Rows on a side of a block of pairs. Narrow: products too small for BLAS to wake its threads; wide: few conversions.
_TILE, _WIDE_TILE = 128, 512
_MEDIAN_ROWS = 2000
_WIDE = 64  # from this many classes, products of matrices are faster than differences


@dataclass(frozen=True)
class Kernel:
    """exp(-d / bandwidth), where d is the Euclidean or the total variation distance of two probability vectors."""

    name: str
    bandwidth: float = 1.0

    def between(self, a: Floats, b: Floats) -> Floats:
        """Return the kernel of all rows of a (m, k) with all of b (l, k)."""
        return np.asarray(np.exp(self.distances(a, b) / -self.bandwidth))

    def along(self, a: Floats, b: Floats) -> Floats:
        """Return the kernel of each row of a with the same row of b (m,)."""
        difference = np.abs(a - b)
        if self.name == "total_variation":
            return np.asarray(np.exp(difference.sum(1) / (-2 * self.bandwidth)))
        return np.asarray(np.exp(np.sqrt(np.einsum("ij,ij->i", difference, difference)) / -self.bandwidth))

    def distances(self, a: Floats, b: Floats) -> Floats:
        """Return the distances (m, l)."""
        if self.name == "total_variation":
            return np.asarray(cdist(a, b, "cityblock") / 2)
        return cdist(a, b) if a.shape[1] <= _WIDE else _euclidean(a, b)

    @classmethod
    def fitted(cls, name: str, bandwidth: float | None, predictions: Predictions) -> Kernel:
        """Return the kernel with the given bandwidth, or with the median of the positive distances between rows."""
        return cls(name, bandwidth if bandwidth is not None else _median_distance(cls(name), predictions))


def _euclidean(a: Floats, b: Floats) -> Floats:
    """Return Euclidean distances from one product of matrices; where that cancels, from the differences."""
    squares_a, squares_b = np.einsum("ij,ij->i", a, a), np.einsum("ij,ij->i", b, b)
    scale = squares_a[:, None] + squares_b  # (m, l)
    squared = scale - 2 * (a @ b.T)
    i, j = np.nonzero(squared < 1e-6 * scale)  # sqrt would turn a rounding of 1e-16 into one of 1e-8
    for some in slices(len(i), a.shape[1]):
        difference = a[i[some]] - b[j[some]]
        squared[i[some], j[some]] = np.einsum("ij,ij->i", difference, difference)
    return np.asarray(np.sqrt(squared))


def _median_distance(kernel: Kernel, predictions: Predictions) -> float:
    """Return the weighted median of the positive distances between rows; 1 where all rows are the same."""
    n = len(predictions)
    rows = np.arange(n) if n <= _MEDIAN_ROWS else np.linspace(0, n - 1, _MEDIAN_ROWS).astype(np.int64)
    p, w = Rows(predictions).probabilities(rows), predictions.row_weights[rows]
    parts, pair_weights = [], []
    for tile in tiles(len(rows), predictions.k):
        found = kernel.distances(p[tile], p[tile.start :])
        later = np.triu(found > 0, 1)
        parts.append(found[later])
        if predictions.weights is not None:
            pair_weights.append(np.outer(w[tile], w[tile.start :])[later])
    distances = np.concatenate(parts)
    if not len(distances):
        return 1.0
    return _weighted_median(distances, np.concatenate(pair_weights)) if pair_weights else float(np.median(distances))


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    half = 0.5 * cumulative[-1]
    # An exact half must be found whatever the weights are scaled by: 1e-9 of it is rounding.
    at = np.searchsorted(cumulative, [half * (1 - 1e-9), half * (1 + 1e-9)])
    return float(values[order[at]].mean())


def tiles(n: int, k: int) -> list[slice]:
    """Return slices that cover n rows, the sides of blocks of pairs."""
    size = _TILE if k <= _WIDE else _WIDE_TILE
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
