"""Kernel averages of residuals among the rows that share a bin of the score: the sums under LCE.

A cell is a bin of one column of scores. Row i of column c is compared with the rows j of its cell B by
    g_ic = sum_{j in B} w_j K_ij (s_jc - y_jc) / sum_{j in B} w_j K_ij,
its signed local gap. The cell of each column that holds the most rows is found as all rows less the other cells, so
that a pass over all pairs costs O(n^2 (d + C)) in products of matrices and little more; where the other cells hold
nearly all the weight, so that the difference would cancel, it is summed by itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from calibrant.neighbourhood import Neighbourhood, WeightBlock
from calibrant.statistics.memo import kept

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Of the weight of all rows: a difference that is smaller has lost as many digits as can be spared.
_CANCELS = {np.dtype(np.float64): 1e-3, np.dtype(np.float32): 3e-2}
_ENTRIES = 1 << 22  # sums of several label vectors at a time
_SAMPLED = 2000  # rows whose effective sizes are looked at
_TURNED = 256  # columns of a block that are transposed at a time


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
    memo: dict[Hashable, Any] = field(default_factory=dict)

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
    def others(self) -> tuple[sparse.csc_array, sparse.csc_array]:
        """Matrices (cells, n) that sum weights, and weights times ``fixed``, over all cells but the common ones."""
        j, c = np.nonzero(self.bins != self.common)
        place, shape = (self.numbers[j, c], j), (self.total, len(self.bins))
        ones = sparse.csc_array((np.ones(len(j)), place), shape=shape)
        return ones, sparse.csc_array((self.fixed[j, c], place), shape=shape)

    @cached_property
    def sampled(self) -> NDArray[np.bool_]:
        """Which rows effective sizes are found of (n,): evenly spaced ones, where there are many."""
        n = len(self.bins)
        found = np.zeros(n, np.bool_)
        found[np.linspace(0, n - 1, min(n, _SAMPLED)).astype(np.int64)] = True
        return found

    def as_type(self, dtype: np.dtype[Any]) -> tuple[sparse.csc_array, NDArray[Any]]:
        """Return the matrices of `others`, the first above the second, and ``fixed``, in the type of the weights."""

        def made() -> tuple[sparse.csc_array, NDArray[Any]]:
            both = sparse.vstack(self.others, format="csc", dtype=dtype)
            return sparse.csc_array(both), self.fixed.astype(dtype)

        return kept(self.memo, dtype, made)

    def own(self, others: NDArray[Any], everything: NDArray[Any], rows: slice | Ints) -> Floats:
        """Return the sums of own cells of rows (b, C), from those of others (cells, b) and of all rows (b, 1 or C)."""
        by_column = others.reshape(self.columns, self.count, -1).sum(1, dtype=np.float64)
        picked = np.take_along_axis(others.T, self.numbers[rows], axis=1)
        found = np.where(self.bins[rows] == self.common, everything - by_column.T, picked)
        return np.asarray(found, dtype=np.float64)

    def hits(self, columns: Sequence[Ints], dtype: np.dtype[Any]) -> sparse.csc_array:
        """Return the matrix (R cells, n) that sums weights by the cell of the outcome, for R vectors of columns (n,).

        A column of -1 stands for no outcome.
        """
        rows = [np.flatnonzero(one >= 0) for one in columns]
        places = [r * self.total + self.numbers[j, columns[r][j]] for r, j in enumerate(rows)]
        place, j = np.concatenate(places), np.concatenate(rows)
        shape = len(columns) * self.total, len(self.bins)
        return sparse.csc_array((np.ones(len(j), dtype), (place, j)), shape=shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Gaps:
    """Local gaps over rows: ``mean`` and ``largest`` of |g| (R, C) for R label vectors, NaN of a column without rows.

    ``kept`` (C,) the share of the weight that has neighbours; ``sizes`` (m, C) the effective number of neighbours in
    the cell, NaN where there are none or the cell does not count, of the ``sampled`` rows (n,).
    """

    mean: Floats
    largest: Floats
    kept: Floats
    sizes: Floats
    sampled: NDArray[np.bool_]


def local_gaps_in(
    cells: Cells, around: Neighbourhood, outcomes: Sequence[Ints], features: NDArray[np.floating] | None = None
) -> Gaps:
    """Return the gaps under each of R vectors of outcome columns (n,), or, with none, of ``fixed`` alone.

    ``features`` (n, D) of the same rows count each row among its own neighbours; without them it is left out.
    """
    several, share = max(1, len(outcomes)), cells.weights / cells.weights.sum()
    total, largest = np.zeros((several, cells.columns)), np.full((several, cells.columns), -np.inf)
    supported, sizes = np.zeros(cells.columns), []
    for block in around.weight_blocks(features):
        found, w = _Block(cells, block), share[block.rows]
        sizes.append(found.sizes())
        supported += w @ found.kept
        for some, gaps in found.gaps(outcomes):  # (r, b, C)
            gaps = np.abs(gaps)
            total[some] += np.einsum("b,rbc->rc", w, np.where(found.kept, gaps, 0.0))
            np.maximum(largest[some], np.where(found.kept, gaps, -np.inf).max(1), out=largest[some])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(supported > 0, total / supported, np.nan)
    largest = np.where(supported > 0, largest, np.nan)
    return Gaps(mean=mean, largest=largest, kept=supported, sizes=np.concatenate(sizes), sampled=cells.sampled)


class _Block:
    """Sums of some rows over their own cells (b, C), in double precision of sums in that of the weights."""

    def __init__(self, cells: Cells, block: WeightBlock) -> None:
        self.cells, self.rows, self.weights = cells, block.rows, block.weights
        self.dtype = block.weights.dtype
        self.columns = _transposed(block.weights)  # (n, b)
        self.own = cells.numbers[block.rows]
        both, fixed = cells.as_type(self.dtype)
        others = both @ self.columns  # (2 cells, b)
        everything = block.weights.sum(1)[:, None]
        self.mass = cells.own(others[: cells.total], everything, block.rows)
        self.fixed = cells.own(others[cells.total :], block.weights @ fixed, block.rows)
        self._sum_what_cancels(everything)
        with np.errstate(divide="ignore"):
            supported = np.log(self.mass) + block.log_largest[:, None] >= cells.least
        self.kept = supported & cells.allowed.ravel()[self.own] & (self.mass > 0)

    def _sum_what_cancels(self, everything: NDArray[Any]) -> None:
        cells = self.cells
        unsure = (cells.bins[self.rows] == cells.common) & (self.mass < _CANCELS[self.dtype] * everything)
        for c in np.flatnonzero(unsure.any(0)):
            i, j = np.flatnonzero(unsure[:, c]), np.flatnonzero(cells.bins[:, c] == cells.common[c])
            weights = self.weights[i][:, j].astype(np.float64)
            self.mass[i, c], self.fixed[i, c] = weights.sum(1), weights @ cells.fixed[j, c]

    def sizes(self) -> Floats:
        """Return Kish's number of the weights of the sampled rows (m, C), NaN where one is not kept."""
        cells, some = self.cells, np.flatnonzero(self.cells.sampled[self.rows])
        squares = np.ascontiguousarray(self.weights[some].T.astype(np.float64)) ** 2  # (n, m)
        ones, _ = cells.others
        found = cells.own(ones @ squares, squares.sum(0)[:, None], np.arange(len(cells.bins))[self.rows][some])
        used = self.kept[some] & (found > 0)
        return np.where(used, self.mass[some] ** 2 / np.where(used, found, 1.0), np.nan)

    def gaps(self, outcomes: Sequence[Ints]) -> Iterator[tuple[slice, Floats]]:
        """Yield which label vectors, and the gaps under each (r, b, C); garbage where a row is not kept."""
        mass = np.where(self.kept, self.mass, 1.0)
        if not outcomes:
            yield slice(0, 1), (self.fixed / mass)[None]
            return
        at_once = max(1, _ENTRIES // (self.cells.total * len(mass)))
        for start in range(0, len(outcomes), at_once):
            some = outcomes[start : start + at_once]
            sums = (self.cells.hits(some, self.dtype) @ self.columns).reshape(len(some), self.cells.total, -1)
            hit = np.stack([np.take_along_axis(one.T, self.own, axis=1) for one in sums])
            yield slice(start, start + len(some)), (self.fixed - hit) / mass


def _transposed(weights: NDArray[Any]) -> NDArray[Any]:
    """Return a transposed copy (n, b) of weights (b, n), some columns at a time, which stay in cache."""
    out = np.empty(weights.shape[::-1], weights.dtype)
    for start in range(0, len(out), _TURNED):
        some = slice(start, start + _TURNED)
        out[some] = weights[:, some].T
    return out
