"""`softmax`, `log_softmax`, `log_probabilities`, `affine_softmax` and `affine_logits` against NumPy in float64."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from calibrant.kernels import affine_logits, affine_softmax, log_probabilities, log_softmax, softmax


def plain_softmax(a):
    e = np.exp(a - a.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def assert_softmax(found, a, roundings=1, size=0):
    """Check against softmax(a), where each rounding of `a` costs epsilon times its distance from the row's maximum.

    `size` is that of numbers that are rounded before the maximum is taken away. A sum of k exponentials in sixteen
    chains costs about sqrt(k / 16) roundings of a double.
    """
    chains = np.sqrt(a.shape[1] / 16) * np.finfo(np.float64).eps
    eps, expected = np.finfo(found.dtype).eps, plain_softmax(a)
    smallest = 1e-36 if found.dtype == np.float32 else 1e-300  # below about this, an exponential is 0
    with np.errstate(invalid="ignore"):
        distance = np.where(np.isfinite(a), a.max(1, keepdims=True) - a, 0)
    assert (np.abs(found - expected) <= (eps * (6 + size + roundings * distance) + chains) * expected + smallest).all()


@pytest.mark.parametrize("scale", [1.0, 0.3, 2.5])
def test_softmax(case, scale):
    z = case.log_probabilities.astype(case.scores.dtype) + case.scores.dtype.type(20)
    p = softmax(z, scale=scale)
    assert p.dtype == z.dtype
    assert_softmax(p, scale * (z.astype(np.float64) - z.max(1, keepdims=True)), roundings=2)
    assert_allclose(p.sum(1, dtype=np.float64), 1, rtol=2e-7 if case.single else 1e-13)  # k roundings, of either sign
    assert (p[z == -np.inf] == 0).all()


def test_softmax_with_scale_zero_is_uniform_over_the_possible_classes():
    p = softmax(np.array([[3.0, -np.inf, -1.0], [0.0, 1.0, 2.0]]), scale=0.0)
    assert_allclose(p, [[0.5, 0, 0.5], [1 / 3] * 3], rtol=1e-15)


def test_log_softmax(case):
    z = case.log_probabilities.astype(case.scores.dtype) + case.scores.dtype.type(20)
    found = log_softmax(z)
    wide = z.astype(np.float64)
    expected = wide - wide.max(1, keepdims=True)
    expected -= np.log(np.exp(expected).sum(1, keepdims=True))
    assert found.dtype == z.dtype
    # one rounding of the result, and the log of a sum of exponentials that is known to 1e-6 (1e-14)
    assert_allclose(found, expected, rtol=np.finfo(z.dtype).eps, atol=1e-6 if case.single else 1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_probabilities_with_and_without_floor(dtype):
    p = np.random.default_rng(0).random((37, 5)).astype(dtype)
    p[::4, 0] = 0
    bare = log_probabilities(p, floor=0.0)
    assert (bare[::4, 0] == -np.inf).all()
    for floor in (1e-3, 1e-300):  # the second is below what float32 can hold: its log is not
        found = log_probabilities(p, floor=floor)
        assert found.dtype == p.dtype
        expected = np.maximum(np.log(np.maximum(p.astype(np.float64), floor)), np.log(floor))
        assert_allclose(found, expected, rtol=3e-7 if dtype == np.float32 else 1e-15)


@pytest.mark.parametrize("floor", [0.0, 1e-9])
def test_affine_softmax(case, floor):
    k = case.shape[1]
    rng = np.random.default_rng(5)
    scale, shift = rng.uniform(0.2, 1.5, k), rng.normal(size=k)
    u = case.log_probabilities
    if floor:
        u = np.maximum(u, np.log(floor))
    found = affine_softmax(case.scores, scale, shift, logits=case.logits, total=case.total, floor=floor)
    assert found.dtype == case.scores.dtype
    # the log-sum-exp that is taken away is about 40, and each class scales its rounding differently
    assert_softmax(found, scale * u + shift, roundings=3, size=120)


def test_affine_softmax_of_the_identity_is_the_softmax(small_case):
    k = small_case.shape[1]
    found = affine_softmax(
        small_case.scores, np.ones(k), np.zeros(k), logits=small_case.logits, total=small_case.total, floor=0.0
    )
    assert_softmax(found, small_case.log_probabilities, roundings=3)
    assert (found[small_case.log_probabilities == -np.inf] == 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [3, 8, 21])
def test_affine_logits(dtype, k):
    rng = np.random.default_rng(k)
    z = (3 * rng.normal(size=(40, k)) + 100).astype(dtype)
    z[3, 1] = -np.inf
    scale, shift, wide = rng.normal(size=k), rng.normal(size=k), z.astype(float)
    total = np.logaddexp.reduce(wide, axis=1)
    expected = scale * np.maximum(wide - total[:, None], np.log(1e-30)) + shift
    found = affine_logits(z, scale, shift, total=total, floor=1e-30)
    assert found.dtype == dtype
    # four roundings of numbers of this size
    assert np.abs(found - expected).max() <= 4 * np.finfo(dtype).eps * np.abs(expected).max()
