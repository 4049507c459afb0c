"""One batch under many label vectors: what its measures share when labels are redrawn."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from calibrant.predictions import Predictions
from calibrant.statistics.memo import kept

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Relabellings:
    """A batch of n rows and R vectors of hard labels for it, ``labels`` (R, n) int64."""

    predictions: Predictions
    labels: NDArray[np.int64]
    _memo: dict[Hashable, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def batches(self) -> tuple[Predictions, ...]:
        """The batch with each of the label vectors."""
        return tuple(self.predictions.relabelled(labels) for labels in self.labels)

    @cached_property
    def correct(self) -> NDArray[np.float64]:
        """Whether the top class is each of the labels (R, n)."""
        return np.asarray(self.labels == self.predictions.summary.top, dtype=np.float64)

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what measures that ask for the same key share, made when first asked for."""
        return kept(self._memo, key, make)
