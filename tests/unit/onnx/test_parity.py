"""Every method in onnxruntime: the probabilities that NumPy gives, on ten thousand rows."""

import numpy as np
import onnx
import onnxruntime
import pytest

from calibrant.onnx import export
from portable_maps import NAMES, ROWS, SETS, fresh, learnt, narrowed

# In float64 the two libraries differ by the rounding of their exponentials, some 1e-15; float32 is rounded once, at the
# end. The promise is 1e-6: room for a slope of a few hundred.
CLOSE = 1e-6


def ran(model, *batches):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [session.run(None, {"scores": scores})[0] for scores in batches]


def check_parity(found, wanted):
    """Probabilities within `CLOSE`; no predicted class changes but where the two largest differ by less than that."""
    off = np.abs(found - wanted).max()
    assert off <= CLOSE
    first, second = np.sort(wanted, axis=1)[:, :-3:-1].T
    clear = first - second > CLOSE
    assert (found.argmax(1) == wanted.argmax(1))[clear].all()


@pytest.mark.parametrize("which", SETS)
@pytest.mark.parametrize("name", NAMES)
def test_parity(name, which):
    repaired, batch = learnt(name, which), fresh(which)
    if repaired is None:
        pytest.skip(f"{name} declines this set")
    for dtype in (np.float32, np.float64):
        scores, same = narrowed(batch, dtype)
        model = export(repaired, kind=batch.kind, dtype=dtype)
        onnx.checker.check_model(model, full_check=True)
        found, alone = ran(model, scores, scores[:1])
        assert found.dtype == dtype
        assert found.shape == (ROWS, batch.k)
        check_parity(found, repaired(same).probabilities)
        assert np.abs(alone - found[:1]).max() <= CLOSE
