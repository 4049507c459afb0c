"""torchmetrics 1.9: multiclass_calibration_error, whatever the norm."""

from __future__ import annotations

from functools import partial

import numpy as np
import scipy

from calibrant.metrics.peers.base import Labels, PeerDefinition, Scores
from calibrant.metrics.peers.shared import top_label, torch_error


def calibration_error(p: Scores, y: Labels, bins: int, *, norm: str) -> float:
    """Return the error of the confidence in float32, on bins [a, b) and a bin of its own for 1."""
    if not bool(((p >= 0) & (p <= 1)).all()):
        p = scipy.special.softmax(p, axis=1)
    confidence, correct = top_label(p, y)
    return torch_error(confidence.astype(np.float32), correct, bins, norm)


_DIFFERS = ("bins are closed on the left, ours on the right", "computed in float32, ours in float64")
_FAULTS = (
    "a confidence of exactly 1 falls into a bin of its own behind the last one",
    "scores are taken for logits if one lies outside [0, 1] and for probabilities otherwise: one probability of "
    "1.0000001 sends all of them through a softmax, and logits that happen to lie in [0, 1] through none",
)


def _definition(measure: str, norm: str) -> PeerDefinition:
    return PeerDefinition(
        measure=measure,
        package="torchmetrics",
        version="1.9.0",
        call=f"multiclass_calibration_error(probabilities, labels, num_classes=k, n_bins=BINS, norm='{norm}')",
        differs=_DIFFERS,
        faults=_FAULTS,
        function=partial(calibration_error, norm=norm),
        bins=15,
        rounding=2e-6,
    )


DEFINITIONS = (_definition("ece", "l1"), _definition("rmsce", "l2"), _definition("mce", "max"))
