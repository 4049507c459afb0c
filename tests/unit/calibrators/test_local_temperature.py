"""Temperatures by place: regions that are known, and what is far from all rows."""

from dataclasses import replace

import numpy as np
import pytest

from calibrant import fit
from calibrant.calibrators.local_temperature import LocalTemperature
from calibrant.calibrators.region_temperature import RegionTemperatureScaling
from calibrant.errors import DataError
from regional import log_loss, off, regional


@pytest.mark.parametrize("method", [LocalTemperature(), RegionTemperatureScaling()])
def test_regions_of_another_sharpness_are_repaired(method):
    batch, _ = regional(1000, "scale")
    fresh, truth = regional(1000, "scale", seed=1)
    learnt, plain = method.fit(batch), fit(batch, "temperature")
    assert off(learnt(fresh), truth) < 0.6 * off(plain(fresh), truth)  # about a half and a third
    assert log_loss(learnt(fresh)) < log_loss(plain(fresh))
    np.testing.assert_array_equal(learnt(fresh).summary.top, fresh.summary.top)


@pytest.mark.parametrize("method", [LocalTemperature(), RegionTemperatureScaling()])
def test_scores_that_are_wrong_everywhere_alike_lose_little(method):
    batch, _ = regional(600, "global")
    fresh, truth = regional(1000, "global", seed=1)
    plain = off(fit(batch, "temperature")(fresh), truth)
    assert off(method.fit(batch)(fresh), truth) < plain + 0.02  # eight regions of 75 rows err by about .01


def test_far_away_it_is_the_temperature_map():
    batch, _ = regional(400, "scale")
    away, _ = regional(50, "scale", seed=1, far=100.0)
    learnt = LocalTemperature().fit(batch)
    assert len(learnt.points) == 400
    expected = fit(batch, "temperature")(away).probabilities
    np.testing.assert_allclose(learnt(away).probabilities, expected, rtol=1e-9)


def test_regions_by_hand():
    """Two far places: each has the temperature of its rows and of the pseudo-rows of all."""
    batch, _ = regional(400, "scale")
    place = (np.arange(400) % 2) * 100.0
    two = replace(batch, features=place[:, None], _memo={})
    learnt = RegionTemperatureScaling(regions=2, prior=1e-6).fit(two)
    for side in (0, 1):
        rows = two.take(np.arange(400) % 2 == side)
        alone = fit(rows, "temperature")
        np.testing.assert_allclose(
            learnt(rows).probabilities, alone(rows).probabilities, rtol=1e-3
        )  # a prior of 1e-6 rows
    strong = RegionTemperatureScaling(regions=2, prior=1e9).fit(two)
    np.testing.assert_allclose(strong.betas, fit(batch, "temperature").beta, rtol=1e-6)


def test_more_regions_than_places():
    batch, _ = regional(60, "scale")
    two = replace(batch, features=(np.arange(60) % 2)[:, None].astype(float), _memo={})
    assert len(RegionTemperatureScaling(regions=8).fit(two).betas) == 2


def test_few_rows_leave_the_temperature_map():
    batch, _ = regional(19)
    expected = fit(batch, "temperature")(batch).probabilities
    for method in (LocalTemperature(), RegionTemperatureScaling()):
        np.testing.assert_allclose(method.fit(batch)(batch).probabilities, expected, rtol=1e-12)


@pytest.mark.parametrize("options", [{"regions": 0}, {"prior": 0.0}, {"dimensions": 1.5}, {"seed": 0.5}])
def test_wrong_options(options):
    with pytest.raises(DataError):
        RegionTemperatureScaling(**options)
