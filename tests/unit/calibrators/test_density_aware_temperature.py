"""A temperature that grows with the distance: none of it is temperature scaling, and far rows are less sure."""

from dataclasses import replace

import numpy as np
import pytest

from calibrant import fit
from calibrant.calibrators.density_aware_temperature import DensityAwareTemperature
from calibrant.calibrators.unit_neighbours import nearest_others, unit
from calibrant.errors import DataError
from calibrant.formulas import NUMPY
from calibrant.solvers.distance_temperature import _loss, distance_temperature
from calibrant.solvers.rows import FitRows
from regional import log_loss, regional


def cone(n, seed=0):
    """Scores that are as sure of rows off the main direction, where the labels are mere chance."""
    batch, _ = regional(n, "global", seed=seed)
    rng = np.random.default_rng(seed + 100)
    astray = rng.random(n) < 0.2
    features = np.array([5.0, 0, 0, 0, 0]) + rng.normal(size=(n, 5)) * np.where(astray, 8.0, 0.3)[:, None]
    labels = np.where(astray, rng.integers(3, size=n), batch.hard_labels)
    return replace(batch, features=features, labels=labels, _memo={}), astray


def test_rows_off_the_others_are_less_sure():
    batch, _ = cone(800)
    fresh, astray = cone(800, seed=1)
    learnt, plain = DensityAwareTemperature().fit(batch), fit(batch, "temperature")
    assert learnt.growth > 0
    assert log_loss(learnt(fresh)) < log_loss(plain(fresh)) - 0.02
    sure = learnt(fresh).probabilities.max(1)
    assert sure[astray].mean() < 0.7 < sure[~astray].mean()
    np.testing.assert_array_equal(learnt(fresh).summary.top, fresh.summary.top)


def test_equal_distances_are_temperature_scaling():
    batch, _ = regional(40, "global")
    corners = replace(batch, features=np.eye(40), _memo={})
    learnt = DensityAwareTemperature(ridge=1e-6).fit(corners)
    assert learnt.growth == 0
    np.testing.assert_allclose(learnt.beta, fit(batch, "temperature").beta, rtol=1e-5)  # by another search


def test_distances_of_unit_features_by_hand():
    points = unit(NUMPY, np.array([[3.0, 0.0], [0.0, 1e-200], [-1e200, 0.0], [0.0, 0.0]]))
    np.testing.assert_allclose(points, [[1, 0], [0, 1], [-1, 0], [0, 0]], atol=1e-15)
    # right angles: 2; opposite: 4; the origin: 1
    expected = [[1, 2], [1, 2], [1, 2], [1, 1]]
    np.testing.assert_allclose(nearest_others(points, 2), expected, rtol=1e-12)


def test_gradient_of_the_loss():
    batch, _ = regional(50, "scale")
    rows, betas = FitRows.of(batch), np.linspace(0.5, 2, 50)
    _, slopes = _loss(rows, betas)
    for i in (0, 17, 49):
        ahead, behind = (_loss(rows, betas * np.exp(sign * 1e-5 * (np.arange(50) == i)))[0] for sign in (1, -1))
        assert slopes[i] == pytest.approx((ahead - behind) / 2e-5, abs=1e-9)  # rounding 1e-16 / 1e-5


def test_a_prior_holds_the_growth():
    batch, _ = cone(200)
    rows, r = FitRows.of(batch), np.random.default_rng(0).random(200)
    beta = fit(batch, "temperature").beta
    found = distance_temperature(rows, beta, r, 1e6)
    assert found.beta == pytest.approx(beta, rel=1e-4)
    assert found.growth < 1e-4


@pytest.mark.parametrize("options", [{"neighbours": 0}, {"ridge": 0.0}, {"zero": -1.0}])
def test_wrong_options(options):
    with pytest.raises(DataError):
        DensityAwareTemperature(**options)
