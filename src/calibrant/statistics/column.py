"""One column of pairs (score, outcome), sorted and with equal scores joined: what rank-based measures need."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from calibrant.statistics.base import Merging, Statistic
from calibrant.statistics.memo import kept

Floats = NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True, eq=False, kw_only=True)
class Column(Statistic):
    """Sums at each distinct score, all (m,): ``scores`` increasing, ``weight`` and ``outcome`` (weighted sum).

    ``counts`` (m,) are the rows of positive weight at each, ``rows`` all of them; ``row_outcomes`` and ``row_weights``
    (n,) are those of each, by increasing score, for measures that leave a row out. Everything computed from it is the
    same for any order of the rows, and, but for what tells rows apart, an integer weight is a repetition.
    ``label_free`` is where measures keep what depends on scores and weights alone: a column with other labels shares
    it; `kept` does so for the column itself. ``lost`` is the log loss, summed by weight, of the rows that missed
    although their score is 1: finite where it only rounds to 1, and what is left of it is known.
    """

    scores: Floats
    weight: Floats
    outcome: Floats
    counts: NDArray[np.int64]
    row_outcomes: Floats
    row_weights: Floats
    lost: float = np.inf
    order: _Order | None = None
    label_free: dict[Hashable, Any] = field(default_factory=dict)
    _kept: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, scores: Floats, outcomes: Floats, weights: Floats | None = None) -> Column:
        """Return the column of scores (n,) with outcomes in [0, 1] (n,); rows of weight zero are not there."""
        if weights is not None and not weights.all():
            kept = np.flatnonzero(weights)
            column = cls.of(scores[kept], outcomes[kept], weights[kept])
            order = replace(column._known_order, rows=kept[column._known_order.rows])
            return replace(column, order=order)
        order = _Order.of(scores)
        each = outcomes[order.rows]
        own = np.ones(len(each)) if weights is None else weights[order.rows]
        return cls(
            scores=scores[order.rows[order.starts]],
            weight=order.counts.astype(np.float64) if weights is None else order.sums(own),
            outcome=order.sums(each if weights is None else own * each),
            counts=order.counts,
            row_outcomes=each,
            row_weights=own,
            order=order,
        )

    def relabelled(self, outcomes: Floats, weights: Floats | None = None) -> Column:
        """Return the column of the same rows with other outcomes (n,), without sorting; not of a merged column."""
        return self.relabelled_many(outcomes[None], weights)[0]

    def relabelled_many(self, outcomes: Floats, weights: Floats | None = None) -> list[Column]:
        """Return the column of the same rows with each of R other outcomes (R, n); not of a merged column."""
        each = outcomes[:, self._known_order.rows]
        sums = self._sums(each, weights)
        return [replace(self, outcome=one, row_outcomes=rows) for one, rows in zip(sums, each, strict=True)]

    def outcome_sums(self, outcomes: Floats, weights: Floats | None = None) -> Floats:
        """Return the weighted sums (m,) at each distinct score of other outcomes (n,) of the same rows."""
        return self._sums(outcomes[self._known_order.rows], weights)

    def _sums(self, ordered: Floats, weights: Floats | None) -> Floats:
        order = self._known_order
        return order.sums(ordered if weights is None else weights[order.rows] * ordered)

    def kept(self, what: Hashable, compute: Callable[[], T]) -> T:
        """Return what has been computed of this column before, or compute it."""
        return kept(self._kept, what, compute)

    @property
    def merging(self) -> Merging:
        """Rows are kept."""
        return "collecting"

    def merge(self, other: Column) -> Column:
        """Return the column of both sets of rows."""
        scores = np.concatenate([np.repeat(column.scores, column.counts) for column in (self, other)])
        outcomes = np.concatenate([self.row_outcomes, other.row_outcomes])
        weights = np.concatenate([self.row_weights, other.row_weights])
        return replace(Column.of(scores, outcomes, weights), order=None, lost=self.lost + other.lost)

    @property
    def rows(self) -> int:
        """Number of rows of positive weight."""
        return int(self.counts.sum())

    @property
    def _known_order(self) -> _Order:
        if self.order is None:
            raise AssertionError("a merged column does not know the order of its rows")
        return self.order

    @cached_property
    def mass(self) -> float:
        """Total weight."""
        return float(self.weight.sum())

    @cached_property
    def residuals(self) -> Floats:
        """Outcome minus score, summed by weight at each distinct score, over the total weight (m,)."""
        return (self.outcome - self.weight * self.scores) / self.mass

    @cached_property
    def shares(self) -> Floats:
        """Weight at each distinct score over the total weight (m,)."""
        return self.weight / self.mass

    @cached_property
    def rates(self) -> Floats:
        """Mean outcome at each distinct score (m,)."""
        return self.outcome / self.weight


@dataclass(frozen=True, eq=False)
class _Order:
    """How rows become distinct scores: ``rows`` in order (n,), and where in it each distinct score starts (m,)."""

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, scores: Floats) -> _Order:
        """Return the order of scores (n,); among equal ones it does not matter, for they are summed."""
        rows = np.argsort(scores)
        ordered = scores[rows]
        new = np.ones(len(ordered), dtype=bool)
        np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
        return cls(rows, np.flatnonzero(new))

    @property
    def counts(self) -> NDArray[np.int64]:
        """Entries at each distinct score (m,)."""
        return np.diff(self.starts, append=len(self.rows))

    def sums(self, ordered: NDArray[Any]) -> NDArray[Any]:
        """Return the sums of values in order (..., n) at each distinct score (..., m)."""
        distinct = len(self.starts) == ordered.shape[-1]
        return ordered if distinct else np.add.reduceat(ordered, self.starts, axis=-1)
