"""Within-top-r calibration: P(label among the r likeliest | their total probability) must equal that total.

One pair a row: the sum of the r largest probabilities, and whether the label is one of their classes. Of equal
probabilities the earlier class comes first, as for the top class, and a class of probability 0 is never one of them.
r = 1 is confidence calibration. Source: Gupta et al. (2021), Calibration of neural networks using splines.

The scores cost a partial sort of each row, O(n k), in blocks; new labels cost one read of the scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.errors import is_whole, require
from calibrant.metrics.notions.single import SingleColumn
from calibrant.metrics.relabelling import Relabellings
from calibrant.metrics.row_blocks import slices
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.scoring.base import label_column

Floats = NDArray[np.float64]
_FEW = 16  # classes of each row that are kept while labels are redrawn


@register("notion", "within_top", reference="gupta2021")
@dataclass(frozen=True, kw_only=True)
class WithinTop(SingleColumn):
    """The sum of the r largest probabilities against whether the label is among their classes."""

    r: int = 2

    def __post_init__(self) -> None:
        require(is_whole(self.r) and self.r > 0, "r", "be a positive whole number", self.r)

    def trivial(self, k: int) -> str:
        """Return that all classes are among the likeliest, if so."""
        return f"0 by construction: the {self.r} likeliest of {k} classes hold every label" if self.r >= k else ""

    def scores(self, predictions: Predictions) -> Floats:
        """Return the sum of the r largest probabilities of each row, at most 1."""
        if self.r >= predictions.k:
            return np.ones(len(predictions))
        if self.r == 1:
            return predictions.summary.confidence
        sums, cut = np.empty(len(predictions)), predictions.k - self.r
        for rows in slices(*predictions.scores.shape):
            largest = np.partition(predictions.scores[rows], cut, axis=1)[:, cut:].astype(np.float64)  # (block, r)
            total = predictions.summary.total[rows, None]
            sums[rows] = (np.exp(largest - total) if predictions.logits else largest).sum(1)
        return np.minimum(sums, 1.0)  # a sum of probabilities may round above 1

    def outcome(self, predictions: Predictions) -> Floats:
        """Return whether the label is among the r likeliest classes, of a soft label its mass on them."""
        if predictions.soft:
            return np.concatenate([self._soft(predictions, rows) for rows in slices(*predictions.scores.shape)])
        possible = label_column(predictions.summary.label_probability) > 0
        return (possible & (_label_rank(predictions) <= self.r)).astype(np.float64)

    def relabelled_outcomes(self, drawn: Relabellings) -> Floats:
        """Return whether each of the labels is among the r likeliest classes (R, n)."""
        if self.r > _FEW:
            return super().relabelled_outcomes(drawn)
        likeliest = self._likeliest(drawn.predictions)  # (n, r)
        return np.asarray((drawn.labels[..., None] == likeliest).any(-1), dtype=np.float64)

    def _likeliest(self, predictions: Predictions) -> NDArray[np.int64]:
        """Return the r likeliest classes of each row (n, r), -1 in place of impossible ones."""
        scores, none = predictions.scores, -np.inf if predictions.logits else 0
        parts = []
        for rows in slices(*scores.shape):
            best = np.argsort(-scores[rows], axis=1, kind="stable")[:, : self.r]  # (block, r)
            parts.append(np.where(np.take_along_axis(scores[rows], best, axis=1) > none, best, -1))
        return np.concatenate(parts)

    def _soft(self, predictions: Predictions, rows: slice) -> Floats:
        scores, labels = predictions.scores[rows], cast(Floats, predictions.labels)[rows]
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self.r]  # (block, r)
        possible = np.take_along_axis(scores, best, axis=1) > (-np.inf if predictions.logits else 0)
        return np.asarray((np.take_along_axis(labels, best, axis=1) * possible).sum(1))


def _label_rank(predictions: Predictions) -> NDArray[np.int32]:
    """Return the rank of each label (n,); labels that were redrawn have none yet."""
    known = predictions.summary.label_rank
    if known is not None:
        return known
    scan = kernels.scan_rows(predictions.scores, logits=predictions.logits, labels=predictions.hard_labels)
    return cast(NDArray[np.int32], scan.label_rank)
