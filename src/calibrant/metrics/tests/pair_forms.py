"""Sums over pairs of a kernel times products of residuals, under many label vectors at once.

For fixed scores such a sum is a quadratic form in the labels. With K the kernel matrix times the weights of both rows
and without its diagonal,
    sum_ij K_ij r_i . r_j = sum_ij K_ij 1{y_i = y_j} - 2 sum_j (K p)_j,y_j + sum_j p_j . (K p)_j,
so R redrawn label vectors need K once, in strips below its diagonal, and R sums of its rows by class.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from calibrant.metrics.row_blocks import Rows
from calibrant.metrics.vector_kernels import tiles
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
Between = Callable[[slice, slice], Floats]
_SUMS = 1 << 17  # sums by class of one strip of K: 1 MB, so that they stay in cache


def redrawn_forms(batch: Predictions, between: Between, labels: NDArray[np.int32]) -> Floats:
    """Return sum_{i != j} w_i w_j K_ij r_i . r_j for each of several label vectors (R, n).

    ``between`` gives the kernel (m, l) of all rows of one slice with all of another.
    """
    n, k = len(batch), batch.k
    totals, mixed = np.zeros(len(labels)), np.zeros((n, k))
    for columns in tiles(n, k):
        strip = _strip(batch, between, columns, mixed)
        drawn = labels[:, columns]
        at_once = max(1, _SUMS // (k * strip.shape[1]))
        for start in range(0, len(labels), at_once):
            some = slice(start, start + at_once)
            totals[some] += 2 * _same_class(strip, labels[some, columns.start :], drawn[some], k)
    rows = Rows(batch)
    for tile in tiles(n, k):
        cross = mixed[tile][np.arange(len(mixed[tile])), labels[:, tile]].sum(1)
        totals += float(np.sum(mixed[tile] * rows.probabilities(tile))) - 2 * cross
    return totals


def _strip(batch: Predictions, between: Between, columns: slice, mixed: Floats) -> Floats:
    """Return columns of K below its diagonal (m', m); adds the products of these pairs with p to ``mixed`` (n, k)."""
    rows, w, n = Rows(batch), batch.row_weights, len(batch)
    p = rows.probabilities(columns)
    strip = np.empty((n - columns.start, len(p)))
    for tile in (tile for tile in tiles(n, batch.k) if tile.start >= columns.start):
        q = rows.probabilities(tile)
        values = between(tile, columns) * np.outer(w[tile], w[columns])
        values = np.tril(values, -1) if tile == columns else values
        mixed[columns] += values.T @ q
        mixed[tile] += values @ p
        strip[tile.start - columns.start : tile.stop - columns.start] = values
    return strip


def _same_class(strip: Floats, labels: NDArray[np.int32], drawn: NDArray[np.int32], k: int) -> Floats:
    """Return sum_ij K_ij 1{y_i = y_j} over the columns j of the strip, for each label vector (R,)."""
    (replicates, n), m = labels.shape, drawn.shape[1]
    cells = (labels.T + k * np.arange(replicates, dtype=np.int32)).ravel()  # (n R,): replicate and class of each row
    one_hot = sparse.csc_matrix((np.ones(len(cells)), cells, np.arange(n + 1) * replicates), shape=(replicates * k, n))
    by_class = (one_hot @ strip).reshape(replicates, k, m)
    return np.asarray(by_class[np.arange(replicates)[:, None], drawn, np.arange(m)].sum(1))
