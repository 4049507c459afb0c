"""`pair_weights` against plain NumPy in float64, from the same products."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from calibrant.kernels import _native, pair_weights

KERNELS = ("gaussian", "laplacian", "box")
K = 5


def make(dtype, m=37, n=56, d=3, seed=0):
    """Return queries and references, of which the last three are not there, with all that the kernel takes."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(m, d)), rng.normal(size=(n, d))
    norms = (y * y).sum(1)
    norms[-3:] = np.inf
    products = x @ y.T
    products[3, 7] = -np.inf
    given = {"products": products, "query_norms": (x * x).sum(1), "norms": norms, "log_weights": rng.normal(size=n)}
    given = {name: np.ascontiguousarray(value, dtype=dtype) for name, value in given.items()}
    return given | {"labels": rng.integers(0, K, n, dtype=np.int32), "k": K}


def plain(given, kernel, scale):
    """Return log-weights (m, n) and what the largest is counted from (m,)."""
    g = {name: np.asarray(value, dtype=np.float64) for name, value in given.items() if name not in ("labels", "k")}
    squared = np.maximum(g["query_norms"][:, None] - 2 * g["products"] + g["norms"], 0)
    of = np.sqrt(squared) if kernel == "laplacian" else squared
    logs = np.where(squared <= scale, 0.0, -np.inf) if kernel == "box" else -scale * (of - of.min(1, keepdims=True))
    return logs + g.get("log_weights", 0.0), squared.min(1)


@pytest.mark.parametrize("clone", ["baseline", "auto"])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kernel", KERNELS)
def test_weights_and_sums_equal_the_formula(kernel, dtype, weighted, clone):
    given = make(dtype)
    if not weighted:
        del given["log_weights"]
    logs, nearest = plain(given, kernel, 0.7)
    top = logs.max(1)
    expected = np.exp(logs - np.where(np.isneginf(top), 0, top)[:, None])
    weights = np.empty_like(given["products"])
    assert _native.choose_clone(clone)
    found = pair_weights(**given, kernel=kernel, scale=0.7, weights=weights)
    _native.choose_clone("auto")
    # distances up to 40 with a few roundings each, in the exponent; in double, of sums of 56 numbers
    tolerance = 3e-5 if dtype == np.float32 else 1e-13
    assert_allclose(weights, expected, rtol=tolerance, atol=1e-36)
    assert_allclose(found.top, top, rtol=tolerance, atol=tolerance)
    assert_allclose(found.nearest, nearest, rtol=tolerance, atol=tolerance)
    assert_allclose(found.total, expected.sum(1), rtol=tolerance)
    assert_allclose(found.squares, (expected**2).sum(1), rtol=tolerance)
    one_hot = np.eye(K)[given["labels"]]
    assert_allclose(found.by_class, expected @ one_hot, rtol=tolerance, atol=tolerance)
    assert (weights[:, -3:] == 0).all()
    assert weights[3, 7] == 0


def test_the_products_may_give_way_to_the_weights():
    given = make(np.float32)
    apart = np.empty_like(given["products"])
    first = pair_weights(**given, kernel="gaussian", scale=0.7, weights=apart)
    second = pair_weights(**given, kernel="gaussian", scale=0.7, weights=given["products"])
    assert_array_equal(given["products"], apart)
    assert_array_equal(second.total, first.total)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-200, 1e-60, 1e60, 1e200])
def test_any_scale_gives_weights_of_the_nearest_or_of_all(dtype, scale):
    given = make(dtype)
    del given["log_weights"]
    weights = np.empty_like(given["products"])
    pair_weights(**given, kernel="gaussian", scale=scale, weights=weights)
    there = np.isfinite(given["products"]) & np.isfinite(given["norms"])
    if scale < 1:
        assert_array_equal(weights, there)
    else:
        assert_array_equal(weights.sum(1), 1)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_query_without_any_reference_has_no_weight(kernel):
    given = make(np.float64)
    given["products"][5] = -np.inf
    weights = np.empty_like(given["products"])
    found = pair_weights(**given, kernel=kernel, scale=0.7, weights=weights)
    assert found.total[5] == found.squares[5] == found.by_class[5].sum() == weights[5].sum() == 0
    assert found.top[5] == -np.inf
    assert np.isfinite(found.total).all()


def test_any_number_of_threads_gives_the_same_bits():
    given = make(np.float32, m=400, n=3200)  # above the million pairs from which several threads work
    one, two = (pair_weights(**given, kernel="laplacian", scale=0.7, threads=threads) for threads in (1, 2))
    for a, b in zip(one, two, strict=True):
        assert_array_equal(a, b)
