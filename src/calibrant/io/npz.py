"""NumPy archives and folders: arrays by name, read whole or row block by row block, never unpickled.

A zip member cannot be mapped into memory, but it can be read forwards: all wanted arrays advance together, so
that a stored or compressed archive larger than memory takes the memory of one block.
"""

from __future__ import annotations

import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from calibrant.errors import DataError
from calibrant.io.tables import Array, Field, Holds, Rows, unreadable
from calibrant.validation import text

_SUFFIX = ".npy"
_PIECE = 1 << 20  # bytes asked of the archive at a time: it copies what it hands out
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, NotImplementedError, RuntimeError)
_HOSTILE = (MemoryError, OverflowError, SyntaxError, TypeError, tokenize.TokenError)


class Files(Protocol):
    """Open files by name; ``condition`` says what they must be when they turn out damaged."""

    condition: str

    def names(self) -> list[str]:
        """Return the names of all."""

    def opened(self, name: str) -> AbstractContextManager[tuple[IO[bytes], int]]:
        """Open a file, with its size in bytes."""


class _Archive:
    condition = "be an undamaged .npz archive"

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive

    def names(self) -> list[str]:
        return self.archive.namelist()

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[IO[bytes], int]]:
        entry = self.archive.getinfo(name)
        with self.archive.open(entry) as file:
            yield file, entry.file_size


class _Folder:
    condition = "hold undamaged .npy files"

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def names(self) -> list[str]:
        return sorted(file.name for file in self.path.iterdir() if file.is_file())

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[IO[bytes], int]]:
        with (self.path / name).open("rb") as file:
            yield file, os.fstat(file.fileno()).st_size


@contextmanager
def _archive(path: str) -> Iterator[Files]:
    with _sentences(path, _Archive.condition), zipfile.ZipFile(path) as archive:
        yield _Archive(archive)


@contextmanager
def _folder(path: str) -> Iterator[Files]:
    with _sentences(path, _Folder.condition):
        yield _Folder(path)


def npz_table(path: str) -> ArrayTable:
    """Return the table of an ``.npz`` archive."""
    if not zipfile.is_zipfile(path):
        way_out = "save it again with numpy.savez"
        raise unreadable(path, "be a complete .npz archive", "something else", way_out=way_out)
    return ArrayTable(path, _archive)


def folder_table(path: str) -> ArrayTable:
    """Return the table of a folder of ``.npy`` files: an archive that can be written, and mapped, array by array."""
    return ArrayTable(path, _folder)


class ArrayTable:
    """Arrays by name; every array is a field."""

    noun = "array"

    def __init__(self, path: str, opened: Callable[[str], AbstractContextManager[Files]]) -> None:
        self.path, self._opened = path, opened
        with opened(path) as files:
            names = [name.removesuffix(_SUFFIX) for name in files.names() if name.endswith(_SUFFIX)]
            double = sorted({name for name in names if names.count(name) > 1})
            if double:
                raise unreadable(path, "have distinct arrays", f"{double[0]!r} twice")
            self.fields = {name: Field(name, (name,)) for name in names}
            self.class_names = self._class_names(files) if "class_names" in names else None

    def _class_names(self, files: Files) -> tuple[str, ...]:
        with _member(files, self.path, "class_names") as member:
            values = member.rows(member.count)
        if values.ndim != 1 or values.dtype.kind not in "USTiu":
            got = f"shape {values.shape} of {values.dtype}"
            raise unreadable(self.path, "have class_names of shape (k,), text or whole numbers", got)
        return tuple(text(value) for value in values.tolist())

    def blocks(self, fields: Sequence[Field], size: int | None) -> Iterator[ArrayBlock]:
        """Yield the rows, at most ``size`` a block; None gives the whole file as one block."""
        names = [field.name for field in fields]
        with self._opened(self.path) as files, ExitStack() as stack:
            members = {name: stack.enter_context(_member(files, self.path, name)) for name in names}
            n = self._common_rows(members)
            step = size or max(n, 1)
            for first in range(0, n, step):
                count = min(step, n - first)
                yield ArrayBlock({name: member.rows(count) for name, member in members.items()}, count)

    def _common_rows(self, members: dict[str, _Member]) -> int:
        leading, *others = members.values()
        for other in others:
            if other.count != leading.count:
                got = f"{other.count} rows in {other.name!r} and {leading.count} in {leading.name!r}"
                raise unreadable(self.path, "have as many rows in every array", got)
        return leading.count


@dataclass(frozen=True, eq=False)
class ArrayBlock:
    """A run of rows of arrays that already hold what they hold."""

    arrays: dict[str, Array]
    count: int

    def __len__(self) -> int:
        return self.count

    def take(self, rows: Rows) -> ArrayBlock:
        """Return the block of the given rows; a slice copies nothing."""
        picked = {name: array[rows] for name, array in self.arrays.items()}
        return ArrayBlock(picked, len(next(iter(picked.values()))))

    def column(self, field: Field, holds: Holds) -> Array:
        """Return the array as it is; its type says what it holds."""
        del holds
        return self.arrays[field.name]


class _Member:
    """One array of an archive, read forwards: its header first, then rows."""

    def __init__(self, file: IO[bytes], size: int, path: str, name: str) -> None:
        self.name, self.file = name, file
        self.shape, self.fortran, self.dtype = _header(file)
        if self.dtype.hasobject:
            way_out = "save plain arrays: numpy.savez of numbers or of text (dtype str)"
            raise unreadable(path, "hold no pickled objects", f"the array {name!r}", way_out=way_out)
        if not self.shape:
            raise unreadable(path, "hold arrays with rows", f"one number as {name!r}")
        if file.tell() + math.prod(self.shape) * self.dtype.itemsize != size:
            raise ValueError(f"the size of {name!r} is not that of its header")
        self._whole: Array | None = None
        self._next = 0

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.shape[0]

    def rows(self, count: int) -> Array:
        """Return the next rows; an array in Fortran order does not lie row by row and is loaded whole."""
        if not (self.fortran and len(self.shape) > 1):
            return self._read((count, *self.shape[1:]))
        if self._whole is None:
            self._whole = self._read(self.shape[::-1]).T
        self._next += count
        return self._whole[self._next - count : self._next]

    def _read(self, shape: tuple[int, ...]) -> Array:
        buffer = np.empty(math.prod(shape) * self.dtype.itemsize, dtype=np.uint8)
        view = buffer.data
        while view:
            count = self.file.readinto(view[:_PIECE])  # type: ignore[attr-defined]
            if not count:
                raise EOFError(f"{self.name!r} ends early")
            view = view[count:]
        return np.ndarray(shape, self.dtype, buffer)


@contextmanager
def _member(files: Files, path: str, name: str) -> Iterator[_Member]:
    with files.opened(name + _SUFFIX) as (file, size):
        yield _Member(file, size, path, name)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f"version {version} of the array format")  # (3, 0) is for structured arrays alone


@contextmanager
def _sentences(path: str, condition: str) -> Iterator[None]:
    """Turn whatever a damaged or hostile archive raises into one sentence."""
    try:
        yield
    except DataError:
        raise
    except OSError as error:
        raise unreadable(path, "be readable", error.strerror or str(error)) from None
    except (*_DAMAGE, *_HOSTILE) as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise unreadable(path, condition, f"a damaged one ({reason})") from None
