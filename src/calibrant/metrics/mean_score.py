"""Means of per-row scores: log loss, Brier, spherical and ranked probability score, and accuracy."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import require
from calibrant.estimate import Estimate
from calibrant.metrics.base import Metric
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.scoring import BrierScore, LogLoss, RankedProbabilityScore, RowScore, SphericalScore, ZeroOne
from calibrant.statistics import Moments
from calibrant.validation import ROW_SUM_TOLERANCE

Floats = NDArray[np.float64]


class MeanScore(Metric):
    """The weighted mean of a per-row score over the rows."""

    score: RowScore
    spoken: str

    @property
    def by_class(self) -> bool:
        """Whether the score depends on the order of the classes."""
        return not self.entry.capabilities.equivariant

    @property
    def estimand(self) -> str:
        """The expectation over the population of rows."""
        return f"expectation of the {self.spoken} over new rows"

    @property
    def gathering(self) -> Hashable:
        """Equal for the same score."""
        return self.score

    def sums(self, predictions: Predictions) -> Moments:
        """Return the sums of the score of one batch."""
        return Moments.of(self.score.rows(predictions), predictions.weights)

    def reweighted_sums(self, predictions: Predictions, weights: Floats) -> list[Moments]:
        """Return the sums under each weighting of the rows (n, R); the score is computed once."""
        return Moments.of_many(self.score.rows(predictions), weights)

    def value(self, sums: Moments) -> float:
        """Return the mean; infinite where a row's loss is."""
        return sums.mean

    def estimate(self, sums: Moments) -> Estimate:
        """Return the mean as an estimate."""
        return self.found(self.value(sums), sums.rows)


@register("measure", "log_loss", reference="good1952")
@dataclass(frozen=True, kw_only=True)
class MeanLogLoss(MeanScore):
    """Log loss: mean of minus the log-probability of the label, in nats; nothing is clipped.

    Strictly proper: smallest in expectation for the true probabilities. Infinite if a class of probability
    zero occurs.
    """

    spoken = "log loss"
    bounds = (-ROW_SUM_TOLERANCE, float("inf"))  # rows are used as given, and may sum to a little more than 1
    score = LogLoss()


@register("measure", "brier", reference="brier1950")
@dataclass(frozen=True, kw_only=True)
class MeanBrier(MeanScore):
    """Brier score: mean over rows of the sum over classes of (p - 1{y = c})^2, in [0, 2].

    Strictly proper. Twice the binary score of scikit-learn; k times that of packages that divide by k.
    """

    spoken = "Brier score"
    bounds = (0.0, 2.0)
    score = BrierScore()


@register("measure", "spherical", reference="gneiting2007")
@dataclass(frozen=True, kw_only=True)
class MeanSpherical(MeanScore):
    """Spherical score as a loss: mean of 1 - p_y / ||p||, in [0, 1]; smaller is better.

    Strictly proper and bounded. Elsewhere the score is often p_y / ||p||, larger is better, or minus it. One pass; an
    unbiased estimate of its expectation.
    """

    spoken = "spherical loss"
    score = SphericalScore()


@register("measure", "ranked_probability", reference="epstein1969", equivariant=False)
@dataclass(frozen=True, kw_only=True)
class MeanRankedProbability(MeanScore):
    """Ranked probability score for ordered classes: mean squared gap of cumulative probabilities, in [0, 1].

    Classes are ordered as the columns are. Strictly proper. By default the sum over the k - 1 cut points is divided by
    their number; ``normalized=False`` gives the sum, in [0, k - 1]. For k = 2 it is half of `brier`. Unbiased; a read
    of the scores of its own, O(n k).
    """

    normalized: bool = True
    spoken = "ranked probability score"

    def __post_init__(self) -> None:
        require(isinstance(self.normalized, bool), "normalized", "be True or False", repr(self.normalized))

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """A sum over cut points grows with the classes."""
        return (0.0, 1.0 if self.normalized else float("inf"))

    @property
    def score(self) -> RowScore:  # type: ignore[override]
        """The score of a row."""
        return RankedProbabilityScore(self.normalized)


@register("measure", "accuracy")
@dataclass(frozen=True, kw_only=True)
class Accuracy(MeanScore):
    """Accuracy: share of rows whose label is the top class (ties go to the first class); larger is better."""

    spoken = "accuracy"
    smaller_is_better = False
    perfect = 1.0
    score = ZeroOne()
