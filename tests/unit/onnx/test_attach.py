"""A map behind the graph of a classifier: the output with the scores gives way, everything else stays."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

import calibrant
from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.onnx import attach, export
from portable_maps import softmax

K, D = 3, 4
RNG = np.random.default_rng(11)
WEIGHTS = RNG.normal(size=(D, K))
ROWS = RNG.normal(size=(50, D))
INFO, NODE = onnx.helper.make_tensor_value_info, onnx.helper.make_node
FLOAT, DOUBLE, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16
DTYPES = {FLOAT: np.float32, DOUBLE: np.float64, HALF: np.float16}


def repaired(kind="logit", classes=None, spec="vector"):
    """A map that changes the predicted class of some rows."""
    logits = 3 * RNG.normal(size=(300, K))
    labels = np.argmax(logits / 2 + [0.0, 1.5, 0.0] + RNG.gumbel(size=logits.shape), axis=1)
    if kind == "logit":
        return calibrant.fit(Predictions.from_logits(logits, labels, classes=classes), spec)
    return calibrant.fit(Predictions.from_probabilities(softmax(logits), labels, classes=classes), spec)


def classifier(outputs=("label", "probabilities"), element=FLOAT, version=18, classes=None, shape=("n", K)):
    """A linear classifier; ``classes`` puts a ZipMap behind its probabilities, as converters do."""
    weights = onnx.numpy_helper.from_array(WEIGHTS.astype(DTYPES[element]), "weights")
    nodes = [NODE("MatMul", ["x", "weights"], ["logits"]), NODE("ArgMax", ["logits"], ["label"], axis=1, keepdims=0)]
    nodes.append(NODE("Softmax", ["logits"], ["shares" if classes else "probabilities"], axis=1))
    sets = [onnx.helper.make_opsetid("", version)]
    known = {name: INFO(name, element, list(shape)) for name in ("logits", "probabilities")}
    known["label"] = INFO("label", onnx.TensorProto.INT64, ["n"])
    if classes:
        sort = "strings" if isinstance(classes[0], str) else "int64s"
        labels = {f"classlabels_{sort}": classes}
        nodes.append(NODE("ZipMap", ["shares"], ["probabilities"], domain="ai.onnx.ml", **labels))
        sets.append(onnx.helper.make_opsetid("ai.onnx.ml", 1))
        key = onnx.TensorProto.STRING if sort == "strings" else onnx.TensorProto.INT64
        one = onnx.helper.make_map_type_proto(key, onnx.helper.make_tensor_type_proto(FLOAT, []))
        sequence = onnx.helper.make_sequence_type_proto(one)
        known["probabilities"] = onnx.helper.make_value_info("probabilities", sequence)
    graph = onnx.helper.make_graph(
        nodes, "classifier", [INFO("x", element, ["n", D])], [known[name] for name in outputs], [weights]
    )
    return onnx.helper.make_model(graph, opset_imports=sets, ir_version=8)


def ran(model, rows=ROWS, element=FLOAT):
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_outputs()]
    return dict(zip(names, session.run(None, {"x": rows.astype(DTYPES[element])}), strict=True))


def wanted(learnt, kind, logits):
    if kind == "logit":
        return learnt(Predictions.from_logits(logits.astype(np.float64))).probabilities
    return learnt(Predictions.from_probabilities(softmax(logits.astype(np.float64)))).probabilities


LOGITS = (ROWS.astype(np.float32) @ WEIGHTS.astype(np.float32)).astype(np.float64)
# The classifier itself computes in float32: its logits differ by some 1e-6 from one library to the next.
CLOSE = {FLOAT: 2e-6, DOUBLE: 1e-12, HALF: 5e-3}


@pytest.mark.parametrize("version", [13, 17, 18, 21])
@pytest.mark.parametrize("kind", ["logit", "probability"])
def test_scores_give_way_to_repaired_ones(kind, version):
    outputs = ("label", "logits" if kind == "logit" else "probabilities")
    base, learnt = classifier(outputs, version=version), repaired(kind)
    before = base.SerializeToString()
    found = ran(attach(base, learnt, kind=kind))
    assert list(found) == ["label", "probabilities"]
    assert np.abs(found["probabilities"] - wanted(learnt, kind, LOGITS)).max() < CLOSE[FLOAT]
    assert np.array_equal(found["label"], LOGITS.argmax(1))
    assert (found["probabilities"].argmax(1) != found["label"]).any()
    assert base.SerializeToString() == before


@pytest.mark.parametrize("element", [FLOAT, DOUBLE, HALF])
def test_the_precision_of_the_classifier(element):
    learnt = repaired()
    found = ran(attach(classifier(("logits",), element), learnt, kind="logit"), element=element)["probabilities"]
    assert found.dtype == (np.float64 if element == DOUBLE else np.float32)
    logits = ROWS.astype(DTYPES[element]).astype(np.float64) @ WEIGHTS.astype(DTYPES[element]).astype(np.float64)
    assert np.abs(found - wanted(learnt, "logit", logits)).max() < CLOSE[element]


@pytest.mark.parametrize("classes", [["ant", "bee", "cat"], [0, 1, 2]])
def test_a_zip_map_is_taken_out(classes):
    learnt = repaired("probability", [str(c) for c in classes])
    model = attach(classifier(classes=classes), learnt, kind="probability")
    assert not [node for node in model.graph.node if node.op_type == "ZipMap"]
    found = ran(model)["probabilities"]
    assert np.abs(found - wanted(learnt, "probability", LOGITS)).max() < CLOSE[FLOAT]


def test_a_zip_map_with_other_classes():
    with pytest.raises(DataError, match=r"classes of the model must be those of the map, \('bee', 'ant', 'cat'\), got"):
        attach(classifier(classes=["ant", "bee", "cat"]), repaired(classes=["bee", "ant", "cat"]), kind="probability")
    with pytest.raises(DataError, match="model must have the 3 classes of the map, got 2 classes"):
        attach(classifier(classes=["ant", "bee"]), repaired(), kind="probability")


def test_logits_inside_the_graph():
    """The logits before the softmax are no output; the probabilities of the model stay, under their name."""
    learnt = repaired()
    model = attach(classifier(), learnt, kind="logit", output="logits", name="repaired")
    found = ran(model)
    assert list(found) == ["label", "probabilities", "repaired"]
    assert np.abs(found["repaired"] - wanted(learnt, "logit", LOGITS)).max() < CLOSE[FLOAT]
    assert np.abs(found["probabilities"] - softmax(LOGITS)).max() < CLOSE[FLOAT]


def test_which_output_is_meant_must_be_told():
    base = classifier(("logits", "probabilities"))
    with pytest.raises(DataError, match="one output that can hold 3 scores a row, got 'logits', 'probabilities'; name"):
        attach(base, repaired(), kind="logit")
    with pytest.raises(DataError, match="got 'label'"):
        attach(classifier(("label",)), repaired(), kind="logit")
    with pytest.raises(DataError, match="output must be made by a node of the model, got 'x', among outputs"):
        attach(base, repaired(), kind="logit", output="x")
    with pytest.raises(DataError, match="name must be free in the model, got 'probabilities'; pass another name="):
        attach(base, repaired(), kind="logit", output="logits")
    with pytest.raises(DataError, match="name must be free in the model, got 'weights'"):
        attach(base, repaired(), kind="logit", output="logits", name="weights")
    found = ran(attach(base, repaired(), kind="logit", output="logits", name="repaired"))
    assert list(found) == ["repaired", "probabilities"]


def test_scores_of_another_shape():
    wide = classifier(("probabilities",), shape=("n", 5))
    with pytest.raises(DataError, match="one output that can hold 3 scores a row"):
        attach(wide, repaired(), kind="probability")
    with pytest.raises(DataError, match="output must hold 3 scores a row, got 'label', which does not"):
        attach(classifier(), repaired(), kind="probability", output="label")
    # One column for two classes would be repeated to two without a word: the graph refuses it when it runs.
    columns = [INFO(name, FLOAT, ["n", "columns"]) for name in ("x", "p")]
    one = onnx.helper.make_graph([NODE("Identity", ["x"], ["p"])], "g", columns[:1], columns[1:])
    sets = [onnx.helper.make_opsetid("", 18)]
    model = attach(onnx.helper.make_model(one, opset_imports=sets, ir_version=8), repaired(), kind="logit")
    with pytest.raises(Exception, match=r"[Rr]eshape"):
        ran(model, ROWS[:, :1])


def test_two_maps_one_behind_the_other():
    first, second = repaired("probability"), repaired("probability", spec="temperature")
    model = attach(attach(classifier(), first, kind="probability"), second, kind="probability")
    middle = first(Predictions.from_probabilities(softmax(LOGITS)))
    assert np.abs(ran(model)["probabilities"] - second(middle).probabilities).max() < CLOSE[FLOAT]


def test_a_name_that_a_branch_uses_is_renamed_there_too():
    shape = [INFO("chosen", FLOAT, ["n", K])]
    yes = onnx.helper.make_graph([NODE("Neg", ["probabilities"], ["chosen"])], "yes", [], shape)
    no = onnx.helper.make_graph([NODE("Identity", ["probabilities"], ["chosen"])], "no", [], shape)
    base = classifier(("probabilities",))
    always = onnx.numpy_helper.from_array(np.array(True), "always")
    base.graph.initializer.append(always)
    base.graph.node.append(NODE("If", ["always"], ["negative"], then_branch=yes, else_branch=no))
    base.graph.output.append(INFO("negative", FLOAT, ["n", K]))
    found = ran(attach(base, repaired("probability"), kind="probability", output="probabilities"))
    assert np.abs(found["negative"] + softmax(LOGITS)).max() < CLOSE[FLOAT]


def test_what_a_model_may_be(tmp_path):
    base, learnt = classifier(), repaired("probability")
    onnx.save(base, tmp_path / "base.onnx")
    whole = attach(tmp_path / "base.onnx", learnt, tmp_path / "whole.onnx", kind="probability")
    assert attach(base.SerializeToString(), learnt, kind="probability") == whole
    assert onnx.load(tmp_path / "whole.onnx") == whole
    for wrong in (b"not a model", tmp_path / "nothing", tmp_path, 3):
        with pytest.raises(DataError, match="model must be an ONNX model, its bytes or its file"):
            attach(wrong, learnt, kind="probability")


def test_an_operator_set_that_is_too_old():
    with pytest.raises(DataError, match=r"operator set must be 13 at least, got 12; onnx\.version_converter"):
        attach(classifier(version=12), repaired(), kind="probability")


def test_metadata_tell_what_the_map_is(tmp_path):
    import hashlib

    learnt = repaired(classes=["ant", "bee", "cat"])
    saved = learnt.save(tmp_path / "map")
    base = classifier(("logits",))
    onnx.helper.set_model_props(base, {"author": "somebody"})
    for model in (export(learnt, tmp_path / "map.onnx", kind="logit"), attach(base, learnt, kind="logit")):
        told = {p.key: p.value for p in model.metadata_props}
        assert told["calibrant.spec"] == "vector"
        assert told["calibrant.kind"] == "logit"
        assert told["calibrant.version"] == calibrant.__version__
        assert json.loads(told["calibrant.classes"]) == ["ant", "bee", "cat"]
        assert told["calibrant.digest"] == hashlib.sha256(saved.read_bytes()).hexdigest()
    assert told["author"] == "somebody"
    assert onnx.load(tmp_path / "map.onnx").graph.input[0].type.tensor_type.shape.dim[1].dim_value == K


@pytest.mark.parametrize("dtype", [np.float16, int, "text", None])
def test_a_dtype_is_float32_or_float64(dtype):
    with pytest.raises(DataError, match="dtype must be float32 or float64, got"):
        export(repaired(), kind="logit", dtype=dtype)
