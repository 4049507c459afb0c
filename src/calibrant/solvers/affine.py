"""What the fits of a slope or an intercept a class need of the rows: a few sums, however the rows are held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.solvers.quasi_newton import PairsMinimum, Point, minimise_pairs
from calibrant.solvers.rows import FLOOR, FitRows
from calibrant.solvers.temperature import InverseTemperature, Problem, solved

Floats = NDArray[np.float64]

_SQUARES = np.array([[1.0], [0.0], [1.0]])  # of the entries d11, d12 and d22 of a block, those that a ridge adds to


class AffineRows(Protocol):
    """Rows that can be summed: in memory, or read in batches again for each sum."""

    @property
    def k(self) -> int:
        """Number of classes."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The precision of the scores, and so of the kernels' exponentials."""

    def pull(self, prior: float) -> float:
        """Return the share of the fit that ``prior`` pseudo-rows have."""

    def temperature(self) -> InverseTemperature:
        """Return the best inverse temperature."""

    def spread(self, beta: float) -> float:
        """Return the second derivative of the log loss in beta."""

    def label_sums(self) -> tuple[Floats, Floats]:
        """Return the label mass of each class and its log-probabilities (k,)."""

    def affine_sums(self, scale: Floats, shift: Floats) -> kernels.AffineSums:
        """Return the sums of a softmax of scale_c u_ic + shift_c, u the log-probabilities."""


@dataclass(frozen=True, eq=False)
class HeldRows:
    """Rows in memory."""

    rows: FitRows

    @property
    def k(self) -> int:
        """Number of classes."""
        return self.rows.k

    @property
    def dtype(self) -> np.dtype[Any]:
        """The precision of the scores."""
        return self.rows.scores.dtype

    def pull(self, prior: float) -> float:
        """Return the share of pseudo-rows."""
        return self.rows.pull(prior)

    def temperature(self) -> InverseTemperature:
        """Return the best inverse temperature."""
        return solved(Problem.of(self.rows), None)

    def spread(self, beta: float) -> float:
        """Return the second derivative of the log loss in beta."""
        return Problem.of(self.rows, 0.0).derivatives(beta).curvature

    def label_sums(self) -> tuple[Floats, Floats]:
        """Return the sums over the labels."""
        return self.rows.label_sums()

    def affine_sums(self, scale: Floats, shift: Floats) -> kernels.AffineSums:
        """Return the sums of one pass."""
        rows = self.rows
        return kernels.affine_pass(
            rows.scores, scale, shift, logits=rows.logits, total=rows.total, weights=rows.weights, floor=FLOOR
        )


def best_pairs(
    rows: AffineRows, centre: Floats, target: Floats, ridges: Floats | None = None, start: Floats | None = None
) -> PairsMinimum:
    """Return the slopes and intercepts (2, k) of the least log loss of softmax(slope u + intercept), plus a ridge.

    ``target`` (2, k) are the sums of the label's u and of the labels: they enter through these alone. The ``ridges``
    (2,) weigh the squares of what lies off the ``centre`` (2, k), which is where the search starts without a ``start``.
    """
    ridge = np.zeros((2, 1)) if ridges is None else ridges[:, None]
    start = centre if start is None else start
    # The kernels' exponentials have the precision of the scores, and so has the sum.
    rounding = float(np.finfo(rows.dtype).eps) * abs(rows.affine_sums(*start).log_normalizer)

    def loss(pairs: Floats) -> Point:
        sums, off = rows.affine_sums(*pairs), pairs - centre
        value = sums.log_normalizer - float((pairs * target).sum()) + float((ridge * off * off).sum())
        gradient = np.stack([sums.moment, sums.mass]) - target + 2 * ridge * off
        return Point(value, gradient, sums.curvature + 2 * ridge[[0, 0, 1]] * _SQUARES)

    return minimise_pairs(loss, start, noise=rounding)
