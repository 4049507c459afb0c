"""Histograms of every class's probability in one pass over the scores, and the bin of a label's entry."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calibrant.kernels import _native
from calibrant.kernels._arrays import Floats, Ints, Scores, SmallInts
from calibrant.kernels._threads import thread_count

_THIN = 0.01  # of the rows in the first bin: 1e-6 in its mean score
_UNEVEN = 0.25  # of a bin's width: beyond, a guessed bin is so often wrong that a search is faster


class ClassBins(NamedTuple):
    """Sums per class and bin, each (k, bins); ``outcome`` is None without outcomes.

    ``rows`` the rows of positive weight · ``weight`` their weight · ``score`` sum w p · ``outcome`` sum w q.
    """

    rows: Ints
    weight: Floats
    score: Floats
    outcome: Floats | None


def bin_classes(
    scores: Scores,
    edges: Floats,
    *,
    logits: bool,
    total: Floats | None = None,
    weights: Floats | None = None,
    class_totals: Floats | None = None,
    outcomes: Floats | None = None,
    right: bool = True,
    threads: int | None = None,
) -> ClassBins:
    """Return the histogram of each column's probabilities.

    Parameters
    ----------
    scores : (n, k) float32 or float64.
    edges : (bins + 1,) float64 for all classes, or (k, bins + 1), increasing. Bin b holds edges[b] < p <= edges[b+1],
        the first one also p == edges[0]; with ``right=False`` edges[b] <= p < edges[b+1], the last one also
        p == edges[bins]. Entries outside are dropped, but bins over [0, 1] take rounding above 1 into the last.
    total : (n,) log-sum-exp, needed for logits.
    weights : (n,) float64. A row of weight zero is not there, not even in ``rows``.
    class_totals : (k,) from ``scan_rows``. With shared edges over [0, 1] and no outcomes only entries above the
        first bin are visited, and the first bin is the total minus the rest: several times faster.
    outcomes : (n, k) float64 soft labels.
    """
    shared = edges.ndim == 1
    rows = np.ascontiguousarray(np.atleast_2d(edges), dtype=np.float64)  # (1 or k, bins + 1)
    unit = bool(edges.flat[0] == 0 and edges.flat[-1] == 1)
    sparse = shared and unit and outcomes is None and class_totals is not None
    fields = 2 + (weights is not None) + (outcomes is not None)
    planes = np.empty((fields, scores.shape[1], rows.shape[1] - 1))  # (fields, k, bins)
    normalizer = total if logits else None
    _native.bin_classes(
        scores, normalizer, weights, outcomes, rows, equal_rates(rows), right, sparse, thread_count(threads), planes
    )
    if sparse and class_totals is not None:
        found = complete(planes, weights, len(scores), class_totals)
        if normalizer is not None and right:
            refine(found, scores, normalizer, weights, float(edges[1]))
        return found
    return _as_bins(planes, weights is not None, soft=outcomes is not None)


def label_bins(
    scores: Scores, labels: Ints, edges: Floats, *, logits: bool, total: Floats | None = None, right: bool = True
) -> SmallInts:
    """Return the bin in which `bin_classes` counts entry (i, labels[i]), -1 if it is dropped; labels (n,) or (R, n)."""
    rows = np.ascontiguousarray(np.atleast_2d(edges), dtype=np.float64)
    bins = np.empty(labels.shape, np.int32)
    normalizer = total if logits else None
    _native.label_bins(scores, normalizer, np.atleast_2d(labels), rows, equal_rates(rows), right, np.atleast_2d(bins))
    return bins


def equal_rates(edges: Floats) -> Floats:
    """Return the bins per unit of each row of edges, or 0 where they are not about equally spaced."""
    bins = edges.shape[1] - 1
    width = (edges[:, -1] - edges[:, 0]) / bins  # (rows,)
    even = edges[:, :1] + width[:, None] * np.arange(bins + 1)
    fits = (width > 0) & (np.abs(edges - even).max(axis=1) < _UNEVEN * width)
    rates = np.zeros(len(edges))
    rates[fits] = 1.0 / width[fits]
    return rates


def complete(planes: Floats, weights: Floats | None, n: int, class_totals: Floats) -> ClassBins:
    """Fill the first bin of planes (fields, k, bins) by subtraction, exactly 0 where no row is left for it.

    Its score inherits the error of the class totals, up to 1e-8 n for single-precision logits; see `refine`.
    """
    present = n if weights is None else np.count_nonzero(weights)
    wholes = [np.float64(present), class_totals] + ([] if weights is None else [weights.sum()])
    for plane, whole in zip(planes, wholes, strict=True):
        plane[:, 0] = np.maximum(whole - plane[:, 1:].sum(axis=1), 0.0)
    planes[:, planes[0, :, 0] == 0, 0] = 0.0
    return _as_bins(planes, weights is not None, soft=False)


def refine(bins: ClassBins, scores: Scores, total: Floats, weights: Floats | None, edge: float) -> None:
    """Sum the first bin anew, in place, for logits (n, k) of classes that have few rows in it.

    There the rounding of all the other rows would show in the mean score. Few classes are ever like that: a row has
    at most 1 / edge entries above the edge.
    """
    rows = bins.rows[:, 0]
    for c in np.flatnonzero((rows > 0) & (rows < len(scores) * _THIN)):
        p = np.exp(scores[:, c].astype(np.float64) - total)  # (n,)
        inside = p <= edge
        bins.score[c, 0] = p[inside].sum() if weights is None else (p * weights)[inside & (weights > 0)].sum()


def _as_bins(planes: Floats, weighted: bool, *, soft: bool) -> ClassBins:
    rows, score, *rest = planes
    weight = rest[0] if weighted else rows
    return ClassBins(rows.astype(np.int64), weight, score, rest[-1] if soft else None)
