"""Dirichlet calibration: both penalties against their formulas, Dirichlet scores, what it adds to matrix scaling."""

import numpy as np
import pytest
import scipy
from scipy.special import log_softmax, softmax

from calibrant import Predictions
from calibrant.calibrators.dirichlet import DirichletCalibration
from calibrant.calibrators.matrix import MatrixScaling
from calibrant.errors import DataError


def drawn(n=250, seed=0):
    """Scores that are Dirichlet distributed in each class, with parameters of their own."""
    rng = np.random.default_rng(seed)
    alpha = np.array([[4.0, 1.0, 1.0], [1.0, 3.0, 2.0], [0.7, 0.7, 2.5]])
    y = rng.integers(3, size=n)
    p = np.stack([rng.dirichlet(alpha[c]) for c in y])
    return np.maximum(p, 1e-9) / np.maximum(p, 1e-9).sum(1, keepdims=True), y, alpha


def test_towards_the_identity_no_other_solver_gets_lower():
    p, y, _ = drawn()
    u, (lambda_, mu) = np.log(p), (0.2, 0.3)
    learnt = DirichletCalibration(off_diagonal=lambda_, intercept=mu, prior=2.0).fit(
        Predictions.from_probabilities(p, y)
    )
    beta = scipy.optimize.minimize_scalar(lambda b: -log_softmax(b * u, axis=1)[np.arange(len(y)), y].mean()).x
    rho = 6 / (len(p) + 6)
    target = (1 - rho) * np.eye(3)[y] + rho * softmax(beta * u, axis=1)

    def objective(x):
        matrix, shift = x[:9].reshape(3, 3), x[9:]
        off = matrix - np.diag(np.diag(matrix))
        loss = -(target * log_softmax(u @ matrix + shift, axis=1)).sum(1).mean()
        return loss + lambda_ / 6 * (off**2).sum() + mu / 3 * (shift**2).sum()

    best = scipy.optimize.minimize(objective, [*np.ravel(beta * np.eye(3)), 0, 0, 0], options={"gtol": 1e-10})
    found = objective(np.append(np.ravel(learnt.matrix), learnt.shift))
    assert abs(found - best.fun) < 1e-8  # the fit certifies 1e-10, the other solver about as much


def test_towards_zero_no_other_solver_gets_lower():
    p, y, _ = drawn()
    u, lambda_, mu = np.log(p), 0.2, 0.3
    method = DirichletCalibration(towards="zero", off_diagonal=lambda_, intercept=mu)
    learnt = method.fit(Predictions.from_probabilities(p, y))

    def objective(x):
        matrix, shift = x[:9].reshape(3, 3), x[9:]
        loss = -log_softmax(u @ matrix + shift, axis=1)[np.arange(len(y)), y].mean()
        return loss + lambda_ / 9 * (matrix**2).sum() + mu / 3 * (shift**2).sum()

    best = scipy.optimize.minimize(objective, np.zeros(12), options={"gtol": 1e-10})
    found = objective(np.append(np.ravel(learnt.matrix), learnt.shift))
    assert abs(found - best.fun) < 1e-8
    # so strong a penalty leaves nothing: the uniform distribution
    gone = DirichletCalibration(towards="zero", off_diagonal=1e9, intercept=1e9).fit(
        Predictions.from_probabilities(p, y)
    )
    np.testing.assert_allclose(gone(Predictions.from_probabilities(p)).probabilities, 1 / 3, atol=1e-6)


def test_dirichlet_scores_are_turned_into_their_posterior():
    p, y, alpha = drawn(15_000)
    method = DirichletCalibration(off_diagonal=1e-6, intercept=1e-6, prior=1.0)
    learnt = method.fit(Predictions.from_probabilities(p, y))
    truth = softmax(np.stack([scipy.stats.dirichlet.logpdf(p[:2000].T, a) for a in alpha], axis=1), axis=1)
    mapped = learnt(Predictions.from_probabilities(p[:2000])).probabilities
    divergence = (truth * np.log(truth / mapped)).sum(1).mean()
    assert divergence < 3 * 12 / (2 * 15_000)  # Wilks: p / (2 n) on average, three times that
    # the posterior depends on the sum of the log-probabilities too, which matrix scaling does not see
    blind = MatrixScaling(off_diagonal=1e-6, intercept=1e-6, prior=1.0).fit(Predictions.from_probabilities(p, y))
    other = blind(Predictions.from_probabilities(p[:2000])).probabilities
    assert (truth * np.log(truth / other)).sum(1).mean() > 10 * divergence


def test_training_loss_is_never_above_the_temperature_maps():
    p, y, _ = drawn(60)
    batch = Predictions.from_probabilities(p, y)
    beta = scipy.optimize.minimize_scalar(lambda b: -log_softmax(b * np.log(p), axis=1)[np.arange(60), y].mean())
    for lambda_ in (1e-3, 1.0, 1e3):
        mapped = DirichletCalibration(off_diagonal=lambda_, intercept=0.1).fit(batch)(batch)
        assert -mapped.summary.label_log_probability.mean() <= beta.fun + 1e-9


def test_towards_must_be_known():
    with pytest.raises(DataError, match="towards must be 'identity' or 'zero', got 'one'"):
        DirichletCalibration(towards="one")
