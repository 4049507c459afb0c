"""Distances from the nearest calibration rows, of features scaled to length 1: for maps that ask how near they are.

Formula: s_j = |x / |x| - x_j / |x_j||², the j-th smallest over the calibration rows, for one of them over all others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.local_kernel import squared_distances
from calibrant.formulas import NUMPY, TINY, TOGETHER, Ops

Floats = NDArray[np.float64]

_PAIRS = 1 << 20  # of a block


def unit(ops: Ops, features: Any) -> Any:
    """Return features (n, d) scaled to length 1; those of length 0 stay."""
    zero, tiny = ops.constant(0.0), ops.constant(TINY)
    largest = ops.maximum(ops.largest(ops.maximum(features, zero - features)), tiny)
    scaled = features / largest  # the squares of the features themselves may not be numbers
    return scaled * ops.exp(ops.log(ops.maximum(ops.sum(scaled * scaled), tiny)) * ops.constant(-0.5))


def nearest(ops: Ops, features: Any, points: Floats, count: int) -> Any:
    """Return the squared distances (n, count) of features (n, d) from the nearest of points (m, d), rising."""
    falling = ops.descending(ops.constant(0.0) - squared_distances(ops, unit(ops, features), points))
    return ops.constant(0.0) - ops.stacked([ops.column(falling, j) for j in range(count)])


def nearest_others(points: Floats, count: int) -> Floats:
    """Return the squared distances (n, count) of each point (n, d) from the nearest others, rising."""
    found, step = np.empty((len(points), count)), TOGETHER * max(1, _PAIRS // (TOGETHER * len(points)))
    for start in range(0, len(points), step):
        block = points[start : start + step]
        squared: Floats = squared_distances(NUMPY, block, points)
        squared[np.arange(len(block)), np.arange(start, start + len(block))] = np.inf
        found[start : start + step] = np.sort(np.partition(squared, count - 1, axis=1)[:, :count], axis=1)
    return found
