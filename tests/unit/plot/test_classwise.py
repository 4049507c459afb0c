"""The records of the class-wise diagrams."""

import numpy as np
import pytest

from calibrant import Predictions, metrics
from calibrant.plot import classwise
from simulation import simulate


@pytest.fixture(scope="module")
def batch():
    return simulate(600, temperature=2.0, k=5)


@pytest.fixture(scope="module")
def drawn(batch):
    return classwise.prepare(batch, most=3, replicates=30)


def test_errors_are_those_of_the_measure(batch, drawn):
    # the same sums in another order
    np.testing.assert_allclose(drawn.errors, metrics.sce(batch).per_class, rtol=1e-12)
    assert [diagram.error for diagram in drawn.diagrams] == pytest.approx([drawn.errors[c] for c in drawn.shown])


def test_worst_first(drawn):
    assert (np.diff(drawn.errors[drawn.order]) <= 0).all()
    assert drawn.shown == tuple(drawn.order[:3])
    assert [diagram.name for diagram in drawn.diagrams] == [str(c) for c in drawn.shown]
    assert drawn.others == 2


def test_a_class_on_paper():
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7]])
    batch = Predictions.from_probabilities(scores, [0, 1, 1], classes=["no", "yes"])
    first, second = classwise.prepare(batch, bins=2, replicates=5, classes=[0, 1]).diagrams
    assert (first.name, second.name) == ("no", "yes")
    np.testing.assert_array_equal(first.rows, [1, 2])
    np.testing.assert_allclose(first.mean_scores, [0.3, 0.9])
    np.testing.assert_allclose(first.outcome_rates, [0.0, 0.5])
    np.testing.assert_allclose(second.mean_scores, [0.1, 0.7])  # two classes mirror each other
    np.testing.assert_allclose(second.outcome_rates, [0.5, 1.0])
    assert first.error == pytest.approx(0.3 / 3 + 0.4 * 2 / 3)
    assert (first.mean_score, first.outcome_rate) == (pytest.approx(0.7), pytest.approx(1 / 3))


def test_the_classes_asked_for(batch, drawn):
    other = classwise.prepare(batch, classes=(4, 0), replicates=5)
    assert other.shown == (4, 0)
    assert [diagram.name for diagram in other.diagrams] == ["4", "0"]
    np.testing.assert_array_equal(other.order, drawn.order)


def test_levels_of_a_calibrated_model(drawn):
    assert (drawn.errors > drawn.null).all()  # far from calibrated
    assert (np.diff(drawn.null_ranked) <= 0).all()
    # the mean of the largest is at least the largest mean, and the sums are equal up to rounding
    assert drawn.null_ranked[0] >= drawn.null.max()
    assert drawn.null_ranked.sum() == pytest.approx(drawn.null.sum())


def test_bands_hold_the_scores_of_full_bins(drawn):
    for diagram in drawn.diagrams:
        full = diagram.rows > 30
        assert full.any()
        assert ((diagram.low <= diagram.mean_scores) & (diagram.mean_scores <= diagram.high))[full].all()


def test_a_class_that_never_occurs():
    batch = Predictions.from_probabilities(np.tile([0.5, 0.4, 0.1], (50, 1)), np.arange(50) % 2)
    drawn = classwise.prepare(batch, replicates=10, classes=[2])
    assert drawn.diagrams[0].outcome_rate == 0
    assert drawn.errors[2] == pytest.approx(0.1)


def test_soft_labels():
    soft = np.full((40, 3), 1 / 3)
    batch = Predictions.from_probabilities(np.tile([0.5, 0.3, 0.2], (40, 1)), soft)
    drawn = classwise.prepare(batch, replicates=10)
    assert [diagram.outcome_rate for diagram in drawn.diagrams] == pytest.approx([1 / 3] * 3)
    assert drawn.errors == pytest.approx([0.5 - 1 / 3, 1 / 3 - 0.3, 1 / 3 - 0.2])
