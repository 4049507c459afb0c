"""Parabolas: their optimum by another solver, a known truth, tangents beyond the range."""

import numpy as np
import pytest
import scipy
from scipy.special import expit, log_softmax, logit

from calibrant import Predictions
from calibrant.calibrators import fit
from calibrant.errors import DataError


def objective(x, s, mass, beta, prior, ridge):
    """The loss of one class as the docstring says it, with its pseudo-rows and ridge."""
    n = len(s)
    rho = prior / (n + prior)
    target = (1 - rho) * mass + rho * expit(beta * s)
    eta = x[0] * s + x[1] * s**2 + x[2]
    return (np.logaddexp(0, eta) - target * eta).mean() + ridge / (2 * n) * (x[1] * (s**2).mean()) ** 2


def test_no_other_solver_gets_lower():
    rng = np.random.default_rng(0)
    z = 2 * rng.normal(size=(300, 3))
    y = np.argmax(0.6 * z + rng.gumbel(size=z.shape), axis=1)
    batch = Predictions.from_logits(z, y)
    learnt, beta = fit(batch, "quadratic(prior=2.0, ridge=0.5)"), fit(batch, "temperature").beta
    u = log_softmax(z, axis=1)
    for c, s in enumerate((u - np.log1p(-np.exp(u))).T):
        told = (s, (y == c).astype(float), beta, 6.0, 0.5)
        found = objective([learnt.slope[c], learnt.curvature[c], learnt.shift[c]], *told)
        best = scipy.optimize.minimize(objective, [beta, 0, 0], told, options={"gtol": 1e-9})
        assert found <= best.fun + 1e-9  # the fit certifies 1e-10 for all classes together
        assert best.fun <= found + 1e-8


def test_a_known_map_is_found():
    rng = np.random.default_rng(1)
    s = 2 * rng.normal(size=200_000)
    y = rng.random(len(s)) < expit(0.3 + 0.7 * s + 0.08 * s**2)
    learnt = fit(Predictions.binary(expit(s), y.astype(int)), "quadratic")
    # standard errors are 0.007 at most; five of them
    np.testing.assert_allclose([learnt.shift[1], learnt.slope[1], learnt.curvature[1]], [0.3, 0.7, 0.08], atol=0.035)


def test_beyond_the_range_the_parabola_goes_on_as_its_tangent():
    rng = np.random.default_rng(2)
    s = rng.uniform(-3, 3, size=5000)
    y = rng.random(len(s)) < expit(0.2 + s - 0.2 * s**2)
    learnt = fit(Predictions.binary(expit(s), y.astype(int)), "quadratic")
    a, b, c = learnt.shift[1], learnt.slope[1], learnt.curvature[1]
    high = learnt.high[1]
    np.testing.assert_allclose(high, s.max(), rtol=1e-9)
    for far in (-2.0, 0.5, high, 5.0, 12.0):
        inside = min(far, high)
        expected = a + b * inside + c * inside**2 + (b + 2 * c * inside) * (far - inside)
        mapped = learnt(Predictions.binary(expit([far]))).probabilities[0, 1]
        np.testing.assert_allclose(logit(mapped), expected, rtol=1e-7)  # expit of 12 keeps ten digits of 1 - p


def test_few_rows_keep_a_line():
    batch = Predictions.binary(expit([-1.0, 1.0, 1.0]), [0, 1, 0])
    np.testing.assert_allclose(fit(batch, "quadratic(ridge=1e9)").curvature, 0, atol=1e-6)


@pytest.mark.parametrize("option", ["prior", "ridge"])
def test_options_must_be_positive(option):
    with pytest.raises(DataError, match=f"{option} must be positive and finite, got 0"):
        fit(Predictions.from_logits([[1, 0]], [0]), f"quadratic({option}=0)")
