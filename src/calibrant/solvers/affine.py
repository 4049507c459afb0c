"""What the fits of a slope or an intercept a class need of the rows: a few sums, however the rows are held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.solvers.rows import FLOOR, FitRows
from calibrant.solvers.temperature import InverseTemperature, Problem, solved

Floats = NDArray[np.float64]


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
