"""One small batch with everything that can come with rows, and files of it that calibrant did not write."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from calibrant import io
from calibrant.errors import DataError

Columns = dict[str, Any]
CLASSES = ["cat", "dog, wild", 'an "owl"']
SPLIT = [0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0]


@pytest.fixture
def columns() -> Columns:
    """Eleven rows of three classes; 11 is not a multiple of the chunk sizes that the tests use."""
    rng = np.random.default_rng(7)
    return {
        "probabilities": rng.dirichlet(np.ones(3), 11),
        "labels": rng.integers(0, 3, 11),
        "weights": rng.uniform(0.5, 2, 11),
        "features": rng.normal(size=(11, 2)),
        "groups": np.array(["x", "yy"])[rng.integers(0, 2, 11)],
        "ids": rng.permutation(11) + 1000,
        "split": np.array(SPLIT),
    }


def as_text(columns: Columns) -> tuple[list[str], list[list[Any]]]:
    """Return the header and the lines of the one-column-a-class layout, the class columns apart on purpose."""
    named = [CLASSES[label] for label in columns["labels"]]
    probability = {f"probability:{name}": columns["probabilities"][:, c] for c, name in enumerate(CLASSES)}
    features = {f"feature:{c}": columns["features"][:, c] for c in range(2)}
    others = {name: columns[name] for name in ("weights", "groups", "ids", "split")}
    first, *rest = probability.items()
    wide = dict([first, ("labels", named), *rest, *features.items(), *others.items()])
    cells = [column.tolist() if isinstance(column, np.ndarray) else column for column in wide.values()]
    return list(wide), [list(line) for line in zip(*cells, strict=True)]


def _write_csv(path: Path, columns: Columns) -> None:
    header, lines = as_text(columns)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *lines])


def _write_wide_parquet(path: Path, columns: Columns) -> None:
    header, lines = as_text(columns)
    arrays = [list(column) for column in zip(*lines, strict=True)]
    pq.write_table(pa.table(arrays, names=header), path, row_group_size=4)


def _write_list_parquet(path: Path, columns: Columns) -> None:
    table = {name: pa.array(column) for name, column in columns.items() if column.ndim == 1}
    flat = pa.array(columns["probabilities"].ravel())
    table["probabilities"] = pa.FixedSizeListArray.from_arrays(flat, 3)
    table["features"] = pa.array(columns["features"].tolist())
    metadata = {"class_names": json.dumps(CLASSES)}
    pq.write_table(pa.table(table).replace_schema_metadata(metadata), path, row_group_size=4)


WRITERS: dict[str, Callable[[Path, Columns], None]] = {
    "stored.npz": lambda path, columns: np.savez(path, **columns, class_names=CLASSES),
    "compressed.NPZ": lambda path, columns: _compressed(path, columns),
    "text.csv": _write_csv,
    "wide.parquet": _write_wide_parquet,
    "list.parquet": _write_list_parquet,
}


def _compressed(path: Path, columns: Columns) -> None:
    with path.open("wb") as file:  # numpy would append .npz to the capital ending
        np.savez_compressed(file, **columns, class_names=CLASSES)


@pytest.fixture(params=list(WRITERS))
def file(request: pytest.FixtureRequest, tmp_path: Path, columns: Columns) -> Path:
    """A file of the batch, one of each layout."""
    path = tmp_path / request.param
    WRITERS[request.param](path, columns)
    return path


@pytest.fixture
def npz(tmp_path: Path) -> Callable[..., Path]:
    """Write arrays to an archive and return its path."""

    def write(**arrays: Any) -> Path:
        np.savez(tmp_path / "a.npz", **arrays)
        return tmp_path / "a.npz"

    return write


@pytest.fixture
def text(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Write text or bytes to a CSV file and return its path."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "a.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def parquet(tmp_path: Path) -> Callable[..., Path]:
    """Write columns to a Parquet file, class names to its metadata, and return its path."""

    def write(columns: Columns, class_names: bytes | None = None) -> Path:
        table = pa.table(columns)
        if class_names is not None:
            table = table.replace_schema_metadata({b"class_names": class_names})
        pq.write_table(table, tmp_path / "a.parquet")
        return tmp_path / "a.parquet"

    return write


@pytest.fixture
def refusal() -> Callable[..., str]:
    """Return the one sentence with which a file is refused, read whole and read by chunks."""

    def sentence(path: Path, batch_rows: int = 2, **options: Any) -> str:
        with pytest.raises(DataError) as whole:
            io.read(path, **options)
        with pytest.raises(DataError) as chunked:
            list(io.batches(path, batch_rows=batch_rows, **options))
        for message in (str(whole.value), str(chunked.value)):
            assert "\n" not in message
            assert " must " in message
            assert path.name in message
        assert whole.value.__context__ is None or whole.value.__suppress_context__
        return str(whole.value)

    return sentence
