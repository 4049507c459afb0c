"""The maximum of the likelihood of class frequencies: stationary, certified, and never below where it came from."""

import numpy as np
import pytest

from calibrant.solvers.frequencies import climbed, likeliest_frequencies, log_likelihood


def drawn(n, k, apart, seed=0):
    rng = np.random.default_rng(seed)
    centres = apart * rng.normal(size=(k, 4))
    x = centres[rng.choice(k, n, p=rng.dirichlet(np.ones(k)))] + rng.normal(size=(n, 4))
    squares = ((x[:, None] - centres) ** 2).sum(2)  # (n, k)
    return np.exp((squares.min(1, keepdims=True) - squares) / 2), rng.integers(1, 4, n) / 1.0


@pytest.mark.parametrize("apart", [0.2, 1.0, 4.0])
@pytest.mark.parametrize("k", [2, 7, 40])
def test_stationary(k, apart):
    likelihoods, weights = drawn(400, k, apart)
    weights /= weights.sum()
    found = likeliest_frequencies(likelihoods, weights, np.full(k, 1 / k))
    slopes = (weights / (likelihoods @ found.values)) @ likelihoods
    assert found.converged
    assert found.values.sum() == pytest.approx(1, abs=1e-12)
    assert found.values.min() >= 0
    # the conditions of Karush, Kuhn and Tucker: no slope above 1, and 1 wherever there is mass
    assert slopes.max() <= 1 + 1e-9
    assert found.values @ np.abs(slopes - 1) <= 1e-9
    again = climbed(likelihoods, weights, found.values, 1)
    assert again == pytest.approx(found.values, abs=1e-9)  # a fixed point of expectation-maximisation
    best = log_likelihood(likelihoods, weights, found.values)
    for other in np.random.default_rng(1).dirichlet(np.ones(k), size=20):
        near = 0.999 * found.values + 0.001 * other
        assert log_likelihood(likelihoods, weights, near) <= best + 1e-10  # the certificate


def test_the_climb_never_falls():
    likelihoods, weights = drawn(300, 6, 0.7)
    pi, weights = np.full(6, 1 / 6), weights / weights.sum()
    values = [log_likelihood(likelihoods, weights, pi)]
    for _ in range(50):
        pi = climbed(likelihoods, weights, pi, 1)
        values.append(log_likelihood(likelihoods, weights, pi))
    assert np.diff(values).min() >= -1e-15  # rounding of a sum near 1
    end = likeliest_frequencies(likelihoods, weights, np.full(6, 1 / 6))
    assert log_likelihood(likelihoods, weights, end.values) >= values[-1] - 1e-10


def test_values_found_on_paper_and_by_long_climbs():
    source = np.array([0.4, 0.35, 0.25])
    p = np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6], [0.6, 0.3, 0.1]])
    found = likeliest_frequencies(p / source, np.full(5, 0.2), source)
    long = climbed(p / source, np.full(5, 0.2), source, 30_000)
    assert found.values == pytest.approx(long, abs=1e-7)
    # two classes seen for certain, one row and three: a quarter and three quarters
    certain = likeliest_frequencies(np.eye(2)[[0, 1, 1, 1]], np.full(4, 0.25), np.array([0.5, 0.5]))
    assert certain.values == pytest.approx([0.25, 0.75], abs=1e-12)


def test_a_class_at_the_border_and_one_without_a_start():
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])
    found = likeliest_frequencies(p / 0.5, np.full(4, 0.25), np.array([0.5, 0.5]))
    assert found.values == pytest.approx([1, 0], abs=1e-9)
    likelihoods, _ = drawn(100, 4, 1.0)
    kept = likeliest_frequencies(likelihoods, np.full(100, 0.01), np.array([0.4, 0.0, 0.3, 0.3]))
    assert kept.values[1] == 0
    assert kept.converged


def test_classes_that_look_alike_share_and_do_not_fail():
    likelihoods, weights = drawn(200, 3, 1.0)
    twice = np.column_stack([likelihoods, likelihoods[:, 2]])
    weights /= weights.sum()
    three = likeliest_frequencies(likelihoods, weights, np.full(3, 1 / 3)).values
    four = likeliest_frequencies(twice, weights, np.full(4, 1 / 4))
    assert four.converged
    assert [*four.values[:2], four.values[2:].sum()] == pytest.approx(three, abs=1e-6)  # sqrt of the certificate


def test_many_classes_climb_to_the_same_top(monkeypatch):
    likelihoods, weights = drawn(300, 5, 1.5)
    weights /= weights.sum()
    steps = likeliest_frequencies(likelihoods, weights, np.full(5, 0.2))
    monkeypatch.setattr("calibrant.solvers.frequencies.MOST_DENSE", 0)
    climb = likeliest_frequencies(likelihoods, weights, np.full(5, 0.2))
    assert climb.converged
    assert climb.steps > steps.steps
    assert climb.values == pytest.approx(steps.values, abs=1e-4)  # sqrt of the certificate, over a weak curvature
