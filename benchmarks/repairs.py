"""What repairs cost: fits and maps with many classes, and the fit of every method with few."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from harness import Case
from ours import WHO
from workload import Workload

import calibrant
from calibrant import Predictions
from calibrant.calibrators.base import CalibrationMap
from calibrant.registry import entries
from calibrant.scoring import LogLoss

FIT, APPLY, APPLY_PROBABILITIES = "fit, logits", "apply, scores out", "apply, probabilities out"
HALF = "fit, logits, half of the rows"
FIT_SECONDS = {"vector": 3.0, "svs": 3.0, "isotonic": 1.2, "pooled_isotonic": 1.2}
APPLY_READS = {"temperature": 4.0, "bias_corrected_temperature": 4.0, "vector": 4.0, "svs": 4.0, "isotonic": 10.0}
MATRIX, MATRIX_SECONDS, MATRIX_MB = "sms", 60.0, 2000.0  # on half of the rows
SMALL = (5_000, 10)
_SINGLE, _CROSS_VALIDATED = 0.3, 3.0  # seconds at the small size
_QUICK = "auto(candidates='quick')"
SMALL_SECONDS = {"auto": 8.0, _QUICK: 3.0, **dict.fromkeys(("svs", "sms", "matrix", "dirichlet"), _CROSS_VALIDATED)}


def cases(work: Workload) -> list[Case]:
    """Return the fits on all rows and the maps applied to them."""
    logits = Predictions.from_logits(work.logits, work.labels)

    @cache
    def learnt(spec: str) -> CalibrationMap:
        return calibrant.fit(logits, spec)

    def applied(spec: str, take: Callable[[Predictions], object]) -> Callable[[], Callable[[], object]]:
        return lambda: _bound(learnt(spec), logits, take)

    return [
        *[Case(spec, WHO, FIT, _fit(logits, spec), _loss(logits)) for spec in FIT_SECONDS],
        *[Case(spec, WHO, APPLY, applied(spec, _scores), None) for spec in APPLY_READS],
        *[Case(spec, WHO, APPLY_PROBABILITIES, applied(spec, _probabilities), None) for spec in APPLY_READS],
    ]


def matrix(work: Workload) -> list[Case]:
    """Return the one fit of a matrix that is timed, on half of the rows."""
    half = slice(0, work.shape[0] // 2)
    logits = Predictions.from_logits(work.logits[half], work.labels[half])
    return [Case(MATRIX, WHO, HALF, _fit(logits, MATRIX), _loss(logits))]


def peers(work: Workload) -> list[Case]:
    """Return the one peer that finishes, on half of the rows."""

    def structured() -> Callable[[], object]:
        import torch
        from probmetrics.calibrators import get_calibrator
        from probmetrics.distributions import CategoricalLogits

        half = work.shape[0] // 2
        z, y = torch.from_numpy(work.logits[:half]), torch.from_numpy(work.labels[:half])
        return lambda: get_calibrator("svs").fit_torch(CategoricalLogits(z), y)

    return [Case("svs", "probmetrics", HALF, structured, None)]


def small(work: Workload) -> list[Case]:
    """Return the fit of every method at its defaults, and of the quick choice among them."""
    logits = Predictions.from_logits(work.logits, work.labels)
    names = [entry.name for entry in entries("calibrator") if not entry.capabilities.needs_features]
    return [Case(spec, WHO, FIT, _fit(logits, spec), _loss(logits)) for spec in (*names, _QUICK)]


def small_bound(spec: str) -> float:
    """Return the seconds that a fit at the small size may take."""
    return SMALL_SECONDS.get(spec, _SINGLE)


def _fit(predictions: Predictions, spec: str) -> Callable[[], Callable[[], object]]:
    return lambda: lambda: calibrant.fit(predictions, spec)


def _loss(predictions: Predictions) -> Callable[[Any], float]:
    """Return the function that gives the log loss of a map on the rows of its fit."""
    return lambda learnt: float(LogLoss().rows(learnt(predictions)).mean())


def _bound(
    learnt: CalibrationMap, predictions: Predictions, take: Callable[[Predictions], object]
) -> Callable[[], object]:
    return lambda: take(learnt(predictions))


def _scores(predictions: Predictions) -> object:
    return predictions.scores


def _probabilities(predictions: Predictions) -> object:
    return predictions.probabilities
