"""Do we agree with recorded values of papers and peers? The values, tolerances and sources are in measures.json."""

import json
from pathlib import Path

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.metrics import measure

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "data"
GOLDEN = json.loads((HERE / "measures.json").read_text())
REAL = GOLDEN["real"]


@pytest.mark.parametrize("golden", GOLDEN["values"], ids=lambda g: g["spec"])
def test_golden_set(golden_set, golden):
    assert float(measure(golden["spec"])(golden_set)) == pytest.approx(golden["value"], abs=golden["tolerance"], rel=0)


@pytest.mark.parametrize("name", REAL["sets"])
def test_real_sets(name):
    if not (SHARED / f"{name}.npz").exists():
        pytest.skip("the folder of real prediction sets is not here")
    with np.load(SHARED / f"{name}.npz") as file:
        predictions = Predictions.from_probabilities(file["probabilities"], file["labels"])
    values = [float(measure(spec)(predictions)) for spec in REAL["measures"]]
    assert values == pytest.approx(REAL["sets"][name], abs=REAL["tolerance"], rel=0)
