"""A map behind the graph of a classifier: one model from inputs to repaired probabilities."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from calibrant.calibrators.base import CalibrationMap
from calibrant.errors import DataError, require, sentence
from calibrant.onnx._package import onnx
from calibrant.onnx.graphs import OUTPUT, VERSION, append, element_of, told, write
from calibrant.onnx.operations import OnnxPlace
from calibrant.predictions import Kind
from calibrant.programs import check_portable

_OLDEST = 13  # of the operator set: see `operations`
_FORMAT = 7  # the version of the file format that came with it
# Types of element that hold scores, and what they are widened to.
_SCORES = {
    onnx.TensorProto.FLOAT: np.float32,
    onnx.TensorProto.DOUBLE: np.float64,
    onnx.TensorProto.FLOAT16: np.float32,
    onnx.TensorProto.BFLOAT16: np.float32,
}


@dataclass(frozen=True, eq=False)
class _Source:
    """The scores in a graph: the name of their value, its dtype, its ZipMap, and its place among the outputs."""

    value: str
    dtype: np.dtype[Any]
    zipped: onnx.NodeProto | None
    position: int | None


def attach(
    model: onnx.ModelProto | bytes | str | os.PathLike[str],
    learnt: CalibrationMap,
    path: str | os.PathLike[str] | None = None,
    *,
    kind: Kind,
    output: str | None = None,
    features: str | None = None,
    name: str = OUTPUT,
) -> onnx.ModelProto:
    """Return the classifier's model with the map behind its scores, and write it to the path if one is given.

    The output with the scores gives way to one with the repaired probabilities (n, k), in its place. All other outputs
    stay what they were: a label that the model gives is still its own. A ZipMap (a list of dictionaries, one a row) is
    taken out. The given model is not changed.

    Parameters
    ----------
    model : an ONNX model, its bytes, or the path of its file; operator set 13 or later.
    learnt : the map, fitted to the same scores.
    path : where to write the new model; None: nowhere.
    kind : what the scores are, "probability" or "logit". Stated, never guessed.
    output : name of the output with the scores, or of a value inside the graph, such as the logits before a softmax.
        None: the only output that can hold k scores a row.
    features : name of the input, or of the value inside the graph, with the features (n, d) of a map that needs them.
    name : what the new output is called.

    Raises
    ------
    DataError : if the model cannot be read, its scores cannot be told or do not fit the map, or the name is taken.
    CapabilityError : if the map needs more than scores, and has no formula of features.
    """
    check_portable(learnt, kind)
    whole = _opened(model)
    version = _operator_set(whole)
    source = _source(whole, learnt, output)
    place = OnnxPlace(_prefix(whole.graph), version)
    value = _free(whole.graph, source, name, f"{place.prefix}scores")
    rows = place.node("Reshape", value, place.whole(0, learnt.record.k))  # fails where there are not k scores a row
    append(place, learnt, rows, kind, source.dtype, name, *_features(place, whole.graph, learnt, features))
    whole.graph.node.extend(place.nodes)
    whole.graph.initializer.extend(place.initializers.values())
    _declare(whole.graph, source, name, learnt.record.k)
    whole.ir_version = max(whole.ir_version, _FORMAT)
    onnx.helper.set_model_props(whole, {**{p.key: p.value for p in whole.metadata_props}, **told(learnt, kind)})
    write(whole, path)
    return whole


def _opened(model: Any) -> onnx.ModelProto:
    """Return a copy of the model."""
    if isinstance(model, onnx.ModelProto):
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        return copy
    try:
        return onnx.load_model_from_string(model) if isinstance(model, bytes) else onnx.load_model(Path(model))
    except (OSError, DecodeError, TypeError) as error:
        got = f"{type(model).__name__} ({error})"
        raise DataError(sentence("model", "be an ONNX model, its bytes or its file", got)) from None


def _operator_set(model: onnx.ModelProto) -> int:
    """Return the version of the model's operator set, stated where it was not."""
    for stated in model.opset_import:
        if stated.domain in ("", "ai.onnx"):
            way_out = f"onnx.version_converter.convert_version(model, {_OLDEST})"
            holds = stated.version >= _OLDEST
            require(holds, "operator set", f"be {_OLDEST} at least", stated.version, way_out=way_out)
            return int(stated.version)
    model.opset_import.append(onnx.helper.make_opsetid("", VERSION))
    return VERSION


