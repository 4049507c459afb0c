"""Notions with one pair (score, outcome) a row: all they must say is which pair."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.metrics.notions import replicated
from calibrant.metrics.notions.base import HardColumns, Notion
from calibrant.metrics.notions.cells import bins_of, cell_sums
from calibrant.metrics.relabelling import Relabellings
from calibrant.predictions import Predictions
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]


class SingleColumn(Notion):
    """A notion with one column."""

    @abstractmethod
    def scores(self, predictions: Predictions) -> Floats:
        """Return the score of each row (n,), in [0, 1]."""

    @abstractmethod
    def outcome(self, predictions: Predictions) -> Floats:
        """Return the outcome of each row (n,), in [0, 1]; cheap where only the labels are new."""

    def columns(self, k: int) -> int:
        """One column."""
        del k
        return 1

    def bin(self, predictions: Predictions, edges: Floats, *, right: bool, squares: bool) -> BinSums:
        """Return the sums over bins of the score."""
        scores, weights = self.scores(predictions), predictions.weights
        outcomes = self.outcome(predictions)
        sums = bin_pairs(scores, outcomes, edges, weights=weights, right=right)
        if not squares or weights is None:
            return sums
        square = bin_pairs(scores, outcomes, edges, weights=weights**2, right=right)
        return BinSums(**{**vars(sums), "square_weight": square.weight})

    def bin_many(self, predictions: Predictions, edges: Floats, weights: Floats, *, right: bool) -> list[BinSums]:
        """Return the sums over bins under each weighting."""
        scores = np.ascontiguousarray(self.scores(predictions))[:, None]
        first = np.zeros(len(scores), dtype=np.int64)
        hits = np.ascontiguousarray(self.outcome(predictions), dtype=np.float64)
        return replicated.bin_sums(scores, first, edges, weights, right=right, hits=hits)

    def outcomes(self, predictions: Predictions, edges: Floats, *, right: bool) -> Floats:
        """Return the weighted outcomes by bin (1, B)."""
        return self.bin(predictions, edges, right=right, squares=False).outcome

    def outcomes_many(self, drawn: Relabellings, edges: Floats, *, right: bool) -> Floats:
        """Return the weighted outcomes by bin under each label vector (R, 1, B)."""
        bins = bins_of(self.scores(drawn.predictions), edges.reshape(-1), right=right)
        outcomes, weights = self.relabelled_outcomes(drawn), drawn.predictions.weights
        return cell_sums(bins, outcomes if weights is None else outcomes * weights, edges.shape[-1] - 1)[:, None]

    def pairs(self, predictions: Predictions) -> Iterator[tuple[Floats, Floats]]:
        """Yield the one column."""
        yield self.scores(predictions), self.outcome(predictions)

    def hard_columns(self, predictions: Predictions) -> HardColumns | None:
        """Return the scores as the one column, unless an outcome is a mean."""
        outcome = self.outcome(predictions)
        if np.any(outcome * (1 - outcome)):
            return None
        scores = np.ascontiguousarray(self.scores(predictions))[:, None]
        return HardColumns(scores, None, np.where(outcome == 1, 0, -1))


def bin_pairs(
    scores: Floats, outcomes: NDArray[np.generic], edges: Floats, *, weights: Floats | None, right: bool
) -> BinSums:
    """Return the sums of one column of pairs (n,) over bins; ``edges`` is (B+1,) or (1, B+1)."""
    bins = kernels.bin_values(scores, outcomes, edges.reshape(-1), weights=weights, right=right)
    return BinSums(
        edges=edges,
        rows=bins.rows[None],
        weight=bins.weight[None],
        score=bins.value[None],
        outcome=bins.outcome[None],
        square_weight=bins.weight[None] if weights is None else None,
        n=len(scores) if weights is None else int((weights > 0).sum()),
        mass=float(len(scores)) if weights is None else float(weights.sum()),
    )
