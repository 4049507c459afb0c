"""The comparison: out-of-fold figures, and the rule that recommends."""

import json

import numpy as np
import pytest

import calibrant
from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.evaluation.cross_fit import Trial
from calibrant.evaluation.recommend import recommend
from calibrant.folds import assign
from calibrant.statistics.units import Units, paired_gain
from simulation import simulate

ROWS = 400
UNITS = Units(np.full(ROWS, 1 / ROWS), np.arange(ROWS))
NOISE = np.random.default_rng(0).normal(size=(3, ROWS)) * 0.1


def trial(log_loss, brier=0.5, parameters=1, declined=""):
    def losses(mean, noise):
        return np.full(ROWS, mean) + noise - noise.mean()

    return Trial(
        log_loss=losses(log_loss, NOISE[0] * parameters),
        brier=losses(brier, NOISE[1] * parameters),
        parameters=parameters,
        declined=declined,
    )


def chosen(**trials):
    return recommend({"identity": trial(1.0, parameters=0), **trials}, UNITS)


def test_identity_without_evidence():
    assert chosen(a=trial(0.999), b=trial(1.2)) == (
        "identity",
        "Keep the scores as they are: no repair gains by more than one standard error",
    )


def test_the_best_log_loss_with_evidence():
    name, reason = chosen(a=trial(0.9), b=trial(0.8))
    assert name == "b"
    assert "gains 0.2000" in reason


def test_ties_go_to_fewer_parameters():
    name, reason = chosen(small=trial(0.9, parameters=1), large=trial(0.899, parameters=4))
    assert name == "small"
    assert "as good within one standard error: large" in reason


def test_brier_may_veto():
    name, reason = chosen(a=trial(0.8, brier=0.6), b=trial(0.9))
    assert name == "b"
    assert "a vetoed" in reason


def test_a_declined_method_is_not_chosen():
    assert chosen(a=Trial(declined="needs more"))[0] == "identity"


def test_finite_beats_infinite():
    infinite = trial(1.0, parameters=0).log_loss.copy()
    infinite[3] = np.inf
    trials = {"identity": Trial(log_loss=infinite, brier=np.full(ROWS, 0.5)), "a": trial(2.0)}
    name, reason = recommend(trials, UNITS)
    assert name == "a"
    assert "infinite log loss becomes finite" in reason


def units(weights, unit=None):
    weights = np.asarray(weights, float)
    return Units(weights / weights.sum(), np.arange(len(weights)) if unit is None else np.asarray(unit))


def test_paired_gain_by_hand():
    gain, se = paired_gain(np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 1.0]), units(np.ones(3)))
    assert gain == pytest.approx(4 / 3)
    assert se == pytest.approx(np.std([0, 1, 3], ddof=1) / np.sqrt(3))
    assert paired_gain(np.array([np.inf]), np.array([np.inf]), units([1]))[0] == 0


def test_a_row_without_weight_gains_nothing_however_wrong():
    gain, se = paired_gain(np.array([1.0, 3.0, np.inf]), np.array([1.0, 1.0, 0.0]), units([1, 1, 0]))
    assert gain == 1.0
    assert np.isfinite(se)


def test_rows_of_one_unit_count_once():
    before, after = np.random.default_rng(1).random((2, 50))
    one = paired_gain(before, after, units(np.ones(50)))
    ten = paired_gain(np.repeat(before, 10), np.repeat(after, 10), units(np.ones(500), np.repeat(np.arange(50), 10)))
    assert ten == pytest.approx(one, rel=1e-12)


def test_nothing_to_compare_is_said():
    assert recommend({"identity": trial(1.0), "a": Trial(declined="too few")}, UNITS) == (
        "identity",
        "Keep the scores as they are: no repair could be compared: too few",
    )


@pytest.fixture(scope="module")
def comparison():
    return calibrant.compare(simulate(800, temperature=2.0), ["temperature", "histogram"], repeats=2)


def test_over_confident_scores_get_a_temperature(comparison):
    assert comparison.recommended == "temperature"
    one = comparison["temperature"]
    assert one.gain > 3 * one.gain_se
    assert one.gain_low < one.gain < one.gain_high
    assert one.log_loss == pytest.approx(comparison["identity"].log_loss - one.gain)
    assert one.parameters == 1


def test_the_figures_are_out_of_fold():
    batch = simulate(60, temperature=2.0, k=3)
    in_sample = float(calibrant.metrics.log_loss(calibrant.fit(batch, "isotonic")(batch)))
    assert calibrant.compare(batch, ["isotonic"])["isotonic"].log_loss > in_sample + 0.02


def test_calibrated_scores_are_kept():
    assert calibrant.compare(simulate(2000, seed=5)).recommended == "identity"


def test_methods_that_declare_it_are_tried():
    comparison = calibrant.compare(simulate(120, k=3), repeats=1, folds=2)
    declared = {entry.compared for entry in calibrant.registry.entries("calibrator")} - {""}
    assert {method.name for method in comparison.methods} == declared
    assert "temperature" in declared
    json.dumps(comparison.to_dict(), allow_nan=False)


def test_few_rows_decline_with_a_sentence():
    comparison = calibrant.compare(Predictions.from_probabilities([[0.9, 0.1]], [0]))
    assert comparison.recommended == "identity"
    assert "at least 10 rows, got 1" in comparison["temperature"].declined


def test_one_class_alone_is_no_ground_for_a_repair():
    comparison = calibrant.compare(Predictions.from_probabilities(np.full((40, 2), 0.5), np.ones(40, int)))
    assert comparison.recommended == "identity"
    assert "at least two classes, got only '1'" in comparison["isotonic"].declined


def test_a_method_that_is_missing_something_says_so():
    soft = np.full((40, 2), 0.5)
    comparison = calibrant.compare(Predictions.from_probabilities(soft, soft), repeats=1)
    for method in comparison.methods:
        assert method.declined or np.isfinite(method.log_loss)


def test_rows_sharing_an_id_stay_together():
    batch = simulate(100)
    ids = np.repeat(np.arange(20), 5)
    named = Predictions.from_probabilities(batch.scores, batch.labels, ids=ids)
    fold = assign(named, 5)
    assert all(len(set(fold[ids == i])) == 1 for i in range(20))


def test_folds_follow_the_ids_not_the_order():
    batch = simulate(100)
    order = np.random.default_rng(0).permutation(100)
    assert np.array_equal(assign(batch, 4)[order], assign(batch.take(order), 4))
    counts = np.bincount(assign(batch, 4))
    assert counts.max() - counts.min() <= 1


def test_it_shows_itself(comparison):
    assert "temperature" in repr(comparison)
    assert "<table>" in comparison._repr_html_()


@pytest.mark.parametrize("options", [{"folds": 1}, {"repeats": 0}, {"level": 3}, {"seed": 0.5}])
def test_wrong_options_are_one_sentence(options):
    with pytest.raises(DataError, match=f"{next(iter(options))} must"):
        calibrant.compare(simulate(50), ["temperature"], **options)


def test_folds_do_not_follow_the_order_within_an_id():
    batch = simulate(60)
    ids = np.repeat(np.arange(30), 2)
    named = Predictions.from_probabilities(batch.scores, batch.labels, ids=ids)
    swapped = np.arange(60).reshape(30, 2)[:, ::-1].ravel()
    assert np.array_equal(assign(named, 5)[swapped], assign(named.take(swapped), 5))


def test_one_spec_alone_is_a_list_of_one():
    assert {m.name for m in calibrant.compare(simulate(60), "temperature").methods} == {"identity", "temperature"}
