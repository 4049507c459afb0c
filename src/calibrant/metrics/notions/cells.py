"""Bins of scores, and sums over cells of many columns of values at once: what redrawn labels and weights ask of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from calibrant import kernels

Floats = NDArray[np.float64]


def bins_of(scores: Floats, edges: Floats, *, right: bool) -> NDArray[np.int32]:
    """Return the bin of each score (n,) among edges (B+1,), -1 where it is in none."""
    first = np.zeros(len(scores), dtype=np.int64)
    return kernels.label_bins(np.ascontiguousarray(scores)[:, None], first, edges, logits=False, right=right)


def cell_sums(cell: NDArray[np.integer], values: Floats, cells: int) -> Floats:
    """Return the sums over cells (R, cells) of values (R, n); rows whose cell (n,) is negative are in none."""
    kept = np.flatnonzero(cell >= 0)
    if len(kept) < len(cell):
        cell, values = cell[kept], values[:, kept]
    return np.array([np.bincount(cell, one, minlength=cells) for one in values], dtype=np.float64)


def one_hot(cell: NDArray[np.integer], cells: int) -> sparse.csr_array:
    """Return the matrix (cells, n) that sums rows by their cell (n,); rows whose cell is negative are in none."""
    kept = np.flatnonzero(cell >= 0)
    order = kept[np.argsort(cell[kept], kind="stable")]
    starts: NDArray[Any] = np.searchsorted(cell[order], np.arange(cells + 1))
    return sparse.csr_array((np.ones(len(order)), order, starts), shape=(cells, len(cell)))
