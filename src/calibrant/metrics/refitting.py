"""Calibration error as what refitting gains: loss of p - loss of g(p), with g learnt by a calibrator on other rows.

Every proper loss is calibration + refinement: E L(p, y) = E D(E[y|p], p) + E L(E[y|p], y). The refinement is the least
loss that a function of p can have; a calibrator learns such a function, and its cross-fitted loss estimates the
refinement from above. So the difference estimates the canonical calibration error, of the whole vector, from below: for
the log loss a Kullback-Leibler divergence, for the Brier loss the squared distance between p and E[y|p].
Source: Berta, Holzmueller, Jordan and Bach (2025), Rethinking early stopping: refine, then calibrate.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibrant import folds as splits
from calibrant.calibrators import CalibrationMap, Calibrator
from calibrant.calibrators.base import calibrator as build
from calibrant.errors import CalibrantError, ConvergenceWarning, is_whole, require
from calibrant.metrics.collected import CollectedMeasure, Measured
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.scoring import BrierScore, LogLoss, RankedProbabilityScore, RowScore, SphericalScore

Floats = NDArray[np.float64]
_FEWEST_ROWS = 10  # fewer tell nothing by splitting
_RULES: dict[str, RowScore] = {
    "log_loss": LogLoss(),
    "brier": BrierScore(),
    "spherical": SphericalScore(),
    "ranked_probability": RankedProbabilityScore(),
}


@register("measure", "recalibration_error", reference="berta2025")
@dataclass(frozen=True, kw_only=True)
class RecalibrationError(CollectedMeasure):
    """Recalibration error: the loss less the cross-fitted loss after refitting with a calibrator, any k.

    It measures canonical calibration, in the units of the loss: ``details`` hold ``loss`` and ``refinement``, and
    value + refinement = loss exactly; ``se`` is the paired standard error over rows. A lower bound in expectation: the
    calibrator may miss part of what is wrong, and learning from (folds - 1) / folds of the rows costs about
    parameters / (2 n) nats, so that the value of a calibrated model is slightly negative. Fitting and judging on the
    same rows, as some packages do, errs the other way. Folds go by row ids alone, not by labels. The value is NaN, with
    a note, where the calibrator declines, the rows are too few, or both losses are infinite. Rows are kept; cost: as
    many fits as folds.

    Parameters
    ----------
    calibrator : spec of any registered calibrator. ``"temperature"`` has one parameter and a small bias; a richer one
        sees more and needs more rows.
    rule : ``"log_loss"``, ``"brier"``, ``"spherical"`` or ``"ranked_probability"``.
    folds : at least 2.
    seed : of the folds.
    """

    calibrator: str = "temperature"
    rule: str = "log_loss"
    folds: int = 5
    seed: int = 0
    bounds = (-math.inf, math.inf)
    perfect = None
    bootstraps = False
    costly = True

    def __post_init__(self) -> None:
        require(self.rule in _RULES, "rule", f"be one of {', '.join(_RULES)}", repr(self.rule))
        require(is_whole(self.folds) and self.folds >= 2, "folds", "be a whole number of at least 2", self.folds)
        require(is_whole(self.seed), "seed", "be a whole number", self.seed)
        require(isinstance(self.calibrator, str), "calibrator", "be a spec string", type(self.calibrator).__name__)
        _ = self._method  # it must exist

    @property
    def _method(self) -> Calibrator:
        return build(self.calibrator)

    @property
    def repeats(self) -> bool:  # type: ignore[override]
        """Not where the calibrator weighs the rows against a prior."""
        return not self._method.entry.capabilities.depends_on_row_count

    @property
    def by_class(self) -> bool:
        """Whether the calibrator or the rule tells classes apart."""
        return not self._method.entry.capabilities.preserves_argmax or self.rule == "ranked_probability"

    @property
    def estimand(self) -> str:
        """What the best map of the calibrator would gain on new rows."""
        return f"expected gain in {self.rule} on new rows by the best {self.calibrator} map"

    def measured(self, rows: Predictions) -> Measured:
        """Return the loss less the refit loss with both losses; NaN where there is none."""
        refit, notes = self._refit(rows)
        if refit is None:
            return Measured(math.nan, _nothing(), notes)
        found = _compared(_RULES[self.rule].rows(rows), refit, rows.row_weights)
        return found._replace(notes=(*notes, *found.notes))

    def _refit(self, batch: Predictions) -> tuple[Floats | None, tuple[str, ...]]:
        """Return the losses (n,) after refitting on the other folds, or None; and notes."""
        rows, fewest = len(np.unique(batch.row_keys)), max(_FEWEST_ROWS, self.folds)
        if rows < fewest:
            return None, (f"no value: cross-fitting needs at least {fewest} rows, got {rows}",)
        reason = self._method.declines(batch)
        if reason:
            return None, (f"no value: {reason}",)
        fold = splits.assign(replace(batch, labels=None, _memo={}), self.folds, seed=self.seed)  # not by label
        refit, learn = np.empty(len(batch)), _Learner(self._method)
        try:
            for held, repaired in splits.out_of_fold(batch, learn, fold):
                refit[held] = _RULES[self.rule].rows(repaired)
        except CalibrantError as error:  # a method may find only within a fold that the rows do not suit it
            return None, (f"no value: {error}",)
        return refit, tuple(sorted(learn.notes))


class _Learner:
    """Fits a method and keeps its warnings."""

    def __init__(self, method: Calibrator) -> None:
        self.method, self.notes = method, set[str]()

    def __call__(self, rows: Predictions) -> CalibrationMap:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            learnt = self.method.fit(rows)
        self.notes.update(str(w.message) for w in caught)
        return learnt


def _compared(loss: Floats, refit: Floats, weights: Floats) -> Measured:
    """Return the value with loss, refinement and the paired standard error; NaN with a note where there is none."""
    shares = weights / weights.sum()
    before, after = float((shares * loss).sum()), float((shares * refit).sum())
    losses = {**_nothing(), "loss": before, "refinement": after}
    if math.isinf(before) and math.isinf(after):
        return Measured(math.nan, losses, ("no value: both losses are infinite",))
    value = before - after
    spread = float(np.sqrt((shares**2 * (loss - refit - value) ** 2).sum())) if math.isfinite(value) else math.nan
    return Measured(value, {**losses, "se": spread})


def _nothing() -> dict[str, float]:
    return dict.fromkeys(("loss", "refinement", "se"), math.nan)
