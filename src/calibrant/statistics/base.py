"""The commutative monoid under every measure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, Self

Merging = Literal["exact", "approximate", "collecting"]


class Statistic(ABC):
    """Frozen sums over rows. ``merge`` is associative and commutative up to the rounding of float64 sums.

    ``merging`` says how a merged statistic relates to the pooled one: ``exact`` (sums), ``collecting`` (keeps the
    rows, so memory grows) or ``approximate`` (within the bound that ``bound`` gives).
    """

    @property
    @abstractmethod
    def merging(self) -> Merging:
        """How merging relates to pooling."""

    @abstractmethod
    def merge(self, other: Self) -> Self:
        """Return the statistic of both sets of rows."""
