"""One column of pairs (score, outcome), sorted and with equal scores joined: what rank-based measures need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from calibrant.statistics.base import Merging, Statistic

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Column(Statistic):
    """Sums at each distinct score, all (m,): ``scores`` increasing, ``weight`` and ``outcome`` (weighted sum).

    ``rows`` is the number of rows of positive weight. Everything computed from it is the same for any order of the
    rows, and an integer weight is a repetition.
    """

    scores: Floats
    weight: Floats
    outcome: Floats
    rows: int

    @classmethod
    def of(cls, scores: Floats, outcomes: Floats, weights: Floats | None = None) -> Column:
        """Return the column of scores (n,) with outcomes in [0, 1] (n,); rows of weight zero are not there."""
        if weights is None:
            return _joined(scores, np.ones(len(scores)), outcomes, len(scores))
        there = weights > 0
        w = weights[there]
        return _joined(scores[there], w, w * outcomes[there], int(there.sum()))

    @property
    def merging(self) -> Merging:
        """Distinct scores are kept."""
        return "collecting"

    def merge(self, other: Column) -> Column:
        """Return the column of both sets of rows."""
        scores = np.concatenate([self.scores, other.scores])
        weight = np.concatenate([self.weight, other.weight])
        return _joined(scores, weight, np.concatenate([self.outcome, other.outcome]), self.rows + other.rows)

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


def _joined(scores: Floats, weight: Floats, outcome: Floats, rows: int) -> Column:
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    new = np.empty(len(ordered), dtype=bool)
    new[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    if new.all():
        return Column(scores=ordered, weight=weight[order], outcome=outcome[order], rows=rows)
    starts = np.flatnonzero(new)
    sums = (np.add.reduceat(values[order], starts) for values in (weight, outcome))
    return Column(scores=ordered[starts], weight=next(sums), outcome=next(sums), rows=rows)
