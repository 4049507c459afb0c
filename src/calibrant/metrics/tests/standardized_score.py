"""Spiegelhalter's test: does a proper score have the mean that the probabilities promise?

Under the null the score S of a row has a known mean E and variance V given its probabilities, so
z = sum w (S - E) / sqrt(sum w^2 V) is asymptotically standard normal. Brier score, canonical: S - E = 2 (|p|^2 - p_y),
V = 4 sum_c p_c (p_c - |p|^2)^2. Log loss: S - E = -log p_y - H(p), V = sum_c p_c (log p_c + H(p))^2. Of the
confidence c with outcome a: S - E = (a - c) (1 - 2 c) or (a - c) log((1 - c) / c). Source: Spiegelhalter (1986) for two
classes; for k classes the same moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from calibrant import kernels
from calibrant.errors import require
from calibrant.metrics.tests.base import ASYMPTOTIC, CalibrationTest, TestResult
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.scoring import ZeroOne
from calibrant.statistics import Merging, Statistic

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Deviation(Statistic):
    """Rows of positive weight, their weighted sum of S - E, and the variance of that sum under the null."""

    rows: int
    deviation: float
    variance: float

    @property
    def merging(self) -> Merging:
        """Sums merge exactly."""
        return "exact"

    def merge(self, other: Deviation) -> Deviation:
        """Return the sums of both sets of rows."""
        return Deviation(self.rows + other.rows, self.deviation + other.deviation, self.variance + other.variance)

    @property
    def z(self) -> float:
        """The sum in standard deviations; infinite where it cannot vary and yet differs from 0."""
        if self.variance == 0 or np.isinf(self.deviation):
            return float(np.sign(self.deviation) * np.inf) if self.deviation else 0.0
        return float(self.deviation / np.sqrt(self.variance))


def _canonical_moments(batch: Predictions, rule: str) -> tuple[Floats, Floats]:
    """Return S - E and V of each row (n,), from the whole probability vector."""
    summary, logs = batch.summary, rule == "log_loss"
    assert summary.label_log_probability is not None
    assert summary.label_probability is not None
    centre = -summary.entropy if logs else summary.sum_of_squares  # mean of log p_y, or of p_y
    variance = kernels.row_variances(batch.scores, logits=batch.logits, total=summary.total, centre=centre, logs=logs)
    if rule == "brier":
        return 2 * (centre - summary.label_probability), 4 * variance
    return centre - summary.label_log_probability, variance


def _confidence_moments(batch: Predictions, rule: str) -> tuple[Floats, Floats]:
    """Return S - E and V of each row (n,), from the confidence and whether it was right."""
    c = batch.summary.confidence
    gap = ZeroOne().rows(batch) - c
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = 1 - 2 * c if rule == "brier" else np.log(np.maximum(1 - c, 0.0)) - np.log(c)
        variance = c * (1 - c) * slope**2
    certain = np.isinf(slope)
    return np.multiply(gap, slope, out=np.zeros_like(gap), where=gap != 0), np.where(certain, 0.0, variance)


_MOMENTS = {"canonical": _canonical_moments, "confidence": _confidence_moments}


@register("test", "spiegelhalter", reference="spiegelhalter1986", supports_soft_labels=False)
@dataclass(frozen=True, kw_only=True)
class Spiegelhalter(CalibrationTest):
    """Spiegelhalter's test, for k classes: the mean of a proper score against what the probabilities promise.

    It sees over- and under-confidence as a whole, not errors that cancel in the score. Two-sided; z > 0 where the
    score is worse than promised (over-confidence).

    Parameters
    ----------
    rule : ``"brier"`` (sum over classes) or ``"log_loss"``.
    notion : ``"canonical"``, the score of the whole vector, or ``"confidence"``, the binary score of the top class.

    Notes
    -----
    Null: labels are drawn from the predicted probabilities (confidence: the top class is right with the chance that
    its confidence says), independently given the scores. The level is asymptotic, by the central limit theorem:
    docs/theory/tests.md says from which n it holds. Weights are importances: they enter the variance squared. Exact
    sums: it streams and shards. O(n k), O(n) for the Brier score of the confidence.
    """

    null: ClassVar[str] = "the mean score is the one that the predicted probabilities promise"
    level = ASYMPTOTIC

    rule: Literal["brier", "log_loss"] = "brier"
    notion: Literal["canonical", "confidence"] = "canonical"

    def __post_init__(self) -> None:
        require(self.rule in ("brier", "log_loss"), "rule", "be 'brier' or 'log_loss'", repr(self.rule))
        require(self.notion in _MOMENTS, "notion", "be 'canonical' or 'confidence'", repr(self.notion))

    def sums(self, predictions: Predictions) -> Deviation:
        """Return the sums of one batch."""
        batch = predictions.without_absent_rows()
        deviation, variance = _MOMENTS[self.notion](batch, self.rule)
        w = batch.row_weights
        return Deviation(len(batch), float(np.sum(w * deviation)), float(np.sum(w**2 * variance)))

    def result(self, sums: Deviation) -> TestResult:
        """Return z and its two-sided normal p-value."""
        z = sums.z
        certain = ("no label can vary: every probability is 0 or 1",) if sums.variance == 0 else ()
        return self.found(z, float(erfc(abs(z) / 2**0.5)), sums.rows, *certain)
