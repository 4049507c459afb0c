"""One fused pass over the scores that leaves a few columns a row; and the entropy of each row.

Probabilities are the scores themselves, or ``exp(z - log-sum-exp)`` of logits. Every sum is a float64 sum; the
result is bit-equal for any number of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calibrant.kernels import _native
from calibrant.kernels._arrays import Floats, Ints, Scores, SmallInts
from calibrant.kernels._threads import thread_count
from calibrant.kernels.class_bins import ClassBins, complete, equal_rates, refine

_FAULTS = ("", "nan", "infinite", "negative", "empty")


class RowScan(NamedTuple):
    """What one pass over scores (n, k) leaves: columns (n,), class totals (k,); label columns None without labels.

    ``top`` first column of the largest score · ``confidence`` its probability · ``total`` row sum of probabilities or
    log-sum-exp of logits · ``sum_of_squares`` of the probabilities · ``lowest`` score · ``class_totals`` sum w p of
    each class · ``label_probability``, ``label_log_probability`` (may be -inf) · ``label_rank`` 1 + the classes that
    come before the label (a larger score, or an equal one in an earlier column), so rank 1 means ``top == label`` ·
    ``bins`` the histogram of each class and ``label_bins`` the bin of each label, if asked for · ``fault`` (kind,
    row, column) of the first bad entry, or None; with a fault the columns mean nothing.
    """

    top: SmallInts
    confidence: Floats
    total: Floats
    sum_of_squares: Floats
    lowest: Floats
    class_totals: Floats
    label_probability: Floats | None
    label_log_probability: Floats | None
    label_rank: SmallInts | None
    bins: ClassBins | None
    label_bins: SmallInts | None
    fault: tuple[str, int, int] | None


def scan_rows(
    scores: Scores,
    *,
    logits: bool,
    labels: Ints | None = None,
    weights: Floats | None = None,
    edges: Floats | None = None,
    threads: int | None = None,
) -> RowScan:
    """Return the columns of scores (n, k), float32 or float64, reading them once.

    ``labels`` (n,) int64; a label outside 0..k-1 means that the row has none (probability NaN, rank 0). ``weights``
    (n,) float64 concern the class totals only. Faults are looked for in every row, whatever its weight: 'nan',
    'infinite' and 'negative' in probabilities; 'nan', 'infinite' (+inf) and 'empty' (only -inf) in logits.
    ``edges`` (bins + 1,), shared, spanning [0, 1] and closed on the right, ask for ``bins``, the histogram of
    `bin_classes`, from the same read.
    """
    n, k = scores.shape
    top, rank = np.empty(n, np.int32), None if labels is None else np.empty(n, np.int32)
    confidence, total, squares, lowest = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    p_label, log_p_label = (None, None) if labels is None else (np.empty(n), np.empty(n))
    class_totals = np.zeros(k)
    planes = rates = label_bins = None
    if edges is not None:
        edges = np.ascontiguousarray(np.atleast_2d(edges))
        planes, rates = np.empty((2 + (weights is not None), k, edges.shape[1] - 1)), equal_rates(edges)
        label_bins = None if labels is None else np.empty(n, np.int32)
    kind, row, column = _native.scan_rows(
        scores, logits, labels, weights, thread_count(threads),
        top, confidence, total, squares, lowest, p_label, log_p_label, rank, class_totals,
        edges, rates, True, planes, label_bins,
    )  # fmt: skip
    fault = (_FAULTS[kind], row, column) if kind else None
    bins = None if planes is None or fault else complete(planes, weights, n, class_totals)
    if bins is not None and edges is not None and logits:
        refine(bins, scores, total, weights, float(edges[0, 1]))
    return RowScan(
        top, confidence, total, squares, lowest, class_totals, p_label, log_p_label, rank, bins, label_bins, fault
    )


def entropy(scores: Scores, *, logits: bool, total: Floats, threads: int | None = None) -> Floats:
    """Return the Shannon entropy of each row (n,) in nats, -sum_c p log p with 0 log 0 = 0.

    ``total`` (n,) is the log-sum-exp of logits; it is not used for probabilities.
    """
    out = np.empty(len(scores))
    _native.entropy(scores, total if logits else None, thread_count(threads), out)
    return out


def row_variances(
    scores: Scores, *, top: SmallInts, labels: Ints, logits: bool, logs: bool, threads: int | None = None
) -> tuple[Floats, Floats]:
    """Return the mean of v minus the v of the label, and the variance of v, of each row: two columns (n,).

    v is p, or log p with ``logs``; mean and variance are over classes drawn with the probabilities p / sum p. ``top``
    (n,) is a column of the largest score of each row, and ``labels`` (n,) lie in 0..k-1. Where the positive
    probabilities of a row are equal but for rounding, its variance is 0, and so is the excess of a label among them.
    """
    excess, variance = np.empty(len(scores)), np.empty(len(scores))
    _native.row_variances(scores, top, labels, logits, logs, thread_count(threads), excess, variance)
    return excess, variance


def ranked_rows(scores: Scores, labels: Ints, *, logits: bool, total: Floats, threads: int | None = None) -> Floats:
    """Return the sum over the k - 1 cut points j of (P(class <= j) - 1{label <= j})^2 of each row (n,).

    ``labels`` (n,) lie in 0..k-1. ``total`` (n,) is the log-sum-exp of logits; it is not used for probabilities.
    """
    out = np.empty(len(scores))
    _native.ranked_rows(scores, total if logits else None, labels, thread_count(threads), out)
    return out
