"""Expectations over all label vectors: the unbiased kernel errors, and the moments of Spiegelhalter's test."""

from itertools import product

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.metrics import measure
from calibrant.metrics.tests import test as make_test
from calibrant.metrics.vector_kernels import Kernel

EXACT = 1e-14  # a sum of at most 81 rounded terms of order one
WEIGHTS = [None, [1.0, 2.0, 0.5, 3.0]]


def drawn(k, seed=0, n=4):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(k), n), rng.dirichlet(np.ones(k), n)  # predicted, true


def expectation(function, p, truth, weights=None):
    """Return the mean of a function of the batch when the label of row i follows truth[i]."""
    n, k = p.shape
    return sum(
        np.prod(truth[np.arange(n), list(labels)])
        * function(Predictions.from_probabilities(p, np.array(labels), weights=weights))
        for labels in product(range(k), repeat=n)
    )


def pair_mean(p, truth, weights, kernel, rows_together):
    """Return the weighted mean of h_ij with residuals in place of their expectation, over the pairs of an estimator."""
    w = np.ones(len(p)) if weights is None else np.array(weights)
    d = truth - p
    pairs = [(i, j) for i in range(len(p)) for j in range(len(p)) if i != j and rows_together(i, j)]
    k = kernel.between(p, p)
    return sum(w[i] * w[j] * k[i, j] * (d[i] @ d[j]) for i, j in pairs) / sum(w[i] * w[j] for i, j in pairs)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("kernel", ["laplacian", "total_variation"])
@pytest.mark.parametrize(
    ("estimator", "together"),
    [("unbiased", lambda i, j: True), ("block", lambda i, j: i // 2 == j // 2)],
)
def test_kernel_error_is_unbiased(k, weights, kernel, estimator, together):
    p, truth = drawn(k)
    spec = f"skce(kernel={kernel!r}, bandwidth=0.5, estimator={estimator!r})"
    exact = expectation(lambda batch: float(measure(spec)(batch)), p, truth, weights)
    assert exact == pytest.approx(pair_mean(p, truth, weights, Kernel(kernel, 0.5), together), abs=EXACT)


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


@pytest.mark.parametrize("weights", WEIGHTS)
def test_squared_canonical_is_unbiased(weights):
    _, truth = drawn(3, seed=4)
    p = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.2, 0.1, 0.7]])
    w = np.ones(4) if weights is None else np.array(weights)
    d = truth - p
    shares = np.array([w[:2].sum(), w[2:].sum()]) / w.sum()
    exact = expectation(lambda batch: float(measure("squared_canonical(bins=2)")(batch)), p, truth, weights)
    assert exact == pytest.approx(shares @ [d[0] @ d[1], d[2] @ d[3]], abs=EXACT)
