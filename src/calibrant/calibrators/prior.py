"""Other class frequencies behind the same classifier: probabilities for data in which classes come more or less often.

Formula: q_c proportional to p_c target_c / source_c, with p a map's probabilities and ``source`` the frequencies that
they stand for. Exact where only the frequencies differ, p(x | class) does not, and p is calibrated.
Source: Saerens, Latinne and Decaestecker 2002; Menon et al. 2021 for the uniform target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import CalibrationMap, Calibrator, calibrator
from calibrant.errors import require, sentence
from calibrant.formulas import TINY, Ops
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]

_SUM = 1e-6  # to which given frequencies must sum to 1


def mean_prediction(predictions: Predictions) -> Floats:
    """Return the weighted mean of the probabilities (k,)."""
    return np.asarray(predictions.class_totals / predictions.class_totals.sum())


def label_frequencies(predictions: Predictions) -> Floats:
    """Return the weighted frequency of each label (k,)."""
    w = predictions.row_weights
    if predictions.soft:
        assert predictions.labels is not None
        mass = w @ predictions.labels
    else:
        mass = np.bincount(predictions.hard_labels, w, predictions.k)
    return np.asarray(mass / mass.sum())


def _check_frequencies(name: str, values: Any, words: tuple[str, ...], least: float) -> None:
    """Raise ``DataError`` unless the values are one of the words or frequencies of at least ``least``."""
    if isinstance(values, str):
        known = " or ".join(repr(word) for word in words)
        require(values in words, name, f"be a tuple of frequencies or {known}", repr(values))
        return
    held = np.asarray(values, dtype=np.float64)
    good = isinstance(values, tuple) and held.ndim == 1 and len(held) > 1 and bool(np.isfinite(held).all())
    require(good, name, "be a tuple of one frequency a class", repr(values))
    positive = "be positive" if least else "not be negative"
    require(bool((held > 0).all() if least else (held >= 0).all()), name, positive, float(held.min()))
    require(abs(held.sum() - 1) <= _SUM, name, "sum to 1", f"{held.sum():.6g}")


@dataclass(frozen=True, kw_only=True, eq=False)
class PriorMap(CalibrationMap):
    """softmax(log p + shift), p the probabilities of the ``inner`` map; ``shift`` (k,) is log(target / source)."""

    inner: CalibrationMap
    shift: Floats
    gives = "logit"

    def __post_init__(self) -> None:
        k = self.record.k
        require(self.shift.shape == (k,), "shift", f"have shape ({k},)", self.shift.shape)
        require(bool(np.isfinite(self.shift).all()), "shift", "be finite")
        require(self.inner.record.k == k, "inner", f"be a map of {k} classes", self.inner.record.k)
        check_zero(self.floor)

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return log p of the inner map, but for a constant a row, plus shift."""
        found = self.inner.formula(ops, log_p)
        if self.inner.gives == "probability":
            found = ops.log(ops.maximum(found, ops.constant(TINY)))
        return found + ops.constant(self.shift)

    @property
    def n_parameters(self) -> int:
        """Those of the inner map, and k - 1 ratios of frequencies."""
        return self.inner.n_parameters + self.record.k - 1


@register(
    "calibrator",
    "prior",
    compared="",
    reference="saerens2002",
    differentiable=True,
    suits_imbalance=True,
    parameters="k - 1",
    wants_rows="k",
    cost="O(n k), and that of the method before it",
    guarantee="exact where only the class frequencies differ and the map before it is calibrated",
    assumes="only the class frequencies differ between the rows of the fit and later ones",
    suits="resampled training rows, known new frequencies",
)
@dataclass(frozen=True, kw_only=True)
class PriorCorrection(Calibrator):
    """Correct the probabilities for data whose classes come more or less often.

    q_c proportional to p_c target_c / source_c. Choose it where the data to come have other class frequencies than
    those of the rows at hand: known ones, or estimated by `calibrant.shift.estimate_priors`. It also undoes a
    resampling of the training data: ``source`` are then the frequencies after it, ``target`` those before.

    Parameters
    ----------
    target : the frequencies to come, one a class in the order of the columns, summing to 1. "uniform": all alike.
    source : the frequencies that the probabilities stand for. "predicted": the mean prediction of the calibration rows
        after ``method``, so that a target like them changes nothing. "labels": how often their labels are each class.
        A tuple: known ones, such as those of the training data.
    method : what calibrates first, the spec of any calibrator; bias_corrected_temperature is a good one.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    Weights and soft labels enter the frequencies as they enter the fit. A class without calibration rows keeps its
    column; source="labels" declines such rows. A target of 0 leaves the class the smallest probability there is.
    """

    target: tuple[float, ...] | Literal["uniform"] = "uniform"
    source: tuple[float, ...] | Literal["predicted", "labels"] = "predicted"
    method: str = "identity"
    zero: float | None = None

    def __post_init__(self) -> None:
        _check_frequencies("target", self.target, ("uniform",), 0.0)
        _check_frequencies("source", self.source, ("predicted", "labels"), TINY)
        calibrator(self.method)
        check_zero(self.zero)

    def declines(self, predictions: Predictions) -> str:
        """Return why the method does not suit the batch."""
        reason = super().declines(predictions) or calibrator(self.method).declines(predictions)
        if reason:
            return reason
        for name in ("target", "source"):
            values = getattr(self, name)
            if not isinstance(values, str) and len(values) != predictions.k:
                return sentence(name, f"have one frequency for each of the {predictions.k} classes", len(values))
        if self.source == "labels" and not label_frequencies(predictions).all():
            missing = predictions.class_labels[int(np.argmin(label_frequencies(predictions)))]
            return sentence("labels", "hold every class", f"none of {missing!r}", way_out="pass source='predicted'")
        return ""

    def learn(self, predictions: Predictions) -> PriorMap:
        """Return the map: the method's, and the ratio of the frequencies behind it."""
        return self.after(calibrator(self.method).fit(prepared(predictions, self.zero)[0]), predictions)

    def after(self, inner: CalibrationMap, predictions: Predictions) -> PriorMap:
        """Return the correction behind a map that ``method`` has learnt from the rows."""
        batch, floor = prepared(predictions, self.zero)
        if self.source == "predicted":
            source = mean_prediction(inner(batch))
        else:
            source = label_frequencies(batch) if isinstance(self.source, str) else np.asarray(self.source)
        target = np.full(batch.k, 1 / batch.k) if isinstance(self.target, str) else np.asarray(self.target)
        told = inner.record
        record = self.fit_record(
            predictions, converged=told.converged, iterations=told.iterations, message=told.message
        )
        shift = np.log(np.maximum(target, TINY)) - np.log(np.maximum(source, TINY))
        return PriorMap(inner=inner, shift=shift, floor=floor, record=record)
