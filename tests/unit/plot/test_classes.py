"""Predicted classes, the map of gaps, the confusion of confidence and the triangle."""

import numpy as np
import pytest
import scipy

from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.plot import classwise, confusion, simplex
from simulation import simulate


def test_predicted_classes_on_paper():
    scores = [[0.9, 0.1], [0.9, 0.1], [0.3, 0.7]]
    drawn = classwise.prepare(
        Predictions.from_probabilities(scores, [0, 1, 1], classes=["no", "yes"]),
        notion="top_label",
        bins=2,
        replicates=5,
    )
    # "no" is predicted twice with 0.9 and right once, "yes" once with 0.7 and right
    np.testing.assert_allclose(drawn.errors, [0.8 / 3, 0.3 / 3])
    first, second = drawn.diagrams
    assert (first.name, first.n, first.error) == ("no", 2, pytest.approx(0.4))
    assert (second.mean_score, second.outcome_rate) == (pytest.approx(0.7), 1.0)


def test_predicted_classes_agree_with_a_loop():
    batch = simulate(800, temperature=2.0, k=3)
    drawn = classwise.prepare(batch, notion="top_label", bins=10, replicates=2)
    top, confidence, correct = batch.summary.top, batch.summary.confidence, batch.summary.correct
    for c in range(3):
        error = 0.0
        for b in range(10):
            rows = (top == c) & (confidence > b / 10) & (confidence <= (b + 1) / 10)
            error += abs((correct[rows] - confidence[rows]).sum())
        assert drawn.errors[c] == pytest.approx(error / 800)


def test_one_class_in_each_row_of_a_small_map():
    batch = simulate(900, temperature=2.0, k=5)
    drawn = classwise.prepare(batch, most=2)
    assert drawn.gaps.names == tuple(str(c) for c in drawn.order)
    for row, diagram in enumerate(drawn.diagrams):
        np.testing.assert_array_equal(drawn.gaps.rows[row], diagram.rows)
        np.testing.assert_allclose(drawn.gaps.gaps[row], diagram.outcome_rates - diagram.mean_scores)
    assert drawn.gaps.beyond.any()


def test_rows_of_a_large_map_pool_neighbours():
    batch = simulate(400, k=90)
    drawn = classwise.prepare(batch, bins=5)
    gaps = drawn.gaps
    assert len(gaps.names) == 40
    assert (gaps.first[0], gaps.last[-1]) == (0, 89)
    np.testing.assert_array_equal(gaps.first[1:], gaps.last[:-1] + 1)
    assert gaps.pooled == 3
    assert gaps.rows.sum() == 400 * 90
    mass = np.asarray(batch.scores).sum(0)
    assert (np.diff(mass[gaps.order]) <= 0).all()  # by the scores alone: by the errors it would pool those alike
    members = gaps.order[gaps.first[0] : gaps.last[0] + 1]
    p = np.asarray(batch.scores)[:, members]
    inside = (p > 0.2) & (p <= 0.4)
    hits = batch.labels[:, None] == members
    if inside.any():
        assert gaps.gaps[0, 1] == pytest.approx((hits[inside] - p[inside]).mean())


def test_cells_of_a_calibrated_model_are_within_chance():
    found = [classwise.prepare(simulate(500, seed=s), replicates=1).gaps.beyond.any() for s in range(40)]
    assert np.mean(found) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)  # all cells together at 95 %


def any_beyond(picture, batches):
    """Return how many of calibrated batches have evidence in their picture."""
    return sum(bool(np.any(picture(batch))) for batch in batches)


def most_by_chance(sets):
    """Return the number of sets with evidence that 5 % each exceed once in 10,000."""
    return scipy.stats.binom.ppf(0.9999, sets, 0.05)


def test_pooled_cells_of_a_calibrated_model_are_within_chance():
    batches = (simulate(50, k=200, seed=s) for s in range(40))
    found = any_beyond(lambda batch: classwise.prepare(batch, replicates=1, most=0).gaps.beyond, batches)
    assert found <= most_by_chance(40)


def test_unknown_notions_are_refused():
    with pytest.raises(DataError, match="notion must be 'class_wise' or 'top_label'"):
        classwise.prepare(simulate(20), notion="canonical")


def test_confusion_on_paper():
    p, labels = np.array([[0.6, 0.4], [0.2, 0.8]]), [0, 0]
    drawn = confusion.prepare(Predictions.from_probabilities(p, labels, classes=["a", "b"]))
    np.testing.assert_allclose(drawn.given, [[0.4, 0.6], [0, 0]])  # no row has label b
    np.testing.assert_allclose(drawn.occurs, [[1, 1], [0, 0]])
    says = [[(0.36 + 0.04) / 0.8, (0.24 + 0.16) / 1.2], [(0.24 + 0.16) / 0.8, (0.16 + 0.64) / 1.2]]
    np.testing.assert_allclose(drawn.says, says)
    np.testing.assert_allclose(drawn.gaps.sum(0), 0, atol=1e-12)  # what one class gains another loses


