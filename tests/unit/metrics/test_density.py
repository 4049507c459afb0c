"""Does kernel regression equal the sum over all other rows, and does it show what the bandwidth does?"""

import numpy as np
import pytest
from scipy.stats import beta, dirichlet

from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.metrics import canonical_density, measure
from calibrant.metrics.dirichlet_kernel import BANDWIDTHS, log_kernels
from calibrant.metrics.relabelling import Relabellings
from calibrant.statistics import Column
from measure_bank import make


def slow(f, y, w, h, norm):
    """Return the error from each row's sum over all other rows."""
    gaps = np.empty(len(f))
    for j in range(len(f)):
        k = w * beta.pdf(f[j], f / h + 1, (1 - f) / h + 1)
        k[j] = 0
        gaps[j] = abs(k @ y / k.sum() - f[j]) ** norm if k.any() else np.nan
    there = ~np.isnan(gaps)
    return np.average(gaps[there], weights=w[there]) ** (1 / norm)


@pytest.mark.parametrize("name", ["plain", "ties", "soft", "real_weights", "binary"])
@pytest.mark.parametrize("norm", [1, 2])
@pytest.mark.parametrize("h", [0.02, 0.3])
def test_equals_a_loop_over_rows(name, norm, h):
    batch = make(name)
    expected = slow(batch.summary.confidence, batch.summary.correct, batch.row_weights, h, norm)
    # densities from log-gamma functions of size 1/h: 1e-13 of them
    assert float(measure(f"ece_kde(bandwidth={h}, norm={norm})")(batch)) == pytest.approx(expected, abs=1e-11)


def test_two_rows_by_hand():
    # each row is told by the other alone: |1 - .6| and |0 - .9|
    batch = Predictions.binary([0.6, 0.9], [0, 1])
    assert float(measure("ece_kde(bandwidth=0.1)")(batch)) == pytest.approx((0.4 + 0.9) / 2, abs=1e-15)


def tied(scores, soft):
    """Return outcomes and weights of rows of unlike weight that share few scores, one-hot rows among them."""
    rng = np.random.default_rng(0)
    f = rng.choice(scores, 60)
    y = rng.random(60) if soft else rng.integers(0, 2, 60) + 0.0
    return f, y, rng.gamma(1.0, size=60)


@pytest.mark.parametrize("scores", [[1.0], [0.55, 0.7, 0.7001, 1.0]])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("norm", [1, 2])
def test_rows_that_share_a_score_are_left_out_one_by_one(scores, soft, norm):
    f, y, w = tied(scores, soft)
    labels = np.column_stack([y, 1 - y]) if soft else np.where(y == 1, 0, 1)
    batch = Predictions.from_probabilities(np.column_stack([f, 1 - f]), labels, weights=w)
    # densities from log-gamma functions of size 1/h: 1e-13 of them
    assert float(measure(f"ece_kde(bandwidth=0.02, norm={norm})")(batch)) == pytest.approx(
        slow(f, y, w, 0.02, norm), abs=1e-11
    )


@pytest.mark.parametrize("spec", ["ece_kde", "ece_kde_canonical"])
def test_shared_scores_do_not_make_weights_or_soft_labels_jump(spec):
    def value(labels, weights):
        return float(measure(spec)(Predictions.from_probabilities([[0.7, 0.3]] * 2, labels, weights=weights)))

    # each row is told by the other alone, |0 - .7| and |1 - .3|; of two classes both gaps count
    assert value([0, 1], [1, 1]) == pytest.approx(0.5 * (2 if "canonical" in spec else 1), abs=1e-15)
    assert value([0, 1], [1, 1 + 1e-9]) == pytest.approx(value([0, 1], [1, 1]), abs=1e-9)
    halves, nearly = [[0.5, 0.5]] * 2, [[0.5, 0.5], [0.5 + 1e-9, 0.5 - 1e-9]]
    assert value(nearly, None) == pytest.approx(value(halves, None), abs=1e-8)  # the change times a slope of 1 or 2


@pytest.mark.parametrize("spec", ["ece_kde", "ece_kde_canonical"])
def test_a_row_beside_which_others_are_tiny_is_told_by_them(spec):
    batch = Predictions.from_probabilities([[0.7, 0.3]] * 3, [0, 1, 0], weights=[1.0, 1e-17, 3e-17])
    # at the heavy row the rate is 3/4; the others weigh nothing beside it
    expected = 0.05 * (2 if "canonical" in spec else 1)
    assert float(measure(spec)(batch)) == pytest.approx(expected, abs=1e-15)


