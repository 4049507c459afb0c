"""The code of Kull et al. (2019), experiments_neurips: ECE, MCE and the class-wise ECE that the paper reports."""

from __future__ import annotations

import numpy as np

from calibrant.metrics.peers.base import Labels, PeerDefinition, PeerFunction, PeerRaises, Scores
from calibrant.metrics.peers.shared import binned, one_hot, top_label


def ece(p: Scores, y: Labels, bins: int) -> float:
    """Return the ECE of the confidence."""
    gaps, rows = _gaps(p, y, bins)
    return float(np.sum(gaps * rows) / len(p))


def mce(p: Scores, y: Labels, bins: int) -> float:
    """Return the largest gap of the confidence."""
    return float(_gaps(p, y, bins)[0].max())


def _gaps(p: Scores, y: Labels, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Return gap and rows of each bin (low, high]; each bin has bounds of its own, rounded apart."""
    confidence, correct = top_label(p, y)
    width = 1 / bins
    highs = np.arange(width, 1 + width, width)
    gaps, rows = np.zeros(len(highs)), np.zeros(len(highs))
    for b, high in enumerate(highs):
        low = high - width
        inside = ((confidence > low) | (low == 0)) & (confidence <= high)
        if inside.any():
            gaps[b] = abs(correct[inside].mean() - confidence[inside].mean())
            rows[b] = inside.sum()
    return gaps, rows


def class_wise_ece(p: Scores, y: Labels, bins: int) -> float:
    """Return the sum over classes of the ECE of each class."""
    if p.shape[1] == 2:
        raise PeerRaises("IndexError for k = 2: labels become one column, scores have two")
    edges = np.linspace(0, 1, bins)
    outcomes = one_hot(y, p.shape[1])
    total = 0.0
    for c in range(p.shape[1]):
        found = binned(np.digitize(p[:, c], edges) - 1, p[:, c], outcomes[:, c], bins)
        total += float(np.sum(found.gaps * found.rows) / len(p))
    return total


def _definition(measure: str, call: str, function: PeerFunction, differs: str, fault: str) -> PeerDefinition:
    return PeerDefinition(
        measure=measure,
        package="kull",
        version="experiments_neurips, 2019",
        call=f"calib.utils.functions.{call}",
        differs=(differs,),
        faults=(fault,),
        function=function,
        bins=15,
    )


_BOUNDS = (
    "the bounds of the bins are cumulated sums, so that a confidence on an edge may count in two bins or in none, and "
    "1 may have a bin of its own"
)
_WIDTH = "bins are closed on the right, as ours"
DEFINITIONS = (
    _definition("ece", "ECE(probabilities, labels, bins=BINS, ece_full=False)", ece, _WIDTH, _BOUNDS),
    _definition("mce", "MCE(probabilities, labels, bins=BINS, mce_full=False)", mce, _WIDTH, _BOUNDS),
    _definition(
        "sce",
        "classwise_ECE(probabilities, labels, bins=BINS)",
        class_wise_ece,
        "the sum over classes, ours the mean (the code took the mean from June 2021 on); bins are closed on the left",
        "the number of bins is one of edges: there is one interval fewer, and a bin of its own for exactly 1",
    ),
)
