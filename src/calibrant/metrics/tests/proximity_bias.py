"""Test of proximity bias: at the same confidence, are rows near to others right more often than distant ones?

Rows are sorted by the mean distance to their nearest neighbours. Rows of the nearest and of the farthest group are
paired by confidence. The difference of their accuracies, less what the small differences of confidence explain by an
isotonic regression over both groups, is compared with its standard error over pairs. Source: Xiong et al. (2023), who
pair random rows with replacement and compare ranks; here a row is in one pair at most, so that pairs are independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import erfc

from calibrant.errors import is_whole, require
from calibrant.metrics.mass_bins import mass_bins
from calibrant.metrics.proximity_error import ProximityChoices
from calibrant.metrics.rising_rates import RisingRates
from calibrant.metrics.tests.base import ASYMPTOTIC, CalibrationTest, TestResult, dependence
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.statistics import Collected

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_COST = "O(n^2 d)"
_ROUNDING = 1e-12  # of a rate of 0 or 1, which explains every row


class Pairs(NamedTuple):
    """Rows of the nearest and of the farthest group, paired (m,) each."""

    near: Ints
    far: Ints


def paired(confidence: Floats, near: Ints, far: Ints, most: float) -> Pairs:
    """Return pairs of rows of both groups whose confidences differ by at most ``most``, each row at most once.

    Both groups are walked in the order of their confidences: the lower of two rows that cannot be paired is passed
    over. No other choice of pairs within the limit has more of them.
    """
    near, far = near[np.argsort(confidence[near], kind="stable")], far[np.argsort(confidence[far], kind="stable")]
    found, i, j = [], 0, 0
    low, high = confidence[near].tolist(), confidence[far].tolist()
    while i < len(low) and j < len(high):
        if abs(low[i] - high[j]) <= most:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif low[i] < high[j]:
            i += 1
        else:
            j += 1
    places = np.array(found, dtype=np.int64).reshape(-1, 2)
    return Pairs(near[places[:, 0]], far[places[:, 1]])


@register("test", "proximity_bias", reference="xiong2023", needs_features=True, supports_soft_labels=False, cost=_COST)
@dataclass(frozen=True, kw_only=True)
class ProximityBias(ProximityChoices, CalibrationTest):
    """Test of proximity bias: are distant rows right less often than near ones of the same confidence?

    The statistic is z; ``details["bias_index"]`` is the accuracy near less that far, so far as the confidences of pairs
    do not explain it: positive where the model trusts itself too much on rows that are unlike the others.

    Parameters
    ----------
    groups : of equal mass by proximity, of which the nearest and the farthest are compared.
    most : largest difference of confidence within a pair.
    neighbours : whose mean distance is the proximity. space, dimensions, standardise : where distances are taken.

    Notes
    -----
    Null: the chance of being right, given the confidence, does not depend on the proximity. It says nothing of
    calibration as a whole: scores that are wrong alike near and far pass. Two-sided. The level is asymptotic in the
    number of pairs of which one row is right. Weights are importances: a pair counts by the mean of its weights. Rows
    with the same id are taken to move together, with all pairs that they link.
    """

    null: ClassVar[str] = "the chance of being right at a confidence does not depend on the proximity to other rows"
    level = ASYMPTOTIC
    blind_to = "scores that are wrong alike, near and far"

    groups: int = 5
    most: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        require(is_whole(self.groups) and self.groups >= 2, "groups", "be a whole number from 2 on", self.groups)
        require(0 <= self.most <= 1, "most", "lie in [0, 1]", self.most)

    def result(self, sums: Collected) -> TestResult:
        """Return z and its two-sided normal p-value; NaN without a pair."""
        batch = sums.pooled
        pairs = self._pairs(batch) if len(batch) > 1 else Pairs(np.empty(0, np.int64), np.empty(0, np.int64))
        if not len(pairs.near):
            return self.found(float("nan"), float("nan"), len(batch), "no two rows can be paired", *dependence(batch))
        w, correct = batch.row_weights, (batch.summary.top == batch.hard_labels).astype(np.float64)
        mass = (w[pairs.near] + w[pairs.far]) / 2
        left = correct - _explained(batch, correct, pairs)
        left = np.where(np.abs(left) > _ROUNDING, left, 0.0)
        terms = mass * (left[pairs.near] - left[pairs.far])
        sums_of_ids = np.bincount(_linked(batch, pairs), terms)
        spread = float(np.sqrt(sums_of_ids @ sums_of_ids))
        z = float(terms.sum()) / spread if spread else 0.0
        details = {"bias_index": float(terms.sum() / mass.sum()), "pairs": len(mass)}
        same = () if spread else ("no pair differs",)
        return self.found(z, float(erfc(abs(z) / 2**0.5)), len(batch), *same, *dependence(batch), **details)

    def _pairs(self, batch: Predictions) -> Pairs:
        group = mass_bins(self.distances(batch), batch.row_weights, self.groups)
        near, far = np.flatnonzero(group == group.min()), np.flatnonzero(group == group.max())
        if group.min() == group.max():
            near = far[:0]
        return paired(batch.summary.confidence, near, far, self.most)


def _linked(batch: Predictions, pairs: Pairs) -> NDArray[np.int32]:
    """Return a number for each pair (m,), the same for pairs that ids link, directly or through others."""
    ids = np.unique(batch.row_keys, return_inverse=True)[1]
    size = int(ids.max()) + 1
    links = sparse.coo_array((np.ones(len(pairs.near)), (ids[pairs.near], ids[pairs.far])), shape=(size, size))
    return np.asarray(sparse.csgraph.connected_components(links, directed=False)[1][ids[pairs.near]])


def _explained(batch: Predictions, correct: Floats, pairs: Pairs) -> Floats:
    """Return the chance of being right that the confidence of each row (n,) explains, by the rows of all pairs."""
    rows, confidence = np.concatenate(pairs), batch.summary.confidence
    return RisingRates.fit(confidence[rows], correct[rows], batch.row_weights[rows]).at(confidence)
