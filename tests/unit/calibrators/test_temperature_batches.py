"""Fits from batches are those of all rows, and nothing of the scores is held."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

import calibrant
from calibrant import Predictions, io
from calibrant.errors import CapabilityError, DataError
from calibrant.solvers import chunk_sources, temperature
from calibrant.solvers.temperature import thin_step

SUMS = 1e-12  # float64 sums over some thousand rows in another order


@pytest.fixture
def no_join(monkeypatch):
    """Batches of the tests are small; read them as if they were not."""
    monkeypatch.setattr(chunk_sources, "_FEW_ENTRIES", 0)
    monkeypatch.setattr(temperature, "SAMPLE_ENTRIES", 1 << 12)  # the sample is thinned anew as rows come


def drawn(kind="logit", n=3000, k=30, dtype=np.float32, seed=0, **columns):
    rng = np.random.default_rng(seed)
    z = (2 * rng.normal(size=(n, k))).astype(dtype)
    labels = np.argmax(z / 1.5 + rng.gumbel(size=z.shape), axis=1)
    if kind == "hidden":
        z[rng.random(z.shape) < 0.1] = -np.inf
        z[np.arange(n), labels] = np.maximum(z[np.arange(n), labels], -3)  # but for one, labels are possible
        z[7, labels[7]] = -np.inf
    if kind in ("logit", "hidden"):
        return Predictions.from_logits(z, labels, **columns)
    p = np.exp(z.astype(np.float64))
    p /= p.sum(1, keepdims=True)
    if kind == "zeros":
        p[p < 1e-3] = 0
        p /= p.sum(1, keepdims=True)
    return Predictions.from_probabilities(p.astype(dtype), labels, **columns)


def cut(batch, size):
    return [batch.take(slice(start, start + size)) for start in range(0, len(batch), size)]


def same(one, other):
    assert one.beta == pytest.approx(other.beta, rel=SUMS)
    assert one.floor == other.floor
    told = ("spec", "k", "classes", "rows", "fitted_on", "converged", "iterations", "message")
    assert [getattr(one.record, name) for name in told] == [getattr(other.record, name) for name in told]


@pytest.mark.parametrize("spec", ["temperature", "temperature(prior=50.0)", "temperature(zero=1e-5)"])
@pytest.mark.parametrize("kind", ["logit", "hidden", "probability", "zeros"])
@pytest.mark.parametrize("size", [37, 700, 2999])
def test_as_all_rows_in_one_batch(no_join, kind, size, spec):
    # more than 2^20 entries, or fewer in double precision: neither is widened
    whole = drawn(kind, dtype=np.float64)
    same(calibrant.fit(cut(whole, size), spec), calibrant.fit(whole, spec))


def test_single_precision_and_many_rows(no_join):
    whole = drawn(n=6000, k=200)
    same(calibrant.fit(cut(whole, 999), "temperature"), calibrant.fit(whole, "temperature"))


@pytest.mark.parametrize("method", ["vector", "bias_corrected_temperature"])
@pytest.mark.parametrize("kind", ["logit", "hidden", "probability", "zeros"])
@pytest.mark.parametrize("weighted", [False, True])
def test_intercepts_from_batches(no_join, method, kind, weighted):
    weights = np.random.default_rng(6).integers(0, 3, 1200).astype(float) if weighted else None
    whole = drawn(kind, n=1200, k=6, dtype=np.float64, weights=weights)
    learnt, other = calibrant.fit(cut(whole, 170), method), calibrant.fit(whole, method)
    # rounding of sums, carried through some twenty steps of a search
    assert learnt(whole).probabilities == pytest.approx(other(whole).probabilities, abs=1e-7)
    assert learnt.record.iterations == other.record.iterations
    assert learnt.record.rows == other.record.rows
    assert learnt.record.fitted_on == other.record.fitted_on


def test_few_rows_are_joined():
    whole = drawn("probability", n=90, k=4, ids=np.arange(90) + 7)  # single precision: widened as in memory
    learnt, other = calibrant.fit(cut(whole, 7), "temperature"), calibrant.fit(whole, "temperature")
    same(learnt, other)
    assert learnt.beta == other.beta
    assert learnt.record.row_keys.tolist() == list(range(7, 97))


def test_weights(no_join):
    weights = np.random.default_rng(1).integers(0, 3, size=3000).astype(float)
    weights[300:400] = 0  # a batch without any weight
    whole = drawn("zeros", dtype=np.float64, weights=weights)
    parts = [replace(part, weights=weights[i * 100 : i * 100 + 100]) for i, part in enumerate(cut(whole, 100))]
    same(calibrant.fit(parts, "temperature"), calibrant.fit(whole, "temperature"))


def test_soft_labels(no_join):
    whole = drawn(n=500, k=5, dtype=np.float64)
    soft = np.random.default_rng(2).dirichlet(np.ones(5), size=500) * 0.3 + 0.7 * np.eye(5)[whole.labels]
    whole = Predictions.from_logits(whole.scores, soft)
    same(calibrant.fit(cut(whole, 60), "temperature"), calibrant.fit(whole, "temperature"))


@pytest.mark.parametrize("labels", ["argmax", "argmin"])
def test_edges_of_the_likelihood(no_join, labels):
    z = np.random.default_rng(3).normal(size=(2000, 6))
    whole = Predictions.from_logits(z, getattr(z, labels)(1))
    same(calibrant.fit(cut(whole, 300), "temperature"), calibrant.fit(whole, "temperature"))


@pytest.mark.parametrize("normalize", [False, True])
def test_a_folder_of_halves(no_join, tmp_path, normalize):
    rng = np.random.default_rng(4)
    z = (3 * rng.normal(size=(2500, 40))).astype(np.float16)
    scores, name = z, "logits"
    if normalize:
        scores, name = np.exp(z.astype(np.float32) / 2).astype(np.float16), "probabilities"
    labels = np.argmax(z.astype(float) / 2 + rng.gumbel(size=z.shape), axis=1)
    for column, array in ((name, scores), ("labels", labels), ("weights", rng.integers(1, 3, 2500))):
        np.save(tmp_path / f"{column}.npy", array)
    same(
        calibrant.fit(io.batches(tmp_path, batch_rows=333, normalize=normalize), "temperature"),
        # in the precision of the file: halves are widened to single
        calibrant.fit([io.read(tmp_path, normalize=normalize)], "temperature"),
    )


def test_memory_is_that_of_a_batch_and_the_sample(no_join, tmp_path, monkeypatch):
    monkeypatch.setattr(temperature, "SAMPLE_ENTRIES", 1 << 18)  # 1 MB
    out = np.lib.format.open_memmap(tmp_path / "logits.npy", "w+", np.float16, (2000, 4000))
    rng = np.random.default_rng(5)
    out[:] = rng.normal(size=4000).astype(np.float16)  # 16 MB, and 32 MB once widened
    np.save(tmp_path / "labels.npy", rng.integers(4000, size=2000))
    calibrant.fit(io.batches(tmp_path, batch_rows=16, rows="0:99"), "temperature")  # imports
    tracemalloc.start()
    calibrant.fit(io.batches(tmp_path, batch_rows=16), "temperature")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # the sample of 1 MB is joined and widened, 1 MB is hashed, the door makes histograms of 1 MB: 9 MB in all
    assert peak < 12e6


def test_thinning_keeps_the_sample_small():
    assert thin_step(50_000, 1000) == 16
    assert thin_step(20_000, 128_000) == 128
    for n in (1, 17, 10**6):
        assert -(-n // thin_step(n, 10**6)) * 10**6 <= max(temperature.SAMPLE_ENTRIES, 10**6)


def test_what_cannot_be_fitted_from_batches_says_so():
    parts = cut(drawn(n=90, k=4), 30)
    with pytest.raises(CapabilityError, match="calibrator must fit batches, got isotonic"):
        calibrant.fit(parts, "isotonic")
    with pytest.raises(DataError, match="readable more than once"):
        calibrant.fit(iter(parts), "temperature")
    with pytest.raises(DataError, match="at least one batch"):
        calibrant.fit([], "temperature")
    with pytest.raises(DataError, match="batch of Predictions"):
        calibrant.fit([[0.5, 0.5]], "temperature")
    with pytest.raises(DataError, match="batch of Predictions"):
        calibrant.fit(None, "temperature")


def test_batches_must_be_alike_and_stay_the_same(no_join):
    first, other = drawn(n=90, k=4), drawn(n=90, k=5)
    for wrong in (other, drawn("probability", n=90, k=4), drawn(n=90, k=4, dtype=np.float64)):
        with pytest.raises(DataError, match="batches must agree"):
            calibrant.fit([first, wrong], "temperature")
    with pytest.raises(CapabilityError, match="have labels"):
        calibrant.fit([first, Predictions.from_logits(first.scores)], "temperature")

    class Shrinking:
        left = 4

        def __iter__(self):
            self.left -= 1
            return iter([first] * self.left)

    with pytest.raises(DataError, match="the same batches each time"):
        calibrant.fit(Shrinking(), "temperature")
