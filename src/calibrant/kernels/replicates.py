"""Histograms of every class under many weightings of the rows at once: what a bootstrap needs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calibrant.kernels import _native
from calibrant.kernels._arrays import Floats, Ints, Scores
from calibrant.kernels._threads import thread_count
from calibrant.kernels.class_bins import equal_rates

LANES = 8  # weightings come in multiples of it


class ReplicateBins(NamedTuple):
    """Sums by weighting, class and bin, each (R, k, bins).

    ``rows`` the rows of positive weight · ``weight`` sum w · ``square_weight`` sum w^2 · ``score`` sum w p ·
    ``outcome`` sum w q.
    """

    rows: Floats
    weight: Floats
    square_weight: Floats
    score: Floats
    outcome: Floats


def bin_replicates(
    scores: Scores,
    edges: Floats,
    weights: Floats,
    labels: Ints,
    *,
    hits: Floats | None = None,
    logits: bool,
    total: Floats | None = None,
    right: bool = True,
    threads: int | None = None,
) -> ReplicateBins:
    """Return the histograms of `bin_classes` for each of R weightings (n, R) of the rows, in one pass.

    ``labels`` (n,) int64 say in which class a row has its outcome, which is 1 or ``hits`` (n,); ``edges``, ``right``
    and ``total`` as in `bin_classes`. R must be a multiple of ``LANES``; memory is 40 bytes a weighting, class and bin.
    """
    rows = np.ascontiguousarray(np.atleast_2d(edges), dtype=np.float64)
    planes = np.empty((5, weights.shape[1], scores.shape[1], rows.shape[1] - 1))
    normalizer = total if logits else None
    _native.bin_replicates(
        scores, normalizer, weights, labels, hits, rows, equal_rates(rows), right, thread_count(threads), planes
    )
    return ReplicateBins(*planes)
