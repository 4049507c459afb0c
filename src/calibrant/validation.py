"""The checks at the door: each turns one raw argument into a clean array, or raises one sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.errors import DataError, require, sentence
from calibrant.kernels.halves import widened

Array = NDArray[Any]
Floats = NDArray[np.float64]

ROW_SUM_TOLERANCE = 1e-5
HALF_ROW_SUM_TOLERANCE = 2e-3  # scores that came as float16 or bfloat16


def scores_matrix(values: ArrayLike, argument: str) -> tuple[NDArray[np.floating], bool]:
    """Return the (n, k) scores as a contiguous read-only float32 or float64 array, and whether they came as halves.

    No copy is made of contiguous float32 or float64 input; half precision is widened to float32.
    """
    array = as_array(values, argument)
    require(array.ndim == 2, argument, "have shape (n, k)", f"shape {array.shape}", way_out=_shape_hint(array))
    require(array.shape[0] > 0, argument, "have at least one row", f"shape {array.shape}")
    hint = "one probability a row goes through Predictions.binary"
    require(array.shape[1] > 1, argument, "have at least two columns", f"shape {array.shape}", way_out=hint)
    given = getattr(values, "dtype", array.dtype)  # bfloat16 has been widened
    half = getattr(given, "itemsize", 0) == 2 and array.dtype.kind == "f"
    require(array.dtype.kind in "fiu", argument, "hold real numbers", f"dtype {array.dtype}")
    kept = array.dtype.newbyteorder("=") in (np.float32, np.float64)
    dtype = array.dtype.newbyteorder("=") if kept else np.dtype(np.float32 if half else np.float64)
    if array.dtype == np.float16:
        return frozen(widened(np.ascontiguousarray(array))), half
    return frozen(np.ascontiguousarray(array, dtype=dtype)), half


def frozen(array: Array) -> Array:
    """Return a read-only view; the array itself stays as it was."""
    view = array.view()
    view.flags.writeable = False
    return view


def hard_or_soft_labels(values: ArrayLike, n: int, k: int, classes: tuple[str, ...] | None) -> Array:
    """Return hard labels (n,) int64, or soft labels (n, k) float64 whose rows sum to 1."""
    array = as_array(values, "labels")
    if array.ndim == 2:
        return _soft_labels(array, n, k)
    require(array.shape == (n,), "labels", f"have shape ({n},) or ({n}, {k})", f"shape {array.shape}")
    if array.dtype.kind in "UOST":
        return frozen(_named_labels(array, classes))
    whole = array.dtype.kind in "iub"
    hint = "convert them, for instance labels.astype(int)"
    require(whole, "labels", "be whole class indices or class names", f"dtype {array.dtype}", way_out=hint)
    wrong = np.flatnonzero((array < 0) | (array >= k))
    if wrong.size:
        where = f"in row {wrong[0]} ({wrong.size} of {n} rows)"
        raise DataError(sentence("labels", f"lie in 0..{k - 1}", array[wrong[0]], where=where))
    return frozen(np.ascontiguousarray(array, dtype=np.int64))


def _soft_labels(array: Array, n: int, k: int) -> Floats:
    require(array.shape == (n, k), "soft labels", f"have shape ({n}, {k})", f"shape {array.shape}")
    require(array.dtype.kind in "fiub", "soft labels", "hold real numbers", f"dtype {array.dtype}")
    soft = np.ascontiguousarray(array, dtype=np.float64)
    sums = soft.sum(1)
    bad = ~((soft >= 0).all(1) & (np.abs(sums - 1) <= ROW_SUM_TOLERANCE))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        where = f"in row {row} ({int(bad.sum())} of {n} rows)"
        condition = "be non-negative and sum to 1"
        raise DataError(sentence("each row of soft labels", condition, f"sum {sums[row]:.6g}", where=where))
    return frozen(soft)


def _named_labels(array: Array, classes: tuple[str, ...] | None) -> NDArray[np.int64]:
    if classes is None:
        raise DataError(
            sentence("labels", "be class indices when no class names are given", "names", way_out="pass classes=")
        )
    index = {name: i for i, name in enumerate(classes)}
    names = [text(name) for name in array.tolist()]
    unknown = [i for i, name in enumerate(names) if name not in index]
    if unknown:
        where = f"in row {unknown[0]} ({len(unknown)} of {len(names)} rows)"
        way_out = f"classes are {_few(classes)}"
        raise DataError(
            sentence("labels", "be among the classes", repr(names[unknown[0]]), where=where, way_out=way_out)
        )
    return np.array([index[name] for name in names], dtype=np.int64)


def row_weights(values: ArrayLike, n: int) -> Floats:
    """Return the weights (n,) as float64: finite, not negative, not all zero."""
    array = as_array(values, "weights")
    require(array.shape == (n,), "weights", f"have shape ({n},)", f"shape {array.shape}")
    require(array.dtype.kind in "fiub", "weights", "hold real numbers", f"dtype {array.dtype}")
    weights = np.ascontiguousarray(array, dtype=np.float64)
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if bad.size:
        where = f"in row {bad[0]} ({bad.size} of {n} rows)"
        raise DataError(sentence("weights", "be finite and not negative", weights[bad[0]], where=where))
    require(bool(weights.any()), "weights", "have a positive sum", 0)
    low, high = float(weights[weights > 0].min()), float(weights.max())
    hint = "only their ratios matter: divide them by their mean"
    require(low >= 1e-100 and high <= 1e100, "weights", "lie between 1e-100 and 1e100, or be 0", high, way_out=hint)
    return frozen(weights)


def feature_matrix(values: ArrayLike, n: int) -> NDArray[np.floating]:
    """Return the features (n, d) as a contiguous float array; half precision is widened to float32."""
    array = as_array(values, "features")
    require(array.ndim == 2 and array.shape[0] == n, "features", f"have shape ({n}, d)", f"shape {array.shape}")
    require(array.dtype.kind in "fiub", "features", "hold real numbers", f"dtype {array.dtype}")
    dtype = (
        array.dtype
        if array.dtype in (np.float32, np.float64)
        else np.dtype(np.float32 if array.dtype.itemsize == 2 else np.float64)
    )
    clean = np.ascontiguousarray(array, dtype=dtype)
    finite = np.isfinite(clean).all(1)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        where = f"in row {row} ({int((~finite).sum())} of {n} rows)"
        raise DataError(sentence("features", "be finite", "NaN or infinity", where=where))
    return frozen(clean)


def column(values: ArrayLike, n: int, argument: str) -> Array:
    """Return a column (n,) of groups or ids: whole numbers or text."""
    array = as_array(values, argument)
    require(array.shape == (n,), argument, f"have shape ({n},)", f"shape {array.shape}")
    if array.dtype.kind in "iub":
        return frozen(array)
    require(array.dtype.kind in "UOST", argument, "be whole numbers or text", f"dtype {array.dtype}")
    listed = array.tolist()
    missing = next((i for i, value in enumerate(listed) if value is None or value != value), None)
    if missing is not None:
        where, way_out = f"at row {missing}", "give rows without a value one of their own"
        raise DataError(
            sentence(argument, "have a value in each row", str(listed[missing]), where=where, way_out=way_out)
        )
    return frozen(np.array([text(value) for value in listed], dtype=np.str_))


def class_names(values: Sequence[Any], k: int) -> tuple[str, ...]:
    """Return the k distinct class names as text."""
    listed = np.asarray(values, dtype=object)
    require(listed.ndim == 1, "classes", "be a list of names", f"{type(values).__name__}")
    names = tuple(text(value) for value in listed.tolist())
    require(len(names) == k, "classes", f"hold one name for each of the {k} columns", f"{len(names)} names")
    double = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < k else []
    require(not double, "classes", "be distinct", f"{double[:1]} twice")
    return names


def row_keys(ids: Array | None, positions: Array | None, start: int, n: int) -> NDArray[np.uint64]:
    """Return one 64-bit key a row: the ids, hashed if they are text, or the global positions."""
    if ids is None and positions is not None:
        return positions
    if ids is None:
        return np.arange(start, start + n, dtype=np.uint64)
    if ids.dtype.kind in "iub":
        return ids.astype(np.int64).astype(np.uint64)
    digests = [hashlib.blake2b(str(value).encode(), digest_size=8).digest() for value in ids.tolist()]
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


def text(value: Any) -> str:
    """Return a name as text; bytes are read as UTF-8."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def as_array(values: ArrayLike, argument: str) -> Array:
    """Return the argument as an array; ``DataError`` if it is ragged or structured."""
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        condition = "be one rectangular array"
        raise DataError(
            sentence(argument, condition, type(values).__name__, way_out=str(error).split("\n")[0])
        ) from None
    require(array.dtype.names is None, argument, "be a plain array", "a structured array")
    if array.dtype.kind == "V" and array.dtype.itemsize == 2:  # bfloat16 of ml_dtypes
        array = array.astype(np.float32)
    return array


def _shape_hint(array: Array) -> str:
    return "one probability a row goes through Predictions.binary" if array.ndim == 1 else ""


def _few(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def fault_sentence(kind: str, scores: NDArray[np.floating], fault: str, row: int, column: int) -> str:
    """Return the sentence of the first bad entry that the read of the scores found."""
    argument = "probabilities" if kind == "probability" else "logits"
    if fault == "empty":
        return sentence("each row of logits", "have a finite entry", "only -inf", where=f"in row {row}")
    condition = "be finite and not negative" if kind == "probability" else "be real numbers or -inf"
    return sentence(argument, condition, scores[row, column], where=f"in row {row}, column {column}")


def normalized(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the rows (n, k) divided by their sums; a row with a negative entry becomes NaN, for the read to refuse."""
    sums = np.where(scores >= 0, scores, np.nan).sum(1, keepdims=True, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return frozen((scores / sums).astype(scores.dtype))
