"""Measures of pairs (score, outcome) that need all distinct scores in order, not sums over bins.

A notion gives one column of pairs, or one a class; a measure of this kind is a function of one sorted column. The
columns of a class-wise notion are aggregated as in `CalibrationError`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant import registry
from calibrant.errors import require
from calibrant.estimate import Estimate
from calibrant.metrics.base import Metric
from calibrant.metrics.notions import Notion
from calibrant.metrics.relabelling import Relabellings
from calibrant.predictions import Predictions
from calibrant.statistics import Column, Merging, Statistic

Floats = NDArray[np.float64]
AGGREGATES: dict[str, Callable[..., Any]] = {"mean": np.mean, "sum": np.sum, "max": np.max}


@dataclass(frozen=True, eq=False, kw_only=True)
class Pairs(Statistic):
    """The pairs of a notion: its one column, sorted, or the batches where it has a column for each class."""

    notion: Notion
    column: Column | None
    batches: tuple[Predictions, ...]

    @classmethod
    def of(cls, notion: Notion, predictions: Predictions) -> Pairs:
        """Return the pairs of one labelled batch."""
        if notion.splits_rows or notion.columns(predictions.k) > 1:
            return cls(notion=notion, column=None, batches=(predictions,))
        return cls(notion=notion, column=notion.column(predictions), batches=())

    @property
    def merging(self) -> Merging:
        """Pairs are kept."""
        return "collecting"

    def relabelled(self, predictions: Predictions) -> Pairs:
        """Return the pairs of the same batch with other labels; one column is not sorted again."""
        if self.column is None:
            return Pairs.of(self.notion, predictions)
        ((scores, outcomes),) = self.notion.pairs(predictions)
        column = self.column.relabelled(outcomes, predictions.weights)
        return replace(self, column=replace(column, lost=self.notion.lost(predictions, scores, outcomes)))

    def merge(self, other: Pairs) -> Pairs:
        """Return the pairs of both sets of rows."""
        column = None
        if self.column is not None and other.column is not None:
            column = self.column.merge(other.column)
        return replace(self, column=column, batches=self.batches + other.batches)

    def columns(self) -> Iterator[Column]:
        """Yield the sorted columns; one may be without rows."""
        if self.column is not None:
            yield self.column
            return
        for scores, outcomes, weights in self.notion.columns_of(self.batches):
            there = ~np.isnan(scores)  # a row that is not in the column has no score
            yield Column.of(scores[there], outcomes[there], weights[there])


@dataclass(frozen=True, kw_only=True)
class PairsMeasure(Metric):
    """A measure of sorted columns of pairs.

    Parameters
    ----------
    notion : ``"confidence"``, ``"class_wise"`` or another registered notion.
    aggregate : over the columns of a notion that has several: ``"mean"``, ``"sum"`` or ``"max"``.
    """

    notion: str = "confidence"
    aggregate: Literal["mean", "sum", "max"] = "mean"

    def __post_init__(self) -> None:
        aggregates = "be 'mean', 'sum' or 'max'"
        require(self.aggregate in AGGREGATES, "aggregate", aggregates, repr(self.aggregate))
        _ = self._notion  # it must exist

    @cached_property
    def _notion(self) -> Notion:
        notion: Notion = registry.create("notion", self.notion)
        return notion

    @abstractmethod
    def of_column(self, column: Column) -> float:
        """Return the value of one column with at least one row."""

    def details(self, column: Column) -> dict[str, Any]:
        """Return further figures of the only column."""
        del column
        return {}

    def notes(self, column: Column) -> tuple[str, ...]:
        """Return the sentences that qualify the value of one column."""
        del column
        return ()

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """Between 0 and 1, but for a sum over columns."""
        return 0.0, np.inf if self.aggregate == "sum" else 1.0

    @property
    def gathering(self) -> Hashable:
        """Equal for all measures of the same pairs."""
        return ("pairs", self.notion)

    def sums(self, predictions: Predictions) -> Pairs:
        """Return the pairs of one batch."""
        return Pairs.of(self._notion, predictions)

    def relabelled_sums(self, sums: Pairs, predictions: Predictions) -> Pairs:
        """Return the pairs of the same rows with other labels, without sorting them again where that can be."""
        return sums.relabelled(predictions)

    def relabelled_values(self, sums: Pairs, drawn: Relabellings) -> Floats:
        """Return the value under each label vector (R,), of one column from all their outcomes at once."""
        column = sums.column
        if column is None or not column.rows:
            return super().relabelled_values(sums, drawn)

        def columns() -> list[Column]:
            predictions, outcomes = drawn.predictions, self._notion.relabelled_outcomes(drawn)  # (R, n)
            ((scores, _),) = self._notion.pairs(predictions)
            lost = [self._notion.lost(predictions, scores, one) for one in outcomes]
            several = column.relabelled_many(outcomes, predictions.weights)
            return [replace(one, lost=lost[r]) for r, one in enumerate(several)]

        return self.of_columns(drawn.shared(self.gathering, columns))

    def of_columns(self, columns: Sequence[Column]) -> Floats:
        """Return the value of each of several columns (R,) with the same scores and weights."""
        return np.array([self.of_column(column) for column in columns])

    def value(self, sums: Pairs) -> float:
        """Return the value of all rows."""
        return self._measured(sums).value

    def estimate(self, sums: Pairs) -> Estimate:
        """Return the value with that of each class, or with the details of the only column."""
        measured, only = self._measured(sums), sums.column
        columns = measured.columns if only is None else None
        details = {} if only is None else self.details(only)
        return self.found(measured.value, measured.rows, *measured.notes, per_class=columns, details=details)

    def _measured(self, sums: Pairs) -> _Measured:
        values, masses, rows, notes = [], [], [], {}
        for column in sums.columns():  # one at a time: they can be many
            values.append(self.of_column(column) if column.rows else 0.0)
            masses.append(column.mass)
            rows.append(column.rows)
            notes.update(dict.fromkeys(self.notes(column) if column.rows else ()))
        columns = np.array(values)
        if self.aggregate == "mean":
            value = self._notion.mean(columns, np.array(masses))
        else:
            value = AGGREGATES[self.aggregate](columns)
        n = sum(rows) if self._notion.splits_rows else max(rows, default=0)
        return _Measured(float(value), columns, n, tuple(notes))


class _Measured(NamedTuple):
    """The value, that of each column (C,), 0 for one without rows, the rows in any column, and what qualifies them."""

    value: float
    columns: Floats
    rows: int
    notes: tuple[str, ...]
