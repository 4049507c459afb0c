"""O(n²) work by blocks: the same for any block, whatever comes with a row; single against double precision."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from calibrant.neighbourhood import Neighbourhood, references
from unit.neighbourhood.cases import batch, of, plain_space, slow

MANY = 4500  # above the rows up to which double precision is used whatever is asked


def many(dtype=np.float32, **choices):
    p = batch(n=MANY, d=12, dtype=dtype, weights=choices.pop("weights", False), soft=choices.pop("soft", False))
    return Neighbourhood.fit(p, **({"bandwidth": 1.5} | choices)), p


def assert_equal(a, b):
    for name in vars(a):
        assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


@pytest.mark.parametrize("soft", [False, True])
def test_blocks_of_any_size_give_the_same(soft):
    small = 96 * MANY * 4  # one tile of queries at a time
    a, b = (many(soft=soft, block_bytes=size)[0].leave_one_out() for size in (small, 1 << 26))
    assert_equal(a, b)


def test_the_memory_of_a_block_is_bounded():
    hood, p = many(block_bytes=1 << 22)
    shapes = [block.products.shape for block in hood._references.blocks(hood.rows)]
    assert max(b * n * 4 for b, n in shapes) <= 1 << 22
    assert sum(b for b, _ in shapes) == len(p)


@pytest.mark.parametrize("soft", [False, True])
def test_a_query_gives_the_same_whatever_comes_with_it(soft):
    single, p = many(soft=soft)
    narrow = single.at(0.01)  # in double precision
    for hood, tolerance in ((single, 1e-6), (narrow, 0)):  # a few roundings of single precision, or the same digits
        whole = hood.frequencies(p.features[:300])
        for rows in (slice(0, 1), slice(70, 200), slice(299, 300)):
            part = hood.frequencies(p.features[rows])
            for name in vars(part):
                assert_allclose(getattr(part, name), getattr(whole, name)[rows], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("kernel", ["gaussian", "laplacian"])
def test_single_precision_is_within_what_is_tolerated(kernel, weights, monkeypatch):
    hood, p = many(np.float64, kernel=kernel, weights=weights)
    assert hood._references.rows.dtype == np.float32
    found, some = hood.frequencies(p.features[:200]), p.features[:200]
    expected = slow(hood, some)
    # each weight is known to 1e-3 where the bound is met exactly; here it is met by far
    assert_allclose(found.frequencies, expected[0], atol=1e-4)
    assert_allclose(found.log_mass, expected[1], atol=1e-4)
    assert_allclose(found.effective_size, expected[2], rtol=1e-3)
    monkeypatch.setattr(references, "TOLERATED", 1e-9)
    double = Neighbourhood.fit(p, kernel=kernel, bandwidth=1.5)
    assert double._references.rows.dtype == np.float64
    assert_allclose(double.frequencies(some).frequencies, expected[0], atol=1e-11)


def test_a_narrow_kernel_is_computed_in_double():
    hood, _ = many(bandwidth=1e-3)
    assert hood._references.rows.dtype == np.float64
    assert hood.at(1.5)._references.rows.dtype == np.float32


def test_far_from_the_origin_and_next_to_each_other():
    """Squares of 1e16 hide differences of 1: without centring, distances would be rounding."""
    p = batch(n=50)
    moved = Neighbourhood.fit(batch_at(p, 1e8), bandwidth=1.0)
    near = Neighbourhood.fit(batch_at(p, 0.0), bandwidth=1.0)
    # features near 1e8 are rounded to 1e-8 themselves
    assert_allclose(moved.leave_one_out().frequencies, near.leave_one_out().frequencies, atol=1e-6)


def batch_at(p, where):
    return of(np.round(p.features, 4) + where, p.labels, 3)


def test_copies_have_distance_zero_and_come_first():
    x = np.random.default_rng(0).normal(size=(300, 5)) + 100
    x[150:] = x[:150]
    hood = Neighbourhood.fit(of(x, np.arange(300) % 2, 2), space=plain_space(5), bandwidth=1.0)
    found = hood.nearest(2)
    assert_array_equal(found.rows[:, 0], (np.arange(300) + 150) % 300)
    assert_array_equal(found.distances[:, 0], 0)
    assert (found.distances[:, 1] > 0).all()
