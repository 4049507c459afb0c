"""Records in one file: a JSON header and raw arrays in the safetensors format, no pickle anywhere.

A file is written beside its place and renamed, so that nobody ever sees half of one. The header carries a
digest of everything in the file; a damaged, unknown or hostile file is one clear error.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from calibrant.errors import DataError, sentence

FORMAT = "calibrant"
VERSION = 1
_KEY = "calibrant"
_WAY_OUT = "save the map again with this version of calibrant"

Arrays = dict[str, NDArray[Any]]


def write_record(path: str | os.PathLike[str], header: dict[str, Any], arrays: Arrays) -> Path:
    """Write one record; the file is either complete or not there."""
    header = {**header, "format": FORMAT, "version": VERSION}
    header["digest"] = _digest(header, arrays)
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    body = json.dumps(header, allow_nan=False)
    return write_atomically(path, safetensors.numpy.save(whole, metadata={_KEY: body}))


def read_record(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Arrays]:
    """Read one record: its header and arrays, whose digest agrees; ``DataError`` otherwise."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    except (safetensors.SafetensorError, ValueError, TypeError, AttributeError, MemoryError, OverflowError) as error:
        raise _unreadable(path, f"a damaged file ({error})") from None
    header = _header(path, metadata)
    if header.pop("digest", None) != _digest(header, arrays):
        raise _unreadable(path, "a damaged file (the digest does not agree)")
    return header, arrays


def write_atomically(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write the bytes beside the path, then rename; ``DataError`` if the place cannot be written."""
    with beside(path) as file:
        file.write(content)
    return Path(path)


@contextmanager
def beside(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a new file beside the path; rename it to the path at the end, or leave nothing if anything fails.

    The path may be a link to a file: that file is replaced.

    Raises
    ------
    DataError : if the place cannot be written, or holds something else than a file.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        reason = os.strerror(errno.EISDIR) if target.is_dir() else "no file"
        raise DataError(sentence("output", "be a file in a folder that can be written", f"{str(path)!r} ({reason})"))
    hidden = target.parent / f".{target.name}.{secrets.token_hex(4)}"
    try:
        try:
            with hidden.open("xb") as file:
                yield file
            hidden.replace(target)
        except BaseException:
            hidden.unlink(missing_ok=True)
            raise
    except OSError as error:
        got = f"{str(target)!r} ({error.strerror or error})"
        raise DataError(sentence("output", "be a file in a folder that can be written", got)) from None


def _header(path: str | os.PathLike[str], metadata: dict[str, str]) -> dict[str, Any]:
    try:
        header = json.loads(metadata[_KEY])
    except (KeyError, ValueError, RecursionError):
        raise _unreadable(path, "a file that calibrant did not write") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise _unreadable(path, "a file that calibrant did not write")
    if header.get("version") != VERSION:
        got = f"version {header.get('version')!r} of the format"
        raise DataError(
            sentence(f"map file {str(path)!r}", f"have version {VERSION} of the format", got, way_out=_WAY_OUT)
        )
    return header


def _digest(header: dict[str, Any], arrays: Arrays) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}:{array.dtype.str}:{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _unreadable(path: str | os.PathLike[str], got: str) -> DataError:
    return DataError(sentence(f"map file {str(path)!r}", "be a map saved by calibrant", got))
