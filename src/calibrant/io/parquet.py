"""Parquet files through pyarrow: plain, list and fixed-size-list columns, or one column a class.

Rows are read forwards in record batches, so that memory is that of one block and of one compressed row group.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import DataError, MissingExtra, sentence
from calibrant.io.columns import by_field
from calibrant.io.tables import Array, Field, Holds, Rows, unreadable
from calibrant.validation import text

_BLOCK_ROWS = 1 << 16


class ParquetTable:
    """The columns of one ``.parquet`` file; its schema metadata may name the classes."""

    noun = "column"

    def __init__(self, path: str) -> None:
        self.path = path
        with _file(path) as file:
            schema = file.schema_arrow
        self.fields = by_field(schema.names, path)
        self.class_names = _class_names((schema.metadata or {}).get(b"class_names"), path)

    def blocks(self, fields: Sequence[Field], size: int | None) -> Iterator[ParquetBlock]:
        """Yield the rows, at most ``size`` a block."""
        wanted = [column for field in fields for column in field.columns]
        first, widths = 0, dict[str, int]()
        with _file(self.path) as file:
            for batch in file.iter_batches(batch_size=size or _BLOCK_ROWS, columns=wanted):
                rows = np.arange(first, first + len(batch))
                yield ParquetBlock(self.path, batch, rows, widths)
                first += len(batch)


@dataclass(frozen=True, eq=False)
class ParquetBlock:
    """A run of rows as Arrow holds them; ``rows`` are their positions in the file."""

    path: str
    batch: Any
    rows: NDArray[np.int64]
    widths: dict[str, int]  # of the list columns seen so far in the file

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Rows) -> ParquetBlock:
        """Return the block of the given rows."""
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(len(self))
            picked = self.batch.slice(start, max(stop - start, 0))
        else:
            picked = self.batch.filter(_pyarrow().array(rows))
        return replace(self, batch=picked, rows=self.rows[rows])

    def column(self, field: Field, holds: Holds) -> Array:
        """Return a field as its type says; only marks may have missing cells."""
        parts = [self._one(column, holds) for column in field.columns]
        return np.column_stack(parts) if field.wide else parts[0]  # (n, m) or as it is

    def _one(self, column: str, holds: Holds) -> Array:
        array = _simplified(self.batch.column(column))
        kind = _pyarrow().types
        if kind.is_list(array.type) or kind.is_large_list(array.type) or kind.is_fixed_size_list(array.type):
            return self._matrix(array, column)
        if holds != "marks":
            self._complete(array, column, self.rows)
        if _textual(array.type):
            return np.array([text(value or "") for value in array.to_pylist()], dtype=np.str_)
        return np.asarray(array.to_numpy(zero_copy_only=False))

    def _matrix(self, array: Any, column: str) -> Array:
        self._complete(array, column, self.rows)
        lengths = np.asarray(array.value_lengths())
        if not len(lengths):
            return np.empty((0, 0))
        width = self.widths.setdefault(column, int(lengths[0]))
        ragged = np.flatnonzero(lengths != width)
        if ragged.size:
            where = f"in row {self.rows[ragged[0]]}, column {column!r}"
            got = int(lengths[ragged[0]])
            raise unreadable(self.path, f"have {width} entries in every list", got, where=where)
        entries = _simplified(array.flatten())
        if not _numeric(entries.type):
            condition, where = "have numbers in every list", f"in column {column!r}"
            raise unreadable(self.path, condition, entries.type, where=where)
        self._complete(entries, column, self.rows.repeat(width))
        return np.asarray(entries.to_numpy(zero_copy_only=False)).reshape(len(self), width)

    def _complete(self, array: Any, column: str, rows: NDArray[np.int64]) -> None:
        if array.null_count:
            missing = np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))
            where = f"in row {rows[missing[0]]}, column {column!r} ({array.null_count} missing)"
            raise unreadable(self.path, "have no missing cells", "none", where=where)


def _simplified(array: Any) -> Any:
    """Return dictionaries decoded, extension types as their storage and decimals as numbers."""
    kind = _pyarrow().types
    if hasattr(array, "storage"):
        array = array.storage
    if kind.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array.cast(_pyarrow().float64()) if kind.is_decimal(array.type) else array


def _textual(arrow_type: Any) -> bool:
    kind = _pyarrow().types
    tests = (kind.is_string, kind.is_large_string, kind.is_binary, kind.is_large_binary)
    return any(test(arrow_type) for test in tests)


def _numeric(arrow_type: Any) -> bool:
    kind = _pyarrow().types
    return bool(kind.is_floating(arrow_type) or kind.is_integer(arrow_type))


def _class_names(entry: bytes | None, path: str) -> tuple[str, ...] | None:
    if entry is None:
        return None
    try:
        names = json.loads(entry)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str | int) for name in names):
        got = repr(entry.decode("utf-8", "replace")[:40])
        raise unreadable(path, "have class_names in its metadata as a JSON list of names", got)
    return tuple(text(name) for name in names)


@contextmanager
def _file(path: str) -> Iterator[Any]:
    """Open the file; whatever a damaged one raises becomes one sentence."""
    arrow = _pyarrow()
    try:
        parquet = importlib.import_module("pyarrow.parquet")
        with parquet.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file:
            yield file
    except DataError:
        raise
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).split("\n")[0]
        raise unreadable(path, "be an undamaged Parquet file", f"a damaged one ({reason})") from None


def _pyarrow() -> ModuleType:
    try:
        return importlib.import_module("pyarrow")
    except ModuleNotFoundError:
        condition, way_out = "be installed to read Parquet files", "pip install 'calibrant[io]'"
        raise MissingExtra(sentence("pyarrow", condition, way_out=way_out)) from None
