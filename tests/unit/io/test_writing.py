"""Archives that are written: complete or not there, the same bytes for the same batch, readable by numpy."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibrant import io
from calibrant.errors import DataError
from calibrant.predictions import Predictions

Columns = dict[str, Any]


def batch_of(columns: Columns, rows: slice = slice(None), **changes: Any) -> Predictions:
    given = {name: column[rows] for name, column in columns.items() if name != "split"} | changes
    return Predictions.from_probabilities(given.pop("probabilities"), **given)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def contents(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def test_what_came_with_the_rows_is_written(tmp_path: Path, columns: Columns) -> None:
    path = io.write(tmp_path / "a.npz", batch_of(columns, classes=["a", "b", "c"]))
    assert path == tmp_path / "a.npz"
    arrays = contents(path)
    assert arrays.pop("class_names").tolist() == ["a", "b", "c"]
    assert {*arrays} == {*columns} - {"split"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, columns[name])


def test_only_what_came_with_the_rows_is_written(tmp_path: Path) -> None:
    path = io.write(tmp_path / "a.npz", Predictions.from_probabilities([[0.5, 0.5]]))
    assert list(contents(path)) == ["probabilities"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("soft", [False, True])
def test_round_trip(tmp_path: Path, columns: Columns, dtype: Any, soft: bool) -> None:
    scores = columns["probabilities"].astype(dtype)
    labels = columns["probabilities"] if soft else columns["labels"]
    batch = batch_of(columns, probabilities=scores, labels=labels, classes=["a", "b", "c"])
    again = io.read(io.write(tmp_path / "a.npz", batch))
    assert again.scores.dtype == dtype
    assert again.classes == batch.classes
    for name in ("scores", "labels", "weights", "features", "groups", "ids"):
        np.testing.assert_array_equal(getattr(again, name), getattr(batch, name))


def test_logits_are_written_as_probabilities(tmp_path: Path) -> None:
    batch = Predictions.from_logits(np.log([[0.25, 0.75], [1, 1]]))
    again = io.read(io.write(tmp_path / "a.npz", batch))
    assert again.kind == "probability"
    np.testing.assert_array_equal(again.scores, batch.probabilities)


@pytest.mark.parametrize("size", [1, 3, 11])
def test_batches_are_written_as_one(tmp_path: Path, columns: Columns, size: int) -> None:
    names = ["a", "b", "c"]
    parts = (batch_of(columns, slice(first, first + size), classes=names) for first in range(0, 11, size))
    io.write(tmp_path / "whole.npz", batch_of(columns, classes=names))
    io.write_batches(tmp_path / "parts.npz", parts)
    assert (tmp_path / "whole.npz").read_bytes() == (tmp_path / "parts.npz").read_bytes()
    assert names_in(tmp_path) == ["parts.npz", "whole.npz"]


def test_text_is_as_wide_as_its_longest_entry(tmp_path: Path) -> None:
    parts = [Predictions.from_probabilities([[0.5, 0.5]], ids=[name]) for name in ("a", "long", "ab")]
    ids = io.read(io.write_batches(tmp_path / "a.npz", parts)).ids
    assert ids is not None
    assert ids.tolist() == ["a", "long", "ab"]


def test_a_file_can_be_rewritten_from_its_own_batches(tmp_path: Path, columns: Columns) -> None:
    path = io.write(tmp_path / "a.npz", batch_of(columns))
    before = path.read_bytes()
    io.write_batches(path, io.batches(path, batch_rows=4))
    assert path.read_bytes() == before


def test_a_failure_leaves_what_was_there(tmp_path: Path, columns: Columns) -> None:
    def failing() -> Iterator[Predictions]:
        yield batch_of(columns)
        raise KeyboardInterrupt

    path = io.write(tmp_path / "a.npz", batch_of(columns))
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        io.write_batches(path, failing())
    assert path.read_bytes() == before
    assert names_in(tmp_path) == ["a.npz"]


def test_the_file_has_ordinary_permissions(tmp_path: Path, columns: Columns) -> None:
    mask = os.umask(0o022)
    try:
        path = io.write(tmp_path / "a.npz", batch_of(columns))
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_places_that_cannot_be_written(tmp_path: Path, columns: Columns) -> None:
    (tmp_path / "folder.npz").mkdir()
    for name, message in (
        ("missing/a.npz", "a folder that can be written, got .*No such file"),
        ("folder.npz", "a folder that can be written, got .*Is a directory"),
        ("a.csv", "output must end in .npz, got 'a.csv'"),
        ("a", "output must end in .npz"),
    ):
        with pytest.raises(DataError, match=message):
            io.write(tmp_path / name, batch_of(columns))
    assert names_in(tmp_path) == ["folder.npz"]


def test_batches_that_do_not_go_together(tmp_path: Path, columns: Columns) -> None:
    names = ["a", "b", "c"]
    first = batch_of(columns, classes=names)
    plain = {name: column for name, column in columns.items() if name != "groups"}
    two = {"probabilities": np.full((11, 2), 0.5), "labels": np.zeros(11, int)}
    for other, message in (
        (batch_of(columns), "batches must have the class names of the first in batch 1, got none"),
        (batch_of(columns, classes=["a", "c", "b"]), "the class names of the first in batch 1"),
        (batch_of(plain, classes=names), r"batches must all have .*groups.*, got .* in batch 1"),
        (batch_of(columns, probabilities=np.full((11, 3), 1 / 3, "f4"), classes=names), "float32 of shape"),
        (batch_of(columns, features=np.zeros((11, 5)), classes=names), "type and width of the first"),
        (batch_of(columns, groups=np.arange(11), classes=names), "groups must have the type"),
    ):
        with pytest.raises(DataError, match=message):
            io.write_batches(tmp_path / "a.npz", [first, other])
    with pytest.raises(DataError, match="probabilities must have the type and width of the first batch"):
        io.write_batches(tmp_path / "a.npz", [batch_of(columns), batch_of(columns | two)])
    with pytest.raises(DataError, match="batches must hold at least one batch, got 0"):
        io.write_batches(tmp_path / "a.npz", [])
    assert names_in(tmp_path) == []
