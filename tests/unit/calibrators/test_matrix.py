"""Matrix scaling: its penalised optimum by another solver, the normalisation of the penalties, how they are chosen."""

import numpy as np
import pytest
import scipy
from scipy.special import log_softmax, softmax

from calibrant import Predictions
from calibrant.calibrators import linear_logits
from calibrant.calibrators.matrix import MatrixScaling
from calibrant.errors import DataError

CONFUSION = np.array([[0.7, 0.3, 0.0], [0.0, 0.5, 0.0], [0.0, -0.2, 0.6]])
BIAS = np.array([0.4, 0.0, -0.4])


def drawn(n=250, seed=0):
    rng = np.random.default_rng(seed)
    z = 2 * rng.normal(size=(n, 3))
    return z, np.argmax(z @ CONFUSION + BIAS + rng.gumbel(size=z.shape), axis=1)


def objective(x, f, target, lambda_, mu):
    """The loss of the docstring, on features f (n, 3)."""
    matrix, shift = x[:9].reshape(3, 3), x[9:]
    off = matrix - np.diag(np.diag(matrix))
    loss = -(target * log_softmax(f @ matrix + shift, axis=1)).sum(1).mean()
    return loss + lambda_ / 6 * (off**2).sum() + mu / 3 * (shift**2).sum()


@pytest.mark.parametrize(("lambda_", "mu"), [(0.01, 0.02), (1.0, 0.3)])
def test_no_other_solver_gets_lower(lambda_, mu):
    z, y = drawn()
    batch = Predictions.from_logits(z, y)
    learnt = MatrixScaling(off_diagonal=lambda_, intercept=mu, prior=2.0).fit(batch)
    f = z - z.mean(1, keepdims=True)
    rho = 6 / (len(z) + 6)
    beta = scipy.optimize.minimize_scalar(lambda b: -log_softmax(b * f, axis=1)[np.arange(len(y)), y].mean()).x
    told = (f, (1 - rho) * np.eye(3)[y] + rho * softmax(beta * f, axis=1), lambda_, mu)
    best = scipy.optimize.minimize(objective, [*np.ravel(beta * np.eye(3)), 0, 0, 0], told, options={"gtol": 1e-10})
    found = objective_of_map(learnt, told)
    assert abs(found - best.fun) < 1e-8  # the fit certifies 1e-10, the other solver about as much


def objective_of_map(learnt, told):
    """The map holds the matrix with the centring of the features in it: any matrix of the same logits will do.

    The penalty is of the matrix before the centring, which differs from it by a constant in each column.
    """
    best = scipy.optimize.minimize(
        lambda c: objective(np.append(np.ravel(learnt.matrix + c), learnt.shift), *told), np.zeros(3)
    )
    return best.fun


def test_a_known_map_is_found():
    z, y = drawn(60_000)
    batch = Predictions.from_logits(z, y)
    learnt = MatrixScaling(off_diagonal=1e-6, intercept=1e-6, prior=1.0).fit(batch)
    centred = CONFUSION - CONFUSION.mean(0)
    centred -= centred.mean(1, keepdims=True)  # softmax ignores what all classes get alike
    # standard errors are near 0.01; four of them
    np.testing.assert_allclose(learnt.matrix - learnt.matrix.mean(1, keepdims=True), centred, atol=0.04)
    np.testing.assert_allclose(learnt.shift, BIAS, atol=0.05)


def test_strong_penalties_leave_the_diagonal_and_a_strong_prior_the_temperature():
    z, y = drawn()
    batch = Predictions.from_logits(z, y)
    learnt = MatrixScaling(off_diagonal=1e9, intercept=1e9).fit(batch)
    uncentred = learnt.matrix - learnt.matrix[[1, 2, 0], [0, 1, 2]]  # less the off-diagonal entry of each column
    np.testing.assert_allclose(uncentred - np.diag(np.diag(uncentred)), 0, atol=1e-6)
    assert np.ptp(np.diag(uncentred)) > 0.05
    held = MatrixScaling(off_diagonal=1e9, intercept=1e9, prior=1e9).fit(batch)
    assert np.ptp(np.diag(held.matrix)) < 1e-3  # 1e-10 nats: about its root


def test_penalties_are_chosen_on_rows_left_out():
    z, y = drawn(3000)
    strong_effect = MatrixScaling().fit(Predictions.from_logits(z, y))
    rng = np.random.default_rng(1)
    no_effect = MatrixScaling().fit(Predictions.from_logits(z, np.argmax(0.6 * z + rng.gumbel(size=z.shape), axis=1)))
    usual = 36 / 3000
    assert strong_effect.off_diagonal <= usual
    assert no_effect.off_diagonal == 16 * usual
    assert no_effect.intercept == 9 / 3000


def test_the_search_needs_few_fits_and_prefers_strong_penalties():
    asked = []

    def loss(penalty):
        asked.append(penalty)
        return (np.log2(penalty) - 1) ** 2

    assert linear_logits._climbed([16.0, 4.0, 2.0, 1.0, 0.5], 1, loss) == 2.0
    assert 0.5 not in asked
    assert linear_logits._climbed([16.0, 4.0, 2.0], 1, lambda penalty: 1.0 + 1e-6 / penalty) == 16.0
    assert linear_logits._climbed([3.0], 0, loss) == 3.0


def test_logits_and_their_softmax_agree():
    z, y = drawn()
    one = MatrixScaling(off_diagonal=0.1, intercept=0.1).fit(Predictions.from_logits(z + 7, y))
    other = MatrixScaling(off_diagonal=0.1, intercept=0.1).fit(Predictions.from_probabilities(softmax(z, axis=1), y))
    np.testing.assert_allclose(one.matrix, other.matrix, atol=1e-8)  # the same path of the same solver


@pytest.mark.parametrize("option", ["off_diagonal", "intercept", "prior"])
def test_penalties_must_be_positive(option):
    with pytest.raises(DataError, match=f"{option} must be positive and finite"):
        MatrixScaling(**{option: 0.0})
