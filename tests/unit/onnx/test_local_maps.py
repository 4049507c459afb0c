"""Maps that hold calibration rows, in onnxruntime: features are a second input."""

import numpy as np
import onnxruntime
import pytest

import calibrant
from calibrant.onnx import export
from regional import regional

SPECS = [
    *(f"local_pool(kind={kind!r})" for kind in ("gate", "linear", "log", "counts", "residual")),
    *("local_temperature", "region_temperature", "density_aware_temperature", "lore"),
    *(f"procal(method={method!r})" for method in ("density_ratio", "bin_mean_shift")),
]


@pytest.mark.parametrize("spec", SPECS)
def test_parity(spec):
    batch, _ = regional(200, "blind")
    fresh, _ = regional(500, "blind", seed=1)
    learnt = calibrant.fit(batch, spec)
    assert learnt.dimensions == 2
    model = export(learnt, kind="logit", dtype=np.float64).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found = session.run(None, {"scores": fresh.scores, "features": fresh.features})[0]
    np.testing.assert_allclose(found, learnt(fresh).probabilities, atol=1e-9)  # rounding, times 1 / (2 h^2)
