"""`bin_classes` and `label_bins` against searchsorted and bincount."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from calibrant.kernels import bin_classes, label_bins, scan_rows

RIGHT = pytest.mark.parametrize("right", [True, False])
EDGES = {
    "15 equal": np.linspace(0, 1, 16),
    "1": np.array([0.0, 1.0]),
    "uneven": np.array([0, 0.001, 0.1, 0.35, 0.9, 1]),
    "inner": np.array([0.125, 0.25, 0.5, 0.625]),
}
ALL_EDGES = pytest.mark.parametrize("edges", EDGES.values(), ids=EDGES)


def naive_bin(p, edges, right):
    """Return the bin of each p by searchsorted, -1 outside."""
    last = len(edges) - 2
    b = np.searchsorted(edges, p, side="left" if right else "right") - 1
    b = np.where(p == edges[0], 0, b)
    b = np.where(p == edges[-1], last, b)
    outside = (p < edges[0]) | (p > edges[-1])
    above_one = (p > 1) & (edges[0] == 0) & (edges[-1] == 1)
    return np.where(above_one, last, np.where(outside, -1, b))


def naive_sums(values, bins, n_bins):
    """Return the sums (k, n_bins) of values (n, k) over bins (n, k)."""
    return np.stack([(np.where(bins == b, values, 0)).sum(0) for b in range(n_bins)], axis=1)


def all_bins(case, edges, right):
    """Return the bin (n, k) of every entry, each asked for as a label's bin."""
    n, k = case.shape
    labels = np.broadcast_to(np.arange(k)[:, None], (k, n)).copy()
    return label_bins(case.scores, labels, edges, logits=case.logits, total=case.total, right=right).T


def edgy(n, k, edges, dtype, seed=0):
    """Return probabilities that lie on edges, next to them, at 0, at 1 and just above."""
    rng = np.random.default_rng(seed)
    grid = np.concatenate([edges, np.nextafter(edges, 0), np.nextafter(edges, 2), [0, 1, 1.0000001, 0.3]])
    return np.abs(rng.choice(grid, (n, k))).astype(dtype)


@RIGHT
@ALL_EDGES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_label_bins_equal_searchsorted_exactly(edges, right, dtype):
    p = edgy(211, 9, edges, dtype)
    labels = np.random.default_rng(2).integers(0, 9, (3, 211))
    bins = label_bins(p, labels, edges, logits=False, right=right)
    expected = naive_bin(p.astype(np.float64)[np.arange(211), labels], edges, right)
    assert_array_equal(bins, expected)
    assert_array_equal(label_bins(p, labels[1], edges, logits=False, right=right), expected[1])


