"""Bins fixed beforehand: what resampling uses, so that a bootstrap is about one functional.

Not registered: made by `CalibrationError.pinned`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics.estimators.base import Binning
from calibrant.metrics.notions import Notion
from calibrant.predictions import Predictions
from calibrant.statistics import BinSums


@dataclass(frozen=True, kw_only=True, eq=False)
class FixedBins(Binning):
    """Bins with the given edges, (B+1,) shared or (C, B+1)."""

    edges: NDArray[np.float64]
    right: bool = True

    @property
    def bins(self) -> int:  # type: ignore[override]
        """Number of bins."""
        return int(self.edges.shape[-1] - 1)

    @property
    def known_edges(self) -> NDArray[np.float64]:
        """The edges."""
        return self.edges

    def gather(self, notion: Notion, predictions: Predictions, *, squares: bool) -> BinSums:
        """Return the sums over the bins of one batch."""
        return notion.bin(predictions, self.edges, right=self.right, squares=squares)

    def finish(self, gathered: BinSums) -> BinSums:
        """Return the sums as they are."""
        return gathered

    def words(self) -> str:
        """Describe the bins."""
        return f"{self.bins} fixed bins"
