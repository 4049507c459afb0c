"""scikit-learn 1.9: log_loss and brier_score_loss. It has no calibration error; calibration_curve is binary only."""

from __future__ import annotations

from functools import partial

import numpy as np

from calibrant.metrics.peers.base import Labels, PeerDefinition, PeerRaises, Scores
from calibrant.metrics.peers.shared import one_hot

_PEER = partial(PeerDefinition, package="scikit-learn", version="1.9.1")


def log_loss(p: Scores, y: Labels, bins: None) -> float:
    """Return the mean of minus the log of the label's probability, clipped to [eps, 1 - eps]."""
    del bins
    _check(p)
    smallest = np.finfo(p.dtype).eps
    clipped = np.clip(p, smallest, p.dtype.type(1) - smallest)
    return float(np.mean(-np.log(clipped[np.arange(len(p)), y])))


def brier(p: Scores, y: Labels, bins: None) -> float:
    """Return the mean of the summed squared differences; half of it where k = 2."""
    del bins
    _check(p)
    total = ((one_hot(y, p.shape[1], p.dtype) - p) ** 2).sum(1)
    return float(np.mean(total) * (0.5 if p.shape[1] < 3 else 1.0))


def _check(p: Scores) -> None:
    if bool((p > 1).any()):
        raise PeerRaises("ValueError for a probability above 1, by however little")


_ARGUMENTS = "(labels, probabilities, labels=range(k))"
_RAISES = "it raises for a probability above 1, by however little, and without labels= where a class does not occur"
DEFINITIONS = (
    _PEER(
        measure="log_loss",
        call=f"sklearn.metrics.log_loss{_ARGUMENTS}",
        differs=(
            "probabilities are clipped to [eps, 1 - eps] of their type, 2.2e-16 or 1.2e-7, so that a zero costs 36.0 "
            "or 15.9 nats; ours is infinite there",
            _RAISES,
        ),
        function=log_loss,
    ),
    _PEER(
        measure="brier",
        call=f"sklearn.metrics.brier_score_loss{_ARGUMENTS}",
        differs=(
            "for k = 2 half of ours (scale_by_half='auto'), for more classes the same",
            _RAISES,
        ),
        function=brier,
    ),
)
