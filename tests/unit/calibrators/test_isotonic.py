"""Isotonic blocks that can be found on paper."""

import numpy as np
import pytest
from scipy.special import expit, logit

from calibrant import Predictions
from calibrant.calibrators import fit
from calibrant.errors import DataError


def test_two_blocks_by_hand():
    # scores .2 .4 .6 .8, labels 0 1 0 1: blocks {.2}, {.4, .6}, {.8} with means 0, 1/2, 1
    p = np.array([0.2, 0.4, 0.6, 0.8])
    learnt = fit(Predictions.binary(p, [0, 1, 0, 1]), "isotonic")
    of_one = slice(learnt.offsets[1], learnt.offsets[2])
    np.testing.assert_allclose(learnt.centres[of_one], [logit(0.2), 0, logit(0.8)], atol=1e-12)
    levels = [0.2 / 2, (1 + 0.5) / 3, (1 + 0.8) / 2]  # (W y + s) / (W + 1)
    np.testing.assert_allclose(expit(learnt.levels[of_one]), levels, rtol=1e-12)
    mapped = learnt(Predictions.binary([0.2, 0.5, 0.8, 0.1])).scores[:, 1]
    np.testing.assert_allclose(mapped, [0.1, 0.5, 0.9, 0.1], rtol=1e-12)  # flat beyond the ends
    between = expit((logit(0.1) + logit(0.5)) / 2)  # half way on the log-odds scale
    half = learnt(Predictions.binary([expit(logit(0.2) / 2)])).scores[0, 1]
    assert half == pytest.approx(between, rel=1e-12)


def test_ties_are_pooled_first():
    learnt = fit(Predictions.binary([0.3, 0.3, 0.3, 0.9], [1, 0, 0, 1]), "isotonic")
    assert learnt.n_parameters == 4  # two blocks in each of two classes
    np.testing.assert_allclose(expit(learnt.levels[2:]), [(1 + 0.3) / 4, (1 + 0.9) / 2], rtol=1e-12)


def test_order_of_ties_does_not_matter():
    p, labels = np.repeat([0.3, 0.6], 5), np.array([1, 1, 0, 0, 0, 0, 1, 1, 1, 0])
    one = fit(Predictions.binary(p, labels), "isotonic")
    other = fit(Predictions.binary(p[::-1], labels[::-1]), "isotonic")
    np.testing.assert_allclose(one.levels, other.levels, rtol=1e-12)


def test_smoothed_levels_never_fall():
    # a heavy block of mean 1/2 at .1 and one row above it: smoothed alone, the upper would fall below the lower
    p = np.concatenate([np.full(100, 0.1), [0.11, 0.11, 0.11]])
    labels = np.concatenate([np.arange(100) % 2, [1, 1, 0]])
    learnt = fit(Predictions.binary(p, labels), "isotonic(smoothing=5.0)")
    # (50 + 0.5) / 105 and (2 + 0.55) / 8 are in the wrong order, so both get their mean by weight
    np.testing.assert_allclose(expit(learnt.levels[learnt.offsets[1] :]), (50.5 + 2.55) / 113, rtol=1e-9)


def test_a_class_without_rows_gets_its_pseudo_row():
    p = np.array([[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]])
    learnt = fit(Predictions.from_probabilities(p, [0, 1, 0]), "isotonic")
    assert learnt.levels[-1] == pytest.approx(logit(p[:, 2].mean() / 4), rel=1e-12)  # m s / (n + m)


def test_certain_scores_keep_a_finite_log_loss():
    p = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    learnt = fit(Predictions.from_probabilities(p, [0, 1, 2, 1, 1, 2]), "isotonic")
    mapped = learnt(Predictions.from_probabilities(p)).scores
    assert (mapped > 0).all()
    np.testing.assert_allclose(mapped.sum(1), 1)


@pytest.mark.parametrize("smoothing", [0, -1, float("inf")])
def test_smoothing_must_be_positive(smoothing):
    with pytest.raises(DataError, match="smoothing must be positive and finite, got"):
        fit(Predictions.binary([0.5], [1]), f"isotonic(smoothing={smoothing})")
