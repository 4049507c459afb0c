"""The calibration rows as the convex fits see them: log-probabilities, labels, weights that sum to 1.

Class-wise fits work on u = log p, never on raw logits: a constant added to a row of logits changes nothing, and logits
and their softmax agree. Every fit needs the labels only through a few sums, made here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.formulas import NUMPY, TINY, log_softmax
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
Scores = NDArray[np.floating]

# The kernels' floor: positive probabilities are never raised, only what underflows, as in the softmax of logits.
FLOOR = TINY
# Rounding of single precision averages out over many entries; fewer are widened, so that solvers meet smooth functions.
_WIDENED = 1 << 20
_BLOCK = 1 << 18  # entries of the float64 temporaries that soft labels need: 2 MB each


def log_probabilities(predictions: Predictions, rows: slice) -> Floats:
    """Return the log-probabilities (b, k) of some rows of a batch, at least log `FLOOR`, float64.

    The door sums single-precision logits in their own precision. They are summed anew here: a formula then meets the
    same digits wherever it runs, and a score on the edge of a bin stays on its side.
    """
    scores = predictions.scores[rows]
    if predictions.logits and scores.dtype == np.float32:
        found: Floats = np.maximum(log_softmax(NUMPY, scores.astype(np.float64)), np.log(FLOOR))
        return found
    return _log_probabilities(scores, predictions.summary.total[rows] if predictions.logits else None)


def _log_probabilities(scores: Scores, total: Floats | None) -> Floats:
    """Return them from probabilities (b, k), or from logits with their log-sum-exp ``total`` (b,)."""
    wide = scores.astype(np.float64)  # a copy
    return np.log(np.maximum(wide, FLOOR)) if total is None else np.maximum(wide - total[:, None], np.log(FLOOR))


@dataclass(frozen=True, kw_only=True, eq=False)
class FitRows:
    """Rows of a fit.

    Attributes
    ----------
    scores : (n, k), positive probabilities or finite ``logits``; ``total`` (n,) is the log-sum-exp of the logits.
    labels : (n,) classes, or None; ``soft`` : (n, k) soft labels, or None. ``top`` (n,) the class of the largest score.
    weights : (n,), summing to 1. ``effective`` : Kish's effective number of rows.
    """

    scores: Scores
    logits: bool
    total: Floats
    labels: NDArray[np.int64] | None
    soft: Floats | None
    top: NDArray[np.int32]
    weights: Floats
    effective: float

    @classmethod
    def of(cls, predictions: Predictions) -> FitRows:
        """Return the rows of a labelled batch without exact zeros (see `without_zeros`)."""
        weights, scores = predictions.row_weights, predictions.scores
        return cls(
            scores=scores.astype(np.float64) if scores.size <= _WIDENED else scores,
            logits=predictions.logits,
            total=predictions.summary.total,
            labels=None if predictions.soft else predictions.hard_labels,
            soft=predictions.labels if predictions.soft else None,
            top=predictions.summary.top,
            weights=weights / weights.sum(),
            effective=float(len(weights)) if predictions.weights is None else predictions.effective_rows,
        )

    @property
    def k(self) -> int:
        """Number of classes."""
        return int(self.scores.shape[1])

    def pull(self, prior: float) -> float:
        """Return the share of the fit that ``prior`` pseudo-rows have: prior / (effective rows + prior)."""
        return prior / (self.effective + prior)

    def thinned(self, step: int) -> FitRows:
        """Return every ``step``-th row, to start a fit from."""
        every = slice(None, None, step)
        weights = self.weights[every]
        return replace(
            self,
            scores=np.ascontiguousarray(self.scores[every]),
            total=self.total[every],
            labels=None if self.labels is None else self.labels[every],
            soft=None if self.soft is None else self.soft[every],
            top=np.ascontiguousarray(self.top[every]),
            weights=weights / weights.sum(),
            effective=float(weights.sum() ** 2 / (weights @ weights)),
        )

    def label_gaps(self) -> Floats:
        """Return the score of the label less the largest score of the row (n,): sum_c q_c (z_c - max z), at most 0.

        z are logits, or log-probabilities. Exactly 0 where all label mass is on classes that tie for the top.
        """
        if self.labels is not None:
            gaps, wrong = np.zeros(len(self.scores)), np.flatnonzero(self.labels != self.top)
            gaps[wrong] = self._picked(self.labels, wrong) - self._picked(self.top, wrong)
            return gaps
        gaps = np.empty(len(self.scores))
        for rows, q in self.soft_blocks():
            z = self._logs(self.scores[rows])  # (block, k)
            gaps[rows] = (q * (z - z.max(1, keepdims=True))).sum(1) / q.sum(1)
        return gaps

    def label_sums(self) -> tuple[Floats, Floats]:
        """Return the label mass of each class and its log-probabilities, sum_i w_i q_ic [1, u_ic]; (k,) each."""
        if self.labels is not None:
            u = self._log_probabilities(self._picked(self.labels), self.total)
            return self.by_label(np.ones_like(u)), self.by_label(u)
        mass, moment = np.zeros(self.k), np.zeros(self.k)
        for rows, q in self.soft_blocks():
            u = self._log_probabilities(self._logs(self.scores[rows]), self.total[rows, None])
            mass += self.weights[rows] @ q
            moment += self.weights[rows] @ (q * u)
        return mass, moment

    def by_label(self, values: Floats) -> Floats:
        """Return the weighted sum of ``values`` (n,) over the rows of each class (k,), for hard labels."""
        assert self.labels is not None
        return np.bincount(self.labels, self.weights * values, self.k).astype(np.float64, copy=False)

    def soft_blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield blocks of rows with their soft labels (block, k)."""
        assert self.soft is not None
        return ((rows, self.soft[rows]) for rows in self.slices())

    def picked_probabilities(self, columns: NDArray[np.integer]) -> Floats:
        """Return one probability a row (n,), of the class in ``columns``, from logits."""
        picked: Floats = self.scores[np.arange(len(columns)), columns].astype(np.float64)
        return np.exp(picked - self.total)

    def probability_blocks(self) -> Iterator[tuple[slice, Scores]]:
        """Yield blocks of rows with their probabilities (block, k), from logits, in their dtype."""
        total = self.total.astype(self.scores.dtype)
        for rows in self.slices():
            yield rows, np.exp(self.scores[rows] - total[rows, None])

    def log_probabilities(self, rows: slice) -> Floats:
        """Return the log-probabilities (b, k) of some rows, at least log `FLOOR`, float64."""
        return _log_probabilities(self.scores[rows], self.total[rows] if self.logits else None)

    def at_label(self, values: Floats, rows: slice) -> Floats:
        """Return the value of each label (b,), of values (b, k) of some rows; its mean over a soft one."""
        if self.soft is not None:
            return np.asarray(np.einsum("ij,ij->i", self.soft[rows], values))
        assert self.labels is not None
        picked: Floats = values[np.arange(len(values)), self.labels[rows]]
        return picked

    def slices(self) -> Iterator[slice]:
        """Yield blocks of rows."""
        step = max(1, _BLOCK // self.k)
        return (slice(start, start + step) for start in range(0, len(self.scores), step))

    def _picked(self, columns: NDArray[np.integer], rows: NDArray[np.intp] | None = None) -> Floats:
        """Return one logit or log-probability a row, of its class in ``columns`` (n,), for all ``rows`` or some."""
        rows = np.arange(len(columns)) if rows is None else rows
        return self._logs(self.scores[rows, columns[rows]][:, None])[:, 0]

    def _logs(self, scores: Scores) -> Floats:
        """Return logits or log-probabilities (m, k), by the logarithm of the kernels: differences to it are 0."""
        return (scores if self.logits else kernels.log_probabilities(scores, floor=FLOOR)).astype(np.float64)

    def _log_probabilities(self, z: Floats, total: Floats) -> Floats:
        return np.maximum(z - total, np.log(FLOOR)) if self.logits else z