def test_weighted_ties_choose_the_likeliest_bandwidth():
    f, y, w = (
        np.append(values, heavy)
        for values, heavy in zip(tied(np.arange(5, 10) / 10, soft=False), (0.62, 1, 60), strict=True)
    )

    def likelihood(h):
        k = w * np.array([beta.pdf(t, f / h + 1, (1 - f) / h + 1) for t in f])
        np.fill_diagonal(k, 0)
        return w @ np.log(k.sum(1))

    best = max(BANDWIDTHS, key=likelihood)
    assert measure("ece_kde").details(Column.of(f, y, w))["bandwidth"] == best


def test_redrawn_labels_of_weighted_ties_give_what_each_gives():
    f, _, w = tied([0.55, 0.7, 1.0], soft=False)
    batch = Predictions.from_probabilities(np.column_stack([f, 1 - f]), np.zeros(60, int), weights=w)
    labels, metric = np.random.default_rng(1).integers(0, 2, (5, 60)), measure("ece_kde")
    alone = [float(metric(batch.relabelled(one))) for one in labels]
    together = metric.relabelled_values(metric.sums(batch), Relabellings(batch, labels))
    assert together == pytest.approx(alone, abs=1e-12)  # one product of matrices or many: sums in another order


def with_a_zero(zero):
    """Return 200 rows whose third class has probability 1e-14, but ``zero`` in one."""
    rng = np.random.default_rng(0)
    p = np.column_stack([rng.beta(8, 2, 200), np.zeros(200), np.full(200, 1e-14)])
    p[0, 2] = zero
    p[:, 1] = 1 - p[:, 0] - p[:, 2]
    return Predictions.from_probabilities(p, rng.integers(0, 2, 200))


def near_one(score):
    """Return 200 rows whose score is within 1e-14 of 1, the first ``score``."""
    rng = np.random.default_rng(0)
    rest = np.append(1 - score, rng.uniform(1e-15, 9e-15, 199))
    return Predictions.from_probabilities(np.column_stack([1 - rest, rest]), rng.integers(0, 2, 200))


@pytest.mark.parametrize(
    ("spec", "rows"),
    [
        ("ece_kde_canonical", (with_a_zero(0.0), with_a_zero(1e-14))),
        ("ece_kde", (near_one(1.0), near_one(1 - 5e-15))),
        ("ece_kde_canonical", (near_one(1.0), near_one(1 - 5e-15))),
    ],
)
def test_a_row_of_zeros_beside_tiny_probabilities_does_not_choose_the_bandwidth(spec, rows):
    found, near = (measure(spec)(batch) for batch in rows)
    assert found.details["bandwidth"] == near.details["bandwidth"]
    # one row of 200 is left out, and its gap is at most 2
    assert found.value == pytest.approx(near.value, abs=2 / 200)
    assert found.notes == ("rows that the kernel of no other row reaches are left out",)


def test_log_zero_times_anything_positive_is_impossible():
    at = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
    rows = np.array([[0.5, 0.5, 1e-300], [0.4, 0.6, 0.0], [1.0, 0.0, 0.0]])
    impossible = [[True, False, False], [True, True, False], [False, False, False]]
    np.testing.assert_array_equal(log_kernels(at, rows, 0.1) == -np.inf, impossible)


@pytest.mark.parametrize("n", [40, 3000])
def test_scores_that_round_above_1_are_1(n):
    rng = np.random.default_rng(0)
    f = np.append(rng.uniform(0.6, 1, n), [1.0, 1.000002, 1.000004])
    labels = rng.integers(0, 2, n + 3)
    above, at_one = (
        Predictions.from_probabilities(np.column_stack([g, np.maximum(1 - g, 0)]), labels)
        for g in (f, np.minimum(f, 1))
    )
    # three rows at 1 are one distinct score or three: sums in another order
    assert float(measure("ece_kde")(above)) == pytest.approx(float(measure("ece_kde")(at_one)), abs=1e-12)
    assert measure("ece_kde")(above).notes == measure("ece_kde")(at_one).notes


@pytest.mark.parametrize(("a", "b"), [(3, 1.2), (12, 0.9)])
@pytest.mark.parametrize("h", [1e-4, 1e-3, 1e-2, 1e-1])
def test_cells_move_the_value_little(a, b, h):
    rng = np.random.default_rng(0)
    f = rng.beta(a, b, 1500)
    y = (rng.random(1500) < f**1.2) + 0.0
    value = measure(f"ece_kde(bandwidth={h})").of_column(Column.of(f, y))
    assert value == pytest.approx(slow(f, y, np.ones(1500), h, 1), rel=0.01)  # as documented


def test_details_show_the_bandwidth():
    batch = make("plain")
    for spec in ("ece_kde", "ece_kde_canonical"):
        details = measure(spec)(batch).details
        h = details["bandwidth"]
        assert h in BANDWIDTHS
        for name, factor in (("value_at_half", 0.5), ("value_at_double", 2)):
            other = measure(f"{spec}(bandwidth={float(h * factor)!r})")(batch)
            assert details[name] == pytest.approx(other.value, abs=1e-14)


