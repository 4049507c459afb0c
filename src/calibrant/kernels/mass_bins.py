"""Bins of equal mass in every column of scores, found without sorting, and the sums over them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calibrant.kernels import _native
from calibrant.kernels._arrays import Floats, Ints, Scores
from calibrant.kernels._threads import thread_count


class MassBins(NamedTuple):
    """Edges (k, bins + 1), halfway between scores; and sums per column and bin, each (k, bins).

    ``rows`` of positive weight · ``weight`` their weight · ``score`` sum w p · ``outcome`` weight of the labels ·
    ``square_weight`` sum w^2. A column without scores has all edges at the threshold.
    """

    edges: Floats
    rows: Ints
    weight: Floats
    score: Floats
    outcome: Floats
    square_weight: Floats


def mass_bins(
    scores: Scores,
    labels: Ints,
    *,
    bins: int,
    threshold: float = 0.0,
    unit: float = 1.0,
    total: Floats | None = None,
    weights: Floats | None = None,
    threads: int | None = None,
) -> MassBins:
    """Return ``bins`` bins of equal mass of each column's probabilities from ``threshold`` on.

    The N units of weight of a column are cut as evenly as whole units allow, the first N mod bins bins holding one
    more; equal scores stay together and go where their first unit goes, so that bins may be empty.

    Parameters
    ----------
    scores : (n, k) probabilities, float32 or float64; logits if ``total`` is given.
    labels : (n,) the column whose outcome is 1; a row with a label outside 0..k-1 has none.
    unit : largest common unit of the weights, or 0.0 if they have none: cut at equal shares of their sum.
    total : (n,) log-sum-exp of logits.
    weights : (n,) float64. A row of weight zero is not there.
    """
    k = scores.shape[1]
    edges, planes = np.empty((k, bins + 1)), np.zeros((5, k, bins))
    count = thread_count(threads)
    _native.mass_bins(scores, total, weights, labels, threshold, unit, count, edges, planes)
    rows, score, weight, square_weight, outcome = planes
    return MassBins(edges, rows.astype(np.int64), weight, score, outcome, square_weight)
