"""Squared kernel calibration error: are the residuals of rows with similar probabilities alike?

With residuals r_i = e_{y_i} - p_i and a kernel on the simplex, h_ij = k(p_i, p_j) r_i . r_j has the expectation
SKCE = || E k(p, .) r ||^2 in the Hilbert space of the kernel, which is 0 just for canonical calibration. Source:
Widmann, Lindsten and Zachariah (2019), Calibration tests in multi-class classification: a unifying framework.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import is_whole, require
from calibrant.metrics.collected import CollectedMeasure, Measured
from calibrant.metrics.row_blocks import Rows, slices
from calibrant.metrics.vector_kernels import KERNELS, Kernel, tiles
from calibrant.predictions import Predictions
from calibrant.registry import register

Floats = NDArray[np.float64]


def pair_sums(predictions: Predictions, kernel: Kernel) -> tuple[float, float]:
    """Return (sum over all ordered pairs w_i w_j h_ij, sum over rows w_i^2 h_ii), in blocks of pairs."""
    rows, w = Rows(predictions), predictions.row_weights
    everything = own = 0.0
    cut = tiles(len(predictions), predictions.k)
    for first, tile in enumerate(cut):
        p_a, r_a = _weighted_tile(rows, w, tile)
        own += float(np.einsum("ij,ij->", r_a, r_a))
        everything += float(np.sum(kernel.between(p_a, p_a) * (r_a @ r_a.T)))
        for other in cut[first + 1 :]:
            p_b, r_b = _weighted_tile(rows, w, other)
            everything += 2 * float(np.sum(kernel.between(p_a, p_b) * (r_a @ r_b.T)))
    return everything, own


def _weighted_tile(rows: Rows, w: Floats, tile: slice) -> tuple[Floats, Floats]:
    p = rows.probabilities(tile)
    return p, rows.residuals(tile, p) * w[tile, None]


def block_sums(predictions: Predictions, kernel: Kernel, size: int) -> tuple[Floats, Floats]:
    """Return, for each block of ``size`` rows in turn, the sums over its pairs i < j of w_i w_j h_ij and w_i w_j."""
    n, w = len(predictions), predictions.row_weights
    rows = Rows(predictions)
    sums, pairs = np.zeros(-(-n // size)), np.zeros(-(-n // size))
    for left, right in _pairs(n, size, predictions.k):
        p, q = rows.probabilities(left), rows.probabilities(right)
        products = np.einsum("ij,ij->i", rows.residuals(left, p), rows.residuals(right, q))
        weight = w[left] * w[right]
        np.add.at(sums, left // size, weight * kernel.along(p, q) * products)
        np.add.at(pairs, left // size, weight)
    return sums, pairs


def _pairs(n: int, size: int, k: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield rows i and j of all pairs i < j in the same block, some at a time."""
    for shift in range(1, min(size, n)):
        for some in slices(n - shift, k):
            left = np.arange(some.start, some.stop)
            left = left[left // size == (left + shift) // size]
            yield left, left + shift


@register("measure", "skce", reference="widmann2019", cost="O(n^2 k); estimator='block': O(n block_size k)")
@dataclass(frozen=True, kw_only=True)
class SquaredKernelError(CollectedMeasure):
    """Squared kernel calibration error (SKCE): canonical, on the whole probability vector, without bins.

    The mean over pairs of rows of k(p, p') (e_y - p) . (e_y' - p'), with a scalar kernel exp(-d / bandwidth). It is 0
    in expectation just for canonical calibration, and has no unit: judge it by the test ``skce_test``. Of the block
    form `evaluate` tells the null level; all pairs are too many for that.

    Parameters
    ----------
    kernel : ``"laplacian"``, d the Euclidean distance, or ``"total_variation"``, d half the sum of absolute
        differences.
    bandwidth : of the kernel; None takes the weighted median of the positive distances (of all rows up to 2,000, then
        of 2,000 evenly spaced ones).
    estimator : ``"unbiased"`` (default), pairs of different rows; may be negative. ``"biased"``, all pairs: never
        negative, too high by E ||e_y - p||^2 / n. ``"block"``, pairs inside blocks of ``block_size`` rows in the order
        of their keys: unbiased, noisier, linear in n.
    block_size : rows in a block, at least 2; the last block may be shorter.

    Notes
    -----
    Weights enter as w_i w_j. Only in the biased form with a given bandwidth is an integer weight a repetition of its
    row: in the others a repeated row is not an independent one, and the median of many rows is that of some of them.
    Soft labels stand in the place of e_y. Cost O(n^2 k) time and O(n) memory, in blocks of pairs;
    the block form O(n block_size k). A bandwidth from the data leaves the estimate unbiased for the error with that
    bandwidth, because it does not look at the labels.

    References
    ----------
    Widmann, Lindsten and Zachariah (2019).
    """

    bounds = (-2.0, 2.0)
    bootstraps = False

    kernel: Literal["laplacian", "total_variation"] = "laplacian"
    bandwidth: float | None = None
    estimator: Literal["unbiased", "biased", "block"] = "unbiased"
    block_size: int = 2

    def __post_init__(self) -> None:
        check_kernel(self.kernel, self.bandwidth, self.block_size)
        estimators = ("unbiased", "biased", "block")
        require(self.estimator in estimators, "estimator", f"be one of {estimators}", repr(self.estimator))

    @property
    def costly(self) -> bool:  # type: ignore[override]
        """All pairs of rows are too many to be computed hundreds of times."""
        return self.estimator != "block"

    @property
    def repeats(self) -> bool:  # type: ignore[override]
        """Only the mean over all pairs counts a repeated row as its weight does; a median is taken of some rows."""
        return self.estimator == "biased" and self.bandwidth is not None

    @property
    def by_class(self) -> bool:
        """The whole vector is looked at."""
        return True

    @property
    def estimand(self) -> str:
        """The expectation over two new rows."""
        return f"expectation of the {self.kernel.replace('_', ' ')} kernel times the product of residuals of two rows"

    def measured(self, rows: Predictions) -> Measured:
        """Return the estimate with the bandwidth; NaN where there is no pair of rows."""
        kernel = Kernel.fitted(self.kernel, self.bandwidth, rows)
        value = _ESTIMATORS[self.estimator](rows, kernel, self.block_size)
        few = ("needs at least two rows",) if np.isnan(value) else ()
        return Measured(value, {"bandwidth": kernel.bandwidth}, few)


def check_kernel(kernel: str, bandwidth: float | None, block_size: int) -> None:
    """Raise ``DataError`` unless the options describe a kernel and its blocks."""
    require(kernel in KERNELS, "kernel", f"be one of {KERNELS}", repr(kernel))
    if bandwidth is not None:
        require(0 < bandwidth < np.inf, "bandwidth", "be positive and finite, or None", bandwidth)
    require(is_whole(block_size) and block_size >= 2, "block_size", "be a whole number of at least 2", block_size)


def _biased(batch: Predictions, kernel: Kernel, size: int) -> float:
    del size
    return pair_sums(batch, kernel)[0] / float(batch.row_weights.sum()) ** 2


def _unbiased(batch: Predictions, kernel: Kernel, size: int) -> float:
    del size
    if len(batch) < 2:
        return float("nan")
    w = batch.row_weights
    everything, own = pair_sums(batch, kernel)
    return (everything - own) / float(w.sum() ** 2 - w @ w)


def _block(batch: Predictions, kernel: Kernel, size: int) -> float:
    sums, pairs = block_sums(batch, kernel, size)
    return float(sums.sum() / pairs.sum()) if len(batch) > 1 else float("nan")


_ESTIMATORS: dict[str, Callable[[Predictions, Kernel, int], float]] = {
    "unbiased": _unbiased,
    "biased": _biased,
    "block": _block,
}
