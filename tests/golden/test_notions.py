"""Do decompositions agree with recorded values? They are in notions.json with tolerance and source."""

import json
from pathlib import Path

import pytest

from calibrant.metrics import measure

GOLDEN = json.loads((Path(__file__).parent / "notions.json").read_text())


@pytest.mark.parametrize("golden", GOLDEN["terms"], ids=lambda g: g["term"])
def test_terms_of_decompositions(golden_set, golden):
    found = measure(golden["spec"])(golden_set).details[golden["term"]]
    assert found == pytest.approx(golden["value"], abs=golden["tolerance"], rel=0)


@pytest.mark.parametrize("golden", GOLDEN["refits"], ids=lambda g: g["term"])
def test_losses_before_refitting(golden_set, golden):
    found = measure(golden["spec"])(golden_set).details[golden["term"]]
    assert found == pytest.approx(golden["value"], abs=golden["tolerance"], rel=0)
