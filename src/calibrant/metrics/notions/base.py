"""What a notion is: columns of pairs (score, outcome), one pair a row in each column."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from calibrant.predictions import Predictions
from calibrant.registry import Entry
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]


class Notion(ABC):
    """Which conditional expectation must equal the prediction."""

    entry: ClassVar[Entry]

    @abstractmethod
    def columns(self, k: int) -> int:
        """Return the number of columns of pairs: 1, or one a class."""

    @abstractmethod
    def bin(self, predictions: Predictions, edges: Floats, *, right: bool, squares: bool) -> BinSums:
        """Return the sums over bins with these edges, (B+1,) shared or (C, B+1)."""

    @abstractmethod
    def outcomes(self, predictions: Predictions, edges: Floats, *, right: bool) -> Floats:
        """Return the weighted sums of the outcomes alone (C, B), without a pass over the scores."""

    @abstractmethod
    def pairs(self, predictions: Predictions) -> Iterator[tuple[Floats, Floats]]:
        """Yield the scores (n,) and outcomes (n,) of each column."""
