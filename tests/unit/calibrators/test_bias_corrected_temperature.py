"""Bias-corrected temperature: its optimum by another solver, a known truth, its prior."""

import numpy as np
import pytest
import scipy
from scipy.special import log_softmax, softmax

from calibrant import Predictions
from calibrant.calibrators import fit
from calibrant.errors import DataError

SPEC = "bias_corrected_temperature"
BIAS = np.array([0.8, 0.0, -0.3, -0.5])


def drawn(n=300, seed=0):
    rng = np.random.default_rng(seed)
    z = 2 * rng.normal(size=(n, 4))
    return z, np.argmax(0.6 * z + BIAS + rng.gumbel(size=z.shape), axis=1)


def objective(x, z, target):
    return -(target * log_softmax(x[0] * z + x[1:], axis=1)).sum(1).mean()


@pytest.mark.parametrize("prior", [0.5, 20.0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_other_solver_gets_lower(prior, dtype):
    z, y = drawn()
    batch = Predictions.from_logits(z.astype(dtype), y)
    learnt, beta = fit(batch, f"{SPEC}(prior={prior})"), fit(batch, "temperature").beta
    rho = 4 * prior / (len(z) + 4 * prior)
    told = (z, (1 - rho) * np.eye(4)[y] + rho * softmax(beta * z, axis=1))
    best = scipy.optimize.minimize(objective, [beta, 0, 0, 0, 0], told, options={"gtol": 1e-9})
    found = objective(np.array([learnt.beta, *learnt.shift]), *told)
    assert abs(found - best.fun) < 1e-9  # the fit certifies 1e-10
    assert learnt.record.converged


def test_a_known_map_is_found():
    z, y = drawn(200_000)
    learnt = fit(Predictions.from_logits(z, y), SPEC)
    np.testing.assert_allclose(learnt.beta, 0.6, atol=0.01)  # standard error 0.002
    np.testing.assert_allclose(learnt.shift, BIAS, atol=0.03)  # standard errors 0.006
    assert abs(learnt.shift.sum()) < 1e-12  # a sum of four roundings
    np.testing.assert_allclose(learnt.temperature, 1 / learnt.beta)


def test_weights_and_soft_labels_enter_as_they_should():
    z, y = drawn(60)
    twice = Predictions.from_logits(np.concatenate([z, z]), np.concatenate([y, np.roll(y, 1)]))
    soft = Predictions.from_logits(z, (np.eye(4)[y] + np.eye(4)[np.roll(y, 1)]) / 2)
    # half as many rows, half the prior: the same function
    one, other = fit(twice, f"{SPEC}(prior=10.0)"), fit(soft, f"{SPEC}(prior=5.0)")
    np.testing.assert_allclose(one.shift, other.shift, atol=1e-4)  # 1e-10 nats: about its root, twice
    np.testing.assert_allclose(one.beta, other.beta, atol=1e-4)


def test_a_strong_prior_gives_the_temperature_map():
    z, y = drawn()
    batch = Predictions.from_logits(z, y)
    strong, warm = fit(batch, f"{SPEC}(prior=1e9)"), fit(batch, "temperature")
    np.testing.assert_allclose(strong.beta, warm.beta, rtol=1e-4)  # 1e-10 nats: about its root
    np.testing.assert_allclose(strong.shift, 0, atol=1e-4)


def test_formula_and_transform_agree_on_probabilities_and_logits():
    z, y = drawn()
    learnt = fit(Predictions.from_logits(z, y), SPEC)
    expected = softmax(learnt.beta * z + learnt.shift, axis=1)
    np.testing.assert_allclose(learnt(Predictions.from_logits(z)).probabilities, expected, rtol=1e-12)
    p = Predictions.from_probabilities(softmax(z, axis=1))
    np.testing.assert_allclose(learnt(p).probabilities, expected, rtol=1e-12)
    np.testing.assert_allclose(super(type(learnt), learnt).transform(p)[0], expected, rtol=1e-12)


def test_prior_must_be_positive():
    with pytest.raises(DataError, match="prior must be positive and finite, got 0"):
        fit(Predictions.from_logits([[1, 0]], [0]), f"{SPEC}(prior=0)")
