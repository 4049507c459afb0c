"""``rows=``: equality with a column of any type, ranges, and what is neither."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibrant import io
from calibrant.errors import DataError
from calibrant.io.rows import EVERY_ROW, RowRange, RowsWhere, selection

Npz = Callable[..., Path]
Refusal = Callable[..., str]
HALVES = np.full((4, 2), 0.5)


@pytest.mark.parametrize(
    ("marks", "value", "kept"),
    [
        (np.array([0, 1, 10, 1], dtype=np.int8), "1", [1, 3]),
        (np.array([0, 1, 10, 1]), "1.0", [1, 3]),
        (np.array([0, 1, 10, 1]), "300", []),
        (np.array([0, 1, 10, 1], dtype=np.int8), "300", []),
        (np.array([2**53, 2**53 + 1, 0, 0]), str(2**53 + 1), [1]),
        (np.array([0, 2**64 - 1, 0, 0], dtype=np.uint64), "-1", []),
        (np.array([0.1, 0.25, 0.1, np.nan]), "0.1", [0, 2]),
        (np.array([0.1, 0.25, 0.1, np.nan], dtype=np.float32), "0.1", [0, 2]),
        (np.array([0.1, 0.25, np.inf, np.nan]), "9" * 400, [2]),
        (np.array([True, False, True, False]), "True", [0, 2]),
        (np.array([True, False, True, False]), "0", [1, 3]),
        (np.array(["a", "b", "a b", "1"]), "a b", [2]),
        (np.array(["0", "0.0", "00", "1"]), "0", [0, 1, 2]),
        (np.array([b"a", b"b", b"a", b"c"]), "a", [0, 2]),
    ],
)
def test_equality_by_the_type_of_the_column(marks: np.ndarray, value: str, kept: list[int]) -> None:
    assert np.flatnonzero(RowsWhere("split", value).among(marks)).tolist() == kept


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        (None, EVERY_ROW),
        (":", EVERY_ROW),
        ("3:9", RowRange(3, 9)),
        (" 3 : 9 ", RowRange(3, 9)),
        ("3:", RowRange(3)),
        (":9", RowRange(0, 9)),
        ("split=0", RowsWhere("split", "0")),
        (" split = a b ", RowsWhere("split", "a b")),
        ("a:b=c=d", RowsWhere("a:b", "c=d")),
    ],
)
def test_two_forms(rows: str | None, chosen: Any) -> None:
    assert selection(rows) == chosen


@pytest.mark.parametrize("rows", ["", "5", "split", "split=", "=0", "split==0", "-5:", "0:9:2", "a:b", "1.5:2"])
def test_what_is_neither_form(rows: str) -> None:
    with pytest.raises(DataError, match=r'rows must read "COLUMN=VALUE" or "START:STOP", got .*; for instance'):
        selection(rows)


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        ("split=7", ["leave at least one row", "none of 4 with 'split=7'", "'split' holds 0, 1"]),
        ("4:9", ["leave at least one row", "none of 4 with '4:9'"]),
        ("3:3", ["leave at least one row"]),
        ("fold=1", ["have the array of rows=, got 'fold'", "the file has probabilities, split"]),
        ("split=x", ["rows must name a value that the column can hold, got 'x'", "int64"]),
        ("probabilities=1", ["rows='probabilities=1' must have one entry a row, got shape"]),
    ],
)
def test_rows_that_cannot_be(npz: Npz, rows: str, parts: list[str]) -> None:
    path = npz(probabilities=HALVES, split=[0, 1, 0, 1])
    for read in (io.read, lambda path, rows: list(io.batches(path, rows=rows, batch_rows=3))):
        with pytest.raises(DataError) as error:
            read(path, rows=rows)
        assert all(part in str(error.value) for part in parts), str(error.value)


def test_left_out_rows_are_not_checked(npz: Npz) -> None:
    bad = np.vstack([HALVES, [[np.nan, 2]]])
    path = npz(probabilities=bad, labels=[0, 1, 0, 1, -1], split=[0, 0, 0, 0, 2])
    assert len(io.read(path, rows="split=0")) == 4
    assert sum(map(len, io.batches(path, rows="0:4", batch_rows=3))) == 4


def test_rows_may_be_chosen_by_what_comes_along(npz: Npz) -> None:
    path = npz(probabilities=HALVES, labels=[0, 1, 0, 1], groups=["x", "x", "y", "y"])
    assert io.read(path, rows="labels=1").hard_labels.tolist() == [1, 1]
    assert io.batches(path, rows="groups=y").notes == ()
    groups = io.read(path, rows="groups=y").groups
    assert groups is not None
    assert groups.tolist() == ["y", "y"]


def test_few_kept_rows_come_in_few_chunks(npz: Npz) -> None:
    path = npz(probabilities=np.full((100, 2), 0.5), split=np.arange(100) % 10)
    assert [len(batch) for batch in io.batches(path, rows="split=3", batch_rows=5)] == [5, 5]