def test_bandwidth_has_the_largest_likelihood():
    batch = make("plain")
    f = batch.summary.confidence

    def likelihood(h):
        k = np.array([beta.pdf(t, f / h + 1, (1 - f) / h + 1) for t in f])
        np.fill_diagonal(k, 0)
        with np.errstate(divide="ignore"):
            return np.log(k.sum(1)).sum()

    best = max(BANDWIDTHS, key=likelihood)
    assert measure("ece_kde")(batch).details["bandwidth"] == best


def slow_canonical(batch, h, norm):
    p, w = np.asarray(batch.probabilities), batch.row_weights
    y = batch.labels if batch.soft else np.eye(batch.k)[batch.labels]
    gaps = np.empty(len(p))
    for j in range(len(p)):
        k = np.array([0.0 if i == j else w[i] * dirichlet.pdf(p[j] / p[j].sum(), p[i] / h + 1) for i in range(len(p))])
        gaps[j] = (np.abs(k @ y / k.sum() - p[j]) ** norm).sum()
    return np.average(gaps, weights=w) ** (1 / norm)


@pytest.mark.parametrize("name", ["plain", "soft", "real_weights"])
@pytest.mark.parametrize("norm", [1, 2])
def test_canonical_equals_a_loop_over_rows(name, norm):
    batch = make(name)
    value = float(measure(f"ece_kde_canonical(bandwidth=0.1, norm={norm})")(batch))
    assert value == pytest.approx(slow_canonical(batch, 0.1, norm), abs=1e-11)


def test_two_classes_are_twice_the_pair():
    batch = Predictions.binary(np.random.default_rng(0).random(60), np.random.default_rng(1).integers(0, 2, 60))
    both = float(measure("ece_kde_canonical(bandwidth=0.05)")(batch))
    # the gap of a row is the same for both classes, whichever is on top
    one = float(measure("ece_kde(bandwidth=0.05, notion='class_wise')")(batch))
    assert both == pytest.approx(2 * one, abs=1e-11)


def test_blocks_do_not_matter(monkeypatch):
    batch, metric = make("real_weights"), measure("ece_kde_canonical(bandwidth=0.1)")
    whole = float(metric(batch))
    monkeypatch.setattr(canonical_density, "_BLOCK", 7 * len(batch))
    monkeypatch.setattr(canonical_density, "_KEPT_ROWS", 0)
    assert float(metric(batch)) == pytest.approx(whole, abs=1e-14)


def test_thinning_is_even_and_told():
    batch = make("plain")
    estimate = measure("ece_kde_canonical(bandwidth=0.1, most_rows=30)")(batch)
    third = measure("ece_kde_canonical(bandwidth=0.1)")(batch.take(np.arange(0, 90, 3)))
    assert estimate.value == third.value
    assert estimate.notes == ("of 90 rows 30 are used, evenly spaced in the order of their keys",)


@pytest.mark.parametrize("spec", ["ece_kde", "ece_kde_canonical"])
def test_redrawn_labels_keep_the_kernels(spec):
    batch, metric = make("plain"), measure(spec)
    known = metric.sums(batch)
    metric.value(known)
    other = batch.relabelled(np.roll(batch.labels, 1))
    again = metric.relabelled_sums(known, other)
    assert metric.value(again) == pytest.approx(float(metric(other)), abs=1e-13)


@pytest.mark.parametrize("spec", ["ece_kde", "ece_kde_canonical"])
def test_rows_that_no_other_row_reaches(spec):
    # a score of exactly 1 has a kernel that is 0 under every other
    p = [[1.0, 0.0], [0.6, 0.4], [0.7, 0.3]]
    estimate = measure(f"{spec}(bandwidth=0.1)")(Predictions.from_probabilities(p, [0, 0, 0]))
    assert estimate.value == pytest.approx(0.35 * (2 if "canonical" in spec else 1), abs=1e-12)
    assert estimate.notes == ("rows that the kernel of no other row reaches are left out",)
    alone = measure(spec)(Predictions.from_probabilities(p[:1], [0]))
    assert np.isnan(alone.value)
    assert alone.notes == ("not defined: the kernel of no row reaches another",)


@pytest.mark.parametrize("spec", ["ece_kde", "ece_kde_canonical"])
@pytest.mark.parametrize("options", ["bandwidth=0", "bandwidth=-1.0", "bandwidth=inf", "norm=3"])
def test_options_are_checked(spec, options):
    with pytest.raises(DataError, match=f"{options.split('=')[0]} must"):
        measure(f"{spec}({options})")


def test_rows_to_use_are_checked():
    with pytest.raises(DataError, match="most_rows must be a whole number over 1"):
        measure("ece_kde_canonical(most_rows=1)")
