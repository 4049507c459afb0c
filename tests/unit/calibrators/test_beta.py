"""Beta calibration: its constrained optimum by another solver, its bounds, a known truth."""

import numpy as np
import pytest
import scipy
from scipy.special import expit, log_softmax

from calibrant import Predictions
from calibrant.calibrators import fit
from calibrant.errors import DataError


def drawn(n=300, k=3, seed=0):
    rng = np.random.default_rng(seed)
    z = 2 * rng.normal(size=(n, k))
    return z, np.argmax(z * 0.6 + np.linspace(-0.5, 0.5, k) + rng.gumbel(size=z.shape), axis=1)


def objective(x, u, mass, weights, beta, prior, ridge):
    """The loss of one class as the docstring says it, with its pseudo-rows and ridge."""
    far = -np.log1p(-np.exp(u))
    trusted = expit(beta * (u + far))
    n = weights.sum() ** 2 / (weights**2).sum()
    rho = prior / (n + prior)
    target = (1 - rho) * mass + rho * trusted
    eta = x[0] * u + x[1] * far + x[2]
    loss = weights @ (np.logaddexp(0, eta) - target * eta) / weights.sum()
    return loss + ridge / (2 * n) * (((x[:2] - beta) / beta) ** 2).sum()


@pytest.mark.parametrize(("labels", "weighted"), [("hard", False), ("hard", True), ("soft", True)])
def test_no_other_solver_gets_lower(labels, weighted):
    z, y = drawn()
    rng = np.random.default_rng(1)
    weights = rng.integers(1, 4, size=len(z)).astype(float) if weighted else np.ones(len(z))
    mass = np.eye(3)[y] if labels == "hard" else 0.7 * np.eye(3)[y] + 0.1
    batch = Predictions.from_logits(z, y if labels == "hard" else mass, weights=weights if weighted else None)
    learnt, beta = fit(batch, "beta(prior=2.0, ridge=0.5)"), fit(batch, "temperature").beta
    for c, u in enumerate(log_softmax(z, axis=1).T):
        told = (u, mass[:, c], weights, beta, 6.0, 0.5)
        found = objective(np.array([learnt.rise[c], learnt.fall[c], learnt.shift[c]]), *told)
        bounds = [(0, None), (0, None), (None, None)]
        best = scipy.optimize.minimize(objective, [beta, beta, 0], told, bounds=bounds, options={"ftol": 1e-15})
        assert found <= best.fun + 1e-9  # the fit certifies 1e-10 for all classes together
        assert best.fun <= found + 1e-8


def test_a_slope_that_wants_to_be_negative_is_zero_and_the_rest_is_optimal():
    # labels that grow rarer as p falls below 1/2 and do not care above: b has nothing to do, then less than nothing
    rng = np.random.default_rng(2)
    p = rng.uniform(0.02, 0.98, size=4000)
    y = (rng.random(4000) < np.where(p < 0.7, p, 1.4 - p)).astype(int)
    batch = Predictions.binary(p, y)
    learnt, beta = fit(batch, "beta(prior=0.01, ridge=0.01)"), fit(batch, "temperature").beta
    assert learnt.fall[1] == 0
    assert learnt.rise[1] > 0
    told = (np.log(p), y.astype(float), np.ones(4000), beta, 0.02, 0.01)
    bounds = [(0, None), (0, None), (None, None)]
    best = scipy.optimize.minimize(objective, [beta, beta, 0], told, bounds=bounds, options={"ftol": 1e-15})
    found = objective(np.array([learnt.rise[1], learnt.fall[1], learnt.shift[1]]), *told)
    assert abs(found - best.fun) < 1e-8  # both solvers stop within 1e-9


def test_a_known_map_is_found():
    rng = np.random.default_rng(3)
    p = rng.uniform(0.001, 0.999, size=200_000)
    y = rng.random(len(p)) < expit(0.5 * np.log(p) - 1.4 * np.log1p(-p) - 0.3)
    learnt = fit(Predictions.binary(p, y.astype(int)), "beta")
    # standard errors are 0.011, 0.016 and 0.022; five of them
    off = np.array([learnt.rise[1], learnt.fall[1], learnt.shift[1]]) - [0.5, 1.4, -0.3]
    assert (np.abs(off) < [0.055, 0.08, 0.11]).all()
    # of two classes one is the mirror of the other, so that the rows sum to 1 before they are divided
    np.testing.assert_allclose(learnt.rise[0], learnt.fall[1], rtol=1e-6)
    np.testing.assert_allclose(learnt.shift[0], -learnt.shift[1], rtol=1e-6)


def test_scores_that_say_nothing_of_b_leave_it_alone():
    rng = np.random.default_rng(4)
    p = rng.dirichlet(np.full(50, 5.0), size=400)  # no probability above 0.1
    learnt = fit(Predictions.from_probabilities(p, rng.integers(50, size=400)), "beta")
    beta = fit(Predictions.from_probabilities(p, rng.integers(50, size=400)), "temperature").beta
    assert (np.abs(learnt.fall - beta) < 3 * abs(beta) + 1).all()


@pytest.mark.parametrize("option", ["prior", "ridge"])
def test_options_must_be_positive(option):
    with pytest.raises(DataError, match=f"{option} must be positive and finite, got 0"):
        fit(Predictions.from_logits([[1, 0]], [0]), f"beta({option}=0)")
