"""Operations of formulas as nodes: what onnxruntime computes is what NumPy computes."""

import numpy as np
import onnx
import onnxruntime
import pytest

from calibrant.formulas import NUMPY
from calibrant.onnx.operations import OnnxPlace
from calibrant.programs import recorded
from portable_maps import OPERATIONS, values


def ran(formula, x, version):
    place = OnnxPlace("", version)
    answer = place.node("Identity", recorded(formula).run(place, "x"))
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        place.nodes, "g", [info("x", onnx.TensorProto.DOUBLE, ["n", 3])],
        [info(answer, onnx.TensorProto.DOUBLE, ["n", "m"])], [*place.initializers.values()],
    )  # fmt: skip
    sets = [onnx.helper.make_opsetid("", version)]
    model = onnx.helper.make_model(graph, opset_imports=sets, ir_version=7)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("version", [13, 18, 21])
@pytest.mark.parametrize("name", OPERATIONS)
def test_as_in_numpy(name, version):
    with np.errstate(divide="ignore"):
        wanted = OPERATIONS[name](NUMPY, values())
    # Exponentials and logarithms of two libraries differ by a unit or two in the last place.
    np.testing.assert_allclose(ran(OPERATIONS[name], values(), version), wanted, rtol=1e-15, atol=1e-15)


def test_equal_constants_are_kept_once():
    place = OnnxPlace("", 18)
    recorded(lambda ops, x: (x + ops.constant(1.0)) * ops.constant(1.0)).run(place, "x")
    assert len(place.initializers) == 1


def test_an_operation_that_formulas_do_not_have():
    with pytest.raises(AttributeError, match="cosine is no operation of formulas"):
        recorded(lambda ops, x: ops.cosine(x)).run(OnnxPlace("", 18), "x")
