"""From a path to its table: the ending says the format; a folder is one of ``.npy`` files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from calibrant.io.delimited import DelimitedTable
from calibrant.io.npz import folder_table, npz_table
from calibrant.io.parquet import ParquetTable
from calibrant.io.tables import Table, unreadable

_FORMATS: dict[str, Callable[[str], Table]] = {
    ".npz": npz_table,
    ".csv": DelimitedTable,
    ".parquet": ParquetTable,
}


def open_table(path: str | os.PathLike[str]) -> Table:
    """Return the table of a file; ``DataError`` if it cannot be one of the known formats."""
    file = Path(path)
    if _is_folder(file):
        return folder_table(str(path))
    kind = _FORMATS.get(file.suffix.lower())
    if kind is None:
        raise unreadable(str(path), f"end in one of {', '.join(_FORMATS)}", repr(file.suffix))
    try:
        size = file.stat().st_size
    except (OSError, ValueError) as error:
        raise unreadable(str(path), "be readable", getattr(error, "strerror", None) or str(error)) from None
    if not file.is_file():
        raise unreadable(str(path), "be a file or a folder", "something else")
    if not size:
        raise unreadable(str(path), "hold predictions", "an empty file")
    return kind(str(path))


def _is_folder(file: Path) -> bool:
    try:
        return file.is_dir()
    except (OSError, ValueError):  # a name that cannot be one: told as that of a file
        return False
