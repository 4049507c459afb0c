"""Spiegelhalter's test: does a proper score have the mean that the probabilities promise?

Under the null the score S of a row has a known mean E and variance V given its probabilities, so
z = sum w (S - E) / sqrt(sum w^2 V) is asymptotically standard normal. Brier score, canonical: S - E = 2 (|p|^2 - p_y),
V = 4 sum_c p_c (p_c - |p|^2)^2. Log loss: S - E = -log p_y - H(p), V = sum_c p_c (log p_c + H(p))^2. Of the
confidence c with outcome a: S - E = (a - c) (1 - 2 c) or (a - c) log((1 - c) / c). Source: Spiegelhalter (1986) for two
classes; for k classes the same moments. Rows that share an id move together: with s_g the sum of their w (S - E), they
put s_g^2 in the place of their sum of w^2 V (Liang and Zeger, 1986). A row whose possible classes are equally probable
has a score that does not depend on its label: V = 0, and S = E but for rounding, which must not be taken for more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from calibrant import kernels
from calibrant.errors import require
from calibrant.metrics.tests.base import ASYMPTOTIC, TOGETHER, CalibrationTest, TestResult
from calibrant.metrics.tests.redraw import ids_repeat
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.scoring import ZeroOne
from calibrant.statistics import Merging, Statistic

Floats = NDArray[np.float64]
_ROUNDING = 4.0  # epsilons by which the chances of right and wrong may differ and be equal: as in the kernel


@dataclass(frozen=True, eq=False)
class Clusters:
    """Sums over the rows of each id (u,): ``keys`` increasing, ``rows``, and weighted sums of S - E and of V."""

    keys: NDArray[np.uint64]
    rows: NDArray[np.int64]
    deviation: Floats
    variance: Floats

    @classmethod
    def none(cls) -> Clusters:
        """Return the sums of no row."""
        return cls(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))

    def merge(self, other: Clusters) -> Clusters:
        """Return the sums of both sets of rows."""
        keys, cluster = np.unique(np.concatenate([self.keys, other.keys]), return_inverse=True)
        pairs = ((self.rows, other.rows), (self.deviation, other.deviation), (self.variance, other.variance))
        rows, deviation, variance = (
            np.bincount(cluster, np.concatenate(pair), len(keys)).astype(np.float64) for pair in pairs
        )
        return Clusters(keys, rows.astype(np.int64), deviation, variance)

    @property
    def spread(self) -> float:
        """Variance of the sum of S - E: of ids with several rows the squared sum, else V."""
        with np.errstate(over="ignore"):
            return float(np.sum(np.where(self.rows > 1, self.deviation**2, self.variance)))


@dataclass(frozen=True, eq=False)
class Deviation(Statistic):
    """Rows of positive weight and the weighted sum of S - E; the variance of the part of it that comes from rows that
    are known to be alone, and the other rows by id.
    """

    rows: int
    deviation: float
    variance: float
    clusters: Clusters

    @classmethod
    def of(cls, batch: Predictions, deviation: Floats, variance: Floats) -> Deviation:
        """Return the sums of the rows of a batch."""
        d, v, total = deviation, variance, float(np.sum(deviation))
        if batch.ids is None and not ids_repeat(batch):  # no later batch has the same rows
            return cls(len(batch), total, float(np.sum(v)), Clusters.none())
        return cls(
            len(batch), total, 0.0, Clusters(batch.row_keys, np.ones(len(d), np.int64), d, v).merge(Clusters.none())
        )

    @property
    def merging(self) -> Merging:
        """Sums merge exactly; where rows have ids, there is one for each."""
        return "collecting" if len(self.clusters.keys) else "exact"

    def merge(self, other: Deviation) -> Deviation:
        """Return the sums of both sets of rows."""
        clusters = self.clusters.merge(other.clusters)
        rows, deviation = self.rows + other.rows, self.deviation + other.deviation
        return Deviation(rows, deviation, self.variance + other.variance, clusters)

    @property
    def varies(self) -> bool:
        """Whether the score of any row depends on its label."""
        return bool(self.variance > 0 or self.clusters.variance.any())

    @property
    def z(self) -> float:
        """The sum in standard deviations; infinite where it cannot vary and yet differs from 0."""
        if not self.varies or np.isinf(self.deviation):
            return float(np.sign(self.deviation) * np.inf) if self.deviation else 0.0
        spread = self.variance + self.clusters.spread
        return float(self.deviation / np.sqrt(spread)) if spread else 0.0


def _canonical_moments(batch: Predictions, rule: str) -> tuple[Floats, Floats]:
    """Return S - E and V of each row (n,), from the whole probability vector."""
    top, labels, logs = batch.summary.top, batch.hard_labels, rule == "log_loss"
    excess, variance = kernels.row_variances(batch.scores, top=top, labels=labels, logits=batch.logits, logs=logs)
    return (excess, variance) if logs else (2 * excess, 4 * variance)


def _confidence_moments(batch: Predictions, rule: str) -> tuple[Floats, Floats]:
    """Return S - E and V of each row (n,), from the confidence and whether it was right."""
    c = np.minimum(batch.summary.confidence, 1.0)  # a row's sum may round to more
    gap, odds = ZeroOne().rows(batch) - c, np.maximum(1 - 2 * c, -1.0)
    odds[np.abs(odds) <= _ROUNDING * np.finfo(batch.scores.dtype).eps * c] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = odds if rule == "brier" else 2 * np.arctanh(odds)  # log((1 - c) / c), precise near 1/2
        variance = c * np.maximum(1 - c, 0.0) * slope**2
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
    docs/theory/tests.md says from which n it holds. Rows with the same id are taken to move together: the variance of
    their sum is its square, and it is the number of ids that must be large. Weights are importances: they enter the
    variance squared. Where no score depends on its label, as for uniform rows, z = 0 and p = 1. Exact sums: it streams
    and shards, with one sum for each id where rows have ids. O(n k), O(n) for the score of the confidence.
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
        return Deviation.of(batch, w * deviation, w**2 * variance)

    def result(self, sums: Deviation) -> TestResult:
        """Return z and its two-sided normal p-value."""
        z = sums.z
        constant = () if sums.varies else ("the score does not depend on the label",)
        together = (TOGETHER,) if (sums.clusters.rows > 1).any() else ()
        return self.found(z, float(erfc(abs(z) / 2**0.5)), sums.rows, *constant, *together)
