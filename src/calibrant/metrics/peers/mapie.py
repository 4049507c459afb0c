"""MAPIE 1.6: expected_calibration_error, top_label_ece, Kolmogorov-Smirnov and Kuiper statistics."""

from __future__ import annotations

from functools import partial

import numpy as np

from calibrant.metrics.peers.base import Labels, PeerDefinition, PeerFunction, Scores
from calibrant.metrics.peers.shared import binned, top_label

_PEER = partial(PeerDefinition, package="mapie", version="1.6.0")


def calibration_error(p: Scores, y: Labels, bins: int) -> float:
    """Return the ECE of the confidence."""
    return _error(*top_label(p, y), bins)


def class_wise_error(p: Scores, y: Labels, bins: int) -> float:
    """Return the mean over classes of the ECE of each class."""
    return float(sum(_error(p[:, c], y == c, bins) for c in range(p.shape[1])) / p.shape[1])


def top_label_error(p: Scores, y: Labels, bins: int) -> float:
    """Return the plain mean, over the classes that are predicted, of the ECE of the rows so predicted."""
    confidence, correct = top_label(p, y)
    predicted = p.argmax(1)
    found = np.unique(predicted)
    return float(sum(_error(confidence[predicted == c], correct[predicted == c], bins) for c in found) / len(found))


def _error(scores: Scores, outcomes: np.ndarray, bins: int) -> float:
    """Return the ECE between ``bins`` edges: one interval fewer, and 0 in a bin of its own."""
    index = np.searchsorted(np.linspace(0.0, 1.0, bins), scores, side="left")
    found = binned(index, scores, outcomes, bins + 1)
    rows, gaps = found.rows[:bins], found.gaps[:bins]
    with np.errstate(invalid="ignore"):  # one edge has no bin but that of 0
        return float(np.sum(rows * gaps) / np.sum(rows))


def kolmogorov_smirnov(p: Scores, y: Labels, bins: None) -> float:
    """Return the largest cumulative difference of the confidence in units of its standard error."""
    del bins
    sums, scale = _cumulated(*top_label(p, y))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.max(np.abs(sums)) / scale)


def kuiper(p: Scores, y: Labels, bins: None) -> float:
    """Return the range of cumulative differences of the confidence in units of their standard error."""
    del bins
    sums, scale = _cumulated(*top_label(p, y))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float((np.max(sums) - np.min(sums)) / scale)


def _cumulated(scores: Scores, outcomes: np.ndarray) -> tuple[np.ndarray, np.float64]:
    """Return cumulative differences (n,) in the order of the scores, shaken by 1e-8, and their standard error."""
    n = len(scores)
    shaken = scores * (1 + 1e-8 * np.random.RandomState(1).normal(size=n))
    order = np.argsort(shaken)
    sums = np.cumsum(outcomes[order].astype(int) - shaken[order]) / n
    return sums, np.float64(np.sqrt(np.sum(scores * (1 - scores))) / n)


_EDGES = (
    "the number of bins is one of edges: there is one interval fewer, and a bin of its own for exactly 0; scores that "
    "round above 1 are in none"
)
_SCALED = "in units of the standard error that a calibrated model would have, so not between 0 and 1"
_SHAKEN = (
    "scores are shaken by a relative 1e-8 from a fixed seed to break ties, so that the number depends on the order of "
    "the rows; it is infinite or no number where all scores are 1"
)


def _binned(measure: str, call: str, function: PeerFunction, *differs: str) -> PeerDefinition:
    return _PEER(
        measure=measure,
        call=f"mapie.metrics.calibration.{call}",
        differs=differs,
        faults=(_EDGES,),
        function=function,
        bins=50,
    )


def _cumulative(measure: str, call: str, function: PeerFunction, *differs: str) -> PeerDefinition:
    return _PEER(
        measure=measure,
        call=f"mapie.metrics.calibration.{call}(correct, confidence)",
        differs=(_SCALED, *differs),
        faults=(_SHAKEN,),
        function=function,
    )


DEFINITIONS = (
    _binned("ece", "expected_calibration_error(correct, probabilities, num_bins=BINS)", calibration_error),
    _binned(
        "sce",
        "expected_calibration_error(correct, probabilities, num_bins=BINS, classwise=True, class_labels=labels)",
        class_wise_error,
    ),
    _binned(
        "tl_ece",
        "top_label_ece(labels, probabilities, num_bins=BINS)",
        top_label_error,
        "the plain mean over predicted classes; Gupta and Ramdas, and ours, weigh them by their rows",
    ),
    _cumulative("ks", "kolmogorov_smirnov_statistic", kolmogorov_smirnov),
    _cumulative("kuiper", "kuiper_statistic", kuiper, "the sum before the first row, 0, does not count for the range"),
)
