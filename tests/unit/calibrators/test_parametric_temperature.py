"""Temperatures of rows: features by hand, the optimum by another solver, a known truth."""

import numpy as np
import pytest
import scipy
from scipy.special import log_softmax, softmax

from calibrant import Predictions
from calibrant.calibrators.parametric_temperature import ParametricTemperatureScaling
from calibrant.calibrators.temperature import TemperatureScaling
from calibrant.errors import DataError


def features(z, beta):
    v = np.sort(log_softmax(beta * z, axis=1), axis=1)
    return np.column_stack([np.log(np.hypot(1, v[:, -1] - v[:, -2])), -(np.exp(v) * v).sum(1)])


def bounded(off):
    return 3 * np.tanh(off / 3)


def drawn(n, slopes, seed=0):
    rng = np.random.default_rng(seed)
    z = 3 * rng.normal(size=(n, 4))
    raw = features(z, 0.6)
    betas = 0.6 * np.exp(bounded((raw - raw.mean(0)) / raw.std(0)) @ slopes)
    return z, np.argmax(betas[:, None] * z + rng.gumbel(size=z.shape), axis=1), betas


@pytest.mark.parametrize("weighted", [False, True])
def test_no_other_solver_gets_lower(weighted):
    z, y, _ = drawn(400, [0.3, 0.1])
    weights = np.random.default_rng(1).integers(1, 4, size=400).astype(float) if weighted else np.ones(400)
    batch = Predictions.from_logits(z, y, weights=weights if weighted else None)
    learnt, beta = ParametricTemperatureScaling(ridge=3.0).fit(batch), TemperatureScaling().fit(batch).beta
    raw, w = features(z, beta), weights / weights.sum()
    mean = w @ raw
    np.testing.assert_allclose(learnt.mean, mean, rtol=1e-12)
    phi = np.column_stack([np.ones(400), bounded((raw - mean) / np.sqrt(w @ (raw - mean) ** 2))])

    def objective(theta):
        rows = log_softmax((beta * np.exp(phi @ theta))[:, None] * z, axis=1)[np.arange(400), y]
        return -w @ rows + 3 * (w @ w) / 2 * theta @ theta  # 1 / Kish's n is the sum of the squared shares

    best = scipy.optimize.minimize(objective, np.zeros(3), options={"gtol": 1e-10})
    found = objective(np.array([learnt.level, *learnt.slopes]))
    assert abs(found - best.fun) < 1e-8  # the fit certifies 1e-10, the other solver about as much


def test_a_known_map_is_found():
    z, y, betas = drawn(100_000, [0.25, -0.1])
    learnt = ParametricTemperatureScaling().fit(Predictions.from_logits(z, y))
    truth = softmax(betas[:2000, None] * z[:2000], axis=1)
    mapped = learnt(Predictions.from_logits(z[:2000])).probabilities
    assert (truth * np.log(truth / mapped)).sum(1).mean() < 3 * 4 / (2 * 100_000)  # Wilks, three times


def test_the_order_stays_and_the_map_is_the_formula():
    z, y, _ = drawn(300, [0.4, 0.2])
    learnt = ParametricTemperatureScaling(ridge=1.0).fit(Predictions.from_logits(z, y))
    mapped = learnt(Predictions.from_logits(z))
    np.testing.assert_array_equal(np.argsort(mapped.scores, axis=1), np.argsort(z, axis=1))
    off = bounded((features(z, learnt.beta) - learnt.mean) / learnt.scale)
    betas = learnt.beta * np.exp(learnt.level + off @ learnt.slopes)
    np.testing.assert_allclose(mapped.probabilities, softmax(betas[:, None] * z, axis=1), rtol=1e-10)


def test_a_strong_ridge_gives_the_temperature_map():
    z, y, _ = drawn(300, [0.4, 0.2])
    batch = Predictions.from_logits(z, y)
    learnt = ParametricTemperatureScaling(ridge=1e9).fit(batch)
    np.testing.assert_allclose([learnt.level, *learnt.slopes], 0, atol=1e-6)
    assert learnt.beta == TemperatureScaling().fit(batch).beta


def test_features_that_never_move_do_no_harm():
    learnt = ParametricTemperatureScaling().fit(Predictions.from_logits([[1.0, 0.0]] * 4, [0, 0, 0, 1]))
    np.testing.assert_array_equal(learnt.scale, 1.0)
    np.testing.assert_allclose(learnt(Predictions.from_logits([[1.0, 0.0]])).probabilities[0, 0], 0.75, rtol=1e-6)


def test_rows_far_from_the_fit_do_not_get_any_temperature():
    # separable rows, whose features hardly move: rows of another kind are hundreds of standard deviations away
    rng = np.random.default_rng(2)
    labels = rng.integers(4, size=2000)
    z = rng.normal(size=(2000, 4))
    sure = z + 8 * np.eye(4)[labels]
    learnt = ParametricTemperatureScaling().fit(Predictions.from_logits(sure, labels))
    unsure = Predictions.from_logits(z + np.eye(4)[labels], labels)
    mapped = learnt(unsure).summary.label_log_probability.mean()
    assert mapped > 2 * unsure.summary.label_log_probability.mean()


def test_ridge_must_be_positive():
    with pytest.raises(DataError, match="ridge must be positive and finite, got 0"):
        ParametricTemperatureScaling(ridge=0.0)
