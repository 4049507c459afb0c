"""Strict propriety by enumeration: on a grid of the simplex the true distribution alone has the least expected loss."""

from itertools import product

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.scoring import BrierScore, LogLoss, RankedProbabilityScore, SphericalScore

STEPS = 10  # the grid holds all distributions whose probabilities are tenths
SCORES = [LogLoss(), BrierScore(), SphericalScore(), RankedProbabilityScore(), RankedProbabilityScore(False)]


def simplex(k):
    return np.array([c for c in product(range(STEPS + 1), repeat=k) if sum(c) == STEPS]) / STEPS


@pytest.mark.parametrize("score", SCORES, ids=repr)
@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_truth_alone_is_best(score, k):
    grid = simplex(k)
    losses = np.column_stack(
        [score.rows(Predictions.from_probabilities(grid, np.full(len(grid), y))) for y in range(k)]
    )
    for i, truth in enumerate(grid):
        likely = truth > 0  # what never happens costs nothing, whatever its loss
        expected = losses[:, likely] @ truth[likely]
        others = np.delete(expected, i)
        assert expected[i] < others.min() - 1e-6  # neighbours on this grid differ by far more than rounding


@pytest.mark.parametrize("score", SCORES, ids=repr)
def test_a_soft_label_is_the_expectation(score):
    grid = simplex(3)
    grid = grid[(grid > 0).all(1)]
    truth = np.array([0.2, 0.5, 0.3])
    hard = sum(truth[y] * score.rows(Predictions.from_probabilities(grid, np.full(len(grid), y))) for y in range(3))
    soft = score.rows(Predictions.from_probabilities(grid, np.tile(truth, (len(grid), 1))))
    assert soft == pytest.approx(hard, abs=1e-12)  # three terms in another order
