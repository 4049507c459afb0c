"""One temperature for each predicted class: shrinkage by hand, ties, a known truth."""

import numpy as np
import pytest
import scipy
from scipy.special import expit, log_softmax, softmax

from calibrant import Predictions
from calibrant.calibrators.class_temperature import ClassTemperatureScaling
from calibrant.calibrators.temperature import TemperatureScaling
from calibrant.errors import DataError


def test_shrinkage_by_hand():
    # margin 1 towards class 0 right 3 times of 4, margin 1 towards class 1 right 5 times of 8; all: 8 of 12
    s = np.array([-1.0] * 4 + [1.0] * 8)
    y = np.array([0, 0, 0, 1] + [1] * 5 + [0] * 3)
    learnt = ClassTemperatureScaling(prior=4.0).fit(Predictions.binary(expit(s), y))
    # pseudo-rows are right 2 times of 3: (3 + 4 * 2/3) / 8 and (5 + 4 * 2/3) / 12
    np.testing.assert_allclose(expit(learnt.betas), [(3 + 8 / 3) / 8, (5 + 8 / 3) / 12], rtol=1e-9)
    np.testing.assert_allclose(learnt.temperatures, 1 / learnt.betas)


def drawn(n, seed=0):
    rng = np.random.default_rng(seed)
    z = 3 * rng.normal(size=(n, 4))
    betas = np.array([0.4, 0.6, 0.8, 1.1])
    return z, np.argmax(betas[z.argmax(1), None] * z + rng.gumbel(size=z.shape), axis=1), betas


def test_each_class_is_at_its_optimum():
    z, y, _ = drawn(300)
    batch = Predictions.from_logits(z, y)
    learnt, common = ClassTemperatureScaling(prior=10.0).fit(batch), TemperatureScaling().fit(batch).beta
    for c in range(4):
        part, labels = z[z.argmax(1) == c], y[z.argmax(1) == c]
        rho = 10 / (len(part) + 10)
        target = (1 - rho) * np.eye(4)[labels] + rho * softmax(common * part, axis=1)

        def objective(beta, part=part, target=target):
            return -(target * log_softmax(beta * part, axis=1)).sum(1).mean()

        best = scipy.optimize.minimize_scalar(objective, bounds=(0.01, 5), method="bounded", options={"xatol": 1e-10})
        assert abs(objective(learnt.betas[c]) - best.fun) < 1e-9  # the fit certifies 1e-10


def test_a_known_map_is_found():
    z, y, betas = drawn(100_000)
    learnt = ClassTemperatureScaling().fit(Predictions.from_logits(z, y))
    np.testing.assert_allclose(learnt.betas, betas, rtol=0.04)  # standard errors are 1 %


def test_a_class_that_is_never_predicted_has_the_common_temperature():
    z, y, _ = drawn(200)
    z[:, 2] = -20.0
    batch = Predictions.from_logits(z, y)
    assert ClassTemperatureScaling().fit(batch).betas[2] == TemperatureScaling().fit(batch).beta


def test_rows_in_which_classes_tie_count_for_both_and_get_the_mean():
    z, y, _ = drawn(200)
    learnt = ClassTemperatureScaling().fit(Predictions.from_logits(z, y))
    tied = np.array([[2.0, -1.0, 2.0, 0.0]])
    expected = softmax((learnt.betas[0] + learnt.betas[2]) / 2 * tied, axis=1)
    np.testing.assert_allclose(learnt(Predictions.from_logits(tied)).probabilities, expected, rtol=1e-12)


def test_a_tied_row_is_half_a_row_of_either_class():
    z, y, _ = drawn(60)
    tied = np.repeat([[2.0, -1.0, 2.0, 0.0]], 20, axis=0)
    batch = Predictions.from_logits(np.concatenate([z, tied]), [*y, *[0] * 15, *[1] * 5])
    learnt, common = ClassTemperatureScaling(prior=10.0).fit(batch), TemperatureScaling().fit(batch).beta
    part = np.concatenate([z[z.argmax(1) == 0], tied])
    labels = np.concatenate([y[z.argmax(1) == 0], batch.labels[60:]])
    weights = np.where(np.arange(len(part)) < len(part) - 20, 1.0, 0.5)
    rho = 10 / (weights.sum() ** 2 / (weights @ weights) + 10)
    target = (1 - rho) * np.eye(4)[labels] + rho * softmax(common * part, axis=1)
    told = scipy.optimize.minimize_scalar(
        lambda beta: -weights @ (target * log_softmax(beta * part, axis=1)).sum(1),
        bounds=(0.01, 5),
        method="bounded",
        options={"xatol": 1e-9},
    )
    np.testing.assert_allclose(learnt.betas[0], told.x, rtol=1e-5)  # 1e-10 nats: about its root


def test_the_predicted_class_and_the_order_stay():
    z, y, _ = drawn(500)
    mapped = ClassTemperatureScaling(prior=1.0).fit(Predictions.from_logits(z, y))(Predictions.from_logits(z))
    np.testing.assert_array_equal(np.argsort(mapped.scores, axis=1), np.argsort(z, axis=1))


def test_prior_must_be_positive():
    with pytest.raises(DataError, match="prior must be positive and finite, got 0"):
        ClassTemperatureScaling(prior=0.0)
