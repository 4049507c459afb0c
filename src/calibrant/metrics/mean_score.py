"""Means of per-row scores: log loss, Brier score and accuracy."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from calibrant.estimate import Estimate
from calibrant.metrics.base import Metric
from calibrant.predictions import Predictions
from calibrant.registry import register, spec_of
from calibrant.scoring import BrierScore, LogLoss, RowScore, ZeroOne
from calibrant.statistics import Moments


class MeanScore(Metric):
    """The weighted mean of a per-row score over the rows."""

    score: RowScore
    spoken: str

    @property
    def spec(self) -> str:
        """The spec string."""
        return spec_of(self)

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

    def value(self, sums: Moments) -> float:
        """Return the mean; infinite where a row's loss is."""
        return sums.mean

    def estimate(self, sums: Moments) -> Estimate:
        """Return the mean as an estimate."""
        return Estimate(name=self.name, value=self.value(sums), n=sums.rows, spec=self.spec, estimand=self.estimand)


@register("measure", "log_loss", reference="good1952")
@dataclass(frozen=True, kw_only=True)
class MeanLogLoss(MeanScore):
    """Log loss: mean of minus the log-probability of the label, in nats; nothing is clipped.

    Strictly proper: smallest in expectation for the true probabilities. Infinite if a class of probability
    zero occurs.
    """

    name = "log_loss"
    spoken = "log loss"
    bounds = (0.0, float("inf"))
    score = LogLoss()


@register("measure", "brier", reference="brier1950")
@dataclass(frozen=True, kw_only=True)
class MeanBrier(MeanScore):
    """Brier score: mean over rows of the sum over classes of (p - 1{y = c})^2, in [0, 2].

    Strictly proper. Twice the binary score of scikit-learn; k times that of packages that divide by k.
    """

    name = "brier"
    spoken = "Brier score"
    bounds = (0.0, 2.0)
    score = BrierScore()


@register("measure", "accuracy")
@dataclass(frozen=True, kw_only=True)
class Accuracy(MeanScore):
    """Accuracy: share of rows whose label is the top class (ties go to the first class); larger is better."""

    name = "accuracy"
    spoken = "accuracy"
    smaller_is_better = False
    perfect = 1.0
    score = ZeroOne()
