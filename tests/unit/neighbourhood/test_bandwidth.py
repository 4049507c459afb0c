"""Bandwidths by effective sample size and by leave-one-out log loss."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from calibrant.errors import DataError
from calibrant.neighbourhood import KERNELS, Neighbourhood, bandwidth
from unit.neighbourhood.cases import batch, of, one_hot, plain_space


@pytest.mark.parametrize("target", [5, 50])
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_median_effective_size_is_the_target(kernel, target):
    hood = Neighbourhood.fit(batch(n=400), kernel=kernel, bandwidth="size", size=target)
    # two per cent of the bandwidth; in four dimensions the size grows by up to its fourth power, and a box counts
    assert_allclose(np.median(hood.leave_one_out().effective_size), target, rtol=0.09)
    assert (np.diff(hood.curve[:, 0]) > 0).all()
    assert (np.diff(hood.curve[:, 1]) >= 0).all()


def test_the_target_is_cut_to_half_of_the_rows():
    hood = Neighbourhood.fit(batch(n=21), bandwidth="size", size=50)
    assert_allclose(np.median(hood.leave_one_out().effective_size), 10, rtol=0.05)


def slow_loss(hood, labels):
    theta, base = hood.leave_one_out().frequencies, hood.class_frequencies
    shares = bandwidth.SHARES[:, None, None]
    logs = np.log((1 - shares) * theta + shares * base)
    return float(-(one_hot(labels, hood.k) * logs).sum(-1).mean(1).max())


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("kernel", KERNELS)
def test_no_other_bandwidth_has_a_lower_log_loss(kernel, soft):
    p = batch(n=300, soft=soft)
    hood = Neighbourhood.fit(p, kernel=kernel, bandwidth="log_loss")
    least = hood.curve[:, 1].min()
    assert_allclose(slow_loss(hood, p.labels), least, rtol=1e-9)
    assert hood.curve[hood.curve[:, 0] == hood.bandwidth, 1] == least
    assert hood.share in bandwidth.SHARES
    others = [slow_loss(hood.at(h), p.labels) for h in np.geomspace(0.05, 20, 40)]
    assert min(others) > least - 2e-3  # the box kernel's loss is a staircase; the grid's others are this close at most


def test_informative_features_get_a_narrow_kernel_and_noise_a_wide_one():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 2))
    clear, noise = (x[:, 0] > 0).astype(int), rng.integers(0, 2, 600)
    narrow, wide = (Neighbourhood.fit(of(x, y, 2)).bandwidth for y in (clear, noise))
    assert narrow < 0.3 < 1 < wide


def test_a_class_with_one_row_leaves_the_loss_finite():
    p = batch(n=50)
    labels = np.append(p.labels[:-1], 3)
    hood = Neighbourhood.fit(of(p.features, labels, 5))
    assert np.isfinite(hood.curve).all()


def test_rows_that_are_all_alike_get_some_bandwidth():
    p = of([[1.0, 2.0], [1.0, 2.0], [1.0, 3.0]], [0, 1, 0], 2, [1.0, 1.0, 0.0])
    for how in ("size", "log_loss"):
        hood = Neighbourhood.fit(p, space=plain_space(2), bandwidth=how)
        assert hood.bandwidth == 1
        assert_array_equal(hood.leave_one_out().frequencies, [[0, 1], [1, 0]])


def test_weights_count_in_the_choice():
    p = batch(n=200)
    w = np.where(np.arange(200) < 100, 1.0, 0.0)
    a = Neighbourhood.fit(of(p.features, p.labels, 3, w))
    b = Neighbourhood.fit(of(p.features[:100], p.labels[:100], 3))
    assert_allclose(a.bandwidth, b.bandwidth, rtol=1e-9)


@pytest.mark.parametrize("low", [-3.0, 7.0, -40.0])
def test_golden_section_finds_a_minimum_anywhere(low):
    found = bandwidth.golden_section(lambda x: (x - low - 1.7) ** 2, low, low + 5)
    assert abs(found - low - 1.7) <= 0.02


def test_the_choice_is_strict():
    with pytest.raises(DataError, match="bandwidth must be a number, 'log_loss' or 'size', got 'auto'"):
        Neighbourhood.fit(batch(), bandwidth="auto")
    for wrong in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(DataError, match="bandwidth must lie between"):
            Neighbourhood.fit(batch(), bandwidth=wrong)
    with pytest.raises(DataError, match="kernel must be one of"):
        Neighbourhood.fit(batch(), bandwidth=1.0, kernel="cosine")
