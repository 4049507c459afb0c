"""Bins that can be counted on paper."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.calibrators import fit
from calibrant.errors import DataError


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("bins=1", "bins must be a whole number of at least 2, got 1"),
        ("bins=2.5", "bins must be a whole number"),
        ("edges='equal'", "edges must be 'mass' or 'width', got 'equal'"),
        ("smoothing=0", "smoothing must be positive and finite, got 0"),
        ("zero=2.0", r"zero must lie in \(0, 1\)"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(DataError, match=message):
        fit(Predictions.binary([0.5], [1]), f"histogram({options})")
