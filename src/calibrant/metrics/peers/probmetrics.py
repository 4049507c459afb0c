"""probmetrics 1.3: binned errors through torchmetrics, smECE through relplot, log loss and Brier score."""

from __future__ import annotations

from functools import partial

import numpy as np
import scipy

from calibrant.metrics.peers.base import Labels, PeerDefinition, PeerRaises, Scores
from calibrant.metrics.peers.shared import one_hot, relplot_smooth_error, top_label, torch_error

_PEER = partial(PeerDefinition, package="probmetrics", version="1.3.0")

_LEAST_LOG = np.log(np.finfo(np.float32).tiny)


def calibration_error(p: Scores, y: Labels, bins: int, *, norm: str) -> float:
    """Return the torchmetrics error of the classes that occur, clipped to [1e-7, 1 - 1e-7] and rescaled."""
    present = np.unique(y)
    if len(present) == 1:
        raise PeerRaises("ValueError: one class is left when those without labels are dropped, torchmetrics needs two")
    kept = np.clip(p[:, present], p.dtype.type(1e-7), p.dtype.type(1 - 1e-7))
    kept = kept / kept.sum(1, keepdims=True)
    labels = np.searchsorted(present, y)
    if len(present) == 2:
        return float(np.float32(torch_error(kept[:, 1], labels, bins, norm)))
    confidence, correct = top_label(kept, labels)
    return torch_error(confidence.astype(np.float32), correct, bins, norm)


def smooth_error(p: Scores, y: Labels, bins: None) -> float:
    """Return relplot's smECE: of class 1 where k = 2, else of the confidence of the softmax of clipped logs."""
    del bins
    if p.shape[1] == 2:
        return float(np.float32(relplot_smooth_error(p[:, 1], y.astype(np.float64))))
    confidence, correct = top_label(np.exp(_log_softmax(p)), y)
    return float(np.float32(relplot_smooth_error(confidence, correct.astype(np.float64))))


def log_loss(p: Scores, y: Labels, bins: None) -> float:
    """Return the mean of minus the log-softmax of the logs, which are clipped at that of float32's smallest."""
    del bins
    return float(-_log_softmax(p)[np.arange(len(p)), y].mean())


def _log_softmax(p: Scores) -> Scores:
    with np.errstate(divide="ignore"):
        logs = np.maximum(np.log(p), p.dtype.type(_LEAST_LOG))
    return np.asarray(scipy.special.log_softmax(logs, axis=1))


def brier(p: Scores, y: Labels, bins: None) -> float:
    """Return the mean over rows of the sum over classes of squared differences."""
    del bins
    return float(((p - one_hot(y, p.shape[1], p.dtype)) ** 2).sum(1).mean())


_MISSING = (
    "classes without a label are dropped and the others rescaled, so that the number is about other probabilities "
    "than were given; with one class left it raises ValueError"
)
_BINNED = (
    "bins are closed on the left, ours on the right",
    "probabilities are clipped to [1e-7, 1 - 1e-7] and rescaled; float32, ours float64",
    "with two classes left it measures the probability of the second, not the confidence",
)


def _binned(measure: str, norm: str) -> PeerDefinition:
    return _PEER(
        measure=measure,
        call=f"Metric.from_name('{measure}-BINS').compute_from_labels_probs(labels, probabilities)",
        differs=_BINNED,
        faults=(_MISSING,),
        function=partial(calibration_error, norm=norm),
        bins=15,
        rounding=2e-6,
    )


DEFINITIONS = (
    _binned("ece", "l1"),
    _binned("rmsce", "l2"),
    _binned("mce", "max"),
    _PEER(
        measure="smece",
        call="Metric.from_name('smece').compute_from_labels_probs(labels, probabilities)",
        differs=(
            "relplot's grid and search, rounded to float32",
            "with k = 2 it measures the probability of class 1, not the confidence",
            "the ends of relplot's grid count a row once and all other places twice, so that the last bit of a float32 "
            "confidence within 0.001 of 1, which torch and numpy round each in its way, may move the number by 1e-4",
        ),
        function=smooth_error,
        rounding=1e-6,
        rounding_single=1e-4,
    ),
    _PEER(
        measure="log_loss",
        call="Metric.from_name('logloss').compute_from_labels_probs(labels, probabilities)",
        differs=("logs are clipped at -87.3, that of float32's smallest, and rescaled; ours is infinite there",),
        function=log_loss,
    ),
    _PEER(
        measure="brier",
        call="Metric.from_name('brier').compute_from_labels_probs(labels, probabilities)",
        differs=("the same as ours: the sum over classes, for k = 2 twice the binary score",),
        function=brier,
    ),
)
