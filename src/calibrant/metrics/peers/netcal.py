"""netcal 1.4: ECE, MCE, ACE and MMCE."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from calibrant.metrics.peers.base import Labels, PeerDefinition, PeerRaises, Scores
from calibrant.metrics.peers.shared import binned, top_label

_PEER = partial(PeerDefinition, package="netcal", version="1.4.0")

_BLOCK = 1 << 20  # entries of the kernel matrix at a time


def binned_error(p: Scores, y: Labels, bins: int, *, metric: str) -> float:
    """Return ECE, MCE or ACE of the top class, or of class 1 where k = 2, on bins closed on the left."""
    scores, outcomes = _binary_or_top(p, y)
    edges = np.linspace(0.0, 1.0, bins + 1)
    counted = binned(np.searchsorted(edges, scores, side="right") - 1, scores, outcomes, bins).rows
    averaged = np.searchsorted(edges.astype(scores.dtype), scores, side="right") - 1
    gaps = np.where(counted > 0, binned(averaged, scores, outcomes, bins).gaps, 0.0)
    if metric == "mce":
        return float(gaps.max())
    if metric == "ace":
        return float(gaps.sum() / np.count_nonzero(counted))
    return float(np.sum(gaps * (counted / counted.sum())))


def _binary_or_top(p: Scores, y: Labels) -> tuple[Scores, Any]:
    """Return scores and outcomes (n,): netcal tells the binary case by how many labels occur."""
    smallest = np.finfo(p.dtype).eps
    clipped = np.clip(p, smallest, p.dtype.type(1) - smallest)
    if len(np.unique(y)) > 2:
        return top_label(clipped, y)
    if p.shape[1] > 2:
        raise PeerRaises("RuntimeError: at most two of the k > 2 labels occur, so it takes the problem for binary")
    return clipped[:, 1], y


def kernel_error(p: Scores, y: Labels, bins: None) -> float:
    """Return MMCE, the V-statistic with kernel exp(-2.5 |c - c'|), over all pairs of rows."""
    del bins
    confidence, correct = top_label(p, y)
    gaps = correct.astype(p.dtype) - confidence
    step = max(1, _BLOCK // len(p))
    starts = range(0, len(p), step)
    blocks = ((gaps[i : i + step], confidence[i : i + step, None]) for i in starts)
    total = sum(float(g @ (np.exp(-2.5 * np.abs(c - confidence)) @ gaps)) for g, c in blocks)
    with np.errstate(invalid="ignore"):  # a sum of zeros may round to less than zero
        return float(np.sqrt(total / len(p) ** 2))


_FAULTS = (
    "the binary case is told by the labels that occur: with k > 2 and at most two of them it raises RuntimeError",
    "rows are counted between float64 edges and averaged between edges rounded to the type of the scores, so that a "
    "float32 score beside an edge may count in one bin and stand in the means of the next",
)
_DIFFERS = (
    "probabilities are clipped to [eps, 1 - eps] of their type",
    "bins are closed on the left, ours on the right",
    "with k = 2 it measures the probability of class 1, not the confidence",
)


def _definition(measure: str, name: str, *differs: str) -> PeerDefinition:
    return _PEER(
        measure=measure,
        call=f"netcal.metrics.{name}(bins=BINS).measure(probabilities, labels)",
        differs=(*differs, *_DIFFERS),
        faults=_FAULTS,
        function=partial(binned_error, metric=measure),
        bins=10,
    )


DEFINITIONS = (
    _definition("ece", "ECE"),
    _definition("mce", "MCE"),
    _definition(
        "ace",
        "ACE",
        "its ACE is another measure: equal-width bins of the confidence, the plain mean over the bins that hold rows; "
        "ours is class-wise on equal-mass bins",
    ),
    _PEER(
        measure="mmce",
        call="netcal.metrics.MMCE().measure(probabilities, labels)",
        differs=("the kernel matrix of all pairs is held in memory; the value is that of ours with width 0.4",),
        function=kernel_error,
    ),
)
