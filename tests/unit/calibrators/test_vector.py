"""Vector scaling: a proved optimum, its prior, and what is fixed by convention."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from calibrant import Predictions
from calibrant.calibrators import fit
from calibrant.errors import DataError


def drawn(n=400, k=3, seed=0):
    rng = np.random.default_rng(seed)
    z = 2 * rng.normal(size=(n, k))
    truth = log_softmax(z, axis=1) * np.linspace(0.5, 1.2, k) + np.linspace(1, -1, k)
    return z, np.argmax(truth + rng.gumbel(size=z.shape), axis=1)


def objective(pairs, z, labels, beta, prior):
    """The loss of the docstring, written out with its pseudo-rows."""
    u, (n, k) = log_softmax(z, axis=1), z.shape
    target = np.eye(k)[labels] * n + prior * k * softmax(beta * u, axis=1)
    return -(target / (n + prior * k) * log_softmax(u * pairs[0] + pairs[1], axis=1)).sum(1).mean()


@pytest.mark.parametrize("prior", [0.5, 20.0])
def test_every_step_away_from_the_optimum_costs(prior):
    z, labels = drawn()
    batch = Predictions.from_logits(z, labels)
    learnt, beta = fit(batch, f"vector(prior={prior})"), fit(batch, "temperature").beta
    best = np.stack([learnt.scale, learnt.shift])
    least = objective(best, z, labels, beta, prior)
    rng = np.random.default_rng(1)
    for size in (1e-3, 1e-2, 0.1, 1.0):
        for _ in range(10):
            assert objective(best + size * rng.normal(size=best.shape), z, labels, beta, prior) > least
    assert objective(np.stack([np.full(3, beta), np.zeros(3)]), z, labels, beta, prior) > least


def test_a_known_map_is_found():
    z, labels = drawn(200_000)
    learnt = fit(Predictions.from_logits(z, labels), "vector")
    # standard errors are near 0.01; three of them
    np.testing.assert_allclose(learnt.scale, np.linspace(0.5, 1.2, 3), atol=0.03)
    np.testing.assert_allclose(learnt.shift, np.linspace(1, -1, 3), atol=0.05)


def test_intercepts_sum_to_zero():
    z, labels = drawn()
    assert abs(fit(Predictions.from_logits(z, labels), "vector").shift.sum()) < 1e-12  # a sum of three roundings


def test_a_strong_prior_gives_the_temperature_map():
    z, labels = drawn()
    batch = Predictions.from_logits(z, labels)
    strong, warm = fit(batch, "vector(prior=1e9)"), fit(batch, "temperature")
    np.testing.assert_allclose(strong.scale, warm.beta, rtol=1e-4)  # 1e-9 nats: about its root
    np.testing.assert_allclose(strong.shift, 0, atol=1e-4)


def test_logits_stay_logits():
    z, labels = drawn()
    learnt = fit(Predictions.from_logits(z.astype(np.float32), labels), "vector")
    mapped = learnt(Predictions.from_logits(z.astype(np.float32)))
    assert mapped.kind == "logit"
    assert mapped.scores.dtype == np.float32
    expected = log_softmax(z, axis=1) * learnt.scale + learnt.shift
    np.testing.assert_allclose(mapped.scores, expected, atol=1e-5)  # single precision of numbers near ten


def test_a_class_without_rows_is_lowered_but_kept():
    z, labels = drawn(300, 4)
    labels[labels == 2] = 0
    learnt = fit(Predictions.from_logits(z, labels), "vector")
    mean = learnt(Predictions.from_logits(z)).probabilities[:, 2].mean()
    assert 0.01 < mean < softmax(z, axis=1)[:, 2].mean()


def test_prior_must_be_positive():
    with pytest.raises(DataError, match="prior must be positive and finite, got 0"):
        fit(Predictions.from_logits([[1, 0]], [0]), "vector(prior=0)")
