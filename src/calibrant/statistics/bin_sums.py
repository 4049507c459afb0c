"""Sums by bin: what every binned measure of calibration is computed from.

One row of bins (C = 1) for a notion with one pair (score, outcome) a row, and k rows for a class-wise notion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import DataError, sentence
from calibrant.statistics.base import Merging, Statistic

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class BinSums(Statistic):
    """Sums over the rows of each bin, all (C, B): C columns (1, or one a class) of B bins.

    ``edges`` is (B+1,) shared or (C, B+1). ``rows`` counts rows of positive weight; ``weight, score, outcome`` are
    weighted sums of one, of the score and of the outcome; ``square_weight`` is the sum of squared weights: equal to
    ``weight`` without weights, None where rows are weighted and no one asked for it. ``n`` rows, ``mass`` total weight.
    """

    edges: Floats
    rows: NDArray[np.int64]
    weight: Floats
    score: Floats
    outcome: Floats
    square_weight: Floats | None
    n: int
    mass: float

    @classmethod
    def empty(cls, edges: Floats, columns: int, *, squares: bool = False) -> BinSums:
        """Return the neutral sums for these edges."""
        zeros = np.zeros((columns, edges.shape[-1] - 1))
        rows = zeros.astype(np.int64)
        square_weight = zeros if squares else None
        return cls(
            edges=edges,
            rows=rows,
            weight=zeros,
            score=zeros,
            outcome=zeros,
            square_weight=square_weight,
            n=0,
            mass=0.0,
        )

    @property
    def merging(self) -> Merging:
        """Sums over fixed bins merge exactly."""
        return "exact"

    def merge(self, other: BinSums) -> BinSums:
        """Return the sums of both sets of rows; ``DataError`` if the edges differ."""
        if not np.array_equal(self.edges, other.edges) or self.rows.shape != other.rows.shape:
            raise DataError(sentence("merged bin sums", "have the same bins", "different edges"))
        squares = None
        if self.square_weight is not None and other.square_weight is not None:
            squares = self.square_weight + other.square_weight
        return replace(
            self,
            rows=self.rows + other.rows,
            weight=self.weight + other.weight,
            score=self.score + other.score,
            outcome=self.outcome + other.outcome,
            square_weight=squares,
            n=self.n + other.n,
            mass=self.mass + other.mass,
        )

    def with_outcomes(self, outcome: Floats) -> BinSums:
        """Return the sums with other outcomes (C, B) over the same rows."""
        return replace(self, outcome=outcome)

    @cached_property
    def filled(self) -> NDArray[np.bool_]:
        """Which bins hold rows (C, B)."""
        return self.rows > 0

    @cached_property
    def gaps(self) -> Floats:
        """Mean outcome minus mean score of each bin (C, B), 0 in empty bins; negative: over-confident."""
        difference = self.outcome - self.score
        return np.divide(difference, self.weight, out=np.zeros_like(self.weight), where=self.filled)

    @property
    def outcome_rates(self) -> Floats:
        """Mean outcome of each bin (C, B), 0 in empty bins."""
        return np.divide(self.outcome, self.weight, out=np.zeros_like(self.weight), where=self.filled)

    @property
    def mean_scores(self) -> Floats:
        """Mean score of each bin (C, B), 0 in empty bins."""
        return np.divide(self.score, self.weight, out=np.zeros_like(self.weight), where=self.filled)

    @property
    def concentration(self) -> Floats:
        """Sum of squared weights over the squared sum (C, B): 1 / rows for equal weights, 0 in empty bins."""
        if self.square_weight is None:
            raise AssertionError("weighted sums were gathered without squared weights")
        return np.divide(self.square_weight, self.weight**2, out=np.zeros_like(self.weight), where=self.filled)

    def coarsened(self, bins: int, unit: float = 0.0) -> BinSums:
        """Return neighbouring bins joined into at most ``bins`` of equal mass; a bin is never split.

        With a common ``unit`` of all weights, the N units of a column are cut as evenly as whole units allow, the
        first N mod bins coarse bins holding one more; without, at equal shares of the mass. A bin goes where its
        first unit goes.
        """
        target = np.stack([_equal_mass_bins(weight, bins, unit) for weight in self.weight])  # (C, F)
        squares = None if self.square_weight is None else _joined(self.square_weight, target, bins)
        fine = np.broadcast_to(self.edges, (len(target), self.edges.shape[-1]))
        edges = _joined_edges(fine, target, self.filled, bins)
        return replace(
            self,
            edges=edges,
            rows=_joined(self.rows, target, bins),
            weight=_joined(self.weight, target, bins),
            score=_joined(self.score, target, bins),
            outcome=_joined(self.outcome, target, bins),
            square_weight=squares,
        )


def common_unit(weights: Floats) -> float:
    """Return the largest number of which all positive weights are whole multiples, or 0.0 if they have none.

    Counting weights in it makes an integer weight a repetition whatever the weights are scaled by.
    """
    values = np.unique(weights[weights > 0])
    if not len(values):
        return 0.0
    unit, floor = float(values[-1]), float(values[-1]) * 1e-6
    for value in values:
        rest = float(value)
        while rest > floor:  # Euclid, with rounding of scaled weights taken for zero
            unit, rest = rest, unit % rest
            rest = 0.0 if unit - rest <= floor else rest
        if unit <= 10 * floor:
            return 0.0
    return unit


def _equal_mass_bins(weight: Floats, bins: int, unit: float) -> NDArray[np.int64]:
    """Return the coarse bin of each fine bin (F,)."""
    total, before = float(weight.sum()), np.cumsum(weight) - weight
    # Cumulative sums of weights that are not whole round just below a boundary: 1e-9 of a bin is rounding.
    return np.searchsorted(bin_starts(total, bins, unit), before + 1e-9 * total / bins, side="right")


def bin_starts(total: float, bins: int, unit: float) -> Floats:
    """Return the mass before each coarse bin but the first (bins - 1,), as `BinSums.coarsened` cuts it."""
    count = np.arange(1, bins)
    if not unit:
        return np.asarray(count * (total / bins))
    whole, extra = divmod(round(total / unit), bins)
    return np.asarray(unit * (count * whole + np.minimum(count, extra)))


def _joined(values: NDArray[Any], target: NDArray[np.int64], bins: int) -> NDArray[Any]:
    columns = len(values)
    flat = (target + np.arange(columns)[:, None] * bins).ravel()
    sums = np.bincount(flat, weights=values.ravel(), minlength=columns * bins).reshape(columns, bins)
    return sums.astype(values.dtype)


def _joined_edges(edges: Floats, target: NDArray[np.int64], filled: NDArray[np.bool_], bins: int) -> Floats:
    """Return (C, bins + 1): a coarse bin ends with its last filled fine bin; an empty one has no width."""
    columns = len(edges)
    upper = np.full((columns, bins), -np.inf)
    column, fine = np.nonzero(filled)
    np.maximum.at(upper, (column, target[column, fine]), edges[column, fine + 1])
    joined = np.concatenate([edges[:, :1], upper], axis=1)
    return np.maximum.accumulate(joined, axis=1)
