"""Equal-width bins on [0, 1], as in Guo et al. (2017).

Bin b holds (b/B, (b+1)/B]; the first also holds 0. ``right=False`` closes the bins on the left, and the last also
holds 1. Empty bins count nothing. Sums over these bins merge exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import is_whole, require
from calibrant.metrics.estimators.base import Binning
from calibrant.metrics.notions import Notion
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.statistics import BinSums


@register("estimator", "equal_width", reference="guo2017")
@dataclass(frozen=True, kw_only=True)
class EqualWidth(Binning):
    """Bins of equal width on [0, 1]."""

    bins: int = 15
    right: bool = True

    def __post_init__(self) -> None:
        require(is_whole(self.bins) and self.bins > 0, "bins", "be a positive whole number", self.bins)

    @property
    def known_edges(self) -> NDArray[np.float64]:
        """The edges (B+1,)."""
        return np.linspace(0.0, 1.0, self.bins + 1)

    def gather(self, notion: Notion, predictions: Predictions, *, squares: bool) -> BinSums:
        """Return the sums over the bins of one batch."""
        return notion.bin(predictions, self.known_edges, right=self.right, squares=squares)

    def finish(self, gathered: BinSums) -> BinSums:
        """Return the sums as they are."""
        return gathered

    def words(self) -> str:
        """Describe the bins."""
        return f"{self.bins} equal-width bins, {'right' if self.right else 'left'}-closed"
