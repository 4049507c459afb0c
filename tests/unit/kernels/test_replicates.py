"""`bin_replicates` against one call of the plain histograms for each weighting."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from calibrant import kernels

RIGHT = pytest.mark.parametrize("right", [True, False])


def weightings(n, count=16):
    return np.random.default_rng(7).poisson(1.0, (n, count)).astype(np.float64) * np.linspace(0.5, 2, n)[:, None]


def plain(case, edges, weights, right):
    """Return the histogram of one weighting, and its weight of the labels by class and bin."""
    kind = {"logits": case.logits, "total": case.total, "right": right}
    bins = kernels.bin_classes(case.scores, edges, weights=weights, **kind)
    k, count = bins.weight.shape
    labels = case.labels.astype(np.int64)
    where = kernels.label_bins(case.scores, labels, edges, **kind)
    kept = where >= 0
    outcome = np.bincount(labels[kept] * count + where[kept], weights[kept], k * count).reshape(k, count)
    return bins, outcome


@RIGHT
@pytest.mark.parametrize("shared", [True, False])
def test_every_weighting_is_a_histogram(small_case, shared, right):
    case = small_case
    k, n = case.scores.shape[1], len(case.scores)
    edges = np.linspace(0, 1, 8)
    if not shared:
        edges = np.sort(np.random.default_rng(3).random((k, 6)), axis=1)
    weights = weightings(n)
    kind = {"logits": case.logits, "total": case.total, "right": right}
    many = kernels.bin_replicates(case.scores, edges, weights, case.labels.astype(np.int64), **kind)
    for r in (0, 5, 15):
        w = np.ascontiguousarray(weights[:, r])
        bins, outcome = plain(case, edges, w, right)
        assert_array_equal(many.rows[r], bins.rows)
        squares = plain(case, edges, w**2, right)[0].weight
        for found, wanted in (
            (many.weight[r], bins.weight),
            (many.score[r], bins.score),
            (many.square_weight[r], squares),
            (many.outcome[r], outcome),
        ):
            assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)  # sums in another order


def test_hits_scale_the_outcome(small_case):
    labels, weights = small_case.labels.astype(np.int64), weightings(len(small_case.scores), 8)
    kind = {"logits": small_case.logits, "total": small_case.total}
    edges = np.linspace(0, 1, 5)
    ones = kernels.bin_replicates(small_case.scores, edges, weights, labels, **kind)
    half = kernels.bin_replicates(small_case.scores, edges, weights, labels, hits=np.full(len(labels), 0.5), **kind)
    assert_allclose(half.outcome, ones.outcome / 2, rtol=1e-15)
    assert_array_equal(half.score, ones.score)


def test_threads_agree_bit_for_bit(big_case):
    case = big_case
    labels, weights = case.labels.astype(np.int64), weightings(len(case.scores))
    kind = {"logits": case.logits, "total": case.total}
    one, two = (
        kernels.bin_replicates(case.scores, np.linspace(0, 1, 16), weights, labels, threads=threads, **kind)
        for threads in (1, 2)
    )
    for a, b in zip(one, two, strict=True):
        assert_array_equal(a, b)
