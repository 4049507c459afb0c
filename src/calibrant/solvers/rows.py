"""The calibration rows as the convex fits see them: log-probabilities with a floor, labels, weights that sum to 1.

Class-wise fits work on u = max(log p, log floor), never on raw logits: a constant added to a row of logits changes
nothing, and logits and their softmax agree. Every fit needs the labels only through a few sums, made here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibrant.predictions import Predictions
from calibrant.solvers.zeros import finite_logits, floor_of

Floats = NDArray[np.float64]
Scores = NDArray[np.floating]

_BLOCK = 1 << 18  # entries of the float64 temporaries that soft labels need: 2 MB each


@dataclass(frozen=True, kw_only=True, eq=False)
class FitRows:
    """Rows of a fit.

    Attributes
    ----------
    scores : (n, k), probabilities or ``logits``; ``total`` (n,) is the log-sum-exp of the logits.
    floor : the smallest probability that a class has in the fit.
    labels : (n,) classes or (n, k) soft labels; ``top`` (n,) the class of the largest score.
    weights : (n,), summing to 1. ``effective`` : Kish's effective number of rows.
    """

    scores: Scores
    logits: bool
    total: Floats
    floor: float
    labels: NDArray[np.int64] | Floats
    top: NDArray[np.int32]
    weights: Floats
    effective: float

    @classmethod
    def of(cls, predictions: Predictions, zero: float | None) -> FitRows:
        """Return the rows of a labelled batch, with the exact zeros replaced by ``zero`` (see `floor_of`)."""
        floor, summary = floor_of(predictions, zero), predictions.summary
        weights = predictions.row_weights
        assert predictions.labels is not None  # noqa: S101 - `Calibrator.fit` has refused such a batch
        return cls(
            scores=predictions.scores,
            logits=predictions.logits,
            total=summary.total,
            floor=floor,
            labels=predictions.labels,
            top=summary.top,
            weights=weights / weights.sum(),
            effective=predictions.effective_rows,
        )

    @property
    def k(self) -> int:
        """Number of classes."""
        return int(self.scores.shape[1])

    def finite(self) -> FitRows:
        """Return the rows with logits of -inf replaced by those of probability ``floor``."""
        return replace(self, scores=finite_logits(self.scores, self.total, self.floor)) if self.logits else self

    def pull(self, prior: float) -> float:
        """Return the share of the fit that ``prior`` pseudo-rows have: prior / (effective rows + prior)."""
        return prior / (self.effective + prior)

    def thinned(self, most: int) -> FitRows:
        """Return at most ``most`` evenly spaced rows, to start a fit from."""
        every = slice(None, None, -(-len(self.scores) // most))
        weights = self.weights[every]
        return replace(
            self,
            scores=np.ascontiguousarray(self.scores[every]),
            total=self.total[every],
            labels=self.labels[every],
            top=self.top[every],
            weights=weights / weights.sum(),
            effective=float(weights.sum() ** 2 / (weights @ weights)),
        )

    def label_gaps(self) -> Floats:
        """Return the score of the label less the largest score of the row (n,): sum_c q_c (z_c - max z), at most 0.

        z are logits, or log-probabilities. Exactly 0 where all label mass is on classes that tie for the top.
        """
        if self.labels.ndim == 1:
            return self._picked(self.labels) - self._picked(self.top)
        gaps = np.empty(len(self.scores))
        for rows, z in self._blocks():
            q = self.labels[rows]  # (block, k)
            gaps[rows] = (q * (z - z.max(1, keepdims=True))).sum(1) / q.sum(1)
        return gaps

    def top_scores(self) -> Floats:
        """Return the largest logit or log-probability of each row (n,)."""
        return self._picked(self.top)

    def label_sums(self) -> tuple[Floats, Floats]:
        """Return the label mass of each class, sum_i w_i q_ic, and its log-probabilities, sum_i w_i q_ic u_ic; (k,) each."""
        if self.labels.ndim == 1:
            u = self._log_probabilities(self._picked(self.labels), self.total)
            mass = np.bincount(self.labels, self.weights, self.k)
            return mass, np.bincount(self.labels, self.weights * u, self.k)
        mass, moment = np.zeros(self.k), np.zeros(self.k)
        for rows, z in self._blocks():
            mass += self.weights[rows] @ self.labels[rows]
            moment += self.weights[rows] @ (self.labels[rows] * self._log_probabilities(z, self.total[rows, None]))
        return mass, moment

    def picked_probabilities(self, columns: NDArray[np.integer]) -> Floats:
        """Return one probability a row (n,), of the class in ``columns``, without the floor."""
        return self._probabilities(self.scores[np.arange(len(columns)), columns], self.total)

    def probability_blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield blocks of rows with their probabilities (block, k) in float64, without the floor."""
        for rows in self._slices():
            yield rows, self._probabilities(self.scores[rows], self.total[rows, None])

    def _blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield blocks of rows with their logits or log-probabilities (block, k) in float64."""
        for rows in self._slices():
            yield rows, self._widened(self.scores[rows])

    def _slices(self) -> Iterator[slice]:
        step = max(1, _BLOCK // self.k)
        return (slice(start, start + step) for start in range(0, len(self.scores), step))

    def _picked(self, columns: NDArray[np.integer]) -> Floats:
        """Return one logit or log-probability a row (n,)."""
        return self._widened(self.scores[np.arange(len(columns)), columns])

    def _widened(self, scores: Scores) -> Floats:
        wide = scores.astype(np.float64)
        return wide if self.logits else np.log(np.maximum(wide, self.floor))

    def _log_probabilities(self, z: Floats, total: Floats) -> Floats:
        return np.maximum(z - total, np.log(self.floor)) if self.logits else z

    def _probabilities(self, scores: Scores, total: Floats) -> Floats:
        wide = scores.astype(np.float64)
        return np.exp(wide - total) if self.logits else wide
