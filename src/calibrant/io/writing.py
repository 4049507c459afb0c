"""Writing predictions as NumPy archives: beside the place, then renamed, so that nobody sees half of one."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np

from calibrant.errors import DataError, require, sentence
from calibrant.io.columns import CLASS_NAMES, COMPANIONS
from calibrant.io.tables import Array, few
from calibrant.persistence import beside
from calibrant.predictions import Predictions

_PIECE = 1 << 24  # bytes copied at a time


def write(path: str | os.PathLike[str], predictions: Predictions) -> Path:
    """Write one batch to an ``.npz`` archive: probabilities, and what came with the rows.

    The arrays are ``probabilities (n, k)`` and, where the batch has them, ``labels, weights, features,
    groups, ids, class_names``; logits are written as the probabilities that they mean. The archive is either
    complete or not there; nothing in it is pickled, and the same batch gives the same bytes.

    Raises
    ------
    DataError : if the path does not end in ``.npz`` or cannot be written.
    """
    with _archive(path) as (target, archive):
        for name, array in _arrays(predictions).items():
            _add(archive, name, array.dtype, array.shape, [array])
        _add_class_names(archive, predictions.classes)
    return target


def write_batches(path: str | os.PathLike[str], batches: Iterable[Predictions]) -> Path:
    """Write batches one after the other as one archive, in the memory of two batches and of the 1-D columns.

    The arrays are those of `write`; every batch must have the columns, the classes and the precision of the
    first. Matrices wait in temporary files beside the path until the number of rows is known.

    Raises
    ------
    DataError : as in `write`, if there is no batch, or if a batch is not like the first.
    """
    with _archive(path) as (target, archive), ExitStack() as stack:
        rest = iter(batches)
        first = next(rest, None)
        if first is None:
            raise DataError(sentence("batches", "hold at least one batch", 0))
        spools = {name: _Spool(stack, target.parent, array) for name, array in _arrays(first).items()}
        for number, batch in enumerate(chain([first], rest)):
            names = f"the class names of the first in batch {number}"
            require(batch.classes == first.classes, "batches", f"have {names}", batch.classes or "none")
            _append(spools, _arrays(batch), number)
        for name, spool in spools.items():
            _add(archive, name, spool.dtype, (spool.rows, *spool.tail), spool.pieces())
        _add_class_names(archive, first.classes)
    return target


def _arrays(predictions: Predictions) -> dict[str, Array]:
    """Return the arrays of the archive, one row a prediction, by name."""
    companions = {name: getattr(predictions, name) for name in COMPANIONS}
    present = {name: array for name, array in companions.items() if array is not None}
    return {"probabilities": predictions.probabilities, **present}


class _Spool:
    """The rows of one array, batch after batch: matrices in a temporary file, columns in memory.

    A column of text is as wide as its longest entry, which is known after the last batch.
    """

    def __init__(self, stack: ExitStack, folder: Path, like: Array) -> None:
        self.dtype, self.tail, self.rows = like.dtype, like.shape[1:], 0
        self.columns: list[Array] = []
        self.file = stack.enter_context(tempfile.TemporaryFile(dir=folder)) if self.tail else None  # noqa: SIM115

    def suits(self, array: Array) -> bool:
        """Return whether the array can follow: the same entries, or text of any length."""
        same = array.dtype == self.dtype or array.dtype.kind == self.dtype.kind == "U"
        return same and array.shape[1:] == self.tail

    def append(self, array: Array) -> None:
        """Take the rows of one batch."""
        self.rows += len(array)
        if self.file is not None:
            _write(self.file, array)
        else:
            self.columns.append(array)
            self.dtype = np.promote_types(self.dtype, array.dtype)

    def pieces(self) -> Iterator[Array]:
        """Yield the rows in order, as arrays of the dtype of all or as their bytes."""
        for column in self.columns:
            yield column.astype(self.dtype, copy=False)
        if self.file is not None:
            self.file.seek(0)
            while piece := self.file.read(_PIECE):
                yield np.frombuffer(piece, dtype=np.uint8)


def _append(spools: dict[str, _Spool], arrays: dict[str, Array], number: int) -> None:
    if {*arrays} != {*spools}:
        got, where = few(list(arrays)), f"in batch {number}"
        raise DataError(sentence("batches", f"all have {few(list(spools))}", got, where=where))
    for name, array in arrays.items():
        if not spools[name].suits(array):
            got, where = f"{array.dtype} of shape {array.shape}", f"in batch {number}"
            raise DataError(sentence(name, "have the type and width of the first batch", got, where=where))
        spools[name].append(array)


def _add_class_names(archive: zipfile.ZipFile, classes: tuple[str, ...] | None) -> None:
    if classes is not None:
        names = np.array(classes, dtype=np.str_)
        _add(archive, CLASS_NAMES, names.dtype, names.shape, [names])


def _add(
    archive: zipfile.ZipFile,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    pieces: Iterable[Array],
) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, header)
        for piece in pieces:
            _write(member, piece)


def _write(file: IO[bytes], array: Array) -> None:
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    for start in range(0, len(flat), _PIECE):
        file.write(flat[start : start + _PIECE].data)


@contextmanager
def _archive(path: str | os.PathLike[str]) -> Iterator[tuple[Path, zipfile.ZipFile]]:
    """Open an archive that takes the place of the path at the end."""
    target = Path(path)
    if target.suffix.lower() != ".npz":
        raise DataError(sentence("output", "end in .npz", repr(target.name)))
    with beside(target) as file, zipfile.ZipFile(file, "w") as archive:
        yield target, archive
