"""Rows that share an id: what each test makes of them, by hand and by its size."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.metrics.tests import test as make_test
from calibrant.metrics.tests.base import TOGETHER
from calibrant.metrics.tests.distinct_blocks import lots
from calibrant.metrics.tests.redraw import redrawn
from simulation import simulate, softmax


def clustered(seed, ids=60, rows=5, k=3):
    """Return labels that follow the probabilities and move together within an id."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(ids), rows)
    p = softmax(2 * rng.normal(size=(ids, k))[of] + 0.3 * rng.normal(size=(len(of), k)))
    labels = (p.cumsum(1) < rng.random(ids)[of, None]).sum(1).clip(max=k - 1)
    return Predictions.from_probabilities(p, labels, ids=of)


def identified(batch, ids):
    return Predictions.from_probabilities(batch.scores, batch.labels, weights=batch.weights, ids=ids)


def test_spiegelhalter_squares_the_sum_of_an_id():
    p = [[0.8, 0.2], [0.8, 0.2], [0.6, 0.4]]
    batch = Predictions.from_probabilities(p, [1, 0, 0], ids=[7, 7, 3], weights=[1.0, 2.0, 3.0])
    # S - E = 2 (|p|^2 - p_y): 0.96, -0.24 and -0.16; of id 7 0.96 - 2 * 0.24; V = 4 * 0.24 * 0.04 of the row alone
    expected = (0.48 - 0.48) / np.sqrt(0.48**2 + 9 * 0.0384)
    assert make_test("spiegelhalter")(batch).statistic == pytest.approx(expected, abs=1e-12)
    right = batch.relabelled(np.zeros(3, dtype=np.int64))
    found = make_test("spiegelhalter")(right)
    assert found.statistic == pytest.approx(-(0.72 + 0.48) / np.sqrt(0.72**2 + 9 * 0.0384))
    assert found.notes == (TOGETHER,)


@pytest.mark.parametrize("spec", ["spiegelhalter", "skce_test(estimator='block')"])
def test_ids_that_do_not_repeat_change_nothing(spec):
    batch, test = simulate(101), make_test(spec)
    found, plain = test(identified(batch, np.arange(101))), test(batch)
    assert (found.statistic, found.notes) == (pytest.approx(plain.statistic, rel=1e-12), ())


def test_ids_are_told_apart_over_shards():
    batch, test = clustered(3), make_test("spiegelhalter")
    pieces = [test.statistic(batch.take(np.arange(start, 300, 2))) for start in (0, 1)]
    merged = pieces[0].merge(pieces[1])
    assert merged.merging == "collecting"
    assert merged.compute().statistic == pytest.approx(test(batch).statistic, rel=1e-12)
    assert test.statistic(simulate(20)).merging == "exact"


def test_chi_square_gives_way_to_redrawn_labels():
    found = make_test("hosmer_lemeshow(p_value='chi_square', replicates=19)")(clustered(0))
    assert found.details["resampled"]
    assert found.p_value * 20 == pytest.approx(round(found.p_value * 20))


def test_blocks_hold_rows_of_different_ids():
    keys = np.random.default_rng(0).permutation(np.repeat([4, 5, 6, 7, 8], [5, 3, 3, 2, 1]))
    batch = identified(simulate(14), keys)
    rows, lot = lots(batch, 2)
    assert len(np.unique(rows)) == rows.size == 10
    assert [sorted(set(keys[rows[lot == one]].ravel().tolist())) for one in (0, 1)] == [[4, 5], [6, 7]]
    assert (keys[rows[:, 0]] != keys[rows[:, 1]]).all()
    assert lot.tolist() == [0, 0, 0, 1, 1]  # 4 and 5 share 3 rows, 6 and 7 share 2
    assert lots(identified(batch, np.repeat([1, 2], 7)), 5)[0].shape == (7, 2)


def test_blocks_of_the_same_ids_are_one_sum():
    batch = Predictions.from_probabilities(np.full((8, 2), 0.5), [0, 0, 0, 1, 0, 0, 0, 0], ids=[1, 1, 2, 2, 3, 3, 4, 4])
    found = make_test("skce_test(estimator='block', bandwidth=1.0)")(batch)
    # pairs of equal residuals give 1/2, of opposite ones -1/2: 1/2 - 1/2 of ids 1 and 2, 1/2 + 1/2 of 3 and 4
    assert found.statistic == pytest.approx(0.25)
    assert found.details["z"] == pytest.approx(1.0)


def test_one_id_has_no_pair():
    found = make_test("skce_test(estimator='block')")(identified(simulate(20), np.zeros(20, dtype=int)))
    assert np.isnan(found.p_value)
    assert found.notes == ("needs rows of two ids", TOGETHER)


