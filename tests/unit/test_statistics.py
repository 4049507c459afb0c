"""Sums that merge, by hand."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.metrics import measure
from calibrant.metrics.estimators.equal_mass import EqualMass
from calibrant.metrics.notions.class_wise import ClassWise
from calibrant.metrics.notions.confidence import Confidence, bin_pairs
from calibrant.metrics.tests import test as make_test
from calibrant.statistics import BinSums, Moments
from calibrant.statistics.bin_sums import common_unit
from simulation import simulate

EDGES = np.array([0.0, 0.5, 1.0])


def test_moments_ignore_absent_rows_even_infinite_ones():
    sums = Moments.of(np.array([1.0, np.inf, 3.0]), np.array([1.0, 0.0, 3.0]))
    assert (sums.rows, sums.weight, sums.mean) == (2, 4.0, 2.5)
    assert Moments().merge(sums) == sums


def test_bins_by_hand():
    scores, outcomes = np.array([0.0, 0.5, 0.75, 1.0]), np.array([1.0, 0.0, 1.0, 1.0])
    right = bin_pairs(scores, outcomes, EDGES, weights=None, right=True)
    assert right.rows.tolist() == [[2, 2]]
    assert right.gaps[0] == pytest.approx([0.5 - 0.25, 1 - 0.875])
    left = bin_pairs(scores, outcomes, EDGES, weights=None, right=False)
    assert left.rows.tolist() == [[1, 3]]
    weighted = bin_pairs(scores, outcomes, EDGES, weights=np.array([1.0, 3, 0, 1]), right=True)
    assert weighted.rows.tolist() == [[2, 1]]
    assert weighted.outcome_rates[0] == pytest.approx([0.25, 1.0])


def test_empty_is_neutral_and_other_edges_are_refused():
    sums = bin_pairs(np.array([0.2, 0.9]), np.array([1.0, 0.0]), EDGES, weights=None, right=True)
    merged = BinSums.empty(EDGES, 1, squares=True).merge(sums)
    assert merged.gaps.tolist() == sums.gaps.tolist()
    assert merged.n == 2
    with pytest.raises(DataError, match="same bins"):
        sums.merge(BinSums.empty(np.array([0.0, 0.4, 1.0]), 1))


@pytest.mark.parametrize(
    ("weights", "unit"),
    [([1, 1], 1), ([2, 4, 6], 2), ([0.1, 0.3, 0.7], 0.1), ([3, 0, 2], 1), ([np.pi, 1.0], 0), ([1e-9, 2e-9], 1e-9)],
)
def test_common_unit(weights, unit):
    assert common_unit(np.array(weights, float)) == pytest.approx(unit)


def test_equal_mass_cuts_as_evenly_as_whole_rows_allow():
    batch = simulate(100)
    sums = EqualMass(bins=15).finish(EqualMass(bins=15).gather(Confidence(), batch, squares=False))
    assert sums.rows[0].tolist() == [7] * 10 + [6] * 5


def test_ties_are_never_split():
    p = np.repeat([[0.6, 0.4], [0.8, 0.2], [0.9, 0.1]], [5, 1, 4], axis=0)
    sums = EqualMass(bins=4).finish(
        EqualMass(bins=4).gather(Confidence(), Predictions.from_probabilities(p, np.zeros(10, int)), squares=False)
    )
    assert sums.rows[0].tolist() == [5, 1, 4, 0] or sums.rows[0].sum() == 10
    assert sorted(r for r in sums.rows[0].tolist() if r) in ([1, 4, 5], [4, 6], [5, 5])


def column_errors(sums):
    return np.abs(sums.outcome - sums.score).sum(1) / sums.weight.sum(1)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("notion", [Confidence(), ClassWise()])
def test_the_grid_agrees_within_its_bound(notion, weighted):
    batch = simulate(4000, temperature=1.5)
    if weighted:
        batch = batch.reweighted(np.random.default_rng(0).uniform(0.5, 2, 4000))
    exact = EqualMass(bins=10).gather(notion, batch, squares=False)
    grid = EqualMass(bins=10, exact_entries=100).gather(notion, batch, squares=False)
    assert (exact.merging, grid.merging) == ("collecting", "approximate")
    errors, bounds = [column_errors(gathered.binned) for gathered in (exact, grid)], grid.bounds
    assert (exact.bounds == 0).all()
    assert (np.abs(errors[0] - errors[1]) <= bounds).all()
    assert (bounds < 0.06).all()  # nine boundaries, each in a bucket of some ten of 4,000 rows
    assert (bounds > 0).all()
    assert (grid.misplaced < 0.1).all()
    masses = grid.binned.weight / batch.row_weights.sum()
    assert np.abs(masses - 0.1).max() < 0.02


def coarse(monkeypatch, steps):
    edges = np.linspace(0, 1, steps + 1)
    monkeypatch.setattr("calibrant.metrics.estimators.equal_mass._grid", lambda columns, threshold: edges)


def test_the_bound_of_the_grid_by_hand(monkeypatch):
    """Four rows in [0, .5] and four above: of four bins the second and the last begin inside a bucket."""
    coarse(monkeypatch, 2)
    confidence = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
    batch = Predictions.from_probabilities(np.stack([1 - confidence, confidence], 1), [0, 0, 0, 1, 0, 1, 1, 1])
    grid = EqualMass(bins=4, exact_entries=1).gather(ClassWise(), batch, squares=False)
    # class 1: the lower bucket holds one outcome of four, at most 1 + 3 x .5; the upper three of four, 3 x .5 + 1
    assert grid.bounds[1] == min(2 * (2.5 + 2.5) / 8, 1.0)
    assert grid.misplaced[1] == 1.0
    two = EqualMass(bins=2, exact_entries=1).gather(ClassWise(), batch, squares=False)
    assert two.bounds.tolist() == [0.0, 0.0]  # the boundary lies between the buckets: nothing moves


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("weights", [None, "whole", "real"])
def test_no_set_of_rows_breaks_the_bound(monkeypatch, seed, weights):
    coarse(monkeypatch, 8)
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 60))
    p = rng.dirichlet(np.ones(3), n).round(int(rng.integers(1, 4)))
    w = {None: None, "whole": rng.integers(1, 4, n), "real": rng.uniform(0.1, 2, n)}[weights]
    batch = Predictions.from_probabilities(p, rng.integers(0, 3, n), weights=w, normalize=True)
    bins = int(rng.integers(2, 9))
    exact = EqualMass(bins=bins).gather(ClassWise(), batch, squares=False)
    grid = EqualMass(bins=bins, exact_entries=1).gather(ClassWise(), batch, squares=False)
    off = np.abs(column_errors(exact.binned) - column_errors(grid.binned))
    assert (off <= grid.bounds + 1e-12).all()  # sums in another order


def test_the_grid_merges_like_one():
    batch = simulate(3000)
    binning = EqualMass(bins=10, exact_entries=1500)
    parts = [binning.gather(ClassWise(), batch.take(rows), squares=True) for rows in np.array_split(np.arange(3000), 7)]
    merged = parts[3]
    for part in parts[:3] + parts[4:]:
        merged = merged.merge(part)
    whole = binning.gather(ClassWise(), batch, squares=True)
    assert merged.merging == whole.merging == "approximate"
    for name in ("rows", "weight", "outcome", "score"):
        assert getattr(merged.binned, name) == pytest.approx(getattr(whole.binned, name), rel=1e-12)


def test_the_estimate_states_the_bound(monkeypatch):
    monkeypatch.setattr("calibrant.metrics.estimators.equal_mass.EXACT_ENTRIES", 10)
    monkeypatch.setattr(EqualMass, "gather", lambda self, notion, p, *, squares: _on_grid(self, notion, p, squares))
    batch = simulate(500)
    notes = [measure(spec)(batch).notes[0] for spec in ("ace", "ace(norm=2)")]
    bound = float(notes[0].partition("within ")[2].split()[0])
    assert 0 < bound < 0.1  # a mean over classes, as the value is
    assert "of the weight may stand in another bin" in notes[1]


def _on_grid(binning, notion, predictions, squares):
    from calibrant.metrics.estimators.equal_mass import Gathered

    fine = EqualMass(bins=binning.bins, exact_entries=1)
    return Gathered(binning=fine, notion=notion, squares=squares, batches=(predictions,), grid=None).compressed()


@pytest.mark.parametrize(
    "spec", ["t_cal(replicates=19)", "skce_test(replicates=19)", "hosmer_lemeshow(p_value='resampled', replicates=19)"]
)
def test_shards_without_a_place_merge_one_after_the_other(spec):
    batch, test = simulate(90), make_test(spec)
    parts = [
        test.statistic(Predictions.from_probabilities(batch.scores[rows], batch.labels[rows]))
        for rows in (slice(0, 30), slice(30, 31), slice(31, 90))
    ]
    whole = test(batch)
    for merged in (parts[0].merge(parts[1]).merge(parts[2]), parts[0].merge(parts[1].merge(parts[2]))):
        found = merged.compute()
        assert (found.statistic, found.p_value, found.notes) == (whole.statistic, whole.p_value, ())


@pytest.mark.parametrize("spec", ["skce(estimator='block')", "squared_canonical"])
def test_logits_and_probabilities_do_not_merge_as_rows(spec):
    batch, found = simulate(40), measure(spec)
    logits = Predictions.from_logits(np.log(batch.scores), batch.labels)
    with pytest.raises(DataError, match="same kind of scores"):
        found.statistic(batch).merge(found.statistic(logits))


def test_the_grid_from_a_threshold_keeps_scores_that_round_above_one():
    p = np.array([[1 + 1e-7, 0.0], [0.5, 0.5]])
    batch = Predictions.from_probabilities(p, [0, 1])
    grid = EqualMass(bins=4, threshold=0.01, exact_entries=1).gather(ClassWise(), batch, squares=False)
    assert grid.binned.rows.sum(1).tolist() == [2, 1]
