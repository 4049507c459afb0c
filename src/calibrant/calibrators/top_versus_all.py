"""One map of two classes, right or wrong, for the confidence; the other classes share what it leaves.

Formula: the confidence h becomes q = f(h), f learnt by another method from pairs (h, whether the predicted class was
right); every other class c gets (1 - q) p_c / (1 - h).
Source: Le Coz, Herbin and Adjed 2024; the shares of the other classes are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import CalibrationMap, Calibrator, calibrator
from calibrant.errors import require
from calibrant.formulas import NUMPY, TINY, Ops, softmax
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.rows import log_probabilities
from calibrant.solvers.top_class import top_shares, with_confidence
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]

_BLOCK = 1 << 17  # entries of the float64 temporaries: 1 MB each


def _right_or_wrong(ops: Ops, log_p: Any) -> Any:
    """Return log(1 - h) and log h (n, 2) of the confidence h."""
    others = ops.sum(ops.exp(log_p) * (ops.constant(1.0) - ops.top(log_p)))
    return ops.stacked([ops.log(ops.maximum(others, ops.constant(TINY))), ops.largest(log_p)])


def _two_classes(batch: Predictions) -> Predictions:
    """Return the rows with two classes, wrong and right; soft labels where classes tie for the top, or were soft."""
    scores, right, step = np.empty((len(batch), 2)), np.empty(len(batch)), max(1, _BLOCK // batch.k)
    for start in range(0, len(batch), step):
        rows = slice(start, start + step)
        log_p = log_probabilities(batch, rows)
        scores[rows], right[rows] = _right_or_wrong(NUMPY, log_p), _label_mass(batch, rows, top_shares(NUMPY, log_p))
    whole = bool(((right == 0) | (right == 1)).all())
    labels = right.astype(np.int64) if whole else np.stack([1 - right, right], axis=1)
    return replace(batch, scores=scores, kind="logit", labels=labels, classes=None, _memo={})


def _label_mass(batch: Predictions, rows: slice, shares: Floats) -> Floats:
    """Return the label mass on the classes at the top (b,), whose shares are (b, k)."""
    if batch.soft:
        assert batch.labels is not None
        mass: Floats = np.minimum((shares * batch.labels[rows]).sum(1), 1.0)  # labels sum to 1 but for rounding
        return mass
    hard = batch.hard_labels[rows]
    return shares[np.arange(len(hard)), hard]


@dataclass(frozen=True, kw_only=True, eq=False)
class TopVersusAllMap(CalibrationMap):
    """``confidence`` maps wrong and right, the two classes of a row; the others are scaled."""

    confidence: CalibrationMap

    def __post_init__(self) -> None:
        k = self.confidence.record.k
        require(k == 2, "confidence", "be a map of two classes", k)
        check_zero(self.floor)

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return rows with the mapped confidence."""
        found = self.confidence.formula(ops, _right_or_wrong(ops, log_p))
        both = softmax(ops, found) if self.confidence.gives == "logit" else found
        return with_confidence(ops, log_p, top_shares(ops, log_p), ops.column(both, 1))

    @property
    def n_parameters(self) -> int:
        """Number of parameters of the map of the confidence."""
        return self.confidence.n_parameters


@register(
    "calibrator",
    "top_versus_all",
    compared="",
    reference="lecoz2024",
    depends_on_row_count=True,
    parameters="at most 2 n + 20",
    wants_rows="500",
    cost="O(n k), and that of the method for n rows of two classes",
    assumes="the confidence is wrong, the shares of the other classes are right",
    suits="thousands of classes, only the confidence matters",
)
@dataclass(frozen=True, kw_only=True)
class TopVersusAll(Calibrator):
    """Calibrate the confidence alone, as one problem of two classes: whether the predicted class was right.

    Choose it where there are many classes and few rows of each, and only the predicted class and its confidence matter:
    all rows serve one curve. It cannot tell classes apart; `top_label_histogram` can.

    Parameters
    ----------
    method : what learns the map of the confidence, the spec of any calibrator for two classes.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    Ratios among the other classes stay. The predicted class may change: where its new confidence is below what the
    likeliest of the others then gets, that one is on top. Classes that tie for the top are each right in part. A class
    without calibration rows keeps its column.
    """

    method: str = "isotonic"
    zero: float | None = None

    def __post_init__(self) -> None:
        calibrator(self.method)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> TopVersusAllMap:
        """Return the map of the confidence."""
        batch, floor = prepared(predictions, self.zero)
        found = calibrator(self.method).fit(_two_classes(batch))
        told = found.record
        record = self.fit_record(
            predictions, converged=told.converged, iterations=told.iterations, message=told.message
        )
        return TopVersusAllMap(confidence=found, floor=floor, record=record)
