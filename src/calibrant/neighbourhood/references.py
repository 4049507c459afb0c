"""`References`: the rows that queries are compared with, laid out for products of matrices, and those products.

d² = |x|² - 2 x·y + |y|² makes the squared distances of a block of pairs from one product; it is cut at 0. Single
precision is used for many rows where its rounding moves no log-kernel by much more than `TOLERATED`, else double.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.neighbourhood.kernel import KernelName

Floats = NDArray[np.float64]
Coordinates = NDArray[np.floating]
Rows = NDArray[np.int64]

TOLERATED = 1e-3  # error of a log-kernel, so of a weight, relative
BLOCK_BYTES = 1 << 26  # of the products of one block
# Queries that are multiplied together. A multiple of the 4 to 48 columns that BLAS takes at a time, with remainders
# summed otherwise: so blocks of any size give the same digits. In single precision BLAS may sum neighbouring columns
# differently: whatever comes with a query moves its last digits, in double precision nothing.
TILE = 96
_FEW = 4096  # rows up to which double precision costs nothing to speak of
_LANES = 8
_LARGEST = 1e30  # squared norm that single precision can add to others


class Block(NamedTuple):
    """Some queries: which, the products of their coordinates with all references (b, p), and their squared norms.

    ``tiles`` (b', p) holds the products and, below them, the rows that make whole tiles of queries.
    """

    rows: slice
    tiles: Coordinates
    norms: Coordinates

    @property
    def products(self) -> Coordinates:
        """The products (b, p), a view of the tiles."""
        return self.tiles[: len(self.norms)]

    def squared(self, references: References) -> Coordinates:
        """Return their squared distances from the references (b, n); infinite for a pair that does not count."""
        found = self.norms[:, None] - 2 * self.products + references.norms  # (b, p)
        return np.maximum(found, 0, out=found)[:, : references.n]


@dataclass(frozen=True, eq=False)
class References:
    """``n`` rows, padded to p, a multiple of eight, by rows that are infinitely far away.

    Attributes
    ----------
    rows : (p, d) float32 or float64, with squared ``norms`` (p,).
    log_weights : (p,) with largest entry 0, ``shift`` less than they were; None for equal weights.
    labels : (p,) classes, or None.
    """

    n: int
    rows: Coordinates
    norms: Coordinates
    log_weights: Coordinates | None
    shift: float
    labels: NDArray[np.int32] | None
    block_bytes: int = BLOCK_BYTES

    @classmethod
    def of(
        cls, rows: Coordinates, weights: Floats, labels: Rows | None, *, single: bool, block_bytes: int = BLOCK_BYTES
    ) -> References:
        """Return references at ``rows`` (n, d) with positive ``weights`` (n,) and hard ``labels`` (n,)."""
        n, dtype = len(rows), np.float32 if single else np.float64
        laid = _padded(rows, _LANES, dtype)
        norms: Coordinates = np.full(len(laid), np.inf, dtype)
        norms[:n] = squared_norms(laid[:n])
        top = weights.max()
        equal = bool((weights == top).all())
        logs = None if equal else _padded(np.log(weights / top), _LANES, dtype)
        classes = None if labels is None else _padded(labels, _LANES, np.int32)
        return cls(n, laid, norms, logs, float(np.log(top)), classes, block_bytes)

    def blocks(self, queries: Coordinates, own: Rows | None = None) -> Iterator[Block]:
        """Yield blocks of queries (m, d); each is valid until the next, whose products take its place.

        ``own`` (m,) is the reference that each query is itself, whose product becomes -inf, so that it does not count.
        Whole tiles of `TILE` queries are multiplied, so at least one takes its memory.
        """
        dtype = self.rows.dtype
        most = max(1, self.block_bytes // (TILE * len(self.rows) * dtype.itemsize))
        step = TILE * min(most, -(-len(queries) // TILE))
        room = np.empty((step, len(self.rows)), dtype)
        for start in range(0, len(queries), step):
            rows = slice(start, min(start + step, len(queries)))
            some, b = _padded(queries[rows], TILE, dtype), rows.stop - rows.start
            products = np.matmul(some, self.rows.T, out=room[: len(some)])
            if own is not None:
                products[np.arange(b), own[rows]] = -np.inf
            yield Block(rows, products, squared_norms(some[:b]))


def squared_norms(rows: Coordinates) -> Coordinates:
    """Return |x|² of each row (n,), summed in double precision, in the dtype of the rows."""
    found: Coordinates = np.einsum("ij,ij->i", rows, rows, dtype=np.float64).astype(rows.dtype)
    return found


def single_suffices(norms: Coordinates, kernel: KernelName, bandwidth: float) -> bool:
    """Whether single precision moves the log-kernels of ordinary rows, of squared ``norms`` (n,), by little enough.

    Four roundings of |x|², at the 99th percentile, are the error of d²; a distant row has a larger one, beside larger
    distances. The Laplacian kernel takes the root of d²: of a row and its copy, ten times the error is tolerated.
    """
    if len(norms) <= _FEW or not float(norms.max()) < _LARGEST:
        return False
    error = 4 * float(np.finfo(np.float32).eps) * float(np.quantile(norms, 0.99))
    if kernel == "laplacian":
        return bool(np.sqrt(error) <= 10 * TOLERATED * bandwidth)
    return error <= TOLERATED * 2 * bandwidth**2


def _padded(rows: NDArray[Any], multiple: int, dtype: Any) -> NDArray[Any]:
    """Return the rows in a contiguous array whose length is a multiple, filled up with zeros."""
    n = -(-len(rows) // multiple) * multiple
    if n == len(rows):
        return np.ascontiguousarray(rows, dtype=dtype)
    out = np.zeros((n, *rows.shape[1:]), dtype)
    out[: len(rows)] = rows
    return out
