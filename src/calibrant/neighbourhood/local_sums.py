"""Kernel-weighted class frequencies around queries (Nadaraya-Watson), from all pairs.

theta_c(x) = sum_j w_j k(x, x_j) y_jc / sum_j w_j k(x, x_j). Weights are taken relative to the largest of each query, so
an isolated query has the frequencies of its nearest rows, never 0/0. Source: Nadaraya (1964), Watson (1964).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.neighbourhood.kernel import KernelName, log_kernel, scale_of
from calibrant.neighbourhood.references import Block, Coordinates, References, Rows

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalFrequencies:
    """What the rows around each of m queries say.

    Attributes
    ----------
    frequencies : (m, k) kernel-weighted class frequencies; rows sum to 1. Where no row has any weight: the prior.
    log_mass : (m,) log of the sum of kernel times weight, in rows: the kernel is 1 at distance 0, and the weights of
        all reference rows sum to their effective number. -inf where there is none.
    effective_size : (m,) (sum of kernel times weight)² / sum of its squares: among so many equal neighbours the
        frequencies would be as noisy. Between 1 and n; 0 where no row has any weight.
    missed : (m,) the estimated share of the mass that rows which were not looked at have; 0 where all were.
    """

    frequencies: Floats
    log_mass: Floats
    effective_size: Floats
    missed: Floats


@dataclass(frozen=True, eq=False)
class Weighing:
    """A kernel with its bandwidth, applied to blocks of pairs."""

    kernel: KernelName
    bandwidth: float

    def sums(self, references: References, block: Block, k: int = 0, weights: Coordinates | None = None) -> LocalSums:
        """Return the sums over each query of a block; ``k`` > 0 asks for those of each class.

        The weights (b, p), relative to the largest of their query, are left in ``weights``, which may be the products.
        """
        found = kernels.pair_weights(
            block.products,
            block.norms,
            references.norms,
            kernel=self.kernel,
            scale=scale_of(self.kernel, self.bandwidth),
            log_weights=references.log_weights,
            labels=references.labels if k else None,
            k=k,
            weights=weights,
        )
        # The box kernel does not fall with the distance: nothing was left out of its weights.
        near = 0.0 if self.kernel == "box" else log_kernel(self.kernel, found.nearest, self.bandwidth)
        return LocalSums(found.total, found.squares, found.top + near + references.shift, found.by_class)

    def averages(
        self, references: References, block: Block, values: Coordinates, prior: Floats
    ) -> tuple[LocalSums, Floats]:
        """Return the sums and the averages (b, c) of ``values`` (n, c) in the dtype of the references."""
        sums = self.sums(references, block, weights=block.products)
        products = (block.tiles[:, : references.n] @ values)[: len(sums.total)].astype(np.float64)
        return sums, over(products, sums.total[:, None], prior)


@dataclass(frozen=True, eq=False)
class LocalSums:
    """Sums of the weights of each query, relative to the largest, whose logarithm is ``log_largest`` (m,)."""

    total: Floats
    squares: Floats
    log_largest: Floats
    by_class: Floats | None

    @property
    def log_mass(self) -> Floats:
        """Log of the sum of kernel times weight (m,)."""
        with np.errstate(divide="ignore"):
            return self.log_largest + np.log(self.total)

    @property
    def effective_size(self) -> Floats:
        """Kish's number of the kernel weights (m,), 0 without any."""
        return over(self.total**2, self.squares, 0.0)

    def frequencies(self, prior: Floats) -> Floats:
        """Return the class frequencies (m, k), the ``prior`` (k,) or (m, k) without any weight."""
        assert self.by_class is not None
        return over(self.by_class, self.total[:, None], prior)


def over(sums: Floats, totals: Floats, otherwise: Floats | float) -> Floats:
    """Return sums / totals, and something else where the total is 0."""
    empty = totals == 0
    return np.where(empty, otherwise, sums / np.where(empty, 1.0, totals))


def exact(
    references: References, weighing: Weighing, queries: Coordinates, own: Rows | None, prior: Floats
) -> LocalFrequencies:
    """Return the local frequencies of hard labels, from all pairs; ``own`` as in `References.blocks`."""
    out = empty_result(len(queries), prior)
    for block in references.blocks(queries, own):
        sums = weighing.sums(references, block, k=prior.shape[-1])
        fill(out, block.rows, sums, sums.frequencies(_of(prior, block.rows)))
    return out


def exact_averages(
    references: References, weighing: Weighing, queries: Coordinates, own: Rows | None, values: Floats, prior: Floats
) -> LocalFrequencies:
    """Return kernel-weighted averages of ``values`` (n, c), as ``frequencies``: of soft labels, residuals, anything."""
    out = empty_result(len(queries), prior)
    values = values.astype(references.rows.dtype)
    for block in references.blocks(queries, own):
        fill(out, block.rows, *weighing.averages(references, block, values, _of(prior, block.rows)))
    return out


def empty_result(m: int, prior: Floats) -> LocalFrequencies:
    """Return room for the averages around m queries."""
    return LocalFrequencies(
        frequencies=np.empty((m, prior.shape[-1])),
        log_mass=np.empty(m),
        effective_size=np.empty(m),
        missed=np.zeros(m),
    )


def fill(out: LocalFrequencies, rows: slice, sums: LocalSums, averages: Floats) -> None:
    """Write what was found of some queries."""
    out.frequencies[rows], out.log_mass[rows] = averages, sums.log_mass
    out.effective_size[rows] = sums.effective_size


def class_frequencies(labels: NDArray[Any], weights: Floats, k: int) -> Floats:
    """Return the weighted class frequencies (k,) of hard labels (n,) or soft ones (n, k)."""
    counts = weights @ labels if labels.ndim == 2 else np.bincount(labels, weights, k)
    return np.asarray(counts / counts.sum())


def _of(prior: Floats, rows: slice) -> Floats:
    return prior if prior.ndim == 1 else prior[rows]
