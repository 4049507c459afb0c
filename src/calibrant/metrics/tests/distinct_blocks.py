"""Blocks of rows of different ids, whose sums over pairs are independent whatever the rows of an id share.

Ids are put together by ``size``, those with the most rows first. The r-th rows of the ids of one lot are a block, and
all blocks of a lot make one sum: two blocks with two ids in common would not be independent. Rows of an id that has
more of them than the smallest id of its lot are left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics.kernel_error import block_sums
from calibrant.metrics.tests.redraw import ids_repeat
from calibrant.metrics.vector_kernels import Kernel
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def distinct_block_sums(batch: Predictions, kernel: Kernel, size: int) -> tuple[Floats, Floats]:
    """Return independent sums over pairs in blocks of w_i w_j h_ij, and of w_i w_j; of no lot where there is one id."""
    if not ids_repeat(batch):
        return block_sums(batch, kernel, size)
    rows, lot = lots(batch, size)
    if not len(rows):
        return np.zeros(0), np.zeros(0)
    sums, pairs = block_sums(batch.take(rows.ravel()), kernel, rows.shape[1])
    return np.asarray(np.bincount(lot, sums), np.float64), np.asarray(np.bincount(lot, pairs), np.float64)


def lots(batch: Predictions, size: int) -> tuple[Ints, Ints]:
    """Return the rows of each block (blocks, ids of a lot) and the lot of each block (blocks,)."""
    # By the scores within an id, so that it does not matter in what order its rows came.
    order = np.lexsort((batch.summary.sum_of_squares, batch.summary.confidence, batch.row_keys))
    _, first, count = np.unique(batch.row_keys[order], return_index=True, return_counts=True)
    size = min(size, len(count))
    by_count = np.argsort(-count, kind="stable")[: len(count) // size * size].reshape(-1, size)  # (lots, size)
    least = count[by_count[:, -1]] if size > 1 else np.zeros(len(by_count), np.int64)
    lot = np.repeat(np.arange(len(by_count)), least)
    turn = np.arange(len(lot)) - np.repeat(np.cumsum(least) - least, least)
    return order[first[by_count[lot]] + turn[:, None]], lot
