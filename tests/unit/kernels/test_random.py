"""The counter-based generator: reproducible, uniform, independent between neighbours; and draws from rows."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from calibrant.kernels import draw_labels, poisson_weights, uniforms

N = 1 << 17
IDS = np.arange(N, dtype=np.uint64)


def chi_square(counts, probabilities):
    expected = counts.sum() * probabilities
    return ((counts - expected) ** 2 / expected).sum()


def test_a_uniform_depends_on_id_seed_and_replicate_alone():
    u = uniforms(IDS, 3, 5)
    rng = np.random.default_rng(0)
    some = rng.permutation(N)[:1000].astype(np.uint64)
    assert_array_equal(uniforms(some, 3, 5), u[some])
    for seed, replicate in [(4, 5), (3, 6), (5, 3), (-3, 5)]:
        assert (uniforms(IDS, seed, replicate) != u).all()
    assert_array_equal(uniforms(IDS, 3 + 2**64, 5), u)


def mix(x):
    """Return the finaliser of SplitMix64 in whole numbers of Python."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return x ^ (x >> 31)


def plain_uniform(i, seed, replicate):
    odd = 0x9E3779B97F4A7C15
    first = mix((seed + odd) % 2**64)
    second = mix(first ^ mix((replicate + 2 * odd) % 2**64))
    bits = mix((mix((i * odd + second) % 2**64) + first) % 2**64)
    return ((bits >> 12) + 0.5) / 2**52


def test_uniforms_equal_the_plain_formula():
    ids = np.array([0, 1, 2**63, 2**64 - 1], np.uint64)
    for seed, replicate in [(0, 0), (7, 3), (2**64 - 1, 999)]:
        assert uniforms(ids, seed, replicate).tolist() == [plain_uniform(int(i), seed, replicate) for i in ids]


def test_values_stay_what_they_were():
    """Shards of one bootstrap may be computed by different releases, so these numbers must not change."""
    found = uniforms(np.array([0, 1, 2**63], np.uint64), 0, 0)
    assert [x.hex() for x in found.tolist()] == ["0x1.9e3b4f53b1fbbp-1", "0x1.9a3af8d8ef6e7p-1", "0x1.b6894da883e78p-4"]


@pytest.mark.parametrize("step", [1, 2, 1 << 20, 1 << 40, 0x9E3779B97F4A7C15])
def test_uniformity_for_regular_ids(step):
    u = uniforms(IDS * np.uint64(step), 11, 0)
    assert 0 < u.min() < 1e-3
    assert 1 - 1e-3 < u.max() < 1
    # 255 degrees of freedom: mean 255, standard deviation 22.6; five of them either way
    assert 142 < chi_square(np.bincount((u * 256).astype(int), minlength=256), np.full(256, 1 / 256)) < 368


PAIRS = {
    "next id": lambda: (uniforms(IDS, 1, 0), uniforms(IDS + np.uint64(1), 1, 0)),
    "next replicate": lambda: (uniforms(IDS, 1, 0), uniforms(IDS, 1, 1)),
    "next seed": lambda: (uniforms(IDS, 1, 0), uniforms(IDS, 2, 0)),
    "seed and replicate exchanged": lambda: (uniforms(IDS, 1, 2), uniforms(IDS, 2, 1)),
    "one bit of the id": lambda: (uniforms(IDS, 1, 0), uniforms(IDS ^ np.uint64(1 << 63), 1, 0)),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_neighbours_are_independent(pair):
    a, b = pair()
    # a correlation of n independent pairs has standard deviation 1 / sqrt(n); five of them
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(N)
    cells = np.bincount((a * 16).astype(int) * 16 + (b * 16).astype(int), minlength=256)
    assert 142 < chi_square(cells, np.full(256, 1 / 256)) < 368  # as above


def test_every_bit_of_a_uniform_is_fair():
    bits = (uniforms(IDS, 7, 7) * 2**32).astype(np.uint64)
    ones = np.array([((bits >> np.uint64(b)) & np.uint64(1)).mean() for b in range(32)])
    assert np.abs(ones - 0.5).max() < 5 * 0.5 / np.sqrt(N)  # five standard deviations


def test_poisson_weights_are_the_quantiles_of_the_uniforms():
    counts = poisson_weights(IDS, 3, 5)
    cdf = np.cumsum(np.exp(-1) / np.cumprod(np.r_[1.0, np.arange(1, 20)]))
    assert_array_equal(counts, np.searchsorted(cdf, uniforms(IDS, 3, 5), side="left"))
    assert counts.dtype == np.float64
    probabilities = np.r_[np.diff(np.r_[0, cdf[:6]]), 1 - cdf[5]]
    observed = np.bincount(np.minimum(counts, 6).astype(int), minlength=7)
    assert chi_square(observed, probabilities) < 30  # 6 degrees of freedom: exceeded once in 25,000 seeds


def test_draws_invert_the_cumulative_sums(case):
    n = len(case.scores)
    u = np.random.default_rng(1).random((3, n))
    labels = draw_labels(case.scores, u, logits=case.logits, total=case.total)
    p = case.probabilities
    cumulative = p.cumsum(1) / p.sum(1, keepdims=True)
    expected = (cumulative[None] <= u[..., None]).sum(-1)
    differs = labels != expected
    # Only a uniform within rounding of a step may fall on its other side: 1e-5 with float32 exponentials.
    rows = np.nonzero(differs)[1]
    gap = np.abs(cumulative[rows] - u[differs][:, None]).min(1, initial=1)
    assert (gap < (1e-5 if case.single else 1e-12)).all()
    assert differs.mean() < 0.02
    assert (p[np.arange(n), labels] > 0).all()
    assert_array_equal(draw_labels(case.scores, u[1], logits=case.logits, total=case.total), labels[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_uniforms_never_draw_an_impossible_class(dtype):
    p = np.array([[0, 0.25, 0, 0.75, 0, 0], [0, 1, 0, 0, 0, 0]], dtype)
    smallest, largest = np.full(2, 2.0**-53), np.full(2, np.nextafter(1, 0))
    half = np.array([0.25, 0.5])  # exactly on the step: the next class
    drawn = draw_labels(p, np.stack([smallest, largest, half]), logits=False)
    assert drawn.tolist() == [[1, 1], [3, 1], [3, 1]]
    assert drawn.dtype == np.int32


def test_draws_have_the_rows_frequencies():
    p = np.tile([0.5, 0.0, 0.3, 0.2], (N, 1))
    counts = np.bincount(draw_labels(p, uniforms(IDS, 2, 0), logits=False), minlength=4)
    assert counts[1] == 0
    assert chi_square(counts[[0, 2, 3]], np.array([0.5, 0.3, 0.2])) < 21  # 2 degrees: once in 36,000 seeds
