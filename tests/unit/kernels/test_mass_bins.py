"""`mass_bins` against the sort, join and cut of whole columns."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from calibrant import Predictions
from calibrant.kernels import mass_bins
from calibrant.metrics.estimators.equal_mass import EqualMass, _column_bins
from calibrant.metrics.notions.class_wise import ClassWise
from calibrant.metrics.notions.confidence import Confidence
from calibrant.statistics.bin_sums import common_unit

FIELDS = ("edges", "rows", "weight", "score", "outcome", "square_weight")
# Both add the same numbers in double precision, in another order: 1e-15 a term and far fewer than a thousand terms.
ROUNDING = 1e-12


def sorted_bins(p, labels, weights, bins, threshold):
    """Return the same figures, stacked (k, ...), by sorting each column."""
    unit, w = common_unit(weights), weights
    binning = EqualMass(bins=bins, threshold=threshold)
    columns = []
    for c in range(p.shape[1]):
        kept = (w > 0) & (p[:, c] >= threshold)
        hits = (labels == c).astype(np.float64)
        columns.append(_column_bins(binning, unit, p[kept, c], hits[kept], w[kept]))
    return {name: np.stack([column[name] for column in columns]) for name in FIELDS}


def assert_equals_sorting(scores, labels, *, weights=None, total=None, bins=15, threshold=0.0):
    p = scores.astype(np.float64)
    p = p if total is None else np.exp(p - total[:, None])
    w = np.ones(len(p)) if weights is None else weights
    unit = common_unit(w)
    options = {"bins": bins, "threshold": threshold, "unit": unit, "total": total, "weights": weights}
    found, expected = mass_bins(scores, labels, **options)._asdict(), sorted_bins(p, labels, w, bins, threshold)
    for name in FIELDS:
        assert_allclose(found[name], expected[name], rtol=ROUNDING, atol=ROUNDING * w.sum(), err_msg=name)
    assert_array_equal(found["rows"], expected["rows"])


WEIGHTS = {
    "ones": lambda rng, n: None,
    "whole": lambda rng, n: 1.0 + rng.integers(0, 4, n),
    "scaled": lambda rng, n: 0.3 * (1 + rng.integers(0, 4, n)),
    "real": lambda rng, n: 0.01 + rng.random(n),
    "some zero": lambda rng, n: np.r_[1.0, rng.integers(0, 2, n - 1)],
}
ALL_WEIGHTS = pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)


def values(kind, rng, n, k):
    """Return scores that are awkward to cut."""
    p = rng.dirichlet(np.full(k, 0.3), n)
    return {
        "plain": p,
        "narrow": 0.5 + 1e-5 * p,  # all in few buckets of equal leading bits, if there were no range
        "ties": np.round(p, 1),
        "one value": np.full((n, k), 0.25),
        "zero and one": np.eye(k)[rng.integers(0, k, n)],
        "mostly zero": np.where(rng.random((n, k)) < 0.9, -0.0, p),
        "neighbours": np.nextafter(0.5, rng.choice([0, 0.5, 1], (n, k))),
        "above one": np.where(p > 0.9, 1 + 1e-6, p),
    }[kind]


KINDS_OF_VALUES = ("plain", "narrow", "ties", "one value", "zero and one", "mostly zero", "neighbours", "above one")


@ALL_WEIGHTS
@pytest.mark.parametrize("kind", KINDS_OF_VALUES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_sorting_for_awkward_values(kind, weights, dtype):
    for n, k in [(700, 3), (90, 2)]:
        rng = np.random.default_rng([n, k])
        p, labels = values(kind, rng, n, k).astype(dtype), rng.integers(-1, k + 1, n)
        for bins, threshold in [(15, 0.0), (7, 0.2), (1, 0.0)]:
            assert_equals_sorting(p, labels, weights=weights(rng, n), bins=bins, threshold=threshold)


@pytest.mark.parametrize("n", [1, 2, 14, 15, 16, 31])
def test_fewer_or_hardly_more_rows_than_bins(n):
    rng = np.random.default_rng(n)
    assert_equals_sorting(rng.random((n, 2)), rng.integers(0, 2, n))


def test_equals_sorting_for_every_kind(small_case):
    total = small_case.total if small_case.logits else None
    assert_equals_sorting(small_case.scores, small_case.labels, weights=small_case.weights, total=total)


def test_nothing_over_the_threshold():
    found = mass_bins(np.full((9, 2), 0.5), np.zeros(9, np.int64), bins=3, threshold=0.75)
    assert_array_equal(found.edges, np.full((2, 4), 0.75))
    assert not np.any([found.rows, found.score, found.outcome])


def test_same_bits_for_any_number_of_threads():
    rng = np.random.default_rng(5)
    p, labels = rng.random((6_000, 200)).astype(np.float32), rng.integers(0, 200, 6_000)
    one, two = (mass_bins(p, labels, bins=15, weights=p[:, 0].astype(float), unit=0.0, threads=t) for t in (1, 2))
    for name in FIELDS:
        assert_array_equal(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize("notion", [ClassWise(), Confidence()])
def test_batches_and_soft_labels_take_the_same_bins(notion):
    rng = np.random.default_rng(6)
    p, labels = rng.dirichlet(np.ones(70), 300), rng.integers(0, 70, 300)
    batch, binning = Predictions.from_probabilities(p, labels), EqualMass(bins=10)
    whole = binning.finish(binning.gather(notion, batch, squares=True))
    parts = [binning.gather(notion, batch.take(rows), squares=True) for rows in (slice(100), slice(100, 300))]
    soft = Predictions.from_probabilities(p, np.eye(70)[labels])
    for other in (parts[0].merge(parts[1]), binning.gather(notion, soft, squares=True)):
        found = binning.finish(other)
        for name in FIELDS:
            assert_allclose(getattr(found, name), getattr(whole, name), rtol=ROUNDING, atol=300 * ROUNDING)
