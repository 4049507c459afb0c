"""Fits of files that are read in chunks, and folders of arrays."""

import json

import numpy as np
import pytest

from calibrant import calibrators, io
from calibrant.solvers import chunk_sources


@pytest.fixture
def folder(tmp_path):
    """Logits in half precision and labels, an array a file."""
    place = tmp_path / "scores"
    place.mkdir()
    rng = np.random.default_rng(0)
    logits = (2 * rng.normal(size=(500, 20))).astype(np.float16)
    np.save(place / "logits.npy", logits)
    np.save(place / "labels.npy", np.argmax(logits / 2 + rng.gumbel(size=logits.shape), axis=1))
    return place


def test_a_fit_in_chunks_is_the_fit(call, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(chunk_sources, "_FEW_ENTRIES", 0)  # chunks are not joined, however small
    fit = ("fit", folder, "--calibrator", "temperature", "--json", "--output")
    whole, parts = (json.loads(call(*fit, *more).out) for more in (["whole"], ["parts", "--batch-rows", 77]))
    assert parts["data"] == whole["data"]
    assert parts["map"] == {**whole["map"], "iterations": parts["map"]["iterations"]}
    one, other = (calibrators.load(tmp_path / name) for name in ("whole", "parts"))
    # a batch of so few entries is fitted in double precision, chunks in the single precision of the file
    assert other.beta == pytest.approx(one.beta, rel=1e-5)
    assert other.record.fitted_on == one.record.fitted_on


def test_a_method_that_needs_all_rows_says_so(call, folder):
    ran = call("fit", folder, "--calibrator", "isotonic", "--output", "m", "--batch-rows", 100)
    assert ran.code == 3
    assert "calibrator must fit batches, got isotonic" in ran.err


def test_a_folder_is_an_archive(call, folder, tmp_path):
    np.savez(tmp_path / "same.npz", logits=np.load(folder / "logits.npy"), labels=np.load(folder / "labels.npy"))
    shown = [call("evaluate", file, "--no-uncertainty", "--json") for file in (folder, tmp_path / "same.npz")]
    assert shown[0].code == 0
    assert shown[0].out == shown[1].out
    call("fit", folder, "--calibrator", "temperature", "--output", "m")
    assert call("apply", "m", folder, "--output", "out.npz", "--batch-rows", 64).code == 0
    expected = calibrators.load(tmp_path / "m")(io.read(folder)).probabilities
    assert np.array_equal(np.load(tmp_path / "out.npz")["probabilities"], expected)


def test_a_folder_without_scores_and_a_damaged_one_are_sentences(call, tmp_path):
    ran = call("evaluate", tmp_path)
    assert ran.code == 3
    assert "must hold probabilities or logits" in ran.err
    (tmp_path / "logits.npy").write_bytes(b"no array")
    ran = call("evaluate", tmp_path)
    assert ran.code == 3
    assert "must hold undamaged .npy files" in ran.err
    np.save(tmp_path / "logits.npy", np.zeros((9, 3)))
    whole = (tmp_path / "logits.npy").read_bytes()
    (tmp_path / "logits.npy").write_bytes(whole[:-8])
    assert "must hold undamaged .npy files" in call("evaluate", tmp_path).err
