"""The solvers on functions whose minima are known."""

import numpy as np
import pytest
from scipy.special import expit

from calibrant import Predictions
from calibrant.solvers import logistic, quasi_newton, scalar, zeros
from calibrant.solvers.odds import as_logits, label_odds
from calibrant.solvers.rows import FitRows


@pytest.mark.parametrize("at", [1e-6, 0.3, 1.0, 17.0, 1e5])
def test_positive_minimum(at):
    # x / a - log x has its minimum at a, and a curvature that changes by orders of magnitude on the way
    found = scalar.minimise(
        lambda x: (1 / at - 1 / x, 1 / x**2, -2 / x**3) if x > 0 else (-np.inf, np.inf, 0.0), 1.0, 1e-20
    )
    assert found.converged
    assert found.x == pytest.approx(at, rel=1e-6)


def test_saturated_start():
    # flat slopes far from the minimum, as of softmax at a huge scale: curvature says nothing there
    def slope(x):
        far = 1e4 * (x - 1e-3)
        curvature = 1e4 / np.cosh(min(abs(far), 300)) ** 2
        return np.tanh(far), curvature, -2e4 * np.tanh(far) * curvature

    found = scalar.minimise(slope, 1.0, 1e-14)
    assert found.x == pytest.approx(1e-3, rel=1e-6)


def test_near_the_minimum_the_error_is_cubed():
    # log cosh(x - 1) + 0.3 (x - 1)^3, from a start 5 % off: one call, whose last step may leave 0.05^3
    def slope(x):
        d = x - 1
        return np.tanh(d) + 0.9 * d**2, 1 / np.cosh(d) ** 2 + 1.8 * d, 1.8 - 2 * np.tanh(d) / np.cosh(d) ** 2

    found = scalar.minimise(slope, 1.05, 1e-7)
    assert found.steps == 1
    assert found.x == pytest.approx(1, abs=2e-4)  # a step of Newton's leaves 3e-3


def test_function_that_rises_from_zero():
    assert scalar.minimise(lambda x: (1 + x, 1.0, 0.0), 1.0, 1e-14).x == 0.0


def test_flat_function_stays_at_the_start():
    assert scalar.minimise(lambda x: (0.0, 0.0, 0.0), 3.0, 1e-14).x == 3.0


def test_pairs_of_very_different_size():
    rng = np.random.default_rng(0)
    size = np.logspace(-4, 4, 9)
    factors = rng.normal(size=(9, 2, 2)) * size[:, None, None]
    curvature = factors @ factors.transpose(0, 2, 1) + size[:, None, None] ** 2 * np.eye(2)
    minimum = rng.normal(size=(2, 9))

    def function(x):
        off = x - minimum
        gradient = np.einsum("cij,jc->ic", curvature, off)
        blocks = np.stack([curvature[:, 0, 0], curvature[:, 0, 1], curvature[:, 1, 1]])
        return quasi_newton.Point(float((off * gradient).sum()) / 2, gradient, blocks)

    found = quasi_newton.minimise_pairs(function, np.zeros((2, 9)), noise=1e-15)
    assert found.calls <= 3  # in the metric of its own blocks this function is a sphere
    assert found.converged
    assert function(found.x)[0] <= quasi_newton.CERTIFIED


def test_steps_that_overshoot_are_halved():
    # log cosh is flat far away: Newton's step from 3 leads to -98, and back again further out
    def function(x):
        return quasi_newton.Point(
            float(np.logaddexp(x, -x).sum()),
            np.tanh(x),
            np.stack([1 / np.cosh(x[0]) ** 2, 0 * x[0], 1 / np.cosh(x[1]) ** 2]),
        )

    found = quasi_newton.minimise_pairs(function, np.full((2, 4), 3.0), noise=1e-15)
    assert found.converged
    np.testing.assert_allclose(found.x, 0, atol=1e-4)  # 1e-10 nats of a curvature of 1


def test_each_class_has_its_own_step_length():
    target = np.array([0.5, 0.999, 1e-4])

    def function(x):
        p = expit(x[1])
        zero = np.zeros(3)
        return logistic.Logistic(
            np.logaddexp(0, x[1]) - target * x[1] + x[0] ** 2 / 2,
            np.stack([x[0], p - target]),
            np.stack([np.ones(3), zero, p * (1 - p)]),
            zero + 1e-15,
        )

    found = logistic.minimise_each(function, np.array([[1.0, 2.0, 3.0], [0.0, -8.0, 9.0]]))
    assert found.converged
    np.testing.assert_allclose(expit(found.x[1]), target, rtol=1e-2)  # 1e-9 nats of a curvature of 1e-4
    np.testing.assert_allclose(found.x[0], 0, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_half_the_smallest_positive_score(dtype):
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.full(30, 0.05), size=4000).astype(dtype)  # with exact zeros by underflow, or near
    p[7, 3:6] = 0.0
    batch = Predictions.from_probabilities(p, normalize=True)
    scores = batch.scores
    assert zeros.floor_of(batch, None) == max(float(scores[scores > 0].min()) / 2, np.finfo(float).tiny)


def test_half_the_smallest_positive_probability_of_logits():
    logits = np.array([[0.0, -np.inf, -np.inf], [0.0, 0.0, -3.0], [1000.0, 996.0, -np.inf]])
    batch = Predictions.from_logits(logits)
    smallest = min(np.exp(-3) / (2 + np.exp(-3)), np.exp(-4) / (1 + np.exp(-4)))
    assert zeros.floor_of(batch, None) == pytest.approx(smallest / 2, rel=1e-12)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("kind", ["probability", "logit"])
def test_label_sums(kind, soft):
    rng = np.random.default_rng(2)
    z = rng.normal(size=(40, 3))
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    q = rng.dirichlet(np.ones(3), size=40) if soft else np.eye(3)[rng.integers(3, size=40)]
    w = rng.random(40)
    labels = q if soft else q.argmax(1)
    make = Predictions.from_logits if kind == "logit" else Predictions.from_probabilities
    batch = make(z if kind == "logit" else p, labels, weights=w)
    rows = FitRows.of(batch)
    w = w / w.sum()
    mass, moment = rows.label_sums()
    np.testing.assert_allclose(mass, w @ q, rtol=1e-12)
    np.testing.assert_allclose(moment, w @ (q * np.log(p)), rtol=1e-12)
    logits = FitRows.of(as_logits(batch))
    np.testing.assert_allclose(label_odds(logits), w @ (q * (np.log(p) - np.log1p(-p))), rtol=1e-10, atol=1e-15)
    gaps = (q * np.log(p)).sum(1) - np.log(p).max(1)
    np.testing.assert_allclose(rows.label_gaps(), gaps, atol=1e-13)


def test_soft_labels_that_sum_to_nearly_one_are_shares():
    q = np.array([[0.5, 0.5 + 9e-6]])
    rows = FitRows.of(Predictions.from_logits([[4.0, 2.0]], q))
    assert rows.label_gaps()[0] == pytest.approx(-2 * q[0, 1] / q.sum(), rel=1e-12)


def test_log_odds_of_certain_labels():
    rows = FitRows.of(Predictions.from_logits([[60.0, 0.0, 0.0]], [0]))
    assert label_odds(rows)[0] == pytest.approx(60 - np.log(2), rel=1e-12)  # 1 - p is lost in p, but not in the others
    rest = 1e-20  # of a probability of 1 in single precision
    batch = Predictions.from_probabilities(np.array([[1, rest / 2, rest / 2]], np.float32), [0])
    assert label_odds(FitRows.of(as_logits(batch)))[0] == pytest.approx(-np.log(rest), rel=1e-6)
