"""Expectations over all label vectors: the unbiased kernel errors, and the moments of Spiegelhalter's test."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.metrics import measure
from calibrant.metrics.tests import test as make_test
from calibrant.metrics.vector_kernels import Kernel
from enumeration import expectation, pair_mean

EXACT = 1e-14  # a sum of at most 81 rounded terms of order one
WEIGHTS = [None, [1.0, 2.0, 0.5, 3.0]]


def drawn(k, seed=0, n=4):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(k), n), rng.dirichlet(np.ones(k), n)  # predicted, true


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("kernel", ["laplacian", "total_variation"])
@pytest.mark.parametrize(
    ("estimator", "together"),
    [
        ("'unbiased'", lambda i, j: True),
        ("'block'", lambda i, j: i // 2 == j // 2),
        ("'block', block_size=3", lambda i, j: i // 3 == j // 3),  # the last block is a row that has no pair
    ],
)
def test_kernel_error_is_unbiased(k, weights, kernel, estimator, together):
    p, truth = drawn(k)
    spec = f"skce(kernel={kernel!r}, bandwidth=0.5, estimator={estimator})"
    exact = expectation(lambda batch: float(measure(spec)(batch)), p, truth, weights)
    assert exact == pytest.approx(pair_mean(p, truth, weights, together, Kernel(kernel, 0.5)), abs=EXACT)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_bandwidth_from_the_scores_leaves_it_unbiased(k, weights):
    p, truth = drawn(k, seed=5)
    kernel = Kernel.fitted("laplacian", None, Predictions.from_probabilities(p, weights=weights))
    exact = expectation(lambda batch: float(measure("skce")(batch)), p, truth, weights)
    assert exact == pytest.approx(pair_mean(p, truth, weights, lambda i, j: True, kernel), abs=EXACT)


@pytest.mark.parametrize("k", [2, 3])
def test_calibrated_predictions_give_zero_whatever_the_bandwidth(k):
    p, _ = drawn(k, seed=1)
    assert expectation(lambda batch: float(measure("skce")(batch)), p, p) == pytest.approx(0, abs=EXACT)


def test_the_biased_form_is_too_high_by_the_noise_of_a_row():
    p, _ = drawn(3, seed=2)
    exact = expectation(lambda batch: float(measure("skce(estimator='biased')")(batch)), p, p)
    assert exact == pytest.approx(np.mean(1 - np.sum(p**2, axis=1)) / 4, abs=EXACT)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("rule", ["brier", "log_loss"])
@pytest.mark.parametrize("notion", ["canonical", "confidence"])
def test_spiegelhalter_has_mean_zero_and_variance_one(k, weights, rule, notion):
    p, _ = drawn(k, seed=3)
    test = make_test(f"spiegelhalter(rule={rule!r}, notion={notion!r})")
    assert expectation(lambda batch: test(batch).statistic, p, p, weights) == pytest.approx(0, abs=1e-13)
    assert expectation(lambda batch: test(batch).statistic ** 2, p, p, weights) == pytest.approx(1, abs=1e-13)


@pytest.mark.parametrize("spec", ["hosmer_lemeshow(groups=1, p_value='chi_square')"])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_quadratic_form_has_its_degrees_of_freedom_as_mean(spec, weights):
    p = np.full((8, 2), 0.5)
    p[:, 0] = [0.5, 0.52, 0.55, 0.6, 0.61, 0.63, 0.65, 0.7]
    p[:, 1] = 1 - p[:, 0]
    weights = None if weights is None else [*weights, *weights]
    test = make_test(spec.replace("groups=1", "groups=1, outcomes='class'"))
    freedom = test(Predictions.from_probabilities(p, np.zeros(8, int), weights=weights)).details["degrees_of_freedom"]
    assert expectation(lambda batch: test(batch).statistic, p, p, weights) == pytest.approx(freedom, abs=1e-12)


CUBES = {
    2: [[0.7, 0.3], [0.6, 0.4], [0.1, 0.9], [0.2, 0.8]],
    3: [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.2, 0.1, 0.7]],
}


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_squared_canonical_is_unbiased(k, weights):
    p, truth = np.array(CUBES[k]), drawn(k, seed=4)[1]
    w = np.ones(4) if weights is None else np.array(weights)
    d = truth - p
    shares = np.array([w[:2].sum(), w[2:].sum()]) / w.sum()
    exact = expectation(lambda batch: float(measure("squared_canonical(bins=2)")(batch)), p, truth, weights)
    assert exact == pytest.approx(shares @ [d[0] @ d[1], d[2] @ d[3]], abs=EXACT)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_squared_canonical_of_the_confidence_is_unbiased(k, weights):
    p, truth = np.array(CUBES[k]), drawn(k, seed=4)[1]
    best = p.argmax(1)[:, None]
    confidence, rate = np.take_along_axis(p, best, 1), np.take_along_axis(truth, best, 1)
    exact = expectation(lambda batch: float(measure("squared_canonical(top=1, bins=2)")(batch)), p, truth, weights)
    assert exact == pytest.approx(pair_mean(confidence, rate, weights, lambda i, j: True), abs=EXACT)
