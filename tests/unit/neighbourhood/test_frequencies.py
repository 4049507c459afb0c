"""Local class frequencies: closed forms, limits, laws of weights, and a slow loop."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from calibrant.neighbourhood import KERNELS, Neighbourhood
from unit.neighbourhood.cases import batch, of, one_hot, plain_space, slow

SMOOTH = ("gaussian", "laplacian")


def fit(predictions, **choices):
    return Neighbourhood.fit(predictions, **({"bandwidth": 1.0} | choices))


def assert_same(found, expected, tolerance=1e-10):
    theta, log_mass, size = expected
    assert_allclose(found.frequencies, theta, rtol=tolerance, atol=tolerance)
    assert_allclose(found.log_mass, log_mass, rtol=tolerance, atol=tolerance)
    assert_allclose(found.effective_size, size, rtol=tolerance)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("kernel", KERNELS)
def test_log_space_equals_the_direct_sums(kernel, weights, soft):
    hood = fit(batch(weights=weights, soft=soft), kernel=kernel, bandwidth=3.5)
    new = batch(n=17, seed=5).features
    assert_same(hood.leave_one_out(), slow(hood))
    assert_same(hood.frequencies(new), slow(hood, new))
    assert_allclose(hood.leave_one_out().frequencies.sum(1), 1, rtol=1e-13)
    assert not hood.leave_one_out().missed.any()


def test_two_copies_with_other_labels_predict_each_other():
    hood = fit(of([[1.0, 2.0], [1.0, 2.0], [9.0, 9.0]], [0, 1, 2], 3), bandwidth=0.1)
    assert_allclose(hood.leave_one_out().frequencies[:2], [[0, 1, 0], [1, 0, 0]], atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_wide_kernel_gives_the_frequencies_of_all_others(kernel):
    p = batch()
    hood, n, y = fit(p, kernel=kernel, bandwidth=1e90), len(p), one_hot(p.labels, 3)
    found = hood.leave_one_out()
    assert_allclose(found.frequencies, (n * y.mean(0) - y) / (n - 1), rtol=1e-13)
    assert_allclose(found.effective_size, n - 1, rtol=1e-13)
    assert_allclose(found.log_mass, np.log(n - 1), rtol=1e-13)


@pytest.mark.parametrize("h", [1e-5, 1e-90])
@pytest.mark.parametrize("kernel", SMOOTH)
def test_a_narrow_kernel_gives_the_label_of_the_nearest(kernel, h):
    p = batch()
    hood = fit(p, kernel=kernel, bandwidth=h)
    found = hood.leave_one_out()
    label = p.labels[hood.nearest(1).rows[:, 0]]
    assert_allclose(found.frequencies, one_hot(label, 3), atol=1e-6)  # the second nearest may be as near but for 1e-4
    assert_allclose(found.effective_size, 1, rtol=1e-5)


@pytest.mark.parametrize("kernel", SMOOTH)
@pytest.mark.parametrize("many", [False, True])
def test_an_isolated_row_has_the_frequencies_of_its_nearest(kernel, many):
    n = 5000 if many else 40  # with many rows, in single precision
    p = batch(n=n)
    hood = fit(p, kernel=kernel, space=plain_space(4), bandwidth=1.0)
    far = np.array([[1005.0, 5, 5, 5]])  # d^2 = 1e6
    found = hood.frequencies(far)
    assert np.isfinite(found.frequencies).all()
    assert_allclose(found.frequencies.sum(), 1, rtol=1e-12)
    assert found.frequencies[0, p.labels[p.features[:, 0].argmax()]] > 0.5
    assert found.log_mass[0] < -900
    assert 1 <= found.effective_size[0] < n / 4


def test_a_box_without_neighbours_has_the_prior():
    hood = fit(of([[0.0], [0.5], [50.0]], [0, 1, 1], 2), space=plain_space(1), kernel="box", bandwidth=1.0)
    found = hood.leave_one_out()
    assert_allclose(found.frequencies, [[0, 1], [1, 0], [1 / 3, 2 / 3]])
    assert_array_equal(found.effective_size, [1, 1, 0])
    assert_array_equal(found.log_mass, [0, 0, -np.inf])
    given = hood.leave_one_out(prior=np.array([0.9, 0.1]))
    assert_allclose(given.frequencies[2], [0.9, 0.1])
    rows = np.array([[0.5, 0.5], [0.5, 0.5], [0.2, 0.8]])
    assert_allclose(hood.leave_one_out(prior=rows).frequencies[2], [0.2, 0.8])


def test_effective_size_counts_equal_neighbours():
    x = np.concatenate([np.zeros((1, 2)), [[1, 0], [0, 1], [-1, 0], [0, -1]], [[100, 100]]])
    hood = fit(of(x, [0, 0, 1, 0, 1, 1], 2), space=plain_space(2), bandwidth=1.0)
    found = hood.leave_one_out()
    assert_allclose(found.effective_size[0], 4, rtol=1e-12)
    assert_allclose(found.frequencies[0], [0.5, 0.5], rtol=1e-12)
    assert_allclose(found.log_mass[0], np.log(4) - 0.5, rtol=1e-12)
    single = fit(of(x[[0, 1]], [0, 1], 2), space=plain_space(2))
    assert_array_equal(single.leave_one_out().effective_size, 1)


def test_a_single_row_without_itself_has_the_prior():
    found = fit(of([[1.0, 2.0]], [1], 3), space=plain_space(2)).leave_one_out()
    assert_array_equal(found.frequencies, [[0, 1, 0]])
    assert_array_equal(found.effective_size, 0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_weights_are_repetitions_for_a_query(kernel):
    p, new = batch(), batch(n=9, seed=4).features
    w = np.random.default_rng(1).integers(0, 4, len(p)).astype(float)
    of_weights = of(p.features, p.labels, 3, w)
    times = w.astype(int)
    repeated = of(np.repeat(p.features, times, 0), np.repeat(p.labels, times), 3)
    a, b = (fit(each, kernel=kernel, bandwidth=3.5).frequencies(new) for each in (of_weights, repeated))
    assert_allclose(a.frequencies, b.frequencies, atol=1e-11)
    # mass is in effective rows, of which repeated rows have more than a row of the same weight
    assert_allclose(b.log_mass - a.log_mass, np.log(w.sum() / of_weights.effective_rows), rtol=1e-9)


def test_only_ratios_of_weights_matter():
    p = batch(weights=True)
    a, b = (fit(of(p.features, p.labels, 3, s * p.weights)).leave_one_out() for s in (1.0, 1e3))
    assert_allclose(a.frequencies, b.frequencies, atol=1e-12)
    assert_allclose(a.log_mass, b.log_mass, rtol=1e-10)
    assert_allclose(a.effective_size, b.effective_size, rtol=1e-10)


def test_hard_labels_are_soft_ones():
    p = batch(weights=True)
    hard, soft = fit(p), fit(of(p.features, one_hot(p.labels, 3), 3, p.weights))
    assert_allclose(hard.leave_one_out().frequencies, soft.leave_one_out().frequencies, atol=1e-13)


def test_the_order_of_rows_and_the_names_of_classes_do_not_matter():
    p, new = batch(weights=True), batch(n=9, seed=4).features
    order = np.random.default_rng(2).permutation(len(p))
    names = np.array([2, 0, 1])
    other = of(p.features[order], names[p.labels][order], 3, p.weights[order])
    a, b = fit(p).frequencies(new), fit(other).frequencies(new)
    assert_allclose(a.frequencies, b.frequencies[:, names], atol=1e-11)


def test_a_class_without_rows_keeps_its_column():
    p = batch()
    found = fit(of(p.features, p.labels, 5)).leave_one_out().frequencies
    assert found.shape == (len(p), 5)
    assert_array_equal(found[:, 3:], 0)


def test_averages_are_those_of_any_values():
    p = batch(weights=True)
    hood = fit(p, bandwidth=2.0)
    values = np.random.default_rng(0).normal(size=(len(p), 2))
    theta = hood.leave_one_out().frequencies
    assert_allclose(hood.averages(one_hot(p.labels, 3)).frequencies, theta, atol=1e-12)
    joined = hood.averages(np.column_stack([values, np.ones(len(p))]))
    assert_allclose(joined.frequencies[:, 2], 1, rtol=1e-12)
    assert_allclose(hood.averages(values, p.features[:4]).frequencies, slow_averages(hood, values, p.features[:4]))


def slow_averages(hood, values, features):
    ((_, logs),) = hood.log_weights(features)
    w = np.exp(logs - logs.max(1, keepdims=True))
    return w @ values / w.sum(1, keepdims=True)


@pytest.mark.parametrize("kernel", KERNELS)
def test_weights_by_blocks_are_those_of_the_frequencies(kernel):
    hood = fit(batch(weights=True), kernel=kernel, bandwidth=2.0)
    ((rows, weights, largest),) = hood.weight_blocks()
    assert rows == slice(0, 60)
    assert_array_equal(np.diag(weights), 0)
    ((_, logs),) = hood.log_weights()
    with np.errstate(divide="ignore"):
        assert_allclose(np.log(weights) + largest[:, None], logs, rtol=1e-10, atol=1e-10)
