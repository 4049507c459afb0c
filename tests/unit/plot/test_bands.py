"""The Poisson-binomial band against convolution, and its limits."""

import numpy as np
import pytest
import scipy

from calibrant import Predictions
from calibrant.plot import bands, reliability
from simulation import simulate


def by_convolution(chances, level):
    """Return the quantiles of the share of successes from the distribution made row by row."""
    pmf = np.ones(1)
    for p in chances:
        pmf = np.convolve(pmf, [1 - p, p])
    return np.searchsorted(np.cumsum(pmf), [(1 - level) / 2, (1 + level) / 2]) / len(chances)


@pytest.mark.parametrize("n", [1, 2, 7, 60, 400])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_the_distribution_is_exact(n, level):
    chances = np.random.default_rng(n).beta(3, 1, n)
    np.testing.assert_array_equal(
        bands.poisson_binomial(np.ones(n, dtype=int), chances, level), by_convolution(chances, level)
    )


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0, 0.9999])
def test_many_rows_of_one_chance_are_binomial(chance):
    n = 1_000_000
    low, high = bands.poisson_binomial(np.array([n]), np.array([chance]), 0.95)
    exact = np.maximum(scipy.stats.binom.ppf([0.025, 0.975], n, chance), 0) / n
    assert [low, high] == list(exact)


def test_cells_of_a_bin_are_as_good_as_its_rows():
    batch = simulate(2000, k=3)
    drawn = reliability.prepare(batch, level=0.9)
    confidence = batch.summary.confidence
    for b in np.flatnonzero(drawn.filled):
        rows = (confidence > drawn.edges[b]) & (confidence <= drawn.edges[b + 1])
        exact = by_convolution(confidence[rows], 0.9)
        # cells share their mean score: a quantile may move to the next number of rows
        np.testing.assert_allclose([drawn.low[b], drawn.high[b]], exact, atol=1.0001 / rows.sum())


def test_equal_weights_change_nothing_and_unequal_ones_widen():
    batch = simulate(500)
    plain, scaled = reliability.prepare(batch), reliability.prepare(batch.reweighted(np.full(500, 0.3)))
    np.testing.assert_array_equal(plain.low, scaled.low)
    uneven = reliability.prepare(batch.reweighted(np.random.default_rng(0).exponential(size=500) ** 2 + 1e-9))
    full = plain.rows > 20
    assert ((uneven.high - uneven.low) > (plain.high - plain.low))[full].mean() > 0.8


def test_half_of_the_weight_in_one_row_counts_as_few_rows():
    assert list(bands.effective(np.array([4.0, 4.0, 0.0]), np.array([4.0, 10.0, 0.0]))) == [4, 2, 0]


def test_the_band_holds_calibrated_models():
    outside = filled = 0
    for seed in range(40):
        drawn = reliability.prepare(simulate(400, seed=seed), level=0.9)
        outside, filled = outside + drawn.beyond.sum(), filled + drawn.filled.sum()
    # discrete quantiles leave at most 10 % outside; 400 bins have a standard error of 1.5 points
    assert outside / filled < 0.1 + 3 * 0.015


def test_bootstrap_bands_are_about_the_outcomes():
    batch = simulate(3000, temperature=2.5)
    drawn = reliability.prepare(batch, band="bootstrap", replicates=200)
    full = drawn.rows > 100
    assert ((drawn.low < drawn.outcome_rates) & (drawn.outcome_rates < drawn.high))[full].all()
    spread = np.sqrt(drawn.outcome_rates * (1 - drawn.outcome_rates) / np.maximum(drawn.rows, 1))
    # percentiles of 200 replicates: the width has a relative error of about 8 %
    np.testing.assert_allclose((drawn.high - drawn.low)[full], 2 * 1.96 * spread[full], rtol=0.3)
    assert drawn.beyond[full].any()


def test_rows_that_agree_are_not_certain():
    batch = Predictions.from_probabilities([[0.9, 0.1]] * 3, [0, 0, 0])
    drawn = reliability.prepare(batch, band="bootstrap", replicates=10)
    (b,) = np.flatnonzero(drawn.filled)
    assert drawn.high[b] == 1
    assert drawn.low[b] == pytest.approx(0.025 ** (1 / 3))  # Clopper and Pearson for 3 of 3
    assert not drawn.beyond[b]
