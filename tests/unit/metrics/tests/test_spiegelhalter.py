"""Spiegelhalter's test: by hand on two rows, certain rows, rows that are uniform or nearly so."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.metrics.tests import spiegelhalter
from simulation import simulate

both_rules = pytest.mark.parametrize("rule", ["brier", "log_loss"])
both_widths = pytest.mark.parametrize("dtype", [np.float32, np.float64])
CONSTANT = ("the score does not depend on the label",)


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
    assert right.notes == CONSTANT
    wrong = spiegelhalter(Predictions.from_probabilities(p, [0, 0]), rule=rule, notion=notion)
    assert (wrong.statistic, wrong.p_value) == (np.inf, 0)


@pytest.mark.parametrize("rule", ["brier", "log_loss"])
def test_an_impossible_row_of_weight_zero_is_not_there(rule):
    p, y = [[1.0, 0.0], [0.6, 0.4], [0.7, 0.3]], [1, 0, 1]
    found = spiegelhalter(Predictions.from_probabilities(p, y, weights=[0.0, 1.0, 2.0]), rule=rule)
    kept = spiegelhalter(Predictions.from_probabilities(p[1:], y[1:], weights=[1.0, 2.0]), rule=rule)
    assert found.statistic == pytest.approx(kept.statistic)
    assert found.n == 2


def doors(dtype, p, labels):
    """Return the same rows as probabilities and as logits away from 0."""
    with np.errstate(divide="ignore"):
        logits = np.log(p) + 3.7
    yield Predictions.from_probabilities(p.astype(dtype), labels)
    yield Predictions.from_logits(logits.astype(dtype), labels)


@both_rules
@both_widths
@pytest.mark.parametrize("k", [2, 3, 5, 7, 10, 100])
def test_uniform_rows_say_nothing(k, dtype, rule):
    labels = np.random.default_rng(k).integers(0, k, 1000)
    for batch in doors(dtype, np.full((1000, k), 1 / k), labels):
        found = spiegelhalter(batch, rule=rule)
        assert (found.statistic, found.p_value, found.notes) == (0, 1, CONSTANT)
        top = spiegelhalter(batch, rule=rule, notion="confidence")
        if k == 2:
            assert (top.statistic, top.p_value, top.notes) == (0, 1, CONSTANT)
        else:  # right 1/k of the time, or not: less than 5 standard deviations off
            assert abs(top.statistic) < 5
            right = np.mean(batch.summary.top == labels) - 1 / k
            assert top.statistic == pytest.approx(right / np.sqrt((1 - 1 / k) / k / 1000), abs=1e-5)  # of float32


@both_rules
@both_widths
def test_classes_that_are_equally_probable_beside_impossible_ones(dtype, rule):
    p = np.array([[0, 1 / 3, 1 / 3, 0, 1 - 2 / 3]] * 60)  # the last differs in its last digit
    for batch in doors(dtype, p, np.tile([1, 2, 4], 20)):
        assert spiegelhalter(batch, rule=rule).notes == CONSTANT
    for batch in doors(dtype, p, np.tile([1, 0, 4], 20)):
        assert spiegelhalter(batch, rule=rule).statistic == np.inf


def exactly(batch, rule):
    """Return z in extended precision."""
    scores = batch.scores.astype(np.longdouble)
    p = np.exp(scores - scores.max(1, keepdims=True)) if batch.logits else scores
    p /= p.sum(1, keepdims=True)
    values = np.log(p) if rule == "log_loss" else p
    mean = (p * values).sum(1, keepdims=True)
    excess = mean[:, 0] - values[np.arange(len(p)), batch.labels]
    return float(excess.sum() / np.sqrt((p * (values - mean) ** 2).sum()))


@both_rules
@both_widths
@pytest.mark.parametrize("spread", [1e-5, 1e-3, 0.3])
@pytest.mark.parametrize("k", [2, 10])
def test_nearly_uniform_rows_keep_their_digits(k, spread, dtype, rule):
    rng = np.random.default_rng(k)
    p = 1 / k + spread / k * rng.uniform(-1, 1, size=(1000, k))
    for batch in doors(dtype, p / p.sum(1, keepdims=True), rng.integers(0, k, 1000)):
        found = spiegelhalter(batch, rule=rule).statistic
        # Float32: differences are known to 5e-7 of themselves, and those of under 5e-7 count as none, which concerns
        # one row in twenty at a spread of 1e-5; z is a sum of a thousand of both signs over about 30 of them.
        single = 2e-2 if spread == 1e-5 else 1e-4
        assert found == pytest.approx(exactly(batch, rule), abs=1e-8 if dtype == np.float64 else single)


@both_rules
@pytest.mark.parametrize("notion", ["canonical", "confidence"])
def test_a_probability_that_rounds_above_one_is_one(rule, notion):
    p = np.array([[0.0, 1.0], [0.7, 0.3], [0.6, 0.4]], dtype=np.float32)
    above = p.copy()
    above[0, 1] = np.nextafter(np.float32(1), np.float32(2))
    one, other = (
        spiegelhalter(Predictions.from_probabilities(s, [1, 0, 1]), rule=rule, notion=notion) for s in (p, above)
    )
    assert other.statistic == pytest.approx(one.statistic, abs=1e-5)  # a few roundings of float32