def test_many_classes_are_told_apart_from_the_rest():
    batch = simulate(600, temperature=2.0, k=30)
    drawn = confusion.prepare(batch, most=5)
    assert (len(drawn.names), drawn.others) == (5, 26)
    assert drawn.names[-1] == "the other 26"
    np.testing.assert_allclose(drawn.gaps.sum(0), 0, atol=1e-12)
    picked = [int(name) for name in drawn.names[:-1]]
    errors = classwise.prepare(batch, replicates=1)
    assert set(picked) == set(errors.order[:4].tolist())
    rest = 1 - np.asarray(batch.scores)[:, picked].sum(1)
    others = ~np.isin(batch.labels, picked)
    assert drawn.occurs[-1, -1] == pytest.approx((rest * others).sum() / rest.sum())


def test_confusion_of_logits_weights_and_soft_labels():
    batch = simulate(50)
    logits = Predictions.from_logits(np.log(batch.scores), batch.labels)
    np.testing.assert_allclose(confusion.prepare(batch).gaps, confusion.prepare(logits).gaps, atol=1e-9)
    weights = np.arange(50) % 3
    repeated = batch.take(np.repeat(np.arange(50), weights))
    np.testing.assert_allclose(
        confusion.prepare(batch.reweighted(weights * 1.0)).gaps, confusion.prepare(repeated).gaps, atol=1e-12
    )
    soft = Predictions.from_probabilities(batch.scores, np.eye(4)[batch.labels])
    np.testing.assert_allclose(confusion.prepare(soft).gaps, confusion.prepare(batch).gaps, atol=1e-12)


def test_confusion_finds_what_is_there_and_no_more():
    assert confusion.prepare(simulate(2000, temperature=3.0)).beyond.diagonal().all()
    for n, k in ((1000, 4), (50, 10), (50, 300)):
        batches = (simulate(n, k=k, seed=s) for s in range(40))
        assert any_beyond(lambda batch: confusion.prepare(batch).beyond, batches) <= most_by_chance(40), (n, k)


def test_what_cannot_be_is_evidence():
    certain = Predictions.from_probabilities([[1.0, 0.0, 0.0]] * 3, [0, 0, 1])
    drawn = confusion.prepare(certain)
    np.testing.assert_array_equal(drawn.beyond, [[True, False, False], [True, False, False], [False, False, False]])


def test_triangle_on_paper():
    p = [[0.7, 0.2, 0.1]] * 4 + [[0.1, 0.1, 0.8]]
    drawn = simplex.prepare(Predictions.from_probabilities(p, [0, 0, 1, 2, 2]), divisions=2)
    order = np.argsort(-drawn.rows)
    np.testing.assert_array_equal(drawn.rows[order], [4, 1])
    np.testing.assert_allclose(drawn.predicted[order], [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    np.testing.assert_allclose(drawn.observed[order], [[0.5, 0.25, 0.25], [0, 0, 1]])
    assert not drawn.beyond.any()


def test_cells_of_the_triangle():
    p = np.random.default_rng(0).dirichlet(np.ones(3), 5000)
    corners = np.vstack([np.eye(3), [[0.5, 0.5, 0]], [[0.25, 0.25, 0.5]]])
    cells = simplex._cells(np.vstack([p, corners]), 4)
    assert len(np.unique(cells)) == 16  # divisions ** 2, corners of the grid in none of their own


def test_triangle_tells_over_confidence_from_chance():
    assert simplex.prepare(simulate(20_000, temperature=3.0, k=3)).beyond.mean() > 0.5
    batches = (simulate(1000, k=3, seed=s) for s in range(120))
    # all cells together at 95 %: fails for one choice of seeds in 10,000 at most
    assert any_beyond(lambda batch: simplex.prepare(batch).beyond, batches) <= most_by_chance(120)


def test_one_impossible_label_colours_its_arrow():
    p = np.vstack([np.tile([0.5, 0.5, 0.0], (40, 1)), np.tile([0.1, 0.1, 0.8], (40, 1))])
    labels = np.append(np.arange(40) % 2, [2] * 32 + [0, 1] * 4)
    fair = simplex.prepare(Predictions.from_probabilities(p, labels))
    assert not fair.beyond.any()
    labels[0] = 2
    drawn = simplex.prepare(Predictions.from_probabilities(p, labels))
    assert list(drawn.beyond) == [bool(q[2] < 0.1) for q in drawn.predicted]


def test_triangle_needs_three_classes():
    with pytest.raises(DataError, match="have three classes to be drawn on a triangle, got 4"):
        simplex.prepare(simulate(20))


def test_certain_predictions_on_the_triangle():
    p = np.vstack([np.eye(3)] * 5)
    right = simplex.prepare(Predictions.from_probabilities(p, p.argmax(1)))
    assert not right.beyond.any()
    wrong = simplex.prepare(Predictions.from_probabilities(p, (p.argmax(1) + 1) % 3))
    assert wrong.beyond.all()
