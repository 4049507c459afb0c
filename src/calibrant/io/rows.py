"""Which rows of a file are read: ``"split=0"`` or ``"0:5000"``, alike on whole and on chunked reading."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import DataError, require, sentence
from calibrant.io.tables import Array, Block, Field
from calibrant.validation import text

_RANGE = re.compile(r"\s*([0-9]{0,18})\s*:\s*([0-9]{0,18})\s*")
_WHERE = re.compile(r"\s*([^=]*[^=\s])\s*=\s*([^=\s].*?)\s*")
_TRUTH = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}


@dataclass(frozen=True)
class RowRange:
    """The rows start, ..., stop - 1 of the file, counted from 0; ``stop`` None means up to the last."""

    start: int = 0
    stop: int | None = None
    column: ClassVar[None] = None

    def of(self, block: Block, fields: Mapping[str, Field], first: int) -> Block:
        """Return the selected rows of a block whose first row is row ``first`` of the file."""
        del fields  # a range looks at no column
        return block.take(slice(max(self.start - first, 0), None if self.stop is None else max(self.stop - first, 0)))

    def __str__(self) -> str:
        return f"{self.start}:{'' if self.stop is None else self.stop}"


@dataclass(frozen=True)
class RowsWhere:
    """The rows whose entry in a column equals a value."""

    column: str
    value: str
    start: ClassVar[int] = 0
    stop: ClassVar[None] = None

    def of(self, block: Block, fields: Mapping[str, Field], first: int) -> Block:
        """Return the selected rows of a block, wherever in the file it is."""
        del first  # whether a row is selected depends on the row alone
        return block.take(self.among(block.column(fields[self.column], "marks")))

    def among(self, marks: Array) -> NDArray[np.bool_]:
        """Return the mask (n,) of the marks that equal the value: numbers as numbers, text as text."""
        got = f"shape {marks.shape}"
        require(marks.ndim == 1, f"the column of rows={str(self)!r}", "have one entry a row", got)
        if marks.dtype.kind not in "biuf":
            return self._among_text([text(mark) for mark in marks.tolist()])
        number = _TRUTH.get(self.value.lower()) if marks.dtype.kind == "b" else _number(self.value)
        if number is None:
            got, way_out = repr(self.value), f"{self.column!r} holds {marks.dtype} values"
            raise DataError(sentence("rows", "name a value that the column can hold", got, way_out=way_out))
        if marks.dtype.kind == "f":  # numpy compares in the precision of the file: 0.1 finds the float32 0.1
            number = float(self.value)
        return np.asarray(marks == number)

    def _among_text(self, cells: list[str]) -> NDArray[np.bool_]:
        number = _number(self.value)
        hits = {cell for cell in set(cells) if cell == self.value or (number is not None and _number(cell) == number)}
        return np.array([cell in hits for cell in cells], dtype=bool)

    def __str__(self) -> str:
        return f"{self.column}={self.value}"


Selection = RowRange | RowsWhere
EVERY_ROW = RowRange()


def selection(rows: str | None) -> Selection:
    """Return what ``rows`` asks for: all rows for None; ``DataError`` for what is neither form."""
    if rows is None:
        return EVERY_ROW
    condition = 'read "COLUMN=VALUE" or "START:STOP"'
    where, span = _WHERE.fullmatch(rows), _RANGE.fullmatch(rows)
    if where:
        return RowsWhere(where[1], where[2])
    if span:
        return RowRange(int(span[1] or 0), int(span[2]) if span[2] else None)
    way_out = 'for instance rows="split=0" or rows="0:5000"; rows are counted from 0'
    raise DataError(sentence("rows", condition, repr(rows), way_out=way_out))


def _number(value: str) -> float | None:
    """Return the number that a text spells, or None; whole numbers stay exact beyond 2^53."""
    for read in (int, float):
        try:
            return read(value)
        except ValueError:
            continue
    return None
