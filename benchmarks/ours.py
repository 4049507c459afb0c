"""The calls of calibrant that are timed. Every one of them returns the finished number, as a user would get it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from harness import Case
from workload import Pairs, Workload

import calibrant
from calibrant import Predictions
from calibrant.metrics import measure
from calibrant.metrics.notions.confidence import bin_pairs

WHO = "calibrant"
BINS = 15
ALL = "all seven"
NUMBERS = {
    "confidence ECE": "ece",
    "class-wise ECE": "sce",
    "confidence MCE": "mce",
    "confidence RMSCE": "rmsce",
    "Brier": "brier",
    "log loss": "log_loss",
    "accuracy": "accuracy",
}
FROM_PROBABILITIES = "probabilities in, numbers out"
FROM_LOGITS = "logits in, numbers out"
COLD_PROBABILITIES = "checked probabilities, nothing computed yet"
COLD_LOGITS = "checked logits, nothing computed yet"
CHUNK = 1_000_000  # pairs that a stream brings at a time
FIT = "fit, logits"
CHUNKS = "1 million at a time, merged"
_HISTOGRAM = "histogram(bins=10, edges='width')"  # the choices of the peer
STREAM = "ECE of a stream"


def bases(work: Workload) -> list[Case]:
    """Return the two yardsticks: the largest probability of each row, and a plain read of the same memory."""
    p = work.probabilities
    return [
        Case("yardstick", "numpy", "P.max(axis=1)", lambda: lambda: p.max(axis=1), None),
        Case("yardstick", "numpy", "np.add.reduce(P.ravel())", lambda: lambda: np.add.reduce(p.ravel()), None),
    ]


def measures(work: Workload) -> list[Case]:
    """Return all numbers together, four ways, and each number alone with the checks of its input."""
    return [
        _together(FROM_PROBABILITIES, lambda: lambda: _all(_probable(work))),
        _together(COLD_PROBABILITIES, lambda: _uncached(_probable(work))),
        _together(FROM_LOGITS, lambda: lambda: _all(_logit(work))),
        _together(COLD_LOGITS, lambda: _uncached(_logit(work))),
        *[Case(number, WHO, f'measure("{spec}")', _alone(work, spec)) for number, spec in NUMBERS.items()],
    ]


def fits(work: Workload) -> list[Case]:
    """Return the fits: the temperature by itself, the one-against-rest maps together with their use on the rows."""
    brier, together = brier_of(work), "fit and apply"
    return [
        Case("temperature", WHO, FIT, lambda: _fit(_logit(work)), _temperature),
        Case("temperature", WHO, "fit, probabilities", lambda: _fit(_probable(work)), _temperature),
        Case("temperature", WHO, "check and fit, logits", lambda: lambda: _fit(_logit(work))(), _temperature),
        Case("isotonic one-vs-rest", WHO, together, lambda: _repair(_probable(work), "isotonic"), brier),
        Case("histogram one-vs-rest", WHO, together, lambda: _repair(_probable(work), _HISTOGRAM), brier),
    ]


def stream(pairs: Pairs) -> list[Case]:
    """Return the yardstick and our binning of a stream in chunks."""
    c, right = pairs.confidence, pairs.correct
    return [
        Case("yardstick", "numpy", "sum of both arrays", lambda: lambda: (c.sum(), right.sum()), None),
        Case(STREAM, WHO, CHUNKS, lambda: lambda: binned(pairs)),
    ]


def binned(pairs: Pairs) -> float:
    """Return the ECE of a stream from sums that merge."""
    edges, total = np.linspace(0.0, 1.0, BINS + 1), None
    for first in range(0, len(pairs.confidence), CHUNK):
        rows = slice(first, first + CHUNK)
        sums = bin_pairs(pairs.confidence[rows], pairs.correct[rows], edges, weights=None, right=True)
        total = sums if total is None else total.merge(sums)
    return measure("ece").value(total)


def brier_of(work: Workload) -> Callable[[Any], float]:
    """Return the function that gives the Brier score, sum over classes, of repaired probabilities (n, k)."""
    return lambda probabilities: float(measure("brier")(Predictions.from_probabilities(probabilities, work.labels)))


def _probable(work: Workload) -> Predictions:
    return Predictions.from_probabilities(work.probabilities, work.labels)


def _logit(work: Workload) -> Predictions:
    return Predictions.from_logits(work.logits, work.labels)


def _all(predictions: Predictions) -> object:
    return calibrant.evaluate(predictions, list(NUMBERS.values()), uncertainty=False)


def _together(how: str, make: Callable[[], Callable[[], object]]) -> Case:
    return Case(ALL, WHO, how, make, None)


def _uncached(predictions: Predictions) -> Callable[[], object]:
    return lambda: _all(predictions.rescored(predictions.scores, predictions.kind))


def _alone(work: Workload, spec: str) -> Callable[[], Callable[[], object]]:
    return lambda: lambda: measure(spec)(_probable(work))


def _fit(predictions: Predictions) -> Callable[[], Any]:
    return lambda: calibrant.fit(predictions, "temperature")


def _temperature(learnt: Any) -> float:
    return float(learnt.temperature)


def _repair(predictions: Predictions, spec: str) -> Callable[[], object]:
    return lambda: calibrant.fit(predictions, spec)(predictions).probabilities
