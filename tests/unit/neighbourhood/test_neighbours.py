"""Nearest rows: exact against sorting, and through an index."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from calibrant.errors import DataError, MissingExtra
from calibrant.neighbourhood import KERNELS, Neighbourhood, Neighbours, indexes
from calibrant.neighbourhood.neighbours import without_own
from unit.neighbourhood.cases import batch


def by_sorting(hood, count, features=None):
    queries = hood.rows if features is None else hood.space.apply(features)
    squared = ((queries[:, None] - hood.rows[None]) ** 2).sum(-1)
    if features is None:
        np.fill_diagonal(squared, np.inf)
    rows = np.argsort(squared, axis=1, kind="stable")[:, :count]
    return rows, np.take_along_axis(squared, rows, 1)


@pytest.mark.parametrize("count", [1, 7, 59])
def test_the_nearest_are_those_of_a_sort(count):
    hood = Neighbourhood.fit(batch(), bandwidth=1.0)
    for features in (None, batch(n=9, seed=7).features):
        found, (rows, squared) = hood.nearest(count, features), by_sorting(hood, count, features)
        assert_array_equal(found.rows, rows)
        assert_allclose(found.squared_distances, squared, rtol=1e-12)


def test_more_than_there_are_is_all_others():
    hood = Neighbourhood.fit(batch(n=5), bandwidth=1.0)
    assert hood.nearest(50).rows.shape == (5, 4)
    assert hood.nearest(50, batch(n=3).features).rows.shape == (3, 5)
    with pytest.raises(DataError, match="count must be a whole number of at least 1, got 0"):
        hood.nearest(0)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("kernel", KERNELS)
def test_truncated_to_all_rows_is_exact(kernel, soft):
    p, new = batch(weights=True, soft=soft), batch(n=9, seed=7).features
    exact = Neighbourhood.fit(p, kernel=kernel, bandwidth=2.0)
    cut = Neighbourhood.fit(p, kernel=kernel, bandwidth=2.0, backend="faiss", neighbours=60)  # few rows: no index
    for a, b in ((exact.leave_one_out(), cut.leave_one_out()), (exact.frequencies(new), cut.frequencies(new))):
        assert_allclose(a.frequencies, b.frequencies, atol=1e-12)
        assert_allclose(a.log_mass, b.log_mass, rtol=1e-10, atol=1e-10)
        assert_allclose(a.effective_size, b.effective_size, rtol=1e-10)
        assert_allclose(b.missed, 0, atol=1e-12)


@pytest.mark.parametrize("kernel", ["gaussian", "laplacian"])
def test_what_truncation_misses_is_told(kernel):
    p = batch(n=400, weights=True)  # all rows are in the sample: the estimate is exact
    exact = Neighbourhood.fit(p, kernel=kernel, bandwidth=0.5).leave_one_out()
    cut = Neighbourhood.fit(p, kernel=kernel, bandwidth=0.5, backend="faiss", neighbours=10).leave_one_out()
    lost = 1 - np.exp(cut.log_mass - exact.log_mass)
    assert_allclose(cut.missed, lost, atol=1e-10)
    assert lost.mean() > 0.1
    # the frequencies are off by no more than what was lost, in total variation
    assert (np.abs(exact.frequencies - cut.frequencies).sum(1) / 2 <= lost + 1e-12).all()


def test_what_is_missed_is_estimated_from_a_sample():
    p = batch(n=3000, d=6)
    exact = Neighbourhood.fit(p, bandwidth=0.6).leave_one_out()
    cut = Neighbourhood.fit(p, bandwidth=0.6, backend="faiss", neighbours=10).leave_one_out()
    lost = 1 - np.exp(cut.log_mass - exact.log_mass)
    assert abs(cut.missed.mean() - lost.mean()) < 0.03  # one row in six: each estimate is noisy, their mean is not
    assert lost.mean() > 0.2


def test_an_index_finds_most_and_leaves_out_the_row_itself(monkeypatch):
    monkeypatch.setattr(indexes, "FEW", 1000)
    p = batch(n=3000, d=8, dtype=np.float32)
    exact = Neighbourhood.fit(p, bandwidth=0.5)
    fast = Neighbourhood.fit(p, bandwidth=0.5, backend="faiss", neighbours=40)
    found, all_of_them = fast.nearest(40), exact.nearest(40)
    assert not (found.rows == np.arange(3000)[:, None]).any()
    share = np.mean([len(np.intersect1d(a, b)) / 40 for a, b in zip(found.rows, all_of_them.rows, strict=True)])
    assert share > 0.9
    lost = 1 - np.exp(fast.leave_one_out().log_mass - exact.leave_one_out().log_mass)
    assert lost.min() > -1e-5  # single precision


def test_a_row_that_did_not_find_itself_loses_the_farthest():
    found = Neighbours(rows=np.array([[3, 0, 5], [1, 2, 4]]), squared_distances=np.array([[0, 0, 1.0], [1, 2, 3]]))
    left = without_own(found, np.array([0, 9]))
    assert_array_equal(left.rows, [[3, 5], [1, 2]])
    assert_array_equal(left.squared_distances, [[0, 1], [1, 2]])


def test_an_index_gives_the_same_again(monkeypatch):
    monkeypatch.setattr(indexes, "FEW", 1000)
    p = batch(n=2000, d=8)
    a, b = (Neighbourhood.fit(p, bandwidth=0.5, backend="faiss").leave_one_out() for _ in range(2))
    assert_array_equal(a.frequencies, b.frequencies)


def test_a_missing_package_is_one_sentence(monkeypatch):
    monkeypatch.setattr(indexes, "FEW", 10)
    monkeypatch.setitem(sys.modules, "faiss", None)
    hood = Neighbourhood.fit(batch(), bandwidth=1.0, backend="faiss")
    with pytest.raises(MissingExtra, match=r"faiss must be installed .*; pip install 'calibrant\[neighbours\]'"):
        hood.leave_one_out()


def test_an_unknown_backend_is_refused():
    with pytest.raises(DataError, match=r"backend must be one of \('exact', 'faiss'\), got 'annoy'"):
        Neighbourhood.fit(batch(), bandwidth=1.0, backend="annoy")
