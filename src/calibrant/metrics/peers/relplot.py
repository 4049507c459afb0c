"""relplot 1.0: smECE and the binned ECE of the confidence."""

from __future__ import annotations

import numpy as np

from calibrant.metrics.peers.base import Labels, PeerDefinition, Scores
from calibrant.metrics.peers.shared import relplot_smooth_error, top_label


def smooth_error(p: Scores, y: Labels, bins: None) -> float:
    """Return smECE of the confidence."""
    del bins
    confidence, correct = top_label(p, y)
    return relplot_smooth_error(confidence, correct.astype(np.float64))


def binned_error(p: Scores, y: Labels, bins: int) -> float:
    """Return the sum over bins of |sum of residuals|, over n; the bin is the whole part of confidence / (1 / B)."""
    confidence, correct = top_label(p, y)
    index = (confidence / (1.0 / bins)).astype(int)
    return float(np.abs(np.bincount(index, confidence - correct * 1.0)).sum() / len(p))


DEFINITIONS = (
    PeerDefinition(
        measure="smece",
        package="relplot",
        version="1.0.3",
        call="relplot.smECE(confidence, correct)",
        differs=(
            "the width where it equals the error is found in ten halvings, so to 1/1024, and the error is taken at the "
            "upper end; ours solves the equation to 1e-9",
            "the residuals are smoothed on a grid, divided by a density with 1e-4 added, and averaged by that density",
        ),
        function=smooth_error,
    ),
    PeerDefinition(
        measure="ece",
        package="relplot",
        version="1.0.3",
        call="relplot.metrics.binnedECE(confidence, correct, nbins=BINS)",
        differs=(
            "bins are closed on the left, ours on the right",
            "the bin of a confidence is found by division, so that rounding decides about one that lies on an edge",
        ),
        faults=("a confidence of exactly 1 falls into a bin of its own behind the last one",),
        function=binned_error,
        bins=10,
    ),
)
