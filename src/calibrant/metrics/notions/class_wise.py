"""Class-wise calibration: P(label is c | p_c) must equal p_c, for every class c.

One pair a row in each of the k columns: the probability of the class, and whether it is the label. Also called
marginal or static; source: Kull et al. (2019), Beyond temperature scaling; Nixon et al. (2019).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.metrics.notions import replicated
from calibrant.metrics.notions.base import HardColumns, Notion
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]


@register("notion", "class_wise", reference="kull2019")
@dataclass(frozen=True)
class ClassWise(Notion):
    """The probability of each class against whether it is the label."""

    def columns(self, k: int) -> int:
        """One column a class."""
        return k

    def bin(self, predictions: Predictions, edges: Floats, *, right: bool, squares: bool) -> BinSums:
        """Return the sums over bins of the probability of each class (k, B)."""
        soft = cast(Floats, predictions.labels) if predictions.soft else None
        bins = self._kernel(predictions, predictions.weights, edges, right=right, outcomes=soft)
        outcome = bins.outcome if soft is not None else self.outcomes(predictions, edges, right=right)
        weights = predictions.weights
        square_weight = bins.weight if weights is None else None
        if squares and weights is not None:
            square_weight = self._kernel(predictions, weights**2, edges, right=right, outcomes=None).weight
        return BinSums(
            edges=edges,
            rows=bins.rows,
            weight=bins.weight,
            score=bins.score,
            outcome=cast(Floats, outcome),
            square_weight=square_weight,
            n=len(predictions) if weights is None else int((weights > 0).sum()),
            mass=float(len(predictions)) if weights is None else float(weights.sum()),
        )

    def _kernel(
        self,
        predictions: Predictions,
        weights: Floats | None,
        edges: Floats,
        *,
        right: bool,
        outcomes: Floats | None,
    ) -> Any:
        shared = edges.ndim == 1 and outcomes is None and weights is predictions.weights
        known = predictions.from_door("class_bins", edges, right=right) if shared else None
        if known is not None:
            return known
        return kernels.bin_classes(
            predictions.scores,
            edges,
            logits=predictions.logits,
            total=predictions.summary.total,
            weights=weights,
            class_totals=predictions.class_totals if shared else None,
            outcomes=outcomes,
            right=right,
        )

    def bin_many(
        self, predictions: Predictions, edges: Floats, weights: Floats, *, right: bool
    ) -> list[BinSums] | None:
        """Return the sums over bins under each weighting; None for soft labels and for very many classes."""
        if predictions.soft or not replicated.suits(predictions.k, edges):
            return None
        total = predictions.summary.total if predictions.logits else None
        labels = predictions.hard_labels
        return replicated.bin_sums(predictions.scores, labels, edges, weights, right=right, total=total)

    def outcomes(self, predictions: Predictions, edges: Floats, *, right: bool) -> Floats:
        """Return the weight of the labels by class and bin (k, B); hard labels only."""
        labels, bins = predictions.hard_labels, edges.shape[-1] - 1
        where = predictions.from_door("label_bins", edges, right=right)
        if where is None:
            total, logits = predictions.summary.total, predictions.logits
            where = kernels.label_bins(predictions.scores, labels, edges, logits=logits, total=total, right=right)
        weights = predictions.weights
        if where.min() < 0:  # entries outside the edges are dropped
            kept = where >= 0
            labels, where, weights = labels[kept], where[kept], None if weights is None else weights[kept]
        counts = np.bincount(labels * bins + where, weights=weights, minlength=predictions.k * bins)
        return counts.astype(np.float64).reshape(predictions.k, bins)

    def pairs(self, predictions: Predictions) -> Iterator[tuple[Floats, Floats]]:
        """Yield the probability of each class and whether it is the label."""
        scores, total, labels = predictions.scores, predictions.summary.total, predictions.labels
        for c in range(predictions.k):
            column = scores[:, c].astype(np.float64)
            probability = np.exp(column - total) if predictions.logits else column
            hit = labels[:, c] if predictions.soft else labels == c  # type: ignore[index]
            yield probability, np.asarray(hit, dtype=np.float64)

    def hard_columns(self, predictions: Predictions) -> HardColumns | None:
        """Return the scores as they are, unless labels are soft."""
        if predictions.soft:
            return None
        total = predictions.summary.total if predictions.logits else None
        return HardColumns(predictions.scores, total, predictions.hard_labels)
