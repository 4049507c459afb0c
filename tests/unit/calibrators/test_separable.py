"""Separable calibration rows: no parametric map may more than double the log loss of the identity on fresh rows."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.calibrators import fit


def drawn(rng, n, shift, k=4):
    labels = rng.integers(k, size=n)
    logits = rng.normal(size=(n, k))
    logits[np.arange(n), labels] += shift
    return Predictions.from_logits(logits, labels)


def log_loss(predictions):
    return -predictions.summary.label_log_probability.mean()


@pytest.mark.parametrize("n", [50, 400, 5000])
@pytest.mark.parametrize("spec", ["temperature", "vector", "platt", "isotonic", "histogram"])
def test_separable_rows(spec, n):
    for seed in range(20):
        rng = np.random.default_rng([seed, n])
        calibration = drawn(rng, n, 8)
        assert (calibration.summary.top == calibration.labels).all()
        learnt = fit(calibration, spec)
        for shift in (1, 3, 8):
            fresh = drawn(rng, 2000, shift)
            mapped = log_loss(learnt(fresh))
            assert np.isfinite(mapped)
            if spec in ("temperature", "vector", "platt"):
                assert mapped <= 2 * log_loss(fresh)
