"""Real prediction sets: every name, type and split that turns up in practice. They are not in the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibrant import io
from calibrant.errors import DataError

DATA = Path(__file__).parents[4] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real prediction sets are not beside the repository")


def arrays(name: str) -> dict[str, Any]:
    with np.load(DATA / name, allow_pickle=False) as archive:
        return dict(archive)


@pytest.mark.parametrize(
    ("name", "scores", "rows", "kind"),
    [
        ("letter_tab.npz", "nb_logits", "split=0", "logit"),
        ("letter_tab.npz", "rf_probabilities", "split=1", "probability"),
        ("letter_tab.npz", "logits", "split=1", "logit"),
        ("clinc150_minilm.npz", "logits", "split=1", "logit"),
        ("gas_drift_mlp.npz", "logits", "split=1", "logit"),
        ("nannyml_mc.npz", "probabilities", "split=0", "probability"),
        ("hpc_cv.npz", "probabilities", "split=1", "probability"),
    ],
)
def test_selected_rows_of_a_named_array(name: str, scores: str, rows: str, kind: str) -> None:
    truth = arrays(name)
    kept = truth["split"] == int(rows[-1])
    batch = io.read(DATA / name, scores=scores, rows=rows)
    assert batch.kind == kind
    np.testing.assert_array_equal(batch.scores, truth[scores][kept])  # float16 widens without rounding
    assert batch.hard_labels.tolist() == truth["labels"][kept].tolist()
    assert batch.classes == (tuple(truth["class_names"].tolist()) if "class_names" in truth else None)
    chunks = list(io.batches(DATA / name, scores=scores, rows=rows, batch_rows=999))
    np.testing.assert_array_equal(np.concatenate([chunk.scores for chunk in chunks]), batch.scores)
    np.testing.assert_array_equal(np.concatenate([chunk.hard_labels for chunk in chunks]), batch.labels)
    if batch.features is not None:
        np.testing.assert_array_equal(batch.features, truth["features"][kept])


def test_prompts_are_sets_of_their_own() -> None:
    with pytest.raises(DataError, match=r"probabilities must have shape \(n, k\), got shape \(n, 10, 4\); each"):
        io.read(DATA / "mmlu_llama13b.npz")


def test_rows_of_no_class_are_left_out_by_split() -> None:
    with pytest.raises(DataError, match=r"0..149, got -1 in row 7500 \(1100 of 8600 rows\); .* rows=\"split=0\""):
        io.read(DATA / "clinc150_minilm.npz")


def test_names_that_occur_twice_name_no_class() -> None:
    source = io.batches(DATA / "wordnet1000_minilm.npz", rows="0:100")
    assert source.whole().classes is None
    assert "is there twice" in source.notes[0]


def test_rows_by_another_column() -> None:
    truth = arrays("gas_drift_mlp.npz")
    batch = io.read(DATA / "gas_drift_mlp.npz", rows="batch=3")
    assert batch.hard_labels.tolist() == truth["labels"][truth["batch"] == 3].tolist()
