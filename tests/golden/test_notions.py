"""Do decompositions agree with recorded values? They are in notions.json with tolerance and source."""

import json
from pathlib import Path

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.metrics import measure

GOLDEN = json.loads((Path(__file__).parent / "notions.json").read_text())


@pytest.fixture(scope="module")
def golden_set():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2000, 5)) * 2
    softmax = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    labels = np.array([rng.choice(5, p=q) for q in softmax])
    sharp = np.exp(1.7 * z)
    return Predictions.from_probabilities(sharp / sharp.sum(1, keepdims=True), labels)


@pytest.mark.parametrize("golden", GOLDEN["terms"], ids=lambda g: g["term"])
def test_terms_of_decompositions(golden_set, golden):
    found = measure(golden["spec"])(golden_set).details[golden["term"]]
    assert found == pytest.approx(golden["value"], abs=golden["tolerance"], rel=0)


@pytest.mark.parametrize("golden", GOLDEN["refits"], ids=lambda g: g["term"])
def test_losses_before_refitting(golden_set, golden):
    found = measure(golden["spec"])(golden_set).details[golden["term"]]
    assert found == pytest.approx(golden["value"], abs=golden["tolerance"], rel=0)
