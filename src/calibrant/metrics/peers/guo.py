"""The code of Guo et al. (2017), temperature_scaling: the ECE of its _ECELoss."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import scipy

from calibrant.metrics.peers.base import Labels, PeerDefinition, Scores
from calibrant.metrics.peers.shared import top_label, torch_linspace


def ece(p: Scores, y: Labels, bins: int) -> float:
    """Return the ECE of the softmax of the logs, on bins (low, high] with edges in float32; summed in float32."""
    with np.errstate(divide="ignore"):
        softmax = scipy.special.softmax(np.log(p), axis=1)
    confidence, correct = top_label(softmax, y)
    edges = torch_linspace(bins, np.float32).astype(p.dtype)
    total = np.float32(0)
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            share, rate = (x.mean(dtype=np.float32) for x in (inside, correct[inside]))
            total += np.float32(abs(confidence[inside].mean() - rate) * share)
    return float(total)


DEFINITIONS = (
    PeerDefinition(
        measure="ece",
        package="guo",
        version="temperature_scaling, 2018",
        call="_ECELoss(n_bins=BINS)(log(probabilities), labels)",
        differs=(
            "takes logits; summed in float32, ours in float64",
            "torch's softmax of float32 logs is not reproduced to the last bit, which decides about a float32 "
            "confidence on an edge",
        ),
        faults=(
            "the edges are float32 numbers, so that a float64 confidence beside an edge may fall into the other bin",
        ),
        function=ece,
        bins=15,
        rounding=2e-6,
    ),
)
