"""Ensemble temperature: weights by hand, both losses against other solvers, a known share of noise."""

import numpy as np
import pytest
import scipy
from scipy.special import softmax

from calibrant import Predictions
from calibrant.calibrators.ensemble_temperature import EnsembleTemperatureScaling
from calibrant.calibrators.temperature import TemperatureScaling
from calibrant.errors import DataError
from calibrant.solvers.mixture import nearest_mixture


def drawn(n, seed=0, noise=0.2):
    rng = np.random.default_rng(seed)
    z = 3 * rng.normal(size=(n, 4))
    y = np.argmax(z + rng.gumbel(size=z.shape), axis=1)
    return z, np.where(rng.random(n) < noise, rng.integers(4, size=n), y)


@pytest.mark.parametrize("soft", [False, True])
def test_weights_are_the_fixed_point_of_expectation_maximisation(soft):
    z, y = drawn(200)
    labels = 0.8 * np.eye(4)[y] + 0.05 if soft else y
    batch = Predictions.from_logits(z, labels)
    learnt, beta = EnsembleTemperatureScaling(prior=1.0).fit(batch), TemperatureScaling().fit(batch).beta
    assert learnt.beta == beta
    three = np.stack([softmax(beta * z, axis=1), softmax(z, axis=1), np.full(z.shape, 0.25)])  # (3, n, k)
    mass = labels if soft else np.eye(4)[y]
    shares = three * learnt.weights[:, None, None]
    again = ((shares / shares.sum(0)) * mass).sum((1, 2)) + 1.0
    np.testing.assert_allclose(learnt.weights, again / 203, rtol=1e-4)  # 1e-10 nats: about its root


def test_the_uniform_share_is_never_zero():
    z, _ = drawn(50)
    learnt = EnsembleTemperatureScaling(prior=1.0).fit(Predictions.from_logits(z, z.argmax(1)))
    assert learnt.weights[2] >= 1 / 53


def test_a_known_share_of_noise_is_found():
    z, y = drawn(100_000)
    learnt = EnsembleTemperatureScaling().fit(Predictions.from_logits(z, y))
    np.testing.assert_allclose(learnt.weights[2], 0.2, atol=0.02)  # standard error 0.003; T is not fitted with it


def test_brier_is_at_the_minimum_of_all_four_numbers():
    z, y = drawn(300)
    batch = Predictions.from_logits(2 * z, y)
    learnt = EnsembleTemperatureScaling(loss="brier").fit(batch)
    target = np.eye(4)[y]

    def brier(beta, w):
        mixed = w[0] * softmax(beta * 2 * z, axis=1) + w[1] * softmax(2 * z, axis=1) + w[2] / 4
        return ((mixed - target) ** 2).sum(1).mean()

    found = brier(learnt.beta, learnt.weights)
    for start in (0.2, 0.5, 1.0):
        best = scipy.optimize.minimize(
            lambda x: brier(np.exp(x[0]), x[1:]),
            [np.log(start), 0.4, 0.3, 0.3],
            bounds=[(-3, 3), *[(0, 1)] * 3],
            constraints={"type": "eq", "fun": lambda x: x[1:].sum() - 1},
            method="SLSQP",
            options={"ftol": 1e-14},
        )
        assert found <= best.fun + 1e-8  # the search ends within 1e-7 of log beta, where the loss is flat


def test_nearest_mixture_on_edges_and_with_twins():
    # the target beyond a corner: that corner
    weights, value = nearest_mixture(np.eye(2), np.array([3.0, 0.0]))
    np.testing.assert_allclose(weights, [1, 0])
    assert value == pytest.approx(1 - 6)
    weights, _ = nearest_mixture(np.ones((2, 2)), np.array([1.0, 1.0]))
    assert weights.sum() == pytest.approx(1)


def test_the_order_stays():
    z, y = drawn(300)
    for loss in ("log_loss", "brier"):
        learnt = EnsembleTemperatureScaling(loss=loss).fit(Predictions.from_logits(z, y))
        mapped = learnt(Predictions.from_logits(z)).probabilities
        np.testing.assert_array_equal(np.argsort(mapped, axis=1), np.argsort(z, axis=1))


def test_choices_are_checked():
    with pytest.raises(DataError, match="loss must be 'log_loss' or 'brier', got 'ece'"):
        EnsembleTemperatureScaling(loss="ece")
    with pytest.raises(DataError, match="prior must be positive and finite, got 0"):
        EnsembleTemperatureScaling(prior=0.0)
