"""One method judged on out-of-fold rows: its loss on every row, averaged over repeated splits."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calibrant import folds as splits
from calibrant.calibrators import CalibrationMap, Calibrator
from calibrant.calibrators.identity import Identity
from calibrant.errors import CalibrantError, ConvergenceWarning
from calibrant.estimate import Estimate
from calibrant.evaluation.resampling import FEWEST_ROWS
from calibrant.metrics import MetricStatistic, measure
from calibrant.predictions import Predictions
from calibrant.scoring import BrierScore, LogLoss

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How often and how finely rows are split, and the seed of the splits."""

    folds: int
    repeats: int
    seed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """Losses (n,) of one method on rows that its maps never saw; ``declined`` says why there are none."""

    declined: str = ""
    log_loss: Floats = field(default_factory=lambda: np.empty(0))
    brier: Floats = field(default_factory=lambda: np.empty(0))
    ece: float = float("nan")
    accuracy: float = float("nan")
    parameters: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


def cross_fit(method: Calibrator, batch: Predictions, plan: Plan) -> Trial:
    """Return the trial of one method; the identity, which learns nothing, is applied to all rows at once."""
    constant = isinstance(method, Identity)
    reason = method.declines(batch) or ("" if constant else _unfit(batch))
    if reason:
        return Trial(declined=reason)
    start, learner = time.perf_counter(), _Learner(method)
    repeats = [_pieces(batch, learner, plan, r, whole=constant) for r in range(1 if constant else plan.repeats)]
    try:
        trials = [_trial(batch, pieces) for pieces in repeats]
    except CalibrantError as error:  # a method may find only within a fold that the rows do not suit it
        return Trial(declined=str(error))
    return Trial(
        log_loss=np.mean([t.log_loss for t in trials], axis=0),
        brier=np.mean([t.brier for t in trials], axis=0),
        ece=float(np.mean([t.ece for t in trials])),
        accuracy=float(np.mean([t.accuracy for t in trials])),
        parameters=max(one.n_parameters for one in learner.maps),
        seconds=time.perf_counter() - start,
        notes=tuple(sorted(learner.notes)),
    )


def _unfit(batch: Predictions) -> str:
    """Return why rows cannot be cross-fitted, as a sentence, or the empty string."""
    rows = len(np.unique(batch.row_keys))
    if rows < FEWEST_ROWS:
        return f"cross-fitting needs at least {FEWEST_ROWS} rows, got {rows}"
    seen = np.unique(splits.strata(batch))
    if len(seen) < 2:
        return f"cross-fitting needs labels of at least two classes, got only {batch.class_labels[seen[0]]!r}"
    return ""


class _Learner:
    """Fits a method and keeps its maps and its warnings."""

    def __init__(self, method: Calibrator) -> None:
        self.method, self.maps, self.notes = method, list[CalibrationMap](), set[str]()

    def __call__(self, rows: Predictions) -> CalibrationMap:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            learnt = self.method.fit(rows)
        self.notes.update(str(w.message) for w in caught)
        self.maps.append(learnt)
        return learnt


def _pieces(
    batch: Predictions, learn: _Learner, plan: Plan, repeat: int, *, whole: bool
) -> Iterator[tuple[NDArray[np.int64], Predictions]]:
    """Yield (row numbers, their repaired predictions)."""
    if whole:
        yield np.arange(len(batch)), learn(batch)(batch)
        return
    fold = splits.assign(batch, plan.folds, seed=plan.seed, repeat=repeat)
    yield from splits.out_of_fold(batch, learn, fold)


def _trial(batch: Predictions, pieces: Iterator[tuple[NDArray[np.int64], Predictions]]) -> Trial:
    """Return the losses of one split; ECE and accuracy are pooled over the folds by merging."""
    log_loss, brier = np.empty(len(batch)), np.empty(len(batch))
    pooled: dict[str, MetricStatistic[Estimate]] = {}
    for rows, repaired in pieces:
        log_loss[rows], brier[rows] = LogLoss().rows(repaired), BrierScore().rows(repaired)
        for name in ("ece", "accuracy"):
            known = measure(name).statistic(repaired)
            pooled[name] = pooled[name].merge(known) if name in pooled else known
    ece, accuracy = (float(pooled[name].compute()) for name in ("ece", "accuracy"))
    return Trial(log_loss=log_loss, brier=brier, ece=ece, accuracy=accuracy)
