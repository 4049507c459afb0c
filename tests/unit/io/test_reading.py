"""Every layout gives the batch that was put in, whole and by chunks, all rows and some."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibrant import io
from calibrant.predictions import Predictions

CLASSES = ("cat", "dog, wild", 'an "owl"')
ROWS = {
    None: np.arange(11),
    "split=1": np.array([1, 3, 4, 7, 8, 9]),
    "split=0": np.array([0, 2, 5, 6, 10]),
    "groups=yy": None,
    "3:9": np.arange(3, 9),
    ":4": np.arange(4),
    "4:": np.arange(4, 11),
    "8:100": np.arange(8, 11),
}
COMPANIONS = ("labels", "weights", "features", "groups", "ids")


def same(batch: Predictions, columns: dict[str, Any], rows: np.ndarray) -> None:
    """Equality is exact: text files were written with all digits, the others hold the numbers themselves."""
    np.testing.assert_array_equal(batch.scores, columns["probabilities"][rows])
    for name in COMPANIONS:
        np.testing.assert_array_equal(getattr(batch, name), columns[name][rows], err_msg=name)
    assert batch.classes == CLASSES
    assert batch.kind == "probability"


def expected_rows(rows: str | None, columns: dict[str, Any]) -> np.ndarray:
    chosen = ROWS[rows]
    return np.flatnonzero(columns["groups"] == "yy") if chosen is None else chosen


@pytest.mark.parametrize("rows", ROWS)
def test_whole_file_is_what_was_put_in(file: Path, columns: dict[str, Any], rows: str | None) -> None:
    same(io.read(file, rows=rows), columns, expected_rows(rows, columns))


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("batch_rows", [1, 2, 4, 11, 1000])
def test_chunks_are_the_whole(file: Path, columns: dict[str, Any], rows: str | None, batch_rows: int) -> None:
    wanted = expected_rows(rows, columns)
    chunks = list(io.batches(file, rows=rows, batch_rows=batch_rows))
    assert max(map(len, chunks)) <= batch_rows
    assert sum(map(len, chunks)) == len(wanted)
    done = 0
    for chunk in chunks:
        same(chunk, columns, wanted[done : done + len(chunk)])
        done += len(chunk)


@pytest.mark.parametrize(("rows", "first"), [(None, 0), ("4:", 4), ("3:9", 3), ("split=1", 0)])
def test_start_is_the_position_of_the_first_row(file: Path, rows: str | None, first: int) -> None:
    assert io.read(file, rows=rows).start == first
    start = first
    for chunk in io.batches(file, rows=rows, batch_rows=2):
        assert chunk.start == start
        start += len(chunk)


def test_every_iteration_starts_again(file: Path) -> None:
    source = io.batches(file, batch_rows=4)
    next(iter(source))  # an iteration that is given up must not move the next
    first, second = list(source), list(source)
    assert [chunk.start for chunk in first] == [chunk.start for chunk in second]
    np.testing.assert_array_equal(first[-1].scores, second[-1].scores)
    np.testing.assert_array_equal(source.whole().scores, np.concatenate([chunk.scores for chunk in first]))


def test_notes_name_what_is_ignored(file: Path) -> None:
    (note,) = io.batches(file).notes
    assert "ignored the" in note
    assert note.endswith("split")
    assert io.batches(file, rows="split=0").notes == ()


def test_source_tells_kind_classes_and_path(file: Path) -> None:
    source = io.batches(str(file))
    assert (source.kind, source.classes, source.path) == ("probability", CLASSES, str(file))


@pytest.mark.parametrize("batch_rows", [0, -1])
def test_chunks_have_rows(file: Path, batch_rows: int) -> None:
    with pytest.raises(ValueError, match="batch_rows must be positive, got"):
        io.batches(file, batch_rows=batch_rows)


def test_zero_weights_fill_a_chunk_but_not_a_file(npz: Any) -> None:
    halves = np.full((4, 2), 0.5)
    path = npz(probabilities=halves, weights=[0, 0, 1, 0])
    chunks = list(io.batches(path, batch_rows=2))
    assert [chunk.row_weights.tolist() for chunk in chunks] == [[0, 0], [1, 0]]
    for options in ({}, {"rows": "0:2"}):
        path = npz(probabilities=halves, weights=[0, 0, float(bool(options)), 0])
        with pytest.raises(ValueError, match="weights with a positive sum"):
            list(io.batches(path, batch_rows=2, **options))
        with pytest.raises(ValueError, match="weights"):
            io.read(path, **options)


@pytest.mark.parametrize("layout", ["stored", "compressed", "text", "parquet"])
def test_chunked_reading_takes_the_memory_of_chunks(layout: str, tmp_path: Path, parquet: Any) -> None:
    n, k = 40_000, 10
    scores = np.random.default_rng(0).dirichlet(np.ones(k), n)  # 3.2 MB
    path = tmp_path / f"a.{'csv' if layout == 'text' else 'npz'}"
    if layout == "text":
        header = ",".join(f"probability:{c}" for c in range(k))
        np.savetxt(path, scores, delimiter=",", header=header, comments="", fmt="%.17g")
    elif layout == "parquet":
        path = parquet({"probabilities": scores.tolist()})
    else:
        (np.savez if layout == "stored" else np.savez_compressed)(path, probabilities=scores)
    source = io.batches(path, batch_rows=1000)  # 80 kB of scores a chunk
    list(io.batches(path, batch_rows=1000, rows="0:1"))  # modules that are loaded on first use
    tracemalloc.start()
    try:
        rows = sum(len(chunk) for chunk in source)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == n
    # Two chunks, their row summaries, 1 MB pieces of the archive and about 32,000 text cells come to under 2 MB
    # (Arrow's own memory is not traced); the scores alone are 3.2 MB, and as text cells over 20 MB.
    assert peak < 3.2e6


def test_left_out_rows_are_not_kept_in_memory(npz: Any) -> None:
    scores = np.full((400_000, 2), 0.5)  # 6.4 MB
    path = npz(probabilities=scores)
    tracemalloc.start()
    try:
        assert len(io.read(path, rows="0:10")) == 10
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < scores.nbytes / 2  # one block of 65,536 rows is a sixth of the file