@RIGHT
@ALL_EDGES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [2, 3, 8, 17, 100])
def test_probabilities_on_edges_are_counted_exactly(edges, right, dtype, k):
    p = edgy(150, k, edges, dtype)
    bins = naive_bin(p.astype(np.float64), edges, right)
    totals = scan_rows(p, logits=False).class_totals
    for class_totals in (None, totals):
        found = bin_classes(p, edges, logits=False, class_totals=class_totals, right=right)
        assert_array_equal(found.rows, naive_sums(1, bins, len(edges) - 1))
        # sums of 150 numbers below 1, taken in another order
        assert_allclose(found.score, naive_sums(p.astype(np.float64), bins, len(edges) - 1), rtol=1e-13, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fast", [False, True])
def test_sums_over_every_kind_and_width(case, weighted, fast):
    edges, w = EDGES["15 equal"], case.weights if weighted else np.ones(len(case.scores))
    weights = case.weights if weighted else None
    totals = scan_rows(case.scores, logits=case.logits, weights=weights).class_totals if fast else None
    found = bin_classes(case.scores, edges, logits=case.logits, total=case.total, weights=weights, class_totals=totals)
    many = case.shape[1] > 1000  # one label at a time is slow here
    bins = naive_bin(case.probabilities, edges, True) if many else all_bins(case, edges, True)
    wide = np.broadcast_to(w[:, None], case.shape)
    # The first bin is a difference of sums over n rows, of logits with float32 exponentials (3e-6 of a sum up to n).
    close = {"rtol": 1e-12, "atol": (3e-6 if fast and case.single else 1e-12) * max(1, len(w) / 50)}
    assert_array_equal(found.rows, naive_sums(wide > 0, bins, 15))
    assert_allclose(found.weight, naive_sums(wide, bins, 15), rtol=1e-12, atol=1e-12)
    assert_allclose(found.score, naive_sums(wide * case.probabilities, bins, 15), **close)
    assert found.outcome is None


def test_bins_of_logits_agree_with_their_probabilities(small_case):
    edges = EDGES["uneven"]
    bins, p = all_bins(small_case, edges, True), small_case.probabilities
    clear = np.abs(p[..., None] - edges).min(-1) > 1e-12  # NumPy's exp and libm's differ in the last place
    assert_array_equal(bins[clear], naive_bin(p, edges, True)[clear])


@RIGHT
@pytest.mark.parametrize("weighted", [False, True])
def test_soft_outcomes_and_edges_of_each_class(small_case, right, weighted):
    n, k = small_case.shape
    rng = np.random.default_rng(3)
    edges = np.sort(rng.random((k, 6)), axis=1)
    edges[:, 0], edges[: k // 2, -1] = 0, 1
    outcomes = rng.dirichlet(np.ones(k), size=n)
    weights = small_case.weights if weighted else None
    wide = np.broadcast_to((small_case.weights if weighted else np.ones(n))[:, None], (n, k))
    found = bin_classes(
        small_case.scores, edges, logits=small_case.logits, total=small_case.total, weights=weights,
        outcomes=outcomes, right=right,
    )  # fmt: skip
    bins = all_bins(small_case, edges, right)
    exact = np.stack([naive_bin(small_case.probabilities[:, c], edges[c], right) for c in range(k)], axis=1)
    assert (bins == exact).mean() > 0.999  # random edges: no probability is likely to lie on one
    for values, sums in [(wide > 0, found.rows), (wide, found.weight), (wide * outcomes, found.outcome)]:
        assert_allclose(sums, naive_sums(values, bins, 5), rtol=1e-12, atol=1e-12)
    assert_allclose(found.score, naive_sums(wide * small_case.probabilities, bins, 5), rtol=1e-12, atol=1e-12)


def test_rows_of_weight_zero_are_not_there_even_if_they_are_nan():
    p = np.array([[0.2, 0.8], [np.nan, np.nan], [0.6, 0.4]])
    w = np.array([1.0, 0.0, 2.0])
    totals = np.array([1.4, 1.6])
    for class_totals in (None, totals):
        found = bin_classes(p, np.linspace(0, 1, 3), logits=False, weights=w, class_totals=class_totals)
        assert found.rows.tolist() == [[1, 1], [1, 1]]
        assert_allclose(found.score, [[0.2, 1.2], [0.8, 0.8]], rtol=1e-15)


def test_an_empty_first_bin_is_exactly_zero():
    p = np.full((1000, 3), 1 / 3)
    found = bin_classes(p, np.linspace(0, 1, 11), logits=False, class_totals=scan_rows(p, logits=False).class_totals)
    assert (found.rows[:, 3] == 1000).all()
    assert (found.score[:, 0] == 0).all()
    assert (found.weight[:, 0] == 0).all()


def test_no_rows():
    found = bin_classes(np.empty((0, 3)), np.linspace(0, 1, 4), logits=False, class_totals=np.zeros(3))
    assert (found.rows == 0).all()
    assert found.score.shape == (3, 3)


@pytest.mark.parametrize("fused", [True, False])
def test_a_thin_first_bin_has_the_mean_of_its_own_rows(fused):
    # 400,000 rows above the first edge round to 4e-3 in all; the one row below it has a score of 0.03
    d = np.random.default_rng(0).uniform(-0.3, -0.02, 400_000)
    d[0] = -np.log(0.97 / 0.03)
    z = np.stack([d, np.zeros(len(d))], axis=1).astype(np.float32)
    edges = np.linspace(0, 1, 16)
    scan = scan_rows(z, logits=True, edges=edges)
    kind = {"logits": True, "total": scan.total, "class_totals": scan.class_totals}
    found = scan.bins if fused else bin_classes(z, edges, **kind)
    assert found.rows[0, 0] == 1
    assert found.score[0, 0] == pytest.approx(0.03, rel=1e-6)  # of a single-precision logit
