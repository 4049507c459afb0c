"""Is smECE its own fixed point, by an evaluation that shares nothing with it?"""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from calibrant import Predictions
from calibrant.metrics import measure
from calibrant.metrics.pairs import Pairs
from calibrant.metrics.smoothing import area, cosines, smoothed
from calibrant.statistics import Column


def columns():
    rng = np.random.default_rng(3)
    for n, a, b in [(60, 3, 1.2), (300, 12, 0.9), (400, 0.6, 0.6)]:
        f = rng.beta(a, b, n)
        yield Column.of(f, (rng.random(n) < f) + 0.0, rng.gamma(1.0, size=n))


def slow(column, sigma):
    """Return the integral of |r_sigma|: images of the scores at both ends, zeros by a solver, areas in closed form."""
    images = np.concatenate([sign * column.scores + 2 * m for m in range(-2, 3) for sign in (1, -1)])
    masses = np.tile(column.residuals, 10)

    def curve(t):
        return float((masses * norm.pdf(t, images, sigma)).sum())

    t = np.linspace(0, 1, 1001)
    values = [curve(x) for x in t]
    cells = zip(pairwise(t), pairwise(values), strict=True)
    zeros = [brentq(curve, a, b, xtol=1e-14) for (a, b), (at_a, at_b) in cells if at_a * at_b < 0]
    below = [float((masses * norm.cdf(x, images, sigma)).sum()) for x in [0.0, *zeros, 1.0]]
    return sum(abs(b - a) for a, b in pairwise(below))


@pytest.mark.parametrize("column", list(columns()), ids=["60", "300", "400"])
def test_is_its_own_fixed_point(column):
    value = measure("smece").of_column(column)
    assert slow(column, value) == pytest.approx(value, abs=1e-9, rel=0)


def test_the_value_is_the_width():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 50)
    estimate = measure("smece")(Predictions.from_probabilities(p, rng.integers(0, 3, 50)))
    assert estimate.details["sigma"] == estimate.value


def test_one_sign_of_residuals_gives_their_sum():
    column = Column.of(np.array([0.5, 0.9]), np.zeros(2))
    assert measure("smece").of_column(column) == pytest.approx(0.7, abs=1e-12)  # rounding of the transform


def test_two_rows_that_cancel_when_they_are_wide():
    # residuals 1/4 at 1/2 and -1/4 at 1/2 + e: apart they count 1/2, together nothing; the answer lies between
    near = measure("smece").of_column(Column.of(np.array([0.5, 0.5 + 1e-6]), np.array([1.0, 0.0])))
    assert 0 < near < 0.01


def test_small_widths_use_the_fine_grid():
    f = (np.arange(4000) + 0.5) / 4000
    column = Column.of(f, np.clip(f + 0.002 * np.sin(400 * np.pi * f), 0, 1))  # gaps of both signs, 0.005 apart
    value = measure("smece").of_column(column)
    assert 1e-4 < value < 1 / 1024
    modes = cosines(column.scores, column.residuals)
    assert area(smoothed(modes, value)) == pytest.approx(value, abs=1e-12, rel=0)  # the solver stops at 1e-15


def test_area_of_a_cosine():
    t = (np.arange(64) + 0.5) / 64
    # the integral of |cos(3 pi t + small tilt)|; the correction leaves the third power of the width, 4e-6 times 20
    assert area(np.cos(3 * np.pi * t)) == pytest.approx(2 / np.pi, abs=1e-5)


def test_binning_keeps_mass_and_first_moment():
    f, m = np.array([0.1234567, 0.7654321]), np.array([0.3, -0.2])
    modes = cosines(f, m)
    exact = [(m * np.cos(np.pi * j * f)).sum() for j in range(5)]
    assert modes[:5] == pytest.approx(exact, abs=1e-8)  # (pi j / M)^2 / 8


def test_class_wise_is_the_mean_of_classes():
    rng = np.random.default_rng(5)
    p, y = rng.dirichlet(np.ones(3), 80), rng.integers(0, 3, 80)
    batch = Predictions.from_probabilities(p, y)
    estimate = measure("smece(notion='class_wise')")(batch)
    single = [measure("smece").of_column(Column.of(p[:, c], (y == c) + 0.0)) for c in range(3)]
    assert estimate.per_class == pytest.approx(single, abs=1e-12)
    assert estimate.value == pytest.approx(np.mean(single), abs=1e-12)


def test_redrawn_labels_reuse_the_order():
    rng = np.random.default_rng(6)
    p = np.round(rng.dirichlet(np.ones(3), 80), 1)
    p[:, 2] = 1 - p[:, 0] - p[:, 1]
    batch = Predictions.from_probabilities(np.abs(p), rng.integers(0, 3, 80), weights=rng.integers(0, 3, 80) + 0.0)
    metric, other = measure("smece"), batch.relabelled(rng.integers(0, 3, 80))
    again = metric.relabelled_sums(metric.sums(batch), other)
    assert isinstance(again, Pairs)
    assert metric.value(again) == pytest.approx(metric.value(metric.sums(other)), abs=1e-14)
