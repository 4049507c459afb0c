"""A map as an ONNX graph: scores, and features where a map needs them, in; repaired probabilities out."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from calibrant import __version__, persistence
from calibrant.calibrators.base import CalibrationMap
from calibrant.errors import require
from calibrant.onnx._package import onnx
from calibrant.onnx.operations import OnnxPlace
from calibrant.predictions import Kind
from calibrant.programs import check_portable, log_probabilities, probabilities, recorded, stand_in

OUTPUT, FEATURES = "probabilities", "features"
VERSION = 18  # of the operator set that `export` writes: onnxruntime 1.14 (2023) and later run it
_FORMAT = 8  # the version of the file format that came with it
_MOST = 2**31 - 2**20  # bytes: a file of this format ends at 2 GiB


def export(
    learnt: CalibrationMap, path: str | os.PathLike[str] | None = None, *, kind: Kind, dtype: Any = np.float32
) -> onnx.ModelProto:
    """Return the map as an ONNX model, and write it to the path if one is given.

    The model has one input ``scores`` (n, k) and one output ``probabilities`` (n, k), n free; both have the dtype, and
    all arithmetic between is in float64. Exact zeros are replaced by the map's ``floor``, as the map does. Its metadata
    tell the spec, the library's version, the classes and a digest: the SHA-256 of the file that ``map.save`` writes.
    A map that needs features has a second input ``features`` (n, d) of the same dtype.

    Parameters
    ----------
    learnt : the map.
    path : where to write the model; None: nowhere.
    kind : what the scores are, "probability" or "logit". Stated, never guessed.
    dtype : float32 or float64.

    Raises
    ------
    CapabilityError : if the map needs more than scores, and has no formula of features.
    DataError : if an argument is not what it must be, or the map is larger than the 2 GiB that a file can hold.
    """
    check_portable(learnt, kind)
    element, shape = element_of(dtype), [None, learnt.record.k]
    place = OnnxPlace("", VERSION)
    named = [FEATURES] if learnt.dimensions else []
    append(place, learnt, "scores", kind, np.dtype(dtype), OUTPUT, *named)
    graph = onnx.helper.make_graph(
        place.nodes,
        "calibrant",
        [
            onnx.helper.make_tensor_value_info("scores", element, shape),
            *(onnx.helper.make_tensor_value_info(name, element, [None, learnt.dimensions]) for name in named),
        ],
        [onnx.helper.make_tensor_value_info(OUTPUT, element, shape)],
        [*place.initializers.values()],
    )
    model = onnx.helper.make_model(
        graph,
        opset_imports=[onnx.helper.make_opsetid("", VERSION)],
        ir_version=_FORMAT,
        producer_name="calibrant",
        producer_version=__version__,
    )
    onnx.helper.set_model_props(model, told(learnt, kind))
    write(model, path)
    return model


def append(
    place: OnnxPlace, learnt: CalibrationMap, scores: str, kind: Kind, dtype: np.dtype[Any], name: str, *features: str
) -> None:
    """Add the nodes from scores (n, k), and features (n, d), to the probabilities in the dtype, under the name."""
    zero, least = stand_in(learnt, dtype), float(np.finfo(dtype).tiny)

    def whole(ops: Any, given: Any, *others: Any) -> Any:
        log_p = log_probabilities(ops, given, ops.constant(zero), logits=kind == "logit")
        return ops.maximum(probabilities(ops, learnt, log_p, *others), ops.constant(least))

    wide = [place.cast(one, onnx.TensorProto.DOUBLE) for one in (scores, *features)]
    program = recorded(whole, beside=len(features))
    place.cast(program.run(place, wide[0], beside=wide[1:]), element_of(dtype))
    place.nodes[-1].output[0] = name
    require(sum(one.ByteSize() for one in place.initializers.values()) < _MOST, "map", "hold less than 2 GiB")


def element_of(dtype: Any) -> int:
    """Return the type of element of a dtype; ``DataError`` if it is neither float32 nor float64."""
    known = {np.dtype(np.float32): onnx.TensorProto.FLOAT, np.dtype(np.float64): onnx.TensorProto.DOUBLE}
    try:
        element: int | None = None if dtype is None else known.get(np.dtype(dtype))
    except TypeError:
        element = None
    require(element is not None, "dtype", "be float32 or float64", repr(dtype))
    assert element is not None
    return element


def told(learnt: CalibrationMap, kind: Kind) -> dict[str, str]:
    """Return what the metadata of a model tell of its map."""
    with tempfile.TemporaryDirectory() as folder:
        digest = hashlib.sha256(learnt.save(Path(folder) / "map").read_bytes()).hexdigest()
    facts = {"spec": learnt.record.spec, "kind": kind, "version": __version__, "digest": digest}
    classes = learnt.record.classes
    if classes is not None:
        facts["classes"] = json.dumps(classes)
    return {f"calibrant.{name}": fact for name, fact in facts.items()}


def write(model: onnx.ModelProto, path: str | os.PathLike[str] | None) -> None:
    """Write the model to the path, if there is one; the file is either complete or not there."""
    if path is not None:
        persistence.write_atomically(path, model.SerializeToString())
