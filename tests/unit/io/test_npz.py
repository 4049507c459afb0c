"""Archives: what is allowed in them, and one sentence for each thing that is not."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibrant import io
from calibrant.errors import DataError

HALVES = np.full((4, 2), 0.5)
Npz = Callable[..., Path]
Refusal = Callable[..., str]


@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f4", ">f8"])
def test_floats_keep_their_precision(npz: Npz, dtype: str) -> None:
    batch = io.read(npz(probabilities=HALVES.astype(dtype)))
    assert batch.scores.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(batch.scores, HALVES)


def test_half_precision_keeps_its_tolerance(npz: Npz, refusal: Refusal) -> None:
    thirds = np.array([[0.3333, 0.3333, 0.3333]] * 3)
    assert io.read(npz(probabilities=thirds.astype(np.float16))).scores.dtype == np.float32
    assert [len(b) for b in io.batches(npz(probabilities=thirds.astype(np.float16)), batch_rows=2)] == [2, 1]
    assert "sum to 1" in refusal(npz(probabilities=thirds.astype(np.float32)))


@pytest.mark.parametrize("dtype", ["i1", "i2", "u1", "u8", ">i4", "?"])
def test_labels_of_any_whole_type(npz: Npz, dtype: str) -> None:
    batch = io.read(npz(probabilities=HALVES, labels=np.array([0, 1, 1, 0], dtype=dtype)))
    assert batch.labels is not None
    assert batch.labels.dtype == np.int64
    assert batch.labels.tolist() == [0, 1, 1, 0]


def test_soft_labels(npz: Npz) -> None:
    soft = np.array([[0.25, 0.75], [1, 0], [0.5, 0.5], [0, 1]])
    path = npz(probabilities=HALVES, labels=soft)
    np.testing.assert_array_equal(io.read(path).labels, soft)
    np.testing.assert_array_equal(np.concatenate([b.labels for b in io.batches(path, batch_rows=3)]), soft)


def test_fortran_order_is_read_by_rows(npz: Npz) -> None:
    scores = np.asfortranarray(np.random.default_rng(0).dirichlet(np.ones(3), 7))
    path = npz(probabilities=scores, labels=np.arange(7) % 3)
    np.testing.assert_array_equal(io.read(path).scores, scores)
    chunks = list(io.batches(path, batch_rows=3))
    np.testing.assert_array_equal(np.concatenate([chunk.scores for chunk in chunks]), scores)


def test_normalize_is_on_request(npz: Npz, refusal: Refusal) -> None:
    path = npz(probabilities=HALVES * 3)
    sentence = refusal(path)
    assert "each row of probabilities must sum to 1, got 3 in row 0" in sentence
    assert "normalize=True" in sentence
    np.testing.assert_array_equal(io.read(path, normalize=True).scores, HALVES)
    np.testing.assert_array_equal(next(iter(io.batches(path, normalize=True))).scores, HALVES)


def test_an_error_tells_from_where_rows_are_counted(npz: Npz) -> None:
    scores = np.vstack([HALVES, HALVES * 0.9])
    path = npz(probabilities=scores, split=[0, 1] * 4)
    for options, row, where in (
        ({}, 4, f"(in {str(path)!r})"),
        ({"rows": "3:"}, 1, "rows counted from row 3)"),
        ({"rows": "split=1"}, 2, "among the rows with split=1)"),
    ):
        with pytest.raises(ValueError, match=f"in row {row} ") as error:
            io.read(path, **options)
        assert where in str(error.value)
    with pytest.raises(ValueError, match=r"in row 1 .*rows counted from row 3\)"):
        list(io.batches(path, batch_rows=3))


@pytest.mark.parametrize(
    ("arrays", "parts"),
    [
        (
            {"probabilities": HALVES, "labels": [0, 1, 1]},
            ["as many rows", "3 rows in 'labels'", "4 in 'prob"],
        ),
        (
            {"probabilities": HALVES, "labels": [0, 1, -1, -1]},
            ["0..1, got -1 in row 2 (2 of 4 rows)", "rows="],
        ),
        ({"probabilities": HALVES, "labels": [0, 1, 2, 0]}, ["labels must lie in 0..1, got 2 in row 2"]),
        ({"probabilities": HALVES, "labels": [0.0, 1, 1, 0]}, ["labels.astype(int)"]),
        ({"probabilities": HALVES, "labels": ["a", "b", "a", "a"]}, ["names no classes, got 'a' in row 0"]),
        ({"probabilities": np.full((4, 3, 2), 0.5)}, ["(n, k), got shape (n, 3, 2)", "array of its own"]),
        ({"probabilities": np.full(4, 0.5)}, ["(n, k), got shape (n)", "one column a class"]),
        ({"probabilities": 0.5}, ["arrays with rows, got one number as 'probabilities'"]),
        ({"probabilities": np.full((4, 1), 1.0)}, ["at least two columns"]),
        ({"probabilities": np.empty((0, 2))}, ["at least one row"]),
        ({"probabilities": np.full((4, 2), "0.5")}, ["real numbers"]),
        ({"probabilities": HALVES, "features": np.zeros(4)}, ["features must have shape"]),
        ({"probabilities": HALVES, "weights": [1, 1, -1, 1]}, ["not negative"]),
        ({"probabilities": HALVES, "groups": [0.5, 1, 1, 1]}, ["groups must be whole numbers or text"]),
        ({"probabilities": HALVES, "class_names": ["a"]}, ["one name for each of the 2 columns"]),
        ({"probabilities": HALVES, "class_names": [["a", "b"]]}, ["class_names of shape (k,)"]),
        (
            {"scores": HALVES},
            ["hold probabilities or logits, got the arrays scores", "name the (n, k) array"],
        ),
        ({}, ["hold probabilities or logits, got no arrays"]),
    ],
)
def test_bad_arrays_are_one_sentence(npz: Npz, refusal: Refusal, arrays: dict[str, Any], parts: list[str]) -> None:
    sentence = refusal(npz(**arrays))
    assert all(part in sentence for part in parts), sentence


def test_objects_are_never_unpickled(npz: Npz, refusal: Refusal) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return pytest.fail, ("unpickled",)

    trap = np.array([Trap(), Trap(), Trap(), Trap()], dtype=object)
    for name in ("probabilities", "labels", "class_names"):
        arrays = {"probabilities": HALVES, name: trap}
        assert f"hold no pickled objects, got the array {name!r}" in refusal(npz(**arrays))
    assert len(io.read(npz(probabilities=HALVES, other=trap))) == 4  # what is ignored is not opened


def test_class_names_that_are_not_distinct_are_ignored_with_a_note(npz: Npz) -> None:
    path = npz(probabilities=HALVES, labels=[0, 1, 1, 0], class_names=["a", "a"])
    source = io.batches(path)
    assert source.whole().classes is None
    assert "'a' is there twice" in source.notes[0]


def test_class_names_may_be_numbers_or_bytes(npz: Npz) -> None:
    assert io.read(npz(probabilities=HALVES, class_names=[7, 5])).classes == ("7", "5")
    assert io.read(npz(probabilities=HALVES, class_names=np.array([b"a", b"b"]))).classes == ("a", "b")


def test_labels_may_be_names(npz: Npz) -> None:
    path = npz(probabilities=HALVES, labels=["b", "a", "a", "b"], class_names=["a", "b"])
    assert io.read(path).hard_labels.tolist() == [1, 0, 0, 1]


def test_damaged_archives(npz: Npz, refusal: Refusal) -> None:
    path = npz(probabilities=HALVES, labels=[0, 1, 1, 0])
    content = bytearray(path.read_bytes())
    path.write_bytes(content[:-40])
    assert "be a complete .npz archive, got something else" in refusal(path)
    path.write_text("probabilities")
    assert "be a complete .npz archive, got something else" in refusal(path)
    content[content.index(HALVES.tobytes())] ^= 1
    path.write_bytes(content)
    assert "be an undamaged .npz archive, got a damaged one (Bad CRC-32" in refusal(path)


@pytest.mark.parametrize("rows", [1 << 36, 3])
def test_a_header_that_lies_is_found_before_anything_is_allocated(tmp_path: Path, refusal: Refusal, rows: int) -> None:
    path = tmp_path / "a.npz"
    header = {"descr": "<f8", "fortran_order": False, "shape": (rows, 2)}
    with zipfile.ZipFile(path, "w") as archive, archive.open("probabilities.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, header)
        member.write(HALVES.tobytes())
    assert "the size of 'probabilities' is not that of its header" in refusal(path)


def test_an_array_twice(tmp_path: Path, refusal: Refusal) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("labels.npy", b"")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("labels.npy", b"")
    assert "have distinct arrays, got 'labels' twice" in refusal(path)


def test_random_damage_is_a_data_error_or_no_harm(npz: Npz) -> None:
    path = npz(probabilities=HALVES, labels=[0, 1, 1, 0], class_names=["a", "b"])
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(content)
        damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with suppress(DataError):
            io.read(path)
        with suppress(DataError):
            list(io.batches(path, batch_rows=3))
