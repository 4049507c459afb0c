"""`Space`: standardised, projected, fitted once."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from calibrant.errors import DataError
from calibrant.neighbourhood import Space, space

RNG = np.random.default_rng(3)
X = RNG.normal(size=(200, 6)) @ RNG.normal(size=(6, 6)) + 10


def distances(z):
    return ((z[:, None] - z[None]) ** 2).sum(-1)


def test_few_features_are_z_scores():
    z = Space.fit(X).apply(X)
    assert_allclose(z, (X - X.mean(0)) / X.std(0), atol=1e-12)  # a few roundings of numbers around 10


def test_without_standardising_distances_are_those_of_the_features():
    fitted = Space.fit(X, standardise=False, dimensions=6)
    assert_allclose(distances(fitted.apply(X)), distances(X), rtol=1e-10)


def test_principal_components_are_those_of_the_correlations():
    fitted = Space.fit(X, dimensions=2)
    scores = (X - X.mean(0)) / X.std(0)
    _, s, vt = np.linalg.svd(scores, full_matrices=False)
    assert_allclose(np.abs(fitted.apply(X)), np.abs(scores @ vt[:2].T), atol=1e-10)
    assert_allclose(fitted.variances, s[:2] ** 2 / len(X), rtol=1e-10)
    assert_allclose(fitted.total, 6, rtol=1e-12)
    loadings = fitted.projection * X.std(0)[:, None]
    assert (loadings[np.abs(loadings).argmax(0), [0, 1]] > 0).all()


@pytest.mark.parametrize("shape", [(5, 40), (30, 31), (2, 7)])
def test_more_features_than_rows_span_what_the_rows_do(shape):
    x = np.random.default_rng(5).normal(size=shape)
    fitted = Space.fit(x, dimensions=6)
    assert fitted.dimensions == min(shape[0] - 1, 6)
    if fitted.dimensions == shape[0] - 1:  # nothing is lost, so distances are kept
        assert_allclose(distances(fitted.apply(x)), distances((x - x.mean(0)) / x.std(0)), rtol=1e-8)


def test_the_two_eigenvalue_problems_agree():
    wide = np.hstack([X[:30], X[:30, ::-1] ** 2, np.random.default_rng(5).normal(size=(30, 30))])
    rows = space._Rows(wide, None)
    mean, scale = rows.moments()
    by_features, by_rows = rows._by_features(mean, 1 / scale, 5), rows._by_rows(mean, 1 / scale, 5)
    assert_allclose(np.abs(np.einsum("ij,ij->j", by_features, by_rows)), 1, rtol=1e-9)  # the same axes up to the sign


def test_constant_and_repeated_features_are_no_trouble():
    x = np.column_stack([X, np.full(len(X), 0.1), X[:, 0], X[:, 1] * 2])
    fitted = Space.fit(x, dimensions=7)
    assert fitted.dimensions == 6  # the rank
    assert_array_equal(fitted.projection[6], 0)
    few = Space.fit(x, dimensions=50)
    assert few.dimensions == 8  # all features that vary, as they are
    with pytest.raises(DataError, match="vary in at least one column"):
        Space.fit(np.full((5, 3), 0.1))


def test_weights_are_repetitions_and_scale_free():
    w = np.random.default_rng(5).integers(0, 4, len(X)).astype(float)
    weighted, repeated = Space.fit(X, weights=w, dimensions=3), Space.fit(np.repeat(X, w.astype(int), 0), dimensions=3)
    scaled = Space.fit(X, weights=7 * w, dimensions=3)
    for other in (repeated, scaled):
        assert_allclose(other.projection, weighted.projection, atol=1e-10)
        assert_allclose(other.mean, weighted.mean, rtol=1e-12)


def test_a_row_of_weight_zero_may_be_anything():
    x, w = np.vstack([X, np.full((1, 6), 1e14)]), np.append(np.ones(len(X)), 0.0)
    assert_allclose(Space.fit(x, weights=w, dimensions=3).projection, Space.fit(X, dimensions=3).projection, atol=1e-10)


def test_single_precision_is_read_and_fitted_in_double():
    x = X.astype(np.float32)
    fitted = Space.fit(x, dimensions=3)
    assert fitted.projection.dtype == np.float64
    assert_array_equal(fitted.projection, Space.fit(x.astype(np.float64), dimensions=3).projection)


def test_blocks_make_no_difference(monkeypatch):
    whole = Space.fit(X, dimensions=3)
    expected = whole.apply(X)
    monkeypatch.setattr(space, "_ENTRIES", 100)
    assert_allclose(Space.fit(X, dimensions=3).projection, whole.projection, atol=1e-12)  # sums in another order
    assert_array_equal(whole.apply(X), expected)


def test_a_row_is_placed_the_same_whatever_comes_with_it():
    fitted = Space.fit(X, dimensions=3)
    whole = fitted.apply(X)
    for rows in (slice(0, 1), slice(3, 70), slice(199, 200)):
        assert_array_equal(fitted.apply(X[rows]), whole[rows])


def test_new_rows_are_placed_by_the_fit_alone():
    fitted = Space.fit(X)
    assert_allclose(fitted.apply(X[:1] + 1) - fitted.apply(X[:1]), (1 / X.std(0))[None], rtol=1e-9)


def test_a_given_projection_follows_the_standardisation():
    p = np.random.default_rng(5).normal(size=(6, 2))
    assert_allclose(Space.fit(X, projection=p).apply(X), (X - X.mean(0)) / X.std(0) @ p, atol=1e-12)
    with pytest.raises(DataError, match=r"projection must have shape \(6, d\)"):
        Space.fit(X, projection=p[:3])


def test_another_number_of_features_is_refused():
    with pytest.raises(DataError, match=r"features must have shape \(n, 6\) as at the fit, got shape \(200, 5\)"):
        Space.fit(X).apply(X[:, :5])
    with pytest.raises(DataError, match="dimensions must be a whole number of at least 1, got 0"):
        Space.fit(X, dimensions=0)
