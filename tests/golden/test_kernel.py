"""Do the kernel measures and Spiegelhalter's test agree with recorded values? They are in kernel.json."""

import json
from pathlib import Path

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.metrics import measure
from calibrant.metrics.tests import test as make_test

GOLDEN = json.loads((Path(__file__).parent / "kernel.json").read_text())


@pytest.fixture(scope="module")
def golden_set():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2000, 5)) * 2
    softmax = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    labels = np.array([rng.choice(5, p=q) for q in softmax])
    sharp = np.exp(1.7 * z)
    return Predictions.from_probabilities(sharp / sharp.sum(1, keepdims=True), labels)


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
