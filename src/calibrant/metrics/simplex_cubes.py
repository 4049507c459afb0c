"""Cubes of the simplex: which rows have alike probability vectors, to a given width."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics.row_blocks import Rows, slices
from calibrant.predictions import Predictions

Ints = NDArray[np.int64]


def cubes(batch: Predictions, per_axis: int, top: int | None = None) -> tuple[Ints, int]:
    """Return the cube of side 1 / per_axis of each row (n,), -1 where it is alone in it, and how many hold several.

    Cubes are of the probabilities, or of the ``top`` largest of each row in descending order. One is known by a 64-bit
    hash of its position: two among a million share a hash with a chance of 3e-8.
    """
    mixing = np.random.default_rng(0).integers(1, 1 << 63, size=batch.k, dtype=np.uint64)
    codes, reader = np.empty(len(batch), np.uint64), Rows(batch)
    for rows in slices(len(batch), batch.k):
        p = reader.probabilities(rows)
        if top is not None:
            p = -np.sort(-p, axis=1)[:, :top]
        position = np.minimum(p * per_axis, per_axis - 1).astype(np.uint64)
        codes[rows] = (position * mixing[: p.shape[1]]).sum(1, dtype=np.uint64)
    _, cube, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    number = np.where(sizes > 1, np.cumsum(sizes > 1) - 1, -1)
    return number[cube], int(np.count_nonzero(sizes > 1))
