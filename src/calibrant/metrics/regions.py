"""Regions of a space by k-means, the same whatever the order of the rows.

The first centres are the means of slices of equal weight along the first principal direction; then Lloyd's steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from calibrant.metrics.mass_bins import mass_bins

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_STEPS = 50
_STILL = 1e-9  # of the largest coordinate: centres that move less have come to rest


@dataclass(frozen=True, eq=False)
class Regions:
    """Centres (r, d); a row belongs to the nearest."""

    centres: Floats

    @classmethod
    def fit(cls, rows: Floats, weights: Floats, count: int) -> Regions:
        """Return at most ``count`` regions of weighted rows (m, d), m at least 1."""
        region = mass_bins(_along(rows, weights), weights, count)
        found = cls(_means(rows, weights, region))
        for _ in range(_STEPS):
            moved = cls(_means(rows, weights, found.nearest(rows)))
            same = moved.centres.shape == found.centres.shape
            still = same and np.abs(moved.centres - found.centres).max() <= _STILL * np.abs(rows).max(initial=1.0)
            found = moved
            if still:
                break
        return found

    def nearest(self, rows: Floats) -> Ints:
        """Return the region of each row (m,)."""
        step = max(1, (1 << 22) // len(self.centres))
        parts = [cdist(rows[i : i + step], self.centres, "sqeuclidean").argmin(1) for i in range(0, len(rows), step)]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _along(rows: Floats, weights: Floats) -> Floats:
    """Return the coordinates (m,) of the rows along their direction of the largest variance."""
    centred = rows - weights @ rows / weights.sum()
    _, vectors = np.linalg.eigh((centred * weights[:, None]).T @ centred)
    along = centred @ vectors[:, -1]
    return np.asarray(along if weights @ along**3 >= 0 else -along)  # turning the space must not turn the order


def _means(rows: Floats, weights: Floats, region: Ints) -> Floats:
    """Return the mean of the rows of each region that has any (r, d)."""
    _, region = np.unique(region, return_inverse=True)
    mass = np.bincount(region, weights)
    return np.stack([np.bincount(region, weights * column) for column in rows.T], axis=1) / mass[:, None]
