"""Does kernel regression equal the sum over all other rows, and does it show what the bandwidth does?"""

import numpy as np
import pytest
from scipy.stats import beta, dirichlet

from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.metrics import canonical_density, measure
from calibrant.metrics.dirichlet_kernel import BANDWIDTHS
from calibrant.statistics import Column
from measure_bank import make


def slow(f, y, w, h, norm):
    """Return the error from each row's sum over all other rows."""
    gaps = np.empty(len(f))
    for j in range(len(f)):
        k = w * beta.pdf(f[j], f / h + 1, (1 - f) / h + 1)
        k[j] = 0
        gaps[j] = abs(k @ y / k.sum() - f[j]) ** norm
    return np.average(gaps, weights=w) ** (1 / norm)


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