def _source(model: onnx.ModelProto, learnt: CalibrationMap, output: str | None) -> _Source:
    """Return where the scores are."""
    graph, k = model.graph, learnt.record.k
    if output is None:
        fitting = [given for given in graph.output if _may_hold(given.type, k)]
        condition, got = f"have one output that can hold {k} scores a row", _listed(fitting or graph.output)
        require(len(fitting) == 1, "model", condition, got, way_out="name it by output=")
        output = str(fitting[0].name)
    made = {value: node for node in graph.node for value in node.output}
    got = f"{output!r}, among outputs {_listed(graph.output)}"
    require(output in made, "output", "be made by a node of the model", got)
    position = next((i for i, given in enumerate(graph.output) if given.name == output), None)
    zipped = made[output] if made[output].op_type == "ZipMap" else None
    value = output if zipped is None else str(zipped.input[0])
    if zipped is not None:
        _same_classes(zipped, learnt)
    return _Source(value, _dtype_of(model, value, k), zipped, position)


def _features(place: OnnxPlace, graph: onnx.GraphProto, learnt: CalibrationMap, name: str | None) -> list[str]:
    """Return the features (n, d) that the map takes, if it takes any."""
    if not learnt.dimensions:
        return []
    known = {one.name for one in graph.input} | {value for node in graph.node for value in node.output}
    condition = f"name a value of the model with the {learnt.dimensions} features of the map"
    require(name in known, "features", condition, repr(name))
    return [place.node("Reshape", name, place.whole(0, learnt.dimensions))]


def _may_hold(kind: onnx.TypeProto, k: int) -> bool:
    if kind.HasField("sequence_type"):
        return bool(kind.sequence_type.elem_type.HasField("map_type"))
    if not kind.HasField("tensor_type") or kind.tensor_type.elem_type not in _SCORES:
        return False
    shape = kind.tensor_type.shape.dim
    if not kind.tensor_type.HasField("shape"):
        return True
    return len(shape) == 2 and (not shape[1].HasField("dim_value") or shape[1].dim_value == k)


def _dtype_of(model: onnx.ModelProto, value: str, k: int) -> np.dtype[Any]:
    """Return the dtype of a value, of float32 where the graph does not tell; ``DataError`` if it cannot be scores."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    known = next((one.type for one in (*graph.output, *graph.value_info) if one.name == value), None)
    if known is None or not known.HasField("tensor_type") or not known.tensor_type.elem_type:
        return np.dtype(np.float32)
    require(_may_hold(known, k), "output", f"hold {k} scores a row", f"{value!r}, which does not")
    return np.dtype(_SCORES[known.tensor_type.elem_type])


def _same_classes(zipped: onnx.NodeProto, learnt: CalibrationMap) -> None:
    """Raise ``DataError`` if a ZipMap names the classes otherwise than the map does."""
    named = [onnx.helper.get_attribute_value(one) for one in zipped.attribute if one.name.startswith("classlabels")]
    names = tuple(label.decode() if isinstance(label, bytes) else str(label) for label in (named or [[]])[0])
    record = learnt.record
    require(len(names) == record.k, "model", f"have the {record.k} classes of the map", f"{len(names)} classes")
    require(record.classes in (None, names), "classes of the model", f"be those of the map, {record.classes}", names)


def _prefix(graph: onnx.GraphProto) -> str:
    """Return a prefix that no name of the graph has."""
    taken = {value for node in graph.node for value in (node.name, *node.output)}
    number = 0
    while any(name.startswith(f"calibrant{number}_") for name in taken):
        number += 1
    return f"calibrant{number}_"


def _free(graph: onnx.GraphProto, source: _Source, name: str, spare: str) -> str:
    """Take the source from the outputs and make the name free; return what its value is called then."""
    kept = [given for i, given in enumerate(graph.output) if i != source.position]
    taken = name in {one.name for one in (*kept, *graph.input, *graph.initializer)}
    require(not taken, "name", "be free in the model", repr(name), way_out="pass another name=")
    if source.zipped is not None:
        graph.node.remove(source.zipped)
    _rename(graph, name, spare)
    return spare if source.value == name else source.value


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Rename a value wherever nodes use it, in the bodies of loops and branches too."""
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new if value == old else value for value in names]
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                _rename(body, old, new)
    for known in [one for one in graph.value_info if one.name == old]:
        graph.value_info.remove(known)


def _declare(graph: onnx.GraphProto, source: _Source, name: str, k: int) -> None:
    """Put the new output in the place of the old one, or last."""
    made = onnx.helper.make_tensor_value_info(name, element_of(source.dtype), [None, k])
    if source.position is None:
        graph.output.append(made)
    else:
        graph.output[source.position].CopyFrom(made)


def _listed(values: Iterable[onnx.ValueInfoProto]) -> str:
    return ", ".join(repr(value.name) for value in values) or "none"
