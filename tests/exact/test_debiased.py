"""The debiased squared error is unbiased: its expectation over all label vectors equals the true squared gap."""

from itertools import product

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.metrics import measure


def expectation(spec, confidence, rate, weights=None):
    """Return the exact mean over all outcomes of rows with one confidence and independent correctness of one rate."""
    n = len(confidence)
    probabilities = np.column_stack([confidence, 1 - confidence])
    total = 0.0
    for labels in product([0, 1], repeat=n):
        batch = Predictions.from_probabilities(probabilities, np.array(labels), weights=weights)
        right = n - sum(labels)
        total += rate**right * (1 - rate) ** (n - right) * float(measure(spec)(batch))
    return total


@pytest.mark.parametrize("rate", [0.7, 0.9, 0.35])
@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5, 1.0, 3.0, 1.0]])
def test_squared_error_is_unbiased(rate, weights):
    confidence = np.full(6, 0.7)
    exact = expectation("squared_ce(binning='width')", confidence, rate, weights)
    assert exact == pytest.approx((rate - 0.7) ** 2, abs=1e-14)  # a sum of 64 rounded terms


def test_the_plug_in_is_biased_by_the_variance_of_the_mean():
    confidence = np.full(6, 0.7)
    exact = expectation("rmsce(root=False)", confidence, 0.7)
    assert exact == pytest.approx(0.7 * 0.3 / 6, abs=1e-14)


def test_two_bins_weigh_by_their_rows():
    confidence = np.array([0.7, 0.7, 0.7, 0.95, 0.95, 0.95, 0.95])
    exact = expectation("squared_ce(binning='width')", confidence, 0.8)
    assert exact == pytest.approx(3 / 7 * 0.1**2 + 4 / 7 * 0.15**2, abs=1e-14)
