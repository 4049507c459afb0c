"""uncertainty-calibration 0.1.4 (verified calibration): marginal and top-label errors, debiased, and its ECE."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np

from calibrant.metrics.peers.base import Labels, PeerDefinition, Scores
from calibrant.metrics.peers.shared import binned, one_hot, top_label

_PEER = partial(PeerDefinition, package="uncertainty-calibration", version="0.1.4")

_BINS = 15


def ece(p: Scores, y: Labels, bins: int) -> float:
    """Return the ECE of the confidence on equal-width bins, closed on the right."""
    confidence, correct = top_label(p, y)
    edges = np.array([i * 1.0 / bins for i in range(1, bins + 1)])
    index = np.minimum(np.searchsorted(edges, confidence), bins - 1)
    found = binned(index, confidence, correct, bins)
    return float(found.gaps @ found.rows / len(p))


def marginal_error(p: Scores, y: Labels, bins: None) -> float:
    """Return the root of the mean over classes of the debiased squared error, each at least 0."""
    del bins
    outcomes = one_hot(y, p.shape[1])
    discrete = all(_enough_duplicates(p[:, c]) for c in range(p.shape[1]))
    squares = [max(_debiased_square(p[:, c], outcomes[:, c], discrete), 0.0) for c in range(p.shape[1])]
    return float(np.mean(squares) ** 0.5)


def top_label_error(p: Scores, y: Labels, bins: None) -> float:
    """Return the root of the debiased squared error of the confidence, at least 0."""
    del bins
    confidence, correct = top_label(p, y)
    discrete = all(_enough_duplicates(p[:, c]) for c in range(p.shape[1]))
    return float(max(_debiased_square(confidence, correct, discrete), 0.0) ** 0.5)


def _enough_duplicates(scores: Scores) -> bool:
    return len(np.unique(scores)) < len(scores) / 4.0


def _debiased_square(scores: Scores, outcomes: np.ndarray, discrete: bool) -> float:
    """Return the mean squared gap less the variance of the mean outcome; bins of one row count 0."""
    edges = _between_values(scores) if discrete else _equal_mass(scores)
    index = np.minimum(np.searchsorted(edges, scores), len(edges) - 1)
    rows, means, rates = binned(index, scores, outcomes, len(edges))
    several = rows > 1
    noise = rates * (1 - rates) / np.where(several, rows - 1, 1)
    squares = np.where(several, (means - rates) ** 2 - noise, 0.0)
    return float(squares @ rows / len(scores))


def _equal_mass(scores: Scores) -> np.ndarray:
    """Return upper edges halfway between the parts of the sorted scores; edges that are equal count once."""
    parts = np.array_split(np.sort(scores), min(_BINS, len(scores)))
    middles = [(left[-1] + right[0]) / 2.0 for left, right in pairwise(parts)]
    return np.unique([*map(float, middles), 1.0])


def _between_values(scores: Scores) -> np.ndarray:
    """Return upper edges halfway between the distinct scores."""
    values = np.unique(scores)
    return np.append((values[:-1] + values[1:]) / 2.0, 1.0)


_DIFFERS = (
    "a root mean square, debiased, on 15 equal-mass bins; 0 where the debiased square is negative",
    "if every class has fewer distinct scores than a quarter of the rows, each distinct score is a bin of its own",
    "a bin with one row counts as 0 but keeps its share",
)
_FAULTS = ("its bootstrap interval reads alpha=0.1 as a tenth of a percent, so that it is a 99.9% interval",)


DEFINITIONS = (
    _PEER(
        measure="ece",
        call="calibration.get_ece(probabilities, labels, num_bins=BINS)",
        differs=("the same bins as ours",),
        function=ece,
        bins=15,
    ),
    _PEER(
        measure="sce",
        call="calibration.get_calibration_error(probabilities, labels)",
        differs=("the mean over classes is of squares", *_DIFFERS),
        faults=_FAULTS,
        function=marginal_error,
    ),
    _PEER(
        measure="squared_ce",
        call="calibration.get_top_calibration_error(probabilities, labels)",
        differs=("ours is the square, and may be negative", *_DIFFERS),
        faults=_FAULTS,
        function=top_label_error,
    ),
)
