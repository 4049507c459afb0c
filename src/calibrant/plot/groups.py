"""Pairs (score, outcome) in order, joined into few groups: what curves over all scores are drawn and redrawn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from calibrant import registry
from calibrant.metrics.notions import Notion
from calibrant.plot import bands
from calibrant.predictions import Predictions
from calibrant.statistics import Column

Floats = NDArray[np.float64]
MOST = 4096  # groups: finer than any picture


@dataclass(frozen=True, eq=False, kw_only=True)
class Groups:
    """Neighbouring scores joined, all (m,): mean ``scores`` increasing, ``shares`` of the weight, mean ``rates``.

    ``trials`` is the effective number of rows; ``low, high`` are the least and largest score.
    """

    scores: Floats
    shares: Floats
    rates: Floats
    trials: NDArray[np.int64]
    low: Floats
    high: Floats
    rows: int

    @cached_property
    def column(self) -> Column:
        """The groups as if each were one row."""
        return Column.of(self.scores, self.rates, self.shares)

    def redrawn(self, replicates: int, seed: int) -> Iterator[Floats]:
        """Yield rates (m,) of a calibrated model with the same scores."""
        rng = np.random.default_rng(seed)
        chance = np.clip(self.scores, 0, 1)
        for _ in range(replicates):
            yield rng.binomial(self.trials, chance) / self.trials


def of_confidence(predictions: Predictions) -> tuple[Groups, Column]:
    """Return the groups of (confidence, correct), and the column of all distinct scores."""
    notion: Notion = registry.create("notion", "confidence")
    ((scores, outcomes),) = notion.pairs(predictions)
    weights = predictions.weights
    column = Column.of(scores, outcomes, weights)
    squares = column if weights is None else Column.of(scores, outcomes, weights**2)
    return joined(column, squares.weight), column


def joined(column: Column, square_weight: Floats, most: int = MOST) -> Groups:
    """Return the column in at most so many groups of about equal weight; distinct scores as they are if fewer."""
    starts = _starts(column.shares, most)
    weight = np.add.reduceat(column.weight, starts)
    ends = np.append(starts[1:], len(column.scores)) - 1
    low, high = column.scores[starts], column.scores[ends]
    means = np.add.reduceat(column.weight * column.scores, starts) / weight
    return Groups(
        scores=np.clip(means, low, high),  # rounding must not put two groups out of order
        shares=weight / column.mass,
        rates=np.add.reduceat(column.outcome, starts) / weight,
        trials=bands.effective(weight, np.add.reduceat(square_weight, starts)),
        low=low,
        high=high,
        rows=column.rows,
    )


def _starts(shares: Floats, most: int) -> NDArray[np.int64]:
    if len(shares) <= most:
        return np.arange(len(shares))
    middle = np.cumsum(shares) - 0.5 * shares
    group = np.minimum((middle * most).astype(np.int64), most - 1)
    return np.flatnonzero(np.diff(group, prepend=-1))
