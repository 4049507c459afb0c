"""Bins of each predicted class that can be counted on paper."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.calibrators import fit
from calibrant.errors import DataError
from calibrant.formulas import NUMPY
from calibrant.solvers.rows import log_probabilities
from calibrant.testing import check_calibrator

SURE = [[0.6, 0.3, 0.1], [0.7, 0.2, 0.1], [0.8, 0.1, 0.1], [0.9, 0.05, 0.05], [0.3, 0.5, 0.2]]


def test_two_bins_of_one_class_and_one_of_another():
    learnt = fit(Predictions.from_probabilities(SURE, [0, 1, 0, 0, 2]), "top_label_histogram(points=2)")
    assert learnt.edges == pytest.approx(np.array([[0.7], [np.inf], [np.inf]]))
    # two rows a bin and one pseudo-row that says what the confidence says: (1 + h) / 3 below, (2 + h) / 3 above
    mapped = learnt(Predictions.from_probabilities([[0.6, 0.3, 0.1], [0.8, 0.15, 0.05]])).scores
    low, high = (1 + 0.6) / 3, (2 + 0.8) / 3
    expected = [[low, (1 - low) * 0.75, (1 - low) * 0.25], [high, (1 - high) * 0.75, (1 - high) * 0.25]]
    np.testing.assert_allclose(mapped, expected, rtol=1e-12)


def test_few_rows_of_a_predicted_class_and_none():
    learnt = fit(Predictions.from_probabilities(SURE, [0, 1, 0, 0, 2]), "top_label_histogram(points=2)")
    mapped = learnt(Predictions.from_probabilities([[0.3, 0.5, 0.2], [0.2, 0.2, 0.6]])).scores
    # one row of predicted class 1, wrong: 0.5 / 2, and class 0 overtakes; class 2 is never predicted and stays
    np.testing.assert_allclose(mapped, [[0.75 * 0.6, 0.25, 0.75 * 0.4], [0.2, 0.2, 0.6]], rtol=1e-12)
    assert learnt.n_parameters == 4


def test_weights_are_masses_of_effective_rows():
    batch = Predictions.from_probabilities(SURE[:2], [0, 1], weights=[3, 1])
    # Kish's rows are 16 / 10; three quarters of them are right
    level = (1.6 * 0.75 + 0.6) / 2.6
    assert fit(batch, "top_label_histogram")(batch).scores[0, 0] == pytest.approx(level)


def test_soft_labels_are_shares():
    batch = Predictions.from_probabilities(SURE[:1], [[0.2, 0.5, 0.3]])
    assert fit(batch, "top_label_histogram")(batch).scores[0, 0] == pytest.approx((0.2 + 0.6) / 2)


def test_classes_that_tie_share_the_row():
    batch = Predictions.from_probabilities([[0.4, 0.4, 0.2]], [0])
    # half a row each, right for class 0 and wrong for class 1: (0.5 + 0.4) / 1.5 and 0.4 / 1.5
    first, second = 0.9 / 1.5, 0.4 / 1.5
    rest = np.array([0.4, 0.4, 0.2]) / 0.6
    expected = (
        np.array([first, *((1 - first) * rest[1:])]) + np.array([0, second, 0]) + (1 - second) * rest * [1, 0, 1]
    ) / 2
    np.testing.assert_allclose(fit(batch, "top_label_histogram")(batch).scores[0], expected, rtol=1e-12)


def test_confidence_and_class_are_true_together():
    # class 0 over-confident, class 1 under-confident at the same confidences: one curve for both could not do it
    rng = np.random.default_rng(0)
    h = 0.55 + 0.4 * rng.random(20_000)
    said = rng.integers(2, size=20_000)
    right = rng.random(20_000) < np.where(said == 0, h - 0.05, np.minimum(h + 0.05, 1))
    p = np.where(said[:, None] == [0, 1], h[:, None], 1 - h[:, None])
    batch = Predictions.from_probabilities(p, np.where(right, said, 1 - said))
    mapped = fit(batch, "top_label_histogram(points=500)")(batch).scores[np.arange(20_000), said]
    # a share of 500 labels has a standard error of 0.022 at most; half of that on average over 40 bins is generous
    assert np.abs(mapped - np.where(said == 0, h - 0.05, np.minimum(h + 0.05, 1))).mean() < 0.022


def test_a_confidence_on_an_edge_stays_in_its_bin_however_exp_and_log_round():
    rng = np.random.default_rng(2)
    batch = Predictions.from_logits(np.round(4 * rng.normal(size=(600, 3)), 1), rng.integers(3, size=600))
    learnt = fit(batch, "top_label_histogram(points=3)")
    log_p = log_probabilities(batch, slice(None))
    for rounding in (-1e-15, 1e-15):
        shaken = learnt.formula(NUMPY, log_p * (1 + rounding))
        np.testing.assert_allclose(shaken, learnt(batch).probabilities, atol=1e-12)


def test_laws_with_small_bins():
    check_calibrator("top_label_histogram(points=5, smoothing=2.0)")


@pytest.mark.parametrize(
    ("option", "message"), [("points=1", "points must be a whole"), ("smoothing=0", "smoothing must")]
)
def test_options_are_checked(option, message):
    with pytest.raises(DataError, match=message):
        fit(Predictions.binary([0.5], [1]), f"top_label_histogram({option})")
