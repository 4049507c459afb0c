"""Kernel test of canonical calibration: the SKCE against labels redrawn from the probabilities, or a normal limit.

For fixed scores the unbiased SKCE is a quadratic form in the labels, so that `pair_forms` gives it under all label
vectors from one kernel matrix. Source: Widmann, Lindsten and Zachariah (2019), for the statistic; the resampling is
that of consistency tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from calibrant.errors import require
from calibrant.metrics.kernel_error import check_kernel
from calibrant.metrics.row_blocks import Rows
from calibrant.metrics.tests.base import ASYMPTOTIC, EXACT, CalibrationTest, TestResult, dependence
from calibrant.metrics.tests.distinct_blocks import distinct_block_sums
from calibrant.metrics.tests.pair_forms import redrawn_forms
from calibrant.metrics.tests.redraw import check_redraws, observed_and_redrawn, upper_p_value
from calibrant.metrics.vector_kernels import Kernel
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.statistics import Collected

Floats = NDArray[np.float64]
_TINY = np.finfo(np.float64).tiny
_COST = "O(n^2 (k + replicates)); estimator='block': O(n k)"


def unbiased_sums(batch: Predictions, kernel: Kernel, labels: NDArray[np.int32]) -> Floats:
    """Return sum_{i != j} w_i w_j h_ij for each of several label vectors (R, n)."""
    rows = Rows(batch)
    return redrawn_forms(batch, lambda a, b: kernel.between(rows.probabilities(a), rows.probabilities(b)), labels)


@register("test", "skce_test", reference="widmann2019", supports_soft_labels=False, cost=_COST)
@dataclass(frozen=True, kw_only=True)
class KernelTest(CalibrationTest):
    """Kernel test of canonical calibration: is the squared kernel calibration error above 0?

    Parameters
    ----------
    kernel, bandwidth, block_size : as in the measure ``skce``.
    estimator : ``"unbiased"`` (default), all pairs, with a resampled p-value; ``"block"``, pairs inside blocks, with a
        normal one: linear in n, and weaker.
    replicates, seed : of the redrawn labels.

    Notes
    -----
    Null: labels are drawn from the predicted probabilities, independently given the scores. One-sided. With
    ``"unbiased"`` the level is at most the nominal one at every n, k and with any weights. With ``"block"`` it is
    asymptotic: z = sum_b S_b / sqrt(sum_b S_b^2) over the sums S_b of the blocks, which are independent with mean 0;
    docs/theory/tests.md says from which n. Rows with the same id are taken to move together: their labels are redrawn
    together, and blocks hold rows of different ids, S_b the sum over the blocks of the same ids, so that
    it is the number of ids that must be large. Rows are kept. Cost O(n^2 (k + replicates)) time and O(n replicates)
    memory, beside O(n k) for K p; the block form O(n block_size k).
    """

    null: ClassVar[str] = "the labels are drawn from the predicted probabilities"

    kernel: Literal["laplacian", "total_variation"] = "laplacian"
    bandwidth: float | None = None
    estimator: Literal["unbiased", "block"] = "unbiased"
    block_size: int = 2
    replicates: int = 999
    seed: int = 0

    def __post_init__(self) -> None:
        check_kernel(self.kernel, self.bandwidth, self.block_size)
        check_redraws(self.replicates, self.seed)
        known = self.estimator in ("unbiased", "block")
        require(known, "estimator", "be 'unbiased' or 'block'", repr(self.estimator))

    @property
    def level(self) -> str:
        """That of redrawn labels, or of the normal limit of blocks."""
        return EXACT if self.estimator == "unbiased" else ASYMPTOTIC

    def result(self, sums: Collected) -> TestResult:
        """Return the SKCE and its p-value; NaN with fewer than two rows."""
        batch = sums.pooled
        if len(batch) < 2:
            return self.found(float("nan"), float("nan"), len(batch), "needs at least two rows")
        kernel = Kernel.fitted(self.kernel, self.bandwidth, batch)
        return self._resampled(batch, kernel) if self.estimator == "unbiased" else self._normal(batch, kernel)

    def _resampled(self, batch: Predictions, kernel: Kernel) -> TestResult:
        labels = observed_and_redrawn(batch, self.replicates, self.seed)
        w = batch.row_weights
        values = unbiased_sums(batch, kernel, labels) / float(w.sum() ** 2 - w @ w)
        found = {"bandwidth": kernel.bandwidth, "replicates": self.replicates}
        return self.found(float(values[0]), upper_p_value(values), len(batch), *dependence(batch), **found)

    def _normal(self, batch: Predictions, kernel: Kernel) -> TestResult:
        blocks, pairs = distinct_block_sums(batch, kernel, self.block_size)
        together, details = dependence(batch), {"bandwidth": kernel.bandwidth}
        if not pairs.any():
            return self.found(float("nan"), float("nan"), len(batch), "needs rows of two ids", *together, **details)
        scaled = blocks / max(float(np.abs(blocks).max()), _TINY)  # weights in any unit
        spread = float(np.sqrt(scaled @ scaled))
        z = float(scaled.sum()) / spread if spread else 0.0
        value = float(blocks.sum() / pairs.sum())
        return self.found(value, float(ndtr(-z)), len(batch), *together, **details, z=z)
