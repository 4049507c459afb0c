"""`bin_values` against searchsorted and bincount."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from calibrant.kernels import bin_values
from unit.kernels.test_class_bins import EDGES, edgy, naive_bin


def naive(values, outcomes, weights, bins, n_bins):
    keep = (bins >= 0) & (weights > 0)
    return [
        np.bincount(bins[keep], x[keep], minlength=n_bins)
        for x in (np.ones_like(weights), weights, weights * values, weights * outcomes)
    ]


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("edges", EDGES.values(), ids=EDGES)
@pytest.mark.parametrize("outcome", [np.float32, np.float64, np.bool_, np.uint8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_equal_bincount(right, edges, outcome, dtype):
    for n in (0, 1, 3, 4, 1001):
        values = edgy(n, 1, edges, dtype, seed=n)[:, 0]
        rng = np.random.default_rng(n)
        outcomes = rng.integers(0, 2, n).astype(outcome)
        bins = naive_bin(values.astype(np.float64), edges, right)
        for weights in (None, rng.integers(0, 3, n) * rng.random(n)):
            found = bin_values(values, outcomes, edges, weights=weights, right=right)
            w = np.ones(n) if weights is None else weights
            expected = naive(values.astype(np.float64), outcomes.astype(np.float64), w, bins, len(edges) - 1)
            assert_array_equal(found.rows, expected[0])
            for sums, wanted in zip(found[1:], expected[1:], strict=True):
                assert_allclose(sums, wanted, rtol=1e-13)  # at most 1001 positive numbers, in another order


def test_a_row_of_weight_zero_is_not_there_even_if_it_is_nan():
    found = bin_values(
        np.array([0.1, np.nan]), np.array([1.0, np.nan]), np.array([0.0, 1.0]), weights=np.array([2.0, 0.0])
    )
    assert [x.tolist() for x in found] == [[1], [2.0], [0.2], [2.0]]
