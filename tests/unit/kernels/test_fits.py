"""`temperature_pass`, `affine_pass` and `logistic_pass` against plain NumPy in float64, and their derivatives."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from calibrant.kernels import affine_pass, logistic_apply, logistic_pass, temperature_pass

WEIGHTED = pytest.mark.parametrize("weighted", [False, True])
FLOOR = 1e-12


def weights_of(case, weighted):
    return (case.weights if weighted else None), (case.weights if weighted else np.ones(len(case.scores)))


def assert_sums(found, expected, size, single):
    """Check sums whose terms add up to `size` in absolute value.

    float32: a term is known to about 6e-8 of a logit of up to 100, so 1e-5, with either sign. float64: 1e-12.
    """
    assert_allclose(found, expected, rtol=0, atol=((1e-5 if single else 1e-12) * np.asarray(size)).max() + 1e-300)


def expectation(p, z):
    return np.where(p > 0, p * np.where(p > 0, z, 0), 0).sum(1)


def plain_temperature(z, beta, w):
    """Return the loss and its three derivatives for logits z (n, k), -inf for a class that takes no part."""
    top = z.max(1)
    with np.errstate(invalid="ignore"):
        e = np.where(z > -np.inf, np.exp(beta * (z - top[:, None])), 0)
    p = e / e.sum(1, keepdims=True)
    mean = expectation(p, z)
    far = z - mean[:, None]
    return w @ np.log(e.sum(1)), w @ (mean - top), w @ expectation(p, far**2), w @ expectation(p, far**3)


def raw_logits(case, floor):
    if case.logits:
        return case.scores.astype(np.float64)
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(case.scores.astype(np.float64), floor))


@WEIGHTED
@pytest.mark.parametrize("floor", [0.0, FLOOR])
@pytest.mark.parametrize("beta", [0.0, 0.4, 1.7])
def test_temperature_pass(case, weighted, floor, beta):
    weights, w = weights_of(case, weighted)
    z = raw_logits(case, floor)
    top = z.argmax(1).astype(np.int32)
    found = temperature_pass(case.scores, beta, logits=case.logits, top=top, weights=weights, floor=floor, threads=1)
    expected = plain_temperature(z, beta, w)
    spread = np.where(np.isfinite(z), z.max(1, keepdims=True) - z, 0).max(initial=1)
    for value, wanted, size in zip(found, expected, (spread, spread, spread**2, spread**3), strict=True):
        assert_sums(value, wanted, w.sum() * size, case.single)
    assert found[2] >= 0


def test_temperature_derivatives_are_those_of_the_loss(small_case):
    z = small_case.scores.astype(np.float64)
    top = z.argmax(1).astype(np.int32)

    def at(beta):
        return temperature_pass(z, beta, logits=small_case.logits, top=top, floor=FLOOR)

    h = 1e-5  # central differences: h^2 of the third derivative, and rounding of the loss over h
    low, high, here = at(0.8 - h), at(0.8 + h), at(0.8)
    for order in range(3):
        assert_allclose((high[order] - low[order]) / (2 * h), here[order + 1], rtol=1e-6, atol=1e-4)


def test_variance_of_certain_rows_is_not_negative():
    z = np.tile(np.array([1e6, 0.0, -1e6]), (9, 1))
    assert temperature_pass(z, 1.0, logits=True, top=np.zeros(9, np.int32)) == (0, 0, 0, 0)


def test_zero_weight_rows_may_be_anything(small_case):
    """A row of weight zero is skipped even where its sums would be NaN."""
    scores, w = small_case.scores.copy(), np.ones(len(small_case.scores))
    scores[1], w[1] = np.nan, 0
    k = scores.shape[1]
    kind = {"logits": small_case.logits, "floor": FLOOR}
    keep = w > 0
    total, top = small_case.total, small_case.scores.argmax(1).astype(np.int32)
    full = temperature_pass(scores, 1.0, top=top, weights=w, **kind)
    part = temperature_pass(scores[keep], 1.0, top=top[keep], **kind)
    assert_allclose(full, part, rtol=1e-13)
    for kernel in (affine_pass, logistic_pass):
        full = kernel(scores, np.ones(k), np.zeros(k), total=total, weights=w, **kind)
        part = kernel(scores[keep], np.ones(k), np.zeros(k), total=total[keep], **kind)
        for a, b in zip(full, part, strict=True):
            assert_allclose(a, b, rtol=1e-12)  # tiles of four rows fall differently


@WEIGHTED
@pytest.mark.parametrize("floor", [0.0, FLOOR])
def test_affine_pass(case, weighted, floor):
    weights, w = weights_of(case, weighted)
    k = case.shape[1]
    rng = np.random.default_rng(7)
    scale, shift = rng.uniform(0.3, 1.4, k), rng.normal(size=k)
    found = affine_pass(
        case.scores, scale, shift, logits=case.logits, total=case.total, weights=weights, floor=floor, threads=1
    )
    u = np.maximum(case.log_probabilities, np.log(floor) if floor else -np.inf)
    a = scale * u + shift
    lse = a.max(1) + np.log(np.exp(a - a.max(1, keepdims=True)).sum(1))
    p = np.exp(a - lse[:, None])
    u = np.where(np.isfinite(u), u, 0)
    size, spread = w.sum(), 120 * p.max(0)
    assert_sums(found.log_normalizer, w @ lse, size, case.single)
    assert_sums(found.mass, w @ p, size * p.max(0), case.single)
    assert_sums(found.moment, w @ (p * u), size * spread, case.single)
    for sums, power, factor in zip(found.curvature, (2, 1, 0), (120**2, 120, 1), strict=True):
        assert_sums(sums, w @ (p * (1 - p) * u**power), size * factor * p.max(0), case.single)


def plain_odds(case):
    """Return s = log p - log(1 - p), with 1 - p of logits summed over the other classes."""
    p = case.probabilities
    q = 1 - p
    if case.logits and p.shape[1] <= 1000:
        for c in np.unique(p.argmax(1)):
            q[:, c] = np.delete(p, c, axis=1).sum(1)
    with np.errstate(divide="ignore"):
        log_p = np.maximum(case.log_probabilities, np.log(FLOOR))
        return log_p - np.maximum(np.log(np.maximum(q, 0)), np.log(FLOOR))


@WEIGHTED
def test_logistic_pass(case, weighted):
    weights, w = weights_of(case, weighted)
    k = case.shape[1]
    rng = np.random.default_rng(8)
    slope, intercept = rng.uniform(0.3, 1.4, k), rng.normal(size=k)
    found = logistic_pass(
        case.scores, slope, intercept, logits=case.logits, total=case.total, weights=weights, floor=FLOOR, threads=1
    )
    s = plain_odds(case)
    a = slope * s + intercept
    sigma = np.exp(-np.logaddexp(0, -a))
    size = w.sum() * 40  # |s| is below 28 by the floor
    assert_sums(found.softplus, w @ np.logaddexp(0, a), size, case.single)
    assert_sums(found.mass, w @ sigma, size, case.single)
    assert_sums(found.moment, w @ (sigma * s), size, case.single)
    for sums, power in zip(found.curvature, (2, 1, 0), strict=True):
        assert_sums(sums, w @ (sigma * (1 - sigma) * s**power), size, case.single)


def test_logistic_apply(case):
    k = case.shape[1]
    rng = np.random.default_rng(9)
    slope, intercept = rng.uniform(0.3, 1.4, k), rng.normal(size=k)
    found = logistic_apply(case.scores, slope, intercept, logits=case.logits, total=case.total, floor=FLOOR)
    expected = np.exp(-np.logaddexp(0, -(slope * plain_odds(case) + intercept)))
    assert found.dtype == case.scores.dtype
    # the argument is known to 1e-5 (an epsilon of 6e-8 times 40, and of the total); float64 likewise
    assert_allclose(found, expected, rtol=2e-5 if case.single else 1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_is_lost_near_one(dtype):
    """p = 1 - 3e-9 is 1 in float32, but its log-odds are known from the other logits."""
    z = np.array([[0.0, -20.0, -21.0]], dtype)
    total = np.log(np.exp(z.astype(np.float64)).sum(1))
    s = logistic_apply(z, np.full(3, 0.1), np.zeros(3), logits=True, total=total, floor=1e-30)
    odds = np.log(np.exp(z.astype(np.float64))[0, 0] / np.exp(z.astype(np.float64))[0, 1:].sum())
    assert_allclose(s[0, 0], 1 / (1 + np.exp(-0.1 * odds)), rtol=1e-6 if dtype == np.float32 else 1e-14)


def test_a_probability_of_one_has_the_floor_as_its_complement():
    p = np.array([[1.0, 0.0], [1.0000001, 0.0]])
    found = logistic_apply(p, np.full(2, 0.1), np.zeros(2), logits=False, floor=1e-6)
    odds = -np.log(1e-6)
    assert_allclose(found, [[1 / (1 + np.exp(-0.1 * odds)), 1 / (1 + np.exp(0.1 * odds))]] * 2, rtol=1e-7)
