"""Isotonic knots, score cells and curves against plain NumPy and scipy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

from calibrant import Predictions, kernels
from calibrant.solvers.isotonic import NEAR_ONE, Groups, _groups_of_each, rising_curve

# Both add the same numbers in double precision, in another order; a log-odds near 0 is a difference of such sums.
ROUNDING = 1e-9


def oracle_groups(p, outcome, weights):
    """Return the groups of one column, ties by equality; for columns without a probability near 1."""
    order = np.argsort(p, kind="stable")
    p, outcome, weights = p[order].astype(float), outcome[order], weights[order]
    first = np.flatnonzero(np.diff(p, prepend=-1.0))
    mass = np.add.reduceat(weights, first)
    columns = (outcome, p, 1 - p, np.log(p) - np.log1p(-p))
    inside, *means = (np.add.reduceat(weights * column, first) for column in columns)
    return Groups(mass, inside, *(mean / mass for mean in means))


def values(kind, rng, n, k):
    """Return probabilities that are awkward to sort, either equal or further apart than rounding."""
    p = rng.dirichlet(np.full(k, 0.4), n) * 0.99 + 0.01 / k
    found = {
        "plain": p,
        "ties": np.round(p, 1) * 0.99 + 0.01 / k,
        "one value": np.full((n, k), 1 / k),
        "wide": np.exp(-30 * rng.random((n, k))) / k,
        "narrow": 0.3 + 1e-3 * p,
    }[kind]
    return 10 ** np.round(np.log10(found), 5)


@pytest.mark.parametrize("kind", ["plain", "ties", "one value", "wide", "narrow"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("labels", ["hard", "soft"])
@pytest.mark.parametrize("weighted", [False, True])
def test_knots_equal_scipy(kind, dtype, labels, weighted):
    for n, k in [(700, 3), (40, 2), (3000, 20)]:
        rng = np.random.default_rng([n, k])
        p = values(kind, rng, n, k).astype(dtype)
        hard = np.where(rng.random(n) < 0.5, p.argmax(1), rng.integers(0, k - (k > 2), n))  # k > 2: a class is missing
        soft = rng.dirichlet(np.ones(k), n) if labels == "soft" else np.eye(k)[hard]
        weights = rng.integers(1, 4, n) / 2 if weighted else None
        w = np.ones(n) if weights is None else weights
        given = soft if labels == "soft" else None
        found = kernels.isotonic_knots(p, hard, soft=given, weights=weights, smoothing=1.5, odds=True)
        for c in range(k):
            expected = rising_curve(oracle_groups(p[:, c], soft[:, c], w), 1.5)
            at = slice(found.offsets[c], found.offsets[c + 1])
            assert_allclose(found.centres[at], expected.centres, rtol=ROUNDING, atol=ROUNDING)
            assert_allclose(found.levels[at], expected.levels, rtol=ROUNDING, atol=ROUNDING)


def test_knots_as_probabilities_are_those_of_the_same_blocks():
    rng = np.random.default_rng(2)
    p, labels = rng.dirichlet(np.ones(4), 500), rng.integers(0, 4, 500)
    odds = kernels.isotonic_knots(p, labels, smoothing=1.0, odds=True)
    plain = kernels.isotonic_knots(p, labels, smoothing=1.0, odds=False)
    assert_array_equal(odds.offsets, plain.offsets)
    assert_allclose(expit(odds.levels), plain.levels, rtol=ROUNDING)
    first = np.sort(p[:, 0])[: (p[:, 0] < p[labels == 0, 0].min()).sum()]  # all rows below the first hit
    if len(first):
        assert plain.centres[0] <= first.max()


def test_what_rounds_to_one_is_told_apart_by_the_others():
    rest = 10.0 ** -np.arange(6, 14)
    p = np.stack([np.ones(8), rest], axis=1).astype(np.float32)
    labels = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    found = kernels.isotonic_knots(p, labels, smoothing=1.0, odds=True)
    of_first = slice(0, found.offsets[1])
    # labels 0 from the fifth row on: two blocks, whose centres are means of log(1 / rest)
    logs = -np.log(rest)
    assert_allclose(found.centres[of_first], [logs[:4].mean(), logs[4:].mean()], rtol=1e-6)


def test_scores_that_differ_by_rounding_are_ties():
    p = np.full((4, 2), 0.25)
    p[:, 0] = np.nextafter(0.25, [0, 1, 0, 1])
    found = kernels.isotonic_knots(p, np.array([0, 1, 0, 1]), smoothing=1.0, odds=True)
    assert_array_equal(found.offsets, [0, 1, 2])


def test_cells_hold_the_sums_of_their_scores():
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.full(6, 0.2), 400).astype(np.float32)
    p = np.maximum(p, 1e-6)
    labels, weights = rng.integers(0, 6, 400), rng.integers(1, 4, 400).astype(float)
    cells = kernels.score_cells(p, labels, weights=weights)
    assert cells.weight.sum() == 6 * weights.sum()
    assert cells.outcome.sum() == weights.sum()
    means = np.where(cells.low, cells.smaller, cells.weight - cells.smaller) / cells.weight
    assert (np.diff(means) > 0).all()
    whole = np.where(p > NEAR_ONE, 1 - (p.sum(1, keepdims=True) - p), p).astype(float)
    assert_allclose((means * cells.weight).sum(), weights @ whole.sum(1), rtol=1e-6)
    for low in (0.01, 0.3, 0.7):  # cells that hold a score near these
        at = np.abs(means - low).argmin()
        inside = np.abs(p - means[at]) <= 1e-3 * min(low, 1 - low)
        assert cells.weight[at] <= (weights[:, None] * inside).sum()
        assert cells.outcome[at] <= weights[inside[np.arange(400), labels]].sum()


def test_soft_outcomes_that_are_hard_give_the_same_cells():
    rng = np.random.default_rng(4)
    p, labels = rng.dirichlet(np.ones(5), 300), rng.integers(0, 5, 300)
    hard, soft = kernels.score_cells(p, labels), kernels.score_cells(p, None, soft=np.eye(5)[labels])
    for a, b in zip(hard, soft, strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("logits", [False, True])
def test_one_curve_from_cells_is_the_curve_of_each_score(logits):
    rng = np.random.default_rng(5)
    z = rng.normal(size=(4000, 8)) * 2
    labels = np.argmax(z / 2 + rng.gumbel(size=z.shape), axis=1)
    make = Predictions.from_logits if logits else Predictions.from_probabilities
    batch = make(z if logits else scipy.special.softmax(z, axis=1), labels)
    each = rising_curve(_groups_of_each(batch), 1.0)
    cells = kernels.score_cells(batch.probabilities, labels)
    p = np.where(cells.low, cells.smaller / cells.weight, 1 - cells.smaller / cells.weight)
    narrow = rising_curve(Groups(cells.weight, cells.outcome, p, 1 - p, np.log(p / (1 - p))), 1.0)
    grid = np.linspace(-7, 5, 200)
    # a cell is a thousandth wide on the log-odds scale, where this curve rises about half as fast
    gap = np.interp(grid, each.centres, each.levels) - np.interp(grid, narrow.centres, narrow.levels)
    assert np.abs(gap).mean() < 5e-3


def without_zeros(case):
    """Return the case with positive probabilities, as the callers of the kernel see to."""
    return replace(case, scores=np.maximum(case.scores, -50 if case.logits else 1e-30).astype(case.scores.dtype))


SCALES = ("odds", "probability", "log")


def random_curves(rng, scale, curves):
    """Return curves with one to 40 knots, some of them very near to each other."""
    sizes = rng.integers(1, 40, curves)
    sizes[0] = 1 if curves > 1 else sizes[0]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    ends = {"odds": (-9, 6), "probability": (0, 1), "log": (-12, 0)}[scale]
    knots, levels = [], []
    for size in sizes:
        place = np.sort(rng.uniform(*ends, size))
        place[1::3] = place[:-1:3] + 1e-7  # a steep piece
        knots.append(np.unique(place))
        levels.append(np.sort(rng.uniform(*ends, len(knots[-1]))))
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in knots])])
    return offsets, np.concatenate(knots), np.concatenate(levels)


def oracle_values(case, offsets, knots, levels, scale, tilt):
    """Return the rows that np.interp gives."""
    u, p = case.log_probabilities, case.probabilities
    others = np.stack([np.delete(p, c, axis=1).sum(1) for c in range(p.shape[1])], axis=1)
    rest = np.where(p > NEAR_ONE, others, 1 - p)
    x = {"odds": u - np.log(rest), "probability": p, "log": u}[scale]
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        at = slice(offsets[c], offsets[c + 1]) if len(offsets) > 2 else slice(None)
        y[:, c] = np.interp(x[:, c], knots[at], levels[at]) + tilt * x[:, c]
    y = {"odds": expit, "probability": np.asarray, "log": lambda h: np.exp(h - h.max(1, keepdims=True))}[scale](y)
    return y / y.sum(1, keepdims=True)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("shared", [False, True])
def test_curves_equal_interpolation(small_case, scale, shared):
    case, k = without_zeros(small_case), small_case.shape[1]
    if scale == "log" and not shared:
        return  # curves of log-probabilities are shared
    rng = np.random.default_rng([k, shared])
    curves, tilt = random_curves(rng, scale, 1 if shared else k), 0.01 if shared else 0.0
    total = case.total if case.logits else None
    found = kernels.apply_curves(case.scores, *curves, scale=scale, tilt=tilt, total=total)
    expected = oracle_values(case, *curves, scale, tilt)
    # On a piece of length 1e-7 levels rise by up to 15: 1e-16 of an argument of 10 is 1e-6 of the piece's height.
    assert_allclose(found, expected, rtol=1e-5, atol=2e-7 if case.single else 1e-7)
    smooth = np.abs(found - expected) < (3e-7 if case.single else 1e-12)
    assert smooth.mean() > 0.999


def test_a_piece_that_is_steeper_than_the_precision_of_a_cell():
    # 16 cells with bounds at (g + 1/2) / 15: the steep piece lies across the one at 0.1, a knot on either side
    offsets, knots, levels = np.array([0, 4]), np.array([0, 0.1 - 5e-7, 0.1 + 5e-7, 1]), np.array([0.1, 0.1, 0.9, 0.9])
    p = (0.1 + np.linspace(-6e-7, 6e-7, 200)).astype(np.float32)
    scores = np.column_stack([p, 1 - p])
    found = kernels.apply_curves(scores, offsets, knots, levels, scale="probability")
    y = np.interp(scores.astype(np.float64), knots, levels)
    assert np.ptp(y[:, 0]) == pytest.approx(0.8)
    assert_allclose(found, y / y.sum(1, keepdims=True), rtol=2e-7)


def test_curves_give_the_same_bits_for_any_number_of_threads_and_rows(big_case):
    rng, k = np.random.default_rng(8), big_case.shape[1]
    curves, total = random_curves(rng, "odds", k), big_case.total if big_case.logits else None
    one = kernels.apply_curves(big_case.scores, *curves, scale="odds", total=total, threads=1)
    assert_array_equal(kernels.apply_curves(big_case.scores, *curves, scale="odds", total=total, threads=3), one)
    rows = slice(70, 103)
    part = None if total is None else total[rows]
    some = kernels.apply_curves(np.ascontiguousarray(big_case.scores[rows]), *curves, scale="odds", total=part)
    assert_array_equal(some, one[rows])


def test_fits_give_the_same_bits_for_any_number_of_threads():
    rng = np.random.default_rng(9)
    p, labels = rng.dirichlet(np.ones(300), 4000).astype(np.float32), rng.integers(0, 300, 4000)
    weights = rng.random(4000)
    for threads in (2, 3):
        for fit in (kernels.isotonic_knots, kernels.score_cells):
            options = {"smoothing": 1.0, "odds": True} if fit is kernels.isotonic_knots else {}
            one = fit(p, labels, weights=weights, threads=1, **options)
            for a, b in zip(one, fit(p, labels, weights=weights, threads=threads, **options), strict=True):
                assert_array_equal(a, b)


def test_the_clones_agree(small_case, baseline):
    case, k = small_case, small_case.shape[1]
    curves = random_curves(np.random.default_rng(1), "odds", k)
    total = case.total if case.logits else None
    plain = kernels.apply_curves(case.scores, *curves, scale="odds", total=total)
    baseline()
    fused = kernels.apply_curves(case.scores, *curves, scale="odds", total=total)
    # the steep pieces: see test_curves_equal_interpolation
    assert_allclose(plain, fused, rtol=1e-5, atol=2e-7)
