"""Do the measures of sorted pairs agree with recorded values? Values, tolerances and sources are in pairs.json."""

import json
from pathlib import Path

import pytest

from calibrant.metrics import CalibrationError, measure
from calibrant.metrics.estimators.monotone_sweep import MonotoneSweep

GOLDEN = json.loads((Path(__file__).parent / "pairs.json").read_text())


@pytest.mark.parametrize("golden", GOLDEN["values"], ids=lambda g: g["spec"])
def test_golden_set(golden_set, golden):
    assert float(measure(golden["spec"])(golden_set)) == pytest.approx(golden["value"], abs=golden["tolerance"], rel=0)


def test_corp_terms(golden_set):
    expected = {name: value for name, value in GOLDEN["corp"].items() if name != "tolerance"}
    found = measure("corp_miscalibration")(golden_set).details
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=GOLDEN["corp"]["tolerance"], rel=0)


def test_smece_is_near_that_of_a_search_on_a_grid(golden_set):
    grid = GOLDEN["smece_on_a_grid"]
    # relplot rounds the width up to its grid, and gives the error at that width
    assert float(measure("smece")(golden_set)) == pytest.approx(grid["value"], abs=grid["step"], rel=0)


def test_sweep(golden_set):
    metric = CalibrationError(bins_in_use=MonotoneSweep(), preset="ece")
    assert metric.final(metric.sums(golden_set)).filled.sum() == GOLDEN["sweep"]["bins"]
    expected = pytest.approx(GOLDEN["sweep"]["value"], abs=GOLDEN["sweep"]["tolerance"], rel=0)
    assert float(metric(golden_set)) == expected


def test_likelihood_chooses_the_bandwidth_that_others_found(golden_set):
    # an independent leave-one-out likelihood over other candidates chose 0.01
    assert measure("ece_kde_canonical")(golden_set).details["bandwidth"] == pytest.approx(0.01)
