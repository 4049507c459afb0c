"""What a binning is: from a labelled batch to sums over bins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics.notions import Notion
from calibrant.predictions import Predictions
from calibrant.registry import Entry
from calibrant.statistics import BinSums


class Binning(ABC):
    """How rows are put into bins."""

    entry: ClassVar[Entry]
    bins: int
    right: bool

    @property
    def known_edges(self) -> NDArray[np.float64] | None:
        """The edges, (B+1,) or (C, B+1), where they are known before the data are; else None."""
        return None

    @abstractmethod
    def gather(self, notion: Notion, predictions: Predictions, *, squares: bool) -> Any:
        """Return the mergeable statistic of one batch."""

    def relabelled(self, gathered: Any, notion: Notion, predictions: Predictions, *, squares: bool) -> Any:
        """Return the statistic of the rows that were gathered, which have other labels now."""
        del gathered
        return self.gather(notion, predictions, squares=squares)

    @abstractmethod
    def finish(self, gathered: Any) -> BinSums:
        """Return the sums over the final bins."""

    @abstractmethod
    def words(self) -> str:
        """Describe the bins in words."""
