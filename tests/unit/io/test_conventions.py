"""Which field is what: the scores and their kind, the labels, and paths that are no file of predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibrant import io
from calibrant.errors import DataError
from calibrant.io.columns import by_field
from calibrant.io.labels import LabelReader

Npz = Callable[..., Path]
Text = Callable[[str | bytes], Path]
Refusal = Callable[..., str]
HALVES = np.full((2, 2), 0.5)
ZEROS = np.zeros((2, 2))


def test_both_kinds_are_refused_until_one_is_chosen(npz: Npz, text: Text, refusal: Refusal) -> None:
    files = [
        npz(probabilities=HALVES, logits=ZEROS),
        text("probability:a,probability:b,logit:a,logit:b\n0.5,0.5,0,0\n"),
    ]
    for path in files:
        sentence = refusal(path)
        assert "hold one of probabilities and logits, got both" in sentence
        assert 'scores="logits"' in sentence
        assert io.read(path, scores="logits").kind == "logit"
        assert io.read(path, scores="probabilities").kind == "probability"
        assert io.batches(path, scores="logits").notes[0].endswith("probabilities")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("nb_logits", "logit"),
        ("logits2", "logit"),
        ("Logit", "logit"),
        ("rf_probabilities", "probability"),
        ("prob", "probability"),
        ("test.proba", "probability"),
        ("probs-rf", "probability"),
        ("scores", None),
        ("improbable", None),
        ("problems", None),
        ("logits_of_probabilities", None),
    ],
)
def test_the_name_states_the_kind(npz: Npz, refusal: Refusal, name: str, kind: str | None) -> None:
    path = npz(**{name: HALVES, "labels": [0, 1]})
    if kind is not None:
        assert io.read(path, scores=name).kind == kind
        assert next(iter(io.batches(path, scores=name))).kind == kind
        return
    with pytest.raises(DataError, match=rf"scores must be named for their kind, .*, got '{name}'; rename them"):
        io.batches(path, scores=name)


def test_scores_by_prefix_are_the_columns_of_that_prefix(text: Text) -> None:
    path = text("nb_logit:a,nb_logit:b,probability:a,probability:b,labels\n0,1,0.5,0.5,b\n")
    batch = io.read(path, scores="nb_logits")
    assert (batch.kind, batch.classes, batch.scores.tolist()) == ("logit", ("a", "b"), [[0, 1]])


def test_scores_that_are_not_there(npz: Npz, text: Text, refusal: Refusal) -> None:
    assert "have the array of scores=, got 'x'; the file has logits" in refusal(npz(logits=ZEROS), scores="x")
    assert "have the column of scores=" in refusal(text("logit:a,logit:b\n0,0\n"), scores="x")
    assert 'choose another array with scores="nb_logits"' in refusal(npz(labels=[0, 1], nb_logits=ZEROS))


def test_logits_are_not_rescaled(npz: Npz) -> None:
    with pytest.raises(DataError, match="normalize=True must go with probabilities, got the logits 'logits'"):
        io.read(npz(logits=ZEROS), normalize=True)


def test_columns_of_one_prefix_are_one_field() -> None:
    names = ["labels", "probability:b", "time:utc", "probability:a", "x.feature:1", "subprobability:a", "x:y"]
    fields = by_field(names, "a.csv")
    assert list(fields) == ["labels", "probabilities", "time:utc", "x.features", "subprobability:a", "x:y"]
    assert fields["probabilities"].members == ("b", "a")
    assert fields["probabilities"].columns == ("probability:b", "probability:a")
    assert fields["x.features"].members == ("1",)
    assert not fields["time:utc"].wide


@pytest.mark.parametrize(
    ("classes", "labels", "indices"),
    [
        (["a", "b"], ["b", "a"], [1, 0]),
        (["a", "b"], ["1", "0"], [1, 0]),
        (["2", "1", "0"], ["1", "2"], [1, 0]),
        (["1", "2", "x"], ["x", "1"], [2, 0]),
        (["01", "02"], ["1", "0"], [1, 0]),
        (None, ["1", "0"], [1, 0]),
        (["a", "b"], np.array([1, 0]), [1, 0]),
        (["1", "0"], np.array([1, 0]), [1, 0]),
    ],
)
def test_labels_are_names_or_indices(classes: list[str] | None, labels: Any, indices: list[int]) -> None:
    assert LabelReader(classes, 3)(np.asarray(labels)).tolist() == indices


@pytest.mark.parametrize(
    ("classes", "labels", "message"),
    [
        (["1", "2"], ["1", "0"], "be among the class names, got '0' in row 1 .*: names that are numbers"),
        (["0", "x"], ["1", "1"], "be among the class names, got '1' in row 0"),
        (["a", "b"], ["a", "0"], "be among the class names, as the first label is, got '0' in row 1"),
        (["a", "b"], ["0", "a"], "be class names, or class indices throughout, got 'a' in row 1"),
        (["a", "b"], ["1.0", "1.0"], "throughout, got '1.0' in row 0 .2 of 2 rows.; the classes are a, b"),
        (["a", "b"], ["007", "0"], "got '007' in row 0"),
        (["a", "b"], ["+1", "0"], r"got '\+1' in row 0"),
        (["a", "b"], ["-1", "0"], r"lie in 0..2, got -1 in row 0 .*rows="),
        (None, ["a", "0"], "be class indices where the file names no classes, got 'a' in row 0"),
    ],
)
def test_labels_that_are_neither(classes: list[str] | None, labels: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        LabelReader(classes, 3)(np.array(labels))


def test_a_later_chunk_cannot_change_what_labels_are(text: Text) -> None:
    path = text("labels,probability:a,probability:b\n" + "a,1,0\n" * 2 + "0,1,0\n" * 2)
    with pytest.raises(DataError, match=r"as the first label is, got '0' in row 0 \(2 of 2 rows.*from row 2"):
        list(io.batches(path, batch_rows=2))
    with pytest.raises(DataError, match="as the first label is, got '0' in row 2"):
        io.read(path)


def test_paths_that_are_no_file_of_predictions(tmp_path: Path, refusal: Refusal) -> None:
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    assert "hold probabilities or logits, got no arrays" in refusal(folder)
    for ending in ("npz", "csv", "parquet"):
        assert "be readable, got No such file" in refusal(tmp_path / f"missing.{ending}")
        empty = tmp_path / f"empty.{ending}"
        empty.touch()
        assert "hold predictions, got an empty file" in refusal(empty)
    for name in ("a.json", "a", "a.npy", ".csv"):
        (tmp_path / name).write_text("{}")
        assert "end in one of .npz, .csv, .parquet, got" in refusal(tmp_path / name)
    assert "be readable, got File name too long" in refusal(tmp_path / f"{'a' * 300}.csv")
    with pytest.raises(DataError, match="be readable, got embedded null byte"):
        io.read("a\0.csv")