def test_counts_that_cannot_be_told_apart():
    few = make_test("hosmer_lemeshow")(Predictions.from_probabilities([[0.5, 0.5]], [0]))
    assert few.notes == ("too few expected rows to tell counts apart",)
    certain = make_test("hosmer_lemeshow")(Predictions.from_probabilities([[1.0, 0.0]] * 50, [0] * 50))
    assert certain.notes == ("no count can vary under the null",)


@pytest.mark.parametrize("spec", ["spiegelhalter", "skce_test(estimator='block')"])
def test_sizes_where_labels_of_an_id_move_together(spec):
    test = make_test(spec)
    rejected = sum(test(clustered(seed)).p_value <= 0.1 for seed in range(200))
    # 20 are expected; more than 44 have a chance of 2e-7, and of 2e-5 at the size of 12 % that 60 ids may have
    assert rejected <= 44


def test_rows_of_an_id_are_redrawn_by_rank():
    p = np.tile([[0.6, 0.4], [0.3, 0.7], [0.1, 0.9]], (20, 1))
    drawn = np.array([*redrawn(Predictions.from_probabilities(p, ids=np.repeat(np.arange(20), 3)), 200, 0)])
    right = (drawn == p.argmax(1)).reshape(200, 20, 3)
    assert (right[..., 0] <= right[..., 1]).all()  # one that is likelier is right whenever the others are
    assert (right[..., 1] <= right[..., 2]).all()
    # 4,000 draws: four standard errors are 0.031
    np.testing.assert_allclose(right.mean((0, 1)), [0.6, 0.7, 0.9], atol=0.031)


A, B = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.3, 0.6])


@pytest.mark.parametrize("kind", ["probabilities", "logits"])
def test_classes_of_an_id_are_redrawn_by_a_shared_race(kind):
    scores, ids = np.tile([A, B, A], (40, 1)), np.repeat(np.arange(40), 3)
    if kind == "probabilities":
        batch = Predictions.from_probabilities(scores, ids=ids)
    else:
        batch = Predictions.from_logits(np.log(scores) + 3, ids=ids)
    drawn = np.array([*redrawn(batch, 500, 0, together="class")]).reshape(500, 40, 3)
    np.testing.assert_array_equal(drawn[..., 0], drawn[..., 2])  # equal rows
    for c in range(3):
        a, b = drawn[..., 0] == c, drawn[..., 1] == c
        both = 1 / np.maximum(A / A[c], B / B[c]).sum()
        assert both >= A[c] * B[c]
        # 20,000 draws: four standard errors are at most 0.0142
        np.testing.assert_allclose([a.mean(), b.mean(), (a & b).mean()], [A[c], B[c], both], atol=0.0142)


def test_classes_without_repeated_ids_are_drawn_as_ever():
    batch = simulate(30)
    plain, by_class = (np.array([*redrawn(batch, 3, 0, together=how)]) for how in ("rank", "class"))
    np.testing.assert_array_equal(plain, by_class)


@pytest.mark.parametrize(
    "spec",
    [
        "t_cal(replicates=19)",
        "hosmer_lemeshow(outcomes='class', replicates=19)",
        "skce_test(replicates=19)",
        "consistency(measure='sce', replicates=19)",
        "consistency(measure='kuiper(notion=\"class_wise\")', replicates=19)",
        "consistency(measure='decision_error(costs=((0, 9), (1, 0)))', replicates=19)",
    ],
)
def test_counts_of_classes_where_rows_of_an_id_are_opposite_and_independent(spec):
    rejected = 0
    for seed in range(60):
        p = np.tile([[0.6, 0.4], [0.4, 0.6]], (50, 1))
        labels = (np.random.default_rng(seed).random(100) > p[:, 0]).astype(int)
        batch = Predictions.from_probabilities(p, labels, ids=np.repeat(np.arange(50), 2))
        rejected += make_test(spec)(batch).p_value <= 0.05
    assert rejected <= 10  # at most 3 are expected; more than 10 have a chance of 2e-4


def test_size_where_rows_of_an_id_have_different_top_classes_and_independent_labels():
    rejected = 0
    for seed in range(200):
        p = np.tile([[0.6, 0.4], [0.4, 0.6]], (50, 1))
        labels = (np.random.default_rng(seed).random(100) > p[:, 0]).astype(int)
        batch = Predictions.from_probabilities(p, labels, ids=np.repeat(np.arange(50), 2))
        rejected += make_test("consistency(replicates=19)")(batch).p_value <= 0.05
    # at most 10 are expected; more than 22 have a chance of 2e-4 (32 where the classes are coupled)
    assert rejected <= 22
