"""Bins that can be counted on paper."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.calibrators import fit
from calibrant.errors import DataError
from calibrant.formulas import NUMPY
from calibrant.solvers.rows import log_probabilities
from calibrant.testing import check_calibrator


def test_two_bins_by_hand():
    p = [0.1, 0.2, 0.7, 0.9]
    learnt = fit(Predictions.binary(p, [0, 1, 1, 1]), "histogram(bins=2)")
    assert learnt.edges[1] == pytest.approx([0.2])
    assert learnt.levels[1] == pytest.approx([(1 + 0.15) / 3, (2 + 0.8) / 3])  # (W y + s) / (W + 1)
    mapped = learnt(Predictions.binary([0.2, 0.2000001])).scores[:, 1]
    # closed on the right; class 0 has the levels (0 + 0.2) / 3 and (1 + 0.85) / 3, and stays in its upper bin
    assert mapped == pytest.approx([1.15 / (1.15 + 1.85), 2.8 / (2.8 + 1.85)])


def test_equal_mass_never_splits_ties():
    p = [0.1, 0.3, 0.3, 0.3, 0.3, 0.8]
    learnt = fit(Predictions.binary(p, [0, 0, 1, 0, 1, 1]), "histogram(bins=3)")
    assert learnt.edges[1] == pytest.approx([0.3, np.inf])  # targets of 2 and 4 rows both end inside the ties
    assert learnt.n_parameters == 4


def test_one_score_is_one_bin():
    learnt = fit(Predictions.binary([0.3, 0.3, 0.3], [0, 0, 1]), "histogram")
    assert learnt.n_parameters == 2
    assert np.isinf(learnt.edges).all()


def test_equal_mass_is_of_weights():
    learnt = fit(Predictions.binary([0.1, 0.2, 0.3], [0, 1, 1], weights=[2, 1, 1]), "histogram(bins=2)")
    assert learnt.edges[1] == pytest.approx([0.1])


def test_width_cuts_evenly_and_fills_empty_bins_with_their_middle():
    learnt = fit(Predictions.binary([0.1, 0.9], [0, 1]), "histogram(edges='width', bins=4)")
    assert learnt.edges[1] == pytest.approx([0.25, 0.5, 0.75])
    assert learnt.levels[1] == pytest.approx([0.1 / 2, 0.375, 0.625, (1 + 0.9) / 2])


def test_soft_labels_are_shares():
    learnt = fit(Predictions.from_probabilities([[0.9, 0.1], [0.9, 0.1]], [[0.5, 0.5], [1.0, 0.0]]), "histogram")
    assert learnt.levels[1, 0] == pytest.approx((0.5 + 0.1) / 3)


def test_no_smoothing_gives_plain_shares():
    learnt = fit(Predictions.binary([0.1, 0.2, 0.7, 0.9], [0, 1, 1, 1]), "histogram(bins=2, smoothing=0)")
    assert learnt.levels[1].tolist() == [0.5, 1.0]
    even = fit(Predictions.binary([0.1, 0.9], [0, 1]), "histogram(bins=4, edges='width', smoothing=0)")
    assert even.levels[1] == pytest.approx([0.0, 0.375, 0.625, 1.0])  # middles where there are no rows


def test_a_score_on_an_edge_stays_below_it_however_exp_and_log_round():
    rng = np.random.default_rng(0)
    p = np.exp(-40 * rng.random(400))  # all magnitudes: log p carries more digits of rounding where p is small
    batch = Predictions.binary(p, rng.integers(2, size=400))
    learnt = fit(batch, "histogram(bins=200)")
    log_p = log_probabilities(batch, slice(None))
    for rounding in (-1e-15, 1e-15):
        np.testing.assert_array_equal(learnt.formula(NUMPY, log_p * (1 + rounding)), learnt(batch).scores)


def test_zeros_are_looked_up_where_they_were_learnt():
    batch = Predictions.binary([0.0, 0.0, 0.1, 0.5], [1, 0, 0, 1])
    learnt = fit(batch, "histogram(bins=4, smoothing=0)")
    assert learnt.edges[1] == pytest.approx([1e-30, 0.1, np.inf])
    assert learnt(batch).scores[:, 1] == pytest.approx([0.5, 0.5, 0.0, 1.0])


def test_guarantee_by_hand():
    p, labels = np.arange(1, 13) / 13, np.arange(12) % 2
    bound = fit(Predictions.binary(p, labels), "histogram(bins=3)").guarantee(0.1)
    # four rows a bin, of which one sets the edge but in the last; one pseudo-row
    lower, last = (np.sqrt(3 * np.log(60) / 2) + 1 + 1) / 5, (np.sqrt(4 * np.log(60) / 2) + 1) / 5
    assert bound[1] == pytest.approx([lower, lower, last])
    rows = 50_000  # the one row at the edge no longer counts: the bound of the paper
    batch = Predictions.binary((np.arange(rows) + 0.5) / rows, np.arange(rows) % 2)
    many = fit(batch, "histogram(bins=5, smoothing=0)")
    theirs = np.sqrt(np.log(2 * 5 / 0.1) / (2 * (rows // 5 - 1)))
    assert many.guarantee(0.1)[1] == pytest.approx(theirs, rel=1e-2)


def test_no_guarantee_for_weights_and_ties():
    p = np.array([0.1, 0.2, 0.3, 0.3])
    assert (fit(Predictions.binary(p, [0, 1, 0, 1]), "histogram(bins=2)").guarantee(0.1) == 1).all()
    weighted = Predictions.binary(np.linspace(0.1, 0.9, 500), np.arange(500) % 2, weights=np.arange(500) % 3 + 1)
    assert (fit(weighted, "histogram(bins=2)").guarantee(0.1) == 1).all()
    even = fit(Predictions.binary(np.repeat(0.3, 500), np.arange(500) % 2), "histogram(bins=2, edges='width')")
    assert even.guarantee(0.1)[1, 0] < 0.1  # fixed edges ask nothing of the scores
    assert even.guarantee(0.1)[1, 1] == 1  # no rows
    with pytest.raises(DataError, match=r"alpha must lie in \(0, 1\), got 1"):
        even.guarantee(1)


@pytest.mark.parametrize("edges", ["mass", "width"])
def test_guarantee_fails_no_more_often_than_said(edges):
    # P(1 | p) = 0.3 + 0.4 p, so a bin from a to b holds 0.3 + 0.2 (a + b); all 400 runs are of other rows
    rng, failed, tight = np.random.default_rng(1), 0, 0
    for _ in range(400):
        p = rng.random(300)
        batch = Predictions.binary(p, rng.random(300) < 0.3 + 0.4 * p)
        learnt = fit(batch, f"histogram(bins=6, smoothing=0.5, edges='{edges}')")
        ends = np.concatenate([[0], learnt.edges[1], [1]])
        truth = 0.3 + 0.2 * (ends[:-1] + ends[1:])
        off, bound = np.abs(learnt.levels[1] - truth), learnt.guarantee(0.3)[1]
        failed, tight = failed + (off > bound).any(), tight + (off > bound / 2).any()
    assert failed <= 0.3 * 400 + 3 * np.sqrt(0.3 * 0.7 * 400)  # three standard errors of the stated rate
    assert tight > 0.3 * 400  # half the bound would not do: it is not vacuous


@pytest.mark.parametrize("spec", ["histogram(smoothing=0)", "histogram(bins=4, edges='width', smoothing=0.0)"])
def test_laws_without_smoothing(spec):
    check_calibrator(spec)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("bins=1", "bins must be a whole number of at least 2, got 1"),
        ("bins=2.5", "bins must be a whole number"),
        ("edges='equal'", "edges must be 'mass' or 'width', got 'equal'"),
        ("smoothing=-1", "smoothing must be at least 0 and finite, got -1"),
        ("zero=2.0", r"zero must lie in \(0, 1\)"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(DataError, match=message):
        fit(Predictions.binary([0.5], [1]), f"histogram({options})")
