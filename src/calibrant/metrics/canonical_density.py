"""Canonical calibration error by kernel regression on the simplex, leave-one-out.

With the Dirichlet kernel of row i, k(p; p_i), the rates at p_j are c(p_j) = sum_(i != j) k(p_j; p_i) y_i /
sum_(i != j) k(p_j; p_i), y one-hot, and the error is the mean over rows of |c(p_j) - p_j| summed over classes. Source:
Popordanoska, Sayer and Blaschko (2022), A consistent and differentiable Lp canonical calibration error estimator.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import is_whole, require
from calibrant.estimate import Estimate
from calibrant.metrics import dirichlet_kernel
from calibrant.metrics.base import Metric
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.statistics import Collected, Merging, Statistic
from calibrant.statistics.memo import kept

Floats = NDArray[np.float64]

_KEPT_ROWS = 2048  # whose weights are kept for other labels: 32 MB
_BLOCK = 1 << 20  # entries of a block of kernels: 8 MB


@dataclass(frozen=True, eq=False, kw_only=True)
class KernelRows(Statistic):
    """The rows, and what depends on their scores and weights alone."""

    rows: Collected
    label_free: dict[Hashable, Any] = field(default_factory=dict)

    @property
    def merging(self) -> Merging:
        """Rows are kept."""
        return "collecting"

    def merge(self, other: KernelRows) -> KernelRows:
        """Return the rows of both."""
        return KernelRows(rows=self.rows.merge(other.rows))


@dataclass(frozen=True, eq=False)
class _Block:
    """What the kernels of all other rows give at some rows: shares (b, n) that sum to 1, and log densities (b,)."""

    rows: slice
    shares: Floats
    densities: Floats


@register("measure", "ece_kde_canonical", reference="popordanoska2022")
@dataclass(frozen=True, kw_only=True)
class EceKdeCanonical(Metric):
    """Canonical calibration error by kernel regression: mean over rows of the sum over classes of |rate - probability|.

    The whole vector is the score: the rate of every class near p_j comes from a Dirichlet kernel, leave-one-out. From
    about five classes on the bandwidth decides the value (on data with a true error of 0.26: 0.46 at h = 0.01, 0.17
    at 0.1), and the likelihood chooses one that is too small: read ``details``, which hold ``bandwidth``,
    ``value_at_half`` and ``value_at_double``. Too slow for `evaluate` to tell a null level: the test
    ``consistency(measure='ece_kde_canonical')`` redraws labels for it. Cost: O(n^2 k) in time, in blocks; more than
    ``most_rows`` rows are thinned evenly in the order of their keys, and a note says so.

    Parameters
    ----------
    bandwidth : h > 0, or None for the one of 13 from 0.0001 to 1 with the largest leave-one-out likelihood.
    norm : 1, or 2 for the root of the mean squared Euclidean distance.
    most_rows : rows that are used.
    """

    bootstraps = False
    costly = True
    repeats = False
    bounds = (0.0, 2.0)
    bandwidth: float | None = None
    norm: Literal[1, 2] = 1
    most_rows: int = 2000

    def __post_init__(self) -> None:
        dirichlet_kernel.check(self.bandwidth, self.norm)
        require(
            is_whole(self.most_rows) and self.most_rows > 1, "most_rows", "be a whole number over 1", self.most_rows
        )

    @property
    def by_class(self) -> bool:
        """The whole vector is looked at."""
        return True

    @property
    def estimand(self) -> str:
        """The mean distance in the population, smoothed."""
        return "mean distance of the class rates given all probabilities from them, rates by kernel regression"

    @property
    def gathering(self) -> Hashable:
        """Equal for the same thinning."""
        return ("kernel rows", self.most_rows)

    def sums(self, predictions: Predictions) -> KernelRows:
        """Return the rows of one batch."""
        return KernelRows(rows=Collected((predictions,)))

    def relabelled_sums(self, sums: KernelRows, predictions: Predictions) -> KernelRows:
        """Return the same rows with other labels, which keep their kernels."""
        return KernelRows(rows=Collected((predictions,)), label_free=sums.label_free)

    def value(self, sums: KernelRows) -> float:
        """Return the error."""
        batch = self._thinned(sums)
        return self._at(sums, batch, self._bandwidth(sums, batch))

    def estimate(self, sums: KernelRows) -> Estimate:
        """Return the error with its bandwidth and the values beside it."""
        batch, n = self._thinned(sums), len(sums.rows.pooled)
        h = self._bandwidth(sums, batch)
        reached = np.concatenate([block.densities > -np.inf for block in self._kernels(sums, batch, h)])
        thinned = f"of {n} rows {len(batch)} are used, evenly spaced in the order of their keys"
        details = {
            "bandwidth": h,
            "value_at_half": self._at(sums, batch, h / 2),
            "value_at_double": self._at(sums, batch, 2 * h),
        }
        notes = (*((thinned,) if len(batch) < n else ()), *dirichlet_kernel.remarks(reached))
        return self.found(self._at(sums, batch, h), n, *notes, details=details)

    def _thinned(self, sums: KernelRows) -> Predictions:
        whole = sums.rows.pooled
        n = len(whole)
        return whole if n <= self.most_rows else whole.take(np.arange(self.most_rows) * n // self.most_rows)

    def _bandwidth(self, sums: KernelRows, batch: Predictions) -> float:
        if self.bandwidth is not None:
            return self.bandwidth

        def likelihood(h: float) -> float:
            densities = np.concatenate([block.densities for block in _blocks(batch, h)])
            there = densities > -np.inf
            return float(batch.row_weights[there] @ densities[there])

        return kept(sums.label_free, "bandwidth", lambda: dirichlet_kernel.likeliest(likelihood))

    def _at(self, sums: KernelRows, batch: Predictions, h: float) -> float:
        outcomes, powers = _one_hot(batch), np.empty(len(batch))
        reached = np.empty(len(batch), dtype=bool)
        for block in self._kernels(sums, batch, h):
            gaps = np.abs(block.shares @ outcomes - np.asarray(batch.probabilities[block.rows], np.float64))
            powers[block.rows] = (gaps**self.norm).sum(1)
            reached[block.rows] = block.densities > -np.inf
        return dirichlet_kernel.mean_power(powers, batch.row_weights, reached, self.norm)

    def _kernels(self, sums: KernelRows, batch: Predictions, h: float) -> Iterator[_Block]:
        """Yield the blocks, which are kept for other labels where the rows are few."""
        if len(batch) > _KEPT_ROWS:
            return _blocks(batch, h)
        return iter(kept(sums.label_free, h, lambda: list(_blocks(batch, h))))


def _blocks(batch: Predictions, h: float) -> Iterator[_Block]:
    """Yield the leave-one-out kernel weights of all rows (n, n), some rows at a time."""
    p, w = np.asarray(batch.probabilities, np.float64), batch.row_weights
    step = max(1, _BLOCK // len(p))
    for start in range(0, len(p), step):
        rows = slice(start, min(start + step, len(p)))
        logs = dirichlet_kernel.log_kernels(p[rows], p, h)
        own = np.arange(rows.start, rows.stop)
        logs[own - start, own] = -np.inf
        shares, largest = dirichlet_kernel.scaled(logs)
        shares *= w
        total = shares.sum(1)
        with np.errstate(divide="ignore"):
            densities = largest + np.log(total)
        shares /= np.where(total > 0, total, 1.0)[:, None]
        yield _Block(rows, shares, densities)


def _one_hot(batch: Predictions) -> Floats:
    return cast(Floats, batch.labels) if batch.soft else np.eye(batch.k)[batch.hard_labels]
