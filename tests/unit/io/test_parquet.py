"""Parquet: the column types that mean the same, and one sentence for those that mean nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from calibrant import io
from calibrant.errors import MissingExtra

Parquet = Callable[..., Path]
Refusal = Callable[..., str]
SCORES = [[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]]
WIDE = {"probability:a": [0.25, 0.5, 1.0], "probability:b": [0.75, 0.5, 0.0]}


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float64()),
        pa.large_list(pa.float64()),
        pa.list_(pa.float64(), 2),
        pa.list_(pa.float32(), 2),
        pa.list_(pa.float16(), 2),
        pa.list_(pa.decimal128(4, 2)),
    ],
    ids=str,
)
def test_lists_of_any_kind_are_a_matrix(parquet: Parquet, kind: pa.DataType) -> None:
    decimals = [[Decimal(str(value)) for value in row] for row in SCORES]
    scores = decimals if pa.types.is_decimal(kind.value_type) else [np.array(r, "f2") for r in SCORES]
    path = parquet({"probabilities": pa.array(scores, type=kind)}, b'["x", "y"]')
    assert io.read(path).scores.tolist() == SCORES
    assert io.read(path).classes == ("x", "y")
    assert [b.scores.tolist() for b in io.batches(path, batch_rows=2)] == [SCORES[:2], SCORES[2:]]


@pytest.mark.parametrize(
    "labels",
    [
        pa.array([1, 0, 0], pa.int8()),
        pa.array(["b", "a", "a"]),
        pa.array(["b", "a", "a"], pa.large_string()),
        pa.array([b"b", b"a", b"a"]),
        pa.array(["b", "a", "a"]).dictionary_encode(),
        pa.array(["1", "0", "0"]),
        pa.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]),
    ],
    ids=lambda labels: str(labels.type),
)
def test_labels_of_any_kind(parquet: Parquet, labels: pa.Array) -> None:
    batch = io.read(parquet({**WIDE, "labels": labels}))
    assert batch.labels is not None
    hard = batch.labels.argmax(1) if batch.soft else batch.labels
    assert hard.tolist() == [1, 0, 0]


def test_missing_cells_of_left_out_rows_are_not_read(parquet: Parquet) -> None:
    columns = {**WIDE, "labels": ["a", None, "b"], "split": [0, None, 0], "kind": ["x", None, "x"]}
    columns["code"] = pa.array(columns["kind"]).dictionary_encode()
    for rows in ("split=0", "kind=x", "code=x"):
        assert io.read(parquet(columns), rows=rows).hard_labels.tolist() == [0, 1]
    for rows in ("kind=None", "code=None"):
        with pytest.raises(ValueError, match="leave at least one row"):
            io.read(parquet(columns), rows=rows)


def test_rows_are_counted_in_the_file(parquet: Parquet) -> None:
    columns = {"probabilities": SCORES, "weights": [1.0, 1.0, None], "split": [1, 0, 0]}
    for options in ({}, {"rows": "split=0"}, {"rows": "1:"}):
        with pytest.raises(ValueError, match="in row 2, column 'weights'"):
            list(io.batches(parquet(columns), batch_rows=1, **options))


@pytest.mark.parametrize(
    ("columns", "parts"),
    [
        ({**WIDE, "labels": ["a", None, "b"]}, ["missing cells", "in row 1, column 'labels' (1 missing)"]),
        ({**WIDE, "weights": [1.0, 1.0, None]}, ["missing cells", "in row 2, column 'weights'"]),
        ({"probabilities": [[0.5, 0.5], None, [1, 0]]}, ["missing", "in row 1, column 'probabilities'"]),
        ({"probabilities": [[0.5, 0.5], [1, 0], [0.5, None]]}, ["missing", "in row 2"]),
        (
            {"probabilities": [[0.5, 0.5], [0.5, 0.25, 0.25]]},
            ["have 2 entries in every list, got 3 in row 1"],
        ),
        ({"probabilities": [[0.5, 0.5]] * 2 + [[0.5, 0.25, 0.25]] * 2}, ["2 entries", "got 3 in row 2"]),
        ({"probabilities": [[[0.5, 0.5]], [[0.5, 0.5]]]}, ["numbers in every list, got list"]),
        ({"probabilities": [0.5, 0.5]}, ["(n, k), got shape (n)"]),
        ({"probabilities": [["a", "b"]]}, ["numbers in every list, got string in column 'prob"]),
        ({**WIDE, "probability:b": ["x", "y", "z"]}, ["real numbers"]),
        ({**WIDE, "ids": pa.array([1, 2, 3], pa.timestamp("s"))}, ["ids must be whole numbers or text"]),
        ({"x": [1]}, ["hold probabilities or logits, got the columns x", "probability:NAME"]),
        ({"probabilities": pa.array([], pa.list_(pa.float64()))}, ["have at least one row"]),
    ],
)
def test_bad_columns_are_one_sentence(
    parquet: Parquet, refusal: Refusal, columns: dict[str, Any], parts: list[str]
) -> None:
    sentence = refusal(parquet(columns))
    assert all(part in sentence for part in parts), sentence


@pytest.mark.parametrize("entry", [b"cat,dog", b'{"a": 1}', b"[[1], [2]]", b"[1.5, 2]", b"\xff"])
def test_class_names_are_a_json_list(parquet: Parquet, refusal: Refusal, entry: bytes) -> None:
    assert "class_names in its metadata as a JSON list" in refusal(parquet({"probabilities": SCORES}, entry))


def test_class_names_are_stated_once(parquet: Parquet, refusal: Refusal) -> None:
    assert io.read(parquet(WIDE, b'["a", "b"]')).classes == ("a", "b")
    assert "state the class names once, got b, a beside a, b" in refusal(parquet(WIDE, b'["b", "a"]'))


def test_duplicate_columns(tmp_path: Path, refusal: Refusal) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table([[0.5], [0.5]], names=["probability:a", "probability:a"]), path)
    assert "distinct columns, got 'probability:a' twice" in refusal(path)


def test_a_name_that_begins_another_is_not_mixed_up(parquet: Parquet) -> None:
    path = parquet({"probability:a": [0.25], "probability:a.b": [0.75], "probabilities.x": [1.0]})
    batch = io.read(path)
    assert batch.classes == ("a", "a.b")
    assert batch.scores.tolist() == [[0.25, 0.75]]


@pytest.mark.parametrize("cut", [0.5, 0.9])
def test_damaged_files(parquet: Parquet, refusal: Refusal, cut: float) -> None:
    path = parquet({"probabilities": SCORES})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * cut)])
    assert "an undamaged Parquet file, got a damaged one (Parquet magic bytes" in refusal(path)


def test_without_pyarrow_the_extra_is_named(parquet: Parquet, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet(WIDE)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pyarrow must be installed .*; pip install 'calibrant\[io\]'"):
        io.read(path)
