"""The code released with LoCal Nets (Barbera et al., 2025): LCE and MLCE as its evaluation computes them.

Transcribed from the description of its formulas; distances are Euclidean in the features as they are given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from calibrant.metrics.peers.base import Labels, PeerDefinition, Scores

Floats = NDArray[np.float64]
_GAMMA = 10.0
_THRESHOLD = 20
_PAIRS = 1 << 22  # of one block: 32 MB


def lce(p: Scores, y: Labels, bins: int, features: Scores) -> float:
    """Return the mean over classes of the mean size of the local averages."""
    return float(np.mean([found.mean() if len(found) else 0.0 for found in _by_class(p, y, bins, features)]))


def mlce(p: Scores, y: Labels, bins: int, features: Scores) -> float:
    """Return the mean over classes of the largest local average."""
    return float(np.mean([found.max(initial=0.0) for found in _by_class(p, y, bins, features)]))


def _by_class(p: Scores, y: Labels, bins: int, features: Scores) -> list[Floats]:
    """Return the sizes of the local averages of the rows in bins of more than twenty rows, for each class."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    index = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, bins - 1)  # (n, k)
    residuals = p.astype(np.float64) - (y[:, None] == np.arange(p.shape[1]))
    z, found = np.asarray(features, dtype=np.float64), []
    for column, r in zip(index.T, residuals.T, strict=True):
        inside = [np.flatnonzero(column == b) for b in range(bins)]
        found.append(
            np.concatenate([_averages(z[rows], r[rows]) for rows in inside if len(rows) > _THRESHOLD] or [np.empty(0)])
        )
    return found


def _averages(z: Floats, residuals: Floats) -> Floats:
    """Return |sum_j K_ij r_j / sum_j K_ij| of the rows of one bin (m,), each among its own neighbours."""
    out, step = np.empty(len(z)), max(1, _PAIRS // len(z))
    for start in range(0, len(z), step):
        some = slice(start, start + step)
        kernel = np.exp(cdist(z[some], z, "sqeuclidean") / (-2 * _GAMMA**2))
        out[some] = np.abs(kernel @ residuals) / kernel.sum(1)
    return out


_DIFFERS = (
    "a row is among its own neighbours, with the largest weight of all: improper at bandwidths that leave few others",
    "the bandwidth is 10 whatever the units of the features, so that the number changes with their scale",
    "bins of equal width are closed on the left, with 1 in the last; ours on the right",
    "scores in bins of twenty rows or fewer are left out without a word, and a class with no others counts 0 here",
    "classes count alike; the code that came with the submission weighed one of its data sets by class",
    "features are taken as they are given: its evaluation passes 50 principal components for other methods and its own "
    "learnt features for LoCal Nets, so that published values of the two are not in the same units",
)
_VERSION = "multiclass-local-calibration, 2026-04-20"

DEFINITIONS = (
    PeerDefinition(
        measure="lce",
        package="lcn",
        version=_VERSION,
        call="compute_multiclass_calibration_metrics_w_lce, n_bins=BINS, gamma=10",
        differs=_DIFFERS,
        function=lce,
        bins=15,
        on_features=True,
    ),
    PeerDefinition(
        measure="mlce",
        package="lcn",
        version=_VERSION,
        call="compute_multiclass_calibration_metrics_w_lce, n_bins=BINS, gamma=10",
        differs=_DIFFERS,
        function=mlce,
        bins=15,
        on_features=True,
    ),
)
