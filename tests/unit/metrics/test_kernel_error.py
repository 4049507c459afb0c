"""The squared kernel calibration error: by hand on two rows, a slow loop, the bandwidth, many classes."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.metrics import measure, skce
from calibrant.metrics.kernel_error import pair_sums
from calibrant.metrics.vector_kernels import _WIDE, Kernel
from simulation import simulate


def loop(batch, distance, bandwidth, pairs):
    w, r = batch.row_weights, np.eye(batch.k)[batch.labels] - batch.scores
    top = bottom = 0.0
    for i, j in pairs:
        kernel = np.exp(-distance(batch.scores[i], batch.scores[j]) / bandwidth)
        top += w[i] * w[j] * kernel * (r[i] @ r[j])
        bottom += w[i] * w[j]
    return top / bottom


DISTANCES = {
    "laplacian": lambda p, q: np.sqrt(np.sum((p - q) ** 2)),
    "total_variation": lambda p, q: np.sum(np.abs(p - q)) / 2,
}
N = 150  # more than one block of pairs
PAIRS = {
    "biased": [(i, j) for i in range(N) for j in range(N)],
    "unbiased": [(i, j) for i in range(N) for j in range(N) if i != j],
    "block": [(i, j) for i in range(N) for j in range(N) if i != j and i // 4 == j // 4],
}


@pytest.mark.parametrize("kernel", DISTANCES)
@pytest.mark.parametrize("estimator", PAIRS)
def test_equals_the_loop(kernel, estimator):
    plain = simulate(N, k=3)
    w = np.random.default_rng(0).gamma(2.0, size=N)
    batch = Predictions.from_probabilities(plain.scores, plain.labels, weights=w)
    metric = measure(f"skce(kernel={kernel!r}, bandwidth=0.3, estimator={estimator!r}, block_size=4)")
    expected = loop(batch, DISTANCES[kernel], 0.3, PAIRS[estimator])
    assert float(metric(batch)) == pytest.approx(expected, rel=1e-10)  # sums of 22,500 terms


def test_two_rows_by_hand():
    batch = Predictions.from_probabilities([[0.5, 0.5], [1.0, 0.0]], [0, 1])
    # residuals (1/2, -1/2) and (-1, 1): their product is -1; the distance is 1/2 (total variation) or sqrt(1/2)
    assert float(skce(batch, bandwidth=1.0, kernel="total_variation")) == pytest.approx(-np.exp(-0.5))
    assert float(skce(batch, bandwidth=2.0)) == pytest.approx(-np.exp(-np.sqrt(0.5) / 2))
    biased = float(skce(batch, bandwidth=1.0, kernel="total_variation", estimator="biased"))
    assert biased == pytest.approx((0.5 + 2 - 2 * np.exp(-0.5)) / 4)


def test_the_bandwidth_is_the_median_of_positive_distances():
    p = np.array([[0.1, 0.9], [0.1, 0.9], [0.2, 0.8], [0.6, 0.4]])
    batch = Predictions.from_probabilities(p, [0, 1, 0, 1])
    # total variation: 0.1, 0.5, 0.1, 0.5, 0.4 (0 between the first two is left out)
    assert skce(batch, kernel="total_variation").details["bandwidth"] == pytest.approx(0.4)
    weighted = Predictions.from_probabilities(p[1:], [0, 1, 0], weights=[2.0, 1.0, 1.0])
    assert skce(weighted, kernel="total_variation").details["bandwidth"] == pytest.approx(0.4)
    even = Predictions.from_probabilities(p[1:], [0, 1, 0], weights=[0.3, 0.1, 0.2])
    # 0.1, 0.5 and 0.4 weigh 3, 6 and 2
    assert skce(even, kernel="total_variation").details["bandwidth"] == pytest.approx(0.5)


def test_an_exact_half_lies_between_its_neighbours_at_any_scale():
    p = np.array([[0.1, 0.9], [0.2, 0.8], [0.6, 0.4]])
    for scale in (1.0, 0.1, 7.0):
        # 0.1, 0.5 and 0.4 weigh 4, 2 and 2
        batch = Predictions.from_probabilities(p, [0, 1, 0], weights=scale * np.array([2.0, 2.0, 1.0]))
        assert skce(batch, kernel="total_variation").details["bandwidth"] == pytest.approx(0.25)


def test_equal_rows_have_a_bandwidth():
    batch = Predictions.from_probabilities(np.full((3, 2), 0.5), [0, 0, 1])
    assert skce(batch).details["bandwidth"] == 1
    assert float(skce(batch)) == pytest.approx((0.5 - 0.5 - 0.5) / 3)


def test_many_rows_have_the_bandwidth_of_evenly_spaced_ones():
    batch = simulate(5000, k=3)
    rows = np.linspace(0, 4999, 2000).astype(int)
    found = skce(batch, estimator="block").details["bandwidth"]
    assert found == skce(batch.take(rows), estimator="block").details["bandwidth"]


def test_products_of_matrices_keep_small_distances():
    k = _WIDE + 36
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(k, 0.05), 40)
    p[20:] = p[:20]  # equal rows
    p[30:, :2] += np.outer(np.logspace(-12, -5, 10), [1, -1]) * p[30:, :2].min(1, keepdims=True)
    kernel, exact = Kernel("laplacian", 0.01), np.linalg.norm(p[:, None] - p, axis=2)
    assert kernel.between(p, p) == pytest.approx(np.exp(-exact / 0.01), abs=1e-9)
    assert np.diag(kernel.between(p, p)) == pytest.approx(np.ones(40), abs=0)
    labels = rng.integers(0, k, 40)
    total, own = pair_sums(Predictions.from_probabilities(p, labels, normalize=True), kernel)
    assert total > own > 0


def test_one_row_has_no_pair():
    one = Predictions.from_probabilities([[0.3, 0.7]], [0])
    for estimator in ("unbiased", "block"):
        found = skce(one, estimator=estimator)
        assert np.isnan(float(found))
        assert found.notes
    assert float(skce(one, estimator="biased")) == pytest.approx(2 * 0.7**2)


def test_miscalibration_raises_it():
    assert abs(float(skce(simulate(1000)))) < 5e-4
    assert float(skce(simulate(1000, temperature=2.0))) > 2e-3


@pytest.mark.parametrize("options", [{"kernel": "rbf"}, {"bandwidth": -1.0}, {"estimator": "u"}, {"block_size": 1}])
def test_wrong_options(options):
    with pytest.raises(DataError):
        skce(**options)


def test_an_integer_weight_is_a_repetition_where_the_measure_says_so():
    """Over 2,000 rows the median is taken of some: it is not that of the repeated rows, which are more."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 1500)
    labels, w = rng.integers(0, 3, 1500), rng.integers(1, 4, 1500)
    weighted = Predictions.from_probabilities(p, labels, weights=w)
    repeated = Predictions.from_probabilities(p.repeat(w, 0), labels.repeat(w))
    given, found = measure("skce(estimator='biased', bandwidth=0.5)"), measure("skce(estimator='biased')")
    assert (given.repeats, found.repeats) == (True, False)
    assert float(given(weighted)) == pytest.approx(float(given(repeated)), rel=1e-10)  # sums in another order
    assert float(found(weighted)) != pytest.approx(float(found(repeated)), rel=1e-10)
