"""The comparison: out-of-fold figures, and the rule that recommends."""

import json

import numpy as np
import pytest

import calibrant
from calibrant import Predictions
from calibrant.evaluation.cross_fit import Trial
from calibrant.evaluation.recommend import paired_gain, recommend
from calibrant.folds import assign
from simulation import simulate

ROWS = 400
ONES = np.ones(ROWS)
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
    return recommend({"identity": trial(1.0, parameters=0), **trials}, ONES)


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
    name, reason = recommend(trials, ONES)
    assert name == "a"
    assert "infinite log loss becomes finite" in reason


def test_paired_gain_by_hand():
    gain, se = paired_gain(np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 1.0]), np.ones(3))
    assert gain == pytest.approx(4 / 3)
    assert se == pytest.approx(np.std([0, 1, 3], ddof=1) / np.sqrt(3))
    assert paired_gain(np.array([np.inf]), np.array([np.inf]), np.ones(1))[0] == 0


def test_gain_ignores_the_scale_of_weights():
    before, after = np.random.default_rng(1).random((2, 50))
    weights = np.random.default_rng(2).random(50)
    assert paired_gain(before, after, weights) == pytest.approx(paired_gain(before, after, 9 * weights), rel=1e-12)


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


def test_every_registered_calibrator_is_tried():
    comparison = calibrant.compare(simulate(200, temperature=1.5), repeats=1)
    names = {entry.name for entry in calibrant.registry.entries("calibrator")}
    assert {method.name for method in comparison.methods} == names
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
