"""Kernel averages of residuals among the rows that share a bin of the score: the sums under LCE.

A cell is a bin of one column of scores. Row i of column c is compared with the rows j of its cell B by
    g_ic = sum_{j in B} w_j K_ij (s_jc - y_jc) / sum_{j in B} w_j K_ij,
its signed local gap. The cell of each column that holds the most rows is found as all rows less the other cells, so
that a pass over all pairs costs O(n^2 (d + C)) in products of matrices and little more; where the other cells hold
nearly all the weight, so that the difference would cancel, it is summed by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from calibrant.neighbourhood import Neighbourhood

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CANCELS = 1e-3  # of the weight of all rows: a difference that is smaller has lost three digits
_ENTRIES = 1 << 22  # sums of several label vectors at a time: 32 MB


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """The cell of each row in each of C columns, and what is averaged there.

    Attributes
    ----------
    bins : (n, C) in 0..count-1. allowed : (C, count) whether a cell counts.
    fixed : (n, C) what of the residual does not depend on hard labels: scores, or scores less soft labels.
    weights : (n,) of the rows in the means.
    least : log of the kernel mass that the neighbours of a row must have together.
    """

    bins: Ints
    count: int
    allowed: NDArray[np.bool_]
    fixed: Floats
    weights: Floats
    least: float

    @property
    def columns(self) -> int:
        """Number of columns C."""
        return int(self.bins.shape[1])

    @property
    def total(self) -> int:
        """Number of cells."""
        return self.columns * self.count

    @cached_property
    def numbers(self) -> Ints:
        """The cell of each row in each column (n, C), counted over all columns."""
        return self.bins + self.count * np.arange(self.columns)

    @cached_property
    def common(self) -> Ints:
        """The bin of each column that holds the most rows (C,)."""
        held = np.bincount(self.numbers.ravel(), minlength=self.total)
        return np.asarray(held.reshape(self.columns, self.count).argmax(1), dtype=np.int64)

    @cached_property
    def others(self) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Matrices (cells, n) that sum weights, and weights times ``fixed``, over all cells but the common ones."""
        j, c = np.nonzero(self.bins != self.common)
        place, shape = (self.numbers[j, c], j), (self.total, len(self.bins))
        ones = sparse.csr_array((np.ones(len(j)), place), shape=shape)
        return ones, sparse.csr_array((self.fixed[j, c], place), shape=shape)

    def hits(self, columns: Sequence[Ints]) -> sparse.csr_array:
        """Return the matrix (R cells, n) that sums weights by the cell of the outcome, for R vectors of columns (n,).

        A column of -1 stands for no outcome.
        """
        rows = [np.flatnonzero(one >= 0) for one in columns]
        places = [r * self.total + self.numbers[j, columns[r][j]] for r, j in enumerate(rows)]
        place, j = np.concatenate(places), np.concatenate(rows)
        return sparse.csr_array((np.ones(len(j)), (place, j)), shape=(len(columns) * self.total, len(self.bins)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Gaps:
    """Local gaps over rows: ``mean`` and ``largest`` of |g| (R, C) for R label vectors, NaN of a column without rows.

    ``kept`` (C,) the share of the weight that has neighbours; ``sizes`` (n, C) float32, the effective number of
    neighbours in the cell, NaN where there are none or the cell does not count.
    """

    mean: Floats
    largest: Floats
    kept: Floats
    sizes: NDArray[np.float32]


def local_gaps_in(
    cells: Cells, around: Neighbourhood, outcomes: Sequence[Ints], features: NDArray[np.floating] | None = None
) -> Gaps:
    """Return the gaps under each of R vectors of outcome columns (n,), or, with none, of ``fixed`` alone.

    ``features`` (n, D) of the same rows count each row among its own neighbours; without them it is left out.
    """
    several = max(1, len(outcomes))
    n, share = len(cells.bins), cells.weights / cells.weights.sum()
    total, largest = np.zeros((several, cells.columns)), np.full((several, cells.columns), -np.inf)
    sizes = np.full((n, cells.columns), np.nan, np.float32)
    for block in around.weight_blocks(features):
        found = _Block(cells, block.rows, np.asarray(block.weights, dtype=np.float64), block.log_largest)
        sizes[block.rows] = found.sizes
        for some, gaps in found.gaps(outcomes):  # (r, b, C)
            gaps = np.abs(gaps)
            total[some] += np.einsum("b,rbc->rc", share[block.rows], np.where(found.kept, gaps, 0.0))
            np.maximum(largest[some], np.where(found.kept, gaps, -np.inf).max(1), out=largest[some])
    kept = share @ ~np.isnan(sizes)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(kept > 0, total / kept, np.nan)
    return Gaps(mean=mean, largest=np.where(kept > 0, largest, np.nan), kept=kept, sizes=sizes)


class _Block:
    """Sums of some rows over their own cells (b, C)."""

    def __init__(self, cells: Cells, rows: slice, weights: Floats, log_largest: Floats) -> None:
        self.cells, self.rows, self.weights = cells, rows, weights
        self.transposed = np.ascontiguousarray(weights.T)  # (n, b)
        self.own = cells.numbers[rows]
        ones, fixed = cells.others
        square = self.transposed**2
        self.mass = self._of(ones @ self.transposed, weights.sum(1)[:, None])
        self.fixed = self._of(fixed @ self.transposed, weights @ cells.fixed)
        self.squares = self._of(ones @ square, square.sum(0)[:, None])
        self._sum_what_cancels(weights.sum(1))
        with np.errstate(divide="ignore"):
            supported = np.log(self.mass) + log_largest[:, None] >= cells.least
        allowed = cells.allowed.ravel()[self.own]
        self.kept = supported & allowed & (self.mass > 0)

    def _of(self, others: Floats, everything: Floats) -> Floats:
        """Return what the own cells hold (b, C), from the other cells (cells, b) and all rows (b, C or 1)."""
        cells = self.cells
        by_column = others.reshape(cells.columns, cells.count, -1)
        common = everything - by_column.sum(1).T
        picked = np.take_along_axis(others.T, self.own, axis=1)
        return np.where(cells.bins[self.rows] == cells.common, common, picked)

    def _sum_what_cancels(self, everything: Floats) -> None:
        cells = self.cells
        unsure = (cells.bins[self.rows] == cells.common) & (self.mass < _CANCELS * everything[:, None])
        for c in np.flatnonzero(unsure.any(0)):
            i, j = np.flatnonzero(unsure[:, c]), np.flatnonzero(cells.bins[:, c] == cells.common[c])
            weights = self.weights[np.ix_(i, j)]
            self.mass[i, c], self.squares[i, c] = weights.sum(1), (weights**2).sum(1)
            self.fixed[i, c] = weights @ cells.fixed[j, c]

    @property
    def sizes(self) -> Floats:
        """Kish's number of the weights (b, C), NaN where a row is not kept."""
        return np.where(self.kept, self.mass**2 / np.where(self.kept, self.squares, 1.0), np.nan)

    def gaps(self, outcomes: Sequence[Ints]) -> Iterator[tuple[slice, Floats]]:
        """Yield which label vectors, and the gaps under each (r, b, C); garbage where a row is not kept."""
        mass = np.where(self.kept, self.mass, 1.0)
        if not outcomes:
            yield slice(0, 1), (self.fixed / mass)[None]
            return
        at_once = max(1, _ENTRIES // (self.cells.total * len(mass)))
        for start in range(0, len(outcomes), at_once):
            some = outcomes[start : start + at_once]
            sums = (self.cells.hits(some) @ self.transposed).reshape(len(some), self.cells.total, -1)
            hit = np.stack([np.take_along_axis(one.T, self.own, axis=1) for one in sums])
            yield slice(start, start + len(some)), (self.fixed - hit) / mass
