"""Spiegelhalter's test: by hand on two rows, certain rows, streams."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.metrics.tests import spiegelhalter
from simulation import simulate


def loop(batch, rule, w):
    """Return z by the definition: the score of every class, its mean and its variance."""
    deviation = variance = 0.0
    for p, y, weight in zip(batch.scores, batch.labels, w, strict=True):
        scores = 1 + p @ p - 2 * p if rule == "brier" else -np.log(p)
        mean = p @ scores
        deviation += weight * (scores[y] - mean)
        variance += weight**2 * (p @ (scores - mean) ** 2)
    return deviation / np.sqrt(variance)


@pytest.mark.parametrize("rule", ["brier", "log_loss"])
@pytest.mark.parametrize("k", [2, 5])
def test_equals_the_loop(rule, k):
    batch = simulate(50, k=k)
    w = np.random.default_rng(1).gamma(2.0, size=50)
    weighted = Predictions.from_probabilities(batch.scores, batch.labels, weights=w)
    assert spiegelhalter(weighted, rule=rule).statistic == pytest.approx(loop(batch, rule, w), rel=1e-10)


def test_two_rows_by_hand():
    batch = Predictions.from_probabilities([[0.8, 0.2], [0.6, 0.4]], [0, 1])
    # S - E = 2 (|p|^2 - p_y): 2 (0.68 - 0.8) + 2 (0.52 - 0.4) = 0
    assert spiegelhalter(batch).statistic == pytest.approx(0, abs=1e-12)
    wrong = Predictions.from_probabilities([[0.8, 0.2], [0.6, 0.4]], [1, 0])
    # 2 (0.68 - 0.2) + 2 (0.52 - 0.6) = 0.8; V = 4 (0.16 * 0.36 + 0.24 * 0.04) = 0.2688
    assert spiegelhalter(wrong).statistic == pytest.approx(0.8 / np.sqrt(0.2688))
    confident = spiegelhalter(wrong, notion="confidence")
    # (a - c)(1 - 2 c): 0.8 * 0.6 - 0.4 * 0.2 = 0.4; V = 0.36 * 0.16 + 0.04 * 0.24 = 0.0672
    assert confident.statistic == pytest.approx(0.4 / np.sqrt(0.0672))


def test_two_classes_are_the_binary_test():
    batch = simulate(60, k=2)
    for rule in ("brier", "log_loss"):
        whole, top = (spiegelhalter(batch, rule=rule, notion=notion) for notion in ("canonical", "confidence"))
        assert whole.statistic == pytest.approx(top.statistic, rel=1e-10)


def test_over_confidence_is_positive():
    assert spiegelhalter(simulate(2000, temperature=1.5)).statistic > 5
    assert spiegelhalter(simulate(2000, temperature=0.7)).statistic < -5


@pytest.mark.parametrize("rule", ["brier", "log_loss"])
@pytest.mark.parametrize("notion", ["canonical", "confidence"])
def test_certain_rows(rule, notion):
    p = [[1.0, 0.0], [0.0, 1.0]]
    right = spiegelhalter(Predictions.from_probabilities(p, [0, 1]), rule=rule, notion=notion)
    assert (right.statistic, right.p_value) == (0, 1)
    assert right.notes
    wrong = spiegelhalter(Predictions.from_probabilities(p, [0, 0]), rule=rule, notion=notion)
    assert (wrong.statistic, wrong.p_value) == (np.inf, 0)


@pytest.mark.parametrize("rule", ["brier", "log_loss"])
def test_an_impossible_row_of_weight_zero_is_not_there(rule):
    p, y = [[1.0, 0.0], [0.6, 0.4], [0.7, 0.3]], [1, 0, 1]
    found = spiegelhalter(Predictions.from_probabilities(p, y, weights=[0.0, 1.0, 2.0]), rule=rule)
    kept = spiegelhalter(Predictions.from_probabilities(p[1:], y[1:], weights=[1.0, 2.0]), rule=rule)
    assert found.statistic == pytest.approx(kept.statistic)
    assert found.n == 2
