"""Do the kernel measures and Spiegelhalter's test agree with recorded values? They are in kernel.json."""

import json
from pathlib import Path

import pytest

from calibrant.metrics import measure
from calibrant.metrics.tests import test as make_test

GOLDEN = json.loads((Path(__file__).parent / "kernel.json").read_text())


def agrees(value, golden):
    return value == pytest.approx(golden["value"], abs=golden["tolerance"], rel=0)


@pytest.mark.parametrize("golden", GOLDEN["measures"], ids=lambda g: g["spec"])
def test_values(golden_set, golden):
    assert agrees(float(measure(golden["spec"])(golden_set)), golden)


@pytest.mark.parametrize("golden", GOLDEN["bandwidths"], ids=lambda g: g["spec"])
def test_bandwidths(golden_set, golden):
    assert agrees(measure(golden["spec"])(golden_set).details["bandwidth"], golden)


@pytest.mark.parametrize("golden", GOLDEN["tests"], ids=lambda g: g["spec"])
def test_statistics(golden_set, golden):
    assert agrees(make_test(golden["spec"])(golden_set).statistic, golden)
