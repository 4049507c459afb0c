"""A kernel of pairs of rows that are near in a feature space and, if asked for, in their probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from calibrant.errors import require
from calibrant.metrics.local_choices import KernelChoices
from calibrant.metrics.row_blocks import Rows
from calibrant.metrics.vector_kernels import KERNELS, Kernel
from calibrant.neighbourhood import KernelName, log_kernel
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PairKernel:
    """Kernel of coordinates (n, d) times, unless it is None, the ``simplex`` kernel of the probabilities."""

    rows: Rows
    coordinates: Floats
    name: KernelName
    bandwidth: float
    simplex: Kernel | None

    def between(self, a: slice, b: slice) -> Floats:
        """Return the kernel of all rows of one slice with all of another (m, l)."""
        squared = cdist(self.coordinates[a], self.coordinates[b], "sqeuclidean")
        found = np.exp(log_kernel(self.name, squared, self.bandwidth))
        if self.simplex is not None:
            found *= self.simplex.between(self.rows.probabilities(a), self.rows.probabilities(b))
        return found


@dataclass(frozen=True, kw_only=True)
class PairChoices(KernelChoices):
    """The kernel of features, and that of probabilities.

    Parameters
    ----------
    simplex : ``"laplacian"`` or ``"total_variation"``, the kernel of the probabilities, as in `skce`; None for none.
    width : its bandwidth; None takes the median of the positive distances.
    """

    simplex: Literal["laplacian", "total_variation"] | None = "laplacian"
    width: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        known = self.simplex is None or self.simplex in KERNELS
        require(known, "simplex", f"be one of {KERNELS}, or None", repr(self.simplex))
        positive = self.width is None or 0 < self.width < np.inf
        require(positive, "width", "be positive and finite, or None", self.width)

    def pair_kernel(self, rows: Predictions) -> PairKernel:
        """Return the kernel of pairs of the rows, of which there are at least two."""
        around = self.around(rows)
        simplex = None if self.simplex is None else Kernel.fitted(self.simplex, self.width, rows)
        coordinates = np.asarray(around.rows, dtype=np.float64)
        return PairKernel(Rows(rows), coordinates, around.kernel, around.bandwidth, simplex)


def told_of(kernel: PairKernel) -> dict[str, float]:
    """Return the bandwidths of both kernels."""
    found = {"bandwidth": kernel.bandwidth, "dimensions": kernel.coordinates.shape[1]}
    return found if kernel.simplex is None else {**found, "width": kernel.simplex.bandwidth}
