"""Measures of all rows together: pairs of rows, or something that is fitted to them; no smaller sums can give them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable
from typing import Any, NamedTuple

from calibrant.estimate import Estimate
from calibrant.metrics.base import Metric
from calibrant.predictions import Predictions
from calibrant.statistics import Collected


class Measured(NamedTuple):
    """A value, further figures by name, and the sentences that qualify the value."""

    value: float
    details: dict[str, Any]
    notes: tuple[str, ...] = ()


class CollectedMeasure(Metric):
    """A measure of the rows of positive weight, in the order of their keys, however they were cut into batches."""

    @abstractmethod
    def measured(self, rows: Predictions) -> Measured:
        """Return the value with its details."""

    def of_rows(self, rows: Predictions) -> float:
        """Return the value alone; to be defined where the details cost more."""
        return self.measured(rows).value

    @property
    def gathering(self) -> Hashable:
        """Equal for all measures that keep the rows."""
        return "collected rows"

    def sums(self, predictions: Predictions) -> Collected:
        """Return the rows of one batch."""
        return Collected((predictions,))

    def value(self, sums: Collected) -> float:
        """Return the value of all rows."""
        return self.of_rows(sums.pooled)

    def estimate(self, sums: Collected) -> Estimate:
        """Return the value of all rows with its details."""
        value, details, notes = self.measured(sums.pooled)
        return self.found(value, len(sums.pooled), *notes, details=details)
