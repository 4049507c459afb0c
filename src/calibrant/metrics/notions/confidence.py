"""Confidence calibration: P(label is the top class | confidence) must equal the confidence.

One pair a row: the largest probability, and whether the top class (first on ties) is the label. Called
top-label or confidence calibration; source: Guo et al. (2017), On calibration of modern neural networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.metrics.notions.base import Notion
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.scoring import ZeroOne
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]
_CORRECT = ZeroOne()


@register("notion", "confidence", reference="guo2017")
@dataclass(frozen=True)
class Confidence(Notion):
    """The largest probability against whether its class is the label."""

    def columns(self, k: int) -> int:
        """One column."""
        del k
        return 1

    def bin(self, predictions: Predictions, edges: Floats, *, right: bool, squares: bool) -> BinSums:
        """Return the sums over bins of the confidence."""
        confidence, weights = predictions.summary.confidence, predictions.weights
        correct = _CORRECT.rows(predictions)
        sums = bin_pairs(confidence, correct, edges, weights=weights, right=right)
        if not squares or weights is None:
            return sums
        square = bin_pairs(confidence, correct, edges, weights=weights**2, right=right)
        return BinSums(**{**vars(sums), "square_weight": square.weight})

    def outcomes(self, predictions: Predictions, edges: Floats, *, right: bool) -> Floats:
        """Return the weight of correct rows by bin (1, B)."""
        return self.bin(predictions, edges, right=right, squares=False).outcome

    def pairs(self, predictions: Predictions) -> Iterator[tuple[Floats, Floats]]:
        """Yield confidence and correctness."""
        yield predictions.summary.confidence, _CORRECT.rows(predictions)


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
