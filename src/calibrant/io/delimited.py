"""Comma-separated files: UTF-8, one header line, one line a row, read through the csv module in blocks.

Cells stay text until the rows are selected; a cell that is not what it must hold is named by line and column.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, compress, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from calibrant.errors import DataError
from calibrant.io.columns import COMPANIONS, by_field
from calibrant.io.tables import WHOLE_NUMBER, Array, Field, Holds, Rows, unreadable

_BLOCK_CELLS = 1 << 15  # text cells are large: a block of them should stay near the processor

Row = list[str]


class DelimitedTable:
    """The columns of one ``.csv`` file; the classes are named by the columns ``probability:NAME``."""

    noun = "column"
    class_names: tuple[str, ...] | None = None

    def __init__(self, path: str) -> None:
        self.path = path
        with self._reader() as reader:
            self.header: Row = next(reader, [])
        if not any(self.header):
            raise unreadable(path, "have a header line with the names of its columns", "an empty line")
        if len(self.header) == 1:
            raise unreadable(path, "have columns separated by commas", f"one column {self.header[0][:80]!r}")
        self.fields = by_field(self.header, path)
        self.places = {name: place for place, name in enumerate(self.header)}

    def blocks(self, fields: Sequence[Field], size: int | None) -> Iterator[TextBlock]:
        """Yield the rows, at most ``size`` and about 32,000 cells a block."""
        keyed = any(COMPANIONS.get(field.name) == "keys" for field in fields)
        whole = self.whole_numbers if keyed else frozenset[str]()
        first = 0
        for rows in self._runs(size):
            yield TextBlock(self, rows, range(first, first + len(rows)), whole)
            first += len(rows)

    @cached_property
    def whole_numbers(self) -> frozenset[str]:
        """The columns of ids and groups that hold whole numbers and nothing else, in the whole file.

        It takes a pass of its own: a block alone cannot tell, and must not differ from the next.
        """
        names = {name for name, holds in COMPANIONS.items() if holds == "keys" and name in self.places}
        for rows in self._runs(None):
            for name in tuple(names):
                cells = map(itemgetter(self.places[name]), rows)
                if not all(WHOLE_NUMBER.fullmatch(cell) for cell in cells if cell):
                    names.remove(name)
        return frozenset(names)

    def line_of(self, row: int) -> int:
        """Return the number of the (last) line of a row; found by reading again, since only errors ask."""
        with self._reader() as reader:
            next(reader)
            next(islice(filter(None, reader), row, None))
            return int(reader.line_num)

    def _runs(self, size: int | None) -> Iterator[list[Row]]:
        """Yield runs of rows of the width of the header; blank lines are not rows."""
        width = len(self.header)
        at_once = max(1, _BLOCK_CELLS // width)
        first = 0
        with self._reader() as reader:
            next(reader)
            rows = filter(None, reader)
            while run := list(islice(rows, min(size or at_once, at_once))):
                ragged = next((i for i, row in enumerate(run) if len(row) != width), None)
                if ragged is not None:
                    got, where = len(run[ragged]), f"in line {self.line_of(first + ragged)}"
                    raise unreadable(self.path, f"have {width} cells in every line", got, where=where)
                yield run
                first += len(run)

    @contextmanager
    def _reader(self) -> Iterator[Any]:
        """Open the file; what the csv module or the decoder cannot read becomes one sentence."""
        reader = None
        try:
            with Path(self.path).open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, strict=True, skipinitialspace=True)
                yield reader
        except UnicodeDecodeError as error:
            got = f"byte {error.object[error.start]:#04x}"
            raise unreadable(self.path, "be text in UTF-8", got, way_out="save it as UTF-8") from None
        except csv.Error as error:
            where = f"in line {reader.line_num}" if reader else ""
            raise unreadable(self.path, "be comma-separated values", str(error), where=where) from None
        except OSError as error:
            raise unreadable(self.path, "be readable", error.strerror or str(error)) from None


@dataclass(frozen=True, eq=False)
class TextBlock:
    """A run of rows of text cells, with the position of each in the file."""

    table: DelimitedTable
    rows: list[Row]
    positions: Sequence[int]
    whole: frozenset[str]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Rows) -> TextBlock:
        """Return the block of the given rows."""
        if isinstance(rows, slice):
            return replace(self, rows=self.rows[rows], positions=self.positions[rows])
        kept = rows.tolist()
        positions = list(compress(self.positions, kept))
        return replace(self, rows=list(compress(self.rows, kept)), positions=positions)

    def column(self, field: Field, holds: Holds) -> Array:
        """Return a field: float64 for numbers, int64 for ids and groups of whole numbers, else text."""
        places = [self.table.places[column] for column in field.columns]
        if holds == "numbers" or field.wide:
            numbers = self._numbers(places)  # (n, m)
            return numbers if field.wide else numbers[:, 0]
        cells = list(map(itemgetter(places[0]), self.rows))
        if holds != "marks" and "" in cells:
            raise self._bad_cell(cells.index(""), places[0])
        if holds == "keys" and field.name in self.whole:
            return np.array(list(map(int, cells)), dtype=np.int64)
        if "\0" in "".join(cells):  # an array of text would drop it at the end of a cell
            i = next(i for i, cell in enumerate(cells) if "\0" in cell)
            where = f"in line {self.table.line_of(self.positions[i])}"
            raise unreadable(self.table.path, "be text without NUL characters", repr(cells[i]), where=where)
        return np.array(cells, dtype=np.str_)

    def _numbers(self, places: list[int]) -> Array:
        if places[-1] - places[0] == len(places) - 1:  # side by side, as they mostly are
            picked = [row[places[0] : places[-1] + 1] for row in self.rows]
        else:
            picked = [[row[place] for place in places] for row in self.rows]
        count = len(picked) * len(places)
        try:
            numbers = np.fromiter(map(float, chain.from_iterable(picked)), np.float64, count)
        except ValueError:
            cells = ((i, j) for i, row in enumerate(picked) for j, cell in enumerate(row) if not _is_number(cell))
            i, j = next(cells)
            raise self._bad_cell(i, places[j]) from None
        return numbers.reshape(len(picked), len(places))

    def _bad_cell(self, i: int, place: int) -> DataError:
        cell = self.rows[i][place]
        condition = "have a number in every cell" if cell else "have no missing cells"
        where = f"in line {self.table.line_of(self.positions[i])}, column {self.table.header[place]!r}"
        return unreadable(self.table.path, condition, repr(cell) if cell else "an empty one", where=where)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
