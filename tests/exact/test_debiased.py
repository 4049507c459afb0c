"""Debiased squared errors are unbiased: their expectation over all label vectors equals the true squared gap."""

import numpy as np
import pytest

from calibrant.metrics import measure
from enumeration import drawn_expectation, expectation
from populations import Nodes
from unbiased_claims import MEANS

EXACT = 1e-14  # a sum of at most 256 rounded terms of order one
# Two vectors, each of rows in bins of their own; the middle of three classes has one score and one rate in both.
VECTORS = {
    2: (np.array([[0.7, 0.3], [0.1, 0.9]]), np.array([[0.5, 0.5], [0.25, 0.75]])),
    3: (np.array([[0.7, 0.2, 0.1], [0.05, 0.2, 0.75]]), np.array([[0.5, 0.3, 0.2], [0.3, 0.3, 0.4]])),
}
WHICH = [0, 0, 1, 1]
WEIGHTS = [None, [1.0, 2.0, 2.5, 0.5]]  # both vectors weigh the same: they are the bins of equal mass too


def rows(k):
    p, truth = VECTORS[k]
    return p[WHICH], truth[WHICH]


def shares(weights):
    w = np.ones(len(WHICH)) if weights is None else np.array(weights)
    return w / w.sum()


def value(spec, detail=None):
    def of(batch):
        found = measure(spec)(batch)
        return found.details[detail] if detail else float(found)

    return of


def squared_gaps(notion, p, truth, share):
    """Return the true mean squared gap where scores are constant in the bins of a notion."""
    d = (truth - p) ** 2
    if notion == "class_wise":
        return (share @ d).mean()
    return share @ d[np.arange(len(p)), p.argmax(1)]


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("notion", ["confidence", "class_wise", "top_label", "group"])
@pytest.mark.parametrize("binning", ["width", "mass"])
def test_squared_error_is_unbiased(k, weights, notion, binning):
    p, truth = rows(k)
    spec = f"squared_ce(notion={notion!r}, binning={binning!r}, bins={15 if binning == 'width' else 2})"
    exact = expectation(value(spec), p, truth, weights, groups=np.array(WHICH))
    assert exact == pytest.approx(squared_gaps(notion, p, truth, shares(weights)), abs=EXACT)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_within_the_two_largest_it_is_unbiased(weights):
    p, truth = rows(3)
    gap = p.min(1) - truth.min(1)  # the least probable class is the least likely too
    exact = expectation(value("squared_ce(notion='within_top', binning='width')"), p, truth, weights)
    assert exact == pytest.approx(shares(weights) @ gap**2, abs=EXACT)


def test_rates_that_differ_in_a_bin_bias_it_downwards():
    p = np.array([[0.7, 0.3]] * 5)
    rate = np.array([0.5, 0.6, 0.7, 0.8, 0.9])
    exact = expectation(value("squared_ce(binning='width')"), p, np.column_stack([rate, 1 - rate]))
    assert exact == pytest.approx(-rate.var() / 4, abs=EXACT)  # over n - 1


def test_a_single_row_is_left_out():
    p, truth = np.array([[0.7, 0.3]] * 3 + [[0.9, 0.1]]), np.array([[0.5, 0.5]] * 4)
    exact = expectation(value("squared_ce(binning='width')"), p, truth)
    assert exact == pytest.approx(0.2**2, abs=EXACT)


def test_the_plug_in_is_biased_by_the_variance_of_the_mean():
    p = np.tile([0.7, 0.3], (6, 1))
    assert expectation(value("rmsce(root=False)"), p, p) == pytest.approx(0.7 * 0.3 / 6, abs=EXACT)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("notion", ["confidence", "class_wise"])
def test_debiased_reliability_is_unbiased(k, weights, notion):
    p, truth = rows(k)
    exact = expectation(value(f"murphy_reliability(notion={notion!r}, debiased=True)"), p, truth, weights)
    assert exact == pytest.approx(squared_gaps(notion, p, truth, shares(weights)), abs=EXACT)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5]])
def test_debiased_uncertainty_is_unbiased_over_drawn_rows(k, weights):
    (p, truth), share = VECTORS[k], np.array([0.3, 0.7])
    rate = share @ truth[np.arange(2), p.argmax(1)]
    found = drawn_expectation(value("murphy_reliability(debiased=True)", "unc"), p, truth, share, 3, weights)
    assert found == pytest.approx(rate * (1 - rate), abs=EXACT)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("spec", MEANS)
def test_mean_scores_are_unbiased(k, weights, spec):
    p, truth = rows(k)
    exact = expectation(value(spec), p, truth, weights)
    assert exact == pytest.approx(MEANS[spec](Nodes(p, truth, shares(weights))), abs=EXACT)
