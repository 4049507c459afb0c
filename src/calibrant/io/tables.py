"""What the three file formats have in common: named fields in rows, read block by block.

A format offers a `Table`; the conventions of `columns` are written once, on top of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import DataError, sentence

Array = NDArray[Any]
Rows = NDArray[np.bool_] | slice

# What a reader wants of a field: real numbers; labels as they are written; ids or groups (whole numbers or
# text); or marks, which are only compared with a value, so that a missing cell is allowed.
Holds = Literal["numbers", "labels", "keys", "marks"]

# Whole numbers in their shortest form that fit in 64 bits: "007" is a name, not seven.
WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")


@dataclass(frozen=True)
class Field:
    """One array, one column, or the columns ``PREFIX:NAME`` that stand for one array (n, m).

    ``members`` are the NAMEs in column order; empty for a field that is one array or column by itself.
    """

    name: str
    columns: tuple[str, ...]
    members: tuple[str, ...] = ()

    @property
    def wide(self) -> bool:
        """Whether the field is spread over one column a member."""
        return bool(self.members)


class Block(Protocol):
    """A run of rows as the file holds them; a field is converted when it is asked for, not before."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def take(self, rows: Rows) -> Block:
        """Return the block of the given rows."""

    def column(self, field: Field, holds: Holds) -> Array:
        """Return a field, (n,) or (n, m); ``DataError`` names a cell that is not what it must hold."""


class Table(Protocol):
    """An open-able file: its fields, its class names if it states any, and its rows in blocks."""

    path: str
    noun: str  # what the format calls a field: "array" or "column"
    fields: dict[str, Field]
    class_names: tuple[str, ...] | None

    def blocks(self, fields: Sequence[Field], size: int | None) -> Iterator[Block]:
        """Yield the rows from the first on, at most ``size`` a block; None leaves the size to the format."""


def unreadable(path: str, condition: str, got: object = None, *, where: str = "", way_out: str = "") -> DataError:
    """Return the error about a file as a whole."""
    return DataError(sentence(f"file {path!r}", condition, got, where=where, way_out=way_out))


def few(names: Sequence[str], most: int = 6) -> str:
    """Return the first names as a list for a sentence."""
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")
