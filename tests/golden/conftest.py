"""The golden set that all recorded values share."""

import numpy as np
import pytest

from calibrant import Predictions


@pytest.fixture(scope="session")
def golden_set():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2000, 5)) * 2
    softmax = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    labels = np.array([rng.choice(5, p=q) for q in softmax])
    sharp = np.exp(1.7 * z)
    return Predictions.from_probabilities(sharp / sharp.sum(1, keepdims=True), labels)
