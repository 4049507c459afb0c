"""Coverage of the intervals, by seeded simulation with a stated false-failure rate."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.evaluation import evaluate
from calibrant.evaluation.intervals import basic
from calibrant.metrics import measure
from simulation import simulate

REPEATS = 40


def truth(spec, temperature):
    """Return the population value of the binned functional, from 400,000 rows with labels in expectation."""
    rng = np.random.default_rng(99)
    z = rng.normal(size=(400_000, 4)) * 2
    p, q = (np.exp(s) / np.exp(s).sum(1, keepdims=True) for s in (z, z / temperature))
    return float(measure(spec)(Predictions.from_probabilities(p, q)))


@pytest.mark.parametrize("temperature", [1.0, 1.15, 1.6])
@pytest.mark.parametrize(
    ("spec", "functional"),
    [("ece", "ece"), ("sce", "sce"), ("squared_ce(binning='width')", "rmsce(root=False)")],
)
def test_coverage_of_the_binned_population_value(spec, functional, temperature):
    target = truth(functional, temperature)
    inside = 0
    for seed in range(REPEATS):
        estimate = evaluate(simulate(1500, temperature, seed=seed), [spec], replicates=60, seed=seed).measures[0]
        inside += estimate.low - 1e-12 <= target <= estimate.high + 1e-12
    # At a true coverage of .92, 40 repeats give 30 or fewer once in 1,000.
    assert inside >= 31


def test_the_basic_interval_turns_the_replicates_round():
    replicates = np.linspace(1.0, 3.0, 201)
    low, high = basic(2.5, replicates, 0.9)
    assert low == pytest.approx(2 * 2.5 - 2.9, abs=0.02)  # the grid of 201 replicates
    assert high == pytest.approx(2 * 2.5 - 1.1, abs=0.02)


def test_no_interval_from_replicates_that_do_not_vary_or_are_infinite():
    assert basic(1.0, np.ones(50), 0.95) is None
    assert basic(np.inf, np.full(50, np.inf), 0.95) is None
